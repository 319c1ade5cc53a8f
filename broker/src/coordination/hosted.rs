//! A partition that is hosted: its coordinator, what is appended, and who waits for that.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use logboom_groups::{Coordinator, Effects, Now, Reply, Ticket};
use logboom_protocol::records::{BatchError, ProducedBatch};

use super::batches::Batches;
use super::handle::{CoordinationError, Job, Release, Stage, Waiter};
use crate::partition::{Append, AppendError, Appended, Partition, Standing, Until};

/// How far a partition has come.
pub(super) enum State {
    /// It is being read; those wait for that.
    Loading(Vec<oneshot::Sender<()>>),
    /// It is asked.
    Serving(Box<Coordinator>),
    /// An append has failed. When all of them are over, the log is read again.
    Failed,
}

/// An answer that is ready to leave.
enum Ready {
    Release(Release),
    Reply(Waiter, Reply),
}

impl Ready {
    fn go(self, result: Result<(), CoordinationError>) {
        match self {
            Self::Release(release) => release(result),
            Self::Reply(waiter, reply) => drop(waiter.send(result.map(|()| reply))),
        }
    }
}

/// What is told of an append.
pub(super) type Appending = oneshot::Receiver<Result<Appended, AppendError>>;

/// An append of a turn's records.
pub(super) struct Begun {
    /// Counts the appends of a partition.
    pub(super) number: u64,
    /// Bytes of the records.
    pub(super) bytes: usize,
    /// For the shard.
    pub(super) appends: Vec<Append>,
    /// What it will say of them.
    pub(super) answers: Vec<Appending>,
}

/// A partition and its coordinator.
pub(super) struct Hosted {
    pub(super) partition: Arc<Partition>,
    /// In which epoch it is led here.
    epoch: i32,
    pub(super) state: State,
    /// What the turn has decided.
    effects: Effects,
    /// The records of that.
    batches: Batches,
    /// Answers of the turn.
    ready: Vec<Ready>,
    /// Answers that wait for the append of that number, in order.
    held: VecDeque<(u64, Vec<Ready>)>,
    /// Who waits for what others do.
    waiters: HashMap<Ticket, Waiter>,
    /// The number of the last append that was begun.
    appended: u64,
    /// The number of the last one that is committed, with all before it.
    committed: u64,
    /// Those that are over before one that was begun earlier.
    over: BTreeMap<u64, bool>,
}

impl Hosted {
    /// A partition that is about to be read.
    pub(super) fn new(partition: Arc<Partition>) -> Self {
        Self {
            epoch: partition.leader_epoch(),
            partition,
            state: State::Loading(Vec::new()),
            effects: Effects::default(),
            batches: Batches::default(),
            ready: Vec::new(),
            held: VecDeque::new(),
            waiters: HashMap::new(),
            appended: 0,
            committed: 0,
            over: BTreeMap::new(),
        }
    }

    /// In which epoch it is led here.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether it is led here no more, or was led elsewhere since it was read.
    pub(super) fn has_left(&self) -> bool {
        self.partition.role() != (self.epoch, Standing::Leads)
    }

    /// Asks the coordinator, or says why it can't be asked.
    pub(super) fn ask(&mut self, job: Job, now: Now, ticket: Ticket) {
        let error = match &mut self.state {
            State::Serving(coordinator) => {
                let (effects, waiters) = (&mut self.effects, &mut self.waiters);
                let stage = Stage { coordinator, now, effects, ticket, waiters };
                return self.ready.extend(job(Ok(stage)).map(Ready::Release));
            }
            State::Loading(_) => CoordinationError::Loading,
            State::Failed => CoordinationError::NotCoordinator,
        };
        job(Err(error));
    }

    /// Does something with the coordinator that nobody waits for.
    pub(super) fn step(&mut self, step: impl FnOnce(&mut Coordinator, &mut Effects)) {
        if let State::Serving(coordinator) = &mut self.state {
            step(coordinator, &mut self.effects);
        }
    }

