//! [`StepPool`]: the members of a step, and how their number changes.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use stages::handle::StageControl;
use stages::prelude::*;
use stages::{Restart, SubscribeError, SubscriptionId};

use super::assembly::check_concurrency;
use super::{
    Assembly, BuildError, Downstream, MessageOutlet, Pool, Reader, ResizeError, Routes, Shared,
    Terms, Upstream,
};
use crate::build::Step;
use crate::message::Message;
use crate::step::{Assign, LastProcessor, Make, Process, Processor};

/// A step whose number of members can change.
pub(crate) trait Resize: Send + Sync {
    fn name(&self) -> &str;
    fn members(&self) -> usize;
    /// Refuses a number of members that the step cannot have.
    fn check(&self, members: usize) -> Result<(), ResizeError>;
    fn resize(&self, members: usize) -> BoxFuture<'_, Result<(), ResizeError>>;
}

/// The members of a step.
struct StepPool<P: Process> {
    options: Step,
    make: Make<P>,
    shared: Arc<Shared>,
    stages: Arc<Pipeline>,
    restart: Restart,
    upstream: Arc<Pool<P::In>>,
    /// How members emit; `None` if nothing comes after them.
    output: Option<Output<P::Out>>,
    partitioned: bool,
    members: Mutex<Members>,
    /// One change at a time, over all steps: a new member of this one would not read from
    /// one that joins the step before meanwhile.
    resizing: Arc<tokio::sync::Mutex<()>>,
}

struct Output<T> {
    routes: Routes,
    assign: Option<Assign<T>>,
    pool: Arc<Pool<T>>,
}

#[derive(Default)]
struct Members {
    controls: Vec<StageControl>,
    /// The number of the next one: it is part of its name.
    next: usize,
}

/// Builds a step for what comes after it.
pub(crate) fn build_step<P: Process>(
    assembly: &mut Assembly,
    options: Step,
    make: Make<P>,
    upstream: &Upstream<P::In>,
    partitioned: bool,
    downstream: Option<Downstream<P::Out>>,
) -> Result<Upstream<P::Out>, BuildError> {
    assembly.claim(&options.name)?;
    check_concurrency(&options.name, options.concurrency)?;
    let name = options.name.clone();
    let pool = Arc::new(Pool::new(Vec::new()));
    let members = options.concurrency;
    let output = downstream.map(|Downstream { routes, assign }| Output {
        routes,
        assign,
        pool: Arc::clone(&pool),
    });
    let step = Arc::new(StepPool {
        options,
        make,
        shared: Arc::clone(&assembly.shared),
        stages: Arc::clone(&assembly.stages),
        restart: assembly.restart,
        upstream: Arc::clone(&upstream.pool),
        output,
        partitioned,
        members: Mutex::default(),
        resizing: Arc::clone(&assembly.resizing),
    });
    assembly.add_edge(&upstream.name, &name, upstream.guarantee);
    for _ in 0..members {
        if let Some(outlet) = step.spawn()? {
            pool.start_with(outlet);
        }
    }
    assembly.steps.push(step);
    Ok(Upstream {
        name,
        pool,
        guarantee: upstream.guarantee,
    })
}

impl<P: Process> StepPool<P> {
    fn processor(&self) -> impl FnMut() -> Processor<P> + Send + use<P> {
        let (make, shared) = (Arc::clone(&self.make), Arc::clone(&self.shared));
        let step: Arc<str> = self.options.name.as_str().into();
        let assign = self
            .output
            .as_ref()
            .and_then(|output| output.assign.clone());
        move || {
            Processor::new(
                Arc::clone(&make),
                Arc::clone(&shared),
                Arc::clone(&step),
                assign.clone(),
            )
        }
    }

