//! The task that sends: it takes what the queues have, finds the brokers that lead their
//! partitions, and hands back what has become of it.
//!
//! ```text
//!   listed queues ─▶ place ─▶ the leader's outbox ── a batch each ──▶ request ─▶ settle
//!         ▲            │ no leader: a pause, or ask for metadata                   │
//!         └────────────┴───────────────────────────────────────────────────────────┘
//! ```
//!
//! **Invariant:** a broker gets the requests in the order in which they were made, though each is
//! encoded on a task of its own; so batches of a partition arrive in their order.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

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

/// Between two looks for what is too old.
const EXPIRY_INTERVAL: Duration = Duration::from_millis(250);

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
    /// Queues of topics that are asked for, by the topics' names.
    homeless: HashMap<Arc<str>, Queues>,
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
    next_expiry: Instant,
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
            lookups: JoinSet::new(),
            paused: BTreeMap::new(),
            failures: 0,
            producer: None,
            naming: JoinSet::new(),
            refusals: 0,
            naming_at: None,
            next_expiry: Instant::now() + EXPIRY_INTERVAL,
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
                () = sleep_until(next) => {}
            }
            while let Some(answered) = self.requests.try_join_next() {
                self.settle(answered);
            }
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

    /// Does all that can be done now; returns when to look again.
    fn work(&mut self) -> Instant {
        let now = Instant::now();
        if now >= self.next_expiry {
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
        [lingering, paused, naming].into_iter().flatten().fold(self.next_expiry, Instant::min)
    }

    fn expire(&mut self, now: Instant) {
        self.next_expiry = now + EXPIRY_INTERVAL;
        let limits = &self.accumulator.settings.queue;
        let late: u64 =
            self.accumulator.queues().iter().map(|queue| queue.lock().expire(now, limits)).sum();
        metrics::failed(late);
    }

    /// Puts a listed queue where its partition's leader is, if that is known.
    fn place(&mut self, queue: Arc<PartitionQueue>, now: Instant) {
        let Some(topic) = self.cluster.known_topic(&queue.topic) else {
            return self.look_up(queue);
        };
        match topic.leader(queue.partition) {
            Ok(broker_id) => {
                self.outboxes.entry(broker_id).or_default().queues.push_back(queue);
            }
            Err(error) => {
                self.cluster.forget(&queue.topic);
                queue.lock().blame(&error);
                self.pause(queue, now + self.cluster.config().backoff(0));
            }
        }
    }

    fn pause(&mut self, queue: Arc<PartitionQueue>, until: Instant) {
        self.paused.entry(until).or_default().push(queue);
    }

    fn look_up(&mut self, queue: Arc<PartitionQueue>) {
        let name = Arc::clone(&queue.topic);
        let homeless = self.homeless.entry(Arc::clone(&name)).or_default();
        homeless.push(queue);
        if homeless.len() == 1 {
            let cluster = self.cluster.clone();
            self.lookups.spawn(async move {
                let topic = cluster.topic(&name).await;
                (name, topic)
            });
        }
    }

    fn take_topic(&mut self, found: Result<Found, JoinError>) {
        let Ok((name, topic)) = found else {
            // Whose topic it was asking for isn't known, and they would wait for ever.
            return self.accumulator.end(&ProduceError::Closed);
        };
        let homeless = self.homeless.remove(&name).unwrap_or_default();
        let now = Instant::now();
        match topic {
            Ok(topic) => {
                self.failures = 0;
                // It ends only with the queues.
                drop(self.accumulator.learn(&topic));
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
            let Some(topic) = self.cluster.known_topic(&queue.topic) else {
                self.paused.entry(now).or_default().push(queue);
                continue;
            };
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
        let Ok(Answered { broker_id, batches }) = answered else {
            // It has dropped its batches, which settled them; their order is lost with them.
            return self.accumulator.end(&ProduceError::Closed);
        };
        if let Some(outbox) = self.outboxes.get_mut(&broker_id) {
            outbox.under_way -= 1;
        }
        let now = Instant::now();
        for (queue, batch, verdict) in batches {
            metrics::answered(&batch, &verdict);
            self.heed(broker_id, &queue, &batch, &verdict);
            let mut held = queue.lock();
            held.settle(batch, verdict, now);
            let has_work = held.has_work();
            drop(held);
            if has_work && !queue.list() {
                self.place(queue, now);
            }
        }
    }

    /// Doubts what an answer shows to be out of date.
    fn heed(&mut self, broker_id: i32, queue: &PartitionQueue, batch: &Batch, verdict: &Verdict) {
        match verdict {
            Verdict::Again { error, .. } if error.is_stale_metadata() => {
                self.cluster.doubt_leader(&queue.topic, queue.partition, broker_id);
            }
            // It begins anew with another id where there is no further epoch.
            Verdict::OutOfOrder { .. }
                if batch.numbers.is_some_and(|own| own.epoch == i16::MAX) =>
            {
                self.producer = None;
            }
            _ => {}
        }
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
            Err(_) => self.accumulator.end(&ProduceError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, Producer, Record};
    use logboom_client::{BrokerAddress, ClientConfig, Partition};
    use logboom_protocol::units::Uuid;

    /// A sender that reaches nobody, with a record for the one partition of topic `t`.
    async fn sender() -> (Sender, Delivery) {
        let settings = Producer::builder().settings().unwrap();
        let accumulator = Arc::new(Accumulator::new(settings));
        let partitions = vec![Partition { leader: Some(0), ..Partition::default() }];
        let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
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
        let outcome = tokio::time::timeout(EXPIRY_INTERVAL, delivery).await.unwrap();
        assert!(matches!(outcome, Err(ProduceError::Closed)), "{outcome:?}");
        assert!(sender.is_over());
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
                assert!(next > Instant::now(), "it is not to look again and again");
                sleep_until(next).await;
                next = sender.work();
            }
            pauses.push(began.elapsed());
        }
        assert!(pauses[0] >= Duration::from_millis(80), "{pauses:?}");
        assert!(pauses[0] < pauses[1] && pauses[1] < pauses[2], "they double: {pauses:?}");
    }
}
