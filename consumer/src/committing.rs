//! The task that commits: one round after the other, and one by itself every
//! `auto.commit.interval.ms`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use logboom_client::{Committer, OffsetToCommit};
use logboom_protocol::ErrorCode;

use crate::config::ConsumerConfig;
use crate::control::unknown_member;
use crate::shared::{Alive, Shared};
use crate::state::CommitRound;
use crate::{ConsumerError, OffsetAndMetadata, TopicPartition};

/// Commits until its consumer ends.
pub(crate) async fn run(shared: Arc<Shared>, config: Arc<ConsumerConfig>) {
    let _alive = Alive::new(&shared, "committing");
    let period = config.auto_commit_interval;
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let is_automatic = config.auto_commit && config.group_id.is_some();
    let mut warned = None;
    loop {
        while let Some(round) = shared.update(|state| state.take_commit()) {
            commit(&shared, &config, round, &mut warned).await;
        }
        tokio::select! {
            () = shared.commits.notified() => {}
            _ = ticks.tick(), if is_automatic => shared.update(|state| state.auto_commit()),
        }
    }
}

/// - `warned`: when a failure was warned of last, since a commit has succeeded.
async fn commit(
    shared: &Shared,
    config: &ConsumerConfig,
    round: CommitRound,
    warned: &mut Option<Instant>,
) {
    let CommitRound { offsets, result } = round;
    let committer = shared.update(|state| state.committer());
    if offsets.is_empty() {
        result.send_replace(Some(Ok(())));
        return;
    }
    let told = match committer {
        Some(committer) => send(shared, &committer, &offsets).await,
        None => Err(unknown_member(config.group_id.as_deref().unwrap_or_default()).into()),
    };
    metrics::counter!("logboom_consumer_commits_total").increment(1);
    match &told {
        Ok(()) => *warned = None,
        Err(error) => {
            metrics::counter!("logboom_consumer_commit_failures_total").increment(1);
            complain(error, result.receiver_count() > 0, warned);
        }
    }
    result.send_replace(Some(told));
}

/// Between warnings of commits that go on failing.
const WARNS_EVERY: Duration = Duration::from_secs(60);

/// Whoever waits for a commit is told; of one that nobody waits for, as an automatic one, nobody
/// else would hear. That the group shares anew is no failure: what it takes is read again.
fn complain(error: &ConsumerError, is_awaited: bool, warned: &mut Option<Instant>) {
    let is_due = warned.is_none_or(|at| at.elapsed() >= WARNS_EVERY);
    if is_awaited || is_by_rebalance(error) || !is_due {
        tracing::debug!(%error, "a commit failed");
    } else {
        *warned = Some(Instant::now());
        tracing::warn!(%error, "commits fail: records may come again");
    }
}

/// What the coordinator takes is committed, whatever it refuses beside that; the first of that is
/// the error.
async fn send(
    shared: &Shared,
    committer: &Committer,
    offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>,
) -> Result<(), ConsumerError> {
    let one = |(place, offset): (&TopicPartition, &OffsetAndMetadata)| OffsetToCommit {
        topic: place.topic.as_ref().to_owned(),
        partition: place.partition,
        offset: offset.offset,
        leader_epoch: offset.leader_epoch.unwrap_or(-1),
        metadata: offset.metadata.clone(),
    };
    let wanted: Vec<OffsetToCommit> = offsets.iter().map(one).collect();
    let told = committer.commit_each(&wanted).await;
    let taken = offsets.iter().zip(&told).filter(|(_, told)| told.is_ok());
    shared.update(|state| state.committed(taken.map(|(taken, _)| taken)));
    Ok(told.into_iter().collect::<Result<(), _>>()?)
}

/// Whether a commit was refused because the group has shared anew, or is about to.
fn is_by_rebalance(error: &ConsumerError) -> bool {
    let ConsumerError::Client(error) = error else { return false };
    error.is_lost_membership() && error.code() != Some(ErrorCode::FENCED_INSTANCE_ID)
}

#[cfg(test)]
mod tests {
    use logboom_client::ClientError;
    use logboom_client::testing::Log;

    use super::*;

    fn failure(code: ErrorCode) -> ConsumerError {
        ClientError::Refused { what: "group g".to_owned(), code, message: None }.into()
    }

    #[test]
    fn commits_that_nobody_waits_for_and_fail_are_warned_of_every_minute() {
        let log = Log::default();
        let logging = tracing_subscriber::fmt().with_writer(log.writer()).with_ansi(false);
        let life = async {
            let mut warned = None;
            let error = failure(ErrorCode::GROUP_AUTHORIZATION_FAILED);
            complain(&failure(ErrorCode::REBALANCE_IN_PROGRESS), false, &mut warned);
            complain(&error, true, &mut warned);
            assert!(log.text().is_empty(), "{}", log.text());
            for _ in 0..13 {
                complain(&error, false, &mut warned);
                tokio::time::advance(Duration::from_secs(5)).await;
            }
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.start_paused(true).enable_time().build().unwrap();
        tracing::subscriber::with_default(logging.finish(), || runtime.block_on(life));
        let warnings = log.text().matches("records may come again").count();
        assert_eq!(warnings, 2, "{}", log.text());
    }
}
