//! Where the replicas of a new topic go.
//!
//! A strategy only says who is preferred; racks and capacities are hard rules under each of them.
//!
//! Must always hold: the same snapshot, topic, strategy and numbers give the same brokers; the
//! first of a partition's brokers is to lead it.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::aims::Aims;
use crate::options::Options;
use crate::plan::Ground;
use crate::resource::{Amounts, Resource};
use crate::snapshot::{Load, Snapshot, Standing};
use crate::state::State;

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
    Random {
        /// All chance of it.
        seed: u64,
    },
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

/// Chooses brokers for a new topic: their ids by partition, the preferred leader first.
///
/// # Errors
/// The rule that can't be kept.
///
/// # Panics
/// If more replicas are asked for than [`crate::snapshot::REPLICAS_MAX`].
pub fn place(
    snapshot: &Snapshot,
    topic: &NewTopic,
    strategy: Strategy,
    options: &Options,
) -> Result<Vec<Vec<i32>>, PlaceError> {
    let ground = Ground::new(snapshot, options);
    let active = ground.racks.active.iter().sum();
    if topic.replicas > active {
        return Err(PlaceError::TooFewBrokers { replicas: topic.replicas, active });
    }
    let mut table = Table::new(&ground, topic, strategy);
    (0..topic.partitions).map(|partition| table.partition(partition)).collect()
}

/// The brokers while partitions are placed on them.
struct Table<'a> {
    ground: &'a Ground<'a>,
    topic: &'a NewTopic,
    state: State<'a>,
    aims: Aims,
    strategy: Strategy,
    /// Of a weighted turn: what each broker is owed.
    owed: Vec<i64>,
    /// The brokers so that neighbours are in different racks where that is possible.
    ring: Vec<usize>,
    chance: u64,
}

impl<'a> Table<'a> {
    fn new(ground: &'a Ground<'a>, topic: &'a NewTopic, strategy: Strategy) -> Self {
        let state = State::new(ground.snapshot, &ground.racks);
        let aims = ground.aims(&state);
        let chance = if let Strategy::Random { seed } = strategy { seed } else { 0 };
        let owed = vec![0; ground.snapshot.brokers().len()];
        Self { ground, topic, state, aims, strategy, owed, ring: ring(ground), chance }
    }

    fn partition(&mut self, partition: usize) -> Result<Vec<i32>, PlaceError> {
        let mut chosen: Vec<usize> = Vec::new();
        for replica in 0..self.topic.replicas {
            let load = Load {
                bytes_out: if replica == 0 { self.topic.expected.bytes_out } else { 0 },
                ..self.topic.expected
            };
            let load = load.amounts(replica == 0);
            let broker = self.choose(partition, &chosen, &load)?;
            self.state.load[broker].add(&load);
            chosen.push(broker);
        }
        let brokers = self.ground.snapshot.brokers();
        Ok(chosen.into_iter().map(|place| brokers[place].id).collect())
    }

    /// The preferred one of those that may have a replica.
    fn choose(
        &mut self,
        partition: usize,
        chosen: &[usize],
        load: &Amounts,
    ) -> Result<usize, PlaceError> {
        let racks = &self.ground.racks;
        let limit = racks.limit(self.topic.replicas);
        let crowd =
            |broker: usize| chosen.iter().filter(|it| racks.of[**it] == racks.of[broker]).count();
        let allowed: Vec<usize> = self
            .ring
            .iter()
            .copied()
            .filter(|it| !chosen.contains(it) && crowd(*it) < limit)
            .collect();
        let lacks = |broker: &usize| self.state.lacks(*broker, load);
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
            Strategy::Random { .. } => {
                let places = able.len() as u64;
                let drawn = self.draw().checked_rem(places)?;
                usize::try_from(drawn).ok().map(|place| able[place])
            }
        }
    }

    fn cost(&self, broker: usize, load: &Amounts) -> i64 {
        let mut after = self.state.load[broker];
        after.add(load);
        self.state.cost(&self.aims, &self.ground.levels, broker, &after)
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
        let brokers = self.ground.snapshot.brokers();
        for broker in able {
            self.owed[*broker] += i64::from(brokers[*broker].weight);
        }
        let chosen =
            able.iter().copied().max_by_key(|it| (self.owed[*it], core::cmp::Reverse(*it)))?;
        self.owed[chosen] -= able.iter().map(|it| i64::from(brokers[*it].weight)).sum::<i64>();
        Some(chosen)
    }

    /// The highest level of a broker now.
    fn fullness(&self, broker: usize) -> i64 {
        let level = |it| self.ground.levels.level(broker, it, self.state.load[broker][it]);
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

/// The active brokers: the first of each rack, then the second of each, and so on.
fn ring(ground: &Ground<'_>) -> Vec<usize> {
    let mut turns = vec![0; ground.racks.active.len()];
    let mut ring = Vec::new();
    for (place, broker) in ground.snapshot.brokers().iter().enumerate() {
        let rack = ground.racks.of[place];
        if broker.standing == Standing::Active {
            ring.push((turns[rack], rack, place));
            turns[rack] += 1;
        }
    }
    ring.sort_unstable();
    ring.into_iter().map(|(_, _, place)| place).collect()
}
