//! The task that sends: it takes what the queues have, finds the brokers that lead their
//! partitions, and hands back what has become of it.
//!
//! ```text
//!   listed queues ─▶ place ─▶ the leader's outbox ── a batch each ──▶ request ─▶ settle
//!         ▲            │ no leader: a pause, or ask for metadata                   │
//!         └────────────┴───────────────────────────────────────────────────────────┘
//! ```
//!
//! What it goes by is what was told of a topic last. Where that is old it is asked for anew
//! meanwhile; only a partition whose leader is doubted, or that has none, waits for the answer.
//!
//! **Invariant:** a broker gets the requests in the order in which they were made, though each is
//! encoded on a task of its own; so batches of a partition arrive in their order.

use std::collections::{BTreeMap, HashMap, VecDeque, hash_map};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use logboom_client::{ClientError, Cluster, Topic};

use crate::ProduceError;
use crate::accumulator::{Accumulator, PartitionQueue};
use crate::batch::Batch;
use crate::metrics;
use crate::queue::{ProducerId, Verdict};
use crate::request::{Entry, Request};

type Queues = Vec<Arc<PartitionQueue>>;
/// A topic that was asked for.
type Found = (Arc<str>, Result<Arc<Topic>, ClientError>);
/// An id and its epoch.
type Named = Result<(i64, i16), ClientError>;

/// Sends what the accumulator has.
pub(crate) struct Sender {
    cluster: Cluster,
    accumulator: Arc<Accumulator>,
    /// By the brokers' numbers.
    outboxes: BTreeMap<i32, Outbox>,
    requests: JoinSet<Answered>,
    /// Topics that are asked for, and queues that wait for the answer.
    homeless: HashMap<Arc<str>, Queues>,
    /// When topics were last asked for.
    asked: HashMap<Arc<str>, Instant>,
    lookups: JoinSet<Found>,
    /// Queues that wait.
    paused: BTreeMap<Instant, Queues>,
    /// How often in a row brokers couldn't be asked for a topic.
    failures: u32,
    producer: Option<ProducerId>,
    /// Asks for the producer's id.
    naming: JoinSet<Named>,
    /// How often in a row nobody has given one.
    refusals: u32,
    /// It isn't asked for before.
    naming_at: Option<Instant>,
    /// When the oldest batch is late. Invariant: nothing is unsettled that is late before, and
    /// nothing at all where there is none, but what came since the last look.
    next_expiry: Option<Instant>,
}

/// What a broker is to get.
#[derive(Debug, Default)]
struct Outbox {
    queues: VecDeque<Arc<PartitionQueue>>,
    under_way: usize,
    /// Hears when the request made last has its place.
    last: Option<oneshot::Receiver<()>>,
}

/// A request that is answered, or can't be.
struct Answered {
    broker_id: i32,
    batches: Vec<(Arc<PartitionQueue>, Batch, Verdict)>,
}

/// However it ends, also with its runtime: nobody waits for what it doesn't send any more.
impl Drop for Sender {
    fn drop(&mut self) {
        self.accumulator.end(&ProduceError::Closed);
    }
}

impl Sender {
    pub(crate) fn new(cluster: Cluster, accumulator: Arc<Accumulator>) -> Self {
        Self {
            cluster,
            accumulator,
            outboxes: BTreeMap::new(),
            requests: JoinSet::new(),
            homeless: HashMap::new(),
            asked: HashMap::new(),
            lookups: JoinSet::new(),
            paused: BTreeMap::new(),
            failures: 0,
            producer: None,
            naming: JoinSet::new(),
            refusals: 0,
            naming_at: None,
            next_expiry: None,
        }
    }

