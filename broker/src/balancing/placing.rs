//! Where new partitions go, as the broker that decides places them.
//!
//! Must always hold: what it knows of the metadata is what they were when it last counted, a moment
//! ago, and what was placed since; who is in contact, and not drained, it looks at each time.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use logboom_balance::snapshot::{AMOUNT_MAX, Broker, Load, REPLICAS_MAX, WEIGHT_USUAL};
use logboom_balance::{Host, NewTopic, PerResource, PlaceError, Resource, Strategy, place};
use logboom_controller::MetadataImage;
use logboom_controller::topics::Placement;
use logboom_protocol::CompactString;

use super::report::Means;
use crate::clock::boot_ms;

/// How long what was counted of the metadata holds: so creating many topics, one after the other,
/// doesn't take the square of their number.
const COUNTED_MS: u64 = 1_000;

/// What is known of brokers.
#[derive(Debug, Default)]
pub(crate) struct Placing {
    turn: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What brokers may have, and what all their replicas take, once they have said that.
    told: BTreeMap<i32, (Means, Option<Load>)>,
    /// Replicas and leaders of each broker, and when they were counted.
    counts: HashMap<i32, (u64, u64)>,
    counted_at: Option<u64>,
}

impl Placing {
    /// Takes what brokers say.
    pub(super) fn tell(&self, told: BTreeMap<i32, (Means, Option<Load>)>) {
        self.known().told = told;
    }

    /// The brokers that have said what their replicas take, with what they have; none where another
    /// one decides.
    pub(crate) fn hosts(&self, image: &MetadataImage) -> Vec<Host> {
        let mut known = self.known();
        if known.told.is_empty() {
            return Vec::new();
        }
        known.count(image, boot_ms());
        let has_told =
            |host: &Host| known.told.get(&host.broker.id).is_some_and(|it| it.1.is_some());
        known.hosts(image).into_iter().filter(has_told).collect()
    }

    /// The placement of one request.
    pub(crate) fn next(&self) -> impl Placement + '_ {
        let start = self.turn.fetch_add(1, Ordering::Relaxed);
        Request { placing: self, start, placed: 0 }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Request<'a> {
    placing: &'a Placing,
    start: usize,
    /// Partitions that were placed in this request: turns go on behind them.
    placed: usize,
}

impl Placement for Request<'_> {
    fn start(&self) -> usize {
        self.start
    }

    fn place(
        &mut self,
        image: &MetadataImage,
        strategy: &str,
        partitions: usize,
        replicas: usize,
    ) -> Result<Option<Vec<Vec<i32>>>, CompactString> {
        let strategy = match strategy {
            "weighted" => Strategy::Weighted,
            "weighted-round-robin" => Strategy::WeightedRoundRobin,
            "least-loaded" => Strategy::LeastLoaded,
            "random" => Strategy::Random { seed: self.start as u64 },
            _ => Strategy::RoundRobin { start: self.start.wrapping_add(self.placed) },
        };
        if replicas > REPLICAS_MAX {
            return Ok(None);
        }
        let mut known = self.placing.known();
        known.count(image, boot_ms());
        let topic = NewTopic { partitions, replicas, expected: known.usual_load() };
        let placed = place(&mut known.hosts(image), &topic, strategy);
        let placed = placed.or_else(|error| match error {
            // What a usual one takes says where there is room, and refuses nothing: a new one takes
            // nothing yet.
            PlaceError::Capacity { resource, .. } if resource != Resource::Partitions => {
                let topic = NewTopic { expected: Load::default(), ..topic };
                place(&mut known.hosts(image), &topic, strategy)
            }
            error => Err(error),
        });
        match placed {
            Ok(placed) => {
                self.placed += placed.len();
                known.note(&placed);
                Ok(Some(placed))
            }
            // Some are out of contact, or drained, and may have to be named nevertheless.
            Err(PlaceError::TooFewBrokers { .. }) => Ok(None),
            Err(error) => Err(error.to_string().into()),
        }
    }

    fn room(&mut self, image: &MetadataImage, broker: i32) -> Option<usize> {
        let mut known = self.placing.known();
        known.count(image, boot_ms());
        let (means, _) = known.told.get(&broker)?;
        let (has, _) = known.counts.get(&broker).copied().unwrap_or_default();
        let left = means.capacities()[Resource::Partitions]?.saturating_sub(has);
        Some(usize::try_from(left).unwrap_or(usize::MAX))
    }

    fn note(&mut self, placed: &[Vec<i32>]) {
        self.placed += placed.len();
        self.placing.known().note(placed);
    }
}

