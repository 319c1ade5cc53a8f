//! `logboom consume --group`: a member of a group that commits what it has written.
//!
//! The records of a partition are gathered and then written, so that heartbeats go on while the
//! reader of our output takes its time. What the output has taken is committed every
//! [`COMMIT_INTERVAL`], at a rebalance before the partitions are given up, and in the end.
//!
//! **Invariant:** what is committed was written and flushed, and lies behind an offset for which
//! the leader has answered; so a record is written again only where its commit didn't come through,
//! and none is left out.

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::io::{AsyncWriteExt as _, Stdout};

use logboom_bench::Signals;
use logboom_client::{
    Beat, ClientError, Cluster, GroupMember, Joined, MemberConfig, PartitionOffset,
};
use logboom_protocol::ErrorCode;

use super::{ConsumeArguments, Consumer, PAUSE, Stop};
use crate::client::Failure;

/// Between commits, while records come.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// How long an output that takes nothing is waited for after a signal.
const WRITE_MAX: Duration = Duration::from_secs(1);
/// How long the coordinator is waited for when the command ends.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// Reads as a member until the count, the end or a signal; then leaves.
pub(super) async fn consume(
    cluster: &Cluster,
    arguments: &ConsumeArguments,
    group: &str,
) -> Result<(), Failure> {
    // A topic that isn't there would be waited for by the whole group.
    cluster.topic(&arguments.topic).await?;
    let mut member = GroupMember::new(cluster.clone(), config(arguments, group));
    let mut session = Session {
        group,
        consumer: Consumer::new(cluster, arguments),
        out: tokio::io::stdout(),
        written: BTreeMap::new(),
        committed: BTreeMap::new(),
        last_commit: Instant::now(),
        last_success: Instant::now(),
        is_ended: false,
    };
    let result = session.run(&mut member, &mut Signals::new()?).await;
    let is_committed = session.end(member).await?;
    match result? {
        // It was said why.
        End::Complete if !is_committed => Err(Failure::Told),
        End::Complete | End::Signal => Ok(()),
    }
}

fn config(arguments: &ConsumeArguments, group: &str) -> MemberConfig {
    let mut config = MemberConfig::new(group.to_owned(), vec![arguments.topic.clone()]);
    if let Some(seconds) = arguments.session_timeout {
        config.session_timeout = Duration::from_secs(seconds.into());
        // So that one that is lost is no harm.
        config.heartbeat_interval = config.heartbeat_interval.min(config.session_timeout / 3);
    }
    config
}

struct Session<'a> {
    group: &'a str,
    consumer: Consumer<'a>,
    out: Stdout,
    /// What comes behind the records that the output has taken. It moves when a leader has answered
    /// for a partition and the answer is written, and is empty when the membership is lost: what
    /// isn't ours any more isn't committed.
    written: BTreeMap<i32, i64>,
    /// What the group has committed, as far as we know. It is asked for with each generation, and
    /// moves to `written` with each commit.
    committed: BTreeMap<i32, i64>,
    last_commit: Instant,
    /// When a leader last had an answer.
    last_success: Instant,
    /// Whether a signal has come while something was written.
    is_ended: bool,
}

/// Why the command ends well.
enum End {
    /// Everything was read that was asked for.
    Complete,
    Signal,
}

/// What a turn has come to.
enum Turn {
    /// A part of an answer is there to be written, or there is none for this reason.
    Fetched(Result<(), Stop>),
    /// What was written is committed.
    Committed,
    /// The group shares anew, or we are no member any more.
    Over,
}

/// Waits for an answer. Where there is nothing to read it waits, until the group shares anew.
async fn fetch(consumer: &mut Consumer<'_>) -> Result<(), Stop> {
    if consumer.lanes.is_empty() {
        return std::future::pending().await;
    }
    consumer.wait().await
}

