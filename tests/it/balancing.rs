//! Clusters of brokers, each a process, that are balanced by what an operator types.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use logboom_balance::snapshot::Snapshot;
use logboom_balance::{Options, Resource, after, hosts, plan};
use logboom_protocol::ErrorCode;
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;
use logboom_tests::raw::try_read_all;

use crate::groups::command;

mod five;
mod interrupted;
mod kept;
mod leaderless;
mod lost;
mod manual;
mod rules;

/// How long is waited for what takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const REPORTS: &str = "balance.report.interval.ms=300";

/// What a broker's admin listener says, once anybody decides.
fn ask(cluster: &Cluster, what: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(cluster.any_admin(), &format!("/balance/{what}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        if head.starts_with("HTTP/1.1 200 ") {
            return body.to_owned();
        }
        assert!(head.starts_with("HTTP/1.1 503 ") && Instant::now() < deadline, "{answer}");
        pause();
    }
}

/// What an admin listener answers, with its head.
fn get(admin: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: b\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn snapshot(cluster: &Cluster) -> Snapshot {
    Snapshot::parse(&ask(cluster, "snapshot")).unwrap()
}

/// What brokers have of a resource.
fn loads(snapshot: &Snapshot, resource: Resource) -> BTreeMap<i32, u64> {
    let hosts = hosts(snapshot).into_iter();
    hosts.map(|host| (host.broker.id, host.load[resource])).collect()
}

/// Replicas of each broker.
fn counts(snapshot: &Snapshot) -> BTreeMap<i32, u64> {
    loads(snapshot, Resource::Partitions)
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

/// What `logboom cluster` does with these words.
fn run(cluster: &Cluster, words: &[&str]) -> Output {
    let mut words = [&["cluster"], words, &["--output", "json"]].concat();
    if words[1] != "undrain" {
        words.extend(["--admin", cluster.any_admin()]);
    }
    command(&cluster.bootstrap(), &words).output().unwrap()
}

/// What it says where it ends well, a value a line.
fn said(cluster: &Cluster, words: &[&str]) -> Vec<Value> {
    let output = run(cluster, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(json).collect()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Of what was said, that of one kind.
fn of_kind<'a>(said: &'a [Value], kind: &str) -> Vec<&'a Value> {
    said.iter().filter(|row| row["kind"] == kind).collect()
}

/// How it stands, as `--status` says, once it is as it should be.
fn wait_for_status(
    cluster: &Cluster,
    what: &str,
    is_so: impl Fn(&[Value], &Value) -> bool,
) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = run(cluster, &["balance", "--status"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let rows: Vec<Value> = text.lines().map(json).collect();
        // While nobody decides it can't be said.
        if rows.last().is_some_and(|summary| is_so(&rows, summary)) {
            return rows;
        }
        assert!(Instant::now() < deadline, "{what}: {output:?}");
        pause();
    }
}

/// Sets a configuration of a broker, or of `all`.
fn configure(cluster: &Cluster, broker: &str, setting: &str) {
    let words = ["config", "set", "broker", broker, setting];
    let output = command(&cluster.bootstrap(), &words).output().unwrap();
    assert!(output.status.success(), "{setting}: {output:?}");
}

/// Begins a plan of all rules.
fn begin(cluster: &Cluster) {
    let said = said(cluster, &["balance", "--yes"]);
    assert_eq!(said.last().unwrap()["kind"], "begun", "{said:?}");
}

/// Waits until nothing is left of what was asked for.
fn wait_until_over(cluster: &Cluster) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = command(&cluster.bootstrap(), &["config", "list"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        if !String::from_utf8_lossy(&output.stdout).contains("balance.once") {
            return;
        }
        assert!(Instant::now() < deadline, "{}", ask(cluster, "status"));
        pause();
    }
}

/// What a plan of all rules would make of the cluster, as an operator is told it, and what it is
/// made of.
fn foretold(cluster: &Cluster) -> (Snapshot, Snapshot) {
    let file = scratch("foretold").join("snapshot.txt");
    let name = file.to_str().unwrap();
    let said = said(cluster, &["balance", "--dry-run", "--explain", "--save", name]);
    let before = Snapshot::parse(&fs::read_to_string(&file).unwrap()).unwrap();
    let made = plan(&before, &Options::default());
    let told = of_kind(&said, "move");
    let moves = made.moves.iter().map(|it| (it.from, it.to, it.bytes));
    let told = told.iter().map(|it| (int(&it["from"]), int(&it["to"]), count(&it["bytes"])));
    assert!(told.eq(moves), "the same snapshot gives the same plan: {said:?}");
    let predicted = after(&before, &made.moves);
    (before, predicted)
}

fn int(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap()).unwrap()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// Creates a topic on these brokers alone: all others are drained meanwhile.
fn create_on(cluster: &Cluster, brokers: &[i32], name: &str, partitions: i32, replicas: i16) {
    let others: Vec<String> = counts(&snapshot(cluster))
        .into_keys()
        .collect::<Vec<_>>()
        .into_iter()
        .filter(|id| !brokers.contains(id))
        .map(|id| id.to_string())
        .collect();
    others.iter().for_each(|id| drop(said(cluster, &["drain", id, "--no-wait"])));
    cluster.create_topic(name, partitions, replicas);
    let placed = cluster.wait_until(name, "all are led", |it| it.leader_id > 0);
    let is_there = |id: &i32| brokers.contains(id);
    assert!(placed.iter().all(|it| it.replica_nodes.iter().all(is_there)), "{placed:?}");
    others.iter().for_each(|id| drop(said(cluster, &["undrain", id])));
}

/// Each partition of a topic has one record, and that has these bytes.
fn each_has(cluster: &Cluster, topic: &str, partitions: i32, value: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    for partition in 0..partitions {
        let records = loop {
            match try_read_all(&mut cluster.leader(topic, partition), topic, partition) {
                Ok(records) => break records,
                // Who is to lead it again has to be elected first.
                Err(ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::LEADER_NOT_AVAILABLE)
                    if Instant::now() < deadline =>
                {
                    pause();
                }
                Err(code) => panic!("{topic}-{partition}: {code:?}"),
            }
        };
        assert_eq!(records.len(), 1, "{topic}-{partition}");
        assert_eq!(records[0].value[..], *value, "{topic}-{partition}");
    }
}
