//! Records and their bytes.

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::samples::{any_record, broker, id, partition};

/// One record of each type, and its bytes, a field each.
fn golden() -> Vec<(MetadataRecord, Vec<&'static [u8]>)> {
    const ONE: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    const DIRECTORY: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xeb];
    const ZERO: &[u8] = &[0; 16];
    let two = Partition { target_replicas: vec![4], leader_epoch: 7, ..partition(&[3, 4]) };
    let config = |name: &str, value: Option<&str>| MetadataRecord::Config {
        resource: ConfigResource::topic(name),
        name: "k".into(),
        value: value.map(CompactString::from),
    };
    vec![
        (MetadataRecord::ClusterId(id(1)), vec![&[1, 0], ONE]),
        (
            MetadataRecord::Broker(broker(3, Some("r"))),
            vec![
                &[2, 0, 0, 0, 0, 3],
                DIRECTORY,
                ONE,
                b"\x02r\x02\x0aPLAINTEXT\x0a127.0.0.1",
                &[0x23, 0x84, 0, 0],
            ],
        ),
        (MetadataRecord::Topic { id: id(1), name: "t".into() }, vec![&[3, 0], ONE, b"\x02t"]),
        (
            MetadataRecord::Partition { topic_id: id(1), index: 5, partition: two },
            vec![
                &[4, 0],
                ONE,
                &[0, 0, 0, 5, 3, 0, 0, 0, 3, 0, 0, 0, 4, 3],
                ZERO,
                ZERO,
                &[2, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 7],
            ],
        ),
        (MetadataRecord::TopicDeleted { id: id(1) }, vec![&[5, 0], ONE]),
        (config("t", Some("v")), vec![&[6, 0, 2], b"\x02t\x02k\x02v"]),
        (config("t", None), vec![&[6, 0, 2], b"\x02t\x02k\x00"]),
        (
            MetadataRecord::ProducerIdBlock { next_producer_id: 1_000 },
            vec![&[7, 0, 0, 0, 0, 0, 0, 0, 3, 0xe8]],
        ),
        (
            MetadataRecord::FeatureLevel { name: "f".into(), level: 2 },
            vec![&[8, 0], b"\x02f", &[0, 2]],
        ),
    ]
}

#[test]
fn each_type_has_the_bytes_of_its_table() {
    for (record, parts) in golden() {
        let bytes = Bytes::from(parts.concat());
        assert_eq!(record.encode().as_ref(), Ok(&bytes), "{record:?}");
        assert_eq!(MetadataRecord::decode(&bytes), Ok(record));
    }
}

#[test]
fn every_part_of_a_record_and_everything_behind_it_is_an_error() {
    for (record, parts) in golden() {
        let mut bytes = parts.concat();
        for length in 0..bytes.len() {
            let part = Bytes::copy_from_slice(&bytes[..length]);
            assert!(MetadataRecord::decode(&part).is_err(), "{record:?} cut at {length}");
        }
        bytes.push(0);
        let error = MetadataRecord::decode(&bytes.into()).unwrap_err();
        assert!(error.to_string().contains("1 bytes behind the end"), "{error}");
    }
}

#[test]
fn every_changed_byte_is_an_error_or_the_bytes_of_another_record() {
    for (record, parts) in golden() {
        let good = parts.concat();
        for (place, change) in (0..good.len()).flat_map(|p| (1..=255u8).map(move |c| (p, c))) {
            let mut bytes = good.clone();
            bytes[place] ^= change;
            let bytes = Bytes::from(bytes);
            if let Ok(other) = MetadataRecord::decode(&bytes) {
                assert_ne!(other, record);
                assert_eq!(other.encode(), Ok(bytes));
            }
        }
    }
}

#[test]
fn what_this_broker_does_not_know_is_refused_by_name() {
    for (bytes, message) in [
        (&[9u8, 0][..], "metadata record of unknown type 9"),
        (&[0, 0], "metadata record of unknown type 0"),
        (&[4, 1], "Partition record of version 1, known up to 0"),
        (&[6, 0, 8, 2, b't', 2, b'k', 0], "Config record of resource type 8"),
        (&[8, 0, 2, 0xff, 0, 1], "FeatureLevel record in bytes that no broker writes"),
        (&[8, 0, 0x82, 0, b'f', 0, 1], "FeatureLevel record in bytes that no broker writes"),
        (&[8, 0, 2, b'f', 0], "metadata record: level: 2 bytes needed, 1 left"),
    ] {
        let error = MetadataRecord::decode(&Bytes::from_static(bytes)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_list_longer_than_its_bytes_is_refused_before_it_is_allocated() {
    let mut bytes = vec![4, 0];
    bytes.extend([0; 20]);
    // 2^31 replicas.
    bytes.extend([0x81, 0x80, 0x80, 0x80, 0x08]);
    let error = MetadataRecord::decode(&bytes.into()).unwrap_err();
    assert!(format!("{error}").contains("2147483648 elements announced, 0 bytes left"), "{error}");
}

#[test]
fn a_string_that_no_log_holds_is_no_record() {
    let name = CompactString::from("x".repeat(32_768));
    assert!(MetadataRecord::Topic { id: id(1), name }.encode().is_err());
}

proptest! {
    #[test]
    fn a_record_is_decoded_as_it_was_encoded(record in any_record()) {
        let bytes = record.encode().unwrap();
        prop_assert_eq!(MetadataRecord::decode(&bytes), Ok(record));
    }

    #[test]
    fn any_bytes_are_one_record_or_an_error(bytes: Vec<u8>, tag in 1u8..9) {
        let bytes = Bytes::from([&[tag, 0][..], &bytes].concat());
        if let Ok(record) = MetadataRecord::decode(&bytes) {
            prop_assert_eq!(record.encode(), Ok(bytes));
        }
    }
}
