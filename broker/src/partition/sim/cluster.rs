//! A cluster: what happens to whom, in the order of virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logboom_raft::Body;

use super::broker::Broker;
use super::chance::Chance;
use super::clients::Client;
use super::groups::{Subject, place};
use super::metadata::Metadata;
use super::network::{Network, Way};
use super::oracle::Violation;
use super::plan::{MILLISECOND, Plan, SECOND};
use super::queue::{Event, Parcel, Queue};
use crate::cluster::METADATA;
use crate::partition::Command;
use crate::peer::{GroupMessage, Held, Inbox as _, Kind, PeerId};

/// What a run has seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) events: u64,
    pub(super) batches: u64,
    pub(super) leaders: u64,
    pub(super) kills: u64,
    pub(super) cuts: u64,
    /// Replicas that may have lost something.
    pub(super) lossy: u64,
    pub(super) ambushes: u64,
    pub(super) failures: u64,
    /// Records of the metadata.
    pub(super) records: u64,
    /// What operators were told to be done.
    pub(super) requests: u64,
    pub(super) moves: u64,
    /// Replicas that came back to a broker that had one before.
    pub(super) returns: u64,
    pub(super) resets: u64,
    /// How often bits of a segment have flipped.
    pub(super) flips: u64,
    /// Data directories that were lost.
    pub(super) lost: u64,
    /// Changes of the voters of the metadata log.
    pub(super) voters: u64,
    /// Milliseconds until all was well.
    pub(super) calm: u64,
}

impl Totals {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            batches: self.batches + other.batches,
            leaders: self.leaders + other.leaders,
            kills: self.kills + other.kills,
            cuts: self.cuts + other.cuts,
            lossy: self.lossy + other.lossy,
            ambushes: self.ambushes + other.ambushes,
            failures: self.failures + other.failures,
            records: self.records + other.records,
            requests: self.requests + other.requests,
            moves: self.moves + other.moves,
            returns: self.returns + other.returns,
            resets: self.resets + other.resets,
            flips: self.flips + other.flips,
            lost: self.lost + other.lost,
            voters: self.voters + other.voters,
            calm: self.calm.max(other.calm),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, batches, leaders, kills, cuts, lossy, ambushes, .. } = self;
        let Self { failures, records, requests, moves, returns, resets, .. } = self;
        let Self { flips, lost, voters, calm, .. } = self;
        write!(
            f,
            "{events} events, {batches} batches committed, {leaders} leaders, {kills} kills and \
             {cuts} power cuts, {ambushes} of them in the midst of something, {lossy} replicas \
             that may have lost something, {failures} disks that failed, {records} records of \
             metadata, {requests} requests of operators done, {moves} moves asked for, {returns} \
             replicas that came back, {resets} logs begun anew, {flips} segments damaged, \
             {lost} data directories lost, {voters} changes of who decides, well after at most \
             {calm} ms"
        )
    }
}

/// Within so many microseconds a shard that was told something has its turn.
pub(super) const SOON: u64 = 50;
/// Events that are told at the most.
const TOLD_MAX: usize = 1_000_000;

/// All of a run.
pub(super) struct Cluster {
    pub(super) plan: Plan,
    pub(super) chance: Chance,
    pub(super) now: u64,
    clock: Arc<AtomicU64>,
    pub(super) queue: Queue,
    pub(super) network: Network,
    pub(super) brokers: Vec<Broker>,
    /// The groups; the first is that of the metadata log.
    pub(super) subjects: Vec<Subject>,
    pub(super) metadata: Metadata,
    pub(super) clients: Vec<Client>,
    /// Whether nothing goes wrong any more.
    pub(super) is_calm: bool,
    pub(super) totals: Totals,
    /// The last events in words, where somebody listens, and what replicas were last told to be.
    told: Option<VecDeque<String>>,
    pub(super) looked: BTreeMap<(usize, usize), String>,
    /// Brokers of a version that doesn't say which replicas hold themselves back.
    pub(super) silent_on_fitness: BTreeSet<usize>,
}

impl Cluster {
    pub(super) fn new(seed: u64, plan: Plan, is_told: bool) -> Self {
        let mut chance = Chance::new(seed);
        let clock = Arc::new(AtomicU64::new(0));
        let brokers = (1..).take(plan.brokers);
        let broker = |id| Broker::new(id, &clock, plan.catch_up(), &mut chance);
        let brokers: Vec<Broker> = brokers.map(broker).collect();
        let network = Network::new(plan.brokers, plan.delay);
        let clients = (0..plan.clients).map(Client::new).collect();
        let told = is_told.then(VecDeque::new);
        let mut cluster = Self {
            chance,
            now: 0,
            clock,
            queue: Queue::default(),
            network,
            brokers,
            subjects: vec![Subject::new(METADATA)],
            metadata: Metadata::new(),
            clients,
            is_calm: false,
            totals: Totals::default(),
            told,
            looked: BTreeMap::new(),
            silent_on_fitness: BTreeSet::new(),
            plan,
        };
        for event in [Event::Request, Event::Wish] {
            cluster.queue.push(0, event);
        }
        cluster
    }

