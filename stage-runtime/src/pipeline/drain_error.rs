//! The error of a drain that was cut short: the stages and events that are left.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

/// The deadline of a drain passed before all stages of the pipeline or the group had ended.
#[derive(Debug, Clone, Error)]
#[error("not drained within {}: {}", Seconds(.deadline), Listed(.left))]
#[non_exhaustive]
pub struct DrainError {
    /// The deadline that passed.
    pub deadline: Duration,
    /// The stages that had not ended by then, with their events; in the order in which
    /// they joined the pipeline.
    pub left: Vec<Leftover>,
}

/// A stage that had not ended when the deadline of a drain passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// Events in its buffer or its dispatcher that no consumer took.
    pub buffered: u64,
    /// Events sent to it that it had not handled.
    pub unhandled: u64,
    /// Events that its state held: gathered, or worked on in tasks of its own. In a source,
    /// events that it had taken in and not emitted.
    pub held: u64,
    /// Events that it had sent to consumers outside the pipeline, or outside the group
    /// that drains, and that these had not handled; the stage waits for them.
    pub outside: u64,
    /// The stage has not ended even now, because it blocks its thread.
    pub running: bool,
}

impl Leftover {
    /// Returns the report on a stage that ended while the report was made.
    pub(super) fn none(stage: &Arc<str>) -> Self {
        Self {
            stage: Arc::clone(stage),
            buffered: 0,
            unhandled: 0,
            held: 0,
            outside: 0,
            running: false,
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            buffered,
            unhandled,
            held,
            outside,
            running,
        } = self;
        write!(f, "`{stage}` had {buffered} events buffered")?;
        if *held > 0 {
            write!(f, ", {held} held")?;
        }
        if *outside > 0 {
            write!(
                f,
                ", {outside} sent out to stages that do not drain and not handled there"
            )?;
        }
        write!(f, " and {unhandled} unhandled")?;
        if *running {
            f.write_str(" and still blocks its thread")?;
        }
        Ok(())
    }
}

struct Seconds<'a>(&'a Duration);

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

struct Listed<'a>(&'a [Leftover]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, leftover) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            leftover.fmt(f)?;
        }
        Ok(())
    }
}
