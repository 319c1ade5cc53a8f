//! Five brokers under load: one hot topic, one broker of half the weight, one that joins, one that
//! is drained. Nothing is lost, and what plans predict is what is measured afterwards.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use logboom_balance::snapshot::{Snapshot, Standing};
use logboom_balance::{Options, Resource, Rule, after, plan};
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::topic_name;

use super::{
    REPORTS, begin, configure, count, counts, create_on, each_has, foretold, int, loads, of_kind,
    said, snapshot, wait_for, wait_until_over,
};
use crate::cluster::{Endless, PARTITIONS, all_are_there, produce, wait_for_progress};
use crate::groups::command;

/// Partitions of the topic that nobody writes to, and of the hot one.
const QUIET: i32 = 42;
const HOT: i32 = 14;
/// What a record of the first holds.
const QUIET_BYTES: [u8; 10_000] = [7; 10_000];
/// What comes to the hot one in a second: nearly all that comes to anything.
const HOT_RECORDS: u64 = 300;
const HOT_RECORD_BYTES: u64 = 2_000;
/// How many replicas, and how many thousandths of all that comes in, a broker may have more or
/// less than was predicted. A partition of the hot topic is 70 of these: the controller makes its
/// plan a moment later, of loads that are a little different.
const REPLICAS_BEYOND: u64 = 8;
const PART_BEYOND: u64 = 90;

/// The load of the hot topic.
struct Heat(Option<Child>);

