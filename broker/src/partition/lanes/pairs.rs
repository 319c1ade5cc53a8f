//! What brokers say to each other for all groups that they share, and what is made of it.
//!
//! The rules are those of `docs/raft.md`, "Groups that sleep".

use bytes::Bytes;

use logboom_raft::{Beat, Body, Message, Named, News, Position, ReplicaId, Replicas, Role};
use logboom_storage::state::GroupKey;

use super::{Lanes, RANK_MS, SILENCE_MS, Table};
use crate::partition::hands::Hands;
use crate::partition::member::Asleep;
use crate::partition::replica::Replica;
use crate::peer::{GroupMessage, PeerId, lane_of};

impl Lanes {
    /// What a replica says: in a beat, or in its own name, and then its group is awake there.
    pub(super) fn say(&mut self, key: GroupKey, message: Message, records: Bytes, now: u64) {
        let to = message.to;
        if to.broker == message.from.broker {
            // An earlier life of the replica itself, which its log names as a voter, is no more.
            return;
        }
        // Voters that its log names may not have been met before.
        self.meet(lane_of(&key), to.broker, to.directory, now);
        let Some(lane) = self.lanes.get_mut(&lane_of(&key)) else { return };
        let Some(other) = lane.others.get_mut(&to.broker) else { return };
        if other.directory != to.directory {
            return;
        }
        let Body::Beat { commit, log_start } = message.body else {
            other.pair.wake(key);
            let records = if records.is_empty() { Vec::new() } else { vec![records] };
            let message = GroupMessage { key, message, records };
            return self.outgoing.messages.entry(to.broker).or_default().push(message);
        };
        other.named.push(Named {
            key,
            leader_life: message.from.life,
            follower_life: to.life,
            epoch: message.epoch,
            commit,
            log_start,
        });
    }

    /// Beats to all others, once the groups have said what they have to say.
    pub(super) fn beat(&mut self, table: &mut Table, now: u64) {
        for (number, lane) in &mut self.lanes {
            for (broker, other) in &mut lane.others {
                let mut named = std::mem::take(&mut other.named);
                named.retain(|named| {
                    let leads = table.get(&named.key).is_some_and(|replica| {
                        let group = &replica.group;
                        group.role() == Role::Leader && group.epoch() == named.epoch
                    });
                    leads && !other.pair.is_asleep_there(named.key)
                });
                let next = other.pair.next_beat();
                for named in &named {
                    let member = table.get_mut(&named.key).and_then(|it| it.member.as_mut());
                    member.into_iter().for_each(|member| member.count_from(*broker, next));
                }
                let beat = other.pair.beat(now, named);
                self.outgoing.beats.entry(*broker).or_default().push((*number, beat));
            }
        }
    }

    /// A beat has arrived.
    pub(in crate::partition) fn hear_beat(
        &mut self,
        table: &mut Table,
        from: PeerId,
        lane: u8,
        beat: &Beat<GroupKey>,
        now: u64,
        hands: &Hands,
    ) {
        self.meet(lane, from.node, from.directory.0, now);
        let other = self.lanes.get(&lane).and_then(|lane| lane.others.get(&from.node));
        // One that takes the place of a broker that was heard a moment ago is heard when that one
        // is known to be silent: else it would keep alive who is gone.
        let Some(other) = other.filter(|other| other.directory == from.directory.0) else { return };
        if other.pair.is_new(beat) {
            for named in &beat.named {
                self.hear_leader(table, from, named, now, hands);
            }
        }
        let mut news = Vec::new();
        let other = self.lanes.get_mut(&lane).and_then(|lane| lane.others.get_mut(&from.node));
        if let Some(other) = other {
            other.pair.hear(now, beat, &mut Here { table, from: from.node }, &mut news);
        }
        self.take_news(table, lane, from.node, news, now, hands);
    }

    /// What a beat says of a group that is awake, as its replica hears it.
    fn hear_leader(
        &mut self,
        table: &mut Table,
        from: PeerId,
        said: &Named<GroupKey>,
        now: u64,
        hands: &Hands,
    ) {
        let Named { key, leader_life, follower_life, epoch, commit, log_start } = *said;
        let Some(replica) = table.get(&key) else { return };
        let leader =
            ReplicaId { broker: from.node, life: leader_life, directory: from.directory.0 };
        let own = ReplicaId { life: follower_life, ..replica.group.id() };
        let body = Body::Beat { commit, log_start };
        let message = Message { from: leader, to: own, epoch, body };
        let message = GroupMessage { key, message, records: Vec::new() };
        self.hear_message(table, &message, now, hands);
    }

