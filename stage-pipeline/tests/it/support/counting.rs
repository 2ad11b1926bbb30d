//! A source of numbers that ends, and forgets what it has leased.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::{
    AckError, Acknowledger, Capabilities, Guarantee, Leases, Metadata, Next, Settled, Source,
    Token, Verdict,
};
use stages::StageResult;

/// Leases the numbers below `end`, and completes without waiting for their verdicts.
#[derive(Clone)]
pub(crate) struct Counting {
    next: u64,
    end: u64,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    in_flight: AtomicU64,
    most: AtomicU64,
    acked: AtomicU64,
}

impl Counting {
    pub(crate) fn up_to(end: u64) -> Self {
        Self {
            next: 0,
            end,
            counts: Arc::default(),
        }
    }

    /// The most messages that were leased and not settled.
    pub(crate) fn most_in_flight(&self) -> u64 {
        self.counts.most.load(SeqCst)
    }

    pub(crate) fn acked(&self) -> u64 {
        self.counts.acked.load(SeqCst)
    }
}

impl Source for Counting {
    type Data = u64;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Guarantee::AtLeastOnce).with_dead_letters()
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::clone(&self.counts) as _
    }

    async fn lease(&mut self, demand: usize, leases: &mut Leases<'_, u64>) -> StageResult<Next> {
        let until = self.end.min(self.next + demand as u64);
        for number in self.next..until {
            leases.push(Token::new(number, 1), number, Metadata::new());
        }
        let leased = until - self.next;
        let in_flight = self.counts.in_flight.fetch_add(leased, SeqCst) + leased;
        self.counts.most.fetch_max(in_flight, SeqCst);
        self.next = until;
        Ok(if until == self.end {
            Next::End
        } else {
            Next::Woken
        })
    }
}

impl Acknowledger for Counts {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        let acked = settled.iter().filter(|one| one.verdict == Verdict::Ack);
        self.acked.fetch_add(acked.count() as u64, SeqCst);
        self.in_flight.fetch_sub(settled.len() as u64, SeqCst);
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, _: Settled) {
        self.in_flight.fetch_sub(1, SeqCst);
    }
}
