//! The heartbeats of a member, and its connection to the coordinator.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::sync_group::SyncGroupRequest;
use logboom_protocol::{ErrorCode, Request, VersionRange};

use super::from;
use super::member::MemberConfig;
use crate::{BrokerAddress, ClientError, Cluster, Connection};

/// What a member knows of its membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// All is as it was.
    Steady,
    /// The group shares anew: finish, commit, and join again.
    Rebalance,
    /// It is no member any more: what it has may be somebody else's. Join again.
    Lost,
}

/// A connection to the coordinator of a group that nobody else uses, made when it is needed.
#[derive(Debug)]
pub(super) struct Line {
    cluster: Cluster,
    group: String,
    connection: Mutex<Option<Connection>>,
}

impl Line {
    pub(super) fn new(cluster: Cluster, group: String) -> Self {
        Self { cluster, group, connection: Mutex::default() }
    }

    /// Asks the coordinator once, in a version within `allowed`.
    pub(super) async fn call<R: Request>(
        &self,
        request: &R,
        allowed: VersionRange,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.connection().await?.send_within(request, allowed, timeout).await
    }

    /// Connects to the coordinator, unless a connection stands.
    pub(super) async fn reach(&self) -> Result<(), ClientError> {
        self.connection().await.map(drop)
    }

    /// The next call looks the coordinator up and connects to it.
    pub(super) fn hang_up(&self) {
        *self.held() = None;
    }

    /// Where the coordinator is, or, where none is known, the group's name.
    pub(super) fn address(&self) -> BrokerAddress {
        let held = self.held();
        let none = || BrokerAddress { host: format!("coordinator of {}", self.group), port: 0 };
        held.as_ref().map_or_else(none, |connection| connection.address().clone())
    }

    async fn connection(&self) -> Result<Connection, ClientError> {
        let held = self.held().clone();
        if let Some(connection) = held.filter(Connection::is_usable) {
            return Ok(connection);
        }
        let config = self.cluster.config();
        let broker = self.cluster.find_coordinator(&self.group, config.request_timeout).await?;
        let connection = Connection::connect(&broker.address, config).await?;
        *self.held() = Some(connection.clone());
        Ok(connection)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        // A change of it is one assignment, so a panic elsewhere leaves it sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Heartbeats of one generation; they end when it is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    beat: watch::Receiver<Beat>,
    task: JoinHandle<()>,
}

impl Pulse {
    /// Begins the heartbeats of a member that has joined.
    ///
    /// - `joined`: with what it has joined.
    /// - `counts`: how many partitions the topics have that it has shared, if it was the one to
    ///   share them; 0 for those that don't exist. When one has others, the group shares anew.
    pub(super) fn begin(
        cluster: &Cluster,
        config: &MemberConfig,
        line: &Arc<Line>,
        joined: &SyncGroupRequest,
        counts: BTreeMap<String, usize>,
    ) -> Self {
        let (sender, beat) = watch::channel(Beat::Steady);
        let request = HeartbeatRequest {
            group_id: joined.group_id.clone(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: joined.group_instance_id.clone(),
        };
        let heart = Heart {
            cluster: cluster.clone(),
            line: Arc::clone(line),
            config: config.clone(),
            request,
            counts,
        };
        Self { beat, task: tokio::spawn(heart.run(sender)) }
    }

    /// Waits for the first beat that isn't steady.
    pub(super) async fn disturbed(&mut self) -> Beat {
        let beat = self.beat.wait_for(|beat| *beat != Beat::Steady).await;
        beat.map_or(Beat::Lost, |beat| *beat)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Heart {
    cluster: Cluster,
    line: Arc<Line>,
    config: MemberConfig,
    request: HeartbeatRequest,
    counts: BTreeMap<String, usize>,
}

impl Heart {
    async fn run(self, sender: watch::Sender<Beat>) {
        let mut last_answer = Instant::now();
        let mut pause = self.config.heartbeat_interval;
        let mut before = Look::Same;
        loop {
            sleep(pause).await;
            pause = self.config.heartbeat_interval;
            let limit = self.cluster.config().request_timeout.min(self.config.session_timeout);
            let asked = Instant::now();
            let code = match self.line.call(&self.request, from(0), limit).await {
                Ok(response) => response.error_code,
                Err(_) => ErrorCode::NETWORK_EXCEPTION,
            };
            match code {
                ErrorCode::NONE => {
                    last_answer = asked;
                    let looking = Instant::now();
                    // Who doesn't tell in time is asked again behind the next beat.
                    let look = timeout(pause, self.look()).await.unwrap_or(Look::Same);
                    if look == Look::More || (look, before) == (Look::Less, Look::Less) {
                        sender.send_if_modified(|beat| rise(beat, Beat::Rebalance));
                    }
                    before = look;
                    pause = pause.saturating_sub(looking.elapsed());
                }
                // It goes on until the member joins, so that it isn't taken for gone meanwhile.
                ErrorCode::REBALANCE_IN_PROGRESS => {
                    last_answer = asked;
                    sender.send_if_modified(|beat| rise(beat, Beat::Rebalance));
                }
                code if code.is_retriable() => {
                    self.line.hang_up();
                    pause = pause.min(self.cluster.config().retry_backoff_max);
                    if last_answer.elapsed() >= self.config.session_timeout {
                        break;
                    }
                }
                _ => break,
            }
        }
        sender.send_if_modified(|beat| rise(beat, Beat::Lost));
    }

    /// What partitions the topics have beside those that were shared. Who has shared nothing
    /// doesn't ask; one that can't ask now, or asks a broker that knows nobody yet, asks at the
    /// next beat.
    async fn look(&self) -> Look {
        let topics: Vec<&str> = self.counts.keys().map(String::as_str).collect();
        if topics.is_empty() {
            return Look::Same;
        }
        let Ok(image) = self.cluster.image(Some(&topics)).await else { return Look::Same };
        if image.brokers.is_empty() {
            return Look::Same;
        }
        let of = |(name, shared): (&String, &usize)| {
            let is_gone = || match image.refused.get(name) {
                None | Some(&ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => Some(0),
                // Nothing is told of it now.
                Some(_) => None,
            };
            let known = image.topics.get(name).map(|topic| topic.partitions.len());
            match known.or_else(is_gone).unwrap_or(*shared).cmp(shared) {
                Ordering::Greater => Look::More,
                Ordering::Less => Look::Less,
                Ordering::Equal => Look::Same,
            }
        };
        self.counts.iter().map(of).max().unwrap_or(Look::Same)
    }
}

/// What partitions topics have beside those that were shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// The same, as far as anybody tells.
    Same,
    /// Fewer, or none where it was deleted; a broker that lags says so as well, so it counts when
    /// two looks in a row have seen it.
    Less,
    More,
}

/// Replaces a beat; whether it is another.
fn rise(beat: &mut Beat, to: Beat) -> bool {
    std::mem::replace(beat, to) != to
}
