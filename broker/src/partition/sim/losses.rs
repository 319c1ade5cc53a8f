//! Who may lose something. Where records count before they are flushed, nothing is promised any
//! more once most voters of a group have lost what they didn't flush, before they are known to have
//! it again; and nowhere once most have lost their data directories.

use std::collections::BTreeMap;
use std::sync::Arc;

use logboom_controller::record::ConfigResource;
use logboom_raft::{ReplicaId, Voters};

use super::cluster::Cluster;
use super::groups::place;

/// What is known of a group's replicas by who sees everything.
#[derive(Default)]
pub(super) struct Losses {
    /// Brokers that may lack something, and the start in which it may have got lost.
    lossy: BTreeMap<usize, u32>,
    /// Brokers a part of whose logs was damaged and isn't known to be whole again, and the start in
    /// which that was.
    pub(super) rotten: BTreeMap<usize, u32>,
    /// The brokers to which moves were asked for: one may be on its way for long.
    pub(super) targets: Vec<Vec<i32>>,
    /// Who votes, as each broker knew last.
    voters: BTreeMap<usize, Arc<Voters>>,
}

impl Losses {
    /// A broker's replica was looked at.
    ///
    /// - `start`: the broker's present one.
    pub(super) fn look(&mut self, at: usize, start: u32, voters: &Arc<Voters>, is_lossy: bool) {
        self.voters.insert(at, Arc::clone(voters));
        if !is_lossy && self.lossy.get(&at).is_some_and(|lost_in| *lost_in < start) {
            self.lossy.remove(&at);
        }
    }

    /// A broker has no replica any more.
    pub(super) fn forget(&mut self, at: usize) {
        self.voters.remove(&at);
        self.rotten.remove(&at);
    }

    /// Whether a voter is gone or damaged, whoever may vote.
    fn lacks_some(&self, is_gone: impl Fn(ReplicaId) -> bool) -> bool {
        let is_lacking = |id: ReplicaId| {
            let broker = place(id.broker);
            self.rotten.contains_key(&broker) || is_gone(id)
        };
        self.voters.values().any(|voters| voters.all().any(is_lacking))
    }

    /// Whether most voters have everything, also without this broker, whoever may vote.
    ///
    /// - `is_gone`: whether the data directory of a voter is.
    fn are_few_with(&self, at: usize, is_gone: impl Fn(ReplicaId) -> bool) -> bool {
        let is_sound = |id: ReplicaId| {
            let broker = place(id.broker);
            let is_whole = ![&self.lossy, &self.rotten].iter().any(|it| it.contains_key(&broker));
            broker != at && is_whole && !is_gone(id)
        };
        let mut sets = self.voters.values();
        sets.all(|voters| {
            let is_affected = voters.all().any(|id| place(id.broker) == at);
            !is_affected || voters.have_majority(is_sound)
        })
    }
}

impl Cluster {
    /// The groups in which records count before they are flushed.
    fn caching(&self) -> Vec<usize> {
        let image = self.metadata.newest();
        let is_caching = |group: &usize| {
            let topic = image.topic(self.subjects[*group].key.topic_id);
            let value = |name| image.config_value(&ConfigResource::topic(name), "write.caching");
            topic.and_then(|topic| value(topic.name())) == Some("true")
        };
        (0..self.subjects.len()).filter(is_caching).collect()
    }

    /// Whether a broker may lose what it hasn't flushed: nowhere does most of what counts hang on
    /// that. A write that reached the device but for a few bytes looks like damage, which a group
    /// bears as long as all others are there.
    pub(super) fn may_lose(&self, at: usize) -> bool {
        let caching = self.caching();
        let lacks_some = |group: usize| {
            let subject = &self.subjects[group];
            !subject.is_deleted && subject.losses.lacks_some(|id| self.is_gone(id))
        };
        let mut groups =
            (0..self.subjects.len()).filter(|group| caching.contains(group) || lacks_some(*group));
        groups.all(|group| self.keeps_enough(group, at))
    }

    /// Whether most voters of a group have everything without a broker.
    pub(super) fn keeps_enough(&self, group: usize, at: usize) -> bool {
        let is_out = |id: ReplicaId| self.is_gone(id) || self.brokers[place(id.broker)].is_impaired;
        self.subjects[group].losses.are_few_with(at, is_out)
    }

    /// A broker loses what it hasn't flushed, or may before it starts again.
    pub(super) fn note_loss(&mut self, at: usize) {
        let (start, caching) = (self.brokers[at].starts, self.caching());
        for (group, subject) in self.subjects.iter_mut().enumerate() {
            let is_counted = caching.contains(&group) && subject.losses.voters.contains_key(&at);
            self.totals.lossy += u64::from(is_counted);
            // Elsewhere as well, until it is seen that it doesn't take a torn write for damage.
            subject.losses.lossy.insert(at, start);
        }
    }
}
