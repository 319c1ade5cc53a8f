//! Statements 46 to 52 and 56 to 60: what consumers are told, without sessions.
//!
//! Not here, because a broker without transactions can't show it: aborted transactions and records
//! behind the last stable offset (58), control batches that a coordinator has written (59). What
//! compaction leaves (60) is in `compacted`.

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsTopic,
};
use logboom_protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::records::{
    BatchBuilder, CheckedBatch, Codec, Inflater, ProducerState, RawBatches, crc32c,
};
use logboom_protocol::units::Uuid;
use logboom_tests::broker::shared;
use logboom_tests::foreign::{Client, or_skip, printed};
use logboom_tests::raw::Raw;

use super::{PRODUCE, made, new_topic, new_topic_with, now_ms, offset_of, produce, produce_to};

/// The newest version that names topics, and the newest that the reference has.
pub(super) const BY_NAME: i16 = 12;
pub(super) const BY_ID: i16 = 18;
/// A wait that no test lives to see the end of; the reference takes no hours.
const LONG_MS: i32 = 600_000;

pub(super) fn wanted(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition {
        partition,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
        ..Default::default()
    }
}

/// A fetch that waits for nothing.
pub(super) fn fetch_now(topic: &str, partitions: Vec<FetchPartition>) -> FetchRequest {
    let topic = FetchTopic { topic: topic.into(), partitions, ..Default::default() };
    FetchRequest {
        replica_id: -1,
        max_bytes: 4 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

/// What a fetch answers for its partitions, in the order of the answer.
pub(super) fn answers(response: &FetchResponse) -> Vec<&PartitionData> {
    response.responses.iter().flat_map(|topic| &topic.partitions).collect()
}

fn fetch_one(raw: &mut Raw, topic: &str, offset: i64) -> PartitionData {
    let response = raw.call(BY_NAME, &fetch_now(topic, vec![wanted(0, offset)]));
    assert_eq!(response.error_code, ErrorCode::NONE);
    answers(&response)[0].clone()
}

pub(super) fn bytes(answer: &PartitionData) -> usize {
    answer.records.as_ref().map_or(0, Bytes::len)
}

/// The records of an answer, as offsets and values.
pub(super) fn records(answer: &PartitionData) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for batch in RawBatches::new(answer.records.as_deref().unwrap_or_default()) {
        let batch = Bytes::copy_from_slice(batch.unwrap().bytes());
        let batch = CheckedBatch::check(batch).unwrap();
        for record in &batch.records(&mut Inflater::default()).unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
            found.push((record.offset, value));
        }
    }
    found
}

/// A batch with one record for each value, one millisecond apart.
pub(super) fn batch(first_timestamp: i64, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for (value, timestamp) in values.iter().zip(first_timestamp..) {
        builder.append(timestamp, Some(b"key"), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A batch of one record of about so many bytes.
pub(super) fn large_batch(bytes: usize) -> Bytes {
    batch(now_ms(), &[&"x".repeat(bytes)])
}

/// Appends a batch to a partition, which has to go well.
pub(super) fn append(raw: &mut Raw, topic: &str, partition: i32, records: Bytes) {
    let response = raw.call(PRODUCE, &produce_to(topic, partition, records));
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
}

/// Deletes the records of partition 0 in front of an offset.
pub(super) fn delete_before(
    raw: &mut Raw,
    topic: &str,
    offset: i64,
) -> DeleteRecordsPartitionResult {
    let partition = DeleteRecordsPartition { partition_index: 0, offset };
    let topic = DeleteRecordsTopic { name: topic.into(), partitions: vec![partition] };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 30_000 };
    raw.call(2, &request).topics.remove(0).partitions.remove(0)
}

#[test]
fn wire_46_an_offset_within_a_batch_returns_the_whole_batch() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "within-a-batch");
    offset_of(&mut raw, &topic, batch(now_ms(), &["a", "b"]));
    offset_of(&mut raw, &topic, batch(now_ms(), &["c", "d", "e"]));
    let all = [(2, "c"), (3, "d"), (4, "e")].map(|(offset, value)| (offset, value.to_owned()));
    for offset in 2..5 {
        assert_eq!(records(&fetch_one(&mut raw, &topic, offset)), all, "from {offset}");
    }
}

