//! Starting with many partitions: how long it takes, and how much memory they keep.
//!
//! Every start is a process of its own. Its time counts from its creation to the line that it
//! prints when all logs are open; its memory is `RssAnon`, which leaves out the page cache.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use logboom_protocol::records::{BatchBuilder, CheckedBatch, Codec, ProducedBatch, StampedBatch};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_storage::state::{EpochStart, GroupKey, OpenMark, StateRecord};
use logboom_storage::{
    Directory, DirectoryOptions, LeftBy, Log, LogOptions, SEGMENT_BYTES_MIN, SystemDisk,
};

/// The first argument of the processes that are measured.
pub(crate) const CHILD: &str = "reopen-child";

const MARK: OpenMark = OpenMark { boot_id: [0; 16], mount_id: 0 };
const BATCH_BYTES: usize = 64 << 10;
/// Flushed bytes behind the last checkpoint: nearly as many as there can be.
const TAIL_BYTES: usize = 192 << 10;
/// Of so many partitions one has several segments.
const SEGMENTED: i32 = 50;

struct Sizes {
    partitions: i32,
    /// Bytes of each partition.
    bytes: usize,
    empty: i32,
    /// Starts of each kind, of which the median is shown.
    runs: usize,
}

impl Sizes {
    fn parse(options: &[&String]) -> Self {
        let mut sizes = Self { partitions: 5_000, bytes: 2_000_000, empty: 50_000, runs: 5 };
        for option in options {
            let (name, value) = option.split_once('=').expect("--NAME=NUMBER");
            let value: u32 = value.parse().expect("--NAME=NUMBER");
            let count = i32::try_from(value).expect("a number of partitions");
            match name {
                "--partitions" => sizes.partitions = count,
                "--bytes" => sizes.bytes = value as usize,
                "--empty" => sizes.empty = count,
                "--runs" => sizes.runs = value as usize,
                other => panic!("{other} is no option"),
            }
        }
        sizes
    }
}

/// Measures starts below `root`, and removes what it wrote there.
///
/// # Panics
/// If the disk fails or is full: there is nothing to measure then.
pub(crate) fn run(root: &Path, options: &[&String]) {
    let sizes = Sizes::parse(options);
    let Sizes { partitions, bytes, empty, .. } = sizes;
    let dir = root.join("reopen");
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("ours");
    }
    fs::create_dir_all(&dir).expect("room");
    println!("{partitions} partitions of {bytes} bytes, {:.0} s to write", {
        let begun = Instant::now();
        start(&["write", &partitions.to_string(), &bytes.to_string()], &dir);
        begun.elapsed().as_secs_f64()
    });
    println!(
        "{:<38} {:>7} {:>10} {:>13} {:>10}   (medians of {})",
        "", "ms", "directory", "state B each", "log B each", sizes.runs
    );
    let count = partitions.to_string();
    starts("after a kill, page cache warm", &dir, &sizes, &["open", &count, "leave"], false);
    starts("after a kill, page cache dropped", &dir, &sizes, &["open", &count, "leave"], true);
    start(&["open", &count, "close"], &dir);
    starts("after a clean stop, page cache warm", &dir, &sizes, &["open", &count, "close"], false);
    starts("after a clean stop, dropped", &dir, &sizes, &["open", &count, "close"], true);
    fs::remove_dir_all(&dir).expect("ours");
    let count = empty.to_string();
    let opened = start(&["create", &count], &dir);
    println!(
        "{empty} empty partitions: {} bytes each when they were created",
        (opened.directory_bytes - opened.start_bytes) / i64::from(empty)
    );
    let opened = start(&["open", &count, "leave"], &dir);
    println!(
        "after a start {} bytes each in the state store, and {} in an open log",
        (opened.directory_bytes - opened.start_bytes) / i64::from(empty),
        (opened.logs_bytes - opened.directory_bytes) / i64::from(empty)
    );
    fs::remove_dir_all(&dir).expect("ours");
}

/// Measures starts of one kind, and prints the medians.
fn starts(name: &str, dir: &Path, sizes: &Sizes, arguments: &[&str], cold: bool) {
    let mut measured = Vec::new();
    for _ in 0..sizes.runs {
        if cold && let Err(error) = drop_page_cache() {
            println!("SKIPPED: {name}, because the page cache can't be dropped: {error}");
            return;
        }
        measured.push(start(arguments, dir));
    }
    measured.sort_by(|a, b| a.millis.total_cmp(&b.millis));
    let Opened { millis, directory_millis, start_bytes, directory_bytes, logs_bytes } =
        measured[measured.len() / 2];
    let partitions = i64::from(sizes.partitions);
    println!(
        "{name:<38} {millis:>7.0} {directory_millis:>10.0} {:>13} {:>10}",
        (directory_bytes - start_bytes) / partitions,
        (logs_bytes - directory_bytes) / partitions
    );
}

fn drop_page_cache() -> std::io::Result<()> {
    // Only clean pages are dropped.
    Command::new("sync").status().map(|_| ())?;
    fs::write("/proc/sys/vm/drop_caches", "3")
}

