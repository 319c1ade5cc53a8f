//! How a producer is made: typed setters, and the reference's names.

use std::time::Duration;

use logboom_client::{Acks, BrokerAddress, ClientConfig, Cluster, Properties, Security};
use logboom_protocol::records::Codec;

use crate::queue::QueueLimits;
use crate::{BuildError, Producer};

/// What a producer goes by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) acks: Acks,
    pub(crate) is_idempotent: bool,
    pub(crate) queue: QueueLimits,
    pub(crate) linger: Duration,
    pub(crate) buffer_bytes: usize,
    pub(crate) max_block: Duration,
    pub(crate) request_bytes_max: usize,
    pub(crate) request_timeout: Duration,
    /// Requests under way to a broker.
    pub(crate) in_flight_max: usize,
    /// How often a batch may be sent again (`retries`).
    pub(crate) retries: u32,
    pub(crate) is_adaptive: bool,
    /// How long a partition's batches may wait to be sent until it is left out, unless it is zero.
    pub(crate) availability_timeout: Duration,
    pub(crate) ignore_keys: bool,
}

/// Makes a [`Producer`]. What isn't set has the reference's default, but for `batch.size`, which is
/// 256 KiB: a batch takes memory as it fills.
///
/// ```no_run
/// use std::time::Duration;
///
/// use logboom_producer::{Codec, Producer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let producer = Producer::builder()
///     .bootstrap_servers("localhost:9092")
///     .compression_type(Codec::Zstd)
///     .linger(Duration::from_millis(20))
///     .build()?;
/// # let _ = producer;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it makes a producer when it is built"]
pub struct ProducerBuilder {
    bootstrap: Result<Vec<BrokerAddress>, String>,
    client: ClientConfig,
    /// Whether how long a record may take was asked for; where it wasn't, it is long enough.
    is_delivery_timed: bool,
    acks: Acks,
    /// Whether it was asked for; where it wasn't, it goes by the other settings.
    idempotence: Option<bool>,
    codec: Codec,
    batch_bytes: usize,
    linger: Duration,
    buffer_bytes: usize,
    max_block: Duration,
    request_bytes_max: usize,
    retries: u32,
    is_adaptive: bool,
    availability_timeout: Duration,
    ignore_keys: bool,
}

/// How long a topic that no broker knows is believed to be on its way: brokers may be about to make
/// it.
const PROPAGATION_MAX: Duration = Duration::from_secs(10);
/// The longest time that is taken; clocks can't be asked for much more.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// The most batches of a partition under way whose repetitions a broker knows (KIP-98).
const NUMBERED_MAX: usize = 5;

/// Settings that would change what is guaranteed, the values that are kept to, and what to do.
const REFUSED: [(&str, &str, &str); 3] = [
    ("transactional.id", "", "left out: there are no transactions"),
    (
        "partitioner.class",
        "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
        "left out: the only partitioner is the reference's default",
    ),
    ("partitioner", "murmur2_random", "left out, or murmur2_random: it is the only one"),
];

impl Default for ProducerBuilder {
    fn default() -> Self {
        let client = ClientConfig {
            client_id: "logboom-producer".to_owned(),
            auto_create_topics: true,
            topic_propagation_max: PROPAGATION_MAX,
            ..ClientConfig::default()
        };
        Self {
            bootstrap: Err("bootstrap.servers isn't set: where is the cluster?".to_owned()),
            client,
            is_delivery_timed: false,
            acks: Acks::All,
            idempotence: None,
            codec: Codec::None,
            batch_bytes: 256 << 10,
            linger: Duration::from_millis(5),
            buffer_bytes: 32 << 20,
            max_block: Duration::from_secs(60),
            request_bytes_max: 1 << 20,
            retries: i32::MAX.unsigned_abs(),
            is_adaptive: true,
            availability_timeout: Duration::ZERO,
            ignore_keys: false,
        }
    }
}

impl ProducerBuilder {
    /// Where the cluster is: addresses with commas between them (`bootstrap.servers`).
    pub fn bootstrap_servers(mut self, addresses: &str) -> Self {
        self.bootstrap = BrokerAddress::parse_list(addresses).map_err(|error| error.to_string());
        self
    }

    /// The same, as addresses that were read already.
    pub fn brokers(mut self, addresses: Vec<BrokerAddress>) -> Self {
        let none = || "there is no bootstrap address: where is the cluster?".to_owned();
        self.bootstrap = if addresses.is_empty() { Err(none()) } else { Ok(addresses) };
        self
    }

