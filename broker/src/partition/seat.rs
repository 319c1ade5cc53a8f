//! This broker's seat in its groups: how a group begins here, and goes on after a start.
//!
//! A group that never had another replica elects itself: when it is created, in the step that
//! creates it, and again at each start, many groups in one step. The vote, the epoch and its marker
//! are one frame of the state store, so a crash leaves all of them or none. A replica of any other
//! group begins as a follower.
//!
//! Must always hold: a group leads here only once the frame that says so is durable.

use std::sync::Arc;

use bytes::Bytes;

use logboom_controller::record::Partition;
use logboom_protocol::units::Uuid;
use logboom_raft::{
    Durable, Effects, Group, History, Options, Position, ReplicaId, Role, Store, Voters,
};
use logboom_storage::state::{ControlEntry, GroupKey, GroupState, LogStart, StateRecord};
use logboom_storage::{Beginning, Directory, Log, StorageError};

use super::entries;
use super::voter_sets::VoterSets;
use crate::peer::FoundingVoter;

/// The first epoch of a group.
const FIRST_EPOCH: i32 = 0;

/// After so many beats without an answer what is on its way is taken for lost, and a handover is
/// given up; less than its host waits for that.
const PATIENCE_BEATS: u8 = 6;

/// A vote for somebody of whom nothing more is known: nobody else gets another one in its epoch.
const LIFE_UNKNOWN: u32 = u32::MAX;

/// A broker as a replica of its groups.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    broker: i32,
    directory: [u8; 16],
    /// The voters of groups that it is alone in, in their first life, which nearly all are.
    alone: Arc<Voters>,
    /// Whether there are other brokers, or may be.
    has_others: bool,
    /// Of all groups that it has a replica of.
    sets: Arc<VoterSets>,
}

/// What is known of a partition by metadata that don't name a replica of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unnamed {
    /// The epoch of the leader that reported last, and the number of the entry that names the
    /// voters; `None` where nothing was reported.
    reported: Option<(i32, i64)>,
    /// The wish that is in force.
    generation: i64,
}

impl Unnamed {
    pub(crate) fn of(partition: &Partition) -> Self {
        let Partition { leader_epoch, control_sequence, generation, .. } = *partition;
        let reported = partition.is_reported().then_some((leader_epoch, control_sequence));
        Self { reported, generation }
    }
}

impl Seat {
    /// - `directory`: the id of the data directory.
    pub(crate) fn new(broker: i32, directory: Uuid) -> Self {
        let Uuid(directory) = directory;
        let first = ReplicaId { broker, life: 0, directory };
        let (alone, sets) = (Arc::new(Voters::of([first])), Arc::default());
        Self { broker, directory, alone, has_others: false, sets }
    }

    /// The same, for a broker among others: whatever groups it was alone in, others may come.
    pub(crate) fn among_others(self) -> Self {
        Self { has_others: true, ..self }
    }

    /// What a group that this broker is alone in learns in the step that creates it.
    pub(crate) fn first_records(&self) -> Vec<StateRecord> {
        let (_, effects) = self.first_election(0);
        records(&effects)
    }

    /// What a group of several learns in the step that creates it.
    ///
    /// - `voters`: with whom it began, or nobody: others know then, and this replica waits for
    ///   them.
    pub(crate) fn founding_records(voters: &Voters) -> Vec<StateRecord> {
        vec![StateRecord::Control(entries::voters_entry(Position::ZERO, voters))]
    }

    /// The voters that an entry names, as they are told to other brokers.
    ///
    /// # Panics
    /// If it isn't one of ours.
    pub(crate) fn founders(entry: &ControlEntry) -> Arc<[FoundingVoter]> {
        let voters = entries::voters(&entry.payload).expect(OURS);
        let founder =
            |id: &ReplicaId| FoundingVoter { node: id.broker, directory: Uuid(id.directory) };
        voters.incoming.iter().map(founder).collect()
    }

    /// Whether a group never had another replica than this broker's.
    pub(crate) fn was_alone(directory: &Directory, key: &GroupKey) -> bool {
        directory.state().group(key, |group| group.is_some_and(is_alone))
    }

