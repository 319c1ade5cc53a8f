//! Bad record batches, with the CRC put right so that what lies behind it is looked at.
//!
//! Uncompressed records are checked and read without any memory. Compressed ones are walked over
//! through a codec, whose working memory is [`codec_bytes`], whatever the batch says; reading
//! them takes what comes out besides, at most the limit of the [`Inflater`].

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use proptest::prelude::{any, prop};
use proptest::{prop_assert, proptest};

use super::{SEED, framed};
use logboom_protocol::records::{
    BatchError, CheckedBatch, Codec, Inflater, ProducedBatch, crc32c, layout,
};
use logboom_tests::fuzz::seeds::batches;
use logboom_tests::random::Random;

/// Bytes that records may inflate to in these tests.
const INFLATED_BYTES_MAX: usize = 1 << 20;

/// The most memory, in bytes, that walking over `length` compressed bytes takes.
///
/// - gzip: the state and the window of zlib-rs, an extra field of 64 KiB as its header may
///   announce, and the names in the header, in lists that double.
/// - snappy: one block at a time, which is at most 64 times as long as its input.
/// - lz4: two blocks and a window of 64 KiB for what comes out, a block for what goes in; the
///   frame's header may say that blocks have 4 MiB.
/// - zstd: what the Rust side takes. The C library allocates past this counter: a context of
///   some 100 KiB and the window, of which it touches as much as is filled, at most 128 MiB.
fn codec_bytes(codec: Codec, length: usize) -> u64 {
    let length = length as u64;
    match codec {
        Codec::None => 0,
        Codec::Gzip => (128 << 10) + 3 * length,
        Codec::Snappy => 64 * length + (1 << 10),
        Codec::Lz4 => (12 << 20) + (65 << 10),
        Codec::Zstd => 1 << 10,
    }
}

