//! The groups: what is known of each by who sees everything, and how brokers start and meet.

use std::collections::{BTreeMap, BTreeSet};

use logboom_controller::record::Partition;
use logboom_raft::ReplicaId;
use logboom_storage::state::GroupKey;

use super::cluster::Cluster;
use super::controls::Controls;
use super::losses::Losses;
use super::network::Way;
use super::oracle::{Committed, Violation};
use super::plan::MILLISECOND;
use super::queue::Event;
use super::votes::Votes;
use crate::cluster::METADATA;

/// The place of the metadata log's group among all.
pub(super) const METADATA_GROUP: usize = 0;

/// A group, and what is known of it.
pub(super) struct Subject {
    pub(super) key: GroupKey,
    /// Whether its topic is gone.
    pub(super) is_deleted: bool,
    pub(super) log: Committed,
    /// Who led in each epoch.
    pub(super) leaders: BTreeMap<i32, ReplicaId>,
    /// Batches that were acknowledged and that nobody has shown yet: producers, sequence numbers,
    /// offsets.
    pub(super) owed: Vec<(i64, i32, i64)>,
    pub(super) votes: Votes,
    pub(super) controls: Controls,
    /// The last epoch in which something was committed.
    pub(super) established: i32,
    /// Up to where each broker's replica was read, exclusive.
    pub(super) seen: BTreeMap<usize, i64>,
    /// The last life of the replica in each data directory.
    pub(super) lives: BTreeMap<[u8; 16], u32>,
    /// What may be lost where records count before they are flushed.
    pub(super) losses: Losses,
}

impl Subject {
    pub(super) fn new(key: GroupKey) -> Self {
        Self {
            key,
            is_deleted: false,
            log: Committed::default(),
            leaders: BTreeMap::new(),
            owed: Vec::new(),
            votes: Votes::default(),
            controls: Controls::default(),
            established: -1,
            seen: BTreeMap::new(),
            lives: BTreeMap::new(),
            losses: Losses::default(),
        }
    }

    /// A broker's replica is to be looked at from its begin on.
    pub(super) fn forget(&mut self, at: usize) {
        self.seen.remove(&at);
        self.controls.forget(at);
    }
}

/// Where a broker stands among all.
pub(super) fn place(broker: i32) -> usize {
    usize::try_from(broker - 1).unwrap()
}

impl Cluster {
    /// The partition of a group as the newest metadata have it, unless it is gone.
    pub(super) fn partition(&self, group: usize) -> Option<&Partition> {
        let key = self.subjects[group].key;
        self.metadata.newest().partition(key.topic_id, key.partition)
    }

    /// The places of the brokers that are to have a replica of a group.
    pub(super) fn wished(&self, group: usize) -> BTreeSet<usize> {
        if self.subjects[group].key == METADATA {
            return (0..self.brokers.len()).collect();
        }
        let wish = self.partition(group).map(|partition| partition.wish().0);
        wish.into_iter().flatten().map(|id| place(*id)).collect()
    }

    /// The places of the brokers whose replicas of a group are in sync, as the metadata have it.
    pub(super) fn in_sync(&self, group: usize) -> BTreeSet<usize> {
        let isr = self.partition(group).map(|partition| &partition.isr);
        isr.into_iter().flatten().map(|id| place(*id)).collect()
    }

    /// A broker starts, on what is there.
    pub(super) fn start(&mut self, at: usize) -> Result<(), Violation> {
        if self.brokers[at].is_up() {
            return Ok(());
        }
        let before = self.brokers[at].disk.trace_len();
        let named = self.named();
        if self.brokers[at].is_impaired {
            // Groups may have begun since its disk failed.
            self.note_loss(at);
        }
        let started = self.brokers[at].start(&self.plan, named, &mut self.chance);
        let process = started.map_err(|error| format!("{at}: no start: {error}"))?;
        let (run, left_by) = (process.directory.run(), process.directory.left_by());
        self.tell(|| format!("{at}: starts, run {run}, after {left_by:?}"));
        self.subjects.iter_mut().for_each(|subject| subject.forget(at));
        if self.is_ambushed(at, before) {
            return Ok(());
        }
        self.meet_others(at);
        self.run_soon(at);
        Ok(())
    }

    /// A broker that has started dials the others, and they find that their connections are gone.
    fn meet_others(&mut self, at: usize) {
        for way in self.network.ways() {
            let Way { from, to, .. } = way;
            if from == at {
                let time = self.now + self.chance.between(1, 20) * MILLISECOND;
                self.queue.push(time, Event::Connects { way, start: self.brokers[at].starts });
            } else if to == at {
                self.break_off(way);
            }
        }
    }
}
