//! Settings, typed and by Kafka's names, and the consumer that is made of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use logboom_client::{
    AddressError, Assignor, BrokerAddress, ClientConfig, Cluster, Committer, IsolationLevel,
    Properties, Security,
};

use crate::config::ConsumerConfig;
use crate::consumer::Tasks;
use crate::driver::Driver;
use crate::membership::Membership;
use crate::shared::Shared;
use crate::{Consumer, ConsumerControl, ConsumerError, OffsetReset, RebalanceListener, committing};

/// Settings of a consumer to be. Each has Kafka's default until it is given, but for
/// `allow.auto.create.topics`: who reads a topic that isn't there doesn't make it.
///
/// ```
/// use logboom_consumer::{Assignor, Consumer, OffsetReset, Properties};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Consumer::builder()
///     .properties(&Properties::parse("bootstrap.servers=localhost:9092\nclient.id=reader")?)?
///     .group_id("readers")
///     .assignors([Assignor::CooperativeSticky])
///     .auto_offset_reset(OffsetReset::Earliest);
/// # drop(builder);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use]
pub struct ConsumerBuilder {
    config: ConsumerConfig,
    /// An address that is none, told when the consumer is made.
    fault: Option<AddressError>,
    listener: Option<Box<dyn RebalanceListener>>,
}

impl ConsumerBuilder {
    /// Takes settings by Kafka's names, as a `client.properties` file has them. Those that no
    /// consumer has are warned of, as the reference does; [`Properties::unused`] names them, too.
    /// `group.protocol=consumer` and `ssl.key.password` are refused: they can't be kept to.
    ///
    /// # Errors
    /// [`ConsumerError::Property`] for the first value that is none.
    pub fn properties(mut self, properties: &Properties) -> Result<Self, ConsumerError> {
        self.config.apply(properties)?;
        for key in properties.unused() {
            tracing::warn!(key, "a setting that no consumer has");
        }
        Ok(self)
    }

    /// Where the cluster is: `HOST:PORT`, with commas between several (`bootstrap.servers`).
    pub fn bootstrap_servers(mut self, servers: &str) -> Self {
        match BrokerAddress::parse_list(servers) {
            Ok(servers) => self.config.bootstrap = servers,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// Where the cluster is, for who has read that already.
    pub fn brokers(mut self, brokers: Vec<BrokerAddress>) -> Self {
        self.config.bootstrap = brokers;
        self
    }

    /// What every client has: names, time-outs, how connections are protected. All of it is
    /// replaced, also what was set before by its own setter, or by a file.
    pub fn client(mut self, client: ClientConfig) -> Self {
        self.config.client = client;
        self
    }

    /// What the broker's logs and quotas call it (`client.id`).
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.config.client.client_id = id.into();
        self
    }

    /// How connections are protected (`security.protocol`).
    pub fn security(mut self, security: Security) -> Self {
        self.config.client.security = security;
        self
    }

    /// How long an answer may take (`request.timeout.ms`).
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.config.client.request_timeout = limit;
        self
    }

    /// Pauses before repetitions: the first, and the longest (`retry.backoff.ms`,
    /// `retry.backoff.max.ms`).
    pub fn retry_backoff(mut self, first: Duration, max: Duration) -> Self {
        (self.config.client.retry_backoff, self.config.client.retry_backoff_max) = (first, max);
        self
    }

    /// Age at which what is known of a topic is asked for again, and topics that match a pattern
    /// are looked for (`metadata.max.age.ms`).
    pub fn metadata_max_age(mut self, age: Duration) -> Self {
        self.config.client.metadata_age_max = age;
        self
    }

    /// Whether a topic that isn't there is made where brokers allow that
    /// (`allow.auto.create.topics`).
    pub fn allow_auto_create_topics(mut self, is_allowed: bool) -> Self {
        self.config.client.auto_create_topics = is_allowed;
        self
    }

    /// The group that gives partitions and holds offsets (`group.id`).
    pub fn group_id(mut self, group: impl Into<String>) -> Self {
        self.config.group_id = Some(group.into());
        self
    }

    /// A name that the consumer keeps over restarts: those that end within the session time-out
    /// start no rebalance (`group.instance.id`, KIP-345).
    pub fn group_instance_id(mut self, name: impl Into<String>) -> Self {
        self.config.instance_id = Some(name.into());
        self
    }

    /// The ways of sharing that it offers to its group, the best first
    /// (`partition.assignment.strategy`). Where all of them are cooperative, it keeps what it has
    /// while the group shares anew (KIP-429).
    pub fn assignors(mut self, assignors: impl IntoIterator<Item = Assignor>) -> Self {
        self.config.assignors = assignors.into_iter().collect();
        self
    }

    /// Hears which partitions the group gives and takes.
    pub fn rebalance_listener(mut self, listener: impl RebalanceListener + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// After so long without a heartbeat it counts as gone (`session.timeout.ms`).
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.config.session_timeout = timeout;
        self
    }

