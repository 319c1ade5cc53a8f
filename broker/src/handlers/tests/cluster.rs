//! Brokers, topics by page, coordinators, SASL.

use logboom_controller::record::Partition;
use logboom_controller::{Decision, MetadataImage, MetadataRecord};
use logboom_protocol::messages::api_versions::ApiVersionsRequest;
use logboom_protocol::messages::describe_cluster::DescribeClusterRequest;
use logboom_protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, RequestCursor, TopicRequest,
};
use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use logboom_protocol::messages::sasl_authenticate::SaslAuthenticateRequest;
use logboom_protocol::messages::sasl_handshake::SaslHandshakeRequest;
use logboom_protocol::units::Uuid;

use super::*;

/// Topics and their partitions, as they were described, and the cursor.
type Page = (Vec<(String, i16, Vec<i32>)>, Option<(String, i32)>);

fn page(names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequest {
    let topic = |name: &&str| TopicRequest { name: CompactString::from(*name) };
    DescribeTopicPartitionsRequest {
        topics: names.iter().map(topic).collect(),
        response_partition_limit: limit,
        cursor: cursor.map(|(topic_name, partition_index)| RequestCursor {
            topic_name: topic_name.into(),
            partition_index,
        }),
    }
}

fn read(response: DescribeTopicPartitionsResponse) -> Page {
    let topics = response.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|one| one.partition_index).collect();
        (topic.name.unwrap().to_string(), topic.error_code.0, partitions)
    });
    let cursor = response.next_cursor;
    let cursor = cursor.map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index));
    (topics.collect(), cursor)
}

#[test]
fn wire_89_every_api_that_is_advertised_is_answered() {
    let broker = TestBroker::start();
    let response = broker.request(&ApiVersionsRequest::default(), 0);
    assert!(response.api_keys.len() > 15);
    let numbers: Vec<_> = response.api_keys.iter().map(|api| api.api_key).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    for api in [ApiKey::DescribeCluster, ApiKey::DescribeTopicPartitions] {
        assert!(numbers.contains(&api.to_wire()), "{api:?}");
    }
}

#[test]
fn the_cluster_tells_its_brokers_and_what_a_client_may_do() {
    let broker = TestBroker::with([("broker.rack", "r")]);
    let address = broker.broker().addresses()[0];
    for version in versions(ApiKey::DescribeCluster) {
        for (include_cluster_authorized_operations, bits) in [(false, i32::MIN), (true, 8096)] {
            let request = DescribeClusterRequest {
                include_cluster_authorized_operations,
                ..DescribeClusterRequest::default()
            };
            let response = broker.request(&request, version);
            assert_eq!(response.error_code, ErrorCode::NONE);
            assert_eq!(response.cluster_id, broker.broker().cluster_id().to_string());
            assert_eq!(response.controller_id, 1);
            assert_eq!(response.cluster_authorized_operations, bits);
            let one = &response.brokers[0];
            assert_eq!((one.broker_id, one.port), (1, i32::from(address.port())));
            assert_eq!((one.host.as_str(), one.rack.as_deref()), ("127.0.0.1", Some("r")));
        }
    }
}

#[test]
fn a_broker_is_asked_for_brokers_only() {
    let broker = TestBroker::start();
    for (endpoint_type, code) in
        [(2, ErrorCode::MISMATCHED_ENDPOINT_TYPE), (3, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE)]
    {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        let response = broker.request(&request, 1);
        assert_eq!((response.error_code, response.controller_id), (code, -1));
    }
}

#[test]
fn metadata_tells_what_a_client_may_do_where_it_asks() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("t", 1)]);
    for version in versions(ApiKey::Metadata).filter(|&version| version >= 8) {
        let request = MetadataRequest {
            topics: None,
            include_topic_authorized_operations: true,
            include_cluster_authorized_operations: version <= 10,
            ..MetadataRequest::default()
        };
        let response = broker.request(&request, version);
        assert_eq!(response.topics[0].topic_authorized_operations, 3576);
        let of_cluster = if version <= 10 { 8096 } else { i32::MIN };
        assert_eq!(response.cluster_authorized_operations, of_cluster);
        let silent = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let response = broker.request(&silent, version);
        assert_eq!(response.topics[0].topic_authorized_operations, i32::MIN);
    }
}

#[test]
fn topics_are_described_by_name_and_page_by_page() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("c", 1), topic("a", 3), topic("b", 2)]);
    let ask = |names: &[&str], limit, cursor| read(broker.request(&page(names, limit, cursor), 0));
    let a = |partitions: &[i32]| ("a".to_owned(), 0, partitions.to_vec());
    let b = |partitions: &[i32]| ("b".to_owned(), 0, partitions.to_vec());
    let c = ("c".to_owned(), 0, vec![0]);

    assert_eq!(ask(&[], 2_000, None), (vec![a(&[0, 1, 2]), b(&[0, 1]), c.clone()], None));
    let (first, cursor) = ask(&[], 2, None);
    assert_eq!((first, cursor), (vec![a(&[0, 1])], Some(("a".to_owned(), 2))));
    let (second, cursor) = ask(&[], 3, Some(("a", 2)));
    assert_eq!((second, cursor), (vec![a(&[2]), b(&[0, 1])], Some(("c".to_owned(), 0))));
    assert_eq!(ask(&[], 3, Some(("c", 0))), (vec![c.clone()], None));
    assert_eq!(ask(&[], 0, Some(("c", 0))), (vec![c.clone()], None), "one at the least");

    let unknown = ("0".to_owned(), 3, vec![]);
    let invalid = ("x/y".to_owned(), 17, vec![]);
    assert_eq!(ask(&["x/y", "c", "0", "c"], 9, None), (vec![unknown, c, invalid], None));
}

