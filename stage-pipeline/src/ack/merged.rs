//! [`merge`]: several messages become one, whose verdict settles each of them.

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::sync::Arc;

use super::{Ack, AckError, Acknowledger, Settled, Settlements, Token, Verdict};

/// Merges the duties to settle several messages into one.
pub(crate) fn merge(acks: Vec<Ack>) -> Ack {
    Ack::new(Arc::new(Merged(Mutex::new(acks))), Token::new(0, 0))
}

/// The origins of one message.
struct Merged(Mutex<Vec<Ack>>);

impl Acknowledger for Merged {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        async move {
            let acks = std::mem::take(&mut *self.0.lock());
            let mut settlements = Settlements::default();
            for ack in acks {
                let whole = settled.first();
                let verdict = whole.map_or(Verdict::Release, |whole| whole.verdict);
                settlements.push(ack, verdict, whole.and_then(|whole| whole.reason.clone()));
            }
            settlements.send().await
        }
        .boxed()
    }

    fn abandon(&self, settled: Settled) {
        let acks = std::mem::take(&mut *self.0.lock());
        for (origin, token) in acks.into_iter().filter_map(Ack::take) {
            origin.abandon(Settled::new(token, settled.verdict).because(settled.reason.clone()));
        }
    }
}