/// What a start took.
#[derive(Debug, Clone, Copy, Default)]
struct Opened {
    /// From the creation of the process until all logs were open, milliseconds.
    millis: f64,
    /// Of it opening the directory.
    directory_millis: f64,
    /// `RssAnon` before anything was opened, with the directory open, and with all logs open.
    start_bytes: i64,
    directory_bytes: i64,
    logs_bytes: i64,
}

/// Runs a child to its end.
fn start(arguments: &[&str], dir: &Path) -> Opened {
    let begun = Instant::now();
    let program = std::env::current_exe().expect("it runs");
    let mut child = Command::new(program)
        .arg(CHILD)
        .arg(dir)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut line = String::new();
    let output = child.stdout.take().expect("it is a pipe");
    BufReader::new(output).read_line(&mut line).expect("a pipe");
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    assert!(child.wait().expect("our child").success(), "{arguments:?}");
    let numbers: Vec<i64> =
        line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [micros, start_bytes, directory_bytes, logs_bytes] = numbers[..] else {
        return Opened { millis, ..Opened::default() };
    };
    let directory_millis = micros as f64 / 1e3;
    Opened { millis, directory_millis, start_bytes, directory_bytes, logs_bytes }
}

/// A process that is measured: `DIR write|open|create PARTITIONS …`.
///
/// # Panics
/// If the disk fails or is full.
pub(crate) fn child(words: &[String]) {
    let (dir, partitions) = (PathBuf::from(&words[0]), words[2].parse().expect("a number"));
    let start_bytes = anonymous_bytes();
    let begun = Instant::now();
    let directory =
        Directory::open(Arc::new(SystemDisk), &dir, DirectoryOptions::default(), MARK, 1)
            .expect("opens");
    let micros = begun.elapsed().as_micros();
    match words[1].as_str() {
        "write" => {
            write(&directory, partitions, words[3].parse().expect("a number"));
        }
        "create" => {
            create(&directory, partitions);
            println!("{micros} {start_bytes} {} 0", anonymous_bytes());
        }
        _ => {
            let directory_bytes = anonymous_bytes();
            let logs: Vec<Log> =
                (0..partitions).map(|partition| open_log(&directory, partition)).collect();
            println!("{micros} {start_bytes} {directory_bytes} {}", anonymous_bytes());
            if words[3] == "close" {
                let left_by = directory.left_by();
                assert!(left_by != LeftBy::PowerCut, "{left_by:?}");
                logs.into_iter().for_each(|log| log.close().expect("a healthy disk"));
                directory.close().expect("a healthy disk");
            }
        }
    }
}

/// Bytes of memory that the process has for itself.
fn anonymous_bytes() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux");
    let kib: i64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

fn key(partition: i32) -> GroupKey {
    GroupKey { topic_id: Uuid([1; 16]), partition }
}

/// Begins all groups with few flushes.
fn create(directory: &Directory, partitions: i32) {
    for partition in 0..partitions {
        let key = key(partition);
        let records = [
            (key, StateRecord::Created { life: 0, creation_offset: 0 }),
            (key, StateRecord::Epoch(EpochStart { epoch: 0, start_offset: 0 })),
        ];
        directory.state().submit(&records, Box::new(|result| result.expect("a healthy disk")));
        if partition % 1000 == 999 {
            directory.run_flushes();
        }
    }
    directory.run_flushes();
}

fn open_log(directory: &Directory, partition: i32) -> Log {
    let mut options = LogOptions::default();
    if partition % SEGMENTED == 0 {
        options.segment_bytes = SEGMENT_BYTES_MIN;
    }
    let (log, findings) = directory.open_log(key(partition), options).expect("opens");
    assert!(findings.is_empty(), "{findings:?}");
    log
}

/// Fills all partitions, and leaves them as a killed process does.
fn write(directory: &Directory, partitions: i32, bytes: usize) {
    create(directory, partitions);
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..16 {
        builder.append(1, None, Some(&vec![7; BATCH_BYTES / 16 - 20]), &[]).expect("small");
    }
    let produced = builder.build().expect("it has records");
    let produced = ProducedBatch::check(produced, &mut Default::default()).expect("well-formed");
    for partition in 0..partitions {
        let mut log = open_log(directory, partition);
        append(&mut log, produced.batch(), bytes.saturating_sub(TAIL_BYTES));
        flush(directory, &mut log);
        append(&mut log, produced.batch(), TAIL_BYTES.min(bytes));
        flush(directory, &mut log);
    }
}

fn append(log: &mut Log, batch: &CheckedBatch, bytes: usize) {
    for _ in 0..bytes / BATCH_BYTES {
        let offset = Offset::from_wire(log.end_offset()).expect("counts from 0");
        log.append(&[StampedBatch::by_broker(batch, offset, LeaderEpoch::ZERO)]).expect("room");
    }
}

fn flush(directory: &Directory, log: &mut Log) {
    let end = log.flush(Box::new(|result| result.expect("a healthy disk")));
    directory.run_flushes();
    end.into_iter().for_each(|end| log.on_flushed(end));
    log.set_high_watermark(log.flushed_offset());
}
