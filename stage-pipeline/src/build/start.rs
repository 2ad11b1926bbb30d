//! [`start`]: from a description to a running pipeline.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Settings;
use crate::policy::SharedFence;
use crate::run::{AckedPipeline, Assembly, BuildError, PushMessages, Shared, SourceLimits};
use crate::source::UnsettledKeys;

/// What a pipeline is made of, beside its stages.
pub(super) struct Plan<S> {
    pub(super) name: Arc<str>,
    pub(super) settings: Settings,
    pub(super) pushes: Arc<Mutex<Vec<PushMessages<S>>>>,
}

/// Checks the options, builds the stages, and checks the guarantees. What ran already is
/// stopped if one of them is refused.
pub(super) fn start<S: Send + 'static>(
    plan: Plan<S>,
    build: impl FnOnce(&mut Assembly) -> Result<(), BuildError>,
) -> Result<AckedPipeline<S>, BuildError> {
    let Plan {
        name,
        settings,
        pushes,
    } = plan;
    let Settings {
        retry,
        dead_letters,
        rate,
        key_rate,
        required,
        max_in_flight,
        ordered,
        spans,
        restart,
        source_restart,
    } = settings;
    let pipeline = || name.to_string();
    retry.validate().map_err(|cause| BuildError::Retry {
        pipeline: pipeline(),
        cause,
    })?;
    if max_in_flight == 0 {
        return Err(BuildError::NoneInFlight {
            pipeline: pipeline(),
        });
    }
    let shared = Arc::new(Shared {
        name,
        retry,
        dead_letters,
        ordered,
        fence: SharedFence::default(),
        unsettled_keys: UnsettledKeys::default(),
        spans,
    });
    let limits = SourceLimits {
        rate,
        key_rate,
        max_in_flight,
        restart: source_restart,
    };
    let mut assembly = Assembly::new(shared, restart, limits);
    if let Some(sink) = &assembly.shared.dead_letters {
        let guarantee = sink.guarantee;
        assembly.add_edge("failed messages", "dead letters", guarantee);
    }
    let built = build(&mut assembly).and_then(|()| assembly.check(required));
    match built {
        Ok(guarantees) => Ok(AckedPipeline::new(
            assembly,
            guarantees,
            std::mem::take(&mut *pushes.lock()),
        )),
        Err(error) => {
            assembly.stages.stop("the pipeline could not start");
            Err(error)
        }
    }
}
