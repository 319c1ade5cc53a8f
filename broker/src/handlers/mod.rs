//! Requests: a file per API, each decode, one thing done, encode. No state of their own.
//!
//! Must always hold: what isn't served isn't advertised, and what is answered is of the version
//! that was asked.

mod alter_configs;
mod alter_partition_reassignments;
mod api_versions;
mod authorized_operations;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod errors;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leader;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod raft_voters;
mod sasl_authenticate;
mod sasl_handshake;
mod sync_group;
mod unregister_broker;
mod update_features;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use logboom_groups::{Coordinator, Effects, Now, Ticket};
use logboom_protocol::header::RequestHeader;
use logboom_protocol::hot::Rope;
use logboom_protocol::{
    ApiKey, CompactString, DecodeError, EncodeError, ErrorCode, Message, Request, VersionRange,
    frame,
};

use crate::cluster::{ANSWER_MAX, Request as ForwardRequest};
use crate::coordination::CoordinationError;
use crate::node::Node;
use crate::partition::RequestPermit;
use crate::server::{Client, Share, Sparingly};
pub(crate) use create_topics::create as create_topic;
pub(crate) use fetch::Sessions as FetchSessions;

/// A request that is being answered.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Reply>>>;

/// What goes back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A whole frame.
    Frame(Bytes),
    /// A whole frame with lent records, and how many bytes of them have room at the door for
    /// answers.
    Rope(Rope, usize),
    /// No byte: a produce request with `acks` 0 that was written.
    Nothing,
    /// The connection is closed.
    Close,
}

/// What a handler knows of its request besides the body.
#[derive(Clone)]
pub(crate) struct RequestContext {
    pub(crate) node: Arc<Node>,
    pub(crate) client: Rc<Client>,
    /// The broker that the client asked; another one where that had the request forwarded.
    pub(crate) asked: i32,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<CompactString>,
    /// What its bytes take at the doors, until nobody needs them; given back with the last of its
    /// clones.
    pub(crate) permit: Option<RequestPermit>,
}

impl RequestContext {
    fn into_node(self) -> (Arc<Node>, Option<RequestPermit>) {
        (self.node, self.permit)
    }

    /// Asks the coordinator of a group.
    ///
    /// # Errors
    /// As [`Coordination::ask`](crate::coordination::Coordination::ask).
    async fn ask_group<R: Send + 'static>(
        &self,
        group: &str,
        question: impl FnOnce(&mut Coordinator, Now, &mut Effects) -> R + Send + 'static,
    ) -> Result<R, CoordinationError> {
        let coordination = &self.node.coordination;
        coordination.ask(&self.node, group, self.permit.clone(), question).await
    }

    /// Asks a question whose answer may be long in coming. The request has no room at the doors
    /// while it waits; when the answer is there, it waits for the door for answers.
    ///
    /// # Errors
    /// As [`Coordination::wait`](crate::coordination::Coordination::wait).
    async fn wait_for_group(
        self,
        group: &str,
        question: impl FnOnce(&mut Coordinator, Now, Ticket, &mut Effects) + Send + 'static,
    ) -> Result<logboom_groups::Reply, CoordinationError> {
        // What else there is isn't kept while it waits.
        let (node, permit) = self.into_node();
        let reply = node.coordination.wait(&node, group, permit, question).await;
        node.answers.opened(Share::Any).await;
        reply
    }
}

/// Why there is no answer: the connection is closed.
#[derive(Debug)]
pub(crate) enum Unanswerable {
    /// The body isn't one.
    Decode(DecodeError),
    /// The answer can't be written in that version.
    Encode(EncodeError),
    /// A partition of a produce request with `acks` 0 failed, and nothing else would tell.
    Unacknowledged(ErrorCode),
}

impl From<DecodeError> for Unanswerable {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<EncodeError> for Unanswerable {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl fmt::Display for Unanswerable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Unacknowledged(code) => write!(f, "what was produced with acks=0 failed: {code}"),
        }
    }
}

/// How large an answer may be.
pub(crate) enum AnswerSize {
    /// A few bytes for what the request brought, or the handler itself waits for room.
    Small,
    /// As large as what is there to be told.
    Any,
}

