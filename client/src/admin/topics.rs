//! Creating, growing and deleting topics.

use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use logboom_protocol::messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ErrorCode, VersionRange};

use super::{millis, only};
use crate::cluster::Target;
use crate::{ClientError, Cluster};

/// A topic to create.
#[derive(Debug, Clone, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` is the brokers' `num.partitions`.
    pub partition_count: Option<i32>,
    /// Copies of each; `None` is the brokers' `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Configuration that differs from the brokers', as key and value.
    pub configs: Vec<(String, String)>,
    /// Only to see whether it could be created.
    pub validate_only: bool,
}

/// What brokers say of a topic that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; zero where brokers don't tell it.
    pub id: Uuid,
    /// How many partitions, where brokers tell it.
    pub partition_count: Option<i32>,
    /// Copies of each, where brokers tell it.
    pub replication_factor: Option<i16>,
}

/// Versions of DeleteTopics that list names and nothing else.
const DELETE_BY_NAME: VersionRange = VersionRange { min: 1, max: 5 };

impl Cluster {
    /// Creates a topic.
    ///
    /// # Errors
    /// The controller's code, TOPIC_ALREADY_EXISTS for example, or why it can't be asked.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, ClientError> {
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: name.as_str().into(),
            value: Some(value.as_str().into()),
        };
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: topic.name.as_str().into(),
                num_partitions: topic.partition_count.unwrap_or(-1),
                replication_factor: topic.replication_factor.unwrap_or(-1),
                configs: topic.configs.iter().map(config).collect(),
                ..CreatableTopic::default()
            }],
            timeout_ms: millis(self.config().request_timeout),
            validate_only: topic.validate_only,
        };
        let what = || format!("topic {}", topic.name);
        let doing = format!("create topic {}", topic.name);
        let read = self.call(Target::Controller, doing, &request, |address, response| {
            let result = only(address, response.topics, what)?;
            ClientError::check(result.error_code, result.error_message.as_deref(), what)?;
            let told = |count: i32| (count >= 0).then_some(count);
            Ok(CreatedTopic {
                id: result.topic_id,
                partition_count: told(result.num_partitions),
                replication_factor: told(result.replication_factor.into())
                    .map(|_| result.replication_factor),
            })
        });
        let created = read.await?;
        self.forget(&topic.name);
        Ok(created)
    }

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], the controller's code, or why it can't be asked.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        let request = DeleteTopicsRequest {
            topic_names: vec![name.into()],
            timeout_ms: millis(self.config().request_timeout),
            ..DeleteTopicsRequest::default()
        };
        let what = || format!("topic {name}");
        let doing = format!("delete topic {name}");
        let read = |address: &_, response: DeleteTopicsResponse| {
            let result = only(address, response.responses, what)?;
            check_topic(name, result.error_code, result.error_message.as_deref())
        };
        let deleted = self.call_within(Target::Controller, doing, DELETE_BY_NAME, &request, read);
        deleted.await?;
        self.forget(name);
        Ok(())
    }

    /// Gives a topic more partitions.
    ///
    /// - `partition_count`: how many it has afterwards.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], the controller's code, or why it can't be asked.
    pub async fn add_partitions(
        &self,
        name: &str,
        partition_count: i32,
        validate_only: bool,
    ) -> Result<(), ClientError> {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: name.into(),
                count: partition_count,
                assignments: None,
            }],
            timeout_ms: millis(self.config().request_timeout),
            validate_only,
        };
        let what = || format!("topic {name}");
        let doing = format!("add partitions to topic {name}");
        let added = self.call(Target::Controller, doing, &request, |address, response| {
            let result = only(address, response.results, what)?;
            check_topic(name, result.error_code, result.error_message.as_deref())
        });
        added.await?;
        self.forget(name);
        Ok(())
    }
}

/// As [`ClientError::check`]. The controller knows all topics, so one that it doesn't know is not
/// on its way, and asking again is of no use.
fn check_topic(name: &str, code: ErrorCode, message: Option<&str>) -> Result<(), ClientError> {
    if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
        return Err(ClientError::UnknownTopic { topic: name.to_owned() });
    }
    ClientError::check(code, message, || format!("topic {name}"))
}
