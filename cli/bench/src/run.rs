//! What a run was asked to do and what came of it: the file that `--save` writes and `compare`
//! reads.
//!
//! Must always hold: a file of another format is refused by its number; a figure that wasn't
//! measured is absent, not 0.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::latency::Latency;
use crate::numbers::per_second;
use crate::student::median;
use crate::timeline::Point;

/// The format that this version writes and reads.
pub(crate) const FORMAT: u32 = 2;
/// Who reaches less of its rate was another load.
const RATE_SHARE_MIN: f64 = 0.98;
/// So much of what is measured is its edges at least, whatever the latencies: seconds.
const EDGE_SECONDS_MIN: f64 = 0.01;
/// A rate over less is one of a few batches: seconds.
const SECONDS_MIN: f64 = 0.5;
/// What is said of such a run.
pub(crate) const TOO_SHORT: &str = "it was measured for too short a time for rates that mean much";
/// Standard deviations within which a number of random arrivals lies, but for one of a thousand.
const SWINGS: f64 = 3.0;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) format: u32,
    /// The version of the program.
    pub(crate) version: String,
    /// When it began, RFC 3339.
    pub(crate) started: String,
    /// As it was written.
    pub(crate) command: String,
    pub(crate) scenario: Scenario,
    pub(crate) settings: Settings,
    pub(crate) machine: Machine,
    pub(crate) cluster: ClusterFacts,
    pub(crate) repetitions: Vec<Repetition>,
    /// Whether it was ended before its time.
    pub(crate) interrupted: bool,
    /// What ended it before its time, where that wasn't asked for.
    pub(crate) failure: Option<String>,
    /// What a reader of the figures has to know.
    pub(crate) notes: Vec<String>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Records are sent and acknowledged.
    Produce,
    /// Records that are there are read.
    Consume,
    /// Records are read as they are sent.
    EndToEnd,
    /// Records that are there are read, while others are sent.
    Mixed,
}

/// What the load was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    pub(crate) replication_factor: usize,
    /// What a topic that is made was asked to have; `None` in runs of older versions.
    pub(crate) topic_config: Option<Vec<(String, String)>>,
    /// Bytes that a topic that is made gets to be read; `None`: none, or the version is older.
    pub(crate) fill_bytes: Option<u64>,
    /// Producers, 0 where nothing is sent.
    pub(crate) producers: usize,
    /// Consumers, 0 where nothing is read.
    pub(crate) consumers: usize,
    pub(crate) groups: usize,
    /// Records a second that are due; `None`: as many as go.
    pub(crate) rate: Option<f64>,
    pub(crate) arrivals: Option<String>,
    pub(crate) record_bytes: String,
    pub(crate) record_bytes_mean: f64,
    pub(crate) keys: String,
    pub(crate) entropy: Option<f64>,
    /// What a codec leaves of a batch of them, 0 to 1, and which one that is.
    pub(crate) compressed_share: f64,
    pub(crate) compressed_by: String,
    pub(crate) acks: Option<String>,
    pub(crate) compression: Option<String>,
    pub(crate) linger_ms: Option<f64>,
    pub(crate) batch_bytes: Option<u64>,
    pub(crate) records: Option<u64>,
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) warmup_seconds: f64,
    pub(crate) seed: u64,
    /// Settings by Kafka's names, those of a file included; secrets are masked.
    pub(crate) properties: Vec<(String, String)>,
}

/// Where it ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) host: String,
    pub(crate) processors: usize,
    pub(crate) processor: String,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Averages over 1, 5 and 15 minutes at the start.
    pub(crate) load: String,
    pub(crate) congestion_control: String,
}

/// What was loaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClusterFacts {
    pub(crate) bootstrap: String,
    pub(crate) id: Option<String>,
    pub(crate) brokers: usize,
    /// Versions of those that tell theirs, each once.
    #[serde(default)]
    pub(crate) versions: Vec<String>,
}

/// One measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Repetition {
    /// Whether it was ended before its time.
    #[serde(default)]
    pub(crate) is_cut_short: bool,
    pub(crate) produced: Option<Flow>,
    pub(crate) consumed: Option<Flow>,
    pub(crate) client: ClientUse,
    /// The brokers whose figures could be read.
    pub(crate) brokers: Vec<BrokerUse>,
    pub(crate) ceiling: Option<Ceiling>,
}

