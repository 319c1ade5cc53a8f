//! One replica of a group: what it must remember, and what reaches it.
//!
//! The host calls one function for each thing that happens, does what the effects say in their
//! order, and reports what has become durable. Nothing else changes a group, and nothing in it
//! knows of time: that a leader is not heard any more comes from outside.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::candidate::Candidate;
use crate::effects::{Effects, Store};
use crate::follower::Follower;
use crate::frames::Frames;
use crate::history::{Control, History};
use crate::leader::Leader;
use crate::message::{AppendReply, Body, Message, Outcome};
use crate::mutant::Mutant;
use crate::position::{Position, ReplicaId};
use crate::trace::{Event, What};
use crate::voters::Voters;

/// The greatest epoch: what somebody sends beyond it is nothing.
pub(crate) const EPOCH_MAX: i32 = i32::MAX - 1;

/// What a replica is known by when it starts: what the state store and the log hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// The last epoch that it knew; −1 before the first.
    pub epoch: i32,
    /// For whom it voted in that epoch.
    pub vote: Option<ReplicaId>,
    /// The log as it was found, all of it flushed.
    pub history: History,
    /// The greatest high watermark that was written down; a lower bound.
    pub high_watermark: i64,
    /// Whether it may lack records that it acknowledged.
    pub lossy: bool,
}

/// How a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Whether a leader counts what others have in the page cache only, where they answer for it
    /// (`write.caching`).
    pub caching: bool,
    /// Whether this replica answers for what it has in the page cache only.
    pub own_cached: bool,
    /// The most bytes of one message with records; one batch is sent whatever it takes.
    pub message_bytes: u32,
    /// The most bytes on their way to one follower.
    pub window_bytes: u32,
    /// The most messages on their way to one follower.
    pub window_messages: u8,
    /// Beats without an answer after which what is on its way is taken for lost.
    pub patience_beats: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            caching: false,
            own_cached: false,
            message_bytes: 1 << 20,
            window_bytes: 8 << 20,
            window_messages: 32,
            patience_beats: 20,
        }
    }
}

/// The part that a replica plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It follows a leader, if it knows of one.
    Follower(Option<ReplicaId>),
    /// It asks for votes.
    Candidate,
    /// It leads.
    Leader,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Follower(Box<Follower>),
    Candidate(Box<Candidate>),
    Leader(Box<Leader>),
}

/// What can't be, unless memory, disk or program have a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Impossible {
    AnotherLeader,
    StrangeEntry,
    LeaderLacksCommitted,
    StartWithoutVoters,
}

impl Impossible {
    const fn words(self) -> &'static str {
        match self {
            Self::AnotherLeader => "another one leads in the same epoch",
            Self::StrangeEntry => "an entry that no leader writes",
            Self::LeaderLacksCommitted => "the leader lacks what is committed",
            Self::StartWithoutVoters => "a start without voters",
        }
    }
}

impl Part {
    /// Somebody who waits for a leader.
    ///
    /// - `commit`: what is committed every leader has.
    pub(crate) fn waits(commit: Position) -> Self {
        Self::Follower(Box::new(Follower::new(commit)))
    }
}

/// A replica that may have lost records, on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Rejoin {
    /// The epoch in which a leader said how far to come, and how far.
    pub(crate) goal: Option<(i32, Position)>,
    /// The frame that says that nothing is missing any more.
    pub(crate) cleaned: Option<u64>,
}

/// One replica of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    pub(crate) id: ReplicaId,
    pub(crate) options: Options,
    pub(crate) epoch: i32,
    pub(crate) vote: Option<ReplicaId>,
    pub(crate) history: History,
    /// Records below it are on stable storage; exclusive.
    pub(crate) flushed: i64,
    pub(crate) commit: Position,
    pub(crate) frames: Frames,
    /// Whether the vote is to be sent once it is durable.
    pub(crate) owes_vote: bool,
    pub(crate) rejoin: Option<Box<Rejoin>>,
    /// Of this start of the replica.
    pub(crate) run: u32,
    pub(crate) part: Part,
    /// Whether it only votes.
    pub(crate) held_back: bool,
    /// The generation of the last wish that the host knows of.
    pub(crate) known_wish: i64,
    /// What can't be, if the replica has met it.
    pub(crate) halted: Option<Impossible>,
    #[cfg(test)]
    pub(crate) mutant: Option<Mutant>,
}

