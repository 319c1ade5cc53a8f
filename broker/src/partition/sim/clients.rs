//! Clients: idempotent producers that send again what wasn't acknowledged.

use std::collections::VecDeque;

use tokio::sync::oneshot::{self, error::TryRecvError};

use logboom_protocol::records::{BatchBuilder, Codec, Inflater, ProducedBatch, ProducerState};

use super::chance::Chance;
use super::cluster::Cluster;
use super::groups::METADATA_GROUP;
use super::oracle::Violation;
use super::plan::SECOND;
use super::queue::Event;
use crate::partition::{Append, AppendError, Appended, Command, Until};

type Reply = oneshot::Receiver<Result<Appended, AppendError>>;

/// Batches of a client and group that are not acknowledged.
const IN_FLIGHT_MAX: usize = 3;
/// How long a client waits for an answer.
const PATIENCE: u64 = SECOND;

/// A producer.
pub(super) struct Client {
    pub(super) id: i64,
    /// What it has sent to each group.
    pub(super) outbox: Vec<Outbox>,
}

#[derive(Default)]
pub(super) struct Outbox {
    next_sequence: i32,
    pub(super) unacknowledged: VecDeque<Sent>,
    /// What was acknowledged last, and is sent once more.
    again: Option<Sent>,
}

/// A batch.
pub(super) struct Sent {
    sequence: i32,
    count: i32,
    is_acknowledged: bool,
    /// Where it was sent to, at what time, and where the answer comes.
    way: Option<(usize, u64, Reply)>,
}

impl Client {
    /// No answer comes from a broker any more.
    pub(super) fn forget(&mut self, at: usize) {
        let outboxes = self.outbox.iter_mut();
        let all = outboxes.flat_map(|it| it.unacknowledged.iter_mut().chain(&mut it.again));
        all.for_each(|sent| _ = sent.way.take_if(|way| way.0 == at));
    }

    pub(super) fn new(index: usize) -> Self {
        // Nobody produces to the metadata log.
        Self { id: 1_000 + i64::try_from(index).unwrap(), outbox: vec![Outbox::default()] }
    }

    /// A group is gone.
    pub(super) fn give_up(&mut self, group: usize) {
        self.outbox[group] = Outbox::default();
    }
}

/// What a client sends under a sequence number; the same whenever it does.
fn batch(producer: i64, group: usize, sequence: i32, count: i32) -> ProducedBatch {
    let seed =
        producer.cast_unsigned() << 40 | (group as u64) << 32 | u64::from(sequence.cast_unsigned());
    let mut chance = Chance::new(seed);
    let state =
        ProducerState { id: producer, epoch: 0, base_sequence: sequence, transactional: false };
    let mut builder = BatchBuilder::new(Codec::None).producer(state);
    for record in 0..count {
        let bytes = chance.pick(&[8, 50, 50, 400, 3_000]);
        let mut value = vec![chance.next().to_be_bytes()[0]; bytes];
        value[..4].copy_from_slice(&(sequence + record).to_be_bytes());
        builder.append(1, None, Some(&value), &[]).unwrap();
    }
    ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap()
}

impl Cluster {
    /// A client sends something new, or again.
    pub(super) fn request(&mut self) -> Result<(), Violation> {
        if !self.is_calm {
            let time = self.now + self.chance.between(1, 2 * self.plan.requests);
            self.queue.push(time, Event::Request);
        }
        let client = self.chance.index(self.plan.clients);
        let groups = METADATA_GROUP + 1..self.subjects.len();
        let there = groups.filter(|group| !self.subjects[*group].is_deleted);
        let there: Vec<usize> = there.collect();
        if there.is_empty() {
            return Ok(());
        }
        let group = self.chance.pick(&there);
        self.send_records(client, group, true);
        if self.chance.permille(10) {
            self.delete_records(group);
        }
        Ok(())
    }

    /// Where a client takes a group to be led; sometimes it is mistaken.
    fn supposed_leader(&mut self, group: usize) -> Option<usize> {
        let key = self.subjects[group].key;
        let up: Vec<usize> =
            (0..self.brokers.len()).filter(|at| self.brokers[*at].runs()).collect();
        let leads = |at: &usize| {
            let process = self.brokers[*at].process.as_ref();
            let partition = process.and_then(|it| it.registry.get(key.topic_id, key.partition));
            partition.is_some_and(|it| it.leads())
        };
        let leaders: Vec<usize> = up.iter().copied().filter(leads).collect();
        let from = if leaders.is_empty() || self.chance.permille(20) { &up } else { &leaders };
        (!from.is_empty()).then(|| self.chance.pick(from))
    }

