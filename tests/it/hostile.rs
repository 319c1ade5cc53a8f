//! Bad input: any bytes give a value or a typed error that names API, version and field; never a
//! panic, and never more memory than [`memory_limit`] of the input's length.
//!
//! Valid messages are spoilt in every way that the map of [`Wire`] allows: cut at every byte,
//! bits turned, lengths replaced, bytes exchanged. Memory is counted by an allocator of the test's
//! own. Bytes lie in frames as [`logboom_protocol::frame::split`] hands them out, so that a slice
//! of them allocates nothing.

use allocation_counter::measure;
use bytes::{BufMut as _, Bytes, BytesMut};

use logboom_protocol::frame::{self, Split};
use logboom_protocol::wire::memory_limit;
use logboom_protocol::{ApiKey, DecodeError, Fault, MessageKind};
use logboom_tests::body::Body;
use logboom_tests::random::{Format, Length, LengthForm, Random, Wire, formats};

mod batches;
mod frames;

/// Start of all seeds.
const SEED: u64 = 0x6c6f_6762_6f6f_6d02;

/// Bytes as the reader of a socket gets them: a slice of a shared buffer.
fn framed(bytes: &[u8]) -> Bytes {
    let mut buffer = BytesMut::new();
    buffer.put_u32(u32::try_from(bytes.len()).expect("short"));
    buffer.extend_from_slice(bytes);
    match frame::split(&mut buffer, bytes.len()) {
        Ok(Split::Frame(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

/// Decodes; asserts that memory stays within the limit and that an error says everything.
fn decode(format: &Format, bytes: &[u8], name: &str) -> Result<(), DecodeError> {
    let Format { api, kind, version, .. } = *format;
    let frame = framed(bytes);
    let mut result = None;
    let memory = measure(|| result = Some(Body::decode(api, kind, version, &frame).map(drop)));
    let limit = memory_limit(bytes.len()) as u64;
    assert!(
        memory.bytes_max <= limit,
        "{name}: {} bytes of memory, {limit} allowed for {} bytes",
        memory.bytes_max,
        bytes.len()
    );
    assert_eq!(memory.bytes_current, 0, "{name}: memory is lost");
    let result = result.expect("it ran");
    if let Err(error) = &result {
        assert_eq!((error.api, error.kind, error.version), (api, kind, version), "{name}");
        let of_the_whole = matches!(error.fault, Fault::Trailing { .. } | Fault::Version);
        assert_eq!(error.field.is_empty(), of_the_whole, "{name}: {error}");
        assert!(error.position <= bytes.len(), "{name}: {error}");
    }
    result
}

/// Calls `check` with `rounds` random messages of every format.
fn each_message(rounds: u64, mut check: impl FnMut(&Format, &Wire, &mut Random, &str)) {
    for format in formats() {
        let Format { api, kind, version, .. } = format;
        for round in 0..rounds {
            let seed = format.seed(SEED, round);
            let name = format!("{api} {kind} v{version}, seed {seed:#018x}");
            check(&format, &format.random(seed), &mut Random::new(!seed), &name);
        }
    }
}

#[test]
fn a_message_cut_at_any_byte_is_an_error_that_names_the_field() {
    let mut cuts = 0;
    each_message(2, |format, wire, _, name| {
        assert_eq!(decode(format, &wire.bytes, name), Ok(()));
        // Long strings are cut at their edges and here and there.
        let step = 1 + wire.bytes.len() / 2000;
        for cut in (0..wire.bytes.len()).step_by(step) {
            cuts += 1;
            let error = decode(format, &wire.bytes[..cut], name).expect_err(name);
            let named = wire.fields_at(cut).any(|field| field == error.field);
            let out_of_memory = matches!(error.fault, Fault::Memory { .. });
            assert!(named || out_of_memory, "{name}, cut at {cut}: {error}");
        }
    });
    println!("{cuts} cuts");
    assert!(cuts > 100_000);
}

#[test]
fn turned_bits_and_exchanged_bytes_are_survived() {
    let (mut refused, mut read) = (0, 0);
    each_message(4, |format, wire, random, name| {
        for _ in 0..60 {
            let mut bytes = wire.bytes.clone();
            if bytes.is_empty() {
                continue;
            }
            for _ in 0..1 + random.below(3) {
                let place = random.below(bytes.len());
                if random.one_in(2) {
                    bytes[place] ^= 1 << random.below(8);
                } else {
                    let end = bytes.len().min(place + random.below(9));
                    let count = random.below(9);
                    bytes.splice(place..end, random.bytes(count));
                }
                if bytes.is_empty() {
                    break;
                }
            }
            let outcome = decode(format, &bytes, name);
            *(if outcome.is_ok() { &mut read } else { &mut refused }) += 1;
        }
    });
    println!("{refused} refused, {read} read");
    assert!(refused > 10_000 && read > 10_000);
}

#[test]
fn random_bytes_are_survived() {
    let (mut refused, mut read) = (0, 0);
    each_message(60, |format, _, random, name| {
        let length = random.pick(&[1, 4, 16, 64, 256, 1024]);
        let mut bytes = random.bytes(length);
        if random.one_in(2) {
            // Small numbers are lengths more often.
            bytes.iter_mut().for_each(|byte| *byte &= 3);
        }
        let outcome = decode(format, &bytes, name);
        *(if outcome.is_ok() { &mut read } else { &mut refused }) += 1;
    });
    println!("{refused} refused, {read} read");
    assert!(refused > 10_000 && read > 0);
}

/// Lengths that no message of a few KiB has, and what they are.
fn evil_lengths(form: LengthForm) -> Vec<(Vec<u8>, Expected)> {
    use Expected::{Huge, Negative, Overlong, Unclear};
    let i16s = [(-1, Unclear), (-2, Negative), (i16::MIN, Negative), (i16::MAX, Huge)];
    let i32s =
        [(-1, Unclear), (-2, Negative), (i32::MIN, Negative), (i32::MAX, Huge), (1 << 24, Huge)];
    match form {
        LengthForm::I16 => i16s.map(|(n, what)| (n.to_be_bytes().to_vec(), what)).to_vec(),
        LengthForm::I32 => i32s.map(|(n, what)| (n.to_be_bytes().to_vec(), what)).to_vec(),
        LengthForm::Compact => vec![
            (vec![0], Unclear),
            (vec![0xff, 0xff, 0xff, 0xff, 0x0f], Huge),
            (vec![0xff, 0xff, 0xff, 0x7f], Huge),
            (vec![0xff, 0xff, 0xff, 0xff, 0x1f], Overlong),
            (vec![0xff; 9], Overlong),
        ],
        // A wrong number of tags makes other bytes tags, which may be known ones.
        LengthForm::Tagged => vec![
            (vec![0], Unclear),
            (vec![1], Unclear),
            (vec![0xff, 0xff, 0xff, 0xff, 0x0f], Unclear),
            (vec![0xff; 9], Overlong),
        ],
    }
}

/// In a longer message the greatest `i16` may be a length.
const LONG_BYTES: usize = 32_000;

/// What an evil length leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Below −1: nothing else is wrong with it.
    Negative,
    /// More than there is.
    Huge,
    /// A varint of more than 32 bits.
    Overlong,
    /// An error or another message.
    Unclear,
}

fn is_expected(expected: Expected, fault: &Fault) -> bool {
    match expected {
        Expected::Negative => matches!(fault, Fault::NegativeLength(_)),
        Expected::Huge => matches!(
            fault,
            Fault::Truncated { .. } | Fault::TooLong { .. } | Fault::TooManyElements { .. }
        ),
        Expected::Overlong => *fault == Fault::Varint,
        Expected::Unclear => true,
    }
}

#[test]
fn lengths_that_lie_are_errors_of_their_field() {
    let (mut lies, mut refused) = (0, 0);
    each_message(4, |format, wire, _, name| {
        for Length { range, form } in &wire.lengths {
            for (length, expected) in evil_lengths(*form) {
                lies += 1;
                let (head, tail) = (&wire.bytes[..range.start], &wire.bytes[range.end..]);
                let bytes = [head, &length, tail].concat();
                let outcome = decode(format, &bytes, name);
                refused += u64::from(outcome.is_err());
                let fits = expected == Expected::Huge && wire.bytes.len() > LONG_BYTES;
                if expected == Expected::Unclear || fits || is_inside_tag(wire, range.start) {
                    continue;
                }
                let error = outcome.expect_err(name);
                let field = wire.fields_at(range.start).next().expect("every length is a field's");
                assert_eq!(error.field, field, "{name}, {expected:?} at {range:?}: {error}");
                assert!(is_expected(expected, &error.fault), "{name} at {range:?}: {error}");
            }
        }
    });
    println!("{lies} lies, {refused} refused");
    assert!(lies > 50_000 && refused * 2 > lies);
}

/// Whether the byte lies in the contents of a tagged field, whose own size is then wrong as well.
fn is_inside_tag(wire: &Wire, position: usize) -> bool {
    let section = |field: &&str| *field == logboom_tests::random::TAGGED_FIELDS;
    wire.fields_at(position).skip(1).any(|field| section(&field))
}

#[test]
fn crowds_of_empty_elements_are_refused_before_they_take_memory() {
    let (mut refused, mut read) = (0, 0);
    for format in formats() {
        for array in format.arrays() {
            for count in [1, 3000] {
                let name = format!("{format:?}: {count} of {array}");
                let wire = format.crowded(&array, count);
                match decode(&format, &wire.bytes, &name) {
                    Ok(()) => read += 1,
                    Err(error) => {
                        refused += 1;
                        assert!(matches!(error.fault, Fault::Memory { .. }), "{name}: {error}");
                        assert_eq!((count, error.field), (3000, array.as_str()), "{name}");
                    }
                }
            }
        }
    }
    println!("{refused} refused, {read} read");
    assert!(refused > 50 && read > 1000);
}

/// Lists of `count` equal strings and then of empty ones, whose memory grows past any limit.
fn strings_and_nothing(string: &[u8], count: usize) -> Vec<Vec<u8>> {
    let length = string.len() + 1;
    let string = [&[length as u8 | 0x80, (length >> 7) as u8], string].concat();
    // Each empty string adds 8 bytes more to the memory than to the limit.
    let empty_max = (16 * count * string.len() + 4096) / 8;
    let list = |empty: usize| {
        let length = count + empty + 1;
        let length = [length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8];
        [&length[..], &string.repeat(count), &vec![1; empty], &[0, 0]].concat()
    };
    (0..=100).map(|percent| list(empty_max / 100 * percent)).collect()
}

/// Strings that take more memory than they have bytes: those just too long for their place inside
/// the value, and those in which three bytes must stand for one.
#[test]
fn strings_that_grow_stay_within_the_limit() {
    let format = formats().into_iter().find(|format| {
        (format.api, format.kind, format.version)
            == (ApiKey::DescribeGroups, MessageKind::Request, 5)
    });
    let format = format.expect("DescribeGroups has version 5");
    for (what, string, count) in [
        ("of 25 letters", vec![b'x'; 25], 1000),
        ("of 9 bytes that are no UTF-8", vec![0xff; 9], 1000),
        ("of 9000 bytes that are no UTF-8", vec![0xff; 9000], 3),
        (
            "of 16000 bytes of which the last is no UTF-8",
            [vec![b'x'; 15_999], vec![0xff]].concat(),
            3,
        ),
    ] {
        let outcomes: Vec<_> = strings_and_nothing(&string, count)
            .iter()
            .map(|bytes| decode(&format, bytes, what).is_ok())
            .collect();
        println!(
            "{what}: {} of {} read",
            outcomes.iter().filter(|ok| **ok).count(),
            outcomes.len()
        );
        assert_eq!((outcomes.first(), outcomes.last()), (Some(&true), Some(&false)), "{what}");
    }
}
