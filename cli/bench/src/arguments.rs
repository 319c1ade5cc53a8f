//! What `logboom bench` is asked for on the command line.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use logboom_producer::{Acks, Codec};

use crate::pace::Arrivals;
use crate::quantity;
use crate::run::Scenario;
use crate::workload::{KeyChoice, ValueChoice};

/// The most producers or consumers of a process: each producer has a thread, each client a buffer.
const CLIENTS_MAX: u64 = 512;
/// The most repetitions.
const REPETITIONS_MAX: u64 = 1_000;
/// The most records: at the highest rate they take three years.
const RECORDS_MAX: u64 = 1_000_000_000_000_000;
/// The most partitions of a topic: each producer has a place for each.
const PARTITIONS_MAX: i64 = 100_000;
/// Records a second: at fewer nothing comes within the time that is waited for the first; no
/// process comes to more.
const RATES: RangeInclusive<f64> = 0.1..=10_000_000.0;
/// The shortest and the longest time.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=DURATION_MAX;
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);
/// The longest that a batch may wait, milliseconds.
const LINGER_MS_MAX: f64 = 3_600_000.0;
/// The largest batch, bytes.
const BATCH_BYTES_MAX: u64 = 100 << 20;
/// The most bytes that are written first: more than any disk has.
const FILL_BYTES_MAX: u64 = 1 << 50;

/// The arguments of `logboom bench`.
#[derive(Debug, Args)]
pub struct BenchArguments {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Sends records, and measures how many are acknowledged and how soon.
    #[command(after_help = PRODUCE_EXAMPLES)]
    Produce(ProduceArguments),
    /// Reads the records that a topic has.
    #[command(after_help = CONSUME_EXAMPLES)]
    Consume(ConsumeArguments),
    /// Sends records and reads them, and measures the time between.
    #[command(after_help = END_TO_END_EXAMPLES)]
    EndToEnd(EndToEndArguments),
    /// Reads the records that a topic has, while others are sent.
    #[command(after_help = MIXED_EXAMPLES)]
    Mixed(MixedArguments),
    /// Compares two runs that --save has written.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArguments),
}

const PRODUCE_EXAMPLES: &str = "Examples:\n  \
    logboom bench produce --duration 30s\n  \
    logboom bench produce --rate 10000 --linger 0 --keys zipf:100000:0.99 --html report.html\n  \
    logboom bench produce --topic flights --record-bytes file:flights.csv --compression zstd";
const CONSUME_EXAMPLES: &str = "Examples:\n  \
    logboom bench consume --fill 2GiB --clients 2\n  \
    logboom bench consume --topic flights --group readers --groups 3";
const END_TO_END_EXAMPLES: &str = "Examples:\n  \
    logboom bench end-to-end --rate 1000 --duration 1m\n  \
    logboom bench end-to-end --rate 5000 --arrivals poisson --acks 1 --linger 0";
const MIXED_EXAMPLES: &str = "Examples:\n  \
    logboom bench mixed --fill 4GiB --rate 20000 --duration 30s";
const COMPARE_EXAMPLES: &str = "Examples:\n  \
    logboom bench produce --repeat 5 --save before.json\n  \
    logboom bench produce --repeat 5 --save after.json\n  \
    logboom bench compare before.json after.json";

