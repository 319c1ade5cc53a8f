//! Completions: who submitted hears what became of it.
//!
//! Must always hold: they are called in the order in which they were submitted, one after the
//! other, and under no lock, so that one may submit and commit itself.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::{Result, StateError};

/// Called when what was submitted is durable, or when that failed.
///
/// It may submit and commit. What it submits is reported when it has returned.
pub type Done = Box<dyn FnOnce(std::result::Result<(), StateError>) + Send>;

/// Completions whose rounds are over.
#[derive(Default)]
pub(super) struct Completions(Mutex<Due>);

#[derive(Default)]
struct Due {
    queue: VecDeque<(Done, Result<()>)>,
    /// Whether a thread calls them. It takes what others add meanwhile as well: two threads would
    /// overtake each other.
    running: bool,
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completions({} due)", self.due().queue.len())
    }
}

impl Completions {
    /// Adds completions; the caller holds the lock that orders them.
    pub(super) fn add(&self, dones: impl IntoIterator<Item = Done>, result: &Result<()>) {
        self.due().queue.extend(dones.into_iter().map(|done| (done, result.clone())));
    }

    /// Calls those that are due, unless a thread does already.
    pub(super) fn run(&self) {
        let mut due = self.due();
        if std::mem::replace(&mut due.running, true) {
            return;
        }
        drop(due);
        let running = Running(self);
        while let Some((done, result)) = running.next() {
            done(result);
        }
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that calls completions. One that panics lets others go on behind it.
struct Running<'a>(&'a Completions);

impl Running<'_> {
    fn next(&self) -> Option<(Done, Result<()>)> {
        let mut due = self.0.due();
        let next = due.queue.pop_front();
        // In one step with finding nothing: whoever adds one later calls it.
        due.running = next.is_some();
        next
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.due().running = false;
        }
    }
}
