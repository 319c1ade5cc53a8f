//! Properties: whatever the cluster, hard rules hold.

use alloc::vec::Vec;
use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::racks::Racks;
use crate::resource::{Amounts, Resource};
use crate::sim::{self, Chance};
use crate::snapshot::{Load, Snapshot, Standing};
use crate::{
    Limits, Memory, Move, MoveKind, NewTopic, Obstacle, Options, PlaceError, Rates, Stage,
    Strategy, Unmet, after, hosts, next, place, plan,
};

/// What each broker has, by its place.
fn loads(snapshot: &Snapshot) -> Vec<Amounts> {
    let mut loads = std::vec![Amounts::default(); snapshot.brokers().len()];
    for partition in snapshot.partitions() {
        for replica in &partition.replicas {
            let leads = partition.leader == Some(replica.broker);
            loads[snapshot.place_of(replica.broker).unwrap()].add(&replica.load.amounts(leads));
        }
    }
    loads
}

/// Partitions that break the rule of racks.
fn crowded(snapshot: &Snapshot) -> Vec<usize> {
    let racks = Racks::new(snapshot.brokers());
    let is_crowded = |partition: &crate::snapshot::Partition| {
        let places = partition.replicas.iter().map(|it| snapshot.place_of(it.broker).unwrap());
        let active: Vec<usize> = places
            .filter(|place| snapshot.brokers()[*place].standing == Standing::Active)
            .map(|place| racks.of[place])
            .collect();
        let limit = racks.limit(partition.replicas.len());
        active.iter().any(|rack| active.iter().filter(|it| *it == rack).count() > limit)
    };
    let partitions = snapshot.partitions().iter().enumerate();
    partitions.filter(|(_, it)| is_crowded(it)).map(|(place, _)| place).collect()
}

/// Brokers and what they have more of than their capacity.
fn overfull(snapshot: &Snapshot) -> Vec<(i32, Resource)> {
    let loads = loads(snapshot);
    let brokers = snapshot.brokers().iter().zip(&loads);
    let over = brokers.flat_map(|(broker, load)| {
        let over = Resource::MEASURED
            .into_iter()
            .filter(|it| broker.capacity[*it].is_some_and(|capacity| load[*it] > capacity));
        over.map(|resource| (broker.id, resource))
    });
    over.collect()
}

/// That no hard rule is broken, and nobody who isn't to have replicas has any.
pub(super) fn assert_hard_rules(snapshot: &Snapshot) {
    assert_eq!(crowded(snapshot), [], "racks");
    assert_eq!(overfull(snapshot), [], "capacities");
    for (broker, load) in snapshot.brokers().iter().zip(loads(snapshot)) {
        if broker.standing != Standing::Active {
            assert_eq!(load, Amounts::default(), "{} is to be empty", broker.id);
        }
    }
}

/// A small cluster in which something has happened.
pub(super) fn troubled(seed: u64) -> Snapshot {
    let snapshot = sim::small(seed);
    let mut chance = Chance::new(seed ^ 0xface);
    let id = snapshot.brokers()[chance.index(snapshot.brokers().len())].id;
    match chance.below(4) {
        0 => sim::with_standing(&snapshot, id, Standing::Absent),
        1 => sim::with_standing(&snapshot, id, Standing::Draining),
        _ => snapshot,
    }
}

/// The usual ones, but that the search is brief.
fn options() -> Options {
    Options { search_steps: 5_000, ..Options::default() }
}

/// Whether the plan ends before what this is about.
pub(super) fn is_cut(unmet: &Unmet) -> bool {
    matches!(unmet.obstacle, Obstacle::Exchange(_))
}

