//! Loads: the driver and Kafka's performance tools, asked in the same words, answering alike.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};

use logboom_compare::{cpu_seconds, pause};

use crate::options::sibling;
use crate::probe;
use crate::process::output;
use crate::scenario::{Client, Kind, Scenario};
use crate::systems::{Jars, Running, System};

/// How long one load may take.
const LOAD_MAX: Duration = Duration::from_secs(900);
/// How long a new topic may take to be served.
const SERVED_MAX: Duration = Duration::from_secs(60);
/// How long a broker has to remove the files of a deleted topic, before another's turn.
const DELETED_AFTER: Duration = Duration::from_millis(500);
/// Kafka counts in these megabytes.
const MEBIBYTE: f64 = 1_048_576.0;

/// Makes a topic.
///
/// # Errors
/// What the driver says.
pub(crate) fn create(running: &Running, scenario: &Scenario, topic: &str) -> Result<(), String> {
    let mut command = driver("create", running.address, topic);
    command.args(["--partitions", &scenario.partitions.to_string()]);
    command.args(["--topic-config", running.system.topic_config()]);
    output(&mut command, LOAD_MAX)?;
    probe::topic_served(running.address, topic, scenario.partitions, SERVED_MAX)
}

/// Deletes a topic, and leaves time for what the broker does behind the answer.
///
/// # Errors
/// What the driver says.
pub(crate) fn delete(running: &Running, topic: &str) -> Result<(), String> {
    output(&mut driver("delete", running.address, topic), LOAD_MAX)?;
    pause(DELETED_AFTER);
    Ok(())
}

/// Produces `fill_bytes` to a topic; returns how many records that are.
///
/// # Errors
/// What the driver says.
pub(crate) fn fill(running: &Running, scenario: &Scenario, topic: &str) -> Result<u64, String> {
    let fill = Scenario { bytes_max: scenario.fill_bytes, rate: None, ..scenario.clone() };
    let mut command = driver("fill", running.address, topic);
    add_load(&mut command, running, &fill);
    let result = json_of(&output(&mut command, LOAD_MAX)?)?;
    let records = result.get("records").and_then(Value::as_u64);
    records.ok_or_else(|| format!("no records in {result}"))
}

/// Measures a scenario once on a topic that is there.
///
/// - `records`: how many are read, from the start.
///
/// # Errors
/// What the client says.
pub(crate) fn measure(
    running: &Running,
    scenario: &Scenario,
    topic: &str,
    records: u64,
    jars: &Jars,
) -> Result<Value, String> {
    match (scenario.client, scenario.kind) {
        (Client::Java, Kind::Consume) => java_consume(running, topic, records, jars),
        (Client::Java, _) => java_produce(running, scenario, topic, jars),
        (Client::Librdkafka, kind) => {
            let mode = match kind {
                Kind::Consume => "consume",
                Kind::Mixed => "mixed",
                Kind::Produce | Kind::Operations => "produce",
            };
            let mut command = driver(mode, running.address, topic);
            add_load(&mut command, running, scenario);
            command.args(["--records", &records.to_string()]);
            json_of(&output(&mut command, LOAD_MAX)?)
        }
    }
}

fn driver(mode: &str, address: SocketAddr, topic: &str) -> Command {
    let mut command = Command::new(sibling("driver"));
    command.args([mode, "--bootstrap", &address.to_string(), "--topic", topic]);
    command
}

fn add_load(command: &mut Command, running: &Running, scenario: &Scenario) {
    let fields = [
        ("--partitions", scenario.partitions.to_string()),
        ("--record-bytes", scenario.record_bytes.to_string()),
        ("--entropy", scenario.entropy.to_string()),
        ("--codec", scenario.codec.clone()),
        ("--acks", scenario.acks.clone()),
        ("--linger-ms", scenario.linger_ms.to_string()),
        ("--batch-bytes", scenario.batch_bytes.to_string()),
        ("--producers", scenario.producers.to_string()),
        ("--warmup-seconds", scenario.warmup_seconds.to_string()),
        ("--seconds", scenario.seconds.to_string()),
        ("--bytes-max", scenario.bytes_max.to_string()),
        ("--broker-pid", running.server.pid().to_string()),
    ];
    command.args(fields.iter().flat_map(|(name, value)| [*name, value.as_str()]));
    if let Some(rate) = scenario.rate {
        command.args(["--rate", &rate.to_string()]);
    }
}

fn json_of(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("the driver's {text:?}: {error}"))
}