impl Group {
    /// A replica that starts, as a follower.
    ///
    /// - `run`: a number that no earlier start of the replica had.
    #[must_use]
    pub fn new(id: ReplicaId, run: u32, durable: Durable, options: Options) -> Self {
        let Durable { epoch, vote, history, high_watermark, lossy } = durable;
        let end = history.end();
        // A vote of an epoch that is over says nothing.
        let vote = vote.filter(|_| epoch >= end.epoch);
        let commit = history.first_at(high_watermark.min(end.offset));
        Self {
            id,
            options,
            epoch: epoch.max(end.epoch),
            vote,
            flushed: end.offset,
            commit,
            history,
            frames: Frames::default(),
            owes_vote: false,
            rejoin: lossy.then(Box::default),
            run,
            part: Part::waits(commit),
            held_back: false,
            known_wish: i64::MAX,
            halted: None,
            #[cfg(test)]
            mutant: None,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.id
    }

    /// The leader epoch that it knows; −1 before the first.
    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The part that it plays.
    #[must_use]
    pub fn role(&self) -> Role {
        match &self.part {
            Part::Follower(follower) => Role::Follower(follower.leader),
            Part::Candidate(_) => Role::Candidate,
            Part::Leader(_) => Role::Leader,
        }
    }

    /// Whom it follows.
    #[must_use]
    pub fn leader(&self) -> Option<ReplicaId> {
        match &self.part {
            Part::Follower(follower) => follower.leader,
            Part::Candidate(_) | Part::Leader(_) => None,
        }
    }

    /// The shape of its log.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Up to where its log is committed: the high watermark is the offset.
    #[must_use]
    pub fn commit(&self) -> Position {
        self.commit
    }

    /// The voters in force.
    #[must_use]
    pub fn voters(&self) -> &Arc<Voters> {
        self.history.voters().0
    }

    /// Whether it may lack records that it acknowledged.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.rejoin.is_some()
    }

