//! The host of a shard: takes what has come, asks the coordinators, appends what they decide.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use logboom_groups::{Now, Options, Ticket};
use logboom_storage::state::GroupKey;

use super::handle::{CoordinationError, Inbox, Job, Message, partition_count};
use super::hosted::{Appending, Begun, Hosted, State};
use super::load::{LoadError, Loaded, load};
use super::topic::OFFSETS_TOPIC;
use crate::clock::now_ms;
use crate::node::Node;
use crate::partition::{Command, Standing};

/// The most messages of one turn.
const MESSAGES_PER_TURN: usize = 1_024;
/// Bytes of records that are not committed, from which on nothing more is taken up.
const UNCOMMITTED_BYTES_MAX: usize = 64 << 20;
/// How long a partition that failed isn't read again; from one failure to the next twice as long.
const REST_MIN: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(30);
/// Bytes that the groups of a broker may take, divided among its partitions; and the least that
/// one of them has.
const GROUPS_BYTES_MAX: usize = 1 << 30;
const PARTITION_BYTES_MIN: usize = 32 << 20;

/// What comes about by itself.
enum Event {
    /// An append is over.
    Appended { partition: i32, epoch: i32, number: u64, bytes: usize, is_committed: bool },
    /// A partition was read.
    Loaded(GroupKey, i32, Result<Box<Loaded>, LoadError>),
}

type Coming = Pin<Box<dyn Future<Output = Event>>>;

/// Why a partition isn't read at every request.
struct Rest {
    until: Instant,
    length: Duration,
}

/// The host of a shard.
pub(crate) struct Host {
    node: Arc<Node>,
    /// The shard.
    index: usize,
    messages: mpsc::UnboundedReceiver<Message>,
    hosted: BTreeMap<i32, Hosted>,
    /// Partitions that failed, and were not read since.
    resting: BTreeMap<GroupKey, Rest>,
    /// Bytes of records that are being appended.
    uncommitted_bytes: usize,
    /// And of those of this turn.
    turn_bytes: usize,
    coming: FuturesUnordered<Coming>,
    /// From here monotonic time counts.
    begun: Instant,
    tickets: u64,
    expires: Instant,
    is_stopping: bool,
}

impl Host {
    /// A host that serves nothing yet.
    pub(crate) fn new(node: Arc<Node>, index: usize, inbox: Inbox) -> Self {
        let begun = Instant::now();
        let mut host = Self {
            node,
            index,
            messages: inbox.0,
            hosted: BTreeMap::new(),
            resting: BTreeMap::new(),
            uncommitted_bytes: 0,
            turn_bytes: 0,
            coming: FuturesUnordered::new(),
            begun,
            tickets: 0,
            expires: begun,
            is_stopping: false,
        };
        host.expires = begun + host.expiry_interval();
        host
    }

    /// Serves until its shard ends.
    pub(crate) async fn run(mut self) {
        self.load_all();
        let mut stopping = self.node.stopping.clone();
        loop {
            let deadline = self.next_deadline();
            let (mut event, mut next) = (None, None);
            tokio::select! {
                message = self.messages.recv(), if !self.is_full() => match message {
                    Some(message) => next = Some(message),
                    None => return,
                },
                Some(came) = self.coming.next(), if !self.coming.is_empty() => event = Some(came),
                () = sleep_until(deadline), if !self.is_full() => {}
                _ = stopping.wait_for(|stopping| *stopping), if !self.is_stopping => self.stop(),
            }
            let now = self.now();
            self.let_go();
            event.into_iter().for_each(|event| self.on_event(event, now));
            let mut left = MESSAGES_PER_TURN;
            while let Some(message) = next.take() {
                self.take(message, now);
                left -= 1;
                if left > 0 && !self.is_full() {
                    next = self.messages.try_recv().ok();
                }
            }
            // Nobody is late as long as what he has sent isn't taken up.
            if !self.is_full() {
                self.on_time(now);
            }
            self.end_turn(now);
        }
    }

    fn is_full(&self) -> bool {
        self.uncommitted_bytes + self.turn_bytes >= UNCOMMITTED_BYTES_MAX
    }

    fn now(&self) -> Now {
        let monotonic_ms = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        Now { monotonic_ms, wall_ms: now_ms() }
    }

    fn expiry_interval(&self) -> Duration {
        let interval_ms = self.node.integer("offsets.retention.check.interval.ms");
        Duration::from_millis(u64::try_from(interval_ms).unwrap_or(1).max(1))
    }

    fn next_deadline(&self) -> Instant {
        let next_ms = self.hosted.values().filter_map(Hosted::next_deadline_ms).min();
        let next = next_ms.and_then(|next_ms| {
            let since = Duration::from_millis(u64::try_from(next_ms).unwrap_or(0));
            self.begun.checked_add(since)
        });
        next.map_or(self.expires, |next| next.min(self.expires))
    }

