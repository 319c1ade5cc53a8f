//! How much room there is, for how long, and what one broker more or less would change.

use alloc::vec::Vec;

use crate::aims::Aims;
use crate::bound;
use crate::demand::Demand;
use crate::levels::Levels;
use crate::options::Options;
use crate::plan::{Ground, Worst};
use crate::racks::Racks;
use crate::resource::{Amounts, PerResource, Resource};
use crate::snapshot::{Broker, Snapshot, Standing};

/// Days are told in hundredths.
const DAY_PARTS: u128 = 100;

/// How a broker stands with one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headroom {
    /// What it has.
    pub load: u64,
    /// What it may have, where that is known.
    pub capacity: Option<u64>,
    /// What there is room for, where that is known; 0 where it has too much.
    pub left: Option<u64>,
    /// Its weighted utilisation in millionths, as of [`Worst`].
    pub ppm: u64,
    /// In how many hundredths of a day it has run out, if each broker's load grows in proportion;
    /// `None` where it never does or nobody knows.
    pub runs_out: Option<u64>,
}

/// How a broker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerCapacity {
    /// Its id.
    pub id: i32,
    /// By resource.
    pub headroom: PerResource<Headroom>,
}

/// What a cluster of other brokers would reach with the same load, well balanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// The broker that would be there or be lost, if any.
    pub broker: Option<i32>,
    /// The lowest worst utilisation that is possible; where there isn't room for all, what it would
    /// be if capacities were exceeded.
    pub worst: Worst,
    /// In how many hundredths of a day the first resource has run out of all brokers' capacity,
    /// and which one that is.
    pub runs_out: Option<(u64, Resource)>,
    /// Whether all replicas would find a broker.
    pub has_room: bool,
}

/// How a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// By id.
    pub brokers: Vec<BrokerCapacity>,
    /// With the active brokers, well balanced.
    pub now: Outlook,
    /// With one more, like the one that was handed in.
    pub with_one_more: Outlook,
    /// Without the one whose loss costs the most; `None` where there are no two.
    pub without_one: Option<Outlook>,
}

impl Capacity {
    /// The brokers as they are, with one more, and with one less, each with its name.
    pub fn outlooks(&self) -> impl Iterator<Item = (&'static str, &Outlook)> {
        let all = [("as-they-are", &self.now), ("one-more", &self.with_one_more)];
        all.into_iter().chain(self.without_one.as_ref().map(|one| ("one-less", one)))
    }
}

/// How much room a cluster has.
///
/// - `growth_per_day`: of all brokers together.
/// - `more`: a broker that could be added, as [`one_more`].
#[must_use]
pub fn capacity(
    snapshot: &Snapshot,
    growth_per_day: &Amounts,
    more: &Broker,
    options: &Options,
) -> Capacity {
    let ground = Ground::new(snapshot, options);
    let brokers = headroom(&ground, growth_per_day);
    let look = |brokers: &[Broker], changed| outlook(&ground, brokers, growth_per_day, changed);
    let mut with_more: Vec<Broker> = snapshot.brokers().to_vec();
    with_more.push(Broker { standing: Standing::Active, ..more.clone() });
    let without = |place: usize| {
        let mut brokers = snapshot.brokers().to_vec();
        brokers[place].standing = Standing::Absent;
        look(&brokers, Some(brokers[place].id))
    };
    let active = snapshot.brokers().iter().enumerate();
    let active: Vec<usize> =
        active.filter(|it| it.1.standing == Standing::Active).map(|(place, _)| place).collect();
    let losses = active.iter().filter(|_| active.len() > 1).map(|place| without(*place));
    let worst = losses.max_by_key(|it| (!it.has_room, it.worst.ppm, it.broker));
    Capacity {
        brokers,
        now: look(snapshot.brokers(), None),
        with_one_more: look(&with_more, Some(more.id)),
        without_one: worst,
    }
}

