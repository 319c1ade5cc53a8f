//! Plans for some rules only, and what has no room meanwhile.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::format;

use super::rules::{assert_comes_to_rest, is_cut, troubled};
use crate::snapshot::Snapshot;
use crate::{
    Beside, Limits, ManualMove, Move, MoveKind, Obstacle, Options, Other, Plan, Rates, Resource,
    Rule, Rules, Stage, Wait, after, next, next_beside, plan, plan_manual, seconds,
};

fn snapshot(lines: &str) -> Snapshot {
    Snapshot::parse(&format!("snapshot 1\n{lines}")).unwrap()
}

fn planned(snapshot: &Snapshot, rules: &[Rule]) -> Plan {
    let rules = rules.iter().copied().collect();
    plan(snapshot, &Options { rules, ..Options::default() })
}

/// Who goes where, and why.
fn told(made: &Plan) -> Vec<String> {
    let told = |it: &Move| format!("{} {} → {}, {}", it.partition, it.from, it.to, it.rule);
    made.moves.iter().map(told).collect()
}

/// Broker 2 has room for what leaves broker 1 only once racks are parted.
const NO_ROOM: &str = "broker 1 rack a partitions 9 draining\n\
    broker 2 rack a partitions 2\n\
    broker 3 rack a partitions 2\n\
    broker 4 rack b partitions 9\n\
    topic t\n\
    partition 0 leader none replicas 2:0:0:0 3:0:0:0\n\
    partition 1 leader none replicas 2:0:0:0 4:0:0:0\n\
    partition 2 leader none replicas 3:0:0:0 4:0:0:0\n\
    partition 3 leader none replicas 1:0:0:0 4:0:0:0\n";

#[test]
fn nothing_is_planned_for_room_that_an_unwanted_rule_would_make() {
    let snapshot = snapshot(NO_ROOM);
    let both = planned(&snapshot, &[Rule::Rack, Rule::Drain]);
    assert_eq!(told(&both), ["0 2 → 4, rack", "3 1 → 2, drain"]);
    assert_eq!(both.unmet, []);
    let drain = planned(&snapshot, &[Rule::Drain]);
    assert_eq!(told(&drain), [] as [&str; 0]);
    let unmet: Vec<_> = drain.unmet.iter().map(|it| (it.partition, it.rule, it.obstacle)).collect();
    let capacity = Obstacle::Capacity(Resource::Partitions);
    assert_eq!(unmet, [(3, Rule::Drain, capacity)]);
}

#[test]
fn a_full_disk_is_relieved_by_a_new_broker_though_new_brokers_are_not_filled() {
    let mut lines =
        String::from("broker 1 disk 1000\nbroker 2 disk 1000\nbroker 3 disk 1000\ntopic t\n");
    for index in 0..18 {
        let broker = if index < 9 { 1 } else { 2 };
        let bytes = if broker == 1 { 100 } else { 70 };
        lines += &format!("partition {index} leader none replicas {broker}:{bytes}:0:0\n");
    }
    let snapshot = snapshot(&lines);
    let made = planned(&snapshot, &[Rule::DiskPressure]);
    assert_eq!(told(&made), ["0 1 → 3, disk pressure"], "no further than out of what presses");
    assert_eq!(told(&planned(&snapshot, &[Rule::Skew])), ["8 1 → 2, skew"]);
    let rules: Vec<Rule> = planned(&snapshot, &Rule::ALL).moves.iter().map(|it| it.rule).collect();
    assert_eq!(rules[..6], [Rule::NewBroker; 6]);
}

#[test]
fn what_nobody_wants_moved_is_no_reason_to_leave_a_full_disk_alone() {
    let mut lines = String::from("broker 1 disk 1000\nbroker 2 disk 1000\nbroker 3 disk 1000\n");
    lines += "topic t\npartition 0 leader none replicas 1:20:0:0\n";
    // Disks of 870, 825 and 825, within their bands; all that arrives, arrives at broker 2.
    for index in 1..=100 {
        let replica = match index {
            1..=34 => "1:25:0:0",
            35..=67 => "2:25:100:0",
            _ => "3:25:0:0",
        };
        lines += &format!("partition {index} leader none replicas {replica}\n");
    }
    let made = planned(&snapshot(&lines), &[Rule::DiskPressure]);
    assert_eq!(told(&made), ["1 1 → 2, disk pressure"]);
}

#[test]
fn what_nobody_wants_drained_is_no_part_of_others_shares() {
    let mut lines = String::from("broker 1 draining\nbroker 2\nbroker 3\ntopic t\n");
    for index in 0..40 {
        let broker = if index < 20 {
            1
        } else if index < 32 {
            2
        } else {
            3
        };
        lines += &format!("partition {index} leader none replicas {broker}:100:0:0\n");
    }
    let snapshot = snapshot(&lines);
    let made = planned(&snapshot, &[Rule::Skew]);
    let end = after(&snapshot, &made.moves);
    let on = |id: i32| end.partitions().iter().filter(|it| it.replicas[0].broker == id).count();
    assert_eq!((on(1), on(2), on(3)), (20, 10, 10));
}

