//! The signals that end what goes on by itself: a run before its time, and the other commands of
//! the program, which have no crate below them that may know of processes but this one.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT; from here on they don't end the process by themselves.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    have_come: bool,
}

impl Signals {
    /// # Errors
    /// The system gives no handlers.
    pub fn new() -> io::Result<Self> {
        Self::of(SignalKind::terminate(), SignalKind::interrupt())
    }

    /// - `terminate`, `interrupt`: in a test not those that others listen to.
    pub(crate) fn of(terminate: SignalKind, interrupt: SignalKind) -> io::Result<Self> {
        let (terminate, interrupt) = (signal(terminate)?, signal(interrupt)?);
        Ok(Self { terminate, interrupt, have_come: false })
    }

    /// Waits for one of them. Cancel-safe.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.have_come = true;
    }

    /// What comes of some work, which is dropped where a signal comes before: `None`.
    pub(crate) async fn race<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.next() => None,
        }
    }

    /// Whether one has come that was waited for.
    pub(crate) fn have_come(&self) -> bool {
        self.have_come
    }
}
