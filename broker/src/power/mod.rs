//! Power cuts through a whole broker.
//!
//! A broker of sockets, shards, flush threads, controller and state store runs on a disk that
//! records every call. Clients write down how many calls the disk had seen when they asked and when
//! they were answered: an answer can promise only what was on the disk by then. Then the disk is
//! made anew as a power cut may have left it after so many calls, with none, all, or a random part
//! of what wasn't flushed. A broker is started on it, and clients ask:
//!
//! - Is every acknowledged record there once, at its offset, in order, without a gap, and is every
//!   record that is there one that was sent by then?
//! - Are topics and configurations what the last acknowledged change made them, or what the one
//!   under way makes them?
//! - Is the log start where an acknowledged DeleteRecords moved it, and no further?
//! - Is the last acknowledged batch of an idempotent producer a duplicate when it is sent again,
//!   and is no producer id given twice?
//! - Does the broker take new records, topics and producers, and is what it has shown still there
//!   after another cut?
//!
//! The threads are real ones, so a trace doesn't come again from its seed: each run checks itself.
//! `LOGBOOM_POWER_…` makes it large; `cargo xtask soak broker` does.

#![expect(clippy::print_stderr, reason = "a run says its seed, and how much it tried")]

mod asks;
mod check;
mod flushes;
mod history;
mod workload;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use logboom_storage::DirectoryOptions;
use logboom_storage::sim::{SimDisk, Unflushed};
use logboom_storage::state::{OpenMark, StateOptions};

use self::check::{check, check_image};
use self::history::{History, Recorder};
use crate::cluster::METADATA;
use crate::machine::Machine;
use crate::node::random_bytes;
use crate::{Broker, Config, StartError};

const BOOT: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 5 };
const OTHER_BOOT: OpenMark = OpenMark { boot_id: [2; 16], mount_id: 5 };