/// Waits so long; not at all for no time, of which a timer makes a millisecond.
async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Session<'_> {
    /// From one rebalance to the next. A signal breaks off whatever is waited for, but not what is
    /// written.
    async fn run(
        &mut self,
        member: &mut GroupMember,
        signals: &mut Signals,
    ) -> Result<End, Failure> {
        loop {
            tokio::select! {
                biased;
                () = signals.next() => return Ok(End::Signal),
                result = self.join(member) => result?,
            }
            if let Some(end) = self.read(member, signals).await? {
                return Ok(end);
            }
            self.consumer.begin([], []);
        }
    }

    async fn join(&mut self, member: &mut GroupMember) -> Result<(), Failure> {
        let joined = member.join().await?;
        self.begin(joined).await
    }

    /// Begins to read what the member has got.
    async fn begin(&mut self, joined: Joined) -> Result<(), Failure> {
        // Before anything is waited for, so that it isn't committed when this ends early.
        let written = std::mem::take(&mut self.written);
        let ConsumeArguments { topic, from, .. } = self.consumer.arguments;
        let cluster = self.consumer.cluster;
        let own = joined.assignment.get(topic).cloned().unwrap_or_default();
        let committed = cluster.committed_offsets_of(self.group, topic, &own).await?;
        let mut known: BTreeMap<i32, i64> =
            committed.iter().map(|one| (one.partition, one.offset)).collect();
        let is_new = |partition: &i32| !known.contains_key(partition);
        let new: Vec<i32> = own.iter().copied().filter(is_new).collect();
        let chosen = from.resolve(cluster, topic, &new).await?;
        self.committed.clone_from(&known);
        if joined.is_uninterrupted {
            // What nobody else can have read meanwhile isn't written twice, committed or not.
            for (partition, offset) in written.into_iter().filter(|(one, _)| own.contains(one)) {
                let start = known.entry(partition).or_insert(offset);
                *start = offset.max(*start);
                self.written.insert(partition, *start);
            }
        }
        let chosen = chosen.into_iter().filter(|(partition, _)| !known.contains_key(partition));
        let chosen: Vec<(i32, i64)> = chosen.collect();
        // Others may have seen partitions that we haven't.
        cluster.forget(topic);
        self.consumer.begin(known, chosen);
        self.last_success = Instant::now();
        Ok(())
    }

    /// Reads and commits until the generation is over, and then returns nothing, or the command is.
    async fn read(
        &mut self,
        member: &mut GroupMember,
        signals: &mut Signals,
    ) -> Result<Option<End>, Failure> {
        while !self.is_ended {
            let is_at_end = self.consumer.arguments.exit && self.consumer.lanes.is_empty();
            if self.consumer.left == 0 || is_at_end {
                return Ok(Some(End::Complete));
            }
            let turn = tokio::select! {
                biased;
                () = signals.next() => return Ok(Some(End::Signal)),
                turn = self.turn(member) => turn?,
            };
            match turn {
                Turn::Fetched(result) => self.take(result, signals).await?,
                Turn::Committed => {}
                Turn::Over => return Ok(None),
            }
        }
        Ok(Some(End::Signal))
    }

    /// Waits for what comes first. Cancel-safe: a commit that is broken off is made again.
    async fn turn(&mut self, member: &mut GroupMember) -> Result<Turn, Failure> {
        let wait = COMMIT_INTERVAL.saturating_sub(self.last_commit.elapsed());
        let is_dirty = self.is_dirty();
        tokio::select! {
            biased;
            beat = member.disturbed() => {
                if beat == Beat::Lost {
                    self.lose(&"the session is over");
                } else {
                    self.commit_or_warn(member).await?;
                }
                Ok(Turn::Over)
            }
            () = pass(wait), if is_dirty => {
                let is_committed = self.commit_or_warn(member).await?;
                Ok(if is_committed { Turn::Committed } else { Turn::Over })
            }
            result = fetch(&mut self.consumer) => Ok(Turn::Fetched(result)),
        }
    }

    /// Writes what has come of a partition. When that was the last of an answer, an error that may
    /// pass is waited over for a while.
    async fn take(
        &mut self,
        result: Result<(), Stop>,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let mut gathered = Vec::new();
        let reached = self.consumer.write_next(&mut gathered);
        let is_written = self.write(&gathered, signals).await?;
        if let Some((partition, offset)) = reached.filter(|_| is_written) {
            self.written.insert(partition, offset);
        }
        if !self.consumer.fetched.is_empty() {
            return Ok(());
        }
        let error = match result.and_then(|()| self.consumer.outcome()) {
            Ok(()) => {
                self.last_success = Instant::now();
                return Ok(());
            }
            Err(Stop::Ends(failure)) => return Err(failure),
            Err(Stop::MayPass(error)) => error,
        };
        if self.last_success.elapsed() >= self.consumer.cluster.config().api_timeout {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    /// Writes and flushes; whether the output has taken it. No rebalance interrupts it; after a
    /// signal it has a little more time.
    async fn write(&mut self, gathered: &[u8], signals: &mut Signals) -> io::Result<bool> {
        if gathered.is_empty() {
            return Ok(true);
        }
        let out = &mut self.out;
        let mut writing = pin!(async {
            out.write_all(gathered).await?;
            out.flush().await
        });
        tokio::select! {
            result = &mut writing => result?,
            () = signals.next() => {
                self.is_ended = true;
                match tokio::time::timeout(WRITE_MAX, writing).await {
                    Ok(result) => result?,
                    // Nobody takes it; what isn't known to be written isn't committed.
                    Err(_) => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    /// What was written and isn't committed.
    fn uncommitted(&self) -> Vec<PartitionOffset> {
        let topic = &self.consumer.arguments.topic;
        let differs =
            |(partition, offset): &(&i32, &i64)| self.committed.get(partition) != Some(*offset);
        let place =
            |(&partition, &offset)| PartitionOffset { topic: topic.clone(), partition, offset };
        self.written.iter().filter(differs).map(place).collect()
    }

    fn is_dirty(&self) -> bool {
        self.written.iter().any(|(partition, offset)| self.committed.get(partition) != Some(offset))
    }

    async fn commit(&mut self, member: &GroupMember) -> Result<(), ClientError> {
        self.last_commit = Instant::now();
        member.commit(&self.uncommitted()).await?;
        self.committed.extend(&self.written);
        Ok(())
    }

    /// Whether it was committed; not where the partitions are somebody else's by now.
    async fn commit_or_warn(&mut self, member: &GroupMember) -> Result<bool, Failure> {
        match self.commit(member).await {
            Ok(()) => Ok(true),
            // It is still a member, and may go on where it is.
            Err(error) if error.code() == Some(ErrorCode::REBALANCE_IN_PROGRESS) => {
                self.warn(&error);
                Ok(false)
            }
            Err(error) if error.is_lost_membership() => {
                self.lose(&error);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Commits the rest and leaves; whether all that was written is committed.
    async fn end(&mut self, member: GroupMember) -> Result<bool, Failure> {
        let mut again = Signals::new()?;
        let mut is_told = false;
        let ending = async {
            if let Err(error) = self.commit(&member).await {
                self.warn(&error);
                is_told = true;
            }
            if let Err(error) = member.leave().await {
                crate::complain(&format!(
                    "logboom consume: {error}; the group waits for the end of our session"
                ));
            }
        };
        let is_over = tokio::select! {
            result = tokio::time::timeout(LEAVE_MAX, ending) => result.is_ok(),
            // Whoever can't wait sends a second one.
            () = again.next() => false,
        };
        let is_committed = !self.is_dirty();
        if !is_over && !is_committed && !is_told {
            self.warn(&"nobody has answered the last commit");
        }
        if !is_over {
            let group = self.group;
            crate::complain(&format!(
                "logboom consume: group {group}: it isn't known that we leave; it waits for the \
                 end of our session"
            ));
        }
        Ok(is_committed)
    }

    /// What it had may be somebody else's by now, who then says how far that was read.
    fn lose(&mut self, reason: &dyn std::fmt::Display) {
        if self.is_dirty() {
            self.warn(reason);
        }
        self.written.clear();
    }

    fn warn(&self, reason: &dyn std::fmt::Display) {
        let group = self.group;
        crate::complain(&format!(
            "logboom consume: group {group}: {reason}; records that were written since the last \
             commit may come again"
        ));
    }
}
