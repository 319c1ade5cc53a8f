//! `logboom consume --group`: a member of a group that commits what it has written.
//!
//! Records are gathered and then written, so that heartbeats go on while the reader of our output
//! takes its time. What the output has taken is committed twice a second, before partitions are
//! given up, and in the end. A commit that isn't answered holds up neither reading nor the end.
//!
//! **Invariant:** what is committed was written and flushed, and lies behind an offset for which
//! the leader has answered; so a record is written again only where its commit didn't come through,
//! and none is left out.

mod commits;
mod ledger;
mod stuck;

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, Stdout};
use tokio::time::{MissedTickBehavior, interval};

use logboom_bench::Signals;
use logboom_client::Cluster;
use logboom_consumer::{
    Assignor, Consumer, ConsumerError, OffsetReset, RecordBatch, TopicPartition,
};

use self::commits::Commits;
use self::ledger::Account;
use self::stuck::Patience;
use super::{ConsumeArguments, write_record};
use crate::client::Failure;

/// Between looks at how far it is, so that commits are a little late at the most.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// The same, for who ends behind the last records.
const END_INTERVAL: Duration = Duration::from_millis(20);
/// Between heartbeats; Kafka's own.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);
/// How long an output that takes nothing is waited for after a signal.
const WRITE_MAX: Duration = Duration::from_secs(1);
/// How long the coordinator is waited for when the command ends.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// Records that are written at once, unless they are long.
const RECORDS_AT_ONCE: usize = 10_000;

/// Reads as a member until the count, the end or a signal; then leaves.
pub(super) async fn consume(
    cluster: &Cluster,
    arguments: &ConsumeArguments,
    group: &str,
) -> Result<(), Failure> {
    // A topic that isn't there would be waited for by the whole group.
    cluster.topic(&arguments.topic).await?;
    let account = Account::new(group, &arguments.topic);
    let has_end = arguments.exit || arguments.count.is_some();
    let patience = has_end.then_some(cluster.config().api_timeout);
    let patience = arguments.client.patience().or(patience);
    let mut session = Session {
        cluster,
        arguments,
        group,
        consumer: consumer(arguments, group, account.clone())?,
        patience: Patience::new(patience),
        commits: Commits::new(account.clone()),
        account,
        out: tokio::io::stdout(),
        left: arguments.count.unwrap_or(u64::MAX),
        is_ended: false,
    };
    let result = session.run(&mut Signals::new()?).await;
    let is_committed = session.end().await?;
    match result? {
        // It was said why.
        End::Complete if !is_committed => Err(Failure::Told),
        End::Complete | End::Signal => Ok(()),
    }
}

fn consumer(
    arguments: &ConsumeArguments,
    group: &str,
    account: Account,
) -> Result<Consumer, Failure> {
    let mut builder = arguments
        .client
        .consumer()?
        .group_id(group)
        // What is committed is what the output has taken, and nothing is passed over unasked.
        .enable_auto_commit(false)
        .auto_offset_reset(OffsetReset::None)
        .max_poll_records(RECORDS_AT_ONCE)
        .assignors([Assignor::Range])
        .rebalance_listener(account);
    if let Some(seconds) = arguments.session_timeout {
        let session = Duration::from_secs(seconds.into());
        builder = builder.session_timeout(session);
        // So that one that is lost is no harm.
        builder = builder.heartbeat_interval(HEARTBEAT_INTERVAL.min(session / 3));
    }
    let mut consumer = builder.build()?;
    consumer.subscribe([&arguments.topic])?;
    Ok(consumer)
}

struct Session<'a> {
    cluster: &'a Cluster,
    arguments: &'a ConsumeArguments,
    group: &'a str,
    consumer: Consumer,
    account: Account,
    patience: Patience,
    commits: Commits,
    out: Stdout,
    /// Records that may still be written.
    left: u64,
    /// Whether a signal has come while something was written.
    is_ended: bool,
}

/// Why the command ends well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything was read that was asked for.
    Complete,
    Signal,
}