    /// Begins to read all partitions of the shard.
    fn load_all(&mut self) {
        for partition in (0..).take(partition_count(&self.node).unwrap_or(0)) {
            // Of those that are elsewhere nothing is to be said.
            drop(self.host(partition));
        }
    }

    /// The partition; one that isn't served yet is being read then.
    ///
    /// # Errors
    /// [`CoordinationError::NotCoordinator`] if it is on another shard or nowhere,
    /// [`CoordinationError::Loading`] if it has failed and is to be read later.
    fn host(&mut self, partition: i32) -> Result<&mut Hosted, CoordinationError> {
        if !self.hosted.contains_key(&partition) {
            let image = self.node.image();
            let topic =
                image.topic_named(OFFSETS_TOPIC).ok_or(CoordinationError::NotCoordinator)?;
            let replica = self.node.registry.get(topic.id(), partition);
            let replica = replica.filter(|replica| replica.shard == self.index);
            let replica = replica.filter(|replica| replica.role().1 == Standing::Leads);
            let replica = replica.ok_or(CoordinationError::NotCoordinator)?;
            if self.resting.get(&replica.key).is_some_and(|rest| Instant::now() < rest.until) {
                return Err(CoordinationError::Loading);
            }
            let (key, view, options) = (replica.key, Arc::clone(&replica.view), self.options());
            let hosted = Hosted::new(replica);
            let epoch = hosted.epoch();
            self.hosted.insert(partition, hosted);
            self.coming.push(Box::pin(async move {
                let read = tokio::task::spawn_blocking(move || load(&view, options));
                let loaded = read.await.expect("reading doesn't panic");
                Event::Loaded(key, epoch, loaded.map(Box::new))
            }));
        }
        Ok(self.hosted.get_mut(&partition).expect("it was just put there"))
    }

    fn is_hosted(&self, key: &GroupKey, epoch: i32) -> bool {
        let hosted = self.hosted.get(&key.partition);
        hosted.is_some_and(|hosted| hosted.partition.key == *key && hosted.epoch() == epoch)
    }

    fn options(&self) -> Options {
        let integer = |name| self.node.integer(name);
        let narrow = |name| i32::try_from(integer(name)).unwrap_or(i32::MAX);
        let size = |name| usize::try_from(integer(name)).unwrap_or(usize::MAX);
        let partitions = partition_count(&self.node).unwrap_or(1);
        Options {
            session_timeout_min_ms: narrow("group.min.session.timeout.ms"),
            session_timeout_max_ms: narrow("group.max.session.timeout.ms"),
            initial_delay_ms: narrow("group.initial.rebalance.delay.ms"),
            members_max: size("group.max.size"),
            offset_metadata_max: size("offset.metadata.max.bytes"),
            offsets_retention_ms: integer("offsets.retention.minutes").saturating_mul(60_000),
            bytes_max: (GROUPS_BYTES_MAX / partitions).max(PARTITION_BYTES_MIN),
            ..Options::default()
        }
    }

    fn take(&mut self, message: Message, now: Now) {
        match message {
            Message::Ask(partition, job) => self.ask(partition, job, now),
            Message::Load(partition, done) => {
                // Where it is served or can't be, the answer is dropped, which is one as well.
                if let Ok(Hosted { state: State::Loading(waiting), .. }) = self.host(partition) {
                    waiting.push(done);
                }
            }
            Message::TopicsDeleted => {
                for partition in self.hosted.keys().copied().collect::<Vec<i32>>() {
                    self.forget_topics(partition, now);
                }
            }
        }
    }

