//! AlterConfigs and IncrementalAlterConfigs.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::{alter_configs as whole, incremental_alter_configs as single};

use super::*;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;
/// The broker that is asked.
const ASKED: i32 = 1;

type Settings = Vec<(String, String)>;

fn settings(expected: &[(&str, &str)]) -> Settings {
    expected.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

fn resource(
    resource_type: i8,
    name: &str,
    configs: &[(&str, i8, Option<&str>)],
) -> single::AlterConfigsResource {
    let configs = configs.iter().map(|&(name, config_operation, value)| single::AlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Into::into),
    });
    single::AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs: configs.collect(),
    }
}

fn incremental(
    image: &MetadataImage,
    resources: Vec<single::AlterConfigsResource>,
) -> (MetadataImage, Vec<ErrorCode>) {
    let request = single::IncrementalAlterConfigsRequest { resources, validate_only: false };
    let decision = incremental_alter_configs(image, &request, &StaticConfig::default(), ASKED);
    let codes = decision.response.responses.iter().map(|one| one.error_code).collect();
    (image.with(&decision.records).unwrap(), codes)
}

/// The same configurations for AlterConfigs, whose keys have no operation.
fn whole(request: &single::AlterConfigsResource) -> whole::AlterConfigsResource {
    let configs = request.configs.iter().map(|config| whole::AlterableConfig {
        name: config.name.clone(),
        value: config.value.clone(),
    });
    whole::AlterConfigsResource {
        resource_type: request.resource_type,
        resource_name: request.resource_name.clone(),
        configs: configs.collect(),
    }
}

