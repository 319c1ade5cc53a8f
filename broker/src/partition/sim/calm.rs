//! When nothing goes wrong any more everything gets well, within a bounded time, and falls asleep.

use std::collections::BTreeSet;

use logboom_controller::record::{NO_BROKER, Partition};
use logboom_raft::{Group, Role};
use logboom_storage::producers::{ProducerEntry, Producers};
use logboom_storage::state::GroupKey;

use super::cluster::Cluster;
use super::groups::METADATA_GROUP;
use super::oracle::Violation;
use super::plan::{CALM, MILLISECOND, SECOND};
use super::queue::Event;
use crate::cluster::METADATA;
use crate::partition::replica::Replica;

/// What a log knows of its producers: epochs, the last offsets, and the sequence numbers that come
/// next. Of batches before its start it may know fewer.
fn known(producers: &Producers) -> Vec<(i64, i16, i64, i32)> {
    let known = |(id, entry): (i64, &ProducerEntry)| {
        (id, entry.epoch(), entry.last_offset(), entry.next_sequence())
    };
    producers.entries().map(known).collect()
}

/// What the metadata don't know yet of a partition, or wish for still.
fn what_lacks(known: &Partition, leader: &Replica) -> Option<String> {
    let (own, epoch) = (leader.group.id().broker, leader.group.epoch());
    let is_wished = known.is_moving() || known.wished_leader != NO_BROKER;
    let is_known = (known.leader, known.leader_epoch) == (own, epoch);
    let is_whole = known.voters.is_empty() && known.isr.len() == known.replicas.len();
    (is_wished || !is_known || !is_whole)
        .then(|| format!("{own} leads in {epoch}, and the metadata have {known:?}"))
}

impl Cluster {
    /// From now on nothing goes wrong.
    fn calm(&mut self) {
        self.tell(|| "nothing goes wrong any more".into());
        self.is_calm = true;
        self.plan.loss = 0;
        self.plan.flush = self.plan.flush.min(MILLISECOND);
        self.network.calm();
        self.mend();
        for at in 0..self.brokers.len() {
            let broker = &mut self.brokers[at];
            broker.is_paused = false;
            broker.disk.clear_faults();
            broker.disk.set_capacity(u64::MAX);
            // One that isn't up is started already.
        }
        self.restart_failed();
    }

    /// Runs until everything that was wished for is there in every group.
    pub(super) fn run_until_well(&mut self) -> Result<(), Violation> {
        self.calm();
        let since = self.now;
        loop {
            self.run_for(100 * MILLISECOND)?;
            for client in 0..self.plan.clients {
                for group in 0..self.subjects.len() {
                    self.send_records(client, group, self.now < since + SECOND);
                }
            }
            self.restart_failed();
            self.look_after_lost();
            let took = self.now - since;
            match self.what_ails() {
                None if took > SECOND => {
                    self.totals.calm = took / MILLISECOND;
                    let lives = self.subjects.iter().flat_map(|subject| subject.lives.values());
                    self.totals.returns = lives.map(|life| u64::from(*life)).sum();
                    return self.check_equal();
                }
                Some(why) if took > CALM => return Err(format!("it isn't well again: {why}")),
                _ => {}
            }
        }
    }

    pub(super) fn run_for(&mut self, time: u64) -> Result<(), Violation> {
        let until = self.now + time;
        self.queue.push(until, Event::Pause);
        while self.now < until {
            self.step()?;
        }
        Ok(())
    }

    pub(super) fn replica(&self, at: usize, group: usize) -> Option<&Replica> {
        let process = self.brokers[at].process.as_ref()?;
        process.shard.replicas.get(&self.subjects[group].key).map(|replica| &**replica)
    }

    /// What is still missing, if anything.
    fn what_ails(&self) -> Option<String> {
        let ill = |group| self.what_ails_group(group).map(|why| format!("group {group}: {why}"));
        let group = (0..self.subjects.len()).find_map(ill);
        let broker = || (0..self.brokers.len()).find_map(|at| self.what_ails_broker(at));
        let clients = || (!self.is_all_acknowledged()).then(|| "clients wait".to_owned());
        group.or_else(broker).or_else(clients)
    }

