//! The questions, each asked once; what isn't answered is planned again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use logboom_client::{
    ClientError, Cluster, CommittedOffset, Connection, EpochEnd, EpochQuestion, FoundOffset,
    IsolationLevel, OffsetSpec, Topic,
};
use logboom_protocol::messages::fetch::FetchResponse;

use crate::state::{Fetch, Question};

/// An answer, and to what.
pub(super) enum Done {
    Topic(Arc<str>, Result<Arc<Topic>, ClientError>),
    Committed(Vec<Question>, Result<Vec<CommittedOffset>, ClientError>),
    Found(Vec<Question>, Vec<Result<FoundOffset, ClientError>>),
    Epochs(Vec<Question>, Result<Vec<Result<EpochEnd, ClientError>>, ClientError>),
    Fetched(Fetched),
}

/// What a broker has sent, and the connection that may be used again.
pub(super) struct Fetched {
    pub(super) broker: i32,
    pub(super) connection: Option<Connection>,
    pub(super) result: Result<FetchResponse, ClientError>,
    pub(super) took: Duration,
}

pub(super) async fn look_up(cluster: Cluster, topic: Arc<str>, is_stale: bool) -> Done {
    if is_stale {
        cluster.forget(&topic);
    }
    let result = cluster.topic(&topic).await;
    Done::Topic(topic, result)
}

pub(super) async fn committed(
    cluster: Cluster,
    group: Option<String>,
    questions: Vec<Question>,
) -> Done {
    let Some(group) = group else { return Done::Committed(questions, Ok(Vec::new())) };
    let mut topics = BTreeMap::<&str, Vec<i32>>::new();
    for Question { place, .. } in &questions {
        topics.entry(&place.topic).or_default().push(place.partition);
    }
    let of: Vec<(&str, &[i32])> =
        topics.iter().map(|(topic, partitions)| (*topic, partitions.as_slice())).collect();
    let result = cluster.committed_offsets_for(&group, &of).await;
    Done::Committed(questions, result)
}

pub(super) async fn search(
    cluster: Cluster,
    topic: Arc<str>,
    spec: OffsetSpec,
    isolation: IsolationLevel,
    questions: Vec<Question>,
) -> Done {
    let partitions: Vec<i32> = questions.iter().map(|one| one.place.partition).collect();
    let found = cluster.list_offsets_within(&topic, &partitions, spec, isolation).await;
    Done::Found(questions, found)
}

pub(super) async fn epochs(
    cluster: Cluster,
    leader: i32,
    questions: Vec<Question>,
    epochs: Vec<EpochQuestion>,
) -> Done {
    let result = cluster.epoch_ends(leader, &epochs).await;
    Done::Epochs(questions, result)
}

pub(super) async fn fetch(
    cluster: Cluster,
    connection: Option<Connection>,
    fetch: Fetch,
    timeout: Duration,
) -> Done {
    let Fetch { broker, request, versions } = fetch;
    let began = Instant::now();
    let connected = match connection {
        Some(connection) => Ok(connection),
        None => cluster.connect_to(broker).await,
    };
    let (connection, result) = match connected {
        Ok(connection) => {
            let result = connection.send_within(&request, versions, timeout).await;
            (Some(connection), result)
        }
        Err(error) => (None, Err(error)),
    };
    Done::Fetched(Fetched { broker, connection, result, took: began.elapsed() })
}
