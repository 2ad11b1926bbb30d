//! [`AckedBatchers`]: a pipeline with a batcher or more.

use std::fmt;
use std::sync::Arc;

use super::start::{Plan, start};
use super::{AckedSteps, Batcher};
use crate::batch::BatchHandler;
use crate::message::{Failed, Message};
use crate::run::{self, AckedPipeline, BuildError, Downstream, Routes, SpawnBatcher, index_of};
use crate::step::Assign;

/// A pipeline with a batcher or more. A message goes to the batcher that it
/// [names](Message::set_batcher), or to the first.
#[must_use = "a pipeline does nothing until it is started"]
pub struct AckedBatchers<S, T> {
    steps: AckedSteps<S, T>,
    batchers: Vec<(&'static str, SpawnBatcher<T>)>,
}

impl<S: Send + 'static, T: Send + 'static> AckedBatchers<S, T> {
    pub(super) const fn new(steps: AckedSteps<S, T>) -> Self {
        Self {
            steps,
            batchers: Vec::new(),
        }
    }

    /// Adds a batcher with its batch handlers. `handler` makes a handler for each of them,
    /// and another after a panic.
    pub fn batcher<H, F>(mut self, batcher: impl Into<Batcher<T>>, handler: F) -> Self
    where
        H: BatchHandler<Data = T>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        let batcher = batcher.into();
        self.batchers
            .push((batcher.name, run::batcher(batcher, Arc::new(handler))));
        self
    }

    /// Starts the pipeline.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if an option is invalid, or a guarantee cannot be given. Stages that
    /// ran already are stopped.
    pub fn start(self) -> Result<AckedPipeline<S>, BuildError> {
        let Self { steps, batchers } = self;
        let AckedSteps {
            name,
            settings,
            build,
            partition,
            partitioned,
            pushes,
        } = steps;
        start(
            Plan {
                name,
                settings,
                pushes,
            },
            move |assembly| {
                let names: Vec<_> = batchers.iter().map(|(name, _)| *name).collect();
                let assign = assign(&names, partition);
                let upstream = build(
                    assembly,
                    Some(Downstream {
                        routes: Routes::Batchers(names),
                        assign,
                    }),
                )?;
                for (number, (_, spawn)) in batchers.into_iter().enumerate() {
                    spawn(assembly, &upstream, number, partitioned)?;
                }
                Ok(())
            },
        )
    }
}

/// Fails messages that name a batcher that there is not, and gives the others their
/// partition.
fn assign<T: 'static>(names: &[&'static str], partition: Option<Assign<T>>) -> Option<Assign<T>> {
    let names = names.to_vec();
    Some(Arc::new(move |message: &mut Message<T>| {
        if let Some(name) = message.batcher()
            && index_of(&names, name).is_none()
        {
            let known = names.join("`, `");
            return Err(Failed::reject(format!(
                "there is no batcher `{name}`: the batchers are `{known}`"
            )));
        }
        match &partition {
            Some(partition) => partition(message),
            None => Ok(()),
        }
    }))
}

impl<S, T> fmt::Debug for AckedBatchers<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.batchers.iter().map(|(name, _)| name).collect();
        f.debug_struct("AckedBatchers")
            .field("steps", &self.steps)
            .field("batchers", &names)
            .finish()
    }
}
