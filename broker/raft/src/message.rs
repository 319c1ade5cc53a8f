//! What replicas of a group say to each other.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::history::Control;
use crate::position::{Position, ReplicaId};
use crate::voters::Voters;

/// A message from one replica of a group to another. One for another life is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who sends it.
    pub from: ReplicaId,
    /// Whom it is for.
    pub to: ReplicaId,
    /// The sender's epoch; of a question before a vote: the one that it would campaign in.
    pub epoch: i32,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Body {
    /// Vote for me.
    Vote(Vote),
    /// The answer.
    VoteReply(VoteReply),
    /// What follows a position of the leader's log.
    Append(Append),
    /// How far a follower has what its leader has.
    AppendReply(AppendReply),
    /// How far the log is committed.
    Beat {
        /// The leader's high watermark, as a position.
        commit: Position,
        /// Where the leader's log begins.
        log_start: i64,
    },
    /// The follower's log is to begin anew here, where the leader's does.
    Reset(Box<Reset>),
    /// The leader gives its office up to the addressee, which is to campaign at once.
    TimeoutNow,
    /// A replica that may have lost records asks how far it has to come.
    Hello {
        /// Of this start of the replica: acknowledgements with another one don't count any more.
        run: u32,
    },
    /// The answer.
    HelloReply {
        /// As in the question.
        run: u32,
        /// The leader's end when it answered.
        end: Position,
    },
    /// The sender leads no more.
    Resigned,
}

/// A request for a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vote {
    /// Whether it only asks if it would be granted; then nobody's epoch or vote changes.
    pub pre: bool,
    /// Where the candidate's log ends.
    pub end: Position,
    /// Whether the leader asked for it, so that nobody has to wait for the leader's silence.
    pub transfer: bool,
}

/// The answer to a request for a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VoteReply {
    /// As in the request.
    pub pre: bool,
    /// Whether it is granted, in the epoch of the message.
    pub granted: bool,
    /// Whether the voter may have lost records that it acknowledged.
    pub lossy: bool,
}

/// What follows a position of the leader's log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Append {
    /// Behind what it follows.
    pub prev: Position,
    /// What follows.
    pub content: Content,
    /// The leader's high watermark.
    pub commit: Position,
    /// Where the leader's log begins.
    pub log_start: i64,
}

/// What follows a position.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// Nothing: it only asks whether the follower has the position.
    Nothing,
    /// A control entry. It travels alone: what is behind it may be written only when it is durable.
    Control(Control),
    /// Records of the position's epoch, which the host sends along.
    Data {
        /// The end of their offsets, exclusive.
        until: i64,
        /// Whether offsets may be missing, because the leader's segments were cleaned.
        gaps: bool,
    },
}

/// How far a follower has what its leader has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AppendReply {
    /// What the follower answers.
    pub outcome: Outcome,
    /// Up to where it has what the leader of this epoch has, flushed or not.
    pub matched: Position,
    /// The part of it that a kill leaves, as far as the follower answers for that: on stable
    /// storage, with the epoch and all control entries; with `write.caching` in the page cache.
    pub kept: Position,
    /// Its records below this are on stable storage, exclusive: what counts for a leader that
    /// counts nothing else.
    pub flushed: i64,
    /// Its own high watermark.
    pub commit: Position,
    /// Where its own log begins, durably.
    pub log_start: i64,
    /// The start of the replica since which it acknowledges; grows from start to start.
    pub run: u32,
    /// Whether it may lack records that it acknowledged before that.
    pub lossy: bool,
    /// Whether it only votes at present.
    pub held_back: bool,
    /// The last wish for voters that its host knows of ([`Group::know_wish`](crate::Group)).
    pub wish: i64,
}

/// What a follower answers to what was sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It has the position, and nothing behind what matches.
    Matched,
    /// It has the position, and something behind it that the leader may not have.
    Longer,
    /// It doesn't have the position that was asked for.
    Mismatch {
        /// The position.
        asked: Position,
        /// One that it has, and that is not beyond it.
        common: Position,
    },
}

/// Where a log begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reset {
    /// Where the leader's log begins.
    pub start: Position,
    /// The voters in force there.
    pub voters: Arc<Voters>,
    /// The leader's high watermark.
    pub commit: Position,
}
