//! Replicas that go.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use logboom_storage::state::GroupKey;

use super::Shard;
use crate::partition::Unnamed;

impl Shard {
    /// Removes replicas that the metadata don't name any more, unless they may be needed after all.
    pub(super) fn leave(&mut self, keys: Vec<(GroupKey, Unnamed)>, done: oneshot::Sender<()>) {
        let directory = &self.hands.directory;
        let is_free =
            |(key, by): &(GroupKey, Unnamed)| !self.seat.may_be_needed(directory, key, *by);
        let free: Vec<_> = keys.into_iter().filter(is_free).map(|(key, _)| key).collect();
        self.delete(&free, false, done);
    }

    /// Nobody meets the replicas from now on; what waits for the device is another thread's.
    ///
    /// - `forget`: the topics are gone for good; otherwise nobody begins again as a voter.
    pub(super) fn delete(&mut self, keys: &[GroupKey], forget: bool, done: oneshot::Sender<()>) {
        let mut logs = Vec::new();
        for key in keys {
            self.registry.remove(key);
            self.lanes.remove(key);
            if let Some(replica) = self.replicas.remove(key) {
                replica.partition.set_deleted();
                logs.push(replica.into_log());
            }
        }
        let (over, ended) = oneshot::channel::<()>();
        let is_at_work = |it: &mut oneshot::Receiver<()>| it.try_recv() == Err(TryRecvError::Empty);
        self.deletions.retain_mut(is_at_work);
        self.deletions.push(ended);
        let directory = Arc::clone(&self.hands.directory);
        self.hands.around.spawn(Box::new(move || {
            if let Err(error) = directory.delete_all(logs, forget) {
                tracing::error!(%error, "partitions not deleted; the next start does it");
            }
            // Whoever waits for the end of all doesn't find the directory held.
            drop(directory);
            drop(over);
            done.send(()).unwrap_or(());
        }));
    }
}
