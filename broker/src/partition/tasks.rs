//! What a group asks of its disk, one thing after the other: votes, control entries, cuts, log
//! starts.
//!
//! ```text
//!   a step of the group ─▶ tasks ─▶ vote, clean:     the state store
//!                                   control entry:   log flushed ─▶ state store (a barrier)
//!                                   log start:       the same
//!                                   cut, reset:      at once; the shard waits for the device
//! ```
//!
//! Must always hold: the group hears that a frame is durable only when it is, and all before it.

use std::collections::VecDeque;
use std::sync::Arc;

use logboom_raft::{Control, Effects, Position, ReplicaId, Store, Voters};
use logboom_storage::producers::{Producers, ProducersOptions};
use logboom_storage::state::{EpochStart, StateRecord};
use logboom_storage::{MovingStart, StorageError};

use super::caching::Caching;
use super::entries;
use super::hands::Hands;
use super::replica::Replica;
use super::seat::vote_record;

/// Is told where a log start was to be moved, once it is there.
type Moved = Box<dyn FnOnce(&mut Replica, Result<Option<i64>, StorageError>)>;

/// One thing that a group asks of its disk.
enum Task {
    Vote { epoch: i32, vote: Option<ReplicaId> },
    Clean,
    Control(Control),
    Cut(Position),
    Reset { start: Position, voters: Arc<Voters> },
    Start(Position),
}

/// What is being waited for.
enum UnderWay {
    /// The state store.
    Store,
    /// A flush, with a control entry behind it.
    Barrier,
    /// A flush, with a log start behind it.
    Start(MovingStart),
}

/// What a group has asked of its disk, and isn't durable yet.
#[derive(Default)]
pub(super) struct Tasks {
    /// In order; the last of each frame with the frame's number.
    queue: VecDeque<(Task, Option<u64>)>,
    /// What is being done, and the frame that it is the last of.
    under_way: Option<(UnderWay, Option<u64>)>,
    /// Who is told of log starts, with the frames that have them.
    moved: VecDeque<(u64, i64, Moved)>,
    /// The producers at the start to which the log is to be reset.
    producers: Option<Box<Producers>>,
    /// How many of them change the shape of the log.
    reshaping: usize,
}

impl Task {
    fn of(store: Store) -> Self {
        match store {
            Store::Vote { epoch, vote } => Self::Vote { epoch, vote },
            Store::Control(control) => Self::Control(control),
            Store::Cut(to) => Self::Cut(to),
            Store::Reset { start, voters } => Self::Reset { start, voters },
            Store::Start { start, .. } => Self::Start(start),
            Store::Clean => Self::Clean,
        }
    }

    /// Whether the log is another one until it is done than the group takes it for.
    fn reshapes(&self) -> bool {
        matches!(self, Self::Control(_) | Self::Cut(_) | Self::Reset { .. })
    }

    /// What the state store alone learns.
    fn record(&self, caching: bool) -> Option<StateRecord> {
        match self {
            Self::Vote { epoch, vote } => Some(vote_record(*epoch, *vote)),
            Self::Clean => Some(StateRecord::Flags { caching, lossy: false }),
            _ => None,
        }
    }
}

impl Tasks {
    /// Takes what a step asked for.
    ///
    /// - `number`: of the frame.
    pub(super) fn add(&mut self, stores: Vec<Store>, number: u64) {
        let last = stores.len().saturating_sub(1);
        for (i, store) in stores.into_iter().enumerate() {
            let task = Task::of(store);
            self.reshaping += usize::from(task.reshapes());
            self.queue.push_back((task, (i == last).then_some(number)));
        }
    }

    /// Whether the log is as the group takes it to be, so that what is flushed of it counts.
    pub(super) fn is_shape_durable(&self) -> bool {
        self.reshaping == 0
    }

    /// Whether the log is to begin anew, and holds what may have been committed by nobody.
    pub(super) fn is_reset_due(&self) -> bool {
        self.queue.iter().any(|(task, _)| matches!(task, Task::Reset { .. }))
    }

    /// Has somebody told of a log start once it is there.
    ///
    /// - `number`: of the frame that has it.
    pub(super) fn tell_moved(&mut self, number: u64, offset: i64, moved: Moved) {
        self.moved.push_back((number, offset, moved));
    }

    /// The producers that a leader sent along with the start of its log.
    pub(super) fn set_producers(&mut self, producers: Producers) {
        self.producers = Some(Box::new(producers));
    }
}

impl Replica {
    /// Does what the group has asked for, as far as it can be done now.
    pub(super) fn run_tasks(&mut self, hands: &Hands) {
        // Nothing that waits is known to be durable any more, nor what comes behind it.
        while !self.has_failed
            && self.tasks.under_way.is_none()
            && let Some((task, _)) = self.tasks.queue.front()
        {
            if task.record(false).is_some() {
                return self.store_records(hands);
            }
            if self.flushing.is_some() {
                return;
            }
            let Some((task, number)) = self.tasks.queue.pop_front() else { return };
            match self.run_task(&task, number, hands) {
                Ok(()) => {}
                Err(error @ StorageError::NoSpace { .. }) => {
                    // Nothing has changed; it is tried again with the next step.
                    let partition = self.partition.key;
                    tracing::warn!(%partition, %error, "what its group asks for waits");
                    return self.tasks.queue.push_front((task, number));
                }
                Err(error) => return self.on_failed(&error, hands),
            }
        }
    }

