//! What CI runs, in its order, each step with its minutes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Instant;

use crate::generate::{self, Mode};
use crate::process::{command, run as execute};
use crate::{icount, tidy};

type Step = (&'static str, fn(&Path) -> Result<(), String>);

const CHECKS: &[Step] = &[
    ("format", |root| execute(&mut command(root, "cargo", &["fmt", "--check"]))),
    // Its lints and tests need librdkafka, which takes more than a C compiler to build.
    ("format of benches/compare and benches/clients", |root| {
        ["benches/compare/Cargo.toml", "benches/clients/Cargo.toml"].into_iter().try_for_each(
            |manifest| {
                let arguments = ["fmt", "--check", "--manifest-path", manifest];
                execute(&mut command(root, "cargo", &arguments))
            },
        )
    }),
    ("tidy", tidy::run),
    ("generate --check", |root| generate::run(root, Mode::Check)),
    ("clippy", |root| {
        let arguments =
            ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        execute(&mut command(root, "cargo", &arguments))
    }),
    ("features", features),
    ("doc", |root| {
        let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
        execute(command(root, "cargo", &arguments).env("RUSTDOCFLAGS", "-D warnings"))
    }),
];

/// Tests that take all that a machine has, and say nothing of one that others starve: one after the
/// other, when all the others are over.
const ALONE: [&str; 4] =
    ["balancing::five", "faults::nor_where", "faults::whatever_goes_wrong", "tour::cluster"];

const TESTS: &[Step] = &[
    ("test", |root| test(root, None)),
    ("test alone", |root| {
        let arguments = ["test", "--locked", "-p", "logboom-tests", "--test", "it", "--"];
        let arguments = [&arguments[..], &ALONE, &["--test-threads=1"]].concat();
        execute(&mut command(root, "cargo", &arguments))
    }),
    ("example", |root| {
        let arguments = ["run", "-p", "logboom-raft", "--example", "counter", "--locked"];
        execute(&mut command(root, "cargo", &arguments))
    }),
    ("benchmarks run", |root| {
        execute(&mut command(root, "cargo", &["bench", "-p", "logboom-benches", "--", "--test"]))
    }),
    ("instruction counts", |root| icount::run(root, icount::Mode::Compare)),
];

/// The crates of clients with none of their features, and with each by itself: what only another
/// one needs is noticed.
fn features(root: &Path) -> Result<(), String> {
    let crates = ["logboom-protocol", "logboom-client", "logboom-producer", "logboom-consumer"];
    for feature in ["", "gzip", "lz4", "snappy", "zstd", "scram", "tls"] {
        let named = format!("logboom-producer/{feature},logboom-consumer/{feature}");
        let mut arguments = vec!["clippy", "--no-default-features", "--locked"];
        arguments.extend(crates.iter().flat_map(|name| ["-p", name]));
        if !feature.is_empty() {
            arguments.extend(["--features", &named]);
        }
        arguments.extend(["--", "-D", "warnings"]);
        execute(&mut command(root, "cargo", &arguments))?;
    }
    Ok(())
}

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
/// Without a filter those are left out that run alone, and it also fails when a crate of the
/// workspace ran no test at all.
///
/// # Errors
/// A test that failed, or a crate that was not tested.
pub fn test(root: &Path, filter: Option<&str>) -> Result<(), String> {
    let mut arguments = vec!["test", "--workspace", "--locked", "--no-fail-fast"];
    match filter {
        Some(filter) => arguments.push(filter),
        None => {
            arguments.extend(["--"].into_iter().chain(ALONE.iter().flat_map(|it| ["--skip", it])))
        }
    }
    // Cargo names the binaries on stderr and they print on stdout; one pipe keeps the order.
    let (reader, writer) = std::io::pipe().map_err(|e| format!("cargo test: {e}"))?;
    let mut cargo = command(root, "cargo", &arguments);
    cargo.stderr(writer.try_clone().map_err(|e| format!("cargo test: {e}"))?).stdout(writer);
    let mut child = cargo.spawn().map_err(|e| format!("cargo test: {e}"))?;
    // The command holds the writing ends; without it the pipe ends with the child.
    drop(cargo);
    let mut counts = Counts::default();
    for line in BufReader::new(reader).lines() {
        let line = line.map_err(|e| format!("cargo test: {e}"))?;
        println!("{line}");
        counts.note(&line);
    }
    let status = child.wait().map_err(|e| format!("cargo test: {e}"))?;
    if !status.success() {
        return Err(format!("cargo test: {status}"));
    }
    let total: usize = counts.passed.values().sum();
    println!("\n{total} tests passed in {} crates", counts.passed.len());
    let untested = |name: &String| counts.passed.get(name).is_none_or(|passed| *passed == 0);
    let names = tidy::manifests(root)?.into_iter().map(|manifest| manifest.name);
    let untested: Vec<String> = names.filter(untested).collect();
    if filter.is_none() && !untested.is_empty() {
        return Err(format!("no test ran in {}", untested.join(", ")));
    }
    Ok(())
}

/// How many tests passed, by the crate that they belong to.
#[derive(Debug, Default)]
struct Counts {
    passed: BTreeMap<String, usize>,
    /// The crate of the binary that runs.
    running: String,
}

impl Counts {
    /// Takes notice of a line of cargo's output.
    fn note(&mut self, line: &str) {
        if let Some(path) = line.trim_start().strip_prefix("Running ") {
            // `unittests src/lib.rs (target/debug/deps/logboom_units-4b95919752d1c109)`
            let file = path.rsplit('/').next().unwrap_or_default();
            let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
            // The integration binary is the only one not named for its crate.
            self.running = match name {
                "it" => "logboom-tests".to_owned(),
                name => name.replace('_', "-"),
            };
        } else if let Some(passed) = passed_tests(line) {
            *self.passed.entry(self.running.clone()).or_default() += passed;
        }
    }
}

/// The count in a line like `test result: ok. 43 passed; …`.
fn passed_tests(line: &str) -> Option<usize> {
    line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn tests_are_counted_for_the_crate_that_ran_them() {
        let mut counts = Counts::default();
        for line in [
            "     Running unittests src/lib.rs (target/debug/deps/logboom_units-4b95919752d1c109)",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "     Running unittests src/main.rs (target/debug/deps/logboom-0123456789abcdef)",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "     Running it/main.rs (target/debug/deps/it-0123456789abcdef)",
            "test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            counts.note(line);
        }
        let counts: Vec<(&str, usize)> =
            counts.passed.iter().map(|(name, passed)| (name.as_str(), *passed)).collect();
        assert_eq!(counts, [("logboom", 0), ("logboom-tests", 40), ("logboom-units", 4)]);
    }
}
