//! Record batches: the checks agree with each other and with the records that come out.

use std::cell::RefCell;

use bytes::Bytes;

use logboom_protocol::records::{
    BatchBuilder, BatchError, BatchHeader, CheckedBatch, Codec, HeaderRef, Inflater, ProducedBatch,
    ProducerState, RawBatches, Record, RecordSummary, Records, Stamps, TimestampType, crc32c,
    layout,
};
use logboom_protocol::units::{LeaderEpoch, Offset};

/// Most bytes that records may inflate to here: enough for every edge, and quick.
const INFLATED_BYTES_MAX: usize = 1 << 20;

/// The bits of the attributes that name the codec.
const CODEC_BITS: u8 = 0b111;

thread_local! {
    static INFLATER: RefCell<Inflater> = RefCell::new(Inflater::new(INFLATED_BYTES_MAX));
}

fn with_inflater<T>(run: impl FnOnce(&mut Inflater) -> T) -> T {
    INFLATER.with_borrow_mut(run)
}

/// A batch that is not compressed, as it is and with length, magic and CRC put right.
///
/// Input: the batch.
pub fn record_batch(data: &[u8]) {
    let mut seen = 0;
    for batch in RawBatches::new(data) {
        let Ok(batch) = batch else { break };
        assert_eq!(batch.bytes(), &data[seen..seen + batch.bytes().len()]);
        let crc_is_right = crc_of(batch.bytes()) == batch.header().crc;
        let says_so = !matches!(batch.check(), Err(BatchError::Crc { .. }));
        assert_eq!(crc_is_right, says_so);
        seen += batch.bytes().len();
    }
    check_batch(Bytes::copy_from_slice(data));
    let Some(&head) = data.first_chunk() else { return };
    let mut header = BatchHeader::from_bytes(&head);
    assert_eq!(header.to_bytes(), head);
    header.attributes.0 &= !i16::from(CODEC_BITS);
    let records = &data[layout::HEADER_BYTES..];
    check_batch(sealed(header, records));
    // From a producer, offsets count from 0.
    if std::mem::take(&mut header.base_offset) != 0 {
        check_batch(sealed(header, records));
    }
}

fn crc_of(batch: &[u8]) -> u32 {
    crc32c(&[&batch[layout::ATTRIBUTES_AT..]])
}

/// A batch of that header and those records, with length, magic and CRC put right.
fn sealed(mut header: BatchHeader, records: &[u8]) -> Bytes {
    let length = layout::HEADER_BYTES - layout::LENGTH_OVERHEAD + records.len();
    header.length = i32::try_from(length).expect("inputs are short");
    header.magic = layout::MAGIC;
    header.crc = crc32c(&[&header.to_bytes()[layout::ATTRIBUTES_AT..], records]);
    [&header.to_bytes()[..], records].concat().into()
}

/// Records behind each codec: damaged as they come, and compressed as they should be.
///
/// Input: codec and form (1 byte), number of records (1 byte), bytes. In one form they are what a
/// decompressor gets, in the other they are records, which are compressed first.
pub fn compressed_records(data: &[u8]) {
    let Some((&[choice, count], bytes)) = data.split_first_chunk() else { return };
    let codec = Codec::ALL[1 + usize::from(choice) % 4];
    let header = produced_header(codec, count.into());
    if choice & 0x80 == 0 {
        let inflated = with_inflater(|inflater| inflater.inflate(codec, bytes));
        assert!(inflated.map_or(0, |bytes| bytes.len()) <= INFLATED_BYTES_MAX);
        check_batch(sealed(header, bytes));
        return;
    }
    let compressed = codec.compress(bytes).expect("every codec is built in");
    let inflated = with_inflater(|inflater| inflater.inflate(codec, &compressed));
    assert_eq!(inflated.as_deref(), Ok(bytes), "{codec:?} must give back what it got");
    let plain = sealed(produced_header(Codec::None, count.into()), bytes);
    let plain = with_inflater(|inflater| ProducedBatch::check(plain, inflater));
    let batch = sealed(header, &compressed);
    let checked = with_inflater(|inflater| ProducedBatch::check(batch.clone(), inflater));
    assert_eq!(outcome(plain), outcome(checked), "{codec:?} must not matter");
    check_batch(batch);
}

/// What a check says, without the reason why a record is bad: a stream cannot look ahead to the
/// end of a record and may give another.
fn outcome(batch: Result<ProducedBatch, BatchError>) -> Result<RecordSummary, BatchError> {
    match batch {
        Ok(batch) => Ok(*batch.summary()),
        Err(BatchError::Record { index, .. }) => Err(BatchError::Record { index, reason: "" }),
        Err(error) => Err(error),
    }
}

/// A header as a producer writes it.
fn produced_header(codec: Codec, record_count: i32) -> BatchHeader {
    let mut header = BatchHeader::from_bytes(&[0xff; layout::HEADER_BYTES]);
    header.base_offset = 0;
    header.attributes.0 = codec.number();
    header.last_offset_delta = record_count - 1;
    header.record_count = record_count;
    header
}

/// Everything that holds for a batch, good or bad.
fn check_batch(bytes: Bytes) {
    let checked = CheckedBatch::check(bytes.clone());
    let produced = with_inflater(|inflater| ProducedBatch::check(bytes.clone(), inflater));
    let batch = match (checked, &produced) {
        (Ok(batch), _) => batch,
        (Err(error), Err(other)) => return assert_eq!(error, *other),
        (Err(error), Ok(_)) => panic!("{error}, but a producer may send it"),
    };
    assert_eq!(crc_of(&bytes), batch.header().crc);
    assert_eq!(batch.bytes(), &bytes);
    let records = with_inflater(|inflater| batch.records(inflater));
    if let Ok(records) = &records {
        check_records(&batch, records);
    }
    if let Ok(produced) = produced {
        check_produced(&produced, &records.expect("they were walked over"));
    }
}

