//! What a load means on a broker, compared with other brokers and other resources.
//!
//! A broker is sized for a resource by its capacity times its weight; where an active broker's
//! capacity isn't known, all are sized by weight alone. The *fair* load of a broker is what it has
//! when all have the same part of what they are sized for, and the level of a load is its ratio to
//! that: level 1 is the mean of the fullest resource of which capacities are known. A resource
//! without capacities counts as if it were as full as that one.
//!
//! Must always hold: levels grow with loads; squares of ten of them fit into 64 bits.

use alloc::vec::Vec;

use crate::resource::{Amounts, PerResource, Resource};
use crate::snapshot::{Broker, Standing, TOTAL_MAX, WEIGHT_USUAL};

/// The level 1.
pub(crate) const LEVEL: i64 = 1 << 20;
/// Levels beyond are as bad as this one.
const LEVEL_MAX: i64 = 1 << 28;
/// Fair loads, and what is divided by them, have so many bits behind the point: there may be fewer
/// partitions than brokers.
pub(crate) const FRACTION_BITS: u32 = 10;
/// More is fair for nobody who is active: all together have less. One that isn't, and has a
/// capacity beside which those of all others are nothing, is sized for this.
const FAIR_MAX: u128 = (TOTAL_MAX as u128) << (FRACTION_BITS + 1);
/// What is full, in millionths.
pub(crate) const FULL_PPM: u64 = 1_000_000;
/// The utilisation of everything, where no capacity is known at all.
const UNKNOWN_PPM: u64 = FULL_PPM / 2;

/// The fair load of a broker, prepared so that a level is a product.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scale {
    /// With [`FRACTION_BITS`].
    fair: u128,
    /// `2^shift / fair`, so that a level of [`LEVEL`] comes out; below 2 to the 61st.
    factor: u64,
    shift: u32,
}

impl Scale {
    fn new(fair: u128) -> Self {
        if fair == 0 {
            return Self::default();
        }
        let fair = fair.min(FAIR_MAX);
        let shift = 29 + (u128::BITS - fair.leading_zeros());
        let one = 1 << (shift + LEVEL.trailing_zeros() + FRACTION_BITS);
        let factor = u64::try_from(one / fair).unwrap_or(u64::MAX);
        Self { fair, factor, shift }
    }

    /// The level of a load.
    pub(crate) fn level(self, load: u64) -> i64 {
        let level = (u128::from(load) * u128::from(self.factor)) >> self.shift;
        i64::try_from(level).unwrap_or(LEVEL_MAX).min(LEVEL_MAX)
    }

    /// The load of a level, with [`FRACTION_BITS`].
    pub(crate) fn fine_load(self, level: u64) -> u128 {
        (self.fair * u128::from(level)) >> LEVEL.trailing_zeros()
    }

    /// The level of a load with [`FRACTION_BITS`].
    pub(crate) fn fine_level(self, load: u128) -> i64 {
        let level = (load << LEVEL.trailing_zeros()).checked_div(self.fair).unwrap_or(0);
        i64::try_from(level).unwrap_or(LEVEL_MAX).min(LEVEL_MAX)
    }

    /// A part of the fair load, in thousandths.
    pub(crate) fn permille(self, part: u32) -> u64 {
        let load = self.fair * u128::from(part) / 1000;
        u64::try_from(load >> FRACTION_BITS).unwrap_or(u64::MAX)
    }
}

/// The scales of all brokers.
#[derive(Debug, Clone)]
pub(crate) struct Levels {
    /// By the broker's place.
    scales: Vec<PerResource<Scale>>,
    /// What each broker is sized for; `None` where only weights are known.
    sizes: PerResource<Option<Vec<u128>>>,
    /// The utilisation of level 1.
    level_ppm: u64,
}

impl Levels {
    /// - `total`: what the active brokers are to have together.
    pub(crate) fn new(brokers: &[Broker], total: &Amounts) -> Self {
        let mut sizes = PerResource::<Option<Vec<u128>>>::default();
        for resource in Resource::MEASURED {
            sizes[resource] = sizes_of(brokers, resource);
        }
        let fullest = fullest(brokers, &sizes, total);
        let weights = active(brokers).map(|it| u128::from(it.1.weight)).sum::<u128>().max(1);
        let scale = |place: usize, resource: Resource| {
            let fair = match (&sizes[resource], fullest) {
                (Some(sizes), Some((load, size))) => {
                    ((sizes[place] * load) << FRACTION_BITS) / size
                }
                (Some(_), None) => 0,
                (None, _) => {
                    let weight = u128::from(brokers[place].weight);
                    ((u128::from(total[resource]) * weight) << FRACTION_BITS) / weights
                }
            };
            Scale::new(fair)
        };
        let scales = (0..brokers.len())
            .map(|place| PerResource(Resource::ALL.map(|resource| scale(place, resource))));
        let scales = scales.collect();
        let ppm = |(load, size): (u128, u128)| load * u128::from(FULL_PPM) / size;
        let level_ppm = fullest.map_or(u128::from(UNKNOWN_PPM), ppm);
        Self { scales, sizes, level_ppm: u64::try_from(level_ppm).unwrap_or(u64::MAX) }
    }

