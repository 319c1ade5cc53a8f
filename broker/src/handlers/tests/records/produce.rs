//! What becomes of what is produced.

use logboom_protocol::records::{CheckedBatch, HeaderRef, ProducerState, TimestampType};

use super::*;

/// The only batch of an answer.
fn stored(broker: &TestBroker) -> CheckedBatch {
    let answer = fetch_one(broker, 0, 0);
    CheckedBatch::check(answer.records.unwrap()).unwrap()
}

#[test]
fn the_topics_codec_takes_the_place_of_the_producers() {
    let broker = TestBroker::with([("compression.type", "gzip")]);
    create_topic(&broker);
    let state = ProducerState { id: 5, epoch: 0, base_sequence: 0, transactional: false };
    let mut builder = BatchBuilder::new(Codec::Lz4).producer(state);
    let headers = [HeaderRef { key: "h", value: None }, HeaderRef { key: "", value: Some(b"") }];
    builder.append(700, None, Some(b"a"), &headers).unwrap();
    builder.append(900, Some(b""), None, &[]).unwrap();
    let sent = CheckedBatch::check(builder.build().unwrap()).unwrap();
    produce(&broker, 0, sent.bytes().clone());

    let stored = stored(&broker);
    assert_eq!(stored.codec().unwrap(), Codec::Gzip);
    let inflater = &mut Inflater::default();
    let (ours, theirs) = (stored.records(inflater).unwrap(), sent.records(inflater).unwrap());
    assert_eq!(ours.bytes(), theirs.bytes(), "records are as they were sent, headers included");
    let (ours, theirs) = (stored.header(), sent.header());
    assert_eq!(ours.producer_id, theirs.producer_id);
    assert_eq!(ours.base_sequence, theirs.base_sequence);
    assert_eq!(ours.base_timestamp, theirs.base_timestamp);
    assert_eq!(ours.max_timestamp, theirs.max_timestamp);
}

#[test]
fn a_topic_without_compression_inflates_what_it_is_sent() {
    let broker = TestBroker::with([("compression.type", "uncompressed")]);
    create_topic(&broker);
    let mut builder = BatchBuilder::new(Codec::Zstd);
    builder.append(1, None, Some("x".repeat(1000).as_bytes()), &[]).unwrap();
    produce(&broker, 0, builder.build().unwrap());
    let stored = stored(&broker);
    assert_eq!(stored.codec().unwrap(), Codec::None);
    assert!(stored.bytes().len() > 1000);
}

#[test]
fn wire_32_a_batch_that_grows_too_large_by_the_topics_codec_is_refused() {
    let settings = [("compression.type", "uncompressed"), ("message.max.bytes", "500")];
    let broker = TestBroker::with(settings);
    create_topic(&broker);
    let mut builder = BatchBuilder::new(Codec::Zstd);
    builder.append(1, None, Some("x".repeat(1000).as_bytes()), &[]).unwrap();
    let answer = try_produce(&broker, 0, builder.build().unwrap());
    assert_eq!(answer.error_code, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(fetch_one(&broker, 0, 0).high_watermark, 0);
}

#[test]
fn wire_34_the_brokers_time_stands_in_the_batch_and_the_answer() {
    let broker = TestBroker::with([("log.message.timestamp.type", "LogAppendTime")]);
    create_topic(&broker);
    let answer = try_produce(&broker, 0, batch(1, &["a"]));
    let header = *stored(&broker).header();
    assert_eq!(header.attributes.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(header.max_timestamp, answer.log_append_time_ms);
    assert!(answer.log_append_time_ms > 1);
}

#[test]
fn wire_39_a_batch_that_is_sent_again_stands_where_it_stood() {
    let broker = TestBroker::start();
    create_topic(&broker);
    for sequence in 0..7 {
        assert_eq!(produce(&broker, 0, numbered(1, sequence, &["a"])), i64::from(sequence));
    }
    for sequence in 2..7 {
        assert_eq!(produce(&broker, 0, numbered(1, sequence, &["a"])), i64::from(sequence));
    }
    assert_eq!(fetch_one(&broker, 0, 7).high_watermark, 7);
}

#[test]
fn wire_40_a_gap_is_refused_and_the_right_number_still_taken() {
    let broker = TestBroker::start();
    create_topic(&broker);
    produce(&broker, 0, numbered(1, 0, &["a", "b"]));
    let gap = try_produce(&broker, 0, numbered(1, 3, &["d"]));
    assert_eq!(gap.error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(produce(&broker, 0, numbered(1, 2, &["c"])), 2);
}

#[test]
fn batches_that_come_together_keep_their_order_and_their_producers_numbers() {
    let broker = TestBroker::start();
    create_topic(&broker);
    let mut producer = broker.client();
    // Requests of one connection are in flight together, so that a turn of the shard has several.
    let sent: Vec<Bytes> = (0..40)
        .flat_map(|n| [numbered(1, n, &["a"]), numbered(2, n, &["b"]), batch(1, &["c", "d"])])
        .collect();
    for records in &sent {
        producer.send(&produce_request([(0, records.clone())], -1), 9);
    }
    let mut expected = 0;
    for records in &sent {
        let response = producer.response::<ProduceRequest>(9);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, expected));
        let header = *CheckedBatch::check(records.clone()).unwrap().header();
        expected += i64::from(header.record_count);
    }
    assert_eq!(records(&fetch_one(&broker, 0, 0)).len(), 160);
}
