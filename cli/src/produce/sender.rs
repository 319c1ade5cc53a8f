//! Lines become batches, batches are sent, and what fails is told by line.
//!
//! ```text
//!   lines ──▶ lane of the key's partition ── full, or lingered ──▶ one batch under way a lane
//!     ▲                                                                        │
//!     └──────────── stops while a lane or the memory is full ◀─────────────────┘
//! ```
//!
//! Must always hold: every line that was read is counted once, as sent or as failed.

use std::io::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::io::AsyncBufRead;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use logboom_client::{ClientError, Cluster, Produced, Remedy, partition_of_key};

use super::lane::{Lane, Ready};
use super::lines::{LineNumbers, Lines};
use super::{AcksArgument, ProduceArguments, split};
use crate::client::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Bytes of all batches, filled or under way, at which no more lines are read.
const BUFFER_BYTES_MAX: usize = 32 << 20;
/// A batch that has ended.
struct Sent {
    lane: usize,
    lines: LineNumbers,
    bytes: usize,
    result: Result<Produced, ClientError>,
}

/// Sends the lines of one input.
pub(super) struct Sender<'a> {
    cluster: &'a Cluster,
    arguments: &'a ProduceArguments,
    /// A lane a partition, or the one for the partition that was asked for.
    lanes: Vec<Lane>,
    /// The lanes of partitions that had a leader in the beginning, or all if there was none.
    led: Vec<usize>,
    /// Which of them lines without a key go to until its batch is sent.
    sticky: usize,
    sends: JoinSet<Sent>,
    /// A lane whose batch is full while one is under way.
    blocked: Option<usize>,
    /// When the open batches have waited long enough.
    linger: Option<Instant>,
    /// Bytes of all batches.
    buffered_bytes: usize,
    sent: u64,
    failed: u64,
    /// Whether an error shows that what follows would fail as well.
    is_hopeless: bool,
    progress: Progress,
}

impl<'a> Sender<'a> {
    /// Looks up the topic, and becomes an idempotent producer if all replicas are waited for.
    pub(super) async fn new(
        cluster: &'a Cluster,
        arguments: &'a ProduceArguments,
        progress: Progress,
    ) -> Result<Self, Failure> {
        let topic = cluster.topic(&arguments.topic).await?;
        let count = match arguments.partition {
            Some(partition) => topic.partition(partition).map(|_| 1)?,
            None => topic.partitions.len(),
        };
        if count == 0 {
            return Err(Failure::failed(format!("topic {}: it has no partition", topic.name)));
        }
        let has_leader = |at: &usize| topic.partitions[*at].leader.is_some();
        let mut led: Vec<usize> = (0..count).filter(has_leader).collect();
        if led.is_empty() || arguments.partition.is_some() {
            led = (0..count).collect();
        }
        let producer = producer(cluster, arguments.acks).await?;
        let lane = |_| Lane::new(arguments.compression.codec(), producer);
        Ok(Self {
            cluster,
            arguments,
            lanes: (0..count).map(lane).collect(),
            led,
            sticky: 0,
            sends: JoinSet::new(),
            blocked: None,
            linger: None,
            buffered_bytes: 0,
            sent: 0,
            failed: 0,
            is_hopeless: false,
            progress,
        })
    }

    /// Sends all lines and waits for them.
    pub(super) async fn run<R: AsyncBufRead + Unpin>(
        mut self,
        mut lines: Lines<R>,
    ) -> Result<(), Failure> {
        let input = self.send_lines(&mut lines).await;
        // What was read is sent, also where the input broke off.
        self.send_all();
        while let Some(sent) = self.sends.join_next().await {
            self.take(sent).await?;
            self.send_all();
        }
        self.give_up();
        drop(self.progress);
        input?;
        if self.arguments.client.output == Output::Json {
            let topic = &self.arguments.topic;
            let summary = json!({ "topic": topic, "sent": self.sent, "failed": self.failed });
            writeln!(io::stdout(), "{summary}")?;
        }
        if self.failed > 0 { Err(Failure::Told) } else { Ok(()) }
    }

