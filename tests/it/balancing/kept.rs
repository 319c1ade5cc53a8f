//! All brokers are killed, and all but one start again: what that one may have is known.

use logboom_balance::Resource;
use logboom_balance::snapshot::Snapshot;
use logboom_tests::cluster::Cluster;

use super::{REPORTS, snapshot, wait_for};
use crate::cluster::produce;

/// Enough for each broker to have some, whoever decides.
const PARTITIONS: i32 = 14;

fn is_known(snapshot: &Snapshot) -> bool {
    let broker = snapshot.place_of(4).map(|place| &snapshot.brokers()[place]);
    broker.is_some_and(|it| (it.weight, it.capacity[Resource::Partitions]) == (50, Some(77)))
}

#[test]
fn what_a_broker_may_have_is_known_though_it_stays_down_when_all_others_start_anew() {
    let settings = |id| {
        let own = ["balance.weight=50", "balance.capacity.partitions=77"].map(str::to_owned);
        let own = if id == 4 { &own[..] } else { &[] };
        [&[REPORTS.to_owned()], own].concat()
    };
    let mut cluster = Cluster::start_with("keeps", 4, settings);
    wait_for(&cluster, "it is told", is_known);
    // Who decides keeps what it was told before it tells what it has itself.
    let topic = cluster.new_topic("kept", PARTITIONS, 1);
    (0..PARTITIONS).for_each(|it| _ = produce(&cluster, &topic, it, &[3; 1_000]));
    wait_for(&cluster, "all have told that", |it| {
        let mut replicas = it.partitions().iter().flat_map(|it| &it.replicas);
        !it.partitions().is_empty() && replicas.all(|it| it.load.disk_bytes > 0)
    });
    (1..=4).for_each(|id| cluster.kill(id));
    (1..=3).for_each(|id| cluster.restart(id));
    assert!(is_known(&snapshot(&cluster)));
}
