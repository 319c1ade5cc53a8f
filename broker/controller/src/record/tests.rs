//! Records and their bytes.

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::samples::{any_record, broker, id, partition, report};

const ONE: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const DIRECTORY: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xeb];
const ZERO: &[u8] = &[0; 16];

/// One record of each type, and its bytes, a field or several each.
fn golden() -> Vec<(MetadataRecord, Vec<&'static [u8]>)> {
    let config = |name: &str, value: Option<&str>| MetadataRecord::Config {
        resource: ConfigResource::topic(name),
        name: "k".into(),
        value: value.map(CompactString::from),
    };
    vec![
        (MetadataRecord::ClusterId(id(1)), vec![&[1, 0], ONE]),
        golden_broker(),
        golden_broker_with_peer(),
        (MetadataRecord::Topic { id: id(1), name: "t".into() }, vec![&[3, 0], ONE, b"\x02t"]),
        golden_partition(),
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
        (MetadataRecord::BrokerFenced { id: 3, fenced: true }, vec![&[9, 0, 0, 0, 0, 3, 1]]),
        (MetadataRecord::BrokerFenced { id: 3, fenced: false }, vec![&[9, 0, 0, 0, 0, 3, 0]]),
        (MetadataRecord::BrokerRemoved { id: 3 }, vec![&[10, 0, 0, 0, 0, 3]]),
        golden_leaders(),
    ]
}

fn golden_broker() -> (MetadataRecord, Vec<&'static [u8]>) {
    let endpoint = b"\x02r\x02\x0aPLAINTEXT\x0a127.0.0.1";
    let bytes: Vec<&[u8]> =
        vec![&[2, 1, 0, 0, 0, 3], DIRECTORY, ONE, endpoint, &[0x23, 0x84, 0, 0], &[0]];
    (MetadataRecord::Broker(broker(3, Some("r"))), bytes)
}

fn golden_broker_with_peer() -> (MetadataRecord, Vec<&'static [u8]>) {
    let peer = Some(PeerAddress { host: "h".into(), port: 19_092 });
    let registration = BrokerRegistration { endpoints: Vec::new(), peer, ..broker(3, None) };
    let bytes: Vec<&[u8]> =
        vec![&[2, 1, 0, 0, 0, 3], DIRECTORY, ONE, &[0, 1], b"\x02h", &[0x4a, 0x94]];
    (MetadataRecord::Broker(registration), bytes)
}

fn golden_partition() -> (MetadataRecord, Vec<&'static [u8]>) {
    let partition = Partition {
        target_replicas: vec![4],
        target_directories: vec![id(1)],
        generation: 6,
        is_founding: false,
        wished_leader: 4,
        leader_epoch: 7,
        control_sequence: 8,
        voters: vec![3],
        voter_directories: vec![id(1)],
        isr: vec![4],
        ..partition(&[3, 4])
    };
    let bytes: Vec<&[u8]> = vec![
        &[4, 1],
        ONE,
        &[0, 0, 0, 5, 3, 0, 0, 0, 3, 0, 0, 0, 4, 3],
        ZERO,
        ZERO,
        &[2, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 7],
        &[2],
        ONE,
        &[0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 4],
        &[0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0, 3, 2],
        ONE,
        &[2, 0, 0, 0, 4],
    ];
    (MetadataRecord::Partition { topic_id: id(1), index: 5, partition }, bytes)
}

fn golden_leaders() -> (MetadataRecord, Vec<&'static [u8]>) {
    let of = |index| LeaderReport { isr: Vec::new(), ..report(1, index, 3, (2, 9), &[4]) };
    let numbers: &[u8] = &[0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 2, 0, 0, 0, 4, 2];
    let bytes: Vec<&[u8]> = vec![
        &[11, 0, 3],
        ONE,
        &[0, 0, 0, 5],
        numbers,
        ZERO,
        &[1],
        ONE,
        &[0, 0, 0, 6],
        numbers,
        ZERO,
        &[1],
    ];
    (MetadataRecord::Leaders(vec![of(5), of(6)]), bytes)
}