#[derive(Debug, Args)]
pub(crate) struct ProduceArguments {
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[command(flatten)]
    pub(crate) records: RecordArguments,
    #[command(flatten)]
    pub(crate) rate: RateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumeArguments {
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[command(flatten)]
    pub(crate) records: RecordArguments,
    #[command(flatten)]
    pub(crate) groups: GroupArguments,
    #[command(flatten)]
    pub(crate) fill: FillArguments,
}

#[derive(Debug, Args)]
pub(crate) struct EndToEndArguments {
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[command(flatten)]
    pub(crate) records: RecordArguments,
    #[command(flatten)]
    pub(crate) rate: RateArguments,
    #[command(flatten)]
    pub(crate) readers: ReaderArguments,
}

#[derive(Debug, Args)]
pub(crate) struct MixedArguments {
    #[command(flatten)]
    pub(crate) load: LoadArguments,
    #[command(flatten)]
    pub(crate) records: RecordArguments,
    #[command(flatten)]
    pub(crate) rate: RateArguments,
    #[command(flatten)]
    pub(crate) readers: ReaderArguments,
    #[command(flatten)]
    pub(crate) fill: FillArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// The run to compare with.
    pub(crate) before: PathBuf,
    /// The run that is compared.
    pub(crate) after: PathBuf,
    /// How often, of a hundred, an interval is to hold the true difference.
    #[arg(long, value_name = "PERCENT", default_value = "95", value_parser = confidence)]
    pub(crate) confidence: f64,
    #[command(flatten)]
    pub(crate) results: ResultArguments,
    /// Ends with status 1 where the second run is shown to be slower.
    #[arg(long)]
    pub(crate) fail_if_slower: bool,
}

/// Where results go.
#[derive(Debug, Args)]
pub(crate) struct ResultArguments {
    /// A table for people, or one JSON value.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Writes a report that a browser opens, all in one file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One JSON value.
    Json,
}

/// What every load has.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// Brokers by which the cluster is found; one that answers is enough. Those of --properties or
    /// --property, or 127.0.0.1:9092, if it isn't given.
    #[arg(long, env = "LOGBOOM_BOOTSTRAP", value_name = "HOST:PORT[,…]")]
    pub(crate) bootstrap: Option<String>,
    /// The topic; made where it isn't there, and deleted then in the end.
    #[arg(long, default_value = "logboom-bench")]
    pub(crate) topic: String,
    /// Partitions of a topic that is made: 8, if it isn't given.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=PARTITIONS_MAX))]
    pub(crate) partitions: Option<i32>,
    /// Copies of each partition of a topic that is made; the brokers' default, if it isn't given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub(crate) replication_factor: Option<i16>,
    /// Configuration of a topic that is made.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) topic_config: Vec<(String, String)>,
    /// Leaves a topic that was made.
    #[arg(long)]
    pub(crate) keep_topic: bool,
    /// Producers; with `consume`: consumers of each group.
    #[arg(long, default_value_t = 1, value_parser = clients())]
    pub(crate) clients: u64,
    /// Ends after so many records.
    #[arg(long, value_name = "N", conflicts_with = "duration")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=RECORDS_MAX))]
    pub(crate) records: Option<u64>,
    /// How long is measured; 10 seconds, if neither this nor --records is given.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) duration: Option<Duration>,
    /// What goes before it and doesn't count; a second, or none with --records.
    #[arg(long, value_name = "TIME", value_parser = warmup)]
    pub(crate) warmup: Option<Duration>,
    /// How often figures over time are taken.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = positive_duration)]
    pub(crate) interval: Duration,
    /// How often all of it is done; `compare` needs two at least.
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=REPETITIONS_MAX))]
    pub(crate) repeat: u64,
    /// Another one draws other records.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// A setting of the clients by Kafka's name.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) property: Vec<(String, String)>,
    /// A file of such settings: what protects connections (security.protocol), for example.
    #[arg(long, alias = "command-config", value_name = "FILE")]
    pub(crate) properties: Option<PathBuf>,
    /// The admin listener of a broker of ours, for its figures; found where it is the default one
    /// of this machine.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Vec<String>,
    /// A directory in which writing is measured for comparison; the brokers' disk, if it can be.
    #[arg(long, value_name = "DIR")]
    pub(crate) ceiling_dir: Option<PathBuf>,
    /// Doesn't measure what the machine does without a broker.
    #[arg(long, conflicts_with = "ceiling_dir")]
    pub(crate) no_ceiling: bool,
    /// Keeps the run as JSON, for `compare`.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) results: ResultArguments,
}

