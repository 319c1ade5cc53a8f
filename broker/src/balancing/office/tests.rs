//! What the balancer does about what it sees, in a cluster that does at once what it is told.

use logboom_balance::snapshot::Load;
use logboom_balance::{Obstacle, Resource, Wait};
use logboom_controller::reassignments::relocate;
use logboom_controller::record::{LeaderReport, NO_BROKER, Partition};
use logboom_controller::{Decision, MetadataRecord};

use super::*;
use crate::balancing::report::{LoadReport, Means};
use crate::balancing::samples::{KEY, MEANS, cluster, set};

mod unplanned;

/// Longer than anything is waited for.
const LONG: u64 = 1_000_000;

/// A cluster whose brokers do at once what they are asked to.
struct World {
    image: MetadataImage,
    loads: Loads,
    office: Office,
    now: u64,
    config: StaticConfig,
    /// Leaders that moved, and replicas.
    moved: (usize, usize),
}

impl World {
    fn new(brokers: &[i32], partitions: &[&[i32]]) -> Self {
        let mut world = Self {
            image: cluster(brokers, partitions),
            loads: Loads::default(),
            office: Office::new(0),
            now: 0,
            config: StaticConfig::default(),
            moved: (0, 0),
        };
        brokers.iter().for_each(|id| world.report(*id, &[]));
        world
    }

    fn report(&mut self, broker: i32, loads: &[(i32, Load)]) {
        let loads = loads.iter();
        let loads = loads.map(|(it, load)| (GroupKey { partition: *it, ..KEY }, *load));
        let loads = loads.collect();
        let report =
            LoadReport { means: MEANS, growth: None, loads, office: Some(1), is_last: true };
        self.loads.note(broker, report);
    }

    fn look(&mut self) -> Step {
        self.now += 100;
        self.office.look(&self.image, &self.config, &self.loads, self.now)
    }

    fn fence(&mut self, id: i32, fenced: bool) {
        self.image = self.image.with([&MetadataRecord::BrokerFenced { id, fenced }]).unwrap();
    }

    fn set(&mut self, broker: Option<i32>, name: &str, value: Option<&str>) {
        self.image = set(&self.image, broker, name, value);
    }

    fn lead(&mut self, index: i32, leader: i32) {
        let partition = Partition { leader, ..self.partition(index).clone() };
        let record = MetadataRecord::Partition { topic_id: KEY.topic_id, index, partition };
        self.image = self.image.with([&record]).unwrap();
    }

    fn partition(&self, index: i32) -> &Partition {
        self.image.partition(KEY.topic_id, index).unwrap()
    }

    /// Goes on until nothing is to be done for a long time; whether it was said to be over.
    fn settle(&mut self) -> bool {
        let until = self.now + LONG;
        while self.now < until {
            match self.look() {
                Step::Rest => self.now += 10_000,
                Step::IsDone => return true,
                Step::Move(moves) => self.carry_out(&moves),
            }
        }
        false
    }

    fn carry_out(&mut self, moves: &[Relocation]) {
        let Decision { records, response } = relocate(&self.image, moves);
        assert_eq!(response, moves.len(), "what may go can go");
        self.image = self.image.with(&records).unwrap();
        for one in moves {
            let leads = one.kind == RelocationKind::Leader;
            self.moved.0 += usize::from(leads);
            self.moved.1 += usize::from(!leads);
            self.report_moved(one.index);
        }
    }

    /// What is wished for a partition is so.
    fn report_moved(&mut self, index: i32) {
        let partition = self.partition(index).clone();
        let (wish, directories) = partition.wish();
        let report = LeaderReport {
            topic_id: KEY.topic_id,
            index,
            leader: wish[0],
            leader_epoch: partition.leader_epoch + 1,
            control_sequence: partition.control_sequence + 1,
            voters: wish.to_vec(),
            voter_directories: directories.to_vec(),
            isr: wish.to_vec(),
        };
        let record = MetadataRecord::Leaders(vec![report]);
        self.image = self.image.with([&record]).unwrap();
    }

