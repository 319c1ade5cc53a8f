//! Which nodes decide for the cluster (KIP-853).

use logboom_protocol::VersionRange;
use logboom_protocol::messages::add_raft_voter::AddRaftVoterRequest;
use logboom_protocol::messages::remove_raft_voter::RemoveRaftVoterRequest;

use super::millis;
use crate::cluster::Target;
use crate::{ClientError, Cluster};

/// Every version.
const ALL: VersionRange = VersionRange { min: 0, max: i16::MAX };

impl Cluster {
    /// Gives a node that is registered a vote in what is decided, with the data directory that it
    /// has.
    ///
    /// # Errors
    /// A broker's code, or why none can be asked. Apache Kafka wants the directory to be named.
    pub async fn add_voter(&self, id: i32) -> Result<(), ClientError> {
        let request = AddRaftVoterRequest {
            cluster_id: None,
            voter_id: id,
            timeout_ms: millis(self.config().request_timeout),
            ..AddRaftVoterRequest::default()
        };
        let doing = format!("add voter {id}");
        self.call_within(Target::Any, doing, ALL, &request, |_, response| {
            let message = response.error_message.as_deref();
            ClientError::check(response.error_code, message, || format!("voter {id}"))
        })
        .await
    }

    /// Takes a node's vote in what is decided away.
    ///
    /// # Errors
    /// As [`Self::add_voter`].
    pub async fn remove_voter(&self, id: i32) -> Result<(), ClientError> {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: id,
            ..RemoveRaftVoterRequest::default()
        };
        let doing = format!("remove voter {id}");
        self.call_within(Target::Any, doing, ALL, &request, |_, response| {
            let message = response.error_message.as_deref();
            ClientError::check(response.error_code, message, || format!("voter {id}"))
        })
        .await
    }
}
