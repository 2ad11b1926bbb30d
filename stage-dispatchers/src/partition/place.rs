//! Moves the events of a dispatch: all at once if any partition has room for
//! all of them, otherwise by a plan.

use std::fmt::Debug;
use std::hash::Hash;
use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::{Batch, Deliveries, panic_message};

use super::lanes::scatter;
use super::plan::Astray;
use super::{Partition, names};
use crate::supply::saturate;

impl<E, K: Eq + Hash + Debug> Partition<E, K> {
    /// Plans the leading `events`, up to the number that was asked for and to
    /// the first event whose partition is full.
    ///
    /// An event at which the hash function panics is planned as rejected.
    pub(super) fn plan(&mut self, events: &[E]) {
        let Self { plan, targets, .. } = self;
        let least = self.rooms.least();
        plan.clear();
        loop {
            let rest = &events[plan.len()..];
            let placed = (plan.len() - plan.dropped()) as u128;
            if rest.is_empty() || placed == self.waiting {
                break;
            }
            // `sure` events fit whatever their partitions. If not even one is
            // sure to fit, one is planned and taken back if it does not.
            let sure = saturate(self.waiting.min(least).saturating_sub(placed));
            let next = &rest[..sure.clamp(1, rest.len())];
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| targets.plan(next, plan))) {
                plan.push_panicked(panic_message(panic.as_ref()));
            } else if sure == 0 && plan.pop_beyond(|index| self.rooms.all()[index]) {
                break;
            }
        }
        plan.close();
    }

    /// Carries out the plan.
    pub(super) fn place(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) {
        if let Some(index) = self.plan.only_partition() {
            self.slots[index].accept(events, &mut self.sums, out);
            self.update_room(index);
            return;
        }
        let Self {
            slots,
            incoming,
            plan,
            ..
        } = self;
        for (lane, count) in plan.counts() {
            match slots.get_mut(lane) {
                Some(slot) => incoming[lane] = slot.open(count, out),
                None => incoming[lane].reserve(count),
            }
        }
        scatter(&mut events, plan, incoming);
        if let Some(buffer) = events.recycle() {
            out.recycle(buffer);
        }
        for (lane, _) in plan.counts() {
            if let Some(slot) = slots.get_mut(lane) {
                slot.close(take(&mut incoming[lane]), &mut self.sums, out);
                self.rooms.set(lane, slot.room(self.bound));
            }
        }
        self.report(out);
    }

    /// Returns `true` if this many events can be moved without a plan: all were
    /// asked for and fit whatever their partitions. There must be more than one
    /// partition, and at least as many events as partitions, because the sort
    /// visits each partition.
    pub(super) fn may_sort(&self, events: usize) -> bool {
        let partitions = self.slots.len();
        let sure = self.waiting.min(self.rooms.least());
        events as u128 <= sure && partitions <= events && partitions > 1
    }

    /// Moves all events to their lanes; returns how many reached no partition.
    pub(super) fn sort(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> usize {
        let Self {
            slots,
            incoming,
            plan,
            targets,
            ..
        } = self;
        // An extra quarter, as some partitions get more events than others.
        let even = events.len() / slots.len();
        let count = even + even / 4;
        for (slot, buffer) in slots.iter_mut().zip(&mut *incoming) {
            *buffer = slot.open(count, out);
        }
        plan.clear();
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| {
            targets.sort(&mut events, incoming, plan);
        })) {
            let astray = plan.note_astray(Astray::Panicked(panic_message(panic.as_ref())));
            incoming[astray].extend(events.pop_front());
        }
        if let Some(buffer) = events.recycle() {
            out.recycle(buffer);
        }
        for (index, slot) in slots.iter_mut().enumerate() {
            slot.close(take(&mut incoming[index]), &mut self.sums, out);
            self.rooms.set(index, slot.room(self.bound));
        }
        self.report(out)
    }

    /// Reports the events that reached no partition; returns their number.
    fn report(&mut self, out: &mut Deliveries<E>) -> usize {
        let Self {
            slots,
            incoming,
            plan,
            ..
        } = self;
        let nowhere = take(&mut incoming[plan.nowhere()]);
        let astray = take(&mut incoming[plan.astray()]);
        let dropped = nowhere.len() + astray.len();
        out.discard(nowhere.len());
        for (event, why) in astray.into_iter().zip(plan.take_reasons()) {
            out.reject(event, why.into_error(|| names(slots)));
        }
        dropped
    }
}