    /// Begins what may go, and finishes nothing. Answers with how much that is.
    fn begin(&mut self) -> usize {
        let Step::Move(moves) = self.look() else { return 0 };
        let Decision { records, response } = relocate(&self.image, &moves);
        self.image = self.image.with(&records).unwrap();
        response
    }

    fn status(&self) -> Status {
        self.office.status(&self.image, &self.config, &self.loads, self.now)
    }

    /// Replicas of each of so many brokers.
    fn counts(&self, brokers: i32) -> Vec<usize> {
        let on = |id: i32| self.image.partitions_of(id).count();
        (1..=brokers).map(on).collect()
    }

    /// Whether each of three brokers has its share of 30, one more or one less.
    fn is_balanced(&self) -> bool {
        self.counts(3).into_iter().all(|count| (9..=11).contains(&count))
    }
}

fn on(broker: i32, count: usize) -> Vec<Vec<i32>> {
    vec![vec![broker]; count]
}

fn world(brokers: &[i32], partitions: &[Vec<i32>]) -> World {
    let partitions: Vec<&[i32]> = partitions.iter().map(Vec::as_slice).collect();
    World::new(brokers, &partitions)
}

#[test]
fn skew_is_left_alone_until_somebody_asks() {
    let mut world = world(&[1, 2, 3], &on(1, 30));
    assert!(!world.settle());
    assert_eq!(world.counts(3), [30, 0, 0]);
    world.set(None, ONCE, Some("true"));
    assert!(world.settle(), "it is said when it is over");
    assert!(world.is_balanced());
    world.set(None, ONCE, None);
    assert_eq!(world.look(), Step::Rest);
}

#[test]
fn a_trigger_is_followed_without_being_asked() {
    let mut world = world(&[1, 2, 3], &on(1, 30));
    world.set(None, TRIGGERS, Some("skew,new-broker"));
    assert!(!world.settle());
    assert!(world.is_balanced());
}

#[test]
fn no_room_is_waited_for_that_a_rule_nobody_wants_would_make() {
    // Whatever is where, somebody has too much for this one.
    let mut world = world(&[1, 2], &[vec![1], vec![1], vec![1], vec![2]]);
    let capacity = [Some(3), None, None, None];
    for id in [1, 2] {
        let means = Means { capacity, ..MEANS };
        let loads = Vec::new();
        let report = LoadReport { means, growth: None, loads, office: Some(1), is_last: true };
        world.loads.note(id, report);
    }
    world.set(None, TRIGGERS, Some("drain"));
    world.set(Some(2), "balance.drain", Some("true"));
    assert_eq!(world.look(), Step::Rest);
    let status = world.office.status(&world.image, &world.config, &world.loads, world.now);
    let unmet = status.plan.unwrap().unmet;
    let what: Vec<_> = unmet.iter().map(|it| (it.from, it.rule, it.obstacle)).collect();
    assert_eq!(what, [(2, Rule::Drain, Obstacle::Capacity(Resource::Partitions))]);
}

#[test]
fn a_drained_broker_gives_its_offices_first_and_then_everything() {
    let mut world = world(&[1, 2, 3], &[vec![1, 2], vec![1, 2], vec![2, 1]]);
    world.set(Some(1), "balance.drain", Some("true"));
    let Step::Move(first) = world.look() else { panic!("nothing goes") };
    let leaders = first.iter().filter(|one| one.kind == RelocationKind::Leader);
    assert_eq!(leaders.map(|one| (one.index, one.to)).collect::<Vec<_>>(), [(0, 2), (1, 2)]);
    world.carry_out(&first);
    world.settle();
    assert_eq!(world.counts(3), [0, 3, 3]);
    let status = world.office.status(&world.image, &world.config, &world.loads, world.now);
    assert_eq!(status.drains, [DrainStatus { broker: 1, replicas: 0, leaders: 0, moving: 0 }]);
    world.set(Some(1), "balance.drain", None);
    world.settle();
    assert_eq!(world.counts(3), [0, 3, 3], "nobody asked for it to come back");
}