/// The bytes with length and CRC put right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= layout::HEADER_BYTES {
        let length = i32::try_from(bytes.len() - layout::LENGTH_OVERHEAD).expect("short");
        bytes[layout::LENGTH_AT..layout::LEADER_EPOCH_AT].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c(&[&bytes[layout::ATTRIBUTES_AT..]]);
        bytes[layout::CRC_AT..layout::ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

fn measured<T>(run: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut result = None;
    let memory = measure(|| result = Some(run()));
    (result.expect("it ran"), memory)
}

/// Checks and reads a batch in all ways; asserts what memory that takes.
fn check(bytes: &[u8], inflater: &mut Inflater) -> Result<(), BatchError> {
    let frame = framed(bytes);
    let (checked, memory) = measured(|| CheckedBatch::check(frame.clone()));
    assert_eq!(memory.count_total, 0, "{bytes:02x?}");
    let (produced, memory) = measured(|| ProducedBatch::check(frame.clone(), inflater));
    let Ok(batch) = checked else { return produced.map(drop) };
    let codec = batch.codec().unwrap_or_default();
    let walked = codec_bytes(codec, bytes.len());
    assert!(memory.bytes_max <= walked, "{codec:?}: {memory:?}, {walked} allowed: {bytes:02x?}");
    // A list that doubles holds both lengths while it grows.
    let inflated = if codec == Codec::None { 0 } else { 3 * INFLATED_BYTES_MAX as u64 + 1024 };
    let (count, memory) = measured(|| match batch.records(inflater) {
        Ok(records) => records.iter().take_while(Result::is_ok).count(),
        Err(_) => 0,
    });
    assert!(memory.bytes_max <= walked + inflated, "{codec:?}: {memory:?}: {bytes:02x?}");
    assert!(count <= usize::try_from(batch.header().record_count).expect("checked"));
    produced.map(drop)
}

fn inflater() -> Inflater {
    Inflater::new(INFLATED_BYTES_MAX)
}

#[test]
fn a_batch_cut_at_any_byte_is_an_error_even_with_the_right_crc() {
    let mut cuts = 0;
    for codec in Codec::ALL {
        for batch in batches(codec) {
            assert_eq!(check(&batch, &mut inflater()), Ok(()));
            let step = 1 + batch.len() / 400;
            for cut in (0..batch.len()).step_by(step) {
                cuts += 1;
                let error = CheckedBatch::check(framed(&batch[..cut])).expect_err("it is cut");
                let expected = [BatchError::NotOneBatch]
                    .into_iter()
                    .chain(
                        [layout::HEADER_BYTES, batch.len()]
                            .map(|needed| BatchError::Truncated { needed, present: cut }),
                    )
                    .any(|expected| expected == error);
                assert!(expected, "{error}");
                let cut = sealed(batch[..cut].to_vec());
                assert!(check(&cut, &mut inflater()).is_err(), "{codec:?}: {cut:02x?}");
            }
        }
    }
    println!("{cuts} cuts");
    assert!(cuts > 10_000);
}

#[test]
fn turned_bits_behind_the_crc_are_survived() {
    let (mut refused, mut read) = (0, 0);
    let mut random = Random::new(SEED);
    for codec in Codec::ALL {
        for batch in batches(codec) {
            for _ in 0..100 {
                let mut bytes = batch.to_vec();
                for _ in 0..1 + random.below(3) {
                    let place = random.below(bytes.len());
                    bytes[place] ^= 1 << random.below(8);
                }
                let covered = |bytes: &[u8]| bytes[layout::CRC_AT..].to_vec();
                if covered(&bytes) != covered(&batch) {
                    assert!(CheckedBatch::check(framed(&bytes)).is_err(), "{bytes:02x?}");
                }
                let outcome = check(&sealed(bytes), &mut inflater());
                *(if outcome.is_ok() { &mut read } else { &mut refused }) += 1;
            }
        }
    }
    println!("{refused} refused, {read} read");
    assert!(refused > 5_000 && read > 1_000);
}

/// A batch with these counts and records.
fn crafted(record_count: i32, codec: Codec, records: &[u8]) -> Vec<u8> {
    let mut header = logboom_protocol::records::BatchHeader::from_bytes(&[0xff; 61]);
    header.base_offset = 0;
    header.magic = layout::MAGIC;
    header.attributes.0 = codec.number();
    header.record_count = record_count;
    header.last_offset_delta = record_count.wrapping_sub(1);
    sealed([&header.to_bytes()[..], records].concat())
}

#[test]
fn counts_and_lengths_that_lie_are_errors() {
    let max = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    let body = |fields: &[&[u8]]| fields.concat();
    let at = |index, reason| BatchError::Record { index, reason };
    let ends = at(0, "the bytes end within it");
    for (what, count, records, error) in [
        ("records", i32::MAX, body(&[&[12, 0, 0, 0, 1, 1, 0]]), at(1, "the bytes end within it")),
        ("record", 1, body(&[&max, &[0; 9]]), ends),
        ("key", 1, body(&[&[26, 0, 0, 0], &max, &[0; 5]]), ends),
        ("value", 1, body(&[&[26, 0, 0, 0, 1], &max, &[0; 4]]), ends),
        ("headers", 1, body(&[&[26, 0, 0, 0, 1, 1], &max, &[0; 3]]), ends),
        ("header key", 1, body(&[&[26, 0, 0, 0, 1, 1, 2], &max, &[0; 2]]), ends),
        ("header value", 1, body(&[&[26, 0, 0, 0, 1, 1, 2, 0], &max, &[0; 1]]), ends),
        ("nothing", 1, Vec::new(), ends),
        ("below null", 1, vec![12, 0, 0, 0, 3, 1, 0], at(0, "a length below -1")),
        ("a null record", 1, vec![1, 0, 0, 0, 1, 1, 0], at(0, "a negative length")),
        (
            "a varint",
            1,
            body(&[&[26, 0, 0, 0], &[0xff; 9], &[1]]),
            at(0, "a variable-length integer is too long"),
        ),
        ("more", 1, vec![12, 0, 0, 0, 1, 1, 0, 12], BatchError::Trailing),
        ("offset", 1, vec![12, 0, 0, 2, 1, 1, 0], at(0, "offsets must count from 0")),
    ] {
        let batch = crafted(count, Codec::None, &records);
        assert_eq!(check(&batch, &mut inflater()), Err(error), "{what}");
    }
    for count in [0, -1, i32::MIN] {
        let error = check(&crafted(count, Codec::None, &[]), &mut inflater());
        assert!(matches!(error, Err(BatchError::Count { .. })), "{count}: {error:?}");
    }
}

/// One record with a value of `length` zero bytes.
fn record_of_zeros(length: usize) -> Vec<u8> {
    let varint = |number: usize| {
        let mut number = 2 * number;
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let value = [varint(length), vec![0; length]].concat();
    let fields = [&[0, 0, 0, 1][..], &value, &[0]].concat();
    [varint(fields.len()), fields].concat()
}

#[test]
fn a_bomb_inflates_to_its_limit_and_no_further() {
    for codec in &Codec::ALL[1..] {
        for (length, refused) in [(INFLATED_BYTES_MAX / 2, false), (40 << 20, true)] {
            let records = record_of_zeros(length);
            let compressed = codec.compress(&records).expect("every codec is built in");
            let batch = crafted(1, *codec, &compressed);
            let outcome = check(&batch, &mut inflater());
            let limit = INFLATED_BYTES_MAX;
            let expected = if refused { Err(BatchError::Inflated { limit }) } else { Ok(()) };
            println!("{codec:?}: {} bytes for {length}: {outcome:?}", batch.len());
            assert_eq!(outcome, expected, "{codec:?}");
        }
    }
}

#[test]
fn a_codec_header_that_lies_takes_no_more_memory() {
    let snappy_block = |length: u32| {
        let mut bytes = vec![0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        bytes
    };
    let zstd_frame =
        |window_log: u8| vec![0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3, 3, 0, 0, 0];
    let gzip = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff];
    let lz4_block = |flags: u8, checksum: u8, length: u32| {
        // Blocks of 4 MiB; behind the one that lies, what looks like the end.
        let head = [0x04, 0x22, 0x4d, 0x18, flags, 0x70, checksum];
        [&head[..], &length.to_le_bytes(), &[0; 60]].concat()
    };
    for (codec, bytes) in [
        (Codec::Snappy, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        (Codec::Snappy, snappy_block(6)),
        (Codec::Snappy, snappy_block(u32::MAX)),
        (Codec::Snappy, snappy_block(1 << 30)),
        (Codec::Zstd, zstd_frame(28)),
        (Codec::Zstd, zstd_frame(41)),
        (Codec::Gzip, gzip),
        (Codec::Lz4, lz4_block(0x60, 0x73, 0x7fff_ffff)),
        (Codec::Lz4, lz4_block(0x60, 0x73, 4 << 20)),
        (Codec::Lz4, lz4_block(0x60, 0x73, 56)),
        (Codec::Lz4, lz4_block(0x40, 0xdf, 56)),
        (Codec::Lz4, vec![0x02, 0x21, 0x4c, 0x18, 0, 0, 0x80, 0]),
    ] {
        let error = check(&crafted(1, codec, &bytes), &mut inflater());
        assert_eq!(error, Err(BatchError::Compression { codec: codec.name() }), "{bytes:02x?}");
    }
    // Windows up to 2^27 are for producers that compress as far as they can.
    let empty = check(
        &crafted(1, Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 1, 0, 0]),
        &mut inflater(),
    );
    assert!(matches!(empty, Err(BatchError::Record { index: 0, .. })), "{empty:?}");
}

proptest! {
    #[test]
    fn any_bytes_behind_a_right_crc_are_survived(
        head in prop::collection::vec(any::<u8>(), 61),
        codec in 0..8u8,
        count in 0..5i32,
        records in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut bytes = [head, records].concat();
        bytes[..layout::LENGTH_AT].fill(0);
        bytes[layout::MAGIC_AT] = 2;
        bytes[layout::ATTRIBUTES_AT + 1] = codec;
        let last = (count - 1).to_be_bytes();
        bytes[layout::LAST_OFFSET_DELTA_AT..][..4].copy_from_slice(&last);
        bytes[layout::RECORD_COUNT_AT..][..4].copy_from_slice(&count.to_be_bytes());
        let sealed = sealed(bytes);
        if check(&sealed, &mut inflater()).is_ok() {
            prop_assert!(count > 0 && codec <= 4, "{sealed:02x?}");
        }
    }
}

#[test]
fn the_frame_of_these_tests_shares_its_memory() {
    let frame: Bytes = framed(b"shared");
    let (slice, memory) = measured(|| frame.slice(2..4));
    assert_eq!((&slice[..], memory.count_total), (&b"ar"[..], 0));
}
