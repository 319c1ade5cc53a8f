//! A static member that comes back without its member id takes the place of its former self
//! (KIP-345).

use logboom_protocol::messages::join_group::JoinGroupResponse;
use logboom_protocol::{CompactString, ErrorCode};

use crate::answers::{join_refusal, sync_error};
use crate::group::{Group, GroupState, Turn};
use crate::join::Join;

impl Group {
    /// Lets `join` take the place of the member `replaced`, under a new id. In a stable group whose
    /// protocol stays, nobody else notices.
    pub(crate) fn replace_static(
        &mut self,
        replaced: &str,
        member_id: CompactString,
        join: Join<'_>,
        turn: &mut Turn<'_>,
    ) {
        let former_leader = self.leader.clone().unwrap_or_default();
        self.rename_static(replaced, &member_id, turn);
        self.keep_alive(&member_id, turn.now);
        let (ticket, rules) = (join.by.ticket, join.by.rules);
        self.update(&member_id, join, turn);
        match self.state() {
            GroupState::Stable
                if self.choose_protocol() == self.protocol && !self.is_too_large_to_keep() =>
            {
                self.take_join(&member_id);
                self.keep(turn);
                let told = self.join_response(&member_id);
                let is_leader = self.is_leader(&member_id);
                turn.effects.join(
                    ticket,
                    if rules.skips_assignment {
                        JoinGroupResponse { skip_assignment: is_leader, ..told }
                    } else {
                        // An old client that finds itself leading would assign anew, and nobody
                        // waits for that: it is told of the leader that it was.
                        let members = alloc::vec::Vec::new();
                        JoinGroupResponse { leader: former_leader, members, ..told }
                    },
                );
            }
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            _ => self.complete_join_if_ready(turn),
        }
    }

    /// Gives a static member another id; what waits under the old one is told.
    fn rename_static(&mut self, replaced: &str, member_id: &CompactString, turn: &mut Turn<'_>) {
        let is_leader = self.is_leader(replaced);
        let protocol_type = self.protocol_type.clone().unwrap_or_default();
        let Some(mut member) = self.remove_member(replaced) else { return };
        let fenced = ErrorCode::FENCED_INSTANCE_ID;
        if let Some(ticket) = member.awaiting_join.take() {
            turn.effects.join(ticket, join_refusal(replaced, fenced));
        }
        if let Some(ticket) = member.awaiting_sync.take() {
            turn.effects.sync(ticket, sync_error(fenced));
        }
        member.id = member_id.clone();
        self.add_member(member, &protocol_type);
        if is_leader {
            self.leader = Some(member_id.clone());
        }
    }
}
