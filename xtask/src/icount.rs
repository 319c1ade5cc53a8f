//! Instruction counts of the benchmarks, by callgrind.
//!
//! A case is run 2 and 12 times; a tenth of the difference is one run, without the program's
//! start. The counts don't depend on what else the machine does, so a change of a few percent is
//! the code's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::process::{command, output};

/// Whether to write counts or to compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write the counts.
    Record,
    /// Compare with the counts that were written.
    Compare,
}

/// The file with the stored counts.
const STORED: &str = "benches/icount/counts.txt";
/// How many percent more or less than stored are an error.
const TOLERANCE_PERCENT: u64 = 5;

const RUNS: [u64; 2] = [2, 12];

/// Begins the line that says on what kind of processor the counts were made.
const FEATURES: &str = "# processor: ";

/// The instruction sets by which libraries choose their code at run time.
fn features() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has = |name: &&str| flags.split_whitespace().any(|flag| flag == *name);
    let known = ["sse4_2", "pclmulqdq", "avx2", "bmi2", "erms", "avx512vl", "vpclmulqdq"];
    known.into_iter().filter(|name| has(name)).collect::<Vec<_>>().join(" ")
}

/// Counts every case. Says so and does nothing where there is no valgrind.
///
/// # Errors
/// A case that takes more instructions than stored, or a tool that failed.
pub fn run(root: &Path, mode: Mode) -> Result<(), String> {
    if output(&mut command(root, "valgrind", &["--version"])).is_err() {
        println!("SKIPPED: instruction counts, because there is no valgrind");
        return Ok(());
    }
    let arguments = ["build", "--release", "--locked", "-p", "logboom-benches", "--bin", "icount"];
    output(&mut command(root, "cargo", &arguments))?;
    let program = target_dir(root).join("release/icount");
    let program = program.to_string_lossy();
    let (names, _) = output(&mut command(root, &program, &[]))?;
    let mut counts = BTreeMap::new();
    for name in names.lines() {
        let few = instructions(root, &program, name, RUNS[0])?;
        let many = instructions(root, &program, name, RUNS[1])?;
        counts.insert(name.to_owned(), many.saturating_sub(few) / (RUNS[1] - RUNS[0]));
    }
    match mode {
        Mode::Record => record(root, &counts),
        Mode::Compare => compare(root, &counts),
    }
}

fn target_dir(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

fn instructions(root: &Path, program: &str, name: &str, runs: u64) -> Result<u64, String> {
    let runs = runs.to_string();
    let arguments = ["--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, &runs];
    let (_, report) = output(&mut command(root, "valgrind", &arguments))?;
    let count =
        report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("callgrind printed no count for {name}:\n{report}"))
}

fn record(root: &Path, counts: &BTreeMap<String, u64>) -> Result<(), String> {
    let mut text =
        String::from("# Instructions of one run; written by `cargo xtask icount --record`.\n");
    let _ = writeln!(text, "{FEATURES}{}", features());
    for (name, count) in counts {
        let _ = writeln!(text, "{name} {count}");
    }
    print!("{text}");
    fs::write(root.join(STORED), text).map_err(|e| format!("{STORED}: {e}"))
}

fn compare(root: &Path, counts: &BTreeMap<String, u64>) -> Result<(), String> {
    let text = fs::read_to_string(root.join(STORED)).map_err(|e| format!("{STORED}: {e}"))?;
    let recorded = text.lines().find_map(|line| line.strip_prefix(FEATURES)).unwrap_or("");
    if recorded != features() {
        println!(
            "SKIPPED: instruction counts, because this processor has [{}] and the counts were \
             made with [{recorded}]",
            features()
        );
        return Ok(());
    }
    let stored: BTreeMap<&str, u64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, count)| Some((name, count.parse().ok()?)))
        .collect();
    let mut worse = Vec::new();
    for (name, &count) in counts {
        let Some(&before) = stored.get(name.as_str()) else {
            worse.push(format!("{name}: no stored count"));
            continue;
        };
        let change = (count as f64 / before.max(1) as f64 - 1.0) * 100.0;
        println!("{name:<36} {count:>10} {change:>+6.1} %");
        if count.abs_diff(before) > before * TOLERANCE_PERCENT / 100 {
            worse.push(format!("{name}: {count} instructions, {before} stored"));
        }
    }
    let gone = stored.keys().filter(|name| !counts.contains_key(**name));
    worse.extend(gone.map(|name| format!("{name}: stored, but there is no such case")));
    if worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {TOLERANCE_PERCENT} % away from {STORED}; if that is meant, \
         run `cargo xtask icount --record`:\n  {}",
        worse.join("\n  ")
    ))
}