/// That a few plans are enough.
pub(super) fn assert_comes_to_rest(snapshot: &Snapshot, options: &Options) {
    let mut snapshot = snapshot.clone();
    for _ in 0..5 {
        let made = plan(&snapshot, options);
        if made.moves.is_empty() {
            return;
        }
        snapshot = after(&snapshot, &made.moves);
    }
    panic!("it never rests");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_plan_breaks_no_rule_that_held_and_ends_at_rest(seed in any::<u64>()) {
        let snapshot = troubled(seed);
        let options = options();
        let made = plan(&snapshot, &options);
        prop_assert_eq!(&made, &plan(&snapshot, &options), "the same snapshot, the same plan");
        let end = after(&snapshot, &made.moves);
        let was: BTreeSet<_> = overfull(&snapshot).into_iter().collect();
        prop_assert!(overfull(&end).iter().all(|it| was.contains(it)), "a capacity is exceeded");
        let was: BTreeSet<_> = crowded(&snapshot).into_iter().collect();
        prop_assert!(crowded(&end).iter().all(|it| was.contains(it)), "a rack is crowded");
        if made.unmet.is_empty() {
            assert_hard_rules(&end);
        }
        let rest = plan(&end, &options);
        if made.unmet.iter().any(is_cut) {
            // What is left without them may be more than another plan can do at once.
            assert_comes_to_rest(&end, &options);
            return Ok(());
        }
        prop_assert_eq!(rest.moves, []);
        let lasting: Vec<_> = rest.unmet.iter().map(|it| (it.partition, it.rule)).collect();
        prop_assert_eq!(lasting.len(), made.unmet.len());
    }

    #[test]
    fn a_move_changes_the_brokers_that_it_names_and_no_others(seed in any::<u64>()) {
        let snapshot = troubled(seed);
        let made = plan(&snapshot, &options());
        for (place, one) in made.moves.iter().enumerate() {
            let before = after(&snapshot, &made.moves[..place]);
            let was = loads(&before);
            let is = loads(&after(&snapshot, &made.moves[..=place]));
            let changed = (0..was.len()).filter(|it| was[*it] != is[*it]);
            let ends = [one.from, one.to].map(|id| snapshot.place_of(id).unwrap());
            prop_assert!(changed.into_iter().all(|it| ends.contains(&it)));
        }
        let bytes: u64 = made.moves.iter().map(|it| it.bytes).sum();
        prop_assert_eq!(made.bytes, bytes);
    }

    #[test]
    fn a_topic_is_placed_within_the_rules_by_every_strategy(
        seed in any::<u64>(),
        partitions in 1..20_usize,
        replicas in 1..4_usize,
        disk_bytes in 0..1_u64 << 40,
    ) {
        let snapshot = troubled(seed);
        let expected = Load { disk_bytes, bytes_in: 1000, bytes_out: 2000 };
        let topic = NewTopic { partitions, replicas, expected };
        let start = partitions;
        for strategy in [
            Strategy::Weighted,
            Strategy::RoundRobin { start },
            Strategy::WeightedRoundRobin,
            Strategy::LeastLoaded,
            Strategy::Random,
        ] {
            let make = || place(&mut hosts(&snapshot), &topic, strategy, &mut Memory::new(seed));
            let placed = make();
            prop_assert_eq!(&placed, &make());
            let brokers = snapshot.brokers();
            let active = brokers.iter().filter(|it| it.standing == Standing::Active).count();
            match placed {
                Ok(placed) => assert_placed(&snapshot, &topic, &placed),
                Err(PlaceError::TooFewBrokers { .. }) => prop_assert!(active < replicas),
                Err(PlaceError::Capacity { resource, .. }) => {
                    prop_assert!(brokers.iter().any(|it| it.capacity[resource].is_some()));
                }
            }
        }
    }

    #[test]
    fn a_plan_is_carried_out_within_limits_and_ends(seed in any::<u64>()) {
        carry_out(seed);
    }
}

