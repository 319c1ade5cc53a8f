//! The task that commits: one round after the other, and one by itself every
//! `auto.commit.interval.ms`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use logboom_client::{Committer, OffsetToCommit};

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
    loop {
        while let Some(round) = shared.update(|state| state.take_commit()) {
            commit(&shared, &config, round).await;
        }
        tokio::select! {
            () = shared.commits.notified() => {}
            _ = ticks.tick(), if is_automatic => shared.update(|state| state.auto_commit()),
        }
    }
}

async fn commit(shared: &Shared, config: &ConsumerConfig, round: CommitRound) {
    let CommitRound { offsets, result } = round;
    let committer = shared.update(|state| state.committer());
    let told = match committer {
        _ if offsets.is_empty() => Ok(()),
        Some(committer) => send(shared, &committer, &offsets).await,
        None => Err(unknown_member(config.group_id.as_deref().unwrap_or_default()).into()),
    };
    metrics::counter!("logboom_consumer_commits_total").increment(1);
    if let Err(error) = &told {
        metrics::counter!("logboom_consumer_commit_failures_total").increment(1);
        // Whoever waits is told; of an automatic one nobody else would hear.
        tracing::debug!(%error, "a commit failed");
    }
    result.send_replace(Some(told));
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