#[test]
fn wire_47_the_first_batch_is_whole_and_later_partitions_obey_the_limits() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "limits", 3, &[]);
    for partition in 1..3 {
        append(&mut raw, &topic, partition, large_batch(10_000));
    }
    let limited =
        |partition, bytes| FetchPartition { partition_max_bytes: bytes, ..wanted(partition, 0) };
    // By the limit of the partition, and by that of the request.
    for (partition_bytes, max_bytes) in [(1, i32::MAX), (1 << 20, 1), (0, 0), (1 << 20, 10_100)] {
        let wanted = (0..3).map(|partition| limited(partition, partition_bytes)).collect();
        let request = FetchRequest { max_bytes, ..fetch_now(&topic, wanted) };
        let response = raw.call(BY_NAME, &request);
        let found: Vec<_> = answers(&response).into_iter().map(bytes).collect();
        assert_eq!(found[0], 0);
        assert!(found[1] > 10_000, "the first that has records: {found:?}");
        assert_eq!(found[2], 0, "there is no room for it");
    }
}

#[test]
fn wire_48_partitions_are_served_in_the_order_of_the_request() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "order", 3, &[]);
    (0..3).for_each(|partition| append(&mut raw, &topic, partition, large_batch(1000)));
    for first in 0..3 {
        let order: Vec<_> = (0..3).map(|at| (first + at) % 3).collect();
        let wanted = order.iter().map(|&partition| wanted(partition, 0)).collect();
        let request = FetchRequest { max_bytes: 1, ..fetch_now(&topic, wanted) };
        let response = raw.call(BY_NAME, &request);
        let answers = answers(&response);
        let numbers: Vec<_> = answers.iter().map(|answer| answer.partition_index).collect();
        assert_eq!(numbers, order);
        let served: Vec<_> = answers.iter().map(|answer| bytes(answer) > 0).collect();
        assert_eq!(served, [true, false, false]);
    }
}

#[test]
fn wire_49_a_fetch_waits_for_new_records_and_until_there_are_enough() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "waits", 2, &[]);
    for (min_bytes, appended) in [(1, 1), (2500, 3)] {
        let mut consumer = Raw::connect(&subject.bootstrap());
        let ends = [0, 1].map(|partition| wanted(partition, raw.end_offset(&topic, partition)));
        let waiting =
            FetchRequest { max_wait_ms: LONG_MS, min_bytes, ..fetch_now(&topic, ends.to_vec()) };
        let id = consumer.ask(BY_NAME, &waiting);
        (0..appended).for_each(|at| append(&mut raw, &topic, at % 2, large_batch(1000)));
        let response: FetchResponse = consumer.answer(BY_NAME, id).unwrap();
        let found: usize = answers(&response).into_iter().map(bytes).sum();
        assert!(i32::try_from(found).unwrap() >= min_bytes, "{found}");
    }
}

#[test]
fn wire_49_a_fetch_without_records_is_answered_when_its_time_is_over() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "time-over");
    let request = fetch_now(&topic, vec![wanted(0, 0)]);
    let waiting = FetchRequest { max_wait_ms: 100, min_bytes: 1, ..request };
    let response = raw.call(BY_NAME, &waiting);
    let answer = answers(&response)[0];
    assert_eq!((answer.error_code, bytes(answer)), (ErrorCode::NONE, 0));
}

#[test]
fn wire_50_the_end_is_empty_and_what_lies_beyond_is_out_of_range() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "range");
    offset_of(&mut raw, &topic, batch(now_ms(), &["a", "b", "c"]));
    let code = delete_before(&mut raw, &topic, 1).error_code;
    assert_eq!(code, ErrorCode::NONE);
    let end = fetch_one(&mut raw, &topic, 3);
    assert_eq!((end.error_code, bytes(&end)), (ErrorCode::NONE, 0));
    assert_eq!((end.high_watermark, end.log_start_offset), (3, 1));
    for offset in [0, 4, i64::MAX, -1, i64::MIN] {
        let beyond = fetch_one(&mut raw, &topic, offset);
        assert_eq!(beyond.error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "{offset}");
        // The reference tells nothing beside an error.
        assert_eq!((beyond.high_watermark, beyond.log_start_offset), (-1, -1), "{offset}");
        assert_eq!(bytes(&beyond), 0);
    }
}

