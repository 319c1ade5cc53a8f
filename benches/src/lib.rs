//! The cases that both benchmarks run: criterion for time, `icount` for instructions.
//!
//! A case is made once and then run any number of times; making it is not measured. What a run
//! computes is returned as a number, so that the compiler cannot leave it out and the caller can
//! check that the case does what it says.

pub mod process;
pub mod storage;

use bytes::{Buf as _, Bytes, BytesMut};

use logboom_protocol::hot::{
    FetchResponseHead, FetchResponseWriter, PartitionHead, ProduceVisit, Rope, TopicRef,
};
use logboom_protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logboom_protocol::records::{BatchBuilder, Codec, Inflater, ProducedBatch, crc32c, layout};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ErrorCode, Message as _};

/// Something to measure.
pub struct Case {
    /// Its name in every report.
    pub name: &'static str,
    /// Bytes of records or of messages that one run handles.
    pub bytes: usize,
    /// One run.
    pub run: Box<dyn FnMut() -> usize>,
}

/// All cases.
///
/// # Panics
/// If a message of ours cannot be made, which the tests exclude.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = vec![produce_decode(), fetch_write(), metadata_decode(), metadata_encode()];
    for (name, crc_name, record_bytes, batch_bytes) in [
        ("check/100B_in_16KiB", "crc/100B_in_16KiB", 100, 16 << 10),
        ("check/1KiB_in_16KiB", "crc/1KiB_in_16KiB", 1 << 10, 16 << 10),
        ("check/1KiB_in_64KiB", "crc/1KiB_in_64KiB", 1 << 10, 64 << 10),
        ("check/1KiB_in_1MiB", "crc/1KiB_in_1MiB", 1 << 10, 1 << 20),
    ] {
        let batch = batch(Codec::None, record_bytes, batch_bytes);
        cases.push(check(name, batch.clone()));
        cases.push(crc(crc_name, batch));
    }
    for (name, codec) in [
        ("check/gzip_64KiB", Codec::Gzip),
        ("check/snappy_64KiB", Codec::Snappy),
        ("check/lz4_64KiB", Codec::Lz4),
        ("check/zstd_64KiB", Codec::Zstd),
    ] {
        cases.push(check(name, batch(codec, 1 << 10, 64 << 10)));
    }
    cases.push(read_records());
    cases.push(build());
    cases
}

/// Half text, half noise, the same at every run: codecs find something, not everything.
fn payload(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    (0..bytes)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if i % 2 == 0 { b"logboom "[i / 2 % 8] } else { (state >> 56) as u8 }
        })
        .collect()
}

/// A batch of records of `record_bytes` that is at least `batch_bytes` before compression.
fn batch(codec: Codec, record_bytes: usize, batch_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    let mut timestamp = 1_700_000_000_000;
    while builder.uncompressed_bytes() + record_bytes < batch_bytes {
        let value = payload(record_bytes, timestamp as u64);
        builder.append(timestamp, None, Some(&value), &[]).expect("less than 2 GiB");
        timestamp += 1;
    }
    builder.build().expect("a batch of records")
}

fn produce_decode() -> Case {
    let records = batch(Codec::None, 1 << 10, 16 << 10);
    let bytes = records.len();
    let partition = PartitionProduceData { index: 7, records: Some(records) };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "flights".into(),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let mut body = BytesMut::new();
    request.encode(&mut body, 12).expect("encodes");
    let body = shared(body);
    let run = move || {
        let visit = ProduceVisit::decode(&body, 12).expect("decodes");
        visit.partitions().filter_map(|partition| Some(partition.records?.len())).sum()
    };
    Case { name: "produce_decode/16KiB", bytes, run: Box::new(run) }
}

/// Bytes as they come from a socket's buffer: a part of a larger allocation, shared.
fn shared(bytes: BytesMut) -> Bytes {
    let mut buffer = BytesMut::with_capacity(bytes.len() + 64);
    buffer.extend_from_slice(&bytes);
    buffer.split_to(bytes.len()).freeze()
}

fn fetch_write() -> Case {
    let segment = shared(BytesMut::from(&payload(1 << 20, 3)[..]));
    let bytes = segment.len();
    let run = move || {
        let mut rope = fetch_rope(&segment);
        let mut written = 0;
        while rope.has_remaining() {
            let mut slots = [std::io::IoSlice::new(&[]); 16];
            let count = rope.chunks_vectored(&mut slots);
            let step: usize = slots[..count].iter().map(|slot| slot.len()).sum();
            rope.advance(step);
            written += step;
        }
        written
    };
    Case { name: "fetch_write/1MiB", bytes, run: Box::new(run) }
}

