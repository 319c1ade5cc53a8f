//! How much room replicas take.

use logboom_protocol::messages::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResult, DescribeLogDirsTopic,
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
        let what = || format!("log directories of broker {broker_id}");
        let doing = format!("describe the {}", what());
        self.call(Target::Broker(broker_id), doing, &request, |_, response| {
            ClientError::check(response.error_code, None, what)?;
            response.results.into_iter().map(LogDir::new).collect()
        })
        .await
    }
}

impl Cluster {
    /// The log directories of one broker that are out of service, as paths on its machine.
    ///
    /// # Errors
    /// The broker's code, or why it can't be asked.
    pub async fn failed_log_dirs(&self, broker_id: i32) -> Result<Vec<String>, ClientError> {
        let request = DescribeLogDirsRequest { topics: Some(Vec::new()) };
        let what = || format!("log directories of broker {broker_id}");
        let doing = format!("look at the {}", what());
        self.call(Target::Broker(broker_id), doing, &request, |_, response| {
            ClientError::check(response.error_code, None, what)?;
            let failed = response.results.into_iter().filter(|dir| !dir.error_code.is_none());
            Ok(failed.map(|dir| dir.log_dir.into()).collect())
        })
        .await
    }
}

impl LogDir {
    fn new(result: DescribeLogDirsResult) -> Result<Self, ClientError> {
        let path = String::from(result.log_dir);
        ClientError::check(result.error_code, None, || format!("log directory {path}"))?;
        let told = |bytes: i64| (bytes >= 0).then_some(bytes);
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
