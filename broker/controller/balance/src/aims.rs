//! What each broker is to have, and when it has too much or too little.
//!
//! ```text
//!          low.outer  low.inner   aim   high.inner  high.outer
//!   ──────────┼───────────┼────────┼────────┼───────────┼──────▶ load of a broker
//!    fill it  │    as it is, unless it is just being     │  relieve it
//!             │    filled up or relieved to `inner`      │
//! ```
//!
//! The aim is the same [level](crate::levels) for all, but for what can't be: a rack must have its
//! replicas of each partition, a broker can't have two of them, and a replica can't be divided.
//!
//! May not know: where a single partition is.
//! Must always hold: aims of the active brokers add up
//! to what there is to place, but for rounding and for replicas that are larger than an aim.

use alloc::vec;
use alloc::vec::Vec;

use crate::demand::Demand;
use crate::levels::{FRACTION_BITS, Levels, Scale};
use crate::options::Options;
use crate::racks::Racks;
use crate::resource::{Amounts, PerResource, Resource};
use crate::snapshot::{Broker, Standing};

/// How often an interval of levels is halved.
const HALVINGS: u32 = 48;

/// The limits on one side of an aim.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Edge {
    /// Up to where a broker is relieved or filled, and where others may bring it.
    pub(crate) inner: Amounts,
    /// The level of `inner`.
    pub(crate) inner_level: PerResource<i64>,
    /// From where on it is worth moving anything.
    pub(crate) outer: Amounts,
}

/// What one broker is to have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Aim {
    pub(crate) load: Amounts,
    /// The level of `load`.
    pub(crate) level: PerResource<i64>,
    pub(crate) low: Edge,
    pub(crate) high: Edge,
}

/// What all brokers are to have.
#[derive(Debug, Clone)]
pub(crate) struct Aims {
    /// By the broker's place; nothing for those that aren't active.
    pub(crate) of: Vec<Aim>,
    /// The lowest level that the worst broker can have: no assignment has a lower one. Where
    /// capacities don't suffice it is that of an assignment that exceeds them.
    pub(crate) bound: PerResource<i64>,
    /// Whether capacities suffice for what there is to place.
    pub(crate) has_room: bool,
}

/// The part of one broker in a division: what it has at level 1, and the least and most it can.
/// Loads have [`FRACTION_BITS`].
#[derive(Debug, Clone, Copy)]
struct Part {
    broker: usize,
    scale: Scale,
    least: u128,
    most: u128,
}

/// The brokers of a rack, and the least and most that it can have.
#[derive(Debug)]
struct RackPart {
    parts: Vec<Part>,
    least: u128,
    most: u128,
}

impl Aims {
    /// - `largest`: by broker, the largest replica on it, which it is expected to keep; none for
    ///   aims that depend on no assignment.
    pub(crate) fn new(
        brokers: &[Broker],
        demand: &Demand,
        racks: &Racks,
        levels: &Levels,
        largest: Option<&[Amounts]>,
        options: &Options,
    ) -> Self {
        let active = racks.active.iter().sum();
        let total = demand.placeable(active);
        let mut of = vec![Aim::default(); brokers.len()];
        let (mut bound, mut has_room) = (PerResource::all(0), true);
        for resource in Resource::ALL {
            let mut parts = rack_parts(brokers, demand, racks, levels, resource);
            let total = fine(total[resource]);
            let level =
                |(broker, load): &(usize, u128)| levels.scale(*broker, resource).fine_level(*load);
            let largest_replica = demand.largest[resource];
            let mut divided = divide(&parts, total);
            let mut highest = divided.iter().map(level).max();
            if !fits(&parts, &divided, total, fine(largest_replica)) {
                has_room = false;
                let free = without_capacities(brokers);
                let parts = rack_parts(&free, demand, racks, levels, resource);
                highest = divide(&parts, total).iter().map(level).max();
            }
            let indivisible = parts.iter().flat_map(|rack| &rack.parts);
            let indivisible = indivisible.map(|part| part.scale.level(largest_replica)).min();
            bound[resource] = highest.max(indivisible).unwrap_or(0);
            if let Some(largest) = largest {
                pin(&mut parts, largest, resource, bound[resource]);
                divided = divide(&parts, total);
            }
            for part in divided {
                of[part.0].level[resource] = level(&part);
                of[part.0].load[resource] = rounded(part.1);
            }
        }
        for (place, broker) in brokers.iter().enumerate() {
            if broker.standing == Standing::Active {
                of[place].set_edges(|resource| levels.scale(place, resource), options);
            }
        }
        Self { of, bound, has_room }
    }
}

impl Aim {
    fn set_edges(&mut self, scale: impl Fn(Resource) -> Scale, options: &Options) {
        for resource in Resource::ALL {
            let aim = self.load[resource];
            // What is counted has no smaller steps.
            let step = u64::from(resource.is_counted());
            let inner = scale(resource).permille(options.settle_permille).max(step);
            let outer = scale(resource).permille(options.band_permille).max(inner);
            self.low.inner[resource] = aim.saturating_sub(inner);
            self.low.outer[resource] = aim.saturating_sub(outer);
            self.high.inner[resource] = aim.saturating_add(inner);
            self.high.outer[resource] = aim.saturating_add(outer);
            for edge in [&mut self.low, &mut self.high] {
                edge.inner_level[resource] = scale(resource).level(edge.inner[resource]);
            }
        }
    }
}

fn fine(load: u64) -> u128 {
    u128::from(load) << FRACTION_BITS
}

