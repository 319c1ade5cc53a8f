//! What `logboom bench` is asked for on the command line.

mod plan;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use logboom_producer::{Acks, Codec};

pub(crate) use self::plan::Plan;
use self::values::{
    PARTITIONS_MAX, RECORDS_MAX, REPETITIONS_MAX, batch_bytes, clients, confidence, fill_bytes,
    key_value, millis, positive_duration, rate, share, warmup,
};
use crate::pace::Arrivals;
use crate::workload::{KeyChoice, ValueChoice};

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
    /// Ends with status 1 where the second run is shown to be slower, or where it gave up, records
    /// failed, or it fell short of its rate, and not so the first.
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
    /// Brokers by which the cluster is found; one that answers is enough. Those of --property or
    /// --properties, else of the variable LOGBOOM_BOOTSTRAP, else 127.0.0.1:9092, if it isn't
    /// given.
    #[arg(long, value_name = "HOST:PORT[,…]")]
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
    /// What goes before it and doesn't count; a second, or none with --records. `consume` has none.
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
    /// Copies that must hold a record before it is acknowledged (acks); all, if it isn't given.
    #[arg(long, value_enum)]
    pub(crate) acks: Option<AcksArgument>,
    /// How batches are compressed (compression.type); not at all, if it isn't given.
    #[arg(long, value_enum)]
    pub(crate) compression: Option<CompressionArgument>,
    /// How long a batch waits for more records, milliseconds (linger.ms); 5, if it isn't given.
    #[arg(long, value_name = "MS", value_parser = millis)]
    pub(crate) linger: Option<Duration>,
    /// Bytes of a batch before it is compressed (batch.size); 256 KiB, if it isn't given.
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
    /// Bytes that are written first where the topic isn't there; with `consume --records N` so many
    /// records instead.
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
mod tests;
