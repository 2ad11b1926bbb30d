//! `Display` of explanations, causes, waits and missed events.

use std::fmt::{self, Display, Formatter};

use super::cause::{Awaited, Cause, Wait};
use super::explanation::Explanation;
use super::missed::Missed;
use super::numbers::{Amount, Events, Grouped, Lasting};
use crate::snapshot::Endpoint;

/// The most other causes that the alternate form names.
const ALSO: usize = 4;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(cause) = self.cause() else {
            match (self.stages(), self.running()) {
                (0, _) => write!(f, "there are no stages"),
                (1, 0) => write!(f, "the only stage has ended"),
                (stages, 0) => write!(f, "all {} stages have ended", Grouped(stages as u64)),
                _ => write!(
                    f,
                    "nothing has stood still for longer than {}",
                    Lasting(self.patience())
                ),
            }?;
            return self.write_lines(f);
        };
        write!(f, "{cause}")?;
        if let Some(wait) = self.chain().first() {
            write_held(f, wait)?;
            // The texts of these causes already name the stage that waits.
            let said = matches!(
                cause,
                Cause::Unread { .. } | Cause::Outside { .. } | Cause::OutsideConsumer { .. }
            );
            if !f.alternate() && !said {
                write!(f, "; {} waits for {}", Name(&wait.stage), What(wait))?;
            }
        }
        match self.behind() {
            0 => {}
            1 => write!(f, "; 1 stage waits behind it")?,
            behind => write!(f, "; {} stages wait behind it", Grouped(behind as u64))?,
        }
        self.write_lines(f)
    }
}

impl Explanation {
    /// Writes the further lines, in the alternate form only.
    fn write_lines(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return Ok(());
        }
        for wait in self.chain() {
            write!(f, "\n  {wait}")?;
        }
        for cause in self.also().iter().take(ALSO) {
            write!(f, "\nalso: {cause}")?;
        }
        match self.also().len().saturating_sub(ALSO) {
            0 => {}
            more => write!(f, "\nand {} more", Grouped(more as u64))?,
        }
        match self.missed() {
            Some(missed) => write!(f, "\n{missed}"),
            None => Ok(()),
        }
    }
}

impl Display for Missed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (consumer, producer) = (Name(&self.consumer), Name(&self.producer));
        let them = if self.events == 1 { "it" } else { "them" };
        let events = Events(self.events);
        write!(f, "{consumer} has missed {events}: {producer} shed {them}")
    }
}

/// Writes how many events are held for the cause, if it is awaited for its demand.
fn write_held(f: &mut Formatter<'_>, wait: &Wait) -> fmt::Result {
    match &wait.what {
        Awaited::Demand { part, held } if *held > 0 => {
            let holder = Part(part.as_deref(), &wait.stage);
            write!(f, "; {holder} holds {} for it", Events(*held))
        }
        _ => Ok(()),
    }
}

/// Writes a wait such as `` `a` has waited for `b`'s events for 12.1 s ``.
impl Display for Wait {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (stage, since) = (Name(&self.stage), Lasting(self.since));
        write!(f, "{stage} has waited for {} for {since}", What(self))
    }
}

impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let since = Lasting(self.since());
        match self {
            Self::Handler { stage, handler, .. } => {
                write!(f, "{} has been inside {handler} for {since}", Name(stage))
            }
            Self::Restarting {
                stage, restarts, ..
            } => {
                write!(f, "{} has waited for its restart for {since}", Name(stage))?;
                match restarts {
                    0 => Ok(()),
                    1 => write!(f, ", after 1 earlier one"),
                    more => write!(f, ", after {} earlier ones", Grouped(*more)),
                }
            }
            Self::NotRun { stage, .. } => write!(
                f,
                "{} has had something to do for {since} and has not come to run: something may block its thread",
                Name(stage)
            ),
            Self::GateClosed {
                stage,
                buffered,
                asked,
                ..
            } => write!(
                f,
                "the gate of {} is closed, with {} buffered and {} asked for; it has stood still for {since}",
                Name(stage),
                Events(*buffered),
                Amount(*asked)
            ),
            Self::Unowned {
                stage, part, held, ..
            } => write!(
                f,
                "{} of {} holds {} and has no subscriber; {} has stood still for {since}",
                part.as_deref().unwrap_or("a part"),
                Name(stage),
                Events(*held),
                Name(stage)
            ),
            Self::NoAsk {
                consumer,
                producer,
                asked,
                ..
            } => {
                let (consumer, producer) = (Name(consumer), Name(producer));
                write!(f, "{consumer} asks by hand and has not asked {producer} ")?;
                match asked {
                    0 => write!(f, "for anything; it has stood still for {since}"),
                    _ => write!(
                        f,
                        "again after {}; it has stood still for {since}",
                        Events(*asked)
                    ),
                }
            }
            Self::Unread {
                reader,
                producer,
                in_flight,
                ..
            } => write!(
                f,
                "{} is not being read, with {} in it; {} has stood still for {since}",
                Name(reader),
                Events(*in_flight),
                Name(producer)
            ),
            Self::Holding { stage, held, .. } => write!(
                f,
                "{} has not let go of {} that it has handled; it has stood still for {since}",
                Name(stage),
                Events(*held)
            ),
            Self::WaitsFor {
                stage,
                what,
                until,
                held,
                ..
            } => {
                write!(f, "{} has waited for {what} for {since}", Name(stage))?;
                if *held > 0 {
                    write!(f, ", holding {}", Events(*held))?;
                }
                match until {
                    Some(until) => write!(f, ", and goes on in {}", Lasting(*until)),
                    None => Ok(()),
                }
            }
            Self::Starved { stage, asked, .. } => write!(
                f,
                "{} has been asked for {} and has had none to give for {since}",
                Name(stage),
                Events(*asked)
            ),
            Self::NoConsumer {
                stage, buffered, ..
            } => {
                write!(f, "{} has no consumer", Name(stage))?;
                if *buffered > 0 {
                    write!(f, " for the {} it holds", Events(*buffered))?;
                }
                write!(f, "; it has stood still for {since}")
            }
            Self::NoProducer { stage, .. } => write!(
                f,
                "{} has no producer; it has stood still for {since}",
                Name(stage)
            ),
            Self::Outside {
                stage, producer, ..
            } => write!(
                f,
                "{} is not in the snapshot, and {} has waited for its events for {since}",
                Name(producer),
                Name(stage)
            ),
            Self::OutsideConsumer {
                stage,
                consumer,
                in_flight,
                ..
            } => {
                write!(f, "{} is not in the snapshot", Name(consumer))?;
                if *in_flight > 0 {
                    write!(f, " and has not handled {}", Events(*in_flight))?;
                }
                write!(f, "; {} has waited for it for {since}", Name(stage))
            }
            Self::Cycle { ring, .. } => {
                for wait in ring {
                    write!(f, "{} waits for {}, ", Name(&wait.stage), What(wait))?;
                }
                write!(f, "which closes a ring; it has stood still for {since}")
            }
            Self::Unknown { stage, .. } => write!(
                f,
                "{} has stood still for {since}, and nothing here says why",
                Name(stage)
            ),
        }
    }
}

/// Writes the name of a stage in backticks.
struct Name<'a>(&'a Endpoint);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.name)
    }
}

/// Writes a part of a stage's dispatcher, or the name of the stage.
struct Part<'a>(Option<&'a str>, &'a Endpoint);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(part) => f.write_str(part),
            None => Name(self.1).fmt(f),
        }
    }
}

/// Writes what a stage waits for.
struct What<'a>(&'a Wait);

impl Display for What<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0.what {
            Awaited::Events => write!(f, "{}'s events", Name(&self.0.awaits)),
            Awaited::Demand { part, .. } => {
                write!(f, "{}'s demand", Part(part.as_deref(), &self.0.awaits))
            }
        }
    }
}
