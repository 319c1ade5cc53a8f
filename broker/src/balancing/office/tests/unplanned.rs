//! What moves without a plan: offices of drained brokers, and replicas that the topic of groups
//! lacks.

use super::*;
use crate::balancing::samples::cluster_of;
use crate::coordination::OFFSETS_TOPIC;

#[test]
fn a_drained_broker_gives_offices_of_partitions_that_are_on_their_way() {
    let mut world = world(&[1, 2, 3], &[vec![1, 2]]);
    let (topic_id, index) = (KEY.topic_id, 0);
    let kind = RelocationKind::Replica;
    let one = Relocation { topic_id, index, kind, from: 1, to: 3 };
    world.image = world.image.with(&relocate(&world.image, &[one]).records).unwrap();
    world.set(Some(1), "balance.drain", Some("true"));
    let Step::Move(first) = world.look() else { panic!("nothing goes") };
    let kind = RelocationKind::Leader;
    assert_eq!(first, [Relocation { topic_id, index, kind, from: 1, to: 2 }]);
    world.image = world.image.with(&relocate(&world.image, &first).records).unwrap();
    assert_eq!(world.partition(0).wished_leader, 2);
    assert_eq!(world.look(), Step::Rest, "not twice");
}

#[test]
fn an_heir_that_falls_behind_is_not_waited_for() {
    let mut world = world(&[1, 2, 3], &[vec![1, 2, 3]]);
    world.set(Some(1), "balance.drain", Some("true"));
    let Step::Move(first) = world.look() else { panic!("nothing goes") };
    world.image = world.image.with(&relocate(&world.image, &first).records).unwrap();
    let heir = world.partition(0).wished_leader;
    let isr = [1, 5 - heir];
    let partition = Partition { isr: isr.to_vec(), ..world.partition(0).clone() };
    let record = MetadataRecord::Partition { topic_id: KEY.topic_id, index: 0, partition };
    world.image = world.image.with([&record]).unwrap();
    let Step::Move(next) = world.look() else { panic!("it is waited for") };
    assert_eq!((next[0].kind, next[0].to), (RelocationKind::Leader, isr[1]));
}

#[test]
fn offices_of_a_drained_broker_go_by_weight_and_to_who_can_give_what_they_give() {
    let mut world = world(&[1, 2, 3], &vec![vec![1, 2, 3]; 9]);
    let report = |weight, capacity| LoadReport {
        means: Means { weight, capacity: [None, None, None, capacity] },
        growth: None,
        loads: Vec::new(),
        office: Some(1),
        is_last: true,
    };
    world.loads.note(2, report(200, None));
    world.set(Some(1), "balance.drain", Some("true"));
    let led = |step: Step, by: i32| {
        let Step::Move(moves) = step else { panic!("nothing goes") };
        moves.iter().filter(|one| one.to == by).count()
    };
    let mut office = Office::new(0);
    let step = office.look(&world.image, &world.config, &world.loads, 1);
    assert_eq!(led(step, 2), 6);
    let gives = Load { bytes_out: 10, ..Load::default() };
    world.report(1, &(0..9).map(|it| (it, gives)).collect::<Vec<_>>());
    world.loads.note(2, report(200, Some(25)));
    assert_eq!(led(world.look(), 2), 2, "it can give no more");
}

#[test]
fn the_topic_of_groups_is_given_no_replica_where_there_is_no_room() {
    let offsets = cluster_of(&[1, 2, 3, 4], OFFSETS_TOPIC, &[&[1], &[1], &[1]]);
    let mut world = World { image: offsets, ..World::new(&[1, 2, 3, 4], &[]) };
    let means = Means { capacity: [Some(1), None, None, None], ..MEANS };
    let loads = Vec::new();
    let report = LoadReport { means, growth: None, loads, office: Some(1), is_last: true };
    world.loads.note(4, report);
    world.set(None, "balance.moves.per.broker", Some("2"));
    assert_eq!(world.begin(), 2, "a leader sends so many at once");
    (0..3).for_each(|index| world.report_moved(index));
    world.settle();
    assert_eq!(world.counts(4), [3, 3, 2, 1]);
    // Who is full has what it has, and counts for how many there are to be.
    let offsets = cluster_of(&[1, 2, 3], OFFSETS_TOPIC, &[&[1, 2], &[2, 1], &[1, 2]]);
    let mut full = World { image: offsets, ..World::new(&[1, 2, 3], &[]) };
    for id in [1, 2] {
        let means = Means { capacity: [Some(3), None, None, None], ..MEANS };
        let loads = Vec::new();
        let report = LoadReport { means, growth: None, loads, office: Some(1), is_last: true };
        full.loads.note(id, report);
    }
    full.settle();
    assert_eq!(full.counts(3), [3, 3, 3]);
}

#[test]
fn the_topic_of_groups_is_given_the_replicas_that_it_lacks() {
    let offsets = cluster_of(&[1, 2, 3, 4], OFFSETS_TOPIC, &[&[1], &[1, 2], &[2, 1, 3]]);
    let mut world = World { image: offsets, ..World::new(&[1, 2, 3, 4], &[]) };
    world.settle();
    let replicas: Vec<usize> = (0..3).map(|it| world.partition(it).replicas.len()).collect();
    assert_eq!(replicas, [3, 3, 3]);
    assert_eq!(world.partition(0).replicas[0], 1, "who led leads");
    assert_eq!(world.counts(4), [3, 3, 2, 1], "who has the fewest, at each step");
}
