//! Simulated clusters, for tests, benchmarks and pictures: brokers of different sizes in racks, and
//! partitions whose loads follow Zipf's law.
//!
//! May not know: anything of how plans are made. Must always hold: the same shape gives the same
//! cluster.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::resource::Resource;
use crate::snapshot::{Broker, Load, Partition, Replica, Snapshot, Standing};

/// Bytes a second that arrive for the most frequented partition.
const BUSIEST: u64 = 64 << 20;
/// Where capacities are known, the busiest are this part of all partitions more alike, so that each
/// finds room on every broker.
const ALIKE_PART: u64 = 500;
/// The most seconds for which a partition keeps what arrives.
const KEPT_SECONDS_MAX: u64 = 36_000;
/// The most consumers of a partition.
const CONSUMERS_MAX: u64 = 4;
/// Partitions of one topic.
const TOPIC_PARTITIONS: usize = 50;

/// All chance of a simulation, from its seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A source of chance.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x243f_6a88_85a3_08d3)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a limit; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw().checked_rem(limit).unwrap_or(0)
    }

    /// A place in a list of this length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

/// What a simulated cluster is like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// All chance of it.
    pub seed: u64,
    /// How many brokers.
    pub brokers: usize,
    /// In how many racks; 1 is none.
    pub racks: usize,
    /// How many partitions.
    pub partitions: usize,
    /// How many replicas each has.
    pub replicas: usize,
    /// Whether every third broker has half of what others have, and every fifth twice as much.
    pub is_mixed: bool,
    /// Whether capacities are known.
    pub has_capacities: bool,
}

/// A cluster whose replicas were placed by turns, whatever they take.
///
/// # Panics
/// If it has fewer brokers than replicas, or too much of anything for a snapshot.
#[must_use]
pub fn cluster(shape: &Shape) -> Snapshot {
    let mut chance = Chance::new(shape.seed);
    let brokers: Vec<Broker> = (0..shape.brokers).map(|place| broker(shape, place)).collect();
    let mut ranks: Vec<u64> = (1..=shape.partitions as u64).collect();
    for place in (1..ranks.len()).rev() {
        ranks.swap(place, chance.index(place + 1));
    }
    let partitions = ranks.iter().enumerate();
    let partitions: Vec<Partition> =
        partitions.map(|(place, rank)| partition(shape, place, *rank, &mut chance)).collect();
    let topics = shape.partitions.div_ceil(TOPIC_PARTITIONS);
    let topics: Vec<String> = (0..topics).map(|topic| format!("topic-{topic}")).collect();
    let snapshot = Snapshot::new(brokers, topics, partitions).expect("shapes are within limits");
    if shape.has_capacities { with_capacities(&snapshot) } else { snapshot }
}

/// One more broker of such a cluster.
#[must_use]
pub fn broker(shape: &Shape, place: usize) -> Broker {
    let id = i32::try_from(place).unwrap_or(i32::MAX);
    let rack = (shape.racks > 1).then(|| format!("rack-{}", place % shape.racks));
    let weight = match place {
        _ if !shape.is_mixed => 100,
        _ if place % 5 == 4 => 200,
        _ if place % 3 == 2 => 50,
        _ => 100,
    };
    Broker { rack, weight, ..Broker::new(id) }
}

fn partition(shape: &Shape, place: usize, rank: u64, chance: &mut Chance) -> Partition {
    let alike = if shape.has_capacities { shape.partitions as u64 / ALIKE_PART } else { 0 };
    let bytes_in = BUSIEST / (rank + alike);
    let disk_bytes = bytes_in * (1 + chance.below(KEPT_SECONDS_MAX));
    let followers = shape.replicas as u64 - 1;
    let bytes_out = bytes_in * (followers + chance.below(CONSUMERS_MAX + 1));
    let id = |replica: usize| {
        // Neighbours are in different racks.
        let broker = (place + replica) % shape.brokers;
        i32::try_from(broker).unwrap_or(i32::MAX)
    };
    let replica = |replica| Replica {
        broker: id(replica),
        load: Load { disk_bytes, bytes_in, bytes_out: if replica == 0 { bytes_out } else { 0 } },
    };
    Partition {
        topic: u32::try_from(place / TOPIC_PARTITIONS).unwrap_or(u32::MAX),
        index: i32::try_from(place % TOPIC_PARTITIONS).unwrap_or(i32::MAX),
        leader: Some(id(0)),
        is_leaderless: false,
        replicas: (0..shape.replicas).map(replica).collect(),
    }
}

/// The same with capacities, by weight, so that the resources are between 35 and 60 in a
/// hundred full. By turns some brokers have been given more than they have room for.
fn with_capacities(snapshot: &Snapshot) -> Snapshot {
    let weights: u64 = snapshot.brokers().iter().map(|it| u64::from(it.weight)).sum();
    let percents = [(Resource::Partitions, 35), (Resource::DiskBytes, 60)];
    let percents = percents.into_iter().chain([(Resource::BytesIn, 45), (Resource::BytesOut, 50)]);
    let mut brokers = snapshot.brokers().to_vec();
    for (resource, percent) in percents {
        for broker in &mut brokers {
            let all = u128::from(snapshot.total()[resource]) * 100 / percent;
            let own = all * u128::from(broker.weight) / u128::from(weights.max(1));
            broker.capacity[resource] = u64::try_from(own.max(1)).ok();
        }
    }
    // Sizes are told by capacities now.
    brokers.iter_mut().for_each(|it| it.weight = crate::snapshot::WEIGHT_USUAL);
    snapshot.with_brokers(brokers).expect("capacities are within limits")
}

