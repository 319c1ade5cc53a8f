//! A produce request as a rope: what the protocol adds in a buffer, the batches as they are lent.
//!
//! Must always hold: the counts given for topics and partitions are those of the calls that
//! follow; the writer asserts it, because a wrong count would be read as other fields.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::topics_writer::TopicsWriter;
use super::{Rope, TopicRef};
use crate::error::At as _;
use crate::frame::PREFIX_BYTES;
use crate::header::RequestHeader;
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
    topics: TopicsWriter,
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
        let (flexible, by_id) = (version >= FLEXIBLE_FROM, version >= TOPIC_ID_FROM);
        let topics = TopicsWriter::new(out, flexible, by_id, topic_count);
        let mut writer = Self { version, topics };
        if !ApiKey::Produce.versions().contains(version) {
            return Err(writer.error(Fault::Version.into()));
        }
        writer.head(head, topic_count).map_err(|error| writer.error(error))?;
        Ok(writer)
    }

    fn head(&mut self, head: &ProduceRequestHead<'_>, topics: usize) -> Result<(), FieldError> {
        let (flexible, out) = (self.topics.flexible, &mut self.topics.out);
        let transactional_id = out.nullable_string(head.transactional_id, flexible);
        transactional_id.at("ProduceRequest.transactional_id")?;
        out.i16(head.acks);
        out.i32(head.timeout_ms);
        out.count(Some(topics), flexible).at("ProduceRequest.topic_data")
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
        let fields = ["TopicProduceData.topic", "TopicProduceData.partition_data"];
        let begun = self.topics.topic(topic, partition_count, fields);
        begun.map_err(|error| self.error(error))
    }

    /// Adds a partition of the topic begun last, with a record batch that is lent,
    /// in one piece or several.
    ///
    /// # Errors
    /// [`Fault::TooLong`] for 2 GiB of records.
    ///
    /// # Panics
    /// If there are more partitions than announced.
    pub fn partition(
        &mut self,
        partition: i32,
        batch: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), EncodeError> {
        self.topics.partition(partition);
        let lent = self.topics.lend(batch).at("PartitionProduceData.records");
        lent.map_err(|error| self.error(error))?;
        if self.topics.flexible {
            self.topics.out.uvarint(0);
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
        self.topics.end_topics();
        if self.topics.flexible {
            self.topics.out.uvarint(0);
        }
        let error = |fault: Fault| Self::error_of(self.version, fault.into());
        self.topics.finish().map_err(error)
    }

    fn error(&self, error: FieldError) -> EncodeError {
        Self::error_of(self.version, error)
    }

    fn error_of(version: i16, FieldError { field, fault }: FieldError) -> EncodeError {
        let (api, kind) = (ApiKey::Produce, MessageKind::Request);
        EncodeError { api, kind, version, field, fault }
    }
}
