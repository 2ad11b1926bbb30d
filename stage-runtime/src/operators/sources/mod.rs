//! Producers.

mod from_channel;
mod from_fn;
mod from_iter;
mod from_live_stream;
mod from_stream;
mod unfold;

pub use from_channel::{FromChannel, from_channel};
pub use from_fn::{FromFn, from_fn};
pub use from_iter::{FromIter, from_iter};
pub use from_live_stream::{FromLiveStream, from_live_stream};
pub use from_stream::{FromStream, from_stream};
pub use unfold::unfold;
