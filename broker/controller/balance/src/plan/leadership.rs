//! Transfers of leadership: what they change, and which relieve or fill a broker.

use super::Planner;
use super::fitness::Purpose;
use crate::resource::{Amounts, Resource};
use crate::snapshot::Standing;
use crate::state::exchanged;

/// What two brokers have after a transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub(super) from: usize,
    pub(super) to: usize,
    from_load: Amounts,
    to_load: Amounts,
}

impl Transfer {
    /// The two brokers with what they have after it.
    pub(super) fn after(&self) -> [(usize, &Amounts); 2] {
        [(self.from, &self.from_load), (self.to, &self.to_load)]
    }

    /// Whether it takes some of a resource from who leads.
    pub(super) fn takes(&self, planner: &Planner<'_>, resource: Resource) -> bool {
        self.from_load[resource] < planner.state.load[self.from][resource]
    }
}

impl Planner<'_> {
    /// What comes of it when a seat leads instead of another; `None` where it may not.
    pub(super) fn transfer(&self, leader: usize, heir: usize) -> Option<Transfer> {
        let (old, new) = (&self.state.seats[leader], &self.state.seats[heir]);
        let (from, to) = (old.broker(), new.broker());
        if !self.state.is_active[to] || from == to || self.keeps(from) {
            return None;
        }
        let (old_load, new_load) = exchanged(&old.load(), &new.load());
        let (mut from_load, mut to_load) = (self.state.load[from], self.state.load[to]);
        from_load.remove(&old.load());
        from_load.add(&old_load);
        to_load.remove(&new.load());
        to_load.add(&new_load);
        let exceeds = |broker: usize, after: &Amounts, resource: Resource| {
            let before = self.state.load[broker][resource];
            after[resource] > before.max(self.state.capacity[broker][resource])
        };
        let is_allowed = Resource::MEASURED
            .into_iter()
            .all(|it| !exceeds(to, &to_load, it) && !exceeds(from, &from_load, it));
        is_allowed.then_some(Transfer { from, to, from_load, to_load })
    }

    /// Whether a broker isn't active and keeps what it has all the same.
    fn keeps(&self, broker: usize) -> bool {
        let standing = self.ground.snapshot.brokers()[broker].standing;
        standing != Standing::Active && !self.ground.options.rules.empty(standing)
    }

    /// The cost of a transfer, `None` where it may not be.
    pub(super) fn cost_of_heir(&self, leader: usize, heir: usize) -> Option<(i64, Transfer)> {
        let transfer = self.transfer(leader, heir)?;
        let cost = self.cost(transfer.from, &transfer.from_load)
            + self.cost(transfer.to, &transfer.to_load);
        Some((cost, transfer))
    }

    /// Whether a transfer is worth it.
    pub(super) fn is_calm(&self, transfer: &Transfer, purpose: Purpose) -> bool {
        let ends = transfer.after();
        ends.iter().all(|(broker, after)| self.stays_below(purpose, *broker, after))
            && self.is_worth(purpose, ends)
    }

    /// Whether a transfer relieves the broker that it comes from of some of a resource, no further
    /// than to where it should be.
    pub(super) fn relieves(&self, transfer: &Transfer, resource: Resource) -> bool {
        transfer.takes(self, resource)
            && transfer.from_load[resource] >= self.aims.of[transfer.from].low.inner[resource]
    }

    /// Whether a transfer gives the broker that it comes to some of a resource, out of what another
    /// can spare.
    pub(super) fn fills(&self, transfer: &Transfer, resource: Resource) -> bool {
        let Transfer { from, to, .. } = *transfer;
        transfer.to_load[resource] > self.state.load[to][resource]
            && transfer.from_load[resource] >= self.aims.of[from].low.inner[resource]
    }
}
