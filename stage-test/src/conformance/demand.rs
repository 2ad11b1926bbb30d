//! The rule that no subscriber gets more than it asked for, or anything after
//! it cancelled.

use std::collections::HashMap;

use stage_core::{Dispatcher, SubscriptionId};

use super::rule::{Broken, Rule, watch};
use super::stand::{Step, Subscribers};
use super::{Conformance, TestEvent};

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    watch(suite, seed, NeverMoreThanAsked::default())
}

/// Events asked for and not yet delivered, by subscription.
#[derive(Debug, Default)]
pub(super) struct NeverMoreThanAsked {
    open: HashMap<SubscriptionId, usize>,
}

impl NeverMoreThanAsked {
    pub(super) fn asked(&mut self, id: SubscriptionId, demand: usize) {
        let open = self.open.entry(id).or_default();
        *open = open.saturating_add(demand);
    }

    pub(super) fn cancelled(&mut self, id: SubscriptionId) {
        self.open.remove(&id);
    }

    pub(super) fn delivered(&mut self, id: SubscriptionId, count: usize) -> Result<(), String> {
        let open = self.open.entry(id).or_default();
        *open = open
            .checked_sub(count)
            .ok_or_else(|| format!("{count} events for {id}, which has asked for {open} more"))?;
        Ok(())
    }

    pub(super) fn open(&self, id: SubscriptionId) -> usize {
        self.open.get(&id).copied().unwrap_or_default()
    }
}

impl<E> Rule<E> for NeverMoreThanAsked {
    fn after(&mut self, step: &Step<E>, _seats: &Subscribers) -> Result<(), String> {
        if let Some((id, demand)) = step.asked {
            self.asked(id, demand);
        }
        if let Some(id) = step.cancelled {
            self.cancelled(id);
        }
        step.delivered
            .iter()
            .try_for_each(|(id, events)| self.delivered(*id, events.len()))?;
        step.evicted.iter().for_each(|id| self.cancelled(*id));
        Ok(())
    }
}
