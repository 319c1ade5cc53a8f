//! The settings of a consumer, each with Kafka's name and default.
//!
//! Must always hold: settings that were checked fit together; nobody else looks at them again.

use std::str::FromStr;
use std::time::Duration;

use logboom_client::{
    Assignor, BrokerAddress, ClientConfig, IsolationLevel, MemberConfig, OffsetSpec, Properties,
    PropertyError,
};

use crate::{ConsumerError, Start};

/// Where a partition is begun of which nothing is committed, or whose next record is gone
/// (`auto.offset.reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetReset {
    /// At the first record that is kept (`earliest`).
    Earliest,
    /// At what is written from now on (`latest`).
    Latest,
    /// At the first record that is not older (`by_duration:PT1H`, KIP-1106).
    ByDuration(Duration),
    /// Nowhere: it is an error (`none`).
    None,
}

impl OffsetReset {
    /// How brokers are asked for it; `None` where they aren't.
    pub(crate) fn spec(self) -> Option<OffsetSpec> {
        match self {
            Self::Earliest => Some(OffsetSpec::Earliest),
            Self::Latest => Some(OffsetSpec::Latest),
            Self::ByDuration(age) => match Start::ago(age) {
                Start::Timestamp(at) => Some(OffsetSpec::Timestamp(at)),
                _ => None,
            },
            Self::None => None,
        }
    }
}

impl FromStr for OffsetReset {
    type Err = ();

    /// As Kafka writes it.
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "earliest" | "smallest" | "beginning" => Ok(Self::Earliest),
            "latest" | "largest" | "end" => Ok(Self::Latest),
            "none" | "error" => Ok(Self::None),
            lower => {
                let duration = lower.strip_prefix("by_duration:").and_then(duration);
                duration.map(Self::ByDuration).ok_or(())
            }
        }
    }
}

/// An ISO 8601 duration as `java.time.Duration` reads it, in lower case: `p2dt3h4m5.6s`.
fn duration(text: &str) -> Option<Duration> {
    let (days, time) = match text.strip_prefix('p')?.split_once('t') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.strip_prefix('p')?, ""),
    };
    let mut seconds = 0_u64;
    let mut add = |number: &str, unit: u64| {
        let number: u64 = number.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        Some(())
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    if !days.is_empty() {
        add(days.strip_suffix('d')?, 24 * 60 * 60)?;
    }
    let mut rest = time;
    for (letter, unit) in [('h', 60 * 60), ('m', 60)] {
        if let Some((number, behind)) = rest.split_once(letter) {
            add(number, unit)?;
            rest = behind;
        }
    }
    let mut nanos = 0;
    if !rest.is_empty() {
        let number = rest.strip_suffix('s')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        add(whole, 1)?;
        nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    }
    Some(Duration::new(seconds, nanos))
}

/// The longest time that requests can carry, and that the reference takes for a time-out.
const TIME_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// All settings of a consumer.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerConfig {
    pub(crate) bootstrap: Vec<BrokerAddress>,
    pub(crate) client: ClientConfig,
    pub(crate) group_id: Option<String>,
    pub(crate) instance_id: Option<String>,
    pub(crate) assignors: Vec<Assignor>,
    pub(crate) session_timeout: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) poll_interval_max: Duration,
    pub(crate) auto_commit: bool,
    pub(crate) auto_commit_interval: Duration,
    pub(crate) reset: OffsetReset,
    /// Whether a pattern passes over the cluster's own topics.
    pub(crate) excludes_internal: bool,
    pub(crate) isolation: IsolationLevel,
    pub(crate) rack: Option<String>,
    pub(crate) check_crcs: bool,
    pub(crate) fetch_bytes_min: i32,
    pub(crate) fetch_wait_max: Duration,
    pub(crate) fetch_bytes_max: i32,
    pub(crate) partition_bytes_max: i32,
    pub(crate) queued_bytes_max: usize,
    pub(crate) inflated_bytes_max: usize,
    pub(crate) poll_records_max: usize,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            bootstrap: Vec::new(),
            client: ClientConfig::default(),
            group_id: None,
            instance_id: None,
            // As the reference: groups of older members share by ranges, and can be moved over.
            assignors: vec![Assignor::Range, Assignor::CooperativeSticky],
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            poll_interval_max: Duration::from_secs(300),
            auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            reset: OffsetReset::Latest,
            excludes_internal: true,
            isolation: IsolationLevel::ReadUncommitted,
            rack: None,
            check_crcs: true,
            fetch_bytes_min: 1,
            fetch_wait_max: Duration::from_millis(500),
            fetch_bytes_max: 50 << 20,
            partition_bytes_max: 1 << 20,
            queued_bytes_max: 64 << 20,
            // 256 times what a broker takes for a batch.
            inflated_bytes_max: 256 << 20,
            poll_records_max: 500,
        }
    }
}

