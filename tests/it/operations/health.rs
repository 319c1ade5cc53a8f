//! `logboom cluster health` over kills, on a full disk, and where a link is cut; where flushes hang
//! or a log is damaged, the tests of those ask it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use logboom_protocol::messages::metadata::MetadataResponsePartition;
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::{Site, pause};
use logboom_tests::cluster::Cluster;
use logboom_tests::disk::Disk;
use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::network::{Namespaces, Network as _, Ways, Whom};

use crate::groups::command;
use crate::wire::{PRODUCE, now_ms, produce_to};

/// Longer than the command takes to see what has happened, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it says in JSON, and its exit status.
fn health(bootstrap: &str) -> (Option<i32>, Vec<Value>) {
    let output = command(bootstrap, &["cluster", "health", "--output", "json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), rows)
}

/// Waits until what it says is as it should be.
fn wait_until(bootstrap: &str, what: &str, is_so: impl Fn(Option<i32>, &[Value]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, rows) = health(bootstrap);
        if is_so(status, &rows) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {status:?} {rows:#?}");
        pause();
    }
}

/// Waits until the reason why a partition isn't fully replicated contains something.
pub(crate) fn wait_for_reason(cluster: &Cluster, topic: &str, reason: &str) {
    wait_until(&cluster.bootstrap(), reason, |status, rows| {
        let mut named = of_kind(rows, "partition").filter(|row| row["topic"] == topic);
        status == Some(1) && named.any(|row| why(row).contains(reason))
    });
}

fn of_kind<'a>(rows: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    rows.iter().filter(move |row| row["kind"] == kind)
}

fn why(row: &Value) -> &str {
    row["why"].as_str().unwrap_or_default()
}

#[test]
fn it_names_what_a_kill_takes_and_is_content_when_that_is_back() {
    // Pages are so small that there are several.
    let page = "max.request.partition.size.limit=3".to_owned();
    let mut cluster = Cluster::start_with("health", 3, |_| vec![page.clone()]);
    let topic = cluster.new_topic("health", 4, 3);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    let bootstrap = cluster.bootstrap();
    wait_until(&bootstrap, "all is well", |status, rows| {
        let summary = rows.last().unwrap();
        let quorum = &summary["quorum"];
        let is_whole = summary["partitions"] == 4 && quorum["in_contact"] == 3;
        status == Some(0) && summary["healthy"] == true && is_whole
    });
    cluster.kill(3);
    wait_until(&bootstrap, "what it had a copy of is named", |status, rows| {
        let named = of_kind(rows, "partition").filter(|row| row["topic"] == topic.as_str());
        let named = named.filter(|row| !row["leader"].is_null());
        let is_said = |row: &&Value| why(row).starts_with("3: not in contact since 20");
        status == Some(1) && named.filter(is_said).count() == 4
    });
    wait_until(&bootstrap, "and it is, as broker and as controller", |_, rows| {
        let broker = of_kind(rows, "broker").find(|row| row["broker"] == 3);
        let voter = of_kind(rows, "controller").find(|row| row["controller"] == 3);
        let is_said = |row: &Value| why(row).starts_with("not in contact since 20");
        broker.is_some_and(is_said) && voter.is_some_and(is_said)
    });
    let table = command(&bootstrap, &["cluster", "health"]).output().unwrap();
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("not healthy\n") && text.contains("3: not in contact"), "{text}");
    cluster.restart(3);
    wait_until(&bootstrap, "all is well again", |status, _| status == Some(0));
}

#[test]
fn without_a_majority_it_says_that_nobody_leads_and_who_is_missing() {
    let mut cluster = Cluster::start("health-minority", 3);
    let topic = cluster.new_topic("health-minority", 1, 3);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    let bootstrap = cluster.broker(1).bootstrap();
    cluster.kill(2);
    wait_until(&bootstrap, "one is missing", |_, rows| {
        of_kind(rows, "partition").any(|row| why(row).contains("2: not in contact"))
    });
    cluster.kill(3);
    wait_until(&bootstrap, "nobody leads", |status, rows| {
        let summary = rows.last().unwrap();
        let of_topic = of_kind(rows, "partition").find(|row| row["topic"] == topic.as_str());
        let is_said = of_topic
            .is_some_and(|row| row["leader"].is_null() && why(row).starts_with("no majority"));
        status == Some(1) && summary["quorum"]["why"].is_string() && is_said
    });
}

