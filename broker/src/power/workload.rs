//! What clients do while every call of the disk is recorded.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{BatchBuilder, Codec, ProducerState};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

use super::Random;
use super::history::{Deletion, Recorder, Sent, TopicState};
use crate::clock::now_ms;
use crate::testing::TestClient;

/// Partitions of [`DATA`] when it is made.
const PARTITIONS: i32 = 3;
/// The topic that everybody writes to.
const DATA: &str = "data";
/// A topic whose records count before they are flushed, now and then.
const CACHED: &str = "cached";
/// A topic that is deleted and made again.
const CHURN: &str = "churn";
pub(super) const CACHING: &str = "write.caching";
const ALL: i16 = -1;
/// Requests of a producer that are in flight together.
const IN_FLIGHT: usize = 3;

/// A topic with configurations.
fn state(partitions: i32, configs: &[(&str, &str)]) -> TopicState {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    TopicState { id: None, partitions, configs: configs.collect() }
}

/// Makes the topics that the others need, where they aren't there.
///
/// - `caching`: whether records of one of them count before they are flushed, to begin with.
fn prepare(broker: SocketAddr, recorder: &Recorder, caching: &str) {
    let mut admin = Admin::new(broker, recorder, false);
    for (name, state) in [
        // A segment takes about twenty records of all clients.
        (DATA, state(PARTITIONS, &[("segment.ms", "2000")])),
        (CACHED, state(1, &[(CACHING, caching), ("segment.ms", "2000")])),
        (CHURN, state(2, &[])),
    ] {
        if recorder.history().settled(name).is_none() {
            admin.create(name, state);
        }
    }
}

/// Clients at work together: two idempotent producers, a plain one, one of cached records, and one
/// that changes topics.
pub(super) fn concurrent(
    broker: SocketAddr,
    recorder: &Recorder,
    rounds: usize,
    random: &mut Random,
    stopping: &AtomicBool,
) {
    prepare(broker, recorder, "true");
    let clients: Vec<usize> = (0..4).map(|_| recorder.history().new_client()).collect();
    thread::scope(|scope| {
        for (role, client) in clients.into_iter().enumerate() {
            let (mut random, mut producer) =
                (random.fork(), Producer::new(broker, recorder, client, role < 2));
            scope.spawn(move || {
                for _ in 0..rounds {
                    if stopping.load(Ordering::Relaxed) {
                        break;
                    }
                    producer.round(role, &mut random);
                }
                producer.receive_all();
            });
        }
        let mut random = random.fork();
        scope.spawn(move || {
            let mut admin = Admin::new(broker, recorder, false);
            for round in 0..rounds {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                admin.round(round, &mut random);
            }
        });
    });
}

/// Changes of one topic that are so large that the metadata log is written down anew.
pub(super) fn large_configs(broker: SocketAddr, recorder: &Recorder) {
    const BYTES: usize = 1_300_000;
    let mut admin = Admin::new(broker, recorder, true);
    admin.create(DATA, state(1, &[]));
    let mut bytes = 0;
    while bytes < BYTES {
        let first = bytes % 977;
        let replicas = (first..first + 4_500).map(|partition| format!("{partition}:1"));
        let value = replicas.collect::<Vec<_>>().join(",");
        bytes += value.len();
        admin.configure(DATA, "leader.replication.throttled.replicas", &value);
    }
}

/// One client at a time, which waits for each answer; each is a promise, and nearly always the same
/// calls of the disk come in the same order.
pub(super) fn sequential(
    broker: SocketAddr,
    recorder: &Recorder,
    rounds: usize,
    random: &mut Random,
) {
    prepare(broker, recorder, "false");
    let clients: Vec<usize> = (0..4).map(|_| recorder.history().new_client()).collect();
    let mut producers: Vec<Producer<'_>> = clients
        .into_iter()
        .enumerate()
        .map(|(role, client)| Producer::new(broker, recorder, client, role < 2))
        .collect();
    producers.iter_mut().for_each(|producer| producer.is_alone = true);
    let mut admin = Admin::new(broker, recorder, true);
    for round in 0..rounds {
        for (role, producer) in producers.iter_mut().enumerate() {
            producer.round(role, random);
            producer.receive_all();
        }
        admin.round(round, random);
    }
}

/// A client that changes topics, and waits for each answer.
struct Admin<'a> {
    client: TestClient,
    recorder: &'a Recorder,
    /// Whether nothing else is to go on, and everything is to be promised.
    is_alone: bool,
}

