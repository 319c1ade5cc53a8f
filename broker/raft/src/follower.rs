//! Followers: what they take from a leader, and what they say they have.
//!
//! An acknowledgement of a position says: the epoch and all control entries up to it are durable,
//! the records are flushed up to where it says so, and in the page cache up to where it answers for
//! that (`write.caching`), and nothing is claimed beyond what this leader is known to have too.
//! Which of the two counts is the leader's to decide.
//!
//! Source: the Raft paper, 5.3; divergence by epoch as in KIP-101 and KIP-595.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::effects::{Effects, Store, Write};
use crate::group::{Group, Impossible, Part};
use crate::history::{Control, History, Next};
use crate::message::{Append, AppendReply, Body, Content, Outcome, Reset};
use crate::mutant::Mutant;
use crate::position::{Position, ReplicaId};
use crate::trace::What;

/// Somebody who follows, or waits for a leader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Follower {
    pub(crate) leader: Option<ReplicaId>,
    /// Up to where its log is known to be the leader's.
    pub(crate) matched: Position,
    /// The leader's high watermark.
    pub(crate) leader_commit: Position,
    /// An answer that waits until what it says is durable.
    pub(crate) owed: Option<Box<Outcome>>,
}

impl Follower {
    /// - `commit`: what is committed every leader has.
    pub(crate) fn new(commit: Position) -> Self {
        Self { leader: None, matched: commit, leader_commit: commit, owed: None }
    }
}

impl Group {
    /// Records were appended to the log, as the effects of a step asked; up to here, exclusive.
    pub fn written(&mut self, until: i64, effects: &mut Effects) {
        self.history.extend(until);
        let end = self.history.end();
        let Part::Follower(follower) = &mut self.part else { return };
        follower.matched = follower.matched.max(end);
        self.follow_commit(effects);
        if self.options.own_cached || self.is(Mutant::FollowerAcksUnflushed) {
            self.answer(None, effects);
        }
    }

    /// Whether this replica follows a leader in this epoch, and has its log up to here on stable
    /// storage and knows that all of it is committed: then the group can sleep here.
    #[must_use]
    pub fn rests_under(&self, leader: ReplicaId, epoch: i32, end: Position) -> bool {
        let Part::Follower(follower) = &self.part else { return false };
        let is_there = self.durable() == end && self.history.end() == end;
        let is_known = self.commit == end || self.is(Mutant::SleepBeforeCommitIsKnown);
        let is_there = is_there && is_known && self.durable_start() == self.history.start().offset;
        let follows = follower.leader == Some(leader) && self.epoch == epoch;
        follows && is_there && follower.matched == end && self.rejoin.is_none()
    }

    /// The leader of this epoch has spoken; returns whether this replica can be its follower.
    fn follow(&mut self, leader: ReplicaId, effects: &mut Effects) -> bool {
        match &mut self.part {
            Part::Leader(_) => {
                self.halt(Impossible::AnotherLeader, effects);
                return false;
            }
            Part::Candidate(_) => self.part = Part::waits(self.commit),
            Part::Follower(_) => {}
        }
        let Part::Follower(follower) = &mut self.part else { return false };
        if follower.leader.is_some_and(|known| known != leader) {
            self.halt(Impossible::AnotherLeader, effects);
            return false;
        }
        if follower.leader.is_none() {
            follower.leader = Some(leader);
            self.note(What::Follows(leader), effects);
        }
        self.ask_how_far(leader, effects);
        true
    }

    pub(crate) fn on_append(&mut self, from: ReplicaId, append: &Append, effects: &mut Effects) {
        // What comes while the shape of the log isn't durable yet is sent again.
        if !self.follow(from, effects) || !self.takes_more() {
            return;
        }
        self.hear_commit(append.commit);
        let prev = append.prev;
        if self.is(Mutant::AppendWithoutMatch) && !self.history.contains(prev) {
            return self.take_anything(append, effects);
        }
        let is_off = self.is(Mutant::EpochOffByOne) && self.seems_to_have(prev);
        if !self.history.contains(prev) && !is_off {
            let common = self.history.floor(prev).unwrap_or(self.commit).max(self.commit);
            let mismatch = Outcome::Mismatch { asked: prev, common };
            return self.answer(Some(mismatch), effects);
        }
        match &append.content {
            Content::Nothing => self.match_to(prev, effects),
            Content::Control(control) => self.take_control(prev, control, effects),
            Content::Data { until, gaps } => self.take_data(prev, *until, *gaps, effects),
        }
        self.follow_start(append.log_start, effects);
    }

    /// A control entry follows `prev`.
    fn take_control(&mut self, prev: Position, control: &Control, effects: &mut Effects) {
        let epochs = prev.epoch..=self.epoch;
        let fits = control.offset == prev.offset && control.sequence > prev.control;
        if !fits || !epochs.contains(&control.epoch) {
            return self.halt(Impossible::StrangeEntry, effects);
        }
        match self.history.next(prev) {
            Next::Control(own) if own.epoch == control.epoch => {
                let end = own.end();
                self.match_to(end, effects);
            }
            Next::End => {
                self.push_control(control.clone(), effects);
                self.match_to(control.end(), effects);
            }
            Next::Control(_) | Next::Data(_) => self.cut(prev, effects),
        }
    }

