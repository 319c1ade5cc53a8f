//! Where a partition begins and ends, and what it holds since when.

use std::collections::BTreeMap;

use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::{ApiKey, VersionRange};

use crate::backoff::Retry;
use crate::{ClientError, Cluster, Topic, race};

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
    /// The leader epoch of the record at the offset, where brokers tell it (KIP-320).
    pub leader_epoch: Option<i32>,
}

/// Which records a reader is to see (`isolation.level`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IsolationLevel {
    /// All that are committed by the partition's replicas, those of transactions that may yet be
    /// given up among them.
    #[default]
    ReadUncommitted,
    /// None of a transaction that is open or was given up (KIP-98).
    ReadCommitted,
}

impl IsolationLevel {
    /// The number that requests carry.
    #[must_use]
    pub const fn to_wire(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
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
        let isolation = IsolationLevel::ReadUncommitted;
        let told = self.list_until(topic, partitions, spec, isolation, |told| {
            // One that can't be told is enough.
            told.values().any(|result| result.as_ref().is_err_and(|error| !error.is_retriable()))
        });
        let told = told.await;
        let is_final = |error: &&ClientError| !error.is_retriable();
        let last = told.iter().filter_map(|result| result.as_ref().err()).find(is_final).cloned();
        last.map_or_else(|| told.into_iter().collect(), Err)
    }

    /// The same, told or refused for each of the partitions by itself.
    pub async fn list_offsets_each(
        &self,
        topic: &str,
        partitions: &[i32],
        spec: OffsetSpec,
    ) -> Vec<Result<FoundOffset, ClientError>> {
        self.list_offsets_within(topic, partitions, spec, IsolationLevel::ReadUncommitted).await
    }

    /// The same, as a reader of that isolation sees it: for one that reads what is committed, the
    /// latest offset is the last stable one.
    pub async fn list_offsets_within(
        &self,
        topic: &str,
        partitions: &[i32],
        spec: OffsetSpec,
        isolation: IsolationLevel,
    ) -> Vec<Result<FoundOffset, ClientError>> {
        self.list_until(topic, partitions, spec, isolation, |_| false).await
    }

    /// Asks until all is told or refused for good, it is too late, or what is told is `enough`.
    async fn list_until(
        &self,
        topic: &str,
        partitions: &[i32],
        spec: OffsetSpec,
        isolation: IsolationLevel,
        is_enough: impl Fn(&Told) -> bool,
    ) -> Vec<Result<FoundOffset, ClientError>> {
        let mut retry = self.retry(format!("list offsets of topic {topic}"));
        let mut told: Told = BTreeMap::new();
        let may_change = |told: &Told, index| match told.get(index) {
            None => true,
            Some(result) => result.as_ref().is_err_and(ClientError::is_retriable),
        };
        loop {
            let open = partitions.iter().filter(|index| may_change(&told, index));
            let open: Vec<i32> = open.copied().collect();
            told.extend(self.list_open(topic, &open, spec, isolation, &retry).await);
            let errors = || open.iter().filter_map(|index| told[index].as_ref().err());
            if errors().any(ClientError::is_stale_metadata) {
                self.forget(topic);
            }
            let Some(error) = errors().find(|error| error.is_retriable()).cloned() else { break };
            if is_enough(&told) {
                break;
            }
            if let Err(late) = retry.pause(error).await {
                for result in told.values_mut() {
                    too_late(result, &late);
                }
                break;
            }
        }
        partitions.iter().map(|index| told[index].clone()).collect()
    }

    /// Asks each leader once, all side by side: one that hangs holds up no other.
    async fn list_open(
        &self,
        name: &str,
        partitions: &[i32],
        spec: OffsetSpec,
        isolation: IsolationLevel,
        retry: &Retry<'_>,
    ) -> Told {
        let refused = |partitions: &[i32], error: &ClientError| -> Told {
            partitions.iter().map(|&index| (index, Err(error.clone()))).collect()
        };
        let topic = match retry.within(self.topic(name)).await {
            Ok(topic) => topic,
            Err(error) => return refused(partitions, &error),
        };
        let (mut told, mut by_leader) = (Told::new(), BTreeMap::<i32, Vec<i32>>::new());
        for &index in partitions {
            match topic.leader(index) {
                Ok(leader) => by_leader.entry(leader).or_default().push(index),
                Err(error) => drop(told.insert(index, Err(error))),
            }
        }
        let ask = |led: Vec<i32>| async move {
            (retry.within(self.list_led(name, &led, spec, isolation)).await, led)
        };
        for (found, led) in race::all(by_leader.into_values().map(ask)).await {
            match found {
                Ok(found) => told.extend(found),
                Err(error) => {
                    let api = ApiKey::ListOffsets;
                    let error = self.doubt_leader_by(name, led[0], error, api, retry);
                    told.extend(refused(&led, &error));
                }
            }
        }
        told
    }