    /// Reads to the end of the input, or until there is no hope.
    async fn send_lines<R: AsyncBufRead + Unpin>(
        &mut self,
        lines: &mut Lines<R>,
    ) -> Result<(), Failure> {
        loop {
            let has_room = self.has_room();
            let lingered = self.linger.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                Some(sent) = self.sends.join_next() => {
                    self.take(sent).await?;
                    self.send_ready();
                    if self.is_hopeless {
                        let next = lines.next_number();
                        return Err(Failure::failed(format!("lines from {next} on were not read")));
                    }
                }
                () = sleep_until(lingered), if self.linger.is_some() => {
                    self.linger = None;
                    self.make_due();
                }
                more = lines.next(), if has_room => {
                    if !more.map_err(|error| Failure::failed(format!("read: {error}")))? {
                        return Ok(());
                    }
                    let (number, line) = lines.take();
                    self.append(number, &line);
                }
            }
        }
    }

    /// Whether a line may be read, whichever lane it goes to.
    fn has_room(&self) -> bool {
        self.blocked.is_none() && self.buffered_bytes < BUFFER_BYTES_MAX
    }

    /// Puts a line into its lane.
    fn append(&mut self, number: u64, line: &[u8]) {
        let (key, value) = split(line, self.arguments.key_delimiter.as_deref());
        let at = match key {
            Some(key) => self.lane_of_key(key),
            None => self.led[self.sticky],
        };
        let lane = &mut self.lanes[at];
        match lane.append(number, now(), key, value) {
            Ok(bytes) => self.buffered_bytes += bytes,
            Err(error) => {
                let mut lines = LineNumbers::default();
                lines.push(number);
                return self.complain(&lines, &error.to_string());
            }
        }
        let is_full = lane.open_bytes() >= self.arguments.batch_bytes;
        self.linger.get_or_insert_with(|| {
            Instant::now() + Duration::from_millis(self.arguments.linger_ms.into())
        });
        if is_full && !self.send(at) {
            self.blocked = Some(at);
        }
        if self.buffered_bytes >= BUFFER_BYTES_MAX {
            self.make_due();
        }
    }

    fn lane_of_key(&self, key: &[u8]) -> usize {
        let count = i32::try_from(self.lanes.len()).expect("partitions are numbered by i32");
        usize::try_from(partition_of_key(key, count)).expect("no partition is negative")
    }

    /// All open batches have waited long enough.
    fn make_due(&mut self) {
        for lane in &mut self.lanes {
            lane.is_due = lane.open_bytes() > 0;
        }
        self.send_ready();
    }

    /// Sends the batches that are full or due.
    fn send_ready(&mut self) {
        for at in 0..self.lanes.len() {
            let lane = &self.lanes[at];
            if lane.is_due || lane.open_bytes() >= self.arguments.batch_bytes {
                self.send(at);
            }
        }
    }

    /// Sends every batch, while there is hope.
    fn send_all(&mut self) {
        for at in 0..self.lanes.len() {
            if !self.is_hopeless {
                self.send(at);
            }
        }
    }

    /// Says which lines were read and not sent because there is no hope.
    fn give_up(&mut self) {
        for at in 0..self.lanes.len() {
            if let Some(lines) = self.lanes[at].give_up() {
                self.complain(&lines, "not sent, after what failed before");
            }
        }
    }

    /// Sends the open batch of a lane; not if one is under way.
    fn send(&mut self, at: usize) -> bool {
        let Some(Ready { batch, lines, bytes }) = self.lanes[at].take() else { return false };
        if at == self.led[self.sticky] {
            self.sticky = (self.sticky + 1) % self.led.len();
        }
        let partition = i32::try_from(at).expect("partitions are numbered by i32");
        let partition = self.arguments.partition.unwrap_or(partition);
        let (cluster, topic) = (self.cluster.clone(), self.arguments.topic.clone());
        let acks = self.arguments.acks.acks();
        self.sends.spawn(async move {
            let result = match batch {
                Ok(batch) => cluster.produce(&topic, partition, batch, acks).await,
                Err(error) => {
                    let what = format!("partition {topic}-{partition}");
                    Err(ClientError::Batch { what, error })
                }
            };
            Sent { lane: at, lines, bytes, result }
        });
        true
    }

    /// Counts a batch that has ended.
    async fn take(&mut self, sent: Result<Sent, tokio::task::JoinError>) -> Result<(), Failure> {
        let Sent { lane, lines, bytes, result } = sent.map_err(Failure::failed)?;
        self.lanes[lane].is_busy = false;
        self.blocked = self.blocked.filter(|at| *at != lane);
        self.buffered_bytes -= bytes;
        let Err(error) = result else {
            self.sent += lines.count();
            self.progress.show(|| format!("{} records sent", self.sent));
            return Ok(());
        };
        self.is_hopeless |= error.remedy() != Remedy::FixCall;
        let Failure::Failed(message) = Failure::from(error) else { return Ok(()) };
        self.complain(&lines, &message);
        if !self.is_hopeless {
            let producer = producer(self.cluster, self.arguments.acks).await?;
            self.lanes[lane].restart(producer);
        }
        Ok(())
    }

    /// Says which lines were not sent.
    fn complain(&mut self, lines: &LineNumbers, why: &str) {
        self.failed += lines.count();
        crate::complain(&format!("logboom produce: {lines}: {why}"));
    }
}

/// Id and epoch of an idempotent producer, where all replicas are waited for and brokers know such
/// producers.
async fn producer(
    cluster: &Cluster,
    acks: AcksArgument,
) -> Result<Option<(i64, i16)>, ClientError> {
    if acks != AcksArgument::All {
        return Ok(None);
    }
    match cluster.init_producer_id().await {
        Ok(producer) => Ok(Some(producer)),
        Err(ClientError::UnsupportedVersion { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Milliseconds since 1970; 0 on a machine whose clock stands before that.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
