//! This broker's seat in its groups: how a group becomes the leader of its partition, and what of
//! it the state store keeps.
//!
//! Until brokers replicate, every group has one voter, which elects itself: when it is created, in
//! the step that creates it, and again at each start, many groups in one step. The vote, the epoch
//! and its marker are one frame of the state store, so a crash leaves all of them or none.
//!
//! Must always hold: a group leads here only once the frame that says so is durable.

use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::units::Uuid;
use logboom_raft::{
    Control, Durable, Effects, Group, History, Options, Position, ReplicaId, Role, Store, Voters,
};
use logboom_storage::state::{ControlEntry, GroupKey, GroupState, LogStart, StateRecord};
use logboom_storage::{Beginning, Directory, Log, StorageError};

/// The first epoch of a group.
const FIRST_EPOCH: i32 = 0;

/// A broker as the only voter of its groups.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    broker: i32,
    directory: [u8; 16],
    /// The voters of groups in their first life, which nearly all are.
    voters: Arc<Voters>,
}

impl Seat {
    /// - `directory`: the id of the data directory.
    pub(crate) fn new(broker: i32, directory: Uuid) -> Self {
        let Uuid(directory) = directory;
        let first = ReplicaId { broker, life: 0, directory };
        Self { broker, directory, voters: Arc::new(Voters::of([first])) }
    }

    /// What a group learns in the step that creates it.
    pub(crate) fn first_records(&self) -> Vec<StateRecord> {
        let (_, effects) = self.first_election(0);
        self.records(&effects)
    }

    /// A group that was created with [`Self::first_records`], and leads in its first epoch.
    pub(crate) fn lead_first(&self, directory: &Directory, key: &GroupKey) -> Group {
        let life = directory.state().group(key, |group| group.map_or(0, |group| group.life));
        let (mut group, _) = self.first_election(life);
        settle(&mut group);
        group
    }

    fn first_election(&self, life: u32) -> (Group, Effects) {
        let history = History::new(Position::ZERO, self.voters(life), Vec::new(), 0);
        let durable = Durable { epoch: -1, vote: None, history, high_watermark: 0, lossy: false };
        let mut group = Group::new(self.id(life), 0, durable, Options::default());
        let mut effects = Effects::default();
        group.campaign(&mut effects);
        debug_assert_eq!(group.epoch(), FIRST_EPOCH, "nothing was before");
        (group, effects)
    }

    /// Has the groups of logs that were opened lead, each in a new epoch; durable when it returns.
    /// Waits for the device. Where that fails, none of them leads: what they hold can be read, and
    /// nothing is taken.
    pub(crate) fn lead(&self, directory: &Directory, mut logs: Vec<&mut Log>) -> Vec<Group> {
        let elected = self.elect(directory, logs.iter_mut().map(|log| &mut **log));
        elected.unwrap_or_else(|error| {
            tracing::error!(%error, groups = logs.len(), "nobody leads; what is there can be read");
            let followers = logs.into_iter().map(|log| {
                // All that was found is flushed, and nobody else has a vote.
                log.set_high_watermark(log.flushed_offset());
                self.restored(&state_of(directory, log.key()), log.end_offset())
            });
            followers.collect()
        })
    }

