//! Brokers, the network between them, and what happens, one event at a time.

use core::fmt;
use std::format;
use std::string::String;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::broker::{Broker, Replica, name, place};
use super::chance::Chance;
use super::network::Network;
use super::oracle::Oracle;
use super::plan::{FLUSH, MILLISECOND, Plan};
use super::queue::{Event, Queue};
use crate::group::Role;
use crate::mutant::Mutant;
use crate::tests::node::{Node, Packet};
use crate::tests::past::look_at_handover;
use crate::tests::world::Violation;
use crate::{Body, Control, Effects, Message, ReplicaId, Store, Voters};

/// What a run has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) events: u64,
    pub(crate) crashes: u64,
    pub(crate) leader_changes: u64,
    pub(crate) voter_changes: u64,
    pub(crate) commits: u64,
    /// Committed records that power cuts took with `write.caching`, as they may.
    pub(crate) lost: u64,
    /// How often a replica fell asleep, and how often it lost its leader then.
    pub(crate) naps: u64,
    pub(crate) orphans: u64,
    /// Offsets that compaction has emptied.
    pub(crate) gaps: u64,
    /// Virtual milliseconds until all was well at the end.
    pub(crate) calm: u64,
}

impl Totals {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            crashes: self.crashes + other.crashes,
            leader_changes: self.leader_changes + other.leader_changes,
            voter_changes: self.voter_changes + other.voter_changes,
            commits: self.commits + other.commits,
            lost: self.lost + other.lost,
            naps: self.naps + other.naps,
            orphans: self.orphans + other.orphans,
            gaps: self.gaps + other.gaps,
            calm: self.calm.max(other.calm),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, crashes, leader_changes, voter_changes, commits, .. } = self;
        let Self { lost, naps, orphans, gaps, calm, .. } = self;
        write!(f, "{events} events, {crashes} crashes, {leader_changes} leader changes, ")?;
        write!(f, "{voter_changes} changes of voters, {commits} entries committed, ")?;
        write!(f, "{lost} lost to power cuts with write.caching, {gaps} compacted away; ")?;
        write!(
            f,
            "{naps} times a replica fell asleep, {orphans} times its leader was lost then; "
        )?;
        write!(f, "well again in {calm} ms or less")
    }
}

/// A group, seen from outside.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) caching: bool,
    pub(crate) compacted: bool,
    pub(crate) oracle: Oracle,
    /// Who is to vote, and the version of that wish.
    pub(crate) wish: Vec<ReplicaId>,
    pub(crate) generation: i64,
    /// Who is to have the log all the same; a part of the same version.
    pub(crate) observers: Vec<ReplicaId>,
    pub(crate) values: u32,
    /// What was sent in an epoch before names records that are lost for good, and is lost as well.
    pub(crate) forgotten: i32,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) now: u64,
    pub(crate) queue: Queue,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) network: Network,
    pub(crate) totals: Totals,
    pub(crate) mutant: Option<Mutant>,
    /// Nothing goes wrong any more.
    pub(crate) is_calm: bool,
    /// The last events, in words, from so many on.
    told: Vec<String>,
    told_from: u64,
    effects: Effects,
}

impl Cluster {
    /// - `told_from`: the number of the event from which on what happens is put into words.
    pub(crate) fn new(seed: u64, plan: Plan, mutant: Option<Mutant>, told_from: u64) -> Self {
        let mut chance = Chance::new(seed);
        let speed = |chance: &mut Chance| chance.between(800, 1200);
        let mut cluster = Self {
            brokers: (0..plan.brokers).map(|_| Broker::new(speed(&mut chance))).collect(),
            network: Network::new(plan.delay, plan.loss, plan.repeats),
            plan,
            chance,
            now: 0,
            queue: Queue::default(),
            subjects: vec![],
            totals: Totals::default(),
            mutant,
            is_calm: false,
            told: vec![],
            told_from,
            effects: Effects::default(),
        };
        for _ in 0..cluster.plan.groups {
            cluster.add_group();
        }
        for at in 0..cluster.brokers.len() {
            cluster.queue.push(0, Event::Starts { at, boot: 0 });
        }
        for event in [Event::Request, Event::Wish, Event::Fault] {
            cluster.queue.push(500 * MILLISECOND, event);
        }
        cluster
    }