    /// Whether this broker's replica is the only one that votes, as far as its log knows.
    pub(crate) fn is_sole(&self, directory: &Directory, key: &GroupKey) -> bool {
        let is_own = |ids: &[ReplicaId]| matches!(ids, [id] if id.broker == self.broker);
        let is_sole = |group: &GroupState| {
            let named = group.controls.iter().rev().find(|entry| !entry.payload.is_empty());
            let voters = named.map(|entry| entries::voters(&entry.payload).expect(OURS));
            voters.is_none_or(|voters| !voters.is_joint() && is_own(&voters.incoming))
        };
        directory.state().group(key, |group| group.is_some_and(is_sole))
    }

    /// Whether a group may need this broker's replica, which the metadata don't name any more: as a
    /// voter, or as a newcomer that a leader makes one because it hasn't heard yet that another
    /// wish is in force.
    ///
    /// Nobody needs one that has had nothing from a leader. Nor, by the end of its log:
    /// - one of an earlier epoch than that whose leader has reported others. What earlier leaders
    ///   wrote is overtaken or lost, and whoever makes a replica a voter knows that it has the
    ///   marker of the epoch and all up to the voters in force (`are_near` in the core);
    /// - one of the same epoch, behind whose end those voters were named;
    /// - one of the same epoch that has that entry itself, for the wish that is in force.
    pub(crate) fn may_be_needed(&self, directory: &Directory, key: &GroupKey, by: Unnamed) -> bool {
        directory.state().group(key, |group| {
            let Some(group) = group.filter(|group| !group.removed) else { return false };
            let mut controls = group.controls.iter().rev();
            let LogStart { epoch, control_sequence, .. } = group.log_start;
            let start = (epoch, control_sequence);
            let last = controls.clone().next().map(|entry| (entry.epoch, entry.sequence));
            let end = last.map_or(start, |last| last.max(start));
            let Some(named) = controls.find(|entry| !entry.payload.is_empty()) else {
                return false;
            };
            let voters = entries::voters(&named.payload).expect(OURS);
            let votes = voters.all().any(|id| id.broker == self.broker);
            if end.1 == 0 && !votes {
                return false;
            }
            let Some((epoch, sequence)) = by.reported else { return true };
            let reported = (epoch, u64::try_from(sequence).unwrap_or(0));
            let is_known = end.0 == epoch && named.sequence == reported.1;
            let is_out = is_known && !votes && voters.generation == by.generation;
            end >= reported && !is_out
        })
    }

    /// Whether a group is led here, with nobody to be asked.
    pub(crate) fn elects_itself(&self, directory: &Directory, key: &GroupKey) -> bool {
        !self.has_others && Self::was_alone(directory, key)
    }

    /// A group of several, as it was left; it follows, or waits for a leader.
    ///
    /// # Errors
    /// What the storage says: what was found isn't durable, and counts for nothing.
    pub(crate) fn follow(
        &self,
        directory: &Directory,
        log: &mut Log,
    ) -> Result<Group, StorageError> {
        log.flush_now()?;
        let state = state_of(directory, log.key());
        let run = u32::try_from(directory.run()).unwrap_or(u32::MAX);
        let options = Options { patience_beats: PATIENCE_BEATS, ..Options::default() };
        let group = self.restored(&state, None, log, run, options);
        log.set_high_watermark(group.commit().offset);
        Ok(group)
    }

    /// A group that was created with [`Self::first_records`], and leads in its first epoch.
    pub(crate) fn lead_first(&self, directory: &Directory, key: &GroupKey) -> Group {
        let life = directory.state().group(key, |group| group.map_or(0, |group| group.life));
        let (mut group, _) = self.first_election(life);
        settle(&mut group);
        group
    }

