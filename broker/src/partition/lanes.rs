//! Groups of several replicas, and the brokers that they are shared with: who is heard, who
//! campaigns, which groups sleep.
//!
//! Every group belongs to a lane, the same on all brokers, and a shard has some of the lanes: what
//! happens to a group, and what is heard of the brokers that share it, happens on one thread. So
//! a shard that hangs doesn't beat, and nobody takes its groups for led.
//!
//! Nothing is done here for a group that sleeps; a [`Pair`] says when it doesn't any more.
//!
//! Must always hold: no vote is given, and nobody campaigns, while a promise to a leader may hold,
//! one from before a start included; a group that is named in a beat has heard it before the answer
//! leaves.

mod campaigns;
mod due;
mod handover;
mod in_sync;
mod lives;
mod pairs;
mod quorum;
mod rush;
mod sleep;
mod slow;
mod troubles;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use logboom_raft::{Beat, Body, Message, Named, Pair, ReplicaId, Role, Timing};
use logboom_storage::state::GroupKey;

use self::due::Due;
use self::lives::resolved;
use self::rush::Rush;
use super::hands::{Hands, LeaderNews};
use super::member::{Asleep, Rest, Wish};
use super::replica::Replica;
use crate::cluster::METADATA;
use crate::peer::{GroupMessage, lane_of};
pub(super) use handover::Handovers;
pub(crate) use quorum::{Quorum, QuorumReplica};
use slow::Slow;
use troubles::Stalls;
pub(crate) use troubles::Troubles;

/// The shortest time without a leader after which a replica campaigns, and the longest.
const SILENCE_MS: (u64, u64) = (250, 400);
/// Between the campaigns of those who lost a leader.
const RANK_MS: u64 = 100;
/// How long a promise from before a start may hold.
const PROMISE_MS: u64 = SILENCE_MS.0;
/// How long a leader waits for another one to take its office.
const TRANSFER_MS: u64 = SILENCE_MS.1;
/// How long a broker that stops waits until others lead what it led.
const RETIRE_MAX_MS: u64 = 2_000;
/// Groups of which it is said that nobody leads them, until somebody hears it.
const UNTOLD_MAX: usize = 4_096;
/// Between two looks at what time has done; every second one beats.
pub(super) const TICK_MS: u64 = 25;

const TIMING: Timing = Timing { beat_ms: 2 * TICK_MS, silence_ms: SILENCE_MS.0, lease_ms: 160 };

/// What is to be sent at the end of a turn.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) messages: BTreeMap<i32, Vec<GroupMessage>>,
    pub(super) beats: BTreeMap<i32, Vec<(u8, Beat<GroupKey>)>>,
}

/// What is known of another broker in one lane.
struct Other {
    directory: [u8; 16],
    pair: Pair<GroupKey>,
    /// Whether it was there at the last tick.
    is_there: bool,
    met: u64,
    /// Groups that are awake, for the next beat.
    named: Vec<Named<GroupKey>>,
}

#[derive(Default)]
struct Lane {
    others: BTreeMap<i32, Other>,
    /// Groups that are led here, and those of them that are awake at some follower.
    led: BTreeSet<GroupKey>,
    awake: BTreeSet<GroupKey>,
    /// Groups that are not led here and don't sleep.
    waiting: BTreeSet<GroupKey>,
}

/// Numbers that nobody has to foresee; they keep candidates apart.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }

    fn patience(&mut self) -> u64 {
        SILENCE_MS.0 + self.below(SILENCE_MS.1 - SILENCE_MS.0)
    }
}

/// The lanes of a shard.
pub(super) struct Lanes {
    lanes: BTreeMap<u8, Lane>,
    run: u64,
    /// When the broker started.
    began: u64,
    ticks: u64,
    chance: Chance,
    rush: Rush,
    due: Due,
    /// Groups to which something has happened in this turn.
    touched: BTreeSet<GroupKey>,
    /// Those that have said what they have to say of it.
    changed: Vec<GroupKey>,
    pub(super) outgoing: Outgoing,
    /// Brokers to which much is on its way already.
    pub(super) crowded: Vec<i32>,
    /// Who is told when nothing is led here any more, and until when at the latest.
    retiring: Option<(oneshot::Sender<()>, u64)>,
    /// For what is said of groups without a leader, and not heard yet.
    untold: Arc<Semaphore>,
    /// Flushes hang, or did a moment ago.
    slow: Option<Slow>,
    stalls: Stalls,
    /// When flushes were looked at last, and since when that was never long ago.
    looked: u64,
    looks_since: u64,
}

