//! The rule of racks: the replicas of a partition share racks as little as brokers allow.
//!
//! Must always hold: a partition of so many replicas can be placed on the active brokers without
//! exceeding its [limit](Racks::limit) in any rack, if there are as many brokers.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::snapshot::{Broker, REPLICAS_MAX, Standing};

/// Which broker is in which rack, and how many replicas of a partition a rack may have.
#[derive(Debug, Clone)]
pub(crate) struct Racks {
    /// By the broker's place, the number of its rack.
    pub(crate) of: Vec<usize>,
    /// By rack, its active brokers.
    pub(crate) active: Vec<usize>,
    /// By the number of replicas.
    limits: Vec<usize>,
}

impl Racks {
    pub(crate) fn new(brokers: &[Broker]) -> Self {
        let mut numbers: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for broker in brokers {
            let next = numbers.len();
            numbers.entry(broker.rack.as_deref()).or_insert(next);
        }
        let of: Vec<usize> =
            brokers.iter().map(|broker| numbers[&broker.rack.as_deref()]).collect();
        let mut active = vec![0; numbers.len()];
        for (broker, rack) in brokers.iter().zip(&of) {
            active[*rack] += usize::from(broker.standing == Standing::Active);
        }
        let limits = (0..=REPLICAS_MAX).map(|replicas| limit(&active, replicas)).collect();
        Self { of, active, limits }
    }

    /// The most replicas that one rack may have of a partition with so many.
    pub(crate) fn limit(&self, replicas: usize) -> usize {
        self.limits[replicas]
    }

    /// The most replicas of such a partition that a rack can have.
    pub(crate) fn most(&self, rack: usize, replicas: usize) -> usize {
        self.active[rack].min(self.limit(replicas))
    }

    /// The least replicas of such a partition that a rack has to have: those that fit nowhere else.
    pub(crate) fn least(&self, rack: usize, replicas: usize) -> usize {
        let all: usize = (0..self.active.len()).map(|it| self.most(it, replicas)).sum();
        replicas.saturating_sub(all - self.most(rack, replicas))
    }
}

/// The smallest limit with which all replicas find a broker; as many as fit at all where there are
/// too few brokers.
fn limit(active: &[usize], replicas: usize) -> usize {
    let all: usize = active.iter().sum();
    let wanted = replicas.min(all);
    let fit = |limit: usize| active.iter().map(|count| limit.min(*count)).sum::<usize>();
    (0..=wanted).find(|it| fit(*it) >= wanted).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn racks(counts: &[usize]) -> Racks {
        let mut brokers = Vec::new();
        for (rack, count) in counts.iter().enumerate() {
            for _ in 0..*count {
                let id = i32::try_from(brokers.len()).unwrap();
                let rack = Some(alloc::format!("{rack}"));
                brokers.push(Broker { rack, ..Broker::new(id) });
            }
        }
        Racks::new(&brokers)
    }

    #[test]
    fn racks_are_shared_as_little_as_brokers_allow() {
        for (counts, replicas, limit) in [
            (&[2, 2, 2][..], 3, 1),
            (&[2, 2, 2], 4, 2),
            (&[5, 1], 3, 2),
            (&[1, 5], 4, 3),
            (&[3], 3, 3),
            (&[2, 1], 5, 2),
            (&[2, 2], 1, 1),
        ] {
            assert_eq!(racks(counts).limit(replicas), limit, "{counts:?} {replicas}");
        }
    }

    #[test]
    fn what_fits_nowhere_else_has_to_be_in_a_rack() {
        let racks = racks(&[5, 1]);
        assert_eq!((racks.least(0, 3), racks.most(0, 3)), (2, 2));
        assert_eq!((racks.least(1, 3), racks.most(1, 3)), (1, 1));
        assert_eq!((racks.least(0, 1), racks.most(0, 1)), (0, 1));
    }
}
