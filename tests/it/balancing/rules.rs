//! Rules that are followed without being asked, and what metrics say of that.

use logboom_tests::cluster::Cluster;
use logboom_tests::raw::topic_name;

use super::{
    REPORTS, configure, counts, create_on, each_has, get, of_kind, said, snapshot, wait_for,
    wait_for_status,
};
use crate::cluster::produce;

const PARTITIONS: i32 = 12;
const ROOM: u64 = 5;
const VALUE: [u8; 1_000] = [9; 1_000];

/// The value of a sample that the broker tells which decides.
fn metric(cluster: &Cluster, sample: &str) -> Option<u64> {
    let status = wait_for_status(cluster, "somebody decides", |_, _| true);
    let controller = super::int(&status.last().unwrap()["controller"]);
    let told = get(cluster.admin(controller), "/metrics");
    let line = told.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    Some(line.parse::<f64>().unwrap_or_else(|_| panic!("{sample} {line}")) as u64)
}

#[test]
fn a_broker_that_may_have_less_than_it_has_gives_it_away_if_its_rule_is_followed() {
    let settings = |_| vec![REPORTS.to_owned(), "balance.triggers=drain".to_owned()];
    let cluster = Cluster::start_with("rules", 3, settings);
    let topic = topic_name("rules");
    create_on(&cluster, &[1], &topic, PARTITIONS, 1);
    (0..PARTITIONS).for_each(|it| _ = produce(&cluster, &topic, it, &VALUE));
    configure(&cluster, "1", &format!("balance.capacity.partitions={ROOM}"));
    wait_for(&cluster, "it is known", |it| {
        it.brokers()[0].capacity[logboom_balance::Resource::Partitions] == Some(ROOM)
    });
    let planned = said(&cluster, &["balance", "--dry-run", "--explain"]);
    let moves = of_kind(&planned, "move");
    let for_capacity = moves.iter().filter(|one| one["rule"] == "capacity").count();
    assert!(for_capacity >= 7, "{planned:?}");
    assert_eq!(counts(&snapshot(&cluster))[&1], 12, "nobody has it moved");
    assert_eq!(metric(&cluster, "logboom_balance_moves_total"), Some(0));

    configure(&cluster, "all", "balance.triggers=capacity");
    let now = wait_for(&cluster, "it has room", |it| counts(it)[&1] <= ROOM);
    assert_eq!(counts(&now).values().sum::<u64>(), 12, "{now}");
    let sample = "logboom_balance_capacity{broker=\"1\",resource=\"partitions\"}";
    assert_eq!(metric(&cluster, sample), Some(ROOM));
    assert!(metric(&cluster, "logboom_balance_moves_total") >= Some(7));
    for brokers in ["as-they-are", "one-more", "one-less"] {
        let sample = format!("logboom_balance_outlook_has_room{{brokers=\"{brokers}\"}}");
        assert_eq!(metric(&cluster, &sample), Some(1));
    }
    each_has(&cluster, &topic, PARTITIONS, &VALUE);
}