    pub(crate) fn scale(&self, broker: usize, resource: Resource) -> Scale {
        self.scales[broker][resource]
    }

    pub(crate) fn level(&self, broker: usize, resource: Resource, load: u64) -> i64 {
        self.scales[broker][resource].level(load)
    }

    /// The weighted utilisation that a load means, in millionths.
    pub(crate) fn ppm(&self, broker: usize, resource: Resource, load: u64) -> u64 {
        let load = u128::from(load);
        let ppm = match &self.sizes[resource] {
            Some(sizes) => load * u128::from(FULL_PPM) / sizes[broker],
            None => {
                let fair = self.scales[broker][resource].fair.max(1);
                ((load * u128::from(self.level_ppm)) << FRACTION_BITS) / fair
            }
        };
        u64::try_from(ppm).unwrap_or(u64::MAX)
    }

    /// The weighted utilisation of a level, in millionths.
    pub(crate) fn ppm_of(&self, level: i64) -> u64 {
        let ppm = i128::from(level) * i128::from(self.level_ppm) / i128::from(LEVEL);
        u64::try_from(ppm).unwrap_or(0)
    }
}

fn active(brokers: &[Broker]) -> impl Iterator<Item = (usize, &Broker)> {
    brokers.iter().enumerate().filter(|(_, broker)| broker.standing == Standing::Active)
}

/// What each broker is sized for, where all active ones have a capacity. One that isn't active and
/// has none counts as the usual one of its weight.
fn sizes_of(brokers: &[Broker], resource: Resource) -> Option<Vec<u128>> {
    let size = |broker: &Broker| {
        let capacity = u128::from(broker.capacity[resource]?);
        Some((capacity * u128::from(broker.weight) / u128::from(WEIGHT_USUAL)).max(1))
    };
    let known = active(brokers).map(|(_, broker)| size(broker)).collect::<Option<Vec<_>>>()?;
    let usual = known.iter().sum::<u128>() / (known.len() as u128).max(1);
    let any = |broker: &Broker| size(broker).unwrap_or(usual.max(1));
    (!known.is_empty()).then(|| brokers.iter().map(any).collect())
}

/// The load of the fullest resource, and what the active brokers are sized for of it.
fn fullest(
    brokers: &[Broker],
    sizes: &PerResource<Option<Vec<u128>>>,
    total: &Amounts,
) -> Option<(u128, u128)> {
    let mut fullest: Option<(u128, u128)> = None;
    for resource in Resource::MEASURED {
        let Some(sizes) = &sizes[resource] else { continue };
        let size: u128 = active(brokers).map(|(place, _)| sizes[place]).sum();
        let load = u128::from(total[resource]);
        let is_fuller = fullest.is_none_or(|(most, of)| load * of > most * size);
        if load > 0 && is_fuller {
            fullest = Some((load, size));
        }
    }
    fullest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{AMOUNT_MAX, WEIGHT_MAX};

    #[test]
    fn one_that_is_lost_may_have_been_sized_for_all_there_can_be() {
        let sized = |id, capacity, weight, standing| {
            let mut broker = Broker { weight, standing, ..Broker::new(id) };
            broker.capacity[Resource::DiskBytes] = Some(capacity);
            broker
        };
        let lost = sized(1, AMOUNT_MAX, WEIGHT_MAX, Standing::Absent);
        let mut total = Amounts::default();
        total[Resource::DiskBytes] = TOTAL_MAX;
        let levels = Levels::new(&[lost, sized(2, 1, 1, Standing::Active)], &total);
        let level = |broker, load| levels.level(broker, Resource::DiskBytes, load);
        assert_eq!((level(0, 1), level(0, TOTAL_MAX)), (0, LEVEL / 2));
        assert_eq!(level(1, TOTAL_MAX), LEVEL);
    }
}
