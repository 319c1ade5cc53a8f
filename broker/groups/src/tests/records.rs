//! The bytes of records: what Kafka writes, what is hostile.

use std::vec::Vec;

use bytes::Bytes;

use logboom_protocol::units::Uuid;

use crate::record::{
    BadRecord, CommittedOffset, Decoded, EncodedRecord, GroupMetadata, GroupRecord, MemberMetadata,
};

fn offset() -> CommittedOffset {
    CommittedOffset {
        offset: 7,
        leader_epoch: 3,
        metadata: "m".into(),
        committed_ms: 9,
        expires_ms: None,
        topic_id: Uuid::ZERO,
    }
}

fn committed(value: Option<CommittedOffset>) -> GroupRecord {
    GroupRecord::Offset { group: "g".into(), topic: "t".into(), partition: 5, value }
}

fn group() -> GroupRecord {
    let member = MemberMetadata {
        member_id: "m".into(),
        instance_id: Some("i".into()),
        client_id: "c".into(),
        client_host: "/h".into(),
        rebalance_timeout_ms: 1,
        session_timeout_ms: 2,
        subscription: Bytes::from_static(b"s"),
        assignment: Bytes::from_static(b"as"),
    };
    let value = GroupMetadata {
        protocol_type: "consumer".into(),
        generation: 4,
        protocol: Some("range".into()),
        leader: Some("m".into()),
        state_since_ms: 6,
        members: Vec::from([member]),
    };
    GroupRecord::Group { group: "g".into(), value: Some(value) }
}

fn decode(record: &EncodedRecord) -> Result<Decoded, BadRecord> {
    GroupRecord::decode(&record.key, record.value.as_ref())
}

#[test]
fn offsets_are_written_as_kafka_4_1_writes_them() {
    let EncodedRecord { key, value } = committed(Some(offset())).encode().unwrap();
    assert_eq!(&key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x05");
    let value = value.unwrap();
    // Version 4, offset, epoch, metadata with a compact length, time, no tags.
    assert_eq!(&value[..], b"\0\x04\0\0\0\0\0\0\0\x07\0\0\0\x03\x02m\0\0\0\0\0\0\0\x09\0");
    let with_id = CommittedOffset { topic_id: Uuid([8; 16]), ..offset() };
    let value = committed(Some(with_id)).encode().unwrap().value.unwrap();
    assert_eq!(&value[24..], [&[1, 0, 16][..], &[8; 16]].concat());
    let expiring = CommittedOffset { expires_ms: Some(10), leader_epoch: -1, ..offset() };
    let value = committed(Some(expiring)).encode().unwrap().value.unwrap();
    assert_eq!(&value[..], b"\0\x01\0\0\0\0\0\0\0\x07\0\x01m\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x0a");
}

#[test]
fn groups_are_written_as_kafka_4_1_writes_them() {
    let EncodedRecord { key, value } = group().encode().unwrap();
    assert_eq!(&key[..], b"\0\x02\0\x01g");
    let expected: &[&[u8]] = &[
        b"\0\x03\0\x08consumer\0\0\0\x04\0\x05range\0\x01m\0\0\0\0\0\0\0\x06\0\0\0\x01",
        b"\0\x01m\0\x01i\0\x01c\0\x02/h\0\0\0\x01\0\0\0\x02\0\0\0\x01s\0\0\0\x02as",
    ];
    assert_eq!(value.unwrap(), expected.concat());
}

#[test]
fn a_record_decodes_to_itself() {
    let with_id = CommittedOffset { topic_id: Uuid([8; 16]), ..offset() };
    let expiring = CommittedOffset { expires_ms: Some(10), leader_epoch: -1, ..offset() };
    let values = [None, Some(offset()), Some(with_id), Some(expiring)];
    let gone = GroupRecord::Group { group: "g".into(), value: None };
    for record in values.map(committed).into_iter().chain([group(), gone]) {
        assert_eq!(decode(&record.encode().unwrap()), Ok(Decoded::Known(record)));
    }
}

#[test]
fn values_of_older_versions_are_read() {
    let key = committed(None).encode().unwrap().key;
    for (value, epoch) in [
        (&b"\0\0\0\0\0\0\0\0\0\x07\0\x01m\0\0\0\0\0\0\0\x09"[..], -1),
        (&b"\0\x02\0\0\0\0\0\0\0\x07\0\x01m\0\0\0\0\0\0\0\x09"[..], -1),
        (&b"\0\x03\0\0\0\0\0\0\0\x07\0\0\0\x03\0\x01m\0\0\0\0\0\0\0\x09"[..], 3),
    ] {
        let decoded = GroupRecord::decode(&key, Some(&Bytes::from_static(value)));
        let expected = CommittedOffset { leader_epoch: epoch, ..offset() };
        assert_eq!(decoded, Ok(Decoded::Known(committed(Some(expected)))));
    }
    let parts: &[&[u8]] = &[
        b"\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\0\0\0\x01",
        b"\0\x01m\0\x01c\0\x02/h\0\0\0\x02\0\0\0\0\0\0\0\0",
    ];
    let old = Bytes::from(parts.concat());
    let key = group().encode().unwrap().key;
    let Ok(Decoded::Known(GroupRecord::Group { value: Some(value), .. })) =
        GroupRecord::decode(&key, Some(&old))
    else {
        panic!("no group")
    };
    assert_eq!((value.state_since_ms, value.members[0].rebalance_timeout_ms), (-1, 2));
}

#[test]
fn keys_of_other_kinds_are_passed_over_and_broken_ones_are_named() {
    let unknown = Bytes::from_static(b"\0\x03\0\x01g");
    assert_eq!(GroupRecord::decode(&unknown, None), Ok(Decoded::Unknown(3)));
    let key = group().encode().unwrap().key;
    let newer = Bytes::from_static(b"\0\x05");
    assert_eq!(GroupRecord::decode(&key, Some(&newer)), Err(BadRecord::UnknownVersion(5)));
    for broken in [&b""[..], b"\0", b"\0\x01\0\x01g", b"\0\x02\x7f\xff", b"\0\x02\0\x01g!"] {
        let decoded = GroupRecord::decode(&Bytes::from_static(broken), None);
        assert!(matches!(decoded, Err(BadRecord::Field(_))), "{broken:?}: {decoded:?}");
    }
}

#[test]
fn any_prefix_and_any_flip_of_a_record_is_a_record_or_an_error() {
    for record in [committed(Some(offset())), group()] {
        let EncodedRecord { key, value } = record.encode().unwrap();
        let value = value.unwrap();
        for length in 0..value.len() {
            let cut = GroupRecord::decode(&key, Some(&value.slice(..length)));
            assert!(cut.is_err(), "{length} of {}", value.len());
        }
        for at in 0..value.len() {
            for bit in 0..8 {
                let mut bytes = value.to_vec();
                bytes[at] ^= 1 << bit;
                drop(GroupRecord::decode(&key, Some(&bytes.into())));
            }
        }
    }
}

#[test]
fn a_name_that_no_record_can_hold_is_an_error() {
    let name = "x".repeat(40_000);
    let record = GroupRecord::Group { group: name.as_str().into(), value: None };
    assert!(record.encode().is_err());
}