#[test]
fn wire_51_every_partition_has_its_own_answer_on_every_path() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic_with(&mut raw, "own-answer", 3, &[]);
    append(&mut raw, &topic, 2, batch(now_ms(), &["a"]));
    for version in 4..=BY_NAME {
        let fenced = FetchPartition { current_leader_epoch: 7, ..wanted(1, 0) };
        let mut request = fetch_now(&topic, vec![wanted(0, 9), wanted(5, 0), fenced, wanted(2, 0)]);
        let partitions = vec![wanted(3, 0), wanted(0, 0)];
        let unknown = FetchTopic { topic: "unknown".into(), partitions, ..Default::default() };
        request.topics.push(unknown);
        let response = raw.call(version, &request);
        let mut found = Vec::new();
        for topic in &response.responses {
            for one in &topic.partitions {
                found.push((&*topic.topic == "unknown", one.partition_index, one.error_code));
                assert_eq!(bytes(one) > 0, one.partition_index == 2);
            }
        }
        // The reference puts what it doesn't know behind all others.
        found.sort_unstable_by_key(|(unknown, index, _)| (*unknown, *index));
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        // Older requests don't say what epoch they believe in.
        let epoch = if version < 9 { ErrorCode::NONE } else { ErrorCode::UNKNOWN_LEADER_EPOCH };
        let expected = [
            (false, 0, ErrorCode::OFFSET_OUT_OF_RANGE),
            (false, 1, epoch),
            (false, 2, ErrorCode::NONE),
            (false, 5, unknown),
            (true, 0, unknown),
            (true, 3, unknown),
        ];
        assert_eq!(found, expected, "version {version}");
    }
}

#[test]
fn wire_51_topics_are_named_by_their_ids_from_version_13_on() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic(&mut raw, "by-id");
    let id = made(&mut raw, &name).topic_id;
    offset_of(&mut raw, &name, batch(now_ms(), &["a"]));
    for version in 13..=BY_ID {
        let partitions = vec![wanted(0, 0)];
        let topic = |topic_id| FetchTopic {
            topic_id,
            partitions: partitions.clone(),
            ..Default::default()
        };
        let topics = vec![topic(Uuid([7; 16])), topic(id)];
        let response = raw.call(version, &FetchRequest { topics, ..fetch_now("", vec![]) });
        assert_eq!(response.responses.len(), 2);
        for topic in &response.responses {
            let answer = &topic.partitions[0];
            if topic.topic_id == id {
                assert_eq!(records(answer), [(0, "a".to_owned())]);
            } else {
                assert_eq!(topic.topic_id, Uuid([7; 16]));
                assert_eq!(answer.error_code, ErrorCode::UNKNOWN_TOPIC_ID);
            }
        }
    }
}

#[test]
fn wire_52_no_other_replica_is_preferred() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "preferred");
    for (offset, rack_id) in [(0, ""), (0, "r"), (5, "r")] {
        let request = fetch_now(&topic, vec![wanted(0, offset)]);
        let response = raw.call(BY_NAME, &FetchRequest { rack_id: rack_id.into(), ..request });
        assert_eq!(answers(&response)[0].preferred_read_replica, -1);
    }
}

#[test]
fn wire_56_the_epoch_of_the_leader_is_compared() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "fenced");
    let mut of_epoch = |current_leader_epoch| {
        let wanted = FetchPartition { current_leader_epoch, ..wanted(0, 0) };
        let response = raw.call(BY_NAME, &fetch_now(&topic, vec![wanted]));
        answers(&response)[0].error_code
    };
    assert_eq!(of_epoch(-1), ErrorCode::NONE);
    assert_eq!(of_epoch(0), ErrorCode::NONE);
    assert_eq!(of_epoch(1), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(of_epoch(-2), ErrorCode::NONE, "as any that is negative");
}

#[test]
fn wire_56_a_log_that_left_ours_is_told_where() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "diverging");
    offset_of(&mut raw, &topic, batch(now_ms(), &["a", "b"]));
    let mut fetched = |last_fetched_epoch, offset| {
        let wanted = FetchPartition { last_fetched_epoch, ..wanted(0, offset) };
        let response = raw.call(BY_NAME, &fetch_now(&topic, vec![wanted]));
        answers(&response)[0].clone()
    };
    let same = fetched(0, 1);
    assert_eq!((same.error_code, same.diverging_epoch.end_offset), (ErrorCode::NONE, -1));
    assert_eq!(records(&same).len(), 2);
    let longer = fetched(0, 5);
    let diverging = (longer.diverging_epoch.epoch, longer.diverging_epoch.end_offset);
    assert_eq!((longer.error_code, diverging), (ErrorCode::NONE, (0, 2)));
    assert_eq!(bytes(&longer), 0);
    assert_eq!(fetched(3, 1).error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
}

#[test]
fn wire_57_aborted_transactions_are_a_list_for_read_committed_alone() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "isolation");
    offset_of(&mut raw, &topic, batch(now_ms(), &["a"]));
    for (isolation_level, expected) in [(0, None), (1, Some(Vec::new()))] {
        let request = fetch_now(&topic, vec![wanted(0, 0)]);
        let request = FetchRequest { isolation_level, ..request };
        for version in 4..=BY_NAME {
            let response = raw.call(version, &request);
            let answer = answers(&response)[0];
            assert_eq!(answer.aborted_transactions, expected, "version {version}");
            assert_eq!(answer.last_stable_offset, 1);
        }
    }
}

