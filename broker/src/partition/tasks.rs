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

/// What a group has asked of its disk, and isn't durable yet; nearly always nothing.
#[derive(Default)]
pub(super) struct Tasks(Option<Box<Asked>>);

#[derive(Default)]
struct Asked {
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

impl Asked {
    fn is_nothing(&self) -> bool {
        let is_done = self.queue.is_empty() && self.under_way.is_none() && self.reshaping == 0;
        is_done && self.moved.is_empty() && self.producers.is_none()
    }
}

impl Tasks {
    /// Takes what a step asked for.
    ///
    /// - `number`: of the frame.
    pub(super) fn add(&mut self, stores: Vec<Store>, number: u64) {
        let last = stores.len().saturating_sub(1);
        let asked = self.asked();
        for (i, store) in stores.into_iter().enumerate() {
            let task = Task::of(store);
            asked.reshaping += usize::from(task.reshapes());
            asked.queue.push_back((task, (i == last).then_some(number)));
        }
    }

    /// Whether the log is as the group takes it to be, so that what is flushed of it counts.
    pub(super) fn is_shape_durable(&self) -> bool {
        self.0.as_ref().is_none_or(|asked| asked.reshaping == 0)
    }

    /// Whether the log is to begin anew, and holds what may have been committed by nobody.
    pub(super) fn is_reset_due(&self) -> bool {
        let queue = self.0.iter().flat_map(|asked| &asked.queue);
        queue.into_iter().any(|(task, _)| matches!(task, Task::Reset { .. }))
    }

    /// Has somebody told of a log start once it is there.
    ///
    /// - `number`: of the frame that has it.
    pub(super) fn tell_moved(&mut self, number: u64, offset: i64, moved: Moved) {
        self.asked().moved.push_back((number, offset, moved));
    }

    /// The producers that a leader sent along with the start of its log.
    pub(super) fn set_producers(&mut self, producers: Producers) {
        self.asked().producers = Some(Box::new(producers));
    }

    fn asked(&mut self) -> &mut Asked {
        self.0.get_or_insert_default()
    }

    /// What comes next, if nothing is waited for.
    fn next(&self) -> Option<&Task> {
        let asked = self.0.as_ref().filter(|asked| asked.under_way.is_none())?;
        asked.queue.front().map(|(task, _)| task)
    }

    fn begin(&mut self, under_way: UnderWay, number: Option<u64>) {
        self.asked().under_way = Some((under_way, number));
    }

    /// The log is another one than before.
    fn has_reshaped(&mut self) {
        self.asked().reshaping -= 1;
    }

    /// Lets go of what it takes to ask, once nothing is asked.
    fn rest(&mut self) {
        self.0.take_if(|asked| asked.is_nothing());
    }
}

impl Replica {
    /// Does what the group has asked for, as far as it can be done now.
    pub(super) fn run_tasks(&mut self, hands: &Hands) {
        // Nothing that waits is known to be durable any more, nor what comes behind it.
        while !self.has_failed
            && let Some(task) = self.tasks.next()
        {
            if task.record(false).is_some() {
                return self.store_records(hands);
            }
            if self.flushing.is_some() {
                return;
            }
            let Some((task, number)) = self.tasks.asked().queue.pop_front() else { return };
            match self.run_task(&task, number, hands) {
                Ok(()) => {}
                Err(error @ StorageError::NoSpace { .. }) => {
                    // Nothing has changed; it is tried again with the next step.
                    let partition = self.partition.key;
                    tracing::warn!(%partition, %error, "what its group asks for waits");
                    return self.tasks.asked().queue.push_front((task, number));
                }
                Err(error) => return self.on_failed(&error, hands),
            }
        }
    }

