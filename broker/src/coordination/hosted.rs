//! A partition that is hosted: its coordinator, what is appended, and who waits for that.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use logboom_groups::{Coordinator, Effects, Now, Reply, Ticket};

use super::batches;
use super::handle::{CoordinationError, Job, Release, Stage, Waiter};
use crate::partition::{Append, AppendError, Appended, Partition, Until};

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

/// A partition and its coordinator.
pub(super) struct Hosted {
    pub(super) partition: Arc<Partition>,
    pub(super) state: State,
    /// What the turn has decided.
    effects: Effects,
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
            partition,
            state: State::Loading(Vec::new()),
            effects: Effects::default(),
            ready: Vec::new(),
            held: VecDeque::new(),
            waiters: HashMap::new(),
            appended: 0,
            committed: 0,
            over: BTreeMap::new(),
        }
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

    /// When the coordinator has something to do by itself.
    pub(super) fn next_deadline_ms(&self) -> Option<i64> {
        match &self.state {
            State::Serving(coordinator) => coordinator.next_deadline_ms(),
            _ => None,
        }
    }

    /// Ends a turn: what was decided becomes appends, and answers go or wait. Returns the number of
    /// the append that was begun, if one was.
    pub(super) fn end_turn(&mut self, now: Now) -> Option<(u64, Vec<Append>, Vec<Appending>)> {
        let Effects { records, replies } = std::mem::take(&mut self.effects);
        for (ticket, reply) in replies {
            // Whoever waited on a former coordinator has been answered.
            let waiter = self.waiters.remove(&ticket);
            self.ready.extend(waiter.map(|waiter| Ready::Reply(waiter, reply)));
        }
        let mut begun = None;
        if !records.is_empty() {
            self.appended += 1;
            match batches::build(&records, now.wall_ms) {
                Ok(batches) => begun = Some(self.append(batches)),
                Err(error) => {
                    tracing::error!(%error, partition = %self.partition.key, "groups not kept");
                    self.on_over(self.appended, false);
                }
            }
        }
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

    fn append(
        &self,
        batches: Vec<logboom_protocol::records::ProducedBatch>,
    ) -> (u64, Vec<Append>, Vec<Appending>) {
        let (mut appends, mut answers) = (Vec::new(), Vec::new());
        for batch in batches {
            let (reply, answer) = oneshot::channel();
            let partition = Arc::clone(&self.partition);
            // Its room is that of the requests that it came from, and bounded with them.
            let permit = Arc::new(());
            appends.push(Append { partition, batch, until: Until::Committed, reply, permit });
            answers.push(answer);
        }
        (self.appended, appends, answers)
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
        self.effects = Effects::default();
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
