//! A broker is lost: what others have of its partitions is made anew elsewhere, and what it alone
//! had is told.

use logboom_protocol::ErrorCode;
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::topic_name;

use super::{REPORTS, create_on, each_has, int, of_kind, wait_for_status};
use crate::cluster::produce;

const PARTITIONS: i32 = 3;
const VALUE: [u8; 1_000] = [3; 1_000];

#[test]
fn what_a_lost_broker_alone_had_is_told_and_the_rest_is_made_anew_elsewhere() {
    let settings = |_| vec![REPORTS.to_owned(), "balance.lost.grace.ms=2000".to_owned()];
    let mut cluster = Cluster::start_with("loses", 4, settings);
    let [only, held] = ["only", "held"].map(topic_name);
    create_on(&cluster, &[4], &only, PARTITIONS, 1);
    create_on(&cluster, &[2, 3, 4], &held, PARTITIONS, 3);
    for topic in [&only, &held] {
        (0..PARTITIONS).for_each(|it| _ = produce(&cluster, topic, it, &VALUE));
    }
    cluster.kill(4);
    cluster.wait_until(&held, "others have it", |it| {
        !it.replica_nodes.contains(&4) && it.isr_nodes.len() == 3
    });
    each_has(&cluster, &held, PARTITIONS, &VALUE);
    let status = wait_for_status(&cluster, "it is told", |rows, _| {
        of_kind(rows, "unmet").len() == PARTITIONS.unsigned_abs() as usize
    });
    for row in of_kind(&status, "unmet") {
        let told = (row["topic"].as_str(), int(&row["from"]), row["rule"].as_str());
        assert_eq!(told, (Some(&*only), 4, Some("lost-broker")), "{row}");
        assert!(row["why"].as_str().unwrap().contains("lead"), "{row}");
    }
    let gone = cluster.partitions(&only);
    assert!(gone.iter().all(|it| it.error_code == ErrorCode::LEADER_NOT_AVAILABLE), "{gone:?}");

    cluster.restart(4);
    cluster.wait_until(&only, "it is back", |it| it.leader_id == 4);
    each_has(&cluster, &only, PARTITIONS, &VALUE);
    wait_for_status(&cluster, "nothing is unmet", |rows, _| of_kind(rows, "unmet").is_empty());
}