    /// How it connects and asks. What a producer has otherwise than [`ClientConfig`] stays:
    /// whether topics are made and how long they are believed to be on their way, which have
    /// setters here; and its name and `delivery.timeout.ms`, unless `client` has its own.
    pub fn client(mut self, client: ClientConfig) -> Self {
        let plain = ClientConfig::default();
        let own = self.client;
        self.client = ClientConfig {
            auto_create_topics: own.auto_create_topics,
            topic_propagation_max: own.topic_propagation_max,
            client_id: own.client_id,
            delivery_timeout: own.delivery_timeout,
            ..client
        };
        if client.client_id != plain.client_id {
            self.client.client_id = client.client_id;
        }
        if client.delivery_timeout != plain.delivery_timeout {
            self = self.delivery_timeout(client.delivery_timeout);
        }
        self
    }

    /// What brokers' logs and quotas call it (`client.id`).
    pub fn client_id(mut self, name: impl Into<String>) -> Self {
        self.client.client_id = name.into();
        self
    }

    /// How connections are protected (`security.protocol`).
    pub fn security(mut self, security: Security) -> Self {
        self.client.security = security;
        self
    }

    /// How long an answer may take (`request.timeout.ms`).
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.client.request_timeout = limit;
        self
    }

    /// Pauses before repetitions: the first, and the longest (`retry.backoff.ms`,
    /// `retry.backoff.max.ms`).
    pub fn retry_backoff(mut self, first: Duration, max: Duration) -> Self {
        (self.client.retry_backoff, self.client.retry_backoff_max) = (first, max);
        self
    }

    /// Requests under way to a broker (`max.in.flight.requests.per.connection`).
    pub fn max_in_flight_requests(mut self, count: usize) -> Self {
        self.client.in_flight_max = count;
        self
    }

    /// Age at which what is known of a topic is asked for again (`metadata.max.age.ms`).
    pub fn metadata_max_age(mut self, age: Duration) -> Self {
        self.client.metadata_age_max = age;
        self
    }

    /// Whether asking for a topic that doesn't exist makes it, where brokers allow that
    /// (`allow.auto.create.topics`).
    pub fn allow_auto_create_topics(mut self, is_allowed: bool) -> Self {
        self.client.auto_create_topics = is_allowed;
        self
    }

    /// How long a topic or a partition that no broker knows is believed to be on its way
    /// (librdkafka's `topic.metadata.propagation.max.ms`).
    pub fn topic_propagation_max(mut self, limit: Duration) -> Self {
        self.client.topic_propagation_max = limit;
        self
    }

    /// How many copies an acknowledgement stands for (`acks`).
    pub fn acks(mut self, acks: Acks) -> Self {
        self.acks = acks;
        self
    }

    /// Whether what is tried again is appended once (`enable.idempotence`). It is so with
    /// acknowledgements of all replicas, unless this is called.
    pub fn enable_idempotence(mut self, is_idempotent: bool) -> Self {
        self.idempotence = Some(is_idempotent);
        self
    }

    /// How batches are compressed (`compression.type`).
    pub fn compression_type(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Bytes of a batch before it is compressed (`batch.size`). A larger record has a batch of its
    /// own.
    pub fn batch_size(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// How long a batch waits for more records (`linger.ms`).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Bytes of all records that aren't acknowledged (`buffer.memory`); beyond them
    /// [`Producer::send`] waits.
    pub fn buffer_memory(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// How long [`Producer::send`] waits for room, or for what there is to know of the topic
    /// (`max.block.ms`).
    pub fn max_block(mut self, limit: Duration) -> Self {
        self.max_block = limit;
        self
    }

    /// Bytes of a request, and of a record (`max.request.size`).
    pub fn max_request_size(mut self, bytes: usize) -> Self {
        self.request_bytes_max = bytes;
        self
    }

    /// How long a record may take until it is acknowledged (`delivery.timeout.ms`).
    pub fn delivery_timeout(mut self, limit: Duration) -> Self {
        self.client.delivery_timeout = limit;
        self.is_delivery_timed = true;
        self
    }

    /// How often a batch may be sent again (`retries`), within `delivery.timeout.ms`. With 0 there
    /// is no idempotence.
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = count;
        self
    }

    /// Whether records with a key go wherever those without one go (`partitioner.ignore.keys`).
    pub fn partitioner_ignore_keys(mut self, is_ignored: bool) -> Self {
        self.ignore_keys = is_ignored;
        self
    }

    /// Whether partitions that have less waiting get more of the records without a key
    /// (`partitioner.adaptive.partitioning.enable`).
    pub fn partitioner_adaptive(mut self, is_adaptive: bool) -> Self {
        self.is_adaptive = is_adaptive;
        self
    }

    /// How long what is to be sent to a partition may wait for its broker until records without a
    /// key go elsewhere, if the producer is adaptive (`partitioner.availability.timeout.ms`). With
    /// zero, which is the default, they don't.
    pub fn partitioner_availability_timeout(mut self, limit: Duration) -> Self {
        self.availability_timeout = limit;
        self
    }

    /// Takes the settings of a `client.properties` file. Those that no producer has are warned
    /// of, as the reference does, but for those that would change what is guaranteed: the crate's
    /// doc lists them.
    ///
    /// # Errors
    /// A value that is none, or can't be kept to.
    pub fn properties(mut self, properties: &Properties) -> Result<Self, BuildError> {
        for (key, kept, rule) in REFUSED {
            let is_kept = |value: &str| (value.is_empty() || value == kept).then_some(());
            properties.read(key, rule, is_kept)?;
        }
        self.client.apply(properties)?;
        self.is_delivery_timed |= properties.get("delivery.timeout.ms").is_some();
        if let Some(bootstrap) = properties.bootstrap()? {
            self.bootstrap = Ok(bootstrap);
        }
        let acks = properties.read("acks", "0, 1 or all", acks)?;
        self.acks = acks.unwrap_or(self.acks);
        self.idempotence = properties.flag("enable.idempotence")?.or(self.idempotence);
        let rule = "none, gzip, snappy, lz4 or zstd";
        let codec = properties.read("compression.type", rule, |name| {
            Codec::ALL.into_iter().find(|codec| codec.name() == name)
        })?;
        self.codec = codec.unwrap_or(self.codec);
        let sizes = [
            ("batch.size", i32::MAX as usize, &mut self.batch_bytes),
            ("buffer.memory", usize::MAX, &mut self.buffer_bytes),
            ("max.request.size", i32::MAX as usize, &mut self.request_bytes_max),
        ];
        for (key, max, setting) in sizes {
            *setting = properties.number(key, 0..=max)?.unwrap_or(*setting);
        }
        self.linger = properties.millis("linger.ms")?.unwrap_or(self.linger);
        self.max_block = properties.millis("max.block.ms")?.unwrap_or(self.max_block);
        let retries = properties.number("retries", 0..=i32::MAX.unsigned_abs())?;
        self.retries = retries.unwrap_or(self.retries);
        let adaptive = properties.flag("partitioner.adaptive.partitioning.enable")?;
        self.is_adaptive = adaptive.unwrap_or(self.is_adaptive);
        let availability = properties.millis("partitioner.availability.timeout.ms")?;
        self.availability_timeout = availability.unwrap_or(self.availability_timeout);
        let ignore = properties.flag("partitioner.ignore.keys")?;
        self.ignore_keys = ignore.unwrap_or(self.ignore_keys);
        for key in properties.unused() {
            tracing::warn!(key, "a setting that no producer has");
        }
        Ok(self)
    }

    /// Makes the producer. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BuildError::Settings`] for settings that don't go together, or where no tokio runtime
    /// runs.
    pub fn build(self) -> Result<Producer, BuildError> {
        let fault = |reason: String| Err(BuildError::Settings(reason));
        let bootstrap = self.bootstrap.clone().map_err(BuildError::Settings)?;
        let settings = match self.settings() {
            Ok(settings) => settings,
            Err(reason) => return fault(reason),
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return fault("a producer is made within a tokio runtime".to_owned());
        }
        // Metadata has a place beside the batches.
        let in_flight_max = settings.in_flight_max.saturating_add(1);
        let client = ClientConfig { in_flight_max, ..self.client };
        Ok(Producer::start(Cluster::new(bootstrap, client), settings))
    }

    pub(crate) fn settings(&self) -> Result<Settings, String> {
        // A batch that isn't sent again leaves its numbers out, and no other one may take them.
        let is_idempotent = match (self.idempotence, self.acks, self.retries) {
            (Some(true), Acks::None | Acks::Leader, _) => {
                return Err("enable.idempotence=true needs acks=all".to_owned());
            }
            (Some(true), _, 0) => {
                return Err("enable.idempotence=true needs retries above 0".to_owned());
            }
            (asked, acks, retries) => asked.unwrap_or(acks == Acks::All && retries > 0),
        };
        if !self.codec.is_built() {
            let name = self.codec.name();
            return Err(format!(
                "compression.type={name}: this build leaves the feature {name} out"
            ));
        }
        let ClientConfig { request_timeout, in_flight_max, .. } = self.client;
        let linger = self.linger.min(LONGEST);
        let least = linger.saturating_add(request_timeout).min(LONGEST);
        let mut delivery_timeout = self.client.delivery_timeout.min(LONGEST);
        if !self.is_delivery_timed {
            delivery_timeout = delivery_timeout.max(least);
        }
        if delivery_timeout < least {
            return Err(format!(
                "delivery.timeout.ms={} is less than linger.ms and request.timeout.ms together, \
                 {}",
                delivery_timeout.as_millis(),
                least.as_millis()
            ));
        }
        let under_way_max = if is_idempotent { in_flight_max.clamp(1, NUMBERED_MAX) } else { 1 };
        Ok(Settings {
            acks: self.acks,
            is_idempotent,
            queue: QueueLimits {
                codec: self.codec,
                // A batch has to fit into a request.
                batch_bytes: self.batch_bytes.min(self.request_bytes_max),
                under_way_max,
                delivery_timeout,
            },
            linger,
            buffer_bytes: self.buffer_bytes,
            max_block: self.max_block,
            request_bytes_max: self.request_bytes_max,
            request_timeout,
            in_flight_max: in_flight_max.max(1),
            retries: self.retries,
            is_adaptive: self.is_adaptive,
            availability_timeout: self.availability_timeout,
            ignore_keys: self.ignore_keys,
        })
    }
}

fn acks(text: &str) -> Option<Acks> {
    match text {
        "0" => Some(Acks::None),
        "1" => Some(Acks::Leader),
        "all" | "-1" => Some(Acks::All),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: ProducerBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn settings_that_don_t_go_together_are_named() {
        let builder = || Producer::builder().bootstrap_servers("a:1");
        let reason = refused(Producer::builder());
        assert!(reason.contains("bootstrap.servers"), "{reason}");
        assert!(refused(Producer::builder().bootstrap_servers("a:x")).contains("a:x"));
        let reason = refused(builder().acks(Acks::Leader).enable_idempotence(true));
        assert_eq!(reason, "enable.idempotence=true needs acks=all");
        let reason = refused(builder().retries(0).enable_idempotence(true));
        assert_eq!(reason, "enable.idempotence=true needs retries above 0");
        let reason = refused(builder().delivery_timeout(Duration::from_secs(1)));
        assert!(reason.starts_with("delivery.timeout.ms=1000 "), "{reason}");
        assert!(refused(builder()).contains("runtime"), "outside of one");
    }

    #[test]
    fn times_have_limits_and_a_record_has_the_time_of_an_attempt() {
        let delivery =
            |builder: ProducerBuilder| builder.settings().unwrap().queue.delivery_timeout;
        let slow: Properties = [("request.timeout.ms", "130000")].into_iter().collect();
        let builder = Producer::builder().properties(&slow).unwrap();
        assert_eq!(delivery(builder), Duration::from_millis(130_005));
        let endless = Producer::builder().delivery_timeout(Duration::MAX).linger(Duration::MAX);
        let settings = endless.settings().unwrap();
        assert_eq!((settings.linger, settings.queue.delivery_timeout), (LONGEST, LONGEST));
    }

    #[test]
    fn a_client_s_settings_leave_a_producer_its_own() {
        let slow = Duration::from_secs(130);
        let client = ClientConfig { request_timeout: slow, ..ClientConfig::default() };
        let builder = Producer::builder().client(client.clone());
        assert_eq!(builder.client.client_id, "logboom-producer");
        assert!(builder.client.auto_create_topics);
        assert_eq!(builder.client.topic_propagation_max, PROPAGATION_MAX);
        let settings = builder.settings().expect("a record has the time of an attempt");
        assert_eq!(settings.request_timeout, slow);
        let short = ClientConfig { delivery_timeout: slow, ..client };
        let named = ClientConfig { client_id: "n".to_owned(), ..short };
        let builder = Producer::builder().client(named);
        assert_eq!(builder.client.client_id, "n");
        assert!(builder.settings().is_err(), "it was asked for");
        let ours = Duration::from_secs(200);
        let builder = Producer::builder().delivery_timeout(ours).client(ClientConfig::default());
        assert_eq!(builder.settings().unwrap().queue.delivery_timeout, ours);
    }

    #[test]
    fn settings_that_would_change_what_is_guaranteed_are_refused() {
        let doc = include_str!("lib.rs");
        for (key, value) in [
            ("transactional.id", "a"),
            ("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner"),
            ("partitioner", "consistent"),
        ] {
            let properties: Properties = [(key, value)].into_iter().collect();
            let reason = Producer::builder().properties(&properties).unwrap_err().to_string();
            assert!(
                reason.starts_with(&format!("{key}={value}: it has to be left out")),
                "{reason}"
            );
            assert!(doc.contains(&format!("`{key}`")), "{key} isn't listed");
        }
        for (key, kept, _) in REFUSED {
            for value in ["", kept] {
                let properties: Properties = [(key, value)].into_iter().collect();
                assert!(Producer::builder().properties(&properties).is_ok(), "{key}={value}");
            }
        }
    }

    #[test]
    fn a_batch_fits_into_a_request() {
        let limits = [("batch.size", "900000"), ("max.request.size", "500")];
        let builder = Producer::builder().properties(&limits.into_iter().collect()).unwrap();
        assert_eq!(builder.settings().unwrap().queue.batch_bytes, 500);
    }

    #[test]
    fn what_isn_t_numbered_has_one_batch_of_a_partition_under_way() {
        let under_way = |builder: ProducerBuilder| {
            let settings = builder.settings().unwrap();
            (settings.is_idempotent, settings.queue.under_way_max)
        };
        assert_eq!(under_way(Producer::builder()), (true, 5));
        assert_eq!(under_way(Producer::builder().acks(Acks::Leader)), (false, 1));
        assert_eq!(under_way(Producer::builder().enable_idempotence(false)), (false, 1));
        assert_eq!(under_way(Producer::builder().retries(0)), (false, 1));
    }

    #[test]
    fn setters_do_what_the_names_do() {
        let named = [
            ("retries", "7"),
            ("partitioner.ignore.keys", "true"),
            ("partitioner.adaptive.partitioning.enable", "false"),
            ("partitioner.availability.timeout.ms", "1006"),
            ("client.id", "n"),
            ("request.timeout.ms", "1001"),
            ("retry.backoff.ms", "1002"),
            ("retry.backoff.max.ms", "1003"),
            ("max.in.flight.requests.per.connection", "3"),
            ("metadata.max.age.ms", "1004"),
            ("allow.auto.create.topics", "false"),
            ("topic.metadata.propagation.max.ms", "1005"),
        ];
        let named = Producer::builder().properties(&named.into_iter().collect()).unwrap();
        let time = Duration::from_millis;
        let typed = Producer::builder()
            .retries(7)
            .partitioner_ignore_keys(true)
            .partitioner_adaptive(false)
            .partitioner_availability_timeout(time(1006))
            .client_id("n")
            .request_timeout(time(1001))
            .retry_backoff(time(1002), time(1003))
            .max_in_flight_requests(3)
            .metadata_max_age(time(1004))
            .allow_auto_create_topics(false)
            .topic_propagation_max(time(1005));
        for builder in [named, typed.security(Security::default())] {
            let settings = builder.settings().unwrap();
            assert_eq!((settings.retries, settings.in_flight_max), (7, 3));
            assert!(settings.ignore_keys && !settings.is_adaptive);
            assert_eq!(settings.availability_timeout, time(1006));
            let client = &builder.client;
            assert_eq!((client.client_id.as_str(), client.auto_create_topics), ("n", false));
            let times = [
                client.request_timeout,
                client.retry_backoff,
                client.retry_backoff_max,
                client.metadata_age_max,
                client.topic_propagation_max,
            ];
            assert_eq!(times.map(|time| time.as_millis()), [1001, 1002, 1003, 1004, 1005]);
        }
    }

    #[test]
    fn the_reference_s_names_are_understood() {
        let properties = Properties::parse(
            "bootstrap.servers=a:1\nacks=1\ncompression.type=lz4\nbatch.size=100\nlinger.ms=0\n\
             buffer.memory=1000\nmax.request.size=500\nmax.block.ms=9\nretries=3\n\
             partitioner.ignore.keys=true\ndelivery.timeout.ms=60000\n",
        );
        let builder = Producer::builder().properties(&properties.unwrap()).unwrap();
        let settings = builder.settings().unwrap();
        assert_eq!((settings.acks, settings.queue.codec), (Acks::Leader, Codec::Lz4));
        assert_eq!((settings.queue.batch_bytes, settings.buffer_bytes), (100, 1_000));
        assert_eq!((settings.request_bytes_max, settings.retries), (500, 3));
        assert!(settings.linger.is_zero() && settings.ignore_keys && settings.is_adaptive);
        let wrong: Properties = [("acks", "2")].into_iter().collect();
        let error = Producer::builder().properties(&wrong).unwrap_err();
        assert_eq!(error.to_string(), "acks=2: it has to be 0, 1 or all");
    }
}
