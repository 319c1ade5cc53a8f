//! A shard: the thread that owns some of the partitions, and its loop.
//!
//! Must always hold: commands are done in the order in which they came, so appends of one
//! connection to one partition keep their order; only beats come first, which are connections of
//! their own. Nothing here waits but for the next command, and a turn ends as soon as a command has
//! taken it beyond its time: other brokers take a shard that doesn't beat for one that is gone.

mod opening;
mod removing;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

use logboom_storage::state::GroupKey;
use logboom_storage::{Log, StorageError};

use super::caching;
use super::command::Command;
use super::condition::Condition;
use super::hands::{Hands, Named};
use super::lanes::{Lanes, Outgoing, TICK_MS};
use super::later::Later;
use super::peering::Peering;
use super::replica::{Append, AppendError, Replica};
use super::{Registry, Seat};

/// The partitions of a shard. Times are milliseconds of [`Surroundings::boot_ms`].
///
/// [`Surroundings::boot_ms`]: super::surroundings::Surroundings::boot_ms
pub(crate) struct Shard {
    index: usize,
    hands: Hands,
    seat: Seat,
    registry: Arc<Registry>,
    commands: mpsc::UnboundedReceiver<Command>,
    /// Boxed, because half of the table may be empty.
    pub(super) replicas: HashMap<GroupKey, Box<Replica>>,
    /// Those with something new to flush.
    dirty: Vec<GroupKey>,
    /// Those of the round of flushes that is under way.
    round: HashSet<GroupKey>,
    /// When the last of them was over, or the round began.
    round_moved: Option<u64>,
    /// Those with batches that are not written yet.
    queued: Vec<GroupKey>,
    /// Those whose flush may wait.
    later: Later,
    pub(super) lanes: Lanes,
    /// When the lanes are looked at next.
    next_tick: u64,
    /// All beats were heard that had come until then.
    seen: u64,
    /// When the last turn ended.
    turned: u64,
    /// The connections to other brokers, if there are any.
    peering: Option<Peering>,
    /// Each is told when replicas that were removed have gone from the device.
    deletions: Vec<oneshot::Receiver<()>>,
}

/// The most commands that are taken at once: all that there are as a rule, because beats that wait
/// among them can't come first.
const COMMANDS_MAX: usize = 1 << 16;
/// For how many of them there is room when there are none: thousands come at once where many groups
/// begin, or look for a leader.
const COMMANDS_KEPT: usize = 1 << 10;
/// How long a turn goes on with commands.
const TURN_MS: u64 = 2;
/// How long what others have said may wait to be heard before they are taken for silent.
const UNHEARD_MAX_MS: u64 = 1_000;
/// Messages of groups that are heard before the time is looked at.
const MESSAGES_MAX: usize = 64;
/// How long what is cached waits for its flush at the most, whatever `flush.ms` says.
const CACHED_MAX_MS: u64 = 1_000;

impl Shard {
    /// A shard without partitions.
    ///
    /// - `hands`: with its own handle, whose receiver is `commands`.
    pub(crate) fn new(
        index: usize,
        hands: Hands,
        seat: Seat,
        registry: Arc<Registry>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (run, now, chance) =
            (hands.directory.run(), hands.around.boot_ms(), hands.around.chance());
        let lanes = Lanes::new(run, now, chance);
        Self {
            index,
            hands,
            seat,
            registry,
            commands,
            replicas: HashMap::new(),
            dirty: Vec::new(),
            round: HashSet::new(),
            round_moved: None,
            queued: Vec::new(),
            later: Later::default(),
            lanes,
            next_tick: now,
            seen: now,
            turned: now,
            peering: None,
            deletions: Vec::new(),
        }
    }

