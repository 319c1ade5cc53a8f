//! Our own clients as a load: a producer as it comes, and a group of consumers that commit by
//! themselves and whose members come and go. What they are told is held against what all others
//! are told.
//!
//! The producer's records are numbered by partition, so that each has its number for an offset.
//! Members end in turn with a last commit, without being heard of again, and by leaving without a
//! commit; others go on where the last commit was. In the end all that was read is committed.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::{interval, timeout};

use logboom_consumer::{
    Assignor, BoxFuture, Consumer, ConsumerControl, OffsetReset, RebalanceListener, Record, Remedy,
    TopicPartition,
};
use logboom_producer::{Delivery, Producer};

use super::history::{History, Partition};
use super::{PATIENCE, commits};

/// Records that a partition gets at once.
const BURST: i64 = 10;
const GROUP: &str = "ours-over-faults";
/// How long a member reads before it ends, and between two looks at that.
const LIFE: Duration = Duration::from_secs(5);
const TURN: Duration = Duration::from_millis(200);
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// The least that brokers take: members that a fault has cut off hold up the others so long.
const SESSION: Duration = Duration::from_secs(6);
/// Between heartbeats, by which members hear that others come and go.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// A topic that our clients write and read.
pub(super) struct Ours<'a> {
    history: &'a History,
    partitions: Vec<&'a Partition>,
    addresses: &'a [String],
    stop: &'a AtomicBool,
    /// When everything was acknowledged.
    written: OnceLock<Instant>,
    /// By partition and offset, whether a member has read it.
    seen: Mutex<Vec<Vec<bool>>>,
    lives: AtomicUsize,
}

/// The deliveries of a partition, with their numbers.
type UnderWay = VecDeque<(i64, Delivery)>;

impl<'a> Ours<'a> {
    pub(super) fn new(
        history: &'a History,
        topic: &str,
        addresses: &'a [String],
        stop: &'a AtomicBool,
    ) -> Self {
        let partitions: Vec<_> = history.partitions.iter().filter(|it| it.topic == topic).collect();
        let seen = Mutex::new(vec![Vec::new(); partitions.len()]);
        let (written, lives) = (OnceLock::new(), AtomicUsize::new(0));
        Self { history, partitions, addresses, stop, written, seen, lives }
    }

    fn bootstrap(&self) -> String {
        self.addresses.join(",")
    }

    /// Sends until it is told to stop, and waits until all is acknowledged.
    pub(super) fn write(&self) {
        runtime().block_on(async {
            let builder = Producer::builder().bootstrap_servers(&self.bootstrap());
            let producer = builder.build().unwrap();
            let mut ticks = interval(self.partitions[0].pace);
            let mut under_way: Vec<UnderWay> =
                self.partitions.iter().map(|_| UnderWay::new()).collect();
            let mut next = 0;
            while !self.history.is_broken() {
                let is_stopped = self.stop.load(Ordering::Relaxed);
                let waits = under_way.iter().any(|one| !one.is_empty());
                if is_stopped && !waits {
                    break;
                }
                tokio::select! {
                    _ = ticks.tick(), if !is_stopped => {
                        self.send(&producer, next, &mut under_way).await;
                        next += BURST;
                    }
                    () = poll_fn(|cx| self.settle(&mut under_way, cx)), if waits => {}
                }
            }
            producer.close(Duration::ZERO).await;
        });
        self.written.set(Instant::now()).expect("it writes once");
    }

    async fn send(&self, producer: &Producer, first: i64, under_way: &mut [UnderWay]) {
        for number in first..first + BURST {
            for (partition, under_way) in self.partitions.iter().zip(&mut *under_way) {
                // As the other producers have it: its number, and the one attempt.
                let value = format!("{number} 1 {number:0>80}");
                let record = logboom_producer::Record::to(&partition.topic);
                match producer.send(record.partition(partition.index).value(&value)).await {
                    Ok(delivery) => under_way.push_back((number, delivery)),
                    Err(error) => self.fail(partition, number, &error),
                }
            }
        }
    }

    /// Ready when something was settled.
    fn settle(&self, under_way: &mut [UnderWay], cx: &mut Context<'_>) -> Poll<()> {
        let mut settled = Poll::Pending;
        for (partition, under_way) in self.partitions.iter().zip(under_way) {
            while let Some((number, delivery)) = under_way.front_mut() {
                let Poll::Ready(delivered) = Pin::new(delivery).poll(cx) else { break };
                match delivered {
                    Ok(delivered) if delivered.offset == Some(*number) => {
                        partition.acknowledge(*number + 1);
                    }
                    Ok(delivered) => self.fail(partition, *number, &format!("{delivered:?}")),
                    Err(error) => self.fail(partition, *number, &error),
                }
                under_way.pop_front();
                settled = Poll::Ready(());
            }
        }
        settled
    }

    fn fail(&self, partition: &Partition, number: i64, what: &dyn std::fmt::Display) {
        let name = partition.name();
        self.history.break_with(format!("our producer, {name}: record {number}: {what}"));
    }

    /// Is one member after the other, until what was acknowledged was read and committed.
    ///
    /// - `number`: another one for each that reads at the same time.
    pub(super) fn read(&self, number: usize) {
        let lasting = runtime();
        let mut life = number;
        while !self.is_over() {
            match life % 3 {
                0 => lasting.block_on(async {
                    // What isn't committed is read by the next one.
                    self.live(number, life).await.close().await.ok();
                }),
                // Its tasks end with it, and nobody says that it has gone.
                1 => runtime().block_on(async { drop(self.live(number, life).await) }),
                _ => lasting.block_on(async { drop(self.live(number, life).await) }),
            }
            self.lives.fetch_add(1, Ordering::Relaxed);
            life += 1;
        }
        if let Some(what) = self.lack().filter(|_| !self.history.is_broken()) {
            self.history.break_with(format!("our group {what}"));
        }
    }

