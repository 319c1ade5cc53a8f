//! A fetch response as a rope: what the protocol adds in a buffer, the records as they are lent.
//!
//! Must always hold: the counts given for topics and partitions are those of the calls that
//! follow; the writer asserts it, because a wrong count would be read as other fields.

use bytes::{Bytes, BytesMut};

use super::topics_writer::TopicsWriter;
use super::{Rope, TopicRef};
use crate::error::At as _;
use crate::frame::PREFIX_BYTES;
use crate::header::encode_response_header;
use crate::messages::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint};
use crate::{ApiKey, EncodeError, ErrorCode, Fault, FieldError, MessageKind};

/// The first flexible version, which is also the first that can tell diverging epochs.
const FLEXIBLE_FROM: i16 = 12;
/// The first version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;
/// The first version that names the endpoints of new leaders (KIP-951).
const ENDPOINTS_FROM: i16 = 16;

const _: () = assert!(
    matches!(ApiKey::Fetch.flexible_from(), Some(FLEXIBLE_FROM)),
    "the schema and the hot path must agree"
);
const _: () = assert!(ApiKey::Fetch.versions().max == 18, "look at what the new version changes");

/// What a fetch response says before its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchResponseHead {
    /// Milliseconds for which the client is throttled.
    pub throttle_time_ms: i32,
    /// The error of the whole response, from version 7 on.
    pub error_code: ErrorCode,
    /// The fetch session or 0, from version 7 on.
    pub session_id: i32,
}

/// What a fetch response says of a partition besides its records.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionHead<'a> {
    /// The partition's number.
    pub partition: i32,
    /// Its error.
    pub error_code: ErrorCode,
    /// Exclusive; −1 where unknown.
    pub high_watermark: i64,
    /// Exclusive; −1 where unknown.
    pub last_stable_offset: i64,
    /// Inclusive; −1 where unknown. From version 5 on.
    pub log_start_offset: i64,
    /// Where the fetcher's log left ours, from version 12 on.
    pub diverging_epoch: Option<EpochEndOffset>,
    /// The new leader, from version 12 on (KIP-951).
    pub current_leader: Option<LeaderIdAndEpoch>,
    /// `None` for read_uncommitted.
    pub aborted_transactions: Option<&'a [AbortedTransaction]>,
    /// A replica to fetch from instead, or −1. From version 11 on (KIP-392).
    pub preferred_read_replica: i32,
}

/// Writes one response: the head, then each topic followed by its partitions.
#[derive(Debug)]
pub struct FetchResponseWriter {
    version: i16,
    topics: TopicsWriter,
}

impl FetchResponseWriter {
    /// Begins a response of a supported `version`.
    ///
    /// # Errors
    /// [`Fault::Version`], or [`Fault::TooLong`] for the count.
    pub fn new(
        version: i16,
        correlation_id: i32,
        head: &FetchResponseHead,
        topic_count: usize,
    ) -> Result<Self, EncodeError> {
        let mut out = BytesMut::with_capacity(256);
        out.resize(PREFIX_BYTES, 0);
        encode_response_header(ApiKey::Fetch, version, correlation_id, &mut out);
        let (flexible, by_id) = (version >= FLEXIBLE_FROM, version >= TOPIC_ID_FROM);
        let topics = TopicsWriter::new(out, flexible, by_id, topic_count);
        let mut writer = Self { version, topics };
        if !ApiKey::Fetch.versions().contains(version) {
            return Err(writer.error(Fault::Version.into()));
        }
        writer.head(head, topic_count).map_err(|error| writer.error(error))?;
        Ok(writer)
    }

    fn head(&mut self, head: &FetchResponseHead, topic_count: usize) -> Result<(), FieldError> {
        let (flexible, out) = (self.topics.flexible, &mut self.topics.out);
        out.i32(head.throttle_time_ms);
        if self.version >= 7 {
            out.error(head.error_code);
            out.i32(head.session_id);
        } else if head.session_id != 0 {
            return Err(Fault::NotInVersion).at("FetchResponse.session_id");
        }
        out.count(Some(topic_count), flexible).at("FetchResponse.responses")
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
        let fields = ["FetchableTopicResponse.topic", "FetchableTopicResponse.partitions"];
        let begun = self.topics.topic(topic, partition_count, fields);
        begun.map_err(|error| self.error(error))
    }

