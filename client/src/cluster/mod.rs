//! A cluster: its brokers, who leads what, and a connection to each broker that is asked.
//!
//! Metadata is asked for when a topic is first needed, when it is too old, and when an answer shows
//! that it is out of date. A broker that can't be reached costs its callers a pause, not the
//! cluster its place: the bootstrap addresses stay known for the case that all brokers move. One
//! that hangs costs who may ask any broker a second: then another one is asked as well.
//!
//! **Invariant:** there is at most one connection to an address, and only to addresses that the
//! newest metadata or the bootstrap list names.

mod connections;
mod image;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use logboom_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use logboom_protocol::{ApiKey, Request, VersionRange};

use self::connections::Connections;
use self::topics::Topics;
use crate::backoff::Retry;
use crate::race::race;
use crate::{BrokerAddress, ClientConfig, ClientError, Connection, Disconnect};

pub use self::image::{Broker, ClusterImage, Partition, Topic};

/// How long a broker is waited for alone where another one may be asked as well.
const PATIENCE: Duration = Duration::from_secs(1);
/// Topics of a request at most.
const NAMES_MAX: usize = 500;

/// A cluster as a client sees it. Clones share connections and metadata.
#[derive(Debug, Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ClientConfig,
    bootstrap: Vec<BrokerAddress>,
    connections: Connections,
    known: Mutex<Known>,
    /// Topics that callers miss, until somebody asks for them.
    missed: Mutex<BTreeSet<String>>,
    /// Held by who asks for all that are missed, so that callers who miss topics together ask
    /// once. Its last failure, and when that question was begun.
    asking: tokio::sync::Mutex<Option<(Instant, ClientError)>>,
}

/// What the newest answers said.
#[derive(Debug, Default)]
struct Known {
    controller_id: Option<i32>,
    brokers: BTreeMap<i32, Broker>,
    topics: Topics,
    /// Who has repeated what is doubted, since somebody had news: others are asked first.
    repeating: BTreeSet<BrokerAddress>,
}

/// Which broker leads a partition, as an answer has told (KIP-951).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderHint {
    /// The broker's number.
    pub broker_id: i32,
    /// The number of its leadership.
    pub epoch: i32,
}

/// Which broker a request is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// Whichever is likely to answer soon.
    Any,
    /// The controller, or, where brokers don't tell, whichever answers and forwards.
    Controller,
    /// This one.
    Broker(i32),
    /// The coordinator of a group, which is asked for each time.
    Coordinator(&'a str),
}

