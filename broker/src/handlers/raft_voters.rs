//! AddRaftVoter and RemoveRaftVoter (KIP-853): who decides for the cluster.
//!
//! A directory id of zero stands for the one that the node has, which Kafka's tools always name.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use logboom_protocol::messages::add_raft_voter::{AddRaftVoterRequest, AddRaftVoterResponse};
use logboom_protocol::messages::remove_raft_voter::{
    RemoveRaftVoterRequest, RemoveRaftVoterResponse,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};
use logboom_raft::ReplicaId;

use super::RequestContext;
use crate::cluster::{Unfit, VoterChange, VotersError};

/// How long a change may take, less than others wait for the answer.
const CHANGE_MAX: Duration = Duration::from_secs(8);

/// Between two looks for a node that isn't in contact yet.
const LOOK_EVERY: Duration = Duration::from_millis(10);

type Outcome = Result<(), (ErrorCode, String)>;

pub(super) async fn add(
    context: RequestContext,
    request: AddRaftVoterRequest,
) -> AddRaftVoterResponse {
    let (id, directory) = (request.voter_id, request.voter_directory_id);
    let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let added = async {
        check_cluster(&context, request.cluster_id.as_deref())?;
        let directory = registered(&context, id, directory)?;
        check_roles(&context, id, wait).await?;
        make(&context, VoterChange::Add(replica(id, directory)), wait).await
    };
    let (error_code, error_message) = answer(added.await);
    AddRaftVoterResponse { error_code, error_message, ..AddRaftVoterResponse::default() }
}

pub(super) async fn remove(
    context: RequestContext,
    request: RemoveRaftVoterRequest,
) -> RemoveRaftVoterResponse {
    let (id, directory) = (request.voter_id, request.voter_directory_id);
    let removed = async {
        check_cluster(&context, request.cluster_id.as_deref())?;
        make(&context, VoterChange::Remove(replica(id, directory)), CHANGE_MAX).await
    };
    let (error_code, error_message) = answer(removed.await);
    RemoveRaftVoterResponse { error_code, error_message, ..RemoveRaftVoterResponse::default() }
}

fn replica(broker: i32, Uuid(directory): Uuid) -> ReplicaId {
    ReplicaId { broker, life: 0, directory }
}

fn answer(outcome: Outcome) -> (ErrorCode, Option<CompactString>) {
    match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, why)) => (code, Some(why.into())),
    }
}

fn check_cluster(context: &RequestContext, cluster_id: Option<&str>) -> Outcome {
    let own = context.node.cluster_id.to_string();
    match cluster_id {
        Some(other) if other != own => {
            Err((ErrorCode::INCONSISTENT_CLUSTER_ID, format!("this is cluster {own}")))
        }
        _ => Ok(()),
    }
}

/// The directory of a node: only who follows the metadata log can get a vote in it.
fn registered(
    context: &RequestContext,
    id: i32,
    directory: Uuid,
) -> Result<Uuid, (ErrorCode, String)> {
    let refuse = |why: String| Err((ErrorCode::INVALID_REQUEST, why));
    match context.node.image().node(id) {
        None => refuse(format!("node {id} is not registered: start it first")),
        Some(known) if ![known.directory_id, Uuid::ZERO].contains(&directory) => refuse(format!(
            "node {id} has the data directory {}, not {directory}",
            known.directory_id
        )),
        Some(known) if known.peer.is_none() => {
            refuse(format!("node {id} awaits no other brokers: set controller.quorum.voters"))
        }
        Some(known) => Ok(known.directory_id),
    }
}

/// Whether a node decides where it is given a vote, as it says itself once it is in contact.
async fn check_roles(context: &RequestContext, id: i32, wait: Duration) -> Outcome {
    let Some(others) = &context.node.others else { return Ok(()) };
    let deadline = Instant::now() + wait.min(CHANGE_MAX);
    loop {
        match others.is_controller(id) {
            Some(true) => return Ok(()),
            Some(false) => {
                let why = format!("node {id} is no controller: its process.roles don't say so");
                return Err((ErrorCode::INVALID_REQUEST, why));
            }
            None if Instant::now() >= deadline => {
                let why = format!("node {id} isn't in contact");
                return Err((ErrorCode::REQUEST_TIMED_OUT, why));
            }
            None => sleep(LOOK_EVERY).await,
        }
    }
}

async fn make(context: &RequestContext, change: VoterChange, wait: Duration) -> Outcome {
    let within = wait.min(CHANGE_MAX);
    let node = Arc::clone(&context.node);
    // Whoever asks may go away; what takes too long is taken back all the same.
    let made = tokio::spawn(async move {
        let is_known = |ReplicaId { broker, directory, .. }: ReplicaId| {
            node.image().node(broker).is_some_and(|known| known.directory_id == Uuid(directory))
        };
        node.voter_changes.make(change, within, is_known).await
    });
    let (code, why) = match made.await.unwrap_or(Err(VotersError::NotLeader)) {
        Ok(()) => {
            tracing::info!(?change, "the voters of the metadata log have changed");
            return Ok(());
        }
        Err(VotersError::NotLeader) => {
            (ErrorCode::NOT_LEADER_OR_FOLLOWER, "another broker leads the metadata log")
        }
        Err(VotersError::Busy) => {
            (ErrorCode::REQUEST_TIMED_OUT, "another change of the voters is under way")
        }
        Err(VotersError::TimedOut) => {
            (ErrorCode::REQUEST_TIMED_OUT, "it took too long, and was taken back")
        }
        Err(VotersError::Unfit(Unfit::Unknown)) => {
            (ErrorCode::INVALID_REQUEST, "it is none of the cluster any more")
        }
        Err(VotersError::Unfit(Unfit::HasVote)) => {
            (ErrorCode::DUPLICATE_VOTER, "it is a voter already")
        }
        Err(VotersError::Unfit(Unfit::HasNone)) => {
            (ErrorCode::VOTER_NOT_FOUND, "it is none of the voters")
        }
        Err(VotersError::Unfit(Unfit::Last)) => {
            (ErrorCode::INVALID_REQUEST, "it is the only voter")
        }
    };
    Err((code, why.to_owned()))
}
