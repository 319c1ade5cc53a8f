//! Opening the logs of a shard's partitions, and putting them into service.

use std::sync::Arc;
use std::thread;

use logboom_raft::Group;
use logboom_storage::state::GroupKey;
use logboom_storage::{Directory, Finding, Log, StorageError};

use super::Shard;
use crate::partition::caching::Caching;
use crate::partition::command::Opening;
use crate::partition::member::Member;
use crate::partition::replica::Replica;
use crate::partition::{Partition, Seat};

impl Shard {
    /// Opens logs. One that can't be opened is reported and not served; the others are.
    pub(super) fn open(&mut self, partitions: Vec<Opening>) -> Result<(), StorageError> {
        let opened = open_logs(&self.seat, &self.hands.directory, &partitions);
        self.replicas.reserve(opened.len());
        let (mut new, mut found, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        for (opening, opened) in partitions.into_iter().zip(opened) {
            let Opening { key, topic, .. } = &opening;
            let (log, findings) = match opened {
                Ok(opened) => opened,
                Err(error @ StorageError::OutOfService { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(%topic, partition = key.partition, %error, "log not opened");
                    continue;
                }
            };
            report(topic, *key, &findings);
            let is_damage =
                |it: &&Finding| matches!(it, Finding::Damaged { .. } | Finding::Gone { .. });
            let count = findings.iter().filter(is_damage).count();
            self.hands.metrics.damaged_segments.add(count);
            let list = match self.seat.elects_itself(&self.hands.directory, key) {
                false => &mut shared,
                true if opening.is_new => &mut new,
                true => &mut found,
            };
            list.push((opening, log));
        }
        for (opening, log) in new {
            let group = self.seat.lead_first(&self.hands.directory, &opening.key);
            self.serve(opening, log, group, None);
        }
        let logs = found.iter_mut().map(|(_, log)| log).collect();
        let groups = self.seat.lead(&self.hands.directory, logs);
        for ((opening, log), group) in found.into_iter().zip(groups) {
            self.serve(opening, log, group, None);
        }
        for (opening, mut log) in shared {
            let group = match self.seat.follow(&self.hands.directory, &mut log) {
                Ok(group) => group,
                Err(error) => {
                    let Opening { topic, key, .. } = &opening;
                    tracing::error!(%topic, partition = key.partition, %error, "not served");
                    continue;
                }
            };
            let (is_new, wish) = (opening.is_new, opening.wish.clone());
            let member = Member { is_new, wish, ..Member::default() };
            self.serve(opening, log, group, Some(member));
        }
        Ok(())
    }

    fn serve(&mut self, opening: Opening, log: Log, group: Group, member: Option<Member>) {
        let Opening { key, topic, settings, is_new, .. } = opening;
        let view = Arc::clone(log.view());
        let partition = Arc::new(Partition::new(key, topic, self.index, view, settings));
        let caching = Caching::of(&self.hands.directory, &key);
        let mut replica = Replica::new(Arc::clone(&partition), log, group, member, caching);
        if let Some(member) = &replica.member {
            if let Some(wish) = &member.wish {
                replica.group.know_wish(wish.generation);
            }
            let own = replica.group.id().broker;
            let others = || replica.group.voters().all().map(|id| id.broker).min();
            let first = member.wish.as_ref().map(|wish| wish.leader).or_else(others);
            self.lanes.add(&mut replica, self.hands.around.boot_ms(), is_new && first == Some(own));
        }
        self.replicas.insert(key, Box::new(replica));
        self.registry.insert(partition);
    }
}

/// Opens logs on several threads: after a kill each waits for the device.
fn open_logs(seat: &Seat, directory: &Directory, partitions: &[Opening]) -> Vec<OpenedLog> {
    let open = |opening: &Opening| {
        let (key, options) = (opening.key, opening.settings.log);
        match seat.is_sole(directory, &key) {
            true => directory.open_log(key, options),
            false => directory.open_replica(key, options),
        }
    };
    if OPENERS == 1 || partitions.len() < OPENERS {
        return partitions.iter().map(open).collect();
    }
    thread::scope(|scope| {
        let parts = partitions.chunks(partitions.len().div_ceil(OPENERS));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(|| part.iter().map(open).collect::<Vec<_>>())).collect();
        let opened = threads.into_iter().flat_map(|thread| {
            thread.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
        });
        opened.collect()
    })
}

/// What opening a log gives.
type OpenedLog = Result<(Log, Vec<Finding>), StorageError>;

/// Threads on which a shard opens logs; in tests there is one, so that a simulation repeats itself.
const OPENERS: usize = if cfg!(test) { 1 } else { 8 };

fn report(topic: &str, key: GroupKey, findings: &[Finding]) {
    for finding in findings {
        tracing::warn!(%topic, partition = key.partition, "{finding}");
    }
}
