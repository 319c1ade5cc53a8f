//! Dynamic configurations of brokers: each is told and changed where its broker is asked.

use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResult,
};
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use logboom_protocol::messages::{alter_configs as whole, produce::PartitionProduceResponse};
use logboom_protocol::records::{BatchBuilder, Codec};
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{kafka_tool, or_skip};
use logboom_tests::raw::Raw;

use super::tool_prints;
use crate::groups::command;
use crate::wire::{PRODUCE, now_ms, produce_to};

/// Longer than a change is on its way, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const BROKER: i8 = 4;
const LIMIT: &str = "message.max.bytes";
const TOOL: &str = "kafka.admin.ConfigCommand";

/// Sets the limit of a broker, or of all where it has no name.
fn set(raw: &mut Raw, name: &str, value: &str) -> ErrorCode {
    let config =
        AlterableConfig { name: LIMIT.into(), config_operation: 0, value: Some(value.into()) };
    let resource = AlterConfigsResource {
        resource_type: BROKER,
        resource_name: name.into(),
        configs: vec![config],
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    raw.call(1, &request).responses[0].error_code
}

fn described(raw: &mut Raw, name: &str) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: name.into(),
        configuration_keys: Some(vec![LIMIT.into()]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    raw.call(4, &request).results.remove(0)
}

/// The value that it tells, and the number of its source.
fn told(raw: &mut Raw, name: &str) -> Option<(String, i8)> {
    let result = described(raw, name);
    assert_eq!(result.error_code, ErrorCode::NONE, "{result:?}");
    let config = result.configs.first()?;
    Some((config.value.as_ref()?.to_string(), config.config_source))
}

/// Waits until it tells that; brokers hear of it one after the other.
fn wait_for(raw: &mut Raw, name: &str, value: &str, source: i8) {
    let deadline = Instant::now() + PATIENCE;
    let expected = Some((value.to_owned(), source));
    while told(raw, name) != expected {
        assert!(Instant::now() < deadline, "{name}: {:?}, not {expected:?}", told(raw, name));
        pause();
    }
}

/// Produces a record of so many bytes.
fn produced(raw: &mut Raw, topic: &str, partition: i32, bytes: usize) -> PartitionProduceResponse {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(now_ms(), None, Some(&vec![b'x'; bytes]), &[]).unwrap();
    let request = produce_to(topic, partition, builder.build().unwrap());
    raw.call(PRODUCE, &request).responses.remove(0).partition_responses.remove(0)
}

/// What the leader says, as soon as one leads: whoever is to is told of before it does.
fn led_produced(cluster: &Cluster, topic: &str, partition: i32, bytes: usize) -> ErrorCode {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let code =
            produced(&mut cluster.leader(topic, partition), topic, partition, bytes).error_code;
        if code != ErrorCode::NOT_LEADER_OR_FOLLOWER || Instant::now() >= deadline {
            return code;
        }
        pause();
    }
}

#[test]
fn a_broker_is_configured_where_it_is_asked_and_all_of_them_anywhere() {
    let mut cluster = Cluster::start("broker-configs", 3);
    let mut raws: Vec<Raw> =
        (1..=3).map(|id| Raw::connect(&cluster.broker(id).bootstrap())).collect();
    assert_eq!(set(&mut raws[1], "2", "3000"), ErrorCode::NONE);
    // Another broker refuses both, as the reference does.
    assert_eq!(set(&mut raws[0], "2", "4000"), ErrorCode::INVALID_REQUEST);
    assert_eq!(described(&mut raws[0], "2").error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(set(&mut raws[2], "9", "4000"), ErrorCode::INVALID_REQUEST);
    let request = whole::AlterConfigsRequest {
        resources: vec![whole::AlterConfigsResource {
            resource_type: BROKER,
            resource_name: "2".into(),
            configs: Vec::new(),
        }],
        validate_only: false,
    };
    let answer = &raws[2].call(1, &request).responses[0];
    assert_eq!(answer.error_code, ErrorCode::INVALID_REQUEST, "{answer:?}");
    wait_for(&mut raws[1], "2", "3000", 2);
    wait_for(&mut raws[0], "1", "1048588", 5);
    // What is set for all is told by all, and a broker's own goes before.
    assert_eq!(set(&mut raws[0], "", "5000"), ErrorCode::NONE);
    for (raw, own) in raws.iter_mut().zip(1..) {
        wait_for(raw, "", "5000", 3);
        let (value, source) = if own == 2 { ("3000", 2) } else { ("5000", 3) };
        wait_for(raw, &own.to_string(), value, source);
    }
    // And each acts on its own.
    let topic = cluster.new_topic("broker-configs", 3, 3);
    let led = cluster.wait_until(&topic, "all are led", |it| it.leader_id > 0);
    for it in led {
        let code = led_produced(&cluster, &topic, it.partition_index, 4_000);
        let expected =
            if it.leader_id == 2 { ErrorCode::MESSAGE_TOO_LARGE } else { ErrorCode::NONE };
        assert_eq!(code, expected, "{it:?}");
    }
}

/// Asks until the answer has these words.
fn until(words: &[&str], told: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    let mut text = told();
    while !words.iter().all(|word| text.contains(word)) {
        assert!(Instant::now() < deadline, "{words:?} aren't in {text}");
        text = told();
    }
}

#[test]
fn clients_find_the_broker_by_themselves() {
    let cluster = Cluster::start("broker-configs-tool", 3);
    let bootstrap = cluster.bootstrap();
    let run = |words: &[&str]| {
        let output = command(&bootstrap, words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["config", "set", "broker", "3", "message.max.bytes=2000"]);
    until(&[LIMIT, "2000"], || run(&["config", "describe", "broker", "3", LIMIT]));
    let Some(_) = or_skip("Kafka's tool and brokers", kafka_tool(TOOL)) else { return };
    let of = ["--entity-type", "brokers", "--entity-name", "2"];
    let alter = ["--alter", "--add-config", "message.max.bytes=1500"];
    tool_prints(TOOL, &bootstrap, &[&of[..], &alter].concat());
    let describe = [&of[..], &["--describe"]].concat();
    until(&["message.max.bytes=1500"], || tool_prints(TOOL, &bootstrap, &describe));
    let all = ["--entity-type", "brokers", "--entity-default"];
    let alter = ["--alter", "--add-config", "message.max.bytes=1700"];
    tool_prints(TOOL, &bootstrap, &[&all[..], &alter].concat());
    let describe = [&all[..], &["--describe"]].concat();
    until(&["message.max.bytes=1700"], || tool_prints(TOOL, &bootstrap, &describe));
}
