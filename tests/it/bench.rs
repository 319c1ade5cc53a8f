//! `logboom bench` against a running broker: it measures, leaves nothing, and ends well.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use logboom_tests::broker::{Broker, free_port, logboom};
use logboom_tests::foreign::scratch;
use logboom_tests::stub::{Stub, TOPIC};

use crate::clients::consume::{Isolation, served};
use crate::groups::command;

/// How long a topic may take to have its first record.
const FIRST_RECORD_MAX: Duration = Duration::from_secs(60);

fn bench(broker: &Broker, line: &str) -> Output {
    let words: Vec<&str> = ["bench"].into_iter().chain(line.split(' ')).collect();
    command(&broker.bootstrap(), &words).output().unwrap()
}

/// What a run tells that succeeds.
fn measured(broker: &Broker, line: &str) -> Value {
    let output = bench(broker, &format!("{line} --output json"));
    assert!(output.status.success(), "{line}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn topics(broker: &Broker) -> String {
    let output = command(&broker.bootstrap(), &["topic", "list"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn producing_tells_what_was_acknowledged_and_leaves_no_topic() {
    let admin = format!("127.0.0.1:{}", free_port());
    let broker = Broker::start_with("bench-produce", &[&format!("--admin-listen={admin}")]);
    let dir = scratch("bench-produce-files");
    let (page, file) = (dir.join("a.html"), dir.join("a.json"));
    let line = format!(
        "produce --topic bench-p --records 5000 --clients 2 --partitions 3 --record-bytes 100 \
         --keys zipf:50:1 --admin {admin} --ceiling-dir {} --html {} --save {}",
        dir.display(),
        page.display(),
        file.display()
    );
    let run = measured(&broker, &line);
    let one = &run["repetitions"][0];
    let sent = &one["produced"];
    assert_eq!((&sent["records"], &sent["failed"]), (&5000.into(), &0.into()), "{sent}");
    // A key has 12 bytes.
    assert_eq!(sent["bytes"], 560_000);
    assert_eq!(sent["latency"]["count"], 5_000);
    let told: Vec<f64> = sent["latency"]["percentiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["percent"].as_f64().unwrap())
        .collect();
    assert_eq!(told, [50.0, 90.0, 99.0], "twenty samples beyond each");
    assert_eq!(run["settings"]["partitions"], 3);
    assert!(one["client"]["cpu_seconds"].as_f64().unwrap() > 0.0);
    let used = &one["brokers"][0];
    assert!(used["flushes"].as_u64().unwrap() > 0, "{used}");
    assert!(used["rss_bytes"].as_u64().unwrap() > 1 << 20, "{used}");
    assert!(one["ceiling"]["write_flushed"].as_f64().unwrap() > 0.0);
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(&file).unwrap()).unwrap(), run);
    assert_eq!(fs::read_to_string(&page).unwrap().matches("<svg").count(), 3);
    assert!(!topics(&broker).contains("bench-p"));
}

#[test]
fn what_is_read_end_to_end_is_what_was_acknowledged() {
    let broker = Broker::start("bench-end-to-end");
    for more in ["", " --group g --groups 2 --consumers 2"] {
        let line = format!(
            "end-to-end --topic bench-e --rate 500 --duration 2s --warmup 0s --linger 0 \
             --no-ceiling --interval 500ms{more}"
        );
        let run = measured(&broker, &line);
        let one = &run["repetitions"][0];
        let (sent, read) = (&one["produced"], &one["consumed"]);
        assert_eq!((&sent["failed"], &read["failed"]), (&0.into(), &0.into()), "{more}: {one}");
        let groups = run["settings"]["groups"].as_u64().unwrap();
        // Of each record that was due both times are there, however late it was.
        let due = sent["latency"]["count"].as_u64().unwrap();
        assert!((999..=1_001).contains(&due), "{due} of 1000");
        assert_eq!(read["latency"]["count"].as_u64().unwrap(), due * groups, "{more}");
        assert!(!sent["timeline"].as_array().unwrap().is_empty(), "{more}");
    }
}

#[test]
fn reading_reads_all_that_was_filled_and_mixed_does_both() {
    let broker = Broker::start("bench-consume");
    let line = "consume --topic bench-c --records 3000 --clients 2 --groups 2 --no-ceiling \
                --record-bytes uniform:10-500 --compression lz4 --entropy 0.5 --repeat 2";
    let run = measured(&broker, line);
    assert_eq!(run["repetitions"].as_array().unwrap().len(), 2);
    for one in run["repetitions"].as_array().unwrap() {
        let read = &one["consumed"];
        // The first batch opens what is measured.
        let records = read["records"].as_u64().unwrap();
        assert!((4_000..6_000).contains(&records), "{read}");
        assert_eq!(one["produced"], Value::Null);
        assert!(read["first_record_ms"].as_f64().unwrap() > 0.0);
    }
    let line = "mixed --topic bench-m --fill 3MB --rate 100 --duration 10m --no-ceiling";
    let run = measured(&broker, line);
    let (sent, read) = (&run["repetitions"][0]["produced"], &run["repetitions"][0]["consumed"]);
    // What is sent meanwhile isn't read, and both end with what was there.
    let records = read["records"].as_u64().unwrap();
    assert!((1..3_000 + 2_000).contains(&records), "{read}");
    assert_eq!(sent["seconds"], read["seconds"]);
    assert!(read["seconds"].as_f64().unwrap() < 600.0, "{read}");
    assert!(!topics(&broker).contains("bench-"));
}

#[test]
fn consumers_without_a_partition_are_no_fault() {
    let broker = Broker::start("bench-idle");
    let line = "consume --topic bench-n --records 3000 --partitions 1 --clients 2 --no-ceiling";
    let run = measured(&broker, line);
    let read = &run["repetitions"][0]["consumed"];
    assert_eq!(read["failed"], 0, "{read}");
    // The first batch opens what is measured.
    assert!((1..3_000).contains(&read["records"].as_u64().unwrap()), "{read}");
}

#[test]
fn reading_ends_with_the_last_record_where_offsets_have_none() {
    let whole = served().pop().unwrap();
    let mut cut = whole.partition();
    // A transaction and its end.
    cut.batches.truncate(2);
    let stub = Stub::start(vec![whole.partition(), cut]).unwrap();
    let line = format!(
        "bench consume --topic {TOPIC} --records 1000000 --property \
         isolation.level=read_uncommitted --no-ceiling --output json"
    );
    let words: Vec<&str> = line.split(' ').collect();
    let output = command(&stub.bootstrap(), &words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let records = run["repetitions"][0]["consumed"]["records"].as_u64().unwrap();
    let all = whole.visible(Isolation::ReadUncommitted) as u64 * 4 / 3;
    // But for those that came first.
    assert!((1..all).contains(&records), "{records} of {all}");
    assert_eq!(stub.complaints(), Vec::<String>::new());
}

#[test]
fn what_was_due_is_measured_however_far_behind_the_senders_are() {
    let broker = Broker::start("bench-behind");
    // No machine sends them in that time.
    let line = "produce --topic bench-b --rate 10000000 --duration 20ms --warmup 0s --no-ceiling";
    let run = measured(&broker, line);
    let sent = &run["repetitions"][0]["produced"];
    let due = sent["latency"]["count"].as_u64().unwrap();
    assert!((199_999..=200_001).contains(&due), "{due} of 200000");
    let failed = sent["latency"]["lost"].as_u64().unwrap();
    assert_eq!(sent["failed"], failed);
}

#[test]
fn repetitions_leave_what_others_have_under_a_like_name() {
    let broker = Broker::start("bench-repeat");
    let one = "produce --topic bench-r-2 --records 1 --partitions 1 --keep-topic --no-ceiling";
    measured(&broker, one);
    let run = measured(&broker, "produce --topic bench-r --records 50 --repeat 2 --no-ceiling");
    assert_eq!(run["repetitions"].as_array().unwrap().len(), 2);
    let read = ["consume", "bench-r-2", "-e", "--format", r"%o\n"];
    let output = command(&broker.bootstrap(), &read).output().unwrap();
    assert_eq!(output.stdout, b"0\n", "{output:?}");
    assert_eq!(topics(&broker).matches("bench-r").count(), 1, "{}", topics(&broker));
}

#[test]
fn two_runs_are_compared_and_one_repetition_is_not_enough() {
    let broker = Broker::start("bench-compare");
    let dir = scratch("bench-compare-files");
    let save = |name: &str, repeat: u32| {
        let path = dir.join(name);
        let line = format!(
            "produce --records 500 --repeat {repeat} --no-ceiling --save {}",
            path.display()
        );
        measured(&broker, &line);
        path
    };
    let compare = |before: &Path, after: &Path| {
        let mut command = Command::new(logboom());
        command.args(["bench", "compare"]).args([before, after]).args(["--output", "json"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (one, two) = (save("one.json", 1), save("two.json", 2));
    assert_eq!(compare(&one, &two)["verdict"], "can't tell");
    let compared = compare(&two, &two);
    assert_eq!(compared["verdict"], "no difference shown", "{compared}");
    assert!(compared["figures"][0]["factor_interval"][0].as_f64().unwrap() < 1.0);
}

#[test]
fn an_interruption_tells_what_was_measured_until_then() {
    let broker = Broker::start("bench-interrupt");
    let words = "bench produce --topic bench-i --rate 200 --duration 10m --warmup 0s --no-ceiling \
                 --output json";
    let words: Vec<&str> = words.split(' ').collect();
    let mut running = command(&broker.bootstrap(), &words);
    let running = running.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + FIRST_RECORD_MAX;
    let read = ["consume", "bench-i", "--from", "beginning", "--count", "1"];
    while !command(&broker.bootstrap(), &read).output().unwrap().status.success() {
        assert!(Instant::now() < deadline, "no record comes");
    }
    let pid = running.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["interrupted"], true);
    assert!(run["repetitions"][0]["produced"]["records"].as_u64().unwrap() > 0);
    assert!(!topics(&broker).contains("bench-i"));
}

#[test]
fn what_can_not_be_done_is_named_and_nothing_is_left() {
    let broker = Broker::start("bench-refused");
    let said = |line: &str| {
        let output = bench(&broker, line);
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        assert_eq!(output.stdout, b"", "{line}");
        String::from_utf8(output.stderr).unwrap()
    };
    let why = said("produce --record-bytes file:/nonexistent");
    assert!(why.starts_with("logboom bench: /nonexistent: "), "{why}");
    let why = said("produce --records 10 --replication-factor 3");
    assert!(why.contains("topic logboom-bench"), "{why}");
    let why = said("produce --records 10 --record-bytes 3MiB");
    assert!(why.contains("max.request.size"), "{why}");
    let why = said("produce --records 10 --admin 127.0.0.1:1");
    assert!(why.contains("--admin 127.0.0.1:1: "), "{why}");
    assert!(!topics(&broker).contains("logboom-bench"));
}