    fn elect<'a>(
        &self,
        directory: &Directory,
        logs: impl ExactSizeIterator<Item = &'a mut Log>,
    ) -> Result<Vec<Group>, StorageError> {
        let mut groups = Vec::with_capacity(logs.len());
        let mut beginnings = Vec::with_capacity(logs.len());
        for log in logs {
            // What opening it has found is a part of its state.
            log.flush_now()?;
            let (key, end_offset) = (*log.key(), log.end_offset());
            let state = state_of(directory, &key);
            let mut group = self.restored(&state, end_offset);
            let trace = tracing::enabled!(tracing::Level::DEBUG).then(Vec::new);
            let mut effects = Effects { trace, ..Effects::default() };
            group.campaign(&mut effects);
            for event in effects.trace.iter().flatten() {
                tracing::debug!(partition = %key, "{event}");
            }
            let dropped = first_idle(&state, end_offset);
            let dropped = dropped.map(|from| StateRecord::ControlsDropped { from });
            let records = dropped.into_iter().chain(self.records(&effects)).collect();
            beginnings.push(Beginning { log, epoch: group.epoch(), records });
            groups.push(group);
        }
        directory.begin_epochs(&mut beginnings)?;
        for (group, Beginning { log, .. }) in groups.iter_mut().zip(beginnings) {
            settle(group);
            log.set_high_watermark(group.commit().offset);
            if group.is_lossy() {
                forgive(directory, log.key(), group);
            }
        }
        Ok(groups)
    }

    /// A group as the state store and the log have it.
    fn restored(&self, state: &GroupState, end_offset: i64) -> Group {
        let start = state.log_start.control_sequence;
        let idle = first_idle(state, end_offset).unwrap_or(u64::MAX);
        let controls = state.controls.iter();
        let controls = controls.filter(|it| it.sequence > start && it.sequence < idle);
        let controls = controls.map(control).collect();
        let voters = self.voters(state.life);
        let history = History::new(position(state.log_start), voters, controls, end_offset);
        let checkpoint = state.checkpoint.as_ref();
        let durable = Durable {
            epoch: state.epoch,
            vote: (state.voted_for == self.broker).then(|| self.id(state.life)),
            history,
            high_watermark: checkpoint.map_or(0, |checkpoint| checkpoint.high_watermark),
            lossy: state.lossy,
        };
        // Each start leads in an epoch of its own, so that is a number which no other start has.
        let run = u32::try_from(state.epoch).unwrap_or(0).wrapping_add(1);
        Group::new(self.id(state.life), run, durable, Options::default())
    }

    fn id(&self, life: u32) -> ReplicaId {
        ReplicaId { broker: self.broker, life, directory: self.directory }
    }

    fn voters(&self, life: u32) -> Arc<Voters> {
        if life == 0 { Arc::clone(&self.voters) } else { Arc::new(Voters::of([self.id(life)])) }
    }

    /// What a step asks to be kept.
    fn records(&self, effects: &Effects) -> Vec<StateRecord> {
        let record = |store: &Store| match store {
            Store::Vote { epoch, vote } => {
                let voted_for = vote.map_or(-1, |id| id.broker);
                StateRecord::Vote { epoch: *epoch, voted_for }
            }
            Store::Control(control) => StateRecord::Control(entry(control)),
            other => unreachable!("a sole voter that is elected asks for no {other:?}"),
        };
        effects.stores.iter().map(record).collect()
    }
}

/// A replica that lacks records it had acknowledged leads: what it acknowledges now is new. Where
/// the state store doesn't learn of it before a crash, the next start does the same.
fn forgive(directory: &Directory, key: &GroupKey, group: &mut Group) {
    let state = directory.state();
    let caching = state.group(key, |group| group.is_some_and(|group| group.caching));
    state.submit_lazily(&[(*key, StateRecord::Flags { caching, lossy: false })]);
    group.stored(group.issued(), &mut Effects::default());
}

/// The frame that a group asked for is durable: it leads, and all of its log is committed.
fn settle(group: &mut Group) {
    group.stored(group.issued(), &mut Effects::default());
    assert_eq!(group.role(), Role::Leader, "a sole voter elects itself");
    assert_eq!(group.commit(), group.history().end(), "all of it is flushed");
}

fn state_of(directory: &Directory, key: &GroupKey) -> GroupState {
    let state = directory.state().group(key, |group| group.cloned());
    state.expect("a log that is open has a group")
}

/// The first of the markers at the end of a log, behind which nothing was written: those of starts
/// that wrote nothing go with the next. Nobody else can have them, as long as a group has no other
/// replica.
fn first_idle(state: &GroupState, end_offset: i64) -> Option<u64> {
    let idle = |entry: &&ControlEntry| entry.offset == end_offset && entry.payload.is_empty();
    state.controls.iter().rev().take_while(idle).last().map(|entry| entry.sequence)
}

fn position(start: LogStart) -> Position {
    let LogStart { offset, epoch, control_sequence } = start;
    let control = i64::try_from(control_sequence).expect("a core counts in 63 bits");
    Position { epoch, offset, control }
}

fn control(entry: &ControlEntry) -> Control {
    assert!(entry.payload.is_empty(), "voters never change here: {entry:?}");
    let sequence = i64::try_from(entry.sequence).expect("a core counts in 63 bits");
    Control { sequence, epoch: entry.epoch, offset: entry.offset, voters: None }
}

fn entry(control: &Control) -> ControlEntry {
    debug_assert!(control.voters.is_none(), "voters never change here: {control:?}");
    ControlEntry {
        sequence: u64::try_from(control.sequence).expect("sequences begin at 1"),
        epoch: control.epoch,
        offset: control.offset,
        payload: Bytes::new(),
    }
}

#[cfg(test)]
mod tests;
