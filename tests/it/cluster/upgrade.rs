//! Upgrades of a cluster, broker by broker, from the binary of the commit before.

use std::path::PathBuf;

use logboom_tests::broker::Site;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::previous::previous;

use super::{BROKERS, Endless, PARTITIONS, all_are_there, wait_for_progress};

/// Brokers that run the binary of the commit before.
fn old() -> Option<Cluster> {
    let program = or_skip("the upgrade from the commit before", previous())?;
    let site = |id| {
        let site = Site { program: Some(program.clone()), ..Site::default() };
        (site, scratch(&format!("upgrade-{id}")))
    };
    let sites: Vec<(Site, PathBuf)> = (1..=BROKERS).map(site).collect();
    Some(Cluster::start_at(sites, |_| Vec::new()))
}

#[test]
fn a_cluster_is_upgraded_broker_by_broker_and_no_client_notices() {
    let Some(mut cluster) = old() else { return };
    let topic = cluster.new_topic("upgrade", PARTITIONS, 3);
    let Some(producer) = Endless::start(&cluster, &topic) else { return };
    let mut seen = 0;
    for id in 1..=BROKERS {
        wait_for_progress(&cluster, &topic, &mut seen, 1);
        cluster.stop(id);
        cluster.upgrade(id);
        cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
        // Whoever decides now, all of them follow.
        let other = cluster.new_topic("amid", 1, 3);
        cluster.wait_until(&other, "all have it", |it| it.isr_nodes.len() == 3);
    }
    all_are_there(&cluster, &topic, producer.end());
    // What old and new ones have written down is read by a start.
    (1..=BROKERS).for_each(|id| cluster.kill(id));
    (1..=BROKERS).for_each(|id| cluster.restart(id));
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
}
