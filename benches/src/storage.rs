//! What the storage costs beside a plain program that writes the same bytes.
//!
//! Each pair is run in turn, A B A B …, because the machine is shared; the ratio is what counts.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use logboom_protocol::records::{
    BatchBuilder, CheckedBatch, Codec, ProducedBatch, StampedBatch, crc32c,
};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_storage::state::{GroupKey, OpenMark};
use logboom_storage::{Directory, DirectoryOptions, Found, Log, LogOptions, ReadUntil, SystemDisk};

const KEY: GroupKey = GroupKey { topic_id: Uuid([1; 16]), partition: 0 };
const MARK: OpenMark = OpenMark { boot_id: [0; 16], mount_id: 0 };
/// Bytes that each run appends.
const RUN_BYTES: usize = 512 << 20;
/// Pairs of runs.
const PAIRS: usize = 7;

/// Runs every comparison below `root`, or those whose name holds `filter`, and prints a line for
/// each.
///
/// # Panics
/// If the disk fails or is full: there is nothing to measure then.
pub fn run(root: &Path, filter: &str) {
    println!("{:<34} {:>9} {:>9} {:>7}   (medians of {PAIRS} pairs)", "", "ours", "plain", "ratio");
    for (name, bytes) in
        [("append 64 KiB, no flush, MB/s", 64 << 10), ("append 16 KiB, no flush, MB/s", 16 << 10)]
    {
        if name.contains(filter) {
            compare(name, root, bytes, 0);
        }
    }
    for (name, bytes, group) in [
        ("append 64 KiB, flush each 1 MiB, MB/s", 64 << 10, 1 << 20),
        ("append 16 KiB, flush each, MB/s", 16 << 10, 16 << 10),
    ] {
        if name.contains(filter) {
            compare(name, root, bytes, group);
        }
    }
    if "read".contains(filter) {
        hot_read(root);
    }
}

fn batch(bytes: usize) -> CheckedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1, None, Some(&vec![7; bytes - 80]), &[]).expect("small");
    let bytes = builder.build().expect("a record");
    let produced = ProducedBatch::check(bytes, &mut Default::default()).expect("well-formed");
    produced.batch().clone()
}

fn fresh(root: &Path, name: &str) -> std::path::PathBuf {
    let dir = root.join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("ours");
    }
    std::fs::create_dir_all(&dir).expect("room");
    dir
}

fn open(dir: &Path) -> (Directory, Log) {
    let options = DirectoryOptions::default();
    let directory = Directory::open(Arc::new(SystemDisk), dir, options, MARK, 1).expect("opens");
    directory.create(KEY, 0).expect("a new directory");
    let (log, _) = directory.open_log(KEY, LogOptions::default()).expect("opens");
    (directory, log)
}

/// Appends batches of `bytes`, with a flush each `group` bytes (0: none); MB/s.
fn ours(root: &Path, bytes: usize, group: usize, total: usize) -> f64 {
    let dir = fresh(root, "ours");
    let (directory, mut log) = open(&dir);
    let batch = batch(bytes);
    let begun = Instant::now();
    let mut unflushed = 0;
    for offset in 0..total / bytes {
        let offset = Offset::from_wire(offset as i64).expect("counts from 0");
        let stamped = StampedBatch::by_broker(&batch, offset, LeaderEpoch::ZERO);
        log.append(&[stamped]).expect("room");
        unflushed += bytes;
        if group > 0 && unflushed >= group {
            let flushed = log.flush(Box::new(|result| result.expect("a healthy disk")));
            directory.run_flushes();
            log.on_flushed(flushed.expect("there was something"));
            unflushed = 0;
        }
    }
    rate(total, begun)
}

/// Writes the same sizes to a file with `write`, and flushes as often; MB/s.
fn plain(root: &Path, bytes: usize, group: usize, total: usize) -> f64 {
    let dir = fresh(root, "plain");
    let file = File::create(dir.join("file")).expect("room");
    let piece = batch(bytes).bytes().clone();
    let begun = Instant::now();
    let mut unflushed = 0;
    for at in 0..total / bytes {
        file.write_all_at(&piece, (at * piece.len()) as u64).expect("room");
        unflushed += bytes;
        if group > 0 && unflushed >= group {
            file.sync_data().expect("a healthy disk");
            unflushed = 0;
        }
    }
    rate(total, begun)
}

fn rate(bytes: usize, begun: Instant) -> f64 {
    bytes as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

fn compare(name: &str, root: &Path, bytes: usize, group: usize) {
    // Flushes are slow, so there are fewer.
    let total = if group == 0 { RUN_BYTES } else { (group * 400).min(RUN_BYTES) };
    ours(root, bytes, group, total);
    plain(root, bytes, group, total);
    let mut pairs: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| (ours(root, bytes, group, total), plain(root, bytes, group, total)))
        .collect();
    let ratio = median(pairs.iter().map(|(ours, plain)| ours / plain));
    let (ours, plain) = (median(pairs.iter().map(|p| p.0)), median(pairs.drain(..).map(|p| p.1)));
    println!("{name:<34} {ours:>9.0} {plain:>9.0} {ratio:>7.2}");
    for name in ["ours", "plain"] {
        fresh(root, name);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A read of 1 MiB of what was just appended, beside one pass of its checksum.
fn hot_read(root: &Path) {
    let dir = fresh(root, "read");
    let (_directory, mut log) = open(&dir);
    let batch = batch(64 << 10);
    for offset in 0..1024 {
        let offset = Offset::from_wire(offset).expect("counts from 0");
        log.append(&[StampedBatch::by_broker(&batch, offset, LeaderEpoch::ZERO)]).expect("room");
    }
    let read = |offset: i64| -> Bytes {
        match log.view().read(offset, 1 << 20, ReadUntil::End).expect("in range") {
            Found::Batches(bytes) => bytes,
            other => panic!("what was just written is hot: {other:?}"),
        }
    };
    let runs = 20_000;
    let begun = Instant::now();
    let bytes: usize = (0..runs).map(|i| read(i % 1000).len()).sum();
    let nanos = begun.elapsed().as_nanos() as f64 / runs as f64;
    let piece = read(5);
    let begun = Instant::now();
    let sum: u64 = (0..200).map(|_| u64::from(crc32c(&[&piece]))).sum();
    let crc = begun.elapsed().as_nanos() as f64 / 200.0;
    assert!(bytes > 0 && sum > 0);
    println!(
        "read {} KiB, hot: {:.2} µs; one pass of its CRC: {:.2} µs",
        piece.len() >> 10,
        nanos / 1e3,
        crc / 1e3
    );
    fresh(root, "read");
}