impl Cluster {
    /// A cluster that is found by one of these addresses. Nothing is sent yet.
    ///
    /// # Panics
    /// If `bootstrap` is empty.
    #[must_use]
    pub fn new(bootstrap: Vec<BrokerAddress>, config: ClientConfig) -> Self {
        assert!(!bootstrap.is_empty(), "a cluster without a bootstrap address can't be found");
        let shared = Shared {
            config,
            bootstrap,
            connections: Connections::default(),
            known: Mutex::default(),
            missed: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The limits.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// All topics, or those of `names` that exist; tried again until the call's deadline. Topics
    /// that are remembered are remembered as they are now.
    ///
    /// # Errors
    /// No broker answers.
    pub async fn image(&self, names: Option<&[&str]>) -> Result<ClusterImage, ClientError> {
        let mut retry = self.retry("ask for the metadata".to_owned());
        loop {
            match retry.within(self.ask(names, retry.timeout())).await {
                Ok(image) => {
                    let mut known = self.known();
                    image.topics.values().for_each(|topic| known.topics.renew(topic));
                    return Ok(image);
                }
                Err(error) => retry.pause(error).await?,
            }
        }
    }

    /// A topic, from memory if it was asked for lately.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], after it was waited for a little, since brokers hear of a new
    /// topic one after the other; or no broker answers.
    pub async fn topic(&self, name: &str) -> Result<Arc<Topic>, ClientError> {
        let retry = self.retry(format!("look up topic {name}"));
        self.find_topic(name, None, retry, &mut None).await
    }

    /// As [`Self::topic`], until a deadline of the caller's, whatever is waited for then.
    ///
    /// - `partition`: one that it is to have. Where it hasn't, as far as is known, brokers are
    ///   asked anew, and it is waited for a little like a topic that isn't there.
    ///
    /// # Errors
    /// As [`Self::topic`], [`ClientError::UnknownPartition`], or [`ClientError::Deadline`] with
    /// what happened the last time; that is [`ClientError::NoAnswer`] where nothing has happened
    /// yet.
    pub async fn topic_within(
        &self,
        name: &str,
        partition: Option<i32>,
        limit: Duration,
    ) -> Result<Arc<Topic>, ClientError> {
        let doing = format!("look up topic {name}");
        // Each question has the time of any other, so that what is told in the end is what has
        // happened, and not that the last one had little time.
        let longest = limit.max(self.config().api_timeout);
        let retry = Retry::new(self.config(), longest, doing.clone());
        let mut last = None;
        let found =
            tokio::time::timeout(limit, self.find_topic(name, partition, retry, &mut last)).await;
        found.unwrap_or_else(|_| {
            let last = Box::new(last.unwrap_or(ClientError::NoAnswer));
            Err(ClientError::Deadline { doing, limit, last })
        })
    }

    /// - `last`: what happened the last time.
    async fn find_topic(
        &self,
        name: &str,
        partition: Option<i32>,
        mut retry: Retry<'_>,
        last: &mut Option<ClientError>,
    ) -> Result<Arc<Topic>, ClientError> {
        // What was known before isn't asked anew for nothing.
        let mut is_news = self.known_topic(name).is_none();
        loop {
            let error = match retry.within(self.look_up(name, retry.timeout())).await {
                Ok(topic) => match partition.map(|index| topic.partition(index).map(drop)) {
                    None | Some(Ok(())) => return Ok(topic),
                    Some(Err(error)) => {
                        self.known().topics.outgrow(&topic);
                        error
                    }
                },
                Err(error) => error,
            };
            *last = Some(error.clone());
            let is_absent = matches!(
                error,
                ClientError::UnknownTopic { .. } | ClientError::UnknownPartition { .. }
            );
            if !is_absent {
                retry.pause(error).await?;
            } else if is_news && retry.elapsed() >= self.config().topic_propagation_max {
                return Err(error);
            } else if is_news {
                tokio::time::sleep(self.config().retry_backoff).await;
            }
            is_news = true;
        }
    }

    /// A topic, if it was asked for lately.
    #[must_use]
    pub fn known_topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.known().topics.get(name, self.config().metadata_age_max)
    }

    /// A broker has named the leader of a partition; one that is older than what is known is left
    /// out of account.
    ///
    /// - `topic`: as it was known when the broker was asked.
    pub(crate) fn hear_of_leader(
        &self,
        topic: &Topic,
        partition: i32,
        leader: LeaderHint,
        address: BrokerAddress,
    ) {
        let mut known = self.known();
        if known.topics.lead((&topic.name, topic.id), partition, leader) {
            let broker = Broker { id: leader.broker_id, address, rack: None };
            known.brokers.entry(leader.broker_id).or_insert(broker);
        }
    }

    /// A broker that was asked as the leader of a partition isn't, or can't be reached: who leads
    /// it is asked for when it is next needed, unless another broker is known to by now.
    pub fn doubt_leader(&self, topic: &str, partition: i32, broker_id: i32) {
        let leader = self.known_topic(topic).and_then(|topic| topic.leader(partition).ok());
        if leader.is_none_or(|leader| leader == broker_id) {
            self.forget(topic);
        }
    }

    /// A connection to the leader of a partition, and the topic as it is known.
    pub(crate) async fn leader(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<(Connection, Arc<Topic>), ClientError> {
        let topic = self.topic(topic).await?;
        let connection = self.connection(Target::Broker(topic.leader(partition)?)).await?;
        Ok((connection, topic))
    }

    /// Sends a request that may be repeated, until it is answered without a retriable error.
    ///
    /// - `doing`: what the request does, as "create topic t".
    /// - `read`: makes the result of the answer; an error of the answer, too.
    pub(crate) async fn call<R: Request, T>(
        &self,
        target: Target<'_>,
        doing: String,
        request: &R,
        read: impl FnMut(&BrokerAddress, R::Response) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.call_within(target, doing, R::API.versions(), request, read).await
    }

    /// As [`Self::call`], in a version that lies within `allowed`.
    pub(crate) async fn call_within<R: Request, T>(
        &self,
        target: Target<'_>,
        doing: String,
        allowed: VersionRange,
        request: &R,
        mut read: impl FnMut(&BrokerAddress, R::Response) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut retry = self.retry(doing);
        loop {
            let attempt = async {
                let connection = self.connection(target).await?;
                let response = connection.send_within(request, allowed, retry.timeout()).await?;
                read(connection.address(), response)
            };
            let error = match retry.within(attempt).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let broker_id = match target {
                Target::Any | Target::Coordinator(_) => None,
                Target::Controller => self.known().controller_id,
                Target::Broker(id) => Some(id),
            };
            let error = self.name_silent(error, broker_id, R::API, &retry);
            if error.is_stale_metadata() || retry.is_over() {
                self.doubt(target);
            }
            retry.pause(error).await?;
        }
    }

    /// What an attempt has failed by. Where it was cut by its call's deadline, and nothing has
    /// happened before, that is the silence of the broker that it was for.
    ///
    /// - `broker_id`: which one, if that is known.
    pub(crate) fn name_silent(
        &self,
        error: ClientError,
        broker_id: Option<i32>,
        api: ApiKey,
        retry: &Retry<'_>,
    ) -> ClientError {
        let is_silent = retry.is_over() && matches!(error, ClientError::NoAnswer);
        match broker_id.filter(|_| is_silent).and_then(|id| self.address_of(id)) {
            Some(address) => {
                let reason = Disconnect::RequestTimeout { api, after: retry.elapsed() };
                ClientError::Connection { address, reason }
            }
            None => error,
        }
    }

    /// As [`Self::name_silent`], of who leads a partition; it is doubted.
    pub(crate) fn doubt_leader_by(
        &self,
        topic: &str,
        partition: i32,
        error: ClientError,
        api: ApiKey,
        retry: &Retry<'_>,
    ) -> ClientError {
        let leader = self.known_topic(topic).and_then(|topic| topic.leader(partition).ok());
        let error = self.name_silent(error, leader, api, retry);
        if error.is_stale_metadata() || retry.is_over() {
            self.forget(topic);
        }
        error
    }

    /// A connection to the broker that `target` means.
    pub(crate) async fn connection(&self, target: Target<'_>) -> Result<Connection, ClientError> {
        let id = match target {
            Target::Any => None,
            Target::Controller => self.controller_id().await?,
            Target::Broker(id) => Some(id),
            Target::Coordinator(group) => {
                let timeout = self.config().request_timeout;
                let address = self.find_coordinator(group, timeout).await?.address;
                return self.shared.connections.get(&address, self.config()).await;
            }
        };
        let Some(broker_id) = id else {
            return self.any().await;
        };
        if let Some(address) = self.address_of(broker_id) {
            return self.shared.connections.get(&address, self.config()).await;
        }
        self.ask(Some(&[]), self.config().request_timeout).await?;
        let address = self.address_of(broker_id);
        let address = address.ok_or(ClientError::UnknownBroker { broker_id })?;
        self.shared.connections.get(&address, self.config()).await
    }

    /// What is known of a topic is out of date; it is asked for when it is next needed.
    pub fn forget(&self, topic: &str) {
        self.known().topics.doubt(topic);
    }

    pub(crate) fn retry(&self, doing: String) -> Retry<'_> {
        Retry::new(self.config(), self.config().api_timeout, doing)
    }

    async fn look_up(&self, name: &str, timeout: Duration) -> Result<Arc<Topic>, ClientError> {
        if let Some(topic) = self.known_topic(name) {
            return Ok(topic);
        }
        let began = Instant::now();
        self.missed().insert(name.to_owned());
        let asking = tokio::time::timeout(timeout, self.shared.asking.lock()).await;
        let mut failed = asking.map_err(|_| ClientError::NoAnswer)?;
        // Somebody else may have asked meanwhile.
        if let Some(topic) = self.known().topics.told_since(name, began) {
            return Ok(topic);
        }
        if let Some((_, error)) = failed.as_ref().filter(|(asked, _)| *asked >= began) {
            return Err(error.clone());
        }
        let asked = Instant::now();
        let answer = self.ask_for_missed(name, timeout).await;
        *failed = answer.as_ref().err().map(|error| (asked, error.clone()));
        let topic = answer?.take_topic(name);
        let mut known = self.known();
        if matches!(topic, Err(ClientError::UnknownTopic { .. })) {
            known.topics.remove(name);
        }
        Ok(known.topics.keep(topic?, self.config().metadata_age_max))
    }

    /// Asks for a topic, and for others that are missed, which are remembered.
    async fn ask_for_missed(
        &self,
        name: &str,
        timeout: Duration,
    ) -> Result<ClusterImage, ClientError> {
        let mut names = std::mem::take(&mut *self.missed());
        names.remove(name);
        // Who misses more comes to ask for it.
        let names: Vec<&str> =
            std::iter::once(name).chain(names.iter().map(String::as_str)).take(NAMES_MAX).collect();
        let mut image = self.ask(Some(&names), timeout).await?;
        let age_max = self.config().metadata_age_max;
        let mut known = self.known();
        for name in &names[1..] {
            if let Some(topic) = image.topics.remove(*name) {
                known.topics.keep(topic, age_max);
            }
        }
        Ok(image)
    }

    /// Asks whichever broker answers for topics, and learns the brokers.
    async fn ask(
        &self,
        names: Option<&[&str]>,
        timeout: Duration,
    ) -> Result<ClusterImage, ClientError> {
        let topic = |name: &&str| MetadataRequestTopic {
            name: Some((*name).into()),
            ..MetadataRequestTopic::default()
        };
        let request = MetadataRequest {
            topics: names.map(|names| names.iter().map(topic).collect()),
            allow_auto_topic_creation: self.config().auto_create_topics,
            ..MetadataRequest::default()
        };
        let request = &request;
        let ask = |connection: Connection| async move { connection.send(request, timeout).await };
        let (connection, response) = self.ask_any(ask).await?;
        ClientError::check(response.error_code, None, || "metadata".to_owned())?;
        let image = ClusterImage::new(response);
        metrics::counter!("logboom_client_metadata_total").increment(1);
        let (from, brokers) = (connection.address(), image.brokers.len());
        tracing::debug!(%from, ?names, brokers, topics = image.topics.len(), "metadata");
        self.learn(&image, from);
        Ok(image)
    }

    /// - `from`: who says so.
    fn learn(&self, image: &ClusterImage, from: &BrokerAddress) {
        let mut known = self.known();
        if image.topics.values().any(|topic| known.topics.is_repeated(topic)) {
            known.repeating.insert(from.clone());
        } else if !image.topics.is_empty() {
            known.repeating.clear();
        }
        // A broker that is just starting knows nobody, and that is no news.
        if image.brokers.is_empty() {
            return;
        }
        known.controller_id = image.controller_id;
        known.brokers.clone_from(&image.brokers);
        let brokers = image.brokers.values().map(|broker| &broker.address);
        let addresses: BTreeSet<_> = brokers.chain(&self.shared.bootstrap).collect();
        known.repeating.retain(|address| addresses.contains(address));
        self.shared.connections.keep_only(&addresses);
    }

    /// A connection to whichever broker is likely to answer soon, one that stands if there is one.
    async fn any(&self) -> Result<Connection, ClientError> {
        self.ask_any(|_| async { Ok(()) }).await.map(|(connection, ())| connection)
    }

    /// Asks whichever broker answers first: one that is likely to, then, when it fails or is
    /// slow, the next as well.
    ///
    /// - `ask`: asks over a connection; it may be dropped when another broker has answered.
    pub(crate) async fn ask_any<T, F>(
        &self,
        ask: impl Fn(Connection) -> F,
    ) -> Result<(Connection, T), ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let ask = &ask;
        let attempt = |address: BrokerAddress| async move {
            let connection = self.shared.connections.get(&address, self.config()).await?;
            let answer = ask(connection.clone()).await?;
            Ok((connection, answer))
        };
        let errors = match race(self.addresses().into_iter().map(attempt), PATIENCE).await {
            Ok(answered) => return Ok(answered),
            Err(errors) => errors,
        };
        let mut failures = Vec::new();
        for error in errors {
            match error {
                ClientError::Connection { address, reason } => failures.push((address, reason)),
                error => return Err(error),
            }
        }
        Err(ClientError::NoBroker { failures })
    }

