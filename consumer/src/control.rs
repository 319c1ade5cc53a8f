//! What can be done to a consumer from elsewhere than where its records are read.

use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use logboom_client::{ClientError, Cluster, FoundOffset, OffsetSpec};

use crate::config::ConsumerConfig;
use crate::place::check_offset;
use crate::shared::Shared;
use crate::state::{CommitResult, Life, State};
use crate::{ConsumerError, OffsetAndMetadata, OffsetAndTimestamp, Start, Stuck, TopicPartition};

/// A handle to a [`Consumer`](crate::Consumer). Clones are handles to the same one; they don't keep
/// it open.
///
/// When a call that seeks or pauses has returned, nothing that was fetched before it is handed out
/// any more.
#[derive(Debug, Clone)]
pub struct ConsumerControl {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cluster: Cluster,
    pub(crate) config: Arc<ConsumerConfig>,
}

/// Offsets by partition; those of which nothing is known are left out.
pub type Offsets = BTreeMap<TopicPartition, i64>;

impl ConsumerControl {
    /// The partitions that are read.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.update(|state| state.assignment())
    }

    /// Goes on elsewhere in a partition. A time, an end or a committed offset is looked up when the
    /// next records are fetched.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`]; or the offset is negative.
    pub fn seek(&self, partition: &TopicPartition, start: Start) -> Result<(), ConsumerError> {
        start.check("seek")?;
        let is_read = self.shared.update(|state| state.seek(partition, start));
        let unknown = || ConsumerError::NotAssigned { partition: partition.clone() };
        is_read.then_some(()).ok_or_else(unknown)
    }

    /// Hands out nothing of these partitions until they are resumed. What was fetched of them
    /// stays, unless its room is needed: then it is fetched again.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`] for the first that isn't read; the others are paused.
    pub fn pause(&self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        self.hold(partitions, true)
    }

    /// Hands out records of these partitions again.
    ///
    /// # Errors
    /// As [`Self::pause`].
    pub fn resume(&self, partitions: &[TopicPartition]) -> Result<(), ConsumerError> {
        self.hold(partitions, false)
    }

    fn hold(&self, partitions: &[TopicPartition], is_paused: bool) -> Result<(), ConsumerError> {
        let unknown = self.shared.update(|state| state.pause(partitions, is_paused).cloned());
        unknown.map_or(Ok(()), |partition| Err(ConsumerError::NotAssigned { partition }))
    }

    /// The partitions that are paused.
    #[must_use]
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.shared.update(|state| state.paused())
    }

    /// The offset behind what was handed out of a partition before the last call for records;
    /// `None` while it isn't known where the partition begins.
    /// [`Consumer::position`](crate::Consumer::position) counts what was handed out since.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`].
    pub fn processed(&self, partition: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        let position = self.shared.update(|state| state.position(partition))?;
        Ok(position.map(|position| position.offset))
    }

    /// How many records of a partition are to come behind what is [processed](Self::processed), as
    /// far as its leader has told; `None` until it has.
    ///
    /// # Errors
    /// [`ConsumerError::NotAssigned`].
    pub fn lag(&self, partition: &TopicPartition) -> Result<Option<i64>, ConsumerError> {
        self.shared.update(|state| state.lag(partition))
    }

    /// The partitions of which nothing can be read now, though that may pass: they have no leader,
    /// their topic is gone, or a broker refuses for now or can't be reached. It is tried again by
    /// itself. Those that are paused are none of them.
    #[must_use]
    pub fn stuck(&self) -> Vec<Stuck> {
        self.shared.update(|state| state.stuck(Instant::now()))
    }

    /// Commits all that is processed: what was handed out before the last call for records. It is
    /// committed again where it is committed already: so a group without members remembers it.
    /// [`Consumer::commit`](crate::Consumer::commit) takes what was handed out since as well.
    ///
    /// Cancel-safe: the commit goes on when this is dropped.
    ///
    /// # Errors
    /// [`ConsumerError::NoGroup`], or what the coordinator says; see
    /// [`ConsumerError::is_rebalancing`].
    pub async fn commit_processed(&self) -> Result<(), ConsumerError> {
        self.commit_processed_async().await
    }

    /// Begins to commit all that is processed. Whoever wants to know the result waits for it;
    /// commits don't overtake each other.
    pub fn commit_processed_async(&self) -> PendingCommit {
        self.begin_commit(|state| state.all_processed())
    }

    /// Commits what is processed and isn't committed.
    pub(crate) async fn commit_owed(&self) -> Result<(), ConsumerError> {
        self.begin_commit(|state| state.uncommitted()).await
    }

    /// Commits offsets of one's own choice.
    ///
    /// Cancel-safe as [`Self::commit_processed`].
    ///
    /// # Errors
    /// As [`Self::commit_processed`]; an offset is negative; or partitions neither are assigned nor
    /// were last, and this is no member of its group.
    pub async fn commit_offsets(
        &self,
        offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<(), ConsumerError> {
        self.commit_offsets_async(offsets).await
    }

    /// Begins to commit offsets of one's own choice.
    pub fn commit_offsets_async(
        &self,
        offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
    ) -> PendingCommit {
        let mut wanted = offsets.values().map(|one| one.offset);
        match wanted.try_for_each(|offset| check_offset(offset, "commit_offsets")) {
            Ok(()) => self.begin_commit(|_| offsets),
            Err(error) => PendingCommit { result: Err(error) },
        }
    }

    /// Waits for the commits that were begun.
    pub(crate) async fn finish_commits(&self) -> Result<(), ConsumerError> {
        match self.config.group_id {
            // One of nothing comes behind them, and costs no request.
            Some(_) => self.commit_offsets(BTreeMap::new()).await,
            None => Ok(()),
        }
    }

    fn begin_commit(
        &self,
        offsets: impl FnOnce(&mut State) -> BTreeMap<TopicPartition, OffsetAndMetadata>,
    ) -> PendingCommit {
        if self.config.group_id.is_none() {
            return PendingCommit { result: Err(ConsumerError::NoGroup) };
        }
        self.shared.update(|state| {
            if state.life == Life::Closing {
                return PendingCommit { result: Err(state.end()) };
            }
            let offsets = offsets(state);
            PendingCommit { result: Ok(state.queue_commit(offsets)) }
        })
    }

    /// What the group has committed for partitions; those without are left out.
    ///
    /// Cancel-safe: it only asks.
    ///
    /// # Errors
    /// [`ConsumerError::NoGroup`], or why the coordinator can't be asked.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, ConsumerError> {
        let group = self.config.group_id.as_deref().ok_or(ConsumerError::NoGroup)?;
        let topics = by_topic(partitions);
        let of: Vec<(&str, &[i32])> =
            topics.iter().map(|(topic, partitions)| (&***topic, partitions.as_slice())).collect();
        let told = self.cluster.committed_offsets_for(group, &of).await?;
        let one = |one: logboom_client::CommittedOffset| {
            let leader_epoch = (one.leader_epoch >= 0).then_some(one.leader_epoch);
            let committed =
                OffsetAndMetadata { offset: one.offset, leader_epoch, metadata: one.metadata };
            (TopicPartition::new(one.topic, one.partition), committed)
        };
        Ok(told.into_iter().map(one).collect())
    }

    /// The first record of each partition whose timestamp is at least so many milliseconds since
    /// 1970; partitions without are left out.
    ///
    /// Cancel-safe: it only asks.
    ///
    /// # Errors
    /// A partition that isn't there, or whose leader can't be asked.
    pub async fn offsets_for_times(
        &self,
        times: &BTreeMap<TopicPartition, i64>,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndTimestamp>, ConsumerError> {
        let mut by_time = BTreeMap::<i64, Vec<TopicPartition>>::new();
        for (partition, &time) in times {
            by_time.entry(time).or_default().push(partition.clone());
        }
        let record = |(place, found): (_, FoundOffset)| {
            let FoundOffset { offset, timestamp, leader_epoch, .. } = found;
            Some((place, OffsetAndTimestamp { offset: offset?, timestamp, leader_epoch }))
        };
        let mut records = BTreeMap::new();
        for (time, partitions) in by_time {
            let found = self.find(&partitions, OffsetSpec::Timestamp(time)).await?;
            records.extend(found.into_iter().filter_map(record));
        }
        Ok(records)
    }

    /// The first offset that is kept of each partition.
    ///
    /// Cancel-safe: it only asks.
    ///
    /// # Errors
    /// As [`Self::offsets_for_times`].
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Offsets, ConsumerError> {
        self.find(partitions, OffsetSpec::Earliest).await.map(offsets)
    }

    /// The offset behind the last record of each partition that the consumer may see.
    ///
    /// Cancel-safe: it only asks.
    ///
    /// # Errors
    /// As [`Self::offsets_for_times`].
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Offsets, ConsumerError> {
        self.find(partitions, OffsetSpec::Latest).await.map(offsets)
    }

    async fn find(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<Vec<(TopicPartition, FoundOffset)>, ConsumerError> {
        let mut all = Vec::new();
        for (topic, partitions) in by_topic(partitions) {
            let isolation = self.config.isolation;
            let found = self.cluster.list_offsets_within(topic, &partitions, spec, isolation).await;
            for result in found {
                let found = result?;
                all.push((TopicPartition::new(Arc::clone(topic), found.partition), found));
            }
        }
        Ok(all)
    }
}

/// Those that there are.
fn offsets(found: Vec<(TopicPartition, FoundOffset)>) -> Offsets {
    found.into_iter().filter_map(|(place, found)| Some((place, found.offset?))).collect()
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<&Arc<str>, Vec<i32>> {
    let mut topics = BTreeMap::<&Arc<str>, Vec<i32>>::new();
    for place in partitions {
        topics.entry(&place.topic).or_default().push(place.partition);
    }
    topics
}

/// A commit that is under way, whether or not anybody waits for it.
#[derive(Debug)]
pub struct PendingCommit {
    result: Result<watch::Receiver<CommitResult>, ConsumerError>,
}

impl IntoFuture for PendingCommit {
    type Output = Result<(), ConsumerError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut result = self.result?;
            let told = result.wait_for(Option::is_some).await;
            told.ok().and_then(|told| told.clone()).unwrap_or(Err(ConsumerError::Closed))
        })
    }
}

/// An error of a request that nobody made, because there is nobody to make it to.
pub(crate) fn unknown_member(group: &str) -> ClientError {
    let code = logboom_protocol::ErrorCode::UNKNOWN_MEMBER_ID;
    ClientError::Refused { what: format!("group {group}"), code, message: None }
}
