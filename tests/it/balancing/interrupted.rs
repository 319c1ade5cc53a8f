//! A plan that is cancelled goes no further, and one whose controller is killed does.

use std::time::{Duration, Instant};

use serde_json::Value;

use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::topic_name;

use super::{
    REPORTS, begin, counts, create_on, each_has, int, of_kind, said, snapshot, wait_for,
    wait_for_status, wait_until_over,
};
use crate::cluster::produce;

const PARTITIONS: i32 = 24;
static VALUE: [u8; 100_000] = [5; 100_000];
/// What all brokers have in their files, and nobody knows who isn't told.
const WEIGHT: u32 = 70;
/// Of 72 replicas; a plan stops a little away from it.
const FAIR_SHARE: u64 = 15;
/// Longer than from one look for something to do to the next.
const CALM: Duration = Duration::from_secs(4);

/// Four brokers of which one has nothing, and that takes one replica after the other, slowly. Who
/// has nothing, and the topic.
fn one_is_empty(name: &str) -> (Cluster, i32, String) {
    let slowly = ["balance.moves.per.broker=1", "balance.move.bytes.per.second=400000"];
    let weight = format!("balance.weight={WEIGHT}");
    let settings = |_| {
        let usual = [REPORTS, &weight].into_iter();
        usual.chain(slowly).map(str::to_owned).collect()
    };
    let cluster = Cluster::start_with(name, 4, settings);
    let empty = (1..=4).rev().find(|id| *id != controller(&cluster)).unwrap();
    let full: Vec<i32> = (1..=4).filter(|id| *id != empty).collect();
    let topic = topic_name(name);
    create_on(&cluster, &full, &topic, PARTITIONS, 3);
    (0..PARTITIONS).for_each(|it| _ = produce(&cluster, &topic, it, &VALUE));
    (cluster, empty, topic)
}

fn controller(cluster: &Cluster) -> i32 {
    let status = wait_for_status(cluster, "somebody decides", |_, _| true);
    int(&status.last().unwrap()["controller"])
}

/// Whether a plan is in its midst: some replicas have come, and some will.
fn is_begun_and_not_over(rows: &[Value]) -> bool {
    let moves = of_kind(rows, "move");
    let replicas = moves.iter().filter(|it| it["what"] != "leader");
    let stages: Vec<&Value> = replicas.map(|it| &it["stage"]).collect();
    let done = stages.iter().filter(|stage| **stage == "done").count();
    let waiting = stages.iter().filter(|stage| **stage == "waits-for-turn").count();
    done >= 2 && waiting >= 4
}

#[test]
fn a_plan_that_is_cancelled_goes_no_further() {
    let (cluster, empty, topic) = one_is_empty("interrupted");
    let has = |cluster: &Cluster| counts(&snapshot(cluster))[&empty];
    assert_eq!(has(&cluster), 0);
    begin(&cluster);
    wait_for_status(&cluster, "it is in its midst", |rows, _| is_begun_and_not_over(rows));
    let cancelled = said(&cluster, &["balance", "--cancel"]);
    assert_eq!(cancelled[0]["kind"], "cancelled", "{cancelled:?}");
    let status = wait_for_status(&cluster, "it is stopped", |_, it| {
        it["once"] == false && it["plan"].is_null()
    });
    assert_eq!(of_kind(&status, "move").len(), 0);
    let moved = has(&cluster);
    assert!((1..FAIR_SHARE).contains(&moved), "{moved}");
    let until = Instant::now() + CALM;
    while Instant::now() < until {
        assert_eq!(has(&cluster), moved, "nobody has asked for that");
        pause();
    }
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    each_has(&cluster, &topic, PARTITIONS, &VALUE);
}

#[test]
fn a_plan_whose_controller_is_killed_is_gone_on_with() {
    let (mut cluster, empty, topic) = one_is_empty("resumed");
    let has = |cluster: &Cluster| counts(&snapshot(cluster))[&empty];
    begin(&cluster);
    wait_for_status(&cluster, "it is in its midst", |rows, _| is_begun_and_not_over(rows));
    let killed = controller(&cluster);
    assert_ne!(killed, empty);
    cluster.kill(killed);
    let at_first = has(&cluster);
    wait_for_status(&cluster, "another decides", |_, it| {
        int(&it["controller"]) != killed && it["once"] == true
    });
    let now = snapshot(&cluster);
    let weights: Vec<u32> = now.brokers().iter().map(|broker| broker.weight).collect();
    assert_eq!(weights, [WEIGHT; 4], "the one that is down has told it before");
    let share = |it: &logboom_balance::Snapshot| counts(it)[&empty] >= FAIR_SHARE;
    wait_for(&cluster, "it goes on", share);
    assert!(at_first < FAIR_SHARE, "it was over before: {at_first}");
    cluster.restart(killed);
    wait_until_over(&cluster);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    each_has(&cluster, &topic, PARTITIONS, &VALUE);
}
