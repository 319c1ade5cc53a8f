//! Whose power may go where records count before they are flushed: nothing is promised any more
//! once most voters of a group have lost what they didn't flush, before they are known to have it
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;

use logboom_controller::record::ConfigResource;
use logboom_raft::Voters;

use super::cluster::Cluster;
use super::groups::place;

/// What is known of a group's replicas by who sees everything.
#[derive(Default)]
pub(super) struct Losses {
    /// Brokers that may lack something, and the start in which it may have got lost.
    lossy: BTreeMap<usize, u32>,
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
    }

    /// Whether most voters have everything, also without this broker, whoever may vote.
    fn are_few_with(&self, at: usize) -> bool {
        let is_sound = |broker: i32| {
            let broker = place(broker);
            broker != at && !self.lossy.contains_key(&broker)
        };
        let mut sets = self.voters.values();
        sets.all(|voters| {
            let is_affected = voters.all().any(|id| place(id.broker) == at);
            !is_affected || voters.have_majority(|id| is_sound(id.broker))
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

    /// Whether a broker may lose what it hasn't flushed.
    pub(super) fn may_lose(&self, at: usize) -> bool {
        self.caching().into_iter().all(|group| self.subjects[group].losses.are_few_with(at))
    }

    /// A broker loses what it hasn't flushed, or may before it starts again.
    pub(super) fn note_loss(&mut self, at: usize) {
        let start = self.brokers[at].starts;
        for group in self.caching() {
            let losses = &mut self.subjects[group].losses;
            self.totals.lossy += u64::from(losses.voters.contains_key(&at));
            losses.lossy.insert(at, start);
        }
    }
}
