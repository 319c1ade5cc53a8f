//! Partitions that are on their way to other brokers.

use std::collections::BTreeMap;

use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignableTopic,
};
use logboom_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, OngoingTopicReassignment,
};
use logboom_protocol::{ErrorCode, VersionRange};

use super::millis;
use crate::cluster::Target;
use crate::{ClientError, Cluster};

/// From the first version on that says whether the number of replicas may change.
const COUNTED: VersionRange = VersionRange { min: 1, max: i16::MAX };

/// A partition that gets other replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reassignment {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The brokers that are to have a copy and don't yet.
    pub adding: Vec<i32>,
    /// Those that will have none.
    pub removing: Vec<i32>,
}

/// The replicas that a partition is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishedReplicas {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The brokers, the one first that is preferred to lead.
    pub replicas: Vec<i32>,
}

impl Cluster {
    /// The reassignments under way (KIP-455).
    ///
    /// # Errors
    /// The controller's code, or why it can't be asked.
    pub async fn reassignments(&self) -> Result<Vec<Reassignment>, ClientError> {
        let timeout_ms = millis(self.config().request_timeout);
        let request = ListPartitionReassignmentsRequest { timeout_ms, topics: None };
        let doing = "list the reassignments".to_owned();
        self.call(Target::Controller, doing, &request, |_, response| {
            let message = response.error_message.as_deref();
            ClientError::check(response.error_code, message, || "reassignments".to_owned())?;
            Ok(response.topics.into_iter().flat_map(of_topic).collect())
        })
        .await
    }

    /// Takes reassignments back (KIP-455): the partitions keep the replicas that they had before.
    /// Answers how many were taken back; the others had come to their end.
    ///
    /// # Errors
    /// The controller's code for a partition, or why it can't be asked.
    pub async fn cancel_reassignments(&self, all: &[Reassignment]) -> Result<usize, ClientError> {
        if all.is_empty() {
            return Ok(0);
        }
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: millis(self.config().request_timeout),
            topics: to_cancel(all),
            ..AlterPartitionReassignmentsRequest::default()
        };
        let doing = "take reassignments back".to_owned();
        self.call(Target::Controller, doing, &request, |_, response| cancelled(&response)).await
    }

    /// Begins to bring partitions to other brokers (KIP-455), as many replicas of each as there
    /// are. What is refused keeps nothing else from beginning.
    ///
    /// # Errors
    /// The controller's code for the first partition that was refused, or why it can't be asked;
    /// [`ClientError::UnsupportedVersion`] where it doesn't look at the number of replicas
    /// (KIP-860).
    pub async fn reassign(&self, all: &[WishedReplicas]) -> Result<(), ClientError> {
        if all.is_empty() {
            return Ok(());
        }
        let wished = all.iter().map(|WishedReplicas { topic, partition, replicas }| {
            (topic.as_str(), *partition, Some(replicas.clone()))
        });
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: millis(self.config().request_timeout),
            topics: by_topic(wished),
            allow_replication_factor_change: false,
        };
        let doing = "reassign partitions".to_owned();
        let read = |_: &_, response| begun(&response);
        self.call_within(Target::Controller, doing, COUNTED, &request, read).await
    }
}

/// No replicas, which takes them back.
fn to_cancel(all: &[Reassignment]) -> Vec<ReassignableTopic> {
    by_topic(all.iter().map(|one| (one.topic.as_str(), one.partition, None)))
}

fn by_topic<'a>(
    all: impl Iterator<Item = (&'a str, i32, Option<Vec<i32>>)>,
) -> Vec<ReassignableTopic> {
    let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
    for (topic, partition_index, replicas) in all {
        let one = ReassignablePartition { partition_index, replicas };
        topics.entry(topic).or_default().push(one);
    }
    let topic = |(name, partitions): (&str, _)| ReassignableTopic { name: name.into(), partitions };
    topics.into_iter().map(topic).collect()
}

fn begun(response: &AlterPartitionReassignmentsResponse) -> Result<(), ClientError> {
    let message = response.error_message.as_deref();
    ClientError::check(response.error_code, message, || "reassignments".to_owned())?;
    for topic in &response.responses {
        for one in &topic.partitions {
            let what = || format!("reassignment of {}-{}", topic.name, one.partition_index);
            ClientError::check(one.error_code, one.error_message.as_deref(), what)?;
        }
    }
    Ok(())
}

/// How many were taken back.
fn cancelled(response: &AlterPartitionReassignmentsResponse) -> Result<usize, ClientError> {
    let message = response.error_message.as_deref();
    ClientError::check(response.error_code, message, || "reassignments".to_owned())?;
    let mut count = 0;
    for topic in &response.responses {
        for one in &topic.partitions {
            if one.error_code == ErrorCode::NO_REASSIGNMENT_IN_PROGRESS {
                continue;
            }
            let what = || format!("reassignment of {}-{}", topic.name, one.partition_index);
            ClientError::check(one.error_code, one.error_message.as_deref(), what)?;
            count += 1;
        }
    }
    Ok(count)
}

