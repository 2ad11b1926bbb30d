//! Recording the ledger of a pipeline through the `metrics` facade.

use metrics::{counter, gauge};

use crate::run::AckedPipeline;

impl<S: Send + 'static> AckedPipeline<S> {
    /// Records the ledger of each source through the [`metrics`] facade, counters as
    /// absolute values, and the snapshot of the stages as
    /// [`Snapshot::record_metrics`](stages::snapshot::Snapshot::record_metrics) does.
    ///
    /// | name | labels | unit |
    /// |---|---|---|
    /// | `stages_messages_leased_total` | `source` | messages |
    /// | `stages_messages_acked_total`, `stages_messages_retried_total`, `stages_messages_released_total`, `stages_messages_rejected_total`, `stages_messages_expired_total` | `source` | messages |
    /// | `stages_messages_in_flight` | `source` | messages |
    pub fn record_metrics(&self) {
        for origin in self.origins() {
            let (source, ledger) = (origin.source.to_string(), origin.ledger);
            for (name, count) in [
                ("stages_messages_leased_total", ledger.leased),
                ("stages_messages_acked_total", ledger.acked),
                ("stages_messages_retried_total", ledger.retried),
                ("stages_messages_released_total", ledger.released),
                ("stages_messages_rejected_total", ledger.rejected),
                ("stages_messages_expired_total", ledger.expired),
            ] {
                counter!(name, "source" => source.clone()).absolute(count);
            }
            gauge!("stages_messages_in_flight", "source" => source).set(ledger.in_flight as f64);
        }
        self.snapshot().record_metrics();
    }
}