    /// Between heartbeats (`heartbeat.interval.ms`).
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.config.heartbeat_interval = interval;
        self
    }

    /// Whoever doesn't ask for records for so long leaves the group (`max.poll.interval.ms`).
    pub fn max_poll_interval(mut self, interval: Duration) -> Self {
        self.config.poll_interval_max = interval;
        self
    }

    /// Records with which a batch ends (`max.poll.records`). Batches are handed out as they were
    /// written, so it may have more.
    pub fn max_poll_records(mut self, records: usize) -> Self {
        self.config.poll_records_max = records.max(1);
        self
    }

    /// Whether what was processed is committed from time to time (`enable.auto.commit`).
    pub fn enable_auto_commit(mut self, is_enabled: bool) -> Self {
        self.config.auto_commit = is_enabled;
        self
    }

    /// From time to time (`auto.commit.interval.ms`).
    pub fn auto_commit_interval(mut self, interval: Duration) -> Self {
        self.config.auto_commit_interval = interval;
        self
    }

    /// Where a partition is begun of which nothing is committed (`auto.offset.reset`).
    pub fn auto_offset_reset(mut self, reset: OffsetReset) -> Self {
        self.config.reset = reset;
        self
    }

    /// Whether a pattern that is subscribed to passes over the cluster's own topics
    /// (`exclude.internal.topics`).
    pub fn exclude_internal_topics(mut self, is_excluded: bool) -> Self {
        self.config.excludes_internal = is_excluded;
        self
    }

    /// Whether records of transactions are seen that aren't committed (`isolation.level`).
    pub fn isolation_level(mut self, isolation: IsolationLevel) -> Self {
        self.config.isolation = isolation;
        self
    }

    /// Where it stands, so that it is sent to the nearest replica (`client.rack`, KIP-392).
    pub fn client_rack(mut self, rack: impl Into<String>) -> Self {
        self.config.rack = Some(rack.into());
        self
    }

    /// Whether checksums of batches are looked at (`check.crcs`).
    pub fn check_crcs(mut self, is_enabled: bool) -> Self {
        self.config.check_crcs = is_enabled;
        self
    }

    /// Bytes for which a broker answers at once (`fetch.min.bytes`).
    pub fn fetch_min_bytes(mut self, bytes: i32) -> Self {
        self.config.fetch_bytes_min = bytes.max(1);
        self
    }

    /// How long a broker waits for them (`fetch.max.wait.ms`).
    pub fn fetch_max_wait(mut self, wait: Duration) -> Self {
        self.config.fetch_wait_max = wait;
        self
    }

    /// Bytes of an answer; a first batch that is longer comes all the same (`fetch.max.bytes`).
    pub fn fetch_max_bytes(mut self, bytes: i32) -> Self {
        self.config.fetch_bytes_max = bytes.max(1);
        self
    }

    /// Bytes of a partition in an answer, with the same exception (`max.partition.fetch.bytes`).
    pub fn max_partition_fetch_bytes(mut self, bytes: i32) -> Self {
        self.config.partition_bytes_max = bytes.max(1);
        self
    }

    /// Bytes of answers that are fetched ahead or being handed out, all together (librdkafka's
    /// `queued.max.messages.kbytes`, in bytes).
    pub fn queued_max_bytes(mut self, bytes: usize) -> Self {
        self.config.queued_bytes_max = bytes.max(1);
        self
    }

    /// Bytes that the records of one batch may inflate to; one with more can't be read. They are
    /// beside what is fetched ahead. Kafka has no name for it.
    pub fn max_inflated_bytes(mut self, bytes: usize) -> Self {
        self.config.inflated_bytes_max = bytes;
        self
    }

    /// Makes the consumer and starts its tasks; nothing is asked of a broker before it reads
    /// something.
    ///
    /// # Errors
    /// Settings that don't fit together, or that it isn't called within a tokio runtime.
    pub fn build(self) -> Result<Consumer, ConsumerError> {
        if let Some(fault) = self.fault {
            return Err(ConsumerError::config("bootstrap.servers", fault.to_string()));
        }
        self.config.check()?;
        let outside = |_| ConsumerError::config("build", "it has to be within a tokio runtime");
        let runtime = Handle::try_current().map_err(outside)?;
        let config = Arc::new(self.config);
        let cluster = Cluster::new(config.bootstrap.clone(), config.client.clone());
        let shared = Arc::new(Shared::new(Arc::clone(&config)));
        let driver = Driver::new(Arc::clone(&shared), cluster.clone(), Arc::clone(&config));
        let committing = committing::run(Arc::clone(&shared), Arc::clone(&config));
        let group = config.group_id.clone();
        let membership = group.clone().map(|group| {
            let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
            runtime.spawn(Membership::new(shared, cluster.clone(), config, group).run())
        });
        let tasks = Tasks {
            driver: runtime.spawn(driver.run()),
            committing: runtime.spawn(committing),
            membership,
        };
        let standalone = group.map(|group| Committer::standalone(cluster.clone(), &group));
        shared.update(|state| state.standalone = standalone);
        let control = ConsumerControl { shared, cluster, config };
        Ok(Consumer::new(control, self.listener, tasks))
    }
}

impl fmt::Debug for ConsumerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use logboom_client::testing::Log;

    use super::*;

    #[test]
    fn a_name_that_no_consumer_has_is_warned_of() {
        let log = Log::default();
        let logging = tracing_subscriber::fmt().with_writer(log.writer()).with_ansi(false);
        let names = [("max.poll.records", "7"), ("max.pol.records", "7")];
        let builder = tracing::subscriber::with_default(logging.finish(), || {
            Consumer::builder().properties(&names.into_iter().collect()).unwrap()
        });
        assert_eq!(builder.config.poll_records_max, 7);
        let text = log.text();
        let warning = "WARN logboom_consumer::builder: a setting that no consumer has";
        assert!(text.contains(&format!("{warning} key=\"max.pol.records\"")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn a_reader_makes_no_topics_unless_it_is_asked_to() {
        let makes = |builder: ConsumerBuilder| builder.config.client.auto_create_topics;
        assert!(!makes(Consumer::builder()));
        assert!(makes(Consumer::builder().allow_auto_create_topics(true)));
        let named = [("allow.auto.create.topics", "true")].into_iter().collect();
        assert!(makes(Consumer::builder().properties(&named).unwrap()));
    }
}
