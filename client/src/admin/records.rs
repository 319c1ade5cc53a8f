//! Deleting the oldest records of a partition.

use logboom_protocol::ApiKey;
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

use super::{millis, only};
use crate::{ClientError, Cluster};

impl Cluster {
    /// Moves the log start of a partition forward; returns where it is then.
    ///
    /// - `before`: the first offset to keep; `None` keeps nothing.
    ///
    /// # Errors
    /// OFFSET_OUT_OF_RANGE where `before` lies behind the end, POLICY_VIOLATION where the topic is
    /// only compacted, or why the leader can't be asked.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: Option<i64>,
    ) -> Result<i64, ClientError> {
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic.into(),
                partitions: vec![DeleteRecordsPartition {
                    partition_index: partition,
                    offset: before.unwrap_or(-1),
                }],
            }],
            timeout_ms: millis(self.config().request_timeout),
        };
        let what = || format!("partition {topic}-{partition}");
        let mut retry = self.retry(format!("delete records of {}", what()));
        loop {
            let attempt = async {
                let (connection, _) = self.leader(topic, partition).await?;
                let response = connection.send(&request, retry.timeout()).await?;
                let topics = only(connection.address(), response.topics, what)?;
                let result = only(connection.address(), topics.partitions, what)?;
                ClientError::check(result.error_code, None, what)?;
                Ok(result.low_watermark)
            };
            let error = match retry.within(attempt).await {
                Ok(log_start_offset) => return Ok(log_start_offset),
                Err(error) => error,
            };
            let api = ApiKey::DeleteRecords;
            let error = self.doubt_leader_by(topic, partition, error, api, &retry);
            retry.pause(error).await?;
        }
    }
}
