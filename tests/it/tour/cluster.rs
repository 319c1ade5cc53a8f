//! The tour against three brokers, of which one after the other is killed and started again: what
//! clients do by themselves hides it.
//!
//! `LOGBOOM_TOUR_KILLS_MS` is how often one is killed, `LOGBOOM_TOURS` how often all of them tour.

use std::any::Any;
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
        assert_eq!(failed(&mut cluster), [""; 0], "tour {number}");
    }
}

/// Those whose tour fails while brokers are killed.
fn failed(cluster: &mut Cluster) -> Vec<&'static str> {
    let every = Duration::from_millis(size("LOGBOOM_TOUR_KILLS_MS", 20_000));
    let bootstrap = cluster.bootstrap();
    thread::scope(|scope| {
        let begun = |tour: &'static Tour| (tour.0, scope.spawn(|| is_good(tour, &bootstrap)));
        let tours: Vec<_> = TOURS.iter().map(begun).collect();
        let is_over = || tours.iter().all(|(_, tour)| tour.is_finished());
        for id in (1..=BROKERS).cycle().take_while(|_| !is_over()) {
            wait(every / 2, is_over);
            cluster.kill(id);
            wait(every / 2, is_over);
            cluster.restart(id);
        }
        let results = tours.into_iter().map(|(name, tour)| (name, tour.join().unwrap()));
        results.filter(|(_, is_good)| !is_good).map(|(name, _)| name).collect()
    })
}

/// Tours, and again where the client ended with an error and may; never where what it saw is wrong.
fn is_good(&(_, errors_max, tour): &Tour, bootstrap: &str) -> bool {
    let mut attempts = (0..=errors_max).map(|_| catch_unwind(|| tour(bootstrap)));
    let is_over = |result: &thread::Result<_>| {
        let ended = |why: &Box<dyn Any + Send>| {
            why.downcast_ref::<String>().is_some_and(|why| why.contains("exit status"))
        };
        !result.as_ref().is_err_and(ended)
    };
    attempts.find(is_over).is_some_and(|result| result.is_ok())
}

/// Waits that long, or until it is over.
fn wait(duration: Duration, is_over: impl Fn() -> bool) {
    let deadline = Instant::now() + duration;
    while Instant::now() < deadline && !is_over() {
        pause();
    }
}
