//! What is left of a batch is what should be, in every codec.

use bytes::Bytes;

use super::super::{
    BatchBuilder, BatchHeader, CheckedBatch, Codec, HeaderRef, Inflater, ProducerState, RawBatch,
    Record, Retained, Retainer, emptied_batch, gap_batch,
};

const PRODUCER: ProducerState =
    ProducerState { id: 40, epoch: 2, base_sequence: 17, transactional: false };

/// Six records, with keys 0 to 5; every third is a tombstone.
fn batch(codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(codec).producer(PRODUCER);
    for i in 0..6_i64 {
        let (key, value) = ([u8::try_from(i).unwrap()], [b'v'; 90]);
        let headers = [HeaderRef { key: "h", value: Some(&[1]) }];
        let value = (i % 3 != 2).then_some(&value[..]);
        builder.append(1000 + i * 100, Some(&key), value, &headers).unwrap();
    }
    builder.build().unwrap()
}

type Owned = (i64, i64, Vec<u8>, Option<Vec<u8>>, usize);

fn records(bytes: &[u8]) -> Vec<Owned> {
    let batch = CheckedBatch::check(Bytes::copy_from_slice(bytes)).unwrap();
    let records = batch.records(&mut Inflater::default()).unwrap();
    let own = |record: Result<Record<'_>, _>| {
        let record = record.unwrap();
        let value = record.value.map(<[u8]>::to_vec);
        (record.offset, record.timestamp, record.key.unwrap().to_vec(), value, record.headers.len())
    };
    records.iter().map(own).collect()
}

fn retain(bytes: &Bytes, horizon: i64, keep: &[i64]) -> (Retained, Vec<u8>) {
    let (batch, _) = RawBatch::split_first(bytes).unwrap();
    let mut out = vec![9];
    let keeps = |record: &Record<'_>| keep.contains(&record.offset);
    let retained = Retainer::default().retain(&batch, Some(horizon), &mut out, keeps).unwrap();
    assert_eq!(out.remove(0), 9, "it appends");
    (retained, out)
}

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

#[test]
fn the_records_that_are_left_stay_what_they_were() {
    for codec in CODECS {
        let bytes = batch(codec);
        let all = records(&bytes);
        let header = *CheckedBatch::check(bytes.clone()).unwrap().header();
        for mask in 0..64_i64 {
            let keep: Vec<i64> = (0..6).filter(|i| mask >> i & 1 == 1).collect();
            let (retained, out) = retain(&bytes, 77_000, &keep);
            let left: Vec<Owned> = all.iter().filter(|it| keep.contains(&it.0)).cloned().collect();
            let has_tombstone = keep.iter().any(|i| i % 3 == 2);
            if keep.is_empty() {
                assert_eq!((retained, out.len()), (Retained::Nothing, 0));
                continue;
            }
            if keep.len() == 6 && !has_tombstone {
                assert_eq!((retained, out.len()), (Retained::Whole, 0));
                continue;
            }
            assert_eq!(records(&out), left, "{codec:?} {mask}");
            let new = *CheckedBatch::check(Bytes::from(out)).unwrap().header();
            let max_timestamp = left.iter().map(|it| it.1).max().unwrap();
            let count = i32::try_from(left.len()).unwrap();
            assert_eq!(retained, Retained::Rewritten { max_timestamp, records: count });
            assert_eq!(new.attributes.has_delete_horizon(), has_tombstone);
            let base_timestamp = if has_tombstone { 77_000 } else { header.base_timestamp };
            let attributes = new.attributes;
            let (length, crc) = (new.length, new.crc);
            let expected = BatchHeader {
                max_timestamp,
                base_timestamp,
                attributes,
                length,
                crc,
                record_count: count,
                ..header
            };
            assert_eq!(new, expected, "all else stays");
            assert_eq!(attributes.codec_number(), codec.number());
        }
    }
}

#[test]
fn a_horizon_that_is_set_stays_and_a_batch_with_one_is_whole_again() {
    let (_, out) = retain(&batch(Codec::None), 77_000, &[0, 1, 2, 3, 4, 5]);
    let first = Bytes::from(out);
    let (retained, _) = retain(&first, 99_000, &[0, 1, 2, 3, 4, 5]);
    assert_eq!(retained, Retained::Whole);
    let (_, out) = retain(&first, 99_000, &[1, 5]);
    assert_eq!(records(&out), [records(&first)[1].clone(), records(&first)[5].clone()]);
    let header = *CheckedBatch::check(Bytes::from(out)).unwrap().header();
    assert_eq!((header.base_timestamp, header.max_timestamp), (77_000, 1500));
}

#[test]
fn a_timestamp_too_far_from_the_horizon_leaves_it_unset() {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(i64::MIN + 5, Some(b"k"), None, &[]).unwrap();
    let (retained, _) = retain(&builder.build().unwrap(), 77_000, &[0]);
    assert_eq!(retained, Retained::Whole);
}

#[test]
fn batches_without_records_keep_their_offsets() {
    let bytes = batch(Codec::Zstd);
    let header = *CheckedBatch::check(bytes).unwrap().header();
    let empty = CheckedBatch::check(Bytes::from(emptied_batch(&header).to_vec())).unwrap();
    let new = *empty.header();
    assert_eq!((new.record_count, new.last_offset_delta, new.base_sequence), (0, 5, 17));
    assert_eq!((new.producer_id, new.producer_epoch, new.max_timestamp), (40, 2, 1500));
    assert_eq!(new.attributes.codec_number(), 0);
    assert_eq!(records(empty.bytes()), []);
    let gap = CheckedBatch::check(Bytes::from(gap_batch(7, i32::MAX, 3).to_vec())).unwrap();
    assert_eq!((gap.header().base_offset, gap.header().last_offset_delta), (7, i32::MAX));
    assert_eq!((gap.header().leader_epoch, gap.header().producer_id), (3, -1));
    let (again, _) = RawBatch::split_first(gap.bytes()).unwrap();
    let mut out = Vec::new();
    let retained = Retainer::default().retain(&again, Some(0), &mut out, |_| true);
    assert_eq!(retained, Ok(Retained::Nothing));
}
