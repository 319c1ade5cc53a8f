//! DescribeConfigs and ListConfigResources.

use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult,
};
use logboom_protocol::messages::list_config_resources::ListConfigResourcesRequest;

use super::*;
use crate::config;

fn describe(
    image: &MetadataImage,
    resource_type: i8,
    name: &str,
    keys: Option<&[&str]>,
    detail: bool,
) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.iter().map(|&key| key.into()).collect()),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: detail,
        include_documentation: detail,
    };
    let broker = StaticConfig::new([("log.segment.bytes", "3000000")]).unwrap();
    describe_configs(image, &request, &broker).next().unwrap()
}

#[test]
fn wire_86_without_keys_every_configuration_comes_with_all_that_is_known() {
    let topic = describe(&image(), TOPIC, "t", None, true);
    assert_eq!(topic.error_code, ErrorCode::NONE);
    assert_eq!(topic.configs.len(), config::topic::TABLE.len());
    assert_eq!(describe(&image(), TOPIC, "t", Some(&[]), true), topic, "an empty list is all");
    let retention = topic.configs.iter().find(|one| one.name == "retention.ms").unwrap();
    assert_eq!(retention.value.as_deref(), Some("1000"));
    assert_eq!((retention.config_source, retention.config_type), (1, 5));
    assert_eq!((retention.read_only, retention.is_sensitive), (false, false));
    assert!(retention.documentation.as_ref().is_some_and(|text| text.contains("milliseconds")));
    let synonyms: Vec<_> = retention
        .synonyms
        .iter()
        .map(|one| (one.name.as_str(), one.value.as_deref().unwrap(), one.source))
        .collect();
    assert_eq!(synonyms, [("retention.ms", "1000", 1)], "a default in hours is not listed");

    let broker = describe(&image(), BROKER, "1", None, false);
    for (name, value, source, read_only) in [
        ("num.partitions", "1", 5, true),
        ("default.replication.factor", "1", 5, true),
        ("log.cleanup.policy", "delete", 5, false),
        ("compression.type", "producer", 5, false),
        ("message.max.bytes", "1048588", 5, false),
        ("auto.create.topics.enable", "true", 5, true),
        ("log.segment.bytes", "3000000", 4, false),
    ] {
        let found = broker.configs.iter().find(|one| one.name == name).unwrap();
        let facts = (found.value.as_deref(), found.config_source, found.read_only);
        assert_eq!(facts, (Some(value), source, read_only), "{name}");
        assert_eq!((&found.documentation, found.synonyms.len()), (&None, 0), "not asked for");
    }
}

#[test]
fn what_the_broker_sets_in_hours_passes_for_a_default() {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: "u".into(),
        configuration_keys: Some(vec!["retention.ms".into()]),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        ..Default::default()
    };
    let topic = MetadataRecord::Topic { id: id(2), name: "u".into() };
    let image = image().with(&[topic]).unwrap();
    let shown = |settings: &[(&str, &str)]| {
        let broker = StaticConfig::new(settings.iter().copied()).unwrap();
        let mut result = describe_configs(&image, &request, &broker).next().unwrap();
        let DescribeConfigsResourceResult { value, config_source, synonyms, .. } =
            result.configs.remove(0);
        let synonyms = synonyms.into_iter().map(|one| (one.name, one.value.unwrap(), one.source));
        (value.unwrap(), config_source, synonyms.collect::<Vec<_>>())
    };
    // Each as Apache Kafka 4.1.0 shows it.
    assert_eq!(shown(&[("log.retention.hours", "100")]), ("360000000".into(), 5, vec![]));
    assert_eq!(shown(&[("log.retention.minutes", "77")]), ("4620000".into(), 5, vec![]));
    let both = [("log.retention.hours", "100"), ("log.retention.ms", "5000000")];
    let synonyms = vec![
        ("log.retention.ms".into(), "5000000".into(), 4),
        ("log.retention.hours".into(), "100".into(), 4),
        ("log.retention.hours".into(), "168".into(), 5),
    ];
    assert_eq!(shown(&both), ("5000000".into(), 4, synonyms));
}

#[test]
fn wire_86_with_keys_only_those_come_and_unknown_ones_are_left_out() {
    let keys = ["retention.ms", "no.such.key"];
    let topic = describe(&image(), TOPIC, "t", Some(&keys), false);
    let names: Vec<_> = topic.configs.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((topic.error_code, names), (ErrorCode::NONE, vec!["retention.ms"]));
}

