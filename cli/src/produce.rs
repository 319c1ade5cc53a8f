//! `logboom produce`: sends lines as records and waits for all of them.
//!
//! With `--acks all` it is an idempotent producer: what is tried again is appended once.

mod lines;
mod sender;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use tokio::io::BufReader;

use logboom_producer::{Acks, Codec, ProducerBuilder};

use self::lines::Lines;
use self::sender::Sender;
use crate::client::{ClientArguments, Failure};
use crate::progress::Progress;

/// What stands below the options.
pub(crate) const EXAMPLES: &str = "Examples:\n  \
    seq 1000 | logboom produce numbers\n  \
    logboom produce flights --file flights.csv --key-delimiter , --compression zstd";

/// The arguments of `logboom produce`.
#[derive(Debug, Args)]
pub(crate) struct ProduceArguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The topic to send to.
    topic: String,
    /// What stands between key and value; a line without it has no key.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    key_delimiter: Option<String>,
    /// The file to read; stdin, if it isn't given.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Copies that must hold a record before it counts as sent; all, if it isn't given.
    #[arg(long, value_enum)]
    acks: Option<AcksArgument>,
    /// How batches are compressed; not at all, if it isn't given.
    #[arg(long, value_enum)]
    compression: Option<CompressionArgument>,
    /// The partition to send to; by key, or one after the other, if it isn't given.
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// Bytes of a batch before it is compressed (batch.size); 262144, if it isn't given.
    #[arg(long, value_name = "N")]
    batch_bytes: Option<usize>,
    /// Milliseconds that a batch waits for more records (linger.ms); 5, if it isn't given.
    #[arg(long, value_name = "N")]
    linger_ms: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AcksArgument {
    /// None: what is refused is lost.
    #[value(name = "0")]
    None,
    /// The leader's.
    #[value(name = "1")]
    Leader,
    /// Those of all replicas that must hold it.
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompressionArgument {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl ProduceArguments {
    /// A producer as the arguments describe it.
    fn producer(&self) -> Result<ProducerBuilder, Failure> {
        let linger = self.linger_ms.map(|linger| Duration::from_millis(linger.into()));
        let mut producer = self.client.producer(linger)?;
        if let Some(acks) = self.acks {
            producer = producer.acks(acks.acks());
        }
        if let Some(compression) = self.compression {
            producer = producer.compression_type(compression.codec());
        }
        if let Some(bytes) = self.batch_bytes {
            producer = producer.batch_size(bytes);
        }
        Ok(producer)
    }
}

impl AcksArgument {
    fn acks(self) -> Acks {
        match self {
            Self::None => Acks::None,
            Self::Leader => Acks::Leader,
            Self::All => Acks::All,
        }
    }
}

impl CompressionArgument {
    fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd => Codec::Zstd,
        }
    }
}

/// Bytes read from the input at once.
const READ_BYTES: usize = 64 << 10;

/// Runs the command.
pub(crate) fn run(arguments: &ProduceArguments) -> ExitCode {
    arguments.client.run("produce", async |_| {
        let is_typed = arguments.file.is_none() && io::stdin().is_terminal();
        let sender = Sender::new(arguments, Progress::new(!is_typed)).await?;
        match &arguments.file {
            Some(path) => {
                let file = tokio::fs::File::open(path).await;
                let unreadable = |error| Failure::failed(format!("{}: {error}", path.display()));
                let file = file.map_err(unreadable)?;
                sender.run(Lines::new(BufReader::with_capacity(READ_BYTES, file))).await
            }
            None => {
                let stdin = tokio::io::stdin();
                sender.run(Lines::new(BufReader::with_capacity(READ_BYTES, stdin))).await
            }
        }
    })
}

/// Key and value of a line.
fn split<'a>(line: &'a [u8], delimiter: Option<&str>) -> (Option<&'a [u8]>, &'a [u8]) {
    let Some(delimiter) = delimiter.map(str::as_bytes) else { return (None, line) };
    match line.windows(delimiter.len()).position(|window| window == delimiter) {
        Some(at) => (Some(&line[..at]), &line[at + delimiter.len()..]),
        None => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_the_first_delimiter() {
        let split = |line: &'static str, delimiter| {
            let (key, value) = split(line.as_bytes(), delimiter);
            (key.map(|key| str::from_utf8(key).unwrap()), str::from_utf8(value).unwrap())
        };
        assert_eq!(split("a,b,c", None), (None, "a,b,c"));
        assert_eq!(split("a,b,c", Some(",")), (Some("a"), "b,c"));
        assert_eq!(split(",b", Some(",")), (Some(""), "b"));
        assert_eq!(split("a::b", Some("::")), (Some("a"), "b"));
        assert_eq!(split("ab", Some(",")), (None, "ab"));
        assert_eq!(split("", Some(",")), (None, ""));
    }
}
