//! A member of a classic group of consumers.
//!
//! ```text
//!   join ─▶ Joined: generation, partitions ─▶ the caller reads; commit ─▶ … ─▶ leave
//!    ▲                                             │
//!    └──── disturbed: Beat::Rebalance, Beat::Lost ─┘      heartbeats run beside it
//! ```
//!
//! Where all assignors that it offers are cooperative, it may keep what it has while the group
//! shares anew, and gives up only what it isn't given again (KIP-429). Else it gives up all before.
//!
//! **Invariant:** it has a connection of its own to the coordinator, so that neither a fetch that
//! waits holds up a heartbeat, nor a join that waits a fetch. Its commits have another one: who
//! keeps what it has commits while it joins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use logboom_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use logboom_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use logboom_protocol::{CompactString, ErrorCode, VersionRange};

use super::assignor::{Assignor, Counts, Shares, Subscriber};
use super::committer::Committer;
use super::offsets::Identity;
use super::pulse::{Beat, Line, Pulse};
use super::subscription::{self, Assignment, Holding, Subscription};
use super::{CONSUMER, from};
use crate::{ClientError, Cluster, Disconnect};

/// How a member takes part in its group.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    /// The group (`group.id`).
    pub group: String,
    /// What it wants to read.
    pub topics: Vec<String>,
    /// The ways of sharing that it offers, the best first, at least one
    /// (`partition.assignment.strategy`).
    pub assignors: Vec<Assignor>,
    /// A name that it keeps over restarts, so that those start no rebalance (`group.instance.id`,
    /// KIP-345). Two members of one name drive each other out.
    pub instance_id: Option<String>,
    /// Where it stands (`client.rack`), for a member that leads and shares by racks.
    pub rack: Option<String>,
    /// After so long without a heartbeat it counts as gone (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// How long others wait for it in a rebalance (`max.poll.interval.ms`).
    pub rebalance_timeout: Duration,
    /// Between heartbeats (`heartbeat.interval.ms`).
    pub heartbeat_interval: Duration,
}

impl MemberConfig {
    /// Kafka's own limits; partitions are shared by ranges.
    #[must_use]
    pub fn new(group: String, topics: Vec<String>) -> Self {
        Self {
            group,
            topics,
            assignors: vec![Assignor::Range],
            instance_id: None,
            rack: None,
            session_timeout: Duration::from_secs(45),
            rebalance_timeout: Duration::from_secs(300),
            heartbeat_interval: Duration::from_secs(3),
        }
    }
}

/// What a member has got from a rebalance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The number of the rebalance.
    pub generation: i32,
    /// What it reads.
    pub assignment: Assignment,
    /// How the group shares.
    pub assignor: Assignor,
    /// Topics that somebody wants and nobody reads, because brokers tell nothing of them, and why;
    /// only who has shared the partitions knows any.
    pub unshared: BTreeMap<String, ErrorCode>,
}

/// A member. Dropped without [`Self::leave`], it counts as one until its session is over.
#[derive(Debug)]
pub struct GroupMember {
    cluster: Cluster,
    config: MemberConfig,
    line: Arc<Line>,
    identity: Identity,
    /// Knows the identity of the last join that ended.
    committer: Committer,
    /// What it was given last.
    had: Holding,
    /// Heartbeats of the generation.
    pulse: Option<Pulse>,
    /// Whether a join was dropped that may still occupy the connection.
    is_joining: bool,
}

/// The last version without a list of members to go.
const LEAVES_ALONE: VersionRange = VersionRange { min: 0, max: 2 };
const LEAVES_LISTED_FROM: i16 = 3;

impl GroupMember {
    /// Somebody who may join. Nothing is sent yet.
    #[must_use]
    pub fn new(cluster: Cluster, config: MemberConfig) -> Self {
        let line = Arc::new(Line::new(cluster.clone(), config.group.clone()));
        let MemberConfig { group, instance_id, .. } = &config;
        let committer = Committer::of_member(cluster.clone(), group, instance_id.as_deref());
        Self {
            cluster,
            config,
            line,
            identity: Identity::default(),
            committer,
            had: Holding::default(),
            pulse: None,
            is_joining: false,
        }
    }

