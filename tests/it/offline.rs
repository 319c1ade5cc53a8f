//! `logboom log`, as an operator runs it: the binary against real files, damaged by hand.

use std::path::{Path, PathBuf};
use std::process::Command;

use logboom_protocol::records::{
    BatchBuilder, Codec, Inflater, ProducedBatch, StampedBatch, Stamps,
};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_storage::state::GroupKey;
use logboom_storage::{DirectoryOptions, Finding, LogOptions};
use logboom_tests::foreign::scratch;
use logboom_tests::load::open;

fn key(partition: i32) -> GroupKey {
    GroupKey { topic_id: Uuid([5; 16]), partition }
}

fn batch(offset: i64) -> StampedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    let value = vec![b'v'; 10_000];
    builder.append(1_000 + offset, None, Some(&value), &[]).unwrap();
    let batch = ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap();
    let base_offset = Offset::from_wire(offset).unwrap();
    batch.stamp(&Stamps { base_offset, leader_epoch: LeaderEpoch::ZERO, log_append_time: None })
}

/// A directory with two partitions of 200 batches, killed or closed; the files of the first.
fn written(root: &Path, clean: bool) -> PathBuf {
    let options = DirectoryOptions { checkpoint_bytes: u32::MAX, ..DirectoryOptions::default() };
    let directory = open(root, options).unwrap();
    for partition in 0..2 {
        directory.create(key(partition), 0).unwrap();
        let (mut log, _) = directory.open_log(key(partition), LogOptions::default()).unwrap();
        for offset in 0..200 {
            log.append(&[batch(offset)]).unwrap();
        }
        let flushed = log.flush(Box::new(|result| result.unwrap())).unwrap();
        directory.run_flushes();
        log.on_flushed(flushed);
        if clean {
            log.close().unwrap();
        }
    }
    if clean {
        directory.close().unwrap();
    }
    root.join("partitions").join(key(0).to_string()).join("00000000000000000000-000000.log")
}

/// Runs the binary; its exit code, stdout and stderr.
fn logboom(arguments: &[&str]) -> (i32, String, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let program = program.canonicalize().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(&program)
        .args(["-p", "logboom", "--"])
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn verify_and_dump_read_a_whole_directory() {
    let root = scratch("offline-whole");
    let file = written(&root, true);
    let (code, out, err) = logboom(&["log", "verify", root.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.lines().all(|line| line.contains("offsets 0..200 in 1 segments")), "{out}");
    let (code, out, _) = logboom(&["log", "dump", file.to_str().unwrap(), "--output", "json"]);
    assert_eq!((code, out.lines().count()), (0, 200));
    let last: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["base_offset"], &last["good"]), (&199.into(), &true.into()));
}

/// Damages the first partition's file after a kill, starts, and says what was found there and
/// where the log ends; the second partition must be as it was.
fn after(name: &str, damage: impl FnOnce(&mut Vec<u8>, usize)) -> (Vec<Finding>, i64, String) {
    let root = scratch(name);
    let file = written(&root, false);
    let mut bytes = std::fs::read(&file).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    damage(&mut bytes, used);
    std::fs::write(&file, &bytes).unwrap();
    let (_, verdict, _) = logboom(&["log", "verify", root.to_str().unwrap()]);
    let options = DirectoryOptions::default();
    let directory = open(&root, options).unwrap();
    let (other, findings) = directory.open_log(key(1), LogOptions::default()).unwrap();
    assert_eq!((other.end_offset(), findings), (200, vec![]), "the other partition serves");
    let (mut log, findings) = directory.open_log(key(0), LogOptions::default()).unwrap();
    let end_offset = log.end_offset();
    log.append(&[batch(end_offset)]).expect("it goes on where it ended");
    (findings, end_offset, verdict)
}

#[test]
fn a_log_cut_short_by_10_kb_and_by_1_mb_ends_where_it_is_whole() {
    for (name, bytes, batches) in [("cut-10k", 10_000, 1), ("cut-1m", 1_000_000, 100)] {
        let (findings, end_offset, verdict) = after(name, |file, used| file.truncate(used - bytes));
        assert!(
            (200 - batches - 1..200).contains(&end_offset),
            "{name}: {end_offset}, {findings:?}"
        );
        let [Finding::TornTail { end_offset: reported, .. }] = findings[..] else {
            panic!("{name}: {findings:?}");
        };
        assert_eq!(reported, end_offset);
        assert!(verdict.contains(&format!("ends at offset {end_offset}, behind it")), "{verdict}");
    }
}

#[test]
fn a_hole_of_64_kib_is_fenced_and_what_is_behind_it_served() {
    let (findings, end_offset, verdict) = after("hole", |file, used| {
        file[used - 300_000..used - 300_000 + (64 << 10)].fill(0);
    });
    assert_eq!(end_offset, 200, "no offset is given twice");
    let [Finding::Damaged { offset, end_offset, .. }] = findings[..] else {
        panic!("{findings:?}");
    };
    assert!((160..175).contains(&offset) && end_offset - offset < 10, "{findings:?}");
    assert!(verdict.contains(&format!("damaged from offset {offset} on")), "{verdict}");
}

#[test]
fn a_flipped_byte_in_the_tail_is_fenced() {
    let (findings, end_offset, _) = after("flip", |file, used| file[used - 55_555] ^= 4);
    assert_eq!(end_offset, 200);
    let [Finding::Damaged { offset, end_offset, .. }] = findings[..] else {
        panic!("{findings:?}");
    };
    assert_eq!(end_offset, offset + 1, "one batch");
}
