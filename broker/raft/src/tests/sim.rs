//! A simulation in virtual time: clusters of 3 to 7 brokers with many groups each, in which
//! everything goes wrong that can. All chance comes from a seed, which a failure prints together
//! with the last events.
//!
//! - Each broker has one state store for its groups, whose frames become durable in order and
//!   together, a disk that loses what wasn't flushed but for a part of it, and a clock of its own
//!   speed. It does for each group what a small honest host would do.
//! - Brokers beat for all groups that they share ([`pairs`]): groups fall asleep and wake, and a
//!   host relies on nothing but beats for what sleeps.
//! - Messages and beats are late, lost, repeated, out of order; links are cut, also one way.
//! - Processes are killed, machines lose power or stand still, flushes are slow or fail.
//! - Clients append records; voters, leaders and log starts are changed; logs are compacted.
//!
//! After each event everything is looked at that must always hold ([`oracle`], [`lease`],
//! [`sleep`]); then nothing goes wrong any more, and every group must get well ([`calm`]), fall
//! asleep, and wake when something happens.
//!
//! `RAFT_SIM_SEEDS` says how many seeds, `RAFT_SIM_STEPS` how many events of each,
//! `RAFT_SIM_LARGE` that there are hundreds of groups now and then, and `RAFT_SIM_MUTANT_SEEDS` how
//! many seeds each fault that is built in gets. `RAFT_SIM_SEED` names the one to run, and
//! `RAFT_SIM_TOLD` how many of its last events are told.

mod broker;
mod calm;
mod chance;
mod cluster;
mod faults;
mod host;
mod lease;
mod mirror;
mod network;
mod oracle;
mod pairs;
mod plan;
mod queue;
mod sleep;
mod workload;

use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;

use self::cluster::{Cluster, Totals};
use self::plan::Plan;
use super::check::say;
use super::world::Violation;
use crate::mutant::Mutant;

/// Seeds of a short run, and the events of each.
const SEEDS: u64 = 100;
const STEPS: u64 = 20_000;
/// Seeds of a run with a fault built in.
const MUTANT_SEEDS: u64 = 100;
/// Events that are told when a run fails, if nothing else is said.
const TOLD: u64 = 200;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

fn plan(seed: u64) -> Plan {
    let steps = setting("RAFT_SIM_STEPS").unwrap_or(STEPS);
    Plan::of(seed, steps, setting("RAFT_SIM_LARGE").is_some())
}

/// A run that went wrong, at an event.
struct Failure {
    event: u64,
    violation: Violation,
}

fn advance(cluster: &mut Cluster) -> Result<(), Violation> {
    while cluster.totals.events < cluster.plan.steps {
        cluster.step()?;
    }
    cluster.run_until_well()?;
    cluster.run_until_asleep_and_wake()
}

/// Runs a cluster to its end. A panic of the core is a violation as well.
fn run(cluster: &mut Cluster) -> Result<Totals, Failure> {
    let attempt = catch_unwind(AssertUnwindSafe(|| advance(cluster)));
    let violation = match attempt {
        Ok(Ok(())) => {
            let changes = cluster.subjects.iter().map(|it| it.oracle.leader_changes() as u64);
            let lost = cluster.subjects.iter().map(|it| it.oracle.lost as u64);
            let (leader_changes, lost) = (changes.sum(), lost.sum());
            return Ok(Totals { leader_changes, lost, ..cluster.totals });
        }
        Ok(Err(violation)) => violation,
        Err(_) => String::from("a panic"),
    };
    Err(Failure { event: cluster.totals.events, violation })
}

/// Runs a seed; a failure runs again, and tells what happened before it.
fn run_seed(seed: u64) -> Totals {
    let failure = match run(&mut Cluster::new(seed, plan(seed), None, u64::MAX)) {
        Ok(totals) => return totals,
        Err(failure) => failure,
    };
    let told_from = failure.event.saturating_sub(setting("RAFT_SIM_TOLD").unwrap_or(TOLD));
    let mut again = Cluster::new(seed, plan(seed), None, told_from);
    let repeated = run(&mut again).err().map(|failure| failure.event);
    for line in again.told() {
        say(&line);
    }
    let Failure { event, violation } = failure;
    assert_eq!(repeated, Some(event), "seed {seed} doesn't repeat itself");
    panic!("seed {seed}, event {event}: {violation}; RAFT_SIM_SEED={seed} repeats it");
}

