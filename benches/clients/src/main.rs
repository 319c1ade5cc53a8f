//! Our Rust clients beside librdkafka, through its Rust binding, and beside krafka and rskafka,
//! which are pure Rust: the same work against the same broker, each time in a process of its own.
//!
//! `clients HOST:PORT [ROUNDS [RECORDS]]` measures all of them in turn, round by round, and prints
//! a table with medians over the rounds and ratios within them. What it runs for each of them is
//! `clients HOST:PORT one CLIENT WORK TOPIC BYTES RECORDS`.
//!
//! All have acks=all, 5 ms of linger, batches of 256 KiB, no compression, and are idempotent where
//! they can be. The processor's time is that of the client's process, from the first record on.
//! What a client says that it has produced has to be there, or nothing is measured.

mod krafka;
mod librdkafka;
mod measure;
mod ours;
mod rskafka;
mod table;

use std::io::{self, Write as _};
use std::process::{Command, ExitCode};

use serde_json::Value;

use measure::Work;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Partitions of every topic.
pub(crate) const PARTITIONS: i32 = 4;
/// Bytes of a batch.
pub(crate) const BATCH_BYTES: usize = 256 << 10;
/// Milliseconds for which a batch waits for more.
pub(crate) const LINGER_MS: u64 = 5;
/// Records that a producer sends before its time is taken, where it sends as fast as goes.
const FIRST: u64 = 1;
/// Records a second, where the time from end to end is measured.
pub(crate) const RATE: u64 = 10_000;

const CLIENTS: [&str; 4] = ["ours", "librdkafka", "krafka", "rskafka"];
/// Ours once more, where records are read one by one.
const BY_RECORD: &str = "ours, next()";
const SIZES: [usize; 2] = [100, 1_024];
const USAGE: &str = "usage: clients HOST:PORT [ROUNDS [RECORDS]]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        [bootstrap, "one", client, work, topic, bytes, records] => {
            one(bootstrap, client, work, topic, bytes, records)
        }
        [bootstrap] => all(bootstrap, 5, 4_000_000),
        [bootstrap, rounds] => number(rounds).and_then(|rounds| all(bootstrap, rounds, 4_000_000)),
        [bootstrap, rounds, records] => number(rounds)
            .and_then(|rounds| number(records).and_then(|records| all(bootstrap, rounds, records))),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(text) if writeln!(io::stdout(), "{text}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(io::stderr(), "error: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| format!("{text} is no number; {USAGE}").into())
}

/// Does one client's work in this process; what it took, as JSON.
fn one(
    bootstrap: &str,
    client: &str,
    work: &str,
    topic: &str,
    bytes: &str,
    records: &str,
) -> Result<String, Failure> {
    let (bytes, records) = (number(bytes)? as usize, number(records)?);
    let work = Work { bootstrap, topic, bytes, records, kind: work.parse()? };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let spent = match client {
        "ours" => runtime.block_on(ours::run(&work))?,
        BY_RECORD => runtime.block_on(ours::consume_by_record(&work))?,
        "librdkafka" => librdkafka::run(&work)?,
        "krafka" => runtime.block_on(krafka::run(&work))?,
        "rskafka" => runtime.block_on(rskafka::run(&work))?,
        _ => return Err(format!("{client} is none of {}", CLIENTS.join(", ")).into()),
    };
    Ok(spent.to_string())
}

/// All clients and all works, round by round, as a table.
fn all(bootstrap: &str, rounds: u64, records: u64) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let run = format!("{}", std::process::id());
    let mut results = table::Results::default();
    for bytes in SIZES {
        // As many bytes of each size, more or less.
        let records = records * SIZES[0] as u64 / bytes as u64;
        let filled = format!("clients-{run}-{bytes}");
        runtime.block_on(ours::create_topic(bootstrap, &filled))?;
        let told = child(bootstrap, "ours", "produce", &filled, bytes, records)?;
        runtime.block_on(check(bootstrap, "ours", &filled, &told, FIRST))?;
        for round in 0..rounds {
            for client in CLIENTS {
                let topic = format!("clients-{run}-{bytes}-{round}-{client}");
                runtime.block_on(ours::create_topic(bootstrap, &topic))?;
                let produced = child(bootstrap, client, "produce", &topic, bytes, records)?;
                runtime.block_on(check(bootstrap, client, &topic, &produced, FIRST))?;
                results.add("produce", bytes, client, &produced);
                runtime.block_on(ours::delete_topic(bootstrap, &topic))?;
            }
            for client in CLIENTS.into_iter().chain([BY_RECORD]) {
                let consumed = child(bootstrap, client, "consume", &filled, bytes, records)?;
                results.add("consume", bytes, client, &consumed);
            }
        }
        for round in 0..rounds {
            for client in CLIENTS {
                let topic = format!("clients-{run}-{bytes}-{round}-{client}-through");
                runtime.block_on(ours::create_topic(bootstrap, &topic))?;
                let through = child(bootstrap, client, "through", &topic, bytes, 10 * RATE)?;
                runtime.block_on(check(bootstrap, client, &topic, &through, 0))?;
                results.add("through", bytes, client, &through);
                runtime.block_on(ours::delete_topic(bootstrap, &topic))?;
            }
        }
        runtime.block_on(ours::delete_topic(bootstrap, &filled))?;
    }
    Ok(results.to_string())
}

/// Looks whether as many records are there as a client says that it has produced.
///
/// - `first`: those that it sent before.
async fn check(
    bootstrap: &str,
    client: &str,
    topic: &str,
    told: &Value,
    first: u64,
) -> Result<(), Failure> {
    let told = told["records"].as_u64().unwrap_or(0) + first;
    let there = ours::record_count(bootstrap, topic).await?;
    if there == told {
        return Ok(());
    }
    Err(format!("{client} says that it has produced {told} records; {topic} has {there}").into())
}

/// One client's work in a process of its own.
fn child(
    bootstrap: &str,
    client: &str,
    work: &str,
    topic: &str,
    bytes: usize,
    records: u64,
) -> Result<Value, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([bootstrap, "one", client, work, topic]);
    command.args([bytes.to_string(), records.to_string()]);
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{client}, {work}: {}", said.trim()).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
