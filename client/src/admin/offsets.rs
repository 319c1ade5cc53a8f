//! Where a partition begins and ends, and what it holds since when.

use std::collections::BTreeMap;

use logboom_protocol::VersionRange;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};

use crate::{ClientError, Cluster, Topic};

/// Which offset of a partition is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log start offset.
    Earliest,
    /// The high watermark.
    Latest,
    /// That of the record with the greatest timestamp (KIP-734).
    MaxTimestamp,
    /// That of the first record whose timestamp is at least this, milliseconds; at least 0.
    Timestamp(i64),
}

/// An offset that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    /// The partition.
    pub partition: i32,
    /// The offset; `None` where no record has such a timestamp.
    pub offset: Option<i64>,
    /// The record's timestamp, milliseconds, where a record was searched for.
    pub timestamp: Option<i64>,
}

impl OffsetSpec {
    fn to_wire(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::Timestamp(millis) => millis.max(0),
        }
    }

    /// The versions that know this way of asking.
    fn versions(self) -> VersionRange {
        let min = if self == Self::MaxTimestamp { 7 } else { 1 };
        VersionRange { min, max: i16::MAX }
    }
}

impl Cluster {
    /// The same kind of offset of several partitions, in the order of the partitions.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], [`ClientError::UnknownPartition`], a broker's code for one of
    /// the partitions, or why a leader can't be asked.
    pub async fn list_offsets(
        &self,
        topic: &str,
        partitions: &[i32],
        spec: OffsetSpec,
    ) -> Result<Vec<FoundOffset>, ClientError> {
        let mut retry = self.retry(format!("list offsets of topic {topic}"));
        let mut found = BTreeMap::new();
        loop {
            let missing: Vec<i32> =
                partitions.iter().copied().filter(|index| !found.contains_key(index)).collect();
            let error = match self.list_missing(topic, &missing, spec, &mut found).await {
                Ok(()) => {
                    let found = partitions.iter().filter_map(|index| found.get(index).copied());
                    return Ok(found.collect());
                }
                Err(error) => error,
            };
            if error.is_stale_metadata() {
                self.forget(topic);
            }
            retry.pause(error).await?;
        }
    }

    /// Asks one leader after the other; what was found stays found when one of them fails.
    async fn list_missing(
        &self,
        name: &str,
        partitions: &[i32],
        spec: OffsetSpec,
        found: &mut BTreeMap<i32, FoundOffset>,
    ) -> Result<(), ClientError> {
        let topic = self.topic(name).await?;
        for (_, led) in by_leader(&topic, partitions)? {
            let Some(&first) = led.first() else { continue };
            let (connection, _) = self.leader(name, first).await?;
            let request = request(name, &led, spec, self.config().request_timeout);
            let timeout = self.config().request_timeout;
            let response = connection.send_within(&request, spec.versions(), timeout).await?;
            let answers = response.topics.into_iter().flat_map(|topic| topic.partitions);
            let mut answers: BTreeMap<_, _> =
                answers.map(|answer| (answer.partition_index, answer)).collect();
            for index in led {
                let what = || format!("partition {name}-{index}");
                let answer = answers.remove(&index).ok_or_else(|| ClientError::Unanswered {
                    address: connection.address().clone(),
                    what: what(),
                })?;
                ClientError::check(answer.error_code, None, what)?;
                found.insert(index, read(&answer));
            }
        }
        Ok(())
    }
}

/// The partitions, a list a leader.
fn by_leader(topic: &Topic, partitions: &[i32]) -> Result<BTreeMap<i32, Vec<i32>>, ClientError> {
    let mut led = BTreeMap::<i32, Vec<i32>>::new();
    for &index in partitions {
        led.entry(topic.leader(index)?).or_default().push(index);
    }
    Ok(led)
}

fn request(
    topic: &str,
    partitions: &[i32],
    spec: OffsetSpec,
    timeout: std::time::Duration,
) -> ListOffsetsRequest {
    let partition = |&partition_index: &i32| ListOffsetsPartition {
        partition_index,
        timestamp: spec.to_wire(),
        ..ListOffsetsPartition::default()
    };
    let partitions = partitions.iter().map(partition).collect();
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 0,
        topics: vec![ListOffsetsTopic { name: topic.into(), partitions }],
        timeout_ms: super::millis(timeout),
    }
}

fn read(answer: &ListOffsetsPartitionResponse) -> FoundOffset {
    let told = |number: i64| (number >= 0).then_some(number);
    FoundOffset {
        partition: answer.partition_index,
        offset: told(answer.offset),
        timestamp: told(answer.timestamp),
    }
}
