//! JoinGroup: a member comes, comes back with the id that it was given, or joins again.

use alloc::format;
use alloc::vec::Vec;
use core::fmt::Write as _;

use bytes::Bytes;

use logboom_protocol::messages::join_group::JoinGroupRequest;
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use crate::answers::{UNKNOWN_MEMBER, join_error, join_refusal};
use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now, Ticket};
use crate::group::{FIXED_BYTES, Group, GroupState, Turn};
use crate::member::{Member, Protocol, bytes_of, own_protocols};
use crate::options::{NAME_BYTES_MAX, NEW_MEMBER_JOIN_MS, Options};

/// Who joins.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    /// The answer goes there.
    pub ticket: Ticket,
    /// The id of the client, or nothing.
    pub client_id: &'a str,
    /// Where it comes from.
    pub client_host: &'a str,
    /// Random; part of the member's id, if it is given one.
    pub random_id: Uuid,
    /// What the version of the request means.
    pub rules: JoinRules,
}

/// What depends on the version of a JoinGroup request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinRules {
    /// A member without an id is only given one, and is to come back with it (KIP-394).
    pub needs_member_id: bool,
    /// A leader can be told to leave the assignment as it is (KIP-814).
    pub skips_assignment: bool,
}

impl JoinRules {
    /// The rules of a version.
    #[must_use]
    pub const fn of_version(version: i16) -> Self {
        Self { needs_member_id: version >= 4, skips_assignment: version >= 9 }
    }
}

/// A join as the group sees it.
pub(crate) struct Join<'a> {
    pub(crate) by: Joining<'a>,
    pub(crate) request: &'a JoinGroupRequest,
    pub(crate) protocols: Vec<Protocol>,
}

impl Coordinator {
    /// A member joins a group. The answer comes by its ticket, maybe at once.
    pub fn join(
        &mut self,
        now: Now,
        by: Joining<'_>,
        request: &JoinGroupRequest,
        effects: &mut Effects,
    ) {
        if let Err(error_code) = self.check_join(&by, request) {
            return effects.join(by.ticket, join_error(&request.member_id, error_code));
        }
        let is_new = !self.has_group(&request.group_id);
        if is_new && !request.member_id.is_empty() {
            let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
            return effects.join(by.ticket, join_error(&request.member_id, unknown));
        }
        let join = Join { by, request, protocols: own_protocols(&request.protocols) };
        let group_bytes = if is_new { FIXED_BYTES + request.group_id.len() } else { 0 };
        if self.lacks_room(is_new, group_bytes + bytes_of(&join.protocols)) {
            let full = ErrorCode::GROUP_MAX_SIZE_REACHED;
            return effects.join(by.ticket, join_error(UNKNOWN_MEMBER, full));
        }
        self.step(&request.group_id, now, effects, |group, turn| {
            group.join(join, turn);
            // Whoever asks for a group makes it, and it is to be found after a restart.
            if is_new && !group.is_kept {
                group.keep_empty(turn);
            }
        });
    }

