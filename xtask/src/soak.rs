//! The large size of every suite. What a run showed is written into `docs/verification.md` by hand.

mod built_in;

use std::path::Path;
use std::time::Instant;

use crate::process::{command, run as execute};

/// Executions of each fuzz target.
const FUZZ_RUNS: u64 = 10_000_000;
/// Kills of a broker under load.
const BROKER_KILLS: u64 = 100;
/// For how long everything goes wrong around a cluster, how often clients tour one, and between
/// which kills.
const FAULTS_SIZES: &[(&str, u64)] =
    &[("LOGBOOM_FAULTS_SECONDS", 7_200), ("LOGBOOM_TOURS", 10), ("LOGBOOM_TOUR_KILLS_MS", 20_000)];
/// Seeds of the simulation of clusters.
const CLUSTER_SEEDS: u64 = 10_000;
/// Small clusters that a solver places as well as they can be.
const BALANCE_INSTANCES: u64 = 20;
/// Seeds of the simulation of consumer groups.
const GROUP_SEEDS: u64 = 2_000;
/// The sizes of the consensus: that large worlds are exhausted too; seeds of the simulation, the
/// events of each, that there are hundreds of groups now and then, and seeds for each fault that is
/// built in.
const RAFT_SIZES: &[(&str, u64)] = &[
    ("RAFT_CHECK", 1),
    ("RAFT_SIM_SEEDS", 500),
    ("RAFT_SIM_STEPS", 200_000),
    ("RAFT_SIM_LARGE", 1),
    ("RAFT_SIM_MUTANT_SEEDS", 500),
];
/// Random messages for each API, version and direction.
const ORACLE_ROUNDS: u64 = 10_000;
/// The sizes of the storage's tests: random runs against a list, disks as a power cut may leave
/// them after each call, processes that are killed, bytes that are flipped, and of how many.
const STORAGE_SIZES: &[(&str, u64)] = &[
    ("LOGBOOM_MODEL_RUNS", 20_000),
    ("LOGBOOM_CLEAN_RUNS", 5_000),
    ("LOGBOOM_POWER_SUBSETS", 1_000),
    ("LOGBOOM_KILL_ROUNDS", 200),
    ("LOGBOOM_FLIPS", 1_000),
    ("LOGBOOM_FLIPS_BYTES", 1 << 30),
];

/// The sizes of the power cuts through a whole broker: runs, positions in the trace of each (all
/// there are), and disks with a random part of what wasn't flushed at each position.
const POWER_SIZES: &[(&str, u64)] = &[
    ("LOGBOOM_POWER_RUNS", 50),
    ("LOGBOOM_POWER_POSITIONS", 1_000_000),
    ("LOGBOOM_POWER_PARTS", 4),
];

