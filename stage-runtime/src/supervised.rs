//! A stage made from a factory, so that it can start over.

use std::fmt;

use crate::restart::Restart;

/// Makes the state of a stage.
pub(crate) type Factory<S> = Box<dyn FnMut() -> S + Send>;

/// A stage that starts over when it fails; made by [`supervised`].
pub struct Supervised<S> {
    factory: Factory<S>,
    restart: Restart,
}

/// A stage that is made by `factory`, and made again when it fails: its handler
/// gets a new state, and everything else stays as it was. Its handles, its
/// subscriptions, the demand on them and the events that wait stay valid, and
/// its neighbours notice nothing but the wait.
///
/// The batch in which it failed is given again to the new state as far as it
/// was not taken; see [`retain_taken`] for the event that had been. What it had
/// emitted stays emitted. The new state's `handle_subscribe` is called for every
/// subscription that goes on: demand that a stage asked for by hand before it
/// failed counts for what the new state asks for. Infos that it had delayed
/// itself are forgotten.
///
/// `factory` is called at once for the first state. A panic in it later counts
/// as one more failure.
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
    /// When it is restarted, and how often.
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

/// The state of a stage, and how to make another.
pub(crate) struct Source<S> {
    pub(crate) stage: S,
    pub(crate) supervision: Option<(Factory<S>, Restart)>,
}

impl<S> Source<S> {
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
