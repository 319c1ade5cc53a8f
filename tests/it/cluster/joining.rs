//! Nodes that aren't among those that decide: brokers that come later and go again, controllers
//! that serve nobody, and those that are refused.

use logboom_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use logboom_protocol::messages::metadata::MetadataRequest;
use logboom_protocol::messages::unregister_broker::UnregisterBrokerRequest;
use logboom_tests::broker::{Broker, free_port};
use logboom_tests::foreign::scratch;

use super::*;

const METADATA: i16 = 12;

#[test]
fn a_broker_joins_under_load_has_partitions_gives_them_back_and_leaves() {
    let mut cluster = Cluster::start("joins", 3);
    let topic = cluster.new_topic("joins", PARTITIONS, 3);
    let Some(producer) = Endless::start(&cluster, &topic) else { return };
    let mut seen = 0;
    wait_for_progress(&cluster, &topic, &mut seen, 1);
    let id = cluster.join("broker");
    cluster.wait_for_brokers(4);
    let wide = cluster.new_topic("wide", 2, 4);
    cluster.wait_until(&wide, "all are in sync", |it| it.isr_nodes.len() == 4);
    assert_eq!(produce(&cluster, &wide, 0, b"v"), 0);
    move_to(&cluster, &topic, PARTITIONS, &[2, 3, id]);
    wait_for_progress(&cluster, &topic, &mut seen, 2);
    cluster.kill(id);
    wait_for_progress(&cluster, &topic, &mut seen, 3);
    cluster.restart(id);
    cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    // It follows whoever decides.
    cluster.stop(1);
    cluster.stop(3);
    cluster.restart(3);
    cluster.restart(1);
    let later = cluster.new_topic("later", 2, 4);
    cluster.wait_until(&later, "all are in sync", |it| it.isr_nodes.len() == 4);
    // Broker 1 had them before: it begins anew.
    move_to(&cluster, &topic, PARTITIONS, &[1, 2, 3]);
    wait_for_progress(&cluster, &topic, &mut seen, 4);
    cluster.kill(2);
    wait_for_progress(&cluster, &topic, &mut seen, 5);
    cluster.restart(2);
    cluster.stop(id);
    let answer = cluster.any().call(0, &UnregisterBrokerRequest { broker_id: id });
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    cluster.wait_for_brokers(3);
    all_are_there(&cluster, &topic, producer.end());
    // And once more, in the lives after those.
    move_to(&cluster, &topic, PARTITIONS, &[3, 2]);
    move_to(&cluster, &topic, PARTITIONS, &[2, 1]);
    cluster.stop(2);
    let led = |it: &MetadataResponsePartition| it.leader_id == 1;
    cluster.wait_until(&topic, "broker 1 leads", led);
}

/// Deletes a topic.
fn delete_topic(cluster: &Cluster, name: &str) {
    let topic = DeleteTopicState { name: Some(name.into()), ..DeleteTopicState::default() };
    let request =
        DeleteTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let answer = cluster.any().call(6, &request);
    assert_eq!(answer.responses[0].error_code, ErrorCode::NONE, "{answer:?}");
}

#[test]
fn a_topic_that_is_deleted_and_made_again_while_a_broker_is_down_is_a_new_one_there() {
    let mut cluster = Cluster::start("made-again", 3);
    let topic = cluster.new_topic("made-again", 1, 3);
    for number in 0..20_i64 {
        assert_eq!(produce(&cluster, &topic, 0, b"old"), number);
    }
    cluster.kill(3);
    delete_topic(&cluster, &topic);
    cluster.create_topic(&topic, 1, 3);
    for number in 0..3_i64 {
        assert_eq!(produce(&cluster, &topic, 0, b"new"), number);
    }
    cluster.restart(3);
    for id in 1..=BROKERS {
        cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
        cluster.stop(id);
        let led = |it: &MetadataResponsePartition| it.leader_id > 0 && it.leader_id != id;
        cluster.wait_until(&topic, "another leads", led);
        let read = read_all(&mut cluster.leader(&topic, 0), &topic, 0);
        assert_eq!(read.iter().filter(|it| it.value == b"new").count(), 3, "{read:?}");
        assert_eq!(read.len(), 3, "nothing of the old one");
        cluster.restart(id);
    }
}