    pub(super) fn take_news(
        &mut self,
        table: &mut Table,
        lane: u8,
        from: i32,
        news: Vec<News<GroupKey>>,
        now: u64,
        hands: &Hands,
    ) {
        for news in news {
            match news {
                News::Slept(key) => self.falls_asleep(table, from, &key),
                News::Woken(key) => self.awakes(table, from, &key, true, now),
                News::Orphaned(key) => self.awakes(table, from, &key, false, now),
                News::Stirred(key) => {
                    let lane = self.lanes.get_mut(&lane);
                    let other = lane.and_then(|lane| lane.others.get_mut(&from));
                    other.into_iter().for_each(|other| other.pair.wake(key));
                    self.ask_anew(table, from, &key, now, hands);
                }
                News::Restarted => self.has_restarted(table, lane, from, now, hands),
            }
        }
    }

    fn falls_asleep(&mut self, table: &mut Table, from: i32, key: &GroupKey) {
        let replica = table.get_mut(key).map(|it| &mut **it);
        let Some(Replica { group, member: Some(member), .. }) = replica else { return };
        let (epoch, end) = (group.epoch(), group.history().end());
        member.asleep = Some(Asleep { under: from, epoch, end });
        if member.is_to_be_asked {
            // Its leader put it to sleep before it heard.
            self.touched.insert(*key);
        }
        if group.role() != Role::Leader {
            member.office = None;
        }
        if let Some(lane) = self.lanes.get_mut(&lane_of(key)) {
            lane.waiting.remove(key);
        }
    }

    /// A group sleeps no more.
    ///
    /// - `is_led`: whether its leader is there.
    fn awakes(&mut self, table: &mut Table, from: i32, key: &GroupKey, is_led: bool, now: u64) {
        let Some(replica) = table.get_mut(key) else { return };
        let Some(member) = replica.member.as_mut() else { return };
        if member.asleep.take_if(|asleep| asleep.under == from).is_none() {
            return;
        }
        if is_led {
            (member.heard, member.deadline) = (Some(now), now + self.patience());
        } else if member.heard != Some(now) {
            // It isn't led by a later start of the broker, which names it in the same beat.
            self.lose_leader(replica, now);
        }
        if let (Some(lane), Some(member)) =
            (self.lanes.get_mut(&lane_of(key)), replica.member.as_mut())
        {
            lane.waiting.insert(*key);
            self.due.wait(*key, member);
        }
    }

    /// Its leader is gone: who campaigns first is agreed, the others come later.
    pub(super) fn lose_leader(&mut self, replica: &mut Replica, now: u64) {
        let turn = turn_of(&replica.partition.key);
        let Replica { group, member: Some(member), .. } = replica else { return };
        let wished = member
            .wish
            .as_ref()
            .and_then(|wish| group.voters().all().find(|id| id.broker == wish.leader));
        let voters = group.voters();
        let rank = voters.rank(group.id(), group.leader(), wished, turn).unwrap_or(0) as u64;
        member.heard = None;
        self.rush.add();
        let turn_ms = RANK_MS + self.rush.lasts_ms();
        let deadline = now + rank * turn_ms + self.chance.below(2) + self.delay();
        self.due.set(replica.partition.key, member, deadline);
    }

    /// What a follower has is to be asked for.
    fn ask_anew(&mut self, table: &mut Table, from: i32, key: &GroupKey, now: u64, hands: &Hands) {
        let Some(replica) = table.get_mut(key) else { return };
        if let Some(member) = replica.member.as_mut() {
            member.discount(from);
        }
        if replica.group.role() == Role::Leader {
            replica.step(hands, |group, _| group.disconnected(from));
            self.touch(replica, now);
        }
    }

    /// Another start of a broker has no part in what an earlier one led or knew.
    fn has_restarted(&mut self, table: &mut Table, lane: u8, from: i32, now: u64, hands: &Hands) {
        for key in self.keys_of(lane) {
            let Some(replica) = table.get_mut(&key) else { continue };
            let follows = replica.group.leader().is_some_and(|leader| leader.broker == from);
            let has_heard = replica.member.as_ref().is_some_and(|it| it.heard == Some(now));
            if follows && !has_heard {
                self.lose_leader(replica, now);
            }
            self.ask_anew(table, from, &key, now, hands);
        }
    }

