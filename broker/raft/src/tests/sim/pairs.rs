//! What brokers say to each other for all groups that they share, and what an honest host makes of
//! it: beats, sleep, wake-up.
//!
//! A host doesn't look at groups that sleep. It relies on what a [`Pair`] says of them ([`News`]),
//! and says itself what happens to them.

use core::mem::take;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::broker::{Asleep, Replica, Rest, name, place};
use super::cluster::Cluster;
use super::network::BROKERS;
use super::plan::{MILLISECOND, TIMING};
use super::queue::Event;
use crate::group::Role;
use crate::tests::node::Packet;
use crate::tests::world::Violation;
use crate::{Beat, Body, Message, Named, News, Pair, Position, ReplicaId, Replicas};

/// How pairs name a group.
pub(crate) fn key(group: usize) -> u32 {
    u32::try_from(group).unwrap()
}

/// The group that pairs name so.
fn group(key: u32) -> usize {
    usize::try_from(key).unwrap()
}

/// The replicas of a broker that has heard another one.
struct Here<'a> {
    replicas: &'a [Replica],
    from: usize,
}

impl Here<'_> {
    fn leader(&self, key: u32) -> Option<ReplicaId> {
        let leader = self.replicas[group(key)].node.group.as_ref()?.leader();
        leader.filter(|leader| place(*leader) == self.from)
    }
}

impl Replicas<u32> for Here<'_> {
    fn follows(&mut self, key: u32, epoch: i32) -> bool {
        let core = self.replicas[group(key)].node.group.as_ref();
        self.leader(key).is_some() && core.is_some_and(|core| core.epoch() == epoch)
    }

    fn rests(&mut self, key: u32, epoch: i32, end: Position) -> bool {
        let Some(leader) = self.leader(key) else { return false };
        let core = self.replicas[group(key)].node.group.as_ref();
        core.is_some_and(|core| core.rests_under(leader, epoch, end))
    }
}

impl Cluster {
    /// A broker that starts knows nothing of the others.
    pub(crate) fn meet_nobody(&mut self, at: usize) {
        let mutant = self.mutant;
        let count = self.brokers.len();
        let broker = &mut self.brokers[at];
        let run = u64::from(broker.boot) + 1;
        let pair = |_| Pair::with_fault(run, TIMING, mutant);
        broker.pairs = (0..count).map(pair).collect();
        broker.there = [false; BROKERS];
    }

    /// A broker beats, once its groups have said what they have to say.
    pub(crate) fn beat(&mut self, at: usize) {
        for other in (0..self.brokers.len()).filter(|other| *other != at) {
            let now = self.brokers[at].milliseconds(self.now);
            let mut named = take(&mut self.brokers[at].named[other]);
            named.retain(|named| self.is_awake(at, other, named));
            let broker = &mut self.brokers[at];
            let number = broker.pairs[other].next_beat();
            for named in &named {
                broker.replicas[group(named.key)].since[other].get_or_insert(number);
            }
            let beat = broker.pairs[other].beat(now, named);
            for delay in self.network.carry(at, other, &mut self.chance).into_iter().flatten() {
                let beat = Box::new(beat.clone());
                self.queue.push(self.now + delay, Event::Beat { at: other, from: at, beat });
            }
        }
    }

    /// Whether a group is led here as it was named, and doesn't sleep at another broker.
    fn is_awake(&self, at: usize, other: usize, named: &Named<u32>) -> bool {
        let broker = &self.brokers[at];
        let core = broker.replicas[group(named.key)].node.group.as_ref();
        let leads =
            core.is_some_and(|core| core.role() == Role::Leader && core.epoch() == named.epoch);
        leads && !broker.pairs[other].is_asleep_there(named.key)
    }

    /// A beat has arrived.
    pub(crate) fn hear(
        &mut self,
        at: usize,
        from: usize,
        beat: &Beat<u32>,
    ) -> Result<(), Violation> {
        if !self.brokers[at].is_up {
            return Ok(());
        }
        self.tell(|| alloc::format!("{} → {}: {beat:?}", name(from), name(at)));
        if self.brokers[at].pairs[from].is_new(beat) {
            for named in &beat.named {
                self.hear_leader(at, from, named)?;
            }
        }
        let mut news = vec![];
        let broker = &mut self.brokers[at];
        let now = broker.milliseconds(self.now);
        let mut here = Here { replicas: &broker.replicas, from };
        broker.pairs[from].hear(now, beat, &mut here, &mut news);
        self.take_news(at, from, news)
    }

