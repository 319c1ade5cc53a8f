//! Which frames are taken and which are not.

#![expect(clippy::indexing_slicing, reason = "tests cut where they know the length")]

use super::super::Codec;
use super::{MAGIC, is_readable};

#[test]
fn a_frame_is_readable_at_its_end_alone() {
    for length in [0, 1, 100, 70_000, 200_000] {
        let plain: Vec<u8> = (0..length).map(|i: u64| (i * i % 251).to_be_bytes()[7]).collect();
        let frame = Codec::Lz4.compress(&plain).expect("in memory");
        assert!(is_readable(&frame), "{length} bytes");
        assert!(!is_readable(&[&frame[..], &frame].concat()), "two of {length} bytes");
        for cut in (0..frame.len()).rev().take(300) {
            assert!(!is_readable(&frame[..cut]), "{length} bytes, cut at {cut}");
        }
    }
}

const BLOCK: [u8; 7] = [3, 0, 0, 0x80, 1, 2, 3];

fn frame(flags: u8, header: &[u8], block: &[u8], end: &[u8]) -> Vec<u8> {
    [&MAGIC, &[flags, 0x40][..], header, &[0], block, &[0; 4], end].concat()
}

#[test]
fn checksums_and_sizes_in_the_frame_are_passed_over() {
    let checked = [&BLOCK[..], &[9; 4]].concat();
    for whole in [
        frame(0x60, &[], &BLOCK, &[]),
        frame(0x68, &[7; 8], &BLOCK, &[]),
        frame(0x74, &[], &checked, &[9; 4]),
    ] {
        assert!(is_readable(&whole), "{whole:02x?}");
        assert!(!is_readable(&whole[..whole.len() - 1]), "{whole:02x?}");
    }
}

#[test]
fn what_a_java_consumer_cannot_read_is_refused() {
    for (what, bytes) in [
        ("blocks that depend on each other", frame(0x40, &[], &BLOCK, &[])),
        ("another version", frame(0xa0, &[], &BLOCK, &[])),
        ("a reserved bit", frame(0x62, &[], &BLOCK, &[])),
        ("a dictionary", frame(0x61, &[7; 4], &BLOCK, &[])),
        ("a block of nothing", frame(0x60, &[], &[1, 0, 0, 0, 0], &[])),
        ("a stored block of nothing", frame(0x60, &[], &[0, 0, 0, 0x80], &[])),
    ] {
        assert!(!is_readable(&bytes), "{what}");
    }
}
