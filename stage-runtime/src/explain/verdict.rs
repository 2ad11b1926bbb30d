//! What one stage, taken by itself, waits for.

use super::cause::Cause;
use super::index::Index;
use crate::snapshot::{Activity, BottleneckSnapshot, LinkSnapshot, StageKind};

/// What a stage's own state and links say.
pub(super) enum Verdict {
    /// It has ended, and waits for nothing.
    Ended,
    /// It waits for no other stage: whoever waits for it has found the cause.
    Root(Cause),
    /// It waits for one of these, of which there is at least one.
    Waits(Vec<Need>),
}

/// What must cross a link for a stage to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) link: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Events,
    Demand,
    /// Demand that the stage's dispatcher says the others wait for.
    BottleneckDemand,
}

impl Verdict {
    pub(super) fn of(index: &Index<'_>, at: usize) -> Self {
        let stage = index.stage(at);
        let since = stage.since;
        if index.has_ended(at) {
            return Self::Ended;
        }
        let asked = stage.stats.unmet.max(index.ends(at).owed);
        let buffered = stage.stats.buffered;
        let shut = stage.gate_closed && (buffered > 0 || asked > 0);
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
            Activity::WaitingForEvents | Activity::WaitingForDemand if shut => {
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
        // A consumer that has asked is not what the stage waits for; only a
        // dispatcher that serves nobody before all have asked can make it so.
        let silent = |link: &LinkSnapshot| link.totals.outstanding() == 0;
        let busy = |link: &LinkSnapshot| link.totals.in_flight > 0;
        Self::waits(index, consumers, What::Demand, silent)
            .or_else(|| Self::waits(index, consumers, What::Demand, busy))
            .unwrap_or_else(|| Self::unclear(index, at))
    }

    /// A stage that is to end waits until it is rid of what it has, and then
    /// until that has been handled.
    fn on_completion(index: &Index<'_>, at: usize) -> Self {
        if index.stage(at).stats.buffered > 0 {
            return Self::on_demand(index, at);
        }
        let busy = |link: &LinkSnapshot| link.totals.in_flight > 0;
        let ends = index.ends(at);
        Self::waits(index, &ends.consumers, What::Demand, busy)
            .or_else(|| Self::waits(index, &ends.leaving, What::Demand, busy))
            .unwrap_or_else(|| Self::unclear(index, at))
    }

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
            link: index.producer(at, id)?,
            what: What::BottleneckDemand,
        }]))
    }

    fn on_events(index: &Index<'_>, at: usize, asked: u64) -> Self {
        let stage = index.stage(at);
        let ends = index.ends(at);
        let arrived = |&link: &usize| index.link(link).totals.in_flight > 0;
        if ends.producers.iter().any(arrived) {
            return Self::not_run(index, at);
        }
        let asking = |link: &LinkSnapshot| link.totals.outstanding() > 0;
        if let Some(verdict) = Self::waits(index, &ends.producers, What::Events, asking) {
            return verdict;
        }
        // Nobody has asked it either, or it is to end and is not rid of what
        // it has.
        let unasked = asked == 0 && !ends.consumers.is_empty();
        let ending = ends.producers.is_empty() && ends.had_producers && stage.stats.buffered > 0;
        if unasked || ending {
            return Self::on_demand(index, at);
        }
        if stage.stats.held > 0 {
            return Self::Root(Cause::Holding {
                stage: index.endpoint(at),
                held: stage.stats.held,
                since: stage.since,
            });
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

    /// That it waits for those of `links` that `matter`, if any do.
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

    fn not_run(index: &Index<'_>, at: usize) -> Self {
        Self::Root(Cause::NotRun {
            stage: index.endpoint(at),
            since: index.stage(at).since,
        })
    }

    fn unclear(index: &Index<'_>, at: usize) -> Self {
        Self::Root(Cause::Unknown {
            stage: index.endpoint(at),
            since: index.stage(at).since,
        })
    }
}

/// That the consumer at `at` should have asked over `link`.
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