#[test]
fn a_cursor_that_fits_no_request_is_refused() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("a", 1)]);
    for cursor in [("b", 0), ("a", -1)] {
        let (topics, next) = read(broker.request(&page(&["a"], 9, Some(cursor)), 0));
        let invalid_request = 42;
        assert_eq!((topics, next), (vec![("a".to_owned(), invalid_request, vec![])], None));
    }
}

#[test]
fn a_broker_coordinates_its_groups_and_nobody_transactions() {
    let broker = TestBroker::start();
    for version in versions(ApiKey::FindCoordinator) {
        for (key_type, code) in [
            (0, ErrorCode::NONE),
            (1, ErrorCode::COORDINATOR_NOT_AVAILABLE),
            (9, ErrorCode::INVALID_REQUEST),
        ] {
            if version == 0 && key_type != 0 {
                continue;
            }
            let mut request = FindCoordinatorRequest { key_type, ..Default::default() };
            if version < 4 {
                request.key = "k".into();
            } else {
                request.coordinator_keys = vec!["k".into(), "l".into()];
            }
            let address = broker.broker().addresses()[0];
            let place = if code.is_none() { (1, i32::from(address.port())) } else { (-1, -1) };
            let response = broker.request(&request, version);
            if version < 4 {
                assert_eq!(response.error_code, code);
                assert_eq!((response.node_id, response.port), place);
                continue;
            }
            let keys: Vec<_> = response.coordinators.iter().map(|one| one.key.as_str()).collect();
            assert_eq!(keys, ["k", "l"]);
            for one in &response.coordinators {
                assert_eq!((one.error_code, (one.node_id, one.port)), (code, place));
            }
        }
    }
}

#[test]
fn a_listener_without_sasl_takes_no_sasl() {
    let broker = TestBroker::start();
    for version in versions(ApiKey::SaslHandshake) {
        let request = SaslHandshakeRequest { mechanism: "PLAIN".into() };
        let response = broker.request(&request, version);
        assert_eq!(response.error_code, ErrorCode::ILLEGAL_SASL_STATE);
        assert!(response.mechanisms.is_empty());
    }
    for version in versions(ApiKey::SaslAuthenticate) {
        let response = broker.request(&SaslAuthenticateRequest::default(), version);
        assert_eq!(response.error_code, ErrorCode::ILLEGAL_SASL_STATE);
    }
}

/// Has these records decided, whatever they say.
fn decide(broker: &TestBroker, records: Vec<MetadataRecord>) {
    let decide = |_: &MetadataImage| Decision { records, response: () };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(broker.broker().node().controller.decide(decide)).unwrap();
}

/// Broker 2 beside broker 1, at another port and out of contact, with topic `t` on both of them, in
/// sync both, led by broker 2.
fn absent_leader(broker: &TestBroker) -> Vec<MetadataRecord> {
    let image = broker.broker().node().image();
    let mut second = image.broker(1).unwrap().clone();
    (second.id, second.directory_id) = (2, Uuid([2; 16]));
    second.endpoints[0].port = 2;
    let topic_id = Uuid([7; 16]);
    let partition = Partition {
        leader_epoch: 3,
        ..Partition::new(
            vec![2, 1],
            vec![second.directory_id, image.broker(1).unwrap().directory_id],
        )
    };
    vec![
        MetadataRecord::Broker(second),
        MetadataRecord::Topic { id: topic_id, name: "t".into() },
        MetadataRecord::Partition { topic_id, index: 0, partition },
        MetadataRecord::BrokerFenced { id: 2, fenced: true },
    ]
}

#[test]
fn a_leader_out_of_contact_is_shown_as_none_and_its_broker_only_to_who_asks() {
    let broker = TestBroker::start();
    decide(&broker, absent_leader(&broker));

    let topics = Some(vec![MetadataRequestTopic { name: Some("t".into()), ..Default::default() }]);
    let request = MetadataRequest { topics, ..MetadataRequest::default() };
    let metadata = broker.request(&request, newest::<MetadataRequest>());
    assert_eq!(metadata.brokers.iter().map(|one| one.node_id).collect::<Vec<_>>(), [1]);
    let partition = &metadata.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.leader_id), (ErrorCode::LEADER_NOT_AVAILABLE, -1));
    assert_eq!(partition.replica_nodes, [2, 1]);
    assert_eq!((&*partition.isr_nodes, &*partition.offline_replicas), (&[1][..], &[2][..]));

    let page = broker.request(&page(&["t"], 1, None), 0);
    let described = &page.topics[0].partitions[0];
    assert_eq!((described.error_code, described.leader_id), (ErrorCode::LEADER_NOT_AVAILABLE, -1));
    assert_eq!((&*described.isr_nodes, &*described.offline_replicas), (&[1][..], &[2][..]));

    for (include_fenced_brokers, expected) in
        [(false, &[(1, false)][..]), (true, &[(1, false), (2, true)])]
    {
        let request =
            DescribeClusterRequest { include_fenced_brokers, ..DescribeClusterRequest::default() };
        let response = broker.request(&request, newest::<DescribeClusterRequest>());
        let found = response.brokers.iter().map(|one| (one.broker_id, one.is_fenced));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
