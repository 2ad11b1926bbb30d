//! The queue in which the tasks of children report their ends.

use std::sync::Arc;
use std::task::{Poll, Waker};

use crossbeam_queue::SegQueue;
use futures::task::AtomicWaker;
use stage_core::{BoxError, StageResult, panic_message};

use super::PerEventError;

/// The way in which a child ended.
#[derive(Debug)]
pub(super) enum End {
    /// It returned `Ok`.
    Completed,
    /// It returned an error or panicked.
    Failed(BoxError),
    /// Its task was aborted or dropped.
    Aborted,
}

/// The reports of many tasks to one stage, with the position of the child in `Children`.
///
/// The queue is lock-free: children end on any thread.
#[derive(Debug, Default)]
pub(super) struct Reports {
    ended: SegQueue<(usize, End)>,
    /// Woken once for all reports that come before the stage reads.
    reader: AtomicWaker,
}

impl Reports {
    /// Takes the oldest report. If there is none, the next one wakes `reader`.
    pub(super) fn poll_next(&self, reader: &Waker) -> Poll<(usize, End)> {
        if let Some(report) = self.ended.pop() {
            return Poll::Ready(report);
        }
        self.reader.register(reader);
        // Checked again: a report pushed before the registration has not woken the reader.
        self.ended.pop().map_or(Poll::Pending, Poll::Ready)
    }

    /// Adds a report and wakes the stage.
    fn report(&self, place: usize, end: End) {
        self.ended.push((place, end));
        self.reader.wake();
    }
}

/// A guard that reports the end of a child when it is dropped. It covers every end of the
/// task, including an abort and a shutdown of the runtime.
#[derive(Debug)]
pub(super) struct Report {
    reports: Arc<Reports>,
    place: usize,
    end: End,
}

impl Report {
    /// Returns the guard of the child at `place`. It reports an abort unless told
    /// otherwise.
    pub(super) fn new(reports: &Arc<Reports>, place: usize) -> Self {
        Self {
            reports: Arc::clone(reports),
            place,
            end: End::Aborted,
        }
    }

    /// Reports the result of a child whose future has been dropped.
    pub(super) fn with(mut self, result: std::thread::Result<StageResult>) {
        self.end = match result {
            Ok(Ok(())) => End::Completed,
            Ok(Err(error)) => End::Failed(error),
            Err(panic) => {
                let message = panic_message(panic.as_ref());
                End::Failed(PerEventError::Panicked { message }.into())
            }
        };
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let mut end = std::mem::replace(&mut self.end, End::Aborted);
        if matches!(end, End::Aborted) && std::thread::panicking() {
            let message = "while its future was dropped".to_owned();
            end = End::Failed(PerEventError::Panicked { message }.into());
        }
        self.reports.report(self.place, end);
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Report, Reports};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Poll, Wake, Waker};

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_reader_that_found_nothing_is_woken_once_for_all_that_comes() {
        let reports = Arc::new(Reports::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(reports.poll_next(&waker).is_pending());
        drop(Report::new(&reports, 7));
        drop(Report::new(&reports, 8));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(matches!(
            reports.poll_next(&waker),
            Poll::Ready((7, End::Aborted))
        ));
        assert!(reports.poll_next(&waker).is_ready());
        drop(Report::new(&reports, 7));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "nobody was waiting");
        assert!(reports.poll_next(&waker).is_ready());
        assert!(reports.poll_next(&waker).is_pending());
    }
}
