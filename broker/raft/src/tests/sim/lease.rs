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

use alloc::vec::Vec;

use super::broker::{name, place};
use super::cluster::Cluster;
use super::plan::LEASE;
use crate::group::Part;
use crate::tests::world::Violation;

impl Cluster {
    /// Renews a leader's lease, and looks that nobody else has one.
    pub(crate) fn renew_lease(
        &mut self,
        at: usize,
        group: usize,
        clock: u64,
    ) -> Result<(), Violation> {
        let until = self.lease(at, group, clock).unwrap_or(0) * 1000 / self.brokers[at].speed;
        self.brokers[at].replicas[group].lease_until = until;
        let has = |at: usize| {
            let until = self.brokers[at].replicas[group].lease_until;
            until > self.now && self.is_leading(at, group)
        };
        if self.plan.rash > 0 || !has(at) {
            return Ok(());
        }
        match (0..self.brokers.len()).find(|other| *other != at && has(*other)) {
            None => Ok(()),
            Some(other) => {
                let (a, b) = (name(at), name(other));
                Err(format!("{a} and {b} both have a lease for group {group}"))
            }
        }
    }

    /// Until when a replica has a lease, by its own clock.
    fn lease(&self, at: usize, group: usize, clock: u64) -> Option<u64> {
        let replica = &self.brokers[at].replicas[group];
        let core = replica.node.group.as_ref()?;
        let Part::Leader(leader) = &core.part else { return None };
        let was_kept = leader.transfer.is_none() && replica.handed_over_in != core.epoch();
        if !was_kept || core.commit() < leader.marker {
            return None;
        }
        let sent = |id| if id == core.id() { clock } else { replica.round_trips[place(id)] };
        let of_set = |set: &[crate::ReplicaId]| {
            let mut sent: Vec<u64> = set.iter().map(|id| sent(*id)).collect();
            sent.sort_unstable_by(|a, b| b.cmp(a));
            sent[sent.len() / 2]
        };
        core.voters().sets().map(of_set).min().map(|sent| sent + LEASE)
    }
}