impl Known {
    /// Counts what every broker has, if that was long ago.
    fn count(&mut self, image: &MetadataImage, now: u64) {
        if self.counted_at.is_some_and(|at| now < at + COUNTED_MS) {
            return;
        }
        self.counts.clear();
        for partition in image.topics().flat_map(|topic| topic.partitions()) {
            self.note(&[partition.wish().0.to_vec()]);
        }
        self.counted_at = Some(now);
    }

    /// These partitions are there; the first of each leads.
    fn note(&mut self, placed: &[Vec<i32>]) {
        for replicas in placed {
            for (place, broker) in replicas.iter().enumerate() {
                let (all, led) = self.counts.entry(*broker).or_default();
                (*all, *led) = (*all + 1, *led + u64::from(place == 0));
            }
        }
    }

    /// The brokers that may have new partitions.
    fn hosts(&self, image: &MetadataImage) -> Vec<Host> {
        let usual = image.brokers_in_contact().filter(|broker| !image.is_drained(broker.id));
        let host = |id: i32, rack: Option<&str>| {
            let told = self.told.get(&id);
            let load = told.and_then(|(_, load)| *load).unwrap_or_default();
            let (all, led) = self.counts.get(&id).copied().unwrap_or_default();
            let amounts = [all, load.disk_bytes, load.bytes_in, load.bytes_out, led];
            let broker = Broker {
                rack: rack.map(str::to_owned),
                weight: told.map_or(WEIGHT_USUAL, |(means, _)| means.weight),
                capacity: told.map(|(means, _)| means.capacities()).unwrap_or_default(),
                ..Broker::new(id)
            };
            Host { broker, load: PerResource(amounts.map(|amount| amount.min(AMOUNT_MAX))) }
        };
        usual.map(|broker| host(broker.id, broker.rack.as_deref())).collect()
    }

