//! The room of a queue, and those who wait for it, first come, first served.

use std::collections::VecDeque;
use std::task::Waker;

/// The weight that a queue may hold, what is taken of it, and who waits for more.
///
/// What leaves the queue is given to those who wait, in their order. Who was given
/// room has it reserved until it is used or released. This is the algorithm of
/// tokio's `batch_semaphore`, under the lock of the queue.
#[derive(Debug)]
pub(super) struct Room {
    /// `None` for no limit.
    limit: Option<usize>,
    /// The weight of what is stored or reserved.
    used: usize,
    /// In the order of their tickets.
    waiters: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    weight: usize,
    waker: Waker,
}

impl Room {
    pub(super) const fn new(limit: Option<usize>) -> Self {
        Self {
            limit,
            used: 0,
            waiters: VecDeque::new(),
            next_ticket: 0,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Whether `weight` has room. An empty queue has room for any one event, because
    /// one that is heavier than the limit could never be taken otherwise.
    #[inline]
    pub(super) fn fits(&self, weight: usize) -> bool {
        match self.limit {
            None => true,
            Some(limit) => {
                self.used == 0
                    || self
                        .used
                        .checked_add(weight)
                        .is_some_and(|used| used <= limit)
            }
        }
    }

    /// Takes room for `weight`, unless it does not fit or others wait for room.
    #[inline]
    pub(super) fn try_take(&mut self, weight: usize) -> bool {
        let takes = self.waiters.is_empty() && self.fits(weight);
        if takes {
            self.take(weight);
        }
        takes
    }

    /// Takes room for `weight`, whether there is any or not.
    pub(super) const fn take(&mut self, weight: usize) {
        self.used = self.used.saturating_add(weight);
    }

    /// Gives room back. Returns the wakers of those who have room now.
    #[must_use = "those who have room now have to be woken"]
    pub(super) fn release(&mut self, weight: usize) -> Vec<Waker> {
        self.used = self.used.saturating_sub(weight);
        self.grant()
    }

    /// Waits for room: returns the ticket.
    pub(super) fn wait(&mut self, weight: usize, waker: Waker) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiters.push_back(Waiter {
            ticket,
            weight,
            waker,
        });
        ticket
    }

    /// Returns the waker of a ticket that still waits; `None` once it has room.
    pub(super) fn waker_of(&mut self, ticket: u64) -> Option<&mut Waker> {
        let index = self.position(ticket)?;
        self.waiters.get_mut(index).map(|waiter| &mut waiter.waker)
    }

    /// Takes back a ticket. Returns `None` if it has room already, otherwise its
    /// waker and those of the ones who have room because it no longer waits.
    pub(super) fn forget(&mut self, ticket: u64) -> Option<(Option<Waker>, Vec<Waker>)> {
        let index = self.position(ticket)?;
        let waiter = self.waiters.remove(index);
        Some((waiter.map(|waiter| waiter.waker), self.grant()))
    }

    /// Lets all go that wait.
    pub(super) fn take_waiters(&mut self) -> Vec<Waker> {
        self.waiters.drain(..).map(|waiter| waiter.waker).collect()
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        self.waiters
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
            .ok()
    }

    fn grant(&mut self) -> Vec<Waker> {
        let mut granted = Vec::new();
        while let Some(first) = self.waiters.front() {
            let weight = first.weight;
            if !self.fits(weight) {
                break;
            }
            self.take(weight);
            granted.extend(self.waiters.pop_front().map(|waiter| waiter.waker));
        }
        granted
    }
}
