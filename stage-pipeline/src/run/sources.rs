//! Sources: how they are spawned.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use stages::prelude::*;

use super::assembly::{Origin, SourceLimits};
use super::{Assembly, BuildError, Downstream, MessageOutlet};
use crate::guarantee::Guarantee;
use crate::message::Message;
use crate::source::{Capabilities, Counts, Push, Source, SourceOptions, SourceStage};

/// A source that runs.
pub(crate) struct SpawnedSource<T> {
    pub(crate) outlet: MessageOutlet<T>,
    pub(crate) push: PushMessages<T>,
    pub(crate) guarantee: Guarantee,
}

/// Puts messages into a source, for tests; returns whether it still runs.
pub(crate) type PushMessages<T> =
    Arc<dyn Fn(Vec<Message<T>>) -> BoxFuture<'static, bool> + Send + Sync>;

/// Spawns a source.
pub(crate) type SpawnSource<T> =
    Box<dyn FnOnce(&mut Assembly, &Downstream<T>) -> Result<SpawnedSource<T>, BuildError> + Send>;

/// Returns how to spawn the source that `factory` makes.
pub(crate) fn source<S: Source>(
    mut factory: impl FnMut() -> S + Send + 'static,
) -> SpawnSource<S::Data> {
    Box::new(move |assembly, downstream| {
        let number = assembly.origins.len();
        let name: Arc<str> = assembly.name(&format!("source#{number}")).into();
        let first = factory();
        let capabilities = first.capabilities();
        check(assembly, capabilities, &name)?;
        let SourceLimits {
            rate,
            key_rate,
            max_in_flight,
            restart,
        } = assembly.limits.clone();
        let counts = Arc::<Counts>::default();
        let options = Arc::new(SourceOptions {
            name: Arc::clone(&name),
            number,
            shared: Arc::clone(&assembly.shared),
            counts: Arc::clone(&counts),
            capabilities,
            rate,
            key_rate,
            max_in_flight,
            assign: downstream.assign.clone(),
        });
        let mut first = Some(first);
        let make = move || {
            let source = first.take().unwrap_or_else(&mut factory);
            SourceStage::new(source, Arc::clone(&options))
        };
        let stage = supervised(make)
            .restart(restart)
            .stage()
            .name(&*name)
            .dispatcher(downstream.routes.dispatcher()?)
            // It holds what was handed back, and what tests push: no more than was leased.
            .unbounded_buffer()
            .gate(Gate::Closed)
            .in_group(&*assembly.stages)
            .try_spawn()?
            .stage_ref();
        let outlet = stage.outlet();
        assembly.origins.push(Origin {
            source: name,
            counts,
        });
        let gate = outlet.clone();
        assembly
            .gates
            .push(Box::new(move |open| gate.set_gate(open)));
        let push: PushMessages<S::Data> = Arc::new(move |messages| {
            let stage = stage.clone();
            async move { stage.call(Push(messages)).await.is_ok() }.boxed()
        });
        Ok(SpawnedSource {
            outlet,
            push,
            guarantee: capabilities.guarantee,
        })
    })
}

/// Refuses a source that cannot do what the pipeline is to promise.
fn check(assembly: &Assembly, capabilities: Capabilities, name: &str) -> Result<(), BuildError> {
    let pipeline = || assembly.shared.name.to_string();
    let shared = &assembly.shared;
    if shared.dead_letters.is_none()
        && !capabilities.keeps_dead_letters
        && shared.retry.is_limited()
    {
        return Err(BuildError::NoDeadLetters {
            pipeline: pipeline(),
            source_name: name.to_owned(),
        });
    }
    if shared.ordered && !capabilities.keeps_key_order {
        return Err(BuildError::Unordered {
            pipeline: pipeline(),
            source_name: name.to_owned(),
        });
    }
    Ok(())
}
