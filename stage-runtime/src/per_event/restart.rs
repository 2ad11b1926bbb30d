//! Which children are started again.

/// What happens when a child fails: returns an error or panics.
///
/// | | returned `Ok` | failed | stopped |
/// |---|---|---|---|
/// | `Transient` | | started again, with the same event | |
/// | `Temporary` | | counted and traced | |
///
/// Source: the `:restart` value of a child in `ConsumerSupervisor`, which refuses
/// `:permanent`: a child ends when its event is done, and would be started for
/// ever. Here that value does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChildRestart {
    /// Started again at once when it fails, with a clone of its event.
    Transient,
    /// Never started again. The default.
    #[default]
    Temporary,
}
