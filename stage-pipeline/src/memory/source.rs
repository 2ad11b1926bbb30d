//! [`MemorySource`]: leases messages of a queue in memory.

use std::fmt;
use std::sync::Arc;

use stages::StageResult;

use super::shared::Shared;
use super::state::Lease;
use crate::ack::Acknowledger;
use crate::guarantee::Guarantee;
use crate::message::Metadata;
use crate::source::{Capabilities, Leases, Next, Source};

/// Leases messages of a [`MemoryQueue`](super::MemoryQueue). It promises
/// [`Guarantee::AtLeastOnce`], keeps dead letters and the order of keys, and extends its
/// leases three times in each visibility timeout.
pub struct MemorySource<T> {
    queue: Arc<Shared<T>>,
    leased: Vec<Lease<T>>,
}

impl<T> MemorySource<T> {
    pub(super) const fn new(queue: Arc<Shared<T>>) -> Self {
        Self {
            queue,
            leased: Vec::new(),
        }
    }
}

impl<T: Clone + Send + 'static> Source for MemorySource<T> {
    type Data = T;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Guarantee::AtLeastOnce)
            .with_dead_letters()
            .with_key_order()
            .with_heartbeat(self.queue.visibility() / 3)
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::clone(&self.queue) as _
    }

    async fn lease(&mut self, demand: usize, leases: &mut Leases<'_, T>) -> StageResult<Next> {
        let next = self.queue.lease(demand, leases.waker(), &mut self.leased);
        for Lease {
            token,
            data,
            key,
            deliveries,
        } in self.leased.drain(..)
        {
            let mut metadata = Metadata::new().with_deliveries(deliveries);
            if let Some(key) = key {
                metadata = metadata.with_key(key);
            }
            leases.push(token, data, metadata);
        }
        Ok(next)
    }

    async fn heartbeat(&mut self) -> StageResult {
        self.queue.extend();
        Ok(())
    }
}

impl<T> fmt::Debug for MemorySource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource").finish_non_exhaustive()
    }
}
