//! A produce request as a visit of (topic, partition, records).
//!
//! Must always hold: nothing is visited unless the whole request is well-formed, so that no
//! partition is appended to on behalf of a request that is then refused.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::TopicRef;
use crate::error::At as _;
use crate::wire::Reader;
use crate::{ApiKey, DecodeError, Fault, FieldError, MessageKind, decode_body};

/// The first flexible version.
const FLEXIBLE_FROM: i16 = 9;
/// The first version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

const _: () = assert!(
    matches!(ApiKey::Produce.flexible_from(), Some(FLEXIBLE_FROM)),
    "the schema and the hot path must agree"
);
const _: () = assert!(ApiKey::Produce.versions().max == 13, "look at what the new version changes");

/// A produce request that was found well-formed.
///
/// It may name any number of partitions, and one of them twice: whoever visits it compares
/// [`Self::partition_count`] with a limit first, and answers a partition that comes again as the
/// reference does. Topic names and the transactional id are UTF-8; a request in which they are not
/// is refused, because nothing can be named so.
#[derive(Debug, Clone)]
pub struct ProduceVisit<'a> {
    /// The transactional id, if the producer has one.
    pub transactional_id: Option<&'a str>,
    /// Replicas that must hold the records before the answer; any number until it is checked.
    pub acks: i16,
    /// Milliseconds that the producer waits for them.
    pub timeout_ms: i32,
    /// How many partitions the request names, over all topics.
    pub partition_count: usize,
    body: &'a Bytes,
    /// At the first topic.
    start: Walk<'a>,
}

/// The records for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRecords<'a> {
    /// The topic.
    pub topic: TopicRef<'a>,
    /// The partition's number within it, as sent.
    pub partition: i32,
    /// What is to be one record batch, a slice of the request's frame; `None` is null.
    pub records: Option<Bytes>,
}

impl<'a> ProduceVisit<'a> {
    /// Checks the structure of a whole body and reads its head. Allocates nothing.
    ///
    /// # Errors
    /// Any fault in the bytes, an unknown version included.
    #[inline]
    pub fn decode(body: &'a Bytes, version: i16) -> Result<Self, DecodeError> {
        decode_body(ApiKey::Produce, MessageKind::Request, version, body, |reader| {
            Self::read(reader, body, version)
        })
    }

    fn read(r: &mut Reader<'a>, body: &'a Bytes, version: i16) -> Result<Self, FieldError> {
        let flexible = version >= FLEXIBLE_FROM;
        let transactional_id = r.nullable_str(flexible).at("ProduceRequest.transactional_id")?;
        let acks = r.i16().at("ProduceRequest.acks")?;
        let timeout_ms = r.i32().at("ProduceRequest.timeout_ms")?;
        let topics_left = r.count(flexible, 3).at("ProduceRequest.topic_data")?;
        let start = Walk {
            reader: r.clone(),
            version,
            topics_left,
            partitions_left: 0,
            topic: TopicRef::Name(""),
        };
        let mut walk = start.clone();
        let walked = walk.count();
        // An error was found where the walk stopped.
        *r = walk.reader;
        let partition_count = walked?;
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(Self { transactional_id, acks, timeout_ms, partition_count, body, start })
    }

    /// The partitions in the order of the request.
    ///
    /// # Panics
    /// Never: the same bytes were walked over before.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionRecords<'a>> + use<'a> {
        let (mut walk, body) = (self.start.clone(), self.body);
        std::iter::from_fn(move || {
            let (topic, partition, records) =
                walk.next().expect("the same bytes were walked over before")?;
            let records = records.map(|bytes| body.slice_ref(bytes));
            Some(PartitionRecords { topic, partition, records })
        })
    }
}

/// A walk over the topics and their partitions.
#[derive(Debug, Clone)]
struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    /// Topics that were not begun, and partitions of the one that was.
    topics_left: usize,
    partitions_left: usize,
    topic: TopicRef<'a>,
}

impl<'a> Walk<'a> {
    /// Goes to the end; returns how many partitions there were.
    fn count(&mut self) -> Result<usize, FieldError> {
        let mut count = 0usize;
        while self.next()?.is_some() {
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// The next partition with its records, or `None` behind the last.
    #[inline]
    #[expect(clippy::type_complexity, reason = "it becomes PartitionRecords at once")]
    fn next(&mut self) -> Result<Option<(TopicRef<'a>, i32, Option<&'a [u8]>)>, FieldError> {
        let flexible = self.version >= FLEXIBLE_FROM;
        while self.partitions_left == 0 {
            let Some(topics_left) = self.topics_left.checked_sub(1) else { return Ok(None) };
            self.topics_left = topics_left;
            self.begin_topic(flexible)?;
        }
        let r = &mut self.reader;
        let partition = r.i32().at("PartitionProduceData.index")?;
        let records = r.nullable_slice(flexible).at("PartitionProduceData.records")?;
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        self.partitions_left = self.partitions_left.saturating_sub(1);
        if self.partitions_left == 0 {
            self.end_topic(flexible)?;
        }
        Ok(Some((self.topic, partition, records)))
    }

    fn begin_topic(&mut self, flexible: bool) -> Result<(), FieldError> {
        let r = &mut self.reader;
        self.topic = if self.version >= TOPIC_ID_FROM {
            TopicRef::Id(r.uuid().at("TopicProduceData.topic_id")?)
        } else {
            let name = r.nullable_str(flexible).and_then(|name| name.ok_or(Fault::Null));
            TopicRef::Name(name.at("TopicProduceData.name")?)
        };
        self.partitions_left = r.count(flexible, 6).at("TopicProduceData.partition_data")?;
        if self.partitions_left == 0 {
            self.end_topic(flexible)?;
        }
        Ok(())
    }

    fn end_topic(&mut self, flexible: bool) -> Result<(), FieldError> {
        if flexible { self.reader.tagged_fields(|_, _| Ok(false)) } else { Ok(()) }
    }
}
