//! Demand within an allowance: `take` and `throttle` ask for so many events, over all
//! their subscriptions, and for no more.

use std::time::Duration;

use stage_core::{Context, DemandLimits, DemandMode, Peer, SubscriptionId};

/// The events that a stage may still ask for, and those that it has asked for.
#[derive(Debug)]
pub(super) struct Allowance {
    free: usize,
    /// The subscription that was asked longest ago comes first.
    subscriptions: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    id: SubscriptionId,
    limits: DemandLimits,
    /// Events that were asked for and not handled.
    pending: usize,
}

/// The info that has a stage ask: all its first subscriptions have begun by then.
#[derive(Debug)]
pub(super) struct Ask;

impl Allowance {
    pub(super) const fn new(events: usize) -> Self {
        Self {
            free: events,
            subscriptions: Vec::new(),
        }
    }

    /// Adds a subscription. The stage gets an [`Ask`], and calls [`ask`](Self::ask).
    pub(super) fn subscribed(&mut self, producer: &Peer, cx: &mut Context<'_>) -> DemandMode {
        self.subscriptions.push(Asked {
            id: producer.subscription,
            limits: producer.demand,
            pending: 0,
        });
        cx.info_after(Duration::ZERO, Ask);
        DemandMode::Manual
    }

    /// A batch of `count` events was handled.
    pub(super) fn handled(&mut self, count: usize, cx: &mut Context<'_>) {
        let from = cx.subscription();
        let asked = self
            .subscriptions
            .iter_mut()
            .find(|asked| Some(asked.id) == from);
        if let Some(asked) = asked {
            asked.pending = asked.pending.saturating_sub(count);
        }
        self.ask(cx);
    }

    /// Allows `count` more events.
    pub(super) fn allow(&mut self, count: usize, cx: &mut Context<'_>) {
        self.free += count;
        self.ask(cx);
    }

    /// A subscription has ended: others are asked for the events it has not sent.
    pub(super) fn ended(&mut self, producer: &Peer, cx: &mut Context<'_>) {
        let id = producer.subscription;
        for asked in self.subscriptions.extract_if(.., |asked| asked.id == id) {
            self.free += asked.pending;
        }
        self.ask(cx);
    }

    /// Asks for as much as is allowed: of each subscription for an equal share, within
    /// its demand limits.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>) {
        let pending: usize = self.subscriptions.iter().map(|asked| asked.pending).sum();
        let share = (self.free + pending).div_ceil(self.subscriptions.len().max(1));
        let mut begin = 0;
        for _ in 0..self.subscriptions.len() {
            let asked = &mut self.subscriptions[begin];
            let most = asked.limits.max().min(share);
            let demand = most.saturating_sub(asked.pending).min(self.free);
            if demand == 0 || asked.pending > asked.limits.min() {
                begin += 1;
                continue;
            }
            asked.pending += demand;
            self.free -= demand;
            cx.ask(asked.id, demand);
            self.subscriptions[begin..].rotate_left(1);
        }
    }
}
