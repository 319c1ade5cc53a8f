//! Where new partitions go, as the broker that decides places them.
//!
//! Must always hold: what it knows of the metadata is what they were when it last counted, a moment
//! ago, and what was placed since; who is in contact, and not drained, it looks at each time. What
//! was placed counts for what is usual until its broker says otherwise, or a minute has passed, and
//! turns go on from topic to topic, so that a burst of small topics is shared as a large one is.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logboom_balance::snapshot::{AMOUNT_MAX, Broker, Load, REPLICAS_MAX, WEIGHT_USUAL};
use logboom_balance::{Host, Memory, NewTopic, PerResource, PlaceError, Resource, Strategy, place};
use logboom_controller::MetadataImage;
use logboom_controller::topics::Placement;
use logboom_protocol::CompactString;

use super::report::Means;
use crate::clock::boot_ms;
use crate::node::random_bytes;

/// How long what was counted of the metadata holds: so creating many topics, one after the other,
/// doesn't take the square of their number.
const COUNTED_MS: u64 = 1_000;
/// How long what was placed last is expected to take what is usual, where its broker says nothing
/// new meanwhile: then it takes nothing.
const EXPECTED_MS: u64 = 60_000;

/// What is known of brokers.
#[derive(Debug)]
pub(crate) struct Placing {
    turn: AtomicUsize,
    known: Mutex<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    /// What brokers may have, and what all their replicas take, once they have said that.
    told: BTreeMap<i32, (Means, Option<Load>)>,
    /// What was placed on brokers since they said so, if it takes what is usual, and when.
    expected: BTreeMap<i32, (Load, u64)>,
    /// Whose turn it is.
    memory: Memory,
    /// Replicas and leaders of each broker, and when they were counted.
    counts: HashMap<i32, (u64, u64)>,
    counted_at: Option<u64>,
}

/// Another chance after each start.
impl Default for Placing {
    fn default() -> Self {
        Self::new(u64::from_be_bytes(random_bytes()))
    }
}

impl Placing {
    fn new(seed: u64) -> Self {
        let known = Known {
            told: BTreeMap::new(),
            expected: BTreeMap::new(),
            memory: Memory::new(seed),
            counts: HashMap::new(),
            counted_at: None,
        };
        Self { turn: AtomicUsize::default(), known: Mutex::new(known) }
    }