    /// What a beat says of a group that is awake, as its replica hears it.
    fn hear_leader(&mut self, at: usize, from: usize, said: &Named<u32>) -> Result<(), Violation> {
        let group = group(said.key);
        let Named { leader_life, follower_life, epoch, commit, log_start, .. } = *said;
        if epoch < self.subjects[group].forgotten {
            return Ok(());
        }
        let id = |at: usize, life: u32| ReplicaId { life, ..ReplicaId::of(name(at)) };
        let (leader, own) = (id(from, leader_life), id(at, follower_life));
        let body = Body::Beat { commit, log_start };
        let packet =
            Packet { message: Message { from: leader, to: own, epoch, body }, records: vec![] };
        self.arrives(at, group, &packet)
    }

    /// Time has passed for a broker: whom does it not hear any more? Returns whether somebody came
    /// or went.
    pub(crate) fn look_at_pairs(&mut self, at: usize) -> Result<bool, Violation> {
        let before = self.brokers[at].there;
        for other in (0..self.brokers.len()).filter(|other| *other != at) {
            let mut news = vec![];
            let broker = &mut self.brokers[at];
            let now = broker.milliseconds(self.now);
            broker.pairs[other].look(now, &mut news);
            broker.there[other] = broker.pairs[other].is_there(now);
            self.take_news(at, other, news)?;
        }
        Ok(self.brokers[at].there != before)
    }

    fn take_news(&mut self, at: usize, from: usize, news: Vec<News<u32>>) -> Result<(), Violation> {
        for news in &news {
            self.tell(|| alloc::format!("{} of {}: {news:?}", name(at), name(from)));
            match *news {
                News::Slept(key) => self.falls_asleep(at, from, group(key)),
                News::Woken(key) => self.awakes(at, from, group(key), true),
                News::Orphaned(key) => self.awakes(at, from, group(key), false),
                News::Stirred(key) => self.is_stirred(at, from, group(key))?,
                News::Restarted => self.has_restarted(at, from)?,
            }
        }
        news.into_iter().try_for_each(|news| match news {
            News::Slept(key) | News::Woken(key) => self.look_at_sleep(at, group(key)),
            News::Orphaned(_) | News::Stirred(_) | News::Restarted => Ok(()),
        })
    }

    fn falls_asleep(&mut self, at: usize, from: usize, group: usize) {
        self.totals.naps += 1;
        let replica = &mut self.brokers[at].replicas[group];
        let core = replica.node.alive();
        let (epoch, end) = (core.epoch(), core.history().end());
        replica.asleep = Some(Asleep { under: from, epoch, end });
    }

    /// A group sleeps no more.
    ///
    /// - `is_led`: whether its leader is there.
    fn awakes(&mut self, at: usize, from: usize, group: usize, is_led: bool) {
        let clock = self.brokers[at].clock(self.now);
        let replica = &mut self.brokers[at].replicas[group];
        if replica.asleep.take_if(|asleep| asleep.under == from).is_none() {
            return;
        }
        if is_led {
            replica.heard = Some(clock);
            replica.be_patient(clock, &mut self.chance);
        } else if replica.heard != Some(clock) {
            // It isn't led by a later start of the broker, which names it in the same beat.
            self.totals.orphans += 1;
            replica.lose_leader(clock, group, &mut self.chance);
        }
    }

    /// Something happened elsewhere to a group that is led here, perhaps.
    fn is_stirred(&mut self, at: usize, from: usize, group: usize) -> Result<(), Violation> {
        let broker = &mut self.brokers[at];
        broker.pairs[from].wake(key(group));
        broker.replicas[group].since[from] = None;
        self.ask_anew(at, from, group)
    }

    /// What a follower has is to be asked for.
    fn ask_anew(&mut self, at: usize, from: usize, group: usize) -> Result<(), Violation> {
        if !self.is_leading(at, group) {
            return Ok(());
        }
        self.with(at, group, |node, _| {
            node.alive().disconnected(name(from));
            Ok(())
        })
    }

