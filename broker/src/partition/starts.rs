//! Log starts that move: by retention, and for those who delete records.
//!
//! Must always hold: who deletes records is answered when the logs of all replicas in sync begin
//! where they are to, so that no leader that is handed the office has them back.

use tokio::sync::oneshot;

use logboom_raft::Role;
use logboom_storage::{Log, StorageError};

use super::hands::Hands;
use super::replica::Replica;

/// Who waits until all logs begin at an offset, or later.
pub(super) type AwaitedStart = (i64, oneshot::Sender<Result<i64, StorageError>>);

impl Replica {
    /// Moves the log start as soon as no flush is under way.
    ///
    /// - `wanted`: where it is to go, if anywhere, at that moment.
    /// - `moved`: told when the log start is where it is wanted, or stays.
    pub(super) fn move_log_start(
        &mut self,
        wanted: impl FnOnce(&mut Log) -> Result<Option<i64>, StorageError> + 'static,
        moved: impl FnOnce(&mut Self, Result<Option<i64>, StorageError>) + 'static,
        hands: &Hands,
    ) {
        let again = hands.clone();
        if self.has_failed {
            let path = hands.directory.root().to_owned();
            return moved(self, Err(StorageError::OutOfService { path }));
        }
        self.defer(move |replica| {
            let log = &mut replica.log;
            let offset = match wanted(log).and_then(|offset| check_start(log, offset)) {
                Ok(Some(offset)) => offset,
                other => return moved(replica, other),
            };
            let before = replica.group.history().start().offset;
            let mut effects = replica.effects();
            let offset = replica.group.move_start(offset, &mut effects);
            if offset <= before {
                return moved(replica, Ok(None));
            }
            replica.tasks.tell_moved(replica.group.issued(), offset, Box::new(moved));
            replica.follow(&mut effects, &again);
        });
    }

    /// Deletes the records below an offset.
    ///
    /// - `reply`: told where the log begins, once all replicas in sync begin there too; dropped if
    ///   another replica leads by then.
    pub(super) fn delete_records(
        &mut self,
        offset: i64,
        reply: oneshot::Sender<Result<i64, StorageError>>,
        hands: &Hands,
    ) {
        let is_committed = offset <= self.log.view().high_watermark();
        if is_committed && offset > self.log.flushed_offset() && !self.has_failed {
            // A group lets go only of what is on stable storage here.
            let again = hands.clone();
            return self.after_flush(move |replica| replica.delete_records(offset, reply, &again));
        }
        self.move_log_start(
            move |_| Ok(Some(offset)),
            move |replica, moved| match moved {
                Ok(_) => {
                    let start = replica.log.view().log_start_offset();
                    replica.awaited_starts.push((start, reply));
                    replica.answer_starts();
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            hands,
        );
    }

    /// Answers those whose log start is where it is to be everywhere.
    pub(super) fn answer_starts(&mut self) {
        if self.awaited_starts.is_empty() {
            return;
        }
        if self.group.role() != Role::Leader {
            self.awaited_starts.clear();
            return;
        }
        let everywhere = self.start_everywhere();
        for (start, reply) in std::mem::take(&mut self.awaited_starts) {
            if start <= everywhere {
                drop(reply.send(Ok(start)));
            } else if !reply.is_closed() {
                self.awaited_starts.push((start, reply));
            }
        }
    }

    /// The least of the offsets at which the others' logs begin that are in sync.
    fn start_everywhere(&self) -> i64 {
        let in_sync = self.member.as_ref().map_or(&[][..], |member| member.in_sync());
        let counts = |broker| in_sync.is_empty() || in_sync.contains(&broker);
        let voters = self.group.voters();
        let others = self.group.standings().filter(|it| voters.contains(it.id));
        let starts = others.filter(|it| counts(it.id.broker)).map(|it| it.log_start);
        starts.min().unwrap_or(i64::MAX)
    }
}

/// Where a log start may go: not beyond what is committed.
fn check_start(log: &Log, offset: Option<i64>) -> Result<Option<i64>, StorageError> {
    let (log_start_offset, end_offset) =
        (log.view().log_start_offset(), log.view().high_watermark());
    match offset {
        Some(offset) if offset > end_offset => {
            Err(StorageError::OutOfRange { offset, log_start_offset, end_offset })
        }
        offset => Ok(offset.filter(|offset| *offset > log_start_offset)),
    }
}