#[test]
fn a_node_that_is_only_a_controller_decides_and_serves_nobody() {
    let mut cluster = Cluster::start_as("roles", &["controller", "broker", "broker"]);
    let told = cluster.any().call(METADATA, &MetadataRequest::default());
    let ids: Vec<i32> = told.brokers.iter().map(|broker| broker.node_id).collect();
    assert_eq!(ids, [2, 3]);
    let topic = cluster.new_topic("roles", 3, 2);
    let led = cluster.wait_until(&topic, "all are led", |it| it.isr_nodes.len() == 2);
    assert!(led.iter().all(|it| !it.replica_nodes.contains(&1)), "{led:?}");
    assert_eq!(produce(&cluster, &topic, 0, b"0"), 0);
    // What it decided is there without it, and it decides again.
    cluster.kill(1);
    assert_eq!(produce(&cluster, &topic, 0, b"1"), 1);
    cluster.restart(1);
    let later = cluster.new_topic("later", 1, 2);
    assert_eq!(produce(&cluster, &later, 0, b"0"), 0);
    (1..=3).for_each(|id| cluster.kill(id));
    (1..=3).for_each(|id| cluster.restart(id));
    assert_eq!(produce(&cluster, &topic, 0, b"2"), 2);
}

/// Starts a broker that is none of the cluster's own.
fn start_with(name: &str, settings: &[&str]) -> Broker {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    Broker::start_in(scratch(name), &settings.collect::<Vec<_>>())
}

#[test]
fn lists_of_those_that_decide_that_differ_are_told_and_found_no_cluster() {
    let [one, two, three, four] = [(); 4].map(|()| free_port());
    let pair = format!("controller.quorum.voters=1@127.0.0.1:{one},2@127.0.0.1:{two}");
    let all = format!("{pair},3@127.0.0.1:{three}");
    let first = start_with("lists-1", &["node.id=1", &pair]);
    let mut second = start_with("lists-2", &["node.id=2", &all]);
    wait_until_said(&first, "names 1,2,3 at broker 2, and 1,2 at broker 1");
    second.kill();
    second.set_options(&["--set", "node.id=2", "--set", &pair]);
    second.restart();
    wait_until_said(&first, "ready cluster_id");
    wait_until_said(&second, "ready cluster_id");
    // Later it is only said.
    second.stop();
    second.set_options(&["--set", "node.id=2", "--set", &all]);
    second.restart();
    wait_until_said(&second, "names others than this one's");
    let fourth =
        start_with("lists-4", &["node.id=4", &all, &format!("peer.listener=127.0.0.1:{four}")]);
    wait_until_said(&fourth, "ready cluster_id");
}

#[test]
fn directories_of_other_clusters_and_ids_that_are_taken_are_refused_by_name() {
    let mut cluster = Cluster::start("refuses", 1);
    let fourth = cluster.join("broker");
    cluster.wait_for_brokers(2);
    // The id of a broker that has another directory.
    let options = ["--set", cluster.voters(), "--set", "node.id=2", "--set"];
    let listener = format!("peer.listener=127.0.0.1:{}", free_port());
    let options = [&options[..], &[&listener, "--set", "process.roles=broker"]].concat();
    let impostor = Broker::start_in(scratch("refuses-impostor"), &options);
    wait_until_said(&impostor, "broker 2 is known with directory");
    drop(impostor);
    // A broker of another cluster.
    let mut other = Cluster::start("refuses-other", 1);
    let stray = other.join("broker");
    wait_until_said(other.broker(stray), "ready cluster_id");
    // Killed before there is anything that tells it what was committed.
    other.kill(stray);
    // Where it was nobody answers it; where it is told to go, it is refused.
    other.kill(1);
    let data = other.broker(stray).data_dir();
    let root = scratch("refuses-stray");
    std::fs::rename(data, root.join("data")).unwrap();
    let options: Vec<&str> =
        options.iter().map(|it| if *it == "node.id=2" { "node.id=3" } else { it }).collect();
    let stray = Broker::start_in(root, &options);
    wait_until_said(&stray, "belongs to cluster");
    cluster.wait_for_brokers(2);
    // And with its own directory it comes in at any time.
    wait_until_said(cluster.broker(fourth), "ready cluster_id");
    cluster.stop(fourth);
    cluster.restart(fourth);
    let topic = cluster.new_topic("refuses", 1, 2);
    cluster.wait_until(&topic, "both are in sync", |it| it.isr_nodes.len() == 2);
}
