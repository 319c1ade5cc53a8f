//! Brokers with a fault built in, each of which the fault suite has to notice.
//!
//! Faults are names of `cfg(logboom_fault)`, which the workspace's `Cargo.toml` lists: who builds a
//! broker otherwise has none of them. Only the workspace's own crates are compiled with one, by a
//! wrapper of the compiler that is named for it, so that Cargo keeps what comes of it apart.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{integration, unset};
use crate::process::{command, run as execute};

const FAULTS: &[(&str, &str)] = &[
    ("acknowledge_early", "a batch is acknowledged as soon as its leader has it"),
    ("read_beyond", "reads go beyond the high watermark"),
    ("append_again", "a batch that is sent again is appended again"),
];
/// For how long rounds follow each other until a fault counts as one that isn't noticed.
const SIZES: &[(&str, u64)] = &[("LOGBOOM_FAULTS_SECONDS", 600)];
/// Under the root.
const TARGET: &str = "target/built-in";

/// Builds each in, and goes on when it was noticed.
pub(super) fn run(root: &Path) -> Result<(), String> {
    // What clients of the suite run is the binary as it should be.
    execute(&mut command(root, "cargo", &["build", "--locked", "-p", "logboom"]))?;
    for (fault, what) in FAULTS {
        let program = build(root, fault)?;
        println!("{fault}: {what}");
        let noticed = suite(root, &program).map_err(|error| format!("{fault}: {error}"))?;
        println!("{fault}: noticed {noticed}");
    }
    Ok(())
}

/// The broker with a fault.
fn build(root: &Path, fault: &str) -> Result<PathBuf, String> {
    let dir = root.join(TARGET).join(fault);
    let (wrapper, program) = (dir.join("rustc"), dir.join("logboom"));
    let said = |error: std::io::Error| format!("{}: {error}", dir.display());
    fs::create_dir_all(&dir).map_err(said)?;
    let script = format!("#!/bin/sh\nexec \"$@\" --cfg 'logboom_fault=\"{fault}\"'\n");
    fs::write(&wrapper, script).map_err(said)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).map_err(said)?;
    let arguments = ["build", "--locked", "-p", "logboom", "--target-dir", TARGET];
    execute(command(root, "cargo", &arguments).env("RUSTC_WORKSPACE_WRAPPER", &wrapper))?;
    fs::copy(root.join(TARGET).join("debug/logboom"), &program).map_err(said)?;
    Ok(program)
}

/// What the suite says is wrong with a broker, in which round, and how long after the first began.
fn suite(root: &Path, program: &Path) -> Result<String, String> {
    let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
    let mut cargo = command(root, "cargo", &integration("faults::whatever_goes_wrong"));
    cargo.env("LOGBOOM_FAULTS_PROGRAM", program).envs(unset(SIZES));
    cargo.stderr(writer.try_clone().map_err(|error| error.to_string())?).stdout(writer);
    let mut child = cargo.spawn().map_err(|error| error.to_string())?;
    // It holds the writing ends; without it the pipe ends with the child.
    drop(cargo);
    let (mut begun, mut seed) = (None, None);
    let (mut noticed, mut all) = (None, String::new());
    for line in BufReader::new(reader).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some((_, rest)) = line.split_once(" begins with seed ") {
            begun = begun.or_else(|| Some(Instant::now()));
            seed = Some(rest.to_owned());
        }
        if noticed.is_none() && is_judgement(&line) {
            let seconds = begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
            noticed = Some(format!("after {seconds:.0} s: {line}"));
        }
        all += &format!("{line}\n");
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match (status.success(), seed, noticed) {
        (true, ..) => Err("not noticed".to_owned()),
        (false, Some(seed), Some(noticed)) => Ok(format!("with seed {seed}, {noticed}")),
        (false, ..) => Err(format!("not judged, but something else has failed:\n{all}")),
    }
}

/// Whether a line of the suite's says that something is that must not be, and not that it couldn't
/// be looked for.
fn is_judgement(line: &str) -> bool {
    let judges = ["faults.rs", "faults/readers.rs", "faults/replicas.rs", "cluster.rs"];
    let is_one = |file: &str| line.contains(&format!("panicked at tests/it/{file}"));
    line.contains("BROKEN ") || judges.into_iter().any(is_one)
}
