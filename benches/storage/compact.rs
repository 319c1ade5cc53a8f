//! Compacting a log on one thread: bytes of the log by the time that it took, flushes included, and
//! by the processor's time alone, which is what counts where the machine is shared.
//!
//! Records of 1 KiB, sixteen a batch, whose keys come in an order of their own; the page cache is
//! warm, as after the writing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use logboom_protocol::records::{BatchBuilder, Codec, ProducedBatch, StampedBatch, Stamps};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_storage::state::{GroupKey, OpenMark};
use logboom_storage::{
    Cleaning, CleaningRequest, CompactionOptions, Directory, DirectoryOptions, Log, LogOptions,
    Pace, SystemDisk,
};

const KEY: GroupKey = GroupKey { topic_id: Uuid([1; 16]), partition: 0 };
const MARK: OpenMark = OpenMark { boot_id: [0; 16], mount_id: 0 };
const RECORD_BYTES: usize = 1024;
const RECORDS_PER_BATCH: i64 = 16;
/// Records of the log, 1 GiB.
const RECORDS: i64 = 1 << 20;
const SEGMENT_BYTES: u32 = 128 << 20;
/// Runs of each kind, of which the median is shown.
const RUNS: usize = 3;

struct Unpaced;

impl Pace for Unpaced {
    fn moved(&mut self, _: usize) -> bool {
        true
    }
}

/// What a run took.
struct Run {
    /// To read the dirty part, seconds.
    map: f64,
    /// To make the new files, seconds.
    rewrite: f64,
    /// Of the processor, for both, seconds.
    processor: f64,
    /// The part of the log that is left.
    left: f64,
}

/// Measures below `root` the cases whose name holds `filter`, and removes what it wrote there.
///
/// # Panics
/// If the disk fails or is full: there is nothing to measure then.
pub(crate) fn run(root: &Path, filter: &str) {
    println!(
        "{:<34} {:>8} {:>12} {:>8} {:>10} {:>6}   (medians of {RUNS} runs)",
        "", "MB/s", "MB/s of CPU", "map, s", "rewrite, s", "left"
    );
    for (name, keys, codec) in [
        ("1 KiB, half of the records stay", RECORDS / 2, Codec::None),
        ("1 KiB, a hundredth stays", RECORDS / 100, Codec::None),
        ("1 KiB, all stay", RECORDS, Codec::None),
        ("1 KiB, half stays, lz4", RECORDS / 2, Codec::Lz4),
    ] {
        if !name.contains(filter) {
            continue;
        }
        let mut runs: Vec<Run> = (0..RUNS).map(|_| once(root, keys, codec)).collect();
        runs.sort_by(|a, b| (a.map + a.rewrite).total_cmp(&(b.map + b.rewrite)));
        let Run { map, rewrite, processor, left } = runs.swap_remove(RUNS / 2);
        let megabytes = RECORDS as f64 * RECORD_BYTES as f64 / 1e6;
        let (rate, alone) = (megabytes / (map + rewrite), megabytes / processor);
        println!("{name:<34} {rate:>8.0} {alone:>12.0} {map:>8.2} {rewrite:>10.2} {left:>6.2}");
    }
}

/// How long this thread has had a processor, seconds.
fn processor_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    nanos.expect("a number") / 1e9
}

fn batch(first: i64, keys: i64, codec: Codec) -> StampedBatch {
    let mut builder = BatchBuilder::new(codec);
    let mut value = [0; RECORD_BYTES - 32];
    for number in first..first + RECORDS_PER_BATCH {
        // Any order of the keys that visits each as often.
        let key = (number * 7_919 % keys).to_be_bytes();
        // Half of it can be made smaller.
        let mut state = number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for piece in value.chunks_mut(8).step_by(2) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            piece.copy_from_slice(&state.to_be_bytes()[..piece.len()]);
        }
        builder.append(number, Some(&key), Some(&value), &[]).expect("small");
    }
    let bytes = builder.build().expect("records");
    let produced = ProducedBatch::check(bytes, &mut Default::default()).expect("well-formed");
    produced.stamp(&Stamps {
        base_offset: Offset::from_wire(first).expect("counts from 0"),
        leader_epoch: LeaderEpoch::ZERO,
        log_append_time: None,
    })
}

fn flush(directory: &Directory, log: &mut Log) {
    if let Some(offset) = log.flush(Box::new(|result| result.expect("a healthy disk"))) {
        directory.run_flushes();
        log.on_flushed(offset);
    }
}

fn once(root: &Path, keys: i64, codec: Codec) -> Run {
    let dir = root.join("compact");
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("ours");
    }
    fs::create_dir_all(&dir).expect("room");
    let options = DirectoryOptions::default();
    let directory = Directory::open(Arc::new(SystemDisk), &dir, options, MARK, 1).expect("opens");
    directory.create(KEY, 0).expect("a new directory");
    let log_options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
    let (mut log, _) = directory.open_log(KEY, log_options).expect("opens");
    for first in (0..RECORDS).step_by(usize::try_from(RECORDS_PER_BATCH).expect("small")) {
        log.append(&[batch(first, keys, codec)]).expect("room");
    }
    flush(&directory, &mut log);
    log.set_high_watermark(log.end_offset());
    let before = log.view().bytes();
    let run = compact(&mut log);
    let left = log.view().bytes() as f64 / before as f64;
    drop((log, directory));
    fs::remove_dir_all(&dir).expect("ours");
    Run { left, ..run }
}

fn compact(log: &mut Log) -> Run {
    let options = CompactionOptions {
        segment_bytes: SEGMENT_BYTES,
        min_dirty_ratio: 0.0,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: 0,
    };
    let cleanable = log.view().cleanable(i64::MAX, 0, &options).expect("readable");
    let request = CleaningRequest {
        cleanable,
        options,
        last_batches: log.last_batches(),
        compacted_by_all: i64::MAX,
        now_ms: 0,
        map_bytes: 128 << 20,
        seed: 5,
    };
    let (begun, processor) = (Instant::now(), processor_seconds());
    let cleaning = Cleaning::begin(log.view(), request, &mut Unpaced).expect("readable");
    let mut cleaning = cleaning.expect("something to do");
    let map = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    while let Some(cleaned) = cleaning.next(&mut Unpaced).expect("room") {
        assert!(log.swap(cleaned).expect("a healthy disk"));
    }
    assert!(!cleaning.stats().map_full);
    let processor = processor_seconds() - processor;
    Run { map, rewrite: begun.elapsed().as_secs_f64(), processor, left: 0.0 }
}