type Table = HashMap<GroupKey, Box<Replica>>;

impl Lanes {
    /// - `run`: of this start of the broker; greater than those of all before.
    /// - `seed`: any number.
    pub(super) fn new(run: u64, now: u64, seed: u64) -> Self {
        Self {
            lanes: BTreeMap::new(),
            run,
            began: now,
            ticks: 0,
            chance: Chance(seed | 1),
            rush: Rush::default(),
            due: Due::default(),
            touched: BTreeSet::new(),
            changed: Vec::new(),
            outgoing: Outgoing::default(),
            crowded: Vec::new(),
            retiring: None,
            untold: Arc::new(Semaphore::new(UNTOLD_MAX)),
            slow: None,
            stalls: Stalls::default(),
            looked: 0,
            looks_since: 0,
        }
    }

    /// Hands over what is led here, from now on, and campaigns for nothing; `done` is told when
    /// nothing is led here.
    pub(super) fn retire(&mut self, table: &mut Table, done: oneshot::Sender<()>, now: u64) {
        if self.lanes.is_empty() {
            return done.send(()).unwrap_or(());
        }
        for replica in table.values_mut() {
            replica.retire();
        }
        self.retiring = Some((done, now + RETIRE_MAX_MS));
    }

    /// Whether there is anything that time does something to.
    pub(super) fn is_idle(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Another broker shares groups of a lane.
    pub(super) fn meet(&mut self, lane: u8, broker: i32, directory: [u8; 16], now: u64) {
        let others = &mut self.lanes.entry(lane).or_default().others;
        let is_known = |other: &Other| other.directory == directory || other.pair.is_heard(now);
        if !others.get(&broker).is_some_and(is_known) {
            let pair = Pair::new(self.run, TIMING);
            let other = Other { directory, pair, is_there: false, met: now, named: Vec::new() };
            others.insert(broker, other);
        }
    }

    /// A replica is served from now on.
    ///
    /// - `is_first`: whether it campaigns at once, because its group was just created and prefers
    ///   it.
    pub(super) fn add(&mut self, replica: &mut Replica, now: u64, is_first: bool) {
        let key = replica.partition.key;
        let lane = lane_of(&key);
        let own = replica.group.id().broker;
        let wished = replica.member.as_ref().and_then(|member| member.wish.as_ref());
        let wished = wished.into_iter().flat_map(|wish| wish.voters.iter().copied());
        let voters: Vec<ReplicaId> = replica.group.voters().all().chain(wished).collect();
        for id in voters.into_iter().filter(|id| id.broker != own) {
            self.meet(lane, id.broker, id.directory, now);
        }
        let Some(member) = &mut replica.member else { return };
        if is_first {
            self.rush.add();
            self.due.set(key, member, now);
        } else if member.is_new {
            self.rush.add();
            let deadline = now + self.patience() + self.rush.lasts_ms();
            let Some(member) = &mut replica.member else { return };
            self.due.set(key, member, deadline);
        } else {
            // As if it had just lost its leader: others may start at the same time.
            self.lose_leader(replica, now);
        }
        self.lanes.entry(lane).or_default().waiting.insert(key);
    }

    /// A replica is no more.
    pub(super) fn remove(&mut self, key: &GroupKey) {
        let Some(lane) = self.lanes.get_mut(&lane_of(key)) else { return };
        for other in lane.others.values_mut() {
            other.pair.wake(*key);
            other.pair.stir(*key);
        }
        lane.led.remove(key);
        lane.awake.remove(key);
        lane.waiting.remove(key);
        self.touched.remove(key);
    }

    /// The brokers in a group's lane that answer.
    pub(super) fn there(&self, key: &GroupKey) -> Vec<i32> {
        let others = self.lanes.get(&lane_of(key)).map(|lane| &lane.others);
        let there = others.into_iter().flatten().filter(|(_, other)| other.is_there);
        there.map(|(broker, _)| *broker).collect()
    }

    /// Whether promises from before the start may still hold.
    fn is_new(&self, now: u64) -> bool {
        now < self.began + PROMISE_MS
    }

    /// Something has happened to a replica.
    pub(super) fn touch(&mut self, replica: &mut Replica, now: u64) {
        if replica.member.is_some() {
            self.touched.insert(replica.partition.key);
            self.attend(replica, now);
        }
    }

    /// A message has arrived.
    pub(super) fn hear_message(
        &mut self,
        table: &mut Table,
        message: &GroupMessage,
        now: u64,
        hands: &Hands,
    ) {
        let GroupMessage { key, message, records } = message;
        let Some(replica) = table.get_mut(key).filter(|it| it.member.is_some()) else { return };
        if self.settle_lives(replica, message, now) {
            return;
        }
        let heard = self.is_new(now) || self.is_heard(replica, now);
        let records = records.first().cloned().unwrap_or_default();
        replica.hear(message, &records, heard, hands);
        self.touch(replica, now);
        self.note(replica, message, now);
        if !heard {
            self.overtake(replica, message, now);
        }
    }

    /// Whether the leader of a group was heard so lately that nobody else may be elected.
    fn is_heard(&self, replica: &Replica, now: u64) -> bool {
        let Some(member) = &replica.member else { return false };
        let lane = self.lanes.get(&lane_of(&replica.partition.key));
        let other = |asleep: Asleep| lane.and_then(|lane| lane.others.get(&asleep.under));
        let sleeps = member.asleep.and_then(other).is_some_and(|other| other.pair.is_heard(now));
        sleeps || member.heard.is_some_and(|heard| now < heard + SILENCE_MS.0)
    }

    /// Notes what a message that has arrived says about the time.
    fn note(&mut self, replica: &mut Replica, message: &Message, now: u64) {
        let (group, key, patience) = (&replica.group, replica.partition.key, self.patience());
        let is_current = message.to == group.id() && message.epoch == group.epoch();
        let role = group.role();
        let Some(member) = replica.member.as_mut().filter(|_| is_current) else { return };
        match &message.body {
            Body::Append(_) | Body::Beat { .. } | Body::Reset(_)
                if role == Role::Follower(Some(message.from)) =>
            {
                (member.heard, member.campaigns_since) = (Some(now), None);
                self.due.set(key, member, now + patience);
                let is_unfit = replica.is_damaged || self.slow.is_some();
                if member.leaderless.take().is_some() && is_unfit {
                    replica.hold_back(true);
                }
            }
            // Whoever asks is given the time to be elected.
            Body::Vote(vote) if !vote.pre && role == Role::Follower(None) => {
                self.due.set(key, member, now + patience);
            }
            Body::Resigned if role == Role::Follower(None) => {
                member.heard = None;
                let deadline = now + self.chance.below(SILENCE_MS.0 / 4);
                self.due.set(key, member, deadline);
            }
            _ => {}
        }
    }

    /// Who asks for votes with less than this replica has can't be elected; so this one doesn't
    /// wait for its turn, which comes when all others have had theirs.
    fn overtake(&mut self, replica: &mut Replica, message: &Message, now: u64) {
        let Replica { group, member: Some(member), .. } = replica else { return };
        let Body::Vote(vote) = &message.body else { return };
        let has_more = message.to == group.id() && vote.end < group.history().end();
        if has_more && matches!(group.role(), Role::Follower(_)) {
            let deadline = member.deadline.min(now + self.chance.below(SILENCE_MS.0 / 4));
            self.due.set(replica.partition.key, member, deadline);
        }
    }

    /// Something has happened to a replica: does it still lead, rest, sleep as it did?
    fn attend(&mut self, replica: &mut Replica, now: u64) {
        let (key, delay) = (replica.partition.key, self.delay());
        let Some(lane) = self.lanes.get_mut(&lane_of(&key)) else { return };
        let Replica { group, member: Some(member), .. } = replica else { return };
        let (history, epoch) = (group.history(), group.epoch());
        let leads = group.role() == Role::Leader;
        member.handovers.see(group, now);
        let led = member.office.as_ref().and_then(|office| office.led);
        if leads && led.is_none_or(|(in_epoch, _)| in_epoch != epoch) {
            let office = member.in_office();
            (office.led, office.led_from) = (Some((epoch, now)), history.end().offset);
            office.feeds.clear();
            office.in_sync.clear();
            (office.told, office.is_told_observers, office.refuses_since) = (None, false, None);
            office.since.clear();
            member.leaderless = None;
            if key == METADATA {
                // What was wished of an earlier leader is over; a change that it began is undone.
                let voters = group.voters();
                member.wish = voters.is_joint().then(|| Wish::back_to(voters));
            }
        }
        let rest = Rest { epoch, end: history.end(), log_start: history.start().offset };
        let moves = |at_rest: &mut Rest| !leads || *at_rest != rest;
        if member.office.as_mut().and_then(|office| office.rest.take_if(moves)).is_some() {
            lane.others.values_mut().for_each(|other| other.pair.wake(key));
            member.in_office().pursuit.rested(now);
        }
        if leads {
            lane.led.insert(key);
            lane.awake.insert(key);
            lane.waiting.remove(&key);
        } else {
            lane.led.remove(&key);
            lane.awake.remove(&key);
        }
        if let Some(Asleep { under, epoch, end }) = member.asleep {
            let rests =
                |leader: ReplicaId| leader.broker == under && group.rests_under(leader, epoch, end);
            let rests = matches!(group.role(), Role::Follower(Some(leader)) if rests(leader));
            if rests && !member.is_to_be_asked {
                return;
            }
            member.asleep = None;
            if let Some(other) = lane.others.get_mut(&under) {
                other.pair.stir(key);
                // What was promised to its leader still holds.
                member.heard = member.heard.max(other.pair.last_heard());
            }
            member.deadline = now + self.chance.patience() + delay;
        }
        if !leads && member.asleep.is_none() {
            lane.waiting.insert(key);
            self.due.wait(key, member);
        }
    }

    /// Looks at what time has done.
    ///
    /// - `seen`: all beats that had come until then were heard. A shard that stood still, or has
    ///   more to do than it can, takes nobody for silent whom it hasn't listened to.
    pub(super) fn tick(&mut self, table: &mut Table, now: u64, seen: u64, hands: &Hands) {
        self.ticks += 1;
        let beats = self.ticks.is_multiple_of(2);
        for lane in self.lanes.keys().copied().collect::<Vec<u8>>() {
            let has_changed = self.look(table, lane, now, seen, hands);
            let Some(state) = self.lanes.get(&lane) else { continue };
            let hands_over = self.retiring.is_some() || self.slow.is_some();
            let looks_at_all = has_changed || hands_over;
            let led = match looks_at_all {
                true => state.led.iter(),
                false if beats => state.awake.iter(),
                false => continue,
            };
            for key in led.copied().collect::<Vec<GroupKey>>() {
                self.lead(table, &key, now, beats, hands);
            }
        }
        self.wait(table, now, seen, hands);
        self.end_turn(table, now, hands);
        if beats {
            self.beat(table, now);
        }
        self.look_whether_retired(now);
    }

    fn look_whether_retired(&mut self, now: u64) {
        let leads = self.lanes.values().any(|lane| !lane.led.is_empty());
        let is_over = |(_, until): &mut (oneshot::Sender<()>, u64)| !leads || now >= *until;
        if let Some((done, _)) = self.retiring.take_if(is_over) {
            done.send(()).unwrap_or(());
        }
    }

    /// Whom does this broker not hear any more? Returns whether somebody came or went.
    fn look(&mut self, table: &mut Table, lane: u8, now: u64, seen: u64, hands: &Hands) -> bool {
        let Some(state) = self.lanes.get_mut(&lane) else { return false };
        let mut has_changed = false;
        let mut all = Vec::new();
        for (broker, other) in &mut state.others {
            let mut news = Vec::new();
            other.pair.look(seen, &mut news);
            let is_there = other.pair.is_there(seen);
            has_changed |= std::mem::replace(&mut other.is_there, is_there) != is_there;
            all.push((*broker, news));
        }
        for (broker, news) in all {
            self.take_news(table, lane, broker, news, now, hands);
        }
        has_changed
    }

    /// This replica leads: beats, and looks whether it still may.
    fn lead(&mut self, table: &mut Table, key: &GroupKey, now: u64, beats: bool, hands: &Hands) {
        let Some(replica) = table.get_mut(key) else { return };
        let there = self.there(key);
        let Some(member) = replica.member.as_deref_mut() else { return };
        let office = member.office.get_or_insert_default();
        if replica.group.history().end().offset > office.led_from {
            member.campaigns_since = None;
        }
        let refuses = !replica.group.takes_records() && replica.group.transferring().is_some();
        office.refuses_since = refuses.then(|| office.refuses_since.unwrap_or(now));
        let gives_up = office.refuses_since.is_some_and(|since| now > since + TRANSFER_MS);
        let is_fresh = office.led.is_some_and(|(_, since)| now < since + SILENCE_MS.1);
        let wish = member.wish.clone().filter(|wish| office.told != Some(wish.generation));
        office.told = wish.as_ref().map(|wish| wish.generation).or(office.told);
        let told = std::mem::replace(&mut office.is_told_observers, true);
        let resolve = |ids: &[ReplicaId]| resolved(ids, replica.group.voters(), &member.lives);
        let wish = wish.map(|wish| (resolve(&wish.voters), wish.generation));
        let observers = (!told).then(|| resolve(&member.observers));
        let successor = self.hands_over_to(replica, now);
        if let (Some(_), Some(member)) = (&wish, replica.member.as_mut()) {
            // Whoever is to answer has to be awake.
            member.in_office().rest = None;
            let lane = self.lanes.get_mut(&lane_of(key));
            let others = lane.into_iter().flat_map(|lane| lane.others.values_mut());
            others.for_each(|other| other.pair.wake(*key));
        }
        replica.step(hands, |group, effects| {
            group.check_quorum(|id| is_fresh || there.contains(&id.broker), effects);
            if gives_up {
                group.cancel_transfer();
            }
            if let Some(observers) = observers {
                group.observe(&observers);
            }
            // Before the wish: an entry for that one would be waited for.
            if let Some(successor) = successor {
                group.transfer(successor, effects);
            }
            if let Some((voters, generation)) = wish {
                group.wish(voters, generation, effects);
            }
            if beats {
                group.beat(effects);
            }
        });
        Self::look_whether_lease_is_gone(replica, hands);
        Self::look_whether_others_need_it(replica, now, hands);
        // Who came or went is noted at once: a group that sleeps isn't looked at again.
        self.note_in_sync(table, key, now);
        if beats {
            self.put_to_sleep(table, key);
        }
        if let Some(replica) = table.get_mut(key) {
            replica.answer_starts();
            replica.answer_too_few();
            self.touch(replica, now);
            self.forget_if_asleep(replica);
        }
    }

    /// A handover that came to nothing leaves a leader that can't have a lease any more: another
    /// epoch begins, whoever leads in it.
    fn look_whether_lease_is_gone(replica: &mut Replica, hands: &Hands) {
        let group = &replica.group;
        let is_established = group.commit().epoch == group.epoch();
        let leads = group.role() == Role::Leader && group.transferring().is_none();
        if leads && is_established && !group.may_hold_lease() {
            replica.step(hands, |group, effects| group.resign("it has no lease", effects));
        }
    }

    /// Takes what the touched groups want to say, at the end of a turn.
    pub(super) fn end_turn(&mut self, table: &mut Table, now: u64, hands: &Hands) {
        for key in std::mem::take(&mut self.touched) {
            self.note_who_comes(table, &key, now);
            let Some(replica) = table.get_mut(&key) else { continue };
            if key == METADATA {
                replica.tell_commit(hands);
            }
            for (message, records) in replica.take_outgoing(&self.crowded, hands) {
                self.say(key, message, records, now);
            }
            self.attend(replica, now);
            self.forget_if_asleep(replica);
            if key != METADATA
                && let Some(report) = replica.report()
            {
                drop(hands.reports.send(LeaderNews::Leads(report)));
            }
            self.changed.push(key);
        }
    }

    /// Groups to which something has happened since this was asked.
    pub(super) fn take_changed(&mut self) -> Vec<GroupKey> {
        std::mem::take(&mut self.changed)
    }

    /// Says what the voters of a group are to be.
    pub(super) fn wish(&mut self, replica: &mut Replica, wish: Wish, now: u64) {
        let (lane, own) = (lane_of(&replica.partition.key), replica.group.id().broker);
        for id in wish.voters.iter().filter(|id| id.broker != own) {
            self.meet(lane, id.broker, id.directory, now);
        }
        if let Some(member) = &mut replica.member {
            if member.wish.as_ref().is_none_or(|known| known.generation != wish.generation) {
                member.handovers.forget();
            }
            // Of the metadata only the leader hears a wish, and no broker ever takes them away.
            if replica.partition.key != METADATA {
                replica.group.know_wish(wish.generation);
            }
            member.wish = Some(wish);
            self.touch(replica, now);
        }
    }

    /// Says who is to have the log of a group without a vote.
    pub(super) fn observe(&mut self, replica: &mut Replica, observers: Arc<[ReplicaId]>, now: u64) {
        if let Some(member) = &mut replica.member
            && member.observers != observers
        {
            member.observers = observers;
            member.office.iter_mut().for_each(|office| office.is_told_observers = false);
            self.touch(replica, now);
        }
    }

    /// Whether a replica may answer as the leader now, without asking anybody.
    pub(super) fn has_lease(&self, replica: &Replica, now: u64) -> bool {
        let Some(member) = &replica.member else {
            return replica.group.role() == Role::Leader;
        };
        let lane = self.lanes.get(&lane_of(&replica.partition.key));
        let has_promised = |id: ReplicaId| {
            let other = || lane.and_then(|lane| lane.others.get(&id.broker));
            let promised = |since| other().is_some_and(|other| other.pair.has_promised(since, now));
            id == replica.group.id() || member.since(id.broker).is_some_and(promised)
        };
        replica.group.may_hold_lease() && replica.group.voters().have_majority(has_promised)
    }
}
