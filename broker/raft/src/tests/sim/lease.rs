//! Leases: until when a leader may answer as one without asking anybody.
//!
//! A voter promises not to vote for anybody else within the shortest silence after it heard the
//! leader. So a leader holds a lease while a majority of each set has answered beats that were
//! **sent** within less than that, by what clocks may differ. It has none before it has committed
//! in its epoch, and none after it handed its office over, in that epoch never again: whoever is to
//! take it may still be about to.
//!
//! Who starts has forgotten its promises, and keeps to the longest. So does a sole voter: it may
//! have become one under a leader that leaves, and have promised something to that leader.

use std::format;

use super::broker::{name, place};
use super::cluster::Cluster;
use crate::ReplicaId;
use crate::tests::world::Violation;

impl Cluster {
    /// While a leader has a lease nobody leads in a later epoch: so no two have one.
    pub(crate) fn look_at_leases(&self, at: usize, group: usize) -> Result<(), Violation> {
        if self.plan.rash > 0 || !self.is_leading(at, group) {
            return Ok(());
        }
        let epoch =
            |at: usize| self.brokers[at].replicas[group].node.group.as_ref().unwrap().epoch();
        let others = (0..self.brokers.len()).filter(|it| *it != at && self.is_leading(*it, group));
        for other in others {
            let (old, new) = if epoch(at) < epoch(other) { (at, other) } else { (other, at) };
            if self.has_lease(old, group) {
                let (old, new) = (name(old), name(new));
                return Err(format!("group {group}: {old} has a lease, and {new} leads after it"));
            }
        }
        Ok(())
    }

    /// Whether a replica may answer as the leader now.
    pub(crate) fn has_lease(&self, at: usize, group: usize) -> bool {
        let broker = &self.brokers[at];
        let replica = &broker.replicas[group];
        let Some(core) = &replica.node.group else { return false };
        let now = broker.milliseconds(self.now);
        let has_promised = |id: ReplicaId| {
            let since = replica.since[place(id)];
            id == core.id()
                || since.is_some_and(|since| broker.pairs[place(id)].has_promised(since, now))
        };
        core.may_hold_lease() && core.voters().have_majority(has_promised)
    }
}