#[test]
fn of_any_rules_only_what_they_say_is_planned() {
    let mut all = 0;
    for seed in 0..300_u64 {
        let snapshot = troubled(seed);
        let wanted: Vec<Rule> = (0..Rule::ALL.len())
            .filter(|it| (seed * 7) >> it & 1 == 1)
            .map(|it| Rule::ALL[it])
            .collect();
        let made = planned(&snapshot, &wanted);
        assert!(made.moves.iter().all(|it| wanted.contains(&it.rule)), "{seed}");
        assert!(made.unmet.iter().all(|it| wanted.contains(&it.rule)), "{seed}");
        let end = after(&snapshot, &made.moves);
        if made.unmet.iter().any(is_cut) {
            let rules = wanted.iter().copied().collect();
            assert_comes_to_rest(&end, &Options { rules, ..Options::default() });
        } else {
            assert_eq!(planned(&end, &wanted).moves, [], "{seed}");
        }
        all += made.moves.len();
    }
    assert!(all > 500, "{all}");
    assert!(Rule::ALL.iter().all(|it| Rules::ALL.has(*it)));
}

/// Carries a plan out, one move at a time. Answers with what came of it.
fn carried_out(snapshot: &Snapshot, made: &Plan) -> Snapshot {
    let limits = Limits { moves: 1, moves_per_broker: 1, rates: Rates::of_all(1) };
    let mut snapshot = snapshot.clone();
    while let Some(place) = next(&snapshot, &made.moves, &BTreeSet::new(), &limits).now().next() {
        snapshot = after(&snapshot, &[made.moves[place]]);
    }
    snapshot
}

#[test]
fn one_of_two_that_wait_for_each_others_room_goes_by_way_of_another_broker() {
    // A property test found it.
    let snapshot = troubled(18_392_994_802_126_981_005);
    let made = plan(&snapshot, &Options { search_steps: 5_000, ..Options::default() });
    let way: Vec<_> = made.moves.iter().filter(|it| it.partition == 1).collect();
    let ends: Vec<_> = way.iter().map(|it| (it.from, it.to)).collect();
    assert_eq!(ends, [(2, 0), (0, 3)]);
    assert_eq!(made.bytes, made.moves.iter().map(|it| it.bytes).sum::<u64>());
    assert_eq!(carried_out(&snapshot, &made), after(&snapshot, &made.moves));
    let stages = next(&snapshot, &made.moves, &BTreeSet::new(), &Limits::default()).stages;
    let second = made.moves.iter().position(|it| (it.partition, it.from) == (1, 0)).unwrap();
    assert_eq!(stages[second], Stage::Waits(Wait::Partition), "it isn't void");
    let end = after(&snapshot, &made.moves);
    let stages = next(&end, &made.moves, &BTreeSet::new(), &Limits::default()).stages;
    assert!(stages.iter().all(|it| *it == Stage::Done), "{stages:?}");
}

#[test]
fn where_nobody_has_room_meanwhile_a_plan_ends_before_and_says_so() {
    // With these loads nearly all brokers are full.
    let snapshot = troubled(1368);
    let made = plan(&snapshot, &Options { search_steps: 5_000, ..Options::default() });
    assert!(made.unmet.iter().any(is_cut), "{:?}", made.unmet);
    assert!(!made.moves.is_empty());
    assert_eq!(carried_out(&snapshot, &made), after(&snapshot, &made.moves));
}

#[test]
fn a_later_move_takes_no_room_that_an_earlier_one_needs() {
    let lines = "broker 1\nbroker 2 partitions 1\nbroker 3\nbroker 4\ntopic t\n\
        partition 0 leader none replicas 1:0:0:0\npartition 1 leader none replicas 3:0:0:0\n\
        partition 2 leader none replicas 1:0:0:0\n";
    let snapshot = snapshot(lines);
    let wanted = [(2, 1, 4), (0, 1, 2), (1, 3, 2)];
    let moves = wanted.map(|it| manual(&snapshot, it));
    let limits = Limits { moves_per_broker: 1, ..Limits::default() };
    let stages = next(&snapshot, &moves, &BTreeSet::new(), &limits).stages;
    let room = Stage::Waits(Wait::Capacity(Resource::Partitions));
    assert_eq!(stages, [Stage::Now, Stage::Waits(Wait::Limit), room]);
}

/// A move that an operator asks for.
fn manual(snapshot: &Snapshot, (partition, from, to): (usize, i32, i32)) -> Move {
    let wanted = ManualMove { partition, from, to };
    plan_manual(snapshot, &[wanted], &Options::default()).unwrap().moves[0]
}