    fn check_join(&self, by: &Joining<'_>, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        let Options { session_timeout_min_ms, session_timeout_max_ms, .. } = *self.options();
        if request.group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let timeouts = session_timeout_min_ms..=session_timeout_max_ms;
        if !timeouts.contains(&request.session_timeout_ms) {
            return Err(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        let names = [&request.group_id, &request.member_id, &request.protocol_type].into_iter();
        let names = names.chain(&request.group_instance_id);
        let mut names = names.chain(request.protocols.iter().map(|one| &one.name));
        if names.any(|name| name.len() > NAME_BYTES_MAX) || by.client_id.len() > NAME_BYTES_MAX {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        Ok(())
    }
}

impl Group {
    fn join(&mut self, join: Join<'_>, turn: &mut Turn<'_>) {
        let request = join.request;
        if !self.has_room_for(&request.member_id, turn.options) {
            self.remove_member(&request.member_id);
            let full = ErrorCode::GROUP_MAX_SIZE_REACHED;
            return turn.effects.join(join.by.ticket, join_error(UNKNOWN_MEMBER, full));
        }
        if !self.accepts(&request.protocol_type, &join.protocols) {
            let inconsistent = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
            return turn.effects.join(join.by.ticket, join_error(&request.member_id, inconsistent));
        }
        if request.member_id.is_empty() {
            self.join_without_id(join, turn);
        } else if self.pending_joins.contains_key(&request.member_id) {
            self.join_pending(join, turn);
        } else {
            self.join_again(join, turn);
        }
    }

    fn has_room_for(&self, member_id: &str, options: &Options) -> bool {
        let member = self.members.get(member_id);
        match self.state() {
            GroupState::Empty => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_joins < options.members_max
            }
            _ => member.is_some() || self.members.len() < options.members_max,
        }
    }

    fn join_without_id(&mut self, join: Join<'_>, turn: &mut Turn<'_>) {
        if let Some(instance_id) = &join.request.group_instance_id {
            let member_id = new_member_id(instance_id, join.by.random_id);
            match self.static_members.get(instance_id).cloned() {
                Some(replaced) => self.replace_static(&replaced, member_id, join, turn),
                None => self.admit(member_id, join, turn),
            }
            return;
        }
        let member_id = new_member_id(join.by.client_id, join.by.random_id);
        if !join.by.rules.needs_member_id {
            return self.admit(member_id, join, turn);
        }
        let timeout_ms = i64::from(join.request.session_timeout_ms);
        let deadline_ms = turn.now.monotonic_ms.saturating_add(timeout_ms);
        let required = join_error(&member_id, ErrorCode::MEMBER_ID_REQUIRED);
        self.add_pending_join(member_id, deadline_ms);
        turn.effects.join(join.by.ticket, required);
    }

    fn join_pending(&mut self, join: Join<'_>, turn: &mut Turn<'_>) {
        if join.request.group_instance_id.is_some() {
            // An id is given to members without a name of their own only.
            let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
            let response = join_error(&join.request.member_id, unknown);
            return turn.effects.join(join.by.ticket, response);
        }
        self.admit(join.request.member_id.clone(), join, turn);
    }

    /// Takes in a member and has all join again.
    fn admit(&mut self, member_id: CompactString, join: Join<'_>, turn: &mut Turn<'_>) {
        let request = join.request;
        let member = Member {
            id: member_id.clone(),
            instance_id: request.group_instance_id.clone(),
            client_id: join.by.client_id.into(),
            client_host: join.by.client_host.into(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: join.protocols,
            assignment: Bytes::new(),
            is_new: true,
            awaiting_join: Some(join.by.ticket),
            awaiting_sync: None,
            deadline_ms: None,
        };
        self.has_new_member |= self.is_initial_rebalance();
        self.add_member(member, &request.protocol_type);
        self.keep_alive_for(&member_id, turn.now, NEW_MEMBER_JOIN_MS);
        self.rebalance(turn);
    }

    fn join_again(&mut self, join: Join<'_>, turn: &mut Turn<'_>) {
        let (id, ticket) = (&join.request.member_id, join.by.ticket);
        let instance_id = join.request.group_instance_id.as_deref();
        if let Err(error_code) = self.check_member(id, instance_id) {
            return turn.effects.join(ticket, join_refusal(id, error_code));
        }
        let says_the_same = self.members.get(id).is_some_and(|one| one.says(&join.protocols));
        let is_told_again = match self.state() {
            // The answer to its join may have been lost.
            GroupState::CompletingRebalance => says_the_same,
            // Only a leader asks for a rebalance by joining again.
            GroupState::Stable => says_the_same && !self.is_leader(id),
            _ => false,
        };
        if self.state() == GroupState::Empty {
            turn.effects.join(ticket, join_error(id, ErrorCode::UNKNOWN_MEMBER_ID));
        } else if is_told_again {
            turn.effects.join(ticket, self.join_response(id));
        } else {
            self.update(id, join, turn);
            self.rebalance(turn);
        }
    }

    /// Takes what a member says now. Of two joins that wait the first is over: its client has most
    /// likely given it up.
    pub(crate) fn update(&mut self, member_id: &str, join: Join<'_>, turn: &mut Turn<'_>) {
        let given_up = self.update_member(
            member_id,
            join.protocols,
            join.request.rebalance_timeout_ms,
            join.request.session_timeout_ms,
            join.by.ticket,
        );
        if let Some(ticket) = given_up {
            turn.effects.join(ticket, join_error(member_id, ErrorCode::REBALANCE_IN_PROGRESS));
        }
    }
}

/// An id for a member: a name, and what nobody can guess.
fn new_member_id(name: &str, random_id: Uuid) -> CompactString {
    let mut id = CompactString::from(format!("{name}-"));
    for (index, byte) in random_id.0.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        write!(id, "{byte:02x}").expect("a string takes everything");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_java_writes_it() {
        let id: [u8; 16] = core::array::from_fn(|index| u8::try_from(index).unwrap() * 0x11);
        let id = new_member_id("app", Uuid(id));
        assert_eq!(id, "app-00112233-4455-6677-8899-aabbccddeeff");
    }
}
