//! Supervised stages: made by a factory, so that they can restart.

use std::fmt;

use crate::restart::Restart;

/// Makes the state of a stage.
pub(crate) type Factory<S> = Box<dyn FnMut() -> S + Send>;

/// A stage that restarts when it fails; made by [`supervised`].
pub struct Supervised<S> {
    factory: Factory<S>,
    restart: Restart,
}

/// Makes a stage that restarts when it fails: `factory` makes a new state, and
/// everything else stays as it was.
///
/// Its handles, its subscriptions, their demand and the events that wait stay valid.
/// Its neighbours notice only the delay. What each part of a stage becomes:
///
/// | part | after a restart |
/// |---|---|
/// | the failed batch | the new state first gets the events that were not taken; [`retain_taken`] returns the taken one, too |
/// | emitted events | stay emitted |
/// | subscriptions | stay; `handle_subscribe` of the new state is called for each |
/// | demand asked for by hand | stays; it is counted against what the new state asks for |
/// | delayed infos | are dropped |
///
/// `factory` is called at once for the first state. If it panics later, that counts as
/// one more failure.
///
/// ```
/// use stage_runtime::operators::from_iter;
/// use stage_runtime::prelude::*;
///
/// /// Fails at every tenth number it sees.
/// #[derive(Default)]
/// struct Shaky(usize);
///
/// impl Consumer for Shaky {
///     type Event = u64;
///
///     async fn handle_events(
///         &mut self,
///         numbers: &mut Batch<u64>,
///         _cx: &mut Context<'_>,
///     ) -> StageResult {
///         for n in numbers {
///             self.0 += 1;
///             if self.0 == 10 {
///                 return Err(format!("no idea what to do with {n}").into());
///             }
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(0..25).stage().spawn();
/// let shaky = supervised(Shaky::default).stage().subscribe_to(&numbers).spawn();
/// let stats = shaky.stage_ref();
/// shaky.join().await?;
/// assert_eq!((stats.stats().restarts, stats.stats().lost), (2, 2));
/// # Ok(())
/// # }
/// ```
///
/// Source: OTP's supervisors. There a process that fails takes its mailbox,
/// its subscriptions and its demand with it.
///
/// [`retain_taken`]: crate::builder::ConsumerBuilder::retain_taken
pub fn supervised<S>(factory: impl FnMut() -> S + Send + 'static) -> Supervised<S> {
    Supervised {
        factory: Box::new(factory),
        restart: Restart::default(),
    }
}

impl<S> Supervised<S> {
    /// Sets when the stage restarts, and how often. [`Restart::on_failure`] by default.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }
}

impl<S> fmt::Debug for Supervised<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised")
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

/// The first state of a stage, with its factory if it is supervised.
pub(crate) struct Source<S> {
    pub(crate) stage: S,
    /// `None` for a stage that cannot restart.
    pub(crate) supervision: Option<(Factory<S>, Restart)>,
}

impl<S> Source<S> {
    /// Wraps a stage that cannot restart.
    pub(crate) const fn once(stage: S) -> Self {
        Self {
            stage,
            supervision: None,
        }
    }
}

impl<S> From<Supervised<S>> for Source<S> {
    fn from(supervised: Supervised<S>) -> Self {
        let Supervised {
            mut factory,
            restart,
        } = supervised;
        Self {
            stage: factory(),
            supervision: Some((factory, restart)),
        }
    }
}
