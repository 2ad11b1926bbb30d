//! The verdict on one stage: what it waits for, judged by its own state and links.

use super::cause::Cause;
use super::index::Index;
use crate::snapshot::{Activity, BottleneckSnapshot, LinkSnapshot, StageKind};

/// The verdict on one stage.
pub(super) enum Verdict {
    /// The stage has ended and waits for nothing.
    Ended,
    /// The stage waits for no other stage: it is the cause for those that wait for it.
    Root(Cause),
    /// The stage goes on as soon as one of these needs is met. There is at least one.
    Waits(Vec<Need>),
}

/// Something that must cross a link for a stage to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// The position of the link.
    pub(super) link: usize,
    pub(super) what: What,
}

/// The kind of a [`Need`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Events from the producer.
    Events,
    /// Demand of the consumer.
    Demand,
    /// Demand of the consumer that the stage's dispatcher names as its bottleneck.
    BottleneckDemand,
}

impl Verdict {
    /// Returns the verdict on the stage at position `at`.
    pub(super) fn of(index: &Index<'_>, at: usize) -> Self {
        let stage = index.stage(at);
        let since = stage.since;
        if index.has_ended(at) {
            return Self::Ended;
        }
        let asked = stage.stats.unmet.max(index.ends(at).owed);
        let buffered = stage.stats.buffered;
        let is_closed = stage.gate_closed && (buffered > 0 || asked > 0);
        match stage.activity {
            Activity::Ended => Self::Ended,
            Activity::Handler(handler) => Self::Root(Cause::Handler {
                stage: index.endpoint(at),
                handler,
                since,
            }),
            Activity::Restarting => Self::Root(Cause::Restarting {
                stage: index.endpoint(at),
                restarts: stage.stats.restarts,
                since,
            }),
            Activity::Starting => Self::not_run(index, at),
            Activity::WaitingForEvents | Activity::WaitingForDemand if is_closed => {
                Self::Root(Cause::GateClosed {
                    stage: index.endpoint(at),
                    buffered,
                    asked,
                    since,
                })
            }
            Activity::WaitingForEvents | Activity::WaitingForDemand if stage.completing => {
                Self::on_completion(index, at)
            }
            Activity::WaitingForDemand => Self::on_demand(index, at),
            Activity::WaitingForEvents if buffered > 0 && stage.stats.unmet == 0 => {
                Self::on_demand(index, at)
            }
            Activity::WaitingForEvents => Self::on_events(index, at, asked),
        }
    }

    /// The verdict on a stage that waits for its consumers to ask.
    fn on_demand(index: &Index<'_>, at: usize) -> Self {
        let stage = index.stage(at);
        if let Some(bottleneck) = &stage.bottleneck
            && let Some(verdict) = Self::on_bottleneck(index, at, bottleneck)
        {
            return verdict;
        }
        let consumers = &index.ends(at).consumers;
        if consumers.is_empty() {
            return Self::Root(Cause::NoConsumer {
                stage: index.endpoint(at),
                buffered: stage.stats.buffered,
                since: stage.since,
            });
        }
        // The stage does not wait for consumers that have asked, except with a dispatcher
        // that serves no consumer before all have asked. So look for one that has not.
        let silent = |link: &LinkSnapshot| link.totals.outstanding() == 0;
        let busy = |link: &LinkSnapshot| link.totals.in_flight > 0;
        Self::waits(index, consumers, What::Demand, silent)
            .or_else(|| Self::waits(index, consumers, What::Demand, busy))
            .unwrap_or_else(|| Self::unclear(index, at))
    }

    /// The verdict on a stage that is to end: it waits until its events are sent, and then
    /// until they are settled.
    fn on_completion(index: &Index<'_>, at: usize) -> Self {
        if index.stage(at).stats.buffered > 0 {
            return Self::on_demand(index, at);
        }
        let busy = |link: &LinkSnapshot| link.totals.in_flight > 0;
        let ends = index.ends(at);
        Self::waits(index, &ends.consumers, What::Demand, busy)
            .or_else(|| Self::waits(index, &ends.leaving, What::Demand, busy))
            .or_else(|| Self::on_itself(index, at))
            .or_else(|| Self::on_held(index, at))
            .unwrap_or_else(|| Self::unclear(index, at))
    }

