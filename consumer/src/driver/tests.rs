//! Plan: each kind of question is asked by a task that panics, and is to be planned again. Where
//! the driver itself panics, or its neighbours, the application is to hear of it.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use tokio::task::yield_now;
use tokio::time::timeout;

use logboom_client::{BrokerAddress, ClientConfig, Partition, Topic};
use logboom_protocol::units::Uuid;

use super::*;
use crate::{Consumer, ConsumerError, Start, TopicPartition};

fn driver() -> Driver {
    let config = Arc::new(ConsumerConfig::default());
    let nowhere = BrokerAddress { host: "127.0.0.1".to_owned(), port: 1 };
    let cluster = Cluster::new(vec![nowhere], ClientConfig::default());
    Driver::new(Arc::new(Shared::new(Arc::clone(&config))), cluster, config)
}

impl Driver {
    fn plan(&self) -> (Vec<Action>, Option<Instant>) {
        self.shared.update(|state| state.plan(Instant::now()))
    }

    /// Has all that is to be asked now end with a panic; what it was, and what is planned when the
    /// pause is over.
    async fn panic_over_all(&mut self) -> (Vec<String>, Vec<String>) {
        let (actions, _) = self.plan();
        for action in &actions {
            self.ask(action.subject(), async { panic!("a fault of ours") });
        }
        while let Some(ended) = self.asking.join_next_with_id().await {
            self.end(ended);
        }
        assert!(self.subjects.is_empty());
        let (at_once, wake) = self.plan();
        assert!(at_once.is_empty(), "it is asked again behind a pause: {at_once:?}");
        sleep_until(wake.expect("there is something to ask")).await;
        let (again, _) = self.plan();
        (actions.iter().map(kind).collect(), again.iter().map(kind).collect())
    }
}

fn kind(action: &Action) -> String {
    format!("{action:?}").split(['(', ' ']).next().unwrap().to_owned()
}

fn topic() -> Arc<Topic> {
    let one = |index| Partition { index, leader: Some(7), ..Partition::default() };
    let partitions = (0..3).map(one).collect();
    Arc::new(Topic { name: "t".to_owned(), id: Uuid([7; 16]), is_internal: false, partitions })
}

#[tokio::test(start_paused = true)]
async fn a_question_that_panics_is_asked_again_behind_a_pause() {
    let mut driver = driver();
    let starts = [Start::Committed, Start::Latest, Start::Offset(5)];
    let places = (0..).map(|partition| TopicPartition::new("t", partition));
    let wanted = places.zip(starts.map(Some)).collect();
    driver.shared.update(|state| state.assign(wanted));
    let (asked, again) = driver.panic_over_all().await;
    assert_eq!(asked, ["LookUp", "Committed", "Search"]);
    assert_eq!(again, asked);
    let place = TopicPartition::new("t", 2);
    driver.shared.update(|state| {
        state.assign(vec![(place.clone(), None)]);
        state.take_topic(&place.topic, Ok(topic()), Instant::now());
    });
    let (asked, again) = driver.panic_over_all().await;
    assert_eq!((asked, again), (vec!["Fetch".to_owned()], vec!["Fetch".to_owned()]));
}

/// Has whoever counts something panic.
#[derive(Debug)]
struct Faulty;

impl metrics::Recorder for Faulty {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match key.name() {
            name if name.starts_with("logboom_client_") => Counter::noop(),
            name => panic!("a fault of ours at {name}"),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A consumer of partition 0 of `t`, which a broker leads that nobody can reach.
fn consumer() -> Consumer {
    let builder = Consumer::builder().bootstrap_servers("127.0.0.1:1").group_id("g");
    let mut consumer = builder.enable_auto_commit(false).build().unwrap();
    let place = TopicPartition::new("t", 0);
    consumer.assign_from([(place.clone(), Start::Offset(0))]).unwrap();
    let shared = &consumer.control().shared;
    shared.update(|state| state.take_topic(&place.topic, Ok(topic()), Instant::now()));
    consumer
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_panics_is_heard_of() {
    let _faulty = metrics::set_default_local_recorder(&Faulty);
    let mut consumer = consumer();
    for _ in 0..2 {
        let told = timeout(Duration::from_secs(3_600), consumer.next()).await;
        let error = told.expect("it waits for ever").unwrap_err();
        assert!(matches!(error, ConsumerError::Broken { task: "fetching" }), "{error}");
        assert_eq!(error.remedy(), logboom_client::Remedy::GiveUp);
    }
    let error = consumer.commit().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Broken { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn commits_that_panic_are_heard_of() {
    let _faulty = metrics::set_default_local_recorder(&Faulty);
    let consumer = consumer();
    let place = TopicPartition::new("t", 0);
    let commit = || consumer.commit_offsets([(place.clone(), 1.into())].into());
    for _ in 0..2 {
        let told = timeout(Duration::from_secs(3_600), commit()).await;
        let error = told.expect("it waits for ever").unwrap_err();
        assert_eq!(error.remedy(), logboom_client::Remedy::GiveUp, "{error}");
    }
}

#[tokio::test]
async fn a_task_that_ends_with_its_consumer_is_no_fault() {
    let consumer = consumer();
    let control = consumer.control();
    drop(consumer);
    yield_now().await;
    let error = control.commit_processed().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Closed), "{error}");
}