    /// Takes what brokers say.
    pub(super) fn tell(&self, told: BTreeMap<i32, (Means, Option<Load>)>) {
        let mut known = self.known();
        let Known { told: was, expected, .. } = &mut *known;
        let now = boot_ms();
        expected.retain(|id, (_, at)| told.get(id) == was.get(id) && now < *at + EXPECTED_MS);
        *was = told;
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

    /// Whoever is asked where the partitions of a request go: one that is told what is known, and
    /// forgotten with what it has placed, where the request only asks whether it could be done.
    pub(crate) fn of(self: &Arc<Self>, validates_only: bool) -> Arc<Self> {
        if !validates_only {
            return Arc::clone(self);
        }
        let turn = AtomicUsize::new(self.turn.load(Ordering::Relaxed));
        Arc::new(Self { turn, known: Mutex::new(self.known().clone()) })
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
            "random" => Strategy::Random,
            _ => Strategy::RoundRobin { start: self.start.wrapping_add(self.placed) },
        };
        if replicas > REPLICAS_MAX {
            return Ok(None);
        }
        let mut known = self.placing.known();
        known.count(image, boot_ms());
        let usual = known.usual_load();
        let topic = NewTopic { partitions, replicas, expected: usual };
        let mut hosts = known.hosts(image);
        let placed = place(&mut hosts.clone(), &topic, strategy, &mut known.memory);
        let placed = placed.or_else(|error| match error {
            // What a usual one takes says where there is room, and refuses nothing: a new one takes
            // nothing yet.
            PlaceError::Capacity { resource, .. } if resource != Resource::Partitions => {
                let topic = NewTopic { expected: Load::default(), ..topic };
                place(&mut hosts, &topic, strategy, &mut known.memory)
            }
            error => Err(error),
        });
        match placed {
            Ok(placed) => {
                self.placed += placed.len();
                known.note(&placed);
                known.expect(&placed, &usual);
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

    /// These partitions will take what is usual; of what leaves, those that lead.
    fn expect(&mut self, placed: &[Vec<i32>], usual: &Load) {
        for replicas in placed {
            for (place, broker) in replicas.iter().enumerate() {
                let bytes_out = if place == 0 { usual.bytes_out } else { 0 };
                let (expected, at) = self.expected.entry(*broker).or_default();
                *expected = sum(expected, &Load { bytes_out, ..*usual });
                *at = boot_ms();
            }
        }
    }

    /// The brokers that may have new partitions.
    fn hosts(&self, image: &MetadataImage) -> Vec<Host> {
        let usual = image.brokers_in_contact().filter(|broker| !image.is_drained(broker.id));
        let host = |id: i32, rack: Option<&str>| {
            let told = self.told.get(&id);
            let load = told.and_then(|(_, load)| *load).unwrap_or_default();
            let load = sum(&load, &self.expected.get(&id).map(|it| it.0).unwrap_or_default());
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
        let told = self.told.values().filter_map(|(_, load)| load.as_ref());
        let sum = told.fold(Load::default(), |all, load| sum(&all, load));
        let of = |amount: u64| (amount / all.max(1)).min(AMOUNT_MAX);
        Load {
            disk_bytes: of(sum.disk_bytes),
            bytes_in: of(sum.bytes_in),
            bytes_out: of(sum.bytes_out),
        }
    }
}

fn sum(one: &Load, other: &Load) -> Load {
    Load {
        disk_bytes: one.disk_bytes.saturating_add(other.disk_bytes),
        bytes_in: one.bytes_in.saturating_add(other.bytes_in),
        bytes_out: one.bytes_out.saturating_add(other.bytes_out),
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
    fn a_hundred_topics_of_one_partition_are_shared_as_one_of_a_hundred() {
        let on: Vec<[i32; 1]> = (0..400).map(|it| [[1], [1], [2], [3]][it % 4]).collect();
        let on: Vec<&[i32]> = on.iter().map(|it| &it[..]).collect();
        let image = cluster(&[1, 2, 3], &on);
        // Disks are the fullest, that of broker 3 a little less.
        let means =
            |weight| Means { weight, capacity: [Some(100_000), Some(1_000_000), None, None] };
        let load = |disk_bytes| Some(Load { disk_bytes, ..Load::default() });
        let told = BTreeMap::from([
            (1, (means(200), load(800_000))),
            (2, (means(100), load(400_000))),
            (3, (means(100), load(395_000))),
        ]);
        for (strategy, shares_of_all) in [
            ("weighted", [48..=51, 24..=26, 24..=27]),
            ("round-robin", [33..=34, 33..=34, 33..=34]),
            ("weighted-round-robin", [50..=50, 25..=25, 25..=25]),
            ("least-loaded", [48..=51, 24..=26, 24..=27]),
            ("random", [20..=46, 20..=46, 20..=46]),
        ] {
            let placing = Placing::new(7);
            placing.tell(told.clone());
            let mut request = placing.next();
            let one = |request: &mut dyn Placement| {
                request.place(&image, strategy, 1, 1).unwrap().unwrap().remove(0)
            };
            let together: Vec<Vec<i32>> = (0..100).map(|_| one(&mut request)).collect();
            let placing = Placing::new(7);
            placing.tell(told.clone());
            let alone: Vec<Vec<i32>> = (0..100).map(|_| one(&mut placing.next())).collect();
            for placed in [together, alone] {
                let shares = shares(&placed, 3);
                let is_shared = shares.iter().zip(&shares_of_all).all(|(it, of)| of.contains(it));
                assert!(is_shared, "{strategy}: {shares:?}");
            }
        }
    }

    #[test]
    fn what_was_placed_is_expected_until_its_broker_says_what_it_has() {
        let image = cluster(&[1, 2], &[&[1], &[2]]);
        let load = |disk_bytes| Some(Load { disk_bytes, ..Load::default() });
        let means = Means { capacity: [Some(100_000), Some(10_000), None, None], ..MEANS };
        let tell = |placing: &Placing, one, other| {
            placing.tell(BTreeMap::from([(1, (means, load(one))), (2, (means, load(other)))]));
        };
        let placing = Placing::new(7);
        tell(&placing, 1_000, 900);
        let next = |placing: &Placing| placed(placing, &image, "least-loaded", 1).unwrap();
        assert_eq!([next(&placing), next(&placing)], [[[2]], [[1]]]);
        tell(&placing, 1_000, 901);
        assert_eq!(next(&placing), [[2]], "it has said so, and 1 hasn't");
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
    fn what_is_only_asked_for_takes_no_room_and_no_turn() {
        let image = cluster(&[1, 2], &[]);
        for strategy in STRATEGIES {
            let placing = Arc::new(Placing::default());
            let means = Means { capacity: [Some(1), None, None, None], ..MEANS };
            placing.tell(BTreeMap::from([1, 2].map(|id| (id, (means, Some(Load::default()))))));
            let asked = placed(&placing.of(true), &image, strategy, 2).unwrap();
            assert_eq!(asked, placed(&placing.of(true), &image, strategy, 2).unwrap());
            assert_eq!(asked, placed(&placing.of(false), &image, strategy, 2).unwrap());
            let why = placing.of(true).next().place(&image, strategy, 1, 1).unwrap_err();
            assert!(why.contains("capacity"), "{strategy}: {why}");
        }
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
