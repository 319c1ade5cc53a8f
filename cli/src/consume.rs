//! `logboom consume`: writes the records of a topic to stdout.
//!
//! One fetch is under way for each leader, so that a broker without news doesn't hold up the
//! records of the others. Records of a partition come in order; those of several come as they are
//! fetched.

mod format;
mod group;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;

use logboom_client::{
    ClientError, Cluster, FetchLimits, FetchPosition, FetchedPartition, Topic, visit_records,
};
use logboom_protocol::records::{Inflater, Record};

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

/// Pause before an error that may pass is tried again.
const PAUSE: Duration = Duration::from_millis(100);

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
    Consumer::new(cluster, arguments, starts).run(out).await
}

/// A partition that is read.
#[derive(Debug)]
struct Lane {
    /// The next record, inclusive.
    offset: i64,
    /// Whether a fetch of it is under way.
    is_busy: bool,
}

/// A fetch that has ended: the partitions that it was for, and what came.
type Fetched = (Vec<i32>, Result<Vec<FetchedPartition>, ClientError>);

struct Consumer<'a> {
    cluster: &'a Cluster,
    arguments: &'a ConsumeArguments,
    /// Partitions that are not at their end, or all of them.
    lanes: BTreeMap<i32, Lane>,
    /// Records that may still be written.
    left: u64,
    inflater: Inflater,
    /// Invariant: at most one a leader.
    fetches: JoinSet<Fetched>,
    /// Counts fetches, so that another partition comes first each time.
    turn: usize,
}

impl<'a> Consumer<'a> {
    /// - `starts`: the partitions, and from where on they are read.
    fn new(
        cluster: &'a Cluster,
        arguments: &'a ConsumeArguments,
        starts: impl IntoIterator<Item = (i32, i64)>,
    ) -> Self {
        let lane = |(partition, offset)| (partition, Lane { offset, is_busy: false });
        Self {
            cluster,
            arguments,
            lanes: starts.into_iter().map(lane).collect(),
            left: arguments.count.unwrap_or(u64::MAX),
            inflater: Inflater::new(INFLATED_BYTES_MAX),
            fetches: JoinSet::new(),
            turn: 0,
        }
    }

    async fn run(mut self, out: &mut impl Write) -> Result<(), Failure> {
        let patience = self.cluster.config().api_timeout;
        let mut last_success = Instant::now();
        while self.left > 0 && !self.lanes.is_empty() {
            let error = match self.turn(out).await {
                Ok(()) => {
                    last_success = Instant::now();
                    continue;
                }
                Err(Stop::Ends(failure)) => return Err(failure),
                Err(Stop::MayPass(error)) => error,
            };
            if last_success.elapsed() >= patience {
                return Err(error.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Waits for an answer, and writes all of it; what was read before an error is written as well.
    async fn turn(&mut self, out: &mut impl Write) -> Result<(), Stop> {
        let mut result = Ok(());
        for fetched in self.wait().await? {
            result = result.and(self.take(&fetched, out));
        }
        out.flush().map_err(Failure::from)?;
        result
    }

    /// Asks every leader that isn't asked, and waits for what comes first.
    async fn wait(&mut self) -> Result<Vec<FetchedPartition>, Stop> {
        let topic = self.cluster.topic(&self.arguments.topic).await?;
        let led = self.led(&topic).inspect_err(|_| self.cluster.forget(&topic.name))?;
        for partitions in led.into_values() {
            self.ask(partitions);
        }
        let Some(joined) = self.fetches.join_next().await else { return Ok(Vec::new()) };
        let (partitions, result) = joined.map_err(|error| Failure::failed(&error))?;
        for partition in &partitions {
            if let Some(lane) = self.lanes.get_mut(partition) {
                lane.is_busy = false;
            }
        }
        Ok(result?)
    }

    /// The partitions for which no fetch is under way, a list a leader.
    fn led(&self, topic: &Topic) -> Result<BTreeMap<i32, Vec<i32>>, ClientError> {
        let mut led = BTreeMap::<i32, Vec<i32>>::new();
        let mut busy = Vec::new();
        for (&partition, lane) in &self.lanes {
            let leader = topic.leader(partition)?;
            if lane.is_busy {
                busy.push(leader);
            }
            led.entry(leader).or_default().push(partition);
        }
        // A partition that has moved to a busy leader waits for that fetch.
        led.retain(|leader, _| !busy.contains(leader));
        Ok(led)
    }

    fn ask(&mut self, mut partitions: Vec<i32>) {
        let first = self.turn % partitions.len();
        self.turn = self.turn.wrapping_add(1);
        partitions.rotate_left(first);
        let mut positions = Vec::with_capacity(partitions.len());
        for &partition in &partitions {
            if let Some(lane) = self.lanes.get_mut(&partition) {
                lane.is_busy = true;
                positions.push(FetchPosition { partition, offset: lane.offset });
            }
        }
        let (cluster, topic) = (self.cluster.clone(), self.arguments.topic.clone());
        self.fetches.spawn(async move {
            let result = cluster.fetch(&topic, &positions, &FetchLimits::default()).await;
            (partitions, result)
        });
    }

    /// Writes the records of a partition, and lets go of it when it is at its end.
    fn take(&mut self, fetched: &FetchedPartition, out: &mut impl Write) -> Result<(), Stop> {
        let partition = fetched.partition;
        let Some(lane) = self.lanes.get_mut(&partition) else { return Ok(()) };
        if fetched.is_out_of_range() {
            return Err(Stop::Ends(self.out_of_range(fetched)));
        }
        if let Some(error) = &fetched.error {
            return Err(error.clone().into());
        }
        // One that isn't wanted any more must not count as read.
        if self.left == 0 {
            return Ok(());
        }
        let (arguments, left) = (self.arguments, &mut self.left);
        let next = visit_records(&fetched.batches, lane.offset, &mut self.inflater, |record| {
            *left -= 1;
            write_record(arguments, partition, record, out)?;
            Ok::<_, Failure>(*left > 0)
        });
        let next = next.map_err(|failure| named(failure, &arguments.topic, partition))?;
        lane.offset = next;
        if arguments.exit && next >= fetched.high_watermark {
            self.lanes.remove(&partition);
        }
        Ok(())
    }

    fn out_of_range(&self, fetched: &FetchedPartition) -> Failure {
        let partition = fetched.partition;
        let offset = self.lanes.get(&partition).map_or(-1, |lane| lane.offset);
        let range = match (fetched.log_start_offset, fetched.high_watermark) {
            (start, end) if start >= 0 && end >= 0 => format!(", it has {start} to {end}"),
            _ => String::new(),
        };
        Failure::Failed(format!(
            "partition {}-{partition}: offset {offset} is not there{range}; --from beginning or \
             --from end always are",
            self.arguments.topic
        ))
    }
}

fn write_record(
    arguments: &ConsumeArguments,
    partition: i32,
    record: &Record<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let topic = &arguments.topic;
    match arguments.client.output {
        Output::Table => arguments.format.write(out, topic, partition, record),
        Output::Json => writeln!(out, "{}", format::json(topic, partition, record)),
    }
}

/// Says where damage was found.
fn named(failure: Failure, topic: &str, partition: i32) -> Failure {
    match failure {
        Failure::Failed(message) => {
            Failure::Failed(format!("partition {topic}-{partition}: {message}"))
        }
        other => other,
    }
}

/// Why no more records come for now.
enum Stop {
    MayPass(ClientError),
    Ends(Failure),
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        if error.is_retriable() { Self::MayPass(error) } else { Self::Ends(error.into()) }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Ends(failure)
    }
}
