//! When ticks are due, and what they do to a whole broker. The time is the tests' own.

use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use logboom_protocol::messages::describe_producers::{DescribeProducersRequest, TopicRequest};
use logboom_protocol::messages::init_producer_id::InitProducerIdRequest;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use logboom_protocol::records::{BatchBuilder, Codec, ProducerState};
use logboom_protocol::{ApiKey, CompactString, ErrorCode};

use super::*;
use crate::testing::TestBroker;

const INTERVALS: Intervals =
    Intervals { initial_delay_ms: 30_000, retention_ms: 300_000, expiry_ms: 600_000 };

/// What a schedule tells until `until_ms`, each with the time at which it was asked, which is as
/// much after the time that it was due at as `late_ms` says.
fn told(until_ms: i64, late_ms: i64) -> Vec<(i64, Vec<Tick>)> {
    let mut schedule = Schedule::new(INTERVALS);
    let mut told = Vec::new();
    while schedule.next_ms() <= until_ms {
        let now_ms = schedule.next_ms() + late_ms;
        told.push((now_ms, schedule.take_due(now_ms, INTERVALS)));
    }
    told
}

#[test]
fn the_first_ticks_come_soon_after_the_start_and_the_others_at_their_intervals() {
    let (retain, expire) = (Tick::Retain, Tick::ExpireProducers);
    let expected = [
        (30_000, vec![retain, expire]),
        (330_000, vec![retain]),
        (630_000, vec![retain, expire]),
        (930_000, vec![retain]),
    ];
    assert_eq!(told(1_000_000, 0), expected);
}

#[test]
fn a_tick_that_comes_late_is_not_caught_up_with() {
    let late: Vec<i64> = told(700_000, 7).into_iter().map(|(now_ms, _)| now_ms).collect();
    assert_eq!(late, [30_007, 330_014, 630_014]);
}

#[test]
fn nothing_is_due_before_its_time() {
    let mut schedule = Schedule::new(INTERVALS);
    assert_eq!(schedule.take_due(29_999, INTERVALS), []);
    assert_eq!(schedule.next_ms(), 30_000);
}

#[test]
fn an_interval_of_nothing_still_passes_time() {
    let none = Intervals { initial_delay_ms: 0, retention_ms: 0, expiry_ms: 0 };
    let mut schedule = Schedule::new(none);
    assert_eq!(schedule.take_due(0, none).len(), 2);
    assert_eq!(schedule.next_ms(), 1);
}

/// A broker with a topic `t` that is configured so.
fn broker_with(configs: &[(&str, &str)]) -> TestBroker {
    let broker = TestBroker::start();
    let config = |&(name, value): &(&str, &str)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let topic = CreatableTopic {
        name: "t".into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
    assert_eq!(broker.request(&request, 7).topics[0].error_code, ErrorCode::NONE);
    broker
}

/// Produces a batch of one record; its base offset, or why not.
fn produce(
    broker: &TestBroker,
    timestamp: i64,
    bytes: usize,
    producer: Option<ProducerState>,
) -> Result<i64, ErrorCode> {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    builder.append(timestamp, None, Some(&vec![b'x'; bytes]), &[]).unwrap();
    let records = Some(builder.build().unwrap());
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let name = CompactString::from("t");
    let topic = TopicProduceData { name, partition_data, ..TopicProduceData::default() };
    let topic_data = vec![topic];
    let request = ProduceRequest { acks: -1, timeout_ms: 60_000, topic_data, ..Default::default() };
    let ProduceResponse { responses, .. } = broker.request(&request, 12);
    let answer = &responses[0].partition_responses[0];
    if answer.error_code == ErrorCode::NONE {
        Ok(answer.base_offset)
    } else {
        Err(answer.error_code)
    }
}

/// The first offset that the partition keeps.
fn log_start(broker: &TestBroker) -> i64 {
    let partition = ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() };
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { topics, ..ListOffsetsRequest::default() };
    broker.request(&request, 9).topics[0].partitions[0].offset
}