    /// Sends until the producer has ended, or is closed and all is settled.
    pub(crate) async fn run(mut self) {
        loop {
            let next = self.work();
            if self.is_over() {
                break;
            }
            let accumulator = Arc::clone(&self.accumulator);
            tokio::select! {
                biased;
                Some(answered) = self.requests.join_next() => self.settle(answered),
                Some(found) = self.lookups.join_next() => self.take_topic(found),
                Some(named) = self.naming.join_next() => self.take_name(named),
                () = accumulator.wake.notified() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            self.take_all();
        }
    }

    /// Takes all that has ended, whatever else goes on ending.
    fn take_all(&mut self) {
        while let Some(answered) = self.requests.try_join_next() {
            self.settle(answered);
        }
        while let Some(found) = self.lookups.try_join_next() {
            self.take_topic(found);
        }
        while let Some(named) = self.naming.try_join_next() {
            self.take_name(named);
        }
    }

    /// Whether nothing is left to do.
    fn is_over(&self) -> bool {
        if !self.accumulator.is_closed() || !self.requests.is_empty() {
            return false;
        }
        let mut queues = self.accumulator.queues().into_iter();
        self.accumulator.ended().is_some() || queues.all(|queue| queue.lock().is_idle())
    }

    /// Does all that can be done now; returns when to look again, if nothing happens before.
    fn work(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if self.next_expiry.is_none_or(|at| at <= now) {
            self.expire(now);
        }
        let (ready, lingering) = self.accumulator.ready(now);
        let mut listed = ready;
        while let Some(first) = self.paused.first_entry().filter(|first| *first.key() <= now) {
            listed.extend(first.remove());
        }
        for queue in listed {
            self.place(queue, now);
        }
        let brokers: Vec<i32> = self.outboxes.keys().copied().collect();
        for broker_id in brokers {
            self.send(broker_id, now);
        }
        let paused = self.paused.first_key_value().map(|(until, _)| *until);
        let naming = self.naming_at.filter(|at| *at > now);
        [lingering, paused, naming, self.next_expiry].into_iter().flatten().min()
    }

    /// Settles what is late, and sees when the next is.
    fn expire(&mut self, now: Instant) {
        let limits = &self.accumulator.settings.queue;
        let (mut late, mut next) = (0, None::<Instant>);
        for queue in self.accumulator.queues() {
            let mut held = queue.lock();
            late += held.expire(now, limits);
            next = next.into_iter().chain(held.next_deadline(now, limits)).min();
        }
        self.next_expiry = next;
        metrics::failed(late);
    }

    /// Puts a listed queue where its partition's leader is, if that is known.
    fn place(&mut self, queue: Arc<PartitionQueue>, now: Instant) {
        self.renew(&queue, now);
        match queue.leader() {
            Ok(_) if queue.is_doubted() => {
                self.look_up(&queue.topic).push(queue);
            }
            Ok(broker_id) => {
                self.outboxes.entry(broker_id).or_default().queues.push_back(queue);
            }
            Err(error) => {
                self.cluster.forget(&queue.topic);
                self.look_up(&queue.topic);
                queue.lock().blame(&error);
                self.pause(queue, now + self.cluster.config().backoff(0));
            }
        }
    }

    /// Takes over what was told of a topic since, and asks for it if that is too long ago.
    fn renew(&mut self, queue: &PartitionQueue, now: Instant) {
        let Some(topic) = self.cluster.known_topic(&queue.topic) else {
            let pause = self.cluster.config().retry_backoff;
            if self.asked.get(&queue.topic).is_none_or(|asked| now.duration_since(*asked) >= pause)
            {
                self.look_up(&queue.topic);
            }
            return;
        };
        if !Arc::ptr_eq(&topic, &queue.told()) {
            self.learn(&topic, now);
        }
    }

    fn learn(&mut self, topic: &Arc<Topic>, now: Instant) {
        // It ends only with the queues.
        drop(self.accumulator.learn(topic));
        for (broker_id, outbox) in &mut self.outboxes {
            let has_moved = |queue: &Arc<PartitionQueue>| {
                *queue.topic == *topic.name && queue.leader().ok() != Some(*broker_id)
            };
            if outbox.queues.iter().any(has_moved) {
                let (moved, kept) = outbox.queues.drain(..).partition(has_moved);
                outbox.queues = kept;
                self.paused.entry(now).or_default().extend(Vec::from(moved));
            }
        }
    }

    fn pause(&mut self, queue: Arc<PartitionQueue>, until: Instant) {
        self.paused.entry(until).or_default().push(queue);
    }

    /// Asks for a topic, unless that is under way; returns who waits for it.
    fn look_up(&mut self, name: &Arc<str>) -> &mut Queues {
        match self.homeless.entry(Arc::clone(name)) {
            hash_map::Entry::Occupied(waiting) => waiting.into_mut(),
            hash_map::Entry::Vacant(free) => {
                let (cluster, name) = (self.cluster.clone(), Arc::clone(name));
                self.asked.insert(Arc::clone(&name), Instant::now());
                self.lookups.spawn(async move {
                    let topic = cluster.topic(&name).await;
                    (name, topic)
                });
                free.insert(Queues::new())
            }
        }
    }

    fn take_topic(&mut self, found: Result<Found, JoinError>) {
        let (name, topic) = match found {
            Ok(found) => found,
            // Whose topic it was asking for isn't known, and they would wait for ever.
            Err(error) => return self.accumulator.end(&ended_by(&error)),
        };
        let homeless = self.homeless.remove(&name).unwrap_or_default();
        let now = Instant::now();
        match topic {
            Ok(topic) => {
                self.failures = 0;
                self.learn(&topic, now);
                homeless.into_iter().for_each(|queue| self.place(queue, now));
            }
            Err(error) => {
                let until = now + self.cluster.config().backoff(self.failures);
                self.failures = self.failures.saturating_add(1);
                for queue in homeless {
                    queue.lock().blame(&error);
                    self.pause(queue, until);
                }
            }
        }
    }

    /// Makes requests to a broker while it may get more.
    fn send(&mut self, broker_id: i32, now: Instant) {
        if self.accumulator.settings.is_idempotent && self.producer.is_none() {
            return self.ask_for_name(broker_id, now);
        }
        while let Some(outbox) = self.outboxes.get_mut(&broker_id) {
            if outbox.under_way >= self.accumulator.settings.in_flight_max {
                return;
            }
            let Some(entries) = self.gather(broker_id, now) else { return };
            self.post(broker_id, entries);
        }
    }

    /// Takes a batch of each queue of a broker, as long as there is room in the request.
    fn gather(&mut self, broker_id: i32, now: Instant) -> Option<Vec<Entry>> {
        let settings = &self.accumulator.settings;
        let outbox = self.outboxes.get_mut(&broker_id)?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for _ in 0..outbox.queues.len() {
            let Some(queue) = outbox.queues.pop_front() else { break };
            let next = queue.lock().next_bytes();
            if !entries.is_empty() && bytes + next > settings.request_bytes_max {
                outbox.queues.push_front(queue);
                break;
            }
            let topic = queue.told();
            let leads = topic.leader(queue.partition).ok() == Some(broker_id);
            if !leads || queue.is_doubted() {
                self.paused.entry(now).or_default().push(queue);
                continue;
            }
            let mut held = queue.lock();
            let batch = held.take(now, self.producer, topic.id, &settings.queue);
            let goes_on = held.has_work() && held.may_take(now, &settings.queue);
            let paused = held.paused_until().filter(|until| held.has_work() && *until > now);
            if !goes_on && paused.is_none() {
                queue.unlist(&held);
            }
            drop(held);
            if let Some(batch) = batch {
                bytes += batch.bytes();
                entries.push(Entry { queue: Arc::clone(&queue), topic, batch });
            }
            if goes_on {
                outbox.queues.push_back(queue);
            } else if let Some(until) = paused {
                self.paused.entry(until).or_default().push(queue);
            }
        }
        (!entries.is_empty()).then_some(entries)
    }

    fn post(&mut self, broker_id: i32, entries: Vec<Entry>) {
        let settings = &self.accumulator.settings;
        let outbox = self.outboxes.entry(broker_id).or_default();
        outbox.under_way += 1;
        let (placed, last) = oneshot::channel();
        let request = Request {
            cluster: self.cluster.clone(),
            broker_id,
            acks: settings.acks,
            timeout: settings.request_timeout,
            retries: settings.retries,
            before: outbox.last.replace(last),
            placed,
        };
        self.requests.spawn(async move {
            let batches = request.send(entries).await;
            Answered { broker_id, batches }
        });
    }

    /// Takes back what was sent.
    fn settle(&mut self, answered: Result<Answered, JoinError>) {
        let Answered { broker_id, batches } = match answered {
            Ok(answered) => answered,
            // It has dropped its batches, which settled them; their order is lost with them.
            Err(error) => return self.accumulator.end(&ended_by(&error)),
        };
        if let Some(outbox) = self.outboxes.get_mut(&broker_id) {
            outbox.under_way -= 1;
        }
        let now = Instant::now();
        for (queue, batch, verdict) in batches {
            metrics::answered(&batch, &verdict);
            self.heed(broker_id, &queue, &batch, &verdict);
            let mut held = queue.lock();
            metrics::failed(held.settle(batch, verdict, now));
            let has_work = held.has_work();
            drop(held);
            if has_work && !queue.list() {
                self.place(queue, now);
            }
        }
    }

    /// Doubts what an answer shows to be out of date.
    fn heed(&mut self, broker_id: i32, queue: &PartitionQueue, batch: &Batch, verdict: &Verdict) {
        // Also one that is final for the batch: others come.
        if let Some(error) = verdict.error().filter(|error| error.is_stale_metadata()) {
            self.doubt(broker_id, queue);
            // What it was to get otherwise mustn't wait for it once more.
            let is_lost = matches!(error, ClientError::Connection { .. });
            let outbox = self.outboxes.get_mut(&broker_id).filter(|_| is_lost);
            let queues = outbox.map(|outbox| std::mem::take(&mut outbox.queues));
            for queue in queues.into_iter().flatten() {
                self.doubt(broker_id, &queue);
                self.place(queue, Instant::now());
            }
        }
        // It begins anew with another id where there is no further epoch.
        let is_last = batch.numbers.is_some_and(|own| own.epoch == i16::MAX);
        if matches!(verdict, Verdict::OutOfOrder { .. }) && is_last {
            self.producer = None;
        }
    }

    /// Who was told to lead the partition doesn't, unless another one was told of since.
    fn doubt(&self, broker_id: i32, queue: &PartitionQueue) {
        if queue.leader().is_ok_and(|leader| leader == broker_id) {
            queue.doubt();
        }
        self.cluster.doubt_leader(&queue.topic, queue.partition, broker_id);
    }

    /// Asks for an id, unless that was done, nobody needs one, or it is too early.
    fn ask_for_name(&mut self, broker_id: i32, now: Instant) {
        let is_needed = self.outboxes.get(&broker_id).is_some_and(|one| !one.queues.is_empty());
        let is_early = self.naming_at.is_some_and(|at| at > now);
        if is_needed && !is_early && self.naming.is_empty() {
            let cluster = self.cluster.clone();
            self.naming.spawn(async move { cluster.init_producer_id().await });
        }
    }

    fn take_name(&mut self, named: Result<Named, JoinError>) {
        match named {
            Ok(Ok((id, epoch))) => {
                (self.refusals, self.naming_at) = (0, None);
                self.producer = Some(ProducerId { id, epoch });
            }
            // It is asked again; what waits becomes late meanwhile.
            Ok(Err(error @ ClientError::Deadline { .. })) => {
                // The call itself may have had no time to pause.
                let pause = self.cluster.config().backoff(self.refusals);
                self.refusals = self.refusals.saturating_add(1);
                self.naming_at = Some(Instant::now() + pause);
                let waiting = self.outboxes.values().flat_map(|outbox| &outbox.queues);
                waiting.for_each(|queue| queue.lock().blame(&error));
            }
            Ok(Err(error)) => self.accumulator.end(&error.into()),
            Err(error) => self.accumulator.end(&ended_by(&error)),
        }
    }
}

/// Why a producer ends one of whose tasks has.
fn ended_by(error: &JoinError) -> ProduceError {
    if error.is_panic() { ProduceError::Broken } else { ProduceError::Closed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::{Delivery, Producer, Record};
    use logboom_client::{BrokerAddress, ClientConfig, Partition};
    use logboom_protocol::units::Uuid;

    const SECOND: Duration = Duration::from_secs(1);

    /// A sender that reaches nobody, with a record for the one partition of topic `t`.
    async fn sender() -> (Sender, Delivery) {
        let settings = Producer::builder().settings().unwrap();
        let accumulator = Arc::new(Accumulator::new(settings));
        let partitions = vec![Partition { leader: Some(0), ..Partition::default() }];
        let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
        let topic = Arc::new(topic);
        let queues = accumulator.learn(&topic).unwrap();
        let record = Record::to("t").value("a");
        let room = accumulator.take_room(record.bytes_max(), Duration::ZERO).await.unwrap();
        let delivery = accumulator.append(&queues, &record, room).unwrap();
        let nowhere = BrokerAddress { host: "127.0.0.1".to_owned(), port: 1 };
        let cluster = Cluster::new(vec![nowhere], ClientConfig::default());
        (Sender::new(cluster, accumulator), delivery)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_panics_leaves_nobody_waiting() {
        let (mut sender, delivery) = sender().await;
        let queue = sender.accumulator.queues().remove(0);
        sender.homeless.insert("t".into(), vec![queue]);
        let lookup = tokio::spawn(async { panic!("a fault of ours") });
        sender.take_topic(lookup.await);
        let outcome = tokio::time::timeout(SECOND, delivery).await.unwrap();
        assert!(matches!(outcome, Err(ProduceError::Broken)), "{outcome:?}");
        assert!(sender.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn answers_hold_up_no_lookup() {
        let (mut sender, _delivery) = sender().await;
        let answered = || Answered { broker_id: 0, batches: Vec::new() };
        sender.outboxes.entry(0).or_default().under_way = 1;
        sender.requests.spawn(async move { answered() });
        let queue = sender.accumulator.queues().remove(0);
        let topic = queue.told();
        sender.homeless.insert("t".into(), vec![queue]);
        sender.lookups.spawn(async move { ("t".into(), Ok(topic)) });
        sender.naming.spawn(async { Ok((7, 0)) });
        tokio::task::yield_now().await;
        sender.take_all();
        assert_eq!(sender.producer, Some(ProducerId { id: 7, epoch: 0 }));
        assert_eq!(sender.outboxes[&0].queues.len(), 1, "it has a leader");
        assert!(sender.requests.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_sent_to_nobody_but_its_leader() {
        let moved = |leader| {
            let partitions = vec![Partition { leader, ..Partition::default() }];
            let (name, id) = ("t".into(), Uuid::ZERO);
            Arc::new(Topic { name, id, is_internal: false, partitions })
        };
        let placed = |sender: &Sender| {
            let waits = sender.outboxes.get(&0).is_some_and(|outbox| !outbox.queues.is_empty());
            (waits, sender.paused.values().flatten().count())
        };
        for leader in [Some(1), None] {
            let (mut ours, _delivery) = sender().await;
            let queue = ours.accumulator.queues().remove(0);
            ours.outboxes.entry(0).or_default().queues.push_back(queue);
            // Whoever sends to the topic may learn it as well.
            drop(ours.accumulator.learn(&moved(leader)));
            assert!(ours.gather(0, Instant::now()).is_none());
            assert_eq!(placed(&ours), (false, 1));
            let (mut ours, _delivery) = sender().await;
            let queue = ours.accumulator.queues().remove(0);
            ours.outboxes.entry(0).or_default().queues.push_back(queue);
            ours.learn(&moved(Some(0)), Instant::now());
            assert_eq!(placed(&ours), (true, 0));
            ours.learn(&moved(leader), Instant::now());
            assert_eq!(placed(&ours), (false, 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_is_late_when_its_time_is_over_and_then_there_is_nothing_to_wake_for() {
        let (mut sender, delivery) = sender().await;
        let began = Instant::now();
        let limit = sender.accumulator.settings.queue.delivery_timeout;
        let mut turns = 0;
        while let Some(next) = sender.work() {
            sleep_until(next).await;
            turns += 1;
            assert!(turns <= 3, "it lingers, and is late");
        }
        assert_eq!(began.elapsed(), limit);
        let outcome = tokio::time::timeout(SECOND, delivery).await.unwrap();
        assert!(matches!(outcome, Err(ProduceError::Late { .. })), "{outcome:?}");
        assert_eq!(sender.work(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gets_no_id_pauses_however_little_time_the_call_had() {
        let (mut sender, _delivery) = sender().await;
        let queue = sender.accumulator.queues().remove(0);
        sender.outboxes.entry(0).or_default().queues.push_back(queue);
        let late = || {
            let last = Box::new(ClientError::UnknownBroker { broker_id: 0 });
            let (doing, limit) = ("get a producer id".to_owned(), Duration::ZERO);
            ClientError::Deadline { doing, limit, last }
        };
        let mut pauses = Vec::new();
        for _ in 0..3 {
            sender.work();
            assert_eq!(sender.naming.len(), 1);
            sender.naming = JoinSet::new();
            sender.take_name(Ok(Err(late())));
            let began = Instant::now();
            let mut next = sender.work();
            while sender.naming.is_empty() {
                let at = next.expect("it has a record");
                assert!(at > Instant::now(), "it is not to look again and again");
                sleep_until(at).await;
                next = sender.work();
            }
            pauses.push(began.elapsed());
        }
        assert!(pauses[0] >= Duration::from_millis(80), "{pauses:?}");
        assert!(pauses[0] < pauses[1] && pauses[1] < pauses[2], "they double: {pauses:?}");
    }
}
