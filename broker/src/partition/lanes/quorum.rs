//! What a leader knows of the replicas of its group, for whoever asks.

use std::ops::Range;

use logboom_raft::{Position, ReplicaId, Role, Standing};

use super::Lanes;
use crate::partition::replica::Replica;
use crate::peer::lane_of;

/// A group, as its leader sees it.
#[derive(Debug)]
pub(crate) struct Quorum {
    /// The leader's broker.
    pub(crate) leader: i32,
    pub(crate) epoch: i32,
    /// Exclusive.
    pub(crate) high_watermark: i64,
    /// The leader first.
    pub(crate) replicas: Vec<QuorumReplica>,
}

/// One of its replicas.
#[derive(Debug)]
pub(crate) struct QuorumReplica {
    pub(crate) id: ReplicaId,
    pub(crate) is_voter: bool,
    /// Whether it takes no office, as it said: a part of its log is damaged, say.
    pub(crate) is_held_back: bool,
    /// Where its log ends, exclusive, if that is known.
    pub(crate) end_offset: Option<i64>,
    /// What it can show to consumers: from its log start (inclusive) to its high watermark
    /// (exclusive), as it said.
    pub(crate) readable: Range<i64>,
    /// Milliseconds since its broker was heard, if it was.
    pub(crate) heard_ms_ago: Option<u64>,
    /// Milliseconds since it was known to have all that was committed, if it was.
    pub(crate) caught_up_ms_ago: Option<u64>,
}

impl Lanes {
    /// What is known of a group; `None` where its replica here doesn't lead.
    pub(in crate::partition) fn quorum(&self, replica: &Replica, now: u64) -> Option<Quorum> {
        let group = &replica.group;
        if group.role() != Role::Leader {
            return None;
        }
        let own = QuorumReplica {
            id: group.id(),
            is_voter: group.voters().contains(group.id()),
            is_held_back: replica.is_damaged,
            end_offset: Some(group.history().end().offset),
            readable: group.history().start().offset..group.commit().offset,
            heard_ms_ago: Some(0),
            caught_up_ms_ago: Some(0),
        };
        let others = group.standings().map(|standing| self.other(replica, &standing, now));
        Some(Quorum {
            leader: group.id().broker,
            epoch: group.epoch(),
            high_watermark: group.commit().offset,
            replicas: std::iter::once(own).chain(others).collect(),
        })
    }

    fn other(&self, replica: &Replica, standing: &Standing, now: u64) -> QuorumReplica {
        let (key, id) = (replica.partition.key, standing.id);
        let lane = self.lanes.get(&lane_of(&key));
        let pair = lane.and_then(|lane| lane.others.get(&id.broker)).map(|other| &other.pair);
        let heard = pair.and_then(|pair| pair.last_heard());
        // Who sleeps has everything, and says so with each beat.
        let sleeps = pair.is_some_and(|pair| pair.is_asleep_there(key));
        let noted = replica.member.as_ref().and_then(|member| member.last_caught_up(id.broker));
        let caught_up = if sleeps { heard } else { noted };
        QuorumReplica {
            id,
            is_voter: replica.group.voters().contains(id),
            is_held_back: standing.held_back,
            end_offset: (standing.matched != Position::ZERO).then_some(standing.matched.offset),
            readable: standing.log_start..standing.commit.offset,
            heard_ms_ago: heard.map(|at| now.saturating_sub(at)),
            caught_up_ms_ago: caught_up.map(|at| now.saturating_sub(at)),
        }
    }
}
