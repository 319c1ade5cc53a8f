//! Clients as the command line asks for them: its own options go before `--property`, and those
//! before the file of `--properties`. The cluster is where they say, or else where a variable does.

use std::sync::Arc;

use logboom_client::{ClientConfig, Cluster, Properties};
use logboom_consumer::{
    BoxFuture, Consumer, ConsumerBuilder, ConsumerControl, RebalanceListener, Start, TopicPartition,
};
use logboom_producer::{Codec, Producer, ProducerBuilder};

use crate::BOOTSTRAP_VARIABLE;
use crate::arguments::Plan;
use crate::secrets::masked;

/// Where a broker with no configuration listens.
const LOCAL: &str = "127.0.0.1:9092";
/// What clients are called by the brokers' logs and quotas.
const CLIENT_ID: &str = "logboom-bench";
/// Memory of all producers together for records that aren't acknowledged; each has a part of it,
/// unless `buffer.memory` says otherwise.
const BUFFER_BYTES: usize = 256 << 20;
/// The most that one has, which is Kafka's default, and the least.
const BUFFER_BYTES_EACH: (usize, usize) = (4 << 20, 32 << 20);
/// Memory of all consumers together for what is fetched ahead; each has a part of it, unless
/// `queued.max.messages.kbytes` says otherwise.
const AHEAD_BYTES: usize = 256 << 20;
/// The least and the most that one has.
const AHEAD_BYTES_EACH: (usize, usize) = (4 << 20, 64 << 20);
/// What consumers go by whatever else is asked for: they begin where the load says, commit nothing,
/// and are members of no group but the load's own.
const CONSUMERS_OWN: [(&str, &str); 4] = [
    ("enable.auto.commit", "false"),
    ("auto.offset.reset", "earliest"),
    ("group.id", ""),
    ("group.instance.id", ""),
];

/// How clients are made.
#[derive(Debug)]
pub(crate) struct Clients<'a> {
    plan: Plan<'a>,
    properties: Properties,
    /// What [`BOOTSTRAP_VARIABLE`] says.
    variable: Option<String>,
    /// All that was asked for by Kafka's names, as it is kept: without secrets.
    pub(crate) asked: Vec<(String, String)>,
    /// Names of those that consumers don't go by.
    overridden: Vec<&'static str>,
}

impl<'a> Clients<'a> {
    /// # Errors
    /// A file that can't be read.
    pub(crate) fn new(plan: Plan<'a>) -> Result<Self, String> {
        let mut properties = match &plan.load.properties {
            Some(path) => Properties::load(path).map_err(|error| error.to_string())?,
            None => Properties::default(),
        };
        for (key, value) in &plan.load.property {
            properties.set(key, value);
        }
        let kept = |(key, value): (&str, &str)| (key.to_owned(), masked(key, value).to_owned());
        let asked = properties.settings().map(kept).collect();
        let mut overridden = Vec::new();
        for (key, value) in CONSUMERS_OWN.into_iter().filter(|_| plan.scenario.consumes()) {
            if properties.get(key).is_some_and(|asked| asked != value) {
                overridden.push(key);
            }
            properties.set(key, value);
        }
        let variable = std::env::var(BOOTSTRAP_VARIABLE).ok();
        Ok(Self { plan, properties, variable, asked, overridden })
    }

    /// What of the settings doesn't hold, if there is such a thing.
    pub(crate) fn overridden(&self) -> Option<String> {
        let names = self.overridden.join(", ");
        (!names.is_empty()).then(|| {
            format!(
                "{names} of the settings don't hold: consumers begin where the load says, commit \
                 nothing, and are in no group but its own"
            )
        })
    }

    /// The cluster, for all but records.
    ///
    /// # Errors
    /// An address or a setting that is none.
    pub(crate) fn cluster(&self) -> Result<Cluster, String> {
        let mut config =
            ClientConfig { client_id: CLIENT_ID.to_owned(), ..ClientConfig::default() };
        config.apply(&self.properties).map_err(|error| error.to_string())?;
        // A topic that isn't there is made as it was asked for.
        config.auto_create_topics = false;
        let bootstrap = self.bootstrap();
        let addresses = logboom_client::BrokerAddress::parse_list(bootstrap);
        let addresses = addresses.map_err(|error| format!("--bootstrap {bootstrap}: {error}"))?;
        Ok(Cluster::new(addresses, config))
    }