impl Session<'_> {
    /// A signal breaks off whatever is waited for, but not what is written.
    async fn run(&mut self, signals: &mut Signals) -> Result<End, Failure> {
        let mut ticks = interval(match self.arguments.exit {
            true => END_INTERVAL,
            false => LOOK_INTERVAL,
        });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (cluster, topic) = (self.cluster.clone(), self.arguments.topic.clone());
        let mut gone = pin!(stuck::topic_gone(cluster, topic, self.account.clone()));
        while !self.is_ended {
            if self.left == 0 || self.is_complete() {
                return Ok(End::Complete);
            }
            tokio::select! {
                biased;
                () = signals.next() => return Ok(End::Signal),
                _ = ticks.tick() => {
                    self.look();
                    self.patience.heed(self.group, &self.consumer.stuck())?;
                    self.commits.begin_if_due(&self.consumer);
                }
                result = self.commits.answered() => match result {
                    // What it means for the partitions the group tells next.
                    Err(ConsumerError::Client(error)) if error.is_lost_membership() => {}
                    // A topic that is gone may be made anew; who waits for it says so.
                    Err(ConsumerError::Client(error)) if error.is_unknown_topic() => {}
                    result => result?,
                },
                batch = self.consumer.next_batch() => self.take(batch, signals).await?,
                failure = &mut gone => return Err(failure),
            }
        }
        Ok(End::Signal)
    }

    /// Whether the last record of each partition was written, where that is the end.
    fn is_complete(&self) -> bool {
        self.arguments.exit && self.account.ledger().is_complete()
    }

    /// Looks at how far each partition is. All that was handed out was written.
    fn look(&mut self) {
        let mut ended = Vec::new();
        for place in self.consumer.assignment() {
            let (Ok(Some(offset)), Ok(Some(lag))) =
                (self.consumer.position(&place), self.consumer.lag(&place))
            else {
                continue;
            };
            let mut ledger = self.account.ledger();
            ledger.note(place.partition, offset);
            if self.arguments.exit && lag == 0 && ledger.ended.insert(place.partition) {
                drop(ledger);
                ended.push(place);
            }
        }
        // What comes later isn't waited for; one that isn't ours any more needs no pause.
        self.consumer.pause(&ended).ok();
    }

    /// Writes what has come of a partition.
    async fn take(
        &mut self,
        result: Result<RecordBatch, ConsumerError>,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let batch = match result {
            Ok(batch) => batch,
            Err(error) => return self.heed(error).await,
        };
        let place = batch.place();
        // As it was told before this batch.
        if let Ok(Some(begin)) = self.consumer.processed(place) {
            self.account.ledger().note(place.partition, begin);
        }
        let (mut gathered, mut next, mut damage) = (Vec::new(), batch.next_offset(), None);
        for record in &batch {
            match record {
                Ok(record) => {
                    write_record(self.arguments, place.partition, &record, &mut gathered)?;
                    self.left -= 1;
                    if self.left == 0 {
                        next = record.offset + 1;
                        break;
                    }
                }
                Err(error) => damage = Some(error),
            }
        }
        let is_written = self.write(&gathered, signals).await?;
        match damage {
            // It is written again, and isn't passed over.
            Some(error) => Err(Failure::failed(error)),
            None => {
                if is_written {
                    self.account.ledger().write(place.partition, next);
                }
                Ok(())
            }
        }
    }

    /// What the consumer has to say.
    async fn heed(&mut self, error: ConsumerError) -> Result<(), Failure> {
        match error {
            ConsumerError::NoOffset { partition } => {
                self.account.ledger().choose(partition.partition);
                // It may be somebody else's by now.
                self.consumer.seek(&partition, self.arguments.from.start()).ok();
                Ok(())
            }
            ConsumerError::OutOfRange { partition, offset } => {
                Err(self.out_of_range(&partition, offset).await)
            }
            // It joins again by itself.
            error @ ConsumerError::PollInterval { .. } => {
                crate::complain(&format!("logboom consume: group {}: {error}", self.group));
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    async fn out_of_range(&self, place: &TopicPartition, offset: i64) -> Failure {
        let Self { group, .. } = self;
        let TopicPartition { topic, partition } = place;
        let range = super::range(self.cluster, place).await;
        let way_out = match self.account.ledger().is_chosen(*partition) {
            true => format!(
                "--from beginning or --from end always are, and `logboom group reset {group} \
                 --topic {topic}:{partition} --to-offset {offset}` moves the group to the nearest \
                 that is"
            ),
            // What it had committed has been dropped; nobody passes over that unasked.
            false => format!(
                "`logboom group reset {group} --topic {topic}:{partition} --shift-by 0` moves the \
                 group to the nearest that is"
            ),
        };
        Failure::Failed(format!(
            "partition {place}: offset {offset} is not there{range}; {way_out}"
        ))
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

    /// Commits the rest and leaves; whether all that was written is committed.
    async fn end(mut self) -> Result<bool, Failure> {
        let mut again = Signals::new()?;
        let (account, group) = (self.account.clone(), self.group);
        account.ledger().is_ending = true;
        let mut is_told = false;
        let ending = async {
            if let Err(error) = self.commits.finish(&self.consumer).await {
                account.warn(&error);
                is_told = true;
            }
            if let Err(error) = self.consumer.close().await {
                crate::complain(&format!("logboom consume: group {group}: {error}"));
            }
        };
        let is_over = tokio::select! {
            result = tokio::time::timeout(LEAVE_MAX, ending) => result.is_ok(),
            // Whoever can't wait sends a second one.
            () = again.next() => false,
        };
        let is_committed = account.uncommitted().is_empty();
        if !is_over && !is_committed && !is_told {
            account.warn(&"nobody has answered the last commit");
        }
        if !is_over {
            crate::complain(&format!(
                "logboom consume: group {group}: it isn't known that we leave; it waits for the \
                 end of our session"
            ));
        }
        Ok(is_committed)
    }
}