    /// Has the state store learn all that comes first and waits for nothing else.
    fn store_records(&mut self, hands: &Hands) {
        let caching = self.caching != Caching::Off;
        let (mut records, mut last) = (Vec::new(), None);
        while let Some((task, number)) = self.tasks.queue.front()
            && let Some(record) = task.record(caching)
        {
            records.push(record);
            last = number.or(last);
            self.tasks.queue.pop_front();
        }
        self.tasks.under_way = Some((UnderWay::Store, last));
        hands.store(self.name, records, last.unwrap_or(0));
    }

    fn run_task(
        &mut self,
        task: &Task,
        number: Option<u64>,
        hands: &Hands,
    ) -> Result<(), StorageError> {
        let done = || hands.on_flush_done(self.name);
        match task {
            Task::Vote { .. } | Task::Clean => unreachable!("the state store has them"),
            Task::Control(control) => {
                let offset = self.log.append_control(entries::entry(control), done())?;
                self.flushing = Some(offset);
                self.tasks.under_way = Some((UnderWay::Barrier, number));
            }
            Task::Start(start) => {
                match self.log.move_log_start(entries::log_start(*start), done())? {
                    Some(moving) => {
                        self.flushing = Some(moving.flushes_to());
                        self.tasks.under_way = Some((UnderWay::Start(moving), number));
                    }
                    None => self.on_task_done(number, hands),
                }
            }
            Task::Cut(to) => {
                self.cut(*to)?;
                self.tasks.reshaping -= 1;
                self.on_task_done(number, hands);
            }
            Task::Reset { start, voters } => {
                self.reset(*start, voters)?;
                self.tasks.reshaping -= 1;
                self.on_task_done(number, hands);
            }
        }
        Ok(())
    }

    /// Drops what is behind a position.
    fn cut(&mut self, to: Position) -> Result<(), StorageError> {
        self.forget_tail();
        let Position { epoch, offset, control } = to;
        let survives = |it: &&EpochStart| it.epoch <= epoch && it.start_offset <= offset;
        let last = self.log.epochs().iter().rfind(survives).map(|it| it.epoch);
        // An epoch without records leaves no trace in the log, and its leader's may follow.
        let begins = last.is_none_or(|last| last < epoch);
        let begins =
            begins.then_some(StateRecord::Epoch(EpochStart { epoch, start_offset: offset }));
        let behind: Vec<StateRecord> = begins.into_iter().collect();
        self.log.truncate_to(offset, epoch, entries::sequence(control), &behind)
    }

    /// Begins the log anew where the leader's begins.
    fn reset(&mut self, start: Position, voters: &Voters) -> Result<(), StorageError> {
        self.forget_tail();
        let Position { epoch, offset, .. } = start;
        let behind = [
            StateRecord::Control(entries::voters_entry(start, voters)),
            StateRecord::LogStart(entries::log_start(start)),
        ];
        let producers = match self.tasks.producers.take() {
            Some(producers) => producers.before(offset),
            None => Producers::new(offset, ProducersOptions::default()),
        };
        let epochs = [EpochStart { epoch, start_offset: offset }];
        self.log.reset_to(offset, &epochs, producers, &behind)
    }

    /// The flush that a task waited for is over; returns whether there was one.
    pub(super) fn on_task_flushed(&mut self, hands: &Hands) {
        match self.tasks.under_way.take() {
            Some((UnderWay::Barrier, number)) => {
                self.tasks.reshaping -= 1;
                self.on_task_done(number, hands);
            }
            Some((UnderWay::Start(moving), number)) => {
                self.log.on_log_start_moved(moving);
                self.on_task_done(number, hands);
            }
            other => self.tasks.under_way = other,
        }
    }

    /// The state store has learned records, up to those of a frame.
    pub(super) fn on_stored(&mut self, number: u64, hands: &Hands) {
        if let Some((UnderWay::Store, last)) = self.tasks.under_way
            && last.unwrap_or(0) == number
        {
            self.tasks.under_way = None;
            self.on_task_done(last, hands);
            self.run_tasks(hands);
        }
    }

    /// A task is done; with the last of a frame that frame is durable.
    fn on_task_done(&mut self, number: Option<u64>, hands: &Hands) {
        let Some(number) = number else { return };
        let mut effects = self.effects();
        self.group.stored(number, &mut effects);
        self.follow(&mut effects, hands);
        while let Some((_, offset, moved)) = self.tasks.moved.pop_front_if(|it| it.0 <= number) {
            moved(self, Ok(Some(offset)));
        }
    }

    /// Whatever waits for the disk waits in vain.
    ///
    /// - `error`: makes the one that each is told.
    pub(super) fn fail_tasks(&mut self, error: impl Fn() -> StorageError) {
        self.tasks.under_way = None;
        for (_, _, moved) in std::mem::take(&mut self.tasks.moved) {
            moved(self, Err(error()));
        }
    }

    /// Effects for a step, with what happened in words where somebody listens.
    pub(super) fn effects(&self) -> Effects {
        let trace = tracing::enabled!(tracing::Level::DEBUG).then(Vec::new);
        Effects { trace, ..Effects::default() }
    }
}
