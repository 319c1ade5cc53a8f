//! What a step of the coordinator gives, and the time that it is told.

use alloc::vec::Vec;

use logboom_protocol::messages::join_group::JoinGroupResponse;
use logboom_protocol::messages::sync_group::SyncGroupResponse;

use crate::record::GroupRecord;

/// The time of a step, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some moment of this process; never goes back. Timeouts are counted in it.
    pub monotonic_ms: i64,
    /// Milliseconds since the Unix epoch. Records carry it.
    pub wall_ms: i64,
}

/// Names a request whose answer may come later; the host chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// An answer to a request that had a ticket.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To a JoinGroup request.
    Join(JoinGroupResponse),
    /// To a SyncGroup request.
    Sync(SyncGroupResponse),
}

/// What steps of the coordinator want to be done.
#[derive(Debug, Default)]
pub struct Effects {
    /// What has changed, in order: to be appended to the partition.
    pub records: Vec<GroupRecord>,
    /// Answers, to leave when all records up to now are committed.
    pub replies: Vec<(Ticket, Reply)>,
}

impl Effects {
    pub(crate) fn join(&mut self, ticket: Ticket, response: JoinGroupResponse) {
        self.replies.push((ticket, Reply::Join(response)));
    }

    pub(crate) fn sync(&mut self, ticket: Ticket, response: SyncGroupResponse) {
        self.replies.push((ticket, Reply::Sync(response)));
    }
}