#[test]
fn what_cannot_be_described_has_its_code() {
    for (number, name, code) in [
        (TOPIC, "u", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "a b", ErrorCode::INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", ErrorCode::INVALID_REQUEST),
        (BROKER, "x", ErrorCode::INVALID_REQUEST),
        (BROKER, "3", ErrorCode::INVALID_REQUEST),
        (GROUP, "", ErrorCode::INVALID_REQUEST),
        (CLIENT_METRICS, "", ErrorCode::INVALID_REQUEST),
        (8, "1", ErrorCode::INVALID_REQUEST),
    ] {
        let result = describe(&image(), number, name, None, false);
        assert_eq!((result.error_code, result.configs.len()), (code, 0), "{number} {name}");
        assert_eq!((result.resource_type, result.resource_name.as_str()), (number, name));
    }
}

#[test]
fn a_request_is_answered_in_memory_that_is_bounded() {
    let group = |number: usize| DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: alloc::format!("g{number}").into(),
        configuration_keys: None,
    };
    let mut resources: Vec<_> = (0..=DESCRIBED_PER_REQUEST_MAX).map(group).collect();
    resources[1] = group(0);
    let request = DescribeConfigsRequest { resources, ..Default::default() };
    let (image, broker) = (image(), StaticConfig::default());
    let results: Vec<_> = describe_configs(&image, &request, &broker).collect();
    let found = |place: usize| {
        let result = &results[place];
        (result.error_code, result.configs.len())
    };
    assert_eq!(found(0), (ErrorCode::INVALID_REQUEST, 0));
    assert_eq!(found(1), (ErrorCode::INVALID_REQUEST, 0));
    assert_eq!(found(DESCRIBED_PER_REQUEST_MAX - 1), (ErrorCode::NONE, 2));
    assert_eq!(found(DESCRIBED_PER_REQUEST_MAX), (ErrorCode::POLICY_VIOLATION, 0));
}

#[test]
fn all_brokers_a_subscription_and_a_group_show_what_is_set() {
    let set = |kind, name: &str, key: &str, value: &str| MetadataRecord::Config {
        resource: ConfigResource { kind, name: name.into() },
        name: key.into(),
        value: Some(value.into()),
    };
    let image = image()
        .with(&[
            set(ResourceKind::Broker, "", "log.retention.ms", "9"),
            set(ResourceKind::Broker, "1", "log.retention.ms", "8"),
            set(ResourceKind::ClientMetrics, "m", "interval.ms", "100"),
            set(ResourceKind::Group, "g", "consumer.heartbeat.interval.ms", "6000"),
        ])
        .unwrap();
    let shown = |number, name| -> Vec<_> {
        let result = describe(&image, number, name, None, false);
        let one = |one: DescribeConfigsResourceResult| (one.name, one.value, one.config_source);
        result.configs.into_iter().map(one).collect()
    };
    assert_eq!(shown(BROKER, ""), [("log.retention.ms".into(), Some("9".into()), 3)]);
    assert_eq!(shown(CLIENT_METRICS, "m"), [("interval.ms".into(), Some("100".into()), 7)]);
    assert_eq!(
        shown(GROUP, "g"),
        [
            ("consumer.session.timeout.ms".into(), Some("45000".into()), 5),
            ("consumer.heartbeat.interval.ms".into(), Some("6000".into()), 8)
        ]
    );
    assert!(shown(BROKER, "1").contains(&("log.retention.ms".into(), Some("8".into()), 2)));
}

#[test]
fn resources_are_listed_by_kind() {
    let metrics = MetadataRecord::Config {
        resource: ConfigResource { kind: ResourceKind::ClientMetrics, name: "m".into() },
        name: "interval.ms".into(),
        value: Some("100".into()),
    };
    let image = image().with([&metrics]).unwrap();
    let listed = |types: &[i8], version| {
        let request = ListConfigResourcesRequest { resource_types: types.to_vec() };
        let response = list_config_resources(&image, &request, version);
        let names = response.config_resources.into_iter();
        let names: Vec<_> = names.map(|one| (one.resource_type, one.resource_name)).collect();
        (response.error_code, names)
    };
    let (topic, brokers) = ((TOPIC, "t".into()), [(BROKER, "1".into()), (BROKER, "2".into())]);
    let subscription = (CLIENT_METRICS, "m".into());
    let [one, two] = brokers;
    for (types, version, expected) in [
        (&[][..], 0, vec![subscription.clone()]),
        (&[TOPIC, TOPIC], 1, vec![topic.clone()]),
        (&[GROUP], 1, vec![]),
        (&[], 1, vec![topic, one, two, subscription]),
    ] {
        assert_eq!(listed(types, version), (ErrorCode::NONE, expected), "{types:?}");
    }
    assert_eq!(listed(&[TOPIC, 3], 1), (ErrorCode::UNSUPPORTED_VERSION, vec![]));
}
