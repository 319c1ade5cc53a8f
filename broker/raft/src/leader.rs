//! Leaders: what they send, and what they may call committed.
//!
//! A leader commits only what a majority has acknowledged in its own epoch, and counts itself like
//! anybody else: up to what is on its stable storage.
//!
//! Source: the Raft paper, 5.3, 5.4.2; Ongaro's thesis, 3.10 (transfer), 6.2 (check-quorum),
//! 10.2.1 (writing in parallel).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::effects::Effects;
use crate::group::{Group, Part};
use crate::history::{Control, Next};
use crate::membership::Wish;
use crate::message::{Append, AppendReply, Body, Content, Outcome, Reset};
use crate::mutant::Mutant;
use crate::position::{Position, ReplicaId};
use crate::progress::{Pace, Progress, Standing};
use crate::trace::What;

/// Somebody who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(test), derive(Hash))]
pub(crate) struct Leader {
    /// Behind the entry with which its epoch begins.
    pub(crate) marker: Position,
    pub(crate) progress: Vec<Progress>,
    /// The end at the last beat.
    pub(crate) beaten: Position,
    pub(crate) wish: Option<Wish>,
    pub(crate) transfer: Option<Transfer>,
    /// Whether somebody was told to campaign, whom the others may elect though they hear this one.
    pub(crate) gave_up_lease: bool,
}

/// The office is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Transfer {
    pub(crate) to: ReplicaId,
    /// Whether the other one was told to campaign.
    pub(crate) told: bool,
    /// Beats since it began.
    pub(crate) beats: u8,
}

/// Batches of the log that fit into one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Where the first of them begins, inclusive: before what was asked for where that lies within
    /// a batch.
    pub from: i64,
    /// The end of their offsets, exclusive.
    pub until: i64,
    /// Their bytes.
    pub bytes: u32,
    /// Whether offsets may be missing between them.
    pub gaps: bool,
}

impl Leader {
    pub(crate) fn of(&self, id: ReplicaId) -> Option<&Progress> {
        self.progress.iter().find(|progress| progress.id == id)
    }

    fn of_mut(&mut self, id: ReplicaId) -> Option<&mut Progress> {
        self.progress.iter_mut().find(|progress| progress.id == id)
    }
}

