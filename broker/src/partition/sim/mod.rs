//! A simulation of whole clusters in virtual time: brokers in one thread, each with a data
//! directory on a simulated disk, a shard with its replicas, the controller, and connections to
//! the others. All chance comes from a seed, which a failure prints together with the last events.
//!
//! - A broker's log, state store, core, tasks and lanes are the real ones, and so are the
//!   controller with its metadata log, what makes a broker's partitions follow it, how a broker
//!   begins, is let in and reports who leads. What surrounds them is not: flushes, reads, time
//!   ([`broker`]), and the runtime of tasks ([`tasks`], [`calls`]).
//! - Connections carry beats, messages and calls in order, late or not at all ([`network`]).
//! - Processes are killed, machines lose power, both also in the midst of what they do to their
//!   disk; brokers stand still, are stopped and start again; flushes and writes fail, disks are
//!   full, links are cut, also one way ([`faults`]).
//! - Data directories are lost, and brokers come back with empty ones ([`lost`]); bits of segments
//!   flip ([`rot`]), which the real threads of the repair make good ([`threads`]).
//! - Clients send again what wasn't acknowledged ([`clients`]); log starts move; operators create
//!   and delete topics, move partitions and remove brokers ([`operators`]), and change who decides
//!   ([`voters`]).
//! - In some groups records count before they are flushed (`write.caching`): then only so many
//!   machines lose power, or have failing disks, that nothing may be lost ([`losses`]).
//!
//! After each turn everything is looked at that must always hold ([`oracle`], [`metadata`],
//! [`controls`], [`votes`]); then
//! nothing goes wrong any more, and every group and every broker must get well ([`calm`]).
//!
//! `LOGBOOM_SIM_SEEDS` says how many seeds, `LOGBOOM_SIM_SECONDS` how many virtual seconds of each;
//! `LOGBOOM_SIM_SEED` names the one to run.

#![expect(clippy::print_stderr, reason = "a run says what it has seen")]

mod broker;
mod calls;
mod calm;
mod chance;
mod clients;
mod cluster;
mod comings;
mod controls;
mod faults;
mod groups;
mod losses;
mod lost;
mod metadata;
mod network;
mod operators;
mod oracle;
mod plan;
mod process;
mod queue;
mod rot;
mod stories;
mod tasks;
mod threads;
mod voters;
mod votes;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::cluster::{Cluster, Totals};
use self::oracle::Violation;
use self::plan::Plan;

/// Seeds of a short run, and the virtual seconds of each until nothing goes wrong any more.
const SEEDS: u64 = 100;
const SECONDS: u64 = 8;
/// Events that are told when a run fails, if nothing else is said.
const TOLD: u64 = 300;

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok();
    value.map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

fn plan(seed: u64) -> Plan {
    Plan::of(seed, setting("LOGBOOM_SIM_SECONDS").unwrap_or(SECONDS))
}

fn advance(cluster: &mut Cluster) -> Result<Totals, Violation> {
    cluster.found()?;
    while cluster.now < cluster.plan.time {
        cluster.step()?;
    }
    cluster.run_until_well()?;
    Ok(cluster.totals)
}

/// Runs a seed; a panic is a violation as well. Returns at which event it failed, and what it told.
fn run(seed: u64, plan: Plan, is_told: bool) -> Result<Totals, (u64, Violation, Vec<String>)> {
    let mut cluster = Cluster::new(seed, plan, is_told);
    let attempt = catch_unwind(AssertUnwindSafe(|| advance(&mut cluster)));
    let attempt = attempt.unwrap_or_else(|_| Err("a panic".into()));
    let (event, told) = (cluster.totals.events, cluster.told().cloned().collect());
    attempt.map_err(|violation| (event, violation, told))
}

/// Runs a seed; a failure runs again, and tells what happened before it.
fn run_seed(seed: u64) -> Totals {
    let (event, violation, _) = match run(seed, plan(seed), false) {
        Ok(totals) => return totals,
        Err(failure) => failure,
    };
    let again = run(seed, plan(seed), true).err();
    let (repeated, _, told) = again.unwrap_or_else(|| (0, String::new(), Vec::new()));
    let last = told
        .len()
        .saturating_sub(usize::try_from(setting("LOGBOOM_SIM_TOLD").unwrap_or(TOLD)).unwrap());
    told[last..].iter().for_each(|line| eprintln!("{line}"));
    assert_eq!(repeated, event, "seed {seed} doesn't repeat itself: {violation}");
    panic!("seed {seed}, event {event}: {violation}; LOGBOOM_SIM_SEED={seed} repeats it");
}

#[test]
fn whatever_goes_wrong_nothing_acknowledged_is_lost_and_all_gets_well() {
    let seeds = match setting("LOGBOOM_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("LOGBOOM_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut sum = Totals::default();
    for seed in seeds {
        sum = sum.and(run_seed(seed));
        if seed % 1000 == 999 {
            eprintln!("seeds up to {seed}: {sum}");
        }
    }
    eprintln!("replicas: {sum}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let once = |is_told| run(7, Plan::of(7, 3), is_told).map_err(|(event, ..)| event);
    assert_eq!(once(false), once(true));
}
