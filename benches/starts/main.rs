//! How soon a broker with many partitions answers, after a clean stop and after a kill.
//!
//! `cargo run --release -p logboom-benches --bin starts -- target/release/logboom DIR` fills DIR,
//! which must be empty, with 10 GB in 5,000 partitions through the protocol; `--partitions=N`,
//! `--bytes=N` (a partition) and `--runs=N` make it smaller. Before each start the page cache is
//! dropped, where this process may do that (root). The first kill comes when all partitions were
//! written to; before each further one a megabyte more is written to one partition in fifty.
//!
//! Must always hold: the broker that was started here is gone in the end.

use std::io::{self, Write as _};
use std::process::{Command, ExitCode};
use std::time::Duration;

use bytes::Bytes;

use logboom_benches::process::Broker;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::raw::Raw;

const TOPIC: &str = "many";
/// Bytes of a batch, below the default of `max.message.bytes`.
const BATCH_BYTES: usize = 1_000_000;
/// Partitions of a request.
const BATCHES_PER_REQUEST: usize = 16;
/// Of so many partitions one is written to before a kill.
const WRITTEN: usize = 50;

struct Sizes {
    partitions: usize,
    bytes: usize,
    runs: usize,
}

fn main() -> ExitCode {
    let mut words = Vec::new();
    let mut sizes = Sizes { partitions: 5_000, bytes: 2_000_000, runs: 3 };
    for argument in std::env::args().skip(1) {
        match argument.split_once('=').map(|(name, value)| (name, value.parse())) {
            Some(("--partitions", Ok(number))) => sizes.partitions = number,
            Some(("--bytes", Ok(number))) => sizes.bytes = number,
            Some(("--runs", Ok(number))) => sizes.runs = number,
            _ => words.push(argument),
        }
    }
    let [binary, dir] = &words[..] else {
        say("usage: starts BINARY DIR [--partitions=N] [--bytes=N] [--runs=N]");
        return ExitCode::from(2);
    };
    match measure(binary, dir, &sizes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("starts: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(binary: &str, dir: &str, sizes: &Sizes) -> io::Result<()> {
    let Sizes { partitions, bytes, runs } = *sizes;
    let broker = Broker::start(binary, dir, &[])?;
    say(&format!("empty: {}", described(&broker)?));
    let mut raw = Raw::connect(&broker.address.to_string());
    create(&mut raw, partitions)?;
    for _ in 0..bytes / BATCH_BYTES {
        fill(&mut raw, 0..partitions)?;
    }
    say(&format!("{partitions} partitions of {bytes} bytes: {}", described(&broker)?));
    let mut broker = broker;
    for run in 0..runs {
        if run > 0 {
            let mut raw = Raw::connect(&broker.address.to_string());
            fill(&mut raw, (0..partitions).step_by(WRITTEN))?;
        }
        broker.kill();
        let cache = drop_page_cache();
        broker = Broker::start(binary, dir, &[])?;
        say(&format!("a kill, page cache {cache}: {}", described(&broker)?));
    }
    for _ in 0..runs {
        let took = broker.stop()?;
        let cache = drop_page_cache();
        broker = Broker::start(binary, dir, &[])?;
        let (stopped, started) = (seconds(took), described(&broker)?);
        say(&format!("a clean stop in {stopped} s, page cache {cache}: {started}"));
    }
    Ok(())
}

fn described(broker: &Broker) -> io::Result<String> {
    let ready = broker.ready_after.as_secs_f64() * 1e3;
    let (rss, anonymous) = (broker.status("VmRSS")? >> 10, broker.status("RssAnon")? >> 10);
    let read = broker.bytes_read()? >> 20;
    Ok(format!(
        "answers after {ready:.1} ms, {read} MiB read, RSS {rss} MiB, RssAnon {anonymous} MiB"
    ))
}

fn seconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64())
}

/// Drops what the system holds of files, and says whether it may.
fn drop_page_cache() -> &'static str {
    let synced = Command::new("sync").status().is_ok_and(|status| status.success());
    match std::fs::write("/proc/sys/vm/drop_caches", "3") {
        Ok(()) if synced => "dropped",
        _ => "warm",
    }
}

fn create(raw: &mut Raw, partitions: usize) -> io::Result<()> {
    let num_partitions = i32::try_from(partitions).map_err(io::Error::other)?;
    let topic = CreatableTopic {
        name: TOPIC.into(),
        num_partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
    no_error(raw.call(5, &request).topics[0].error_code)
}

/// Writes a batch to each of these partitions.
fn fill(raw: &mut Raw, partitions: impl Iterator<Item = usize>) -> io::Result<()> {
    let batch = batch()?;
    let partitions: Vec<usize> = partitions.collect();
    for some in partitions.chunks(BATCHES_PER_REQUEST) {
        let data = some.iter().map(|&index| PartitionProduceData {
            index: i32::try_from(index).unwrap_or(i32::MAX),
            records: Some(batch.clone()),
        });
        let topic = TopicProduceData {
            name: TOPIC.into(),
            partition_data: data.collect(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 60_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        for answer in &raw.call(7, &request).responses[0].partition_responses {
            no_error(answer.error_code)?;
        }
    }
    Ok(())
}

fn batch() -> io::Result<Bytes> {
    let mut builder = BatchBuilder::new(Codec::None);
    let value = vec![b'x'; 1_000];
    for _ in 0..BATCH_BYTES / 1_010 {
        builder.append(1, None, Some(&value), &[]).map_err(io::Error::other)?;
    }
    builder.build().map_err(io::Error::other)
}

fn no_error(code: ErrorCode) -> io::Result<()> {
    match code {
        ErrorCode::NONE => Ok(()),
        code => Err(io::Error::other(code.to_string())),
    }
}

fn say(line: &str) {
    // Nobody reads on.
    drop(writeln!(io::stdout(), "{line}"));
}