#[test]
fn limits_count_who_sends_and_who_receives_and_not_who_is_lost() {
    let snapshot = snapshot(
        "broker 1 absent\nbroker 2\nbroker 3\nbroker 4\nbroker 5\nbroker 6\nbroker 7\ntopic t\n\
         partition 0 leader 2 replicas 1:9:0:0 2:9:0:0\n\
         partition 1 leader 4 replicas 1:9:0:0 4:9:0:0\n\
         partition 2 leader 2 replicas 2:9:0:0 6:9:0:0\n\
         partition 3 leader none replicas 1:9:0:0 6:9:0:0\n",
    );
    let wanted = [(0, 1, 3), (1, 1, 5), (2, 6, 7), (3, 1, 7)];
    let moves = wanted.map(|it| manual(&snapshot, it));
    let limits = Limits { moves_per_broker: 1, ..Limits::default() };
    let stages = next(&snapshot, &moves, &BTreeSet::new(), &limits).stages;
    assert_eq!(stages, [Stage::Now, Stage::Now, Stage::Waits(Wait::Limit), Stage::Now]);
    let other = Other { partition: 2, from: vec![6], to: vec![7] };
    let beside = Beside { others: vec![other], ..Beside::default() };
    let stages = next_beside(&snapshot, &moves[..2], &BTreeSet::new(), &beside, &limits).stages;
    assert_eq!(stages, [Stage::Waits(Wait::Limit), Stage::Now], "2 sends already");
}

#[test]
fn leadership_waits_for_room_and_what_follows_of_its_partition_for_leadership() {
    let snapshot = snapshot(
        "broker 1\nbroker 2 out 100\nbroker 3\nbroker 4\ntopic t\n\
         partition 0 leader 1 replicas 1:9:1:60 2:9:1:0\n\
         partition 1 leader 2 replicas 2:9:1:80\n\
         partition 2 leader 4 replicas 4:9:1:50\n",
    );
    let leaves = manual(&snapshot, (1, 2, 3));
    let hands_over = Move { kind: MoveKind::Leader, ..manual(&snapshot, (0, 1, 4)) };
    let hands_over = Move { to: 2, bytes: 0, ..hands_over };
    let comes = Move { to: 2, ..manual(&snapshot, (2, 4, 3)) };
    let follows = manual(&snapshot, (0, 1, 3));
    let moves = [leaves, hands_over, follows, comes];
    let stages = next(&snapshot, &moves, &BTreeSet::new(), &Limits::default()).stages;
    let room = Stage::Waits(Wait::Capacity(Resource::BytesOut));
    assert_eq!(stages, [Stage::Now, room, Stage::Waits(Wait::Partition), room]);
    let later = after(&snapshot, &[leaves]);
    let stages = next(&later, &moves, &BTreeSet::new(), &Limits::default()).stages;
    assert_eq!(stages, [Stage::Done, Stage::Now, Stage::Waits(Wait::Partition), room]);
}

#[test]
fn replicas_that_change_racks_never_meet_in_one() {
    // The first comes to the rack that the second leaves.
    let snapshot = snapshot(
        "broker 1 rack a\nbroker 2 rack b\nbroker 3 rack c\nbroker 4 rack a\ntopic t\n\
         partition 0 leader none replicas 2:9:0:0 1:9:0:0\n",
    );
    let wanted = [(1, 3), (2, 4)].map(|(from, to)| ManualMove { partition: 0, from, to });
    let made = plan_manual(&snapshot, &wanted, &Options::default()).unwrap();
    let ends: Vec<_> = made.moves.iter().map(|it| (it.from, it.to)).collect();
    assert_eq!(ends, [(1, 4), (2, 3)], "each within its rack, or to one that gives nothing");
}

#[test]
fn whoever_leads_is_charged_at_its_own_rate_and_whoever_receives_is_not() {
    let text = "snapshot 1\nbroker 1 absent\nbroker 2\nbroker 3\nbroker 4\ntopic t\n\
                partition 0 leader 2 replicas 1:600:0:0 2:600:0:0\n\
                partition 1 leader 3 replicas 1:600:0:0 3:600:0:0\n\
                partition 2 leader 3 replicas 1:600:0:0 3:600:0:0\n";
    let snapshot = Snapshot::parse(text).unwrap();
    let moves: Vec<Move> = plan(&snapshot, &Options::default()).moves;
    let from_lost: Vec<Move> = moves.into_iter().filter(|one| one.from == 1).collect();
    assert_eq!(from_lost.len(), 3);
    let told = |usual, own: &[(i32, u64)]| {
        let rates = Rates { usual, others: own.iter().copied().collect() };
        let each = seconds(&snapshot, &from_lost, &rates);
        let limits = Limits { rates, ..Limits::default() };
        (each, next(&snapshot, &from_lost, &BTreeSet::new(), &limits).seconds_left)
    };
    // All come to the fourth, two of them from the third.
    assert_eq!(told(100, &[]), (vec![6, 6, 6], 12));
    let by_partition = |seconds: [u64; 3]| -> Vec<u64> {
        from_lost.iter().map(|one| seconds[one.partition]).collect()
    };
    assert_eq!(told(100, &[(4, 1), (1, 1)]), (vec![6, 6, 6], 12), "they only receive");
    assert_eq!(told(100, &[(2, 30)]), (by_partition([20, 6, 6]), 20));
}
