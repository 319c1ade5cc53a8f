//! Configurations: what is ours, beside what `tests/it/wire/admin.rs` tells of any broker.

use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use logboom_protocol::messages::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest,
};
use logboom_protocol::messages::list_config_resources::ListConfigResourcesRequest;

use super::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn describe(broker: &TestBroker, kind: i8, name: &str) -> Vec<DescribeConfigsResourceResult> {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    let mut response = broker.request(&request, newest::<DescribeConfigsRequest>());
    let result = response.results.remove(0);
    assert_eq!(result.error_code, ErrorCode::NONE, "{:?}", result.error_message);
    result.configs
}

/// Changes one key of topic `t`; returns the code.
fn change(broker: &TestBroker, key: &str, operation: i8, value: Option<&str>) -> ErrorCode {
    change_of(broker, (TOPIC, "t"), key, operation, value)
}

/// Changes one key of a resource; returns the code.
fn change_of(
    broker: &TestBroker,
    (resource_type, name): (i8, &str),
    key: &str,
    operation: i8,
    value: Option<&str>,
) -> ErrorCode {
    let config = incremental::AlterableConfig {
        name: key.into(),
        config_operation: operation,
        value: value.map(CompactString::from),
    };
    let resource = incremental::AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs: vec![config],
    };
    let resources = vec![resource];
    let request = IncrementalAlterConfigsRequest { resources, validate_only: false };
    broker.request(&request, 1).responses[0].error_code
}

#[test]
fn the_limit_of_connections_counts_from_its_change_on() {
    let broker = TestBroker::start();
    // The connection over which this comes stays open.
    let set = |value| change_of(&broker, (BROKER, "1"), "max.connections", 0, Some(value));
    assert_eq!(set("1"), ErrorCode::NONE);
    let mut client = broker.client();
    assert!(client.receive().is_err(), "one is open already");
    assert_eq!(set("2"), ErrorCode::NONE);
    let mut client = broker.client();
    client.request(&ListConfigResourcesRequest::default(), 1);
}

#[test]
fn many_resources_are_described_in_their_order() {
    let broker = TestBroker::start();
    let resource = |number: i32| DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: number.to_string().into(),
        configuration_keys: None,
    };
    let resources: Vec<_> = (0..200).map(resource).collect();
    let request = DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() };
    let response = broker.request(&request, newest::<DescribeConfigsRequest>());
    let names = response.results.iter().map(|result| result.resource_name.parse::<i32>().unwrap());
    assert!(names.eq(0..200));
    let served = response.results.iter().filter(|result| result.error_code == ErrorCode::NONE);
    assert!(served.map(|result| &*result.resource_name).eq(["1"]));
}

#[test]
fn wire_86_all_configurations_of_a_broker_are_described() {
    let broker = TestBroker::with([("num.partitions", "3")]);
    let configs = describe(&broker, BROKER, "1");
    for name in [
        "num.partitions",
        "default.replication.factor",
        "log.cleanup.policy",
        "compression.type",
        "message.max.bytes",
        "auto.create.topics.enable",
    ] {
        assert!(configs.iter().any(|config| config.name == name), "{name}");
    }
    let config = configs.iter().find(|config| config.name == "num.partitions").unwrap();
    let static_broker = 4;
    assert_eq!((config.value.as_deref(), config.config_source), (Some("3"), static_broker));
    assert!(config.read_only && config.documentation.is_some() && config.synonyms.len() == 2);
}

#[test]
fn a_changed_configuration_is_in_force_at_once_and_after_a_start() {
    let mut broker = TestBroker::start();
    create(&broker, vec![topic("t", 1)]);
    assert_eq!(change(&broker, "max.message.bytes", 0, Some("100")), ErrorCode::NONE);
    assert_eq!(produce(&broker, "t", 10, None).error_code, ErrorCode::MESSAGE_TOO_LARGE);
    broker.restart();
    assert_eq!(produce(&broker, "t", 10, None).error_code, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(change(&broker, "max.message.bytes", 1, None), ErrorCode::NONE);
    assert_eq!(produce(&broker, "t", 10, None).error_code, ErrorCode::NONE);
}

#[test]
fn resources_with_configurations_are_listed() {
    let broker = TestBroker::start();
    create(&broker, vec![topic("t", 1)]);
    let list = |resource_types, version| {
        let request = ListConfigResourcesRequest { resource_types };
        let response = broker.request(&request, version);
        let named = |one: &_| {
            let logboom_protocol::messages::list_config_resources::ConfigResource {
                resource_name,
                resource_type,
            } = one;
            (*resource_type, resource_name.to_string())
        };
        let resources: Vec<_> = response.config_resources.iter().map(named).collect();
        (response.error_code, resources)
    };
    let (topic, this) = ((TOPIC, "t".to_owned()), (BROKER, "1".to_owned()));
    assert_eq!(list(vec![], 0), (ErrorCode::NONE, vec![]));
    assert_eq!(list(vec![], 1), (ErrorCode::NONE, vec![topic.clone(), this]));
    assert_eq!(list(vec![TOPIC], 1), (ErrorCode::NONE, vec![topic]));
    assert_eq!(list(vec![99], 1), (ErrorCode::UNSUPPORTED_VERSION, vec![]));
}
