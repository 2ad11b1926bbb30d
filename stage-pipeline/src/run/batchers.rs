//! Batchers and their batch handlers: how they are spawned.

use std::sync::Arc;

use futures::FutureExt;
use stages::prelude::*;

use super::assembly::check_concurrency;
use super::by_number::{ByNumber, Numbered, partitions};
use super::{Assembly, BuildError, Reader, Terms, Upstream};
use crate::batch::{BatchHandler, BatchProcessor, BatcherStage, MakeBatchHandler, MessageBatch};
use crate::build::Batcher;

/// Spawns a batcher, which reads from a pool, with its batch handlers.
pub(crate) type SpawnBatcher<T> =
    Box<dyn FnOnce(&mut Assembly, &Upstream<T>, usize, bool) -> Result<(), BuildError> + Send>;

/// Returns how to spawn a batcher with its batch handlers.
pub(crate) fn batcher<H: BatchHandler>(
    options: Batcher<H::Data>,
    make: MakeBatchHandler<H>,
) -> SpawnBatcher<H::Data> {
    Box::new(move |assembly, upstream, number, partitioned| {
        let name: Arc<str> = options.name.into();
        assembly.claim(&name)?;
        check_concurrency(&name, options.concurrency)?;
        let limits = options.open().map_err(|cause| BuildError::Batcher {
            batcher: name.to_string(),
            cause,
        })?;
        let handlers = options.concurrency;
        let max_demand = options.demand();
        let terms = Terms {
            number,
            max_demand,
            min_demand: max_demand / 2,
        };

        let batcher_name = Arc::clone(&name);
        let make_batcher =
            move || BatcherStage::new(Arc::clone(&batcher_name), limits.empty(), handlers);
        let mut stage = supervised(make_batcher)
            .restart(assembly.restart)
            .stage()
            .name(assembly.name(&name))
            .dispatcher(by_partition::<H::Data>(handlers, partitioned)?)
            .in_group(&*assembly.stages);
        for subscription in upstream.pool.subscriptions(terms) {
            stage = stage.subscribe_to(subscription);
        }
        let stage = stage.try_spawn()?.stage_ref();
        for handler in 0..handlers {
            let stage_name = assembly.name(&format!("{name}/handler#{handler}"));
            let (make, shared, name) = (
                Arc::clone(&make),
                Arc::clone(&assembly.shared),
                Arc::clone(&name),
            );
            let make = move || {
                BatchProcessor::new(Arc::clone(&make), Arc::clone(&shared), Arc::clone(&name))
            };
            supervised(make)
                .restart(assembly.restart)
                .stage()
                .name(stage_name)
                .subscribe_to(stage.route(handler).max_demand(1).min_demand(0))
                .in_group(&*assembly.stages)
                .try_spawn()?;
        }
        let control = stage.control();
        let subscribe = Box::new(move |subscription| {
            let stage = stage.clone();
            async move { stage.subscribe(subscription).await }.boxed()
        });
        upstream.pool.add_reader(Reader {
            control,
            terms,
            subscribe,
        });
        assembly.add_edge(&upstream.name, &name, upstream.guarantee);
        let handled = format!("{name}/handler");
        assembly.add_edge(&name, &handled, upstream.guarantee.min(H::GUARANTEE));
        Ok(())
    })
}

/// Which batch handler gets a batch: any, or the one of its partition.
fn by_partition<T: Send + 'static>(
    handlers: usize,
    partitioned: bool,
) -> Result<Numbered<MessageBatch<T>>, BuildError> {
    if partitioned && handlers > 1 {
        partitions(handlers, |batch: &MessageBatch<T>| Some(batch.partition))
    } else {
        Ok(ByNumber::any())
    }
}
