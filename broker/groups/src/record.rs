//! The records of `__consumer_offsets`, as the reference writes them.
//!
//! | key | value |
//! | --- | --- |
//! | version 0 or 1: group, topic, partition | a committed offset; versions 0 to 4 |
//! | version 2: group | a group with its members; versions 0 to 4 |
//! | any other version | of another protocol or a newer broker |
//!
//! A record without a value takes back what one with the same key said. `docs/format.md` has the
//! fields.
//!
//! Must always hold: a record that was encoded decodes to itself; any bytes give a record,
//! [`Decoded::Unknown`], or [`BadRecord`]; decoding takes at most
//! [`memory_limit`](logboom_protocol::wire::memory_limit) of their length.

mod codec;

use alloc::vec::Vec;

use bytes::Bytes;

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

pub use self::codec::BadRecord;

/// One fact about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRecord {
    /// An offset was committed, or is forgotten.
    Offset {
        /// The group.
        group: CompactString,
        /// The topic's name.
        topic: CompactString,
        /// The partition.
        partition: i32,
        /// What was committed; `None` where it is forgotten.
        value: Option<CommittedOffset>,
    },
    /// A group has changed, or is no more.
    Group {
        /// The group.
        group: CompactString,
        /// What it is now; `None` where it is no more.
        value: Option<GroupMetadata>,
    },
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// The epoch of the last record that was read, or −1.
    pub leader_epoch: i32,
    /// What the consumer wrote beside it.
    pub metadata: CompactString,
    /// When, in milliseconds since the Unix epoch.
    pub committed_ms: i64,
    /// When it is to be forgotten, where an old client said so.
    pub expires_ms: Option<i64>,
    /// The topic's id, zero where it isn't known. It isn't kept beside [`Self::expires_ms`].
    pub topic_id: Uuid,
}

/// A group, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The kind of protocol; empty while there is none.
    pub protocol_type: CompactString,
    /// The generation.
    pub generation: i32,
    /// The protocol that was chosen.
    pub protocol: Option<CompactString>,
    /// The leader's member id.
    pub leader: Option<CompactString>,
    /// Since when it is in its state, in milliseconds since the Unix epoch, or −1.
    pub state_since_ms: i64,
    /// The members, by their ids.
    pub members: Vec<MemberMetadata>,
}

/// A member, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberMetadata {
    /// The member's id.
    pub member_id: CompactString,
    /// Its name that stays (KIP-345).
    pub instance_id: Option<CompactString>,
    /// The id of its client.
    pub client_id: CompactString,
    /// Where it comes from.
    pub client_host: CompactString,
    /// Its rebalance timeout in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Its session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// What it subscribes to, in the words of the chosen protocol.
    pub subscription: Bytes,
    /// What it was assigned.
    pub assignment: Bytes,
}

/// The bytes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRecord {
    /// The key.
    pub key: Bytes,
    /// The value, `None` for a tombstone.
    pub value: Option<Bytes>,
}

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A record.
    Known(GroupRecord),
    /// A key of a version that isn't known here.
    Unknown(i16),
}