    /// Spawns one more member, which reads from all there is; returns its outlet, if it
    /// emits.
    fn spawn(&self) -> Result<Option<MessageOutlet<P::Out>>, BuildError> {
        let Members { next: number, .. } = *self.members.lock();
        let name = format!("{}/{}#{number}", self.shared.name, self.options.name);
        let max_demand = self.options.max_demand;
        let min_demand = self.options.min_demand.unwrap_or(max_demand / 2);
        let terms = Terms {
            number,
            max_demand,
            min_demand,
        };
        let subscriptions = self.upstream.subscriptions(terms);
        let mut processor = self.processor();
        let (control, reader, outlet) = match &self.output {
            Some(output) => {
                let stage = supervised(processor).restart(self.restart).stage();
                let mut stage = stage
                    .name(name)
                    .dispatcher(output.routes.dispatcher()?)
                    .in_group(&*self.stages);
                for subscription in subscriptions {
                    stage = stage.subscribe_to(subscription);
                }
                let stage = stage.try_spawn()?.stage_ref();
                let (control, outlet) = (stage.control(), stage.outlet());
                let reader = reader(control.clone(), terms, move |subscription| {
                    let stage = stage.clone();
                    async move { stage.subscribe(subscription).await }.boxed()
                });
                (control, reader, Some(outlet))
            }
            None => {
                let stage = supervised(move || LastProcessor::new(processor()))
                    .restart(self.restart)
                    .stage();
                let mut stage = stage.name(name).in_group(&*self.stages);
                for subscription in subscriptions {
                    stage = stage.subscribe_to(subscription);
                }
                let stage = stage.try_spawn()?.stage_ref();
                let control = stage.control();
                let reader = reader(control.clone(), terms, move |subscription| {
                    let stage = stage.clone();
                    async move { stage.subscribe(subscription).await }.boxed()
                });
                (control, reader, None)
            }
        };
        self.upstream.add_reader(reader);
        let mut members = self.members.lock();
        members.controls.push(control);
        members.next += 1;
        Ok(outlet)
    }

    async fn grow(&self) -> Result<(), ResizeError> {
        if let (Some(outlet), Some(output)) = (self.spawn()?, &self.output) {
            output
                .pool
                .add_member(outlet)
                .await
                .map_err(|cause| ResizeError::Ending {
                    step: self.options.name.clone(),
                    cause,
                })?;
        }
        Ok(())
    }

    /// Has the youngest member finish what it has, and leave.
    async fn shrink(&self) {
        let Some(member) = self.members.lock().controls.pop() else {
            return;
        };
        self.upstream.remove_reader(&member);
        if let Some(output) = &self.output {
            output.pool.remove_member(&member);
        }
        member.drain();
        member.outcome().await;
    }
}

/// A reader of the pool before it.
fn reader<T>(
    control: StageControl,
    terms: Terms,
    subscribe: impl Fn(
        Subscription<Message<T>>,
    ) -> BoxFuture<'static, Result<SubscriptionId, SubscribeError>>
    + Send
    + Sync
    + 'static,
) -> Reader<T> {
    Reader {
        control,
        terms,
        subscribe: Box::new(subscribe),
    }
}

impl<P: Process> Resize for StepPool<P> {
    fn name(&self) -> &str {
        &self.options.name
    }

    fn members(&self) -> usize {
        self.members.lock().controls.len()
    }

    fn check(&self, members: usize) -> Result<(), ResizeError> {
        let step = || self.options.name.clone();
        if self.partitioned {
            return Err(ResizeError::Partitioned { step: step() });
        }
        if members == 0 {
            return Err(ResizeError::Empty { step: step() });
        }
        Ok(())
    }

    fn resize(&self, members: usize) -> BoxFuture<'_, Result<(), ResizeError>> {
        async move {
            self.check(members)?;
            let _one_at_a_time = self.resizing.lock().await;
            while self.members() < members {
                self.grow().await?;
            }
            while self.members() > members {
                self.shrink().await;
            }
            Ok(())
        }
        .boxed()
    }
}
