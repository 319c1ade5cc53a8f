//! Faults that can be built in, one at a time, to see that the tests would notice.
//!
//! Outside of this crate's tests they don't exist: the question is a constant.

/// An enum, and a list of all its variants.
macro_rules! listed {
    ($(#[$of:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$of])*
        $vis enum $name { $($(#[$doc])* $variant,)* }

        #[cfg(test)]
        impl $name {
            /// Each of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];
        }
    };
}

listed! {
/// A fault that a test has built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(not(test), expect(dead_code, reason = "only tests build a fault in"))]
pub(crate) enum Mutant {
    /// A control entry is acknowledged before it is durable.
    AckBeforeControlIsDurable,
    /// Records are taken behind a control entry that isn't durable.
    RecordsBeforeControl,
    /// A vote leaves before it is durable.
    VoteBeforeItIsDurable,
    /// A restarted voter has forgotten its vote.
    SecondVoteAfterRestart,
    /// Votes compare epoch and offset only.
    VotesIgnoreControl,
    /// What an older epoch wrote is committed by count.
    CommitOlderEpoch,
    /// The leader counts itself up to its end.
    LeaderCountsUnflushed,
    /// A follower acknowledges what isn't flushed.
    FollowerAcksUnflushed,
    /// A joint change needs no majority of the old voters.
    SkipOldMajority,
    /// A joint change needs no majority of the new voters.
    SkipNewMajority,
    /// A learner counts.
    LearnerCounts,
    /// A leader counts what a follower answers for, though nothing counts any more before it is
    /// flushed.
    FollowersDecideWhatCounts,
    /// Whoever has the log becomes a voter, though its host may be about to take it away.
    NewcomersMayGo,
    /// Whoever has the log becomes a voter, though it may not know the voters in force yet.
    NewcomersLackVoters,
    /// A wish for the voters that there are leaves nothing in the log.
    SameVotersLeaveNoEntry,
    /// A voter that may have lost records counts as if not.
    LossyVoteCounts,
    /// A leader counts itself in a set that it isn't in.
    RemovedLeaderCounts,
    /// A follower drops what it knows to be committed.
    CutBelowCommit,
    /// Divergence is looked for one epoch too far.
    EpochOffByOne,
    /// What doesn't follow the end of the log is taken as if it did.
    AppendWithoutMatch,
    /// The log start passes the high watermark.
    StartBeyondCommit,
    /// The office goes to a voter that lacks records.
    TransferToIncomplete,
    /// A question before a vote raises the epoch.
    PreVoteRaisesEpoch,
    /// A follower's high watermark passes what it has in common with the leader.
    CommitBeyondMatch,
    /// Voters stay in force when their entry is cut away.
    VotersSurviveCut,
    /// The last configuration is written before the joint one is committed.
    FinalOnUncommittedJoint,
    /// A leader goes on in its epoch after a restart.
    ResumeEpoch,
    /// A voter that may have lost records counts as clean once it knows the epoch's marker.
    CleanOnMarker,
    /// The leader counts what a follower acknowledged before it lost records.
    ///
    /// Whoever leads next has the record as long as one copy is left, since the follower's vote is
    /// marked; but it was called committed with one copy less than a majority.
    KeepMatchOverHello,
    /// Acknowledgements from before a follower's last start count: the same, for one that was on
    /// its way.
    AckOfAnotherRun,
    /// Acknowledgements of a replica's earlier life count for the present one.
    ///
    /// Nothing is lost by it: what the earlier life can have acknowledged was committed before it
    /// was removed. But a copy is counted that isn't there, and the new life is sent what it has no
    /// use for.
    AckOfAnotherLife,
    /// A follower isn't told that offsets are missing, because segments were cleaned.
    GapsNotTold,
    /// A voter that has started anew votes while it may have promised not to.
    VotesWithinPromise,
    /// A lease is as long as the silence after which others campaign, whatever clocks differ by.
    LeaseIgnoresDrift,
    /// A promise counts from when its answer arrived, not from when the beat was sent.
    PromiseFromReceipt,
    /// A group sleeps before its followers know the last high watermark.
    SleepBeforeCommitIsKnown,
    /// Beats are compared by their numbers alone, whatever start of a broker sent them.
    RunsNotCompared,
    /// A follower doesn't compare the sums of the sets of sleeping groups.
    SumNotCompared,
    /// A leader goes on with a set that is another one at the follower.
    DifferentSetKept,
    /// Changes of the set of sleeping groups are taken from beats that come late.
    ChangesOutOfOrder,
}
}
