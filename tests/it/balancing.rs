//! A cluster of five brokers that balances itself while a client produces.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use logboom_balance::snapshot::Snapshot;
use logboom_balance::{Options, after, hosts, plan};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;

use crate::cluster::{Endless, PARTITIONS, all_are_there, produce, wait_for_progress};
use crate::groups::command;

/// How long is waited for what takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const REPORTS: &str = "balance.report.interval.ms=300";
/// Partitions of the topic that is nobody's but the first broker's.
const QUIET: i32 = 42;

/// What an operator asks of any broker.
fn ask(cluster: &Cluster, what: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = TcpStream::connect(cluster.admin(2)).unwrap();
        write!(stream, "GET /balance/{what} HTTP/1.1\r\nHost: b\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if head.starts_with("HTTP/1.1 200 ") {
            return body.to_owned();
        }
        assert!(head.starts_with("HTTP/1.1 503 ") && Instant::now() < deadline, "{answer}");
        pause();
    }
}

fn snapshot(cluster: &Cluster) -> Snapshot {
    Snapshot::parse(&ask(cluster, "snapshot")).unwrap()
}

/// Replicas of each broker.
fn counts(snapshot: &Snapshot) -> BTreeMap<i32, u64> {
    let hosts = hosts(snapshot).into_iter();
    hosts.map(|host| (host.broker.id, host.load.0[0])).collect()
}

/// Waits until the snapshot is as it should be.
fn wait_for(cluster: &Cluster, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = snapshot(cluster);
        if is_so(&now) {
            return now;
        }
        let status = || ask(cluster, "status");
        assert!(Instant::now() < deadline, "{what}: {:?}, {}", counts(&now), status());
        pause();
    }
}

/// Sets a configuration of a broker, or of `all`.
fn configure(cluster: &Cluster, broker: &str, setting: &str) {
    let words = if setting.contains('=') { "set" } else { "delete" };
    let bootstrap = cluster.bootstrap();
    let mut command = command(&bootstrap, &["config", words, "broker", broker, setting]);
    assert!(command.status().unwrap().success(), "{setting}");
}

/// Has a plan of all rules carried out, and waits until nothing is left of it.
fn balance(cluster: &Cluster) {
    configure(cluster, "all", "balance.once=true");
    let deadline = Instant::now() + PATIENCE;
    let mut has_begun = false;
    loop {
        let status = ask(cluster, "status");
        let is_asked_for = status.lines().any(|line| line == "once");
        // The broker that decides hears of what is set a moment later.
        has_begun |= is_asked_for;
        if has_begun && !is_asked_for {
            return;
        }
        assert!(Instant::now() < deadline, "{status}");
        pause();
    }
}

/// Four brokers, of which the last is to have half as much as others; a topic that a client of
/// librdkafka's keeps busy, and one of which the first broker has everything.
fn skewed(name: &str) -> (Cluster, String) {
    let settings = |id| {
        let weight = if id == 4 { vec!["balance.weight=50".to_owned()] } else { Vec::new() };
        [vec![REPORTS.to_owned()], weight].concat()
    };
    let cluster = Cluster::start_with(name, 4, settings);
    ["2", "3", "4"].into_iter().for_each(|id| configure(&cluster, id, "balance.drain=true"));
    let quiet = cluster.new_topic("quiet", QUIET, 1);
    let placed = cluster.wait_until(&quiet, "all are led", |it| it.leader_id > 0);
    assert!(placed.iter().all(|it| it.replica_nodes == [1]), "drained brokers are given nothing");
    for partition in 0..QUIET {
        produce(&cluster, &quiet, partition, &[7; 10_000]);
    }
    ["2", "3", "4"].into_iter().for_each(|id| configure(&cluster, id, "balance.drain"));
    let busy = cluster.new_topic("busy", PARTITIONS, 3);
    (cluster, busy)
}

#[test]
fn five_brokers_are_balanced_joined_and_drained_and_a_producer_loses_nothing() {
    let (mut cluster, busy) = skewed("balances");
    let Some(producer) = Endless::at_rate(&cluster, &busy, 500) else { return };
    let mut seen = 0;
    wait_for_progress(&cluster, &busy, &mut seen, 1);
    let before = wait_for(&cluster, "all is measured", |it| it.total().0[1] > 400_000);
    assert!(counts(&before)[&1] >= 42, "skew is left alone until somebody asks");
    let predicted = after(&before, &plan(&before, &Options::default()).moves);
    balance(&cluster);
    let reached = wait_for(&cluster, "it is measured where it is", |it| it.total().0[1] > 400_000);
    // The busy topic has gone on, and less evenly where the machine has more to do: that changes
    // what a plan does.
    for (id, count) in counts(&predicted) {
        let now = counts(&reached)[&id];
        assert!(now.abs_diff(count) <= 8, "{count} predicted of broker {id}, and it has {now}");
    }
    let shares = counts(&reached);
    assert!(shares[&4] <= shares[&2].min(shares[&3]) * 3 / 4, "half the weight: {shares:?}");

    assert_eq!(cluster.join("broker"), 5);
    cluster.wait_for_brokers(5);
    configure(&cluster, "5", REPORTS);
    configure(&cluster, "all", "balance.triggers=new-broker,skew,drain");
    wait_for(&cluster, "who joins is given its share", |it| counts(it)[&5] >= 8);

    configure(&cluster, "1", "balance.drain=true");
    let deadline = Instant::now() + PATIENCE;
    while !ask(&cluster, "status").contains("drain 1 replicas 0 leaders 0") {
        assert!(Instant::now() < deadline, "{}", ask(&cluster, "status"));
        pause();
    }
    wait_for_progress(&cluster, &busy, &mut seen, 2);
    all_are_there(&cluster, &busy, producer.end());
}
