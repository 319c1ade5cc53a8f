//! DeleteTopics.

use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use logboom_protocol::units::Uuid;

use super::*;

fn state(name: Option<&str>, topic_id: Uuid) -> DeleteTopicState {
    DeleteTopicState { name: name.map(Into::into), topic_id }
}

fn delete(image: &MetadataImage, topics: Vec<DeleteTopicState>) -> Decision<DeleteTopicsResponse> {
    let request = DeleteTopicsRequest { topics, ..Default::default() };
    delete_topics(image, &request, 6, &StaticConfig::default())
}

fn two_topics() -> MetadataImage {
    with_topics(&three_brokers(), vec![topic("a", 2, 1), topic("b", 1, 1)])
}

#[test]
fn wire_85_a_topic_is_deleted_by_name_or_by_id_and_not_by_both_or_neither() {
    let image = two_topics();
    for (wanted, code) in [
        (state(Some("a"), Uuid::ZERO), ErrorCode::NONE),
        (state(None, id(1)), ErrorCode::NONE),
        (state(Some("a"), id(1)), ErrorCode::INVALID_REQUEST),
        (state(None, Uuid::ZERO), ErrorCode::INVALID_REQUEST),
        (state(Some("c"), Uuid::ZERO), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (state(None, id(9)), ErrorCode::UNKNOWN_TOPIC_ID),
    ] {
        let decision = delete(&image, vec![wanted.clone(), state(Some("b"), Uuid::ZERO)]);
        let [result, other] = &decision.response.responses[..] else { panic!("two results") };
        assert_eq!((result.error_code, other.error_code), (code, ErrorCode::NONE), "{wanted:?}");
        let after = image.with(&decision.records).unwrap();
        assert_eq!(after.topic_named("a").is_none(), code.is_none(), "{wanted:?}");
        if code.is_none() {
            assert_eq!((result.name.as_deref(), result.topic_id), (Some("a"), id(1)));
        } else {
            assert_eq!((&result.name, result.topic_id), (&wanted.name, wanted.topic_id));
        }
    }
}

#[test]
fn wire_85_a_deleted_name_is_created_again_with_another_id() {
    let image = two_topics();
    let decision = delete(&image, vec![state(Some("a"), Uuid::ZERO)]);
    let image = image.with(&decision.records).unwrap();
    let config = StaticConfig::default();
    let request = CreateTopicsRequest { topics: vec![topic("a", 1, 1)], ..Default::default() };
    let topic_ids = [id(50)].into_iter();
    let mut context = CreateContext { broker: &config, topic_ids, placement: InTurns(0) };
    let created = create_topics(&image, &request, &mut context);
    let image = image.with(&created.records).unwrap();
    let again = image.topic_named("a").unwrap();
    assert_eq!((again.id(), again.partition_count()), (id(50), 1));
    assert!(image.topic(id(1)).is_none());
}

#[test]
fn a_topic_that_is_there_twice_stays() {
    let image = two_topics();
    for second in [state(Some("a"), Uuid::ZERO), state(None, id(1))] {
        let decision = delete(&image, vec![state(Some("a"), Uuid::ZERO), second]);
        let codes: Vec<_> = decision.response.responses.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [ErrorCode::INVALID_REQUEST; 2]);
        assert!(decision.records.is_empty());
    }
}

#[test]
fn names_of_older_versions_are_deleted_too() {
    let image = two_topics();
    let request =
        DeleteTopicsRequest { topic_names: vec!["a".into(), "c".into()], ..Default::default() };
    let decision = delete_topics(&image, &request, 5, &StaticConfig::default());
    let codes: Vec<_> = decision.response.responses.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
}

#[test]
fn where_deletion_is_off_nothing_is_deleted() {
    let broker = StaticConfig::new([("delete.topic.enable", "false")]).unwrap();
    let request = DeleteTopicsRequest { topic_names: vec!["a".into()], ..Default::default() };
    for (version, code) in
        [(2, ErrorCode::INVALID_REQUEST), (3, ErrorCode::TOPIC_DELETION_DISABLED)]
    {
        let decision = delete_topics(&two_topics(), &request, version, &broker);
        assert_eq!(decision.response.responses[0].error_code, code);
        assert!(decision.records.is_empty());
    }
}
