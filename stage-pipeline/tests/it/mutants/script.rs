//! A source that says of each message how often it was delivered.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::{
    AckError, Acknowledger, Capabilities, Guarantee, Leases, Metadata, Next, Settled, Source, Token,
};
use stages::StageResult;

use crate::support::Log;

/// Leases each message once, and keeps the verdicts.
#[derive(Clone)]
pub(super) struct Script {
    messages: Vec<(u64, Metadata)>,
    guarantee: Guarantee,
    verdicts: Log<Settled>,
}

impl Script {
    pub(super) fn new(messages: impl IntoIterator<Item = (u64, Metadata)>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            guarantee: Guarantee::AtLeastOnce,
            verdicts: Log::default(),
        }
    }

    pub(super) fn promising(guarantee: Guarantee) -> Self {
        Self {
            guarantee,
            ..Self::new([])
        }
    }

    pub(super) fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::new(Verdicts(self.verdicts.clone()))
    }

    /// The verdicts in the order of their messages.
    pub(super) fn verdicts(&self) -> Vec<Settled> {
        let mut verdicts = self.verdicts.all();
        verdicts.sort_by_key(|one| one.token.id);
        verdicts
    }
}

impl Source for Script {
    type Data = u64;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.guarantee).with_dead_letters()
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Self::acknowledger(self)
    }

    async fn lease(&mut self, demand: usize, leases: &mut Leases<'_, u64>) -> StageResult<Next> {
        let count = demand.min(self.messages.len());
        for (number, metadata) in self.messages.drain(..count) {
            leases.push(Token::new(number, 1), number, metadata);
        }
        Ok(match self.messages.is_empty() {
            true => Next::End,
            false => Next::Woken,
        })
    }
}

struct Verdicts(Log<Settled>);

impl Acknowledger for Verdicts {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        settled.iter().for_each(|one| self.0.push(one.clone()));
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, settled: Settled) {
        self.0.push(settled);
    }
}
