//! Threads of a process that wait for the device and for others, those of the repair. Each is a
//! thread indeed, but it runs only while the simulation waits for it, until it waits itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::broker::Around;
use super::oracle::Violation;
use crate::partition::{Surroundings as _, millis};
use crate::repair::{Rest, Work};

/// A thread of a process.
pub(super) struct Stepped {
    goes_on: Option<SyncSender<()>>,
    /// Until when it waits, by the clock of its machine.
    waits: Option<Receiver<u64>>,
    thread: Option<JoinHandle<()>>,
}

/// What a thread knows of the simulation.
struct Turns {
    around: Arc<Around>,
    began: Instant,
    chances: AtomicU64,
    goes_on: Mutex<Receiver<()>>,
    waits: SyncSender<u64>,
    is_over: AtomicBool,
}

impl Stepped {
    /// A thread, which waits for its first step.
    ///
    /// - `work`: what it does.
    pub(super) fn new(around: &Arc<Around>, work: impl FnOnce(&Arc<dyn Rest>) -> Work) -> Self {
        let (goes_on, gone_on) = sync_channel(1);
        let (waits, waited) = sync_channel(1);
        let turns = Arc::new(Turns {
            around: Arc::clone(around),
            began: Instant::now(),
            chances: AtomicU64::new(around.chance()),
            goes_on: Mutex::new(gone_on),
            waits,
            is_over: AtomicBool::new(false),
        });
        let work = work(&(Arc::clone(&turns) as _));
        let thread = spawn(move || {
            if !turns.passes(0) {
                drop(turns);
                work();
            }
        });
        let stepped = Self { goes_on: Some(goes_on), waits: Some(waited), thread: Some(thread) };
        // It waits already.
        stepped.waits.as_ref().map(Receiver::recv).expect("it is there").expect("it waits");
        stepped
    }

    /// Has it run until it waits; returns until when, and nothing where it has ended.
    pub(super) fn step(&mut self) -> Result<Option<u64>, Violation> {
        let goes_on = self.goes_on.as_ref().map(|goes_on| goes_on.send(()));
        if let (Some(Ok(())), Some(waits)) = (goes_on, &self.waits)
            && let Ok(until) = waits.recv()
        {
            return Ok(Some(until));
        }
        let thread = self.thread.take().map(JoinHandle::join);
        let ended = thread.is_none_or(|ended| ended.is_ok());
        if ended { Ok(None) } else { Err("a thread has panicked".into()) }
    }
}

impl Drop for Stepped {
    /// Its process ends: it goes on until it is about to wait, and nothing is waited for.
    fn drop(&mut self) {
        (self.goes_on, self.waits) = (None, None);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("a thread has panicked");
        }
    }
}

impl Turns {
    /// Waits for the next step; returns whether there is none any more.
    fn passes(&self, until: u64) -> bool {
        let goes_on = || self.goes_on.lock().unwrap().recv().is_ok();
        let is_over = self.waits.send(until).is_err() || !goes_on();
        self.is_over.fetch_or(is_over, Ordering::Relaxed) || is_over
    }
}

impl Rest for Turns {
    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.around.boot_ms())
    }

    fn rest(&self, time: Duration) -> bool {
        let until = self.around.boot_ms() + millis(time);
        while self.around.boot_ms() < until {
            if self.passes(until) {
                return true;
            }
        }
        self.is_over.load(Ordering::Relaxed)
    }

    fn wait<'a>(&self, mut ready: BoxFuture<'a, ()>) {
        let mut context = Context::from_waker(Waker::noop());
        while ready.as_mut().poll(&mut context).is_pending() {
            if self.passes(self.around.boot_ms() + 1) {
                return;
            }
        }
    }

    fn chance(&self) -> u64 {
        self.chances.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}
