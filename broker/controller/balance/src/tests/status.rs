//! The text form of a status.

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use proptest::prelude::*;

use crate::status::{
    DrainStatus, EndlessStatus, Growth, MoveStatus, OtherStatus, PlanStatus, Status, UnmetStatus,
};
use crate::{MoveKind, Obstacle, PerResource, Rates, Resource, Rule, Stage, Wait};

const SMALL: &str = "\
status 1
controller 2
triggers lost-broker drain
once
rate 1000
rate 0 broker 2
rate 52428800 broker 7
growth 86400 partitions 1 disk 2000 in 3 out 4 leaders 5
drain 3 replicas 12 leaders 1
drain 4 replicas 7 leaders 0 moving 5
endless a%20b 7 leader 2 in 60 all 70 rate 50
other a%20b 8 from 1,3 to 2 bytes 9
other t 9 from - to 4 bytes 0
plan age 61 bytes 500 left 300 seconds 7
move t 0 replica from 1 to 2 rule skew resource disk bytes 200 stage under-way
move t 1 leading-replica from 3 to 2 rule drain bytes 300 stage waits capacity disk
move a%20b 0 leader from 1 to 3 rule leader-skew resource leaders bytes 0 stage done
unmet t 4 from 3 rule drain obstacle racks
unmet t 5 from 3 rule drain obstacle capacity out
";

