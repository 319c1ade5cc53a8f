//! Golden scripts: what happens to the replicas of a group, and what comes of it.
//!
//! A file of `scripts/golden` is named by what it shows and begins with a comment. A line is a
//! command; the indented lines below it are what came of it, and `UPDATE_GOLDENFILES=1` writes
//! them anew. After every step everything that must always hold is looked at, and a violation
//! fails the script.
//!
//! The stories for which the design has rules, and where they are told:
//!
//! | story | told by |
//! | --- | --- |
//! | Figure 8 of the paper, with voters in place of a record | `figure_8_with_voters…` |
//! | a crash at each point of a write | `…not_durable…`, `…barrier`; files: storage |
//! | cut, append, crash: what was cut stays away | `a_cut_survives_a_restart`; bytes: storage |
//! | two cuts at one offset under a reader | storage |
//! | the new side of a change dies | `a_change_whose_new_side_died_is_taken_back` |
//! | all old voters come back after a change | `the_old_voters_can_not_elect_after_the_change` |
//! | late acknowledgements of a replica's first life | `acknowledgements_of_an_earlier_life…` |
//! | a topic deleted and made again; an image older than it | partition: bootstrap |
//! | `write.caching`, all machines lose power | `three_machines_without_power…` |
//! | `write.caching`, all processes are killed | `a_kill_loses_nothing_with_caching` |
//! | a broker restarts unnoticed, is heard in one direction, stands still | pairs, simulation |
//! | a flush fails, and the page cache has what the disk lacks | storage |

mod commands;
mod print;
mod stage;

use std::borrow::ToOwned as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use self::commands::Script;
use super::check::say;
use crate::mutant::Mutant;

/// How a line of output begins that tells of a violation.
const VIOLATION: &str = "! ";
/// How far output is indented.
const INDENT: &str = "    ";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/scripts/golden")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.collect();
    files.sort();
    files
}

/// Whether scripts are written anew.
pub(crate) fn is_updating() -> bool {
    std::env::var_os("UPDATE_GOLDENFILES").is_some()
}

/// Runs a script; gives it with what came of its commands.
fn run(text: &str, mutant: Option<Mutant>) -> String {
    let mut script = Script::new(mutant);
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with(INDENT)) {
        out.push_str(line);
        out.push('\n');
        if line.is_empty() || line.starts_with('#') || script.is_over {
            continue;
        }
        for said in script.run(line) {
            out.push_str(&format!("{INDENT}{said}\n"));
        }
    }
    out
}

fn is_violated(output: &str) -> bool {
    output.lines().any(|line| line.trim_start().starts_with(VIOLATION))
}

/// What shows that a fault is built in, when a script runs with it: a violation, a panic, or the
/// first line of output that differs.
pub(crate) fn difference(name: &str, mutant: Mutant) -> Option<String> {
    let file = folder().join(name).with_extension("txt");
    let golden = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let attempt = AssertUnwindSafe(|| run(&golden, Some(mutant)));
    let Ok(output) = catch_unwind(attempt) else { return Some("a panic".to_owned()) };
    let violation = output.lines().find(|line| line.trim_start().starts_with(VIOLATION));
    let mut lines = output.lines().zip(golden.lines());
    let other = lines.find(|(is, was)| is != was).map(|(is, _)| is);
    violation.or(other).map(|line| line.trim_start().to_owned())
}

#[test]
fn scripts_say_what_happens() {
    let is_updating = is_updating();
    let mut differing = vec![];
    let files = files();
    assert!(files.len() >= 60, "only {} scripts", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{}: the first line is a comment", file.display());
        let result = run(&text, None);
        if is_updating {
            std::fs::write(&file, &result).unwrap();
        }
        if is_violated(&result) || (result != text && !is_updating) {
            say(&format!("{} gives:\n{result}", file.display()));
            differing.push(file);
        }
    }
    assert!(differing.is_empty(), "UPDATE_GOLDENFILES=1 writes them anew: {differing:?}");
}
