//! What the replicas here take: measured now and then, and smoothed; and how that grows.
//!
//! What grows is what replicas take more from one measurement to the next while they stay where
//! they are, in sync; of rates, while they have the same leader. What comes here from another
//! broker, and what leaves for one, is no growth. What comes with a new partition is its number
//! alone; what is deleted takes along what it has grown within the time that is told.

use std::collections::HashMap;

use logboom_balance::snapshot::{AMOUNT_MAX, Load};
use logboom_controller::MetadataImage;
use logboom_controller::record::{self, NO_BROKER};
use logboom_storage::state::GroupKey;

use super::report::{Growth, Sums};
use crate::partition::Partition;

/// A new measurement counts for a fourth of a rate, what was before for the rest.
const SMOOTHING: u64 = 4;
/// What changes by less isn't told: so many bytes, or this part of what was told.
const NEWS_BYTES: u64 = 64 << 10;
const NEWS_PART: u64 = 32;
/// Growth is told since the older of two marks, of which another one is set after so long: since
/// half a week to a week ago. Each replica remembers how it stood at both.
const MARK_EVERY_MS: u64 = 7 * 24 * 3_600_000 / 2;
const MARKS: usize = 2;
/// So many measurements a rate needs until it holds 99 hundredths of what is measured.
const SETTLED_AFTER: u32 = 16;
/// From when on it can be said how sums grow.
const GROWTH_AFTER_MS: u64 = 600_000;

const DAY_MS: i128 = 86_400_000;

/// What a replica says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    key: GroupKey,
    /// What it took and gave since the start.
    counters: (u64, u64),
    disk_bytes: u64,
}

impl Reading {
    pub(super) fn of(partition: &Partition) -> Self {
        let counters = (partition.traffic.taken.get(), partition.traffic.given.get());
        let disk_bytes = partition.view.bytes().min(AMOUNT_MAX);
        Self { key: partition.key, counters, disk_bytes }
    }
}

/// The replicas of this broker, as they were measured last.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Those that have anything, or had.
    gauges: HashMap<GroupKey, Gauge>,
    /// All of them.
    places: HashMap<GroupKey, Place>,
    /// When it was measured.
    at: Option<u64>,
    /// How many times it was measured, as far as that matters.
    measured: u32,
    /// When marks were set, the older one first: the first once rates held what is measured.
    marks: Vec<u64>,
    grown: Grown,
}

/// By how much something has grown since the start, and what of that was so at each mark.
#[derive(Debug, Clone, Copy, Default)]
struct Grown<T = Sums> {
    now: T,
    at: [T; MARKS],
}

impl<T: Copy> Grown<T> {
    /// - `set`: how many marks there are already.
    fn mark(&mut self, set: usize) {
        if set == MARKS {
            self.at.rotate_left(1);
        }
        self.at[set.min(MARKS - 1)] = self.now;
    }
}

impl Grown {
    /// What was there and is deleted hasn't grown, whenever one asks from.
    fn forget(&mut self, gone: &Grown<Amounts>) {
        let Self { now, at } = self;
        let pairs = [(now, gone.now)].into_iter().chain(at.iter_mut().zip(gone.at));
        for (sums, amounts) in pairs {
            sums.add_sums(&of_amounts(amounts.map(i64::wrapping_neg)));
        }
    }
}

/// Bytes on disk, in and out a second: what a replica may have more or less of.
type Amounts = [i64; 3];

const fn of_amounts([disk, bytes_in, bytes_out]: Amounts) -> Sums {
    Sums([0, disk, bytes_in, bytes_out, 0])
}

#[derive(Debug, Default)]
struct Gauge {
    /// The counters of the partition.
    taken: u64,
    given: u64,
    load: Load,
    /// What the broker that decides knows.
    told: Load,
    grown: Grown<Amounts>,
}

/// How it stands with a replica.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// At how many measurements in a row it was where it stays, and in sync.
    settled: u32,
    /// Whether it is preferred to lead.
    is_preferred: bool,
    /// Who led: what a replica gives is given by its leader.
    leader: i32,
    is_there: bool,
}

