//! LeaveGroup: members say that they go.

use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
};

use crate::coordinator::Coordinator;
use crate::effects::{Effects, Now};
use crate::group::{Group, GroupState, Turn};

impl Coordinator {
    /// Members leave a group, each answered for itself. Of versions with one member only, the host
    /// makes a list of one.
    pub fn leave(
        &mut self,
        now: Now,
        request: &LeaveGroupRequest,
        effects: &mut Effects,
    ) -> LeaveGroupResponse {
        if request.group_id.is_empty() {
            let error_code = ErrorCode::INVALID_GROUP_ID;
            return LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
        }
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        let members = if self.has_group(&request.group_id) {
            self.step(&request.group_id, now, effects, |group, turn| {
                group.leave(&request.members, turn)
            })
        } else {
            request.members.iter().map(|identity| answer(identity, Err(unknown))).collect()
        };
        LeaveGroupResponse { members, ..LeaveGroupResponse::default() }
    }
}

impl Group {
    fn leave(&mut self, leaving: &[MemberIdentity], turn: &mut Turn<'_>) -> Vec<MemberResponse> {
        let mut members = Vec::with_capacity(leaving.len());
        for identity in leaving {
            let left = self.leave_one(identity, turn);
            members.push(answer(identity, left));
        }
        if members.iter().any(|one| one.error_code.is_none()) {
            match self.state() {
                GroupState::Empty => {}
                _ => self.rebalance(turn),
            }
        }
        members
    }

    fn leave_one(
        &mut self,
        identity: &MemberIdentity,
        turn: &mut Turn<'_>,
    ) -> Result<(), ErrorCode> {
        let instance_id = identity.group_instance_id.as_deref();
        if identity.member_id.is_empty() {
            // An operator removes a static member by its name.
            let id = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            let id = id.cloned().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            self.dismiss(&id, turn);
        } else if self.pending_joins.contains_key(&identity.member_id) {
            self.remove_member(&identity.member_id);
        } else {
            self.check_member(&identity.member_id, instance_id)?;
            self.dismiss(&identity.member_id, turn);
        }
        Ok(())
    }
}

fn answer(identity: &MemberIdentity, left: Result<(), ErrorCode>) -> MemberResponse {
    MemberResponse {
        member_id: identity.member_id.clone(),
        group_instance_id: identity.group_instance_id.clone(),
        error_code: left.err().unwrap_or(ErrorCode::NONE),
    }
}
