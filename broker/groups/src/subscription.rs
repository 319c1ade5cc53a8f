//! The topics that consumers subscribe to, read from what they say to each other.

use alloc::collections::BTreeSet;

use bytes::Bytes;

use logboom_protocol::CompactString;
use logboom_protocol::wire::Reader;

use crate::group::Group;

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";
/// Bytes of the shortest topic name in a subscription.
const TOPIC_BYTES_MIN: usize = 2;
/// What a topic takes beside its name.
const FIXED_BYTES: usize = 48;

impl Group {
    /// Whether its members are consumers.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// The topics that its members subscribe to; `None` where nobody can say, or where they take
    /// more than `room` bytes.
    pub(crate) fn read_subscriptions(&self, room: usize) -> Option<Topics> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut all = Topics::default();
        for member in self.members.values() {
            all.add(&member.metadata(self.protocol.as_ref()?), room)?;
        }
        Some(all)
    }

    /// Whether a consumer of it reads a topic; where nobody can say, consumers read all.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.names.contains(topic),
            None => self.is_of_consumers(),
        }
    }
}

/// Topics that are subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    names: BTreeSet<CompactString>,
    /// Memory that they take.
    pub(crate) bytes: usize,
}

impl Topics {
    /// Adds those of a consumer's subscription: a version, and the topics in all of them. `None`
    /// where it is none, or where they take more than `room` bytes with those that are there.
    fn add(&mut self, metadata: &Bytes, room: usize) -> Option<()> {
        let mut reader = Reader::new(metadata);
        reader.i16().ok()?;
        for _ in 0..reader.count(false, TOPIC_BYTES_MIN).ok()? {
            let name = reader.string(false).ok()?;
            let bytes = FIXED_BYTES + name.len();
            if self.names.insert(name) {
                self.bytes += bytes;
            }
            if self.bytes > room {
                return None;
            }
        }
        Some(())
    }
}