    /// Encodes the records that were decided; how many bytes they are.
    pub(super) fn encode(&mut self, now: Now) -> usize {
        let before = self.batches.bytes();
        let records = std::mem::take(&mut self.effects.records);
        let added = records.iter().try_for_each(|record| self.batches.add(record, now.wall_ms));
        if let Err(error) = added {
            self.on_broken_batch(&error);
        }
        self.batches.bytes().saturating_sub(before)
    }

    fn on_broken_batch(&mut self, error: &BatchError) {
        tracing::error!(%error, partition = %self.partition.key, "groups are not kept");
        self.fail(CoordinationError::NotCoordinator);
    }

    /// When the coordinator has something to do by itself.
    pub(super) fn next_deadline_ms(&self) -> Option<i64> {
        match &self.state {
            State::Serving(coordinator) => coordinator.next_deadline_ms(),
            _ => None,
        }
    }

    /// Ends a turn: what was decided becomes appends, and answers go or wait. Returns the append
    /// that was begun, if one was.
    pub(super) fn end_turn(&mut self, now: Now) -> Option<Begun> {
        self.encode(now);
        for (ticket, reply) in std::mem::take(&mut self.effects.replies) {
            // Whoever waited on a former coordinator has been answered.
            let waiter = self.waiters.remove(&ticket);
            self.ready.extend(waiter.map(|waiter| Ready::Reply(waiter, reply)));
        }
        let bytes = self.batches.bytes();
        let begun = match self.batches.take() {
            Ok(batches) if batches.is_empty() => None,
            Ok(batches) => Some(self.append(batches, bytes)),
            Err(error) => {
                self.on_broken_batch(&error);
                None
            }
        };
        let ready = std::mem::take(&mut self.ready);
        match &self.state {
            State::Failed => {
                ready.into_iter().for_each(|one| one.go(Err(CoordinationError::NotCoordinator)));
            }
            _ if self.appended == self.committed => {
                ready.into_iter().for_each(|one| one.go(Ok(())));
            }
            _ if !ready.is_empty() => self.held.push_back((self.appended, ready)),
            _ => {}
        }
        begun
    }

    fn append(&mut self, batches: Vec<ProducedBatch>, bytes: usize) -> Begun {
        self.appended += 1;
        let (mut appends, mut answers) = (Vec::new(), Vec::new());
        for batch in batches {
            let (reply, answer) = oneshot::channel();
            let partition = Arc::clone(&self.partition);
            // The host has a limit of its own for what it appends.
            let permit = None;
            let (until, epoch) = (Until::Committed, Some(self.epoch));
            appends.push(Append { partition, batch, until, epoch, reply, permit });
            answers.push(answer);
        }
        Begun { number: self.appended, bytes, appends, answers }
    }

    /// An append is over.
    pub(super) fn on_over(&mut self, number: u64, is_committed: bool) {
        self.over.insert(number, is_committed);
        while let Some(is_committed) = self.over.remove(&(self.committed + 1)) {
            self.committed += 1;
            if !is_committed {
                self.fail(CoordinationError::NotCoordinator);
            }
        }
        while let Some((number, _)) = self.held.front() {
            if *number > self.committed {
                break;
            }
            let (_, ready) = self.held.pop_front().expect("just seen");
            ready.into_iter().for_each(|one| one.go(Ok(())));
        }
    }

    /// Refuses all that waits; what the coordinator believes may not be in the log.
    pub(super) fn fail(&mut self, error: CoordinationError) {
        self.state = State::Failed;
        (self.effects, self.batches) = (Effects::default(), Batches::default());
        let held = std::mem::take(&mut self.held).into_iter().flat_map(|(_, ready)| ready);
        held.chain(std::mem::take(&mut self.ready)).for_each(|one| one.go(Err(error)));
        for waiter in std::mem::take(&mut self.waiters).into_values() {
            drop(waiter.send(Err(error)));
        }
    }

    /// Refuses those who wait for others: the broker stops.
    pub(super) fn dismiss_waiters(&mut self) {
        for waiter in std::mem::take(&mut self.waiters).into_values() {
            drop(waiter.send(Err(CoordinationError::Stopping)));
        }
    }

    /// Whether it has failed, and none of its appends is under way.
    pub(super) fn is_to_be_read_again(&self) -> bool {
        matches!(self.state, State::Failed) && self.appended == self.committed
    }
}
