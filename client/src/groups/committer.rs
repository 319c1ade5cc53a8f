//! Commits of offsets, beside whatever its member is doing.
//!
//! **Invariant:** a commit carries the generation that the partitions were given in, so that the
//! coordinator refuses it when they are somebody else's.

use std::sync::{Arc, Mutex, PoisonError};

use logboom_protocol::ErrorCode;

use super::offsets::{COMMIT_BY_NAME, Identity, OffsetToCommit, check_committed, commit_request};
use super::pulse::Line;
use crate::{ClientError, Cluster};

/// What a member and its committers know together of its membership.
pub(super) type SharedIdentity = Arc<Mutex<Identity>>;

/// The present identity.
pub(super) fn present(identity: &SharedIdentity) -> Identity {
    // A change of it is one assignment, so a panic elsewhere leaves it sound.
    identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn replace(identity: &SharedIdentity, by: Identity) {
    *identity.lock().unwrap_or_else(PoisonError::into_inner) = by;
}

/// Commits offsets for a group. Clones are the same.
#[derive(Debug, Clone)]
pub struct Committer {
    cluster: Cluster,
    group: Arc<str>,
    instance_id: Option<Arc<str>>,
    line: Arc<Line>,
    /// `None` for who commits without being a member.
    identity: Option<SharedIdentity>,
}

impl Committer {
    /// Commits for a group that has no members, over a connection of its own.
    #[must_use]
    pub fn standalone(cluster: Cluster, group: &str) -> Self {
        let line = Arc::new(Line::new(cluster.clone(), group.to_owned()));
        Self { cluster, group: group.into(), instance_id: None, line, identity: None }
    }

    pub(super) fn of_member(
        cluster: Cluster,
        group: &str,
        instance_id: Option<&str>,
        line: Arc<Line>,
        identity: SharedIdentity,
    ) -> Self {
        let (group, instance_id) = (group.into(), instance_id.map(Into::into));
        Self { cluster, group, instance_id, line, identity: Some(identity) }
    }

    /// Commits offsets, until they are committed or the time of a call is over. Dropped, it may
    /// have committed them or not.
    ///
    /// # Errors
    /// One that [`ClientError::is_lost_membership`] where the partitions may be somebody else's by
    /// now, another code, or why the coordinator can't be asked.
    pub async fn commit(&self, offsets: &[OffsetToCommit]) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let group = &self.group;
        let member = self.identity.as_ref().map(present);
        if member.as_ref().is_some_and(|member| member.generation < 0) {
            // Without one a group that is empty by now would take it as an operator's.
            let (what, code) = (format!("group {group}"), ErrorCode::UNKNOWN_MEMBER_ID);
            return Err(ClientError::Refused { what, code, message: None });
        }
        let member = member.unwrap_or_default();
        let request = commit_request(group, &member, self.instance_id.as_deref(), offsets);
        let mut retry = self.cluster.retry(format!("commit offsets in group {group}"));
        loop {
            let answer = self.line.call(&request, COMMIT_BY_NAME, retry.timeout()).await;
            let address = self.line.address();
            match answer.and_then(|told| check_committed(&address, &request, &told)) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if error.is_retriable() {
                        self.line.hang_up();
                    }
                    retry.pause(error).await?;
                }
            }
        }
    }
}