#[test]
fn who_is_to_lead_and_is_not_in_sync_is_waited_for_and_holds_up_nothing_for_ever() {
    let mut world = world(&[1, 2], &vec![vec![1, 2]; 20]);
    let told = |world: &mut World, index: i32, isr: &[i32]| {
        let partition = Partition { isr: isr.to_vec(), ..world.partition(index).clone() };
        let record = MetadataRecord::Partition { topic_id: KEY.topic_id, index, partition };
        world.image = world.image.with([&record]).unwrap();
    };
    (0..20).for_each(|index| told(&mut world, index, &[1]));
    world.set(None, ONCE, Some("true"));
    assert_eq!(world.look(), Step::Rest);
    let stages = world.status().plan.unwrap().moves.into_iter().map(|one| one.stage);
    assert!(stages.clone().count() >= 8);
    assert!(stages.into_iter().all(|stage| stage == Stage::Waits(Wait::InSync)));
    world.now += PLAN_MAX_MS / 2;
    assert_eq!(world.look(), Step::Rest);
    assert!(world.status().plan.is_some(), "it isn't given up");
    let mut lagging = World { image: world.image.clone(), ..World::new(&[1, 2], &[]) };
    (0..20).for_each(|index| told(&mut world, index, &[1, 2]));
    assert!(world.settle());
    let led = (0..20).filter(|index| world.partition(*index).leader == 2).count();
    assert!((9..=11).contains(&led), "{led}");
    let is_over = (0..100).any(|_| lagging.settle());
    assert!(is_over, "who never is in sync doesn't keep what was asked for from ending");
}

#[test]
fn what_somebody_has_taken_back_is_not_begun_again_by_the_same_plan() {
    let mut world = world(&[1, 2], &on(1, 20));
    world.set(None, ONCE, Some("true"));
    assert_eq!(world.begin(), 4);
    assert_eq!(world.look(), Step::Rest);
    let moving: Vec<i32> = (0..20).filter(|it| world.partition(*it).is_moving()).collect();
    let (topic_id, index) = (KEY.topic_id, moving[0]);
    let kind = RelocationKind::Replica;
    let back = Relocation { topic_id, index, kind, from: 2, to: 1 };
    world.image = world.image.with(&relocate(&world.image, &[back]).records).unwrap();
    assert!(!world.partition(index).is_moving());
    assert_eq!(world.begin(), 1, "another one has its turn");
    assert!(!world.partition(index).is_moving());
}

#[test]
fn a_lost_broker_is_replaced_when_its_time_is_over() {
    let mut world = world(&[1, 2, 3], &[vec![1, 2], vec![2, 1]]);
    world.set(None, "balance.lost.grace.ms", Some("5000"));
    world.look();
    world.fence(1, true);
    (0..2).for_each(|index| world.lead(index, 2));
    world.look();
    let fenced_at = world.now;
    while world.now < fenced_at + 4_900 {
        assert_eq!(world.look(), Step::Rest);
    }
    world.settle();
    assert_eq!(world.counts(3), [0, 2, 2]);
}

/// A broker is lost with five partitions that nobody else has, and with others.
fn lost_with_the_only_replicas() -> World {
    let mut partitions = on(1, 5);
    partitions.extend(vec![vec![2, 1]; 10]);
    let mut world = world(&[1, 2, 3], &partitions);
    world.set(None, "balance.lost.grace.ms", Some("5000"));
    world.look();
    world.fence(1, true);
    world
}

#[test]
fn what_nobody_leads_holds_up_nothing_else_of_a_lost_broker() {
    for once in [None, Some("true")] {
        let mut world = lost_with_the_only_replicas();
        world.set(None, ONCE, once);
        assert_eq!(world.settle(), once.is_some(), "what was asked for ends");
        assert_eq!(world.counts(3)[0], 5, "the others are elsewhere");
        assert!((0..5).all(|index| !world.partition(index).is_moving()));
        let unmet = world.status().plan.unwrap().unmet;
        let lost = (1, Rule::LostBroker, Obstacle::NoLeader);
        let what: Vec<_> = unmet.iter().map(|it| (it.from, it.rule, it.obstacle)).collect();
        assert_eq!(what, [lost; 5]);
    }
}

