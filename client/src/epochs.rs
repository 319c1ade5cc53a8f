//! OffsetForLeaderEpoch: where a leadership ended, for who has read so far (KIP-320).

use std::collections::BTreeMap;

use logboom_protocol::messages::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use logboom_protocol::{ErrorCode, VersionRange};

use crate::cluster::Target;
use crate::{ClientError, Cluster};

/// A question about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochQuestion {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The epoch of the leader that is asked, as we know it; a leader of another one says so.
    pub current_epoch: i32,
    /// The epoch in which what was read was written.
    pub epoch: i32,
}

/// An answer: what the leader has of the epoch that was asked for, or of the last one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEnd {
    /// That epoch; `None` where the leader has none so old.
    pub epoch: Option<i32>,
    /// Behind its last record, exclusive.
    pub end_offset: Option<i64>,
}

/// The versions that consumers may send: those before them are for replicas alone.
const VERSIONS: VersionRange = VersionRange { min: 3, max: i16::MAX };
/// The replica that a consumer is.
const CONSUMER: i32 = -1;

impl Cluster {
    /// Where epochs ended, asked once of the broker that leads the partitions; in the order of the
    /// questions.
    ///
    /// # Errors
    /// Why the broker can't be asked, [`ClientError::UnsupportedVersion`] where it can't tell.
    pub async fn epoch_ends(
        &self,
        leader: i32,
        questions: &[EpochQuestion],
    ) -> Result<Vec<Result<EpochEnd, ClientError>>, ClientError> {
        let connection = self.connection(Target::Broker(leader)).await?;
        let (request, timeout) = (request(questions), self.config().request_timeout);
        let response = connection.send_within(&request, VERSIONS, timeout).await?;
        let mut told = BTreeMap::new();
        for topic in &response.topics {
            for one in &topic.partitions {
                told.insert((topic.topic.as_str(), one.partition), one);
            }
        }
        let answer = |question: &EpochQuestion| {
            let what = || format!("partition {}-{}", question.topic, question.partition);
            let one = told.get(&(question.topic.as_str(), question.partition));
            let one = one.ok_or_else(|| ClientError::Unanswered {
                address: connection.address().clone(),
                what: what(),
            })?;
            ClientError::check(one.error_code, None, what)?;
            Ok(EpochEnd {
                epoch: (one.leader_epoch >= 0).then_some(one.leader_epoch),
                end_offset: (one.end_offset >= 0).then_some(one.end_offset),
            })
        };
        Ok(questions.iter().map(answer).collect())
    }
}

fn request(questions: &[EpochQuestion]) -> OffsetForLeaderEpochRequest {
    let mut topics = BTreeMap::<&str, Vec<OffsetForLeaderPartition>>::new();
    for question in questions {
        topics.entry(&question.topic).or_default().push(OffsetForLeaderPartition {
            partition: question.partition,
            current_leader_epoch: question.current_epoch,
            leader_epoch: question.epoch,
        });
    }
    let topic =
        |(topic, partitions): (&str, _)| OffsetForLeaderTopic { topic: topic.into(), partitions };
    OffsetForLeaderEpochRequest {
        replica_id: CONSUMER,
        topics: topics.into_iter().map(topic).collect(),
    }
}

impl ClientError {
    /// Whether the leader and its client don't agree on the leader's epoch: newer metadata helps.
    #[must_use]
    pub fn is_epoch_mismatch(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::UNKNOWN_LEADER_EPOCH)
        )
    }
}
