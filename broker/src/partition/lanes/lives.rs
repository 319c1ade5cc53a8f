//! In which life replicas are: who was removed and comes back is another one, and nobody but its
//! broker knows which.
//!
//! Must always hold: the life that is meant of a replica never goes back.

use std::sync::Arc;

use logboom_raft::{Body, Message, ReplicaId, Role, Voters};

use super::Lanes;
use crate::partition::member::is_same_place;
use crate::partition::replica::Replica;

impl Lanes {
    /// A leader that has an earlier life of this replica in mind hears in which it is, by a hello;
    /// and who says so is meant from now on. Returns whether that is all that there is to a
    /// message.
    pub(super) fn settle_lives(
        &mut self,
        replica: &mut Replica,
        message: &Message,
        now: u64,
    ) -> bool {
        let own = replica.group.id();
        let leads = replica.group.role() == Role::Leader;
        let Some(member) = replica.member.as_mut() else { return false };
        let &Message { from, to, epoch, ref body } = message;
        let is_leaders = matches!(body, Body::Append(_) | Body::Beat { .. } | Body::Reset(_));
        if is_leaders && is_same_place(&to, &own) && to.life < own.life {
            let body = Body::Hello { run: self.run_of_replicas() };
            member.outgoing.push(Message { from: own, to: from, epoch, body });
        } else if leads && matches!(body, Body::Hello { .. }) && member.wants(&from) {
            let is_known = replica.group.standings().any(|standing| standing.id == from);
            if is_known || !member.learn_life(from) {
                return false;
            }
        } else {
            return false;
        }
        self.touch(replica, now);
        true
    }

    /// The start of the replicas here, as their groups know it.
    fn run_of_replicas(&self) -> u32 {
        u32::try_from(self.run).unwrap_or(u32::MAX)
    }
}

/// The replicas that are meant, in the last lives that are known of them: those of voters, and
/// those that they have told.
pub(super) fn resolved(
    meant: &[ReplicaId],
    voters: &Voters,
    told: &[ReplicaId],
) -> Arc<[ReplicaId]> {
    let last = |id: &ReplicaId| {
        let known = voters.all().chain(told.iter().copied());
        let known = known.filter(|known| is_same_place(known, id));
        known.max_by_key(|known| known.life).unwrap_or(*id)
    };
    meant.iter().map(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::member::Member;

    #[test]
    fn a_replica_is_meant_in_its_last_life() {
        let id = |broker, life| ReplicaId { life, ..ReplicaId::of(broker) };
        let elsewhere = ReplicaId { life: 9, directory: [1; 16], ..id(2, 0) };
        let meant = [id(1, 0), id(2, 0), id(3, 0), id(4, 0)];
        let voters = Voters::of(vec![id(1, 2), id(2, 1)]);
        let told = [id(1, 1), id(2, 3), id(3, 1), elsewhere];
        let last = resolved(&meant, &voters, &told);
        assert_eq!(*last, [id(1, 2), id(2, 3), id(3, 1), id(4, 0)]);
    }

    #[test]
    fn what_a_replica_says_of_its_life_is_news_once() {
        let id = |life| ReplicaId { life, ..ReplicaId::of(2) };
        let mut member = Member::default();
        member.in_office().told = Some(7);
        assert!(member.learn_life(id(1)) && member.in_office().told.is_none());
        assert!(!member.learn_life(id(1)) && !member.learn_life(id(0)));
        assert!(member.learn_life(id(2)));
        assert_eq!(member.lives, [id(2)]);
    }
}
