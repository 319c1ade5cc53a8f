//! `logboom cluster health` over kills.

use std::time::{Duration, Instant};

use serde_json::Value;

use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;

use crate::groups::command;

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