/// How large an answer of this API may be.
pub(crate) fn answer_size(api: ApiKey) -> AnswerSize {
    match api {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::OffsetCommit
        | ApiKey::ApiVersions
        | ApiKey::FindCoordinator
        | ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::DeleteGroups
        | ApiKey::OffsetDelete
        | ApiKey::InitProducerId
        | ApiKey::SaslAuthenticate
        | ApiKey::SaslHandshake => AnswerSize::Small,
        _ => AnswerSize::Any,
    }
}

/// How many groups of a request are asked about at once.
const GROUPS_AT_ONCE: usize = 8;
/// Bytes of what is told of groups, behind which the others of the request are put off: an answer
/// copies what its groups have, and a request can name a group as often as it likes.
const GROUPS_ANSWER_BYTES: usize = 16 << 20;

/// The APIs that are served, by their numbers.
const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::SaslHandshake,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::DescribeLogDirs,
    ApiKey::SaslAuthenticate,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::OffsetDelete,
    ApiKey::DescribeQuorum,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::UnregisterBroker,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
    ApiKey::AddRaftVoter,
    ApiKey::RemoveRaftVoter,
];

/// The versions of an API that are served.
pub(crate) fn served(api: ApiKey) -> Option<VersionRange> {
    SERVED.contains(&api).then(|| api.versions())
}

/// The APIs whose answers are decided, or known, by the broker that decides, and asked of it.
const DECIDED: &[ApiKey] = &[
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::AlterConfigs,
    ApiKey::CreatePartitions,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::DescribeQuorum,
    ApiKey::UpdateFeatures,
    ApiKey::UnregisterBroker,
    ApiKey::AddRaftVoter,
    ApiKey::RemoveRaftVoter,
];

/// The versions of an API that brokers ask of each other for a client.
pub(crate) fn forwarded(api: ApiKey) -> Option<VersionRange> {
    DECIDED.contains(&api).then(|| api.versions())
}

/// Takes up a request. Of a produce request the records are on their way to their shards when this
/// returns; anything else begins when the answer is polled.
pub(crate) fn dispatch(context: RequestContext, body: Bytes) -> Pending {
    match context.api {
        ApiKey::Produce => produce::dispatch(context, &body),
        ApiKey::Fetch => fetch::dispatch(context, body),
        ApiKey::ListOffsets => answer(context, body, list_offsets::handle),
        ApiKey::Metadata => answer(context, body, metadata::handle),
        ApiKey::OffsetCommit => answer(context, body, offset_commit::handle),
        ApiKey::OffsetFetch => answer(context, body, offset_fetch::handle),
        ApiKey::FindCoordinator => answer(context, body, find_coordinator::handle),
        ApiKey::JoinGroup => answer(context, body, join_group::handle),
        ApiKey::Heartbeat => answer(context, body, heartbeat::handle),
        ApiKey::LeaveGroup => answer(context, body, leave_group::handle),
        ApiKey::SyncGroup => answer(context, body, sync_group::handle),
        ApiKey::DescribeGroups => answer(context, body, describe_groups::handle),
        ApiKey::ListGroups => answer(context, body, list_groups::handle),
        ApiKey::SaslHandshake => answer(context, body, sasl_handshake::handle),
        ApiKey::ApiVersions => answer(context, body, api_versions::handle),
        ApiKey::CreateTopics => decided(context, body, create_topics::handle),
        ApiKey::DeleteTopics => decided(context, body, delete_topics::handle),
        ApiKey::DeleteRecords => answer(context, body, delete_records::handle),
        ApiKey::InitProducerId => answer(context, body, init_producer_id::handle),
        ApiKey::OffsetForLeaderEpoch => answer(context, body, offset_for_leader_epoch::handle),
        ApiKey::DescribeConfigs => answer(context, body, describe_configs::handle),
        ApiKey::AlterConfigs => decided(context, body, alter_configs::handle),
        ApiKey::DescribeLogDirs => answer(context, body, describe_log_dirs::handle),
        ApiKey::SaslAuthenticate => answer(context, body, sasl_authenticate::handle),
        ApiKey::CreatePartitions => decided(context, body, create_partitions::handle),
        ApiKey::DeleteGroups => answer(context, body, delete_groups::handle),
        ApiKey::OffsetDelete => answer(context, body, offset_delete::handle),
        ApiKey::IncrementalAlterConfigs => {
            decided(context, body, incremental_alter_configs::handle)
        }
        ApiKey::ElectLeaders => decided(context, body, elect_leaders::handle),
        ApiKey::AlterPartitionReassignments => {
            decided(context, body, alter_partition_reassignments::handle)
        }
        ApiKey::ListPartitionReassignments => {
            answer(context, body, list_partition_reassignments::handle)
        }
        ApiKey::UnregisterBroker => decided(context, body, unregister_broker::handle),
        ApiKey::AddRaftVoter => decided(context, body, raft_voters::add),
        ApiKey::RemoveRaftVoter => decided(context, body, raft_voters::remove),
        ApiKey::DescribeQuorum => {
            decided_within(context, body, QUORUM_WAIT, describe_quorum::handle)
        }
        ApiKey::UpdateFeatures => decided(context, body, update_features::handle),
        ApiKey::DescribeCluster => answer(context, body, describe_cluster::handle),
        ApiKey::DescribeProducers => answer(context, body, describe_producers::handle),
        ApiKey::ListConfigResources => answer(context, body, list_config_resources::handle),
        ApiKey::DescribeTopicPartitions => answer(context, body, describe_topic_partitions::handle),
        // The header was refused before.
        _ => Box::pin(async { Reply::Close }),
    }
}

