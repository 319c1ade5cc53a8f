//! Batches: what is built reads back, what is broken is named.

mod retain;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::layout as at;
use super::*;
use crate::ErrorCode;
use crate::units::{LeaderEpoch, Offset};

const IDEMPOTENT: ProducerState =
    ProducerState { id: 40, epoch: 2, base_sequence: 17, transactional: false };

type OwnedRecord = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn build(codec: Codec, records: &[OwnedRecord]) -> Bytes {
    let mut builder = BatchBuilder::new(codec).producer(IDEMPOTENT);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<HeaderRef<'_>> =
            headers.iter().map(|(key, value)| HeaderRef { key, value: value.as_deref() }).collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
    }
    builder.build().unwrap()
}

/// Three records with keys, nulls, empties and a repeated header.
fn sample() -> Vec<OwnedRecord> {
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    let headers = vec![header("h", Some(b"1")), header("h", None), header("", Some(b""))];
    vec![
        (1000, Some(b"key".to_vec()), Some(b"value".to_vec()), headers),
        (900, None, Some(vec![]), vec![]),
        (5000, Some(vec![]), None, vec![]),
    ]
}

/// Changes bytes of a batch and makes its CRC right again.
fn patched(batch: &Bytes, place: usize, bytes: &[u8]) -> Bytes {
    let mut batch = BytesMut::from(&batch[..]);
    batch[place..place + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c(&[&batch[at::ATTRIBUTES_AT..]]);
    batch[at::CRC_AT..at::ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

fn patched_magic(bytes: &[u8], magic: u8) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at::MAGIC_AT] = magic;
    bytes.into()
}

fn check(bytes: &Bytes) -> Result<ProducedBatch, BatchError> {
    ProducedBatch::check(bytes.clone(), &mut Inflater::default())
}

fn read(batch: &CheckedBatch) -> Vec<OwnedRecord> {
    let records = batch.records(&mut Inflater::default()).unwrap();
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    records
        .iter()
        .map(|record| {
            let record = record.unwrap();
            let header =
                |h: Header<'_>| (String::from_utf8_lossy(h.key).into_owned(), own(h.value));
            let headers = record.headers.iter().map(header).collect();
            (record.timestamp, own(record.key), own(record.value), headers)
        })
        .collect()
}

#[test]
fn every_codec_reads_back_what_was_built() {
    for codec in Codec::ALL {
        let batch = check(&build(codec, &sample())).unwrap();
        assert_eq!(batch.batch().codec(), Ok(codec));
        assert_eq!(read(batch.batch()), sample(), "{}", codec.name());
        let summary = batch.summary();
        assert_eq!((summary.min_timestamp, summary.max_timestamp), (900, 5000));
        assert_eq!(summary.max_timestamp_offset_delta, 2);
        assert_eq!(summary.first_without_key, Some(1));
        assert_eq!(batch.header().max_timestamp, 5000);
    }
}

#[test]
fn compressed_batches_are_smaller_where_they_can_be() {
    let same: Vec<OwnedRecord> =
        (0..100).map(|i| (i, None, Some(vec![b'x'; 500]), vec![])).collect();
    let plain = build(Codec::None, &same).len();
    for codec in &Codec::ALL[1..] {
        let bytes = build(*codec, &same);
        assert!(bytes.len() * 5 < plain, "{}: {} of {plain}", codec.name(), bytes.len());
        assert_eq!(check(&bytes).unwrap().summary().bytes, plain - at::HEADER_BYTES);
    }
}

#[test]
fn a_raw_snappy_block_is_read_as_well_as_the_framed_ones() {
    let framed = build(Codec::Snappy, &sample());
    let plain = build(Codec::None, &sample());
    let raw = snap::raw::Encoder::new().compress_vec(&plain[at::RECORDS_AT..]).unwrap();
    let mut bytes = BytesMut::from(&framed[..at::RECORDS_AT]);
    bytes.extend_from_slice(&raw);
    let length = i32::try_from(bytes.len() - at::LENGTH_OVERHEAD).unwrap();
    let bytes = patched(&bytes.freeze(), at::LENGTH_AT, &length.to_be_bytes());
    assert_eq!(read(check(&bytes).unwrap().batch()), sample());
}

#[test]
fn stamping_leaves_the_crc_unless_timestamps_change() {
    let bytes = build(Codec::Zstd, &sample());
    let batch = check(&bytes).unwrap();
    let stamps = Stamps {
        base_offset: Offset::from_wire(1 << 40).unwrap(),
        leader_epoch: LeaderEpoch::from_wire(9).unwrap(),
        log_append_time: None,
    };
    let join = |stamped: StampedBatch| Bytes::from(stamped.parts().concat());

    let stamped = join(batch.stamp(&stamps));
    assert_eq!(stamped[at::CRC_AT..], bytes[at::CRC_AT..], "only the front differs");
    let header = *CheckedBatch::check(stamped).unwrap().header();
    assert_eq!((header.base_offset, header.leader_epoch), (1 << 40, 9));

    let appended = join(batch.stamp(&Stamps { log_append_time: Some(77_000), ..stamps }));
    let appended = CheckedBatch::check(appended).unwrap();
    assert_eq!(appended.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(appended.header().max_timestamp, 77_000);
    assert!(read(&appended).iter().all(|record| record.0 == 77_000));

    let wrong = patched(&bytes, at::MAX_TIMESTAMP_AT, &1i64.to_be_bytes());
    let righted = join(check(&wrong).unwrap().stamp(&stamps));
    assert_eq!(CheckedBatch::check(righted).unwrap().header().max_timestamp, 5000);
}

#[test]
fn a_batch_of_another_codec_has_the_same_records_and_header() {
    let plain = check(&build(Codec::None, &sample())).unwrap();
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let other = plain.recompress(codec, &mut Inflater::default()).unwrap();
        assert_eq!(other.batch().codec().unwrap(), codec);
        assert_eq!(read(other.batch()), sample());
        // What comes back is what a producer could have sent.
        let back = check(other.batch().bytes()).unwrap();
        let back = back.recompress(Codec::None, &mut Inflater::default()).unwrap();
        assert_eq!(back.batch().bytes(), plain.batch().bytes());
        assert_eq!(back.summary(), plain.summary());
    }
}

#[test]
fn offsets_of_read_records_follow_the_base_offset() {
    let bytes = patched(&build(Codec::Gzip, &sample()), 0, &500i64.to_be_bytes());
    let batch = CheckedBatch::check(bytes).unwrap();
    let records = batch.records(&mut Inflater::default()).unwrap();
    let offsets: Vec<i64> = records.iter().map(|r| r.unwrap().offset).collect();
    assert_eq!(offsets, [500, 501, 502]);
}

#[test]
fn every_flipped_bit_is_found_or_lies_before_what_the_crc_covers() {
    let bytes = build(Codec::None, &sample());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = BytesMut::from(&bytes[..]);
        flipped[bit / 8] ^= 1 << (bit % 8);
        let place = bit / 8;
        match check(&flipped.freeze()) {
            Err(_) => {}
            Ok(_) => assert!(
                place < at::LENGTH_AT || (at::LEADER_EPOCH_AT..at::MAGIC_AT).contains(&place),
                "bit {bit}"
            ),
        }
    }
}