/// The broker that could be added: like the largest active one, with the first number that is free.
#[must_use]
pub fn one_more(snapshot: &Snapshot) -> Broker {
    let brokers = snapshot.brokers();
    let free = (0..).zip(brokers).find(|(id, broker)| broker.id != *id).map(|(id, _)| id);
    let id = free.unwrap_or_else(|| i32::try_from(brokers.len()).unwrap_or(i32::MAX));
    let active = brokers.iter().filter(|broker| broker.standing == Standing::Active);
    let size = |broker: &&Broker| {
        let capacity = broker.capacity[Resource::DiskBytes].unwrap_or(0);
        (u128::from(capacity) * u128::from(broker.weight), broker.weight)
    };
    match active.max_by_key(size) {
        Some(largest) => Broker { id, ..largest.clone() },
        None => Broker::new(id),
    }
}

/// How much room each broker has, and for how long.
fn headroom(ground: &Ground<'_>, growth_per_day: &Amounts) -> Vec<BrokerCapacity> {
    let load = loads(ground.snapshot);
    let brokers = ground.snapshot.brokers().iter().enumerate();
    let of = |place: usize, resource| headroom_of(ground, &load, growth_per_day, place, resource);
    let brokers = brokers.map(|(place, broker)| BrokerCapacity {
        id: broker.id,
        headroom: PerResource(Resource::ALL.map(|resource| of(place, resource))),
    });
    brokers.collect()
}

/// What each broker has.
fn loads(snapshot: &Snapshot) -> Vec<Amounts> {
    let mut loads = alloc::vec![Amounts::default(); snapshot.brokers().len()];
    for partition in snapshot.partitions() {
        for replica in &partition.replicas {
            let place = snapshot.place_of(replica.broker);
            let place = place.expect("a snapshot names only brokers that it has");
            let leads = partition.leader == Some(replica.broker);
            loads[place].add(&replica.load.amounts(leads));
        }
    }
    loads
}

fn headroom_of(
    ground: &Ground<'_>,
    loads: &[Amounts],
    growth: &Amounts,
    place: usize,
    resource: Resource,
) -> Headroom {
    let load = loads[place][resource];
    let capacity = ground.snapshot.brokers()[place].capacity[resource];
    let left = capacity.map(|capacity| capacity.saturating_sub(load));
    let all = ground.snapshot.total()[resource];
    // This broker's part of the growth is as its part of the load.
    let days = |left| share(u128::from(left) * u128::from(all), growth[resource], load);
    let ppm = ground.levels.ppm(place, resource, load);
    Headroom { load, capacity, left, ppm, runs_out: left.and_then(days) }
}

/// `left / (growth * load)` in hundredths of a day; `None` where nothing grows.
fn share(left: u128, growth: u64, load: u64) -> Option<u64> {
    let growth = u128::from(growth) * u128::from(load);
    let days = left.saturating_mul(DAY_PARTS).checked_div(growth)?;
    Some(u64::try_from(days).unwrap_or(u64::MAX))
}

fn outlook(
    ground: &Ground<'_>,
    brokers: &[Broker],
    growth: &Amounts,
    broker: Option<i32>,
) -> Outlook {
    let demand: &Demand = &ground.demand;
    let racks = Racks::new(brokers);
    let count = racks.active.iter().sum();
    let total = demand.placeable(count);
    let levels = Levels::new(brokers, &total);
    let aims = Aims::new(brokers, demand, &racks, &levels, None, &ground.options);
    let runs_out = Resource::MEASURED.into_iter().filter_map(|resource| {
        let capacities = brokers.iter().filter(|it| it.standing == Standing::Active);
        let capacities = capacities.map(|it| it.capacity[resource]);
        let all: u64 = capacities.sum::<Option<u64>>()?;
        let left = u128::from(all.saturating_sub(total[resource]));
        Some((share(left, growth[resource], 1)?, resource))
    });
    Outlook {
        broker,
        worst: bound::worst_of_levels(&levels, &aims),
        runs_out: runs_out.min(),
        has_room: demand.placeable(usize::MAX) == total && aims.has_room,
    }
}