impl Meter {
    /// Measures.
    ///
    /// - `broker`: this one.
    /// - `now`: milliseconds; greater than before.
    pub(super) fn measure(
        &mut self,
        readings: impl Iterator<Item = Reading>,
        image: &MetadataImage,
        broker: i32,
        now: u64,
    ) {
        let over = self.at.replace(now).map(|before| now.saturating_sub(before).max(1));
        self.places.values_mut().for_each(|place| place.is_there = false);
        for reading in readings {
            let known = image.partition(reading.key.topic_id, reading.key.partition);
            self.read(&reading, known, broker, over);
        }
        self.forget_gone(image);
        let is_due = |last: &u64| now >= last + MARK_EVERY_MS;
        if over.is_some() {
            self.measured = self.measured.saturating_add(1).min(SETTLED_AFTER);
        }
        if self.measured == SETTLED_AFTER && self.marks.last().is_none_or(is_due) {
            self.mark(now);
        }
    }

    fn mark(&mut self, now: u64) {
        let set = self.marks.len();
        self.grown.mark(set);
        self.gauges.values_mut().for_each(|gauge| gauge.grown.mark(set));
        if set == MARKS {
            self.marks.remove(0);
        }
        self.marks.push(now);
    }

    fn read(
        &mut self,
        reading: &Reading,
        known: Option<&record::Partition>,
        broker: i32,
        over: Option<u64>,
    ) {
        let Reading { key, counters, disk_bytes } = *reading;
        let place = self.places.entry(key).or_insert_with(|| {
            let is_preferred = known.is_some_and(|it| it.preferred_leader() == broker);
            // With a partition that was made anew; one that was moved had other replicas before.
            let is_born = known.is_some_and(|it| it.is_founding && !it.is_moving());
            if is_born {
                self.grown.now.add_sums(&numbers(1, is_preferred));
            }
            let leader = known.map_or(NO_BROKER, |it| it.leader);
            Place { is_preferred, leader, ..Place::default() }
        });
        place.is_there = true;
        let is_settled = known.is_some_and(|it| {
            !it.is_moving() && it.replicas.contains(&broker) && it.isr.contains(&broker)
        });
        let leader = known.map_or(NO_BROKER, |it| it.leader);
        let is_led_on = std::mem::replace(&mut place.leader, leader) == leader;
        let before = place.settled;
        place.settled = match (is_settled, is_led_on) {
            (false, _) => 0,
            // Rates go elsewhere with the leader, and what is on the disk stays.
            (true, false) => 1,
            (true, true) => (before + 1).min(SETTLED_AFTER + 1),
        };
        if (counters, disk_bytes) == ((0, 0), 0) {
            return;
        }
        let gauge = self.gauges.entry(key).or_default();
        let last = gauge.load;
        gauge.read(disk_bytes, counters, over);
        if is_settled && before > 0 {
            let has_rates = is_led_on && before > SETTLED_AFTER;
            let grown = difference(&last, &gauge.load, has_rates);
            for (own, more) in gauge.grown.now.iter_mut().zip(grown) {
                *own = own.saturating_add(more);
            }
            self.grown.now.add_sums(&of_amounts(grown));
        }
    }

    /// Forgets the replicas that aren't here any more. What was deleted has not grown, either.
    fn forget_gone(&mut self, image: &MetadataImage) {
        let Self { gauges, places, grown, .. } = self;
        places.retain(|key, place| {
            if place.is_there {
                return true;
            }
            let gauge = gauges.remove(key);
            if image.partition(key.topic_id, key.partition).is_none() {
                grown.forget(&gauge.map(|gauge| gauge.grown).unwrap_or_default());
                grown.now.add_sums(&numbers(-1, place.is_preferred));
            }
            false
        });
    }

    /// What all replicas here have on disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        let bytes = self.gauges.values().map(|gauge| gauge.load.disk_bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// The loads that differ from what the broker that decides was told.
    pub(super) fn news(&self) -> Vec<(GroupKey, Load)> {
        let news = self.gauges.iter().filter(|(_, gauge)| gauge.is_news());
        news.map(|(key, gauge)| (*key, gauge.load)).collect()
    }

    /// It knows these.
    pub(super) fn told(&mut self, loads: &[(GroupKey, Load)]) {
        for (key, load) in loads {
            if let Some(gauge) = self.gauges.get_mut(key) {
                gauge.told = *load;
            }
        }
    }

    /// Another broker decides, and knows nothing.
    pub(super) fn forget_told(&mut self) {
        self.gauges.values_mut().for_each(|gauge| gauge.told = Load::default());
    }

