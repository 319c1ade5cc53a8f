//! The topic of a load: made where it isn't there, deleted in the end if it was made.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_client::{ClientError, Cluster, NewTopic, OffsetSpec};
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
    /// What the cluster says; or it has another number of partitions than was asked for.
    pub(crate) async fn prepare(
        cluster: &Cluster,
        name: &str,
        load: &LoadArguments,
    ) -> Result<Self, String> {
        let found = look(cluster, name).await.map_err(|error| error.to_string())?;
        if let Some((found, _)) = found {
            found.check(load)?;
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

    /// Whether a topic that was there is as it was asked for.
    fn check(&self, load: &LoadArguments) -> Result<(), String> {
        let asked = load.partitions.filter(|asked| usize::try_from(*asked) != Ok(self.partitions));
        asked.map_or(Ok(()), |_| {
            Err(format!(
                "topic {} has {} partitions already; leave --partitions out, or name another \
                 --topic",
                self.name, self.partitions
            ))
        })
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
