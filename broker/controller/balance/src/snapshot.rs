//! What a decision is made of: brokers, partitions and their measured loads at one moment.
//!
//! A partition that is on its way to other brokers stands where it goes. Loads are as measured and
//! smoothed by others. The [text form](Snapshot::parse) can be read back exactly.
//!
//! Must always hold: what is in a [`Snapshot`] was checked, so that sums of it fit into 64 bits and
//! every replica is on a broker that is there.

mod error;
mod text;

pub use crate::text::ParseError;
pub use error::SnapshotError;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::resource::{Amounts, PerResource, Resource};

/// The most brokers.
pub const BROKERS_MAX: usize = 10_000;
/// The most partitions.
pub const PARTITIONS_MAX: usize = 4_000_000;
/// The most replicas of a partition.
pub const REPLICAS_MAX: usize = 64;
/// The most of anything that one replica may take or one broker may have room for.
pub const AMOUNT_MAX: u64 = 1 << 50;
/// The most of anything that all replicas together may take.
pub const TOTAL_MAX: u64 = 1 << 56;
/// The weight of a usual broker.
pub const WEIGHT_USUAL: u32 = 100;
/// The greatest weight.
pub const WEIGHT_MAX: u32 = 10_000;

/// Whether a broker is to have replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// It takes its share.
    #[default]
    Active,
    /// It is in contact and is to be emptied.
    Draining,
    /// It is lost, and its time of grace is over.
    Absent,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Where it stands; those without a rack share one.
    pub rack: Option<String>,
    /// How much of everything it is to have beside others; [`WEIGHT_USUAL`] is usual.
    pub weight: u32,
    /// What it must never exceed, as far as known; not of [`Resource::Leaders`].
    pub capacity: PerResource<Option<u64>>,
    /// Whether it is to have replicas.
    pub standing: Standing,
}

/// What a replica takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Bytes on the device.
    pub disk_bytes: u64,
    /// Bytes that arrive a second.
    pub bytes_in: u64,
    /// Bytes that leave a second.
    pub bytes_out: u64,
}

/// A copy of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// The broker that it is on.
    pub broker: i32,
    /// What it takes there.
    pub load: Load,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its topic, as a place in [`Snapshot::topics`].
    pub topic: u32,
    /// Its number.
    pub index: i32,
    /// The broker that leads it, one of those with a replica.
    pub leader: Option<i32>,
    /// Whether nobody can lead it: then nobody can copy it either. Where `leader` is `None` and
    /// this isn't said, somebody leads it whose replica is on its way out, or it isn't known who.
    pub is_leaderless: bool,
    /// Its copies, each on another broker.
    pub replicas: Vec<Replica>,
}

/// Brokers and partitions at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// By id.
    brokers: Vec<Broker>,
    /// In the order in which they were named.
    topics: Vec<String>,
    /// By topic, then by number.
    partitions: Vec<Partition>,
    total: Amounts,
}

impl Broker {
    /// A usual broker without known capacities.
    #[must_use]
    pub fn new(id: i32) -> Self {
        Self {
            id,
            rack: None,
            weight: WEIGHT_USUAL,
            capacity: PerResource::default(),
            standing: Standing::Active,
        }
    }
}

impl Load {
    /// What a replica takes, as one of however many.
    pub(crate) const fn amounts(self, leads: bool) -> Amounts {
        PerResource([1, self.disk_bytes, self.bytes_in, self.bytes_out, leads as u64])
    }
}

impl Snapshot {
    /// - `partitions`: each of a topic of `topics`, named by its place.
    ///
    /// # Errors
    /// The first thing that can't be.
    pub fn new(
        brokers: Vec<Broker>,
        topics: Vec<String>,
        partitions: Vec<Partition>,
    ) -> Result<Self, SnapshotError> {
        let mut snapshot = Self::default();
        let mut known = Known::default();
        for broker in brokers {
            snapshot.push_broker(broker)?;
        }
        for topic in topics {
            snapshot.push_topic(topic, &mut known)?;
        }
        for partition in partitions {
            snapshot.push_partition(partition)?;
        }
        snapshot.finish()
    }

    /// By id.
    #[must_use]
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// The place of a broker in [`Self::brokers`].
    #[must_use]
    pub fn place_of(&self, id: i32) -> Option<usize> {
        self.brokers.binary_search_by_key(&id, |broker| broker.id).ok()
    }

    /// The names of topics; partitions name them by their place.
    #[must_use]
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// By topic, then by number.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// What all replicas take together.
    #[must_use]
    pub fn total(&self) -> &Amounts {
        &self.total
    }

