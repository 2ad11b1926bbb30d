//! How children report that they have ended: one short lock each, and one
//! wake-up of the stage for all that end before it looks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use stage_core::{BoxError, StageResult, panic_message};

use super::PerEventError;

/// How a child's task ended.
#[derive(Debug)]
pub(super) enum End {
    Completed,
    Failed(BoxError),
    Aborted,
}

/// What children have reported and the stage has not read.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    ended: VecDeque<(usize, End)>,
    reader: Option<Waker>,
}

impl Reports {
    /// Reads all there are into `ended`, which is empty. Where there are none,
    /// `reader` is woken by the next.
    pub(super) fn poll_read(&self, reader: &Waker, ended: &mut VecDeque<(usize, End)>) -> Poll<()> {
        let mut state = self.0.lock();
        if !state.ended.is_empty() {
            std::mem::swap(&mut state.ended, ended);
            return Poll::Ready(());
        }
        match &mut state.reader {
            Some(waker) => waker.clone_from(reader),
            none => *none = Some(reader.clone()),
        }
        Poll::Pending
    }

    fn report(&self, place: usize, end: End) {
        let reader = {
            let mut state = self.0.lock();
            state.ended.push_back((place, end));
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// Reports a child's end when it is dropped: that happens however the task
/// ends, also when it is aborted or its runtime goes away.
#[derive(Debug)]
pub(super) struct Report {
    reports: Arc<Reports>,
    place: usize,
    end: End,
}

impl Report {
    pub(super) fn new(reports: &Arc<Reports>, place: usize) -> Self {
        Self {
            reports: Arc::clone(reports),
            place,
            end: End::Aborted,
        }
    }

    /// Reports what came of a child whose future has been dropped.
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
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

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
        let (waker, mut ended) = (Waker::from(Arc::clone(&woken)), VecDeque::new());
        assert!(reports.poll_read(&waker, &mut ended).is_pending());
        drop(Report::new(&reports, 7));
        drop(Report::new(&reports, 8));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(reports.poll_read(&waker, &mut ended).is_ready());
        assert_eq!(ended.len(), 2);
        assert!(matches!(ended[0], (7, End::Aborted)));
        ended.clear();
        drop(Report::new(&reports, 7));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "nobody was waiting");
        assert!(reports.poll_read(&waker, &mut ended).is_ready());
    }
}