    /// Records follow `prev`, in its epoch.
    fn take_data(&mut self, prev: Position, until: i64, gaps: bool, effects: &mut Effects) {
        let own = match self.history.next(prev) {
            Next::Data(own) => own,
            Next::End => prev.offset,
            // One leader wrote the records, another one the entry.
            Next::Control(_) => return self.cut(prev, effects),
        };
        if own >= until {
            return self.match_to(Position { offset: until, ..prev }, effects);
        }
        let own_end = Position { offset: own, ..prev };
        if self.history.next(own_end) != Next::End {
            return self.cut(own_end, effects);
        }
        self.match_to_silently(own_end);
        let gaps = gaps && !self.is(Mutant::GapsNotTold);
        effects.write = Some(Write { from: own, until, gaps });
    }

    /// Whether it has a position, for who takes the end of the next epoch for that of this one.
    fn seems_to_have(&self, position: Position) -> bool {
        let (epoch, offset, control) = (position.epoch + 1, i64::MAX, i64::MAX);
        let end = self.history.floor(Position { epoch, offset, control });
        end.is_some_and(|end| end.offset >= position.offset && end.epoch >= position.epoch)
    }

    /// What a follower without a match check would do; only to see that it is noticed.
    fn take_anything(&mut self, append: &Append, effects: &mut Effects) {
        let end = self.history.end();
        match &append.content {
            Content::Data { until, gaps } if *until > end.offset => {
                effects.write = Some(Write { from: end.offset, until: *until, gaps: *gaps });
            }
            _ => self.match_to(append.prev, effects),
        }
    }

    /// Drops what is behind a position at which the leader's log parts from this one.
    fn cut(&mut self, to: Position, effects: &mut Effects) {
        if to < self.commit && !self.is(Mutant::CutBelowCommit) {
            return self.halt(Impossible::LeaderLacksCommitted, effects);
        }
        let from = self.history.end();
        self.note(What::Cuts { from, to }, effects);
        if self.is(Mutant::VotersSurviveCut) {
            self.cut_but_voters(to);
        } else {
            self.history.cut(to);
        }
        self.commit = self.commit.min(to);
        self.flushed = self.flushed.min(to.offset);
        self.store(Store::Cut(to), effects);
        self.frames.log_waits(to);
        self.match_to(to, effects);
    }

    /// As a faulty cut would do it.
    fn cut_but_voters(&mut self, to: Position) {
        let voters = Arc::clone(self.voters());
        self.history.cut(to);
        let controls = self.history.controls().to_vec();
        let (start, end) = (self.history.start(), self.history.end());
        let overridden = controls.into_iter().map(|control| match control.voters {
            Some(_) => Control { voters: Some(Arc::clone(&voters)), ..control },
            None => control,
        });
        self.history = History::new(start, voters.clone(), overridden.collect(), end.offset);
    }

    pub(crate) fn on_reset(&mut self, from: ReplicaId, reset: &Reset, effects: &mut Effects) {
        if !self.follow(from, effects) || !self.is_at_rest() {
            return;
        }
        self.hear_commit(reset.commit);
        let start = reset.start;
        if reset.voters.incoming.is_empty() {
            return self.halt(Impossible::StartWithoutVoters, effects);
        }
        if self.history.contains(start) || start <= self.commit {
            return self.match_to(start.max(self.commit), effects);
        }
        let durable_start = self.durable_start();
        self.history = History::new(start, Arc::clone(&reset.voters), Vec::new(), start.offset);
        self.commit = start;
        self.flushed = start.offset;
        self.note(What::Resets(start), effects);
        let record = Store::Reset { start, voters: Arc::clone(&reset.voters) };
        self.store(record, effects);
        self.frames.log_waits(start);
        self.frames.start_waits(durable_start);
        self.match_to(start, effects);
    }

    pub(crate) fn on_beat(
        &mut self,
        from: ReplicaId,
        commit: Position,
        log_start: i64,
        effects: &mut Effects,
    ) {
        if self.follow(from, effects) {
            self.hear_commit(commit);
            self.follow_commit(effects);
            self.follow_start(log_start, effects);
            self.answer(None, effects);
        }
    }

    pub(crate) fn on_resigned(&mut self, from: ReplicaId) {
        if let Part::Follower(follower) = &mut self.part {
            follower.leader.take_if(|leader| *leader == from);
        }
    }

    /// Notes that the log is the leader's up to here, and says so.
    fn match_to(&mut self, position: Position, effects: &mut Effects) {
        self.match_to_silently(position);
        self.follow_commit(effects);
        self.answer(None, effects);
    }

    fn match_to_silently(&mut self, position: Position) {
        if let Part::Follower(follower) = &mut self.part {
            follower.matched = follower.matched.max(position);
        }
    }

    fn hear_commit(&mut self, commit: Position) {
        if let Part::Follower(follower) = &mut self.part {
            follower.leader_commit = follower.leader_commit.max(commit);
        }
    }

