//! The threads of a broker, from its start to its end.
//!
//! Must always hold: whoever ends them waits for each, however far the start has come; then nobody
//! holds the data directory but who ended them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use logboom_storage::Directory;

use crate::cleaner::Cleaners;
use crate::cluster::ControllerHandle;
use crate::partition::{Command, ShardHandle};
use crate::repair::Repairs;

/// Threads that flush.
const FLUSHERS: usize = 4;
/// How long a stop waits for requests that are being answered.
const STOP_MAX: Duration = Duration::from_secs(30);

/// The threads that have been started.
pub(crate) struct Threads {
    directory: Arc<Directory>,
    /// Tells connections, and whoever else waits, that the broker stops.
    stopping: watch::Sender<bool>,
    flushers: Vec<JoinHandle<()>>,
    shards: Vec<ShardThread>,
    controller: Option<JoinHandle<()>>,
    /// Where it is told to end; without it, it ends by itself.
    controller_handle: Option<ControllerHandle>,
    admin: Option<JoinHandle<()>>,
    balancer: Option<JoinHandle<()>>,
    cleaners: Option<Cleaners>,
    repairs: Option<Repairs>,
}

/// The thread of a shard.
pub(crate) struct ShardThread {
    pub(crate) thread: JoinHandle<()>,
    pub(crate) handle: ShardHandle,
    /// Says that its connections have ended.
    pub(crate) ended: Receiver<()>,
}

impl Threads {
    /// No threads yet.
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            stopping: watch::channel(false).0,
            flushers: Vec::new(),
            shards: Vec::new(),
            controller: None,
            controller_handle: None,
            admin: None,
            balancer: None,
            cleaners: None,
            repairs: None,
        }
    }

    /// Is told when the broker stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Starts those that flush.
    pub(crate) fn start_flushers(&mut self) -> io::Result<()> {
        for index in 0..FLUSHERS {
            let directory = Arc::clone(&self.directory);
            let serve = move || directory.serve_flushes();
            self.flushers.push(spawn(&format!("flush-{index}"), serve)?);
        }
        let directory = Arc::clone(&self.directory);
        let serve = move || {
            if let Err(error) = directory.serve_state() {
                tracing::error!(%error, "the state store has failed; the broker ends");
                // Votes and log starts can't be kept any more: nothing may be promised.
                std::process::exit(1);
            }
        };
        self.flushers.push(spawn("state", serve)?);
        Ok(())
    }

    pub(crate) fn add_shard(&mut self, shard: ShardThread) {
        self.shards.push(shard);
    }

    /// The shards, by their numbers.
    pub(crate) fn shard_handles(&self) -> Arc<[ShardHandle]> {
        self.shards.iter().map(|shard| shard.handle.clone()).collect()
    }

    pub(crate) fn add_controller(&mut self, thread: JoinHandle<()>) {
        self.controller = Some(thread);
    }

    /// The controller has begun, and takes messages.
    pub(crate) fn controller_began(&mut self, handle: ControllerHandle) {
        self.controller_handle = Some(handle);
    }

    pub(crate) fn add_admin(&mut self, thread: JoinHandle<()>) {
        self.admin = Some(thread);
    }

    pub(crate) fn add_balancer(&mut self, thread: JoinHandle<()>) {
        self.balancer = Some(thread);
    }

    pub(crate) fn add_cleaners(&mut self, cleaners: Cleaners) {
        self.cleaners = Some(cleaners);
    }

    pub(crate) fn add_repairs(&mut self, repairs: Repairs) {
        self.repairs = Some(repairs);
    }

    /// Ends them: no more requests are taken, those that are there are answered, logs are closed.
    pub(crate) fn end(self) -> Arc<Directory> {
        // Others lead what this broker led before it answers nobody any more.
        let handed_over = self.shards.iter().map(|shard| {
            let (done, over) = oneshot::channel();
            shard.handle.send(Command::HandOver(done));
            over
        });
        for over in handed_over.collect::<Vec<_>>() {
            drop(over.blocking_recv());
        }
        self.stopping.send_replace(true);
        join(self.balancer);
        self.cleaners.into_iter().for_each(Cleaners::stop);
        self.repairs.into_iter().for_each(Repairs::stop);
        for shard in &self.shards {
            if shard.ended.recv_timeout(STOP_MAX) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!("some requests are not answered");
                break;
            }
        }
        self.controller_handle.into_iter().for_each(|handle| handle.close());
        join(self.controller);
        for shard in &self.shards {
            let (done, closed) = oneshot::channel();
            shard.handle.send(Command::Close(done));
            drop(closed.blocking_recv());
        }
        join(self.shards.into_iter().map(|shard| shard.thread));
        join(self.admin);
        self.directory.stop_flushes();
        join(self.flushers);
        self.directory
    }
}

/// Waits for threads. One that has panicked has said so.
fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

/// Starts a thread.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(run)
}