/// How often 900 kB fit into what the broker has reserved, and not into 256 MiB.
const BATCHES_MAX: usize = 150;

/// 900 kB that don't compress away.
fn send(cluster: &Cluster, topic: &str) {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(now_ms(), None, Some(&[b'x'; 900_000]), &[]).unwrap();
    let request = produce_to(topic, 0, builder.build().unwrap());
    // Who is asked may not lead any more.
    drop(cluster.leader(topic, 0).try_call(PRODUCE, &request));
}

#[test]
fn on_a_full_disk_it_names_what_lacks_records_and_the_directory() {
    let Some(disk) = or_skip("health and a full disk", Disk::mount("health-full")) else { return };
    let root = disk.path().join("broker");
    fs::create_dir(&root).unwrap();
    let roots = [scratch("health-full-1"), scratch("health-full-2"), root];
    let sites = roots.map(|root| (Site::default(), root)).into();
    let cluster = Cluster::start_at(sites, |_| Vec::new());
    let topic = cluster.new_topic("health-full", 1, 3);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    // Somebody else takes all the room that the broker hasn't reserved.
    let other = disk.path().join("other");
    fs::write(&other, vec![1; 256 << 20]).unwrap_err();
    let bootstrap = cluster.bootstrap();
    let lacking = |topic: &str, how: &str| {
        let (_, rows) = health(&bootstrap);
        let named = of_kind(&rows, "partition").find(|row| row["topic"] == topic);
        named.is_some_and(|row| why(row).contains(how) && why(row).contains(" bytes left"))
    };
    let (mut sent, deadline) = (0, Instant::now() + PATIENCE);
    while !lacking(&topic, "3: behind: its directory ") {
        // It counts as in sync for a moment after that.
        if sent < BATCHES_MAX {
            send(&cluster, &topic);
            sent += 1;
        }
        assert!(Instant::now() < deadline, "{:#?}", health(&bootstrap));
    }
    fs::remove_file(&other).unwrap();
    wait_until(&bootstrap, "all is well again", |status, _| status == Some(0));
}

#[test]
fn where_one_broker_hears_nothing_from_a_leader_it_names_the_two() {
    let Some(mut network) = or_skip("health and a cut link", Namespaces::build(3)) else { return };
    let site = |id| (network.site(id), scratch(&format!("health-cut-{id}")));
    let cluster = Cluster::start_at((1..=3).map(site).collect(), |_| Vec::new());
    let topic = cluster.new_topic("health-cut", 3, 3);
    let is_spread = |it: &MetadataResponsePartition| it.leader_id > 0 && it.isr_nodes.len() == 3;
    let led = cluster.wait_until(&topic, "all are in sync", is_spread);
    let (_, rows) = health(&cluster.bootstrap());
    let controls = |id: i32| {
        of_kind(&rows, "broker").any(|row| row["broker"] == id && row["controller"] == true)
    };
    // Who hears nothing from the controllers' leader is soon held to be gone.
    let leader = led.iter().map(|it| it.leader_id).find(|id| !controls(*id)).unwrap();
    let deaf = (1..=3).find(|id| *id != leader && !controls(*id)).unwrap();
    let of = |id: i32| usize::try_from(id).unwrap();
    network.cut(of(deaf), Ways::In, &Whom::Hosts(vec![of(leader)])).unwrap();
    let reason = format!("hears nothing from {leader} since 20");
    wait_for_reason(&cluster, &topic, &reason);
    wait_until(&cluster.bootstrap(), "and so it says of the broker", |_, rows| {
        let broker = of_kind(rows, "broker").find(|row| row["broker"] == deaf).unwrap();
        why(broker).contains(&format!("hears nothing from {leader} since 20"))
    });
    network.heal(of(deaf));
    wait_until(&cluster.bootstrap(), "all is well again", |status, _| status == Some(0));
}
