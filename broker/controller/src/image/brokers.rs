//! What an image says of brokers, and of partitions in the light of which brokers are there.
//!
//! A broker is *in contact* if it is registered and not fenced.

use alloc::vec::Vec;

use crate::record::{BrokerRegistration, ConfigResource, Partition};

use super::{MetadataImage, Topic};

/// The configuration that says that a broker is to be emptied.
pub(crate) const DRAIN: &str = "balance.drain";
/// The configuration that keeps what a broker may have, as it has told whoever balances.
pub const MEANS: &str = "balance.means";

impl MetadataImage {
    /// The registered brokers, by id.
    pub fn brokers(&self) -> impl ExactSizeIterator<Item = &BrokerRegistration> {
        self.brokers.values()
    }

    /// The registration of a broker.
    #[must_use]
    pub fn broker(&self, id: i32) -> Option<&BrokerRegistration> {
        self.brokers.get(&id)
    }

    /// All that are registered: the brokers, and nodes that are only controllers.
    pub fn nodes(&self) -> impl Iterator<Item = &BrokerRegistration> {
        self.brokers.values().chain(self.controllers.values())
    }

    /// The registration of a broker, or of a node that is only a controller.
    #[must_use]
    pub fn node(&self, id: i32) -> Option<&BrokerRegistration> {
        self.brokers.get(&id).or_else(|| self.controllers.get(&id))
    }

    /// Whether a broker is registered and out of contact.
    #[must_use]
    pub fn is_fenced(&self, id: i32) -> bool {
        self.fenced.contains(&id)
    }

    /// Whether a broker is registered and in contact.
    #[must_use]
    pub fn is_in_contact(&self, id: i32) -> bool {
        self.brokers.contains_key(&id) && !self.is_fenced(id)
    }
    /// Whether a broker is to be emptied (`balance.drain`).
    #[must_use]
    pub fn is_drained(&self, id: i32) -> bool {
        let value = self.config_value(&ConfigResource::broker(id), DRAIN);
        value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// The brokers in contact, by id.
    pub fn brokers_in_contact(&self) -> impl Iterator<Item = &BrokerRegistration> {
        self.brokers().filter(|broker| !self.is_fenced(broker.id))
    }

    /// Who leads a partition, if it is in contact. Before the first report that is who is expected
    /// to be elected, as long as a majority of the voters is in contact, who could elect it.
    #[must_use]
    pub fn leader_of(&self, partition: &Partition) -> Option<i32> {
        let leader = Some(partition.leader).filter(|leader| self.is_in_contact(*leader))?;
        let voters = partition.voters().0;
        let in_contact = || voters.iter().filter(|id| self.is_in_contact(**id)).count();
        (partition.is_reported() || 2 * in_contact() > voters.len()).then_some(leader)
    }

    /// The replicas that have caught up, as clients are told: those in contact; where none is, all
    /// that had.
    #[must_use]
    pub fn in_sync_replicas(&self, partition: &Partition) -> Vec<i32> {
        let isr = partition.isr.iter().copied();
        let in_contact: Vec<i32> = isr.filter(|id| self.is_in_contact(*id)).collect();
        if in_contact.is_empty() { partition.isr.clone() } else { in_contact }
    }

    /// The replicas whose brokers are out of contact or none of the cluster.
    #[must_use]
    pub fn offline_replicas(&self, partition: &Partition) -> Vec<i32> {
        let mut replicas = partition.all_replicas();
        replicas.retain(|id| !self.is_in_contact(*id));
        replicas
    }

    /// The partitions that name a broker, as one that has, has had or will have a copy.
    pub fn partitions_of(&self, id: i32) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
        self.topics().flat_map(move |topic| {
            let partitions = topic.partitions().zip(0..);
            let own = partitions.filter(move |(partition, _)| partition.names(id));
            own.map(move |(partition, index)| (topic, index, partition))
        })
    }
}
