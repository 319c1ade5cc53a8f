//! What consumers of a classic group say to each other, through a coordinator that doesn't read it:
//! which topics each wants, and which partitions each has. Kafka's `ConsumerProtocol`.
//!
//! ```text
//!   subscription: version i16, topics []string, user data bytes?
//!     from 1 on:  owned []{ topic string, partitions []i32 }
//!     from 2 on:  generation i32 (KIP-792)
//!     from 3 on:  rack string? (KIP-881)
//!   assignment:   version i16, []{ topic string, partitions []i32 }, user data bytes?
//! ```
//!
//! The user data of `sticky` is what the member had: `[]{ topic, partitions }, generation i32`;
//! that of `cooperative-sticky` the generation alone, for those who lead by older versions.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use logboom_protocol::wire::{Reader, Writer};
use logboom_protocol::{Fault, FieldError};

use super::Assignor;

/// The partitions of a member, by topic.
pub type Assignment = BTreeMap<String, Vec<i32>>;

/// The versions that are written.
const SUBSCRIPTION_VERSION: i16 = 3;
const ASSIGNMENT_VERSION: i16 = 0;
/// Bytes of the shortest string, and of the shortest topic of an assignment.
const STRING_BYTES_MIN: usize = 2;
const TOPIC_BYTES_MIN: usize = 6;
const PARTITION_BYTES: usize = 4;
/// The generation of who has none.
const NO_GENERATION: i32 = -1;

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topics: Vec<String>,
    /// What its assignor has to say to the one that leads.
    user_data: Option<Bytes>,
    /// What it reads while the group shares anew.
    owned: Assignment,
    /// In which generation it was given that.
    generation: i32,
    rack: Option<String>,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned: Assignment::new(),
            generation: NO_GENERATION,
            rack: None,
        }
    }
}

/// What a member has, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) partitions: Assignment,
    /// −1 for none.
    pub(super) generation: i32,
}

impl Default for Holding {
    fn default() -> Self {
        Self { partitions: Assignment::new(), generation: NO_GENERATION }
    }
}

impl Subscription {
    /// A subscription as `assignor` wants it.
    ///
    /// - `had`: what the member was given last.
    /// - `owned`: what it still reads.
    ///
    /// # Errors
    /// A name that is too long.
    pub(super) fn new(
        assignor: Assignor,
        topics: &[String],
        had: &Holding,
        owned: &Assignment,
        rack: Option<&str>,
    ) -> Result<Self, Fault> {
        let user_data = match assignor {
            Assignor::Range | Assignor::RoundRobin => None,
            Assignor::Sticky if had.generation < 0 => None,
            Assignor::Sticky => Some(encode_holding(had)?),
            Assignor::CooperativeSticky => {
                Some(Bytes::copy_from_slice(&had.generation.to_be_bytes()))
            }
        };
        Ok(Self {
            topics: topics.to_vec(),
            user_data,
            owned: owned.clone(),
            generation: had.generation,
            rack: rack.map(str::to_owned),
        })
    }

    /// What it reads, and since when, as `cooperative-sticky` says it.
    pub(super) fn owned(&self) -> (Assignment, i32) {
        let generation = match &self.user_data {
            _ if self.generation >= 0 => self.generation,
            Some(bytes) => Reader::new(bytes).i32().unwrap_or(NO_GENERATION),
            None => NO_GENERATION,
        };
        (self.owned.clone(), generation)
    }

    /// What it had, and since when, as `sticky` says it; nothing where it doesn't.
    pub(super) fn remembered(&self) -> (Assignment, i32) {
        let remembered = self.user_data.as_ref().and_then(decode_holding).unwrap_or_default();
        (remembered.partitions, remembered.generation)
    }

