//! `logboom cluster balance --cancel` and `remove`, while a reassignment waits for a broker that is
//! down.

use serde_json::{Value, json};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_tests::cluster::Cluster;

use crate::groups::command;

/// The exit status of a command, what it says in JSON, and what it complains of.
fn run(cluster: &Cluster, words: &[&str]) -> (Option<i32>, Value, String) {
    let words = [&["cluster"], words, &["--output", "json"]].concat();
    let output = command(&cluster.bootstrap(), &words).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), said, complaint)
}

#[test]
fn what_is_under_way_is_taken_back_and_a_broker_that_is_named_is_not_removed() {
    let mut cluster = Cluster::start("balancing", 3);
    let topic = cluster.new_topic("balancing", 1, 2);
    let known = cluster.wait_until(&topic, "it is known", |it| it.replica_nodes.len() == 2);
    let before = known[0].replica_nodes.clone();
    let id = cluster.join("broker");
    cluster.wait_for_brokers(4);
    cluster.kill(id);
    let replicas = Some([&before[..], &[id]].concat());
    let partitions = vec![ReassignablePartition { partition_index: 0, replicas }];
    let topics = vec![ReassignableTopic { name: topic.as_str().into(), partitions }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let answer = cluster.any().call(0, &request);
    assert_eq!(answer.responses[0].partitions[0].error_code, ErrorCode::NONE, "{answer:?}");
    cluster.wait_until(&topic, "it is under way", |it| it.replica_nodes.contains(&id));

    let named = id.to_string();
    let (status, _, complaint) = run(&cluster, &["remove", &named]);
    let left = format!("broker {id}: 1 of its replicas are left ({topic}-0)");
    assert!(status == Some(1) && complaint.contains(&left), "{complaint}");
    let (status, said, complaint) = run(&cluster, &["balance", "--cancel"]);
    let names = [format!("{topic}-0")];
    let expected =
        json!({ "kind": "cancelled", "once": false, "under_way": names, "taken_back": 1 });
    assert_eq!((status, said), (Some(0), expected), "{complaint}");
    cluster.wait_until(&topic, "it is where it was", |it| it.replica_nodes == before);

    let other = (1..=3).find(|id| !before.contains(id)).unwrap();
    let (status, _, complaint) = run(&cluster, &["remove", &other.to_string()]);
    let serves = format!("broker {other} is in contact, or was a moment ago; stop it before");
    assert!(status == Some(1) && complaint.contains(&serves), "{complaint}");
    cluster.wait_for_brokers(3);
    let (status, said, complaint) = run(&cluster, &["remove", &named]);
    let expected = json!({ "kind": "removed", "broker": id, "removed": true, "replicas_left": 0 });
    assert_eq!((status, said), (Some(0), expected), "{complaint}");
    let (status, _, complaint) = run(&cluster, &["remove", &named, "--force"]);
    assert!(status == Some(1) && complaint.contains("BROKER_ID_NOT_REGISTERED"), "{complaint}");
    let (status, said, _) = run(&cluster, &["balance", "--cancel"]);
    assert_eq!((status, &said["taken_back"]), (Some(0), &json!(0)));
}