#[test]
fn what_has_begun_and_lost_its_leader_counts_for_no_limit() {
    let mut world = world(&[1, 2], &on(1, 20));
    world.set(None, ONCE, Some("true"));
    assert_eq!(world.begin(), 4);
    let moving_of = |world: &World| -> Vec<i32> {
        (0..20).filter(|it| world.partition(*it).is_moving()).collect()
    };
    let moving = moving_of(&world);
    moving.iter().for_each(|index| world.lead(*index, NO_BROKER));
    assert_eq!(world.begin(), 4, "others go");
    let others = moving_of(&world).into_iter().filter(|it| !moving.contains(it));
    others.collect::<Vec<_>>().into_iter().for_each(|index| world.report_moved(index));
    assert!(world.settle(), "it ends without them");
    assert_eq!(moving_of(&world), moving, "they are as they were");
}

#[test]
fn nothing_goes_to_a_broker_that_is_out_of_contact() {
    let mut world = world(&[1, 2, 3], &on(1, 30));
    world.fence(2, true);
    world.set(None, ONCE, Some("true"));
    assert!(!world.settle(), "what is asked for isn't done");
    assert!(matches!(world.counts(3)[..], [_, 0, 9..=11]), "{:?}", world.counts(3));
    world.fence(2, false);
    assert!(world.settle() && world.is_balanced());
}

#[test]
fn until_all_have_told_their_loads_only_offices_of_drained_brokers_go() {
    let mut world = world(&[1, 2, 3], &[vec![1, 2], vec![2, 1]]);
    world.loads = Loads::default();
    world.set(Some(1), "balance.drain", Some("true"));
    let Step::Move(first) = world.look() else { panic!("nothing goes") };
    assert!(first.iter().all(|one| one.kind == RelocationKind::Leader));
    world.carry_out(&first);
    assert_eq!(world.look(), Step::Rest);
    [1, 2, 3].into_iter().for_each(|id| world.report(id, &[]));
    assert!(matches!(world.look(), Step::Move(_)));
}

#[test]
fn no_more_go_at_once_than_may() {
    let mut world = world(&[1, 2], &on(1, 20));
    world.set(None, ONCE, Some("true"));
    world.set(None, "balance.moves", Some("3"));
    let Step::Move(moves) = world.look() else { panic!("nothing goes") };
    assert_eq!(moves.len(), 3);
    let records = relocate(&world.image, &moves).records;
    world.image = world.image.with(&records).unwrap();
    assert_eq!(world.look(), Step::Rest, "they are under way");
    let status = world.office.status(&world.image, &world.config, &world.loads, world.now);
    let stages: Vec<Stage> = status.plan.unwrap().moves.iter().map(|one| one.stage).collect();
    assert_eq!(stages.iter().filter(|stage| **stage == Stage::UnderWay).count(), 3);
}

#[test]
fn another_office_goes_on_where_one_has_ended() {
    let mut world = world(&[1, 2, 3], &on(1, 30));
    world.set(None, ONCE, Some("true"));
    let Step::Move(moves) = world.look() else { panic!("nothing goes") };
    world.carry_out(&moves[..1]);
    world.office = Office::new(world.now);
    assert!(world.settle());
    assert!(world.is_balanced());
    assert!(world.moved.1 <= 20, "nothing moved twice: {}", world.moved.1);
}

#[test]
fn what_an_earlier_office_has_begun_holds_up_the_next_for_hours_and_not_for_ever() {
    let mut world = world(&[1, 2], &on(1, 20));
    world.set(None, ONCE, Some("true"));
    assert_eq!(world.begin(), 4);
    world.office = Office::new(world.now);
    for _ in 0..20 * PLANS_MAX {
        world.now += 10_000;
        assert_eq!(world.look(), Step::Rest, "the broker copies as much as it may");
    }
    let moving: Vec<i32> = (0..20).filter(|it| world.partition(*it).is_moving()).collect();
    moving.iter().for_each(|index| world.report_moved(*index));
    assert!(world.settle());
    assert!(matches!(world.counts(2)[..], [9..=11, 9..=11]), "{:?}", world.counts(2));
}

