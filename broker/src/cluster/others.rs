//! Asking the broker that decides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::calls::{Request, Response};
use super::controller::ControllerError;
use super::neighbours::Neighbours;
use crate::partition::{Partition, Surroundings, millis};
use crate::peer::Calls;

/// How long is waited for an answer at the most.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a broker has to answer that may not be the one that decides.
const GUESS_MAX: Duration = Duration::from_millis(500);

/// The way to the broker that decides.
pub(crate) struct Others {
    own: i32,
    calls: Arc<dyn Calls>,
    around: Arc<dyn Surroundings>,
    /// The metadata log: who leads it decides.
    metadata: Arc<Partition>,
    /// Who knows more of the others; what they are asked leads here, so they aren't held.
    neighbours: Weak<Neighbours>,
    turn: AtomicUsize,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AskError {
    /// Nobody decided until the deadline, or this broker does.
    Nobody,
    /// It was asked, and may have been done.
    Unknown,
    /// It is refused, for the reason that is given.
    Refused(String),
}

impl From<AskError> for ControllerError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Nobody | AskError::Refused(_) => Self::NotController,
            AskError::Unknown => Self::TimedOut,
        }
    }
}

impl Others {
    pub(crate) fn new(
        own: i32,
        calls: Arc<dyn Calls>,
        around: Arc<dyn Surroundings>,
        metadata: Arc<Partition>,
        neighbours: &Arc<Neighbours>,
    ) -> Self {
        let neighbours = Arc::downgrade(neighbours);
        Self { own, calls, around, metadata, neighbours, turn: AtomicUsize::new(0) }
    }

    /// The broker that decides, as far as is known.
    pub(crate) fn controller(&self) -> Option<i32> {
        self.metadata.leader()
    }

    /// Whether a node may be given a vote, as it said last; unknown of one that wasn't met.
    pub(crate) fn is_controller(&self, node: i32) -> Option<bool> {
        self.neighbours.upgrade()?.is_controller(node)
    }

    /// Whether a connection to any broker has just ended.
    pub(crate) fn has_lost(&self) -> bool {
        self.neighbours.upgrade().is_some_and(|neighbours| neighbours.has_lost())
    }

    /// Whether a connection to a broker has just ended.
    pub(crate) fn is_lost(&self, node: i32) -> bool {
        self.neighbours.upgrade().is_some_and(|neighbours| neighbours.is_lost(node))
    }

    /// Asks one broker, once, and waits so long for its answer.
    ///
    /// # Errors
    /// Why it gives nothing, in words.
    pub(crate) async fn ask_once(
        &self,
        node: i32,
        request: &Request,
        within: Duration,
    ) -> Result<Bytes, String> {
        let request = request.encode().ok_or("the request can't be written")?;
        match self.calls.call(node, request, within).await.map(Response::decode) {
            Ok(Ok(Response::Done(bytes))) => Ok(bytes),
            Ok(Ok(Response::Refused(why))) => Err(why),
            Ok(Ok(Response::NotController(_))) => Err("the broker isn't ready".to_owned()),
            Ok(Err(_)) => Err("the answer isn't one".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Somebody who may decide, or knows who does: whoever isn't known to the others yet, or was
    /// removed by them, hears of no leader.
    fn guess(&self) -> Option<i32> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let some = self.neighbours.upgrade()?.heard_of();
        some.get(turn.checked_rem(some.len())?).copied()
    }

    /// Asks until somebody has decided, or so much time is over.
    ///
    /// # Errors
    /// [`AskError`].
    pub(crate) async fn ask(&self, request: &Request, within: Duration) -> Result<Bytes, AskError> {
        let too_large = || AskError::Refused("the request is too large".to_owned());
        let bytes = request.encode().ok_or_else(too_large)?;
        let deadline = self.around.boot_ms().saturating_add(millis(within));
        // Whom to ask next, where the one that is known to decide doesn't, or isn't there: a broker
        // that hears nothing any more, because it was removed, goes on to take for the leader who
        // led when it heard the last.
        let (mut named, mut is_lost) = (None, false);
        loop {
            let left = deadline.saturating_sub(self.around.boot_ms());
            if left == 0 {
                return Err(AskError::Nobody);
            }
            let known = named.take().or_else(|| self.controller().filter(|_| !is_lost));
            is_lost = false;
            let Some(node) = known.or_else(|| self.guess()) else {
                self.around.pause(PAUSE).await;
                continue;
            };
            if node == self.own {
                // It decides itself, or is about to.
                return Err(AskError::Nobody);
            }
            let left = Duration::from_millis(left);
            let within = if known.is_some() { left } else { left.min(GUESS_MAX) };
            let answer = self.calls.call(node, bytes.clone(), within).await;
            match answer.map(Response::decode) {
                Ok(Ok(Response::Done(answer))) => return Ok(answer),
                Ok(Ok(Response::Refused(why))) => return Err(AskError::Refused(why)),
                Ok(Ok(Response::NotController(told))) => {
                    named = told.as_ref().map(|told| told.node).filter(|told| *told != node);
                    if let (Some(told), Some(neighbours)) = (told, self.neighbours.upgrade()) {
                        neighbours.tell(told);
                    }
                }
                Ok(Err(_)) => return Err(AskError::Refused("the answer isn't one".to_owned())),
                Err(error) if error.is_undone() => is_lost = true,
                Err(_) => return Err(AskError::Unknown),
            }
            self.around.pause(PAUSE).await;
        }
    }
}