/// The same cluster with one broker standing otherwise.
///
/// # Panics
/// If there is no such broker.
#[must_use]
pub fn with_standing(snapshot: &Snapshot, id: i32, standing: Standing) -> Snapshot {
    let mut brokers = snapshot.brokers().to_vec();
    brokers[snapshot.place_of(id).expect("a broker of the snapshot")].standing = standing;
    // Nobody who is lost leads.
    let mut partitions = snapshot.partitions().to_vec();
    for partition in &mut partitions {
        if standing == Standing::Absent && partition.leader == Some(id) {
            elect_another(partition);
        }
    }
    let topics = snapshot.topics().to_vec();
    Snapshot::new(brokers, topics, partitions).expect("nothing else has changed")
}

/// The next replica leads, and takes what the leader took.
fn elect_another(partition: &mut Partition) {
    let old = partition.replicas.iter().position(|it| Some(it.broker) == partition.leader);
    let Some(old) = old.filter(|_| partition.replicas.len() > 1) else { return };
    let new = (old + 1) % partition.replicas.len();
    let (from, to) = (partition.replicas[old].load, partition.replicas[new].load);
    partition.replicas[old].load = Load { disk_bytes: from.disk_bytes, ..to };
    partition.replicas[new].load = Load { disk_bytes: to.disk_bytes, ..from };
    partition.leader = Some(partition.replicas[new].broker);
}

/// The same cluster with one more broker, as large as the usual one.
///
/// # Panics
/// If there are too many.
#[must_use]
pub fn with_one_more(snapshot: &Snapshot, shape: &Shape) -> Snapshot {
    let mut brokers = snapshot.brokers().to_vec();
    let place = brokers.len();
    let mut new = broker(&Shape { is_mixed: false, ..*shape }, place);
    if shape.has_capacities {
        new.capacity = brokers[0].capacity;
    }
    brokers.push(new);
    snapshot.with_brokers(brokers).expect("one more broker")
}

/// The same cluster after loads have changed by up to so many in a hundred, each partition's by
/// its own.
///
/// # Panics
/// If they become too large for a snapshot.
#[must_use]
pub fn drifted(snapshot: &Snapshot, percent: u64, seed: u64) -> Snapshot {
    let mut chance = Chance::new(seed);
    let mut partitions = snapshot.partitions().to_vec();
    for partition in &mut partitions {
        let factor = 100 - percent + chance.below(2 * percent + 1);
        for replica in &mut partition.replicas {
            let load = &mut replica.load;
            for amount in [&mut load.disk_bytes, &mut load.bytes_in, &mut load.bytes_out] {
                *amount = *amount * factor / 100;
            }
        }
    }
    let (brokers, topics) = (snapshot.brokers().to_vec(), snapshot.topics().to_vec());
    Snapshot::new(brokers, topics, partitions).expect("nothing has become much larger")
}

/// A cluster that takes chance for everything, small enough to be looked through: for property
/// tests and for a solver.
///
/// # Panics
/// Never: everything is within the limits of a snapshot.
#[must_use]
pub fn small(seed: u64) -> Snapshot {
    let mut chance = Chance::new(seed);
    let shape = Shape {
        seed,
        brokers: 3 + chance.index(4),
        racks: 1 + chance.index(3),
        partitions: 6 + chance.index(15),
        replicas: 1 + chance.index(3),
        is_mixed: chance.below(2) == 0,
        has_capacities: chance.below(2) == 0,
    };
    let snapshot = cluster(&shape);
    let mut partitions = snapshot.partitions().to_vec();
    let racks = crate::racks::Racks::new(snapshot.brokers());
    for partition in &mut partitions {
        scatter(partition, &racks, &mut chance);
    }
    let (brokers, topics) = (snapshot.brokers().to_vec(), snapshot.topics().to_vec());
    Snapshot::new(brokers, topics, partitions).expect("only brokers have changed")
}

/// Puts the replicas of a partition anywhere where racks let them be.
fn scatter(partition: &mut Partition, racks: &crate::racks::Racks, chance: &mut Chance) {
    let limit = racks.limit(partition.replicas.len());
    let mut crowds = vec![0; racks.active.len()];
    let mut left: Vec<usize> = (0..racks.of.len()).collect();
    let leader = partition.leader.take();
    for replica in &mut partition.replicas {
        let leads = leader == Some(replica.broker);
        left.retain(|broker| crowds[racks.of[*broker]] < limit);
        let broker = left.swap_remove(chance.index(left.len()));
        crowds[racks.of[broker]] += 1;
        replica.broker = i32::try_from(broker).unwrap_or(i32::MAX);
        if leads {
            partition.leader = Some(replica.broker);
        }
    }
}
