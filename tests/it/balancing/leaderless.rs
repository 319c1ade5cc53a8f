//! A partition that has lost most of its replicas is led by nobody, also where the broker that led
//! it last is there still, or there again.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::metadata::MetadataResponsePartition;
use logboom_tests::cluster::Cluster;

use super::configure;
use crate::cluster::produce;

/// Whether clients are told that nobody leads.
fn is_leaderless(told: &MetadataResponsePartition) -> bool {
    told.leader_id == -1 && told.error_code == ErrorCode::LEADER_NOT_AVAILABLE
}

#[test]
fn who_has_lost_most_of_its_voters_is_named_as_the_leader_by_nobody() {
    // The first has no replica: what it tells clients is what the metadata say.
    let roles = ["broker,controller", "broker", "broker", "broker"];
    let mut cluster = Cluster::start_as("leaderless", &roles);
    configure(&cluster, "1", "balance.drain=true");
    let topic = cluster.new_topic("leaderless", 1, 3);
    // Whoever leads has said so then.
    produce(&cluster, &topic, 0, b"led");
    let is_whole = |it: &MetadataResponsePartition| it.leader_id > 1 && it.isr_nodes.len() == 3;
    let leader = cluster.wait_until(&topic, "it is led", is_whole)[0].leader_id;
    let others: Vec<i32> = (2..=4).filter(|id| *id != leader).collect();
    others.iter().for_each(|id| cluster.kill(*id));
    let told = cluster.wait_until(&topic, "nobody leads", is_leaderless);
    assert!(told[0].offline_replicas.iter().all(|id| others.contains(id)), "{told:?}");

    others.iter().for_each(|id| cluster.restart(*id));
    let leader = cluster.wait_until(&topic, "it is led again", is_whole)[0].leader_id;
    // The last leader comes back alone, and doesn't remember that it led.
    (2..=4).for_each(|id| cluster.kill(id));
    cluster.restart(leader);
    let is_back = |it: &MetadataResponsePartition| !it.offline_replicas.contains(&leader);
    cluster.wait_until(&topic, "nobody leads", |it| is_back(it) && is_leaderless(it));
}