/// How long is waited for a broker that decides, where it is asked whether there is one. Requests
/// that come after it on the same connection wait, too.
const QUORUM_WAIT: Duration = Duration::from_secs(2);

/// The same as [`answer`], on the broker that decides. Where nobody does, this one says so.
fn decided<R, F>(
    context: RequestContext,
    body: Bytes,
    handle: impl FnOnce(RequestContext, R) -> F + 'static,
) -> Pending
where
    R: Request + 'static,
    F: Future<Output = R::Response> + 'static,
{
    decided_within(context, body, ANSWER_MAX, handle)
}

/// The same, waiting so long for a broker that decides.
fn decided_within<R, F>(
    context: RequestContext,
    body: Bytes,
    wait: Duration,
    handle: impl FnOnce(RequestContext, R) -> F + 'static,
) -> Pending
where
    R: Request + 'static,
    F: Future<Output = R::Response> + 'static,
{
    let others = context.node.others.clone().filter(|_| !context.node.controller.decides());
    let Some(others) = others else { return answer(context, body, handle) };
    Box::pin(async move {
        let RequestContext { api, version, correlation_id, ref client_id, ref client, .. } =
            context;
        let client_id = client_id.as_deref().map(Cow::Borrowed);
        let header = RequestHeader { api, version, correlation_id, client_id };
        let mut frame = BytesMut::new();
        if let Err(error) = header.encode(&mut frame) {
            return close(&context, &error.into());
        }
        frame.extend_from_slice(&body);
        let listener = client.listener.to_string();
        let request = ForwardRequest::Forward { listener, frame: frame.freeze() };
        match others.ask(&request, wait).await {
            Ok(frame) => Reply::Frame(frame),
            Err(error) => {
                tracing::debug!(?error, %api, "not decided");
                answer(context, body, handle).await
            }
        }
    })
}

/// Decodes a request, has it handled, and encodes the response.
fn answer<R, F>(
    context: RequestContext,
    body: Bytes,
    handle: impl FnOnce(RequestContext, R) -> F + 'static,
) -> Pending
where
    R: Request + 'static,
    F: Future<Output = R::Response> + 'static,
{
    Box::pin(async move {
        let request = match R::decode_front(&body, context.version) {
            Ok(request) => request,
            Err(error) => return close(&context, &error.into()),
        };
        drop(body);
        let asked = RequestContext { permit: None, ..context.clone() };
        let response = handle(context, request).await;
        respond(&asked, &response)
    })
}

/// A response as a frame.
fn respond<M: Message>(context: &RequestContext, response: &M) -> Reply {
    match frame::encode_response(response, context.version, context.correlation_id) {
        Ok(frame) => Reply::Frame(frame),
        Err(error) => close(context, &error.into()),
    }
}

/// What peers do wrong is told now and then.
static CLOSED: Sparingly = Sparingly::new();

/// Ends the connection, and says why in the log.
fn close(context: &RequestContext, why: &Unanswerable) -> Reply {
    let (client, name) = (context.client.address, context.client_id.as_deref().unwrap_or_default());
    if let Unanswerable::Encode(error) = why {
        // That is our own mistake.
        tracing::error!(%client, name, "closed: {error}");
    } else if let Some(passed_over) = CLOSED.allow() {
        tracing::info!(%client, name, passed_over, "closed: {why}");
    }
    Reply::Close
}

#[cfg(test)]
mod tests;
