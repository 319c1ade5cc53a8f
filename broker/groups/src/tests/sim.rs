//! A simulation: hundreds of members that join, commit, hang, leave and come back, with requests
//! and answers that are late or lost, and a coordinator that restarts and loses what wasn't
//! committed. All chance comes from a seed, which a failure prints.
//!
//! What must always hold:
//! - no partition has two owners in one generation;
//! - a commit that was acknowledged is never lost, and no offset goes back;
//! - a replay gives what is there.
//!
//! And once things calm down: every partition has an owner, and only one.
//!
//! `LOGBOOM_GROUPS_SEEDS` says how many seeds, `LOGBOOM_GROUPS_SEED` names the one to run.

mod client;
mod world;

use std::string::String;
use std::vec::Vec;

use self::world::{Plan, World};

/// Seeds of a short run.
const SEEDS: u64 = 12;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// Runs a seed; what a failure prints comes first.
#[expect(clippy::print_stdout, reason = "a failure prints its seed")]
fn run(seed: u64) -> String {
    std::println!("seed {seed}: LOGBOOM_GROUPS_SEED={seed} repeats it");
    let mut world = World::new(seed, Plan::of(seed));
    world.run();
    let summary = world.summary();
    std::println!("{summary}");
    summary
}

#[test]
fn no_partition_has_two_owners_and_no_commit_is_lost() {
    if let Some(seed) = setting("LOGBOOM_GROUPS_SEED") {
        drop(run(seed));
        return;
    }
    let seeds = setting("LOGBOOM_GROUPS_SEEDS").unwrap_or(SEEDS);
    let summaries: Vec<String> = (0..seeds).map(run).collect();
    for happened in ["assignments", "commits", "restarts", "lost"] {
        let did = |summary: &String| summary.contains(&std::format!("\"{happened}\": "));
        assert!(summaries.iter().any(did), "no {happened} in {seeds} seeds");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(7), run(7));
}