/// Records as former versions wrote them, their version, and what they are read as.
fn golden_of_former_versions() -> Vec<(MetadataRecord, u8, Vec<&'static [u8]>)> {
    let two = Partition {
        target_replicas: vec![4],
        target_directories: vec![id(0)],
        leader_epoch: 7,
        ..partition(&[3, 4])
    };
    let endpoint = b"\x02r\x02\x0aPLAINTEXT\x0a127.0.0.1";
    vec![
        (
            MetadataRecord::Broker(broker(3, Some("r"))),
            0,
            vec![&[2, 0, 0, 0, 0, 3], DIRECTORY, ONE, endpoint, &[0x23, 0x84, 0, 0]],
        ),
        (
            MetadataRecord::Partition { topic_id: id(1), index: 5, partition: two },
            0,
            vec![
                &[4, 0],
                ONE,
                &[0, 0, 0, 5, 3, 0, 0, 0, 3, 0, 0, 0, 4, 3],
                ZERO,
                ZERO,
                &[2, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 7],
            ],
        ),
    ]
}

/// All golden records with their bytes.
fn all_golden() -> impl Iterator<Item = (MetadataRecord, Vec<u8>)> {
    let former = golden_of_former_versions().into_iter();
    let former = former.map(|(record, _, parts)| (record, parts.concat()));
    golden().into_iter().map(|(record, parts)| (record, parts.concat())).chain(former)
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
fn a_former_version_is_read_and_written_as_it_was() {
    for (record, version, parts) in golden_of_former_versions() {
        let bytes = Bytes::from(parts.concat());
        assert_eq!(MetadataRecord::decode(&bytes).as_ref(), Ok(&record));
        assert_eq!(record.encode_as(version), Ok(bytes));
        let newest = record.encode().unwrap();
        assert_eq!(newest[1], version + 1);
        assert_eq!(MetadataRecord::decode(&newest), Ok(record));
    }
}

#[test]
fn every_part_of_a_record_and_everything_behind_it_is_an_error() {
    for (record, mut bytes) in all_golden() {
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
    for (record, good) in all_golden() {
        for (place, change) in (0..good.len()).flat_map(|p| (1..=255u8).map(move |c| (p, c))) {
            let mut bytes = good.clone();
            bytes[place] ^= change;
            let bytes = Bytes::from(bytes);
            if let Ok(other) = MetadataRecord::decode(&bytes) {
                assert_ne!(other, record);
                assert_eq!(other.encode_as(bytes[1]), Ok(bytes));
            }
        }
    }
}

#[test]
fn what_this_broker_does_not_know_is_refused_by_name() {
    for (bytes, message) in [
        (&[12u8, 0][..], "metadata record of unknown type 12"),
        (&[0, 0], "metadata record of unknown type 0"),
        (&[4, 2], "Partition record of version 2, known up to 1"),
        (&[2, 2], "Broker record of version 2, known up to 1"),
        (&[9, 0, 0, 0, 0, 1, 2], "BrokerFenced record in bytes that no broker writes"),
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
fn a_list_of_reports_longer_than_its_bytes_is_refused_before_it_is_allocated() {
    let bytes = Bytes::from_static(&[11, 0, 0x81, 0x80, 0x80, 0x80, 0x08, 0, 0]);
    let error = MetadataRecord::decode(&bytes).unwrap_err();
    assert!(format!("{error}").contains("elements announced, 2 bytes left"), "{error}");
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
    fn any_bytes_are_one_record_or_an_error(bytes: Vec<u8>, tag in 1u8..12, version in 0u8..2) {
        let bytes = Bytes::from([&[tag, version][..], &bytes].concat());
        if let Ok(record) = MetadataRecord::decode(&bytes) {
            prop_assert_eq!(record.encode_as(version), Ok(bytes));
        }
    }
}
