//! A shard: the thread that owns some of the partitions, and its loop.
//!
//! Must always hold: commands are done in the order in which they came, so appends of one
//! connection to one partition keep their order; nothing here waits but for the next command.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use logboom_protocol::CompactString;
use logboom_raft::Group;
use logboom_storage::state::GroupKey;
use logboom_storage::{Cleaned, Directory, Finding, FlushDone, LastBatches, Log, StorageError};

use super::caching::{self, Caching};
use super::replica::{Append, AppendError, ProducerDescription, Replica};
use super::settings::TopicSettings;
use super::{Partition, Registry, Seat};
use crate::clock::now_ms;
use crate::metrics::Metrics;

/// What a shard is asked to do.
pub(crate) enum Command {
    /// Appends batches, in order.
    Append(Vec<Append>),
    /// The state store knows that records of this partition may count before they are flushed.
    CachingRecorded(GroupKey),
    /// A flush of this partition is over.
    Flushed(GroupKey, Result<(), StorageError>),
    /// Opens the logs of partitions that were created here; answers when they are served.
    Open(Vec<Opening>, oneshot::Sender<Result<(), StorageError>>),
    /// A topic's configuration has changed.
    Configure(GroupKey, Arc<TopicSettings>),
    /// Moves a log start; answers with the new one.
    DeleteRecords(GroupKey, i64, oneshot::Sender<Result<i64, StorageError>>),
    /// Removes partitions with all that they hold.
    Delete(Vec<GroupKey>, oneshot::Sender<()>),
    /// What is known of a partition's producers; `None` if it isn't here.
    Producers(GroupKey, oneshot::Sender<Option<Vec<ProducerDescription>>>),
    /// What compaction has to keep of a partition's producers.
    LastBatches(GroupKey, oneshot::Sender<LastBatches>),
    /// Puts a file that compaction has made in its place; answers whether that was possible.
    Swap(GroupKey, Cleaned, oneshot::Sender<Result<bool, StorageError>>),
    /// Drops what retention lets go at this time, in milliseconds since the Unix epoch.
    Retain { now_ms: i64 },
    /// Forgets producers that by this time wrote nothing for so many milliseconds.
    ExpireProducers { now_ms: i64, expiration_ms: i64 },
    /// Flushes and closes every log; the shard ends.
    Close(oneshot::Sender<()>),
}

/// A partition to open.
pub(crate) struct Opening {
    pub(crate) key: GroupKey,
    pub(crate) topic: CompactString,
    pub(crate) settings: Arc<TopicSettings>,
    /// Whether it was just created, and has led nothing yet.
    pub(crate) is_new: bool,
}

/// Where a shard takes its commands.
///
/// It is not bounded by itself: what commands hold was let in at the doors of connections, and what
/// groups append is bounded by their host.
#[derive(Debug, Clone)]
pub(crate) struct ShardHandle {
    commands: mpsc::UnboundedSender<Command>,
}

impl ShardHandle {
    /// A handle, and where its shard finds what is sent.
    pub(crate) fn channel() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        (Self { commands }, receiver)
    }

    /// Hands a command over. A shard that has ended drops it, and with it whatever is to answer.
    pub(crate) fn send(&self, command: Command) {
        drop(self.commands.send(command));
    }
}

/// The partitions of a shard.
pub(crate) struct Shard {
    index: usize,
    directory: Arc<Directory>,
    seat: Seat,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    handle: ShardHandle,
    commands: mpsc::UnboundedReceiver<Command>,
    replicas: HashMap<GroupKey, Replica>,
    /// Those with something new to flush.
    dirty: Vec<GroupKey>,
    /// Those of the round of flushes that is under way.
    round: HashSet<GroupKey>,
    /// Those with batches that are not written yet.
    queued: Vec<GroupKey>,
    /// Those whose flush may wait (`write.caching`).
    caching: Vec<GroupKey>,
    /// Until when, at the most.
    caching_until: Option<Instant>,
}

/// The most commands of one turn.
const COMMANDS_PER_TURN: usize = 256;
/// How long what is cached waits for its flush at the most.
const CACHED_MAX: Duration = Duration::from_secs(1);

