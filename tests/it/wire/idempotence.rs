//! Statements 39 to 45: producers that send again.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use logboom_protocol::messages::init_producer_id::InitProducerIdRequest;
use logboom_protocol::records::{BatchBuilder, Codec, ProducerState};
use logboom_tests::broker::{Broker, shared};
use logboom_tests::raw::Raw;

use super::{LOOKS_MAX, PRODUCE, batch, made, new_topic, now_ms, offset_of, produce};

/// A producer id that no other test uses.
pub(super) fn producer_id() -> i64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(time.as_nanos()).unwrap()
}

/// Two records of a producer.
pub(super) fn sequenced(id: i64, epoch: i16, base_sequence: i32) -> Bytes {
    let producer = ProducerState { id, epoch, base_sequence, transactional: false };
    let mut builder = BatchBuilder::new(Codec::None).producer(producer);
    for _ in 0..2 {
        builder.append(now_ms(), Some(b"k"), Some(b"v"), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// Sends it; the error and the base offset.
pub(super) fn sent(raw: &mut Raw, topic: &str, records: &Bytes) -> (ErrorCode, i64) {
    let answer = produce(raw, PRODUCE, topic, records.clone());
    (answer.error_code, answer.base_offset)
}

#[test]
fn wire_39_any_of_the_last_five_batches_may_be_sent_again_and_is_taken_once() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "again");
    let id = producer_id();
    let batches: Vec<Bytes> = (0..7).map(|index| sequenced(id, 0, index * 2)).collect();
    for (batch, index) in batches.iter().zip(0..) {
        assert_eq!(sent(&mut raw, &topic, batch), (ErrorCode::NONE, index * 2));
    }
    for (batch, index) in batches.iter().zip(0..).skip(2) {
        assert_eq!(sent(&mut raw, &topic, batch), (ErrorCode::NONE, index * 2), "{index}");
    }
    // What is older is known to be a duplicate, or isn't known at all.
    let (code, _) = sent(&mut raw, &topic, &batches[0]);
    let refused = [ErrorCode::DUPLICATE_SEQUENCE_NUMBER, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER];
    assert!(refused.contains(&code), "{code:?}");
    assert_eq!(offset_of(&mut raw, &topic, batch(Codec::None, &[b"v"])), 14);
}

#[test]
fn wire_40_a_gap_is_refused_and_what_comes_next_still_taken() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "gap");
    let id = producer_id();
    assert_eq!(sent(&mut raw, &topic, &sequenced(id, 0, 0)), (ErrorCode::NONE, 0));
    for gap in [3, 100] {
        let (code, _) = sent(&mut raw, &topic, &sequenced(id, 0, gap));
        assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, "{gap}");
    }
    assert_eq!(sent(&mut raw, &topic, &sequenced(id, 0, 2)), (ErrorCode::NONE, 2));
}

#[test]
fn wire_41_an_older_epoch_is_fenced_and_a_newer_one_begins_at_sequence_0() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "epoch");
    let id = producer_id();
    assert_eq!(sent(&mut raw, &topic, &sequenced(id, 3, 0)), (ErrorCode::NONE, 0));
    let (code, _) = sent(&mut raw, &topic, &sequenced(id, 2, 2));
    assert_eq!(code, ErrorCode::INVALID_PRODUCER_EPOCH);
    let (code, _) = sent(&mut raw, &topic, &sequenced(id, 4, 2));
    assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(sent(&mut raw, &topic, &sequenced(id, 4, 0)), (ErrorCode::NONE, 2));
    let (code, _) = sent(&mut raw, &topic, &sequenced(id, 3, 2));
    assert_eq!(code, ErrorCode::INVALID_PRODUCER_EPOCH);
}

#[test]
fn wire_42_sequences_wrap_to_0() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    for last in [i32::MAX, i32::MAX - 1] {
        let topic = new_topic(&mut raw, "wrap");
        let id = producer_id();
        let first = sequenced(id, 0, last - 1);
        assert_eq!(sent(&mut raw, &topic, &first), (ErrorCode::NONE, 0));
        // Within the second batch, or between the two.
        let next = if last == i32::MAX { 0 } else { i32::MAX };
        assert_eq!(sent(&mut raw, &topic, &sequenced(id, 0, next)), (ErrorCode::NONE, 2));
        let third = if last == i32::MAX { 2 } else { 1 };
        assert_eq!(sent(&mut raw, &topic, &sequenced(id, 0, third)), (ErrorCode::NONE, 4));
        assert_eq!(sent(&mut raw, &topic, &first), (ErrorCode::NONE, 0), "a duplicate");
    }
}

#[test]
fn wire_43_a_producer_that_is_not_known_may_begin_anywhere() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "unknown-producer");
    let id = producer_id();
    assert_eq!(sent(&mut raw, &topic, &sequenced(id, 0, 500)), (ErrorCode::NONE, 0));
    let partition = DeleteRecordsPartition { partition_index: 0, offset: -1 };
    let deleted = DeleteRecordsTopic { name: topic.as_str().into(), partitions: vec![partition] };
    let request = DeleteRecordsRequest { topics: vec![deleted], timeout_ms: 30_000 };
    let response = raw.call(2, &request);
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    // The reference keeps what it knows of a producer when its records are deleted: it expires by
    // time alone.
    let (code, _) = sent(&mut raw, &topic, &sequenced(id, 0, 900));
    assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(sent(&mut raw, &topic, &sequenced(id, 0, 502)), (ErrorCode::NONE, 2));
}

#[test]
fn wire_44_what_is_known_of_producers_survives_kills_and_stops() {
    let mut broker = Broker::start("wire-44");
    let topic = new_topic(&mut Raw::connect(&broker.bootstrap()), "survives");
    let id = producer_id();
    for round in 0..6 {
        let mut raw = Raw::connect(&broker.bootstrap());
        made(&mut raw, &topic);
        let (again, next) = (sequenced(id, 0, (round - 1) * 2), sequenced(id, 0, round * 2));
        let offset = i64::from(round) * 2;
        if round > 0 {
            assert_eq!(sent(&mut raw, &topic, &again), (ErrorCode::NONE, offset - 2), "{round}");
        }
        assert_eq!(sent(&mut raw, &topic, &next), (ErrorCode::NONE, offset), "{round}");
        if round % 2 == 0 {
            broker.kill()
        } else {
            broker.stop()
        }
        broker.restart();
    }
}

#[test]
fn wire_45_every_producer_gets_an_id_of_its_own_and_an_empty_name_is_refused() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let request = |transactional_id: Option<&str>| InitProducerIdRequest {
        transactional_id: transactional_id.map(Into::into),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
    };
    // The reference loads its own log first.
    let ready = |raw: &mut Raw| {
        raw.call(1, &request(None)).error_code != ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
    };
    assert!((0..LOOKS_MAX).any(|_| ready(&mut raw)));
    let mut ids = Vec::new();
    for version in 0..=5 {
        for _ in 0..3 {
            let response = raw.call(version, &request(None));
            assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0));
            ids.push(response.producer_id);
        }
        let response = raw.call(version, &request(Some("")));
        assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST, "version {version}");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() == count && ids[0] >= 0, "{ids:?}");
}
