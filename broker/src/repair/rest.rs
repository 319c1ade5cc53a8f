//! How the threads of the repair wait: a simulation can stand in for it.

use std::future::Future;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};

use crate::node::random_bytes;

/// Time, chance, and what is waited for.
pub(crate) trait Rest: Send + Sync {
    /// What a clock shows that never goes back.
    fn now(&self) -> Instant;

    /// Waits for so long, or until the broker stops; returns whether it does.
    fn rest(&self, time: Duration) -> bool;

    /// Waits until something is ready. Where the broker stops, that may be before it is.
    fn wait<'a>(&self, ready: BoxFuture<'a, ()>);

    /// A number that nobody foresees.
    fn chance(&self) -> u64;
}

impl dyn Rest + '_ {
    /// Waits for what a future gives; `None` where the broker stops.
    pub(super) fn wait_for<T: Send>(&self, future: impl Future<Output = T> + Send) -> Option<T> {
        let mut found = None;
        let place = &mut found;
        self.wait(Box::pin(async move { *place = Some(future.await) }));
        found
    }
}

/// As threads of the process wait.
pub(super) struct Threads {
    is_stopping: Mutex<bool>,
    stopped: Condvar,
    runtime: Runtime,
}

impl Threads {
    /// # Errors
    /// What the system says to a new runtime.
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { is_stopping: Mutex::new(false), stopped: Condvar::new(), runtime })
    }

    /// Whoever rests goes on, and is told to end.
    pub(super) fn stop(&self) {
        *self.is_stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopped.notify_all();
    }
}

impl Rest for Threads {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn rest(&self, time: Duration) -> bool {
        let is_stopping = self.is_stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.stopped.wait_timeout_while(is_stopping, time, |stopping| !*stopping);
        *wait.unwrap_or_else(PoisonError::into_inner).0
    }

    fn wait<'a>(&self, ready: BoxFuture<'a, ()>) {
        self.runtime.block_on(ready);
    }

    fn chance(&self) -> u64 {
        u64::from_be_bytes(random_bytes())
    }
}