    /// Where brokers may be asked: those first to which connections stand, those last that repeat
    /// what is doubted, but for those that hang.
    fn addresses(&self) -> Vec<BrokerAddress> {
        let mut addresses = self.shared.connections.standing();
        let known = self.known();
        let brokers = known.brokers.values().map(|broker| &broker.address);
        for address in brokers.chain(&self.shared.bootstrap) {
            if addresses.iter().all(|(_, one)| one != address) {
                addresses.push((0, address.clone()));
            }
        }
        sort(&mut addresses, &known.repeating);
        addresses.into_iter().map(|(_, address)| address).collect()
    }

    async fn controller_id(&self) -> Result<Option<i32>, ClientError> {
        let known = self.known().controller_id;
        match known {
            Some(id) => Ok(Some(id)),
            None => Ok(self.ask(Some(&[]), self.config().request_timeout).await?.controller_id),
        }
    }

    /// Where the target is may be out of date; it is asked for when it is next needed.
    fn doubt(&self, target: Target<'_>) {
        match target {
            Target::Any | Target::Coordinator(_) => {}
            Target::Controller => self.known().controller_id = None,
            Target::Broker(id) => drop(self.known().brokers.remove(&id)),
        }
    }

    fn address_of(&self, broker_id: i32) -> Option<BrokerAddress> {
        self.known().brokers.get(&broker_id).map(|broker| broker.address.clone())
    }

    fn missed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.shared.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change of it is whole, so a panic elsewhere leaves it sound.
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brokers that repeat what is doubted come last, and behind them those that hang.
///
/// - `addresses`: and for how many seconds each has owed an answer.
fn sort(addresses: &mut [(u64, BrokerAddress)], repeating: &BTreeSet<BrokerAddress>) {
    addresses
        .sort_by_key(|(late, address)| (*late >= PATIENCE.as_secs(), repeating.contains(address)));
}

#[cfg(test)]
mod tests;
