//! A member of a group.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use logboom_protocol::CompactString;
use logboom_protocol::messages::join_group::JoinGroupRequestProtocol;

use crate::effects::Ticket;
use crate::record::MemberMetadata;

/// What a member takes beside its bytes and names.
const FIXED_BYTES: usize = 512;

/// A member.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: CompactString,
    /// Its name that stays, for a static member (KIP-345).
    pub(crate) instance_id: Option<CompactString>,
    pub(crate) client_id: CompactString,
    pub(crate) client_host: CompactString,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// The protocols that it speaks, the one that it likes best first.
    ///
    /// Invariant: no name twice, and no bytes of a request that live on for them.
    pub(crate) protocols: Vec<Protocol>,
    /// What it has been assigned; empty while that isn't known.
    pub(crate) assignment: Bytes,
    /// Whether its first join is not completed: whoever asked may have gone away.
    pub(crate) is_new: bool,
    pub(crate) awaiting_join: Option<Ticket>,
    pub(crate) awaiting_sync: Option<Ticket>,
    /// When it is taken for gone (monotonic), `None` while it waits for others.
    pub(crate) deadline_ms: Option<i64>,
}

/// A protocol that a member speaks, and what it says in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: CompactString,
    pub(crate) metadata: Bytes,
}

impl Member {
    /// Whether it says the same as before.
    pub(crate) fn says(&self, protocols: &[Protocol]) -> bool {
        self.protocols == protocols
    }

    /// What it says in a protocol.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|one| one.name == protocol);
        found.map(|one| one.metadata.clone()).unwrap_or_default()
    }

    /// Whether it waits for others, and is therefore alive.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let names = self.id.len() + self.client_id.len() + self.client_host.len();
        let instance = self.instance_id.as_ref().map_or(0, CompactString::len);
        FIXED_BYTES + 2 * names + instance + bytes_of(&self.protocols) + self.assignment.len()
    }

    /// The member as it is kept.
    pub(crate) fn kept(&self, protocol: &str) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment: self.assignment.clone(),
        }
    }

    /// A member that was kept, in a group that had chosen `protocol`.
    pub(crate) fn from_kept(kept: MemberMetadata, protocol: Option<&CompactString>) -> Self {
        let name = protocol.cloned().unwrap_or_default();
        Self {
            id: kept.member_id,
            instance_id: kept.instance_id,
            client_id: kept.client_id,
            client_host: kept.client_host,
            rebalance_timeout_ms: kept.rebalance_timeout_ms,
            session_timeout_ms: kept.session_timeout_ms,
            protocols: Vec::from([Protocol { name, metadata: kept.subscription }]),
            assignment: kept.assignment,
            is_new: false,
            awaiting_join: None,
            awaiting_sync: None,
            deadline_ms: None,
        }
    }
}

/// The protocols of a request, on their own memory: the request's goes when it is answered.
pub(crate) fn own_protocols(asked: &[JoinGroupRequestProtocol]) -> Vec<Protocol> {
    // Of a name that comes twice the first counts.
    let mut names = BTreeSet::new();
    let first = asked.iter().filter(|one| names.insert(&one.name));
    let own = first.map(|one| {
        let metadata = Bytes::copy_from_slice(&one.metadata);
        Protocol { name: one.name.clone(), metadata }
    });
    own.collect()
}

/// Bytes of protocols.
pub(crate) fn bytes_of(protocols: &[Protocol]) -> usize {
    protocols.iter().map(|one| one.name.len() + one.metadata.len() + size_of::<Protocol>()).sum()
}