    /// # Errors
    /// A name that is too long.
    pub(super) fn encode(&self) -> Result<Bytes, Fault> {
        let mut writer = Writer::new(BytesMut::new());
        writer.i16(SUBSCRIPTION_VERSION);
        writer.count(Some(self.topics.len()), false)?;
        for topic in &self.topics {
            writer.string(topic, false)?;
        }
        writer.nullable_bytes(self.user_data.as_deref(), false)?;
        write_partitions(&mut writer, &self.owned)?;
        writer.i32(self.generation);
        writer.nullable_string(self.rack.as_deref(), false)?;
        Ok(writer.into_inner().freeze())
    }

    /// A subscription of any version; `None` where it is none. What a later version adds and can't
    /// be read counts as not said.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16().ok()?;
        let topic = |r: &mut Reader<'_>| r.string(false).map_err(FieldError::from);
        let topics = reader.array(false, STRING_BYTES_MIN, topic).ok()?;
        let topics = topics.into_iter().map(Into::into).collect();
        let mut this = Self { topics, ..Self::default() };
        this.read_rest(version, &mut reader);
        Some(this)
    }

    /// What is behind the topics, as far as it can be read.
    fn read_rest(&mut self, version: i16, reader: &mut Reader<'_>) -> Option<()> {
        self.user_data = reader.nullable_bytes(false).ok()?;
        if version >= 1 {
            self.owned = read_partitions(reader)?;
        }
        if version >= 2 {
            self.generation = reader.i32().ok()?;
        }
        if version >= 3 {
            self.rack = reader.nullable_string(false).ok()?.map(Into::into);
        }
        Some(())
    }
}

/// An assignment.
///
/// # Errors
/// A name that is too long.
pub(super) fn encode_assignment(assignment: &Assignment) -> Result<Bytes, Fault> {
    let mut writer = Writer::new(BytesMut::new());
    writer.i16(ASSIGNMENT_VERSION);
    write_partitions(&mut writer, assignment)?;
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
    read_partitions(&mut reader)
}

fn encode_holding(holding: &Holding) -> Result<Bytes, Fault> {
    let mut writer = Writer::new(BytesMut::new());
    write_partitions(&mut writer, &holding.partitions)?;
    writer.i32(holding.generation);
    Ok(writer.into_inner().freeze())
}

/// The first version of it has no generation.
fn decode_holding(bytes: &Bytes) -> Option<Holding> {
    let mut reader = Reader::new(bytes);
    let partitions = read_partitions(&mut reader)?;
    let generation = reader.i32().unwrap_or(NO_GENERATION);
    Some(Holding { partitions, generation })
}

fn write_partitions(writer: &mut Writer, assignment: &Assignment) -> Result<(), Fault> {
    writer.count(Some(assignment.len()), false)?;
    for (topic, partitions) in assignment {
        writer.string(topic, false)?;
        writer.count(Some(partitions.len()), false)?;
        partitions.iter().for_each(|&partition| writer.i32(partition));
    }
    Ok(())
}

