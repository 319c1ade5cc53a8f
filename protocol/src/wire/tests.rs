//! Primitives at their edges.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::Fault;

fn written(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::new(BytesMut::new());
    write(&mut writer);
    writer.into_inner().freeze()
}

#[test]
fn unsigned_varints_at_their_edges() {
    // The value, its bytes: seven bits each, least first (KIP-482).
    let table: [(u32, &[u8]); 6] = [
        (0, &[0]),
        (127, &[0x7f]),
        (128, &[0x80, 1]),
        (16_383, &[0xff, 0x7f]),
        (1 << 28, &[0x80, 0x80, 0x80, 0x80, 1]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];
    for (value, bytes) in table {
        assert_eq!(written(|w| w.uvarint(value)), bytes);
        assert_eq!(uvarint_size(value.into()), bytes.len());
        let bytes = Bytes::from_static(bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.uvarint(), Ok(value));
        assert_eq!(reader.finish(), Ok(()));
    }
    for (bytes, fault) in [
        (&[0xff, 0xff, 0xff, 0xff, 0x1f][..], Fault::Varint),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0], Fault::Varint),
        (&[0x80], Fault::Truncated { needed: 1, left: 0 }),
    ] {
        assert_eq!(Reader::new(&Bytes::from_static(bytes)).uvarint(), Err(fault), "{bytes:?}");
    }
    assert_eq!(uvarint_size(u64::MAX), 10);
}

#[test]
fn lengths_below_minus_one_are_no_null() {
    let bytes = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]);
    assert_eq!(Reader::new(&bytes).nullable_string(false), Ok(None));
    assert_eq!(Reader::new(&bytes).nullable_bytes(false), Ok(None));
    assert_eq!(Reader::new(&bytes).string(false), Err(Fault::Null));
    let bytes = Bytes::from_static(&[0xff, 0xfe]);
    assert_eq!(Reader::new(&bytes).nullable_string(false), Err(Fault::NegativeLength(-2)));
}

#[test]
fn bytes_that_are_no_utf_8_are_replaced_as_the_reference_does() {
    let wire = Bytes::from_static(&[5, b'c', b'a', b'f', 0xe9]);
    assert_eq!(Reader::new(&wire).string(true).unwrap(), "caf\u{fffd}");
    assert_eq!(Reader::new(&wire).nullable_str(true), Err(Fault::Utf8));
}

#[test]
fn memory_has_a_ceiling_whatever_the_input() {
    assert_eq!(memory_limit(100), 100 * 16 + 4096);
    assert_eq!(memory_limit(100 << 20), 64 << 20);
}

#[test]
fn a_count_is_checked_against_what_is_left_before_anything_is_allocated() {
    let bytes = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    let error = Reader::new(&bytes).array(false, 4, Reader::i32).unwrap_err();
    assert_eq!(error.fault, Fault::TooManyElements { count: i32::MAX as usize, left: 4 });
}

#[test]
fn memory_is_counted_over_all_arrays_of_a_message() {
    // 10,000 empty strings: one byte each on the wire, 24 in memory.
    let bytes = written(|w| {
        let names = vec![String::new(); 10_000];
        w.array(&names, true, |w, name| Ok(w.string(name, true)?)).unwrap();
    });
    let limit = memory_limit(bytes.len());
    let error = Reader::new(&bytes).array(true, 1, |r| r.string(true)).unwrap_err();
    assert_eq!(error.fault, Fault::Memory { limit });
}

#[test]
fn tagged_fields_are_read_within_exactly_their_size() {
    // Two tags: 3 with two bytes, 9 with one.
    let bytes = Bytes::from_static(&[2, 3, 2, 0, 7, 9, 1, 0xaa]);
    let mut seen = Vec::new();
    let mut reader = Reader::new(&bytes);
    reader
        .tagged_fields(|tag, r| {
            seen.push((tag, r.remaining()));
            if tag == 3 {
                assert_eq!(r.i16(), Ok(7));
            }
            Ok(tag == 3)
        })
        .unwrap();
    assert_eq!(seen, [(3, 2), (9, 1)], "an unknown tag is skipped");
    assert_eq!(reader.finish(), Ok(()));

    let short = Reader::new(&bytes).tagged_fields(|_, r| r.i8().map(|_| true).map_err(Into::into));
    assert_eq!(short.unwrap_err().fault, Fault::TagSize { tag: 3, left: 1 });
    let long = Reader::new(&bytes).tagged_fields(|_, r| r.i32().map(|_| true).map_err(Into::into));
    assert_eq!(long.unwrap_err().fault, Fault::Truncated { needed: 4, left: 2 });
}

#[test]
fn a_tagged_field_longer_than_127_bytes_has_a_size_of_two_bytes() {
    for length in [0, 127, 128, 20_000] {
        let contents = vec![0xab; length];
        let bytes = written(|w| {
            w.i8(1);
            w.tagged_field(5, |w| {
                w.raw(&contents);
                Ok(())
            })
            .unwrap();
        });
        let bytes = written(|w| {
            w.uvarint(1);
            w.raw(&bytes[1..]);
        });
        let mut reader = Reader::new(&bytes);
        reader
            .tagged_fields(|tag, r| {
                assert_eq!((tag, r.remaining()), (5, length));
                Ok(false)
            })
            .unwrap();
        assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn a_string_beyond_its_format_is_refused() {
    let long = "x".repeat(32_768);
    let mut writer = Writer::new(BytesMut::new());
    assert_eq!(writer.string(&long, false), Err(Fault::TooLong { length: 32_768, limit: 32_767 }));
    let too_long = Fault::TooLong { length: 32_768, limit: 32_767 };
    assert_eq!(writer.string(&long, true), Err(too_long), "in flexible versions too");
    assert_eq!(writer.len(), 0, "nothing is written");
    let wire = written(|w| {
        w.uvarint(32_769);
        w.raw(long.as_bytes());
    });
    assert_eq!(Reader::new(&wire).string(true), Err(too_long));
}

proptest! {
    #[test]
    fn zigzag_is_its_own_inverse(value: i64) {
        prop_assert_eq!(unzigzag(zigzag(value)), value);
    }

    #[test]
    fn strings_and_bytes_read_as_written(
        text in proptest::option::of(".{0,40}"),
        bytes in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        flexible: bool,
    ) {
        let wire = written(|w| {
            w.nullable_string(text.as_deref(), flexible).unwrap();
            w.nullable_bytes(bytes.as_deref(), flexible).unwrap();
        });
        let mut reader = Reader::new(&wire);
        let (read_text, read_bytes) =
            (reader.nullable_string(flexible).unwrap(), reader.nullable_bytes(flexible).unwrap());
        prop_assert_eq!(read_text.as_deref(), text.as_deref());
        prop_assert_eq!(read_bytes.as_deref(), bytes.as_deref());
        prop_assert_eq!(reader.finish(), Ok(()));
    }
}
