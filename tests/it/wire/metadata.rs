//! Statements 17 to 25: brokers, topics, and topics that are made because somebody asks.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use logboom_protocol::units::Uuid;
use logboom_tests::broker::{Broker, shared};
use logboom_tests::raw::{Raw, topic_name};

use super::{by_name, made, new_topic};

fn all() -> MetadataRequest {
    MetadataRequest { topics: None, allow_auto_topic_creation: true, ..Default::default() }
}

fn none() -> MetadataRequest {
    MetadataRequest { topics: Some(vec![]), ..all() }
}

fn by_id(topic_id: Uuid) -> MetadataRequest {
    let topic = MetadataRequestTopic { topic_id, name: None };
    MetadataRequest { topics: Some(vec![topic]), ..all() }
}

fn names(response: &MetadataResponse, name: &str) -> bool {
    response.topics.iter().any(|topic| topic.name.as_deref() == Some(name))
}

#[test]
fn wire_17_null_means_all_topics_and_an_empty_list_none_except_in_version_0() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "all-topics");
    assert!(names(&raw.call(0, &none()), &topic), "an empty list in version 0");
    for version in 1..=12 {
        assert!(names(&raw.call(version, &all()), &topic), "null in version {version}");
        let response = raw.call(version, &none());
        assert!(response.topics.is_empty(), "an empty list in version {version}");
        assert!(!response.brokers.is_empty());
    }
}

#[test]
fn wire_18_a_missing_topic_is_made_if_the_request_allows_it() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = topic_name("auto");
    for version in 4..=12 {
        let response = raw.call(version, &by_name(&name, false));
        assert_eq!(response.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let first = raw.call(12, &by_name(&name, true)).topics.remove(0);
    let codes =
        [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::LEADER_NOT_AVAILABLE];
    assert!(codes.contains(&first.error_code), "{first:?}");
    assert_eq!(made(&mut raw, &name).partitions.len(), 1, "num.partitions");
    // Before version 4 nobody could forbid it.
    let old = topic_name("auto-old");
    raw.call(3, &by_name(&old, true));
    made(&mut raw, &old);
}

#[test]
fn wire_19_an_invalid_name_is_refused_and_never_made() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    for name in ["", ".", "..", "a b", "a/b", "é", &"n".repeat(250)] {
        let topic = raw.call(12, &by_name(name, true)).topics.remove(0);
        assert_eq!(topic.error_code, ErrorCode::INVALID_TOPIC_EXCEPTION, "{name:?}");
        assert_eq!(topic.name.as_deref(), Some(name));
        assert!(!names(&raw.call(12, &all()), name));
    }
    let longest = format!("{:n<249}", topic_name("longest"));
    made(&mut raw, &longest);
}

#[test]
fn wire_20_asking_for_all_topics_makes_none() {
    // Its own broker: nobody else makes any meanwhile.
    let broker = Broker::start("wire-20");
    let mut raw = Raw::connect(&broker.bootstrap());
    for version in 0..=12 {
        let response = raw.call(version, &if version == 0 { none() } else { all() });
        assert!(response.topics.is_empty());
    }
}

#[test]
fn wire_21_the_cluster_has_an_id_that_stays_and_a_controller_that_lives() {
    let mut broker = Broker::start("wire-21");
    let first = Raw::connect(&broker.bootstrap()).call(12, &none());
    let id = first.cluster_id.clone().expect("an id");
    assert!(!id.is_empty());
    assert!(first.brokers.iter().any(|broker| broker.node_id == first.controller_id), "{first:?}");
    broker.stop();
    broker.restart();
    let mut raw = Raw::connect(&broker.bootstrap());
    for version in 2..=12 {
        assert_eq!(raw.call(version, &none()).cluster_id, Some(id.clone()), "version {version}");
    }
}

#[test]
fn wire_22_brokers_are_named_as_the_client_reaches_them() {
    let subject = shared();
    let address = subject.bootstrap();
    let (host, port) = address.rsplit_once(':').unwrap();
    for version in 0..=12 {
        let response = Raw::connect(&address).call(version, &none());
        let [broker] = &response.brokers[..] else { panic!("{response:?}") };
        assert_eq!((&*broker.host, broker.port.to_string().as_str()), (host, port));
        assert_eq!(broker.rack, None);
    }
}

#[test]
fn wire_23_topics_have_an_id_by_which_they_are_found() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic(&mut raw, "by-id");
    let id = raw.call(10, &by_name(&name, false)).topics[0].topic_id;
    assert_ne!(id, Uuid::ZERO);
    assert_eq!(raw.call(12, &by_name(&name, false)).topics[0].topic_id, id, "it stays");
    let found = raw.call(12, &by_id(id)).topics.remove(0);
    assert_eq!((found.error_code, found.name.as_deref()), (ErrorCode::NONE, Some(&*name)));
    let unknown = raw.call(12, &by_id(Uuid([7; 16]))).topics.remove(0);
    assert_eq!((unknown.error_code, unknown.name), (ErrorCode::UNKNOWN_TOPIC_ID, None));
}

#[test]
fn wire_23_a_topic_without_a_name_is_refused_up_to_version_11() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic(&mut raw, "by-id-old");
    let id = raw.call(10, &by_name(&name, false)).topics[0].topic_id;
    for version in 10..=11 {
        let topic = raw.call(version, &by_id(id)).topics.remove(0);
        assert_eq!(topic.error_code, ErrorCode::INVALID_REQUEST, "version {version}");
    }
}

#[test]
fn wire_23_a_topic_made_again_has_another_id() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic(&mut raw, "again");
    let id = made(&mut raw, &name).topic_id;
    let topic = DeleteTopicState { name: Some(name.as_str().into()), topic_id: Uuid::ZERO };
    let request =
        DeleteTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    assert_eq!(raw.call(6, &request).responses[0].error_code, ErrorCode::NONE);
    let again = made(&mut raw, &name).topic_id;
    assert!(again != id && again != Uuid::ZERO, "{id:?}, {again:?}");
    let old = raw.call(12, &by_id(id)).topics.remove(0);
    assert_eq!(old.error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn wire_24_leaders_have_an_epoch() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let name = new_topic(&mut raw, "epochs");
    for version in 7..=12 {
        let topic = raw.call(version, &by_name(&name, false)).topics.remove(0);
        assert!(topic.partitions.iter().all(|one| one.leader_epoch >= 0), "{topic:?}");
    }
}

#[test]
fn wire_25_the_topics_that_brokers_keep_for_themselves_are_marked() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let ours = new_topic(&mut raw, "not-internal");
    assert!(!made(&mut raw, &ours).is_internal);
    let offsets = raw.call(12, &by_name("__consumer_offsets", false)).topics.remove(0);
    let unknown = offsets.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    // The reference says so of the name, whether there is such a topic or not.
    assert!(offsets.is_internal, "{offsets:?}, unknown: {unknown}");
}
