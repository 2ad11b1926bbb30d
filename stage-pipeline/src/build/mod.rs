//! Builders: how a pipeline is described.

mod acked;
mod batcher_options;
mod batchers;
mod settings;
mod start;
mod step_options;
mod steps;

pub use acked::{Acked, acked};
pub use batcher_options::Batcher;
pub use batchers::AckedBatchers;
pub use step_options::Step;
pub use steps::AckedSteps;

pub(crate) use settings::Settings;