    /// Asks the leader of some partitions.
    async fn list_led(
        &self,
        name: &str,
        led: &[i32],
        spec: OffsetSpec,
        isolation: IsolationLevel,
    ) -> Result<Told, ClientError> {
        let Some(&first) = led.first() else { return Ok(Told::new()) };
        let (connection, topic) = self.leader(name, first).await?;
        let timeout = self.config().request_timeout;
        let mut request = request(&topic, led, spec, timeout);
        request.isolation_level = isolation.to_wire();
        let response = connection.send_within(&request, spec.versions(), timeout).await?;
        let answers = response.topics.into_iter().flat_map(|topic| topic.partitions);
        let answers: BTreeMap<_, _> =
            answers.map(|answer| (answer.partition_index, answer)).collect();
        let of_partition = |index: &i32| {
            let what = || format!("partition {name}-{index}");
            let result = match answers.get(index) {
                None => Err(ClientError::Unanswered {
                    address: connection.address().clone(),
                    what: what(),
                }),
                Some(answer) => {
                    ClientError::check(answer.error_code, None, what).map(|()| read(answer))
                }
            };
            (*index, result)
        };
        Ok(led.iter().map(of_partition).collect())
    }
}

/// It is too late for what might be told yet: the error keeps its own reason.
fn too_late(result: &mut Result<FoundOffset, ClientError>, late: &ClientError) {
    if let (Err(own), ClientError::Deadline { doing, limit, .. }) = (&*result, late)
        && own.is_retriable()
    {
        let (doing, limit, last) = (doing.clone(), *limit, Box::new(own.clone()));
        *result = Err(ClientError::Deadline { doing, limit, last });
    }
}

/// What is known of partitions.
type Told = BTreeMap<i32, Result<FoundOffset, ClientError>>;

/// A leader of another epoch than the one that is known says so, instead of what it has.
fn request(
    topic: &Topic,
    partitions: &[i32],
    spec: OffsetSpec,
    timeout: std::time::Duration,
) -> ListOffsetsRequest {
    let partition = |&partition_index: &i32| ListOffsetsPartition {
        partition_index,
        current_leader_epoch: topic.partition(partition_index).map_or(-1, |one| one.leader_epoch),
        timestamp: spec.to_wire(),
    };
    let partitions = partitions.iter().map(partition).collect();
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 0,
        topics: vec![ListOffsetsTopic { name: topic.name.as_str().into(), partitions }],
        timeout_ms: super::millis(timeout),
    }
}

fn read(answer: &ListOffsetsPartitionResponse) -> FoundOffset {
    let told = |number: i64| (number >= 0).then_some(number);
    FoundOffset {
        partition: answer.partition_index,
        offset: told(answer.offset),
        timestamp: told(answer.timestamp),
        leader_epoch: (answer.leader_epoch >= 0).then_some(answer.leader_epoch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Partition;

    #[test]
    fn who_is_asked_hears_of_which_epoch_it_is_known_to_lead() {
        let partition = |index| Partition { index, leader_epoch: 4 + index, ..Default::default() };
        let partitions = [0, 1].map(partition).to_vec();
        let id = logboom_protocol::units::Uuid::ZERO;
        let topic = Topic { name: "t".to_owned(), id, is_internal: false, partitions };
        let timeout = std::time::Duration::from_secs(1);
        let request = request(&topic, &[1, 7], OffsetSpec::Earliest, timeout);
        let epochs = request.topics[0].partitions.iter().map(|one| one.current_leader_epoch);
        assert_eq!(epochs.collect::<Vec<_>>(), [5, -1]);
    }
}