    /// How what is here grows, once that can be said.
    pub(super) fn growth(&self) -> Option<Growth> {
        let over_ms = self.at?.saturating_sub(*self.marks.first()?);
        let (grown, first) = (self.grown.now, self.grown.at[0]);
        let per_day = |now: i64, then: i64| {
            let day = i128::from(now - then) * DAY_MS / i128::from(over_ms.max(1));
            i64::try_from(day).unwrap_or(i64::MAX)
        };
        let per_day = std::array::from_fn(|it| per_day(grown.0[it], first.0[it]));
        (over_ms >= GROWTH_AFTER_MS).then_some(Growth { over_ms, per_day: Sums(per_day) })
    }
}

impl Gauge {
    /// - `counters`: what was taken and given since the start.
    /// - `over`: milliseconds since they were read last; `None` at first.
    fn read(&mut self, disk_bytes: u64, counters: (u64, u64), over: Option<u64>) {
        let rate = |before: u64, now: u64, rate: u64| {
            let Some(over) = over else { return 0 };
            let measured = now.saturating_sub(before).saturating_mul(1_000) / over;
            let smoothed = rate - rate / SMOOTHING + measured.min(AMOUNT_MAX) / SMOOTHING;
            // What is next to nothing comes to rest at nothing.
            if measured == 0 && smoothed < SMOOTHING { 0 } else { smoothed }
        };
        self.load = Load {
            disk_bytes,
            bytes_in: rate(self.taken, counters.0, self.load.bytes_in),
            bytes_out: rate(self.given, counters.1, self.load.bytes_out),
        };
        (self.taken, self.given) = counters;
    }

    fn is_news(&self) -> bool {
        let differs = |now: u64, told: u64| {
            now.abs_diff(told) > (told / NEWS_PART).max(NEWS_BYTES) || (now == 0) != (told == 0)
        };
        let Load { disk_bytes, bytes_in, bytes_out } = self.load;
        differs(disk_bytes, self.told.disk_bytes)
            || differs(bytes_in, self.told.bytes_in)
            || differs(bytes_out, self.told.bytes_out)
    }
}

/// So many replicas more, and as many leaders where they are preferred.
fn numbers(count: i64, are_preferred: bool) -> Sums {
    Sums([count, 0, 0, 0, if are_preferred { count } else { 0 }])
}

/// What a replica takes more than before.
///
/// - `has_rates`: whether its rates had come to rest.
fn difference(before: &Load, now: &Load, has_rates: bool) -> Amounts {
    let more = |before: u64, now: u64| now.cast_signed() - before.cast_signed();
    let rate = |before, now| if has_rates { more(before, now) } else { 0 };
    [
        more(before.disk_bytes, now.disk_bytes),
        rate(before.bytes_in, now.bytes_in),
        rate(before.bytes_out, now.bytes_out),
    ]
}

#[cfg(test)]
mod tests {
    use logboom_controller::MetadataRecord;
    use logboom_controller::reassignments::{Relocation, RelocationKind, relocate};

    use super::*;
    use crate::balancing::samples::{KEY, cluster};

    #[test]
    fn a_rate_comes_near_what_is_measured_and_goes_to_rest() {
        let mut gauge = Gauge::default();
        gauge.read(0, (5_000_000, 0), None);
        assert_eq!(gauge.load.bytes_in, 0, "nothing is known of the time before");
        for step in 1..=30 {
            gauge.read(0, (5_000_000 + step * 20_000, 0), Some(2_000));
        }
        assert!((9_990..=10_000).contains(&gauge.load.bytes_in), "{:?}", gauge.load);
        for _ in 0..60 {
            gauge.read(0, (5_600_000, 0), Some(2_000));
        }
        assert_eq!(gauge.load.bytes_in, 0);
    }

    #[test]
    fn what_has_hardly_changed_is_no_news() {
        let load = |disk_bytes| Load { disk_bytes, ..Load::default() };
        let news = |now, told| {
            let (load, told) = (load(now), load(told));
            Gauge { load, told, ..Gauge::default() }.is_news()
        };
        assert!(!news(0, 0) && !news(100 << 20, 101 << 20) && !news(5, 5_000));
        assert!(news(1, 0) && news(0, 1) && news(100 << 20, 110 << 20) && news(1 << 20, 0));
    }

