//! Faults built in one at a time, each with the smallest world that was found to show it.
//!
//! Those of RAFT's neighbours (storage, transport) are caught where they live.

use std::{format, vec};

use super::bounds::Bounds;
use super::check::{explore, say};
use crate::mutant::Mutant;

/// Disks that are done at once.
fn fast(nodes: i32) -> Bounds {
    Bounds { slow_stores: false, slow_flushes: false, ..Bounds::of(nodes) }
}

/// Only records wait for a flush.
fn cached(nodes: i32) -> Bounds {
    Bounds { slow_stores: false, ..Bounds::of(nodes) }
}

fn wish(nodes: i32, voters: &[i32], wish: &[i32]) -> Bounds {
    Bounds { voters: voters.to_vec(), wishes: vec![wish.to_vec()], records: 0, ..fast(nodes) }
}

/// A world in which a fault shows.
fn bounds_of(mutant: Mutant) -> Bounds {
    use Mutant as M;
    let three = Bounds::of(3);
    let bounds = match mutant {
        M::AckBeforeControlIsDurable => Bounds { records: 0, crashes: 1, ..three },
        M::VoteBeforeItIsDurable => Bounds { records: 0, epochs: 1, crashes: 1, ..three },
        M::SecondVoteAfterRestart => Bounds { records: 0, epochs: 1, crashes: 1, ..fast(3) },
        M::VotesIgnoreControl
        | M::SkipOldMajority
        | M::SkipNewMajority
        | M::FinalOnUncommittedJoint
        | M::VotersSurviveCut => wish(3, &[1, 2, 3], &[1]),
        M::LeaderCountsUnflushed | M::FollowerAcksUnflushed => Bounds { crashes: 1, ..cached(3) },
        M::LearnerCounts => wish(4, &[1, 2, 3], &[1, 2, 3, 4]),
        M::RemovedLeaderCounts => Bounds { records: 1, ..wish(4, &[1], &[2, 3, 4]) },
        M::AppendWithoutMatch => Bounds { records: 3, ..fast(3) },
        M::StartBeyondCommit => Bounds { trims: 1, records: 2, ..fast(3) },
        M::TransferToIncomplete => Bounds { transfers: 1, ..fast(3) },
        M::PreVoteRaisesEpoch => Bounds { pre_votes: true, ..fast(3) },
        M::CommitBeyondMatch => Bounds { beats: true, epochs: 3, ..fast(3) },
        M::ResumeEpoch => Bounds { epochs: 1, crashes: 1, ..three },
        M::LossyVoteCounts => Bounds { crashes: 1, caching: true, ..cached(3) },
        other => panic!("{other:?} is shown by a script"),
    };
    Bounds { mutant: Some(mutant), ..bounds }
}

/// The faults that a search within bounds shows; the others need a longer story than can be
/// searched for, and are shown by a script.
const SEARCHED: [Mutant; 18] = [
    Mutant::AckBeforeControlIsDurable,
    Mutant::VoteBeforeItIsDurable,
    Mutant::SecondVoteAfterRestart,
    Mutant::VotesIgnoreControl,
    Mutant::LeaderCountsUnflushed,
    Mutant::FollowerAcksUnflushed,
    Mutant::SkipOldMajority,
    Mutant::SkipNewMajority,
    Mutant::LearnerCounts,
    Mutant::LossyVoteCounts,
    Mutant::AppendWithoutMatch,
    Mutant::StartBeyondCommit,
    Mutant::TransferToIncomplete,
    Mutant::PreVoteRaisesEpoch,
    Mutant::CommitBeyondMatch,
    Mutant::VotersSurviveCut,
    Mutant::FinalOnUncommittedJoint,
    Mutant::ResumeEpoch,
];

#[test]
fn each_fault_shows_in_a_small_world() {
    let mut missed = vec![];
    for mutant in SEARCHED {
        let found = explore(&bounds_of(mutant), 400_000);
        match found.violation {
            Some((path, violation)) => {
                let (states, steps) = (found.states, path.len());
                say(&format!("{mutant:?}: {states} states, {steps} steps: {violation}"));
            }
            None => missed.push((mutant, found)),
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}