    fn add_group(&mut self) {
        let caching = self.chance.permille(self.plan.caching);
        let compacted = self.chance.permille(self.plan.compacted);
        let size = [1, 3, 3, 5][self.chance.index(4)].min(self.brokers.len());
        let wish: Vec<ReplicaId> =
            self.some_brokers(size).into_iter().map(|at| ReplicaId::of(name(at))).collect();
        let voters = Arc::new(Voters::of(wish.clone()));
        for (at, broker) in self.brokers.iter_mut().enumerate() {
            broker.replicas.push(Replica::new(ReplicaId::of(name(at)), Arc::clone(&voters)));
        }
        let oracle = Oracle::new(caching);
        self.subjects.push(Subject {
            caching,
            compacted,
            oracle,
            wish,
            generation: 0,
            observers: vec![],
            values: 0,
            forgotten: -1,
        });
    }

    /// So many, each once.
    pub(crate) fn some_brokers(&mut self, count: usize) -> Vec<usize> {
        let mut brokers: Vec<usize> = (0..self.brokers.len()).collect();
        while brokers.len() > count {
            brokers.remove(self.chance.index(brokers.len()));
        }
        brokers
    }

    /// The last events, in words.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.clone()
    }

    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.totals.events < self.told_from {
            return;
        }
        let (event, ms) = (self.totals.events, self.now / MILLISECOND);
        self.told.push(format!("{event} {ms} ms {}", line()));
    }

    /// Lets the next thing happen.
    pub(crate) fn step(&mut self) -> Result<(), Violation> {
        let Some((time, event)) = self.queue.pop() else {
            return Err(String::from("nothing is left to happen"));
        };
        self.now = self.now.max(time);
        if let Some(at) = event.at() {
            let stands_until = self.brokers[at].stands_until;
            if self.now < stands_until {
                self.queue.push(stands_until, event);
                return Ok(());
            }
        }
        self.totals.events += 1;
        self.happen(event)
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        let is_over = |cluster: &Self, at: usize, boot: u32| cluster.brokers[at].boot != boot;
        match event {
            Event::Arrives { at, group, packet } => self.arrives(at, group, &packet),
            Event::Beat { at, from, beat } => self.hear(at, from, &beat),
            Event::Stored { at, boot } if !is_over(self, at, boot) => self.stored(at),
            Event::Flushed { at, boot, until } if !is_over(self, at, boot) => {
                self.flushed(at, &until)
            }
            Event::Turn { at, boot } if !is_over(self, at, boot) => self.turn(at),
            Event::Starts { at, boot } if !is_over(self, at, boot) => self.start(at),
            Event::Ends { at, boot, loses } if !is_over(self, at, boot) && !self.is_calm => {
                self.crash(at, loses)
            }
            Event::Blinks { at, boot } if !is_over(self, at, boot) && !self.is_calm => {
                self.blink(at)
            }
            Event::Disconnected { at, boot, from } if !is_over(self, at, boot) => {
                self.disconnected(at, from)
            }
            Event::Request => self.request(),
            Event::Wish => self.wish(),
            Event::Fault => self.fault(),
            Event::Mends => {
                self.network.mend();
                Ok(())
            }
            Event::Stored { .. }
            | Event::Flushed { .. }
            | Event::Turn { .. }
            | Event::Starts { .. }
            | Event::Ends { .. }
            | Event::Blinks { .. }
            | Event::Disconnected { .. }
            | Event::Pause => Ok(()),
        }
    }

    pub(crate) fn arrives(
        &mut self,
        at: usize,
        group: usize,
        packet: &Packet,
    ) -> Result<(), Violation> {
        let now = self.now;
        let broker = &self.brokers[at];
        if !broker.is_up || packet.message.epoch < self.subjects[group].forgotten {
            return Ok(());
        }
        let (clock, replica) = (broker.clock(now), &broker.replicas[group]);
        let is_new = self.is_new(at) && !replica.is_its_own_master();
        let heard = broker.hears(group, now) || is_new;
        let epoch = replica.node.group.as_ref().unwrap().epoch();
        let heard = heard && !self.is_rash();
        self.tell(|| arrival(group, packet));
        self.with(at, group, |node, effects| node.deliver(packet, heard, effects))?;
        let replica = &mut self.brokers[at].replicas[group];
        let asks = matches!(packet.message.body, Body::Vote(vote) if vote.pre);
        if asks && replica.node.alive().epoch() != epoch {
            return Err(format!("{}: a question raised the epoch", replica.node.id));
        }
        replica.note(&packet.message, clock, &mut self.chance);
        Ok(())
    }

    /// Whether a host does now what an honest one wouldn't, and what is safe all the same.
    pub(crate) fn is_rash(&mut self) -> bool {
        !self.is_calm && self.plan.rash > 0 && self.chance.permille(self.plan.rash)
    }

    fn stored(&mut self, at: usize) -> Result<(), Violation> {
        for _ in 0..self.brokers[at].storing {
            let group = self.brokers[at].frames.pop_front().unwrap();
            self.tell(|| format!("{} of group {group}: a frame is durable", name(at)));
            self.with(at, group, |node, effects| {
                node.make_durable(effects);
                Ok(())
            })?;
        }
        self.brokers[at].storing = 0;
        self.flush_frames(at);
        Ok(())
    }

    fn flushed(&mut self, at: usize, until: &[(usize, i64, u64)]) -> Result<(), Violation> {
        if self.brokers[at].fails {
            return self.flush_fails(at);
        }
        for (group, offset, cuts) in until {
            if self.brokers[at].replicas[*group].cuts != *cuts {
                continue;
            }
            self.tell(|| format!("{} of group {group}: flushed {offset}", name(at)));
            self.with(at, *group, |node, effects| {
                node.flushed = node.flushed.max(*offset);
                node.alive().flushed(*offset, effects);
                Ok(())
            })?;
        }
        self.brokers[at].flushing = false;
        self.flush_records(at);
        Ok(())
    }

    fn disconnected(&mut self, at: usize, from: usize) -> Result<(), Violation> {
        for group in 0..self.subjects.len() {
            if self.is_leading(at, group) {
                self.with(at, group, |node, _| {
                    node.alive().disconnected(name(from));
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    pub(crate) fn is_leading(&self, at: usize, group: usize) -> bool {
        let core = self.brokers[at].replicas[group].node.group.as_ref();
        core.is_some_and(|core| core.role() == Role::Leader)
    }

    /// Does something with a replica, does what it asks for, and looks at what must hold.
    pub(crate) fn with(
        &mut self,
        at: usize,
        group: usize,
        does: impl FnOnce(&mut Node, &mut Effects) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let mut effects = core::mem::take(&mut self.effects);
        effects.clear();
        let tells = self.totals.events >= self.told_from;
        effects.trace = if tells { Some(effects.trace.take().unwrap_or_default()) } else { None };
        does(&mut self.brokers[at].replicas[group].node, &mut effects)?;
        self.spread(at, group, &mut effects)?;
        for event in effects.trace.take().unwrap_or_default() {
            self.tell(|| format!("    group {group}: {event}"));
        }
        self.effects = effects;
        self.attend(at, group);
        self.look(at, group)
    }

    fn spread(&mut self, at: usize, group: usize, effects: &mut Effects) -> Result<(), Violation> {
        let subject = &mut self.subjects[group];
        let broker = &mut self.brokers[at];
        let replica = &mut broker.replicas[group];
        replica.node.ship(effects);
        if !effects.stores.is_empty() {
            let core = replica.node.group.as_ref();
            let leads = core.is_some_and(|core| core.role() == Role::Leader);
            for store in &effects.stores {
                match store {
                    Store::Control(it) if leads && names_new_voters(it) => {
                        self.totals.voter_changes += 1;
                        continue;
                    }
                    Store::Cut(to) => replica.mirror.cut(*to),
                    Store::Reset { start, .. } => {
                        replica.mirror.reset(*start, &subject.oracle.places)?;
                    }
                    _ => continue,
                }
                replica.cuts += 1;
            }
            let number = replica.node.alive().issued();
            replica.node.frames.push_back((number, core::mem::take(&mut effects.stores)));
            broker.frames.push_back(group);
        }
        replica.mirror.follow(&replica.node, &mut subject.oracle.places)?;
        if replica.node.may_flush() && !subject.caching && !broker.dirty.contains(&group) {
            broker.dirty.push(group);
        }
        for message in core::mem::take(&mut effects.messages) {
            self.send(at, group, message)?;
        }
        self.flush_frames(at);
        self.flush_records(at);
        Ok(())
    }

    fn send(&mut self, at: usize, group: usize, message: Message) -> Result<(), Violation> {
        if !self.may_send(at, group, &message) {
            return Ok(());
        }
        let to = place(message.to);
        if message.body == Body::TimeoutNow {
            self.look_at_transfer(at, group, &message)?;
        }
        let votes = matches!(message.body, Body::VoteReply(reply) if reply.granted && !reply.pre);
        let packet = self.brokers[at].replicas[group].node.pack(message);
        for delay in self.network.carry(at, to, &mut self.chance).into_iter().flatten() {
            let packet = Box::new(packet.clone());
            self.queue.push(self.now + delay, Event::Arrives { at: to, group, packet });
        }
        if votes && self.chance.permille(self.plan.ambush) {
            let (boot, loses) = (self.brokers[at].boot, self.chance.permille(500));
            let time = self.now + self.chance.below(2 * self.plan.delay);
            self.queue.push(time, Event::Ends { at, boot, loses });
        }
        Ok(())
    }

    /// The office goes only to somebody who has all of the log.
    fn look_at_transfer(
        &self,
        at: usize,
        group: usize,
        message: &Message,
    ) -> Result<(), Violation> {
        let replica = &self.brokers[at].replicas[group];
        let other = &self.brokers[place(message.to)].replicas[group].node;
        if other.id == message.to {
            look_at_handover(&replica.node, other)?;
        }
        Ok(())
    }

    /// Begins to flush the frames that wait, if that isn't under way.
    pub(crate) fn flush_frames(&mut self, at: usize) {
        let broker = &mut self.brokers[at];
        if broker.storing > 0 || broker.frames.is_empty() {
            return;
        }
        broker.storing = broker.frames.len();
        let boot = broker.boot;
        let time = self.now + self.flush_time(at);
        self.queue.push(time, Event::Stored { at, boot });
    }

    /// Begins to flush the records that wait, if that isn't under way.
    pub(crate) fn flush_records(&mut self, at: usize) {
        let broker = &mut self.brokers[at];
        if broker.flushing || broker.dirty.is_empty() {
            return;
        }
        broker.flushing = true;
        let boot = broker.boot;
        let dirty = core::mem::take(&mut broker.dirty);
        // Where an entry isn't durable yet, what is before it was flushed already.
        let is_due = |group: &usize| broker.replicas[*group].node.may_flush();
        let end = |group: usize| {
            let replica = &broker.replicas[group];
            (group, replica.node.end(), replica.cuts)
        };
        let until = dirty.into_iter().filter(is_due).map(end).collect();
        let time = self.now + self.flush_time(at);
        self.queue.push(time, Event::Flushed { at, boot, until });
    }

    fn flush_time(&mut self, at: usize) -> u64 {
        let is_slow = self.now < self.brokers[at].slow_until;
        let time = self.chance.latency(self.plan.flush) * if is_slow { 100 } else { 1 };
        time.min(FLUSH)
    }

    /// What must hold of a replica to which something has happened.
    pub(crate) fn look(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let replica = &self.brokers[at].replicas[group];
        if replica.node.frames.is_empty() || self.totals.events.is_multiple_of(16) {
            replica.node.look()?;
        }
        let oracle = &mut self.subjects[group].oracle;
        let before = oracle.committed();
        let replicas = self.brokers.iter().map(|broker| &broker.replicas[group]).collect();
        let loses = oracle.look(at, &replicas).map_err(|why| format!("group {group}: {why}"))?;
        self.totals.commits += oracle.committed().saturating_sub(before) as u64;
        self.look_at_leases(at, group)?;
        self.look_at_sleep(at, group)?;
        if loses { self.forget(at, group) } else { Ok(()) }
    }

    /// Committed records are lost for good: who isn't a voter and has them begins a new life, as
    /// the operator would see to.
    fn forget(&mut self, leader: usize, group: usize) -> Result<(), Violation> {
        self.subjects[group].forgotten = self.brokers[leader].replicas[group].node.alive().epoch();
        for at in 0..self.brokers.len() {
            let oracle = &self.subjects[group].oracle;
            if oracle.is_left_behind(&self.brokers[at].replicas[group]) {
                self.tell(|| format!("{} of group {group}: has what is lost", name(at)));
                self.rebirth(at, group)?;
            }
        }
        Ok(())
    }
}

/// Whether a change of the voters ends with this entry.
fn names_new_voters(control: &Control) -> bool {
    control.voters.as_ref().is_some_and(|voters| !voters.is_joint())
}

fn arrival(group: usize, packet: &Packet) -> String {
    let Message { from, to, epoch, body } = &packet.message;
    format!("group {group}: {from} → {to} in {epoch}: {body:?}")
}