    /// What stopped it, if it met something that can't be.
    #[must_use]
    pub fn halted(&self) -> Option<&'static str> {
        self.halted.map(Impossible::words)
    }

    /// The number of the last frame of the state store that was asked for.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.frames.issued
    }

    /// Whether it leads and takes records now; otherwise they wait.
    #[must_use]
    pub fn takes_records(&self) -> bool {
        let leads = matches!(&self.part, Part::Leader(leader) if leader.transfer.is_none());
        leads && self.takes_more() && self.halted.is_none()
    }

    /// Whether something may be written behind what is there: a control entry is a barrier.
    pub(crate) fn takes_more(&self) -> bool {
        self.is_at_rest() || self.is(Mutant::RecordsBeforeControl)
    }

    /// Has it vote only: it lacks the room or the records to lead. Its leader hears of it with the
    /// next answer. Returns whether that is news.
    pub fn hold_back(&mut self, held_back: bool) -> bool {
        core::mem::replace(&mut self.held_back, held_back) != held_back
    }

    /// Whether it only votes.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.held_back
    }

    /// The host knows of this wish, and of those before it: an earlier one that had no place for
    /// this replica takes it away no more. Its leader hears of it with the next answer, and makes
    /// it a voter only where it has the same wish. A host that never says so takes no replica away.
    ///
    /// - `generation`: as for [`Self::wish`].
    pub fn know_wish(&mut self, generation: i64) {
        self.known_wish = generation;
    }

    /// Whether it counts what others have in the page cache only, and answers for what it has
    /// there itself.
    #[must_use]
    pub fn is_caching(&self) -> (bool, bool) {
        (self.options.caching, self.options.own_cached)
    }

    /// What counts from now on before it is flushed.
    ///
    /// - `caching`: what others have in the page cache, if they answer for it and this replica
    ///   leads.
    /// - `own_cached`: what this one has there. The host says so only while all of its log would
    ///   survive a kill of the process, and while a start that finds less of it would know.
    pub fn set_caching(&mut self, caching: bool, own_cached: bool) {
        (self.options.caching, self.options.own_cached) = (caching, own_cached);
    }

    /// More counts than did: a leader commits what it may, and a follower says so.
    pub fn count_anew(&mut self, effects: &mut Effects) {
        match &self.part {
            _ if self.halted.is_some() => {}
            Part::Follower(_) => self.answer(None, effects),
            Part::Candidate(_) => {}
            Part::Leader(_) => self.advance(effects),
        }
    }

    /// Up to where its log is on stable storage, control entries included.
    #[must_use]
    pub fn durable(&self) -> Position {
        let end = self.kept();
        Position { offset: self.flushed.min(end.offset), ..end }
    }

    /// Up to where its log would survive a kill of the process.
    pub(crate) fn kept(&self) -> Position {
        self.frames.end_before().unwrap_or_else(|| self.history.end())
    }

    /// Up to where its log counts.
    pub(crate) fn counted(&self) -> Position {
        if self.options.own_cached { self.kept() } else { self.durable() }
    }

    /// Whether the log on stable storage has the shape that the core has.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.frames.end_before().is_none()
    }

    /// Where the log begins on stable storage.
    pub(crate) fn durable_start(&self) -> i64 {
        self.frames.start_before().unwrap_or(self.history.start().offset)
    }

    /// A message has arrived.
    ///
    /// - `heard`: whether the leader was heard of so lately that nobody else may be elected. True
    ///   as well as long as a promise from before a start may hold.
    pub fn step(&mut self, message: &Message, heard: bool, effects: &mut Effects) {
        let Message { from, to, epoch, body } = message;
        if *to != self.id || self.halted.is_some() || !(0..=EPOCH_MAX).contains(epoch) {
            return;
        }
        match body {
            Body::Vote(vote) if vote.pre => {
                return self.on_question(*from, *epoch, *vote, heard, effects);
            }
            Body::Vote(vote) => return self.on_vote(*from, *epoch, *vote, heard, effects),
            // The epoch that it would be, and nobody's yet.
            Body::VoteReply(reply) if reply.pre && reply.granted => {
                return self.on_vote_reply(*from, *epoch, *reply, effects);
            }
            _ => {}
        }
        if *epoch < self.epoch {
            return self.correct(*from, body, effects);
        }
        if *epoch > self.epoch {
            self.adopt(*epoch, *from, effects);
        }
        match body {
            Body::Vote(_) => {}
            Body::VoteReply(reply) => self.on_vote_reply(*from, *epoch, *reply, effects),
            Body::Append(append) => self.on_append(*from, append, effects),
            Body::Beat { commit, log_start } => {
                self.on_beat(*from, *commit, *log_start, effects);
            }
            Body::Reset(reset) => self.on_reset(*from, reset, effects),
            Body::AppendReply(reply) => self.on_append_reply(*from, reply, effects),
            Body::TimeoutNow => self.on_timeout_now(*from, effects),
            Body::Hello { run } => self.on_hello(*from, *run, effects),
            Body::HelloReply { run, end } => self.on_hello_reply(*run, *end, effects),
            Body::Resigned => self.on_resigned(*from),
        }
    }

    /// Who speaks in an older epoch as if it led learns of this one.
    fn correct(&mut self, from: ReplicaId, body: &Body, effects: &mut Effects) {
        if matches!(body, Body::Append(_) | Body::Beat { .. } | Body::Reset(_)) {
            let outcome = Outcome::Mismatch { asked: Position::ZERO, common: Position::ZERO };
            let reply = AppendReply {
                outcome,
                matched: Position::ZERO,
                kept: Position::ZERO,
                flushed: 0,
                commit: Position::ZERO,
                log_start: 0,
                run: self.run,
                lossy: self.is_lossy(),
                held_back: self.held_back,
                wish: self.known_wish,
            };
            self.send(from, Body::AppendReply(reply), effects);
        }
    }

    /// A frame of the state store is durable, and all before it.
    pub fn stored(&mut self, number: u64, effects: &mut Effects) {
        let (was_at_rest, began) = (self.is_at_rest(), self.durable_start());
        self.frames.complete(number);
        if self.halted.is_some() {
            return;
        }
        if self.is_at_rest() && !was_at_rest {
            // The log was flushed up to the entry or the cut before, and nothing was written since.
            self.flushed = self.history.end().offset;
        }
        let has_moved = self.durable_start() != began;
        let cleaned = self.rejoin.as_ref().and_then(|rejoin| rejoin.cleaned);
        if cleaned.is_some_and(|number| self.frames.done() >= number) {
            self.rejoin = None;
            self.note(What::Clean, effects);
        }
        self.give_vote(effects);
        match &self.part {
            Part::Follower(_) if has_moved => self.answer(None, effects),
            Part::Follower(_) => self.settle(effects),
            Part::Candidate(_) => self.on_candidacy_stored(effects),
            Part::Leader(_) => self.advance(effects),
        }
    }

    /// Records below an offset are on stable storage, exclusive. The host doesn't report a flush
    /// that began before the log was cut or reset.
    ///
    /// # Panics
    /// If that is beyond the end of the log.
    pub fn flushed(&mut self, offset: i64, effects: &mut Effects) {
        assert!(offset <= self.history.end().offset, "{}: flushed {offset}", self.id);
        self.flushed = self.flushed.max(offset);
        if self.halted.is_some() {
            return;
        }
        match &self.part {
            Part::Follower(_) => self.on_follower_flushed(effects),
            Part::Candidate(_) => {}
            Part::Leader(_) => self.advance(effects),
        }
    }

    /// Moves the log start, as retention or a DeleteRecords wants it; returns where it is now. Not
    /// beyond what is committed and flushed here, and not back.
    pub fn move_start(&mut self, offset: i64, effects: &mut Effects) -> i64 {
        let limit = if self.is(Mutant::StartBeyondCommit) {
            self.history.end().offset
        } else {
            self.commit.offset.min(self.flushed)
        };
        let offset = offset.min(limit);
        if offset > self.history.start().offset && self.halted.is_none() {
            // Control entries at the start go as well: an idle log keeps none of its elections.
            let start = self.history.last_at(offset, self.commit.max(self.history.start()));
            let durable_start = self.durable_start();
            self.history.move_start(start);
            let voters = self.history.first_voters();
            self.store(Store::Start { start, voters }, effects);
            self.frames.start_waits(durable_start);
        }
        self.history.start().offset
    }

    /// Takes a higher epoch over, as a follower of nobody yet.
    pub(crate) fn adopt(&mut self, epoch: i32, from: ReplicaId, effects: &mut Effects) {
        self.leave_office("a higher epoch", effects);
        self.epoch = epoch;
        self.vote = None;
        self.owes_vote = false;
        self.part = Part::waits(self.commit);
        self.store_vote(effects);
        self.note(What::EpochBegins { from }, effects);
    }

    pub(crate) fn store_vote(&mut self, effects: &mut Effects) {
        let record = Store::Vote { epoch: self.epoch, vote: self.vote };
        self.store(record, effects);
        self.frames.vote_waits();
    }

    /// Adds a control entry at the end, which is a barrier until it is durable.
    pub(crate) fn push_control(&mut self, control: Control, effects: &mut Effects) {
        // Where another entry isn't durable yet, what stands before that.
        let before = self.kept();
        if control.voters.is_some() {
            self.note(What::Voters(control.end()), effects);
        }
        self.history.push(control.clone());
        self.store(Store::Control(control), effects);
        self.frames.log_waits(before);
    }

    /// Adds a record to the step's frame; returns its number. The frame is durable as a whole, and
    /// is reported by the number of its last record.
    pub(crate) fn store(&mut self, record: Store, effects: &mut Effects) -> u64 {
        let number = self.frames.issue();
        if let (Store::Vote { .. }, Some(last @ Store::Vote { .. })) =
            (&record, effects.stores.last_mut())
        {
            *last = record;
        } else {
            effects.stores.push(record);
        }
        number
    }

    pub(crate) fn send(&self, to: ReplicaId, body: Body, effects: &mut Effects) {
        effects.messages.push(Message { from: self.id, to, epoch: self.epoch, body });
    }

    pub(crate) fn note(&self, what: What, effects: &mut Effects) {
        if let Some(trace) = &mut effects.trace {
            trace.push(Event { who: self.id, epoch: self.epoch, what });
        }
    }

    /// Stops for ever, because of something that can't be: a fault of memory, disk or program.
    pub(crate) fn halt(&mut self, why: Impossible, effects: &mut Effects) {
        self.leave_office(why.words(), effects);
        self.part = Part::waits(self.commit);
        self.halted = Some(why);
        self.note(What::Halts(why.words()), effects);
    }

    #[cfg(test)]
    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "as in tests, where a fault can be built in")]
    pub(crate) const fn is(&self, _mutant: Mutant) -> bool {
        false
    }
}
