//! A file system without a free byte: a real one, small, in a mount namespace of its own.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::load::Line;

use super::process::{PROGRAM, lines};
use super::promises::Promises;

/// A file system of 64 MiB.
#[derive(Debug, Clone, Copy)]
enum FileSystem {
    Tmpfs,
    Ext4,
}

/// How the script ends where the file system can't be had.
const NOT_MOUNTED: i32 = 77;

impl FileSystem {
    /// Mounts it at `$1/disk`; it goes with the last process of the namespace.
    fn mount(self) -> &'static str {
        match self {
            Self::Tmpfs => "mount -t tmpfs -o size=64m tmpfs \"$1/disk\"",
            Self::Ext4 => {
                "truncate -s 64M \"$1/image\" && mkfs.ext4 -q \"$1/image\" \
                 && mount -o loop \"$1/image\" \"$1/disk\""
            }
        }
    }
}

/// Each step's exit code and lines, and what all of them said on standard error.
type Steps = (Vec<(i32, Vec<Line>)>, String);

/// Runs the program once for each of `steps` on the file system.
fn run(file_system: FileSystem, name: &str, steps: &[&str]) -> Result<Steps, String> {
    if Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() != 0) {
        return Err("only root may mount a file system".to_owned());
    }
    let root = scratch(name);
    std::fs::create_dir(root.join("disk")).unwrap();
    let mut script = format!("{} || exit {NOT_MOUNTED}\n", file_system.mount());
    for step in steps {
        let (command, options) = step.split_once(' ').unwrap_or((step, ""));
        script += &format!("\"$2\" {command} \"$1/disk/data\" {options}; echo \"exit $?\"\n");
    }
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script, "sh"])
        .arg(&root)
        .arg(PROGRAM)
        .output()
        .map_err(|error| format!("there is no unshare: {error}"))?;
    std::fs::remove_dir_all(root).unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let code = output.status.code().unwrap_or(-1);
    // `unshare` itself ends with 1 where it may not.
    if code == NOT_MOUNTED || stdout.is_empty() {
        return Err(format!("{file_system:?} can't be mounted: {}", stderr.trim()));
    }
    let mut results = Vec::new();
    let mut rest = &stdout[..];
    while let Some((printed, behind)) = rest.split_once("exit ") {
        let (code, behind) = behind.split_once('\n').unwrap();
        results.push((code.parse().unwrap(), lines(printed)));
        rest = behind;
    }
    Ok((results, stderr))
}

/// Every partition met the full disk, and all that it took until then was read back.
fn check_full(lines: &[Line]) {
    for partition in 0..4 {
        let ends = lines.iter().filter_map(|line| match line {
            Line::Full(of, end) if *of == partition => Some(*end),
            _ => None,
        });
        let end = ends.max().unwrap_or_else(|| panic!("{partition} never met a full disk"));
        let held = lines.iter().any(
            |line| matches!(line, Line::Held(of, span) if *of == partition && span.end == end),
        );
        assert!(held, "{partition} is read up to {end}: {lines:?}");
    }
}

fn fill_and_go_on(file_system: FileSystem, name: &str) {
    let steps = ["fill --life=1", "check", "fill --life=2", "check"];
    let what = format!("the storage on a full {file_system:?}");
    let Some((results, stderr)) = or_skip(&what, run(file_system, name, &steps)) else { return };
    let mut promises = Promises::default();
    for ((code, lines), step) in results.iter().zip(steps) {
        assert_eq!(*code, 0, "{step}: {stderr}");
        if step == "check" {
            promises.check(lines);
        } else {
            check_full(lines);
            promises.note(lines);
        }
    }
    assert!(promises.acked_count() > 1000, "{promises:?}");
}

#[test]
fn a_full_tmpfs_refuses_appends_and_nothing_else_until_there_is_room() {
    fill_and_go_on(FileSystem::Tmpfs, "full-tmpfs");
}

#[test]
fn a_full_ext4_refuses_appends_and_nothing_else_until_there_is_room() {
    fill_and_go_on(FileSystem::Ext4, "full-ext4");
}

/// Starts on the full disk, after a kill there; and goes on when there is room.
fn start_full(file_system: FileSystem, name: &str) {
    let steps = ["fill --life=1 --stay-full=1", "check", "fill --life=2", "check"];
    let what = format!("a start on a full {file_system:?}");
    let Some((results, stderr)) = or_skip(&what, run(file_system, name, &steps)) else { return };
    let mut promises = Promises::default();
    for ((code, lines), step) in results.iter().zip(steps) {
        assert_eq!(*code, 0, "{step}: {stderr}");
        if step == "check" {
            promises.check(lines);
        } else {
            promises.note(lines);
        }
    }
    assert!(promises.acked_count() > 1000, "{promises:?}");
}

#[test]
fn a_full_tmpfs_is_started_on() {
    start_full(FileSystem::Tmpfs, "start-full-tmpfs");
}

#[test]
fn a_full_ext4_is_started_on() {
    start_full(FileSystem::Ext4, "start-full-ext4");
}
