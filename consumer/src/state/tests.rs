//! Plan: a scripted life of the state, without any broker: what it plans is answered by hand.

mod begin;
mod brokers;
mod commits;
mod lag;
mod order;
mod room;
mod stuck;
mod truncation;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use logboom_client::{
    ClientError, CommittedOffset, EpochEnd, FoundOffset, OffsetSpec, Partition, Topic,
};
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use logboom_protocol::records::{BatchBuilder, BatchHeader, Codec, Inflater, layout};
use logboom_protocol::units::Uuid;

use super::*;
use crate::OffsetReset;

const ID: Uuid = Uuid([7; 16]);

fn place(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn batch(base_offset: i64, count: i32, epoch: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..count {
        builder.append(1, None, Some(&[0; 50]), &[]).unwrap();
    }
    let mut bytes = builder.build().unwrap().to_vec();
    let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
    (header.base_offset, header.leader_epoch) = (base_offset, epoch);
    bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
    bytes
}

/// A consumer's state, and the cluster that answers it.
struct Life {
    state: State,
    now: Instant,
    /// Of topic `t`.
    partitions: i32,
    leader: i32,
    epoch: i32,
}

impl Life {
    fn new(config: ConsumerConfig) -> Self {
        let state = State::new(Arc::new(config));
        Self { state, now: Instant::now(), partitions: 2, leader: 1, epoch: 3 }
    }

    fn assigned(config: ConsumerConfig, start: Start) -> Self {
        let mut life = Self::new(config);
        life.state.assign((0..2).map(|one| (place(one), Some(start))).collect());
        life
    }

    fn topic(&self) -> Arc<Topic> {
        let partition = |index| Partition {
            index,
            leader: Some(self.leader),
            leader_epoch: self.epoch,
            replicas: Vec::new(),
            in_sync: Vec::new(),
            offline: Vec::new(),
        };
        let partitions = (0..self.partitions).map(partition).collect();
        Arc::new(Topic { name: "t".to_owned(), id: ID, is_internal: false, partitions })
    }

    /// What is to be asked now, with all but fetches answered: searches by offset 10.
    fn fetches(&mut self) -> Vec<Fetch> {
        let mut fetches = Vec::new();
        for _ in 0..10 {
            let (actions, _) = self.state.plan(self.now);
            for action in actions {
                match action {
                    Action::LookUp { topic, .. } => {
                        self.state.take_topic(&topic, Ok(self.topic()), self.now);
                    }
                    Action::Search { questions, .. } => {
                        let found = |one: &Question| {
                            Ok(FoundOffset {
                                partition: one.place.partition,
                                offset: Some(10),
                                timestamp: None,
                                leader_epoch: None,
                            })
                        };
                        let found = questions.iter().map(found).collect();
                        self.state.take_found(&questions, found, self.now);
                    }
                    Action::Fetch(fetch) => fetches.push(fetch),
                    other => panic!("{other:?}"),
                }
            }
        }
        fetches
    }

    fn answer(&mut self, partitions: Vec<PartitionData>) {
        self.answer_by(1, partitions);
    }

    fn answer_by(&mut self, broker: i32, partitions: Vec<PartitionData>) {
        let topic = FetchableTopicResponse { topic_id: ID, partitions, ..Default::default() };
        let response =
            FetchResponse { session_id: 9, responses: vec![topic], ..Default::default() };
        self.state.take_fetched(broker, Ok(response), self.now);
    }

    /// The offsets of what is handed out next.
    fn taken(&mut self) -> Option<(i32, Vec<i64>)> {
        let mut taken = self.state.take()?;
        let (mut inflater, mut offsets) = (Inflater::new(1 << 20), Vec::new());
        while let Some((record, _)) = taken.haul.next_record(&mut inflater).unwrap() {
            offsets.push(record.offset);
        }
        self.state.settle(&taken);
        Some((taken.place.partition, offsets))
    }

    fn error(&mut self) -> String {
        self.state.next_error().expect("an error").to_string()
    }
}

fn data(partition_index: i32, records: Vec<u8>) -> PartitionData {
    PartitionData {
        partition_index,
        high_watermark: 100,
        last_stable_offset: 90,
        records: Some(records.into()),
        preferred_read_replica: -1,
        current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
        ..PartitionData::default()
    }
}

fn refused(partition: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData { error_code, ..data(partition, Vec::new()) }
}

/// The partitions that a request names, and from where on.
fn asked(fetch: &Fetch) -> Vec<(i32, i64)> {
    let topics = fetch.request.topics.iter().flat_map(|topic| &topic.partitions);
    topics.map(|one| (one.partition, one.fetch_offset)).collect()
}

fn earliest() -> ConsumerConfig {
    ConsumerConfig { reset: OffsetReset::Earliest, ..ConsumerConfig::default() }
}

fn no_reset() -> ConsumerConfig {
    ConsumerConfig { reset: OffsetReset::None, ..ConsumerConfig::default() }
}

/// Partition 0 alone, of which 10 to 13 wait, written in epoch 3.
fn waiting(config: ConsumerConfig) -> Life {
    let mut life = Life::assigned(config, Start::Offset(10));
    life.state.remove(&[place(1)]);
    life.fetches();
    life.answer(vec![data(0, batch(10, 4, 3))]);
    life
}