fn rounded(load: u128) -> u64 {
    u64::try_from((load + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS).unwrap_or(u64::MAX)
}

/// What racks and their brokers can have of a resource, whatever is where.
fn rack_parts(
    brokers: &[Broker],
    demand: &Demand,
    racks: &Racks,
    levels: &Levels,
    resource: Resource,
) -> Vec<RackPart> {
    let sum = |per_factor: &dyn Fn(&crate::demand::Factor) -> u64| -> u128 {
        fine(demand.factors.iter().map(per_factor).sum())
    };
    let rack = |rack: usize| {
        let count = racks.active[rack];
        let least = |of: usize| racks.least(rack, of);
        let one = sum(&|factor| factor.most(1, resource));
        // A broker must have a replica where its rack has to have as many as it has brokers.
        let forced = sum(&|factor| {
            let is_forced = least(factor.replicas) >= count;
            if is_forced { factor.least(1, resource) } else { 0 }
        });
        let own = (0..brokers.len()).filter(|broker| {
            racks.of[*broker] == rack && brokers[*broker].standing == Standing::Active
        });
        let part = |broker| {
            let scale = levels.scale(broker, resource);
            let most = brokers[broker].capacity[resource].map_or(one, |it| fine(it).min(one));
            Part { broker, scale, least: forced.min(most), most }
        };
        RackPart {
            parts: own.map(part).collect(),
            least: sum(&|factor| factor.least(least(factor.replicas), resource)),
            most: sum(&|factor| factor.most(racks.most(rack, factor.replicas), resource)),
        }
    };
    (0..racks.active.len()).map(rack).collect()
}

/// Whether a total was divided without a remainder, and there is a broker for the largest replica.
fn fits(racks: &[RackPart], divided: &[(usize, u128)], total: u128, largest: u128) -> bool {
    let most = racks.iter().flat_map(|rack| &rack.parts).map(|part| part.most).max();
    divided.iter().map(|(_, load)| load).sum::<u128>() >= total && most.unwrap_or(0) >= largest
}

fn without_capacities(brokers: &[Broker]) -> Vec<Broker> {
    let free = |broker: &Broker| Broker { capacity: PerResource::default(), ..broker.clone() };
    brokers.iter().map(free).collect()
}

/// Lets brokers keep their largest replica, as long as it is nowhere better off.
fn pin(parts: &mut [RackPart], largest: &[Amounts], resource: Resource, bound: i64) {
    let bound = u64::try_from(bound).unwrap_or(0);
    for part in parts.iter_mut().flat_map(|rack| &mut rack.parts) {
        let kept = fine(largest[part.broker][resource]).min(part.scale.fine_load(bound));
        part.least = part.least.max(kept).min(part.most);
    }
}

/// Divides a total so that the highest level is as low as can be: all have the same, but for those
/// that can't have as little or as much. Gives each broker's load.
fn divide(racks: &[RackPart], total: u128) -> Vec<(usize, u128)> {
    let level = lowest(total, |level| racks.iter().map(|rack| rack.load(level)).sum());
    let mut divided = Vec::new();
    for rack in racks {
        let own = rack.load(level);
        let level = lowest(own, |level| rack.parts.iter().map(|part| part.load(level)).sum());
        divided.extend(rack.parts.iter().map(|part| (part.broker, part.load(level))));
    }
    divided
}

/// The lowest level with which a load is reached, or one beyond which nothing grows.
fn lowest(load: u128, at: impl Fn(u64) -> u128) -> u64 {
    let (mut low, mut high) = (0, 1 << HALVINGS);
    while low < high {
        let middle = low + (high - low) / 2;
        if at(middle) >= load {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

impl Part {
    fn load(&self, level: u64) -> u128 {
        self.scale.fine_load(level).clamp(self.least, self.most.max(self.least))
    }
}

impl RackPart {
    fn load(&self, level: u64) -> u128 {
        let sum: u128 = self.parts.iter().map(|part| part.load(level)).sum();
        sum.clamp(self.least, self.most.max(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: u64 = 1 << 40;

    fn part(broker: usize, fair: u64, least: u64, most: u64) -> Part {
        let mut total = Amounts::default();
        total[Resource::DiskBytes] = fair;
        let levels = Levels::new(&[Broker::new(0)], &total);
        let scale = levels.scale(0, Resource::DiskBytes);
        Part { broker, scale, least: fine(least), most: fine(most) }
    }

    fn rack(parts: Vec<Part>, least: u64, most: u64) -> RackPart {
        RackPart { parts, least: fine(least), most: fine(most) }
    }

    fn divided(racks: &[RackPart], total: u64) -> Vec<u64> {
        divide(racks, fine(total)).into_iter().map(|(_, load)| rounded(load)).collect()
    }

    #[test]
    fn all_have_the_same_level_but_those_that_cannot() {
        let free = |broker, fair| part(broker, fair, 0, FREE);
        let one = |parts| [rack(parts, 0, FREE)];
        assert_eq!(divided(&one(vec![free(0, 100), free(1, 300)]), 800), [200, 600]);
        let full = part(1, 300, 0, 150);
        assert_eq!(divided(&one(vec![free(0, 100), full]), 800), [650, 150]);
        let pinned = part(1, 100, 500, 900);
        assert_eq!(divided(&one(vec![free(0, 100), pinned]), 800), [300, 500]);
    }

    #[test]
    fn a_rack_has_what_it_must_and_no_more_than_it_can() {
        let free = |broker| part(broker, 100, 0, FREE);
        let racks = [rack(vec![free(0)], 600, 900), rack(vec![free(1), free(2)], 0, FREE)];
        assert_eq!(divided(&racks, 900), [600, 150, 150]);
        let racks = [rack(vec![free(0)], 0, 100), rack(vec![free(1), free(2)], 0, FREE)];
        assert_eq!(divided(&racks, 900), [100, 400, 400]);
    }
}
