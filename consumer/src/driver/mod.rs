//! The task that asks: it carries out what the state plans, and brings back the answers.
//!
//! Each question is a task of its own, so none waits for another. Fetches go over a connection of
//! their own a broker, because they wait; all others go by the cluster's.
//!
//! **Invariant:** it ends with its consumer, and everything that it has begun ends with it.
//!
//! **Invariant:** whatever it was asked for has an answer or a failure, a panic included.

mod ask;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use logboom_client::{ClientError, Cluster, Connection};

use self::ask::{Done, Fetched};
use crate::config::ConsumerConfig;
use crate::shared::{Alive, Shared};
use crate::state::{Action, Subject};

/// The task, and what it holds.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    cluster: Cluster,
    config: Arc<ConsumerConfig>,
    /// For fetches alone.
    connections: BTreeMap<i32, Connection>,
    asking: JoinSet<Done>,
    /// What each of them asks about.
    subjects: HashMap<task::Id, Subject>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, cluster: Cluster, config: Arc<ConsumerConfig>) -> Self {
        let (connections, asking) = (BTreeMap::new(), JoinSet::new());
        Self { shared, cluster, config, connections, asking, subjects: HashMap::new() }
    }

    pub(crate) async fn run(mut self) {
        let _alive = Alive::new(&self.shared, "fetching");
        loop {
            let (actions, wake) = self.shared.update(|state| state.plan(Instant::now()));
            actions.into_iter().for_each(|action| self.begin(action));
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                () = shared.driver.notified() => {}
                Some(ended) = self.asking.join_next_with_id() => self.end(ended),
                () = pass(wake) => {}
            }
        }
    }

    fn begin(&mut self, action: Action) {
        let (subject, cluster) = (action.subject(), self.cluster.clone());
        match action {
            Action::LookUp { topic, is_stale } => {
                self.ask(subject, ask::look_up(cluster, topic, is_stale));
            }
            Action::Committed(questions) => {
                let group = self.config.group_id.clone();
                self.ask(subject, ask::committed(cluster, group, questions));
            }
            Action::Search { topic, spec, questions } => {
                let isolation = self.config.isolation;
                self.ask(subject, ask::search(cluster, topic, spec, isolation, questions));
            }
            Action::Epochs { leader, questions, epochs } => {
                self.ask(subject, ask::epochs(cluster, leader, questions, epochs));
            }
            Action::Fetch(fetch) => {
                let connection = self.connections.remove(&fetch.broker);
                let connection = connection.filter(Connection::is_usable);
                let timeout = self.config.client.request_timeout + self.config.fetch_wait_max;
                self.ask(subject, ask::fetch(cluster, connection, fetch, timeout));
            }
        }
    }

    fn ask(&mut self, subject: Subject, question: impl Future<Output = Done> + Send + 'static) {
        let asking = self.asking.spawn(question);
        self.subjects.insert(asking.id(), subject);
    }

    fn end(&mut self, ended: Result<(task::Id, Done), JoinError>) {
        match ended {
            Ok((id, done)) => {
                self.subjects.remove(&id);
                self.take(done);
            }
            Err(error) => {
                let Some(subject) = self.subjects.remove(&error.id()) else { return };
                tracing::error!(?subject, %error, "a question has panicked, and is asked again");
                self.shared.update(|state| state.take_none(&subject, Instant::now()));
            }
        }
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

#[cfg(test)]
mod tests;
