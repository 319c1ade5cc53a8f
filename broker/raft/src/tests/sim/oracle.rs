//! What must always hold of a group, whatever happens to its replicas.
//!
//! Looked at after each event, as far as it could have broken something:
//! - one leader in an epoch, and it has all that was committed before;
//! - logs that have a place in common are the same up to it (in [`super::mirror`]);
//! - what is committed never changes, is the same everywhere, and has no gaps;
//! - when a leader commits, a majority of each set has it on stable storage, and all have what the
//!   leader says that all have;
//! - a log begins no later than what is committed, and the disk has what the core believes.
//!
//! With `write.caching` a power cut may take records that were committed. What is promised then:
//! none is lost that any voter still has. So a new leader without a committed record is right only
//! where no voter of its set has that record, and only in such a group.

use std::format;

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::broker::Replica;
use super::mirror::{Places, index};
use crate::group::{Group, Role};
use crate::tests::world::Violation;
use crate::{ReplicaId, Store};

/// What is known of a group.
#[derive(Debug)]
pub(crate) struct Oracle {
    caching: bool,
    pub(crate) places: Places,
    /// What stands before each place up to which the log was ever committed, and in which epoch.
    committed: Vec<(u64, i32)>,
    leaders: BTreeMap<i32, ReplicaId>,
    /// Committed records that power cuts took, as they may.
    pub(crate) lost: usize,
}

/// The replicas of a group, those of brokers that are down included.
pub(crate) type Replicas<'a> = Vec<&'a Replica>;

impl Oracle {
    pub(crate) fn new(caching: bool) -> Self {
        let committed = vec![(0, -1)];
        let (places, leaders) = (Places::default(), BTreeMap::new());
        Self { caching, places, committed, leaders, lost: 0 }
    }

    /// How many entries are committed.
    pub(crate) fn committed(&self) -> usize {
        self.committed.len() - 1
    }

    pub(crate) fn leader_changes(&self) -> usize {
        self.leaders.len()
    }

    /// Looks at a replica to which something has happened.
    ///
    /// - returns whether committed records are lost, as they may be.
    pub(crate) fn look(&mut self, at: usize, replicas: &Replicas<'_>) -> Result<bool, Violation> {
        let replica = replicas[at];
        let Some(group) = &replica.node.group else { return Ok(false) };
        if let Some(why) = group.halted() {
            return Err(format!("{} halts: {why}", group.id()));
        }
        let loses = match group.role() {
            Role::Leader => self.look_at_leader(replica, group, replicas)?,
            _ => false,
        };
        self.look_at_commit(replica, group, replicas)?;
        Ok(loses)
    }

    fn look_at_leader(
        &mut self,
        replica: &Replica,
        group: &Group,
        replicas: &Replicas<'_>,
    ) -> Result<bool, Violation> {
        // A sole voter whose vote isn't durable may lose it; until then it says nothing.
        if group.frames.have_vote() {
            let leader = *self.leaders.entry(group.epoch()).or_insert(group.id());
            if leader != group.id() {
                return Err(format!("{leader} and {} lead in {}", group.id(), group.epoch()));
            }
        }
        let before = self.committed.partition_point(|(_, epoch)| *epoch < group.epoch());
        let is_there = |i: usize| replica.mirror.at(i) == Some(self.committed[i].0);
        let start = index(group.history().start());
        if before - 1 < start || is_there(before - 1) {
            return Ok(false);
        }
        let common = (start..before).rev().find(|i| is_there(*i)).unwrap_or(start);
        let missing = format!("{} leads in {} without {}", group.id(), group.epoch(), common + 1);
        if !self.caching || before != self.committed.len() {
            return Err(missing);
        }
        for other in replicas.iter().filter(|it| group.voters().contains(it.node.id)) {
            if self.has(other, common + 1) {
                return Err(format!("{missing}, which {} has", other.node.id));
            }
        }
        self.lost += before - 1 - common;
        self.committed.truncate(common + 1);
        Ok(true)
    }

