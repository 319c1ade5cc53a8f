//! DescribeQuorum: any broker answers, for the one that leads the metadata log.

use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, RequestPartitionData, RequestTopicData,
    ResponsePartitionData,
};
use logboom_protocol::units::Uuid;
use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{kafka_tool, or_skip};
use logboom_tests::raw::Raw;

use super::tool_prints;

const TOOL: &str = "org.apache.kafka.tools.MetadataQuorumCommand";
const PATIENCE: Duration = Duration::from_secs(60);

fn request(topic: &str, partition_index: i32) -> DescribeQuorumRequest {
    let partitions = vec![RequestPartitionData { partition_index }];
    DescribeQuorumRequest {
        topics: vec![RequestTopicData { topic_name: topic.into(), partitions }],
    }
}

fn ask(raw: &mut Raw, version: i16) -> DescribeQuorumResponse {
    raw.call(version, &request("__cluster_metadata", 0))
}

fn only(response: &DescribeQuorumResponse) -> &ResponsePartitionData {
    assert_eq!(response.error_code, ErrorCode::NONE, "{response:?}");
    &response.topics[0].partitions[0]
}

#[test]
fn every_broker_tells_of_all_voters_and_of_one_that_is_gone() {
    let mut cluster = Cluster::start("quorum", 3);
    let topic = cluster.new_topic("quorum", 1, 3);
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    let mut leaders = Vec::new();
    for id in 1..=3 {
        let mut raw = Raw::connect(&cluster.broker(id).bootstrap());
        for version in 0..=2 {
            let response = ask(&mut raw, version);
            let found = only(&response);
            assert!(found.high_watermark > 0 && found.observers.is_empty(), "{found:?}");
            let mut voters: Vec<i32> =
                found.current_voters.iter().map(|it| it.replica_id).collect();
            voters.sort_unstable();
            assert_eq!(voters, [1, 2, 3], "version {version} at {id}");
            let has_times = |it: i64| (it > 0) == (version >= 1);
            assert!(found.current_voters.iter().all(|it| has_times(it.last_fetch_timestamp)));
            let has_directory = |it: Uuid| it.is_zero() == (version < 2);
            assert!(found.current_voters.iter().all(|it| has_directory(it.replica_directory_id)));
            assert_eq!(response.nodes.len(), if version < 2 { 0 } else { 3 }, "{response:?}");
            leaders.push((found.leader_id, found.leader_epoch));
        }
        let other = raw.call(2, &request(&topic, 0));
        let code = other.topics[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    leaders.dedup();
    let [(leader, epoch)] = leaders[..] else { panic!("one of them leads: {leaders:?}") };
    // Another leads, and knows since when this one is gone.
    cluster.kill(leader);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = ask(&mut cluster.any(), 2);
        if response.error_code == ErrorCode::NONE {
            let found = only(&response);
            assert!(found.leader_id != leader && found.leader_epoch > epoch, "{found:?}");
            let last = |id| {
                let voter = found.current_voters.iter().find(|it| it.replica_id == id);
                voter.unwrap().last_fetch_timestamp
            };
            if last(leader) + 1_000 < last(found.leader_id) {
                break;
            }
        }
        assert!(Instant::now() < deadline, "{response:?}");
        pause();
    }
    cluster.restart(leader);
}

#[test]
fn kafkas_own_tool_describes_the_quorum() {
    let Some(_) = or_skip("Kafka's tool and a quorum", kafka_tool(TOOL)) else { return };
    let cluster = Cluster::start("quorum-tool", 3);
    let bootstrap = cluster.bootstrap();
    let status = tool_prints(TOOL, &bootstrap, &["describe", "--status"]);
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {status}"))
    };
    let leader: i32 = line("LeaderId:").split_whitespace().last().unwrap().parse().unwrap();
    assert!((1..=3).contains(&leader), "{status}");
    for id in 1..=3 {
        assert!(line("CurrentVoters:").contains(&format!("\"id\": {id}")), "{status}");
    }
    assert!(line("CurrentVoters:").contains("CONTROLLER://127.0.0.1:"), "{status}");
    let rows = tool_prints(TOOL, &bootstrap, &["describe", "--replication"]);
    let of = |word: &str| rows.lines().filter(|line| line.trim_end().ends_with(word)).count();
    assert_eq!((of("Leader"), of("Follower")), (1, 2), "{rows}");
}
