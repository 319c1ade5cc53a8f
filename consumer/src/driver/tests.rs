//! Plan: each kind of question is asked by a task that panics, and is to be planned again.

use logboom_client::{BrokerAddress, ClientConfig, Partition, Topic};
use logboom_protocol::units::Uuid;

use super::*;
use crate::{Start, TopicPartition};

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
