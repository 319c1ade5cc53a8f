//! One broker of a simulation: a machine with a disk and a clock, and the process that runs on it,
//! if one does.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;

use logboom_protocol::units::Uuid;
use logboom_storage::sim::{SimDisk, Unflushed};
use logboom_storage::state::{OpenMark, StateOptions};
use logboom_storage::{Directory, DirectoryOptions, OpenError};

use super::chance::Chance;
use super::lost::Lost;
use super::oracle::Violation;
use super::plan::Plan;
use super::process::{Birth, Process};
use crate::partition::CatchUp;
use crate::partition::surroundings::{Errand, Surroundings};

/// Milliseconds that a machine has run before its broker starts for the first time.
const BOOT_MS: u64 = 5_000;

/// What is around a shard: virtual time, and errands that wait until they are run.
pub(super) struct Around {
    now: Arc<AtomicU64>,
    /// When the machine was booted.
    booted: u64,
    /// Of how many of its own seconds a thousand virtual ones are.
    rate: u64,
    chance: u64,
    errands: Mutex<Vec<Errand>>,
    /// The times that something waits for.
    awaited: Arc<Mutex<BTreeSet<u64>>>,
}

impl Around {
    /// The times that something waits for since this was asked.
    pub(super) fn take_awaited(&self) -> BTreeSet<u64> {
        std::mem::take(&mut *self.awaited.lock().unwrap())
    }

    pub(super) fn take_errands(&self) -> Vec<Errand> {
        std::mem::take(&mut *self.errands.lock().unwrap())
    }

    pub(super) fn has_errands(&self) -> bool {
        !self.errands.lock().unwrap().is_empty()
    }

    /// When the machine's clock shows so many milliseconds.
    pub(super) fn when(&self, boot_ms: u64) -> u64 {
        self.booted + (boot_ms.saturating_sub(BOOT_MS) * 1_000_000).div_ceil(self.rate)
    }
}

impl Surroundings for Around {
    fn boot_ms(&self) -> u64 {
        let since = self.now.load(Ordering::Relaxed) - self.booted;
        BOOT_MS + since * self.rate / 1_000_000
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.now.load(Ordering::Relaxed) / 1_000).unwrap()
    }

    fn chance(&self) -> u64 {
        self.chance
    }

    fn spawn(&self, errand: Errand) {
        self.errands.lock().unwrap().push(errand);
    }

    fn until(&self, boot_ms: u64) -> BoxFuture<'static, ()> {
        let (now, at, awaited) = (Arc::clone(&self.now), self.when(boot_ms), self.awaited.clone());
        // Whoever waits is looked at whenever something is.
        Box::pin(poll_fn(move |_| {
            if now.load(Ordering::Relaxed) >= at {
                return Poll::Ready(());
            }
            awaited.lock().unwrap().insert(at);
            Poll::Pending
        }))
    }
}

/// A machine, and what runs on it.
pub(super) struct Broker {
    pub(super) id: i32,
    pub(super) disk: Arc<SimDisk>,
    pub(super) directory: Uuid,
    now: Arc<AtomicU64>,
    booted: u64,
    boots: u8,
    rate: u64,
    /// Counts the starts of its process.
    pub(super) starts: u32,
    pub(super) process: Option<Process>,
    /// Rates don't change with a start.
    pub(super) catch_up: Arc<CatchUp>,
    /// Whether it stands still.
    pub(super) is_paused: bool,
    /// When its next turn is.
    pub(super) turn: Option<u64>,
    pub(super) flush_is_due: bool,
    /// Until when its flushes of logs hang.
    pub(super) hangs_until: u64,
    pub(super) round_is_due: bool,
    /// Whether its disk is full, or has failed: what it didn't do it does after a start.
    pub(super) is_impaired: bool,
    /// Since it has lost its data directory, until it is one of the cluster again.
    pub(super) lost: Option<Lost>,
}