impl Shard {
    /// A shard without partitions.
    ///
    /// - `handle`: its own, whose receiver is `commands`.
    pub(crate) fn new(
        index: usize,
        directory: Arc<Directory>,
        seat: Seat,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        handle: ShardHandle,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            index,
            directory,
            seat,
            registry,
            metrics,
            handle,
            commands,
            replicas: HashMap::new(),
            dirty: Vec::new(),
            round: HashSet::new(),
            queued: Vec::new(),
            caching: Vec::new(),
            caching_until: None,
        }
    }

    /// Does commands until it is closed.
    pub(crate) async fn run(mut self) {
        let mut turn = Vec::with_capacity(COMMANDS_PER_TURN);
        loop {
            let taken = self.commands.recv_many(&mut turn, COMMANDS_PER_TURN);
            if let Some(until) = self.caching_until {
                // A timeout leaves what has come in the queue.
                drop(timeout_at(until, taken).await);
            } else {
                taken.await;
            }
            for command in turn.drain(..) {
                if let Command::Close(done) = command {
                    self.write_queued();
                    self.close().await;
                    done.send(()).unwrap_or(());
                    return;
                }
                self.step(command);
            }
            self.write_queued();
            self.flush_dirty();
        }
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
                if let Some(replica) = self.replicas.get_mut(&key) {
                    replica.on_caching_recorded();
                }
            }
            Command::Flushed(key, result) => self.on_flushed(key, result),
            Command::Open(partitions, done) => drop(done.send(self.open(partitions))),
            Command::Configure(key, settings) => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    replica.configure(&settings);
                }
                self.record_caching(key);
            }
            Command::DeleteRecords(key, offset, reply) => self.delete_records(&key, offset, reply),
            Command::Delete(keys, done) => self.delete(&keys, done),
            Command::Producers(key, reply) => {
                drop(reply.send(self.replicas.get(&key).map(Replica::producers)));
            }
            Command::LastBatches(key, reply) => {
                // Without the replica the reply is dropped, and the caller knows; so below.
                if let Some(replica) = self.replicas.get(&key) {
                    drop(reply.send(replica.last_batches()));
                }
            }
            Command::Swap(key, cleaned, reply) => {
                if let Some(replica) = self.replicas.get_mut(&key) {
                    replica.at_rest(move |log| drop(reply.send(log.swap(cleaned))));
                }
            }
            Command::Retain { now_ms } => self.retain(now_ms),
            Command::ExpireProducers { now_ms, expiration_ms } => {
                self.expire_producers(now_ms, expiration_ms);
            }
            Command::Append(_) | Command::Close(_) => {}
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
        let now_ms = now_ms();
        for key in std::mem::take(&mut self.queued) {
            if let Some(replica) = self.replicas.get_mut(&key) {
                replica.write_queued(now_ms, &self.metrics);
            }
            self.record_caching(key);
            self.note_dirty(key);
        }
    }

    /// Tells the state store what it has to know of records that count before they are flushed.
    fn record_caching(&mut self, key: GroupKey) {
        let replica = self.replicas.get_mut(&key);
        if let Some(caching) = replica.and_then(Replica::caching_to_record) {
            let handle = self.handle.clone();
            caching::record(&self.directory, key, caching, move || {
                handle.send(Command::CachingRecorded(key));
            });
        }
    }

    /// Has a partition flushed at the end of the turn, or soon if that is enough.
    fn note_dirty(&mut self, key: GroupKey) {
        let Some(replica) = self.replicas.get(&key).filter(|replica| replica.wants_flush()) else {
            return;
        };
        let may_wait = replica.may_flush_later();
        let list = if may_wait { &mut self.caching } else { &mut self.dirty };
        if !list.contains(&key) {
            list.push(key);
        }
        if may_wait {
            self.caching_until.get_or_insert_with(|| Instant::now() + CACHED_MAX);
        }
    }

    /// Asks for a round of flushes of all that have something new. What comes while one is under
    /// way is in the next: with a flush of each partition as soon as its last is over, flushes
    /// would be smaller and more, and much of what one costs does not depend on its size.
    fn flush_dirty(&mut self) {
        if self.caching_until.is_some_and(|until| until <= Instant::now()) {
            self.caching_until = None;
            self.dirty.append(&mut self.caching);
        }
        if !self.round.is_empty() {
            return;
        }
        for key in std::mem::take(&mut self.dirty) {
            let done = self.on_flush_done(key)();
            if let Some(replica) = self.replicas.get_mut(&key)
                && replica.flush(done)
            {
                self.round.insert(key);
            }
        }
    }

    /// What is called when a flush begins, and gives what it does when it is over, on whichever
    /// thread.
    fn on_flush_done(&self, key: GroupKey) -> impl FnOnce() -> FlushDone + use<> + 'static {
        let (handle, metrics) = (self.handle.clone(), Arc::clone(&self.metrics));
        move || {
            let since = Instant::now();
            Box::new(move |result| {
                metrics.flush_seconds.observe(since.elapsed());
                metrics.flushes_failed.add(usize::from(result.is_err()));
                handle.send(Command::Flushed(key, result));
            })
        }
    }

    fn on_flushed(&mut self, key: GroupKey, result: Result<(), StorageError>) {
        self.round.remove(&key);
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.on_flushed(result);
            self.record_caching(key);
            self.note_dirty(key);
        }
    }

    /// Opens logs. One that can't be opened is reported and not served; the others are.
    fn open(&mut self, partitions: Vec<Opening>) -> Result<(), StorageError> {
        let opened = open_logs(&self.directory, &partitions);
        self.replicas.reserve(opened.len());
        let (mut new, mut found) = (Vec::new(), Vec::new());
        for (opening, opened) in partitions.into_iter().zip(opened) {
            let Opening { key, topic, .. } = &opening;
            let (log, findings) = match opened {
                Ok(opened) => opened,
                Err(error @ StorageError::OutOfService { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(%topic, partition = key.partition, %error, "log not opened");
                    continue;
                }
            };
            report(topic, *key, &findings);
            let list = if opening.is_new { &mut new } else { &mut found };
            list.push((opening, log));
        }
        for (opening, log) in new {
            let group = self.seat.lead_first(&self.directory, &opening.key);
            self.serve(opening, log, group);
        }
        let logs = found.iter_mut().map(|(_, log)| log).collect();
        let groups = self.seat.lead(&self.directory, logs);
        for ((opening, log), group) in found.into_iter().zip(groups) {
            self.serve(opening, log, group);
        }
        Ok(())
    }

    fn serve(&mut self, opening: Opening, log: Log, group: Group) {
        let Opening { key, topic, settings, .. } = opening;
        let (view, epoch) = (Arc::clone(log.view()), group.epoch());
        let partition = Partition::new(key, topic, self.index, view, epoch, settings);
        let partition = Arc::new(partition);
        let caching = Caching::of(&self.directory, &key);
        let replica = Replica::new(Arc::clone(&partition), log, group, caching);
        self.replicas.insert(key, replica);
        self.registry.insert(partition);
    }

    fn delete_records(
        &mut self,
        key: &GroupKey,
        offset: i64,
        reply: oneshot::Sender<Result<i64, StorageError>>,
    ) {
        let done = self.on_flush_done(*key);
        // Without the replica the reply is dropped, and the caller knows.
        let Some(replica) = self.replicas.get_mut(key) else { return };
        replica.move_log_start(
            move |_| Ok(Some(offset)),
            done,
            move |log, moved| drop(reply.send(moved.map(|_| log.view().log_start_offset()))),
        );
    }

    fn delete(&mut self, keys: &[GroupKey], done: oneshot::Sender<()>) {
        let mut logs = Vec::new();
        for key in keys {
            self.registry.remove(key);
            if let Some(replica) = self.replicas.remove(key) {
                replica.partition.set_deleted();
                logs.push(replica.into_log());
            }
        }
        if let Err(error) = self.directory.delete_all(logs, true) {
            tracing::error!(%error, "partitions not deleted; the next start does it");
        }
        done.send(()).unwrap_or(());
    }

    fn retain(&mut self, now_ms: i64) {
        let is_concerned = |replica: &Replica| replica.partition.settings().is_deleted;
        let concerned = self.replicas.iter().filter(|(_, replica)| is_concerned(replica));
        for key in concerned.map(|(key, _)| *key).collect::<Vec<_>>() {
            let done = self.on_flush_done(key);
            let Some(replica) = self.replicas.get_mut(&key) else { continue };
            let topic = replica.partition.topic.clone();
            replica.move_log_start(
                move |log| log.retention_start(now_ms),
                done,
                move |_, moved| match moved {
                    Ok(None) => {}
                    Ok(Some(start)) => {
                        let partition = key.partition;
                        tracing::info!(%topic, partition, log_start_offset = start, "retention");
                    }
                    Err(error) => tracing::warn!(%topic, %error, "retention"),
                },
            );
        }
    }

    fn expire_producers(&mut self, now_ms: i64, expiration_ms: i64) {
        for replica in self.replicas.values_mut() {
            replica.at_rest(move |log| {
                log.expire_producers(now_ms, expiration_ms);
            });
        }
    }

    /// Waits for the flushes that are under way, then closes every log.
    async fn close(&mut self) {
        while self.replicas.values().any(Replica::is_flushing) {
            match self.commands.recv().await {
                Some(Command::Flushed(key, result)) => self.on_flushed(key, result),
                // Nothing is taken any more; what is to answer says so by being dropped.
                Some(_) => {}
                None => break,
            }
        }
        for (key, replica) in self.replicas.drain() {
            if let Err(error) = replica.into_log().close() {
                tracing::error!(partition = %key, %error, "log not closed");
            }
        }
    }
}

/// Opens logs on several threads: after a kill each waits for the device.
fn open_logs(directory: &Directory, partitions: &[Opening]) -> Vec<OpenedLog> {
    let open = |opening: &Opening| directory.open_log(opening.key, opening.settings.log);
    if partitions.len() < OPENERS {
        return partitions.iter().map(open).collect();
    }
    thread::scope(|scope| {
        let parts = partitions.chunks(partitions.len().div_ceil(OPENERS));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter().map(open).collect::<Vec<_>>())).collect();
        let opened = threads.into_iter().flat_map(|thread| {
            thread.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
        });
        opened.collect()
    })
}

/// What opening a log gives.
type OpenedLog = Result<(Log, Vec<Finding>), StorageError>;

/// Threads on which a shard opens logs.
const OPENERS: usize = 8;

fn report(topic: &str, key: GroupKey, findings: &[Finding]) {
    for finding in findings {
        tracing::warn!(%topic, partition = key.partition, "{finding}");
    }
}
