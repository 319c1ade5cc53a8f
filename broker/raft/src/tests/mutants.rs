//! Faults built in one at a time, each with what shows it: the smallest world in which a search
//! finds a violation; a script, where the story is longer than can be searched for; a story told in
//! code, where it is about pairs of brokers; or the simulation.
//!
//! Faults in which the core has no part (files, recovery, deletion, producers) are listed in
//! docs/verification.md, with the tests of the storage that notice them.

use std::string::String;
use std::{format, vec};

use super::bounds::Bounds;
use super::check::{explore, say};
use super::known::Known;
use super::rest;
use super::scripts::{difference, is_updating};
use super::sim::SHOWN;
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

/// What shows a fault.
enum Shown {
    /// A search within these bounds.
    Search(Bounds),
    /// A script: its name.
    Script(&'static str),
    /// A story that is told in code, and panics where the fault is built in.
    Story(fn(Option<Mutant>)),
    /// Seeds of the simulation.
    Simulation,
}

/// What shows each fault.
fn shown(mutant: Mutant) -> Shown {
    use crate::pair::tests as pairs;
    use Mutant as M;
    use Shown::{Script, Search, Simulation, Story};

    let three = Bounds::of(3);
    match mutant {
        M::AckBeforeControlIsDurable => Search(Bounds { records: 0, crashes: 1, ..three }),
        M::VoteBeforeItIsDurable => Search(Bounds { records: 0, epochs: 1, crashes: 1, ..three }),
        M::SecondVoteAfterRestart => {
            Search(Bounds { records: 0, epochs: 1, crashes: 1, ..fast(3) })
        }
        M::VotesIgnoreControl
        | M::SkipOldMajority
        | M::SkipNewMajority
        | M::FinalOnUncommittedJoint
        | M::VotersSurviveCut => Search(wish(3, &[1, 2, 3], &[1])),
        M::LeaderCountsUnflushed | M::FollowerAcksUnflushed => {
            Search(Bounds { crashes: 1, ..cached(3) })
        }
        M::RecordsBeforeControl => Script("a_control_entry_is_a_barrier"),
        M::FollowersDecideWhatCounts => Script("who_leads_decides_whether_the_page_cache_counts"),
        M::NewcomersMayGo => Script("a_newcomer_knows_that_it_stays_before_it_is_a_voter"),
        M::NewcomersLackVoters => Script("a_newcomer_knows_the_voters_before_it_is_one"),
        M::SameVotersLeaveNoEntry => Script("a_wish_that_is_taken_back_is_an_entry"),
        M::LearnerCounts => Script("a_learner_does_not_count"),
        M::LossyVoteCounts => Search(Bounds { crashes: 1, caching: true, ..cached(3) }),
        M::AppendWithoutMatch => Search(Bounds { records: 3, ..fast(3) }),
        M::StartBeyondCommit => Search(Bounds { trims: 1, records: 2, ..fast(3) }),
        M::TransferToIncomplete => Search(Bounds { transfers: 1, ..fast(3) }),
        M::PreVoteRaisesEpoch => Search(Bounds { pre_votes: true, ..fast(3) }),
        M::CommitBeyondMatch => Search(Bounds { beats: true, epochs: 3, ..fast(3) }),
        M::ResumeEpoch => Search(Bounds { epochs: 1, crashes: 1, ..three }),
        M::CommitOlderEpoch => {
            Script("figure_8_an_older_epoch_is_committed_only_with_the_own_marker")
        }
        M::RemovedLeaderCounts => Script("a_removed_leader_does_not_count_itself"),
        M::CutBelowCommit => Script("a_follower_keeps_what_it_knows_to_be_committed"),
        M::EpochOffByOne => Script("an_epoch_ends_where_the_next_begins"),
        M::CleanOnMarker => Script("a_lossy_voter_is_not_clean_with_the_marker_alone"),
        M::KeepMatchOverHello => Script("what_a_voter_lost_does_not_count"),
        M::AckOfAnotherRun => Script("what_was_acknowledged_before_a_restart_does_not_count"),
        M::AckOfAnotherLife => Script("acknowledgements_of_an_earlier_life_do_not_count"),
        M::VotesWithinPromise | M::GapsNotTold => Simulation,
        M::LeaseIgnoresDrift | M::PromiseFromReceipt => Story(pairs::promises_count_from_sending),
        M::SleepBeforeCommitIsKnown => Story(rest::groups_rest_where_all_is_known),
        M::RunsNotCompared | M::ChangesOutOfOrder => Story(pairs::old_beats_change_nothing),
        M::SumNotCompared | M::DifferentSetKept => Story(pairs::sets_that_differ_are_given_up),
    }
}

/// What a search within bounds finds.
fn found(mutant: Mutant, bounds: Bounds) -> Option<String> {
    let bounds = Bounds { mutant: Some(mutant), ..bounds };
    let found = explore(&mut Known::new(&bounds), 400_000);
    let (path, violation) = found.violation?;
    Some(format!("{} states, {} steps: {violation}", found.states, path.len()))
}

/// Has each fault shown, of those that `show` knows how to.
fn show_all(show: impl Fn(Mutant, Shown) -> Option<Option<String>>) {
    let mut missed = vec![];
    for mutant in Mutant::ALL.iter().copied() {
        match show(mutant, shown(mutant)) {
            Some(Some(how)) => say(&format!("{mutant:?}: {how}")),
            Some(None) => missed.push(mutant),
            None => {}
        }
    }
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}

#[test]
fn a_search_finds_faults() {
    show_all(|mutant, how| match how {
        Shown::Search(bounds) => Some(found(mutant, bounds)),
        _ => None,
    });
}

#[test]
fn scripts_show_the_other_faults() {
    show_all(|mutant, how| match how {
        // There is nothing to compare with while scripts are being written.
        Shown::Script(_) if is_updating() => None,
        Shown::Script(name) => Some(difference(name, mutant).map(|line| format!("{name}: {line}"))),
        _ => None,
    });
}

#[test]
fn stories_show_what_neither_searches_nor_scripts_do() {
    show_all(|mutant, how| match how {
        Shown::Story(story) => {
            let told = std::panic::catch_unwind(|| story(Some(mutant)));
            Some(told.is_err().then(|| String::from("a story ends otherwise")))
        }
        Shown::Simulation => Some(SHOWN.contains(&mutant).then(|| String::from("simulated"))),
        _ => None,
    });
}
