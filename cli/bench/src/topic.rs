//! The topic of a load: made where it isn't there, deleted in the end if it was made.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_client::{ClientError, Cluster, ConfigResource, NewTopic, OffsetSpec};
use logboom_protocol::ErrorCode;

use crate::arguments::LoadArguments;

/// Partitions of a topic that is made.
const PARTITIONS: i32 = 8;
/// How long a new topic may take to have its leaders.
const LEADERS_MAX: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A topic that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BenchTopic {
    pub(crate) name: String,
    pub(crate) partitions: usize,
    pub(crate) replication_factor: usize,
    /// Whether it was made for the load.
    pub(crate) is_made: bool,
}

impl BenchTopic {
    /// Looks for the topic, and makes it where it isn't there. Its leaders aren't waited for, see
    /// [`Self::led`].
    ///
    /// # Errors
    /// What the cluster says; or it is there and isn't as it was asked for.
    pub(crate) async fn prepare(
        cluster: &Cluster,
        name: &str,
        load: &LoadArguments,
    ) -> Result<Self, String> {
        let found = look(cluster, name).await.map_err(|error| error.to_string())?;
        if let Some((found, _)) = found {
            found.check(load)?;
            found.check_config(cluster, &load.topic_config).await?;
            return Ok(found);
        }
        let is_made = create(cluster, name, load).await?;
        Ok(Self { name: name.to_owned(), partitions: 0, replication_factor: 0, is_made })
    }

    /// Makes the topic, which mustn't be there: it isn't the one that was named.
    ///
    /// # Errors
    /// What the cluster says; or somebody has it.
    pub(crate) async fn make(
        cluster: &Cluster,
        name: &str,
        load: &LoadArguments,
    ) -> Result<Self, String> {
        match create(cluster, name, load).await? {
            false => Err(format!("topic {name}: it is there already, and nothing is sent to it")),
            true => Ok(Self {
                name: name.to_owned(),
                partitions: 0,
                replication_factor: 0,
                is_made: true,
            }),
        }
    }