#[test]
fn what_a_producer_may_not_send_is_named() {
    let bytes = build(Codec::None, &sample());
    let i16 = |value: i16| value.to_be_bytes().to_vec();
    let i32 = |value: i32| value.to_be_bytes().to_vec();
    let table: [(usize, Vec<u8>, &str, ErrorCode); 16] = [
        (at::MAGIC_AT, vec![3], "magic 3; only", ErrorCode::CORRUPT_MESSAGE),
        (
            at::BASE_OFFSET_AT,
            vec![0, 0, 0, 0, 0, 0, 0, 1],
            "base offset 1",
            ErrorCode::INVALID_RECORD,
        ),
        (at::MAGIC_AT, vec![1], "magic 1; only", ErrorCode::INVALID_RECORD),
        (at::ATTRIBUTES_AT, i16(5), "codec 5", ErrorCode::UNSUPPORTED_COMPRESSION_TYPE),
        (
            at::ATTRIBUTES_AT,
            i16(8),
            "only brokers set log append time",
            ErrorCode::INVALID_TIMESTAMP,
        ),
        (
            at::ATTRIBUTES_AT,
            i16(32),
            "clients do not write control records",
            ErrorCode::INVALID_RECORD,
        ),
        (at::ATTRIBUTES_AT, i16(64), "only compaction sets", ErrorCode::INVALID_RECORD),
        (at::ATTRIBUTES_AT, i16(2), "damaged snappy data", ErrorCode::INVALID_RECORD),
        (
            at::RECORD_COUNT_AT,
            i32(2),
            "2 records with the last offset delta 2",
            ErrorCode::INVALID_RECORD,
        ),
        (at::RECORD_COUNT_AT, i32(-1), "-1 records", ErrorCode::INVALID_RECORD),
        (at::LAST_OFFSET_DELTA_AT, i32(i32::MAX), "3 records with", ErrorCode::INVALID_RECORD),
        (
            at::PRODUCER_ID_AT,
            i64::to_be_bytes(-2).to_vec(),
            "producer -2",
            ErrorCode::INVALID_RECORD,
        ),
        (at::PRODUCER_EPOCH_AT, i16(-1), "producer 40 with epoch -1", ErrorCode::INVALID_RECORD),
        (at::BASE_SEQUENCE_AT, i32(-1), "sequence -1", ErrorCode::INVALID_RECORD),
        (
            at::BASE_TIMESTAMP_AT,
            i64::MAX.to_be_bytes().to_vec(),
            "overflows",
            ErrorCode::INVALID_RECORD,
        ),
        (at::RECORDS_AT, vec![2], "record 0: the bytes end within it", ErrorCode::INVALID_RECORD),
    ];
    for (place, patch, text, code) in table {
        let error = check(&patched(&bytes, place, &patch)).unwrap_err();
        assert!(error.to_string().contains(text), "{error} instead of {text}");
        assert_eq!(error.error_code(), code, "{error}");
    }
}

