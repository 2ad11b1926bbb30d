//! A source whose messages are acknowledged later, from anywhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;
use stage_runtime::prelude::*;

/// The queue behind an [`Acked`] source.
#[derive(Default)]
pub(crate) struct Store {
    ready: VecDeque<u64>,
    unsettled: usize,
    acked: Vec<u64>,
    returned: Vec<u64>,
    waker: Option<Waker>,
}

/// What a test sees of the queue.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<Store>>);

/// A message that counts as unsettled until it is acknowledged or dropped.
pub(crate) struct Message {
    pub(crate) number: u64,
    store: Arc<Mutex<Store>>,
    settled: bool,
}

impl Queue {
    pub(crate) fn with(numbers: impl IntoIterator<Item = u64>) -> Self {
        let queue = Self::default();
        queue.0.lock().ready.extend(numbers);
        queue
    }

    pub(crate) fn acked(&self) -> Vec<u64> {
        self.0.lock().acked.clone()
    }

    pub(crate) fn returned(&self) -> Vec<u64> {
        self.0.lock().returned.clone()
    }

    pub(crate) fn unsettled(&self) -> usize {
        self.0.lock().unsettled
    }

    pub(crate) fn source(&self) -> Acked {
        Acked {
            store: Arc::clone(&self.0),
            log: Arc::default(),
            draining: false,
            takes_back: false,
        }
    }
}

impl Message {
    pub(crate) fn ack(mut self) {
        self.settled = true;
        let number = self.number;
        self.settle(|store| store.acked.push(number));
    }

    fn settle(&self, how: impl FnOnce(&mut Store)) {
        let mut store = self.store.lock();
        store.unsettled -= 1;
        how(&mut store);
        let waker = store.waker.take();
        drop(store);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(|store| store.returned.push(self.number));
        }
    }
}

/// Emits the messages of a [`Queue`], and stays until all are settled.
pub(crate) struct Acked {
    store: Arc<Mutex<Store>>,
    pub(crate) log: Arc<Mutex<Vec<&'static str>>>,
    draining: bool,
    pub(crate) takes_back: bool,
}

impl Producer for Acked {
    type Event = Message;

    async fn handle_start(&mut self, out: &mut Emitter<'_, Message>) -> StageResult {
        self.log.lock().push("start");
        self.store.lock().waker = Some(out.waker().clone());
        Ok(())
    }

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Message>,
    ) -> StageResult {
        let mut store = self.store.lock();
        let count = demand.min(store.ready.len());
        store.unsettled += count;
        for number in store.ready.drain(..count) {
            out.push(Message {
                number,
                store: Arc::clone(&self.store),
                settled: false,
            });
        }
        if store.ready.is_empty() {
            out.complete();
        }
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Message>) -> StageResult {
        self.log.lock().push("wake");
        self.store.lock().waker = Some(out.waker().clone());
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, Message>) -> StageResult {
        self.log.lock().push("drain");
        self.draining = true;
        out.complete();
        Ok(())
    }

    async fn handle_returned(
        &mut self,
        returned: &mut Batch<Message>,
        _: &mut Emitter<'_, Message>,
    ) -> StageResult {
        self.log.lock().push("returned");
        if self.takes_back {
            returned.drain().for_each(drop);
        }
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.store.lock().unsettled == 0
    }

    fn held(&self) -> usize {
        self.store.lock().unsettled
    }

    async fn terminate(&mut self, _: &Outcome) {
        self.log.lock().push("terminate");
    }
}