    fn first_election(&self, life: u32) -> (Group, Effects) {
        let history = History::new(Position::ZERO, self.alone(life), Vec::new(), 0);
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
                let state = state_of(directory, log.key());
                let idle = first_idle(&state, log.end_offset());
                self.restored(&state, idle, log, 0, Options::default())
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
            let dropped = first_idle(&state, end_offset);
            let mut group = self.restored(&state, dropped, log, 0, Options::default());
            let trace = tracing::enabled!(tracing::Level::DEBUG).then(Vec::new);
            let mut effects = Effects { trace, ..Effects::default() };
            group.campaign(&mut effects);
            for event in effects.trace.iter().flatten() {
                tracing::debug!(partition = %key, "{event}");
            }
            let dropped = dropped.map(|from| StateRecord::ControlsDropped { from });
            let records = dropped.into_iter().chain(records(&effects)).collect();
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
    ///
    /// - `idle`: the first of the markers that it begins without.
    /// - `run`: of this start; nobody asks for that of a sole voter.
    fn restored(
        &self,
        state: &GroupState,
        idle: Option<u64>,
        log: &Log,
        run: u32,
        options: Options,
    ) -> Group {
        let end_offset = log.end_offset();
        let start = state.log_start.control_sequence;
        let idle = idle.unwrap_or(u64::MAX);
        let (before, behind): (Vec<_>, Vec<_>) =
            state.controls.iter().partition(|entry| entry.sequence <= start);
        let first = before.iter().rfind(|entry| !entry.payload.is_empty());
        let voters = match first {
            Some(entry) => self.sets.named(&entry.payload).expect(OURS),
            None => self.alone(state.life),
        };
        let behind = behind.into_iter().filter(|entry| entry.sequence < idle);
        let named = |payload: &Bytes| self.sets.named(payload);
        let controls = behind.map(|entry| entries::control(entry, named).expect(OURS)).collect();
        let history =
            History::new(entries::position(state.log_start), voters, controls, end_offset);
        // Snapshots and checkpoints tell of it, whichever was written later.
        let high_watermark = log.view().high_watermark();
        let durable = Durable {
            epoch: state.epoch,
            vote: self.vote(state, history.voters().0),
            history,
            high_watermark,
            lossy: state.lossy,
        };
        Group::new(self.id(state.life), run, durable, options)
    }

    /// For whom the replica voted in its epoch.
    fn vote(&self, state: &GroupState, voters: &Voters) -> Option<ReplicaId> {
        let broker = state.voted_for;
        let unknown = ReplicaId { life: LIFE_UNKNOWN, ..ReplicaId::of(broker) };
        match broker {
            ..0 => None,
            _ if broker == self.broker => Some(self.id(state.life)),
            _ => Some(voters.all().find(|id| id.broker == broker).unwrap_or(unknown)),
        }
    }

    /// This broker's replica in a life of it.
    pub(crate) fn id(&self, life: u32) -> ReplicaId {
        ReplicaId { broker: self.broker, life, directory: self.directory }
    }

    /// A list of replicas, held once however many groups have it.
    pub(crate) fn list(&self, ids: Arc<[ReplicaId]>) -> Arc<[ReplicaId]> {
        self.sets.list(ids)
    }

    /// The voters of a group that this broker is alone in.
    fn alone(&self, life: u32) -> Arc<Voters> {
        if life == 0 { Arc::clone(&self.alone) } else { Arc::new(Voters::of([self.id(life)])) }
    }
}

/// Only this code writes control entries, and a frame of the state store has a checksum.
const OURS: &str = "control entries of the state store are ours";

fn is_alone(group: &GroupState) -> bool {
    group.controls.iter().all(|entry| entry.payload.is_empty())
}

/// What the election of a sole voter asks to be kept.
fn records(effects: &Effects) -> Vec<StateRecord> {
    let record = |store: &Store| match store {
        Store::Vote { epoch, vote } => vote_record(*epoch, *vote),
        Store::Control(control) => StateRecord::Control(entries::entry(control)),
        other => unreachable!("a sole voter that is elected asks for no {other:?}"),
    };
    effects.stores.iter().map(record).collect()
}

pub(super) fn vote_record(epoch: i32, vote: Option<ReplicaId>) -> StateRecord {
    StateRecord::Vote { epoch, voted_for: vote.map_or(-1, |id| id.broker) }
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
/// that wrote nothing go with the next. Nobody else can have them, as long as the group never had
/// another replica.
fn first_idle(state: &GroupState, end_offset: i64) -> Option<u64> {
    let idle = |entry: &&ControlEntry| entry.offset == end_offset && entry.payload.is_empty();
    let idle = state.controls.iter().rev().take_while(idle).last().map(|entry| entry.sequence);
    idle.filter(|_| is_alone(state))
}

#[cfg(test)]
mod tests;
