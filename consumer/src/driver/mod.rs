//! The task that asks: it carries out what the state plans, and brings back the answers.
//!
//! Each question is a task of its own, so none waits for another. Fetches go over a connection of
//! their own a broker, because they wait; all others go by the cluster's.
//!
//! **Invariant:** it ends with its consumer, and everything that it has begun ends with it.

mod ask;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use logboom_client::{ClientError, Cluster, Connection};

use self::ask::{Done, Fetched};
use crate::config::ConsumerConfig;
use crate::shared::Shared;
use crate::state::{Action, Fetch};

/// The task, and what it holds.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    cluster: Cluster,
    config: Arc<ConsumerConfig>,
    /// For fetches alone.
    connections: BTreeMap<i32, Connection>,
    asking: JoinSet<Done>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, cluster: Cluster, config: Arc<ConsumerConfig>) -> Self {
        let (connections, asking) = (BTreeMap::new(), JoinSet::new());
        Self { shared, cluster, config, connections, asking }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let (actions, wake) = self.shared.update(|state| state.plan(Instant::now()));
            actions.into_iter().for_each(|action| self.begin(action));
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                () = shared.driver.notified() => {}
                Some(done) = self.asking.join_next() => {
                    // One that has panicked is as one that isn't answered yet.
                    if let Ok(done) = done {
                        self.take(done);
                    }
                }
                () = pass(wake) => {}
            }
        }
    }

    fn begin(&mut self, action: Action) {
        let cluster = self.cluster.clone();
        match action {
            Action::LookUp { topic, is_stale } => {
                self.asking.spawn(ask::look_up(cluster, topic, is_stale));
            }
            Action::Committed(questions) => {
                let group = self.config.group_id.clone();
                self.asking.spawn(ask::committed(cluster, group, questions));
            }
            Action::Search { topic, spec, questions } => {
                let isolation = self.config.isolation;
                self.asking.spawn(ask::search(cluster, topic, spec, isolation, questions));
            }
            Action::Epochs { leader, questions, epochs } => {
                self.asking.spawn(ask::epochs(cluster, leader, questions, epochs));
            }
            Action::Fetch(fetch) => self.fetch(fetch),
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        let open = |connection: &Connection| connection.closed().is_none();
        let connection = self.connections.remove(&fetch.broker).filter(open);
        let timeout = self.config.client.request_timeout + self.config.fetch_wait_max;
        self.asking.spawn(ask::fetch(self.cluster.clone(), connection, fetch, timeout));
    }

    fn take(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Topic(name, result) => {
                self.shared.update(|state| state.take_topic(&name, result, now));
            }
            Done::Committed(questions, result) => {
                self.shared.update(|state| state.take_committed(&questions, result, now));
            }
            Done::Found(questions, results) => {
                self.shared.update(|state| state.take_found(&questions, results, now));
            }
            Done::Epochs(questions, result) => {
                self.shared.update(|state| state.take_epochs(&questions, result, now));
            }
            Done::Fetched(fetched) => self.take_fetched(fetched, now),
        }
    }

    fn take_fetched(&mut self, fetched: Fetched, now: Instant) {
        let Fetched { broker, connection, result, took } = fetched;
        metrics::counter!("logboom_consumer_fetches_total").increment(1);
        metrics::histogram!("logboom_consumer_fetch_seconds").record(took.as_secs_f64());
        if let Some(connection) = connection.filter(|_| !is_gone(&result)) {
            self.connections.insert(broker, connection);
        }
        self.shared.update(|state| state.take_fetched(broker, result, now));
    }
}

/// Whether a connection has ended.
fn is_gone<T>(result: &Result<T, ClientError>) -> bool {
    matches!(result, Err(ClientError::Connection { .. }))
}

/// Waits until then, or for ever.
async fn pass(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