#[test]
fn wire_28_one_batch_a_partition_and_not_two_or_none() {
    let one = build(Codec::None, &sample());
    let two = Bytes::from([&one[..], &one].concat());
    assert_eq!(check(&two).unwrap_err(), BatchError::NotOneBatch);
    assert_eq!(check(&Bytes::new()).unwrap_err(), BatchError::NotOneBatch);
    assert_eq!(RawBatches::new(&two).filter(Result::is_ok).count(), 2);
    let cut = two.slice(..two.len() - 1);
    let mut batches = RawBatches::new(&cut);
    let last = batches.by_ref().last().unwrap().unwrap_err();
    assert_eq!(batches.rest(), &cut[one.len()..], "where the batches end");
    assert_eq!(last, BatchError::Truncated { needed: one.len(), present: one.len() - 1 });
}

#[test]
fn wire_30_a_wrong_crc_is_a_corrupt_message() {
    let mut bytes = BytesMut::from(&build(Codec::None, &sample())[..]);
    bytes[at::CRC_AT] ^= 1;
    let error = check(&bytes.freeze()).unwrap_err();
    assert!(matches!(error, BatchError::Crc { .. }));
    assert_eq!(error.error_code(), ErrorCode::CORRUPT_MESSAGE);
}

#[test]
fn lengths_that_no_batch_has_are_refused() {
    let bytes = build(Codec::None, &sample());
    for length in [-1, 0, 48, i32::MIN] {
        let patched = patched(&bytes, at::LENGTH_AT, &length.to_be_bytes());
        assert_eq!(check(&patched).unwrap_err(), BatchError::Length { length });
    }
    // A message of format v1 can be shorter than a header of v2 (WIRE 28).
    let short = bytes.slice(..40);
    let error = check(&patched_magic(&short, 1)).unwrap_err();
    assert_eq!(
        (error, error.error_code()),
        (BatchError::Magic { magic: 1 }, ErrorCode::INVALID_RECORD)
    );
    for (base, last_delta) in [(-1, 2), (i64::MAX - 2, 2)] {
        let patched = patched(&bytes, at::BASE_OFFSET_AT, &i64::to_be_bytes(base));
        let error = CheckedBatch::check(patched).unwrap_err();
        assert_eq!(error, BatchError::Offsets { base, last_delta });
    }
    for length in [i32::MAX, i32::try_from(bytes.len()).unwrap()] {
        let error = check(&patched(&bytes, at::LENGTH_AT, &length.to_be_bytes())).unwrap_err();
        assert!(matches!(error, BatchError::Truncated { .. }), "{error}");
    }
}