impl Group {
    /// What the leader knows of the others; nothing where this replica doesn't lead.
    pub fn standings(&self) -> impl Iterator<Item = Standing> + '_ {
        let leader = match &self.part {
            Part::Leader(leader) => Some(leader),
            _ => None,
        };
        let followers = leader.into_iter().flat_map(|leader| leader.progress.iter());
        followers.map(|progress| progress.standing(self.options.caching))
    }

    /// The greatest position that so many voters hold on stable storage, or in the page cache where
    /// that counts, for answers that have to wait for more than a majority (`min.insync.replicas`).
    #[must_use]
    pub fn held_by(&self, count: usize) -> Position {
        self.voters().position_of(count, |id| self.reached(id))
    }

    /// Records were appended to the leader's log, up to here, exclusive.
    ///
    /// # Panics
    /// If it doesn't take records now.
    pub fn appended(&mut self, until: i64, effects: &mut Effects) {
        assert!(self.takes_records(), "{} takes no records now", self.id);
        self.history.extend(until);
        if self.options.own_cached {
            self.advance(effects);
        }
    }

    /// The votes are enough: begins the epoch in the log.
    pub(crate) fn lead(&mut self, effects: &mut Effects) {
        let end = self.history.end();
        let marker = Control {
            sequence: end.control + 1,
            epoch: self.epoch,
            offset: end.offset,
            voters: None,
        };
        let leader = Leader {
            marker: marker.end(),
            progress: Vec::new(),
            beaten: end,
            wish: None,
            transfer: None,
            gave_up_lease: false,
        };
        self.part = Part::Leader(Box::new(leader));
        self.note(What::Leads, effects);
        self.follow_voters(end);
        self.push_control(marker, effects);
        self.advance(effects);
    }

    /// Up to where somebody has the leader's log, as far as it counts.
    pub(crate) fn reached(&self, id: ReplicaId) -> Position {
        let Part::Leader(leader) = &self.part else { return Position::ZERO };
        if id == self.id {
            return match self.is(Mutant::LeaderCountsUnflushed) {
                true => self.history.end(),
                false => self.counted(),
            };
        }
        let caching = self.options.caching || self.is(Mutant::FollowersDecideWhatCounts);
        leader.of(id).map_or(Position::ZERO, |progress| progress.counted(caching))
    }

    /// Something is durable or known that wasn't: commits what may be, and takes what steps follow.
    pub(crate) fn advance(&mut self, effects: &mut Effects) {
        let Part::Leader(leader) = &self.part else { return };
        let reached = self.majority_reached(leader);
        let is_own = reached.epoch == self.epoch || self.is(Mutant::CommitOlderEpoch);
        if reached > self.commit && is_own {
            self.commit = reached;
            self.note(What::Commits(reached), effects);
        }
        let Part::Leader(leader) = &self.part else { return };
        let is_lossy = self.rejoin.as_ref().is_some_and(|rejoin| rejoin.cleaned.is_none());
        if is_lossy && self.commit >= leader.marker {
            // Whoever is elected has all that was committed, and what it acknowledges now is new.
            self.clean(effects);
        }
        self.change_voters(effects);
        self.hand_over(effects);
    }

    fn majority_reached(&self, leader: &Leader) -> Position {
        let voters = self.deciding();
        if self.is(Mutant::LearnerCounts) {
            let all = leader.progress.iter().map(|progress| progress.id);
            let all: Vec<ReplicaId> = all.chain([self.id]).collect();
            let count = voters.incoming.len() / 2 + 1;
            return crate::Voters::of(all).position_of(count, |id| self.reached(id));
        }
        if self.is(Mutant::RemovedLeaderCounts) && !voters.incoming.contains(&self.id) {
            let count = (voters.incoming.len() / 2).max(1);
            let others = voters.position_of(count, |id| self.reached(id));
            return others.min(self.reached(self.id));
        }
        voters.majority_position(|id| self.reached(id))
    }

    /// Sends what there is to send, as far as windows allow. The host calls it when it has done all
    /// that a turn had for this group.
    ///
    /// - `batches`: which batches for a replica from an offset on (inclusive) up to another
    ///   (exclusive) take at most so many bytes, at least one; `None` where they can't be read, or
    ///   aren't to be sent, now. An offset before the log start, but within the batch that this
    ///   lies in, stands for that batch.
    pub fn ship(
        &mut self,
        mut batches: impl FnMut(ReplicaId, i64, i64, u32) -> Option<Batches>,
        effects: &mut Effects,
    ) {
        if !self.may_speak() {
            return;
        }
        let Part::Leader(leader) = &mut self.part else { return };
        let mut progress = core::mem::take(&mut leader.progress);
        for follower in &mut progress {
            while self.ship_one(follower, &mut batches, effects) {}
        }
        if let Part::Leader(leader) = &mut self.part {
            leader.progress = progress;
        }
    }

    /// Sends one message to a follower; returns whether there may be another.
    fn ship_one(
        &self,
        to: &mut Progress,
        batches: &mut impl FnMut(ReplicaId, i64, i64, u32) -> Option<Batches>,
        effects: &mut Effects,
    ) -> bool {
        let (bytes, messages) = to.under_way();
        let is_streaming = to.is_streaming();
        let room = u64::from(self.options.window_bytes).saturating_sub(bytes);
        let is_full = room == 0 || messages >= usize::from(self.options.window_messages);
        if is_full || (!is_streaming && messages > 0) {
            return false;
        }
        if !self.history.contains(to.next) {
            let Some(first) = self.first(to.id, batches) else { return false };
            if to.next != first {
                self.send_start(to, first, effects);
                return false;
            }
        }
        let prev = to.next;
        match self.history.next(prev) {
            Next::End if is_streaming => return false,
            // A data frame is worth it only where it is known to fit.
            Next::End => self.send_append(to, Content::Nothing, effects),
            Next::Data(_) if !is_streaming && to.matched != prev => {
                self.send_append(to, Content::Nothing, effects);
            }
            Next::Control(control) => {
                self.send_append(to, Content::Control(control.clone()), effects);
            }
            Next::Data(until) => {
                let limit = self.options.message_bytes.min(u32::try_from(room).unwrap_or(u32::MAX));
                let found = batches(to.id, prev.offset, until, limit);
                let Some(Batches { until, bytes, gaps, .. }) = found else { return false };
                self.send_append(to, Content::Data { until, gaps }, effects);
                if let Pace::Stream(under_way) = &mut to.pace {
                    to.next = Position { offset: until, ..prev };
                    under_way.push_back((to.next, bytes));
                    return true;
                }
            }
        }
        to.pace = Pace::Probe { waiting: true };
        false
    }

    fn send_append(&self, to: &Progress, content: Content, effects: &mut Effects) {
        let (commit, log_start) = (self.commit, self.history.start().offset);
        let append = Append { prev: to.next, content, commit, log_start };
        self.send(to.id, Body::Append(append), effects);
    }

    /// Where the first batch begins that is still there; the log start may lie within it.
    fn first(
        &self,
        to: ReplicaId,
        batches: &mut impl FnMut(ReplicaId, i64, i64, u32) -> Option<Batches>,
    ) -> Option<Position> {
        let start = self.history.start();
        match self.history.next(start) {
            Next::Data(until) => {
                let Batches { from, .. } = batches(to, start.offset, until, 1)?;
                Some(Position { offset: from.min(start.offset), ..start })
            }
            Next::Control(_) | Next::End => Some(start),
        }
    }

    /// What the follower needs next is gone: it begins anew with the first batch of this log.
    fn send_start(&self, to: &mut Progress, start: Position, effects: &mut Effects) {
        let voters = self.history.first_voters();
        let reset = Reset { start, voters, commit: self.commit };
        self.send(to.id, Body::Reset(Box::new(reset)), effects);
        to.pace = Pace::Probe { waiting: true };
    }

    pub(crate) fn on_append_reply(
        &mut self,
        from: ReplicaId,
        reply: &AppendReply,
        effects: &mut Effects,
    ) {
        let is_faulty = self.is(Mutant::AckOfAnotherRun);
        let keeps = self.is(Mutant::KeepMatchOverHello);
        let from = self.life_of(from);
        let Part::Leader(leader) = &mut self.part else { return };
        let history = &self.history;
        let Some(progress) = leader.of_mut(from) else { return };
        if keeps {
            progress.run = Some(reply.run);
        }
        if !progress.meet(reply.run, reply.lossy) && !is_faulty {
            return;
        }
        progress.matched = progress.matched.max(reply.matched);
        progress.kept = progress.kept.max(reply.kept);
        progress.flushed = progress.flushed.max(reply.flushed);
        progress.commit = progress.commit.max(reply.commit);
        progress.log_start = progress.log_start.max(reply.log_start);
        progress.held_back = reply.held_back;
        progress.known_wish = reply.wish;
        progress.answered[0] = true;
        match reply.outcome {
            Outcome::Matched => progress.on_matched(),
            // What it had before it started anew is more than it can know to be the same; and what
            // it says to a beat is less than what it is asked for.
            Outcome::Longer if !progress.is_streaming() && progress.matched >= progress.next => {
                progress.probe(progress.matched);
            }
            // It has asked for votes in vain, and forgotten what it knew to be the same.
            Outcome::Longer if progress.is_streaming() && progress.under_way().1 == 0 => {
                progress.probe(progress.matched);
            }
            Outcome::Longer => {}
            // One that comes late: from before it had more, or before something else was asked.
            Outcome::Mismatch { asked, common }
                if common < progress.kept
                    || (!progress.is_streaming() && asked != progress.next) => {}
            Outcome::Mismatch { common, .. } => {
                let common = history.floor(common).unwrap_or(Position::ZERO);
                progress.matched = progress.matched.min(common).max(progress.kept);
                progress.probe(common);
            }
        }
        self.advance(effects);
    }

    /// Whom an acknowledgement is counted for: just who sent it, whatever came after it.
    fn life_of(&self, from: ReplicaId) -> ReplicaId {
        let Part::Leader(leader) = &self.part else { return from };
        let is_it = |progress: &&Progress| progress.id.broker == from.broker;
        match leader.progress.iter().rfind(is_it) {
            Some(progress) if self.is(Mutant::AckOfAnotherLife) => progress.id,
            _ => from,
        }
    }

    /// Says to all followers how far the log is committed, and asks again where an answer is long
    /// due.
    pub fn beat(&mut self, effects: &mut Effects) {
        if !self.may_speak() {
            return;
        }
        let (commit, log_start) = (self.commit, self.history.start().offset);
        let (patience, end) = (self.options.patience_beats, self.history.end());
        let Part::Leader(leader) = &mut self.part else { return };
        for progress in &mut leader.progress {
            progress.on_beat(patience);
        }
        leader.beaten = end;
        let Part::Leader(leader) = &self.part else { return };
        for progress in &leader.progress {
            self.send(progress.id, Body::Beat { commit, log_start }, effects);
        }
        // Those who have left have heard now that they have.
        self.follow_voters(end);
        self.beat_transfer(effects);
    }

    /// Says how far the log is committed to those who haven't answered that they know it; the next
    /// beat would do it too.
    pub fn tell_commit(&self, effects: &mut Effects) {
        if !self.may_speak() {
            return;
        }
        let (commit, log_start) = (self.commit, self.history.start().offset);
        let Part::Leader(leader) = &self.part else { return };
        for progress in leader.progress.iter().filter(|progress| progress.commit < commit) {
            self.send(progress.id, Body::Beat { commit, log_start }, effects);
        }
    }

    /// Says again that the office is handed over, or gives that up.
    fn beat_transfer(&mut self, effects: &mut Effects) {
        let patience = self.options.patience_beats;
        let is_voter = self.voters().contains(self.id);
        let Part::Leader(leader) = &mut self.part else { return };
        let Some(Transfer { to, told, beats }) = &mut leader.transfer else { return };
        *beats = beats.saturating_add(1);
        let (to, told, is_late) = (*to, *told, *beats > patience);
        // The voters may have changed since.
        let is_complete = self.is_complete(to);
        let Part::Leader(leader) = &mut self.part else { return };
        if told && !is_late && is_complete {
            self.send(to, Body::TimeoutNow, effects);
        } else if is_late {
            leader.transfer = None;
            if told && !is_voter {
                self.resign("it has no vote, and nobody took the office", effects);
            }
        }
    }

    /// Whether it may say anything in its epoch: a sole voter elects itself before its vote is
    /// durable, and would use the epoch twice if that is lost.
    pub(crate) fn may_speak(&self) -> bool {
        self.halted.is_none() && self.frames.have_vote()
    }

    /// Where a follower's log ends, if it has flushed all of this leader's log and knows
    /// that all of it is committed, and nothing is about to change: then the group can sleep there.
    #[must_use]
    pub fn rests_with(&self, id: ReplicaId) -> Option<Position> {
        let Part::Leader(leader) = &self.part else { return None };
        let (start, end) = (self.history.start().offset, self.history.end());
        let hurries = self.is(Mutant::SleepBeforeCommitIsKnown);
        let has_all = |progress: &Progress| {
            let has_all = progress.durable() == end && (progress.commit == end || hurries);
            // A follower may have heard of a later start from a leader before.
            has_all && progress.log_start >= start && progress.is_streaming() && progress.is_there()
        };
        let is_calm = self.commit == end
            && self.durable() == end
            && self.durable_start() == start
            && leader.transfer.is_none()
            && !self.voters().is_joint()
            && leader.wish.as_ref().is_none_or(|wish| wish.is_served_by(self.voters()))
            && self.rejoin.is_none();
        (is_calm && leader.of(id).is_some_and(has_all)).then_some(end)
    }

    /// The connection to a broker is gone, with all that was on its way.
    pub fn disconnected(&mut self, broker: i32) {
        let Part::Leader(leader) = &mut self.part else { return };
        for progress in leader.progress.iter_mut().filter(|it| it.id.broker == broker) {
            progress.send_again();
        }
    }

    pub(crate) fn on_hello(&mut self, from: ReplicaId, run: u32, effects: &mut Effects) {
        let end = self.history.end();
        let keeps = self.is(Mutant::KeepMatchOverHello);
        let Part::Leader(leader) = &mut self.part else { return };
        let Some(progress) = leader.of_mut(from) else { return };
        if keeps {
            progress.run = Some(run);
        }
        if !progress.meet(run, true) || !self.may_speak() {
            return;
        }
        self.send(from, Body::HelloReply { run, end }, effects);
    }

    /// Whether a majority of the voters still answers is known anew: resigns if not.
    ///
    /// While the set changes only the old voters matter: without the new ones nothing commits, and
    /// the leader can take the change back.
    pub fn check_quorum(&mut self, hears: impl Fn(ReplicaId) -> bool, effects: &mut Effects) {
        if self.halted.is_some() {
            return;
        }
        let voters = self.voters();
        let old = if voters.is_joint() { &voters.outgoing } else { &voters.incoming };
        let old = crate::Voters::of(Arc::clone(old));
        if !old.have_majority(|id| id == self.id || hears(id)) {
            self.resign("most voters are not heard", effects);
        }
    }

    /// Gives the office up, and says so.
    pub fn resign(&mut self, why: &'static str, effects: &mut Effects) {
        if self.leave_office(why, effects) {
            self.part = Part::waits(self.commit);
        }
    }

    /// Says that it leads no more, if it did.
    pub(crate) fn leave_office(&mut self, why: &'static str, effects: &mut Effects) -> bool {
        let Part::Leader(leader) = &self.part else { return false };
        for progress in leader.progress.iter().filter(|_| self.may_speak()) {
            self.send(progress.id, Body::Resigned, effects);
        }
        self.note(What::Resigns(why), effects);
        true
    }

    /// Hands the office over to a voter, as soon as it has all of the log; until then no records
    /// are taken. It is told again with each beat, and after so many the leader takes records
    /// again. Returns whether that can be.
    pub fn transfer(&mut self, to: ReplicaId, effects: &mut Effects) -> bool {
        let is_voter = self.voters().incoming.contains(&to) && to != self.id;
        let Part::Leader(leader) = &mut self.part else { return false };
        if !is_voter || leader.of(to).is_none() {
            return false;
        }
        leader.transfer = Some(Transfer { to, told: false, beats: 0 });
        self.note(What::HandsOver(to), effects);
        self.hand_over(effects);
        true
    }

    /// To whom the office is being handed over.
    #[must_use]
    pub fn transferring(&self) -> Option<ReplicaId> {
        let Part::Leader(leader) = &self.part else { return None };
        leader.transfer.map(|transfer| transfer.to)
    }

    /// Takes records again: the other one didn't take the office in time.
    pub fn cancel_transfer(&mut self) {
        if let Part::Leader(leader) = &mut self.part {
            leader.transfer = None;
        }
    }

    /// Whether it leads, has committed in its own epoch, and may rely on what others promised: not
    /// once it has told somebody to campaign, whom they may elect all the same.
    #[must_use]
    pub fn may_hold_lease(&self) -> bool {
        let Part::Leader(leader) = &self.part else { return false };
        self.commit >= leader.marker && !leader.gave_up_lease && self.halted.is_none()
    }

    /// Tells the one to whom the office goes to campaign, once it has everything.
    fn hand_over(&mut self, effects: &mut Effects) {
        let hurries = self.is(Mutant::TransferToIncomplete);
        let Part::Leader(leader) = &self.part else { return };
        let Some(Transfer { to, told: false, beats }) = leader.transfer else { return };
        if !self.may_speak() || !(self.is_complete(to) || hurries) {
            return;
        }
        if let Part::Leader(leader) = &mut self.part {
            leader.transfer = Some(Transfer { to, told: true, beats });
            leader.gave_up_lease = true;
            self.send(to, Body::TimeoutNow, effects);
        }
    }

    /// Whether a follower keeps all of the log, and nothing that was deleted.
    fn is_complete(&self, follower: ReplicaId) -> bool {
        let Part::Leader(leader) = &self.part else { return false };
        let (start, end) = (self.history.start().offset, self.history.end());
        let caching = self.options.caching;
        let has_all = |it: &Progress| it.counted(caching) == end && it.log_start >= start;
        leader.of(follower).is_some_and(has_all)
    }
}
