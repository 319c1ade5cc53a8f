//! The topics that consumers subscribe to, read from what they say to each other.

use alloc::collections::BTreeSet;

use bytes::Bytes;

use logboom_protocol::wire::Reader;
use logboom_protocol::{CompactString, FieldError};

use crate::group::Group;

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";
/// Bytes of the shortest topic name.
const TOPIC_BYTES_MIN: usize = 2;

impl Group {
    /// Whether its members are consumers.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// The topics that its members subscribe to; `None` where nobody can say.
    pub(crate) fn read_subscriptions(&self) -> Option<BTreeSet<CompactString>> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut all = BTreeSet::new();
        for member in self.members.values() {
            all.extend(topics(&member.metadata(self.protocol.as_ref()?)).ok()?);
        }
        Some(all)
    }

    /// Whether a consumer of it reads a topic; where nobody can say, consumers read all.
    pub(crate) fn subscribes_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }
}

/// The topics of a consumer's subscription: a version, and the topics in all of them.
fn topics(metadata: &Bytes) -> Result<BTreeSet<CompactString>, FieldError> {
    let mut reader = Reader::new(metadata);
    reader.i16()?;
    let topics =
        reader.array(false, TOPIC_BYTES_MIN, |r| r.string(false).map_err(FieldError::from));
    Ok(topics?.into_iter().collect())
}
