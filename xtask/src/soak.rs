//! The large size of every suite. What a run showed is written into `docs/verification.md` by hand.

use std::path::Path;
use std::time::Instant;

use crate::process::{command, run as execute};

/// Executions of each fuzz target.
const FUZZ_RUNS: u64 = 10_000_000;
/// Random messages for each API, version and direction.
const ORACLE_ROUNDS: u64 = 10_000;

type Suite = (&'static str, fn(&Path) -> Result<(), String>);

const SUITES: &[Suite] = &[("oracle", oracle), ("fuzz", fuzz)];

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
