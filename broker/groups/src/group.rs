//! A group: its state, its members, and what changes them one at a time.
//!
//! ```text
//!             join                      all joined, or time is up
//!   Empty ───────────▶ PreparingRebalance ───────────▶ CompletingRebalance
//!     ▲                   ▲    │    ▲                        │      │ the leader syncs
//!     │  no members left  │    │    └────────────────────────┘      ▼
//!     └───────────────────┼────┘       join, leave, time         Stable
//!                         └───────────────────────────────────────┘
//! ```
//!
//! A group that is gone is not here; the protocol calls that state Dead.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use logboom_protocol::{CompactString, ErrorCode};

use crate::effects::{Effects, Now, Ticket};
use crate::member::{Member, Protocol};
use crate::offsets::GroupOffsets;
use crate::options::Options;
use crate::protocols::Speakers;
use crate::record::{GroupMetadata, GroupRecord};
use crate::subscription::Topics;

/// What a group takes beside its members and offsets.
pub(crate) const FIXED_BYTES: usize = 512;
/// Memory of the id of a member that hasn't joined yet.
const PENDING_BYTES: usize = 256;
/// Before the first state.
const NO_TIME: i64 = -1;

/// The states of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// No members.
    Empty,
    /// Members are waited for.
    PreparingRebalance,
    /// The leader's assignment is waited for.
    CompletingRebalance,
    /// Every member knows what it has.
    Stable,
}

impl GroupState {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::Empty, Self::PreparingRebalance, Self::CompletingRebalance, Self::Stable];
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        })
    }
}

/// What a step has at hand.
pub(crate) struct Turn<'a> {
    pub(crate) options: &'a Options,
    pub(crate) now: Now,
    pub(crate) effects: &'a mut Effects,
    /// Bytes by which groups may grow.
    pub(crate) room: usize,
    /// Counts the records of offsets; see [`StoredOffset::order`](crate::offsets::StoredOffset).
    pub(crate) order: &'a mut u64,
}

/// What happens when a group has waited for joins for long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinTimer {
    pub(crate) deadline_ms: i64,
    /// The delay that is running, and milliseconds by which it may be prolonged, in a rebalance of
    /// a group that was empty.
    pub(crate) initial: Option<(i64, i64)>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: CompactString,
    state: GroupState,
    /// The state before, which tells an initial rebalance from others.
    previous: GroupState,
    /// Since when, in milliseconds since the Unix epoch.
    state_since_ms: i64,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<CompactString>,
    pub(crate) protocol: Option<CompactString>,
    /// Invariant: a member.
    pub(crate) leader: Option<CompactString>,
    pub(crate) members: BTreeMap<CompactString, Member>,
    /// Invariant: an entry for each member that has an instance id.
    pub(crate) static_members: BTreeMap<CompactString, CompactString>,
    /// Members that were given an id and have to come back with it, each until when (KIP-394).
    pub(crate) pending_joins: BTreeMap<CompactString, i64>,
    /// Members that were told of the generation and haven't asked for their assignment.
    pub(crate) pending_syncs: BTreeSet<CompactString>,
    /// Invariant: counts the members' protocols.
    pub(crate) speakers: Speakers,
    /// Invariant: counts the members that wait for a join to be completed.
    pub(crate) awaiting_joins: usize,
    /// Whether somebody joined since the initial delay began.
    pub(crate) has_new_member: bool,
    /// The topics that its members read, as of the generation.
    pub(crate) subscribed: Option<Topics>,
    pub(crate) join_timer: Option<JoinTimer>,
    pub(crate) sync_deadline_ms: Option<i64>,
    /// Not after the first of its deadlines (monotonic).
    pub(crate) wake_ms: i64,
    pub(crate) offsets: GroupOffsets,
    /// Bytes of members and of pending ids.
    member_bytes: usize,
    /// Whether a record of the group itself exists, and not of its offsets only.
    pub(crate) is_kept: bool,
    /// Its bytes as its coordinator has counted them.
    pub(crate) counted_bytes: usize,
}

impl Group {
    pub(crate) fn new(id: CompactString) -> Self {
        Self {
            state: GroupState::Empty,
            previous: GroupState::Empty,
            state_since_ms: NO_TIME,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeMap::new(),
            pending_syncs: BTreeSet::new(),
            speakers: Speakers::default(),
            awaiting_joins: 0,
            has_new_member: false,
            subscribed: None,
            join_timer: None,
            sync_deadline_ms: None,
            wake_ms: i64::MAX,
            offsets: GroupOffsets::of_group(&id),
            id,
            member_bytes: 0,
            is_kept: false,
            counted_bytes: 0,
        }
    }

