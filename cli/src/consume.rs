//! `logboom consume`: writes the records of a topic to stdout.
//!
//! Records of a partition come in order; those of several come as they are fetched.

mod format;
mod group;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{MissedTickBehavior, interval};

use logboom_client::{Cluster, OffsetSpec};
use logboom_consumer::{
    Consumer, ConsumerError, LentRecord, OffsetReset, RecordBatch, Start, TopicPartition,
};

use self::format::Format;
use crate::client::{ClientArguments, Failure};
use crate::offset::Place;
use crate::output::Output;

/// What stands below the options.
pub(crate) const HELP: &str = r"Format, as kcat's:
  %t topic       %p partition        %o offset           %T timestamp in milliseconds
  %k key         %K bytes of the key, -1 for null
  %s value       %S bytes of the value, -1 for null      %R the same in four bytes, big-endian
  %h headers     %% a %              \n \r \t \0 \\ \xFF a byte

With --group the partitions are shared with the other members of the group, and what was written is
committed: after a restart it goes on from there. --from holds where nothing is committed yet.

Examples:
  logboom consume flights --exit
  logboom consume flights --from end --format '%p %o %k: %s\n'
  logboom consume flights --from 2026-01-31T12:00:00Z --count 10 --output json
  logboom consume flights --group billing";

/// The arguments of `logboom consume`.
#[derive(Debug, Args)]
pub(crate) struct ConsumeArguments {
    #[command(flatten)]
    client: ClientArguments,
    /// The topic to read.
    topic: String,
    /// Where to begin: beginning, end, an offset, @MILLISECONDS, or a time as 2026-01-31T12:00:00Z.
    #[arg(long, default_value = "beginning", value_name = "PLACE")]
    from: Place,
    /// Only these partitions.
    #[arg(long, value_name = "N", conflicts_with = "group")]
    partition: Vec<i32>,
    /// Reads as a member of this group, and commits what was written.
    #[arg(long)]
    group: Option<String>,
    /// Seconds after which the group takes this member for gone if nothing is heard of it; 45 if it
    /// isn't given.
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "group",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    session_timeout: Option<u32>,
    /// Ends after so many records.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// How a record is written, see below.
    #[arg(long, default_value = r"%s\n", conflicts_with = "output")]
    format: Format,
    /// Ends when the last record of every partition was written.
    #[arg(long, short = 'e')]
    exit: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &ConsumeArguments) -> ExitCode {
    if let Some(group) = &arguments.group {
        return arguments
            .client
            .run("consume", async |cluster| group::consume(&cluster, arguments, group).await);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    arguments.client.run("consume", async |cluster| {
        let result = consume(&cluster, arguments, &mut out).await;
        // What was read before an error is written before it is told.
        out.flush()?;
        result
    })
}

/// Bytes that a batch may inflate to.
const INFLATED_BYTES_MAX: usize = 1 << 30;
/// Records that are written at once, unless they are long.
const RECORDS_AT_ONCE: usize = 10_000;
/// Between looks at how far it is, and what holds it up.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

async fn consume(
    cluster: &Cluster,
    arguments: &ConsumeArguments,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let topic = cluster.topic(&arguments.topic).await?;
    let all = topic.partitions.iter().map(|partition| partition.index);
    let partitions: Vec<i32> =
        if arguments.partition.is_empty() { all.collect() } else { arguments.partition.clone() };
    for &partition in &partitions {
        topic.partition(partition)?;
    }
    let starts = arguments.from.resolve(cluster, &arguments.topic, &partitions).await?;
    let start = |(partition, offset)| {
        (TopicPartition::new(arguments.topic.as_str(), partition), Start::Offset(offset))
    };
    let mut consumer = arguments
        .client
        .consumer()?
        // Nothing is passed over unasked, and nothing is anybody's progress.
        .auto_offset_reset(OffsetReset::None)
        .enable_auto_commit(false)
        .max_poll_records(RECORDS_AT_ONCE)
        .max_inflated_bytes(INFLATED_BYTES_MAX)
        .build()?;
    consumer.assign_from(starts.into_iter().map(start))?;
    let left = arguments.count.unwrap_or(u64::MAX);
    Reader { cluster, arguments, consumer, left }.run(out).await
}

struct Reader<'a> {
    cluster: &'a Cluster,
    arguments: &'a ConsumeArguments,
    consumer: Consumer,
    /// Records that may still be written.
    left: u64,
}

impl Reader<'_> {
    async fn run(mut self, out: &mut impl Write) -> Result<(), Failure> {
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.left > 0 {
            tokio::select! {
                biased;
                _ = ticks.tick() => if self.look()? {
                    return Ok(());
                },
                batch = self.consumer.next_batch() => match batch {
                    Ok(batch) => self.write(&batch, out)?,
                    Err(ConsumerError::OutOfRange { partition, offset }) => {
                        return Err(out_of_range(self.cluster, &partition, offset).await);
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    /// Whether all is written that was asked for. What holds a partition up is waited for as long
    /// as the caller is patient.
    fn look(&mut self) -> Result<bool, Failure> {
        let patience = self.cluster.config().api_timeout;
        let stuck = self.consumer.stuck().into_iter();
        if let Some(one) = stuck.max_by_key(|one| one.lasting).filter(|one| one.lasting >= patience)
        {
            return Err(one.error.into());
        }
        if !self.arguments.exit {
            return Ok(false);
        }
        let (paused, mut ended, mut is_over) = (self.consumer.paused(), Vec::new(), true);
        for place in self.consumer.assignment() {
            if paused.contains(&place) {
                continue;
            }
            // All that was handed out is written.
            self.consumer.position(&place)?;
            match self.consumer.lag(&place)? {
                Some(0) => ended.push(place),
                _ => is_over = false,
            }
        }
        // What comes later isn't waited for.
        self.consumer.pause(&ended)?;
        Ok(is_over)
    }

    /// Writes the records of a batch, or as many of them as are wanted.
    fn write(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<(), Failure> {
        for record in batch {
            if self.left == 0 {
                break;
            }
            write_record(self.arguments, batch.place().partition, &record?, out)?;
            self.left -= 1;
        }
        Ok(out.flush()?)
    }
}

async fn out_of_range(cluster: &Cluster, place: &TopicPartition, offset: i64) -> Failure {
    let range = range(cluster, place).await;
    Failure::Failed(format!(
        "partition {place}: offset {offset} is not there{range}; --from beginning or --from end \
         always are"
    ))
}

/// Which offsets a partition has, for a message; nothing where nobody tells.
async fn range(cluster: &Cluster, place: &TopicPartition) -> String {
    let bound = async |spec| {
        let found = cluster.list_offsets(&place.topic, &[place.partition], spec).await;
        found.ok().and_then(|found| found.first()?.offset)
    };
    match (bound(OffsetSpec::Earliest).await, bound(OffsetSpec::Latest).await) {
        (Some(start), Some(end)) => format!(", it has {start} to {end}"),
        _ => String::new(),
    }
}

fn write_record(
    arguments: &ConsumeArguments,
    partition: i32,
    record: &LentRecord<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let topic = &arguments.topic;
    match arguments.client.output {
        Output::Table => arguments.format.write(out, topic, partition, record),
        Output::Json => writeln!(out, "{}", format::json(topic, partition, record)),
    }
}
