//! The tour against three brokers, of which one after the other is killed and started again: what
//! clients do by themselves hides it.
//!
//! `LOGBOOM_TOUR_KILLS_MS` is how often one is killed, `LOGBOOM_TOURS` how often all of them tour.

use std::panic::catch_unwind;
use std::thread;
use std::time::{Duration, Instant};

use logboom_tests::broker::pause;
use logboom_tests::cluster::Cluster;

use super::{FRANZ_GO, KAFKA_CLIENTS, KAFKA_PYTHON, KAFKAJS, LIBRDKAFKA};
use super::{kcat_tour, tools};
use crate::storage::size;

const BROKERS: i32 = 3;

/// A client's name, how often its tour may end with an error, and the tour.
type Tour = (&'static str, u32, fn(&str) -> Option<String>);

const TOURS: [Tour; 7] = [
    ("librdkafka", 0, |bootstrap| LIBRDKAFKA.tour_at(bootstrap)),
    // Its admin client goes on asking a controller that is gone.
    ("kafka-python", 2, |bootstrap| KAFKA_PYTHON.tour_at(bootstrap)),
    ("kafka-clients", 0, |bootstrap| KAFKA_CLIENTS.tour_at(bootstrap)),
    // Its admin client gives up where a broker doesn't answer to be dialled.
    ("franz-go", 2, |bootstrap| FRANZ_GO.tour_at(bootstrap)),
    // Its admin client gives up at the first that doesn't lead any more.
    ("kafkajs", 2, |bootstrap| KAFKAJS.tour_at(bootstrap)),
    ("kcat", 0, kcat_tour),
    ("Kafka's tools", 0, tools::tour_at),
];

#[test]
fn all_clients_tour_three_brokers_of_which_one_after_the_other_is_killed() {
    let settings = |_| vec!["default.replication.factor=3".to_owned()];
    let mut cluster = Cluster::start_with("tour-kills", 3, settings);
    for number in 0..size("LOGBOOM_TOURS", 1) {
        let failed = failed(&mut cluster);
        assert!(failed.is_empty(), "tour {number}: {}", failed.join("\n\n"));
    }
}

/// Those whose tour fails while brokers are killed, and why.
fn failed(cluster: &mut Cluster) -> Vec<String> {
    let every = Duration::from_millis(size("LOGBOOM_TOUR_KILLS_MS", 20_000));
    let bootstrap = cluster.bootstrap();
    thread::scope(|scope| {
        let begun = |tour: &'static Tour| (tour.0, scope.spawn(|| failure(tour, &bootstrap)));
        let tours: Vec<_> = TOURS.iter().map(begun).collect();
        let is_over = || tours.iter().all(|(_, tour)| tour.is_finished());
        for id in (1..=BROKERS).cycle().take_while(|_| !is_over()) {
            wait(every / 2, is_over);
            cluster.kill(id);
            wait(every / 2, is_over);
            cluster.restart(id);
        }
        let results = tours.into_iter().map(|(name, tour)| (name, tour.join().unwrap()));
        results.filter_map(|(name, why)| Some(format!("{name}: {}", why?))).collect()
    })
}

/// Tours, and again where the client ended with an error and may; never where what it saw is wrong.
/// Says why it failed each time, if it did.
fn failure(&(_, errors_max, tour): &Tour, bootstrap: &str) -> Option<String> {
    let mut whys = Vec::new();
    for _ in 0..=errors_max {
        let why = catch_unwind(|| tour(bootstrap)).err()?;
        let why = why.downcast_ref::<String>().map_or("it panicked", String::as_str).to_owned();
        let has_ended = why.contains("exit status");
        whys.push(why);
        if !has_ended {
            break;
        }
    }
    Some(whys.join("\n"))
}

/// Waits that long, or until it is over.
fn wait(duration: Duration, is_over: impl Fn() -> bool) {
    let deadline = Instant::now() + duration;
    while Instant::now() < deadline && !is_over() {
        pause();
    }
}
