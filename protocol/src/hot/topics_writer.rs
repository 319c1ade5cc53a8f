//! What the writers of produce requests and fetch responses share: topics, their partitions, and
//! records that are lent between the bytes that are written.
//!
//! Must always hold: the counts given for topics and partitions are those of the calls that
//! follow; it asserts that, because a wrong count would be read as other fields.

use bytes::{Bytes, BytesMut};

use super::{Rope, TopicRef};
use crate::error::At as _;
use crate::wire::Writer;
use crate::{Fault, FieldError};

/// A frame that lends parts of itself.
#[derive(Debug)]
pub(super) struct TopicsWriter {
    /// The frame without what is lent, its length included.
    pub(super) out: Writer,
    pub(super) flexible: bool,
    /// Whether topics are named by id.
    by_id: bool,
    /// Pieces and the places in `out` before which they belong, in order.
    lent: Vec<(usize, Bytes)>,
    topics_left: usize,
    partitions_left: usize,
    in_topic: bool,
}

impl TopicsWriter {
    /// - `out`: the header of the frame, with room for its length in front.
    pub(super) fn new(out: BytesMut, flexible: bool, by_id: bool, topic_count: usize) -> Self {
        Self {
            out: Writer::new(out),
            flexible,
            by_id,
            lent: Vec::new(),
            topics_left: topic_count,
            partitions_left: 0,
            in_topic: false,
        }
    }

    /// Begins a topic.
    ///
    /// - `fields`: how its name and its list of partitions are called in errors.
    pub(super) fn topic(
        &mut self,
        topic: TopicRef<'_>,
        partition_count: usize,
        fields: [&'static str; 2],
    ) -> Result<(), FieldError> {
        self.end_topic();
        assert!(self.topics_left > 0, "a topic more than announced");
        self.topics_left -= 1;
        self.partitions_left = partition_count;
        self.in_topic = true;
        let named = match topic {
            TopicRef::Id(id) if self.by_id => {
                self.out.uuid(id);
                Ok(())
            }
            TopicRef::Name(name) if !self.by_id => self.out.string(name, self.flexible),
            _ => Err(Fault::NotInVersion),
        };
        named.at(fields[0])?;
        self.out.count(Some(partition_count), self.flexible).at(fields[1])
    }

    /// Begins a partition of the topic begun last.
    pub(super) fn partition(&mut self, partition: i32) {
        assert!(self.partitions_left > 0, "a partition more than announced");
        self.partitions_left -= 1;
        self.out.i32(partition);
    }

    /// Lends records, behind their length.
    pub(super) fn lend(&mut self, pieces: impl IntoIterator<Item = Bytes>) -> Result<(), Fault> {
        let lent_before = self.lent.len();
        let mut bytes = 0;
        // An empty piece would only tear the buffers around it apart.
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            bytes += piece.len();
            self.lent.push((0, piece));
        }
        self.out.bytes_length(Some(bytes), self.flexible)?;
        let place = self.out.len();
        self.lent[lent_before..].iter_mut().for_each(|(at, _)| *at = place);
        Ok(())
    }

    /// Ends the last topic; what stands behind all of them comes next.
    pub(super) fn end_topics(&mut self) {
        self.end_topic();
        assert_eq!(self.topics_left, 0, "topics are missing");
    }

    /// The whole frame.
    pub(super) fn finish(self) -> Result<Rope, Fault> {
        Rope::framed(self.out.into_inner(), self.lent)
    }

    fn end_topic(&mut self) {
        assert_eq!(self.partitions_left, 0, "partitions are missing");
        if std::mem::take(&mut self.in_topic) && self.flexible {
            self.out.uvarint(0);
        }
    }
}
