//! To whom a leader hands its office over, and to whom not again: a replica that holds itself back,
//! because its flushes hang or its log is damaged, says so, but not at once, and not if its broker
//! is of an earlier version; then only the attempt shows it. One that comes to nothing costs an
//! epoch.

use logboom_raft::{Group, ReplicaId, Role};

use super::Lanes;
use crate::partition::hands::Hands;
use crate::partition::replica::Replica;

/// Between two attempts to hand one group over, and how long a replica isn't tried after one that
/// came to nothing: twice as long after each, up to the longest.
const PAUSE_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 60_000;

/// To whom a group was handed over.
#[derive(Debug, Default)]
pub(in crate::partition) struct Handovers {
    /// The broker that is to take the office.
    under_way: Option<i32>,
    /// Before which time there is no other attempt.
    next: u64,
    /// Those that didn't take it.
    vain: Vec<Vain>,
    /// Before which time the office isn't given up to nobody.
    leaves: u64,
}

/// Attempts that came to nothing, since the last that didn't.
#[derive(Debug)]
struct Vain {
    broker: i32,
    times: u32,
    /// Before which time it isn't tried again.
    until: u64,
}

impl Handovers {
    /// Looks what has become of the attempt that is under way.
    pub(super) fn see(&mut self, group: &Group, now: u64) {
        if let Role::Follower(Some(leader)) = group.role() {
            self.vain.retain(|vain| vain.broker != leader.broker);
            self.under_way.take_if(|to| *to == leader.broker);
        }
        let is_over = match group.role() {
            Role::Leader => group.transferring().is_none(),
            Role::Follower(leader) => leader.is_some(),
            Role::Candidate => false,
        };
        if let Some(to) = self.under_way.take_if(|_| is_over) {
            self.came_to_nothing(to, now);
        }
    }

    fn came_to_nothing(&mut self, to: i32, now: u64) {
        let known = self.vain.iter().position(|vain| vain.broker == to);
        let before = known.map_or(0, |known| self.vain.swap_remove(known).times);
        let pause = PAUSE_MS.checked_shl(before).unwrap_or(PAUSE_MAX_MS).min(PAUSE_MAX_MS);
        let times = before.saturating_add(1);
        self.vain.push(Vain { broker: to, times, until: now + pause });
    }

    /// Something else is wished for, or is the matter: everybody may be tried.
    pub(in crate::partition) fn forget(&mut self) {
        self.vain.clear();
    }

    /// How often a broker didn't take the office; `None` where it isn't to be tried yet.
    fn times(&self, broker: i32, now: u64) -> Option<u32> {
        match self.vain.iter().find(|vain| vain.broker == broker) {
            Some(vain) if now < vain.until => None,
            vain => Some(vain.map_or(0, |vain| vain.times)),
        }
    }
}

impl Lanes {
    /// To whom the leader of a group hands over now, if to anybody; counts as an attempt.
    pub(super) fn hands_over_to(&self, replica: &mut Replica, now: u64) -> Option<ReplicaId> {
        let is_free = replica.group.transferring().is_none();
        let successor = self.successor(replica, now).filter(|_| is_free)?;
        let handovers = &mut replica.member.as_mut()?.handovers;
        if now < handovers.next {
            return None;
        }
        handovers.next = now + PAUSE_MS;
        handovers.under_way = Some(successor.broker);
        Some(successor)
    }

    /// A leader whose log is damaged behind what is committed can't send others what a successor
    /// has to have. Where they can do without, it gives its office up to nobody, and what it alone
    /// has is cut away. If it leads again, because they couldn't, it doesn't try that again soon.
    pub(super) fn look_whether_others_need_it(replica: &mut Replica, now: u64, hands: &Hands) {
        let leads = replica.group.role() == Role::Leader;
        if !leads || !replica.is_damaged || replica.group.transferring().is_some() {
            return;
        }
        let commit = replica.group.commit().offset;
        let is_stuck = replica.log.view().is_damaged_from(commit);
        let (own, Some(member)) = (replica.group.id(), &mut replica.member) else { return };
        let is_fit = |id: ReplicaId| id != own && member.fit().any(|broker| broker == id.broker);
        let is_needed = !replica.group.voters().have_majority(is_fit);
        let was_in_vain = !member.handovers.vain.is_empty() && now >= member.handovers.leaves;
        if is_stuck && was_in_vain && !is_needed {
            member.handovers.leaves = now + PAUSE_MAX_MS;
            let why = "its log is damaged, and nobody takes the office over";
            replica.step(hands, |group, effects| group.resign(why, effects));
        }
    }

    /// To whom the leader of a group is to hand over, if to anybody: the one that is wished for, or
    /// anybody in sync where this broker stops, its flushes hang, or its log is damaged. Who took
    /// no office before comes last.
    fn successor(&self, replica: &Replica, now: u64) -> Option<ReplicaId> {
        let (group, member) = (&replica.group, replica.member.as_ref()?);
        let is_slow = self.slow.is_some_and(|slow| slow.relieves(member));
        let wished = member.wish.as_ref().filter(|wish| wish.is_wished).map(|wish| wish.leader);
        let is_to_go = self.retiring.is_some() || is_slow || replica.is_damaged;
        let is_fit = |id: &ReplicaId| {
            let is_meant = is_to_go || wished == Some(id.broker);
            *id != group.id() && is_meant && member.fit().any(|broker| broker == id.broker)
        };
        let fit = group.voters().incoming.iter().copied().filter(is_fit);
        let tried = fit.filter_map(|id| Some((member.handovers.times(id.broker, now)?, id)));
        tried.min_by_key(|(times, _)| *times).map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_no_office_is_tried_again_later_and_later() {
        let (mut handovers, mut now) = (Handovers::default(), 5);
        for (times, pause) in (1..).zip([1, 2, 4, 8, 16, 32, 60, 60, 60]) {
            handovers.came_to_nothing(2, now);
            assert_eq!(handovers.times(2, now + pause * 1_000 - 1), None);
            now += pause * 1_000;
            assert_eq!((handovers.times(2, now), handovers.times(3, now)), (Some(times), Some(0)));
        }
        for _ in 0..100 {
            handovers.came_to_nothing(2, now);
        }
        assert_eq!(handovers.times(2, now + PAUSE_MAX_MS), Some(109));
        handovers.forget();
        assert_eq!(handovers.times(2, now), Some(0));
    }
}
