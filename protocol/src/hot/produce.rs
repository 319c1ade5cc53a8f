//! A produce request as a visit of (topic, partition, records).
//!
//! Must always hold: nothing is visited unless the whole request is well-formed, so that no
//! partition is appended to on behalf of a request that is then refused.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::TopicRef;
use crate::error::At as _;
use crate::wire::Reader;
use crate::{ApiKey, DecodeError, FieldError, MessageKind, decode_body};

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
    version: i16,
    body: &'a Bytes,
    /// A reader at the first topic.
    topics: Reader<'a>,
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
        let mut visit = Self {
            transactional_id: r.nullable_str(flexible).at("ProduceRequest.transactional_id")?,
            acks: r.i16().at("ProduceRequest.acks")?,
            timeout_ms: r.i32().at("ProduceRequest.timeout_ms")?,
            partition_count: 0,
            version,
            body,
            topics: r.clone(),
        };
        walk(r, version, |_, _, _| {
            visit.partition_count = visit.partition_count.saturating_add(1);
        })?;
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(visit)
    }

    /// Visits the partitions in the order of the request.
    ///
    /// # Panics
    /// Never: the same bytes were walked over before.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(PartitionRecords<'a>)) {
        walk(&mut self.topics.clone(), self.version, |topic, partition, records| {
            let records = records.map(|bytes| self.body.slice_ref(bytes));
            visit(PartitionRecords { topic, partition, records });
        })
        .expect("the same bytes were walked over before");
    }
}

/// Walks over the topics and their partitions.
#[inline]
fn walk<'a>(
    r: &mut Reader<'a>,
    version: i16,
    mut visit: impl FnMut(TopicRef<'a>, i32, Option<&'a [u8]>),
) -> Result<(), FieldError> {
    let flexible = version >= FLEXIBLE_FROM;
    for _ in 0..r.count(flexible, 3).at("ProduceRequest.topic_data")? {
        let topic = if version >= TOPIC_ID_FROM {
            TopicRef::Id(r.uuid().at("TopicProduceData.topic_id")?)
        } else {
            let name = r.nullable_str(flexible).and_then(|name| name.ok_or(crate::Fault::Null));
            TopicRef::Name(name.at("TopicProduceData.name")?)
        };
        for _ in 0..r.count(flexible, 6).at("TopicProduceData.partition_data")? {
            let partition = r.i32().at("PartitionProduceData.index")?;
            let records = r.nullable_slice(flexible).at("PartitionProduceData.records")?;
            if flexible {
                r.tagged_fields(|_, _| Ok(false))?;
            }
            visit(topic, partition, records);
        }
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
    }
    Ok(())
}