    /// Adds a partition of the topic begun last, with record batches that are lent.
    ///
    /// # Errors
    /// [`Fault::TooLong`] for 2 GiB of records, or [`Fault::NotInVersion`] for a part of `head`
    /// that the version cannot carry and must not lose.
    ///
    /// # Panics
    /// If there are more partitions than announced.
    pub fn partition(
        &mut self,
        head: &PartitionHead<'_>,
        records: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), EncodeError> {
        self.topics.partition(head.partition);
        self.partition_fields(head, records).map_err(|error| self.error(error))
    }

    fn partition_fields(
        &mut self,
        head: &PartitionHead<'_>,
        records: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), FieldError> {
        let (version, flexible) = (self.version, self.topics.flexible);
        let out = &mut self.topics.out;
        out.error(head.error_code);
        out.i64(head.high_watermark);
        out.i64(head.last_stable_offset);
        if version >= 5 {
            out.i64(head.log_start_offset);
        }
        out.nullable_array(head.aborted_transactions, flexible, |w, one| one.write(w, version))
            .at("PartitionData.aborted_transactions")?;
        if version >= 11 {
            out.i32(head.preferred_read_replica);
        } else if head.preferred_read_replica != -1 {
            return Err(Fault::NotInVersion).at("PartitionData.preferred_read_replica");
        }
        self.topics.lend(records).at("PartitionData.records")?;
        if flexible { self.partition_tags(head) } else { Self::no_tags(head) }
    }

    fn partition_tags(&mut self, head: &PartitionHead<'_>) -> Result<(), FieldError> {
        let version = self.version;
        // A value that is all default is not written, as everywhere.
        let diverging = head.diverging_epoch.as_ref().filter(|v| **v != EpochEndOffset::default());
        let leader = head.current_leader.as_ref().filter(|v| **v != LeaderIdAndEpoch::default());
        self.topics.out.uvarint(u32::from(diverging.is_some()) + u32::from(leader.is_some()));
        if let Some(diverging) = diverging {
            self.topics.out.tagged_field(0, |w| diverging.write(w, version))?;
        }
        if let Some(leader) = leader {
            self.topics.out.tagged_field(1, |w| leader.write(w, version))?;
        }
        Ok(())
    }

    fn no_tags(head: &PartitionHead<'_>) -> Result<(), FieldError> {
        if head.diverging_epoch.is_some() {
            return Err(Fault::NotInVersion).at("PartitionData.diverging_epoch");
        }
        if head.current_leader.is_some() {
            return Err(Fault::NotInVersion).at("PartitionData.current_leader");
        }
        Ok(())
    }

    /// Ends the response; `endpoints` are those of the leaders named in it, from version 16 on.
    ///
    /// # Errors
    /// [`Fault::TooLong`] for a frame of 2 GiB, or [`Fault::NotInVersion`] for endpoints.
    ///
    /// # Panics
    /// If topics or partitions are missing.
    pub fn finish(mut self, endpoints: &[NodeEndpoint]) -> Result<Rope, EncodeError> {
        self.topics.end_topics();
        self.response_tags(endpoints).map_err(|error| self.error(error))?;
        let error = |fault: Fault| Self::error_of(self.version, fault.into());
        self.topics.finish().map_err(error)
    }

    fn response_tags(&mut self, endpoints: &[NodeEndpoint]) -> Result<(), FieldError> {
        let version = self.version;
        if !endpoints.is_empty() && version < ENDPOINTS_FROM {
            return Err(Fault::NotInVersion).at("FetchResponse.node_endpoints");
        }
        if !self.topics.flexible {
            return Ok(());
        }
        self.topics.out.uvarint(u32::from(!endpoints.is_empty()));
        if !endpoints.is_empty() {
            self.topics
                .out
                .tagged_field(0, |w| w.array(endpoints, true, |w, one| one.write(w, version)))?;
        }
        Ok(())
    }

    fn error(&self, error: FieldError) -> EncodeError {
        Self::error_of(self.version, error)
    }

    fn error_of(version: i16, FieldError { field, fault }: FieldError) -> EncodeError {
        let (api, kind) = (ApiKey::Fetch, MessageKind::Response);
        EncodeError { api, kind, version, field, fault }
    }
}
