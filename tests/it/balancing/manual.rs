//! Moves that an operator names: what breaks a rule is refused, and the rest is carried out and
//! told.

use logboom_balance::Resource;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::topic_name;

use super::{REPORTS, create_on, each_has, of_kind, run, said, wait_for, wait_for_status};
use crate::balancing::configure;
use crate::cluster::produce;

const VALUE: [u8; 1_000] = [3; 1_000];

#[test]
fn a_named_move_is_carried_out_and_told_and_what_breaks_a_rule_is_refused() {
    let mut cluster = Cluster::start_with("names", 3, |_| vec![REPORTS.to_owned()]);
    let moved = topic_name("moved");
    create_on(&cluster, &[1], &moved, 2, 1);
    (0..2).for_each(|it| _ = produce(&cluster, &moved, it, &VALUE));
    configure(&cluster, "2", "balance.capacity.partitions=1");
    wait_for(&cluster, "what it may have is known", |it| {
        let place = it.place_of(2).unwrap();
        it.brokers()[place].capacity[Resource::Partitions] == Some(1)
    });
    let [first, second] = [0, 1].map(|it| format!("{moved}-{it}:1:2"));
    let refused = run(&cluster, &["balance", "--yes", "--move", &first, "--move", &second]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), &refused.stdout[..]), (Some(1), &b""[..]), "{why}");
    assert!(why.contains(&format!("{moved}-1 from 1 to 2: broker 2 has no capacity")), "{why}");

    // Who is down keeps what is on its way to it waiting.
    cluster.kill(3);
    let wish = format!("{moved}-0:1:3");
    let name = format!("{moved}-0");
    let shown = said(&cluster, &["balance", "--dry-run", "--move", &wish]);
    let begun = said(&cluster, &["balance", "--yes", "--move", &wish]);
    assert_eq!(begun.len(), shown.len() + 1, "{begun:?}");
    assert_eq!(of_kind(&begun, "move"), of_kind(&shown, "move"));
    assert_eq!(of_kind(&begun, "move")[0]["rule"], "manual");
    assert_eq!(begun.last().unwrap()["partitions"][0], *name);
    wait_for_status(&cluster, "it is told", |rows, summary| {
        let others = of_kind(rows, "other");
        let [one] = &others[..] else { return false };
        assert_eq!((&one["partition"], &one["from"][0]), (&name.as_str().into(), &1.into()));
        one["to"][0] == 3 && summary["plan"].is_null()
    });
    cluster.restart(3);
    cluster.wait_until(&moved, "one is there", |it| {
        it.partition_index == 1 || it.replica_nodes == [3] && it.leader_id == 3
    });
    wait_for_status(&cluster, "it is over", |rows, _| of_kind(rows, "other").is_empty());
    each_has(&cluster, &moved, 2, &VALUE);
}