    /// The verdict on a stage that says what it waits for.
    fn on_itself(index: &Index<'_>, at: usize) -> Option<Self> {
        let stage = index.stage(at);
        let waits_for = stage.waits_for.as_ref()?;
        Some(Self::Root(Cause::WaitsFor {
            stage: index.endpoint(at),
            what: waits_for.what.clone(),
            until: waits_for.until,
            held: stage.stats.held,
            since: stage.since,
        }))
    }

    /// The verdict on a stage that has nothing else to wait for and holds events.
    fn on_held(index: &Index<'_>, at: usize) -> Option<Self> {
        let stage = index.stage(at);
        let held = stage.stats.held;
        (held > 0).then(|| {
            Self::Root(Cause::Holding {
                stage: index.endpoint(at),
                held,
                since: stage.since,
            })
        })
    }

    /// The verdict on a stage whose dispatcher names a bottleneck. `None` if the link of the
    /// bottleneck is over by now.
    fn on_bottleneck(
        index: &Index<'_>,
        at: usize,
        bottleneck: &BottleneckSnapshot,
    ) -> Option<Self> {
        let Some(id) = bottleneck.link else {
            return Some(Self::Root(Cause::Unowned {
                stage: index.endpoint(at),
                part: bottleneck.part.clone(),
                held: bottleneck.held,
                since: index.stage(at).since,
            }));
        };
        Some(Self::Waits(vec![Need {
            link: index.link_to_consumer(at, id)?,
            what: What::BottleneckDemand,
        }]))
    }

    /// The verdict on a stage that waits for events. `asked` is the demand on it.
    fn on_events(index: &Index<'_>, at: usize, asked: u64) -> Self {
        let stage = index.stage(at);
        let ends = index.ends(at);
        let arrived = |&link: &usize| index.link(link).totals.in_flight > 0;
        if ends.producers.iter().any(arrived) {
            return Self::not_run(index, at);
        }
        if let Some(verdict) = Self::on_itself(index, at) {
            return verdict;
        }
        let asking = |link: &LinkSnapshot| link.totals.outstanding() > 0;
        if let Some(verdict) = Self::waits(index, &ends.producers, What::Events, asking) {
            return verdict;
        }
        // It has asked none of its producers. Either its consumers have not asked it, or it
        // is about to end and still has events to send.
        let unasked = asked == 0 && !ends.consumers.is_empty();
        let ending = ends.producers.is_empty() && ends.had_producers && stage.stats.buffered > 0;
        if unasked || ending {
            return Self::on_demand(index, at);
        }
        if let Some(verdict) = Self::on_held(index, at) {
            return verdict;
        }
        if let Some(&first) = ends.producers.first() {
            let by_hand = |&link: &usize| index.link(link).manual;
            return if ends.producers.iter().all(by_hand) {
                Self::Root(never_asked(index, at, first))
            } else {
                Self::unclear(index, at)
            };
        }
        Self::Root(
            if asked > 0 && !ends.had_producers && stage.kind == StageKind::Producer {
                Cause::Starved {
                    stage: index.endpoint(at),
                    asked,
                    since: stage.since,
                }
            } else {
                Cause::NoProducer {
                    stage: index.endpoint(at),
                    since: stage.since,
                }
            },
        )
    }

    /// Returns a verdict that the stage waits for the links in `links` that `matter`, if
    /// there are any.
    fn waits(
        index: &Index<'_>,
        links: &[usize],
        what: What,
        matter: impl Fn(&LinkSnapshot) -> bool,
    ) -> Option<Self> {
        let needs: Vec<_> = links
            .iter()
            .filter(|&&link| matter(index.link(link)))
            .map(|&link| Need { link, what })
            .collect();
        (!needs.is_empty()).then_some(Self::Waits(needs))
    }

    /// The verdict on a stage that has something to do and does not run.
    fn not_run(index: &Index<'_>, at: usize) -> Self {
        Self::Root(Cause::NotRun {
            stage: index.endpoint(at),
            since: index.stage(at).since,
        })
    }

    /// The verdict on a stage whose state does not say what it waits for.
    fn unclear(index: &Index<'_>, at: usize) -> Self {
        Self::Root(Cause::Unknown {
            stage: index.endpoint(at),
            since: index.stage(at).since,
        })
    }
}

/// Returns the cause that the consumer at position `at` has not asked over `link`.
pub(super) fn never_asked(index: &Index<'_>, at: usize, link: usize) -> Cause {
    let link = index.link(link);
    Cause::NoAsk {
        consumer: index.endpoint(at),
        producer: link.producer.clone(),
        link: link.id,
        asked: link.totals.asked,
        since: index.stage(at).since,
    }
}