#[test]
fn inflating_stops_at_its_limit() {
    let zeros: Vec<OwnedRecord> = vec![(0, None, Some(vec![0; 1 << 20]), vec![])];
    for codec in &Codec::ALL[1..] {
        let bytes = build(*codec, &zeros);
        let mut small = Inflater::new(1 << 16);
        let refused = BatchError::Inflated { limit: 1 << 16 };
        assert_eq!(ProducedBatch::check(bytes.clone(), &mut small).unwrap_err(), refused);
        let batch = CheckedBatch::check(bytes).unwrap();
        assert_eq!(batch.records(&mut small).unwrap_err(), refused, "{}", codec.name());
    }
}

#[test]
fn compaction_leaves_gaps_and_even_nothing() {
    // Record 1 of 3 removed: two records, deltas 0 and 2, the last offset kept.
    let plain = build(Codec::None, &sample());
    let sizes: Vec<usize> = {
        let mut ends = vec![];
        let mut rest = &plain[at::RECORDS_AT..];
        while let Some(&length) = rest.first() {
            let bytes = usize::from(length / 2) + 1;
            ends.push(bytes);
            rest = &rest[bytes..];
        }
        ends
    };
    let middle = at::RECORDS_AT + sizes[0];
    let kept = [&plain[..middle], &plain[middle + sizes[1]..]].concat();
    let length = i32::try_from(kept.len() - at::LENGTH_OVERHEAD).unwrap();
    let kept = patched(&kept.into(), at::LENGTH_AT, &length.to_be_bytes());
    let kept = patched(&kept, at::RECORD_COUNT_AT, &2i32.to_be_bytes());
    let batch = CheckedBatch::check(kept.clone()).unwrap();
    let records = batch.records(&mut Inflater::default()).unwrap();
    assert_eq!(records.iter().map(|r| r.unwrap().offset).collect::<Vec<_>>(), [0, 2]);
    assert!(check(&kept).is_err(), "a producer may not leave gaps");

    let length = i32::try_from(at::HEADER_BYTES - at::LENGTH_OVERHEAD).unwrap();
    let empty = patched(&plain.slice(..at::HEADER_BYTES), at::LENGTH_AT, &length.to_be_bytes());
    let empty = patched(&empty, at::RECORD_COUNT_AT, &0i32.to_be_bytes());
    let batch = CheckedBatch::check(empty).unwrap();
    assert_eq!(batch.records(&mut Inflater::default()).unwrap().iter().count(), 0);
}

#[test]
fn control_batches_say_how_a_transaction_ended() {
    for (committed, kind, epoch) in
        [(false, ControlType::Abort, 3), (true, ControlType::Commit, i32::MAX)]
    {
        let batch = end_transaction_batch(IDEMPOTENT, committed, epoch, 1234);
        let attributes = batch.header().attributes;
        assert!(attributes.is_control() && attributes.is_transactional());
        assert_eq!(batch.header().base_sequence, -1);
        let records = batch.records(&mut Inflater::default()).unwrap();
        let record = records.iter().next().unwrap().unwrap();
        let expected = ControlRecord { kind, coordinator_epoch: Some(epoch) };
        assert_eq!(ControlRecord::from_record(&record), Some(expected));
        assert!(check(batch.bytes()).is_err(), "a client may not send it");

        let (offset, epoch) = (Offset::from_wire(70).unwrap(), LeaderEpoch::ZERO);
        let placed = StampedBatch::by_broker(&batch, offset, epoch);
        assert_eq!((placed.header().base_offset, placed.end_offset()), (70, 71));
        let again = CheckedBatch::check(Bytes::from(placed.parts().concat())).unwrap();
        assert_eq!(StampedBatch::from(again).parts(), placed.parts(), "a follower keeps it");
    }
}