    fn ask(&mut self, partition: i32, job: Job, now: Now) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if self.is_stopping {
            job(Err(CoordinationError::Stopping));
            return;
        }
        match self.host(partition) {
            Ok(hosted) => {
                hosted.ask(job, now, ticket);
                self.turn_bytes += hosted.encode(now);
            }
            Err(error) => drop(job(Err(error))),
        }
    }

    /// Forgets what was committed for topics that aren't there, or are others of the same name.
    fn forget_topics(&mut self, partition: i32, now: Now) {
        let image = self.node.image();
        let Some(hosted) = self.hosted.get_mut(&partition) else { return };
        if hosted.partition.is_deleted() {
            // The topic of groups itself.
            return hosted.fail(CoordinationError::NotCoordinator);
        }
        hosted.step(|coordinator, effects| {
            let is_gone = |topic: &str, _, value: &logboom_groups::record::CommittedOffset| {
                let id = image.topic_named(topic).map(logboom_controller::image::Topic::id);
                id.is_none_or(|id| !value.topic_id.is_zero() && value.topic_id != id)
            };
            coordinator.forget_topics(is_gone, effects);
        });
        self.turn_bytes += hosted.encode(now);
    }

    /// Lets go of partitions that others lead now.
    fn let_go(&mut self) {
        let left = self.hosted.iter().filter(|(_, hosted)| hosted.has_left());
        for partition in left.map(|(partition, _)| *partition).collect::<Vec<i32>>() {
            if let Some(mut hosted) = self.hosted.remove(&partition) {
                tracing::info!(partition, "groups are coordinated elsewhere");
                hosted.fail(CoordinationError::NotCoordinator);
            }
        }
    }

    fn on_time(&mut self, now: Now) {
        let is_expiring = self.expires <= Instant::now();
        if is_expiring {
            self.expires = Instant::now() + self.expiry_interval();
        }
        for hosted in self.hosted.values_mut() {
            hosted.step(|coordinator, effects| {
                coordinator.tick(now, effects);
                if is_expiring {
                    coordinator.expire(now, effects);
                }
            });
            self.turn_bytes += hosted.encode(now);
        }
    }

    fn on_event(&mut self, event: Event, now: Now) {
        match event {
            Event::Appended { partition, epoch, number, bytes, is_committed } => {
                self.uncommitted_bytes -= bytes;
                let hosted = self.hosted.get_mut(&partition);
                if let Some(hosted) = hosted.filter(|hosted| hosted.epoch() == epoch) {
                    hosted.on_over(number, is_committed);
                }
            }
            // Of a topic that was deleted and made anew the former one may have been read.
            Event::Loaded(key, epoch, _) if !self.is_hosted(&key, epoch) => {}
            Event::Loaded(key, _, Ok(loaded)) => {
                self.resting.remove(&key);
                self.serve(key.partition, *loaded, now);
            }
            Event::Loaded(key, _, Err(error)) => {
                self.hosted.remove(&key.partition);
                let rest = self.rest(key);
                tracing::error!(%error, %key, ?rest, "groups can't be read");
            }
        }
    }

    /// A partition was read: it is asked from now on.
    fn serve(&mut self, partition: i32, loaded: Loaded, now: Now) {
        let Some(hosted) = self.hosted.get_mut(&partition) else { return };
        let Loaded { coordinator, records, unknown, broken } = loaded;
        let groups = coordinator.group_count();
        if records > 0 {
            tracing::info!(partition, groups, records, unknown, broken, "groups are served");
        }
        // Those who wait for it are told by the dropped senders.
        hosted.state = State::Serving(Box::new(coordinator));
        hosted.step(|coordinator, effects| coordinator.on_loaded(now, effects));
        self.forget_topics(partition, now);
    }

    fn end_turn(&mut self, now: Now) {
        let mut appends = Vec::new();
        let mut failed = Vec::new();
        for (&partition, hosted) in &mut self.hosted {
            if let Some(begun) = hosted.end_turn(now) {
                let Begun { number, bytes, appends: mut own, answers } = begun;
                appends.append(&mut own);
                self.uncommitted_bytes += bytes;
                let epoch = hosted.epoch();
                let over = async move {
                    let is_committed = are_committed(answers).await;
                    Event::Appended { partition, epoch, number, bytes, is_committed }
                };
                self.coming.push(Box::pin(over));
            }
            if hosted.is_to_be_read_again() {
                failed.push(partition);
            }
        }
        if !appends.is_empty() {
            self.node.shards[self.index].send(Command::Append(appends));
        }
        for partition in failed {
            let hosted = self.hosted.remove(&partition);
            if let Some(hosted) = hosted.filter(|hosted| !hosted.partition.is_deleted()) {
                self.rest(hosted.partition.key);
            }
        }
        self.turn_bytes = 0;
    }

    /// Has a partition that failed read again when somebody asks, but not before the time that is
    /// returned: what is broken is likely to be broken a moment later.
    fn rest(&mut self, key: GroupKey) -> Duration {
        let former = self.resting.get(&key);
        let length = former.map_or(REST_MIN, |rest| (rest.length * 2).min(REST_MAX));
        self.resting.insert(key, Rest { until: Instant::now() + length, length });
        length
    }

    /// The broker stops: who waits for others is told, and nobody is asked any more.
    fn stop(&mut self) {
        self.is_stopping = true;
        self.hosted.values_mut().for_each(Hosted::dismiss_waiters);
    }
}

/// Whether all of the batches of an append are committed.
async fn are_committed(answers: Vec<Appending>) -> bool {
    let mut all = true;
    for answer in answers {
        match answer.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                if all {
                    tracing::warn!(?error, "records of groups are not kept");
                }
                all = false;
            }
            // The partition is gone.
            Err(_) => all = false,
        }
    }
    all
}