/// Sizes so small that few records fill much.
fn options() -> DirectoryOptions {
    DirectoryOptions {
        state: StateOptions { reserve_bytes: 64 << 10, checkpoint_bytes: 16 << 10 },
        files_max: 8,
        index_interval_bytes: 1000,
        reserve_bytes_min: 4096,
        reserve_bytes_max: 16 << 10,
        checkpoint_bytes: 4000,
        ..DirectoryOptions::default()
    }
}

impl Broker {
    pub(super) fn new(
        id: i32,
        now: &Arc<AtomicU64>,
        catch_up: Arc<CatchUp>,
        chance: &mut Chance,
    ) -> Self {
        Self {
            id,
            disk: SimDisk::new(),
            directory: Uuid::default(),
            now: Arc::clone(now),
            booted: 0,
            boots: 1,
            rate: chance.between(900, 1_100),
            starts: 0,
            process: None,
            catch_up,
            is_paused: false,
            turn: None,
            flush_is_due: false,
            hangs_until: 0,
            round_is_due: false,
            is_impaired: false,
            lost: None,
        }
    }

    /// Starts the process; nothing is served yet.
    pub(super) fn start(
        &mut self,
        plan: &Plan,
        named: Vec<i32>,
        chance: &mut Chance,
    ) -> Result<&mut Process, OpenError> {
        let mark = OpenMark { boot_id: [self.boots; 16], mount_id: 1 };
        let random = u128::from(chance.next()) << 64 | u128::from(chance.next());
        let disk = Arc::clone(&self.disk);
        disk.set_cached(!plan.is_cold);
        let directory = Directory::open(disk, Path::new("/data"), options(), mark, random)?;
        let directory = Arc::new(directory);
        self.directory = directory.id();
        let around = Arc::new(Around {
            now: Arc::clone(&self.now),
            booted: self.booted,
            rate: self.rate,
            chance: chance.next(),
            errands: Mutex::default(),
            awaited: Arc::default(),
        });
        (self.turn, self.flush_is_due, self.round_is_due) = (None, false, false);
        (self.starts, self.is_impaired) = (self.starts + 1, false);
        let birth = Birth {
            id: self.id,
            starts: self.starts,
            directory,
            around,
            catch_up: Arc::clone(&self.catch_up),
            incarnation: chance.id(),
            named,
        };
        Ok(self.process.insert(Process::new(birth, plan)))
    }

    /// The process ends after so many calls of its disk; with the power what wasn't flushed is lost
    /// or not.
    pub(super) fn end(&mut self, at: usize, cut: Option<u64>) {
        self.disk.check_maps();
        self.process = None;
        self.is_paused = false;
        self.disk = match cut {
            None => self.disk.kill_image(at),
            Some(seed) => self.disk.crash_image(at, &Unflushed::Seeded(seed)),
        };
        if cut.is_some() {
            self.boots = self.boots.wrapping_add(1);
            self.booted = self.now.load(Ordering::Relaxed);
        }
    }

    /// Closes every log and the directory.
    pub(super) fn stop(&mut self) -> Result<(), Violation> {
        let Some(process) = self.process.take() else { return Ok(()) };
        // The controller ends first, and then the shards.
        let Process { directory, mut shard, tasks, began, threads, neighbours, around, .. } =
            process;
        drop((threads, tasks, began, process.node, process.own_node, neighbours));
        for _ in 0..100 {
            directory.run_flushes();
            around.take_errands().into_iter().for_each(|errand| errand());
            let closed = pin!(shard.close()).poll(&mut Context::from_waker(Waker::noop()));
            if closed == Poll::Ready(()) {
                drop(shard);
                let directory = Arc::into_inner(directory).ok_or("somebody holds the directory")?;
                // Where that fails, the next start finds that it was killed.
                _ = directory.close();
                self.end(self.disk.trace_len(), None);
                return Ok(());
            }
        }
        Err("a shard doesn't close".into())
    }

    pub(super) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Whether its process can do anything.
    pub(super) fn runs(&self) -> bool {
        self.is_up() && !self.is_paused
    }
}
