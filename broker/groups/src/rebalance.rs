//! From one generation to the next: members join, then the leader's assignment is waited for.

use alloc::vec::Vec;

use bytes::Bytes;

use logboom_protocol::messages::join_group::{JoinGroupResponse, JoinGroupResponseMember};
use logboom_protocol::messages::sync_group::SyncGroupResponse;
use logboom_protocol::{CompactString, ErrorCode};

use crate::answers::{UNKNOWN_MEMBER, join_error, sync_error};
use crate::group::{Group, GroupState, JoinTimer, Turn};

impl Group {
    /// Begins a rebalance, or goes on with the one that is under way.
    pub(crate) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state() == GroupState::PreparingRebalance {
            self.complete_join_if_ready(turn);
        } else {
            self.prepare_rebalance(turn);
        }
    }

    /// Begins a rebalance: all members are to join again.
    pub(crate) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state() == GroupState::CompletingRebalance {
            self.fail_syncs(ErrorCode::REBALANCE_IN_PROGRESS, turn);
        }
        self.pending_syncs.clear();
        self.sync_deadline_ms = None;
        let is_initial = self.state() == GroupState::Empty;
        self.transition(GroupState::PreparingRebalance, turn.now);
        if is_initial {
            let delay_ms = i64::from(turn.options.initial_delay_ms).max(0);
            let left_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            self.wait_for_joins(delay_ms, Some((delay_ms, left_ms)), turn);
        } else if self.have_all_joined() {
            self.complete_join(turn);
        } else {
            self.wait_for_joins(self.rebalance_timeout_ms(), None, turn);
        }
    }

    fn wait_for_joins(&mut self, wait_ms: i64, initial: Option<(i64, i64)>, turn: &Turn<'_>) {
        // A moment at least: what is due now is done once in a step.
        let deadline_ms = turn.now.monotonic_ms.saturating_add(wait_ms.max(1));
        self.join_timer = Some(JoinTimer { deadline_ms, initial });
        self.wake_by(deadline_ms);
    }

    fn have_all_joined(&self) -> bool {
        self.members.len() == self.awaiting_joins && self.pending_joins.is_empty()
    }

    /// Completes the joins if nobody is missing; an initial rebalance takes its time in any case.
    pub(crate) fn complete_join_if_ready(&mut self, turn: &mut Turn<'_>) {
        let is_preparing = self.state() == GroupState::PreparingRebalance;
        if is_preparing && !self.is_initial_rebalance() && self.have_all_joined() {
            self.complete_join(turn);
        }
    }

    /// The time for joins is up.
    pub(crate) fn on_join_timeout(&mut self, timer: JoinTimer, turn: &mut Turn<'_>) {
        match timer.initial {
            Some((delay_ms, left_ms)) if self.has_new_member && left_ms > 0 => {
                self.has_new_member = false;
                let next_ms = i64::from(turn.options.initial_delay_ms).max(0).min(left_ms);
                let left_ms = (left_ms - delay_ms).max(0);
                self.wait_for_joins(next_ms, Some((next_ms, left_ms)), turn);
            }
            _ => self.complete_join(turn),
        }
    }

    /// The next generation begins with those who have joined, and with static members.
    pub(crate) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        self.join_timer = None;
        let late = self
            .members
            .values()
            .filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none());
        let late: Vec<CompactString> = late.map(|member| member.id.clone()).collect();
        for id in &late {
            self.remove_member(id);
        }
        if !self.elect_leader() && !self.members.is_empty() {
            // Static members only, and none of them has come.
            return self.wait_for_joins(self.rebalance_timeout_ms(), None, turn);
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.pending_syncs.clear();
        self.protocol = self.choose_protocol();
        // What takes the place of the former ones has their room as well.
        let before = self.subscribed.as_ref().map_or(0, |topics| topics.bytes);
        self.subscribed = self.read_subscriptions(turn.room.saturating_add(before));
        if self.members.is_empty() {
            self.transition(GroupState::Empty, turn.now);
            return self.keep(turn);
        }
        self.transition(GroupState::CompletingRebalance, turn.now);
        self.answer_joins(turn);
        let deadline_ms = turn.now.monotonic_ms.saturating_add(self.rebalance_timeout_ms());
        self.sync_deadline_ms = Some(deadline_ms);
        self.wake_by(deadline_ms);
    }

    /// Makes sure that the leader has joined; whether there is one.
    fn elect_leader(&mut self) -> bool {
        let Some(leader) = &self.leader else { return false };
        if self.members.get(leader).is_some_and(|member| member.awaiting_join.is_some()) {
            return true;
        }
        let joined = self.members.values().find(|member| member.awaiting_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    fn answer_joins(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<CompactString> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(ticket) = self.take_join(&id) {
                turn.effects.join(ticket, self.join_response(&id));
            }
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
            }
            self.keep_alive(&id, turn.now);
            self.pending_syncs.insert(id);
        }
    }

    /// What a member is told of the generation; only the leader is told of the others.
    pub(crate) fn join_response(&self, member_id: &str) -> JoinGroupResponse {
        let members = if self.is_leader(member_id) { self.roll() } else { Vec::new() };
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.into(),
            members,
            ..JoinGroupResponse::default()
        }
    }

    /// All members with what they say in the chosen protocol.
    fn roll(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }

    /// Takes back the assignments of the generation, and tells who waits for them.
    pub(crate) fn fail_syncs(&mut self, error_code: ErrorCode, turn: &mut Turn<'_>) {
        let ids: Vec<CompactString> = self.members.keys().cloned().collect();
        for id in ids {
            self.assign(&id, Bytes::new());
            self.answer_sync(&id, &sync_error(error_code), turn);
        }
    }

    /// Answers the sync of a member, if it waits.
    pub(crate) fn answer_sync(
        &mut self,
        member_id: &str,
        response: &SyncGroupResponse,
        turn: &mut Turn<'_>,
    ) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(ticket) = member.awaiting_sync.take() {
            turn.effects.sync(ticket, response.clone());
            self.keep_alive(member_id, turn.now);
        }
    }

    /// Removes a member that is gone, and has the others share what it had.
    pub(crate) fn expel(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        self.dismiss(member_id, turn);
        match self.state() {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance if self.have_all_joined() => self.complete_join(turn),
            _ => {}
        }
    }

    /// Removes a member and answers what it waits for.
    pub(crate) fn dismiss(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        let removed = self.remove_member(member_id);
        let Some(member) = removed else { return };
        let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
        if let Some(ticket) = member.awaiting_join {
            turn.effects.join(ticket, join_error(UNKNOWN_MEMBER, unknown));
        }
        if let Some(ticket) = member.awaiting_sync {
            turn.effects.sync(ticket, sync_error(unknown));
        }
    }

    /// Removes the id of a member that hasn't come back with it.
    pub(crate) fn drop_pending(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        self.remove_member(member_id);
        if self.state() == GroupState::PreparingRebalance && self.have_all_joined() {
            self.complete_join(turn);
        }
    }
}
