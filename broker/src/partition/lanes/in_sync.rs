//! Which replicas of a group that is led here are in sync.

use logboom_raft::Role;
use logboom_storage::state::GroupKey;

use super::{Lanes, Table};
use crate::partition::replica::Replica;
use crate::peer::lane_of;

impl Lanes {
    /// Which replicas are in sync: there, with all that is committed, so that it counts for what is
    /// acknowledged, and nothing that was deleted.
    /// What an epoch finds is known when its first entry is committed.
    pub(super) fn note_in_sync(&mut self, table: &mut Table, key: &GroupKey, now: u64) {
        let Some(lane) = self.lanes.get(&lane_of(key)) else { return };
        let Some(replica) = table.get_mut(key) else { return };
        let Replica { group, member: Some(member), .. } = &mut **replica else { return };
        if group.role() != Role::Leader || group.commit().epoch != group.epoch() {
            return;
        }
        let is_there = |broker: i32| lane.others.get(&broker).is_some_and(|other| other.is_there);
        let (start, commit) = (group.history().start().offset, group.commit().offset);
        member.in_office().pursuit.mark(commit, now);
        let (mut in_sync, mut held_back) = (vec![group.id().broker], Vec::new());
        for it in group.standings().filter(|it| group.voters().contains(it.id)) {
            let broker = it.id.broker;
            let end = (it.log_start >= start).then_some(it.kept.offset);
            let has_caught_up = member.in_office().pursuit.is_in_sync(broker, end, commit, now);
            in_sync.extend((has_caught_up && is_there(broker)).then_some(broker));
            held_back.extend(it.held_back.then_some(broker));
        }
        let office = member.in_office();
        (office.in_sync, office.held_back) = (in_sync, held_back);
    }

    /// Who comes into sync counts at once; who falls out of it, at the next look.
    pub(super) fn note_who_comes(&mut self, table: &mut Table, key: &GroupKey, now: u64) {
        let Some(replica) = table.get(key) else { return };
        let Some(member) = &replica.member else { return };
        if member.in_sync().len() < replica.group.voters().all().count() {
            self.note_in_sync(table, key, now);
        }
    }
}
