//! Metadata: brokers, topics, leaders; and topics that are made because somebody asks for them.

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_controller::record::BrokerRegistration;
use logboom_controller::topics::check_name;
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use super::{RequestContext, authorized_operations, create_topics, leader};
use crate::node::Node;

/// From this version on a topic may be asked for by its id alone.
const BY_ID_FROM: i16 = 12;

/// Topics of the reference's own.
const INTERNAL_TOPICS: [&str; 3] =
    ["__consumer_offsets", "__transaction_state", "__share_group_state"];

pub(super) async fn handle(context: RequestContext, request: MetadataRequest) -> MetadataResponse {
    let wants_all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && context.version == 0,
    };
    let topics = if wants_all {
        let image = context.node.image();
        image.topics().map(|topic| describe(&context.node, &image, topic)).collect()
    } else {
        let mut topics = Vec::new();
        leader::wait_for_elections(&context.node, request.topics.as_deref().unwrap_or(&[])).await;
        let create = request.allow_auto_topic_creation || context.version < 4;
        for topic in request.topics.unwrap_or_default() {
            topics.push(find(&context, topic, create).await);
        }
        topics
    };
    let mut topics: Vec<MetadataResponseTopic> = topics;
    for topic in &mut topics {
        let is_asked = request.include_topic_authorized_operations;
        topic.topic_authorized_operations = authorized_operations::of_topic(is_asked);
    }
    let image = context.node.image();
    let of_cluster = request.include_cluster_authorized_operations;
    MetadataResponse {
        brokers: brokers(&image, &context.client.listener),
        cluster_id: Some(context.node.cluster_id.to_string().into()),
        controller_id: controller_id(&context.node),
        topics,
        cluster_authorized_operations: authorized_operations::of_cluster(of_cluster),
        ..MetadataResponse::default()
    }
}

/// The broker to which clients send what has to be decided.
pub(super) fn controller_id(node: &Node) -> i32 {
    let controller = node.others.as_ref().and_then(|others| others.controller());
    controller.unwrap_or_else(|| node.config.broker_id())
}

/// The brokers in contact, as they are reached over the listener that the client uses.
pub(super) fn brokers(image: &MetadataImage, listener: &str) -> Vec<MetadataResponseBroker> {
    reached(image.brokers_in_contact(), listener)
}

/// Brokers, as they are reached over a listener; those without it are left out.
pub(super) fn reached<'a>(
    brokers: impl Iterator<Item = &'a BrokerRegistration>,
    listener: &str,
) -> Vec<MetadataResponseBroker> {
    let reached = brokers.filter_map(|broker| {
        let endpoint = broker.endpoints.iter().find(|endpoint| endpoint.listener == listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
        })
    });
    reached.collect()
}

async fn find(
    context: &RequestContext,
    asked: MetadataRequestTopic,
    create: bool,
) -> MetadataResponseTopic {
    let MetadataRequestTopic { topic_id, name } = asked;
    match name {
        Some(name) => find_named(context, name, create).await,
        None if context.version < BY_ID_FROM => {
            // These versions have no null for it in their answers.
            refused(Some("".into()), Uuid::ZERO, ErrorCode::INVALID_REQUEST)
        }
        None => {
            let image = context.node.image();
            let found = image.topic(topic_id).map(|topic| describe(&context.node, &image, topic));
            found.unwrap_or_else(|| refused(None, topic_id, ErrorCode::UNKNOWN_TOPIC_ID))
        }
    }
}

async fn find_named(
    context: &RequestContext,
    name: CompactString,
    create: bool,
) -> MetadataResponseTopic {
    if let Some(known) = known(&context.node, &name) {
        return known;
    }
    if check_name(&name).is_err() {
        return refused(Some(name), Uuid::ZERO, ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    if !create || !context.node.boolean("auto.create.topics.enable") {
        return refused(Some(name), Uuid::ZERO, unknown);
    }
    let code = create_topic(&context.node, &name).await;
    known(&context.node, &name).unwrap_or_else(|| refused(Some(name), Uuid::ZERO, code))
}

fn known(node: &Node, name: &str) -> Option<MetadataResponseTopic> {
    let image = node.image();
    image.topic_named(name).map(|topic| describe(node, &image, topic))
}

/// Makes a topic as the broker's configuration says; returns the code where it isn't there then.
async fn create_topic(node: &Node, name: &CompactString) -> ErrorCode {
    let topic = CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
    match create_topics::create(node, request).await {
        Ok(response) => response.topics.first().map_or(ErrorCode::NONE, |topic| topic.error_code),
        Err(error) => error.code(),
    }
}

/// What is said of a topic.
fn describe(node: &Node, image: &MetadataImage, topic: &Topic) -> MetadataResponseTopic {
    let count = i32::try_from(topic.partition_count()).unwrap_or(i32::MAX);
    let partitions = (0..count).map(|partition_index| {
        let shown = leader::shown(node, image, topic, partition_index);
        MetadataResponsePartition {
            error_code: shown.error_code,
            partition_index,
            leader_id: shown.leader,
            leader_epoch: shown.leader_epoch,
            replica_nodes: shown.replicas,
            isr_nodes: shown.isr,
            offline_replicas: shown.offline,
        }
    });
    MetadataResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name().into()),
        topic_id: topic.id(),
        is_internal: is_internal(topic.name()),
        partitions: partitions.collect(),
        topic_authorized_operations: authorized_operations::NOT_ASKED,
    }
}

/// Whether a topic is one of the reference's own.
pub(super) fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

fn refused(
    name: Option<CompactString>,
    topic_id: Uuid,
    error_code: ErrorCode,
) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code,
        is_internal: name.as_deref().is_some_and(is_internal),
        name,
        topic_id,
        topic_authorized_operations: authorized_operations::NOT_ASKED,
        ..MetadataResponseTopic::default()
    }
}
