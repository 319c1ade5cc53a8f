//! A group whose coordinator is killed: another broker knows its member and what it committed.

use logboom_tests::cluster::Cluster;
use logboom_tests::member::Member;

#[test]
fn a_group_goes_on_over_a_kill_of_its_coordinator_and_nobody_joins_again() {
    let mut cluster = Cluster::start("coordinators", 3);
    let topic = cluster.new_topic("coordinators", 1, 3);
    let mut member = Member::join(&cluster, "coordinators", &topic);
    for round in 0..3 {
        member.commit(&cluster, round);
        let before = member.coordinator();
        cluster.kill(before);
        // The same member in the same generation.
        assert_eq!(member.committed(&cluster), round, "what was acknowledged");
        member.commit(&cluster, 100 + round);
        assert_ne!(member.coordinator(), before);
        assert_eq!(member.committed(&cluster), 100 + round);
        cluster.restart(before);
        cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
        // So are the groups' own.
        let offsets = "__consumer_offsets";
        cluster.wait_until(offsets, "all are in sync", |it| it.isr_nodes.len() == 3);
    }
}