    #[test]
    fn growth_is_counted_from_when_rates_hold_what_is_measured() {
        let (mut meter, mut gauge) = (Meter::default(), Gauge::default());
        for step in 0.. {
            meter.measure([].into_iter(), &MetadataImage::default(), 1, 1 + step * 10_000);
            gauge.read(0, (step * 100_000_000, 0), (step > 0).then_some(10_000));
            if let Some(since) = meter.marks.first() {
                assert_eq!(*since, 1 + step * 10_000);
                break;
            }
        }
        assert!((9_890_000..=10_000_000).contains(&gauge.load.bytes_in), "{:?}", gauge.load);
    }

    #[test]
    fn sums_grow_as_between_the_first_mark_and_now() {
        let mut meter = Meter { marks: vec![0], ..Meter::default() };
        meter.grown.at[0] = Sums([1, 1_000, 0, 0, 1]);
        meter.grown.now = Sums([1, 3_000, 0, 0, 0]);
        meter.at = Some(GROWTH_AFTER_MS - 1);
        assert_eq!(meter.growth(), None, "too early");
        meter.at = Some(43_200_000);
        let expected = Growth { over_ms: 43_200_000, per_day: Sums([0, 4_000, 0, 0, -2]) };
        assert_eq!(meter.growth(), Some(expected));
    }

    /// The first broker, which is measured each second.
    #[derive(Default)]
    struct Played {
        meter: Meter,
        now: u64,
    }

    impl Played {
        /// Measures, and says by how much what is here has grown.
        fn measure(&mut self, image: &MetadataImage, has: &[(i32, u64)]) -> [i64; 5] {
            self.now += 1_000;
            let before = self.meter.grown.now.0;
            let reading = |&(partition, disk_bytes): &(i32, u64)| Reading {
                key: GroupKey { partition, ..KEY },
                counters: (disk_bytes, 0),
                disk_bytes,
            };
            self.meter.measure(has.iter().map(reading), image, 1, self.now);
            let now = self.meter.grown.now.0;
            std::array::from_fn(|it| now[it] - before[it])
        }
    }

    fn moved(image: &MetadataImage, index: i32, from: i32, to: i32) -> MetadataImage {
        let (topic_id, kind) = (KEY.topic_id, RelocationKind::Replica);
        let one = Relocation { topic_id, index, kind, from, to };
        image.with(&relocate(image, &[one]).records).unwrap()
    }

    /// Once the voters are those that were wished for.
    fn settled(image: &MetadataImage, index: i32) -> MetadataImage {
        let topic_id = KEY.topic_id;
        let known = image.partition(topic_id, index).unwrap();
        let (replicas, directories) = known.wish();
        let mut partition = record::Partition::new(replicas.to_vec(), directories.to_vec());
        (partition.generation, partition.is_founding) = (known.generation, false);
        image.with([&MetadataRecord::Partition { topic_id, index, partition }]).unwrap()
    }

    #[test]
    fn what_stays_grows_and_what_is_moved_does_not() {
        let mut played = Played::default();
        let image = cluster(&[1, 2], &[&[1], &[1], &[2]]);
        assert_eq!(played.measure(&image, &[(0, 500), (1, 700)])[1], 0, "what there was");
        assert_eq!(played.measure(&image, &[(0, 510), (1, 730)])[1], 40);
        // One leaves, and another comes.
        let (leaves, comes) = (moved(&image, 1, 1, 2), moved(&image, 2, 2, 1));
        assert_eq!(played.measure(&leaves, &[(0, 510), (1, 740)])[1], 0, "it is on its way");
        assert_eq!(played.measure(&settled(&leaves, 1), &[(0, 510)]), [0; 5], "it is gone");
        assert_eq!(played.measure(&comes, &[(0, 510), (2, 300)]), [0; 5]);
        assert_eq!(played.measure(&comes, &[(0, 511), (2, 900)])[1], 1);
        let here = settled(&comes, 2);
        assert_eq!(played.measure(&here, &[(0, 511), (2, 1_000)]), [0; 5], "it has caught up");
        assert_eq!(played.measure(&here, &[(0, 511), (2, 1_007)])[1], 7);
        assert_eq!(played.measure(&here, &[(0, 501), (2, 1_007)])[1], -10, "retention");
    }

