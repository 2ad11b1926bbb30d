//! Which children are started again.

/// What happens when a child fails: returns an error or panics.
///
/// | | returned `Ok` | failed | stopped |
/// |---|---|---|---|
/// | `Transient` | | started again, with the same event | |
/// | `Temporary` | | counted and traced | |
///
/// Source: the `:restart` value of a child in `ConsumerSupervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChildRestart {
    /// Started again whatever happens. For other supervisors: a child per
    /// event ends when its event is done, so this is refused, with
    /// [`PerEventError::PermanentRestart`](super::PerEventError::PermanentRestart).
    Permanent,
    /// Started again at once when it fails, with a clone of its event.
    Transient,
    /// Never started again. The default.
    #[default]
    Temporary,
}
