//! Where the replicas of a new topic go.
//!
//! A strategy only says who is preferred; racks and capacities are hard rules under each of them.
//!
//! Must always hold: the same snapshot, topic, strategy and memory give the same brokers; the first
//! of a partition's brokers is to lead it.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::levels::{LEVEL, Levels};
use crate::racks::Racks;
use crate::resource::{Amounts, Resource};
use crate::snapshot::{Broker, Load, Snapshot, Standing};

/// How brokers for a new topic are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Where it costs the least, as a plan would have it.
    Weighted,
    /// In turns from a broker on, named by its place.
    RoundRobin {
        /// Where to begin.
        start: usize,
    },
    /// In turns, in which a broker of twice the weight is twice.
    WeightedRoundRobin,
    /// Who has the least of what it has the most of, whatever this topic will take.
    LeastLoaded,
    /// By chance.
    Random,
}

/// What strategies remember from one topic to the next, so that many topics of one partition share
/// brokers as one topic of many does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// Of a weighted turn: what each broker is owed, by its id.
    owed: BTreeMap<i32, i64>,
    chance: u64,
}

impl Memory {
    /// Nobody is owed anything.
    ///
    /// - `seed`: all chance.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { owed: BTreeMap::new(), chance: seed }
    }
}

/// A topic that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTopic {
    /// How many partitions it has.
    pub partitions: usize,
    /// How many replicas each has.
    pub replicas: usize,
    /// What a replica is expected to take; of what leaves, the leader's.
    pub expected: Load,
}

/// Why a topic can't be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceError {
    /// There are fewer active brokers than replicas.
    TooFewBrokers {
        /// What is asked for.
        replicas: usize,
        /// Those that are there.
        active: usize,
    },
    /// No broker in a rack that may have another replica has capacity for one.
    Capacity {
        /// The number of the partition.
        partition: usize,
        /// What there is too little of, at the first broker that lacks it.
        resource: Resource,
    },
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewBrokers { replicas, active } => {
                write!(f, "{replicas} replicas need as many active brokers, and there are {active}")
            }
            Self::Capacity { partition, resource } => write!(
                f,
                "partition {partition}: no broker of a rack that may have a replica has capacity \
                 for its {resource}"
            ),
        }
    }
}

impl core::error::Error for PlaceError {}

/// A broker, and what all its replicas take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The broker.
    pub broker: Broker,
    /// What it has.
    pub load: Amounts,
}

/// The brokers of a snapshot, with what they have.
#[must_use]
pub fn hosts(snapshot: &Snapshot) -> Vec<Host> {
    let host = |broker: &Broker| Host { broker: broker.clone(), load: Amounts::default() };
    let mut hosts: Vec<Host> = snapshot.brokers().iter().map(host).collect();
    for partition in snapshot.partitions() {
        for replica in &partition.replicas {
            let leads = partition.leader == Some(replica.broker);
            if let Some(place) = snapshot.place_of(replica.broker) {
                hosts[place].load.add(&replica.load.amounts(leads));
            }
        }
    }
    hosts
}

/// Chooses brokers for a new topic: their ids by partition, the preferred leader first. What they
/// have is added to `hosts`, and whose turn is next noted in `memory`.
///
/// - `hosts`: whose loads together stay below [`crate::snapshot::TOTAL_MAX`].
///
/// # Errors
/// The rule that can't be kept; something may be added to `hosts` then.
///
/// # Panics
/// If more replicas are asked for than [`crate::snapshot::REPLICAS_MAX`].
pub fn place(
    hosts: &mut [Host],
    topic: &NewTopic,
    strategy: Strategy,
    memory: &mut Memory,
) -> Result<Vec<Vec<i32>>, PlaceError> {
    let mut table = Table::new(hosts, topic, strategy, memory);
    let active = table.racks.active.iter().sum();
    if topic.replicas > active {
        return Err(PlaceError::TooFewBrokers { replicas: topic.replicas, active });
    }
    let placed =
        (0..topic.partitions).map(|it| table.partition(it)).collect::<Result<_, PlaceError>>()?;
    *memory = table.remembered();
    Ok(placed)
}

/// The brokers while partitions are placed on them.
struct Table<'a> {
    hosts: &'a mut [Host],
    topic: &'a NewTopic,
    racks: Racks,
    levels: Levels,
    strategy: Strategy,
    /// Of a weighted turn: what each broker is owed.
    owed: Vec<i64>,
    /// The brokers so that neighbours are in different racks where that is possible.
    ring: Vec<usize>,
    chance: u64,
}

impl<'a> Table<'a> {
    fn new(
        hosts: &'a mut [Host],
        topic: &'a NewTopic,
        strategy: Strategy,
        memory: &Memory,
    ) -> Self {
        let brokers: Vec<Broker> = hosts.iter().map(|host| host.broker.clone()).collect();
        let racks = Racks::new(&brokers);
        // As it will be: there may be next to nothing yet.
        let mut total = Amounts::default();
        let active = hosts.iter().filter(|host| host.broker.standing == Standing::Active);
        active.for_each(|host| total.add(&host.load));
        for replica in 0..topic.replicas {
            let load = load_of(topic, replica);
            (0..topic.partitions).for_each(|_| total.add(&load));
        }
        let levels = Levels::new(&brokers, &total);
        let owed = |broker: &Broker| memory.owed.get(&broker.id).copied().unwrap_or_default();
        let owed = brokers.iter().map(owed).collect();
        let (ring, chance) = (ring(&brokers, &racks), memory.chance);
        Self { hosts, topic, racks, levels, strategy, owed, ring, chance }
    }

    /// What the next topic needs to know.
    fn remembered(&self) -> Memory {
        let owed = self.hosts.iter().zip(&self.owed).map(|(host, owed)| (host.broker.id, *owed));
        Memory { owed: owed.collect(), chance: self.chance }
    }

