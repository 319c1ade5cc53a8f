//! Partitions that are on their way to other brokers.

use logboom_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, OngoingTopicReassignment,
};

use super::millis;
use crate::cluster::Target;
use crate::{ClientError, Cluster};

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
