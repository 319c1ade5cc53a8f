//! Starting with many partitions: how long it takes, and how much memory they keep.
//!
//! Every start is a process of its own. Its time counts from its creation to the line that it
//! prints when all logs are open, on one thread or several. Memory is what is allocated and stays,
//! with 16 bytes an allocation for the allocator; what all partitions share is measured without
//! partitions and left out.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use logboom_protocol::records::{BatchBuilder, CheckedBatch, Codec, ProducedBatch, StampedBatch};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_storage::state::{GroupKey, OpenMark};
use logboom_storage::{
    Directory, DirectoryOptions, LeftBy, Log, LogOptions, SEGMENT_BYTES_MIN, SystemDisk,
};

/// The first argument of the processes that are measured.
pub(crate) const CHILD: &str = "reopen-child";

const MARK: OpenMark = OpenMark { boot_id: [0; 16], mount_id: 0 };
const BATCH_BYTES: usize = 64 << 10;
/// Flushed bytes behind the last checkpoint: nearly as many as there can be.
const TAIL_BYTES: usize = 192 << 10;
/// Bytes between two checkpoints, as the defaults have it.
const CHECKPOINT_BYTES: usize = 256 << 10;
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
    println!("{:<38} {:>8} {:>10} {:>10}", "", "threads", "ms", "directory");
    let count = partitions.to_string();
    for threads in ["1", "2", "16"] {
        let open = ["open", &count, "leave", threads];
        starts("after a kill, page cache warm", &dir, &sizes, &open, false);
        starts("after a kill, page cache dropped", &dir, &sizes, &open, true);
    }
    start(&["open", &count, "close", "1"], &dir);
    for threads in ["1", "2"] {
        let open = ["open", &count, "close", threads];
        starts("after a clean stop, page cache warm", &dir, &sizes, &open, false);
        starts("after a clean stop, dropped", &dir, &sizes, &open, true);
    }
    memory("idle, after a clean stop", &dir, partitions);
    memory("idle, after a kill", &dir, partitions);
    fs::remove_dir_all(&dir).expect("ours");
    start(&["create", &empty.to_string()], &dir);
    memory("empty", &dir, empty);
    fs::remove_dir_all(&dir).expect("ours");
}

/// Prints what a partition takes, on the heap.
fn memory(name: &str, dir: &Path, partitions: i32) {
    let [state, logs] = start(&["memory", &partitions.to_string()], dir).numbers[..] else {
        panic!("two numbers")
    };
    println!("{name}: {state:.0} B each in the state store, {logs:.0} in an open log");
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
    let median = |number: fn(&Started) -> f64| {
        let mut numbers: Vec<f64> = measured.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    let (millis, directory) = (median(|it| it.millis), median(|it| it.numbers[0] / 1e3));
    let threads = arguments.last().expect("a number of threads");
    println!("{name:<38} {threads:>8} {millis:>10.0} {directory:>10.0}");
}

fn drop_page_cache() -> std::io::Result<()> {
    // Only clean pages are dropped.
    Command::new("sync").status().map(|_| ())?;
    fs::write("/proc/sys/vm/drop_caches", "3")
}

/// What a start took.
#[derive(Debug)]
struct Started {
    /// From the creation of the process until it had done what it was asked, milliseconds.
    millis: f64,
    /// What it printed then.
    numbers: Vec<f64>,
}

/// Runs a child to its end.
fn start(arguments: &[&str], dir: &Path) -> Started {
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
    let numbers = line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    Started { millis, numbers }
}

/// A process that is measured: `DIR write|open|create|memory PARTITIONS …`.
///
/// # Panics
/// If the disk fails or is full.
pub(crate) fn child(words: &[String]) {
    let (dir, partitions) = (PathBuf::from(&words[0]), words[2].parse().expect("a number"));
    if words[1] == "memory" {
        return measure_memory(&dir, partitions);
    }
    let begun = Instant::now();
    let directory = open_directory(&dir);
    let micros = begun.elapsed().as_micros();
    match words[1].as_str() {
        "write" => {
            write(&directory, partitions, words[3].parse().expect("a number"));
        }
        "create" => create(&directory, partitions),
        _ => {
            let logs = open_logs(&directory, partitions, words[4].parse().expect("a number"));
            println!("{micros}");
            if words[3] == "close" {
                let left_by = directory.left_by();
                assert!(left_by != LeftBy::PowerCut, "{left_by:?}");
                for mut log in logs {
                    // As a broker without followers has it.
                    log.set_high_watermark(log.end_offset());
                    log.close().expect("a healthy disk");
                }
                directory.close().expect("a healthy disk");
            }
        }
    }
}

fn open_directory(dir: &Path) -> Directory {
    let options = DirectoryOptions::default();
    Directory::open(Arc::new(SystemDisk), dir, options, MARK, 1).expect("opens")
}

/// Opens all logs, on several threads.
fn open_logs(directory: &Directory, partitions: i32, threads: usize) -> Vec<Log> {
    std::thread::scope(|scope| {
        let open = |first: usize| {
            let mine = (0..partitions).skip(first).step_by(threads);
            mine.map(|partition| open_log(directory, partition)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..threads).map(|first| scope.spawn(move || open(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("opens")).collect()
    })
}

/// Prints what a partition takes in the state store, and what in its open log. Files that are open
/// count for none, as there are no more than so many.
fn measure_memory(dir: &Path, partitions: i32) {
    // The first use of anything.
    open_directory(&dir.join("none")).close().expect("a healthy disk");
    let options = DirectoryOptions { files_max: 0, ..DirectoryOptions::default() };
    let shared = Arc::new(LogOptions::default());
    let mut logs = Vec::with_capacity(partitions as usize);
    let open = || Directory::open(Arc::new(SystemDisk), dir, options, MARK, 1).expect("opens");
    let (state, directory) = held(open);
    let (of_logs, ()) = held(|| {
        for partition in 0..partitions {
            logs.push(directory.open_log(key(partition), Arc::clone(&shared)).expect("opens").0);
        }
    });
    let each = |bytes: u64| bytes as f64 / f64::from(partitions);
    println!("{} {}", each(state), each(of_logs) + size_of::<Log>() as f64);
}

/// Bytes of memory that `work` leaves allocated.
fn held<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let mut made = None;
    let counted = allocation_counter::measure(|| made = Some(work()));
    let bytes = counted.bytes_current + 16 * counted.count_current;
    (u64::try_from(bytes).unwrap_or(0), made.expect("it ran"))
}

fn key(partition: i32) -> GroupKey {
    GroupKey { topic_id: Uuid([1; 16]), partition }
}

/// Begins all groups.
fn create(directory: &Directory, partitions: i32) {
    let keys: Vec<GroupKey> = (0..partitions).map(key).collect();
    directory
        .create_all(&keys.iter().map(|key| (*key, &[][..])).collect::<Vec<_>>(), 0)
        .expect("a healthy disk");
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
        // The high watermark follows a flush behind, and a snapshot of the producers is of there.
        append(&mut log, produced.batch(), bytes.saturating_sub(TAIL_BYTES + CHECKPOINT_BYTES));
        flush(directory, &mut log);
        append(&mut log, produced.batch(), CHECKPOINT_BYTES.min(bytes));
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