fn read_partitions(reader: &mut Reader<'_>) -> Option<Assignment> {
    let topic = |r: &mut Reader<'_>| {
        let name = r.string(false)?;
        let partition = |r: &mut Reader<'_>| r.i32().map_err(FieldError::from);
        let partitions = r.array(false, PARTITION_BYTES, partition)?;
        Ok::<_, FieldError>((name.into(), partitions))
    };
    let mut assignment = Assignment::new();
    // A topic may be there more than once.
    for (name, partitions) in reader.array::<(String, _), _>(false, TOPIC_BYTES_MIN, topic).ok()? {
        assignment.entry(name).or_default().extend(partitions);
    }
    Some(assignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let had = Holding { partitions: [("a".to_owned(), vec![1])].into(), generation: 6 };
        for assignor in Assignor::ALL {
            let wanted = topics(&["a", "b"]);
            let written =
                Subscription::new(assignor, &wanted, &had, &had.partitions, Some("r")).unwrap();
            let read = Subscription::decode(&written.encode().unwrap()).unwrap();
            assert_eq!(read, written);
            assert_eq!(read.owned(), (had.partitions.clone(), 6));
        }
        let assignment = Assignment::from([("a".to_owned(), vec![0, 2]), ("b".to_owned(), vec![])]);
        let bytes = encode_assignment(&assignment).unwrap();
        assert_eq!(decode_assignment(&bytes), Some(assignment));
        let twice = Bytes::from_static(
            b"\0\0\0\0\0\x02\0\x01a\0\0\0\x01\0\0\0\x02\0\x01a\0\0\0\x01\0\0\0\x05\xff\xff\xff\xff",
        );
        assert_eq!(decode_assignment(&twice), Some([("a".to_owned(), vec![2, 5])].into()));
    }

    /// Bytes as the reference's `ConsumerProtocol` and its sticky assignors write them.
    #[test]
    fn the_bytes_are_the_references() {
        let wanted = topics(&["a"]);
        let had = Holding { partitions: [("a".to_owned(), vec![1])].into(), generation: 6 };
        let bytes = |assignor, owned: &Assignment| {
            let written = Subscription::new(assignor, &wanted, &had, owned, None).unwrap();
            written.encode().unwrap()
        };
        let range = b"\0\x03\0\0\0\x01\0\x01a\xff\xff\xff\xff\0\0\0\0\0\0\0\x06\xff\xff";
        assert_eq!(bytes(Assignor::Range, &Assignment::new()), &range[..]);
        let sticky = b"\0\x03\0\0\0\x01\0\x01a\
            \0\0\0\x13\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x01\0\0\0\x06\
            \0\0\0\0\0\0\0\x06\xff\xff";
        assert_eq!(bytes(Assignor::Sticky, &Assignment::new()), &sticky[..]);
        let cooperative = b"\0\x03\0\0\0\x01\0\x01a\0\0\0\x04\0\0\0\x06\
            \0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x01\0\0\0\x06\xff\xff";
        assert_eq!(bytes(Assignor::CooperativeSticky, &had.partitions), &cooperative[..]);
    }

    #[test]
    fn older_and_newer_versions_are_read() {
        let decode = |bytes: &'static [u8]| Subscription::decode(&Bytes::from_static(bytes));
        let oldest = decode(b"\0\0\0\0\0\x01\0\x01a\xff\xff\xff\xff").unwrap();
        assert_eq!(oldest.topics, topics(&["a"]));
        assert_eq!(oldest.owned(), (Assignment::new(), NO_GENERATION));
        // Version 1 has the generation in what cooperative-sticky adds.
        let first = b"\0\x01\0\0\0\x01\0\x01a\0\0\0\x04\0\0\0\x09\
            \0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x02";
        assert_eq!(decode(first).unwrap().owned(), ([("a".to_owned(), vec![2])].into(), 9));
        // What isn't known yet lies behind what is.
        let newer = b"\0\x09\0\0\0\x01\0\x01a\xff\xff\xff\xff\0\0\0\0\0\0\0\x05\xff\xffmore";
        assert_eq!(decode(newer).unwrap().owned(), (Assignment::new(), 5));
        // The first version of sticky's own has no generation.
        let sticky = b"\0\0\0\0\0\x01\0\x01a\0\0\0\x0f\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x03";
        let remembered = ([("a".to_owned(), vec![3])].into(), NO_GENERATION);
        assert_eq!(decode(sticky).unwrap().remembered(), remembered);
    }

    #[test]
    fn rubbish_is_not_read() {
        for rubbish in [&b"\0"[..], b"\0\0", b"\0\0\x7f\xff\xff\xff", b"\0\0\0\0\0\x01\0\x09a"] {
            let rubbish = Bytes::copy_from_slice(rubbish);
            assert_eq!(decode_assignment(&rubbish), None, "{rubbish:?}");
            assert_eq!(Subscription::decode(&rubbish), None, "{rubbish:?}");
        }
        assert_eq!(decode_assignment(&Bytes::new()), Some(Assignment::new()));
    }
}
