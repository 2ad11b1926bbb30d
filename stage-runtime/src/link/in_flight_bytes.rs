//! The bytes in flight over a link whose consumer limits them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use stage_core::{Batch, Budget, ByteWindow, DemandWindow};

use super::{Input, LinkView};
use crate::snapshot::LinkSnapshot;

/// The consumer's record of the bytes in flight over one link, boxed because few
/// subscriptions set `max_bytes`.
#[derive(Debug)]
pub(crate) struct InFlightBytes<E> {
    window: ByteWindow<E>,
    /// The weight of the batch that the handler has.
    current: usize,
    shown: Arc<Shown>,
}

/// The part of the record that snapshots read.
#[derive(Debug, Default)]
struct Shown {
    /// Events that have arrived and are not settled, and their weight.
    events: AtomicU64,
    bytes: AtomicU64,
    /// The mean weight of an event.
    mean: AtomicU64,
}

impl<E> InFlightBytes<E> {
    pub(crate) fn new(limit: usize, weigh: fn(&E) -> usize, budget: Option<&Budget>) -> Box<Self> {
        let window = ByteWindow::new(limit, weigh);
        Box::new(Self {
            window: match budget {
                Some(budget) => window.share(budget),
                None => window,
            },
            current: 0,
            shown: Arc::default(),
        })
    }

    /// Returns `link` with the bytes in its snapshots.
    pub(crate) fn view(&self, link: Arc<dyn LinkView>) -> Arc<dyn LinkView> {
        let shown = Arc::clone(&self.shown);
        Arc::new(WeighedLink { link, shown })
    }

    /// Weighs input that has arrived over the link.
    pub(crate) fn arrived<'a>(&mut self, input: impl Iterator<Item = &'a Input<E>>)
    where
        E: 'a,
    {
        for input in input {
            if let Input::Events(_, batch) = input {
                self.window.arrived(batch);
            }
        }
        self.show();
    }

    /// Weighs the batch that the handler is about to get.
    pub(crate) fn begin(&mut self, batch: &Batch<E>) {
        self.current = self.window.weight(batch);
    }

    /// Records that `count` events of the batch that the handler has are settled, and
    /// that `left` is left of it.
    pub(crate) fn settled(&mut self, count: usize, left: &[E]) {
        let left = self.window.weight(left);
        self.window
            .settled(count, self.current.saturating_sub(left));
        self.current = left;
        self.show();
    }

    /// Opens the window of a subscription. Returns the demand to send.
    pub(crate) fn open(&mut self, demand: &mut DemandWindow) -> usize {
        self.window.open(demand)
    }

    /// Records that `count` events that were settled are handled. Returns the demand to
    /// send.
    pub(crate) fn handled(&mut self, count: usize, demand: &mut DemandWindow) -> usize {
        self.window.handled(count, demand)
    }

    /// Records that nothing more arrives over the link.
    pub(crate) fn ended(&mut self) {
        self.window.ended();
    }

    fn show(&self) {
        let shown = &*self.shown;
        shown
            .events
            .store(self.window.held_events() as u64, Relaxed);
        shown.bytes.store(self.window.held() as u64, Relaxed);
        shown.mean.store(self.window.mean() as u64, Relaxed);
    }
}

/// A link whose snapshot has the bytes in flight.
struct WeighedLink {
    link: Arc<dyn LinkView>,
    shown: Arc<Shown>,
}

impl LinkView for WeighedLink {
    fn snapshot(&self) -> LinkSnapshot {
        let mut link = self.link.snapshot();
        link.in_flight_bytes = Some(match link.totals.in_flight {
            0 => 0,
            in_flight => {
                let on_the_way = in_flight.saturating_sub(self.shown.events.load(Relaxed));
                let mean = self.shown.mean.load(Relaxed);
                let bytes = self.shown.bytes.load(Relaxed);
                bytes.saturating_add(on_the_way.saturating_mul(mean))
            }
        });
        link
    }

    fn is_over(&self) -> bool {
        self.link.is_over()
    }
}