    /// Does commands until it is closed.
    pub(crate) async fn run(mut self) {
        let mut arrived = Vec::new();
        let mut turn = VecDeque::new();
        loop {
            let wakes_at = self.wakes_at();
            if !(turn.is_empty() && self.lanes.is_idle()) {
                // Connections have their turn, so that what other brokers have said is here.
                yield_now().await;
            }
            let taken = self.commands.recv_many(&mut arrived, COMMANDS_MAX);
            if !turn.is_empty() {
                // Something is left of the last turn.
                _ = taken.now_or_never();
            } else if let Some(at) = wakes_at {
                let left = Duration::from_millis(at.saturating_sub(self.hands.around.boot_ms()));
                // A timeout leaves what has come in the queue.
                drop(timeout(left, taken).await);
            } else {
                taken.await;
            }
            line_up(&mut arrived, &mut turn);
            if let Some(done) = self.turn(&mut turn) {
                self.close().await;
                done.send(()).unwrap_or(());
                return;
            }
            match &mut self.peering {
                Some(peering) => {
                    peering.send(&mut self.lanes.outgoing);
                    self.lanes.crowded = peering.crowded();
                }
                None => self.lanes.outgoing = Outgoing::default(),
            }
            if turn.is_empty() {
                turn.shrink_to(COMMANDS_KEPT);
                arrived.shrink_to(COMMANDS_KEPT);
            }
        }
    }

    /// Takes what has come in, as far as a turn does it; where nobody else takes it.
    #[cfg(test)]
    pub(super) fn take_commands(&mut self) -> VecDeque<Command> {
        let commands = std::iter::from_fn(|| self.commands.try_recv().ok());
        let mut turn = VecDeque::new();
        line_up(&mut commands.take(COMMANDS_MAX).collect(), &mut turn);
        turn
    }

    /// Does what has come in as far as there is time, and what is due; what is to be said to other
    /// brokers is left in the lanes. Returns who waits for the shard to be closed, if it is to be.
    pub(super) fn turn(&mut self, commands: &mut VecDeque<Command>) -> Option<oneshot::Sender<()>> {
        let until = self.now() + TURN_MS;
        while let Some(command) = commands.pop_front() {
            if let Command::Close(done) = command {
                self.write_queued();
                commands.drain(..).for_each(|command| self.step_in_closing(command));
                return Some(done);
            }
            self.step(command);
            if self.now() >= until {
                break;
            }
        }
        if !commands.front().is_some_and(is_beat) {
            // What came while the last turn went on is here, but for what connections have yet to
            // read where the queue never was empty.
            self.seen = self.turned;
        }
        self.write_queued();
        self.end_turn();
        self.flush_dirty();
        self.turned = self.now();
        None
    }

    /// Whether a replica may answer as the leader now.
    pub(super) fn leads_surely(&self, replica: &Replica) -> bool {
        self.lanes.has_lease(replica, self.now())
    }

    fn now(&self) -> u64 {
        self.hands.around.boot_ms()
    }

    /// When something is to be done though nobody asks for it.
    pub(super) fn wakes_at(&self) -> Option<u64> {
        let tick = (!self.lanes.is_idle()).then_some(self.next_tick);
        self.later.next().into_iter().chain(tick).min()
    }

    /// Has the groups that were touched say what they have to say, and looks at the time.
    fn end_turn(&mut self) {
        if self.lanes.is_idle() {
            return;
        }
        let now = self.now();
        self.lanes.look_at_flushes(&mut self.replicas, self.round_moved, now);
        self.lanes.end_turn(&mut self.replicas, now, &self.hands);
        if now >= self.next_tick {
            // One that comes late isn't made up for.
            self.next_tick = now + TICK_MS;
            let seen = self.seen.max(now.saturating_sub(UNHEARD_MAX_MS));
            self.lanes.tick(&mut self.replicas, now, seen, &self.hands);
        }
        self.note_changed();
    }

