//! What a broker does beside its shard, as its runtime would run it: the controller, the answers
//! to others' calls, what operators ask for. All of it is woken as usual, and polled by the
//! simulation.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::broker::Around;
use super::network::Way;
use crate::partition::Surroundings as _;
use crate::peer::{Answer, CallError, Calls};

/// Whether any task has something to do.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A call that has arrived: over which connection, of which this is the number, and its own number.
pub(super) type Arrived = (Way, u64, u64);

/// The tasks of a process.
#[derive(Default)]
pub(super) struct Tasks {
    running: Vec<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
    answers: Rc<RefCell<Vec<(Arrived, Bytes)>>>,
}

impl Tasks {
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.running.push(Box::pin(task));
        self.wake();
    }

    /// Answers a call of another broker, when the answer is there.
    pub(super) fn answer(&mut self, call: Arrived, answer: Answer) {
        let answers = Rc::clone(&self.answers);
        self.spawn(async move {
            let answer = answer.await;
            answers.borrow_mut().push((call, answer));
        });
    }

    pub(super) fn wake(&self) {
        Arc::clone(&self.woken).wake();
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// Runs all of them until each waits for something.
    pub(super) fn run(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        while self.woken.0.swap(false, Ordering::Relaxed) {
            let mut context = Context::from_waker(&waker);
            self.running.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        }
    }

    pub(super) fn take_answers(&self) -> Vec<(Arrived, Bytes)> {
        std::mem::take(&mut *self.answers.borrow_mut())
    }
}

type Reply = oneshot::Sender<Result<Bytes, CallError>>;

/// The calls of a process.
pub(super) struct Mailbox {
    around: Arc<Around>,
    next: AtomicU64,
    /// Those that are to be sent: to whom, their numbers, what is asked.
    outgoing: Mutex<Vec<(i32, u64, Bytes)>>,
    /// Who waits for an answer of whom.
    waiting: Mutex<BTreeMap<u64, (i32, Reply)>>,
}

impl Mailbox {
    /// - `first`: the first number, which no earlier process of the broker has used.
    pub(super) fn new(around: Arc<Around>, first: u64) -> Self {
        let next = AtomicU64::new(first);
        Self { around, next, outgoing: Mutex::default(), waiting: Mutex::default() }
    }

    pub(super) fn take_outgoing(&self) -> Vec<(i32, u64, Bytes)> {
        std::mem::take(&mut *self.outgoing.lock().unwrap())
    }

    /// What has become of a call.
    pub(super) fn answer(&self, number: u64, answer: Result<Bytes, CallError>) {
        if let Some((_, reply)) = self.waiting.lock().unwrap().remove(&number) {
            // Who asked may have given up.
            drop(reply.send(answer));
        }
    }

    /// The connection to a broker has ended.
    pub(super) fn lose(&self, node: i32) {
        self.waiting.lock().unwrap().retain(|_, (to, _)| *to != node);
    }
}

impl Calls for Mailbox {
    fn call(
        &self,
        node: i32,
        request: Bytes,
        within: Duration,
    ) -> BoxFuture<'_, Result<Bytes, CallError>> {
        let (reply, answer) = oneshot::channel();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().unwrap().insert(number, (node, reply));
        self.outgoing.lock().unwrap().push((node, number, request));
        let late = self.around.pause(within);
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = answer => answer.unwrap_or(Err(CallError::Lost)),
                () = late => Err(CallError::Unanswered),
            }
        })
    }
}