/// Ids of the producers that the partition knows.
fn producers(broker: &TestBroker) -> Vec<i64> {
    let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0] };
    let response = broker.request(&DescribeProducersRequest { topics: vec![topic] }, 0);
    response.topics[0].partitions[0].active_producers.iter().map(|p| p.producer_id).collect()
}

/// A tick at a time of the test's, done when what is asked for next is.
fn tick(broker: &TestBroker, tick: Tick, now_ms: i64) {
    tell(broker.broker().node(), tick, now_ms);
    // Nothing is deleted. The answer stands behind the tick, and the flush that it may have begun.
    let partition = DeleteRecordsPartition { partition_index: 0, offset: 0 };
    let topics = vec![DeleteRecordsTopic { name: "t".into(), partitions: vec![partition] }];
    let answer = broker.request(&DeleteRecordsRequest { topics, timeout_ms: 60_000 }, 2);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::NONE);
}

const DAY_MS: i64 = 86_400_000;

#[test]
fn retention_drops_whole_segments_that_are_older_than_the_topic_keeps() {
    let broker = broker_with(&[("retention.ms", "3600000"), ("segment.ms", "1000")]);
    let begun = now_ms();
    for i in 0..6 {
        // Two batches a segment.
        assert_eq!(produce(&broker, begun + i * 600, 10, None), Ok(i));
    }
    tick(&broker, Tick::Retain, begun + 3_600_000);
    assert_eq!(log_start(&broker), 0, "nothing is too old yet");
    tick(&broker, Tick::Retain, begun + 3_600_000 + 601);
    assert_eq!(log_start(&broker), 2, "the newest record of the first segment is");
    tick(&broker, Tick::Retain, begun + DAY_MS);
    let start = log_start(&broker);
    assert_eq!(produce(&broker, now_ms(), 10, None), Ok(6), "offsets go on");
    assert!((4..=6).contains(&start), "{start}");
}

#[test]
fn records_without_a_timestamp_are_not_too_old() {
    let broker = broker_with(&[("retention.ms", "1")]);
    assert_eq!(produce(&broker, -1, 10, None), Ok(0));
    tick(&broker, Tick::Retain, now_ms() + 365 * DAY_MS);
    assert_eq!(log_start(&broker), 0);
    assert_eq!(produce(&broker, now_ms(), 10, None), Ok(1));
    tick(&broker, Tick::Retain, now_ms() + DAY_MS);
    assert_eq!(log_start(&broker), 2, "they go with what came behind them");
}

#[test]
fn retention_drops_whole_segments_beyond_the_bytes_that_the_topic_keeps() {
    let broker = broker_with(&[("retention.bytes", "250000"), ("segment.ms", "1000")]);
    let begun = now_ms();
    for i in 0..6 {
        assert_eq!(produce(&broker, begun + i * 1_001, 100_000, None), Ok(i));
    }
    assert_eq!(log_start(&broker), 0);
    tick(&broker, Tick::Retain, begun);
    // What is kept is never less than was asked for.
    assert_eq!(log_start(&broker), 3);
    tick(&broker, Tick::Retain, begun);
    assert_eq!(log_start(&broker), 3, "once is enough");
}

#[test]
fn a_producer_that_is_silent_for_too_long_is_forgotten_and_not_sooner() {
    let broker = broker_with(&[]);
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let id = broker.request(&request, ApiKey::InitProducerId.versions().max).producer_id;
    let state =
        |base_sequence| Some(ProducerState { id, epoch: 0, base_sequence, transactional: false });
    let begun = now_ms();
    assert_eq!(produce(&broker, begun, 10, state(0)), Ok(0));
    tick(&broker, Tick::ExpireProducers, begun + DAY_MS - 60_000);
    assert_eq!(producers(&broker), [id]);
    assert_eq!(produce(&broker, begun, 10, state(0)), Ok(0), "a duplicate");
    tick(&broker, Tick::ExpireProducers, begun + DAY_MS + 60_000);
    assert_eq!(producers(&broker), [0; 0]);
    assert_eq!(produce(&broker, begun, 10, state(0)), Ok(1), "nobody knows of it any more");
}
