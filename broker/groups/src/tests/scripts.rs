//! Golden scripts: what is asked of a coordinator, and what it says.
//!
//! A file of `tests/scripts` is named by what it shows and begins with a comment. Its blocks are
//! commands, a line `---`, and what came of them; `UPDATE_GOLDENFILES=1` writes that anew. After
//! every command it is checked that a replay of the records gives what is there.

mod commands;
mod print;

use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use self::commands::World;

fn files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/scripts/golden");
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.collect();
    files.sort();
    files
}

/// Runs a script; gives it with what came of its commands.
fn run(text: &str) -> String {
    let mut world = World::default();
    let mut out = String::new();
    let mut is_output = false;
    for line in text.lines() {
        if line.is_empty() {
            if !world.output.is_empty() {
                out.push_str("---\n");
                out.push_str(&std::mem::take(&mut world.output));
            }
            is_output = false;
            out.push('\n');
        } else if line == "---" {
            is_output = true;
        } else if !is_output {
            out.push_str(line);
            out.push('\n');
            if !line.starts_with('#') {
                world.run(line);
            }
        }
    }
    if !world.output.is_empty() {
        out.push_str("---\n");
        out.push_str(&world.output);
    }
    out
}

#[test]
#[expect(clippy::print_stderr, reason = "a script that differs is shown")]
fn scripts_say_what_happens() {
    let is_updating = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut differing = Vec::new();
    let files = files();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{}: the first line is a comment", file.display());
        let result = run(&text);
        if is_updating {
            std::fs::write(&file, &result).unwrap();
        } else if result != text {
            std::eprintln!("{} gives:\n{result}", file.display());
            differing.push(file);
        }
    }
    assert!(differing.is_empty(), "UPDATE_GOLDENFILES=1 writes them anew: {differing:?}");
}