#[test]
fn whatever_goes_wrong_nothing_committed_is_lost_and_all_gets_well() {
    let seeds = match setting("RAFT_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("RAFT_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut sum = Totals::default();
    for seed in seeds {
        sum = sum.and(run_seed(seed));
        if seed % 1000 == 999 {
            say(&format!("seeds up to {seed}: {sum}"));
        }
    }
    say(&format!("simulation: {sum}"));
}

/// Faults that are built in, and noticed within a few seeds.
pub(crate) const SHOWN: [Mutant; 26] = [
    Mutant::AckBeforeControlIsDurable,
    Mutant::VotesIgnoreControl,
    Mutant::LeaderCountsUnflushed,
    Mutant::FollowerAcksUnflushed,
    Mutant::SkipOldMajority,
    Mutant::SkipNewMajority,
    Mutant::LearnerCounts,
    Mutant::LossyVoteCounts,
    Mutant::RemovedLeaderCounts,
    Mutant::VoteBeforeItIsDurable,
    Mutant::StartBeyondCommit,
    Mutant::TransferToIncomplete,
    Mutant::PreVoteRaisesEpoch,
    Mutant::CommitBeyondMatch,
    Mutant::AppendWithoutMatch,
    Mutant::VotersSurviveCut,
    Mutant::FinalOnUncommittedJoint,
    Mutant::ResumeEpoch,
    Mutant::EpochOffByOne,
    Mutant::GapsNotTold,
    Mutant::VotesWithinPromise,
    Mutant::LeaseIgnoresDrift,
    Mutant::PromiseFromReceipt,
    Mutant::SleepBeforeCommitIsKnown,
    Mutant::RunsNotCompared,
    Mutant::ChangesOutOfOrder,
];

/// Faults that need luck: soak tries them with more seeds, and says which it noticed.
const RARE: [Mutant; 6] = [
    Mutant::SecondVoteAfterRestart,
    Mutant::CommitOlderEpoch,
    Mutant::CutBelowCommit,
    Mutant::CleanOnMarker,
    Mutant::KeepMatchOverHello,
    Mutant::AckOfAnotherLife,
];

/// Where seeds begin that show a fault.
fn first_seed(mutant: Mutant) -> u64 {
    match mutant {
        // It takes a start within a promise, and somebody who campaigns meanwhile: 414 is the
        // first.
        Mutant::VotesWithinPromise => 400,
        _ => 0,
    }
}

/// Whether one of so many seeds shows a fault.
fn is_noticed(mutant: Mutant, seeds: u64) -> bool {
    let first = first_seed(mutant);
    let found = (first..first + seeds).find_map(|seed| {
        let plan = Plan::of(seed, STEPS, false);
        let failure = run(&mut Cluster::new(seed, plan, Some(mutant), u64::MAX)).err();
        failure.map(|failure| (seed, failure))
    });
    match &found {
        Some((seed, Failure { event, violation })) => {
            say(&format!("{mutant:?}: seed {seed}, event {event}: {violation}"));
        }
        None => say(&format!("{mutant:?}: not noticed with {seeds} seeds")),
    }
    found.is_some()
}

#[test]
fn a_simulation_notices_faults() {
    let seeds = setting("RAFT_SIM_MUTANT_SEEDS");
    for mutant in SHOWN {
        assert!(is_noticed(mutant, seeds.unwrap_or(MUTANT_SEEDS)), "{mutant:?}");
    }
    let noticed = RARE.iter().filter(|mutant| seeds.is_some_and(|it| is_noticed(**mutant, it)));
    if seeds.is_some() {
        say(&format!("of {} that need luck {} were noticed", RARE.len(), noticed.count()));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let plan = || Plan { steps: 5_000, ..Plan::of(7, 0, false) };
    let once = |told_from: u64| run(&mut Cluster::new(7, plan(), None, told_from));
    let (a, b) = (once(u64::MAX), once(0));
    assert_eq!(a.map_err(|it| it.event), b.map_err(|it| it.event));
}