impl ConsumerConfig {
    /// Takes what is given; the rest stays.
    pub(crate) fn apply(&mut self, properties: &Properties) -> Result<(), ConsumerError> {
        self.client.apply(properties)?;
        if let Some(bootstrap) = properties.bootstrap()? {
            self.bootstrap = bootstrap;
        }
        let named = |key: &str| properties.get(key).map(str::to_owned).filter(|id| !id.is_empty());
        self.group_id = named("group.id").or(self.group_id.take());
        self.instance_id = named("group.instance.id").or(self.instance_id.take());
        self.rack = named("client.rack").or(self.rack.take());
        // Groups that brokers share (KIP-848) go by other rules.
        let rule = "left out, or classic: there are no groups of KIP-848";
        let classic = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "" | "classic");
        properties.read("group.protocol", rule, |name| classic(name).then_some(()))?;
        self.apply_times(properties)?;
        self.apply_sizes(properties)?;
        self.auto_commit = properties.flag("enable.auto.commit")?.unwrap_or(self.auto_commit);
        self.check_crcs = properties.flag("check.crcs")?.unwrap_or(self.check_crcs);
        let excludes = properties.flag("exclude.internal.topics")?;
        self.excludes_internal = excludes.unwrap_or(self.excludes_internal);
        let rule = "range, roundrobin, sticky or cooperative-sticky, or a list of them";
        let assignors = properties.read("partition.assignment.strategy", rule, assignors)?;
        self.assignors = assignors.unwrap_or_else(|| std::mem::take(&mut self.assignors));
        let rule = "earliest, latest, none or by_duration:PnDTnHnMnS";
        let reset = properties.read("auto.offset.reset", rule, |text| text.parse().ok())?;
        self.reset = reset.unwrap_or(self.reset);
        let rule = "read_committed or read_uncommitted";
        let isolation = properties.read("isolation.level", rule, |text| match text {
            "read_committed" => Some(IsolationLevel::ReadCommitted),
            "read_uncommitted" => Some(IsolationLevel::ReadUncommitted),
            _ => None,
        })?;
        self.isolation = isolation.unwrap_or(self.isolation);
        Ok(())
    }

    fn apply_times(&mut self, properties: &Properties) -> Result<(), PropertyError> {
        let times = [
            ("session.timeout.ms", &mut self.session_timeout),
            ("heartbeat.interval.ms", &mut self.heartbeat_interval),
            ("max.poll.interval.ms", &mut self.poll_interval_max),
            ("auto.commit.interval.ms", &mut self.auto_commit_interval),
            ("fetch.max.wait.ms", &mut self.fetch_wait_max),
        ];
        for (key, setting) in times {
            *setting = properties.millis(key)?.unwrap_or(*setting);
        }
        // librdkafka's name.
        let wait = properties.millis("fetch.wait.max.ms")?;
        self.fetch_wait_max = wait.unwrap_or(self.fetch_wait_max);
        Ok(())
    }

    fn apply_sizes(&mut self, properties: &Properties) -> Result<(), PropertyError> {
        let sizes = [
            ("fetch.min.bytes", &mut self.fetch_bytes_min),
            ("fetch.max.bytes", &mut self.fetch_bytes_max),
            ("max.partition.fetch.bytes", &mut self.partition_bytes_max),
        ];
        for (key, setting) in sizes {
            *setting = properties.number(key, 1..=i32::MAX)?.unwrap_or(*setting);
        }
        // librdkafka's names.
        let bytes = properties.number("fetch.message.max.bytes", 1..=i32::MAX)?;
        self.partition_bytes_max = bytes.unwrap_or(self.partition_bytes_max);
        let queued = properties.number("queued.max.messages.kbytes", 1..=2_097_151)?;
        self.queued_bytes_max = queued.map_or(self.queued_bytes_max, |kib: usize| kib << 10);
        let records = properties.number("max.poll.records", 1..=usize::MAX)?;
        self.poll_records_max = records.unwrap_or(self.poll_records_max);
        Ok(())
    }

    /// Whether the settings fit together.
    pub(crate) fn check(&self) -> Result<(), ConsumerError> {
        let times = [
            ("session.timeout.ms", self.session_timeout),
            ("heartbeat.interval.ms", self.heartbeat_interval),
            ("max.poll.interval.ms", self.poll_interval_max),
            ("auto.commit.interval.ms", self.auto_commit_interval),
            ("fetch.max.wait.ms", self.fetch_wait_max),
            ("request.timeout.ms", self.client.request_timeout),
            ("default.api.timeout.ms", self.client.api_timeout),
        ];
        if let Some((what, _)) = times.into_iter().find(|(_, time)| *time > TIME_MAX) {
            let limit = TIME_MAX.as_millis();
            return Err(ConsumerError::config(what, format!("it has to be at most {limit} ms")));
        }
        let rules = [
            ("bootstrap.servers", !self.bootstrap.is_empty(), "at least one HOST:PORT"),
            ("partition.assignment.strategy", !self.assignors.is_empty(), "at least one"),
            (
                "heartbeat.interval.ms",
                self.heartbeat_interval < self.session_timeout,
                "less than session.timeout.ms",
            ),
            ("heartbeat.interval.ms", !self.heartbeat_interval.is_zero(), "more than 0"),
            ("max.poll.interval.ms", !self.poll_interval_max.is_zero(), "more than 0"),
            ("auto.commit.interval.ms", !self.auto_commit_interval.is_zero(), "more than 0"),
            (
                "group.instance.id",
                self.instance_id.is_none() || self.group_id.is_some(),
                "only with a group.id",
            ),
        ];
        let broken = rules.iter().find(|(_, holds, _)| !holds);
        broken.map_or(Ok(()), |&(what, _, rule)| {
            Err(ConsumerError::config(what, format!("it has to be {rule}")))
        })
    }

    /// The same, as a member of its group is told it.
    pub(crate) fn member(&self, group: &str, topics: Vec<String>) -> MemberConfig {
        MemberConfig {
            assignors: self.assignors.clone(),
            instance_id: self.instance_id.clone(),
            rack: self.rack.clone(),
            session_timeout: self.session_timeout,
            rebalance_timeout: self.poll_interval_max,
            heartbeat_interval: self.heartbeat_interval,
            ..MemberConfig::new(group.to_owned(), topics)
        }
    }

    /// How long a revocation waits for the commit before it: others wait for this member until the
    /// rebalance is over, and the coordinator until the session is.
    pub(crate) fn last_commit_max(&self) -> Duration {
        self.session_timeout.min(self.poll_interval_max) / 2
    }

    /// Whether a member keeps what it has while its group shares anew.
    pub(crate) fn is_cooperative(&self) -> bool {
        self.assignors.iter().all(|assignor| assignor.is_cooperative())
    }
}