#[test]
fn wire_58_read_committed_ends_at_the_last_stable_offset() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "stable");
    for count in 1..=5 {
        offset_of(&mut raw, &topic, batch(now_ms(), &["a"]));
        let partition =
            ListOffsetsPartition { partition_index: 0, timestamp: -1, ..Default::default() };
        let asked = ListOffsetsTopic { name: topic.as_str().into(), partitions: vec![partition] };
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 1,
            topics: vec![asked],
            ..Default::default()
        };
        let stable = raw.call(5, &request).topics[0].partitions[0].offset;
        let request = fetch_now(&topic, vec![wanted(0, 0)]);
        let response = raw.call(BY_NAME, &FetchRequest { isolation_level: 1, ..request });
        let answer = answers(&response)[0];
        // Without transactions that is everything.
        assert_eq!(
            (stable, answer.last_stable_offset, answer.high_watermark),
            (count, count, count)
        );
        let offsets: Vec<_> = records(answer).into_iter().map(|(offset, _)| offset).collect();
        assert_eq!(offsets, (0..count).collect::<Vec<_>>());
        assert_eq!(answer.aborted_transactions, Some(Vec::new()));
    }
}

/// A batch with the bit for control batches, which is none of a coordinator's.
fn control_batch(producer: Option<ProducerState>) -> Bytes {
    /// Where the checksum and what it covers begin in a batch, and the bit in the latter.
    const CRC_AT: usize = 17;
    const ATTRIBUTES_AT: usize = 21;
    const CONTROL: u8 = 1 << 5;
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    // Version 0, type 1: a commit; version 0, epoch of the coordinator 0.
    builder.append(now_ms(), Some(&[0, 0, 0, 1]), Some(&[0; 6]), &[]).unwrap();
    let mut bytes = builder.build().unwrap().to_vec();
    bytes[ATTRIBUTES_AT + 1] |= CONTROL;
    let crc = crc32c(&[&bytes[ATTRIBUTES_AT..]]);
    bytes[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

#[test]
fn wire_59_clients_may_not_write_control_batches() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "control");
    let idempotent = ProducerState { id: 7, epoch: 0, base_sequence: 0, transactional: false };
    for producer in [None, Some(idempotent)] {
        let answer = produce(&mut raw, PRODUCE, &topic, control_batch(producer));
        assert_eq!(answer.error_code, ErrorCode::INVALID_RECORD, "{answer:?}");
        assert_eq!(answer.base_offset, -1);
    }
    assert_eq!(offset_of(&mut raw, &topic, batch(now_ms(), &["a"])), 0, "nothing was taken");
}

#[test]
fn wire_60_a_deleted_range_leaves_a_start_and_the_batch_around_it_whole() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "deleted");
    for _ in 0..3 {
        offset_of(&mut raw, &topic, batch(now_ms(), &["a", "b"]));
    }
    assert_eq!(delete_before(&mut raw, &topic, 3).low_watermark, 3);
    let old = fetch_one(&mut raw, &topic, 2);
    assert_eq!(old.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    let kept = fetch_one(&mut raw, &topic, 3);
    let offsets: Vec<_> = records(&kept).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [2, 3, 4, 5], "a batch is not cut");
    assert_eq!(delete_before(&mut raw, &topic, -1).low_watermark, 6);
    let empty = fetch_one(&mut raw, &topic, 6);
    assert_eq!((empty.error_code, bytes(&empty)), (ErrorCode::NONE, 0));
    assert_eq!((empty.log_start_offset, empty.high_watermark), (6, 6));
    assert_eq!(offset_of(&mut raw, &topic, batch(now_ms(), &["c"])), 6);
    assert_eq!(records(&fetch_one(&mut raw, &topic, 6)), [(6, "c".to_owned())]);
}

/// They begin where the log does, in the middle of a batch, and see nothing of what is in front.
#[test]
fn wire_60_a_deleted_range_stalls_no_consumer() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "deleted-clients");
    offset_of(&mut raw, &topic, batch(now_ms(), &["a", "b"]));
    offset_of(&mut raw, &topic, batch(now_ms(), &["c", "d"]));
    assert_eq!(delete_before(&mut raw, &topic, 3).low_watermark, 3);
    offset_of(&mut raw, &topic, batch(now_ms(), &["e"]));
    for client in Client::ALL {
        let what = format!("{} behind a deleted range", client.name());
        let Some(mut command) = or_skip(&what, client.consumer()) else { continue };
        command.args([&subject.bootstrap(), &topic, "read_committed", "0:4"]);
        let lines = printed(&mut command);
        let offsets: Vec<_> = lines.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(offsets, ["3", "4"], "{}", client.name());
    }
}