    fn partition(&mut self, partition: usize) -> Result<Vec<i32>, PlaceError> {
        let mut chosen: Vec<usize> = Vec::new();
        for replica in 0..self.topic.replicas {
            let load = load_of(self.topic, replica);
            let broker = self.choose(partition, &chosen, &load)?;
            self.hosts[broker].load.add(&load);
            chosen.push(broker);
        }
        Ok(chosen.into_iter().map(|place| self.hosts[place].broker.id).collect())
    }

    /// The preferred one of those that may have a replica.
    fn choose(
        &mut self,
        partition: usize,
        chosen: &[usize],
        load: &Amounts,
    ) -> Result<usize, PlaceError> {
        let racks = &self.racks;
        let limit = racks.limit(self.topic.replicas);
        let crowd =
            |broker: usize| chosen.iter().filter(|it| racks.of[**it] == racks.of[broker]).count();
        let allowed: Vec<usize> = self
            .ring
            .iter()
            .copied()
            .filter(|it| !chosen.contains(it) && crowd(*it) < limit)
            .collect();
        let lacks = |broker: &usize| self.hosts[*broker].lacks(load);
        let able: Vec<usize> = allowed.iter().copied().filter(|it| lacks(it).is_none()).collect();
        // Brokers suffice, so that where nobody is able somebody lacks capacity.
        let resource = allowed.iter().find_map(lacks).unwrap_or(Resource::Partitions);
        let preferred = self.preferred(partition, chosen.len(), &able, load);
        preferred.ok_or(PlaceError::Capacity { partition, resource })
    }

    fn preferred(
        &mut self,
        partition: usize,
        replica: usize,
        able: &[usize],
        load: &Amounts,
    ) -> Option<usize> {
        match self.strategy {
            Strategy::Weighted => able.iter().copied().min_by_key(|it| (self.cost(*it, load), *it)),
            Strategy::RoundRobin { start } => self.in_turn(start, partition, replica, able),
            Strategy::WeightedRoundRobin => self.by_weight(able),
            Strategy::LeastLoaded => {
                able.iter().copied().min_by_key(|it| (self.fullness(*it), *it))
            }
            Strategy::Random => {
                let places = able.len() as u64;
                let drawn = self.draw().checked_rem(places)?;
                usize::try_from(drawn).ok().map(|place| able[place])
            }
        }
    }

    /// How the squares of the distances to level 1 change, which is what all should have.
    fn cost(&self, broker: usize, load: &Amounts) -> i64 {
        let (levels, has) = (&self.levels, &self.hosts[broker].load);
        let square = |resource, load| {
            let distance = levels.level(broker, resource, load) - LEVEL;
            distance * distance
        };
        let change = |it: Resource| square(it, has[it] + load[it]) - square(it, has[it]);
        Resource::ALL.into_iter().map(change).sum()
    }

    /// The next on the ring from the leader's place on. Each round of the ring skips one more, so
    /// that a broker's followers aren't always the same.
    fn in_turn(
        &self,
        start: usize,
        partition: usize,
        replica: usize,
        able: &[usize],
    ) -> Option<usize> {
        let length = self.ring.len();
        let turn = start.wrapping_add(partition);
        let skipped = if replica == 0 { 0 } else { turn / length % (length - 1).max(1) };
        let from = (turn + if replica == 0 { 0 } else { 1 } + skipped) % length;
        let walk = (0..length).map(|step| self.ring[(from + step) % length]);
        walk.into_iter().find(|broker| able.contains(broker))
    }

    /// Whoever is owed the most: each turn everybody is owed its weight more, and who is chosen
    /// pays the weights of all.
    fn by_weight(&mut self, able: &[usize]) -> Option<usize> {
        let hosts = &self.hosts;
        let weight = |broker: usize| i64::from(hosts[broker].broker.weight);
        for broker in able {
            self.owed[*broker] += weight(*broker);
        }
        let chosen =
            able.iter().copied().max_by_key(|it| (self.owed[*it], core::cmp::Reverse(*it)))?;
        self.owed[chosen] -= able.iter().map(|it| weight(*it)).sum::<i64>();
        Some(chosen)
    }

    /// The highest level of a broker now.
    fn fullness(&self, broker: usize) -> i64 {
        let level = |it| self.levels.level(broker, it, self.hosts[broker].load[it]);
        Resource::MEASURED.into_iter().map(level).max().unwrap_or(0)
    }

    /// The next number of splitmix64.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Host {
    /// What it has no capacity for.
    fn lacks(&self, more: &Amounts) -> Option<Resource> {
        let exceeds = |it: &Resource| {
            let is_beyond = |capacity: u64| self.load[*it] + more[*it] > capacity;
            more[*it] > 0 && self.broker.capacity[*it].is_some_and(is_beyond)
        };
        Resource::MEASURED.into_iter().find(exceeds)
    }
}

/// What a replica is expected to take; the first one leads.
fn load_of(topic: &NewTopic, replica: usize) -> Amounts {
    let bytes_out = if replica == 0 { topic.expected.bytes_out } else { 0 };
    Load { bytes_out, ..topic.expected }.amounts(replica == 0)
}

/// The active brokers: the first of each rack, then the second of each, and so on.
fn ring(brokers: &[Broker], racks: &Racks) -> Vec<usize> {
    let mut turns = vec![0; racks.active.len()];
    let mut ring = Vec::new();
    for (place, broker) in brokers.iter().enumerate() {
        let rack = racks.of[place];
        if broker.standing == Standing::Active {
            ring.push((turns[rack], rack, place));
            turns[rack] += 1;
        }
    }
    ring.sort_unstable();
    ring.into_iter().map(|(_, _, place)| place).collect()
}