    #[test]
    fn who_is_behind_does_not_grow_by_catching_up() {
        let mut played = Played::default();
        let image = cluster(&[1, 2], &[&[2, 1]]);
        let mut behind = image.partition(KEY.topic_id, 0).unwrap().clone();
        behind.isr = vec![2];
        let (topic_id, index) = (KEY.topic_id, 0);
        let behind = MetadataRecord::Partition { topic_id, index, partition: behind };
        let behind = image.with([&behind]).unwrap();
        let grown = [(&image, 5), (&image, 6), (&behind, 7), (&image, 900), (&image, 905)]
            .map(|(image, bytes)| played.measure(image, &[(0, bytes)])[1]);
        assert_eq!(grown, [0, 1, 0, 0, 5]);
    }

    #[test]
    fn new_partitions_count_and_deleted_ones_take_along_what_they_have_grown() {
        let mut played = Played::default();
        let one = cluster(&[1, 2], &[&[1, 2]]);
        assert_eq!(played.measure(&one, &[(0, 100)]), [1, 0, 0, 0, 1]);
        let two = cluster(&[1, 2], &[&[1, 2], &[2, 1]]);
        assert_eq!(played.measure(&two, &[(0, 100), (1, 50)]), [1, 0, 0, 0, 0]);
        assert_eq!(played.measure(&two, &[(0, 100), (1, 80)])[1], 30);
        assert_eq!(played.measure(&one, &[(0, 100)]), [-1, -30, 0, 0, 0]);
    }

    #[test]
    fn what_is_deleted_takes_along_what_it_has_grown_since_the_mark_and_no_more() {
        const HOUR_MS: u64 = 3_600_000;
        let mut played = Played::default();
        let (two, one) = (cluster(&[1], &[&[1], &[1]]), cluster(&[1], &[&[1]]));
        // Both grow by the same each hour, for longer than growth is told over.
        let mut bytes = 0;
        let mut measure = |played: &mut Played, image: &MetadataImage| {
            bytes += 1_000;
            played.now += HOUR_MS - 1_000;
            let count = i32::try_from(image.topics().next().unwrap().partition_count()).unwrap();
            let has: Vec<(i32, u64)> = (0..count).map(|partition| (partition, bytes)).collect();
            played.measure(image, &has);
        };
        for hour in 0..3 * 7 * 24 {
            measure(&mut played, &two);
            let Some(Growth { over_ms, per_day }) = played.meter.growth() else { continue };
            assert_eq!(per_day.0[1], 2 * 24_000, "after {hour} hours");
            assert!(over_ms <= 2 * MARK_EVERY_MS, "{over_ms}");
        }
        measure(&mut played, &one);
        let Growth { over_ms, per_day } = played.meter.growth().unwrap();
        assert_eq!(per_day.0[1], 24_000, "that of the other one is left");
        assert!(over_ms >= MARK_EVERY_MS, "{over_ms}");
    }

    #[test]
    fn what_another_leader_gives_is_no_growth() {
        let mut played = Played::default();
        let led_by = |id| cluster(&[1, 2], &[if id == 1 { &[1, 2] } else { &[2, 1] }]);
        let mut taken = 0;
        let mut measure = |played: &mut Played, image: &MetadataImage, rate: u64| {
            taken += rate;
            played.measure(image, &[(0, taken)])[2]
        };
        let settled: i64 = (0..40).map(|_| measure(&mut played, &led_by(2), 10_000)).sum();
        assert!(settled.abs() < 100, "{settled}");
        let gone_over: i64 = (0..40).map(|_| measure(&mut played, &led_by(1), 50_000)).sum();
        assert!(gone_over.abs() < 1_000, "{gone_over}");
    }

    #[test]
    fn a_rate_that_comes_up_from_nothing_is_no_growth_and_one_that_changes_later_is() {
        let mut played = Played::default();
        let image = cluster(&[1], &[&[1]]);
        let mut taken = 0;
        let mut measure = |played: &mut Played, rate: u64| {
            taken += rate;
            played.measure(&image, &[(0, taken)])[2]
        };
        let first: i64 = (0..40).map(|_| measure(&mut played, 10_000)).sum();
        assert!(first.abs() < 100, "{first}");
        let more: i64 = (0..40).map(|_| measure(&mut played, 30_000)).sum();
        assert!((19_800..20_200).contains(&more), "{more}");
    }
}
