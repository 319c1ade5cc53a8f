//! Producers who wait for what they sent to come far enough.
//!
//! Must always hold: each is answered once, in the order of the offsets that it waits for.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::replica::{AppendError, Appended, Until};

/// A producer's batch that stands in the log.
pub(super) struct Pending {
    pub(super) appended: Appended,
    pub(super) until: Until,
    pub(super) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Pending {
    /// Whoever has gone away needs no answer.
    pub(super) fn answer(self, error: Option<AppendError>) {
        let Self { appended, reply, .. } = self;
        drop(reply.send(error.map_or(Ok(appended), Err)));
    }
}

/// Those who wait for an offset, exclusive; and a number that keeps them apart.
type Waiting = BTreeMap<(i64, u64), Pending>;

/// Up to where a log has come, exclusive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// Survives what the leader's own copy survives.
    pub(super) kept: i64,
    /// Committed, and held by as many replicas as the topic asks for.
    pub(super) acknowledged: i64,
}

/// Producers who wait.
#[derive(Default)]
pub(super) struct Answers {
    kept: Waiting,
    acknowledged: Waiting,
    count: u64,
}

impl Answers {
    /// Answers at once, or when the log has come up to `end_offset`.
    pub(super) fn wait(&mut self, end_offset: i64, pending: Pending, reached: Reached) {
        let (list, reached) = match pending.until {
            Until::Written => return pending.answer(None),
            _ if cfg!(logboom_fault = "acknowledge_early") => return pending.answer(None),
            Until::Kept => (&mut self.kept, reached.kept),
            Until::Committed => (&mut self.acknowledged, reached.acknowledged),
        };
        if end_offset <= reached {
            return pending.answer(None);
        }
        self.count += 1;
        list.insert((end_offset, self.count), pending);
    }

    /// Answers those whose batch has come far enough.
    pub(super) fn advance(&mut self, reached: Reached) {
        let Reached { kept, acknowledged } = reached;
        for (list, reached) in [(&mut self.kept, kept), (&mut self.acknowledged, acknowledged)] {
            if list.first_key_value().is_some_and(|((end, _), _)| *end <= reached) {
                let later = list.split_off(&(reached + 1, 0));
                std::mem::replace(list, later).into_values().for_each(|it| it.answer(None));
            }
        }
    }

    /// Whether somebody waits for more replicas than the leader.
    pub(super) fn waits_for_more(&self) -> bool {
        !self.acknowledged.is_empty()
    }

    /// Answers those whose batch is committed that too few replicas are there to have it.
    ///
    /// - `committed`: the high watermark, exclusive.
    pub(super) fn give_up_below(&mut self, committed: i64) {
        let later = self.acknowledged.split_off(&(committed + 1, 0));
        let given_up = std::mem::replace(&mut self.acknowledged, later).into_values();
        given_up.for_each(|it| it.answer(Some(AppendError::NotEnoughReplicasAfterAppend)));
    }

    /// Answers all of them that it isn't known what becomes of their batches.
    pub(super) fn fail(&mut self, error: impl Fn() -> AppendError) {
        let all = std::mem::take(&mut self.kept).into_values();
        let all = all.chain(std::mem::take(&mut self.acknowledged).into_values());
        all.for_each(|pending| pending.answer(Some(error())));
    }
}