/// What is sent.
#[derive(Debug, Args)]
pub(crate) struct RecordArguments {
    /// Sizes of values: BYTES, uniform:BYTES-BYTES, zipf:BYTES-BYTES:EXPONENT, or file:PATH for the
    /// lines of a file.
    #[arg(long, value_name = "SIZES", default_value = "1024")]
    pub(crate) record_bytes: ValueChoice,
    /// How much of a value that is made is noise, which doesn't compress.
    #[arg(long, value_name = "0..1", default_value = "1", value_parser = share)]
    pub(crate) entropy: f64,
    /// Keys: none, uniform:COUNT or zipf:COUNT:EXPONENT.
    #[arg(long, default_value = "none")]
    pub(crate) keys: KeyChoice,
    /// Copies that must hold a record before it is acknowledged (acks).
    #[arg(long, value_enum)]
    pub(crate) acks: Option<AcksArgument>,
    /// How batches are compressed (compression.type).
    #[arg(long, value_enum)]
    pub(crate) compression: Option<CompressionArgument>,
    /// How long a batch waits for more records, milliseconds (linger.ms).
    #[arg(long, value_name = "MS", value_parser = millis)]
    pub(crate) linger: Option<Duration>,
    /// Bytes of a batch before it is compressed (batch.size).
    #[arg(long, value_name = "BYTES", value_parser = batch_bytes)]
    pub(crate) batch_bytes: Option<usize>,
}

/// When it is sent.
#[derive(Debug, Args)]
pub(crate) struct RateArguments {
    /// Records a second that are due, of all producers; as many as go, if it isn't given. Latencies
    /// count from when a record was due.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// How their due times are spread.
    #[arg(long, value_enum, default_value = "constant", requires = "rate")]
    pub(crate) arrivals: Arrivals,
}

/// Who reads.
#[derive(Debug, Args)]
pub(crate) struct GroupArguments {
    /// Reads as members of a group; without it, consumers share the partitions among themselves.
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// How many groups, or sets of consumers, read all of it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clients())]
    pub(crate) groups: u64,
}

/// Who reads while others send.
#[derive(Debug, Args)]
pub(crate) struct ReaderArguments {
    #[command(flatten)]
    pub(crate) groups: GroupArguments,
    /// Consumers of each group.
    #[arg(long, default_value_t = 1, value_parser = clients())]
    pub(crate) consumers: u64,
}

/// What is there to be read.
#[derive(Debug, Args)]
pub(crate) struct FillArguments {
    /// Bytes that are written first where the topic isn't there.
    #[arg(long, value_name = "BYTES", default_value = "1GB", value_parser = fill_bytes)]
    pub(crate) fill: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcksArgument {
    /// None: what is refused is lost.
    #[value(name = "0")]
    None,
    /// The leader's.
    #[value(name = "1")]
    Leader,
    /// Those of all replicas that must hold it.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionArgument {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl AcksArgument {
    pub(crate) fn acks(self) -> Acks {
        match self {
            Self::None => Acks::None,
            Self::Leader => Acks::Leader,
            Self::All => Acks::All,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        }
    }
}

impl CompressionArgument {
    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd => Codec::Zstd,
        }
    }
}

/// A load, whichever scenario it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) load: &'a LoadArguments,
    pub(crate) records: &'a RecordArguments,
    pub(crate) rate: Option<&'a RateArguments>,
    pub(crate) groups: Option<&'a GroupArguments>,
    pub(crate) producers: u64,
    /// Of each group.
    pub(crate) consumers: u64,
    pub(crate) fill: Option<u64>,
}

impl BenchCommand {
    /// The load; `None` where none is made.
    pub(crate) fn plan(&self) -> Option<Plan<'_>> {
        let plan = |scenario, load, records| Plan {
            scenario,
            load,
            records,
            rate: None,
            groups: None,
            producers: load.clients,
            consumers: 0,
            fill: None,
        };
        Some(match self {
            Self::Produce(ProduceArguments { load, records, rate }) => {
                Plan { rate: Some(rate), ..plan(Scenario::Produce, load, records) }
            }
            Self::Consume(ConsumeArguments { load, records, groups, fill }) => Plan {
                groups: Some(groups),
                producers: 0,
                consumers: load.clients,
                fill: Some(fill.fill),
                ..plan(Scenario::Consume, load, records)
            },
            Self::EndToEnd(EndToEndArguments { load, records, rate, readers }) => Plan {
                rate: Some(rate),
                groups: Some(&readers.groups),
                consumers: readers.consumers,
                ..plan(Scenario::EndToEnd, load, records)
            },
            Self::Mixed(MixedArguments { load, records, rate, readers, fill }) => Plan {
                rate: Some(rate),
                groups: Some(&readers.groups),
                consumers: readers.consumers,
                fill: Some(fill.fill),
                ..plan(Scenario::Mixed, load, records)
            },
            Self::Compare(_) => return None,
        })
    }
}