impl<'a> Admin<'a> {
    fn new(broker: SocketAddr, recorder: &'a Recorder, is_alone: bool) -> Self {
        Self { client: TestClient::connect(broker), recorder, is_alone }
    }

    /// One of the changes, in turn.
    fn round(&mut self, round: usize, random: &mut Random) {
        let number = i32::try_from(round).unwrap();
        match round % 8 {
            0 => self.configure(DATA, "retention.ms", &(700_000_000 + number).to_string()),
            1 => self.delete_records(number / 8 % PARTITIONS, random),
            2 => self.delete(CHURN),
            3 => {
                let bytes = (1_000_000 + number).to_string();
                self.create(CHURN, state(1 + number / 8 % 3, &[("max.message.bytes", &bytes)]));
            }
            4 => self.grow(CHURN),
            5 => self.create(&format!("extra-{round}-{}", random.next()), state(1, &[])),
            6 if !self.is_alone => self.toggle_caching(),
            _ => self.delete_records(2, random),
        }
    }

    fn create(&mut self, name: &str, state: TopicState) {
        let client = &mut self.client;
        let asked = state.clone();
        let create = || Some(client.create_topic(name, &asked).unwrap());
        self.recorder.change(name, Some(state), create);
    }

    fn delete(&mut self, name: &str) {
        let client = &mut self.client;
        self.recorder.change(name, None, || {
            client.delete_topic(name).unwrap();
            None
        });
    }

    /// What a topic is now; nobody else changes it.
    fn current(&self, name: &str) -> TopicState {
        self.recorder.history().settled(name).expect("it is there").0.clone()
    }

    fn grow(&mut self, name: &str) {
        let before = self.current(name);
        let state = TopicState { partitions: before.partitions + 1, ..before };
        let (client, count) = (&mut self.client, state.partitions);
        self.recorder.change(name, Some(state), || {
            client.grow_topic(name, count).unwrap();
            None
        });
    }

    fn configure(&mut self, name: &str, key: &str, value: &str) {
        let mut state = self.current(name);
        state.configs.insert(key.to_owned(), value.to_owned());
        let client = &mut self.client;
        self.recorder.change(name, Some(state), || {
            client.set_config(name, key, value).unwrap();
            None
        });
    }

    fn toggle_caching(&mut self) {
        let is_on = self.current(CACHED).configs[CACHING] == "true";
        self.configure(CACHED, CACHING, if is_on { "false" } else { "true" });
    }

    fn delete_records(&mut self, partition: i32, random: &mut Random) {
        let topic_id = self.current(DATA).id.expect("it was made");
        let key = GroupKey { topic_id, partition };
        let mut history = self.recorder.history();
        let offset = random.below(history.acked_end(&key) + 1);
        let before = history.deletions.iter().filter(|deletion| deletion.key == key);
        let start = before.map(|deletion| deletion.offset).max().unwrap_or(0);
        let mut deletion = Deletion { span: self.recorder.begin(), key, offset };
        let place = history.deletions.len();
        history.deletions.push(deletion.clone());
        drop(history);
        let moved = self.client.delete_records(DATA, partition, offset);
        assert_eq!(moved, Ok(offset.max(start)));
        self.recorder.acked(&mut deletion.span);
        self.recorder.history().deletions[place] = deletion;
    }
}

/// A client that produces.
struct Producer<'a> {
    connection: TestClient,
    recorder: &'a Recorder,
    client: usize,
    /// Whether nothing else is to go on: a request has one batch.
    is_alone: bool,
    /// Its id, if it is idempotent.
    id: Option<i64>,
    /// The number that its next record of a partition has.
    sequences: BTreeMap<GroupKey, i32>,
    in_flight: VecDeque<Request>,
}

/// Batches that wait for their answer.
struct Request {
    /// Their places in the history.
    sent: Vec<usize>,
    /// What is to be so still for them to be promised, if they may be: the topic, and how often it
    /// has changed.
    promise: Option<(&'static str, usize)>,
}

impl<'a> Producer<'a> {
    fn new(broker: SocketAddr, recorder: &'a Recorder, client: usize, is_idempotent: bool) -> Self {
        let mut connection = TestClient::connect(broker);
        let id = is_idempotent.then(|| {
            let mut span = recorder.begin();
            let id = connection.producer_id().unwrap();
            recorder.acked(&mut span);
            recorder.history().producer_ids.push((span, id));
            id
        });
        let (sequences, in_flight) = (BTreeMap::new(), VecDeque::new());
        Self { connection, recorder, client, is_alone: false, id, sequences, in_flight }
    }

