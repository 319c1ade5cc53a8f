//! What happened, in words: who, in which epoch, what, and why.

use core::fmt;

use crate::position::{Position, ReplicaId};

/// Something that happened to a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// To whom.
    pub who: ReplicaId,
    /// In which epoch it is now.
    pub epoch: i32,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It learned of a higher epoch.
    EpochBegins {
        /// From whom.
        from: ReplicaId,
    },
    /// It follows a leader.
    Follows(ReplicaId),
    /// It asks whether it would be elected.
    Asks,
    /// It campaigns.
    Campaigns,
    /// It granted its vote, or would.
    Grants {
        /// To whom.
        to: ReplicaId,
        /// Whether it was only asked.
        pre: bool,
    },
    /// It refused its vote.
    Refuses {
        /// To whom.
        to: ReplicaId,
        /// Why.
        why: &'static str,
    },
    /// It leads.
    Leads,
    /// An operator has given the other voters up.
    Recovers,
    /// It leads no more.
    Resigns(&'static str),
    /// It dropped the end of its log.
    Cuts {
        /// Where the log ended.
        from: Position,
        /// Where it ends now.
        to: Position,
    },
    /// Its log began anew.
    Resets(Position),
    /// The log is committed up to here.
    Commits(Position),
    /// Other voters are in force, from this position on.
    Voters(Position),
    /// It hands its office over.
    HandsOver(ReplicaId),
    /// It lacks nothing any more that it had acknowledged.
    Clean,
    /// It met what can't be, and does nothing more.
    Halts(&'static str),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: ", self.who, self.epoch)?;
        match &self.what {
            What::EpochBegins { from } => write!(f, "epoch begins, from {from}"),
            What::Follows(leader) => write!(f, "follows {leader}"),
            What::Asks => write!(f, "asks for votes"),
            What::Campaigns => write!(f, "campaigns"),
            What::Grants { to, pre: true } => write!(f, "would vote for {to}"),
            What::Grants { to, pre: false } => write!(f, "votes for {to}"),
            What::Refuses { to, why } => write!(f, "no vote for {to}: {why}"),
            What::Leads => write!(f, "leads"),
            What::Recovers => write!(f, "recovers with the voters that are left"),
            What::Resigns(why) => write!(f, "resigns: {why}"),
            What::Cuts { from, to } => write!(f, "cuts {from} to {to}"),
            What::Resets(start) => write!(f, "begins anew at {start}"),
            What::Commits(position) => write!(f, "commits {position}"),
            What::Voters(position) => write!(f, "other voters from {position} on"),
            What::HandsOver(to) => write!(f, "hands over to {to}"),
            What::Clean => write!(f, "lacks nothing any more"),
            What::Halts(why) => write!(f, "halts: {why}"),
        }
    }
}