/// A fetch response that lends all of `records`.
///
/// # Panics
/// If a fetch response cannot be made, which the tests exclude.
#[must_use]
pub fn fetch_rope(records: &Bytes) -> Rope {
    let head =
        FetchResponseHead { throttle_time_ms: 0, error_code: ErrorCode::NONE, session_id: 1 };
    let partition = PartitionHead {
        partition: 0,
        error_code: ErrorCode::NONE,
        high_watermark: 1024,
        last_stable_offset: 1024,
        log_start_offset: 0,
        diverging_epoch: None,
        current_leader: None,
        aborted_transactions: None,
        preferred_read_replica: -1,
    };
    let mut writer = FetchResponseWriter::new(17, 5, &head, 1).expect("a version of ours");
    writer.topic(TopicRef::Id(Uuid([7; 16])), 1).expect("a topic by id");
    writer.partition(&partition, [records.clone()]).expect("less than 2 GiB");
    writer.finish(&[]).expect("less than 2 GiB")
}

fn metadata() -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: partition_index % 3,
        leader_epoch: 4,
        replica_nodes: vec![0, 1, 2],
        isr_nodes: vec![0, 1, 2],
        ..MetadataResponsePartition::default()
    };
    let topic = |number: u8| MetadataResponseTopic {
        name: Some(format!("topic-{number}").into()),
        topic_id: Uuid([number; 16]),
        partitions: (0..10).map(partition).collect(),
        ..MetadataResponseTopic::default()
    };
    MetadataResponse { topics: (0..100).map(topic).collect(), ..MetadataResponse::default() }
}

fn metadata_decode() -> Case {
    let mut body = BytesMut::new();
    metadata().encode(&mut body, 12).expect("encodes");
    let body = body.freeze();
    let bytes = body.len();
    let run = move || MetadataResponse::decode(&body, 12).expect("decodes").topics.len();
    Case { name: "metadata_decode/1000_partitions", bytes, run: Box::new(run) }
}

fn metadata_encode() -> Case {
    let response = metadata();
    let mut out = BytesMut::new();
    response.encode(&mut out, 12).expect("encodes");
    let bytes = out.len();
    let run = move || {
        out.clear();
        response.encode(&mut out, 12).expect("encodes");
        out.len()
    };
    Case { name: "metadata_encode/1000_partitions", bytes, run: Box::new(run) }
}

fn check(name: &'static str, batch: Bytes) -> Case {
    let mut inflater = Inflater::default();
    let bytes = ProducedBatch::check(batch.clone(), &mut inflater).expect("checks").summary().bytes;
    let run = move || {
        let checked = ProducedBatch::check(batch.clone(), &mut inflater).expect("checks");
        checked.summary().bytes
    };
    Case { name, bytes, run: Box::new(run) }
}

fn crc(name: &'static str, batch: Bytes) -> Case {
    let covered = batch.slice(layout::ATTRIBUTES_AT..);
    let bytes = covered.len();
    Case { name, bytes, run: Box::new(move || crc32c(&[&covered]) as usize) }
}

fn read_records() -> Case {
    let checked = ProducedBatch::check(batch(Codec::None, 100, 16 << 10), &mut Inflater::default());
    let checked = checked.expect("checks");
    let records = checked.batch().records(&mut Inflater::default()).expect("not compressed");
    let bytes = records.bytes().len();
    let run = move || records.iter().filter_map(|r| r.ok()?.value).map(<[u8]>::len).sum();
    Case { name: "read_records/100B_in_16KiB", bytes, run: Box::new(run) }
}

fn build() -> Case {
    let value = payload(100, 9);
    let run = move || {
        let mut builder = BatchBuilder::new(Codec::None);
        for i in 0..140 {
            builder
                .append(1_700_000_000_000 + i, None, Some(&value), &[])
                .expect("less than 2 GiB");
        }
        builder.build().expect("a batch of records").len()
    };
    Case { name: "build/140_of_100B", bytes: 14_000, run: Box::new(run) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_does_what_it_says() {
        let mut names = Vec::new();
        for mut case in cases() {
            let first = (case.run)();
            assert!(first > 0, "{} computes nothing", case.name);
            assert_eq!((case.run)(), first, "{} depends on the run before", case.name);
            names.push(case.name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cases().len(), "names are unique");
    }
}
