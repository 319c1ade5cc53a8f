//! Who decides changes while all goes on: a broker that was alone becomes one of three.

use std::process::Command;

use logboom_protocol::messages::add_raft_voter::AddRaftVoterRequest;
use logboom_protocol::messages::find_coordinator::FindCoordinatorRequest;
use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::messages::unregister_broker::UnregisterBrokerRequest;
use logboom_protocol::units::Uuid;
use logboom_tests::broker::logboom;
use logboom_tests::foreign::kafka_tool;

use super::*;

const QUORUM_COMMAND: &str = "org.apache.kafka.tools.MetadataQuorumCommand";

/// `logboom cluster …`; returns what it said of what went wrong, if something did.
fn cluster_command(cluster: &Cluster, command: &str, id: i32) -> Result<(), String> {
    let bootstrap = cluster.bootstrap();
    let arguments = ["cluster", command, &id.to_string(), "--bootstrap", &bootstrap];
    let output = Command::new(logboom()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn a_broker_that_was_alone_grows_into_a_cluster_of_three() {
    let mut cluster = Cluster::alone("grows");
    let topic = cluster.new_topic("grows", 2, 1);
    let mut expected = 0;
    let mut more = |cluster: &Cluster| {
        for _ in 0..10 {
            assert_eq!(produce(cluster, &topic, 0, expected.to_string().as_bytes()), expected);
            expected += 1;
        }
    };
    more(&cluster);
    // The topic of groups is made when the first is asked for.
    let request = FindCoordinatorRequest { key: "group".into(), ..Default::default() };
    cluster.any().call(0, &request);
    // Starts leave markers, of which those that come later have to know.
    for _ in 0..3 {
        cluster.stop(1);
        cluster.restart(1);
        cluster.wait_for_brokers(1);
    }
    more(&cluster);
    cluster.open_to_others();
    more(&cluster);
    assert_eq!((cluster.join("broker,controller"), cluster.join("broker,controller")), (2, 3));
    cluster.wait_for_brokers(3);
    for id in [2, 3] {
        assert_eq!(cluster_command(&cluster, "add-voter", id), Ok(()));
    }
    let refused = cluster_command(&cluster, "add-voter", 2).unwrap_err();
    assert!(refused.contains("voter already"), "{refused}");
    cluster.wait_until("__consumer_offsets", "nothing hangs on one", |it| it.isr_nodes.len() == 3);
    move_to(&cluster, &topic, 2, &[1, 2, 3]);
    more(&cluster);
    // Any of them may be away, the first one too.
    for id in 1..=BROKERS {
        cluster.kill(id);
        cluster.wait_for_brokers(2);
        let later = cluster.new_topic("later", 1, 2);
        assert_eq!(produce(&cluster, &later, 0, b"v"), 0);
        more(&cluster);
        cluster.restart(id);
        cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    }
    (1..=BROKERS).for_each(|id| cluster.kill(id));
    (1..=BROKERS).for_each(|id| cluster.restart(id));
    more(&cluster);
    let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
    for (record, number) in read.iter().zip(0_i64..) {
        assert_eq!((record.offset, &record.value[..]), (number, number.to_string().as_bytes()));
    }
    assert_eq!(read.len(), usize::try_from(expected).unwrap());
    // Whoever comes later finds those that decide, though its configuration names none of them.
    assert_eq!(cluster_command(&cluster, "remove-voter", 1), Ok(()));
    assert_eq!(cluster.join("broker"), 4);
    cluster.wait_for_brokers(4);
    let refused = cluster_command(&cluster, "add-voter", 4).unwrap_err();
    assert!(refused.contains("node 4 is no controller"), "{refused}");
}

#[test]
fn voters_are_replaced_and_a_majority_of_those_that_are_left_decides() {
    let mut cluster = Cluster::start("replaces", 3);
    let topic = cluster.new_topic("replaces", 1, 3);
    assert_eq!(cluster.join("broker,controller"), 4);
    cluster.wait_for_brokers(4);
    let unknown = cluster_command(&cluster, "add-voter", 9).unwrap_err();
    assert!(unknown.contains("node 9 is not registered"), "{unknown}");
    let request = AddRaftVoterRequest {
        cluster_id: None,
        voter_id: 4,
        voter_directory_id: Uuid([7; 16]),
        timeout_ms: 1_000,
        ..AddRaftVoterRequest::default()
    };
    let other = cluster.any().call(1, &request);
    assert_eq!(other.error_code, ErrorCode::INVALID_REQUEST, "{other:?}");
    let request = AddRaftVoterRequest { cluster_id: Some("another".into()), ..request };
    let other = cluster.any().call(1, &request);
    assert_eq!(other.error_code, ErrorCode::INCONSISTENT_CLUSTER_ID, "{other:?}");

    assert_eq!(cluster_command(&cluster, "add-voter", 4), Ok(()));
    let needed = cluster.any().call(0, &UnregisterBrokerRequest { broker_id: 4 });
    assert_eq!(needed.error_code, ErrorCode::INVALID_REQUEST, "{needed:?}");
    remove(&mut cluster, 1);
    let gone = cluster_command(&cluster, "remove-voter", 1).unwrap_err();
    assert!(gone.contains("none of the voters"), "{gone}");
    // 2, 3 and 4 decide: without 1 and 2 they are a majority.
    cluster.kill(1);
    cluster.kill(2);
    cluster.wait_for_brokers(2);
    let later = cluster.new_topic("later", 1, 2);
    assert_eq!(produce(&cluster, &later, 0, b"v"), 0);
    cluster.restart(2);
    // Who has no vote any more still follows.
    cluster.restart(1);
    cluster.wait_until(&topic, "all are in sync again", |it| it.isr_nodes.len() == 3);
    assert_eq!(cluster_command(&cluster, "add-voter", 1), Ok(()));
    assert_eq!(produce(&cluster, &topic, 0, b"v"), 0);
}

#[test]
fn a_voter_that_has_lost_its_data_comes_back_under_its_number_once_it_was_removed() {
    let mut cluster = Cluster::start("loses-data", 3);
    let topic = cluster.new_topic("loses-data", 2, 3);
    for number in 0..20_i64 {
        assert_eq!(produce(&cluster, &topic, 0, b"v"), number);
    }
    cluster.kill(3);
    cluster.wait_until(&topic, "it is missed", |it| it.isr_nodes.len() == 2);
    std::fs::remove_dir_all(cluster.broker(3).data_dir()).unwrap();
    cluster.restart(3);
    wait_until_said(cluster.broker(3), "broker 3 is known with directory");
    assert_eq!(cluster_command(&cluster, "remove-voter", 3), Ok(()));
    let gone = cluster.any().call(0, &UnregisterBrokerRequest { broker_id: 3 });
    assert_eq!(gone.error_code, ErrorCode::NONE, "{gone:?}");
    // It still asks to be let in, and is given what it is to have.
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    assert_eq!(cluster_command(&cluster, "add-voter", 3), Ok(()));
    move_to(&cluster, &topic, 2, &[3, 2]);
    // It votes again, here and there.
    cluster.kill(1);
    cluster.wait_for_brokers(2);
    let later = cluster.new_topic("later", 1, 2);
    assert_eq!(produce(&cluster, &later, 0, b"v"), 0);
    assert_eq!(produce(&cluster, &topic, 0, b"v"), 20);
    assert_eq!(read_all(&mut cluster.leader(&topic, 0), &topic, 0).len(), 21);
}

#[test]
fn a_voter_that_is_started_as_a_broker_alone_says_how_it_loses_its_vote() {
    let mut cluster = Cluster::start_as("voter-as-broker", &["broker,controller"; 3]);
    assert_eq!(cluster.join("broker,controller"), 4);
    cluster.wait_for_brokers(4);
    assert_eq!(cluster_command(&cluster, "add-voter", 4), Ok(()));
    cluster.stop(4);
    cluster.broker(4).set_option("process.roles", "broker");
    cluster.launch(4);
    wait_until_said(cluster.broker(4), "start it with process.roles=broker,controller; ");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !cluster.broker(4).has_ended() {
        assert!(Instant::now() < deadline, "it goes on:\n{}", cluster.broker(4).stderr());
        pause();
    }
    cluster.kill(4);
    // As the sentence says; and while it is away, so that it has yet to hear of it.
    cluster.broker(4).set_option("process.roles", "broker,controller");
    cluster.restart(4);
    let asked = |cluster: &mut Cluster| {
        let mut raw = Raw::connect(&cluster.broker(4).bootstrap());
        raw.call(12, &MetadataRequest::default()).brokers.len()
    };
    assert!(asked(&mut cluster) >= 3);
    cluster.kill(4);
    assert_eq!(cluster_command(&cluster, "remove-voter", 4), Ok(()));
    cluster.broker(4).set_option("process.roles", "broker");
    cluster.restart(4);
    assert!(asked(&mut cluster) >= 3);
    cluster.wait_for_brokers(4);
}

/// Removes a voter with Kafka's own tool, where that is there.
fn remove(cluster: &mut Cluster, id: i32) {
    let Some(mut tool) = or_skip("Kafka's tool for the quorum", kafka_tool(QUORUM_COMMAND)) else {
        return assert_eq!(cluster_command(cluster, "remove-voter", id), Ok(()));
    };
    let said = cluster.broker(id).stderr();
    let (_, rest) = said.split_once("directory_id=").expect("a start says which");
    let directory = rest.split_whitespace().next().unwrap();
    let bootstrap = cluster.bootstrap();
    tool.args(["--bootstrap-server", &bootstrap, "remove-controller", "--controller-id"]);
    tool.args([&id.to_string(), "--controller-directory-id", directory]);
    let output = tool.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