    fn step(&mut self, command: Command) {
        let command = match command {
            Command::Append(appends) => return self.append(appends),
            other => other,
        };
        // Whatever else is asked for comes behind the batches that came before it.
        self.write_queued();
        match command {
            Command::CachingRecorded(key) => {
                self.with(&key, |replica, hands| replica.on_caching_recorded(hands));
            }
            Command::Flushed(key, result) => self.on_flushed(key, result),
            Command::Stored(name, number) if self.has(name) => {
                self.with(&name.key, |replica, hands| replica.on_stored(number, hands));
            }
            Command::Read { key, number, from, result } if self.has(key) => {
                let now = self.now();
                self.with(&key.key, |replica, _| replica.on_read(number, from, result, now));
            }
            Command::Open(partitions, done) => drop(done.send(self.open(partitions))),
            Command::Configure(key, settings) => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    replica.configure(&settings, &self.hands);
                    self.lanes.touch(replica, self.hands.around.boot_ms());
                }
                self.record_caching(key);
            }
            Command::DeleteRecords(key, offset, reply) => self.delete_records(&key, offset, reply),
            Command::Delete(keys, done) => self.delete(&keys, true, done),
            Command::Leave(keys, done) => self.leave(keys, done),
            Command::Producers(key, reply) => {
                drop(reply.send(self.replicas.get(&key).map(|replica| replica.producers())));
            }
            Command::LastBatches(key, reply) => {
                // Without the replica the reply is dropped, and the caller knows; so below.
                if let Some(replica) = self.replicas.get(&key) {
                    drop(reply.send(replica.last_batches()));
                }
            }
            Command::Swap(key, cleaned, reply) => {
                self.with(&key, move |replica, hands| {
                    let step = move |log: &mut Log| drop(reply.send(log.swap(cleaned)));
                    replica.at_rest(step, hands);
                    replica.defer(Replica::note_damage);
                });
            }
            Command::Damage(key) => self.with(&key, |replica, _| replica.note_damage()),
            Command::Seal(key, offset) => self.with(&key, move |replica, hands| {
                let seal = move |log: &mut Log| {
                    if let Err(error) = log.seal_at(offset) {
                        tracing::warn!(partition = %key, %error, "not sealed");
                    }
                };
                replica.at_rest(seal, hands);
            }),
            Command::Retain { now_ms } => self.retain(now_ms),
            Command::ExpireProducers { now_ms, expiration_ms } => {
                self.expire_producers(now_ms, expiration_ms);
            }
            other => self.step_of_peers(other),
        }
    }

    /// What other brokers say, and what is said of them.
    fn step_of_peers(&mut self, command: Command) {
        let (now, hands) = (self.now(), &self.hands);
        match command {
            Command::Beats(from, beats, _held) => {
                for (lane, beat) in &beats {
                    self.lanes.hear_beat(&mut self.replicas, from, *lane, beat, now, hands);
                }
            }
            Command::Messages(messages, _held) => {
                for message in &messages {
                    self.lanes.hear_message(&mut self.replicas, message, now, hands);
                }
            }
            Command::Connected(node) => {
                self.lanes.reconnected(&mut self.replicas, node, now, hands);
            }
            Command::Lost(node) => self.lanes.lost(&mut self.replicas, node, now),
            Command::Join(joining) => self.peering = Some(Peering::begin(self.index, joining)),
            Command::Call(nodes) => {
                self.peering.iter_mut().for_each(|peering| peering.call(&nodes));
            }
            Command::Part => self.peering.iter_mut().for_each(Peering::part),
            Command::Wish(key, wish) => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    self.lanes.wish(replica, wish, now);
                }
            }
            Command::Observe(key, observers) => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    self.lanes.observe(replica, observers, now);
                }
            }
            Command::HandOver(done) => self.lanes.retire(&mut self.replicas, done, now),
            Command::Resign(key) => self.with(&key, Replica::resign),
            Command::Condition(key, reply) => {
                // One whose disk has failed promises nothing any more.
                if let Some(replica) = self.replicas.get(&key).filter(|it| !it.has_failed) {
                    drop(reply.send(Condition::of(replica)));
                }
            }
            Command::Recover { key, left, epoch, reply } => {
                self.with(&key, |replica, hands| {
                    _ = reply.send(replica.recover(left.into(), epoch, hands));
                });
            }
            Command::Electorate(key, reply) => {
                if let Some(replica) = self.replicas.get(&key) {
                    drop(reply.send(replica.electorate()));
                }
            }
            Command::There(key, reply) => drop(reply.send(self.lanes.there(&key))),
            Command::Troubles(reply) => drop(reply.send(self.lanes.troubles(now))),
            Command::Lease(key, reply) => {
                _ = reply.send(self.replicas.get(&key).map(|replica| self.leads_surely(replica)));
            }
            Command::Quorum(key, reply) => {
                let replica = self.replicas.get(&key);
                drop(reply.send(replica.and_then(|replica| self.lanes.quorum(replica, now))));
            }
            _ => {}
        }
    }

    /// Whether a replica is still here, and none that came after it.
    fn has(&self, name: Named) -> bool {
        self.replicas.get(&name.key).is_some_and(|replica| replica.name == name)
    }

    /// Does something with a replica, if it is here.
    fn with(&mut self, key: &GroupKey, step: impl FnOnce(&mut Replica, &Hands)) {
        if let Some(replica) = self.replicas.get_mut(key) {
            step(replica, &self.hands);
            self.lanes.touch(replica, self.hands.around.boot_ms());
        }
    }

    /// Replicas whose group has taken a step have something to flush, or to write.
    fn note_changed(&mut self) {
        for key in self.lanes.take_changed() {
            if self.replicas.get(&key).is_some_and(|replica| replica.has_queued()) {
                self.queued.push(key);
            }
            self.record_caching(key);
            self.note_dirty(key);
        }
    }

    fn append(&mut self, appends: Vec<Append>) {
        for append in appends {
            let key = append.partition.key;
            let Some(replica) = self.replicas.get_mut(&key) else {
                drop(append.reply.send(Err(AppendError::Gone)));
                continue;
            };
            if replica.queue(append) {
                self.queued.push(key);
            }
        }
    }

    fn write_queued(&mut self) {
        if self.queued.is_empty() {
            return;
        }
        let now_ms = self.hands.around.now_ms();
        for key in std::mem::take(&mut self.queued) {
            if let Some(replica) = self.replicas.get_mut(&key) {
                replica.write_queued(now_ms, &self.hands);
                self.lanes.touch(replica, self.hands.around.boot_ms());
            }
            self.record_caching(key);
            self.note_dirty(key);
        }
    }

    /// Tells the state store what it has to know of records that count before they are flushed.
    fn record_caching(&mut self, key: GroupKey) {
        let replica = self.replicas.get_mut(&key);
        if let Some(caching) = replica.and_then(|replica| replica.caching_to_record()) {
            let handle = self.hands.handle.clone();
            caching::record(&self.hands.directory, key, caching, move || {
                if caching {
                    handle.send(Command::CachingRecorded(key));
                }
            });
        }
    }

    /// Has a partition flushed at the end of the turn, or soon if that is enough.
    fn note_dirty(&mut self, key: GroupKey) {
        let Some(replica) = self.replicas.get(&key).filter(|replica| replica.wants_flush()) else {
            return;
        };
        if replica.may_flush_later() {
            let wait_ms = replica.partition.settings().flush_ms.min(CACHED_MAX_MS);
            self.later.within(key, self.hands.around.boot_ms(), wait_ms);
        } else if !self.dirty.contains(&key) {
            self.dirty.push(key);
        }
    }

    /// Asks for a round of flushes of all that have something new. What comes while one is under
    /// way is in the next: with a flush of each partition as soon as its last is over, flushes
    /// would be smaller and more, and much of what one costs does not depend on its size.
    fn flush_dirty(&mut self) {
        if self.later.next().is_some_and(|at| at <= self.now()) {
            let due = self.later.take(self.now());
            self.dirty.extend(due);
        }
        if !self.round.is_empty() {
            return;
        }
        for key in std::mem::take(&mut self.dirty) {
            if let Some(replica) = self.replicas.get_mut(&key)
                && replica.flush(self.hands.on_flush_done(replica.name))
            {
                self.round.insert(key);
            }
        }
        self.note_round();
    }

    fn note_round(&mut self) {
        self.round_moved = (!self.round.is_empty()).then(|| self.now());
    }

    fn on_flushed(&mut self, name: Named, result: Result<(), StorageError>) {
        let key = name.key;
        self.round.remove(&key);
        self.note_round();
        if !self.has(name) {
            return;
        }
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.on_flushed(result, &self.hands);
            self.lanes.touch(replica, self.hands.around.boot_ms());
            if replica.has_queued() {
                self.queued.push(key);
            }
            self.record_caching(key);
            self.note_dirty(key);
        }
    }

    fn delete_records(
        &mut self,
        key: &GroupKey,
        offset: i64,
        reply: oneshot::Sender<Result<i64, StorageError>>,
    ) {
        // Without the replica the reply is dropped, and the caller knows.
        let Some(replica) = self.replicas.get_mut(key) else { return };
        replica.delete_records(offset, reply, &self.hands);
        self.lanes.touch(replica, self.hands.around.boot_ms());
        self.note_dirty(*key);
    }

    fn retain(&mut self, now_ms: i64) {
        // Followers go where their leader's log begins.
        let is_concerned = |replica: &Replica| {
            replica.partition.settings().is_deleted && replica.partition.leads()
        };
        let concerned = self.replicas.iter().filter(|(_, replica)| is_concerned(replica));
        for key in concerned.map(|(key, _)| *key).collect::<Vec<_>>() {
            let Some(replica) = self.replicas.get_mut(&key) else { continue };
            let topic = replica.partition.topic.clone();
            replica.move_log_start(
                move |log| log.retention_start(now_ms),
                move |_, moved| match moved {
                    Ok(None) => {}
                    Ok(Some(start)) => {
                        let partition = key.partition;
                        tracing::info!(%topic, partition, log_start_offset = start, "retention");
                    }
                    Err(error) => tracing::warn!(%topic, %error, "retention"),
                },
                &self.hands,
            );
            self.lanes.touch(replica, self.hands.around.boot_ms());
        }
    }

    fn expire_producers(&mut self, now_ms: i64, expiration_ms: i64) {
        for replica in self.replicas.values_mut() {
            let expire = move |log: &mut Log| _ = log.expire_producers(now_ms, expiration_ms);
            replica.at_rest(expire, &self.hands);
        }
    }
}