fn what(text: &str) -> String {
    Status::parse(text).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back() {
    let status = Status::parse(SMALL).unwrap();
    assert_eq!(status.to_string(), SMALL);
    let (first, second) = (DrainStatus { broker: 3, replicas: 12, leaders: 1, moving: 0 }, 5);
    assert_eq!((status.drains[0], status.drains[1].moving), (first, second));
    let endless = EndlessStatus {
        topic: "a b".into(),
        index: 7,
        leader: 2,
        bytes_in: 60,
        all_bytes_in: 70,
        bytes_per_second: 50,
    };
    assert_eq!(status.endless, [endless]);
    let other = |topic: &str, index, from: &[i32], to: i32, bytes| {
        let (topic, from) = (topic.into(), from.to_vec());
        OtherStatus { topic, index, from, to: [to].into(), bytes }
    };
    assert_eq!(status.others, [other("a b", 8, &[1, 3], 2, 9), other("t", 9, &[], 4, 0)]);
    assert_eq!(status.triggers, [Rule::LostBroker, Rule::Drain]);
    let plan = status.plan.unwrap();
    assert_eq!(
        (plan.age_seconds, plan.bytes, plan.bytes_left, plan.seconds_left),
        (61, 500, 300, 7)
    );
    assert_eq!(plan.moves[1].stage, Stage::Waits(Wait::Capacity(Resource::DiskBytes)));
    assert_eq!(plan.moves[2].topic, "a b");
    assert_eq!([2, 3, 7].map(|id| status.rates.of(id)), [0, 1_000, 50 << 20]);
    let nothing = Status { controller: 1, ..Status::default() };
    assert_eq!(nothing.to_string(), "status 1\ncontroller 1\n");
    assert_eq!(Status::parse(&nothing.to_string()).unwrap(), nothing);
}

#[test]
fn every_rule_is_found_by_its_name() {
    let names: Vec<&str> = Rule::ALL.into_iter().map(Rule::name).collect();
    assert_eq!(
        names,
        [
            "manual",
            "lost-broker",
            "rack",
            "capacity",
            "drain",
            "disk-pressure",
            "new-broker",
            "skew",
            "leader-skew"
        ]
    );
    for rule in Rule::ALL {
        assert_eq!(Rule::from_name(rule.name()), Some(rule));
    }
    assert_eq!(Rule::from_name("lost broker"), None);
    assert_eq!(Rule::LostBroker.to_string(), "lost broker");
}

/// What a later version might write, with words, lines and values that aren't known here.
const LATER: &str = "\
status 1
controller 2 since 5
triggers lost-broker weather drain
forecast rain
drain 3 replicas 12 leaders 1 moving 2 slowly
plan age 61 bytes 500 left 300 seconds 7 by noon
move t 0 replica from 1 to 2 rule weather bytes 200 stage now
move t 1 replica from 3 to 2 rule drain bytes 300 stage now soon
";

#[test]
fn what_a_later_version_adds_is_passed_over_and_the_rest_is_read() {
    let (status, passed_over) = Status::parse_known(SMALL).unwrap();
    assert_eq!((status, passed_over), (Status::parse(SMALL).unwrap(), None));
    let (status, passed_over) = Status::parse_known(LATER).unwrap();
    let known = "status 1\ncontroller 2\ntriggers lost-broker drain\n\
                 drain 3 replicas 12 leaders 1 moving 2\n\
                 plan age 61 bytes 500 left 300 seconds 7\n\
                 move t 1 replica from 3 to 2 rule drain bytes 300 stage now\n";
    assert_eq!(status, Status::parse(known).unwrap());
    let said = passed_over.unwrap().to_string();
    assert_eq!(said, "7 lines aren't understood, first line 2: `since` is no end of the line");
    // A move isn't of a plan that isn't known.
    let bare = "status 1\ncontroller 2\nplan 7\nmove t 1 leader from 1 to 2 rule skew bytes 0\n";
    let (status, passed_over) = Status::parse_known(bare).unwrap();
    assert_eq!((status.plan, passed_over.unwrap().lines), (None, 2));
    let one = Status::parse_known("status 1\ncontroller 2\nx\n").unwrap().1.unwrap();
    assert_eq!(one.to_string(), "one line isn't understood: line 3: `x` is no line of a status");
    for text in ["", "status 2\ncontroller 1\n", "status 1\nonce\n"] {
        assert!(Status::parse_known(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let with = |line: &str| format!("{SMALL}{line}\n");
    let bare = |line: &str| format!("status 1\n# x\n\n{line}\n");
    for (text, said) in [
        (String::new(), "line 1: a status begins with `status 1`"),
        ("snapshot 1\n".into(), "line 1: a status begins with `status 1`"),
        ("status 1\n\n".into(), "line 2: controller is missing"),
        (bare("once"), "line 4: controller is missing"),
        (bare("controller -1"), "line 4: `-1` is no id of a broker"),
        (bare("controller 1 2"), "line 4: `2` is no end of the line"),
        (bare("triggers"), "line 4: rule is missing"),
        (bare("triggers skew skew"), "line 4: skew is told twice"),
        (bare("triggers fast"), "line 4: `fast` is no rule"),
        (bare("growth 1 partitions 1 disk 2 in 3 out 4"), "line 4: `leaders` is missing"),
        (bare("growth 1 disk 2"), "line 4: `disk` is no `partitions`"),
        (bare("drain 1 replicas -2 leaders 0"), "line 4: `-2` is no amount"),
        (bare("plan age 1 bytes 2 left 3"), "line 4: `seconds` is missing"),
        (
            bare("move t 0 leader from 1 to 2 rule skew bytes 0 stage now"),
            "line 4: a move comes after its plan",
        ),
        (
            bare("unmet t 0 from 1 rule drain obstacle racks"),
            "line 4: what is unmet comes after its plan",
        ),
        (with("controller 1"), "line 20: controller is told twice"),
        (with("once"), "line 20: once is told twice"),
        (with("rate 2000"), "line 20: rate is told twice"),
        (with("rate 5 broker 2"), "line 20: rate is told twice"),
        (with("rate 5 of 2"), "line 20: `of` is no `broker`, or end of the line"),
        (with("triggers rack"), "line 20: triggers is told twice"),
        (
            with("growth 1 partitions 1 disk 2 in 3 out 4 leaders 5"),
            "line 20: growth is told twice",
        ),
        (with("drain 3 replicas 0 leaders 0"), "line 20: drain 3 is told twice"),
        (with("plan age 1 bytes 2 left 3 seconds 4"), "line 20: plan is told twice"),
        (with("plan"), "line 20: plan is told twice"),
        (with("other t 1 from  to 2"), "line 20: `to` is no id of a broker"),
        (with("other t 1 from 1 to 1,,2"), "line 20: `` is no id of a broker"),
        (with("movement"), "line 20: `movement` is no line of a status"),
        (with("move t -1"), "line 20: `-1` is no number of a partition"),
        (with("move %g 1"), "line 20: `%g` is no topic"),
        (with("move t 1 copy"), "line 20: `copy` is no kind of a move"),
        (with("move t 1 leader to 2"), "line 20: `to` is no `from`"),
        (
            with("move t 1 leader from 1 to 2 rule skew stage now"),
            "line 20: `stage` is no `resource` or `bytes`",
        ),
        (
            with("move t 1 leader from 1 to 2 rule skew resource air bytes 0 stage now"),
            "line 20: `air` is no resource",
        ),
        (
            with("move t 1 leader from 1 to 2 rule skew bytes 0 stage later"),
            "line 20: `later` is no stage",
        ),
        (
            with("move t 1 leader from 1 to 2 rule skew bytes 0 stage waits"),
            "line 20: reason to wait is missing",
        ),
        (with("unmet t 1 from 1 rule skew obstacle luck"), "line 20: `luck` is no obstacle"),
        (
            with("unmet t 1 from 1 rule skew obstacle racks capacity"),
            "line 20: `capacity` is no end of the line",
        ),
    ] {
        assert_eq!(what(&text), said, "{text}");
    }
}

#[test]
fn a_long_word_is_not_repeated_whole() {
    let long = "x".repeat(1 << 20);
    for line in [long.clone(), format!("triggers {long}"), format!("move t 0 {long}")] {
        let said = what(&format!("status 1\n{line}"));
        assert!(said.len() < 120, "{said}");
    }
}

#[test]
fn more_drained_brokers_than_there_can_be_are_refused() {
    use std::fmt::Write as _;
    let mut text = String::from("status 1\ncontroller 1\n");
    for id in 0..crate::status::DRAINS_MAX {
        writeln!(text, "drain {id} replicas 0 leaders 0").unwrap();
    }
    assert_eq!(Status::parse(&text).unwrap().drains.len(), 10_000);
    text.push_str("drain 10000 replicas 0 leaders 0\n");
    assert_eq!(what(&text), "line 10003: more than 10000 drains");
}

fn resources() -> impl Strategy<Value = Resource> {
    prop::sample::select(Resource::ALL.to_vec())
}

fn rules() -> impl Strategy<Value = Rule> {
    prop::sample::select(Rule::ALL.to_vec())
}

fn stages() -> impl Strategy<Value = Stage> {
    let waits = [Wait::Partition, Wait::Limit, Wait::Leader, Wait::Contact, Wait::InSync];
    let waits = waits.map(Stage::Waits);
    let plain = [Stage::Done, Stage::UnderWay, Stage::Now, Stage::Void, waits[0], waits[1]];
    let plain = prop::sample::select(plain.to_vec());
    prop_oneof![plain, resources().prop_map(|it| Stage::Waits(Wait::Capacity(it)))]
}

fn kinds() -> impl Strategy<Value = MoveKind> {
    let replica = |leads| MoveKind::Replica { leads };
    prop::sample::select([replica(false), replica(true), MoveKind::Leader].to_vec())
}

fn moves() -> impl Strategy<Value = MoveStatus> {
    let place = (".*", 0..=i32::MAX, kinds(), 0..=i32::MAX, 0..=i32::MAX);
    let reason = (rules(), prop::option::of(resources()), any::<u64>(), stages());
    (place, reason).prop_map(|((topic, index, kind, from, to), (rule, resource, bytes, stage))| {
        MoveStatus { topic, index, kind, from, to, rule, resource, bytes, stage }
    })
}

fn unmet() -> impl Strategy<Value = UnmetStatus> {
    let plain = [Obstacle::NoLeader, Obstacle::NoOtherBroker, Obstacle::Racks];
    let plain = prop::sample::select(plain.to_vec());
    let obstacles = prop_oneof![
        plain,
        resources().prop_map(Obstacle::Capacity),
        resources().prop_map(Obstacle::Exchange)
    ];
    (".*", 0..=i32::MAX, 0..=i32::MAX, rules(), obstacles).prop_map(
        |(topic, index, from, rule, obstacle)| UnmetStatus { topic, index, from, rule, obstacle },
    )
}

fn plans() -> impl Strategy<Value = PlanStatus> {
    let lists = (prop::collection::vec(moves(), 0..4), prop::collection::vec(unmet(), 0..4));
    (any::<[u64; 4]>(), lists).prop_map(|(numbers, (moves, unmet))| {
        let [age_seconds, bytes, bytes_left, seconds_left] = numbers;
        PlanStatus { age_seconds, bytes, bytes_left, seconds_left, moves, unmet }
    })
}

fn endless() -> impl Strategy<Value = EndlessStatus> {
    (".*", 0..=i32::MAX, 0..=i32::MAX, any::<[u64; 3]>()).prop_map(
        |(topic, index, leader, [bytes_in, all_bytes_in, bytes_per_second])| EndlessStatus {
            topic,
            index,
            leader,
            bytes_in,
            all_bytes_in,
            bytes_per_second,
        },
    )
}

fn others() -> impl Strategy<Value = OtherStatus> {
    let ids = || prop::collection::vec(0..=i32::MAX, 0..4);
    (".*", 0..=i32::MAX, ids(), ids(), any::<u64>())
        .prop_map(|(topic, index, from, to, bytes)| OtherStatus { topic, index, from, to, bytes })
}

fn statuses() -> impl Strategy<Value = Status> {
    let growth = any::<(u64, [u64; 5])>()
        .prop_map(|(over_seconds, per_day)| Growth { over_seconds, per_day: PerResource(per_day) });
    let drains = prop::collection::btree_map(0..=i32::MAX, any::<[u64; 3]>(), 0..3);
    let drains = drains.prop_map(|all| {
        let one = |(broker, [replicas, leaders, moving]): (i32, [u64; 3])| DrainStatus {
            broker,
            replicas,
            leaders,
            moving,
        };
        all.into_iter().map(one).collect()
    });
    let triggers = prop::sample::subsequence(Rule::ALL.to_vec(), 0..=Rule::ALL.len());
    let told = (0..=i32::MAX, triggers, any::<bool>());
    let under_way = (prop::collection::vec(endless(), 0..3), prop::collection::vec(others(), 0..3));
    let brokers = (drains, under_way);
    let others = prop::collection::btree_map(0..=i32::MAX, any::<u64>(), 0..3);
    let rates = (any::<u64>(), others).prop_map(|(usual, others)| Rates { usual, others });
    let amounts = (prop::option::of(growth), prop_oneof![Just(Rates::default()), rates]);
    (told, prop::option::of(plans()), amounts, brokers).prop_map(
        |((controller, triggers, once), plan, (growth, rates), (drains, (endless, others)))| {
            Status { rates, controller, triggers, once, plan, growth, drains, endless, others }
        },
    )
}

proptest! {
    #[test]
    fn any_status_is_read_back(status in statuses()) {
        prop_assert_eq!(Status::parse(&status.to_string()).unwrap(), status);
    }

    #[test]
    fn no_text_breaks_the_reader(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = SMALL.as_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        // Whatever it says, a status that is read is written as one that is read.
        if let Ok(read) = Status::parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert_eq!(Status::parse(&read.to_string()).unwrap(), read);
        }
    }
}
