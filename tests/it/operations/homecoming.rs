//! Leaders go home by themselves, and stay where they are if that is wished.

use std::time::{Duration, Instant};

use logboom_protocol::messages::metadata::MetadataResponsePartition;
use logboom_tests::cluster::Cluster;

/// Long enough for the controller to have looked.
const SEVERAL_LOOKS: Duration = Duration::from_secs(4);

/// A cluster whose controller looks every second.
fn cluster(name: &str, settings: &[&str]) -> Cluster {
    let every = "leader.imbalance.check.interval.seconds=1";
    let settings = [&[every], settings].concat();
    Cluster::start_with(name, 3, |_| settings.iter().map(|&it| it.to_owned()).collect())
}

/// Whether a controller has said that leaders are to go home.
fn has_sent_some_home(cluster: &mut Cluster) -> bool {
    (1..=3).any(|id| cluster.broker(id).stderr().contains("leaders are to go home"))
}

fn is_home(it: &MetadataResponsePartition) -> bool {
    it.leader_id == it.replica_nodes[0]
}

#[test]
fn after_a_stop_and_a_start_every_broker_leads_again_what_it_is_preferred_for() {
    let mut cluster = cluster("homecoming", &[]);
    let topic = cluster.new_topic("homecoming", 6, 3);
    cluster.wait_until(&topic, "all are home", is_home);
    cluster.stop(2);
    cluster.wait_until(&topic, "others lead", |it| it.leader_id > 0 && it.leader_id != 2);
    cluster.restart(2);
    cluster.wait_until(&topic, "all are home again", is_home);
    assert!(has_sent_some_home(&mut cluster));
}

#[test]
fn where_it_is_switched_off_leaders_stay_until_somebody_asks() {
    let mut cluster = cluster("no-homecoming", &["auto.leader.rebalance.enable=false"]);
    let topic = cluster.new_topic("no-homecoming", 3, 3);
    cluster.wait_until(&topic, "all are home", is_home);
    cluster.stop(2);
    cluster.wait_until(&topic, "others lead", |it| it.leader_id > 0 && it.leader_id != 2);
    cluster.restart(2);
    cluster.wait_until(&topic, "it is in sync again", |it| it.isr_nodes.len() == 3);
    // Decisions are taken all the time, and this isn't one.
    let since = Instant::now();
    while since.elapsed() < SEVERAL_LOOKS {
        let other = cluster.new_topic("passing", 1, 3);
        cluster.wait_until(&other, "it is led", |it| it.leader_id > 0);
    }
    // Leaders may change for other reasons, on a busy machine.
    assert!(!has_sent_some_home(&mut cluster));
}
