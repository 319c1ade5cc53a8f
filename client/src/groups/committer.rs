//! Commits of offsets, beside whatever its member is doing.
//!
//! **Invariant:** a commit carries the generation that the partitions were given in, so that the
//! coordinator refuses it when they are somebody else's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use logboom_protocol::ErrorCode;

use super::offsets::{COMMIT_BY_NAME, Identity, OffsetToCommit, commit_request, committed};
use super::pulse::Line;
use crate::{ClientError, Cluster};

/// Commits offsets for a group. Clones are the same.
#[derive(Debug, Clone)]
pub struct Committer {
    cluster: Cluster,
    group: Arc<str>,
    instance_id: Option<Arc<str>>,
    line: Arc<Line>,
    /// As whom; `None` for who commits without being a member.
    identity: Option<Arc<Mutex<Identity>>>,
}

impl Committer {
    /// Commits for a group that has no members, over a connection of its own.
    #[must_use]
    pub fn standalone(cluster: Cluster, group: &str) -> Self {
        let line = Arc::new(Line::new(cluster.clone(), group.to_owned()));
        Self { cluster, group: group.into(), instance_id: None, line, identity: None }
    }

    /// Commits for a member, which isn't one yet. Its connection isn't the one over which the
    /// member joins: answers come in order, and a join waits for others.
    pub(super) fn of_member(cluster: Cluster, group: &str, instance_id: Option<&str>) -> Self {
        Self {
            instance_id: instance_id.map(Into::into),
            identity: Some(Arc::default()),
            ..Self::standalone(cluster, group)
        }
    }

    /// Commits are made as this member from now on.
    pub(super) fn become_member(&self, by: Identity) {
        if let Some(identity) = &self.identity {
            // A change of it is one assignment, so a panic elsewhere leaves it sound.
            *identity.lock().unwrap_or_else(PoisonError::into_inner) = by;
        }
    }

    fn member(&self) -> Option<Identity> {
        let identity = self.identity.as_ref()?;
        Some(identity.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Commits offsets, until each is committed or refused, or the time of a call is over; told for
    /// each by itself, in their order. Dropped, it may have committed them or not.
    ///
    /// What is refused as a whole is so for each: by an error that
    /// [`ClientError::is_lost_membership`] where the partitions may be somebody else's by now, by
    /// another code, or because the coordinator can't be asked. A partition that isn't there is
    /// asked for once more, and holds up neither the others nor the next commit: of what is
    /// committed something was read, so it isn't new, but gone.
    pub async fn commit_each(&self, offsets: &[OffsetToCommit]) -> Vec<Result<(), ClientError>> {
        let member = self.member();
        if member.as_ref().is_some_and(|member| member.generation < 0) {
            // Without one a group that is empty by now would take it as an operator's.
            let (what, code) = (format!("group {}", self.group), ErrorCode::UNKNOWN_MEMBER_ID);
            let refused = ClientError::Refused { what, code, message: None };
            return vec![Err(refused); offsets.len()];
        }
        let member = member.unwrap_or_default();
        let mut retry = self.cluster.retry(format!("commit offsets in group {}", self.group));
        let mut told: Vec<Option<Result<(), ClientError>>> = vec![None; offsets.len()];
        let mut was_unknown = false;
        loop {
            let open = offsets.iter().zip(&mut told).filter(|(_, told)| told.is_none());
            let open = self.commit_open(&member, open.collect(), !was_unknown, retry.timeout());
            let Err(error) = retry.within(open).await else {
                return told.into_iter().flatten().collect();
            };
            was_unknown |= error.is_unknown_topic();
            // An attempt that was cut leaves a connection that nobody may answer on.
            if retry.is_over() {
                self.line.hang_up();
            }
            if let Err(error) = retry.pause(error).await {
                let open = || Err(error.clone());
                return told.into_iter().map(|told| told.unwrap_or_else(open)).collect();
            }
        }
    }

    /// Asks once for what isn't told yet.
    ///
    /// - `waits`: whether a partition that isn't there is asked for again.
    ///
    /// # Errors
    /// Why something isn't told afterwards.
    async fn commit_open(
        &self,
        member: &Identity,
        open: Vec<Open<'_>>,
        waits: bool,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        if open.is_empty() {
            return Ok(());
        }
        let offsets = open.iter().map(|(offset, _)| *offset);
        let request = commit_request(&self.group, member, self.instance_id.as_deref(), offsets);
        let answer = match self.line.call(&request, COMMIT_BY_NAME, timeout).await {
            Ok(answer) => answer,
            Err(error) => {
                if error.is_retriable() {
                    self.line.hang_up();
                }
                return Err(error);
            }
        };
        let (address, mut last) = (self.line.address(), None);
        for (offset, told) in open {
            let result = committed(&address, &self.group, offset, &answer);
            match result.as_ref().err().filter(|error| may_pass(error, waits)) {
                Some(error) => last = Some(error.clone()),
                None => *told = Some(result),
            }
        }
        if last.as_ref().is_some_and(is_elsewhere) {
            self.line.hang_up();
        }
        last.map_or(Ok(()), Err)
    }
}

/// What is to be committed, and what has become of that; `None` while it isn't told.
type Open<'a> = (&'a OffsetToCommit, &'a mut Option<Result<(), ClientError>>);

/// Whether another attempt may commit a partition. One that isn't there was deleted, or is new.
fn may_pass(error: &ClientError, waits: bool) -> bool {
    error.is_retriable() && (waits || !error.is_unknown_topic())
}

/// Whether another broker may coordinate the group by now.
fn is_elsewhere(error: &ClientError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::NOT_COORDINATOR
                | ErrorCode::COORDINATOR_NOT_AVAILABLE
                | ErrorCode::REQUEST_TIMED_OUT
        )
    )
}