/// Records that have come through.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) seconds: f64,
    pub(crate) records: u64,
    /// Of keys and values, before compression.
    pub(crate) bytes: u64,
    pub(crate) records_per_second: f64,
    pub(crate) bytes_per_second: f64,
    /// Records that failed, or were given up in the end: no latency that is told is one of theirs.
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    /// From when a record was due until it was acknowledged, or was with the consumer.
    pub(crate) latency: Option<Latency>,
    /// From when a record was due until the client gave it to the producer.
    pub(crate) handed_over: Option<Latency>,
    /// From the consumers' start to the first record.
    pub(crate) first_record_ms: Option<f64>,
    pub(crate) timeline: Vec<Point>,
}

/// What the client took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClientUse {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    /// The most that it has ever had.
    pub(crate) rss_bytes_max: Option<u64>,
}

/// What a broker took meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BrokerUse {
    /// Where it was found.
    pub(crate) broker: String,
    /// What the system calls the process that listens there: it may be one that forwards.
    pub(crate) process: Option<String>,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) anonymous_bytes: Option<u64>,
    pub(crate) flushes: Option<u64>,
    pub(crate) flush_us_mean: Option<f64>,
}

/// What the machine does without a broker, bytes a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ceiling {
    pub(crate) memory_copy: Option<f64>,
    /// One way between two threads, by TCP.
    pub(crate) loopback: Option<f64>,
    /// To a file, no flush.
    pub(crate) write: Option<f64>,
    /// To a file, with a flush of each piece.
    pub(crate) write_flushed: Option<f64>,
    /// Bytes of a piece.
    pub(crate) piece_bytes: u64,
    /// Where the file was.
    pub(crate) dir: Option<String>,
}

impl Run {
    /// # Errors
    /// A file that can't be read, or is none of this format.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let named = |why: String| format!("{}: {why}", path.display());
        let text = std::fs::read(path).map_err(|error| named(error.to_string()))?;
        Self::parse(&text).map_err(named)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let no_run = |error: serde_json::Error| format!("no run that --save has written: {error}");
        let value: serde_json::Value = serde_json::from_slice(text).map_err(no_run)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format != u64::from(FORMAT) => {
                Err(format!("its format is {format}; this version reads {FORMAT}"))
            }
            _ => serde_json::from_value(value).map_err(no_run),
        }
    }

    /// As `--save` writes it.
    ///
    /// # Errors
    /// A figure that JSON has no number for.
    pub(crate) fn to_json(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }

    /// The repetitions that medians and intervals are of: one that was ended before its time is
    /// another load, but better than none.
    pub(crate) fn whole(&self) -> &[Repetition] {
        match self.repetitions.split_last() {
            Some((last, before)) if last.is_cut_short && !before.is_empty() => before,
            _ => &self.repetitions,
        }
    }

    /// Why the first of the last repetition's records failed that did.
    pub(crate) fn first_failure(&self) -> Option<&str> {
        let last = self.repetitions.last()?;
        let flows = [&last.produced, &last.consumed].into_iter().flatten();
        flows.filter_map(|flow| flow.first_failure.as_deref()).next()
    }

    /// Records a second that came through in the slowest repetition, where that is less than was
    /// due: another load than was asked for.
    pub(crate) fn short_of_rate(&self) -> Option<f64> {
        let rate = self.settings.rate?;
        let is_random = self.settings.arrivals.as_deref() == Some("poisson");
        let is_short = |flow: &&Flow| {
            // As many come at random as a count swings that is as great.
            let chance = if is_random { (rate * flow.seconds).sqrt() / flow.seconds } else { 0.0 };
            let edge = rate * flow.edge_seconds() / flow.seconds;
            flow.records_per_second < RATE_SHARE_MIN * rate - SWINGS * chance - edge
        };
        let sent = self.repetitions.iter().filter_map(|one| one.produced.as_ref());
        sent.filter(is_short).map(|flow| flow.records_per_second).reduce(f64::min)
    }

    /// Whether a repetition was measured for too short a time, see [`TOO_SHORT`].
    pub(crate) fn is_too_short(&self) -> bool {
        let mut flows = self.repetitions.iter().filter_map(|one| self.main_flow(one));
        flows.any(|flow| flow.seconds < SECONDS_MIN)
    }

    /// Records that failed, of all repetitions.
    pub(crate) fn failed(&self) -> u64 {
        let flows = self.repetitions.iter().flat_map(|one| [&one.produced, &one.consumed]);
        flows.flatten().map(|flow| flow.failed).sum()
    }

    /// The flow that the scenario is about.
    pub(crate) fn main_flow<'a>(&self, repetition: &'a Repetition) -> Option<&'a Flow> {
        match self.scenario {
            Scenario::Produce => repetition.produced.as_ref(),
            Scenario::Consume | Scenario::EndToEnd | Scenario::Mixed => {
                repetition.consumed.as_ref()
            }
        }
    }
}