    /// Remembers what has happened.
    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(told) = &mut self.told {
            told.push_back(format!("{:>12.3} {}", now as f64 / 1_000.0, what()));
            if told.len() > TOLD_MAX {
                told.pop_front();
            }
        }
    }

    pub(super) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    pub(super) fn told(&self) -> impl Iterator<Item = &String> {
        self.told.iter().flatten()
    }

    /// The next event happens.
    pub(super) fn step(&mut self) -> Result<(), Violation> {
        let (now, event) = self.queue.pop().ok_or("nothing is to happen")?;
        self.now = self.now.max(now);
        self.clock.store(self.now, Ordering::Relaxed);
        self.totals.events += 1;
        match event {
            Event::Turn { at, start } if self.is(at, start) => self.turn(at),
            Event::Flush { at, start } if self.is(at, start) => self.flush(at),
            Event::Round { at, start } if self.is(at, start) => self.round(at),
            Event::Thread { at, start, thread } if self.is(at, start) => {
                self.run_thread(at, thread)
            }
            Event::Errands { at, start } if self.is(at, start) => {
                if let Some(process) = &self.brokers[at].process {
                    process.run_errands();
                }
                self.wake(at);
                Ok(())
            }
            Event::Arrives { way, connection, parcel } => {
                if let Some(parcel) = self.network.carry(way, connection, parcel) {
                    self.deliver(way, parcel);
                }
                Ok(())
            }
            Event::Answers { call, answer } => {
                self.take_answer(call, answer);
                Ok(())
            }
            Event::Connects { way, start } => self.connect(way, start),
            Event::Breaks { way, connection } => {
                if self.network.at(way).number == connection {
                    self.break_off(way);
                }
                Ok(())
            }
            Event::Tasks { at, start } if self.is(at, start) => self.run_tasks(at),
            Event::Starts { at } => self.start(at),
            Event::Stops { at, start } if self.is(at, start) => self.stop(at),
            Event::Resumes { at } => {
                self.brokers[at].is_paused = false;
                Ok(())
            }
            Event::Request => self.request(),
            Event::Wish => self.wish(),
            Event::Fault => self.fault(),
            Event::Mends => {
                self.mend();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether a process is still there.
    pub(super) fn is(&self, at: usize, start: u32) -> bool {
        self.brokers[at].is_up() && self.brokers[at].starts == start
    }

    /// Has a shard have its turn soon.
    pub(super) fn wake(&mut self, at: usize) {
        let soon = self.now + self.chance.between(1, SOON);
        self.wake_at(at, soon);
    }

    fn wake_at(&mut self, at: usize, time: u64) {
        let broker = &mut self.brokers[at];
        if broker.is_up() && broker.turn.is_none_or(|turn| time < turn) {
            broker.turn = Some(time);
            self.queue.push(time, Event::Turn { at, start: broker.starts });
        }
    }

    /// Puts an event off while a broker stands still; whether it does.
    pub(super) fn put_off(&mut self, at: usize, event: Event) -> bool {
        let is_paused = self.brokers[at].is_paused;
        if is_paused {
            self.queue.push(self.now + 5 * MILLISECOND, event);
        }
        is_paused
    }

    fn turn(&mut self, at: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Turn { at, start }) {
            self.brokers[at].turn = Some(self.now + 5 * MILLISECOND);
            return Ok(());
        }
        let broker = &mut self.brokers[at];
        if broker.turn.is_some_and(|turn| turn > self.now) {
            return Ok(());
        }
        broker.turn = None;
        let Some(process) = &mut broker.process else { return Ok(()) };
        let before = broker.disk.trace_len();
        let mut commands = process.shard.take_commands();
        if process.shard.turn(&mut commands).is_some() {
            return Err("nobody asked a shard to close".into());
        }
        if self.is_ambushed(at, before) {
            return Ok(());
        }
        self.send_all(at)?;
        self.observe(at)?;
        self.take_replies(at)?;
        self.go_on(at);
        self.run_tasks(at)
    }

    /// Has happen what a turn has asked for.
    fn go_on(&mut self, at: usize) {
        self.look_after_flushes(at);
        let broker = &self.brokers[at];
        let Some(process) = &broker.process else { return };
        let start = broker.starts;
        if process.around.has_errands() {
            let time = self.now + self.chance.latency(200);
            self.queue.push(time, Event::Errands { at, start });
        }
        if let Some(wakes_at) = process.shard.wakes_at() {
            let time = process.around.when(wakes_at).max(self.now + 1);
            self.wake_at(at, time);
        }
    }

    /// Flushes that were asked for are done in a while.
    fn look_after_flushes(&mut self, at: usize) {
        let (now, usual) = (self.now, self.plan.flush);
        let broker = &mut self.brokers[at];
        let Some(process) = &broker.process else { return };
        let (start, chance) = (broker.starts, &mut self.chance);
        if !std::mem::replace(&mut broker.flush_is_due, true) {
            self.queue.push(now + chance.latency(usual), Event::Flush { at, start });
        }
        if process.directory.state().is_waited_for()
            && !std::mem::replace(&mut broker.round_is_due, true)
        {
            self.queue.push(now + chance.latency(usual), Event::Round { at, start });
        }
    }

    fn flush(&mut self, at: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Flush { at, start }) {
            return Ok(());
        }
        let broker = &mut self.brokers[at];
        if self.now < broker.hangs_until {
            self.queue.push(broker.hangs_until, Event::Flush { at, start });
            return Ok(());
        }
        let Some(process) = &broker.process else { return Ok(()) };
        broker.flush_is_due = false;
        let before = broker.disk.trace_len();
        if process.directory.run_flush() && !self.is_ambushed(at, before) {
            self.look_after_flushes(at);
            self.wake(at);
        }
        Ok(())
    }

    fn round(&mut self, at: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Round { at, start }) {
            return Ok(());
        }
        let broker = &mut self.brokers[at];
        let Some(process) = &broker.process else { return Ok(()) };
        broker.round_is_due = false;
        let before = broker.disk.trace_len();
        if process.directory.state().commit_round().is_err() {
            // The broker ends then.
            self.tell(|| format!("{at}: the state store has failed"));
            self.end(at, None);
            return Ok(());
        }
        if !self.is_ambushed(at, before) {
            self.look_after_flushes(at);
            self.wake(at);
        }
        Ok(())
    }

    /// Whether a broker ends in the midst of what it has just done to its disk, and nobody hears
    /// of that.
    ///
    /// - `before`: calls that its disk had seen before.
    pub(super) fn is_ambushed(&mut self, at: usize, before: usize) -> bool {
        let calls = self.brokers[at].disk.trace_len() - before;
        if self.is_calm || calls == 0 || !self.chance.permille(self.plan.ambush) {
            return false;
        }
        self.totals.ambushes += 1;
        let after = before + self.chance.index(calls + 1);
        self.end(at, Some(after));
        true
    }

    /// Sends what a broker has to say.
    fn send_all(&mut self, at: usize) -> Result<(), Violation> {
        let Some(process) = &mut self.brokers[at].process else { return Ok(()) };
        let outgoing = std::mem::take(&mut process.shard.lanes.outgoing);
        for (node, mut messages) in outgoing.messages {
            self.note_votes(at, &messages)?;
            let way = Way { from: at, to: place(node), kind: Kind::Groups };
            messages.retain(|_| !self.chance.permille(self.plan.loss));
            if self.silent_on_fitness.contains(&at) {
                messages.iter_mut().for_each(say_nothing_of_fitness);
            }
            self.send(way, Parcel::Messages(messages));
        }
        for (node, beats) in outgoing.beats {
            if !self.chance.permille(self.plan.loss) {
                let way = Way { from: at, to: place(node), kind: Kind::Beats };
                self.send(way, Parcel::Beats(beats));
            }
        }
        Ok(())
    }

    pub(super) fn send(&mut self, way: Way, parcel: Parcel) {
        if let Some((connection, time)) = self.network.send(way, self.now, &mut self.chance) {
            self.queue.push(time, Event::Arrives { way, connection, parcel });
        }
    }

    fn deliver(&mut self, way: Way, parcel: Parcel) {
        let (from, connection) = (&self.brokers[way.from], self.network.at(way).number);
        let run = from.process.as_ref().map_or(0, |process| process.directory.run());
        let peer = PeerId { node: from.id, directory: from.directory, run };
        let Some(process) = &mut self.brokers[way.to].process else { return };
        match parcel {
            Parcel::Beats(beats) => process.neighbours.beats(0, peer, beats, Held::nothing()),
            Parcel::Messages(sent) => process.neighbours.groups(0, peer, sent, Held::nothing()),
            Parcel::Call(number, request) => {
                let answer = process.neighbours.call(peer, request);
                process.tasks.answer((way, connection, number), answer);
                return self.run_soon(way.to);
            }
        }
        self.wake(way.to);
    }

    /// A broker dials, and tries again where that fails.
    fn connect(&mut self, way: Way, start: u32) -> Result<(), Violation> {
        if !self.is(way.from, start) || self.network.at(way).is_open {
            return Ok(());
        }
        let back = Way { from: way.to, to: way.from, ..way };
        let works = !self.network.is_cut(way) && !self.network.is_cut(back);
        let run = self.brokers[way.from].runs() && self.brokers[way.to].runs();
        if !works || !run || !self.greet(way) {
            let time = self.now + self.chance.between(20, 250) * MILLISECOND;
            self.queue.push(time, Event::Connects { way, start });
            return Ok(());
        }
        self.network.at(way).is_open = true;
        self.wake(way.from);
        self.run_soon(way.from);
        Ok(())
    }

    /// Two brokers say who they are; whether they let each other in.
    fn greet(&self, way: Way) -> bool {
        let [Some(from), Some(to)] = [way.from, way.to].map(|at| &self.brokers[at].process) else {
            return false;
        };
        let (theirs, kind) = (to.this(), way.kind);
        let are_in = to.lets_in(&from.this(), kind) && from.lets_in(&theirs, kind);
        if are_in {
            from.neighbours.connected(0, kind, &theirs);
        }
        are_in
    }

    /// A connection ends, and its sender knows.
    pub(super) fn break_off(&mut self, way: Way) {
        if !self.network.end(way) {
            return;
        }
        let (to, broker) = (&self.brokers[way.to], &self.brokers[way.from]);
        let peer = PeerId { node: to.id, directory: to.directory, run: 0 };
        let start = broker.starts;
        if let Some(process) = &broker.process {
            process.neighbours.disconnected(0, way.kind, peer);
            if way.kind == Kind::Calls {
                process.mailbox.lose(peer.node);
            }
            self.wake(way.from);
            self.run_soon(way.from);
        }
        let time = self.now + self.chance.between(1, 100) * MILLISECOND;
        self.queue.push(time, Event::Connects { way, start });
    }

    pub(super) fn say(&mut self, at: usize, command: Command) {
        if let Some(process) = &self.brokers[at].process {
            process.tell(command);
            self.wake(at);
        }
    }

    /// Links that are cut work again; what waited for them arrives.
    pub(super) fn mend(&mut self) {
        self.network.mend();
        for way in self.network.ways() {
            for parcel in self.network.released(way) {
                self.deliver(way, parcel);
            }
        }
    }

    /// A process ends, by a kill or with its machine's power.
    ///
    /// - `after`: so many calls of its disk, or all.
    pub(super) fn end(&mut self, at: usize, after: Option<usize>) {
        let is_cut = self.chance.permille(self.plan.cuts);
        self.end_so(at, after, is_cut);
    }

    /// - `is_cut`: whether the power goes, where what is promised allows it.
    pub(super) fn end_so(&mut self, at: usize, after: Option<usize>, is_cut: bool) {
        let is_cut = is_cut && self.may_lose(at);
        self.end_now(at, after, is_cut);
        let time = self.chance.pick(&[20, 200, 1_000, 4_000]);
        let time = self.now + self.chance.between(1, time) * MILLISECOND;
        self.queue.push(time, Event::Starts { at });
    }

    /// The same; nobody starts it again.
    pub(super) fn end_now(&mut self, at: usize, after: Option<usize>, is_cut: bool) {
        if is_cut {
            self.note_loss(at);
        }
        let seed = is_cut.then(|| self.chance.next());
        let after = after.unwrap_or_else(|| self.brokers[at].disk.trace_len());
        self.tell(|| format!("{at}: ends after call {after}, the power goes: {is_cut}"));
        self.tell_calls(at, after);
        self.brokers[at].end(after, seed);
        self.clients.iter_mut().for_each(|client| client.forget(at));
        self.totals.kills += u64::from(!is_cut);
        self.totals.cuts += u64::from(is_cut);
        self.disconnect(at, is_cut);
    }

    /// The last calls of a disk.
    fn tell_calls(&mut self, at: usize, until: usize) {
        if !self.is_told() {
            return;
        }
        let calls = self.brokers[at].disk.trace();
        for call in &calls[until.saturating_sub(20)..] {
            self.tell(|| format!("{at}: disk {call}"));
        }
    }

    /// What a broker's connections see of its end: nothing for long where its machine is gone too.
    pub(super) fn disconnect(&mut self, at: usize, is_silent: bool) {
        for way in self.network.ways() {
            if way.from == at {
                self.network.end(way);
            } else if way.to == at && is_silent {
                self.network.lose(way);
                let connection = self.network.at(way).number;
                self.queue.push(self.now + 5 * SECOND, Event::Breaks { way, connection });
            } else if way.to == at {
                self.break_off(way);
            }
        }
    }
}

/// As the first version of the protocol between brokers writes an answer.
fn say_nothing_of_fitness(message: &mut GroupMessage) {
    if let Body::AppendReply(reply) = &mut message.message.body {
        reply.held_back = false;
    }
}