    /// Joins and reads for a while.
    async fn live(&self, number: usize, life: usize) -> Consumer {
        let next = Arc::new(Mutex::new(BTreeMap::new()));
        let mut consumer = self.member(number, life, Begins(Arc::clone(&next)));
        let (begun, mut has_read) = (Instant::now(), false);
        // When nothing goes wrong any more, nobody goes before all is done.
        let is_old =
            |has_read| has_read && begun.elapsed() > LIFE && !self.stop.load(Ordering::Relaxed);
        while !(self.history.is_broken() || is_old(has_read)) {
            let result = match timeout(TURN, consumer.next()).await {
                Err(_) if self.is_over() => break,
                Err(_) => continue,
                Ok(Ok(record)) => self.take(&record, &mut next.lock().unwrap()),
                Ok(Err(error)) if error.remedy() == Remedy::Retry => continue,
                Ok(Err(error)) => Err(format!("our consumer: {error}")),
            };
            has_read = true;
            if let Err(what) = result {
                self.history.break_with(what);
            }
        }
        consumer
    }

    /// Each life shares in another way, and half of them keep the name of the one before. All know
    /// one way, so that they find a common one; who knows no other keeps what it has while the
    /// group shares anew.
    fn member(&self, number: usize, life: usize, listener: Begins) -> Consumer {
        let other =
            [None, Some(Assignor::Range), Some(Assignor::Sticky), Some(Assignor::RoundRobin)];
        let assignors = other[life % other.len()].into_iter().chain([Assignor::CooperativeSticky]);
        let builder = match life / 2 % 2 {
            0 => Consumer::builder(),
            _ => Consumer::builder().group_instance_id(format!("reader-{number}")),
        };
        let mut consumer = builder
            .assignors(assignors)
            .bootstrap_servers(&self.bootstrap())
            .group_id(GROUP)
            .session_timeout(SESSION)
            .heartbeat_interval(HEARTBEAT)
            .auto_offset_reset(OffsetReset::Earliest)
            .auto_commit_interval(COMMIT_INTERVAL)
            .rebalance_listener(listener)
            .build()
            .unwrap();
        consumer.subscribe([&self.partitions[0].topic]).unwrap();
        consumer
    }

    /// A member has read a record; what is wrong with that.
    ///
    /// - `next`: where it is in each partition since that was given to it.
    fn take(&self, record: &Record, next: &mut BTreeMap<i32, i64>) -> Result<(), String> {
        let (at, offset) = (usize::try_from(record.partition).unwrap(), record.offset);
        let partition = self.partitions[at];
        partition.read(offset, record.value.as_deref().unwrap_or_default())?;
        partition.commit(offset + 1);
        if let Some(before) = next.insert(record.partition, offset + 1)
            && before != offset
        {
            let name = partition.name();
            return Err(format!("our consumer, {name}: {offset} where {before} belongs"));
        }
        let seen = &mut self.seen.lock().unwrap()[at];
        let offset = usize::try_from(offset).unwrap();
        seen.resize(seen.len().max(offset + 1), false);
        seen[offset] = true;
        Ok(())
    }

    /// Whether nobody need read any more.
    fn is_over(&self) -> bool {
        let Some(written) = self.written.get() else { return self.history.is_broken() };
        self.history.is_broken() || written.elapsed() > PATIENCE || self.lack().is_none()
    }

    /// What was acknowledged and hasn't come to what it should.
    fn lack(&self) -> Option<String> {
        if let Some(what) = self.passed_over() {
            return Some(format!("has passed over {what}"));
        }
        let lacking = commits::lacking(self.addresses, GROUP, self.partitions.iter().copied());
        (!lacking.is_empty()).then(|| format!("has read and not committed {lacking:?}"))
    }

    /// What was acknowledged and nobody has read, of the first partition with such.
    fn passed_over(&self) -> Option<String> {
        let all = self.seen.lock().unwrap();
        self.partitions.iter().zip(&*all).find_map(|(partition, seen)| {
            let acknowledged = usize::try_from(partition.acknowledged()).unwrap();
            let is_missing = |offset: &usize| !seen.get(*offset).is_some_and(|is_seen| *is_seen);
            let first = (0..acknowledged).find(is_missing)?;
            let (count, read) = ((first..acknowledged).filter(is_missing).count(), seen.len());
            let name = partition.name();
            Some(format!(
                "{count} of {name}, the first {first}, of {acknowledged}; read up to {read}"
            ))
        })
    }

    pub(super) fn summary(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let read: usize =
            seen.iter().map(|one| one.iter().filter(|is_seen| **is_seen).count()).sum();
        format!("our group read {read} in {} lives", self.lives.load(Ordering::Relaxed))
    }
}

/// Where a member begins in what it was given isn't known before it reads.
struct Begins(Arc<Mutex<BTreeMap<i32, i64>>>);

impl RebalanceListener for Begins {
    fn on_assigned<'a>(
        &'a mut self,
        _: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.0.lock().unwrap().retain(|&one, _| partitions.iter().all(|it| it.partition != one));
        Box::pin(ready(()))
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
