//! The writer: one thread that carries out the commands of all callers, in groups of one
//! transaction each.
//!
//! While the thread writes one group, the next one gathers in its channel: so the number of
//! syncs does not grow with the number of callers.

mod command;
mod enqueues;
mod failure_detector;
mod group;
mod handle;
mod maintenance;
mod thread;

pub(crate) use group::Group;
pub(crate) use handle::Writer;
pub(crate) use thread::Settings;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use parking_lot::Mutex;

use crate::TopicOptions;
use crate::store::TopicRow;
use crate::watch::Watch;

/// Those who wait for entries of a log, by its name.
pub(crate) type Logs = Arc<Mutex<HashMap<Arc<str>, Arc<Watch>>>>;

/// A topic, as this process knows it.
#[derive(Debug)]
pub(crate) struct TopicState {
    pub(crate) name: Arc<str>,
    options: Mutex<TopicOptions>,
    pub(crate) watch: Watch,
    /// Its row, once the writer has looked it up.
    row: OnceLock<TopicRow>,
}

impl TopicState {
    pub(crate) fn new(name: Arc<str>, options: TopicOptions) -> Self {
        Self {
            name,
            options: Mutex::new(options),
            watch: Watch::default(),
            row: OnceLock::new(),
        }
    }

    pub(crate) fn options(&self) -> TopicOptions {
        *self.options.lock()
    }

    /// Whether it is known to be ordered: by its options, or by its row.
    pub(crate) fn is_ordered(&self) -> bool {
        self.row
            .get()
            .map_or_else(|| self.options().ordered, |row| row.ordered)
    }

    pub(crate) fn set_options(&self, options: TopicOptions) {
        *self.options.lock() = options;
    }
}
