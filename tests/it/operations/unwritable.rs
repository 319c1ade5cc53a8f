//! A log that can't be written, as on a full disk: nobody is told anything, and that is all.

use logboom_tests::broker::Site;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;

/// Becomes a program whose standard error takes nothing.
const UNWRITABLE: [&str; 4] = ["sh", "-c", "exec \"$@\" 2>/dev/full", "sh"];

#[test]
fn brokers_find_each_other_again_though_nothing_of_it_can_be_logged() {
    let site = |id: usize| {
        let front = UNWRITABLE.map(str::to_owned).to_vec();
        (Site { front, ..Site::default() }, scratch(&format!("unwritable-{id}")))
    };
    let mut cluster = Cluster::start_at((1..=3).map(site).collect(), |_| Vec::new());
    let topic = cluster.new_topic("unwritable", 6, 3);
    for id in [1, 2, 3] {
        cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
        cluster.kill(id);
        cluster.wait_until(&topic, "others lead", |it| it.leader_id > 0 && it.leader_id != id);
        cluster.restart(id);
    }
    cluster.wait_until(&topic, "all are in sync again", |it| it.isr_nodes.len() == 3);
}
