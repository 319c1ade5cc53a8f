//! What CI runs, in its order, each step with its minutes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::generate::{self, Mode};
use crate::process::{command, run as execute};
use crate::{icount, tidy};

type Step = (&'static str, fn(&Path) -> Result<(), String>);

const CHECKS: &[Step] = &[
    ("format", |root| execute(&mut command(root, "cargo", &["fmt", "--check"]))),
    ("tidy", tidy::run),
    ("generate --check", |root| generate::run(root, Mode::Check)),
    ("clippy", |root| {
        let arguments =
            ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        execute(&mut command(root, "cargo", &arguments))
    }),
    ("features", |root| {
        let arguments = [
            "clippy",
            "-p",
            "logboom-protocol",
            "--no-default-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        execute(&mut command(root, "cargo", &arguments))
    }),
    ("doc", |root| {
        let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
        execute(command(root, "cargo", &arguments).env("RUSTDOCFLAGS", "-D warnings"))
    }),
];

const TESTS: &[Step] = &[
    ("test", |root| test(root, None)),
    ("benchmarks run", |root| {
        execute(&mut command(root, "cargo", &["bench", "-p", "logboom-benches", "--", "--test"]))
    }),
    ("instruction counts", |root| icount::run(root, icount::Mode::Compare)),
];

/// Formatting, tidy rules, generated code, lints and documentation.
///
/// # Errors
/// The first step that failed.
pub fn check(root: &Path) -> Result<(), String> {
    steps(root, CHECKS.iter())
}

/// Everything that CI runs.
///
/// # Errors
/// The first step that failed.
pub fn run(root: &Path) -> Result<(), String> {
    steps(root, CHECKS.iter().chain(TESTS))
}

fn steps<'a>(root: &Path, steps: impl Iterator<Item = &'a Step>) -> Result<(), String> {
    let mut table = String::new();
    let start = Instant::now();
    for (name, step) in steps {
        println!("\n== {name}");
        let begun = Instant::now();
        step(root).map_err(|error| format!("{name}: {error}"))?;
        table += &format!("{:>6.1}  {name}\n", begun.elapsed().as_secs_f64() / 60.0);
    }
    println!("\nminutes\n{table}{:>6.1}  in all", start.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// All tests of the workspace in their small sizes, or those whose name contains `filter`.
///
/// Without a filter it also fails when a crate of the workspace ran no test at all.
///
/// # Errors
/// A test that failed, or a crate that was not tested.
pub fn test(root: &Path, filter: Option<&str>) -> Result<(), String> {
    let mut arguments = vec!["test", "--workspace", "--locked"];
    arguments.extend(filter);
    let mut child = command(root, "cargo", &arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cargo test: {e}"))?;
    let stdout = child.stdout.take().ok_or("cargo test: no stdout")?;
    let mut binaries = 0;
    let mut passed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| format!("cargo test: {e}"))?;
        println!("{line}");
        if let Some(count) = passed_tests(&line) {
            binaries += usize::from(count > 0);
            passed += count;
        }
    }
    let status = child.wait().map_err(|e| format!("cargo test: {e}"))?;
    if !status.success() {
        return Err(format!("cargo test: {status}"));
    }
    println!("\n{passed} tests passed in {binaries} binaries");
    let crates = tidy::manifests(root)?.len();
    if filter.is_none() && binaries < crates {
        return Err(format!("{crates} crates, but only {binaries} test binaries ran a test"));
    }
    Ok(())
}

/// The count in a line like `test result: ok. 43 passed; …`.
fn passed_tests(line: &str) -> Option<usize> {
    line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse().ok()
}
