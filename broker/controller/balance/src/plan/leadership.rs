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
        let [from, to] = [leader, heir].map(|seat| self.state.seats[seat].broker());
        if !self.state.is_active[to] || from == to || self.keeps(from) {
            return None;
        }
        let transfer = self.transferred(leader, heir);
        self.exceeded(&transfer).is_none().then_some(transfer)
    }

    /// What a transfer makes that may be forbidden.
    fn transferred(&self, leader: usize, heir: usize) -> Transfer {
        let (old, new) = (&self.state.seats[leader], &self.state.seats[heir]);
        let (from, to) = (old.broker(), new.broker());
        let (old_load, new_load) = exchanged(&old.load(), &new.load());
        let (mut from_load, mut to_load) = (self.state.load[from], self.state.load[to]);
        from_load.remove(&old.load());
        from_load.add(&old_load);
        to_load.remove(&new.load());
        to_load.add(&new_load);
        Transfer { from, to, from_load, to_load }
    }

    /// The first resource of which a transfer makes a broker have more than it may.
    fn exceeded(&self, transfer: &Transfer) -> Option<Resource> {
        let exceeds = |(broker, after): (usize, &Amounts), resource: Resource| {
            let before = self.state.load[broker][resource];
            after[resource] > before.max(self.state.capacity[broker][resource])
        };
        let is_beyond = |it: &Resource| transfer.after().into_iter().any(|end| exceeds(end, *it));
        Resource::MEASURED.into_iter().find(is_beyond)
    }

    /// What there is too little of for a transfer now.
    pub(super) fn lacks_to_lead(&self, leader: usize, heir: usize) -> Option<Resource> {
        self.exceeded(&self.transferred(leader, heir))
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