    /// The id that the coordinator has given it; empty before.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.identity.id
    }

    /// Who commits what the last join has given, beside whatever this does.
    #[must_use]
    pub fn committer(&self) -> Committer {
        self.committer.clone()
    }

    /// What it wants to read from the next join on.
    pub fn subscribe(&mut self, topics: Vec<String>) {
        self.config.topics = topics;
    }

    /// Joins the group, or joins it again; gives up what it had. It takes as long as the others
    /// take to join, within their rebalance time-outs; who doesn't want to wait drops it.
    ///
    /// # Errors
    /// A code that isn't over by itself, as INCONSISTENT_GROUP_PROTOCOL, where the others share in
    /// none of its ways; or why the coordinator can't be asked.
    pub async fn join(&mut self) -> Result<Joined, ClientError> {
        self.join_keeping(&Assignment::new()).await
    }

    /// The same, and goes on reading these partitions meanwhile. It may do so only if all its
    /// assignors are cooperative.
    ///
    /// # Errors
    /// As [`Self::join`]; and one that [`ClientError::is_lost_membership`] where it has lost what
    /// it wanted to keep: it joins again, keeping nothing.
    pub async fn join_keeping(&mut self, kept: &Assignment) -> Result<Joined, ClientError> {
        self.pulse = None;
        if std::mem::replace(&mut self.is_joining, true) {
            self.line.hang_up();
        }
        let cluster = self.cluster.clone();
        let mut retry = cluster.retry(self.doing("join"));
        loop {
            let reached = self.line.reach().await;
            let asked = Instant::now();
            let joined = match reached {
                Ok(()) => self.join_once(kept).await,
                Err(error) => Err(error),
            };
            let error = match joined {
                Ok(joined) => {
                    self.is_joining = false;
                    return Ok(joined);
                }
                Err(error) => error,
            };
            match error.code() {
                // Somebody else has begun another rebalance.
                Some(ErrorCode::REBALANCE_IN_PROGRESS) => {
                    tokio::time::sleep(cluster.config().retry_backoff).await;
                    retry = cluster.retry(self.doing("join"));
                }
                Some(code @ (ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION)) => {
                    // Of an id that is left behind the others wait for the end of the session.
                    self.forget_membership(code == ErrorCode::ILLEGAL_GENERATION);
                    if !kept.is_empty() {
                        return Err(error);
                    }
                    retry.excuse(asked.elapsed());
                    retry.pause_whatever(error).await?;
                }
                _ => {
                    self.line.hang_up();
                    // The others may take longer than a call has time.
                    let own = match &error {
                        ClientError::Deadline { limit, .. } => *limit,
                        error if is_unanswered(error) => cluster.config().request_timeout,
                        _ => Duration::ZERO,
                    };
                    retry.excuse(asked.elapsed().saturating_sub(own));
                    retry.pause(error).await?;
                }
            }
        }
    }

    /// Waits until the membership isn't what it was: never [`Beat::Steady`]. Cancel-safe.
    pub async fn disturbed(&mut self) -> Beat {
        match &mut self.pulse {
            Some(pulse) => pulse.disturbed().await,
            None => Beat::Lost,
        }
    }

    /// Leaves the group, so that the others needn't wait for the end of the session.
    ///
    /// # Errors
    /// Why the coordinator can't be told.
    pub async fn leave(mut self) -> Result<(), ClientError> {
        self.pulse = None;
        if self.identity.id.is_empty() {
            return Ok(());
        }
        if self.is_joining {
            self.line.hang_up();
        }
        let mut retry = self.cluster.retry(self.doing("leave"));
        loop {
            let error = match retry.within(self.leave_once(retry.timeout())).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_lost_membership() => return Ok(()),
                Err(error) => error,
            };
            self.line.hang_up();
            retry.pause(error).await?;
        }
    }

    async fn leave_once(&self, timeout: Duration) -> Result<(), ClientError> {
        let group = &self.config.group;
        let listed = LeaveGroupRequest {
            group_id: group.as_str().into(),
            members: vec![MemberIdentity {
                member_id: self.identity.id.as_str().into(),
                group_instance_id: self.instance_id(),
                ..MemberIdentity::default()
            }],
            ..LeaveGroupRequest::default()
        };
        let response = match self.line.call(&listed, from(LEAVES_LISTED_FROM), timeout).await {
            Err(ClientError::UnsupportedVersion { .. }) => {
                let alone = LeaveGroupRequest {
                    group_id: group.as_str().into(),
                    member_id: self.identity.id.as_str().into(),
                    ..LeaveGroupRequest::default()
                };
                self.line.call(&alone, LEAVES_ALONE, timeout).await?
            }
            result => result?,
        };
        let what = || format!("group {group}");
        ClientError::check(response.error_code, None, what)?;
        response.members.iter().try_for_each(|one| ClientError::check(one.error_code, None, what))
    }

    /// Joins and syncs once; begins the heartbeats of the generation.
    async fn join_once(&mut self, kept: &Assignment) -> Result<Joined, ClientError> {
        let joined = self.ask_to_join(kept).await?;
        self.identity.id = joined.member_id.as_str().to_owned();
        let assignor = self.chosen(&joined)?;
        let is_leader = joined.leader == joined.member_id;
        let (mut assignments, mut counts, mut unshared) = Default::default();
        if is_leader {
            let members = subscribers(assignor, &joined);
            (counts, unshared) = self.partition_counts(&members).await?;
            if !joined.skip_assignment {
                assignments = encoded(assignor.assign(&members, &counts))?;
            }
        }
        let request = SyncGroupRequest {
            group_id: self.config.group.as_str().into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id,
            group_instance_id: self.instance_id(),
            protocol_type: Some(CONSUMER.into()),
            protocol_name: joined.protocol_name,
            assignments,
        };
        // Whoever shares is a member that has just answered, so this isn't waited for as a join is.
        let limit = self.cluster.config().request_timeout;
        let response = self.line.call(&request, from(0), limit).await?;
        let what = || format!("group {}", self.config.group);
        ClientError::check(response.error_code, None, what)?;
        let assignment = subscription::decode_assignment(&response.assignment);
        let assignment = assignment.ok_or_else(|| self.lacks("assignment"))?;
        let generation = request.generation_id;
        self.identity.generation = generation;
        self.committer.become_member(self.identity.clone());
        self.had = Holding { partitions: assignment.clone(), generation };
        let beginning = Pulse::begin(&self.cluster, &self.config, &self.line, &request, counts);
        self.pulse = Some(beginning);
        Ok(Joined { generation, assignment, assignor, unshared })
    }

    /// How the group shares.
    fn chosen(&self, joined: &JoinGroupResponse) -> Result<Assignor, ClientError> {
        let name = joined.protocol_name.as_deref().unwrap_or_default();
        name.parse().map_err(|_| self.lacks("known assignor"))
    }

    fn lacks(&self, what: &str) -> ClientError {
        let what = format!("{what} for group {}", self.config.group);
        ClientError::Unanswered { address: self.line.address(), what }
    }

    /// JoinGroup, a second time where the first only gives an id (KIP-394).
    async fn ask_to_join(&mut self, kept: &Assignment) -> Result<JoinGroupResponse, ClientError> {
        let mut request = JoinGroupRequest {
            group_id: self.config.group.as_str().into(),
            session_timeout_ms: crate::admin::millis(self.config.session_timeout),
            rebalance_timeout_ms: crate::admin::millis(self.config.rebalance_timeout),
            member_id: self.identity.id.as_str().into(),
            group_instance_id: self.instance_id(),
            protocol_type: CONSUMER.into(),
            protocols: self.protocols(kept)?,
            ..JoinGroupRequest::default()
        };
        let mut response = self.line.call(&request, from(0), self.waiting_timeout()).await?;
        if response.error_code == ErrorCode::MEMBER_ID_REQUIRED && request.member_id.is_empty() {
            // Kept, so that it can leave if it gives up waiting.
            self.identity.id = response.member_id.as_str().to_owned();
            request.member_id = response.member_id;
            response = self.line.call(&request, from(0), self.waiting_timeout()).await?;
        }
        let what = || format!("group {}", self.config.group);
        ClientError::check(response.error_code, None, what)?;
        Ok(response)
    }

    /// What it offers, with what each of the assignors is to know.
    fn protocols(&self, kept: &Assignment) -> Result<Vec<JoinGroupRequestProtocol>, ClientError> {
        let MemberConfig { topics, assignors, rack, .. } = &self.config;
        let protocol = |&assignor: &Assignor| {
            let offered = Subscription::new(assignor, topics, &self.had, kept, rack.as_deref());
            let metadata = offered.and_then(|offered| offered.encode());
            let metadata = metadata.map_err(|fault| unencodable(fault, "subscription"))?;
            Ok(JoinGroupRequestProtocol { name: assignor.name().into(), metadata })
        };
        assignors.iter().map(protocol).collect()
    }

    fn instance_id(&self) -> Option<CompactString> {
        self.config.instance_id.as_deref().map(Into::into)
    }

    /// How many partitions the topics have that somebody wants.
    async fn partition_counts(
        &self,
        members: &[Subscriber],
    ) -> Result<(Counts, BTreeMap<String, ErrorCode>), ClientError> {
        let mut topics: Vec<&str> =
            members.iter().flat_map(|member| &member.topics).map(String::as_str).collect();
        topics.sort_unstable();
        topics.dedup();
        counts(&self.cluster, topics).await
    }

    /// How long the answer may take that waits for others.
    fn waiting_timeout(&self) -> Duration {
        self.config.rebalance_timeout.saturating_add(self.cluster.config().request_timeout)
    }

    /// - `keeps_id`: whether it joins again as who it was.
    fn forget_membership(&mut self, keeps_id: bool) {
        let id = if keeps_id { std::mem::take(&mut self.identity.id) } else { String::new() };
        self.identity = Identity { id, ..Identity::default() };
        self.committer.become_member(Identity::default());
    }

    fn doing(&self, verb: &str) -> String {
        format!("{verb} in group {}", self.config.group)
    }
}

