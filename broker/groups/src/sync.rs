//! SyncGroup and Heartbeat: members ask for what they have, and say that they are there.

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use crate::answers::sync_error;
use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now, Ticket};
use crate::group::{Group, GroupState, Turn};
use crate::options::GROUP_RECORD_BYTES_MAX;

/// Bytes of a member in a record beside its names, its subscription and its assignment.
const MEMBER_BYTES: usize = 64;

impl Coordinator {
    /// A member asks for its assignment; the leader brings all of them. The answer comes by its
    /// ticket, maybe at once.
    pub fn sync(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &SyncGroupRequest,
        effects: &mut Effects,
    ) {
        if request.group_id.is_empty() {
            return effects.sync(ticket, sync_error(ErrorCode::INVALID_GROUP_ID));
        }
        if !self.has_group(&request.group_id) {
            return effects.sync(ticket, sync_error(ErrorCode::UNKNOWN_MEMBER_ID));
        }
        self.step(&request.group_id, now, effects, |group, turn| {
            group.sync(ticket, request, turn);
        });
    }

    /// A member says that it is there.
    pub fn heartbeat(&mut self, now: Now, request: &HeartbeatRequest) -> ErrorCode {
        if request.group_id.is_empty() {
            return ErrorCode::INVALID_GROUP_ID;
        }
        let Some(group) = self.group_mut(&request.group_id) else {
            return ErrorCode::UNKNOWN_MEMBER_ID;
        };
        let answer = group.heartbeat(now, request);
        self.settle(&request.group_id);
        answer.err().unwrap_or(ErrorCode::NONE)
    }
}

impl Group {
    fn heartbeat(&mut self, now: Now, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        self.keep_alive(&request.member_id, now);
        match self.state() {
            GroupState::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    fn sync(&mut self, ticket: Ticket, request: &SyncGroupRequest, turn: &mut Turn<'_>) {
        if let Err(error_code) = self.check_sync(request) {
            return turn.effects.sync(ticket, sync_error(error_code));
        }
        let id = &request.member_id;
        self.pending_syncs.remove(id);
        if self.pending_syncs.is_empty() {
            self.sync_deadline_ms = None;
        }
        if self.state() == GroupState::Stable {
            return turn.effects.sync(ticket, self.sync_response(id));
        }
        // Of two that wait the first is over: its client has most likely given it up.
        let member = self.members.get_mut(id);
        if let Some(given_up) = member.and_then(|member| member.awaiting_sync.replace(ticket)) {
            turn.effects.sync(given_up, sync_error(ErrorCode::REBALANCE_IN_PROGRESS));
        }
        if self.is_leader(id) {
            self.take_assignments(request, turn);
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |said: &Option<_>, ours: &Option<_>| said.is_some() && said != ours;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        match self.state() {
            GroupState::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            // Nobody is a member of it.
            GroupState::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    fn sync_response(&self, member_id: &str) -> SyncGroupResponse {
        let member = self.members.get(member_id);
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: member.map(|member| member.assignment.clone()).unwrap_or_default(),
            ..SyncGroupResponse::default()
        }
    }

    /// The leader has assigned; the group is stable. Who was left out has nothing.
    fn take_assignments(&mut self, request: &SyncGroupRequest, turn: &mut Turn<'_>) {
        if let Err(error_code) = self.assign_all(request, turn.room) {
            self.fail_syncs(error_code, turn);
            return self.prepare_rebalance(turn);
        }
        self.transition(GroupState::Stable, turn.now);
        self.keep(turn);
        let ids: alloc::vec::Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let response = self.sync_response(&id);
            self.answer_sync(&id, &response, turn);
        }
    }

    /// Gives members what they are assigned.
    ///
    /// # Errors
    /// `COORDINATOR_NOT_AVAILABLE` without room for it; where the record would be too large,
    /// `UNKNOWN_SERVER_ERROR`, as the reference answers where the log doesn't take it.
    fn assign_all(&mut self, request: &SyncGroupRequest, room: usize) -> Result<(), ErrorCode> {
        let assigned = request.assignments.iter().filter_map(|one| {
            let member = self.members.get(&one.member_id)?;
            Some((one.assignment.len(), member.assignment.len()))
        });
        let (new, old) =
            assigned.fold((0, 0), |sum: (usize, usize), one| (sum.0 + one.0, sum.1 + one.1));
        if new.saturating_sub(old) > room {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        for one in &request.assignments {
            self.assign(&one.member_id, Bytes::copy_from_slice(&one.assignment));
        }
        if self.is_too_large_to_keep() { Err(ErrorCode::UNKNOWN_SERVER_ERROR) } else { Ok(()) }
    }

    /// Whether its record would be larger than records of groups may be.
    pub(crate) fn is_too_large_to_keep(&self) -> bool {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| {
            let names = member.id.len() + member.client_id.len() + member.client_host.len();
            let said = member.metadata(protocol).len() + member.assignment.len();
            MEMBER_BYTES + names + said + member.instance_id.as_ref().map_or(0, |id| id.len())
        });
        members.sum::<usize>() > GROUP_RECORD_BYTES_MAX
    }
}