    /// Sends what isn't on its way, and something new where there is room for it.
    pub(super) fn send_records(&mut self, client: usize, group: usize, is_new_wanted: bool) {
        if group == METADATA_GROUP || self.subjects[group].is_deleted {
            return;
        }
        let Some(at) = self.supposed_leader(group) else { return };
        let (now, count) = (self.now, i32::try_from(self.chance.between(1, 3)).unwrap());
        let id = self.clients[client].id;
        let repeats = self.chance.permille(50);
        let outbox = &mut self.clients[client].outbox[group];
        let is_late = |sent: &Sent| {
            // What comes behind goes the same way.
            let is_waiting =
                |(to, since, _): &(usize, u64, _)| *to == at && now <= since + PATIENCE;
            !sent.is_acknowledged && !sent.way.as_ref().is_some_and(is_waiting)
        };
        let mut sendable: Vec<&mut Sent> = Vec::new();
        if outbox.unacknowledged.iter().any(is_late) {
            let sent = outbox.unacknowledged.iter_mut();
            sendable.extend(sent.filter(|sent| !sent.is_acknowledged));
        } else if is_new_wanted && outbox.unacknowledged.len() < outbox.in_flight_max() {
            let sequence = outbox.next_sequence;
            outbox.next_sequence += count;
            outbox.unacknowledged.push_back(Sent {
                sequence,
                count,
                is_acknowledged: false,
                way: None,
            });
            sendable.extend(outbox.unacknowledged.back_mut());
        } else if repeats {
            sendable.extend(outbox.again.as_mut());
        }
        let key = self.subjects[group].key;
        let process = self.brokers[at].process.as_ref();
        let partition = process.and_then(|it| it.registry.get(key.topic_id, key.partition));
        let Some(partition) = partition else { return };
        let mut appends = Vec::new();
        for sent in sendable {
            let (reply, receiver) = oneshot::channel();
            sent.way = Some((at, now, receiver));
            appends.push(Append {
                partition: partition.clone(),
                batch: batch(id, group, sent.sequence, sent.count),
                until: Until::Committed,
                epoch: None,
                reply,
                permit: None,
            });
        }
        if !appends.is_empty() {
            self.say(at, Command::Append(appends));
        }
    }

    /// Looks at the answers of a broker that had its turn.
    pub(super) fn take_replies(&mut self, at: usize) -> Result<(), Violation> {
        let mut acknowledged = Vec::new();
        for client in &mut self.clients {
            for (group, outbox) in client.outbox.iter_mut().enumerate() {
                outbox.take_replies(at, |sequence, appended| {
                    acknowledged.push((client.id, group, sequence, appended));
                });
            }
        }
        for (producer, group, sequence, appended) in acknowledged {
            let offset = appended.base_offset;
            self.subjects[group].note_acknowledged(at, producer, sequence, offset)?;
        }
        Ok(())
    }

    /// Whether everything that was sent is acknowledged.
    pub(super) fn is_all_acknowledged(&self) -> bool {
        let mut outboxes = self.clients.iter().flat_map(|client| &client.outbox);
        outboxes.all(|outbox| outbox.unacknowledged.is_empty())
    }

    /// Records before some batch are to be deleted.
    fn delete_records(&mut self, group: usize) {
        let Some(at) = self.supposed_leader(group) else { return };
        let Some(offset) = self.subjects[group].some_offset(&mut self.chance) else { return };
        let key = self.subjects[group].key;
        // Nobody waits for the answer.
        self.say(at, Command::DeleteRecords(key, offset, oneshot::channel().0));
    }
}

impl Outbox {
    /// Of a producer that isn't known yet any batch is taken for the first, as in the reference.
    fn in_flight_max(&self) -> usize {
        if self.again.is_some() { IN_FLIGHT_MAX } else { 1 }
    }

    fn take_replies(&mut self, at: usize, mut acknowledge: impl FnMut(i32, Appended)) {
        for sent in self.unacknowledged.iter_mut().chain(&mut self.again) {
            let Some((from, _, reply)) = &mut sent.way else { continue };
            if *from != at {
                continue;
            }
            match reply.try_recv() {
                Ok(Ok(appended)) => {
                    acknowledge(sent.sequence, appended);
                    (sent.is_acknowledged, sent.way) = (true, None);
                }
                Err(TryRecvError::Empty) => {}
                Ok(Err(_)) | Err(TryRecvError::Closed) => sent.way = None,
            }
        }
        let unacknowledged = &mut self.unacknowledged;
        while let Some(sent) = unacknowledged.pop_front_if(|sent| sent.is_acknowledged) {
            self.again = Some(sent);
        }
    }
}
