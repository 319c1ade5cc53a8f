//! What lies in the files of a topic, as `logboom log dump` shows it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use logboom_protocol::records::{CheckedBatch, Inflater};
use logboom_tests::broker::{Broker, logboom, pause};
use logboom_tests::foreign::printed;
use logboom_tests::raw::Raw;

/// How often brokers are asked who may not lead.
const ASKED_MAX: usize = 2_000;

/// A batch of partition 0.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) base_offset: i64,
    pub(super) end_offset: i64,
    pub(super) codec: i64,
    pub(super) producer_id: i64,
}

/// The batches of partition 0 of a topic.
pub(super) fn stored(broker: &Broker, topic: &str) -> Vec<Stored> {
    let name = Some(topic.into());
    let asked = MetadataRequestTopic { name, ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    let found = Raw::connect(&broker.bootstrap()).call(12, &request).topics.remove(0);
    let dir = broker.data_dir().join(format!("partitions/{}-0", found.topic_id));
    let files = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{dir:?}: {error}"));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
    files.sort();
    let mut batches = Vec::new();
    for file in files {
        let dump = Command::new(logboom())
            .args(["log", "dump", "--output", "json"])
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8(dump.stdout).unwrap();
        batches.extend(text.lines().map(batch));
    }
    batches
}

fn batch(line: &str) -> Stored {
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    let number = |name: &str| json[name].as_i64().unwrap_or_else(|| panic!("{name}: {line}"));
    let base_offset = number("base_offset");
    Stored {
        base_offset,
        end_offset: base_offset + number("last_offset_delta") + 1,
        codec: number("codec"),
        producer_id: number("producer_id"),
    }
}

/// The timestamp of the record at `offset` of partition 0.
pub(super) fn timestamp(bootstrap: &str, topic: &str, offset: usize) -> i64 {
    let offset = i64::try_from(offset).unwrap();
    let partition = FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: 30_000,
        min_bytes: 1,
        max_bytes: 1,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    // One of a cluster leads, though perhaps not at once.
    let asked = |address: &str| {
        pause();
        let response = Raw::try_connect(address).ok()?.try_call(11, &request)?;
        let answer = &response.responses[0].partitions[0];
        answer.records.clone().filter(|_| answer.error_code == ErrorCode::NONE)
    };
    let addresses = bootstrap.split(',').collect::<Vec<_>>();
    let mut tried = addresses.iter().cycle().take(ASKED_MAX);
    let records = tried.find_map(|address| asked(address)).expect("somebody leads");
    let batch = CheckedBatch::check(records).unwrap();
    let base_offset = batch.header().base_offset;
    let records = batch.records(&mut Inflater::default()).unwrap();
    let mut records = records.iter().map(Result::unwrap);
    let index = usize::try_from(offset - base_offset).unwrap();
    records.nth(index).expect("in its batch").timestamp
}

/// Runs a program with `input`; what it printed.
pub(super) fn fed(command: &mut Command, input: &str) -> String {
    if input.is_empty() {
        return printed(command.stdin(Stdio::null()));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