    /// What the leader has committed is committed here as far as the logs are known to be the same.
    fn follow_commit(&mut self, effects: &mut Effects) {
        let Part::Follower(follower) = &self.part else { return };
        let limit =
            if self.is(Mutant::CommitBeyondMatch) { self.history.end() } else { follower.matched };
        let commit = follower.leader_commit.min(limit);
        if commit > self.commit {
            self.commit = commit;
            self.note(What::Commits(commit), effects);
        }
    }

    /// The log begins no earlier than the leader's, once that is committed and durable here: not
    /// between two of its starts, where a host may find nothing that it can begin to read with.
    fn follow_start(&mut self, log_start: i64, effects: &mut Effects) {
        if self.is_at_rest() && log_start <= self.commit.offset.min(self.flushed) {
            self.move_start(log_start, effects);
        }
    }

    /// Answers the leader, at once or as soon as what it says is durable.
    ///
    /// - `outcome`: `None` says whether there is more than what matches.
    pub(crate) fn answer(&mut self, outcome: Option<Outcome>, effects: &mut Effects) {
        let (end, leader) = (self.history.end(), self.may_answer());
        let Part::Follower(follower) = &mut self.part else { return };
        let plain = if follower.matched == end { Outcome::Matched } else { Outcome::Longer };
        let outcome = outcome.unwrap_or(plain);
        match leader {
            None => follower.owed = Some(Box::new(outcome)),
            Some(leader) => {
                follower.owed = None;
                self.acknowledge(leader, outcome, effects);
            }
        }
    }

    /// Sends the answer that is owed, if what it says is durable.
    pub(crate) fn settle(&mut self, effects: &mut Effects) {
        let Some(leader) = self.may_answer() else { return };
        let Part::Follower(follower) = &mut self.part else { return };
        if let Some(outcome) = follower.owed.take() {
            self.acknowledge(leader, *outcome, effects);
        }
    }

    /// Whom it follows, if all that an answer states is durable.
    fn may_answer(&self) -> Option<ReplicaId> {
        let Part::Follower(follower) = &self.part else { return None };
        let is_durable = self.frames.have_vote() && self.is_at_rest();
        let is_durable = is_durable || self.is(Mutant::AckBeforeControlIsDurable);
        follower.leader.filter(|_| is_durable)
    }

    fn acknowledge(&mut self, leader: ReplicaId, outcome: Outcome, effects: &mut Effects) {
        let hurries =
            self.is(Mutant::AckBeforeControlIsDurable) || self.is(Mutant::FollowerAcksUnflushed);
        let (kept, durable) = match hurries {
            true => (self.history.end(), self.history.end()),
            false => (self.counted(), self.durable()),
        };
        let Part::Follower(follower) = &self.part else { return };
        let reply = AppendReply {
            outcome,
            matched: follower.matched,
            kept: kept.min(follower.matched),
            flushed: durable.min(follower.matched).offset,
            commit: self.commit,
            log_start: self.durable_start(),
            run: self.run,
            lossy: self.is_lossy(),
            held_back: self.held_back,
            wish: self.known_wish,
        };
        self.send(leader, Body::AppendReply(reply), effects);
        self.look_whether_clean(effects);
    }

    /// A flush is over, and the leader may count on more.
    pub(crate) fn on_follower_flushed(&mut self, effects: &mut Effects) {
        self.answer(None, effects);
        self.look_whether_clean(effects);
    }
}

/// The way back of a replica that may have lost records.
impl Group {
    /// Asks the leader how far it has to come, until there is an answer in this epoch.
    fn ask_how_far(&mut self, leader: ReplicaId, effects: &mut Effects) {
        let Some(rejoin) = &self.rejoin else { return };
        if rejoin.goal.is_none_or(|(epoch, _)| epoch != self.epoch) {
            self.send(leader, Body::Hello { run: self.run }, effects);
        }
    }

    pub(crate) fn on_hello_reply(&mut self, run: u32, end: Position, effects: &mut Effects) {
        if run != self.run {
            return;
        }
        if let Some(rejoin) = &mut self.rejoin {
            rejoin.goal = Some((self.epoch, end));
        }
        self.look_whether_clean(effects);
    }

    /// It is clean once it has on stable storage all that the leader had when it answered.
    fn look_whether_clean(&mut self, effects: &mut Effects) {
        let Part::Follower(follower) = &self.part else { return };
        let reached = self.durable().min(follower.matched);
        let Some(rejoin) = &self.rejoin else { return };
        let is_there =
            rejoin.goal.is_some_and(|(epoch, end)| epoch == self.epoch && reached >= end);
        let has_marker = self.is(Mutant::CleanOnMarker) && reached.epoch == self.epoch;
        if (is_there || has_marker) && rejoin.cleaned.is_none() {
            self.clean(effects);
        }
    }

    pub(crate) fn clean(&mut self, effects: &mut Effects) {
        let number = self.store(Store::Clean, effects);
        if let Some(rejoin) = &mut self.rejoin {
            rejoin.cleaned = Some(number);
        }
    }
}
