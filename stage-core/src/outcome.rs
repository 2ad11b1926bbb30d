//! How a stage, and with it a subscription, ends.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Any error a handler may return; `?` turns any error type into it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a handler returns: `Ok`, or the error that ends its stage as
/// [`Outcome::Failed`].
pub type StageResult<T = ()> = Result<T, BoxError>;

/// How a stage ended, and what its neighbours are told over their
/// subscriptions.
///
/// The three are distinct so that nobody takes half an answer for a whole one.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Everything was delivered; there is no more.
    Completed,
    /// Somebody ended it before everything was delivered.
    Cancelled(Reason),
    /// A handler returned an error or panicked, here or in the stage that
    /// this one depended on.
    Failed(Failure),
}

impl Outcome {
    /// Whether everything was delivered.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Whether an error or a panic was the cause.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Cancelled(reason) => write!(f, "cancelled: {reason}"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
        }
    }
}

/// Why somebody cancelled; a short text for logs and errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Reason {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What made a stage fail, and which stage it was. Cheap to clone.
///
/// Its text contains the error that the handler returned, or the panic's message.
/// So [`Error::source`] is the source of that error, and nothing is printed twice;
/// [`downcast_ref`](Failure::downcast_ref) gives the error itself.
#[derive(Clone)]
pub struct Failure(Arc<Inner>);

struct Inner {
    stage: Arc<str>,
    cause: Cause,
}

enum Cause {
    Error(BoxError),
    Panic(String),
}

impl Failure {
    /// The stage's handler returned `error`.
    pub fn error(stage: impl Into<Arc<str>>, error: impl Into<BoxError>) -> Self {
        Self::new(stage, Cause::Error(error.into()))
    }

    /// The stage's handler panicked with `message`.
    pub fn panic(stage: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self::new(stage, Cause::Panic(message.into()))
    }

    fn new(stage: impl Into<Arc<str>>, cause: Cause) -> Self {
        Self(Arc::new(Inner {
            stage: stage.into(),
            cause,
        }))
    }

    /// The name of the stage that failed.
    #[must_use]
    pub fn stage(&self) -> &str {
        &self.0.stage
    }

    /// The panic's message, if it was one.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Panic(message) => Some(message),
            Cause::Error(_) => None,
        }
    }

    /// The handler's error as a `T`, if it was one.
    #[must_use]
    pub fn downcast_ref<T: Error + 'static>(&self) -> Option<&T> {
        match &self.0.cause {
            Cause::Error(error) => error.downcast_ref(),
            Cause::Panic(_) => None,
        }
    }
}

/// The text of a caught panic, as [`Failure::panic`] takes it.
///
/// ```
/// use stage_core::panic_message;
///
/// let panic = std::panic::catch_unwind(|| panic!("out of {}", "paper")).unwrap_err();
/// assert_eq!(panic_message(panic.as_ref()), "out of paper");
/// ```
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = &self.0.stage;
        match &self.0.cause {
            Cause::Error(error) => write!(f, "stage `{stage}` failed: {error}"),
            Cause::Panic(message) => write!(f, "stage `{stage}` panicked: {message}"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Failure");
        out.field("stage", &self.0.stage);
        match &self.0.cause {
            Cause::Error(error) => out.field("error", error),
            Cause::Panic(message) => out.field("panic", message),
        };
        out.finish()
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            // `Display` has printed `error` itself.
            Cause::Error(error) => error.source(),
            Cause::Panic(_) => None,
        }
    }
}