    /// Where the cluster is.
    pub(crate) fn bootstrap(&self) -> &str {
        let asked = self.plan.load.bootstrap.as_deref();
        let asked = asked.or_else(|| self.properties.get("bootstrap.servers"));
        asked.or(self.variable.as_deref()).unwrap_or(LOCAL)
    }

    /// So many producers.
    ///
    /// # Errors
    /// Settings that are none, or don't go together.
    pub(crate) fn producers(&self, count: u64) -> Result<Vec<Producer>, String> {
        let each = share(BUFFER_BYTES, count, BUFFER_BYTES_EACH);
        let make = || self.producer(each)?.build().map_err(|error| error.to_string());
        (0..count).map(|_| make()).collect()
    }

    fn producer(&self, buffer_bytes: usize) -> Result<ProducerBuilder, String> {
        let records = self.plan.records;
        // Its topic is there, and isn't to come back once it is deleted.
        let mut builder = Producer::builder().client_id(CLIENT_ID).allow_auto_create_topics(false);
        builder = builder.buffer_memory(buffer_bytes);
        builder = builder.properties(&self.properties).map_err(|error| error.to_string())?;
        builder = builder.bootstrap_servers(self.bootstrap());
        if let Some(acks) = records.acks {
            builder = builder.acks(acks.acks());
        }
        if let Some(compression) = records.compression {
            builder = builder.compression_type(compression.codec());
        }
        if let Some(linger) = records.linger {
            builder = builder.linger(linger);
        }
        if let Some(bytes) = records.batch_bytes {
            builder = builder.batch_size(bytes);
        }
        Ok(builder)
    }

    /// The codec of batches.
    pub(crate) fn codec(&self) -> Codec {
        let by_name = || match self.properties.get("compression.type")? {
            "gzip" => Some(Codec::Gzip),
            "snappy" => Some(Codec::Snappy),
            "lz4" => Some(Codec::Lz4),
            "zstd" => Some(Codec::Zstd),
            _ => None,
        };
        let asked = self.plan.records.compression.map(|compression| compression.codec());
        asked.or_else(by_name).unwrap_or(Codec::None)
    }

    /// Consumers of all groups, each with its group's number, which begin where `starts` says, by
    /// partition. Without a group those are left out for which there is no partition.
    ///
    /// - `run`: a part of the groups' names that no other run has, so that they begin anew.
    ///
    /// # Errors
    /// Settings that are none, or don't go together.
    pub(crate) fn consumers(
        &self,
        topic: &str,
        starts: &[i64],
        run: &str,
    ) -> Result<Vec<(usize, Consumer)>, String> {
        let (groups, members) = (self.plan.group_count(), self.plan.consumers);
        let ahead = share(AHEAD_BYTES, groups * members, AHEAD_BYTES_EACH);
        let topic: Arc<str> = topic.into();
        let mut consumers = Vec::new();
        for group in 0..groups {
            let name = self.plan.groups.and_then(|groups| groups.group.as_deref());
            let name = name.map(|name| format!("{name}-{run}-{group}"));
            // Without a group nobody gives more of them anything to read.
            let readers = match &name {
                Some(_) => members,
                None => members.min(starts.len() as u64),
            };
            for member in 0..readers {
                let mut builder = self.consumer(ahead)?;
                if let Some(name) = &name {
                    let beginning = Beginning(starts.into());
                    builder = builder.group_id(name).rebalance_listener(beginning);
                }
                let told = |error: logboom_consumer::ConsumerError| error.to_string();
                let mut consumer = builder.build().map_err(told)?;
                match &name {
                    Some(_) => consumer.subscribe([&topic]).map_err(told)?,
                    None => {
                        let own = (0..).zip(starts).filter(|(at, _)| at % members == member);
                        let own = own.filter_map(|(at, start)| {
                            let place =
                                TopicPartition::new(Arc::clone(&topic), i32::try_from(at).ok()?);
                            Some((place, Start::Offset(*start)))
                        });
                        consumer.assign_from(own).map_err(told)?;
                    }
                }
                consumers.push((usize::try_from(group).unwrap_or_default(), consumer));
            }
        }
        Ok(consumers)
    }