impl Scenario {
    pub(crate) fn produces(self) -> bool {
        self != Self::Consume
    }

    pub(crate) fn consumes(self) -> bool {
        self != Self::Produce
    }

    /// Whether what is read was there before.
    pub(crate) fn reads_what_is_there(self) -> bool {
        matches!(self, Self::Consume | Self::Mixed)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::EndToEnd => "end-to-end",
            Self::Mixed => "mixed",
        }
    }
}

impl Flow {
    /// A flow of so many records and bytes in so many seconds.
    pub(crate) fn new(records: u64, bytes: u64, seconds: f64) -> Self {
        Self {
            seconds,
            records,
            bytes,
            records_per_second: per_second(records, seconds),
            bytes_per_second: per_second(bytes, seconds),
            ..Self::default()
        }
    }

    /// For how long what is due may be under way when measuring ends. By Little's law that is the
    /// mean latency. A percentile near the end would excuse everyone: the last records of who falls
    /// behind are as late as there is work left.
    fn edge_seconds(&self) -> f64 {
        let mean = self.latency.as_ref().map_or(0.0, |latency| latency.mean_us / 1e6);
        mean.max(EDGE_SECONDS_MIN)
    }
}

/// The median of a figure over those that have it.
pub(crate) fn median_of<'a, T: 'a>(
    all: impl IntoIterator<Item = &'a T>,
    figure: impl Fn(&'a T) -> Option<f64>,
) -> Option<f64> {
    let figures: Vec<f64> = all.into_iter().filter_map(figure).collect();
    (!figures.is_empty()).then(|| median(&figures))
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::latency::Latencies;

    use super::*;

    /// A run of `produce` with these throughputs, records of 1 kB a second, and these 99th
    /// percentiles in microseconds.
    pub(crate) fn run(rates: &[u64], p99s: &[u64]) -> Run {
        let repetition = |(rate, p99): (&u64, &u64)| {
            let mut latencies = Latencies::default();
            for sample in 0..10_000_u64 {
                latencies.record(1_000 * if sample < 9_000 { p99 / 10 } else { *p99 });
            }
            let point = |second: u32| Point {
                from: f64::from(second),
                to: f64::from(second + 1),
                records: *rate,
                bytes: rate * 1_000,
                p50_us: Some(p99 / 10),
                p99_us: Some(*p99),
                max_us: Some(*p99),
            };
            let flow = Flow {
                latency: latencies.summary(),
                handed_over: latencies.summary(),
                timeline: (0..10).map(point).collect(),
                ..Flow::new(rate * 10, rate * 10_000, 10.0)
            };
            Repetition {
                produced: Some(flow),
                client: ClientUse { seconds: 10.0, cpu_seconds: 5.0, rss_bytes_max: Some(1 << 20) },
                brokers: vec![BrokerUse {
                    broker: "127.0.0.1:9092".to_owned(),
                    process: Some("java".to_owned()),
                    seconds: 10.0,
                    cpu_seconds: Some(2.5),
                    rss_bytes: Some(10 << 20),
                    anonymous_bytes: None,
                    flushes: Some(1_000),
                    flush_us_mean: Some(250.0),
                }],
                ceiling: Some(Ceiling {
                    memory_copy: Some(8e9),
                    loopback: Some(2e9),
                    piece_bytes: 1 << 20,
                    ..Ceiling::default()
                }),
                ..Repetition::default()
            }
        };
        Run {
            format: FORMAT,
            version: "0.1.0".to_owned(),
            started: "2026-11-29T20:00:00Z".to_owned(),
            command: "logboom bench produce --topic <t> & more".to_owned(),
            scenario: Scenario::Produce,
            settings: Settings {
                topic: "<t>".to_owned(),
                partitions: 3,
                replication_factor: 1,
                producers: 1,
                rate: Some(5_000.0),
                record_bytes: "1000".to_owned(),
                record_bytes_mean: 1_000.0,
                keys: "none".to_owned(),
                compressed_by: "lz4".to_owned(),
                compressed_share: 1.0,
                ..Settings::default()
            },
            machine: Machine { host: "h".to_owned(), processors: 2, ..Machine::default() },
            cluster: ClusterFacts { brokers: 1, ..ClusterFacts::default() },
            repetitions: rates.iter().zip(p99s).map(repetition).collect(),
            interrupted: false,
            failure: None,
            notes: vec!["a note".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let run = testing::run(&[1_000, 1_100], &[500, 700]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), run.to_json().unwrap()).unwrap();
        assert_eq!(Run::load(file.path()).unwrap(), run);
    }

    #[test]
    fn a_run_of_a_version_that_kept_less_is_read() {
        let mut run = testing::run(&[1_000], &[500]);
        let mut value = serde_json::to_value(&run).unwrap();
        for (part, field) in
            [("settings", "topic_config"), ("settings", "fill_bytes"), ("cluster", "versions")]
        {
            let part = value[part].as_object_mut().unwrap();
            assert!(part.remove(field).is_some(), "{field}");
        }
        let one = value["repetitions"][0].as_object_mut().unwrap();
        assert!(one.remove("is_cut_short").is_some());
        let broker = value["repetitions"][0]["brokers"][0].as_object_mut().unwrap();
        assert!(broker.remove("process").is_some());
        run.repetitions[0].brokers[0].process = None;
        assert_eq!(Run::parse(&serde_json::to_vec(&value).unwrap()), Ok(run));
    }

    #[test]
    fn a_file_that_is_no_run_or_of_another_format_is_refused_by_name() {
        let run = Run { format: 9, ..testing::run(&[1], &[500]) };
        let text = serde_json::to_vec(&run).unwrap();
        assert_eq!(Run::parse(&text).unwrap_err(), "its format is 9; this version reads 2");
        assert!(Run::parse(b"{}").unwrap_err().starts_with("no run that --save has written"));
        let missing = Run::load(Path::new("/nonexistent/a.json")).unwrap_err();
        assert!(missing.starts_with("/nonexistent/a.json: "), "{missing}");
    }

    #[test]
    fn random_arrivals_may_be_fewer_by_as_much_as_chance_makes() {
        let mut run = testing::run(&[950], &[500]);
        run.settings.rate = Some(1_000.0);
        assert_eq!(run.short_of_rate(), Some(950.0));
        run.settings.arrivals = Some("poisson".to_owned());
        // 10,000 in 10 s swing by 10 a second: 980 less 30, and 1 for the edges.
        assert_eq!(run.short_of_rate(), None);
        run.repetitions[0].produced.as_mut().unwrap().records_per_second = 948.0;
        assert_eq!(run.short_of_rate(), Some(948.0));
    }

    #[test]
    fn what_is_under_way_in_the_end_is_not_short_and_who_falls_behind_is() {
        let short = |records: u64, seconds: f64, mean_us: f64| {
            let mut run = testing::run(&[1], &[500]);
            run.settings.rate = Some(1_000.0);
            let produced = run.repetitions[0].produced.as_mut().unwrap();
            let latency = produced.latency.take().map(|latency| Latency { mean_us, ..latency });
            *produced = Flow { latency, ..Flow::new(records, records, seconds) };
            run.short_of_rate().is_some()
        };
        // 50 ms of a second are under way.
        assert_eq!([short(950, 1.0, 50e3), short(950, 1.0, 1e3)], [false, true]);
        // Of six tenths that come, the last waits for four seconds of ten, and the mean for two.
        assert!(short(6_000, 10.0, 2e6));
    }

    #[test]
    fn a_repetition_that_was_cut_short_counts_only_where_it_is_alone() {
        let mut run = testing::run(&[1_000, 2_000], &[500, 600]);
        assert_eq!(run.whole().len(), 2);
        run.repetitions[1].is_cut_short = true;
        assert_eq!(run.whole(), &run.repetitions[..1]);
        run.repetitions.remove(0);
        assert_eq!(run.whole(), run.repetitions);
    }

    #[test]
    fn a_median_is_that_of_the_figures_that_are_there() {
        let figures = [Some(3.0), None, Some(1.0)];
        assert_eq!(median_of(&figures, |figure| *figure), Some(2.0));
        assert_eq!(median_of(&[None::<f64>], |figure| *figure), None);
    }
}