    /// Waits until all of its partitions have leaders. Cancel-safe.
    ///
    /// # Errors
    /// What the cluster says; or it takes too long.
    pub(crate) async fn led(&self, cluster: &Cluster) -> Result<Self, String> {
        let Self { name, is_made, .. } = self;
        let deadline = Instant::now() + LEADERS_MAX;
        loop {
            let found = look(cluster, name).await.map_err(|error| error.to_string())?;
            if let Some((found, true)) = found {
                return Ok(Self { is_made: *is_made, ..found });
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "topic {name}: after {} s a partition of it has no leader",
                    LEADERS_MAX.as_secs()
                ));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether a topic that was there has as many partitions and copies as were asked for.
    fn check(&self, load: &LoadArguments) -> Result<(), String> {
        let Self { partitions, replication_factor, .. } = self;
        if load.partitions.is_some_and(|asked| usize::try_from(asked) != Ok(*partitions)) {
            return Err(self.other_than("--partitions", &format!("{partitions} partitions")));
        }
        let is_other = |asked| usize::try_from(asked) != Ok(*replication_factor);
        if load.replication_factor.is_some_and(is_other) {
            let copies = format!("a replication factor of {replication_factor}");
            return Err(self.other_than("--replication-factor", &copies));
        }
        Ok(())
    }

    /// Whether a topic that was there has the configuration that was asked for.
    async fn check_config(
        &self,
        cluster: &Cluster,
        asked: &[(String, String)],
    ) -> Result<(), String> {
        if asked.is_empty() {
            return Ok(());
        }
        let keys: Vec<&str> = asked.iter().map(|(key, _)| key.as_str()).collect();
        let topic = ConfigResource::Topic(self.name.clone());
        let found = cluster.describe_configs(&topic, Some(&keys)).await;
        let found = found.map_err(|error| error.to_string())?;
        for (key, value) in asked {
            let has = found.iter().find(|entry| entry.name == *key);
            match has.and_then(|entry| entry.value.as_deref()) {
                Some(has) if has == value.trim() => {}
                Some(has) => {
                    return Err(self.other_than("--topic-config", &format!("{key}={has}")));
                }
                None => return Err(self.other_than("--topic-config", &format!("no {key}"))),
            }
        }
        Ok(())
    }

    /// - `has`: what it has, and not what `option` asks for.
    fn other_than(&self, option: &str, has: &str) -> String {
        let name = &self.name;
        format!("topic {name} has {has} already; leave {option} out, or name another --topic")
    }

    /// Deletes it, if it was made.
    ///
    /// # Errors
    /// What the cluster says.
    pub(crate) async fn clear_away(&self, cluster: &Cluster) -> Result<(), String> {
        if !self.is_made {
            return Ok(());
        }
        let deleted = cluster.delete_topic(&self.name).await;
        deleted.map_err(|error| format!("topic {} is left: {error}", self.name))
    }

    /// The first and the end offset of each partition.
    ///
    /// # Errors
    /// What the cluster says.
    pub(crate) async fn ends(&self, cluster: &Cluster) -> Result<(Vec<i64>, Vec<i64>), String> {
        let all: Vec<i32> = (0..).take(self.partitions).collect();
        let offsets = async |spec| {
            let found = cluster.list_offsets(&self.name, &all, spec).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok::<_, String>(found.iter().map(|found| found.offset.unwrap_or(0)).collect())
        };
        Ok((offsets(OffsetSpec::Earliest).await?, offsets(OffsetSpec::Latest).await?))
    }
}

/// Makes the topic. Returns whether it was made: one that somebody else has made meanwhile isn't
/// ours to delete.
async fn create(cluster: &Cluster, name: &str, load: &LoadArguments) -> Result<bool, String> {
    let topic = NewTopic {
        name: name.to_owned(),
        partition_count: Some(load.partitions.unwrap_or(PARTITIONS)),
        replication_factor: load.replication_factor,
        configs: load.topic_config.clone(),
        validate_only: false,
    };
    match cluster.create_topic(&topic).await {
        Ok(_) => Ok(true),
        Err(ClientError::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// The topic, if it is there, and whether all of its partitions are led.
async fn look(cluster: &Cluster, name: &str) -> Result<Option<(BenchTopic, bool)>, ClientError> {
    let image = cluster.image(Some(&[name])).await?;
    match image.refused.get(name) {
        None | Some(&ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {}
        Some(code) if code.is_retriable() => return Ok(None),
        Some(&code) => {
            let what = format!("topic {name}");
            return Err(ClientError::Refused { what, code, message: None });
        }
    }
    let Some(topic) = image.topics.get(name) else { return Ok(None) };
    let copies = topic.partitions.iter().map(|partition| partition.replicas.len()).max();
    let is_led = topic.partitions.iter().all(|partition| partition.leader.is_some());
    let partitions = topic.partitions.len();
    let found = BenchTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: copies.unwrap_or(0),
        is_made: false,
    };
    Ok(Some((found, is_led && partitions > 0)))
}

#[cfg(test)]
mod tests {
    use logboom_client::testing::{self, Arrived, ScriptedBroker};
    use logboom_protocol::ApiKey;
    use logboom_protocol::messages::describe_configs::{
        DescribeConfigsRequest, DescribeConfigsResourceResult, DescribeConfigsResponse,
        DescribeConfigsResult,
    };
    use logboom_protocol::messages::metadata::{
        MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    };

    use super::*;
    use crate::arguments::testing::parsed;

    /// What preparing a topic comes to that is there with two partitions, a copy of each, and
    /// `retention.ms=5`.
    async fn prepared(options: &str) -> Result<BenchTopic, String> {
        let broker = ScriptedBroker::bind().await;
        let address = broker.address.clone();
        let port = i32::from(address.port);
        broker.run(move |asked: &Arrived| {
            let partition = |partition_index| MetadataResponsePartition {
                partition_index,
                leader_id: 1,
                replica_nodes: vec![1],
                ..Default::default()
            };
            Some(match asked.api {
                ApiKey::Metadata => asked.answer(&MetadataResponse {
                    brokers: vec![MetadataResponseBroker {
                        node_id: 1,
                        host: "127.0.0.1".into(),
                        port,
                        ..Default::default()
                    }],
                    topics: vec![MetadataResponseTopic {
                        name: Some("t".into()),
                        partitions: [0, 1].map(partition).to_vec(),
                        ..Default::default()
                    }],
                    ..Default::default()
                }),
                ApiKey::DescribeConfigs => {
                    let mut resource = asked.decode::<DescribeConfigsRequest>().resources.remove(0);
                    let keys = resource.configuration_keys.take().unwrap();
                    let known = keys.into_iter().filter(|key| &**key == "retention.ms");
                    let entry = |name| DescribeConfigsResourceResult {
                        name,
                        value: Some("5".into()),
                        ..Default::default()
                    };
                    let result = DescribeConfigsResult {
                        resource_type: resource.resource_type,
                        resource_name: resource.resource_name,
                        configs: known.map(entry).collect(),
                        ..Default::default()
                    };
                    let results = vec![result];
                    asked.answer(&DescribeConfigsResponse { results, ..Default::default() })
                }
                other => panic!("{other} isn't asked of a topic that is there"),
            })
        });
        let command = parsed(format!("produce --topic t {options}").trim()).unwrap();
        let load = command.plan().unwrap().load;
        BenchTopic::prepare(&testing::cluster(vec![address]), "t", load).await
    }

    #[tokio::test]
    async fn a_topic_that_is_there_and_is_not_as_it_was_asked_for_is_refused() {
        for (options, has, option) in [
            ("--partitions 3", "2 partitions", "--partitions"),
            ("--replication-factor 3", "a replication factor of 1", "--replication-factor"),
            ("--topic-config retention.ms=6", "retention.ms=5", "--topic-config"),
            ("--topic-config segment.bytes=5", "no segment.bytes", "--topic-config"),
        ] {
            let why = prepared(options).await.unwrap_err();
            let ways_out = format!("leave {option} out, or name another --topic");
            assert_eq!(why, format!("topic t has {has} already; {ways_out}"));
        }
        for options in ["", "--partitions 2 --replication-factor 1 --topic-config retention.ms=5"] {
            let topic = prepared(options).await.unwrap();
            assert_eq!((topic.partitions, topic.replication_factor), (2, 1));
        }
    }
}
