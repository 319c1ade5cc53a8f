//! A produce request as a rope: what the protocol adds in a buffer, the batches as they are lent.
//!
//! Must always hold: the counts given for topics and partitions are those of the calls that
//! follow; the writer asserts it, because a wrong count would be read as other fields.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::{Rope, TopicRef};
use crate::error::At as _;
use crate::frame::PREFIX_BYTES;
use crate::header::RequestHeader;
use crate::wire::Writer;
use crate::{ApiKey, EncodeError, Fault, FieldError, MessageKind};

/// The first flexible version.
const FLEXIBLE_FROM: i16 = 9;
/// The first version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

const _: () = assert!(ApiKey::Produce.versions().max == 13, "look at what the new version changes");

/// What a produce request says before its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceRequestHead<'a> {
    /// Answers are found by it.
    pub correlation_id: i32,
    /// What the broker's logs and quotas call the producer.
    pub client_id: &'a str,
    /// The transactional id, if the producer has one.
    pub transactional_id: Option<&'a str>,
    /// 0, 1, or −1 for all replicas that must hold the records.
    pub acks: i16,
    /// Milliseconds for which the broker waits for them.
    pub timeout_ms: i32,
}

/// Writes one request: the head, then each topic followed by its partitions.
#[derive(Debug)]
pub struct ProduceRequestWriter {
    version: i16,
    /// The frame without the batches, its length included.
    out: Writer,
    /// Batches and the place in `out` before which they belong, in order.
    lent: Vec<(usize, Bytes)>,
    topics_left: usize,
    partitions_left: usize,
    in_topic: bool,
}

impl ProduceRequestWriter {
    /// Begins a request of a supported `version`.
    ///
    /// # Errors
    /// [`Fault::Version`], or [`Fault::TooLong`] for a name or the count.
    pub fn new(
        version: i16,
        head: &ProduceRequestHead<'_>,
        topic_count: usize,
    ) -> Result<Self, EncodeError> {
        let mut out = BytesMut::with_capacity(256);
        out.resize(PREFIX_BYTES, 0);
        let header = RequestHeader {
            api: ApiKey::Produce,
            version,
            correlation_id: head.correlation_id,
            client_id: Some(Cow::Borrowed(head.client_id)),
        };
        header.encode(&mut out)?;
        let mut writer = Self {
            version,
            out: Writer::new(out),
            lent: Vec::new(),
            topics_left: topic_count,
            partitions_left: 0,
            in_topic: false,
        };
        if !ApiKey::Produce.versions().contains(version) {
            return Err(writer.error(Fault::Version.into()));
        }
        writer.head(head, topic_count).map_err(|error| writer.error(error))?;
        Ok(writer)
    }

    fn head(&mut self, head: &ProduceRequestHead<'_>, topics: usize) -> Result<(), FieldError> {
        let flexible = self.flexible();
        let transactional_id = self.out.nullable_string(head.transactional_id, flexible);
        transactional_id.at("ProduceRequest.transactional_id")?;
        self.out.i16(head.acks);
        self.out.i32(head.timeout_ms);
        self.out.count(Some(topics), flexible).at("ProduceRequest.topic_data")
    }

    /// Begins a topic.
    ///
    /// # Errors
    /// [`Fault::TooLong`], or [`Fault::NotInVersion`] for a name where the version has ids or the
    /// other way round.
    ///
    /// # Panics
    /// If the topic before lacks partitions, or there are more topics than announced.
    pub fn topic(
        &mut self,
        topic: TopicRef<'_>,
        partition_count: usize,
    ) -> Result<(), EncodeError> {
        self.end_topic();
        assert!(self.topics_left > 0, "a topic more than announced");
        self.topics_left -= 1;
        self.partitions_left = partition_count;
        self.in_topic = true;
        let (by_id, flexible) = (self.version >= TOPIC_ID_FROM, self.flexible());
        let named = match topic {
            TopicRef::Id(id) if by_id => {
                self.out.uuid(id);
                Ok(())
            }
            TopicRef::Name(name) if !by_id => self.out.string(name, flexible),
            _ => Err(Fault::NotInVersion),
        };
        let counted = named.at("TopicProduceData.topic").and_then(|()| {
            let count = self.out.count(Some(partition_count), flexible);
            count.at("TopicProduceData.partition_data")
        });
        counted.map_err(|error| self.error(error))
    }

    /// Adds a partition of the topic begun last, with a record batch that is lent.
    ///
    /// # Errors
    /// [`Fault::TooLong`] for 2 GiB of records.
    ///
    /// # Panics
    /// If there are more partitions than announced.
    pub fn partition(&mut self, partition: i32, batch: Bytes) -> Result<(), EncodeError> {
        assert!(self.partitions_left > 0, "a partition more than announced");
        self.partitions_left -= 1;
        let flexible = self.flexible();
        self.out.i32(partition);
        let length = self.out.bytes_length(Some(batch.len()), flexible);
        let length = length.at("PartitionProduceData.records");
        length.map_err(|error| self.error(error))?;
        self.lent.push((self.out.len(), batch));
        if flexible {
            self.out.uvarint(0);
        }
        Ok(())
    }

    /// Ends the request.
    ///
    /// # Errors
    /// [`Fault::TooLong`] for a frame of 2 GiB.
    ///
    /// # Panics
    /// If topics or partitions are missing.
    pub fn finish(mut self) -> Result<Rope, EncodeError> {
        self.end_topic();
        assert_eq!(self.topics_left, 0, "topics are missing");
        if self.flexible() {
            self.out.uvarint(0);
        }
        let error = |fault: Fault| Self::error_of(self.version, fault.into());
        Rope::framed(self.out.into_inner(), self.lent).map_err(error)
    }

    fn end_topic(&mut self) {
        assert_eq!(self.partitions_left, 0, "partitions are missing");
        if std::mem::take(&mut self.in_topic) && self.flexible() {
            self.out.uvarint(0);
        }
    }

    fn flexible(&self) -> bool {
        self.version >= FLEXIBLE_FROM
    }

    fn error(&self, error: FieldError) -> EncodeError {
        Self::error_of(self.version, error)
    }

    fn error_of(version: i16, FieldError { field, fault }: FieldError) -> EncodeError {
        let (api, kind) = (ApiKey::Produce, MessageKind::Request);
        EncodeError { api, kind, version, field, fault }
    }
}
