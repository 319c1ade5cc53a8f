//! The state, its lock, and how its users wake each other.
//!
//! ```text
//!   front ──┐                      ┌── driver        each waits for its own signal
//!           ├── update(|state| …) ─┼── committing
//!   control ┘                      └── membership
//! ```
//!
//! **Invariant:** the lock is never held across a wait, and no waker is called under it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

use crate::config::ConsumerConfig;
use crate::state::{Progress, Signals, State};

/// A task lives while it has this. Where a panic ends it, or its runtime, before the consumer is
/// closed, whoever waits for records or commits is told, and nobody waits for ever.
#[derive(Debug)]
pub(crate) struct Alive {
    shared: Arc<Shared>,
    /// What the task does.
    task: &'static str,
}

impl Alive {
    pub(crate) fn new(shared: &Arc<Shared>, task: &'static str) -> Self {
        Self { shared: Arc::clone(shared), task }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.shared.update(|state| state.break_down(self.task)) {
            tracing::error!(task = self.task, "a task of the consumer has ended");
        }
    }
}

/// What the parts of a consumer share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) progress: Arc<Progress>,
    /// Moves when the front is to look again at what it holds.
    attention: AtomicU64,
    /// How often records were asked for. Only the front writes it.
    polls: AtomicU64,
    pub(crate) driver: Notify,
    pub(crate) commits: Notify,
    pub(crate) group: Notify,
}

impl Shared {
    pub(crate) fn new(config: Arc<ConsumerConfig>) -> Self {
        let state = State::new(config);
        Self {
            progress: Arc::clone(&state.progress),
            state: Mutex::new(state),
            attention: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            driver: Notify::new(),
            commits: Notify::new(),
            group: Notify::new(),
        }
    }

    /// Changes the state, and wakes whom that concerns.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, signals, waker) = {
            // Every change of it is whole, so a panic elsewhere leaves it sound.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut state);
            let signals = std::mem::take(&mut state.signals);
            if signals.attention {
                // Under the lock: who sees the new number sees the state behind it.
                self.attention.fetch_add(1, Ordering::Release);
            }
            let waker = if signals.front { state.waker.take() } else { None };
            (result, signals, waker)
        };
        self.wake(signals, waker);
        result
    }

    fn wake(&self, signals: Signals, waker: Option<Waker>) {
        if let Some(waker) = waker {
            waker.wake();
        }
        let Signals { driver, commits, group, .. } = signals;
        for (is_meant, notify) in
            [(driver, &self.driver), (commits, &self.commits), (group, &self.group)]
        {
            if is_meant {
                notify.notify_one();
            }
        }
    }

    /// Moves when the front is to look again at what it holds.
    #[inline]
    pub(crate) fn attention(&self) -> u64 {
        self.attention.load(Ordering::Acquire)
    }

    /// Records are asked for the `count`th time. Only the front says so.
    #[inline]
    pub(crate) fn polled(&self, count: u64) {
        self.polls.store(count, Ordering::Relaxed);
    }

    /// How often records were asked for.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }
}