    pub(crate) fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) fn state_since_ms(&self) -> i64 {
        self.state_since_ms
    }

    pub(crate) fn is_initial_rebalance(&self) -> bool {
        self.state == GroupState::PreparingRebalance && self.previous == GroupState::Empty
    }

    pub(crate) fn transition(&mut self, state: GroupState, now: Now) {
        self.previous = self.state;
        self.state = state;
        self.state_since_ms = now.wall_ms;
    }

    /// Takes the state of a record; only in a replay.
    pub(crate) fn restore_state(&mut self, state: GroupState, since_ms: i64) {
        (self.state, self.previous, self.state_since_ms) = (state, state, since_ms);
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let subscribed = self.subscribed.as_ref().map_or(0, |topics| topics.bytes);
        FIXED_BYTES + self.id.len() + self.member_bytes + subscribed + self.offsets.bytes()
    }

    /// Has the group looked at again at `deadline_ms` (monotonic) at the latest.
    pub(crate) fn wake_by(&mut self, deadline_ms: i64) {
        self.wake_ms = self.wake_ms.min(deadline_ms);
    }

    /// Adds a member. The first one decides the type of protocol, and leads.
    pub(crate) fn add_member(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.into());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.remove_pending_join(&member.id);
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.speakers.add(&member.protocols);
        self.awaiting_joins += usize::from(member.awaiting_join.is_some());
        self.member_bytes += member.bytes();
        self.members.insert(member.id.clone(), member);
    }

    /// Removes a member, or the id of one that hasn't joined; if it led, another does.
    pub(crate) fn remove_member(&mut self, member_id: &str) -> Option<Member> {
        let removed = self.members.remove(member_id);
        if let Some(member) = &removed {
            self.speakers.remove(&member.protocols);
            self.awaiting_joins -= usize::from(member.awaiting_join.is_some());
            self.member_bytes -= member.bytes();
            if let Some(instance) = &member.instance_id {
                self.static_members.remove(instance);
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.remove_pending_join(member_id);
        self.pending_syncs.remove(member_id);
        removed
    }

    /// Notes an id that was given to a member.
    pub(crate) fn add_pending_join(&mut self, member_id: CompactString, deadline_ms: i64) {
        self.member_bytes += PENDING_BYTES + member_id.len();
        self.pending_joins.insert(member_id, deadline_ms);
        self.wake_by(deadline_ms);
    }

    fn remove_pending_join(&mut self, member_id: &str) {
        if self.pending_joins.remove(member_id).is_some() {
            self.member_bytes -= PENDING_BYTES + member_id.len();
        }
    }

    /// A member says anew what it speaks, and waits for its join to be completed. Returns the
    /// ticket of a join for which it waited before.
    pub(crate) fn update_member(
        &mut self,
        member_id: &str,
        protocols: Vec<Protocol>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
        ticket: Ticket,
    ) -> Option<Ticket> {
        let member = self.members.get_mut(member_id)?;
        self.member_bytes -= member.bytes();
        self.speakers.remove(&member.protocols);
        self.speakers.add(&protocols);
        member.protocols = protocols;
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        self.awaiting_joins += usize::from(member.awaiting_join.is_none());
        self.member_bytes += member.bytes();
        member.awaiting_join.replace(ticket)
    }

    /// Gives a member what it has been assigned.
    pub(crate) fn assign(&mut self, member_id: &str, assignment: Bytes) {
        if let Some(member) = self.members.get_mut(member_id) {
            self.member_bytes -= member.assignment.len();
            self.member_bytes += assignment.len();
            member.assignment = assignment;
        }
    }

    /// Takes the ticket of a member's join.
    pub(crate) fn take_join(&mut self, member_id: &str) -> Option<Ticket> {
        let ticket = self.members.get_mut(member_id)?.awaiting_join.take();
        self.awaiting_joins -= usize::from(ticket.is_some());
        ticket
    }

    /// Puts off when a member is taken for gone, by its session timeout.
    pub(crate) fn keep_alive(&mut self, member_id: &str, now: Now) {
        let session_ms = self.members.get(member_id).map(|member| member.session_timeout_ms);
        if let Some(session_ms) = session_ms {
            self.keep_alive_for(member_id, now, session_ms.into());
        }
    }

    /// The same by another time.
    pub(crate) fn keep_alive_for(&mut self, member_id: &str, now: Now, timeout_ms: i64) {
        let deadline_ms = now.monotonic_ms.saturating_add(timeout_ms);
        if let Some(member) = self.members.get_mut(member_id) {
            member.deadline_ms = Some(deadline_ms);
            self.wake_by(deadline_ms);
        }
    }

    /// Whether a request comes from a member.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`; `FENCED_INSTANCE_ID` where another has taken its instance id.
    pub(crate) fn check_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            let owner = self.static_members.get(instance_id);
            let owner = owner.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            if owner != member_id {
                return Err(ErrorCode::FENCED_INSTANCE_ID);
            }
        }
        let is_member = self.members.contains_key(member_id);
        is_member.then_some(()).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// The longest of the members' rebalance timeouts.
    pub(crate) fn rebalance_timeout_ms(&self) -> i64 {
        let timeouts = self.members.values().map(|member| member.rebalance_timeout_ms);
        timeouts.max().unwrap_or(0).max(0).into()
    }

    /// The group as it is kept.
    pub(crate) fn kept(&self) -> GroupMetadata {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_since_ms: self.state_since_ms,
            members: self.members.values().map(|member| member.kept(protocol)).collect(),
        }
    }

    /// Has the group written down as it is.
    pub(crate) fn keep(&mut self, turn: &mut Turn<'_>) {
        self.is_kept = true;
        let (group, value) = (self.id.clone(), Some(self.kept()));
        turn.effects.records.push(GroupRecord::Group { group, value });
    }

    /// Has the group written down as one without members, which come with its first generation.
    pub(crate) fn keep_empty(&mut self, turn: &mut Turn<'_>) {
        self.is_kept = true;
        let value = GroupMetadata {
            protocol_type: CompactString::default(),
            generation: self.generation,
            protocol: None,
            leader: None,
            state_since_ms: self.state_since_ms,
            members: Vec::new(),
        };
        let group = self.id.clone();
        turn.effects.records.push(GroupRecord::Group { group, value: Some(value) });
    }
}
