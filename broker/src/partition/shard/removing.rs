//! Replicas that go, and the end of all of them.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use logboom_storage::state::GroupKey;

use super::Shard;
use crate::partition::Unnamed;
use crate::partition::command::Command;

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
                let grace_ms = replica.partition.settings().delete_delay_ms;
                logs.push((replica.into_log(), grace_ms));
            }
        }
        if logs.is_empty() {
            done.send(()).unwrap_or(());
            return;
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

    /// Waits for the flushes and deletions that are under way, then closes every log.
    pub(in crate::partition) async fn close(&mut self) {
        while self.replicas.values().any(|replica| replica.is_flushing()) {
            match self.commands.recv().await {
                Some(command) => self.step_in_closing(command),
                None => break,
            }
        }
        while let Some(over) = self.deletions.last_mut() {
            drop(over.await);
            self.deletions.pop();
        }
        for (key, replica) in self.replicas.drain() {
            if let Err(error) = replica.into_log().close() {
                tracing::error!(partition = %key, %error, "log not closed");
            }
        }
    }

    /// Nothing is taken any more, and what is to answer says so by being dropped; but a flush that
    /// is over says it once.
    pub(super) fn step_in_closing(&mut self, command: Command) {
        if let Command::Flushed(key, result) = command {
            self.on_flushed(key, result);
        }
    }
}