    /// The connection to a broker has ended: the replicas that follow one there campaign in their
    /// turn as soon as its silence allows it. That shortens no promise.
    pub(in crate::partition) fn lost(&mut self, table: &mut Table, node: i32, now: u64) {
        for lane in self.lanes.keys().copied().collect::<Vec<u8>>() {
            for key in self.keys_of(lane) {
                let Some(replica) = table.get_mut(&key) else { continue };
                if replica.group.leader().is_none_or(|leader| leader.broker != node) {
                    continue;
                }
                let heard = replica.member.as_ref().and_then(|member| member.heard);
                self.lose_leader(replica, now);
                if let Some(member) = &mut replica.member {
                    let silent_at = heard.map_or(now, |heard| heard + SILENCE_MS.0);
                    (member.heard, member.deadline) =
                        (heard, member.deadline.max(silent_at + (member.deadline - now)));
                }
            }
        }
    }

    /// A connection to a broker was lost and made anew: what was on its way may be lost.
    pub(in crate::partition) fn reconnected(
        &mut self,
        table: &mut Table,
        to: i32,
        now: u64,
        hands: &Hands,
    ) {
        for lane in self.lanes.keys().copied().collect::<Vec<u8>>() {
            for key in self.lanes.get(&lane).map(|it| it.led.clone()).unwrap_or_default() {
                let Some(replica) = table.get_mut(&key) else { continue };
                replica.step(hands, |group, _| group.disconnected(to));
                self.touch(replica, now);
            }
        }
    }

    fn keys_of(&self, lane: u8) -> Vec<GroupKey> {
        let lane = self.lanes.get(&lane);
        let keys = lane.map(|lane| lane.led.iter().chain(&lane.waiting).copied().collect());
        keys.unwrap_or_default()
    }
}

/// A number that differs from group to group.
fn turn_of(key: &GroupKey) -> usize {
    let sum = key.topic_id.0.iter().fold(0_usize, |sum, byte| sum + usize::from(*byte));
    sum + usize::try_from(key.partition).unwrap_or(0)
}

/// The replicas of a broker that has heard another one.
struct Here<'a> {
    table: &'a Table,
    from: i32,
}

impl Here<'_> {
    fn leader(&self, key: &GroupKey) -> Option<ReplicaId> {
        let leader = self.table.get(key)?.group.leader();
        leader.filter(|leader| leader.broker == self.from)
    }
}

impl Replicas<GroupKey> for Here<'_> {
    fn follows(&mut self, key: GroupKey, epoch: i32) -> bool {
        let replica = self.table.get(&key);
        let is_in_epoch = replica.is_some_and(|replica| replica.group.epoch() == epoch);
        self.leader(&key).is_some() && is_in_epoch
    }

    fn rests(&mut self, key: GroupKey, epoch: i32, end: Position) -> bool {
        let Some(leader) = self.leader(&key) else { return false };
        let replica = self.table.get(&key);
        replica.is_some_and(|replica| replica.group.rests_under(leader, epoch, end))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use logboom_protocol::units::Uuid;
    use logboom_raft::Pair;
    use logboom_storage::sim::SimDisk;
    use logboom_storage::state::OpenMark;
    use logboom_storage::{Directory, DirectoryOptions};
    use tokio::sync::mpsc;

    use super::super::TIMING;
    use super::*;
    use crate::partition::{Process, ShardHandle};

    #[test]
    fn who_takes_the_place_of_a_broker_is_heard_when_that_one_is_silent() {
        let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
        let (disk, options) = (SimDisk::new(), DirectoryOptions::default());
        let directory = Directory::open(disk, Path::new("/data"), options, mark, 1).unwrap();
        let hands = Hands {
            directory: Arc::new(directory),
            metrics: Arc::default(),
            handle: ShardHandle::channel().0,
            reports: mpsc::unbounded_channel().0,
            catch_up: Arc::default(),
            around: Arc::new(Process),
        };
        let (mut lanes, mut table) = (Lanes::new(1, 0, 7), Table::new());
        let mut brokers = [1, 2].map(|byte| (Uuid([byte; 16]), Pair::new(1, TIMING)));
        for (at, now, known) in [(0, 1_000, 1), (1, 1_010, 1), (1, 1_200, 1), (1, 1_260, 2)] {
            let (directory, pair) = &mut brokers[at];
            let from = PeerId { node: 2, directory: *directory, run: 1 };
            let beat = pair.beat(now, Vec::new());
            lanes.hear_beat(&mut table, from, 3, &beat, now, &hands);
            assert_eq!(lanes.lanes[&3].others[&2].directory, [known; 16], "at {now}");
        }
    }
}