    /// A snapshot of these partitions on other brokers.
    ///
    /// # Errors
    /// What can't be, such as a replica on a broker that is gone.
    pub fn with_brokers(&self, brokers: Vec<Broker>) -> Result<Self, SnapshotError> {
        Self::new(brokers, self.topics.clone(), self.partitions.clone())
    }

    fn push_broker(&mut self, broker: Broker) -> Result<(), SnapshotError> {
        if self.brokers.len() == BROKERS_MAX {
            return Err(SnapshotError::TooManyBrokers);
        }
        if broker.id < 0 {
            return Err(SnapshotError::NegativeBroker(broker.id));
        }
        if broker.weight == 0 || broker.weight > WEIGHT_MAX {
            return Err(SnapshotError::Weight(broker.id, broker.weight));
        }
        for resource in Resource::ALL {
            let capacity = broker.capacity[resource];
            let is_known = resource != Resource::Leaders;
            if capacity.is_some_and(|it| !is_known || it == 0 || it > AMOUNT_MAX) {
                return Err(SnapshotError::Capacity(broker.id, resource));
            }
        }
        match self.brokers.binary_search_by_key(&broker.id, |known| known.id) {
            Ok(_) => Err(SnapshotError::BrokerTwice(broker.id)),
            Err(place) => {
                self.brokers.insert(place, broker);
                Ok(())
            }
        }
    }

    fn push_topic(&mut self, name: String, known: &mut Known) -> Result<(), SnapshotError> {
        if self.topics.len() == PARTITIONS_MAX {
            return Err(SnapshotError::TooManyPartitions);
        }
        let place = u32::try_from(self.topics.len()).unwrap_or(u32::MAX);
        if known.topics.insert(name.clone(), place).is_some() {
            return Err(SnapshotError::TopicTwice(name));
        }
        self.topics.push(name);
        Ok(())
    }

    fn push_partition(&mut self, partition: Partition) -> Result<(), SnapshotError> {
        let (topic, index) = (partition.topic, partition.index);
        if self.partitions.len() == PARTITIONS_MAX {
            return Err(SnapshotError::TooManyPartitions);
        }
        if index < 0 {
            return Err(SnapshotError::NegativePartition(index));
        }
        if topic as usize >= self.topics.len() {
            return Err(SnapshotError::UnknownTopic(topic));
        }
        if partition.replicas.is_empty() || partition.replicas.len() > REPLICAS_MAX {
            return Err(SnapshotError::ReplicaCount(index, partition.replicas.len()));
        }
        for (place, replica) in partition.replicas.iter().enumerate() {
            let id = replica.broker;
            if self.place_of(id).is_none() {
                return Err(SnapshotError::UnknownBroker(index, id));
            }
            if partition.replicas[..place].iter().any(|other| other.broker == id) {
                return Err(SnapshotError::ReplicaTwice(index, id));
            }
            self.count(replica, index)?;
        }
        if let Some(leader) = partition.leader {
            if !partition.replicas.iter().any(|replica| replica.broker == leader) {
                return Err(SnapshotError::LeaderElsewhere(index, leader));
            }
            if partition.is_leaderless {
                return Err(SnapshotError::LedByNobody(index, leader));
            }
            self.total[Resource::Leaders] += 1;
        }
        self.partitions.push(partition);
        Ok(())
    }

    fn count(&mut self, replica: &Replica, index: i32) -> Result<(), SnapshotError> {
        let amounts = replica.load.amounts(false);
        for resource in Resource::MEASURED {
            let sum = self.total[resource].saturating_add(amounts[resource]);
            if amounts[resource] > AMOUNT_MAX || sum > TOTAL_MAX {
                return Err(SnapshotError::TooMuch(index, resource));
            }
        }
        self.total.add(&amounts);
        Ok(())
    }

    fn finish(mut self) -> Result<Self, SnapshotError> {
        let is_in_order =
            |two: &[Partition]| (two[0].topic, two[0].index) < (two[1].topic, two[1].index);
        if !self.partitions.windows(2).all(is_in_order) {
            self.partitions.sort_by_key(|partition| (partition.topic, partition.index));
        }
        let twice = self.partitions.windows(2).find(|two| !is_in_order(two));
        match twice {
            Some(two) => Err(SnapshotError::PartitionTwice(two[0].topic, two[0].index)),
            None => Ok(self),
        }
    }
}

/// The topics that were named so far.
#[derive(Debug, Default)]
struct Known {
    topics: BTreeMap<String, u32>,
}
