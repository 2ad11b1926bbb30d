//! [`ChildRestart`]: whether a failed child restarts.

/// The restart policy of children: whether a child restarts after it failed, that is,
/// returned an error or panicked.
///
/// | | returned `Ok` | failed | stopped |
/// |---|---|---|---|
/// | `Transient` | | restarted, with the same event | |
/// | `Temporary` | | counted and traced | |
///
/// Source: the `:restart` value of a child in `ConsumerSupervisor`. It refuses
/// `:permanent`, because a child ends when it is done with its event and would restart for
/// ever. Here that value does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChildRestart {
    /// Restarts at once after a failure, with a clone of its event.
    Transient,
    /// Never restarts. The default.
    #[default]
    Temporary,
}