/// How long is measured where nothing is said.
const DURATION: Duration = Duration::from_secs(10);
/// What goes before it.
const WARMUP: Duration = Duration::from_secs(1);

impl Plan<'_> {
    /// How long is measured; `None` where a number of records ends it.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match self.load.records {
            Some(_) => None,
            None => Some(self.load.duration.unwrap_or(DURATION)),
        }
    }

    pub(crate) fn warmup(&self) -> Duration {
        let usual = if self.load.records.is_some() { Duration::ZERO } else { WARMUP };
        match self.scenario {
            // Reading begins with the first record.
            Scenario::Consume => Duration::ZERO,
            _ => self.load.warmup.unwrap_or(usual),
        }
    }

    /// What each option by itself can't tell.
    ///
    /// # Errors
    /// Options that don't go together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (groups, each) = (self.group_count(), self.consumers);
        if groups * each > CLIENTS_MAX {
            let option = if self.producers > 0 { "--consumers" } else { "--clients" };
            return Err(format!(
                "--groups {groups} with {option} {each}: at most {CLIENTS_MAX} consumers together"
            ));
        }
        let is_filled_by_bytes = self.fill.is_some()
            && (self.scenario == Scenario::Mixed || self.load.records.is_none());
        let is_empty = self.records.keys == KeyChoice::None && self.records.record_bytes.is_empty();
        if is_filled_by_bytes && is_empty {
            return Err("--record-bytes: records without a byte never come to --fill".to_owned());
        }
        Ok(())
    }

    pub(crate) fn group_count(&self) -> u64 {
        self.groups.map_or(0, |groups| groups.groups)
    }
}

fn clients() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=CLIENTS_MAX)
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = quantity::duration(text)?;
    match TIMES.contains(&duration) {
        true => Ok(duration),
        false => Err(format!("{text}: at least 10ms, and at most a year, 8760h")),
    }
}

fn warmup(text: &str) -> Result<Duration, String> {
    let duration = quantity::duration(text)?;
    match duration <= DURATION_MAX {
        true => Ok(duration),
        false => Err(format!("{text}: at most a year, 8760h")),
    }
}

fn millis(text: &str) -> Result<Duration, String> {
    let is_one = |millis: f64| (0.0..=LINGER_MS_MAX).contains(&millis);
    let millis = number(text, is_one, "milliseconds from 0 to 3600000")?;
    Ok(Duration::from_secs_f64(millis / 1e3))
}

fn batch_bytes(text: &str) -> Result<usize, String> {
    let bytes = quantity::bytes(text)?;
    let is_one = usize::try_from(bytes).ok().filter(|_| bytes <= BATCH_BYTES_MAX);
    is_one.ok_or_else(|| format!("{text}: a batch has at most {BATCH_BYTES_MAX} bytes"))
}

fn fill_bytes(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text)?;
    match (1..=FILL_BYTES_MAX).contains(&bytes) {
        true => Ok(bytes),
        false => Err(format!("{text}: from 1 to {FILL_BYTES_MAX} bytes")),
    }
}

fn number(text: &str, is_one: impl FnOnce(f64) -> bool, rule: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| is_one(*number));
    number.ok_or_else(|| format!("{text}: {rule} is wanted"))
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..=1.0).contains(&share), "a share from 0 to 1")
}

fn rate(text: &str) -> Result<f64, String> {
    let (least, most) = (RATES.start(), RATES.end());
    let rule = format!("a number of records a second from {least} to {most}");
    number(text, |rate| RATES.contains(&rate), &rule)
}

fn confidence(text: &str) -> Result<f64, String> {
    let is_one = |percent: f64| (50.0..100.0).contains(&percent);
    number(text, is_one, "a confidence from 50 up to 100 percent")
}

#[cfg(test)]
pub(crate) mod testing {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    pub(crate) struct Line {
        #[command(flatten)]
        pub(crate) bench: BenchArguments,
    }