type Suite = (&'static str, fn(&Path) -> Result<(), String>);

const SUITES: &[Suite] = &[
    ("oracle", oracle),
    ("fuzz", fuzz),
    ("storage", storage),
    ("broker", broker),
    ("groups", groups),
    ("clients", clients),
    ("simulation", simulation),
    ("faults", faults),
    ("built-in", built_in::run),
    ("flights", flights),
    ("raft", raft),
    ("balance", balance),
];

/// Runs all suites, or the one named.
///
/// # Errors
/// The first suite that failed, or a name that is none.
pub fn run(root: &Path, name: Option<&str>) -> Result<(), String> {
    let chosen: Vec<&Suite> =
        SUITES.iter().filter(|(suite, _)| name.is_none_or(|name| name == *suite)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no suite `{}`; there are {}",
            name.unwrap_or(""),
            names.join(", ")
        ));
    }
    for (name, suite) in chosen {
        let begun = Instant::now();
        println!("== {name}");
        suite(root).map_err(|error| format!("{name}: {error}"))?;
        println!("{name}: {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

fn oracle(root: &Path) -> Result<(), String> {
    let arguments = [
        "test",
        "--release",
        "--locked",
        "-p",
        "logboom-tests",
        "--test",
        "it",
        "--",
        "oracle",
        "jar",
        "--nocapture",
    ];
    let rounds = ORACLE_ROUNDS.to_string();
    execute(command(root, "cargo", &arguments).env("LOGBOOM_ORACLE_ROUNDS", rounds))
}

/// The storage against models, power cuts and damage, then from outside: real processes and file
/// systems. A size that is set already stays as it is. Needs root and strace for all of it.
fn storage(root: &Path) -> Result<(), String> {
    let front = ["test", "--release", "--locked"];
    for (target, filter) in [
        (&["-p", "logboom-storage", "--lib"][..], "log::tests::"),
        (&["-p", "logboom-tests", "--test", "it"][..], "storage::"),
    ] {
        let arguments = [&front[..], target, &["--", filter, "--nocapture"]].concat();
        let mut cargo = command(root, "cargo", &arguments);
        execute(cargo.envs(unset(STORAGE_SIZES)))?;
    }
    Ok(())
}

/// Those of the sizes that aren't set already.
fn unset(sizes: &'static [(&str, u64)]) -> impl Iterator<Item = (&'static str, String)> {
    let unset = sizes.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    unset.map(|(name, size)| (*name, size.to_string()))
}

/// Power cuts and kill -9 under load; a size that is set already stays as it is.
fn broker(root: &Path) -> Result<(), String> {
    let power = ["--lib", "--", "power::", "--nocapture"];
    let arguments = [&["test", "--release", "--locked", "-p", "logboom-broker"], &power[..]];
    execute(command(root, "cargo", &arguments.concat()).envs(unset(POWER_SIZES)))?;
    let mut cargo = command(root, "cargo", &integration("kills::"));
    if std::env::var_os("LOGBOOM_BROKER_KILLS").is_none() {
        cargo.env("LOGBOOM_BROKER_KILLS", BROKER_KILLS.to_string());
    }
    execute(&mut cargo)
}

/// A cluster around which everything goes wrong, and one that clients tour meanwhile. How long and
/// from which seed on (`LOGBOOM_FAULTS_SECONDS`, `LOGBOOM_FAULTS_SEED`) stays where it is set
/// already.
fn faults(root: &Path) -> Result<(), String> {
    for filter in ["faults::", "tour::cluster::"] {
        execute(command(root, "cargo", &integration(filter)).envs(unset(FAULTS_SIZES)))?;
    }
    Ok(())
}

/// Clusters on simulated disks; a number that is set already stays.
fn simulation(root: &Path) -> Result<(), String> {
    let front = ["test", "--release", "--locked", "-p", "logboom-broker", "--lib"];
    let arguments = [&front[..], &["--", "partition::sim::", "--nocapture"]].concat();
    let mut cargo = command(root, "cargo", &arguments);
    if std::env::var_os("LOGBOOM_SIM_SEEDS").is_none() {
        cargo.env("LOGBOOM_SIM_SEEDS", CLUSTER_SEEDS.to_string());
    }
    execute(&mut cargo)
}

/// Members of groups that come, go, hang and lose messages; a number that is set already stays.
fn groups(root: &Path) -> Result<(), String> {
    let front = ["test", "--release", "--locked", "-p", "logboom-groups", "--lib"];
    let arguments = [&front[..], &["--", "sim::", "--nocapture"]].concat();
    let mut cargo = command(root, "cargo", &arguments);
    if std::env::var_os("LOGBOOM_GROUPS_SEEDS").is_none() {
        cargo.env("LOGBOOM_GROUPS_SEEDS", GROUP_SEEDS.to_string());
    }
    execute(&mut cargo)
}

/// Exchanges of our own clients that a relay cuts, repeats and delays, at every byte.
fn clients(root: &Path) -> Result<(), String> {
    let front = ["test", "--release", "--locked", "-p", "logboom-producer", "--lib"];
    let arguments = [&front[..], &["--", "at_any_byte", "--nocapture"]].concat();
    for arguments in [&arguments[..], &integration("rust::cuts")] {
        execute(command(root, "cargo", arguments).env("LOGBOOM_EVERY_BYTE", "1"))?;
    }
    Ok(())
}

/// Every world within bounds, then clusters in which everything goes wrong; a size that is set
/// already stays as it is.
fn raft(root: &Path) -> Result<(), String> {
    let front = ["test", "--release", "--locked", "-p", "logboom-raft", "--lib", "--"];
    for filter in ["tests::check::", "tests::sim::"] {
        let arguments = [&front[..], &[filter, "--nocapture"]].concat();
        let mut cargo = command(root, "cargo", &arguments);
        // A search waits for memory, and less for that of large pages.
        cargo.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
        execute(cargo.envs(unset(RAFT_SIZES)))?;
    }
    Ok(())
}

/// Clusters of up to 100 brokers and 100,000 partitions, and small ones beside a solver; a number
/// that is set already stays.
fn balance(root: &Path) -> Result<(), String> {
    let front = ["test", "--release", "--locked", "-p", "logboom-balance", "--lib"];
    let arguments = [&front[..], &["--", "convergence::", "--nocapture"]].concat();
    execute(command(root, "cargo", &arguments).env("LOGBOOM_BALANCE_LARGE", "1"))?;
    let mut cargo = command(root, "cargo", &integration("balance::"));
    if std::env::var_os("LOGBOOM_BALANCE_INSTANCES").is_none() {
        cargo.env("LOGBOOM_BALANCE_INSTANCES", BALANCE_INSTANCES.to_string());
    }
    execute(&mut cargo)
}

/// All flights, published over two kills and read back by three clients.
fn flights(root: &Path) -> Result<(), String> {
    execute(command(root, "cargo", &integration("flights::")).env("LOGBOOM_FLIGHTS_FULL", "1"))
}

/// The integration tests whose names contain `filter`.
fn integration(filter: &str) -> [&str; 9] {
    let package = "logboom-tests";
    ["test", "--locked", "-p", package, "--test", "it", "--", filter, "--nocapture"]
}

/// Needs `cargo install cargo-fuzz` and a nightly toolchain.
///
/// Without a sanitizer: none of our own code is unsafe, and it runs 5 to 10 times as many inputs.
/// New inputs go into `target`, so that the committed corpora stay as small as they are.
fn fuzz(root: &Path) -> Result<(), String> {
    let dir = root.join("tests");
    let runs = format!("-runs={FUZZ_RUNS}");
    for target in fuzz_targets(&dir.join("fuzz"))? {
        let found = root.join("target/fuzz").join(&target);
        std::fs::create_dir_all(&found).map_err(|e| format!("{}: {e}", found.display()))?;
        let (found, kept) = (found.to_string_lossy(), format!("fuzz/corpus/{target}"));
        let front =
            ["+nightly", "fuzz", "run", "--sanitizer", "none", &target, &found, &kept, "--"];
        let arguments = [&front[..], &[&runs, "-max_len=4096", "-timeout=10"]].concat();
        execute(&mut command(&dir, "cargo", &arguments))?;
    }
    Ok(())
}

/// The targets are the programs of the fuzz crate.
fn fuzz_targets(dir: &Path) -> Result<Vec<String>, String> {
    let manifest = dir.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let mut targets = Vec::new();
    let mut in_bin = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_bin = line == "[[bin]]";
        } else if let Some(name) = line.strip_prefix("name = ").filter(|_| in_bin) {
            targets.push(name.trim_matches('"').to_owned());
        }
    }
    if targets.is_empty() {
        return Err(format!("{}: no fuzz target", manifest.display()));
    }
    Ok(targets)
}