impl Heat {
    fn start(cluster: &Cluster, topic: &str) -> Self {
        let (rate, bytes) = (HOT_RECORDS.to_string(), HOT_RECORD_BYTES.to_string());
        let words = "bench produce --duration 10m --warmup 0s --no-ceiling --output json";
        let words: Vec<&str> = words.split(' ').collect();
        let more = ["--topic", topic, "--rate", &rate, "--record-bytes", &bytes];
        let mut command = command(&cluster.bootstrap(), &[&words[..], &more].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self(Some(child))
    }

    /// How many records were acknowledged.
    fn end(mut self) -> u64 {
        let child = self.0.take().expect("it runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        count(&run["repetitions"][0]["produced"]["records"])
    }
}

impl Drop for Heat {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The part of what comes in that comes to each broker, in thousandths.
fn parts(snapshot: &Snapshot) -> BTreeMap<i32, u64> {
    let loads = loads(snapshot, Resource::BytesIn);
    let all: u64 = loads.values().sum();
    loads.into_iter().map(|(id, load)| (id, load * 1_000 / all.max(1))).collect()
}

/// Whether brokers have what was predicted.
fn is_near(predicted: &Snapshot, measured: &Snapshot) -> bool {
    let are_near = |of: &dyn Fn(&Snapshot) -> BTreeMap<i32, u64>, most: u64| {
        let (predicted, measured) = (of(predicted), of(measured));
        predicted.into_iter().all(|(id, it)| measured[&id].abs_diff(it) <= most)
    };
    are_near(&counts, REPLICAS_BEYOND) && are_near(&parts, PART_BEYOND)
}

/// Waits until what was predicted is measured, and says how far it is.
fn wait_for_prediction(cluster: &Cluster, predicted: &Snapshot) -> Snapshot {
    let what = format!("{:?} and {:?} are predicted", counts(predicted), parts(predicted));
    let measured = wait_for(cluster, &what, |it| is_measured(it) && is_near(predicted, it));
    let all = measured.total()[Resource::BytesIn];
    eprintln!("{what}; {:?} and {:?} of {all} are there", counts(&measured), parts(&measured));
    measured
}

/// Whether both topics' loads are measured as they are: nothing is copied that counts for one.
fn is_measured(snapshot: &Snapshot) -> bool {
    let (hot, bytes_in) = (HOT_RECORDS * HOT_RECORD_BYTES, snapshot.total()[Resource::BytesIn]);
    let is_hot = bytes_in > hot * 9 / 10 && bytes_in < hot * 3;
    is_hot && snapshot.total()[Resource::DiskBytes] > 400_000
}

/// Has a plan of all rules carried out, and compares what it predicts with what is measured then,
/// which it gives.
fn balance(cluster: &Cluster) -> Snapshot {
    wait_for(cluster, "all is measured", is_measured);
    let (before, predicted) = foretold(cluster);
    assert!(!is_near(&predicted, &before), "it changes nothing: {before}");
    begin(cluster);
    wait_until_over(cluster);
    wait_for_prediction(cluster, &predicted)
}

/// Four brokers, of which the last is to have half as much as others; a hot topic and one of which
/// nobody writes to, all on the first broker, and one of three replicas.
fn skewed(name: &str) -> (Cluster, [String; 3]) {
    let settings = |id| {
        let weight = if id == 4 { vec!["balance.weight=50".to_owned()] } else { Vec::new() };
        [vec![REPORTS.to_owned()], weight].concat()
    };
    let cluster = Cluster::start_with(name, 4, settings);
    let names = ["quiet", "hot", "busy"].map(topic_name);
    create_on(&cluster, &[1], &names[0], QUIET, 1);
    create_on(&cluster, &[1], &names[1], HOT, 1);
    (0..QUIET).for_each(|it| _ = produce(&cluster, &names[0], it, &QUIET_BYTES));
    cluster.create_topic(&names[2], PARTITIONS, 3);
    (cluster, names)
}

/// Drains a broker by the command, which ends when nothing is left, and compares that with what a
/// plan of the rules that are followed predicts.
fn drain(cluster: &Cluster, id: i32) {
    let before = wait_for(cluster, "all is measured", is_measured);
    let mut brokers = before.brokers().to_vec();
    let drained = brokers.iter_mut().filter(|broker| broker.id == id);
    drained.for_each(|broker| broker.standing = Standing::Draining);
    let before = before.with_brokers(brokers).unwrap();
    let rules = [Rule::LostBroker, Rule::Capacity, Rule::Drain, Rule::DiskPressure];
    let options = Options { rules: rules.into_iter().collect(), ..Options::default() };
    let predicted = after(&before, &plan(&before, &options).moves);
    assert_eq!(counts(&predicted)[&id], 0);
    let said = said(cluster, &["drain", &id.to_string(), "--timeout", "100"]);
    let told = (int(&said[0]["broker"]), count(&said[0]["replicas"]), count(&said[0]["leaders"]));
    assert_eq!(told, (id, 0, 0));
    let measured = wait_for_prediction(cluster, &predicted);
    assert_eq!(counts(&measured)[&id], 0);
}

/// `capacity` tells what brokers have, of each resource.
fn capacity_is_told(cluster: &Cluster) {
    let told = said(cluster, &["capacity"]);
    let rows = of_kind(&told, "headroom");
    let rows = rows.iter().filter(|row| row["resource"] == "partitions");
    let told_counts: BTreeMap<i32, u64> =
        rows.map(|row| (int(&row["broker"]), count(&row["load"]))).collect();
    assert_eq!(told_counts, counts(&snapshot(cluster)));
    assert_eq!(of_kind(&told, "headroom").len(), 5 * Resource::ALL.len());
    let outlooks = of_kind(&told, "outlook");
    let outlooks: Vec<&str> = outlooks.iter().map(|it| it["brokers"].as_str().unwrap()).collect();
    assert_eq!(outlooks, ["as-they-are", "one-more", "one-less"]);
}

#[test]
fn what_is_predicted_of_a_hot_topic_a_join_and_a_drain_is_measured_and_nothing_is_lost() {
    let (mut cluster, [quiet, hot, busy]) = skewed("balances");
    let Some(producer) = Endless::at_rate(&cluster, &busy, 500) else { return };
    let heat = Heat::start(&cluster, &hot);
    let mut seen = 0;
    wait_for_progress(&cluster, &busy, &mut seen, 1);
    let before = wait_for(&cluster, "all is measured", is_measured);
    assert!(counts(&before)[&1] >= 56 && parts(&before)[&1] > 900, "{before}");
    let measured = balance(&cluster);
    for of in [counts(&measured), parts(&measured)] {
        assert!(of[&4] * 2 <= (of[&2] + of[&3]) * 4 / 5, "half as much as others: {of:?}");
    }

    assert_eq!(cluster.join("broker"), 5);
    cluster.wait_for_brokers(5);
    configure(&cluster, "5", REPORTS);
    wait_for(&cluster, "it says what it may have", |it| counts(it).contains_key(&5));
    let measured = balance(&cluster);
    assert!(counts(&measured)[&5] >= 8 && parts(&measured)[&5] > 140, "{measured}");

    drain(&cluster, 1);
    let status = said(&cluster, &["balance", "--status"]);
    let drains = of_kind(&status, "drain");
    assert_eq!((drains.len(), int(&drains[0]["broker"])), (1, 1), "{status:?}");
    capacity_is_told(&cluster);
    let back = said(&cluster, &["undrain", "1"]);
    assert_eq!((&back[0]["broker"], &back[0]["drained"]), (&1.into(), &false.into()));
    let after = cluster.new_topic("after", 1, 5);
    cluster.wait_until(&after, "it is given its share", |it| it.replica_nodes.contains(&1));

    wait_for_progress(&cluster, &busy, &mut seen, 2);
    all_are_there(&cluster, &busy, producer.end());
    let acknowledged = heat.end();
    let end = |one| cluster.leader(&hot, one).try_end_offset(&hot, one);
    let kept: i64 = (0..HOT).map(|one| end(one).unwrap()).sum();
    let kept = u64::try_from(kept).unwrap();
    assert!(acknowledged > 0 && kept >= acknowledged, "{kept} of {acknowledged}");
    each_has(&cluster, &quiet, QUIET, &QUIET_BYTES);
    let status = said(&cluster, &["balance", "--status"]);
    assert!(of_kind(&status, "drain").is_empty(), "{status:?}");
}
