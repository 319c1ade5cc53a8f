//! Readers, one a partition: they ask for its end and read on, and now and then all of it again.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::records::{CheckedBatch, Inflater, RawBatches};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::{Raw, read_all};

use super::history::{History, Partition};
use super::seek::Seeker;

pub(super) const LIST_OFFSETS: i16 = 7;
const FETCH: i16 = 11;
const WAIT_MS: i32 = 100;
const BYTES_MAX: i32 = 256 << 10;
/// Reads at the end of a partition after which it is read from its start again.
const READS: u32 = 40;

/// Whether a reader tries again, or elsewhere.
type Read<T> = Result<Option<T>, String>;

/// Reads until it is told to stop.
pub(super) fn read(
    history: &History,
    partition: &Partition,
    addresses: &[String],
    stop: &AtomicBool,
) {
    let mut seeker = Seeker::new(addresses, partition.index + 1);
    let (mut next, mut reads) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        pause();
        let Some(mut raw) = seeker.leader(partition) else { continue };
        while !stop.load(Ordering::Relaxed) {
            match look(&mut raw, history, partition, next) {
                Ok(Some(end)) => next = end,
                Ok(None) => break,
                Err(what) => return history.break_with(what),
            }
            reads += 1;
            if reads % READS == 0 {
                next = 0;
            }
        }
    }
}

/// Asks for the end, and reads from `next` on; where that ended.
fn look(raw: &mut Raw, history: &History, partition: &Partition, next: i64) -> Read<i64> {
    let expected = partition.committed();
    let Some(latest) = latest(raw, history, partition) else { return Ok(None) };
    if latest < expected {
        let name = partition.name();
        return Err(format!("{name} ends at {latest}, and {expected} was committed"));
    }
    partition.commit(latest);
    let Some((high_watermark, bytes)) = fetch(raw, history, partition, next) else {
        return Ok(None);
    };
    let end = check(partition, next, &bytes)?;
    if end > high_watermark {
        let name = partition.name();
        return Err(format!("{name}: a read up to {end}, committed is {high_watermark}"));
    }
    partition.commit(high_watermark);
    Ok(Some(end))
}

fn latest(raw: &mut Raw, history: &History, partition: &Partition) -> Option<i64> {
    let asked = ListOffsetsPartition {
        partition_index: partition.index,
        timestamp: -1,
        current_leader_epoch: -1,
    };
    let topic = ListOffsetsTopic { name: partition.topic.as_str().into(), partitions: vec![asked] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let told = raw.try_call(LIST_OFFSETS, &request)?.topics.remove(0).partitions.remove(0);
    if told.error_code != ErrorCode::NONE {
        history.note("list", told.error_code);
        return None;
    }
    Some(told.offset)
}

/// The high watermark that was told, and records.
fn fetch(
    raw: &mut Raw,
    history: &History,
    partition: &Partition,
    fetch_offset: i64,
) -> Option<(i64, Bytes)> {
    let asked = FetchPartition {
        partition: partition.index,
        fetch_offset,
        partition_max_bytes: BYTES_MAX,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic = partition.topic.as_str().into();
    let topic = FetchTopic { topic, partitions: vec![asked], ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes: BYTES_MAX,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let answer = raw.try_call(FETCH, &request)?.responses.remove(0).partitions.remove(0);
    if answer.error_code != ErrorCode::NONE {
        history.note("fetch", answer.error_code);
        return None;
    }
    Some((answer.high_watermark, answer.records.unwrap_or_default()))
}

/// Holds records against what belongs there; the offset behind them.
fn check(partition: &Partition, mut next: i64, bytes: &Bytes) -> Result<i64, String> {
    let (name, start) = (partition.name(), next);
    for batch in RawBatches::new(bytes) {
        // The last may be cut off by the size that was asked for.
        let Ok(batch) = batch else { break };
        let batch = CheckedBatch::check(bytes.slice_ref(batch.bytes()));
        let batch = batch.map_err(|error| format!("{name} behind {next}: {error}"))?;
        let records = batch.records(&mut Inflater::default()).map_err(|error| error.to_string())?;
        for record in &records {
            let record = record.map_err(|error| format!("{name} behind {next}: {error}"))?;
            if record.offset < start {
                continue;
            }
            if record.offset != next {
                return Err(format!("{name}: offset {} where {next} belongs", record.offset));
            }
            partition.read(record.offset, record.value.unwrap_or_default())?;
            next += 1;
        }
    }
    Ok(next)
}

/// Reads everything, now that nobody writes any more: all that was acknowledged is there.
pub(super) fn check_all(cluster: &Cluster, history: &History) {
    for partition in &history.partitions {
        let (topic, index) = (&partition.topic, partition.index);
        let records = read_all(&mut cluster.leader(topic, index), topic, index);
        for (record, offset) in records.iter().zip(0_i64..) {
            assert_eq!(record.offset, offset, "{}", partition.name());
            partition.read(offset, &record.value).unwrap();
        }
        let (count, expected) = (i64::try_from(records.len()).unwrap(), partition.committed());
        assert!(count >= expected, "{}: {count} of {expected}", partition.name());
    }
}