/// What each kind of resource refuses to have set.
fn refused() -> Vec<(single::AlterConfigsResource, ErrorCode)> {
    let one = |number, name: &str, key, value| resource(number, name, &[(key, SET, value)]);
    let twice = ("retention.ms", SET, Some("1"));
    let long = "0:1,".repeat(8_192);
    vec![
        (one(TOPIC, "t", "no.such.key", Some("1")), ErrorCode::INVALID_CONFIG),
        (one(TOPIC, "t", "retention.ms", Some("x")), ErrorCode::INVALID_CONFIG),
        (one(TOPIC, "t", "log.retention.ms", Some("1")), ErrorCode::INVALID_CONFIG),
        (one(TOPIC, "t", "retention.ms", None), ErrorCode::INVALID_REQUEST),
        (
            one(TOPIC, "t", "leader.replication.throttled.replicas", Some(&long)),
            ErrorCode::INVALID_CONFIG,
        ),
        (
            resource(
                TOPIC,
                "t",
                &[
                    ("min.compaction.lag.ms", SET, Some("2")),
                    ("max.compaction.lag.ms", SET, Some("1")),
                ],
            ),
            ErrorCode::INVALID_CONFIG,
        ),
        (resource(TOPIC, "t", &[twice, twice]), ErrorCode::INVALID_REQUEST),
        (one(TOPIC, "u", "retention.ms", Some("1")), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (one(TOPIC, "", "retention.ms", Some("1")), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (one(BROKER, "1", "no.such.key", Some("1")), ErrorCode::INVALID_CONFIG),
        (one(BROKER, "1", "message.max.bytes", Some("x")), ErrorCode::INVALID_REQUEST),
        (one(BROKER, "1", "num.partitions", Some("2")), ErrorCode::INVALID_REQUEST),
        (one(BROKER, "", "node.id", Some("2")), ErrorCode::INVALID_REQUEST),
        (one(BROKER, "x", "message.max.bytes", Some("2")), ErrorCode::INVALID_REQUEST),
        (one(BROKER, "-1", "message.max.bytes", Some("2")), ErrorCode::INVALID_REQUEST),
        (one(BROKER, "2", "message.max.bytes", Some("2")), ErrorCode::INVALID_REQUEST),
        (one(BROKER, "3", "message.max.bytes", Some("2")), ErrorCode::INVALID_REQUEST),
        (one(GROUP, "g", "no.such.key", Some("1")), ErrorCode::INVALID_CONFIG),
        (one(GROUP, "g", "consumer.session.timeout.ms", Some("1")), ErrorCode::INVALID_CONFIG),
        (one(GROUP, "", "consumer.session.timeout.ms", Some("50000")), ErrorCode::INVALID_REQUEST),
        (one(CLIENT_METRICS, "m", "interval.ms", Some("99")), ErrorCode::INVALID_CONFIG),
        (one(CLIENT_METRICS, "", "interval.ms", Some("100")), ErrorCode::INVALID_REQUEST),
        (one(8, "1", "root", Some("DEBUG")), ErrorCode::INVALID_REQUEST),
        (one(0, "t", "retention.ms", Some("1")), ErrorCode::INVALID_REQUEST),
    ]
}

#[test]
fn wire_87_what_is_refused_has_its_code_and_leaves_the_resource_alone() {
    let timeout = ("consumer.session.timeout.ms", "50000");
    let good = resource(GROUP, "h", &[(timeout.0, SET, Some(timeout.1))]);
    for (bad, code) in refused() {
        let (after, codes) = incremental(&image(), vec![bad.clone(), good.clone()]);
        assert_eq!(codes, [code, ErrorCode::NONE], "{bad:?}");
        assert_eq!(set(&after, TOPIC, "t"), set(&image(), TOPIC, "t"), "{bad:?}");
        assert_eq!(set(&after, GROUP, "h"), settings(&[timeout]));

        let resources = vec![whole(&bad), whole(&good)];
        let request = whole::AlterConfigsRequest { resources, validate_only: false };
        let decision = alter_configs(&image(), &request, &StaticConfig::default(), ASKED);
        let codes: Vec<_> = decision.response.responses.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [code, ErrorCode::NONE], "{bad:?}");
        assert!(decision.response.responses[0].error_message.is_some());
    }
}

#[test]
fn wire_87_keys_are_set_deleted_appended_to_and_subtracted_from() {
    let policy = |operation, value| resource(TOPIC, "t", &[("cleanup.policy", operation, value)]);
    let throttled = |operation, value| {
        resource(TOPIC, "t", &[("leader.replication.throttled.replicas", operation, Some(value))])
    };
    let retention = ("retention.ms", "1000");
    let policy_is = |value| settings(&[("cleanup.policy", value), retention]);
    for (change, expected) in [
        (policy(SET, Some("compact")), policy_is("compact")),
        (policy(DELETE, None), settings(&[retention])),
        (policy(APPEND, Some("compact")), policy_is("delete,compact")),
        (policy(APPEND, Some("delete")), policy_is("delete")),
        (policy(APPEND, Some("compact, delete,compact")), policy_is("delete,compact")),
        (policy(SUBTRACT, Some("delete")), policy_is("")),
        (policy(SUBTRACT, Some("compact")), policy_is("delete")),
        (
            throttled(APPEND, "0:1"),
            settings(&[
                ("cleanup.policy", "delete"),
                ("leader.replication.throttled.replicas", "0:1"),
                retention,
            ]),
        ),
        (resource(TOPIC, "t", &[("no.such.key", DELETE, None)]), policy_is("delete")),
    ] {
        let (after, codes) = incremental(&image(), vec![change.clone()]);
        assert_eq!(codes, [ErrorCode::NONE], "{change:?}");
        assert_eq!(set(&after, TOPIC, "t"), expected, "{change:?}");
    }
}

#[test]
fn wire_87_appending_begins_with_the_default_where_nothing_is_set() {
    let append = resource(BROKER, "", &[("log.cleanup.policy", APPEND, Some("compact"))]);
    let (after, codes) = incremental(&image(), vec![append]);
    assert_eq!(codes, [ErrorCode::NONE]);
    assert_eq!(set(&after, BROKER, ""), settings(&[("log.cleanup.policy", "delete,compact")]));
}

#[test]
fn wire_87_an_operation_needs_a_list_and_a_known_number() {
    for (change, code) in [
        (("retention.ms", APPEND, Some("1")), ErrorCode::INVALID_CONFIG),
        (("retention.ms", SUBTRACT, Some("1")), ErrorCode::INVALID_CONFIG),
        (("no.such.key", APPEND, Some("1")), ErrorCode::INVALID_CONFIG),
        (("cleanup.policy", APPEND, Some("x")), ErrorCode::INVALID_CONFIG),
        (("cleanup.policy", APPEND, None), ErrorCode::INVALID_REQUEST),
        (("retention.ms", 4, Some("1")), ErrorCode::INVALID_REQUEST),
        (("retention.ms", -1, Some("1")), ErrorCode::INVALID_REQUEST),
    ] {
        let (after, codes) = incremental(&image(), vec![resource(TOPIC, "t", &[change])]);
        assert_eq!((codes, after), (vec![code], image()), "{change:?}");
    }
}

#[test]
fn wire_87_the_older_request_replaces_the_whole_set() {
    let new = whole(&resource(TOPIC, "t", &[("segment.bytes", SET, Some("2000000"))]));
    let request = whole::AlterConfigsRequest { resources: vec![new], validate_only: false };
    let decision = alter_configs(&image(), &request, &StaticConfig::default(), ASKED);
    let after = image().with(&decision.records).unwrap();
    assert_eq!(set(&after, TOPIC, "t"), settings(&[("segment.bytes", "2000000")]));
}

#[test]
fn what_is_of_one_broker_or_of_all_is_set_for_no_others() {
    for (name, key, says) in [
        (
            "",
            "balance.drain",
            "balance.drain is of one broker, and not of all: name it, or use `logboom cluster \
             drain ID`",
        ),
        (
            "1",
            "balance.once",
            "balance.once is of all brokers, and not of one: set their default, or use `logboom \
             cluster balance`",
        ),
    ] {
        let resources = vec![resource(BROKER, name, &[(key, SET, Some("true"))])];
        let request = single::IncrementalAlterConfigsRequest { resources, validate_only: false };
        let decision =
            incremental_alter_configs(&image(), &request, &StaticConfig::default(), ASKED);
        let answer = &decision.response.responses[0];
        assert_eq!((answer.error_code, decision.records.len()), (ErrorCode::INVALID_CONFIG, 0));
        assert_eq!(answer.error_message.as_deref(), Some(says));
        // The other way round it is what they are for.
        let other = if name.is_empty() { "1" } else { "" };
        let right = resource(BROKER, other, &[(key, SET, Some("true"))]);
        let (image, codes) = incremental(&image(), vec![right]);
        assert_eq!(codes, [ErrorCode::NONE]);
        assert_eq!(set(&image, BROKER, other), settings(&[(key, "true")]));
    }
}

#[test]
fn one_that_an_older_broker_took_can_be_taken_away_again() {
    let old = MetadataRecord::Config {
        resource: ConfigResource::all_brokers(),
        name: "balance.drain".into(),
        value: Some("true".into()),
    };
    let image = image().with([&old]).unwrap();
    let beside = resource(BROKER, "", &[("balance.moves", SET, Some("3"))]);
    let (image, codes) = incremental(&image, vec![beside]);
    assert_eq!(codes, [ErrorCode::NONE], "it is in nobody's way");
    let (image, codes) =
        incremental(&image, vec![resource(BROKER, "", &[("balance.drain", DELETE, None)])]);
    assert_eq!(codes, [ErrorCode::NONE]);
    assert_eq!(set(&image, BROKER, ""), settings(&[("balance.moves", "3")]));
}

#[test]
fn a_resource_that_is_there_twice_stays() {
    let change = resource(TOPIC, "t", &[("retention.ms", SET, Some("2"))]);
    let (after, codes) = incremental(&image(), vec![change.clone(), change]);
    assert_eq!((codes, after), (vec![ErrorCode::INVALID_REQUEST; 2], image()));
}

#[test]
fn validate_only_changes_nothing() {
    let change = resource(TOPIC, "t", &[("retention.ms", SET, Some("2"))]);
    let config = StaticConfig::default();
    let (resources, validate_only) = (vec![whole(&change)], true);
    let request = whole::AlterConfigsRequest { resources, validate_only };
    assert!(alter_configs(&image(), &request, &config, ASKED).records.is_empty());
    let request = single::IncrementalAlterConfigsRequest { resources: vec![change], validate_only };
    let decision = incremental_alter_configs(&image(), &request, &config, ASKED);
    assert!(decision.records.is_empty());
    assert_eq!(decision.response.responses[0].error_code, ErrorCode::NONE);
}

#[test]
fn every_kind_of_resource_keeps_what_is_set() {
    let changes = [
        (BROKER, "1", "message.max.bytes", "7"),
        (BROKER, "", "log.cleaner.threads", "2"),
        (GROUP, "g", "consumer.heartbeat.interval.ms", "6000"),
        (CLIENT_METRICS, "m", "match", "client_id=a.*"),
    ];
    let resources = changes
        .map(|(number, name, key, value)| resource(number, name, &[(key, SET, Some(value))]));
    let (after, codes) = incremental(&image(), resources.to_vec());
    assert_eq!(codes, [ErrorCode::NONE; 4]);
    for (number, name, key, value) in changes {
        assert_eq!(set(&after, number, name), settings(&[(key, value)]));
    }
    let padded = resource(BROKER, "01", &[("message.max.bytes", SET, Some("8"))]);
    let (after, _) = incremental(&after, vec![padded]);
    assert_eq!(set(&after, BROKER, "1"), settings(&[("message.max.bytes", "8")]));
}

#[test]
fn a_key_that_only_an_older_broker_knew_is_in_nobodys_way() {
    let old = MetadataRecord::Config {
        resource: ConfigResource::topic("t"),
        name: "old.key".into(),
        value: Some("x".into()),
    };
    let image = image().with([&old]).unwrap();
    let change = resource(TOPIC, "t", &[("retention.ms", DELETE, None)]);
    let (after, codes) = incremental(&image, vec![change]);
    assert_eq!(codes, [ErrorCode::NONE]);
    assert_eq!(
        set(&after, TOPIC, "t"),
        settings(&[("cleanup.policy", "delete"), ("old.key", "x")])
    );
}