    /// What a line of words says behind `bench`.
    pub(crate) fn parsed(line: &str) -> Result<BenchCommand, clap::Error> {
        let words = std::iter::once("bench").chain(line.split(' '));
        Line::try_parse_from(words).map(|line| line.bench.command)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::testing::{Line, parsed};
    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_load_is_taken_as_it_is_written() {
        for line in [
            "produce",
            "produce --records 1000 --clients 4 --acks 0 --compression zstd --linger 0.5",
            "produce --rate 1e4 --arrivals poisson --duration 1m --batch-bytes 64KiB",
            "produce --keys zipf:1000:0.99 --record-bytes uniform:100-2k --entropy 0.5",
            "produce --property linger.ms=3 --property acks=1 --properties f --admin h:1",
            "consume --fill 10MB --groups 3 --group g --ceiling-dir /tmp",
            "end-to-end --rate 100 --consumers 2 --warmup 0s --save a.json --html a.html",
            "mixed --rate 100 --repeat 3 --no-ceiling --output json --topic-config a=b",
            "compare a.json b.json --confidence 99 --fail-if-slower --output json",
        ] {
            let command = parsed(line);
            assert!(command.is_ok(), "{line}: {}", command.unwrap_err());
        }
    }

    #[test]
    fn wrong_usage_is_found_before_anything_is_done() {
        for line in [
            "",
            "produce --records 0",
            "produce --records 5 --duration 5s",
            "produce --rate 0",
            "produce --rate=-1",
            "produce --rate 0.01",
            "produce --rate 1e8",
            "produce --rate nan",
            "produce --records 18446744073709551615",
            "produce --duration 8761h",
            "produce --warmup 8761h",
            "produce --interval 8761h",
            "produce --linger 3600001",
            "produce --linger=-1",
            "produce --linger nan",
            "produce --batch-bytes 101MiB",
            "produce --record-bytes 101MiB",
            "produce --record-bytes uniform:0-101MiB",
            "produce --partitions 0",
            "produce --partitions 100001",
            "produce --repeat 0",
            "produce --repeat 1001",
            "consume --fill 0",
            "consume --fill 2000000g",
            "consume --groups 513",
            "produce --arrivals poisson",
            "produce --record-bytes big",
            "produce --keys many",
            "produce --entropy 2",
            "produce --acks 2",
            "produce --duration 1ms",
            "produce --clients 0",
            "produce --clients 513",
            "produce --no-ceiling --ceiling-dir /tmp",
            "produce --group g",
            "consume --rate 5",
            "end-to-end --fill 5",
            "mixed --property k",
            "compare a.json",
            "compare a.json b.json --confidence 100",
        ] {
            let error = parsed(line).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            // The option that is wrong, where one is.
            let mut words = line.split([' ', '=']).rev();
            let option = words.find(|word| word.starts_with("--")).unwrap_or_default();
            let named = if option == "--arrivals" { "--rate" } else { option };
            assert!(error.to_string().contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn options_that_do_not_go_together_are_named() {
        let checked = |line: &str| parsed(line).unwrap().plan().unwrap().check();
        for (line, named) in [
            ("consume --groups 512 --clients 2", "--groups 512 with --clients 2: at most 512"),
            ("end-to-end --groups 27 --consumers 19", "--groups 27 with --consumers 19: at most"),
            ("consume --record-bytes 0", "--record-bytes: "),
            ("mixed --record-bytes uniform:0-0 --records 5", "--record-bytes: "),
        ] {
            let why = checked(line).expect_err(line);
            assert!(why.starts_with(named), "{line}: {why}");
        }
        for line in [
            "consume --groups 256 --clients 2",
            "consume --record-bytes 0 --records 5",
            "consume --record-bytes 0 --keys uniform:5",
            "consume --record-bytes uniform:0-1",
            "produce --record-bytes 0",
        ] {
            assert_eq!(checked(line), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let command = parsed("produce").unwrap();
        let plan = command.plan().unwrap();
        assert_eq!((plan.duration(), plan.warmup()), (Some(DURATION), WARMUP));
        let command = parsed("produce --records 5").unwrap();
        let plan = command.plan().unwrap();
        assert_eq!((plan.duration(), plan.warmup()), (None, Duration::ZERO));
        let command = parsed("consume --clients 3 --warmup 5s").unwrap();
        let plan = command.plan().unwrap();
        assert_eq!((plan.producers, plan.consumers, plan.group_count()), (0, 3, 1));
        assert_eq!(plan.warmup(), Duration::ZERO);
    }
}