    /// Has the state store learn all that comes first and waits for nothing else.
    fn store_records(&mut self, hands: &Hands) {
        let caching = self.caching != Caching::Off;
        let (mut records, mut last) = (Vec::new(), None);
        let queue = &mut self.tasks.asked().queue;
        while let Some((task, number)) = queue.front()
            && let Some(record) = task.record(caching)
        {
            records.push(record);
            last = number.or(last);
            queue.pop_front();
        }
        self.tasks.begin(UnderWay::Store, last);
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
                self.tasks.begin(UnderWay::Barrier, number);
            }
            Task::Start(start) => {
                match self.log.move_log_start(entries::log_start(*start), done())? {
                    Some(moving) => {
                        self.flushing = Some(moving.flushes_to());
                        self.tasks.begin(UnderWay::Start(moving), number);
                    }
                    None => self.on_task_done(number, hands),
                }
            }
            Task::Cut(to) => {
                self.cut(*to)?;
                self.tasks.has_reshaped();
                self.on_task_done(number, hands);
            }
            Task::Reset { start, voters } => {
                self.reset(*start, voters)?;
                self.tasks.has_reshaped();
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
        let producers = match self.tasks.asked().producers.take() {
            Some(producers) => producers.before(offset),
            None => Producers::new(offset, ProducersOptions::default()),
        };
        let epochs = [EpochStart { epoch, start_offset: offset }];
        self.log.reset_to(offset, &epochs, producers, &behind)
    }

    /// The flush that a task waited for is over; returns whether there was one.
    pub(super) fn on_task_flushed(&mut self, hands: &Hands) {
        let Some(asked) = &mut self.tasks.0 else { return };
        match asked.under_way.take() {
            Some((UnderWay::Barrier, number)) => {
                self.tasks.has_reshaped();
                self.on_task_done(number, hands);
            }
            Some((UnderWay::Start(moving), number)) => {
                self.log.on_log_start_moved(moving);
                self.on_task_done(number, hands);
            }
            other => asked.under_way = other,
        }
    }

    /// The state store has learned records, up to those of a frame.
    pub(super) fn on_stored(&mut self, number: u64, hands: &Hands) {
        if let Some(asked) = &mut self.tasks.0
            && let Some((UnderWay::Store, last)) = asked.under_way
            && last.unwrap_or(0) == number
        {
            asked.under_way = None;
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
        while let Some(asked) = &mut self.tasks.0
            && let Some((_, offset, moved)) = asked.moved.pop_front_if(|it| it.0 <= number)
        {
            moved(self, Ok(Some(offset)));
        }
        self.tasks.rest();
    }

    /// Whatever waits for the disk waits in vain.
    ///
    /// - `error`: makes the one that each is told.
    pub(super) fn fail_tasks(&mut self, error: impl Fn() -> StorageError) {
        let Some(asked) = &mut self.tasks.0 else { return };
        asked.under_way = None;
        for (_, _, moved) in std::mem::take(&mut asked.moved) {
            moved(self, Err(error()));
        }
    }

    /// Effects for a step, with what happened in words where somebody listens.
    pub(super) fn effects(&self) -> Effects {
        let trace = tracing::enabled!(tracing::Level::DEBUG).then(Vec::new);
        Effects { trace, ..Effects::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_asked_for_nothing_more_holds_nothing() {
        assert_eq!(size_of::<Tasks>(), size_of::<usize>());
        let mut tasks = Tasks::default();
        assert!(tasks.is_shape_durable() && tasks.next().is_none());
        let control = Control { sequence: 1, epoch: 1, offset: 0, voters: None };
        tasks.add(vec![Store::Vote { epoch: 1, vote: None }, Store::Control(control)], 7);
        tasks.asked().queue.clear();
        tasks.begin(UnderWay::Barrier, Some(7));
        tasks.rest();
        assert!(!tasks.is_shape_durable(), "the flush is under way");
        tasks.asked().under_way = None;
        tasks.rest();
        assert!(!tasks.is_shape_durable(), "the log isn't as the group has it");
        tasks.has_reshaped();
        tasks.rest();
        assert!(tasks.0.is_none());
    }
}