    /// One request of what this one does.
    fn round(&mut self, role: usize, random: &mut Random) {
        if self.in_flight.len() == IN_FLIGHT {
            self.receive();
        }
        let topic = match role {
            0 | 1 => DATA,
            2 if random.below(2) == 0 => CHURN,
            2 => DATA,
            _ => CACHED,
        };
        let found = self.recorder.history().settled(topic).map(|(state, n)| (state.clone(), n));
        let Some((state, changes)) = found else { return };
        let is_cached = state.configs.get(CACHING).is_some_and(|value| value == "true");
        let promise = (!is_cached).then_some((topic, changes));
        let first = i32::try_from(random.below(state.partitions.into())).unwrap();
        let more = i32::from(!self.is_alone && random.below(2) == 0);
        let last = (first + more).min(state.partitions - 1);
        let acks = if random.below(4) == 0 { 1 } else { ALL };
        self.send(state.id.expect("it is settled"), first..=last, acks, promise, random);
    }

    fn send(
        &mut self,
        topic_id: Uuid,
        partitions: impl Iterator<Item = i32>,
        acks: i16,
        promise: Option<(&'static str, usize)>,
        random: &mut Random,
    ) {
        let (mut batches, mut sent) = (Vec::new(), Vec::new());
        for partition in partitions {
            let key = GroupKey { topic_id, partition };
            let one = self.sent(key, random);
            batches.push((partition, one.1));
            let mut history = self.recorder.history();
            sent.push(history.sent.len());
            history.sent.push(one.0);
        }
        self.connection.produce(topic_id, batches, acks);
        self.in_flight.push_back(Request { sent, promise });
    }

    /// A batch, and what is written down of it.
    fn sent(&mut self, key: GroupKey, random: &mut Random) -> (Sent, Bytes) {
        let count = 1 + random.below(3);
        let numbers = self.recorder.numbers(count.try_into().unwrap());
        let mut builder = BatchBuilder::new(Codec::None);
        if let Some(id) = self.id {
            let sequence = self.sequences.entry(key).or_default();
            let base_sequence = *sequence;
            builder = builder.producer(ProducerState {
                id,
                epoch: 0,
                base_sequence,
                transactional: false,
            });
            *sequence += i32::try_from(count).unwrap();
        }
        for number in numbers.clone() {
            let mut value = number.to_be_bytes().to_vec();
            value.resize(8 + usize::try_from(random.below(700)).unwrap(), b'.');
            let timestamp = self.recorder.time_ms() + i64::try_from(number).unwrap() * 100;
            builder.append(timestamp, None, Some(&value), &[]).unwrap();
        }
        let batch = builder.build().unwrap();
        let sent = Sent {
            span: self.recorder.begin(),
            key,
            client: self.client,
            first: numbers.start,
            end: numbers.end,
            base_offset: None,
            promised: false,
            numbered: self.id.map(|_| batch.clone()),
        };
        (sent, batch)
    }

    fn receive_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.receive();
        }
    }

    /// Waits for the answer to the oldest request.
    fn receive(&mut self) {
        let Request { sent, promise } = self.in_flight.pop_front().expect("something is asked for");
        let answers = self.connection.produced();
        let mut history = self.recorder.history();
        // A topic may be configured so that an acknowledgement promises less, or may be deleted,
        // while the request is under way.
        let promised = promise.is_some_and(|(topic, changes)| {
            topic != CACHED || history.settled(topic).is_some_and(|(_, now)| now == changes)
        });
        for (place, answer) in sent.into_iter().zip(answers) {
            let sent = &mut history.sent[place];
            match answer.error_code {
                ErrorCode::NONE => {
                    self.recorder.acked(&mut sent.span);
                    (sent.base_offset, sent.promised) = (Some(answer.base_offset), promised);
                }
                // Its topic is deleted.
                ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                | ErrorCode::NOT_LEADER_OR_FOLLOWER
                    if self.id.is_none() => {}
                code => panic!("{sent:?}: {code:?}"),
            }
        }
    }
}

/// When the records of a run are from, in milliseconds since the Unix epoch: not long ago, so that
/// what comes later isn't in the future.
pub(super) fn base_time_ms() -> i64 {
    now_ms() - 40_000_000
}