fn is_beat(command: &Command) -> bool {
    matches!(command, Command::Beats(..))
}

/// Puts what has come behind what is left, frames of many messages in parts; beats, which nothing
/// depends on but what time does, to the front, in their order.
fn line_up(arrived: &mut Vec<Command>, turn: &mut VecDeque<Command>) {
    let mut beats = turn.iter().take_while(|command| is_beat(command)).count();
    for command in arrived.drain(..) {
        match command {
            Command::Beats(..) => {
                turn.insert(beats, command);
                beats += 1;
            }
            Command::Messages(messages, held) => {
                let mut messages = messages.into_iter().peekable();
                while messages.peek().is_some() {
                    let part = messages.by_ref().take(MESSAGES_MAX).collect();
                    turn.push_back(Command::Messages(part, held.clone()));
                }
            }
            other => turn.push_back(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::units::Uuid;

    use logboom_raft::{Body, Message, ReplicaId};

    use super::*;
    use crate::peer::{GroupMessage, Held, PeerId};

    #[test]
    fn beats_come_before_what_waits_and_all_in_the_order_in_which_they_came() {
        let id = |node| PeerId { node, directory: Uuid::ZERO, run: 1 };
        let beats = |node| Command::Beats(id(node), Vec::new(), Held::nothing());
        let mut turn = VecDeque::new();
        line_up(&mut vec![Command::Lost(1), beats(2), Command::Lost(3)], &mut turn);
        line_up(&mut vec![Command::Lost(4), beats(5), beats(6)], &mut turn);
        let order = turn.iter().map(|command| match command {
            Command::Beats(from, ..) => from.node,
            Command::Lost(node) => *node,
            _ => unreachable!("nothing else was put there"),
        });
        assert_eq!(order.collect::<Vec<i32>>(), [2, 5, 6, 1, 3, 4]);
    }

    #[test]
    fn a_frame_of_many_messages_is_heard_in_parts() {
        let of = |partition| {
            let key = GroupKey { topic_id: Uuid([1; 16]), partition };
            let (from, to) = (ReplicaId::of(1), ReplicaId::of(2));
            let message = Message { from, to, epoch: 1, body: Body::Hello { run: 1 } };
            GroupMessage { key, message, records: Vec::new() }
        };
        let all: Vec<GroupMessage> = (0..200).map(of).collect();
        let messages = Command::Messages(all.clone(), Held::nothing());
        let mut turn = VecDeque::new();
        line_up(&mut vec![Command::Lost(1), messages, Command::Lost(2)], &mut turn);
        let (first, last) = (turn.pop_front(), turn.pop_back());
        assert!(matches!((first, last), (Some(Command::Lost(1)), Some(Command::Lost(2)))));
        let mut heard = Vec::new();
        for command in turn {
            let Command::Messages(part, _) = command else { panic!("nothing else was there") };
            assert!(part.len() <= MESSAGES_MAX);
            heard.extend(part);
        }
        assert_eq!(heard, all);
    }
}
