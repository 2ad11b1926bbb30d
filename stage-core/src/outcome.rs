//! The ways in which a stage or a subscription ends, and its errors.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error type of handlers; `?` converts any error into it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The result of a handler. An error ends its stage as [`Outcome::Failed`].
pub type StageResult<T = ()> = Result<T, BoxError>;

/// The way in which a stage ended. Its neighbours receive the same outcome over
/// their subscriptions.
///
/// The variants are distinct so that a consumer never mistakes part of a stream
/// for all of it.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The stage delivered everything; there is no more.
    Completed,
    /// The stage was ended, without an error, before it delivered everything.
    Cancelled(Reason),
    /// A handler returned an error or panicked, in this stage or in a stage
    /// that it depended on.
    Failed(Failure),
}

impl Outcome {
    /// Returns `true` if the stage delivered everything.
    #[must_use]
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Returns `true` if the stage failed with an error or a panic.
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

/// The reason of a cancellation; a short text for logs and errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// Returns the text.
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

/// The error or panic that made a stage fail, and the name of that stage. Cheap
/// to clone.
///
/// The text of a failure includes the handler's error or panic message.
/// Therefore [`Error::source`] returns the source of that error, so that a
/// report prints nothing twice; [`downcast_ref`](Failure::downcast_ref) returns
/// the error itself.
///
/// ```
/// use stage_core::Failure;
///
/// let failure = Failure::error("parser", std::fmt::Error);
/// assert_eq!(failure.stage(), "parser");
/// assert!(failure.downcast_ref::<std::fmt::Error>().is_some());
/// assert_eq!(Failure::panic("parser", "no header").panic_message(), Some("no header"));
/// ```
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
    /// Returns the failure of a stage whose handler returned `error`.
    pub fn error(stage: impl Into<Arc<str>>, error: impl Into<BoxError>) -> Self {
        Self::new(stage, Cause::Error(error.into()))
    }

    /// Returns the failure of a stage whose handler panicked with `message`.
    pub fn panic(stage: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self::new(stage, Cause::Panic(message.into()))
    }

    fn new(stage: impl Into<Arc<str>>, cause: Cause) -> Self {
        Self(Arc::new(Inner {
            stage: stage.into(),
            cause,
        }))
    }

    /// Returns the name of the stage that failed.
    #[must_use]
    pub fn stage(&self) -> &str {
        &self.0.stage
    }

    /// Returns the panic message, if the handler panicked.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Panic(message) => Some(message),
            Cause::Error(_) => None,
        }
    }

    /// Returns the handler's error, if it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: Error + 'static>(&self) -> Option<&T> {
        match &self.0.cause {
            Cause::Error(error) => error.downcast_ref(),
            Cause::Panic(_) => None,
        }
    }
}

/// Returns the message of a caught panic, for [`Failure::panic`].
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
        .unwrap_or_else(|| "a value that is not a string".to_owned())
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
            // `Display` includes `error` itself.
            Cause::Error(error) => error.source(),
            Cause::Panic(_) => None,
        }
    }
}