    fn what_ails_group(&self, index: usize) -> Option<String> {
        let wished = self.wished(index);
        let all = 0..self.brokers.len();
        let hosts = all.filter(|at| self.replica(*at, index).is_some());
        if !hosts.eq(wished.iter().copied()) {
            return Some(format!("replicas are wished for at {wished:?}, and not all there"));
        }
        if wished.is_empty() {
            // Its topic is gone.
            return None;
        }
        let replica = |at: &usize| self.replica(*at, index);
        let group = |at: &usize| replica(at).map(|replica| &replica.group);
        let leads = |at: &&usize| group(at).is_some_and(|it| it.role() == Role::Leader);
        let mut leaders = wished.iter().filter(leads);
        let (Some(at), None) = (leaders.next(), leaders.next()) else {
            let roles = wished.iter().filter_map(group).map(Group::role);
            return Some(format!("not one leads: {:?}", roles.collect::<Vec<_>>()));
        };
        if !self.subjects[index].owed.is_empty() {
            return Some(format!("nobody shows {:?}", self.subjects[index].owed));
        }
        if let Some((at, _)) = self.subjects[index].losses.rotten.first_key_value() {
            return Some(format!("{at} is damaged"));
        }
        let (leader, process) = (replica(at)?, self.brokers[*at].process.as_ref()?);
        let voters = leader.group.voters();
        let is_wished = index == METADATA_GROUP || voters.incoming.len() == wished.len();
        if voters.is_joint() || !is_wished || voters.all().any(|id| self.is_gone(id)) {
            return Some(format!("{voters} vote, and {wished:?} are to"));
        }
        if !process.shard.leads_surely(leader) {
            let may = leader.group.may_hold_lease();
            return Some(format!("{at} leads, and has no lease; it may have one: {may}"));
        }
        let known = self.partition(index).and_then(|known| what_lacks(known, leader));
        if known.is_some() {
            return known;
        }
        let end = (leader.group.history().end(), leader.log.end_offset());
        for other in &wished {
            let replica = replica(other)?;
            let (core, view) = (&replica.group, replica.log.view());
            let has_all = (core.history().end(), replica.log.end_offset()) == end;
            if core.is_lossy() {
                return Some(format!("{other} may lack something"));
            }
            if !has_all || core.commit() != end.0 || view.high_watermark() != end.1 {
                let (commit, own, (leaders, _)) = (core.commit(), core.history().end(), end);
                return Some(format!("{other} is at {commit} of {own}, {at} at {leaders}"));
            }
        }
        None
    }

    /// Whether a broker is one of the cluster, knows all of its metadata and follows them.
    fn what_ails_broker(&self, at: usize) -> Option<String> {
        let (image, id) = (self.metadata.newest(), self.brokers[at].id);
        let process = self.brokers[at].process.as_ref();
        let Some(process) = process.filter(|process| process.began.is_some()) else {
            return Some(format!("{at} isn't one of the cluster"));
        };
        if self.brokers[at].lost.is_some() {
            return Some(format!("{at} has lost its data directory"));
        }
        if !image.is_in_contact(id) {
            return Some(format!("{at} is out of contact"));
        }
        if **process.published.load() != *image {
            return Some(format!("{at} knows the metadata up to {} only", process.known.1));
        }
        let named = image.partitions_of(id);
        let named = named.map(|(topic, partition, _)| GroupKey { topic_id: topic.id(), partition });
        let wanted: BTreeSet<GroupKey> = named.chain([METADATA]).collect();
        let found: BTreeSet<GroupKey> = process.directory.groups().into_iter().collect();
        let differs = found.symmetric_difference(&wanted).next();
        differs.map(|key| format!("{at} has {key}, or lacks it: {}", found.contains(key)))
    }

    /// Replicas are equal from the greater log start on, and know the same of producers.
    fn check_equal(&self) -> Result<(), Violation> {
        for (index, subject) in self.subjects.iter().enumerate() {
            let expected = subject.log.producers();
            let expected = known(&expected);
            for at in self.wished(index) {
                let Some(replica) = self.replica(at, index) else { continue };
                let view = replica.log.view();
                if view.end_offset() != subject.log.end || subject.seen[&at] != subject.log.end {
                    let (end, all) = (view.end_offset(), subject.log.end);
                    return Err(format!("group {index} at {at} ends at {end}, of {all}"));
                }
                let found = known(replica.log.producers());
                if index != METADATA_GROUP && found != expected {
                    return Err(format!(
                        "group {index} at {at}: producers {found:?}, and the log has {expected:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
