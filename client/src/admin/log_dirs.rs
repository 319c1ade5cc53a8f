//! How much room replicas take.

use std::collections::BTreeMap;

use logboom_protocol::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};

use crate::cluster::Target;
use crate::{ClientError, Cluster};

/// A directory in which a broker keeps logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Its path on the broker's machine.
    pub path: String,
    /// Bytes of its file system, where brokers tell it.
    pub total_bytes: Option<i64>,
    /// Free bytes of its file system, where brokers tell it.
    pub usable_bytes: Option<i64>,
    /// What lies there.
    pub replicas: Vec<LogDirReplica>,
}

/// A copy of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirReplica {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Bytes of its log.
    pub bytes: i64,
    /// Records that it lacks.
    pub offset_lag: i64,
    /// Whether it is being moved here and not yet in use.
    pub is_future: bool,
}

impl Cluster {
    /// The log directories of one broker.
    ///
    /// # Errors
    /// The broker's code, or why it can't be asked.
    pub async fn describe_log_dirs(&self, broker_id: i32) -> Result<Vec<LogDir>, ClientError> {
        let request = DescribeLogDirsRequest { topics: None };
        let response = self.ask_log_dirs(broker_id, request).await?;
        response.results.into_iter().map(LogDir::new).collect()
    }

    /// Which of some partitions a broker has in its log directories, of those that are in service.
    ///
    /// # Errors
    /// The broker's code, or why it can't be asked.
    pub async fn replicas_among(
        &self,
        broker_id: i32,
        partitions: &BTreeMap<String, Vec<i32>>,
    ) -> Result<Vec<LogDirReplica>, ClientError> {
        let topic = |(name, partitions): (&String, &Vec<i32>)| DescribableLogDirTopic {
            topic: name.as_str().into(),
            partitions: partitions.clone(),
        };
        let topics = Some(partitions.iter().map(topic).collect());
        let response = self.ask_log_dirs(broker_id, DescribeLogDirsRequest { topics }).await?;
        let in_service = response.results.into_iter().filter(|dir| dir.error_code.is_none());
        Ok(in_service.flat_map(|dir| dir.topics.into_iter().flat_map(replicas)).collect())
    }

    pub(super) async fn ask_log_dirs(
        &self,
        broker_id: i32,
        request: DescribeLogDirsRequest,
    ) -> Result<DescribeLogDirsResponse, ClientError> {
        let what = || format!("log directories of broker {broker_id}");
        let doing = format!("look at the {}", what());
        self.call(Target::Broker(broker_id), doing, &request, |_, response| {
            ClientError::check(response.error_code, None, what)?;
            Ok(response)
        })
        .await
    }
}

/// Bytes, where brokers tell them.
pub(super) fn told(bytes: i64) -> Option<i64> {
    (bytes >= 0).then_some(bytes)
}

impl LogDir {
    fn new(result: DescribeLogDirsResult) -> Result<Self, ClientError> {
        let path = String::from(result.log_dir);
        ClientError::check(result.error_code, None, || format!("log directory {path}"))?;
        Ok(Self {
            path,
            total_bytes: told(result.total_bytes),
            usable_bytes: told(result.usable_bytes),
            replicas: result.topics.into_iter().flat_map(replicas).collect(),
        })
    }
}

fn replicas(topic: DescribeLogDirsTopic) -> impl Iterator<Item = LogDirReplica> {
    let DescribeLogDirsTopic { name, partitions } = topic;
    partitions.into_iter().map(move |partition| LogDirReplica {
        topic: name.as_str().to_owned(),
        partition: partition.partition_index,
        bytes: partition.partition_size,
        offset_lag: partition.offset_lag,
        is_future: partition.is_future_key,
    })
}