fn of_topic(topic: OngoingTopicReassignment) -> impl Iterator<Item = Reassignment> {
    let OngoingTopicReassignment { name, partitions } = topic;
    partitions.into_iter().map(move |partition| Reassignment {
        topic: name.as_str().to_owned(),
        partition: partition.partition_index,
        adding: partition.adding_replicas,
        removing: partition.removing_replicas,
    })
}

#[cfg(test)]
mod tests {
    use logboom_protocol::ApiKey;
    use logboom_protocol::messages::alter_partition_reassignments::{
        ReassignablePartitionResponse, ReassignableTopicResponse,
    };

    use super::*;
    use crate::testing::{ScriptedBroker, cluster};

    fn reassignment(topic: &str, partition: i32) -> Reassignment {
        let topic = topic.to_owned();
        Reassignment { topic, partition, adding: vec![2], removing: vec![1] }
    }

    fn answer(codes: &[ErrorCode]) -> AlterPartitionReassignmentsResponse {
        let one = |(partition_index, error_code): (i32, &ErrorCode)| {
            let error_code = *error_code;
            ReassignablePartitionResponse { partition_index, error_code, error_message: None }
        };
        let partitions = (0..).zip(codes).map(one).collect();
        let responses = vec![ReassignableTopicResponse { name: "t".into(), partitions }];
        AlterPartitionReassignmentsResponse {
            responses,
            ..AlterPartitionReassignmentsResponse::default()
        }
    }

    #[test]
    fn one_that_has_ended_is_no_error_and_is_not_counted() {
        let codes = [ErrorCode::NONE, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, ErrorCode::NONE];
        assert_eq!(cancelled(&answer(&codes)).unwrap(), 2);
        let error = cancelled(&answer(&[ErrorCode::NONE, ErrorCode::INVALID_REQUEST]));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("reassignment of t-1: INVALID_REQUEST"), "{error}");
        let refused = AlterPartitionReassignmentsResponse {
            error_code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
            ..answer(&[])
        };
        assert!(cancelled(&refused).is_err());
    }

    #[test]
    fn what_is_refused_to_begin_is_named() {
        assert!(begun(&answer(&[ErrorCode::NONE; 2])).is_ok());
        let codes = [ErrorCode::NONE, ErrorCode::INVALID_REPLICA_ASSIGNMENT];
        let error = begun(&answer(&codes)).unwrap_err().to_string();
        assert!(error.starts_with("reassignment of t-1: INVALID_REPLICA_ASSIGNMENT"), "{error}");
    }

    #[tokio::test]
    async fn as_many_replicas_are_wished_for_as_there_are() {
        let broker = ScriptedBroker::bind().await;
        let bootstrap = vec![broker.address.clone()];
        broker.run(|asked| {
            Some(match asked.api {
                ApiKey::AlterPartitionReassignments => {
                    let request: AlterPartitionReassignmentsRequest = asked.decode();
                    assert!(!request.allow_replication_factor_change);
                    let [topic] = &request.topics[..] else { panic!("{request:?}") };
                    assert_eq!(topic.partitions[0].replicas.as_deref(), Some(&[3, 2][..]));
                    asked.answer(&answer(&[ErrorCode::NONE]))
                }
                _ => asked.answer(&logboom_protocol::messages::metadata::MetadataResponse {
                    controller_id: -1,
                    ..Default::default()
                }),
            })
        });
        let cluster = cluster(bootstrap);
        let one = WishedReplicas { topic: "t".to_owned(), partition: 0, replicas: vec![3, 2] };
        cluster.reassign(&[one]).await.unwrap();
        cluster.reassign(&[]).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_taken_back_is_sent_without_replicas_and_nothing_is_sent_for_none() {
        let broker = ScriptedBroker::bind().await;
        let bootstrap = vec![broker.address.clone()];
        broker.run(|asked| {
            Some(match asked.api {
                ApiKey::AlterPartitionReassignments => {
                    let request: AlterPartitionReassignmentsRequest = asked.decode();
                    let all = request.topics.iter().flat_map(|topic| {
                        let replicas = topic.partitions.iter().map(|it| it.replicas.clone());
                        let index = topic.partitions.iter().map(|it| it.partition_index);
                        index.zip(replicas).map(|(index, replicas)| {
                            (topic.name.as_str().to_owned(), index, replicas)
                        })
                    });
                    let all: Vec<_> = all.collect();
                    let one = |topic: &str, index| (topic.to_owned(), index, None);
                    assert_eq!(all, [one("t", 0), one("t", 4), one("u", 1)]);
                    asked.answer(&answer(&[ErrorCode::NONE]))
                }
                api => {
                    assert_eq!(api, ApiKey::Metadata);
                    let metadata = logboom_protocol::messages::metadata::MetadataResponse {
                        controller_id: -1,
                        ..Default::default()
                    };
                    asked.answer(&metadata)
                }
            })
        });
        let cluster = cluster(bootstrap);
        assert_eq!(cluster.cancel_reassignments(&[]).await.unwrap(), 0);
        let all = [reassignment("t", 0), reassignment("u", 1), reassignment("t", 4)];
        assert_eq!(cluster.cancel_reassignments(&all).await.unwrap(), 1);
    }
}
