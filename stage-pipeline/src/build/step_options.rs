//! [`Step`]: the options of a step.

use std::thread::available_parallelism;

/// The options of a step.
///
/// | option | default |
/// |---|---|
/// | [`concurrency`](Step::concurrency) | twice the number of cores |
/// | [`max_demand`](Step::max_demand) | 10 messages for each member |
/// | [`min_demand`](Step::min_demand) | half of that |
///
/// A name alone is a step with the defaults.
///
/// ```
/// use stage_pipeline::Step;
///
/// let validate = Step::new("validate").concurrency(8).max_demand(1);
/// # let _ = validate;
/// ```
#[derive(Debug, Clone)]
pub struct Step {
    pub(crate) name: String,
    pub(crate) concurrency: usize,
    pub(crate) max_demand: usize,
    pub(crate) min_demand: Option<usize>,
}

impl Step {
    /// Returns the default options of a step with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            concurrency: 2 * available_parallelism().map_or(1, usize::from),
            max_demand: 10,
            min_demand: None,
        }
    }

    /// Sets the number of members: so many messages are handled at the same time. At
    /// least 1.
    #[must_use]
    pub const fn concurrency(mut self, members: usize) -> Self {
        self.concurrency = members;
        self
    }

    /// Sets the most messages that a member has asked for and not handled. At least 1.
    ///
    /// A member emits what it has handled when it has handled all that came together: at
    /// most `max_demand - min_demand` messages. With slow handlers a small demand is
    /// better, since messages that wait in one member are not handled by another.
    #[must_use]
    pub const fn max_demand(mut self, messages: usize) -> Self {
        self.max_demand = messages;
        self
    }

    /// Sets the number of messages at which a member asks for more. Less than
    /// `max_demand`.
    #[must_use]
    pub const fn min_demand(mut self, messages: usize) -> Self {
        self.min_demand = Some(messages);
        self
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Step {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}
