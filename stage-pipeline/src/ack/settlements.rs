//! [`Settlements`]: verdicts on their way, grouped by origin.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use stages::protocol::panic_message;

use super::{Ack, AckError, Acknowledger, Settled, Verdict};

/// Collects verdicts and carries them out: one call for each origin, in the order in
/// which they were given. Its vectors are used again.
///
/// Verdicts that are dropped with it, unsent, are abandoned as retries or rejections;
/// acknowledgements among them are retried, because the origin never heard of them.
#[derive(Default)]
pub(crate) struct Settlements {
    groups: Vec<Group>,
    spares: Vec<Vec<Settled>>,
}

struct Group {
    origin: Arc<dyn Acknowledger>,
    settled: Vec<Settled>,
}

impl Settlements {
    pub(crate) fn push(&mut self, ack: Ack, verdict: Verdict, reason: Option<Arc<str>>) {
        let Some((origin, token)) = ack.take() else {
            return;
        };
        let settled = Settled::new(token, verdict).because(reason);
        // There are few origins, and the next message is mostly of the last one.
        let known = self
            .groups
            .iter_mut()
            .rev()
            .find(|group| Arc::ptr_eq(&group.origin, &origin));
        if let Some(group) = known {
            group.settled.push(settled);
        } else {
            let mut group = self.spares.pop().unwrap_or_default();
            group.push(settled);
            self.groups.push(Group {
                origin,
                settled: group,
            });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Carries out all verdicts. An origin that fails does not keep the others from
    /// theirs; the last error is returned, all are traced.
    pub(crate) async fn send(&mut self) -> Result<(), AckError> {
        let mut result = Ok(());
        while !self.groups.is_empty() {
            // Taken out: if this future is dropped, the origin alone abandons them.
            let Group {
                origin,
                mut settled,
            } = self.groups.remove(0);
            let count = settled.len();
            // In a block of its own: `settle` may panic before it returns a future.
            let settling = async { origin.settle(&mut settled).await };
            let sent = AssertUnwindSafe(settling)
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| {
                    let reason = format!("the acknowledger panicked: {}", panic_message(&*panic));
                    Err(AckError::new(
                        "an acknowledger that panicked",
                        count,
                        reason,
                    ))
                });
            if let Err(error) = sent {
                tracing::error!(%error, "messages are not settled");
                result = Err(error);
            }
            settled.clear();
            self.spares.push(settled);
        }
        result
    }
}

impl Drop for Settlements {
    fn drop(&mut self) {
        for group in self.groups.drain(..) {
            for settled in group.settled {
                group.origin.abandon(settled.unsent());
            }
        }
    }
}