#[test]
fn a_record_that_the_format_cannot_hold_is_refused_and_leaves_the_batch_as_it_was() {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(i64::MIN, None, Some(b"first"), &[]).unwrap();
    let error = builder.append(i64::MAX, None, None, &[]).unwrap_err();
    assert_eq!(error, BatchError::Timestamp { base: i64::MIN, delta: i64::MAX });
    let batch = check(&builder.build().unwrap()).unwrap();
    assert_eq!(batch.header().record_count, 1);
}

#[test]
fn a_request_of_many_small_bombs_is_stopped_by_its_budget() {
    let zeros: Vec<OwnedRecord> = vec![(0, None, Some(vec![0; 1 << 20]), vec![])];
    for codec in &Codec::ALL[1..] {
        let bytes = build(*codec, &zeros);
        let mut inflater = Inflater::default();
        inflater.begin_request(10 << 20);
        let results: Vec<_> =
            (0..20).map(|_| ProducedBatch::check(bytes.clone(), &mut inflater)).collect();
        let taken = results.iter().filter(|result| result.is_ok()).count();
        assert!((1..10).contains(&taken), "{}: {taken}", codec.name());
        let refused = results.last().unwrap().as_ref().unwrap_err();
        assert_eq!(refused.error_code(), ErrorCode::MESSAGE_TOO_LARGE);
        inflater.begin_request(10 << 20);
        assert!(ProducedBatch::check(bytes, &mut inflater).is_ok(), "the next request begins anew");
    }
}

#[test]
fn raw_snappy_allocates_no_more_than_the_limit_whatever_it_claims() {
    // Four megabytes of zeros behind a claim of 64.
    let mut claim = vec![0x80, 0x80, 0x80, 0x20];
    claim.resize(4 << 20, 0);
    let plain = build(Codec::Snappy, &sample());
    let mut bytes = BytesMut::from(&plain[..at::RECORDS_AT]);
    bytes.extend_from_slice(&claim);
    let length = i32::try_from(bytes.len() - at::LENGTH_OVERHEAD).unwrap();
    let bytes = patched(&bytes.freeze(), at::LENGTH_AT, &length.to_be_bytes());
    let refused = ProducedBatch::check(bytes, &mut Inflater::new(1 << 20)).unwrap_err();
    assert_eq!(refused, BatchError::Inflated { limit: 1 << 20 });
}

#[test]
fn an_empty_batch_is_not_built() {
    let error = BatchBuilder::new(Codec::None).build().unwrap_err();
    assert_eq!(error, BatchError::Count { count: 0, last_offset_delta: -1 });
}

fn any_record() -> impl Strategy<Value = OwnedRecord> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    let optional = || proptest::option::of(bytes());
    let headers = proptest::collection::vec((".{0,20}", proptest::option::of(bytes())), 0..4);
    // Any two timestamps lie within 64 bits of each other.
    (i64::MIN / 2..i64::MAX / 2, optional(), optional(), headers)
}

proptest! {
    #[test]
    fn any_records_read_back(
        records in proptest::collection::vec(any_record(), 1..20),
        codec in proptest::sample::select(&Codec::ALL[..]),
    ) {
        let batch = check(&build(codec, &records)).unwrap();
        prop_assert_eq!(read(batch.batch()), records.clone());
        let max = records.iter().map(|r| r.0).max();
        prop_assert_eq!(Some(batch.summary().max_timestamp), max);
    }

    #[test]
    fn any_change_behind_the_header_is_an_error_or_reads_consistently(
        place in 0..200usize,
        byte: u8,
    ) {
        let bytes = build(Codec::None, &sample());
        let place = at::RECORDS_AT + place % (bytes.len() - at::RECORDS_AT);
        let changed = patched(&bytes, place, &[byte]);
        if let Ok(batch) = check(&changed) {
            prop_assert_eq!(read(batch.batch()).len(), 3);
        }
    }
}