/// Carries a plan out in an order that chance decides, and looks at all rules after each step.
fn carry_out(seed: u64) {
    let start = troubled(seed);
    let made = plan(&start, &options());
    let limits = Limits { moves_per_broker: 2, moves: 3, rates: Rates::of_all(1 << 20) };
    let (mut under_way, mut chance) = (BTreeSet::new(), Chance::new(seed));
    let mut snapshot = start.clone();
    for _ in 0..=4 * made.moves.len() {
        let progress = next(&snapshot, &made.moves, &under_way, &limits);
        under_way.extend(progress.now());
        let moving: Vec<&Move> = under_way.iter().map(|it| &made.moves[*it]).collect();
        assert_within(&limits, &snapshot, &moving);
        assert_breaks_no_more(&start, &snapshot, &moving);
        let Some(done) = under_way.iter().copied().nth(chance.index(under_way.len())) else {
            break;
        };
        under_way.remove(&done);
        snapshot = after(&snapshot, &[made.moves[done]]);
    }
    let progress = next(&snapshot, &made.moves, &under_way, &limits);
    let ended = |it: &Stage| matches!(it, Stage::Done | Stage::Void);
    assert!(progress.stages.iter().all(ended), "{seed}: {:?}", progress.stages);
    assert_eq!(&snapshot, &after(&start, &made.moves), "all was done");
}

/// That no more replicas move than may.
fn assert_within(limits: &Limits, snapshot: &Snapshot, moving: &[&Move]) {
    let copied: Vec<&&Move> = moving.iter().filter(|it| it.kind != MoveKind::Leader).collect();
    assert!(copied.len() <= limits.moves);
    for broker in snapshot.brokers() {
        let leader = |one: &Move| snapshot.partitions()[one.partition].leader;
        let own = copied.iter().filter(|it| it.to == broker.id || leader(it) == Some(broker.id));
        assert!(own.count() <= limits.moves_per_broker, "{}", broker.id);
    }
}

/// That hard rules are kept that were kept in the beginning, what is under way included.
fn assert_breaks_no_more(start: &Snapshot, now: &Snapshot, moving: &[&Move]) {
    let was = crowded(start);
    assert!(crowded(now).iter().all(|it| was.contains(it)), "a rack is crowded");
    let (was, mut loads) = (loads(start), loads(now));
    for one in moving.iter().filter(|it| it.kind != MoveKind::Leader) {
        let partition = &now.partitions()[one.partition];
        let replica = partition.replicas.iter().find(|it| it.broker == one.from).unwrap();
        loads[now.place_of(one.to).unwrap()].add(&replica.load.amounts(false));
    }
    for (place, broker) in now.brokers().iter().enumerate() {
        for resource in Resource::MEASURED {
            let most = broker.capacity[resource].map(|it| it.max(was[place][resource]));
            assert!(most.is_none_or(|it| loads[place][resource] <= it), "{} {resource}", broker.id);
        }
    }
}

fn assert_placed(snapshot: &Snapshot, topic: &NewTopic, placed: &[Vec<i32>]) {
    let racks = Racks::new(snapshot.brokers());
    let mut loads = loads(snapshot);
    assert_eq!(placed.len(), topic.partitions);
    for replicas in placed {
        let distinct: BTreeSet<&i32> = replicas.iter().collect();
        assert_eq!((distinct.len(), replicas.len()), (topic.replicas, topic.replicas));
        let places: Vec<usize> =
            replicas.iter().map(|id| snapshot.place_of(*id).unwrap()).collect();
        for (replica, place) in places.iter().enumerate() {
            let bytes_out = if replica == 0 { topic.expected.bytes_out } else { 0 };
            loads[*place].add(&Load { bytes_out, ..topic.expected }.amounts(replica == 0));
            let broker = &snapshot.brokers()[*place];
            assert_eq!(broker.standing, Standing::Active);
            for resource in Resource::MEASURED {
                let capacity = broker.capacity[resource];
                let more = [1, topic.expected.disk_bytes, 1000, bytes_out][resource as usize];
                assert!(more == 0 || capacity.is_none_or(|it| loads[*place][resource] <= it));
            }
            let crowd = places.iter().filter(|it| racks.of[**it] == racks.of[*place]).count();
            assert!(crowd <= racks.limit(topic.replicas));
        }
    }
}