fn assignors(text: &str) -> Option<Vec<Assignor>> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        for (text, seconds, nanos) in [
            ("PT1H", 3600, 0),
            ("P1D", 86_400, 0),
            ("p2dt3h4m5.6s", 2 * 86_400 + 3 * 3600 + 4 * 60 + 5, 600_000_000),
            ("PT0.000000001S", 0, 1),
        ] {
            let read = format!("by_duration:{text}").parse();
            assert_eq!(read, Ok(OffsetReset::ByDuration(Duration::new(seconds, nanos))), "{text}");
        }
        for text in ["", "P", "PT", "1H", "PT1", "PTH", "PT-1H", "P1H", "PT1H1D", "PT1X"] {
            assert_eq!(format!("by_duration:{text}").parse::<OffsetReset>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_file_of_the_reference_works() {
        let text = "bootstrap.servers=a:1\ngroup.id=g\ngroup.instance.id=i\n\
            partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor,sticky\n\
            session.timeout.ms=9000\nheartbeat.interval.ms=1000\nmax.poll.interval.ms=7000\n\
            enable.auto.commit=false\nauto.commit.interval.ms=11\nauto.offset.reset=earliest\n\
            isolation.level=read_committed\nclient.rack=r\ncheck.crcs=false\nfetch.min.bytes=2\n\
            fetch.max.wait.ms=3\nfetch.max.bytes=4\nmax.partition.fetch.bytes=5\n\
            queued.max.messages.kbytes=6\nmax.poll.records=7\nclient.id=me\n\
            group.protocol=CLASSIC\nexclude.internal.topics=false\n";
        let properties = Properties::parse(text).unwrap();
        let mut config = ConsumerConfig::default();
        config.apply(&properties).unwrap();
        assert_eq!(properties.unused().collect::<Vec<_>>(), [""; 0]);
        config.check().unwrap();
        assert_eq!(config.assignors, [Assignor::Range, Assignor::Sticky]);
        assert_eq!((config.reset, config.isolation.to_wire()), (OffsetReset::Earliest, 1));
        assert_eq!((config.partition_bytes_max, config.queued_bytes_max), (5, 6 << 10));
        assert!(!config.auto_commit && !config.check_crcs && !config.excludes_internal);
        let member = config.member("g", Vec::new());
        assert_eq!(member.rebalance_timeout, Duration::from_secs(7));
        assert_eq!((member.instance_id.as_deref(), member.rack.as_deref()), (Some("i"), Some("r")));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (key, value) in [
            ("auto.offset.reset", "sometimes"),
            ("partition.assignment.strategy", "random"),
            ("group.protocol", "consumer"),
            ("isolation.level", "serializable"),
            ("fetch.max.bytes", "0"),
        ] {
            let properties: Properties = [(key, value)].into_iter().collect();
            let error = ConsumerConfig::default().apply(&properties).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{key}={value}: ")), "{error}");
        }
        let mut config = ConsumerConfig::default();
        assert!(config.check().unwrap_err().to_string().starts_with("bootstrap.servers: "));
        config.bootstrap = vec!["a:1".parse().unwrap()];
        config.check().unwrap();
        config.heartbeat_interval = config.session_timeout;
        assert!(config.check().unwrap_err().to_string().starts_with("heartbeat.interval.ms: "));
    }

    #[test]
    fn times_that_no_request_can_carry_and_those_that_are_none_are_refused() {
        type Change = fn(&mut ConsumerConfig, Duration);
        let refused = |change: &dyn Fn(&mut ConsumerConfig)| {
            let bootstrap = vec!["a:1".parse().unwrap()];
            let mut config = ConsumerConfig { bootstrap, ..ConsumerConfig::default() };
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        let at_most = "it has to be at most 2147483647 ms";
        let changes: [(&str, Change); 7] = [
            ("session.timeout.ms", |one, time| one.session_timeout = time),
            ("heartbeat.interval.ms", |one, time| one.heartbeat_interval = time),
            ("max.poll.interval.ms", |one, time| one.poll_interval_max = time),
            ("auto.commit.interval.ms", |one, time| one.auto_commit_interval = time),
            ("fetch.max.wait.ms", |one, time| one.fetch_wait_max = time),
            ("request.timeout.ms", |one, time| one.client.request_timeout = time),
            ("default.api.timeout.ms", |one, time| one.client.api_timeout = time),
        ];
        for (what, change) in changes {
            for time in [TIME_MAX + Duration::from_millis(1), Duration::MAX] {
                assert_eq!(refused(&|one| change(one, time)), format!("{what}: {at_most}"));
            }
        }
        let zero = refused(&|one| one.heartbeat_interval = Duration::ZERO);
        assert_eq!(zero, "heartbeat.interval.ms: it has to be more than 0");
    }
}