/// How many partitions topics have; 0 for those of which nothing is told, which come beside it with
/// the reason. Not from memory: who shares must know of new partitions.
///
/// A broker that knows of no broker has heard of no topic either, and is asked again. What may pass
/// is waited for as long as a new topic is.
async fn counts(
    cluster: &Cluster,
    topics: Vec<&str>,
) -> Result<(Counts, BTreeMap<String, ErrorCode>), ClientError> {
    let mut retry = cluster.retry("look up the topics to share".to_owned());
    let image = loop {
        let image = cluster.image(Some(&topics)).await?;
        let waits = retry.elapsed() < cluster.config().topic_propagation_max;
        let passes = |(_, code): &(&String, &ErrorCode)| {
            code.is_retriable() && **code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let error = match image.refused.iter().find(passes) {
            _ if image.brokers.is_empty() => ClientError::NoAnswer,
            Some((topic, &code)) if waits => {
                ClientError::Refused { what: format!("topic {topic}"), code, message: None }
            }
            _ => break image,
        };
        retry.pause(error).await?;
    };
    let (mut counts, mut unshared) = (Counts::new(), BTreeMap::new());
    for name in topics {
        let known = image.topics.get(name).map(|topic| topic.partitions.len());
        if known.is_none() {
            let code = image.refused.get(name).copied();
            let code = code.unwrap_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            unshared.insert(name.to_owned(), code);
        }
        counts.insert(name.to_owned(), known.unwrap_or_default());
    }
    Ok((counts, unshared))
}

/// Whether somebody had all the time that an answer may take, and gave none.
fn is_unanswered(error: &ClientError) -> bool {
    matches!(error, ClientError::Connection { reason: Disconnect::RequestTimeout { .. }, .. })
}

/// The members as their leader sees them. One whose subscription can't be read wants nothing.
fn subscribers(assignor: Assignor, joined: &JoinGroupResponse) -> Vec<Subscriber> {
    let members = joined.members.iter().map(|member| {
        let (id, instance_id) = (&member.member_id, member.group_instance_id.as_deref());
        Subscriber::new(assignor, id, instance_id, Subscription::decode(&member.metadata))
    });
    members.collect()
}

fn encoded(assigned: Shares) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
    let encode = |(member_id, own): (String, Assignment)| {
        let assignment = subscription::encode_assignment(&own);
        let assignment = assignment.map_err(|fault| unencodable(fault, "assignment"))?;
        Ok(SyncGroupRequestAssignment { member_id: member_id.into(), assignment })
    };
    assigned.into_iter().map(encode).collect()
}

fn unencodable(fault: logboom_protocol::Fault, field: &'static str) -> ClientError {
    let api = logboom_protocol::ApiKey::JoinGroup;
    ClientError::Encode(logboom_protocol::EncodeError {
        api,
        kind: logboom_protocol::MessageKind::Request,
        version: 0,
        field,
        fault,
    })
}