    fn consumer(&self, ahead_bytes: usize) -> Result<ConsumerBuilder, String> {
        let client = ClientConfig { client_id: CLIENT_ID.to_owned(), ..ClientConfig::default() };
        let builder = Consumer::builder().client(client).queued_max_bytes(ahead_bytes);
        let builder = builder.properties(&self.properties).map_err(|error| error.to_string())?;
        Ok(builder.bootstrap_servers(self.bootstrap()))
    }

    /// Names among the properties that no client has asked for, once all were made.
    pub(crate) fn unused(&self) -> Vec<&str> {
        self.properties.unused().collect()
    }

    /// The acknowledgements that producers wait for.
    pub(crate) fn acks_name(&self) -> String {
        let asked = self.plan.records.acks.map(|acks| acks.name().to_owned());
        let property = || self.properties.get("acks").map(str::to_owned);
        asked.or_else(property).unwrap_or_else(|| "all".to_owned())
    }
}

/// Begins partitions where the load does, whichever member is given them: nothing is committed, and
/// what was there before it isn't to be read.
struct Beginning(Arc<[i64]>);

impl RebalanceListener for Beginning {
    fn on_assigned<'a>(
        &'a mut self,
        consumer: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        for place in partitions {
            let start = usize::try_from(place.partition).ok().and_then(|at| self.0.get(at));
            // Of a partition that was added meanwhile all is read.
            if let Some(start) = start {
                // It may have been taken again already.
                drop(consumer.seek(place, Start::Offset(*start)));
            }
        }
        Box::pin(std::future::ready(()))
    }
}

