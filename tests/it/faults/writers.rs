//! Idempotent producers, one a partition, with several batches in flight.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::produce::{PartitionProduceResponse, ProduceResponse};
use logboom_protocol::records::{BatchBuilder, Codec, ProducerState};
use logboom_tests::broker::pause;
use logboom_tests::raw::Raw;

use super::history::{History, Partition};
use super::seek::Seeker;
use crate::wire::{PRODUCE, now_ms, produce_to};

/// Records of a batch, and batches in flight.
const BATCH: i32 = 10;
const IN_FLIGHT: i32 = 4;
/// How long a broker may take before it says that it doesn't know.
const TIMEOUT_MS: i32 = 1_500;

/// After these a batch is sent again.
const PASSING: [ErrorCode; 8] = [
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::KAFKA_STORAGE_ERROR,
    // A broker that has just begun doesn't know all topics yet.
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    // Of a batch behind one that was refused, or of a leader that doesn't know yet that it is none.
    ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
];

/// Writes until it is told to stop, or something is wrong.
pub(super) fn write(
    history: &History,
    partition: &Partition,
    addresses: &[String],
    stop: &AtomicBool,
) {
    let mut seeker = Seeker::new(addresses, partition.index);
    let (mut next, mut attempt) = (0, 0);
    while !stop.load(Ordering::Relaxed) && !history.is_broken() {
        pause();
        let Some(mut raw) = seeker.leader(partition) else { continue };
        while !stop.load(Ordering::Relaxed) && !history.is_broken() {
            attempt += 1;
            // Of a producer that isn't known yet any batch is the first, as in the reference.
            let several = if next == 0 { 1 } else { IN_FLIGHT };
            let batches = next..next + several;
            let count = send(&mut raw, history, partition, batches, attempt);
            next += count;
            if count < several {
                break;
            }
            rest(partition);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a producer that isn't as fast as it can be")]
fn rest(partition: &Partition) {
    thread::sleep(partition.pace);
}

/// Batch `number` of a partition's producer: its records are numbered from `number * BATCH` on.
fn batch(partition: &Partition, number: i32, attempt: u32) -> Bytes {
    let base_sequence = number * BATCH;
    let id = 1_000 + i64::from(partition.index);
    let producer = ProducerState { id, epoch: 0, base_sequence, transactional: false };
    let mut builder = BatchBuilder::new(Codec::None).producer(producer);
    for number in base_sequence..base_sequence + BATCH {
        let value = format!("{number} {attempt} {number:0>80}");
        builder.append(now_ms(), None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// Sends some batches at once; how many of them were acknowledged, from the first on.
fn send(
    raw: &mut Raw,
    history: &History,
    partition: &Partition,
    batches: Range<i32>,
    attempt: u32,
) -> i32 {
    let Range { start: first, end } = batches;
    let mut asked = Vec::new();
    for number in batches {
        let records = batch(partition, number, attempt);
        let mut request = produce_to(&partition.topic, partition.index, records);
        request.timeout_ms = TIMEOUT_MS;
        let Ok(id) = raw.try_ask(PRODUCE, &request) else { break };
        asked.push((number, id));
    }
    for (number, id) in asked {
        let Some(response) = raw.answer::<ProduceResponse>(PRODUCE, id) else {
            return number - first;
        };
        if !is_taken(history, partition, number, &response.responses[0].partition_responses[0]) {
            return number - first;
        }
    }
    end - first
}

/// Whether a batch was acknowledged.
fn is_taken(
    history: &History,
    partition: &Partition,
    number: i32,
    answer: &PartitionProduceResponse,
) -> bool {
    let (code, base_offset) = (answer.error_code, i64::from(number * BATCH));
    if code == ErrorCode::NONE {
        if answer.base_offset != base_offset {
            let name = partition.name();
            history.break_with(format!("{name}: {base_offset} is acknowledged as {answer:?}"));
        }
        partition.acknowledge(base_offset + i64::from(BATCH));
        return true;
    }
    history.note("produce", code);
    if !PASSING.contains(&code) {
        history.break_with(format!("{}: {base_offset} is refused: {answer:?}", partition.name()));
    }
    false
}
