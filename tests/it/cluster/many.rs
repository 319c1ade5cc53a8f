//! Thousands of partitions at once.

use logboom_protocol::messages::metadata::MetadataResponsePartition;
use logboom_tests::cluster::Cluster;

/// More than a debug build elects leaders of in the time in which a broker is taken for silent.
const PARTITIONS: i32 = 2_000;

#[test]
fn thousands_of_partitions_that_are_created_at_once_all_find_their_leaders() {
    let mut cluster = Cluster::start("many", 3);
    let topic = cluster.new_topic("many", PARTITIONS, 3);
    let made = cluster
        .wait_until(&topic, "all are in sync", |it| it.leader_id > 0 && it.isr_nodes.len() == 3);
    let elections = |partitions: &[MetadataResponsePartition]| -> i64 {
        partitions.iter().map(|it| i64::from(it.leader_epoch)).sum()
    };
    assert_eq!(made.len(), usize::try_from(PARTITIONS).unwrap());
    let first = made[0].leader_id;
    let before = elections(&made);
    cluster.kill(first);
    let led = cluster.wait_until(&topic, "others lead", |it| ![first, -1].contains(&it.leader_id));
    // A third has lost its leader. Where brokers have more to do than they can, they lose what
    // they have just won, again and again.
    let held = elections(&led) - before;
    assert!(held < 2 * i64::from(PARTITIONS), "{held} elections");
    cluster.restart(first);
    cluster.wait_until(&topic, "all are in sync again", |it| it.isr_nodes.len() == 3);
}