    /// Another start of a broker has no part in what an earlier one led or knew.
    fn has_restarted(&mut self, at: usize, from: usize) -> Result<(), Violation> {
        let clock = self.brokers[at].clock(self.now);
        for group in 0..self.subjects.len() {
            let replica = &mut self.brokers[at].replicas[group];
            replica.since[from] = None;
            if replica.follows() == Some(from) && replica.heard != Some(clock) {
                replica.lose_leader(clock, group, &mut self.chance);
            }
            self.ask_anew(at, from, group)?;
        }
        Ok(())
    }

    /// What a leader or follower says in its own name, rather than in a beat.
    ///
    /// - returns whether it is to be sent.
    pub(crate) fn may_send(&mut self, at: usize, group: usize, message: &Message) -> bool {
        let other = place(message.to);
        let broker = &mut self.brokers[at];
        let Body::Beat { commit, log_start } = message.body else {
            broker.pairs[other].wake(key(group));
            return true;
        };
        broker.named[other].push(Named {
            key: key(group),
            leader_life: message.from.life,
            follower_life: message.to.life,
            epoch: message.epoch,
            commit,
            log_start,
        });
        false
    }

    /// Whether a group that is led here sleeps at all who follow it.
    pub(crate) fn is_asleep(&self, at: usize, group: usize) -> bool {
        let broker = &self.brokers[at];
        let Some(core) = &broker.replicas[group].node.group else { return false };
        let sleeps = |id: ReplicaId| broker.pairs[place(id)].is_asleep_there(key(group));
        core.standings().all(|standing| sleeps(standing.id))
    }

    /// A group that is led here is put to sleep wherever it rests.
    pub(crate) fn put_to_sleep(&mut self, at: usize, group: usize) {
        let broker = &mut self.brokers[at];
        let replica = &mut broker.replicas[group];
        let Some(core) = &replica.node.group else { return };
        let followers: Vec<ReplicaId> = core.standings().map(|standing| standing.id).collect();
        let (epoch, log_start) = (core.epoch(), core.history().start().offset);
        for (other, pair) in broker.pairs.iter_mut().enumerate() {
            let Some(follower) = followers.iter().find(|id| place(**id) == other) else {
                pair.wake(key(group));
                continue;
            };
            let rests = core.rests_with(*follower);
            if let Some(end) = rests.filter(|_| !pair.is_asleep_there(key(group))) {
                pair.put_to_sleep(key(group), epoch, end);
                replica.since[other].get_or_insert(pair.next_beat());
                replica.rest = Some(Rest { epoch, end, log_start });
            }
        }
    }

    /// A group that is led here sleeps nowhere.
    pub(crate) fn wake(&mut self, at: usize, group: usize) {
        let broker = &mut self.brokers[at];
        broker.replicas[group].rest = None;
        broker.pairs.iter_mut().for_each(|pair| pair.wake(key(group)));
    }

    /// Something has happened to a replica: does it still lead, rest, sleep as it did?
    pub(crate) fn attend(&mut self, at: usize, group: usize) {
        let broker = &mut self.brokers[at];
        let clock = broker.clock(self.now);
        let replica = &mut broker.replicas[group];
        let Some(core) = &replica.node.group else { return };
        let (history, epoch) = (core.history(), core.epoch());
        let leads = core.role() == Role::Leader;
        if leads && replica.led_in != epoch {
            (replica.led_in, replica.led_since) = (epoch, clock);
            (replica.told, replica.refuses_since) = (0, None);
            replica.since = [None; BROKERS];
        }
        let rest = Rest { epoch, end: history.end(), log_start: history.start().offset };
        if replica.rest.is_some_and(|at_rest| !leads || at_rest != rest) {
            return self.wake(at, group);
        }
        let Some(Asleep { under, epoch, end }) = replica.asleep else { return };
        let rests =
            |leader: ReplicaId| place(leader) == under && core.rests_under(leader, epoch, end);
        if !matches!(core.role(), Role::Follower(Some(leader)) if rests(leader)) {
            replica.asleep = None;
            let pair = &mut broker.pairs[under];
            pair.stir(key(group));
            // What was promised to its leader still holds.
            let heard = pair.last_heard().map(|heard| heard * MILLISECOND);
            replica.heard = replica.heard.max(heard);
            replica.be_patient(clock, &mut self.chance);
        }
    }
}