    /// Whether a replica has a committed entry, the last of so many.
    fn has(&self, replica: &Replica, entry: usize) -> bool {
        replica.mirror.at(entry).is_some_and(|hash| self.committed.get(entry).unwrap().0 == hash)
            || index(replica.node.state.start) >= entry
    }

    /// Whether a replica has an entry beyond what is committed now, of those that were.
    pub(crate) fn is_left_behind(&self, replica: &Replica) -> bool {
        let node = &replica.node;
        let written = || node.on_disk().first_at(replica.checkpoint.min(node.end()));
        let commit = index(node.group.as_ref().map_or_else(written, Group::commit));
        let end = self.committed();
        commit > end || replica.mirror.base() > end
    }

    fn look_at_commit(
        &mut self,
        replica: &Replica,
        group: &Group,
        replicas: &Replicas<'_>,
    ) -> Result<(), Violation> {
        let known = self.committed();
        let commit = index(group.commit());
        for place in (known + 1)..=commit {
            let Some(hash) = replica.mirror.at(place) else {
                return Err(format!("{}: a hole before {place}", group.id()));
            };
            self.committed.push((hash, group.epoch()));
        }
        for place in [commit, index(group.history().start())] {
            let own = replica.mirror.at(place);
            if own.is_some_and(|own| self.committed.get(place).is_none_or(|it| it.0 != own)) {
                return Err(format!("{}: another entry {place} committed", group.id()));
            }
        }
        if commit <= known || self.caching || group.role() != Role::Leader {
            return Ok(());
        }
        // Other voters may have come into force in the same step, behind what was committed.
        let is_new = replica.node.frames.back().is_some_and(|(_, stores)| names_voters(stores));
        let before = group.history().voters_before();
        let holds = |id: ReplicaId| self.holds(id, commit, replicas);
        let is_held = group.voters().have_majority(holds);
        if !is_held && (!is_new || !before.have_majority(holds)) {
            return Err(self.lack(group, commit, replicas));
        }
        let by_all = index(group.held_by(usize::MAX));
        if is_new || group.voters().all().all(|id| self.holds(id, by_all, replicas)) {
            return Ok(());
        }
        Err(self.lack(group, by_all, replicas))
    }

    /// Whether a replica would have the last of so many committed entries after a power cut now.
    fn holds(&self, id: ReplicaId, entry: usize, replicas: &Replicas<'_>) -> bool {
        let holder = replicas.iter().find(|it| it.node.id == id);
        holder.is_some_and(|it| {
            (self.has(it, entry) && on_stable_storage(it) >= entry) || begins_behind(it, entry)
        })
    }

    fn lack(&self, group: &Group, entry: usize, replicas: &Replicas<'_>) -> Violation {
        let lacking = group.voters().all().filter(|id| !self.holds(*id, entry, replicas));
        let lacking: Vec<ReplicaId> = lacking.collect();
        let lacking = crate::Voters::of(lacking);
        format!("{} counts on entry {entry}, which {lacking} lack", group.id())
    }
}

fn names_voters(stores: &[Store]) -> bool {
    stores.iter().any(|store| matches!(store, Store::Control(it) if it.voters.is_some()))
}

/// Whether a replica is about to begin anew behind an entry, which it has until then.
fn begins_behind(replica: &Replica, entry: usize) -> bool {
    let stores = replica.node.frames.iter().flat_map(|(_, stores)| stores);
    stores
        .into_iter()
        .any(|store| matches!(store, Store::Reset { start, .. } if index(*start) >= entry))
}

/// How many entries a replica would have after a power cut now, at least.
fn on_stable_storage(replica: &Replica) -> usize {
    let node = &replica.node;
    let last = node.state.controls.last().map_or(node.state.start.control, |it| it.sequence);
    let mut reached = index(crate::Position { epoch: 0, offset: node.flushed, control: last });
    for store in node.frames.iter().flat_map(|(_, stores)| stores) {
        reached = match store {
            Store::Control(it) => reached.min(index(it.end()) - 1),
            Store::Cut(to) => reached.min(index(*to)),
            Store::Reset { .. } => 0,
            Store::Vote { .. } | Store::Start { .. } | Store::Clean => reached,
        };
    }
    reached
}
