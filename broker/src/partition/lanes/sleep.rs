//! Groups that sleep: nothing is said of them until a pair of brokers wakes them.

use logboom_raft::{ReplicaId, Role};
use logboom_storage::state::GroupKey;

use super::{Lanes, Table};
use crate::partition::member::Rest;
use crate::partition::replica::Replica;
use crate::peer::lane_of;

impl Lanes {
    /// A group that is led here is put to sleep wherever it rests.
    pub(super) fn put_to_sleep(&mut self, table: &mut Table, key: &GroupKey) {
        let Some(lane) = self.lanes.get_mut(&lane_of(key)) else { return };
        let replica = table.get_mut(key).map(|it| &mut **it);
        let Some(Replica { group, member: Some(member), .. }) = replica else { return };
        if group.role() != Role::Leader {
            return;
        }
        let followers: Vec<ReplicaId> = group.standings().map(|standing| standing.id).collect();
        let (epoch, log_start) = (group.epoch(), group.history().start().offset);
        for (broker, other) in &mut lane.others {
            let Some(follower) = followers.iter().find(|id| id.broker == *broker) else {
                other.pair.wake(*key);
                continue;
            };
            let rests = group.rests_with(*follower);
            if let Some(end) = rests.filter(|_| !other.pair.is_asleep_there(*key)) {
                other.pair.put_to_sleep(*key, epoch, end);
                member.count_from(*broker, other.pair.next_beat());
                member.in_office().rest = Some(Rest { epoch, end, log_start });
            }
        }
    }

    /// A group that sleeps at all of its followers needs nothing.
    pub(super) fn forget_if_asleep(&mut self, replica: &mut Replica) {
        let key = replica.partition.key;
        let Some(lane) = self.lanes.get_mut(&lane_of(&key)) else { return };
        let sleeps = |id: ReplicaId| {
            lane.others.get(&id.broker).is_some_and(|other| other.pair.is_asleep_there(key))
        };
        let is_asleep = replica.group.standings().all(|standing| sleeps(standing.id));
        let own = replica.group.id().broker;
        let is_there = |broker: i32| lane.others.get(&broker).is_some_and(|other| other.is_there);
        // Where nobody is there, the beats of all are late, and it isn't over.
        let is_over = |id: ReplicaId| sleeps(id) || !is_there(id.broker);
        if replica.group.standings().any(|it| is_there(it.id.broker))
            && replica.group.standings().all(|it| is_over(it.id))
            && let Some(member) = &mut replica.member
        {
            member.campaigns_since = None;
        }
        let has_news = replica.member.as_ref().is_some_and(|member| {
            let office = member.office.as_ref();
            let is_wish_new = member.wish.as_ref().is_some_and(|wish| {
                let is_to_hand_over = wish.is_wished && wish.leader != own && is_there(wish.leader);
                office.is_none_or(|it| it.told != Some(wish.generation)) || is_to_hand_over
            });
            is_wish_new || office.is_none_or(|office| !office.is_told_observers)
        });
        // Who is damaged looks for somebody else to lead.
        let rests = is_asleep && !has_news && !replica.is_damaged;
        if rests && replica.group.role() == Role::Leader {
            lane.awake.remove(&key);
        }
    }
}