/// The records of any batch: in order, within its offsets, and no more than it says.
fn check_records(batch: &CheckedBatch, records: &Records) {
    let header = batch.header();
    let mut floor = header.base_offset;
    let mut count = 0;
    let mut failed = false;
    for record in records {
        assert!(!failed, "after an error the iterator ends");
        let Ok(record) = record else {
            failed = true;
            continue;
        };
        assert!(record.offset >= floor, "{} below {floor}", record.offset);
        assert!(record.offset - header.base_offset <= i64::from(header.last_offset_delta));
        floor = record.offset.saturating_add(1);
        let headers = record.headers.iter().count();
        assert_eq!((record.headers.len(), record.headers.is_empty()), (headers, headers == 0));
        count += 1;
    }
    assert!(count <= header.record_count);
    assert!(failed || count == header.record_count, "{count} of {}", header.record_count);
}

/// What a producer may send is read to its end, and what is stamped is a batch again.
fn check_produced(produced: &ProducedBatch, records: &Records) {
    let header = produced.header();
    let summary = produced.summary();
    assert_eq!(summary.bytes, records.bytes().len());
    for log_append_time in [None, Some(1 << 40)] {
        let base_offset = Offset::from_wire(77).expect("not negative");
        let leader_epoch = LeaderEpoch::from_wire(5).expect("not negative");
        let stamped = produced.stamp(&Stamps { base_offset, leader_epoch, log_append_time });
        let bytes: Bytes = stamped.parts().concat().into();
        assert_eq!(
            (stamped.size(), stamped.end_offset()),
            (bytes.len(), 77 + i64::from(header.record_count))
        );
        let batch = CheckedBatch::check(bytes).expect("a stamped batch is a batch");
        let stamped = batch.header();
        assert_eq!((stamped.base_offset, stamped.leader_epoch), (77, 5));
        let max_timestamp = log_append_time.unwrap_or(summary.max_timestamp);
        assert_eq!(stamped.max_timestamp, max_timestamp);
        assert_eq!(stamped.record_count, header.record_count);
        assert_eq!(batch.record_bytes(), produced.batch().record_bytes());
        let records = with_inflater(|inflater| batch.records(inflater)).expect("inflated before");
        let records: Vec<Record<'_>> =
            records.iter().collect::<Result<_, _>>().expect("they were walked over");
        assert_eq!(records.len(), usize::try_from(header.record_count).expect("checked"));
        let offsets = records.iter().map(|record| record.offset);
        assert!(offsets.eq((0..).map(|delta| 77 + delta).take(records.len())));
        match batch.header().attributes.timestamp_type() {
            TimestampType::LogAppendTime => {
                assert!(records.iter().all(|record| record.timestamp == max_timestamp));
            }
            TimestampType::CreateTime => {
                check_summary(produced, &records);
                check_rebuilt(produced, &records);
            }
        }
    }
}

fn check_summary(produced: &ProducedBatch, records: &[Record<'_>]) {
    let summary = produced.summary();
    let timestamps = || records.iter().map(|record| record.timestamp);
    assert_eq!(timestamps().max(), Some(summary.max_timestamp));
    assert_eq!(timestamps().min(), Some(summary.min_timestamp));
    let first_max = timestamps().position(|timestamp| timestamp == summary.max_timestamp);
    assert_eq!(first_max, usize::try_from(summary.max_timestamp_offset_delta).ok());
    let first_without_key = records.iter().position(|record| record.key.is_none());
    let stated = summary.first_without_key;
    assert_eq!(first_without_key, stated.map(|place| usize::try_from(place).expect("a place")));
}

/// A builder that gets the same records makes a batch of the same records.
fn check_rebuilt(produced: &ProducedBatch, records: &[Record<'_>]) {
    let header = produced.header();
    let mut builder = BatchBuilder::new(produced.batch().codec().expect("it was inflated"));
    if header.producer_id >= 0 {
        let (id, epoch, base_sequence) =
            (header.producer_id, header.producer_epoch, header.base_sequence);
        let transactional = header.attributes.is_transactional();
        builder = builder.producer(ProducerState { id, epoch, base_sequence, transactional });
    }
    for record in records {
        let mut headers = Vec::new();
        for header in record.headers.iter() {
            // The builder writes what clients write: keys in UTF-8.
            let Ok(key) = std::str::from_utf8(header.key) else { return };
            headers.push(HeaderRef { key, value: header.value });
        }
        let appended = builder.append(record.timestamp, record.key, record.value, &headers);
        if record.timestamp.checked_sub(records[0].timestamp).is_none() {
            return assert!(matches!(appended, Err(BatchError::Timestamp { .. })), "{appended:?}");
        }
        appended.expect("a record that was in a batch");
    }
    let built = builder.build().expect("a batch of records that were in one");
    let built = with_inflater(|inflater| ProducedBatch::check(built, inflater));
    let built = built.expect("what is built may be sent");
    assert_eq!(built.summary().max_timestamp, produced.summary().max_timestamp);
    assert_eq!(built.header().producer_id, header.producer_id);
    // The bits without a meaning are the producer's affair.
    assert_eq!(built.header().attributes.0, header.attributes.0 & 0x7f);
    let again = with_inflater(|inflater| built.batch().records(inflater)).expect("just built");
    for (record, again) in records.iter().zip(&again) {
        let again = again.expect("just built");
        assert_eq!((again.key, again.value), (record.key, record.value));
        assert_eq!(again.timestamp, record.timestamp);
        assert_eq!(again.offset, record.offset - 77);
        assert!(again.headers.iter().eq(record.headers.iter()));
    }
}
