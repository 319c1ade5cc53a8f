//! The requests of the suite, over a socket.

use std::collections::BTreeMap;

use bytes::Bytes;

use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use logboom_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use logboom_protocol::messages::init_producer_id::InitProducerIdRequest;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{ErrorCode, Message as _};

use super::history::TopicState;
use crate::testing::TestClient;

/// A topic, as a kind of resource with configurations.
const TOPIC: i8 = 2;
/// A value that was set for one topic, as the source of a configuration.
const OF_THE_TOPIC: i8 = 1;
/// A change that sets a value.
const SET: i8 = 0;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// By topic id.
const PRODUCE: i16 = 13;
const FETCH: i16 = 17;
const WAIT_MS: i32 = 60_000;

fn fine(code: ErrorCode) -> Result<(), ErrorCode> {
    if code == ErrorCode::NONE { Ok(()) } else { Err(code) }
}

impl TestClient {
    pub(super) fn create_topic(
        &mut self,
        name: &str,
        state: &TopicState,
    ) -> Result<Uuid, ErrorCode> {
        let config = |(name, value): (&String, &String)| CreatableTopicConfig {
            name: name.as_str().into(),
            value: Some(value.as_str().into()),
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: state.partitions,
            replication_factor: 1,
            configs: state.configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
        let created = self.request(&request, 7).topics.remove(0);
        fine(created.error_code).map(|()| created.topic_id)
    }

    pub(super) fn delete_topic(&mut self, name: &str) -> Result<(), ErrorCode> {
        let topics = vec![DeleteTopicState { name: Some(name.into()), ..Default::default() }];
        let request = DeleteTopicsRequest { topics, timeout_ms: WAIT_MS, ..Default::default() };
        fine(self.request(&request, 6).responses[0].error_code)
    }

    pub(super) fn grow_topic(&mut self, name: &str, count: i32) -> Result<(), ErrorCode> {
        let topics = vec![CreatePartitionsTopic { name: name.into(), count, assignments: None }];
        let request = CreatePartitionsRequest { topics, timeout_ms: WAIT_MS, ..Default::default() };
        fine(self.request(&request, 3).results[0].error_code)
    }

    pub(super) fn set_config(
        &mut self,
        topic: &str,
        key: &str,
        value: &str,
    ) -> Result<(), ErrorCode> {
        let config =
            AlterableConfig { name: key.into(), config_operation: SET, value: Some(value.into()) };
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: topic.into(),
            configs: vec![config],
        };
        let resources = vec![resource];
        let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
        fine(self.request(&request, 1).responses[0].error_code)
    }

    /// Returns the log start.
    pub(super) fn delete_records(
        &mut self,
        topic: &str,
        partition_index: i32,
        offset: i64,
    ) -> Result<i64, ErrorCode> {
        let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
        let topics = vec![DeleteRecordsTopic { name: topic.into(), partitions }];
        let request = DeleteRecordsRequest { topics, timeout_ms: WAIT_MS };
        let response = self.request(&request, 2);
        let deleted = &response.topics[0].partitions[0];
        fine(deleted.error_code).map(|()| deleted.low_watermark)
    }

    pub(super) fn producer_id(&mut self) -> Result<i64, ErrorCode> {
        let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
        let response = self.request(&request, InitProducerIdRequest::API.versions().max);
        fine(response.error_code).map(|()| response.producer_id)
    }

    /// Asks to append batches to partitions of a topic; the answer is [`Self::produced`].
    pub(super) fn produce(&mut self, topic_id: Uuid, batches: Vec<(i32, Bytes)>, acks: i16) {
        let data = |(index, records)| PartitionProduceData { index, records: Some(records) };
        let partition_data = batches.into_iter().map(data).collect();
        let topic_data = vec![TopicProduceData { topic_id, partition_data, ..Default::default() }];
        let request =
            ProduceRequest { acks, timeout_ms: WAIT_MS, topic_data, ..ProduceRequest::default() };
        self.send(&request, PRODUCE);
    }

    /// Partitions in the order in which they were asked for.
    pub(super) fn produced(&mut self) -> Vec<PartitionProduceResponse> {
        self.response::<ProduceRequest>(PRODUCE).responses.remove(0).partition_responses
    }

    /// Everything that a fetch from `offset` on gives.
    pub(super) fn fetch(&mut self, topic_id: Uuid, partition: i32, offset: i64) -> PartitionData {
        let wanted = FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let partitions = vec![wanted];
        let topics = vec![FetchTopic { topic_id, partitions, ..FetchTopic::default() }];
        let request = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
        self.request(&request, FETCH).responses.remove(0).partitions.remove(0)
    }

    /// The first offset of each partition, and the one behind its last.
    pub(super) fn bounds(
        &mut self,
        topic: &str,
        partitions: i32,
    ) -> Result<Vec<(i64, i64)>, ErrorCode> {
        let mut ask = |timestamp| -> Result<Vec<i64>, ErrorCode> {
            let ask = |partition_index| ListOffsetsPartition {
                partition_index,
                timestamp,
                ..ListOffsetsPartition::default()
            };
            let partitions = (0..partitions).map(ask).collect();
            let topics = vec![ListOffsetsTopic { name: topic.into(), partitions }];
            let request = ListOffsetsRequest { topics, ..ListOffsetsRequest::default() };
            let answers = self.request(&request, 9).topics.remove(0).partitions;
            answers.iter().map(|answer| fine(answer.error_code).map(|()| answer.offset)).collect()
        };
        let (starts, ends) = (ask(EARLIEST)?, ask(LATEST)?);
        Ok(starts.into_iter().zip(ends).collect())
    }

    /// All topics, with what was configured for them alone.
    pub(super) fn topics(&mut self) -> Result<BTreeMap<String, TopicState>, ErrorCode> {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let mut topics = BTreeMap::new();
        for topic in self.request(&request, 12).topics {
            fine(topic.error_code)?;
            topic.partitions.iter().try_for_each(|partition| fine(partition.error_code))?;
            let partitions = i32::try_from(topic.partitions.len()).unwrap();
            let (id, configs) = (Some(topic.topic_id), BTreeMap::new());
            let name = topic.name.unwrap_or_default().to_string();
            topics.insert(name, TopicState { id, partitions, configs });
        }
        self.add_configs(&mut topics)?;
        Ok(topics)
    }

    fn add_configs(&mut self, topics: &mut BTreeMap<String, TopicState>) -> Result<(), ErrorCode> {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: name.as_str().into(),
            configuration_keys: None,
        };
        let resources = topics.keys().map(resource).collect();
        let request = DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() };
        for result in self.request(&request, 4).results {
            fine(result.error_code)?;
            let own = result.configs.into_iter().filter(|c| c.config_source == OF_THE_TOPIC);
            let own = own.map(|c| (c.name.to_string(), c.value.unwrap_or_default().to_string()));
            topics.get_mut(result.resource_name.as_str()).expect("asked for").configs.extend(own);
        }
        Ok(())
    }
}
