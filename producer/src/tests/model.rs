//! A broker with one partition that keeps the rules of idempotent producers, and makes trouble by
//! chance.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use logboom_client::BrokerAddress;
use logboom_client::testing::Arrived;
use logboom_protocol::messages::init_producer_id::InitProducerIdResponse;
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use logboom_protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use logboom_protocol::records::{CheckedBatch, Codec, Inflater};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ApiKey, ErrorCode};

/// How many batches of a producer a broker knows (KIP-98).
const KNOWN: usize = 5;
/// Numbers that the troubled broker refuses: those that this divides.
const REFUSED: u32 = 17;
/// The most records of a batch that the troubled broker takes.
const RECORDS_MAX: i32 = 1;

/// Numbers by chance, the same for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) address: Option<BrokerAddress>,
    /// Partitions that it tells of beyond the one whose rules it keeps.
    pub(super) further_partitions: i32,
    pub(super) log: Vec<u32>,
    /// Batches that came, appended or not.
    pub(super) batches: usize,
    /// Those of batches that were appended.
    pub(super) codecs: Vec<Codec>,
    /// Whether it answers no batch.
    pub(super) is_silent: bool,
    /// What it says to who asks for a producer's id.
    pub(super) naming: ErrorCode,
    pub(super) producers: BTreeMap<i64, Known>,
    pub(super) chance: Option<Chance>,
}

#[derive(Debug)]
pub(super) struct Known {
    epoch: i16,
    /// First and last number, and the first offset.
    batches: VecDeque<(i32, i32, i64)>,
}

impl Broker {
    /// One that goes wrong by chance, and refuses some records.
    pub(super) fn troubled(seed: u64) -> Self {
        Self { chance: Some(Chance::new(seed ^ 0xdead_beef)), ..Self::default() }
    }

    /// Whether it never appends that number.
    pub(super) fn refuses(&self, number: u32) -> bool {
        self.chance.is_some() && number.is_multiple_of(REFUSED)
    }

    pub(super) fn answer(&mut self, asked: &Arrived) -> Option<Bytes> {
        match asked.api {
            ApiKey::Metadata => Some(asked.answer(&self.metadata(&asked.decode()))),
            ApiKey::InitProducerId => Some(asked.answer(&InitProducerIdResponse {
                error_code: self.naming,
                producer_id: 40,
                producer_epoch: 0,
                ..InitProducerIdResponse::default()
            })),
            ApiKey::Produce => self.produce(asked),
            other => panic!("{other} isn't asked for by a producer"),
        }
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let address = self.address.clone().unwrap();
        let broker = MetadataResponseBroker {
            node_id: 0,
            host: address.host.into(),
            port: address.port.into(),
            rack: None,
        };
        let partition = |partition_index| MetadataResponsePartition {
            partition_index,
            ..MetadataResponsePartition::default()
        };
        let topic = |name: &str| {
            let exists = name == "t";
            let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            MetadataResponseTopic {
                error_code: if exists { ErrorCode::NONE } else { unknown },
                name: Some(name.into()),
                topic_id: Uuid([7; 16]),
                partitions: (0..=self.further_partitions).map(partition).collect(),
                ..MetadataResponseTopic::default()
            }
        };
        let names = request.topics.iter().flatten().filter_map(|topic| topic.name.as_deref());
        MetadataResponse {
            brokers: vec![broker],
            topics: names.map(topic).collect(),
            ..MetadataResponse::default()
        }
    }