fn java_produce(
    running: &Running,
    scenario: &Scenario,
    topic: &str,
    jars: &Jars,
) -> Result<Value, String> {
    let mut command = jars.tool("org.apache.kafka.tools.ProducerPerformance");
    let records = scenario.bytes_max / scenario.record_bytes.max(1);
    command.args(["--topic", topic, "--num-records", &records.to_string()]);
    command.args(["--record-size", &scenario.record_bytes.to_string()]);
    let rate = scenario.rate.map_or_else(|| "-1".into(), |rate| rate.to_string());
    command.args(["--throughput", &rate, "--producer-props"]);
    command.arg(format!("bootstrap.servers={}", running.address));
    command.arg(format!("acks={}", scenario.acks));
    command.arg(format!("linger.ms={}", scenario.linger_ms));
    command.arg(format!("batch.size={}", scenario.batch_bytes));
    command.arg(format!("compression.type={}", scenario.codec));
    let (text, client_cpu, broker_cpu) = timed(&mut command, running)?;
    let last = text.trim_end().lines().last().unwrap_or_default();
    let figures =
        producer_figures(last).ok_or_else(|| format!("ProducerPerformance ended with {last:?}"))?;
    let [count, per_second, mebibytes, _, longest, p50, _, p99, p999] = figures;
    let micros = |milliseconds: f64| milliseconds * 1e3;
    Ok(json!({ "produce": {
        "records": count,
        "seconds": count / per_second,
        "records_per_second": per_second,
        "bytes_per_second": mebibytes * MEBIBYTE,
        "client_cpu_seconds": client_cpu,
        "broker_cpu_seconds": broker_cpu,
        "latency_us": {
            "p50": micros(p50), "p99": micros(p99), "p999": micros(p999), "max": micros(longest),
        },
    }}))
}

/// The numbers of the tool's last line: records, records a second, MiB a second, average, longest,
/// 50th, 95th, 99th and 99.9th percentile of the latency in milliseconds.
fn producer_figures(line: &str) -> Option<[f64; 9]> {
    let words = line.split([' ', '(', ')', ',']).filter_map(|word| word.parse().ok());
    words.collect::<Vec<f64>>().try_into().ok()
}

fn java_consume(
    running: &Running,
    topic: &str,
    records: u64,
    jars: &Jars,
) -> Result<Value, String> {
    let mut command = jars.tool("org.apache.kafka.tools.ConsumerPerformance");
    command.args(["--bootstrap-server", &running.address.to_string(), "--topic", topic]);
    command.args(["--messages", &records.to_string(), "--hide-header"]);
    let (text, client_cpu, broker_cpu) = timed(&mut command, running)?;
    let figures = text.lines().rev().find_map(consumer_figures);
    let figures = figures.ok_or_else(|| format!("ConsumerPerformance said {text:?}"))?;
    let [mebibytes, _, count, _, _, milliseconds, per_second, _] = figures;
    if count < 1.0 {
        return Err("ConsumerPerformance got nothing: its group needs a coordinator".into());
    }
    Ok(json!({ "consume": {
        "records": count,
        "bytes": mebibytes * MEBIBYTE,
        "seconds": milliseconds / 1e3,
        "records_per_second": count / milliseconds * 1e3,
        "bytes_per_second": per_second * MEBIBYTE,
        "client_cpu_seconds": client_cpu,
        "broker_cpu_seconds": broker_cpu,
    }}))
}

/// The numbers behind the two times of the tool's line: MiB, MiB a second, records, records a
/// second, the time for joining and the time for fetching in milliseconds, and the two rates again
/// for the time of fetching alone.
fn consumer_figures(line: &str) -> Option<[f64; 8]> {
    let words = line.split(',').skip(2).map(|word| word.trim().parse().ok());
    words.collect::<Option<Vec<f64>>>()?.try_into().ok()
}

/// Runs a tool; returns what it said, and the processor seconds of it and of the broker.
fn timed(command: &mut Command, running: &Running) -> Result<(String, f64, f64), String> {
    let broker = || cpu_seconds(Some(running.server.pid()));
    let (client_before, broker_before) = (children_cpu(), broker());
    let text = output(command, LOAD_MAX)?;
    Ok((text, children_cpu() - client_before, broker() - broker_before))
}

/// Processor seconds of all processes that ran to their end.
fn children_cpu() -> f64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| {
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default()).as_secs_f64()
    })
}

/// Whether a system can be met by a client at all; the reason if not.
pub(crate) fn excluded(scenario: &Scenario, system: System) -> Option<&'static str> {
    let needs_group = scenario.client == Client::Java && scenario.kind == Kind::Consume;
    (needs_group && system == System::Discard).then_some("the discard broker has no groups")
}

#[cfg(test)]
mod tests {
    use super::{consumer_figures, producer_figures};

    #[test]
    fn the_tools_last_lines_are_read() {
        let line = "100000 records sent, 45024.8 records/sec (43.97 MB/sec), 310.21 ms avg \
                    latency, 512.00 ms max latency, 320 ms 50th, 480 ms 95th, 500 ms 99th, 511 ms \
                    99.9th.";
        let figures = [100_000.0, 45_024.8, 43.97, 310.21, 512.0, 320.0, 480.0, 500.0, 511.0];
        assert_eq!(producer_figures(line), Some(figures));
        assert_eq!(producer_figures("nothing"), None);
        let line = "2026-01-01 00:00:00:000, 2026-01-01 00:00:01:000, 97.6562, 81.6, 100000, \
                    83612.0, 500, 696, 140.3, 143678.1";
        let figures = [97.6562, 81.6, 100_000.0, 83_612.0, 500.0, 696.0, 140.3, 143_678.1];
        assert_eq!(consumer_figures(line), Some(figures));
    }
}