#[test]
fn what_waits_for_an_earlier_move_of_its_partition_is_waited_for_while_that_is_copied() {
    for is_led in [true, false] {
        let mut world = world(&[1, 2, 3], &on(1, 1));
        let one = Relocation {
            topic_id: KEY.topic_id,
            index: 0,
            kind: RelocationKind::Replica,
            from: 1,
            to: 2,
        };
        world.image = world.image.with(&relocate(&world.image, &[one]).records).unwrap();
        world.set(Some(2), "balance.drain", Some("true"));
        world.set(None, ONCE, Some("true"));
        if !is_led {
            world.lead(0, NO_BROKER);
            assert!(world.settle(), "nobody copies it");
            continue;
        }
        for _ in 0..20 * PLANS_MAX {
            world.now += 10_000;
            assert_eq!(world.look(), Step::Rest, "it comes to where it can't stay");
        }
        world.report_moved(0);
        assert!(world.settle());
        assert_eq!(world.counts(3)[1], 0, "it has gone on");
    }
}

#[test]
fn what_can_go_nowhere_is_told() {
    let mut world = world(&[1, 2], &[vec![1, 2]]);
    world.set(Some(1), "balance.drain", Some("true"));
    world.settle();
    let status = world.office.status(&world.image, &world.config, &world.loads, world.now);
    let unmet = status.plan.unwrap().unmet;
    assert_eq!(unmet.len(), 1);
    assert_eq!((unmet[0].from, unmet[0].rule), (1, Rule::Drain));
    assert_eq!(world.partition(0).leader, 2, "but who leads can change");
}

#[test]
fn what_was_asked_for_ends_though_loads_never_rest() {
    let mut world = world(&[1, 2], &on(1, 20));
    world.set(None, ONCE, Some("true"));
    // What comes to the second broker grows there, and what goes back to the first shrinks.
    for round in 0.. {
        assert!(round < 1_000, "it never ends");
        for (broker, disk_bytes) in [(1, 1 << 20), (2, 1 << 30)] {
            let load = Load { disk_bytes, ..Load::default() };
            world.report(broker, &(0..20).map(|it| (it, load)).collect::<Vec<_>>());
        }
        match world.look() {
            Step::IsDone => break,
            Step::Rest => world.now += 30_000,
            Step::Move(moves) => world.carry_out(&moves),
        }
    }
    assert!(world.moved.1 > 40, "{:?}: they do rest", world.moved);
}

#[test]
fn a_plan_that_takes_hours_is_made_anew_and_asked_for_still() {
    let mut world = world(&[1, 2], &on(1, 200));
    world.set(None, ONCE, Some("true"));
    // What has begun takes longer than everything here.
    let go_on = |world: &mut World, rounds: usize| {
        for _ in 0..rounds {
            world.now += PLAN_MAX_MS;
            match world.look() {
                Step::IsDone => panic!("it isn't"),
                Step::Rest => {}
                Step::Move(more) => {
                    let records = relocate(&world.image, &more).records;
                    world.image = world.image.with(&records).unwrap();
                }
            }
        }
    };
    go_on(&mut world, 3);
    let moving = |world: &World| (0..200).filter(|it| world.partition(*it).is_moving()).count();
    assert_eq!(moving(&world), 4, "what earlier plans have begun counts for the limit of a broker");
    world.set(None, "balance.moves.per.broker", Some("6"));
    go_on(&mut world, 3);
    assert_eq!(moving(&world), 6);
    go_on(&mut world, 50);
    assert_eq!(moving(&world), 6);
}

