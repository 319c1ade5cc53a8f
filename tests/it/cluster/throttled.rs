//! Kafka's own tool moves partitions, at a limited rate while it is told to.

use std::path::Path;
use std::process::Command;

use logboom_tests::foreign::{kafka_tool, scratch};

use super::*;

const REASSIGN_COMMAND: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const FOLLOWERS: &str = "follower.replication.throttled.replicas";
/// Kinds of what has configurations.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// What the tool says; it has to succeed.
fn reassign(cluster: &Cluster, plan: &Path, arguments: &[&str]) -> String {
    let mut tool: Command = kafka_tool(REASSIGN_COMMAND).unwrap();
    tool.args(["--bootstrap-server", &cluster.bootstrap(), "--reassignment-json-file"]);
    let output = tool.arg(plan).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The value that is set of a configuration, if one is.
fn set(cluster: &mut Cluster, (kind, name): (i8, &str), key: &str) -> Option<String> {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: Some(vec![key.into()]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let id = if kind == BROKER { name.parse().unwrap() } else { 1 };
    let mut raw = Raw::connect(&cluster.broker(id).bootstrap());
    let answer = raw.call(4, &request).results.remove(0);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    let default = 5;
    let config = answer.configs.into_iter().find(|config| config.config_source != default)?;
    Some(config.value?.to_string())
}

/// A topic of one partition on one broker, with some megabytes, and a plan to move it.
fn filled(cluster: &Cluster, name: &str, dir: &Path) -> (String, std::path::PathBuf, [i32; 2]) {
    let topic = cluster.new_topic(name, 1, 1);
    for number in 0..12 {
        assert_eq!(produce(cluster, &topic, 0, &[b'x'; 500_000]), number);
    }
    let from = cluster.partitions(&topic)[0].leader_id;
    let to = from % BROKERS + 1;
    let plan = dir.join(format!("{name}.json"));
    let moved = format!(r#"{{"topic":"{topic}","partition":0,"replicas":[{to}]}}"#);
    std::fs::write(&plan, format!(r#"{{"version":1,"partitions":[{moved}]}}"#)).unwrap();
    (topic, plan, [from, to])
}

#[test]
fn kafkas_tool_moves_a_partition_as_fast_as_it_says_and_takes_the_limits_away() {
    if or_skip("Kafka's tool for moves", kafka_tool(REASSIGN_COMMAND)).is_none() {
        return;
    }
    let mut cluster = Cluster::start("throttled", 3);
    let dir = scratch("throttled");
    let (topic, plan, [from, to]) = filled(&cluster, "slowly", &dir);
    // The first part that is read goes through, and is paid for.
    reassign(&cluster, &plan, &["--execute", "--throttle", "1"]);
    let brokers = [from.to_string(), to.to_string()];
    for (broker, rate) in [(0, LEADER_RATE), (1, FOLLOWER_RATE)] {
        let set = set(&mut cluster, (BROKER, &brokers[broker]), rate);
        assert_eq!(set.as_deref(), Some("1"), "{rate}");
    }
    let leaders = set(&mut cluster, (TOPIC, &topic), THROTTLED);
    assert_eq!(leaders, Some(format!("0:{from}")));
    assert_eq!(set(&mut cluster, (TOPIC, &topic), FOLLOWERS), Some(format!("0:{to}")));

    // What isn't named moves meanwhile, and whoever writes isn't held up.
    let (other, other_plan, [_, there]) = filled(&cluster, "freely", &dir);
    reassign(&cluster, &other_plan, &["--execute", "--additional"]);
    cluster.wait_until(&other, "it has moved", |it| it.replica_nodes == [there]);
    assert_eq!(produce(&cluster, &topic, 0, b"committed"), 12);
    let listed = cluster.any().call(0, &ListPartitionReassignmentsRequest::default());
    assert_eq!(listed.topics[0].partitions[0].adding_replicas, [to], "{listed:?}");
    assert_eq!(cluster.partitions(&topic)[0].isr_nodes, [from]);

    reassign(&cluster, &plan, &["--execute", "--additional", "--throttle", "1000000000"]);
    cluster.wait_until(&topic, "it has moved", |it| it.replica_nodes == [to]);
    let said = reassign(&cluster, &plan, &["--verify"]);
    assert!(said.contains("is completed"), "{said}");
    for broker in &brokers {
        assert_eq!(set(&mut cluster, (BROKER, broker), LEADER_RATE), None, "{said}");
        assert_eq!(set(&mut cluster, (BROKER, broker), FOLLOWER_RATE), None, "{said}");
    }
    assert_eq!(set(&mut cluster, (TOPIC, &topic), THROTTLED), None, "{said}");
    assert_eq!(set(&mut cluster, (TOPIC, &topic), FOLLOWERS), None, "{said}");
    assert_eq!(read_all(&mut cluster.leader(&topic, 0), &topic, 0).len(), 13);
}
