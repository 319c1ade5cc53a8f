//! Statements 26 to 38: what producers are told.

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use logboom_protocol::records::{BatchBuilder, Codec, HeaderRef, ProducerState, crc32c};
use logboom_protocol::units::Uuid;
use logboom_tests::broker::shared;
use logboom_tests::raw::Raw;

use super::{PRODUCE, batch, made, new_topic, new_topic_with, now_ms, offset_of, produce};
use super::{fetched, records_for};

/// The default of `max.message.bytes`.
const BATCH_BYTES_MAX: usize = 1_048_588;
/// Where the magic byte, the checksum and the attributes stand in a batch.
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
/// The versions that name topics.
const BY_NAME: std::ops::RangeInclusive<i16> = 3..=12;

fn nothing() -> MetadataRequest {
    MetadataRequest { topics: Some(vec![]), ..Default::default() }
}

#[test]
fn wire_26_acks_0_gets_no_answer_and_a_failure_closes_the_connection() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "acks-0");
    let records = batch(Codec::None, &[b"v"]);
    for version in BY_NAME {
        raw.ask(version, &records_for(&topic, 0, &[(0, records.clone())]));
        // The next frame answers this.
        raw.call(9, &nothing());
    }
    assert_eq!(offset_of(&mut raw, &topic, records.clone()), 10);
    raw.ask(PRODUCE, &records_for("no-such-topic", 0, &[(0, records)]));
    assert!(raw.is_closed());
}

#[test]
fn wire_27_other_acks_are_refused_for_each_partition() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "acks-2");
    for acks in [2, -2, i16::MAX, i16::MIN] {
        let records = batch(Codec::None, &[b"v"]);
        let response = raw.call(PRODUCE, &records_for(&topic, acks, &[(0, records)]));
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, ErrorCode::INVALID_REQUIRED_ACKS, "{acks}");
        assert_eq!((answer.base_offset, answer.log_append_time_ms), (-1, -1));
    }
    assert_eq!(offset_of(&mut raw, &topic, batch(Codec::None, &[b"v"])), 0, "nothing was taken");
}

/// Sends `bad` to partition 1 between good batches; what is said of it. The good ones are taken.
fn between_good_ones(bad: &Bytes) -> ErrorCode {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "one-bad", 3, &[]);
    let good = batch(Codec::None, &[b"v"]);
    let parts = [(0, good.clone()), (1, bad.clone()), (2, good)];
    let response = raw.call(PRODUCE, &records_for(&topic, -1, &parts));
    // In any order.
    let mut answers = response.responses[0].partition_responses.clone();
    answers.sort_by_key(|answer| answer.index);
    assert_eq!(answers.len(), 3);
    for (answer, index) in answers.iter().zip(0..) {
        assert_eq!(answer.index, index);
        let (code, offset) = (answer.error_code, answer.base_offset);
        let expected = if index == 1 { (code, -1) } else { (ErrorCode::NONE, 0) };
        assert_eq!((code, offset), expected);
    }
    answers[1].error_code
}

#[test]
fn wire_28_anything_but_one_batch_of_magic_2_is_refused_for_its_partition_alone() {
    let one = batch(Codec::None, &[b"v"]);
    let two = Bytes::from([&one[..], &one[..]].concat());
    assert_eq!(between_good_ones(&two), ErrorCode::INVALID_RECORD, "two batches");
    assert_eq!(between_good_ones(&Bytes::new()), ErrorCode::INVALID_RECORD, "no batch");
    let mut old = one.to_vec();
    old[MAGIC_AT] = 1;
    assert_eq!(between_good_ones(&old.into()), ErrorCode::INVALID_RECORD, "magic 1");
}

#[test]
fn wire_29_zstd_needs_version_7() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "zstd");
    let records = batch(Codec::Zstd, &[&b"v"[..]; 100]);
    for version in BY_NAME {
        let code = produce(&mut raw, version, &topic, records.clone()).error_code;
        let expected =
            if version < 7 { ErrorCode::UNSUPPORTED_COMPRESSION_TYPE } else { ErrorCode::NONE };
        assert_eq!(code, expected, "version {version}");
    }
}

#[test]
fn wire_30_a_wrong_checksum_is_refused_and_nothing_appended() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "crc");
    let good = batch(Codec::None, &[b"value"]);
    for place in [CRC_AT, good.len() - 3] {
        let mut bad = good.to_vec();
        bad[place] ^= 1;
        let answer = produce(&mut raw, PRODUCE, &topic, bad.into());
        assert_eq!(answer.error_code, ErrorCode::CORRUPT_MESSAGE, "byte {place}");
    }
    assert_eq!(offset_of(&mut raw, &topic, good), 0);
}

#[test]
fn wire_31_a_batch_is_served_as_it_came_but_for_offset_and_epoch() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "as-it-came");
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    for (codec, round) in codecs.into_iter().zip(0_i64..) {
        let sent = batch(codec, &[&[b'v'; 200][..]; 10]);
        assert_eq!(offset_of(&mut raw, &topic, sent.clone()), round * 10);
        let served = fetched(&mut raw, &topic, round * 10);
        assert_eq!(served[..8], (round * 10).to_be_bytes(), "base offset");
        assert_eq!(served[8..12], sent[8..12], "length");
        assert_eq!(served[12..16], [0; 4], "leader epoch");
        assert_eq!(served[16..], sent[16..], "{codec:?}");
    }
}