/// How much of something is tried.
fn size(name: &str, small: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(small, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

/// A broker on a simulated disk, with sizes so small that few records fill much.
fn start(disk: &Arc<SimDisk>, mark: OpenMark) -> Result<Broker, StartError> {
    let bind = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::local(PathBuf::from("/data"), bind).unwrap();
    config.shards = 2;
    let options = DirectoryOptions {
        state: StateOptions { reserve_bytes: 64 << 10, checkpoint_bytes: 16 << 10 },
        files_max: 8,
        index_interval_bytes: 1000,
        reserve_bytes_min: 4096,
        reserve_bytes_max: 16 << 10,
        checkpoint_bytes: 4000,
        ..DirectoryOptions::default()
    };
    Broker::start_on(&config, Machine { disk: Arc::clone(disk) as _, mark, options })
}

/// Starts a broker that must come up, and writes down to which cluster it belongs.
fn start_recorded(recorder: &Recorder) -> Broker {
    let mut span = recorder.begin();
    let broker = start(&recorder.disk, BOOT).unwrap();
    recorder.acked(&mut span);
    recorder.history().clusters.push((span, broker.cluster_id()));
    broker
}

/// Random numbers of a seed (splitmix64).
struct Random(u64);

impl Random {
    /// Those of the seed that is set, or of any; it is printed.
    fn new(what: &str) -> Self {
        let seed = match std::env::var("LOGBOOM_POWER_SEED") {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("LOGBOOM_POWER_SEED={text}")),
            Err(_) => u64::from_be_bytes(random_bytes()),
        };
        eprintln!("{what}: LOGBOOM_POWER_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`.
    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Another sequence.
    fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

/// A point at which the power goes, and what it leaves.
struct Cut {
    at: usize,
    unflushed: Unflushed,
    /// Whether it goes a second time, when the broker has shown what is there.
    twice: bool,
}

/// Cuts after so many of the calls of a trace, or after all of them if there are fewer.
fn cuts(calls: RangeInclusive<usize>, random: &mut Random) -> Vec<Cut> {
    let positions = size("LOGBOOM_POWER_POSITIONS", 200);
    let step = (calls.end() - calls.start()).div_ceil(positions).max(1);
    let first = calls.start() + usize::try_from(random.next() % step as u64).unwrap();
    let mut cuts = Vec::new();
    for at in (first..=*calls.end()).step_by(step) {
        let seeds = (0..size("LOGBOOM_POWER_PARTS", 2)).map(|_| Unflushed::Seeded(random.next()));
        for unflushed in [Unflushed::None, Unflushed::All].into_iter().chain(seeds) {
            cuts.push(Cut { at, unflushed, twice: cuts.len() % 7 == 0 });
        }
    }
    cuts
}

impl Cut {
    /// What is wrong after it.
    fn try_out(&self, disk: &SimDisk, history: &History) -> Result<(), String> {
        let image = disk.crash_image(self.at, &self.unflushed);
        let observed = check_image(&image, history, self.at)?;
        if self.twice {
            let mut later = history.after(self.at);
            let at = observed.at;
            later.adopt(observed);
            let again = image.crash_image(at, &Unflushed::None);
            check_image(&again, &later, at).map_err(|what| format!("the second time: {what}"))?;
        }
        Ok(())
    }
}

/// Tries all cuts, on as many threads as there are processors; what the first that fails shows.
fn try_all(disk: &SimDisk, history: &History, cuts: &[Cut]) -> Option<String> {
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    let work = || {
        while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(what) = cut.try_out(disk, history) {
                let Cut { at, unflushed, .. } = cut;
                let what = format!("after {at} calls, {unflushed:?}: {what}");
                failure.lock().unwrap().get_or_insert(what);
                next.store(cuts.len(), Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, usize::from);
        (0..count).for_each(|_| _ = scope.spawn(work));
    });
    failure.into_inner().unwrap()
}

/// Tries cuts after these calls of a disk.
fn nothing_is_lost(
    disk: &SimDisk,
    history: &History,
    calls: RangeInclusive<usize>,
    random: &mut Random,
) {
    let acks = history.acks();
    let cuts = cuts(calls.clone(), random);
    eprintln!("{acks} acknowledged batches, cuts after {calls:?} calls: {}", cuts.len());
    let failure = try_all(disk, history, &cuts);
    assert_eq!(failure, None, "\n{}", disk.trace().join("\n"));
}

/// A broker under load, stopped, started again and stopped.
fn load_and_restart(random: &mut Random) {
    let recorder = Recorder::new(SimDisk::new(), History::default());
    let never = AtomicBool::new(false);
    for rounds in [ROUNDS, ROUNDS / 3] {
        let broker = start_recorded(&recorder);
        workload::concurrent(broker.addresses()[0], &recorder, rounds, random, &never);
        broker.stop();
    }
    let (disk, history) = (&recorder.disk, recorder.history().clone());
    nothing_is_lost(disk, &history, 0..=disk.trace_len(), random);
}

/// A broker under load that is killed; its disk, and what is known of it.
fn load_and_kill(random: &mut Random) -> (Arc<SimDisk>, History) {
    let recorder = Recorder::new(SimDisk::new(), History::default());
    let stopping = AtomicBool::new(false);
    let broker = start_recorded(&recorder);
    let wanted = usize::try_from(random.below(40)).unwrap() + 5;
    let at = thread::scope(|scope| {
        let mut random = random.fork();
        let (address, recorder, stopping) = (broker.addresses()[0], &recorder, &stopping);
        let load = scope.spawn(move || {
            workload::concurrent(address, recorder, ROUNDS, &mut random, stopping);
        });
        // A load that ends with fewer is as good.
        while recorder.history().acks() < wanted && !load.is_finished() {
            thread::yield_now();
        }
        let at = recorder.disk.trace_len();
        stopping.store(true, Ordering::Relaxed);
        at
    });
    broker.stop();
    (recorder.disk.kill_image(at), recorder.history().after(at))
}

/// A broker that is killed under load, started again and put under load.
fn kill_and_load(random: &mut Random) {
    let (disk, mut history) = load_and_kill(random);
    let broker = start(&disk, BOOT).unwrap();
    let started = disk.trace_len();
    let observed = check(&broker, &disk, &history, 0).unwrap();
    nothing_is_lost(&disk, &history, 0..=started, random);
    let checked = observed.at;
    history.adopt(observed);
    let recorder = Recorder::new(disk, history);
    let never = AtomicBool::new(false);
    workload::concurrent(broker.addresses()[0], &recorder, ROUNDS / 3, random, &never);
    broker.stop();
    let (disk, history) = (&recorder.disk, recorder.history().clone());
    nothing_is_lost(disk, &history, checked..=disk.trace_len(), random);
}

/// Requests of each client.
const ROUNDS: usize = 24;

fn runs() -> usize {
    size("LOGBOOM_POWER_RUNS", 1)
}

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut_under_load_or_after_a_restart() {
    let mut random = Random::new("power");
    (0..runs()).for_each(|_| load_and_restart(&mut random));
}

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut_after_a_kill_under_load() {
    let mut random = Random::new("power after a kill");
    (0..runs()).for_each(|_| kill_and_load(&mut random));
}

#[test]
fn no_change_of_a_topic_is_lost_while_the_metadata_log_is_written_down_anew() {
    let mut random = Random::new("power at a checkpoint");
    let recorder = Recorder::new(SimDisk::new(), History::default());
    let broker = start_recorded(&recorder);
    workload::large_configs(broker.addresses()[0], &recorder);
    let state = broker.node().directory.state();
    let start = state.group(&METADATA, |group| group.map(|group| group.log_start.offset));
    assert!(start > Some(0), "there was a checkpoint: {start:?}");
    broker.stop();
    let (disk, history) = (&recorder.disk, recorder.history().clone());
    nothing_is_lost(disk, &history, 0..=disk.trace_len(), &mut random);
}
