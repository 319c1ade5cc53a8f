//! What consumers of a classic group say to each other, through a coordinator that doesn't read it:
//! which topics each wants, and which partitions each has. Kafka's `ConsumerProtocol`.
//!
//! ```text
//!   subscription: version i16, topics []string, user data bytes?, more from version 1 on
//!   assignment:   version i16, []{ topic string, partitions []i32 }, user data bytes?
//! ```

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{Fault, FieldError};

/// The partitions of a member, by topic.
pub type Assignment = BTreeMap<String, Vec<i32>>;

/// The version that is written. Later ones say what is owned, for those who give up partitions one
/// by one; here all are given up before a rebalance.
const VERSION: i16 = 0;
/// Bytes of the shortest string, and of the shortest topic of an assignment.
const STRING_BYTES_MIN: usize = 2;
const TOPIC_BYTES_MIN: usize = 6;
const PARTITION_BYTES: usize = 4;

/// A subscription to topics.
///
/// # Errors
/// A name that is too long.
pub(super) fn encode_subscription(topics: &[String]) -> Result<Bytes, Fault> {
    let mut writer = Writer::new(BytesMut::new());
    writer.i16(VERSION);
    writer.count(Some(topics.len()), false)?;
    for topic in topics {
        writer.string(topic, false)?;
    }
    writer.nullable_bytes(None, false)?;
    Ok(writer.into_inner().freeze())
}

/// The topics of a subscription of any version; `None` where it is none.
pub(super) fn decode_subscription(bytes: &Bytes) -> Option<Vec<String>> {
    let mut reader = Reader::new(bytes);
    reader.i16().ok()?;
    let topic = |r: &mut Reader<'_>| r.string(false).map_err(FieldError::from);
    let topics = reader.array(false, STRING_BYTES_MIN, topic).ok()?;
    Some(topics.into_iter().map(Into::into).collect())
}

/// An assignment.
///
/// # Errors
/// A name that is too long.
pub(super) fn encode_assignment(assignment: &Assignment) -> Result<Bytes, Fault> {
    let mut writer = Writer::new(BytesMut::new());
    writer.i16(VERSION);
    writer.count(Some(assignment.len()), false)?;
    for (topic, partitions) in assignment {
        writer.string(topic, false)?;
        writer.count(Some(partitions.len()), false)?;
        partitions.iter().for_each(|&partition| writer.i32(partition));
    }
    writer.nullable_bytes(None, false)?;
    Ok(writer.into_inner().freeze())
}

/// The partitions of an assignment of any version; nothing where there are no bytes, as for a
/// member that was given none; `None` where it is none.
pub(super) fn decode_assignment(bytes: &Bytes) -> Option<Assignment> {
    if bytes.is_empty() {
        return Some(Assignment::new());
    }
    let mut reader = Reader::new(bytes);
    reader.i16().ok()?;
    let topic = |r: &mut Reader<'_>| {
        let name = r.string(false)?;
        let partition = |r: &mut Reader<'_>| r.i32().map_err(FieldError::from);
        let partitions = r.array(false, PARTITION_BYTES, partition)?;
        Ok::<_, FieldError>((name.into(), partitions))
    };
    let topics = reader.array(false, TOPIC_BYTES_MIN, topic).ok()?;
    Some(topics.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let topics = vec!["a".to_owned(), "b".to_owned()];
        let bytes = encode_subscription(&topics).unwrap();
        assert_eq!(bytes, &b"\0\0\0\0\0\x02\0\x01a\0\x01b\xff\xff\xff\xff"[..]);
        assert_eq!(decode_subscription(&bytes), Some(topics));
        let assignment = Assignment::from([("a".to_owned(), vec![0, 2]), ("b".to_owned(), vec![])]);
        let bytes = encode_assignment(&assignment).unwrap();
        assert_eq!(decode_assignment(&bytes), Some(assignment));
    }

    #[test]
    fn newer_versions_are_read_and_rubbish_is_not() {
        // Version 3 of a subscription: user data, owned partitions, generation, rack.
        let newer = b"\0\x03\0\0\0\x01\0\x01a\xff\xff\xff\xff\0\0\0\0\0\0\0\x05\xff\xff";
        let newer = Bytes::from_static(newer);
        assert_eq!(decode_subscription(&newer), Some(vec!["a".to_owned()]));
        for rubbish in [&b"\0"[..], b"\0\0", b"\0\0\x7f\xff\xff\xff", b"\0\0\0\0\0\x01\0\x09a"] {
            let rubbish = Bytes::copy_from_slice(rubbish);
            assert_eq!(decode_assignment(&rubbish), None, "{rubbish:?}");
            assert_eq!(decode_subscription(&rubbish), None, "{rubbish:?}");
        }
        assert_eq!(decode_assignment(&Bytes::new()), Some(Assignment::new()));
    }
}