#[test]
fn wire_32_a_batch_may_be_as_large_as_its_topic_says_and_no_larger() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "large");
    let empty = batch(Codec::None, &[&vec![b'v'; BATCH_BYTES_MAX - 200]]).len();
    let sized = |bytes: usize| {
        let value = vec![b'v'; BATCH_BYTES_MAX - 200 + bytes - empty];
        let records = batch(Codec::None, &[&value]);
        assert_eq!(records.len(), bytes);
        records
    };
    assert_eq!(offset_of(&mut raw, &topic, sized(BATCH_BYTES_MAX)), 0);
    let answer = produce(&mut raw, PRODUCE, &topic, sized(BATCH_BYTES_MAX + 1));
    assert_eq!(answer.error_code, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(offset_of(&mut raw, &topic, batch(Codec::None, &[b"v"])), 1);
}

#[test]
fn wire_33_a_compacted_topic_takes_no_record_without_a_key_and_names_it() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "keys", 1, &[("cleanup.policy", "compact")]);
    let mut builder = BatchBuilder::new(Codec::None);
    for key in [Some(&b"a"[..]), None, Some(b"c")] {
        builder.append(now_ms(), key, Some(b"v"), &[]).unwrap();
    }
    let records = builder.build().unwrap();
    for version in BY_NAME {
        let answer = produce(&mut raw, version, &topic, records.clone());
        assert_eq!(answer.error_code, ErrorCode::INVALID_RECORD, "version {version}");
        let indexes: Vec<i32> = answer.record_errors.iter().map(|one| one.batch_index).collect();
        assert_eq!(indexes, if version < 8 { vec![] } else { vec![1] });
    }
    assert_eq!(offset_of(&mut raw, &topic, batch(Codec::None, &[b"v"])), 0);
}

#[test]
fn wire_34_log_append_time_is_in_the_batch_and_in_the_answer() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let configs = [("message.timestamp.type", "LogAppendTime")];
    let topic = new_topic_with(&mut raw, "append-time", 1, &configs);
    let mut builder = BatchBuilder::new(Codec::Gzip);
    builder.append(1_000, Some(b"k"), Some(b"v"), &[]).unwrap();
    let before = now_ms();
    let answer = produce(&mut raw, PRODUCE, &topic, builder.build().unwrap());
    assert_eq!(answer.error_code, ErrorCode::NONE);
    assert!((before..=now_ms()).contains(&answer.log_append_time_ms), "{answer:?}");
    let served = fetched(&mut raw, &topic, 0);
    assert_eq!(served[ATTRIBUTES_AT + 1], 0b1001, "log append time, gzip");
    assert_eq!(served[35..43], answer.log_append_time_ms.to_be_bytes(), "max timestamp");
    assert_eq!(served[CRC_AT..ATTRIBUTES_AT], crc32c(&[&served[ATTRIBUTES_AT..]]).to_be_bytes());
    let plain = new_topic(&mut raw, "create-time");
    let answer = produce(&mut raw, PRODUCE, &plain, batch(Codec::None, &[b"v"]));
    assert_eq!(answer.log_append_time_ms, -1);
}

#[test]
fn wire_35_unknown_topics_and_partitions_are_told_by_name_and_by_id() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "known");
    let records = batch(Codec::None, &[b"v"]);
    for version in BY_NAME {
        for (name, index) in [("no-such-topic", 0), (&*topic, 1), (&*topic, -1)] {
            let request = records_for(name, -1, &[(index, records.clone())]);
            let answer = &raw.call(version, &request).responses[0];
            let code = answer.partition_responses[0].error_code;
            assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "{name} {index}");
        }
    }
    let known = made(&mut raw, &topic).topic_id;
    for (topic_id, expected) in
        [(Uuid([9; 16]), ErrorCode::UNKNOWN_TOPIC_ID), (known, ErrorCode::NONE)]
    {
        let data = PartitionProduceData { index: 0, records: Some(records.clone()) };
        let topic = TopicProduceData { topic_id, partition_data: vec![data], ..Default::default() };
        let topic_data = vec![topic];
        let request =
            ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
        let answer: ProduceResponse = raw.call(13, &request);
        assert_eq!(answer.responses[0].topic_id, topic_id);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, expected);
    }
}

#[test]
fn wire_37_a_transactional_batch_without_a_transactional_id_fails_the_whole_request() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "transactional", 2, &[]);
    let producer = ProducerState { id: 7, epoch: 0, base_sequence: 0, transactional: true };
    let mut builder = BatchBuilder::new(Codec::None).producer(producer);
    builder.append(now_ms(), Some(b"k"), Some(b"v"), &[]).unwrap();
    let parts = [(0, batch(Codec::None, &[b"v"])), (1, builder.build().unwrap())];
    let response = raw.call(PRODUCE, &records_for(&topic, -1, &parts));
    for answer in &response.responses[0].partition_responses {
        let expected = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        assert_eq!(answer.error_code, expected, "partition {}", answer.index);
    }
    assert_eq!(offset_of(&mut raw, &topic, batch(Codec::None, &[b"v"])), 0, "nothing was taken");
}

#[test]
fn wire_38_null_and_empty_keys_values_and_headers_stay_apart() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "null-and-empty");
    let shapes = [None, Some(&b""[..]), Some(b"x")];
    let mut builder = BatchBuilder::new(Codec::None);
    for key in shapes {
        for value in shapes {
            let headers = [
                HeaderRef { key: "h", value },
                HeaderRef { key: "", value: key },
                HeaderRef { key: "h", value: None },
            ];
            builder.append(now_ms(), key, value, &headers).unwrap();
        }
    }
    let sent = builder.build().unwrap();
    assert_eq!(offset_of(&mut raw, &topic, sent.clone()), 0);
    // The bytes behind the header, so that nothing that reads them stands in between.
    assert_eq!(fetched(&mut raw, &topic, 0)[61..], sent[61..]);
}
