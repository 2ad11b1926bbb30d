//! [`Info`]: an out-of-band message of any type, in order with the events.

use std::any::{Any, type_name};
use std::fmt;

/// An out-of-band message for `handle_info`: a value of any type.
///
/// An info sent to a producer waits until the events buffered before it have
/// left the buffer. An info sent to a consumer waits until the events that
/// arrived before it have been handled.
///
/// ```
/// use stage_core::Info;
///
/// let info = Info::new("checkpoint");
/// match info.downcast::<u32>() {
///     Ok(number) => println!("{number}"),
///     Err(other) => assert_eq!(other.downcast_ref::<&str>(), Some(&"checkpoint")),
/// }
/// ```
///
/// Source: `GenStage.async_info/2`.
pub struct Info {
    value: Box<dyn Any + Send>,
    type_name: &'static str,
}

impl Info {
    /// Wraps a value.
    pub fn new<T: Send + 'static>(value: T) -> Self {
        Self {
            value: Box::new(value),
            type_name: type_name::<T>(),
        }
    }

    /// Returns a reference to the value, if it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// Returns the value, if it is a `T`.
    ///
    /// # Errors
    ///
    /// Returns the info itself if its value has another type.
    pub fn downcast<T: 'static>(self) -> Result<T, Self> {
        match self.value.downcast() {
            Ok(value) => Ok(*value),
            Err(value) => Err(Self { value, ..self }),
        }
    }

    /// Returns the name of the value's type, for logs.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.type_name
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Info").field(&self.type_name).finish()
    }
}
