//! [`split`]: one message becomes several, which settle it with the worst verdict.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::{Ack, AckError, Acknowledger, Settled, Token, Verdict};

/// Splits the duty to settle a message over `count` parts. When the last part is settled,
/// the message is settled with the worst verdict of all. Without parts there is nothing
/// to wait for, and the duty is returned.
pub(crate) fn split(ack: Ack, count: usize) -> Result<Vec<Ack>, Ack> {
    if count == 0 {
        return Err(ack);
    }
    let whole = Whole {
        ack: Some(ack),
        left: count,
        worst: Settled::new(Token::new(0, 0), Verdict::Ack),
    };
    let parts: Arc<dyn Acknowledger> = Arc::new(Parts(Mutex::new(whole)));
    Ok((0..count)
        .map(|part| Ack::new(Arc::clone(&parts), Token::new(part as u64, 0)))
        .collect())
}

/// The parts of one message.
struct Parts(Mutex<Whole>);

struct Whole {
    ack: Option<Ack>,
    left: usize,
    worst: Settled,
}

impl Parts {
    /// Notes verdicts on parts. After the last one returns the origin, and the verdict on
    /// the whole.
    fn note<'a>(
        &self,
        settled: impl IntoIterator<Item = &'a Settled>,
    ) -> Option<(Arc<dyn Acknowledger>, Settled)> {
        let mut whole = self.0.lock();
        for one in settled {
            whole.left = whole.left.saturating_sub(1);
            if one.verdict > whole.worst.verdict {
                whole.worst.verdict = one.verdict;
                whole.worst.reason.clone_from(&one.reason);
            }
        }
        if whole.left > 0 {
            return None;
        }
        let (origin, token) = whole.ack.take()?.take()?;
        let mut settled = whole.worst.clone();
        settled.token = token;
        Some((origin, settled))
    }
}

impl Acknowledger for Parts {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        let whole = self.note(&*settled);
        async move {
            match whole {
                Some((origin, settled)) => origin.settle(&mut [settled]).await,
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn abandon(&self, settled: Settled) {
        if let Some((origin, mut settled)) = self.note([&settled]) {
            // Only a part that was dropped gets here, so the worst is no `Ack`.
            settled.stale = false;
            origin.abandon(settled);
        }
    }
}