#[test]
fn what_leaves_a_broker_takes_its_room_until_it_is_gone() {
    let mut world = world(&[1, 2, 3], &[vec![1], vec![1], vec![2]]);
    let means = Means { capacity: [None, Some(100), None, None], ..MEANS };
    let of = |partition, disk_bytes| {
        (GroupKey { partition, ..KEY }, Load { disk_bytes, ..Load::default() })
    };
    for (id, loads) in [(1, vec![of(0, 60), of(1, 60)]), (2, vec![of(2, 60)]), (3, Vec::new())] {
        let report = LoadReport { means, growth: None, loads, office: Some(1), is_last: true };
        world.loads.note(id, report);
    }
    // Somebody moves a replica from the third broker; what has left it in the end is there still.
    let there = GroupKey { partition: 2, ..KEY };
    let moves = [(2, 3), (3, 2)].map(|(from, to)| Relocation {
        topic_id: there.topic_id,
        index: there.partition,
        kind: RelocationKind::Replica,
        from,
        to,
    });
    world.carry_out(&moves[..1]);
    let load = Load { disk_bytes: 60, ..Load::default() };
    let report = LoadReport {
        means,
        growth: None,
        loads: vec![(there, load)],
        office: Some(1),
        is_last: true,
    };
    world.loads.note(3, report);
    world.image = world.image.with(&relocate(&world.image, &moves[1..]).records).unwrap();
    // The first has too much, and the third would have the room if nothing were leaving it.
    assert_eq!(world.begin(), 0);
    // Once it is gone, it goes.
    world.report_moved(2);
    world.now += PLAN_MAX_MS;
    assert_eq!(world.begin(), 1);
}

#[test]
fn a_plan_of_which_nothing_can_begin_is_given_up_for_a_while() {
    let mut world = world(&[1, 2], &on(1, 20));
    world.set(None, ONCE, Some("true"));
    let mut plans = 0;
    while world.now < LONG {
        match world.look() {
            Step::Rest => world.now += 5_000,
            Step::IsDone => break,
            Step::Move(_) => {
                plans += 1;
                world.office.give_up(10_000, world.now);
                assert_eq!(world.look(), Step::Rest, "not at once again");
                assert_eq!(world.status().plan, None);
            }
        }
    }
    assert_eq!(plans, PLANS_MAX, "and not for ever");
}

#[test]
fn moves_that_never_end_are_told() {
    let mut world = world(&[1, 2, 3], &[vec![1], vec![1], vec![2]]);
    world.set(None, "balance.move.bytes.per.second", Some("100"));
    let takes = |bytes_in| Load { disk_bytes: 1 << 20, bytes_in, bytes_out: 0 };
    world.report(1, &[(0, takes(60)), (1, takes(30))]);
    world.report(2, &[(2, takes(500))]);
    assert_eq!(world.status().endless, [], "nothing moves");
    let moves = [(0, 1), (1, 1), (2, 2)].map(|(index, from)| Relocation {
        topic_id: KEY.topic_id,
        index,
        kind: RelocationKind::Replica,
        from,
        to: 3,
    });
    world.image = world.image.with(&relocate(&world.image, &moves).records).unwrap();
    let told = |world: &World| -> Vec<_> {
        let endless = world.status().endless.into_iter();
        endless.map(|it| (it.index, it.leader, it.bytes_in, it.all_bytes_in)).collect()
    };
    assert_eq!(told(&world), [(2, 2, 500, 500)]);
    world.look();
    assert_eq!(world.office.endless.len(), 1, "it is said once");
    // What one broker sends is shared: without the larger one the other catches up.
    world.report(1, &[(0, takes(70)), (1, takes(30))]);
    assert_eq!(told(&world), [(2, 2, 500, 500), (0, 1, 70, 100)]);
    world.set(Some(2), "balance.move.bytes.per.second", Some("501"));
    assert_eq!(told(&world), [(0, 1, 70, 100)]);
    assert_eq!(world.status().endless[0].bytes_per_second, 100);
    // A throttle of the topic's own says otherwise.
    let resource = ConfigResource::topic("t");
    let (name, value) = ("leader.replication.throttled.replicas".into(), Some("*".into()));
    let record = MetadataRecord::Config { resource, name, value };
    world.image = world.image.with([&record]).unwrap();
    assert_eq!(told(&world), []);
}

#[test]
fn what_leaves_a_drained_broker_is_told_whoever_has_begun_it() {
    let mut world = world(&[1, 2, 3], &on(1, 6));
    world.set(None, ONCE, Some("true"));
    let begun = world.begin();
    assert!(begun > 0);
    world.set(Some(1), "balance.drain", Some("true"));
    world.look();
    let moving = u64::try_from(begun).unwrap();
    assert_eq!(world.status().drains, [DrainStatus { broker: 1, replicas: 6, leaders: 6, moving }]);
}