    /// What a replica takes on the average: nobody knows what a new one will.
    fn usual_load(&self) -> Load {
        let all: u64 = self.counts.values().map(|(all, _)| all).sum();
        let mut sum = Load::default();
        for load in self.told.values().filter_map(|(_, load)| load.as_ref()) {
            sum.disk_bytes = sum.disk_bytes.saturating_add(load.disk_bytes);
            sum.bytes_in = sum.bytes_in.saturating_add(load.bytes_in);
            sum.bytes_out = sum.bytes_out.saturating_add(load.bytes_out);
        }
        let of = |amount: u64| (amount / all.max(1)).min(AMOUNT_MAX);
        Load {
            disk_bytes: of(sum.disk_bytes),
            bytes_in: of(sum.bytes_in),
            bytes_out: of(sum.bytes_out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancing::samples::{MEANS, cluster, set};

    const STRATEGIES: [&str; 5] =
        ["weighted", "round-robin", "weighted-round-robin", "least-loaded", "random"];

    fn placed(
        placing: &Placing,
        image: &MetadataImage,
        strategy: &str,
        partitions: usize,
    ) -> Option<Vec<Vec<i32>>> {
        placing.next().place(image, strategy, partitions, 1).unwrap()
    }

    /// How many of the partitions each of so many brokers has.
    fn shares(placed: &[Vec<i32>], brokers: i32) -> Vec<usize> {
        let on = |id: i32| placed.iter().filter(|replicas| replicas.contains(&id)).count();
        (1..=brokers).map(on).collect()
    }

    #[test]
    fn who_has_more_is_given_less_and_what_was_placed_counts() {
        let placing = Placing::default();
        let image = cluster(&[1, 2, 3], &[&[1], &[1], &[1]]);
        let first = placed(&placing, &image, "weighted", 3).unwrap();
        assert_eq!(shares(&first, 3)[0], 0, "{first:?}");
        let second = placed(&placing, &image, "weighted", 6).unwrap();
        let all = [&first[..], &second[..]].concat();
        assert_eq!(shares(&all, 3), [1, 4, 4], "{all:?}");
    }

    #[test]
    fn a_full_disk_counts_too() {
        let placing = Placing::default();
        let image = cluster(&[1, 2], &[&[1], &[2]]);
        let means = Means { capacity: [None, Some(1_000), None, None], ..MEANS };
        let load = |disk_bytes| Some(Load { disk_bytes, ..Load::default() });
        placing.tell(BTreeMap::from([(1, (means, load(900))), (2, (means, load(100)))]));
        let placed = placed(&placing, &image, "weighted", 1).unwrap();
        assert_eq!(placed, [[2]], "900 and what is usual, 500, are more than it has");
        let full = BTreeMap::from([(1, (means, load(900))), (2, (means, load(900)))]);
        placing.tell(full);
        let placed = placing.next().place(&image, "weighted", 1, 1).unwrap().unwrap();
        assert_eq!(placed.len(), 1, "what it will take is a guess");
        let means = Means { capacity: [Some(2), None, None, None], ..MEANS };
        placing.tell(BTreeMap::from([1, 2].map(|id| (id, (means, load(0))))));
        let why = placing.next().place(&image, "weighted", 3, 1).unwrap_err();
        assert!(why.contains("capacity"), "{why}");
    }

    #[test]
    fn turns_go_on_and_nobody_is_given_more_than_its_capacity() {
        let image = cluster(&[1, 2, 3], &[]);
        let (placing, turns) = (Placing::default(), [vec![1], vec![2], vec![3]]);
        let mut request = placing.next();
        let mut one = || request.place(&image, "round-robin", 1, 1).unwrap().unwrap();
        assert_eq!([one(), one(), one()].concat(), turns, "in one request");
        let means = |most| Means { capacity: [Some(most), None, None, None], ..MEANS };
        for strategy in STRATEGIES {
            let placing = Placing::default();
            let told = [(1, 1), (2, 9), (3, 9)]
                .map(|(id, most)| (id, (means(most), Some(Load::default()))));
            placing.tell(BTreeMap::from(told));
            let placed = placed(&placing, &image, strategy, 12).unwrap();
            assert!(shares(&placed, 3)[0] <= 1, "{strategy}: {placed:?}");
            let why = placing.next().place(&image, strategy, 12, 1).unwrap_err();
            assert!(why.contains("capacity"), "{strategy}: {why}");
        }
    }

    #[test]
    fn a_drained_broker_is_given_nothing() {
        let placing = Placing::default();
        let image = set(&cluster(&[1, 2, 3], &[]), Some(2), "balance.drain", Some("true"));
        for strategy in STRATEGIES {
            let placed = placed(&placing, &image, strategy, 12).unwrap();
            assert_eq!(shares(&placed, 3)[1], 0, "{strategy}");
        }
        assert_eq!(placing.next().place(&image, "weighted", 1, 3), Ok(None), "two aren't enough");
    }

    #[test]
    fn what_is_placed_in_turns_takes_the_room_that_there_is() {
        let placing = Placing::default();
        let image = cluster(&[1, 2], &[&[1], &[1]]);
        assert_eq!(placing.next().room(&image, 1), None, "nobody has said so");
        let means = Means { capacity: [Some(5), None, None, None], ..MEANS };
        placing.tell(BTreeMap::from([(1, (means, None)), (2, (MEANS, None))]));
        let mut request = placing.next();
        assert_eq!((request.room(&image, 1), request.room(&image, 2)), (Some(3), None));
        request.note(&[vec![1, 2], vec![2, 1], vec![2, 1]]);
        assert_eq!(request.room(&image, 1), Some(0));
        assert!(placing.hosts(&image).is_empty(), "nobody has said what it has");
    }
}
