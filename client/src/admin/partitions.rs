//! All partitions of a cluster, page by page.

use logboom_protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, RequestCursor,
};

use crate::cluster::Target;
use crate::{ClientError, Cluster, Partition, Topic};

/// Some of the partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionPage {
    /// By topics, each with those of its partitions that are on this page.
    pub topics: Vec<Topic>,
    /// Where the next page begins, if there is one.
    pub next: Option<PartitionCursor>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionCursor {
    topic: String,
    partition: i32,
}

impl Cluster {
    /// The partitions of all topics, from one on (KIP-966). Brokers say how many a page has; those
    /// that don't know pages tell of all at once.
    ///
    /// - `from`: where the page before ended; `None` for the first.
    ///
    /// # Errors
    /// Why nobody can be asked.
    pub async fn partitions(
        &self,
        from: Option<&PartitionCursor>,
    ) -> Result<PartitionPage, ClientError> {
        let cursor = from.map(|from| RequestCursor {
            topic_name: from.topic.as_str().into(),
            partition_index: from.partition,
        });
        let request = DescribeTopicPartitionsRequest { cursor, ..Default::default() };
        let doing = "describe the partitions".to_owned();
        let read = |_: &_, response| Ok(PartitionPage::new(response));
        match self.call(Target::Any, doing, &request, read).await {
            Err(ClientError::UnsupportedVersion { .. }) if from.is_none() => {
                let image = self.image(None).await?;
                Ok(PartitionPage { topics: image.topics.into_values().collect(), next: None })
            }
            page => page,
        }
    }
}

impl PartitionPage {
    fn new(response: DescribeTopicPartitionsResponse) -> Self {
        // Topics that are gone by now, or that nobody may see, aren't told of.
        let known = response.topics.into_iter().filter(|topic| topic.error_code.is_none());
        let next = response.next_cursor.map(|cursor| PartitionCursor {
            topic: cursor.topic_name.into(),
            partition: cursor.partition_index,
        });
        Self { topics: known.map(topic).collect(), next }
    }
}

fn topic(topic: DescribeTopicPartitionsResponseTopic) -> Topic {
    Topic {
        name: topic.name.map(Into::into).unwrap_or_default(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    }
}

fn partition(partition: DescribeTopicPartitionsResponsePartition) -> Partition {
    Partition {
        index: partition.partition_index,
        leader: Some(partition.leader_id).filter(|&id| id >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes,
        in_sync: partition.isr_nodes,
        offline: partition.offline_replicas,
    }
}
