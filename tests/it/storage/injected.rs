//! Calls that the kernel fails, or is slow with: strace puts the error in the process's way.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::load::Line;

use super::process::{Output, PROGRAM, Running, command, finish, succeed};
use super::promises::Promises;

/// Whether calls can be failed here.
pub(crate) fn strace() -> Result<(), String> {
    let output = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    let output = output.map_err(|error| format!("there is no strace: {error}"))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("strace may not trace: {}", said())) }
}

/// A call of `storage-load load` in which `inject` happens to `calls`.
fn traced(calls: &str, inject: &str, record: &Path, dir: &Path, options: &[&str]) -> Command {
    let mut strace = Command::new("strace");
    // `-D`: the child is the program and not strace, so that a kill hits the program.
    strace.args(["-D", "-f", "-y", "-qq", "-o"]).arg(record);
    strace.args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:{inject}")]);
    strace.args([PROGRAM, "load"]).arg(dir).args(options);
    strace
}

/// The files to which an injected failure happened; indexes apart, which are made again.
fn injected(record: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(record).unwrap();
    let mut last: HashMap<&str, &str> = HashMap::new();
    let mut files = Vec::new();
    for line in text.lines() {
        // `PID fdatasync(5</data/file>) = -1 EIO (Input/output error) (INJECTED)`, or its end in a
        // line of its own, `PID <... fdatasync resumed>) = …`.
        let (thread, call) = line.trim_start().split_once(' ').unwrap();
        let path = call.split_once("</").and_then(|(_, rest)| rest.split_once('>'));
        path.map(|(path, _)| last.insert(thread, path));
        if line.ends_with("(INJECTED)") && !last[thread].ends_with(".index") {
            files.push(format!("/{}", last[thread]));
        }
    }
    files
}

/// Fails a call in one run after the other over the same directory, each followed by a start
/// without failures; the files that were hit.
fn fail_each(name: &str, calls: &str, error: &str, at: &[u32]) -> Vec<String> {
    let root = scratch(name);
    let (record, data) = (root.join("strace"), root.join("data"));
    let mut promises = Promises::default();
    let mut hit = Vec::new();
    for (life, when) in (1..).zip(at) {
        let life = format!("--life={life}");
        let options = ["--batches=30", "--batch-bytes=200000", &life, "--partitions=3"];
        let inject = format!("error={error}:when={when}");
        let output = finish(&mut traced(calls, &inject, &record, &data, &options));
        let files = injected(&record);
        let place = format!("{calls} {when} failed at {files:?}");
        judge(&output, &files, error, &place);
        promises.note(&output.lines);
        promises.check(&succeed(&mut command("check", &data, &["--partitions=3"])));
        hit.extend(files);
    }
    assert!(promises.acked_count() > 0, "something was acknowledged");
    std::fs::remove_dir_all(root).unwrap();
    hit
}

/// The run said what became of it.
fn judge(output: &Output, files: &[String], error: &str, place: &str) {
    let said = match output.code {
        // Just what is needed is reserved then, or the append is refused and tried again.
        0 if error == "ENOSPC" => return,
        0 => return assert_eq!(files, [""; 0], "{place} and nobody noticed"),
        2 => &output.stderr,
        3 => match output.lines.iter().find(|line| matches!(line, Line::Failed(_))) {
            Some(Line::Failed(why)) => why,
            _ => panic!("{place}: {output:?}"),
        },
        code => panic!("{place}, {code}: {output:?}"),
    };
    assert!(files.iter().any(|file| said.contains(file.as_str())), "{place}: {said}");
}

fn is_segment(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "log")
}

/// Segments were hit and state files were.
fn assert_both(hit: &[String]) {
    let segments = hit.iter().any(|path| is_segment(path));
    assert!(segments && hit.iter().any(|path| is_state(path)), "{hit:?}");
}

fn is_state(path: &str) -> bool {
    path.contains("/state/state")
}

#[test]
fn a_failed_flush_is_the_last_thing_that_happens_to_a_directory() {
    let what = "the storage under failing flushes";
    if or_skip(what, strace()).is_none() {
        return;
    }
    let hit = fail_each("eio-flush", "fdatasync", "EIO", &[40, 1, 2, 3, 4, 5, 7, 10, 15]);
    assert_both(&hit);
    let hit = fail_each("eio-names", "fsync", "EIO", &[40, 1, 2, 3, 4, 5]);
    assert!(hit.len() > 3, "{hit:?}");
}

#[test]
fn a_failed_write_is_the_last_thing_that_happens_to_a_directory() {
    let what = "the storage under failing writes";
    if or_skip(what, strace()).is_none() {
        return;
    }
    let hit = fail_each("eio-write", "pwritev", "EIO", &[100, 1, 2, 3, 4, 6, 9, 14, 21]);
    assert_both(&hit);
}

#[test]
fn a_reservation_that_fails_for_want_of_space_is_tried_again() {
    let what = "the storage under failing reservations";
    if or_skip(what, strace()).is_none() {
        return;
    }
    let hit = fail_each("enospc", "fallocate", "ENOSPC", &[40, 1, 2, 3, 4, 5, 8, 11]);
    assert!(hit.iter().any(|path| is_segment(path)), "{hit:?}");
}

#[test]
fn a_slow_disk_delays_acknowledgements_and_a_kill_meanwhile_loses_none() {
    let what = "the storage on a slow disk";
    if or_skip(what, strace()).is_none() {
        return;
    }
    let root = scratch("slow");
    let (record, data) = (root.join("strace"), root.join("data"));
    let mut promises = Promises::default();
    // At least one, so that the program has begun and is traced.
    for (life, wanted) in [(1, 1), (2, 7), (3, 20)] {
        let life = format!("--life={life}");
        let options = ["--batch-bytes=200000", &life];
        let delay = "delay_enter=2000";
        let mut running =
            Running::start(&mut traced("fdatasync,pwritev", delay, &record, &data, &options));
        let read: Vec<Line> = (0..wanted).map_while(|_| running.line()).collect();
        let more = running.kill();
        promises.note(read.iter().chain(&more));
        promises.check(&succeed(&mut command("check", &data, &[])));
    }
    std::fs::remove_dir_all(root).unwrap();
}
