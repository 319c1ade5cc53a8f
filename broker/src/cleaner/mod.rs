//! Threads that compact logs (`cleanup.policy` compact).
//!
//! ```text
//!   a cleaner thread: the log with most to gain ─▶ reads it, makes new files, throttled
//!          │ Command::LastBatches                        │ Command::Swap, one a new file
//!          ▼                                             ▼
//!        the shard that owns the log: a short step each, in its turn
//! ```
//!
//! Must always hold: a log is compacted by one thread at a time; a shard never waits for one of
//! these threads, and they end when the broker stops, whatever they are at.

mod pace;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};

use logboom_storage::Cleanable;
use logboom_storage::state::GroupKey;

pub(crate) use self::pace::Throttle;
use crate::node::Node;

/// The threads that compact.
pub(crate) struct Cleaners {
    shared: Arc<Shared>,
}

/// What they share.
struct Shared {
    node: Arc<Node>,
    state: Mutex<State>,
    stopped: Condvar,
    throttle: Mutex<Throttle>,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    threads: Vec<JoinHandle<()>>,
    /// Logs that are being compacted.
    busy: HashSet<GroupKey>,
    /// Logs that couldn't be, what was to be compacted then, and when: tried again when that
    /// changes, or after a while.
    resting: HashMap<GroupKey, (Cleanable, Instant)>,
}

/// How long a log is left alone that couldn't be compacted, as where the disk is full.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// How often a thread without work looks whether it is still wanted, whatever its backoff.
const BACKOFF_MIN: Duration = Duration::from_millis(1);

impl Cleaners {
    /// Starts them; none where `log.cleaner.enable` is off.
    ///
    /// # Errors
    /// What the system says to a new thread.
    pub(crate) fn start(node: &Arc<Node>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            node: Arc::clone(node),
            state: Mutex::default(),
            stopped: Condvar::new(),
            throttle: Mutex::default(),
        });
        if node.boolean("log.cleaner.enable") {
            shared.start_thread(0)?;
        }
        Ok(Self { shared })
    }

    /// Stops them, and waits until they have ended.
    pub(crate) fn stop(self) {
        self.shared.state().is_stopping = true;
        self.shared.stopped.notify_all();
        loop {
            let thread = self.shared.state().threads.pop();
            match thread {
                // One that has panicked has said so.
                Some(thread) => drop(thread.join()),
                None => return,
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many threads are wanted at this moment (`log.cleaner.threads`).
    fn wanted(&self) -> usize {
        usize::try_from(self.node.integer("log.cleaner.threads")).unwrap_or(0)
    }

    fn start_thread(self: &Arc<Self>, index: usize) -> io::Result<()> {
        let shared = Arc::clone(self);
        let name = format!("cleaner-{index}");
        let mut state = self.state();
        if !state.is_stopping {
            let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
            let run = move || shared.run(index, &runtime);
            state.threads.push(std::thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(())
    }

    /// What a thread does. The first is always there, and sees to it that the others are.
    fn run(self: &Arc<Self>, index: usize, runtime: &Runtime) {
        let mut others = 1;
        loop {
            let wanted = self.wanted();
            if index == 0 {
                // Those that aren't wanted any more end by themselves.
                others = others.min(wanted.max(1));
                while others < wanted {
                    if let Err(error) = self.start_thread(others) {
                        tracing::warn!(%error, "a cleaner thread is not started");
                        break;
                    }
                    others += 1;
                }
            } else if index >= wanted {
                return;
            }
            let has_worked = index < wanted && self.clean_one(runtime);
            let backoff_ms = self.node.integer("log.cleaner.backoff.ms");
            let backoff = Duration::from_millis(u64::try_from(backoff_ms).unwrap_or(0));
            let rest = if has_worked { Duration::ZERO } else { backoff.max(BACKOFF_MIN) };
            if self.rest(rest) {
                return;
            }
        }
    }

    /// Waits for so long, or until the broker stops; returns whether it does.
    fn rest(&self, time: Duration) -> bool {
        let state = self.state();
        let wait = self.stopped.wait_timeout_while(state, time, |state| !state.is_stopping);
        wait.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }
}