/// The part of one of many, within limits.
fn share(all: usize, count: u64, (least, most): (usize, usize)) -> usize {
    let count = usize::try_from(count.max(1)).unwrap_or(usize::MAX);
    (all / count).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::testing::parsed;

    #[test]
    fn options_go_before_properties_and_those_before_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = "compression.type=gzip\nacks=0\nbootstrap.servers=file:1\n";
        std::fs::write(file.path(), settings).unwrap();
        let told = |options: &str| {
            let line = format!("produce --properties {} {options}", file.path().display());
            let command = parsed(line.trim()).unwrap();
            let clients = Clients::new(command.plan().unwrap()).unwrap();
            (clients.codec(), clients.acks_name(), clients.bootstrap().to_owned())
        };
        let codec = |options: &str| {
            let (codec, acks, _) = told(options);
            (codec, acks)
        };
        assert_eq!(codec(""), (Codec::Gzip, "0".to_owned()));
        assert_eq!(codec("--property compression.type=lz4").0, Codec::Lz4);
        let options = "--property compression.type=lz4 --compression zstd --acks 1";
        assert_eq!(codec(options), (Codec::Zstd, "1".to_owned()));
        assert_eq!(told("").2, "file:1");
        assert_eq!(told("--property bootstrap.servers=own:1").2, "own:1");
        assert_eq!(told("--bootstrap option:1 --property bootstrap.servers=own:1").2, "option:1");
    }

    #[test]
    fn what_consumers_commit_and_where_they_begin_no_setting_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = "group.id=app\ngroup.instance.id=app-1\nenable.auto.commit=true\n\
            auto.offset.reset=latest\nmax.poll.records=7\n";
        std::fs::write(file.path(), settings).unwrap();
        let path = file.path().display();
        let line = format!("consume --properties {path} --property enable.auto.commit=true");
        let command = parsed(&line).unwrap();
        let clients = Clients::new(command.plan().unwrap()).unwrap();
        let made = format!("{:?}", clients.consumer(1).unwrap());
        for part in [
            "group_id: None",
            "instance_id: None",
            "auto_commit: false",
            "reset: Earliest",
            "poll_records_max: 7",
        ] {
            assert!(made.contains(part), "{part}\n{made}");
        }
        let told = clients.overridden().unwrap();
        let names = "enable.auto.commit, auto.offset.reset, group.id, group.instance.id of the";
        assert!(told.starts_with(names), "{told}");
        assert_eq!(clients.unused(), [""; 0]);
        for line in ["consume --property enable.auto.commit=false", "produce --property group.id=g"]
        {
            let command = parsed(line).unwrap();
            let clients = Clients::new(command.plan().unwrap()).unwrap();
            assert_eq!(clients.overridden(), None, "{line}");
        }
    }

    #[tokio::test]
    async fn who_has_no_partition_does_not_read_unless_a_group_may_give_one() {
        let readers = |line: &str| {
            let command = parsed(line).unwrap();
            let clients = Clients::new(command.plan().unwrap()).unwrap();
            let consumers = clients.consumers("t", &[0, 0], "run").unwrap();
            let shares = consumers.iter().map(|(_, consumer)| consumer.assignment().len());
            shares.collect::<Vec<_>>()
        };
        let line = "consume --bootstrap 127.0.0.1:1 --clients";
        assert_eq!(readers(&format!("{line} 1")), [2]);
        assert_eq!(readers(&format!("{line} 3")), [1, 1]);
        assert_eq!(readers(&format!("{line} 3 --group g")), [0, 0, 0], "it is yet to share");
    }

    #[tokio::test]
    async fn members_of_a_group_begin_where_the_load_does() {
        let mut consumer = Consumer::builder().bootstrap_servers("127.0.0.1:1").build().unwrap();
        let places = [0, 1, 2].map(|partition| TopicPartition::new("t", partition));
        consumer.assign(places.clone()).unwrap();
        let mut beginning = Beginning([5, 70].into());
        beginning.on_assigned(&consumer.control(), &places).await;
        let positions = places.each_ref().map(|place| consumer.position(place).unwrap());
        assert_eq!(positions, [Some(5), Some(70), None]);
    }

    #[test]
    fn all_clients_together_have_bounded_memory_and_each_enough() {
        assert_eq!(share(BUFFER_BYTES, 1, BUFFER_BYTES_EACH), 32 << 20);
        assert_eq!(share(BUFFER_BYTES, 16, BUFFER_BYTES_EACH), 16 << 20);
        assert_eq!(share(BUFFER_BYTES, 512, BUFFER_BYTES_EACH), 4 << 20);
    }

    #[test]
    fn all_settings_are_kept_but_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "sasl.password=hush\nacks=1\n").unwrap();
        let path = file.path().display();
        let command = parsed(&format!("produce --properties {path} --property acks=0")).unwrap();
        let clients = Clients::new(command.plan().unwrap()).unwrap();
        let kept = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(clients.asked, [kept("acks", "0"), kept("sasl.password", "***")]);
        assert_eq!(clients.properties.get("sasl.password"), Some("hush"));
    }

    #[tokio::test]
    async fn settings_that_are_none_and_those_that_nobody_has_are_named() {
        let command = parsed("produce --property acks=2").unwrap();
        let clients = Clients::new(command.plan().unwrap()).unwrap();
        let error = clients.producers(1).unwrap_err();
        assert_eq!(error, "acks=2: it has to be 0, 1 or all");
        let command = parsed("produce --property request.timeout.ms=130000").unwrap();
        let clients = Clients::new(command.plan().unwrap()).unwrap();
        assert!(clients.producers(1).is_ok(), "a record has the time of an attempt");
        let command = parsed("produce --property lingerms=2 --clients 2").unwrap();
        let clients = Clients::new(command.plan().unwrap()).unwrap();
        assert_eq!(clients.producers(2).unwrap().len(), 2);
        assert_eq!(clients.unused(), ["lingerms"]);
        let command = parsed("produce --bootstrap h:x").unwrap();
        let clients = Clients::new(command.plan().unwrap()).unwrap();
        assert!(clients.cluster().unwrap_err().starts_with("--bootstrap h:x: "));
    }
}