    /// Appends before, or instead of, what goes wrong.
    fn produce(&mut self, asked: &Arrived) -> Option<Bytes> {
        if self.is_silent {
            return None;
        }
        let request: ProduceRequest = asked.decode();
        let mut answers = Vec::new();
        let mut is_cut = false;
        for partition in request.topic_data.into_iter().flat_map(|topic| topic.partition_data) {
            let trouble = self.chance.as_mut().map_or(u64::MAX, |chance| chance.below(12));
            let early = match trouble {
                0 => Some(ErrorCode::NOT_LEADER_OR_FOLLOWER),
                1 => Some(ErrorCode::NOT_ENOUGH_REPLICAS),
                2 => {
                    is_cut = true;
                    Some(ErrorCode::NONE)
                }
                _ => None,
            };
            let mut answer = match early {
                Some(error_code) => {
                    PartitionProduceResponse { error_code, ..PartitionProduceResponse::default() }
                }
                None => self.append(partition.records.unwrap()),
            };
            let late = match trouble {
                3 => ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                4 => ErrorCode::REQUEST_TIMED_OUT,
                5 | 6 => {
                    is_cut = true;
                    ErrorCode::NONE
                }
                _ => ErrorCode::NONE,
            };
            if answer.error_code.is_none() {
                answer.error_code = late;
            }
            if trouble == 6 {
                self.restart();
            }
            answer.index = partition.index;
            answers.push(answer);
        }
        let topic = TopicProduceResponse {
            topic_id: Uuid([7; 16]),
            partition_responses: answers,
            ..TopicProduceResponse::default()
        };
        let answer = ProduceResponse { responses: vec![topic], ..ProduceResponse::default() };
        (!is_cut).then(|| asked.answer(&answer))
    }

    /// It knows the last batch of each producer only.
    fn restart(&mut self) {
        for known in self.producers.values_mut() {
            known.batches.drain(..known.batches.len().saturating_sub(1));
        }
    }

    fn append(&mut self, records: Bytes) -> PartitionProduceResponse {
        self.batches += 1;
        let told = |error_code, base_offset| PartitionProduceResponse {
            error_code,
            base_offset,
            ..PartitionProduceResponse::default()
        };
        let batch = CheckedBatch::check(records).unwrap();
        let header = *batch.header();
        let (first, last) = (header.base_sequence, header.base_sequence + header.last_offset_delta);
        let known = self.producers.entry(header.producer_id);
        let known = known.or_insert_with(|| Known { epoch: -1, batches: VecDeque::new() });
        if header.producer_epoch < known.epoch {
            return told(ErrorCode::INVALID_PRODUCER_EPOCH, -1);
        }
        let is_same = header.producer_epoch == known.epoch;
        if let Some((.., base)) =
            known.batches.iter().find(|one| is_same && (one.0, one.1) == (first, last))
        {
            return told(ErrorCode::NONE, *base);
        }
        let expected = known.batches.back().filter(|_| is_same).map_or(0, |one| one.1 + 1);
        // Of a producer that it doesn't know a broker takes any number.
        if first != expected && known.epoch >= 0 {
            return told(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
        }
        if self.chance.is_some() && header.record_count > RECORDS_MAX {
            return told(ErrorCode::MESSAGE_TOO_LARGE, -1);
        }
        let records = batch.records(&mut Inflater::new(1 << 20)).unwrap();
        let number = |value: &[u8]| str::from_utf8(value).unwrap().parse().unwrap_or_default();
        let numbers: Vec<u32> =
            records.iter().map(|record| number(record.unwrap().value.unwrap())).collect();
        if self.chance.is_some() && numbers.iter().any(|one| one.is_multiple_of(REFUSED)) {
            return told(ErrorCode::INVALID_RECORD, -1);
        }
        let base = i64::try_from(self.log.len()).unwrap();
        if !is_same {
            known.batches.clear();
            known.epoch = header.producer_epoch;
        }
        known.batches.push_back((first, last, base));
        if known.batches.len() > KNOWN {
            known.batches.pop_front();
        }
        self.log.extend(numbers);
        self.codecs.push(batch.codec().unwrap());
        told(ErrorCode::NONE, base)
    }
}

/// The answer to a request all of whose batches were appended.
pub(super) fn acknowledge(request: &ProduceRequest) -> ProduceResponse {
    let topics = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|one| PartitionProduceResponse {
                index: one.index,
                ..PartitionProduceResponse::default()
            })
            .collect(),
    });
    ProduceResponse { responses: topics.collect(), ..ProduceResponse::default() }
}
