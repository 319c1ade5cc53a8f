//! When nothing goes wrong any more everything gets well, within a bounded time, and falls asleep.

use logboom_raft::{Group, Role};
use logboom_storage::producers::{ProducerEntry, Producers};

use super::cluster::Cluster;
use super::oracle::Violation;
use super::plan::{CALM, MILLISECOND, SECOND};
use super::queue::Event;
use crate::partition::replica::Replica;

/// What a log knows of its producers: epochs, the last offsets, and the sequence numbers that come
/// next. Of batches before its start it may know fewer.
fn known(producers: &Producers) -> Vec<(i64, i16, i64, i32)> {
    let known = |(id, entry): (i64, &ProducerEntry)| {
        (id, entry.epoch(), entry.last_offset(), entry.next_sequence())
    };
    producers.entries().map(known).collect()
}

impl Cluster {
    /// From now on nothing goes wrong.
    fn calm(&mut self) {
        self.tell(|| "nothing goes wrong any more".into());
        self.is_calm = true;
        self.plan.loss = 0;
        self.plan.flush = self.plan.flush.min(MILLISECOND);
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
                for group in 0..self.plan.groups {
                    self.send_records(client, group, self.now < since + SECOND);
                }
            }
            self.restart_failed();
            let took = self.now - since;
            match self.what_ails() {
                None if took > SECOND => {
                    self.totals.calm = took / MILLISECOND;
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
        process.shard.replicas.get(&self.subjects[group].key)
    }

    /// What is still missing, if anything.
    fn what_ails(&self) -> Option<String> {
        let ill = |group| self.what_ails_group(group).map(|why| format!("group {group}: {why}"));
        let group = (0..self.subjects.len()).find_map(ill);
        let clients = (!self.is_all_acknowledged()).then(|| "clients wait".to_owned());
        group.or(clients)
    }

    fn what_ails_group(&self, index: usize) -> Option<String> {
        let subject = &self.subjects[index];
        let wished = subject.wished();
        let all = 0..self.brokers.len();
        let hosts = all.filter(|at| self.replica(*at, index).is_some());
        if !hosts.eq(wished.iter().copied()) {
            return Some(format!("replicas are wished for at {wished:?}, {:?}", subject.hosts));
        }
        let replica = |at: &usize| self.replica(*at, index);
        let group = |at: &usize| replica(at).map(|replica| &*replica.group);
        let leads = |at: &&usize| group(at).is_some_and(|it| it.role() == Role::Leader);
        let mut leaders = wished.iter().filter(leads);
        let (Some(at), None) = (leaders.next(), leaders.next()) else {
            let roles = wished.iter().filter_map(group).map(Group::role);
            return Some(format!("not one leads: {:?}", roles.collect::<Vec<_>>()));
        };
        let (leader, process) = (replica(at)?, self.brokers[*at].process.as_ref()?);
        let voters = leader.group.voters();
        if voters.is_joint() || voters.incoming.len() != wished.len() {
            return Some(format!("{voters} vote, and {wished:?} are to"));
        }
        if !process.shard.leads_surely(leader) {
            let may = leader.group.may_hold_lease();
            return Some(format!("{at} leads, and has no lease; it may have one: {may}"));
        }
        let wish = &subject.wish;
        if wish.is_wished && wish.leader != self.brokers[*at].id {
            return Some(format!("{at} leads, and {} is to", wish.leader - 1));
        }
        let end = (leader.group.history().end(), leader.log.end_offset());
        for other in &wished {
            let replica = replica(other)?;
            let (core, view) = (&replica.group, replica.log.view());
            let has_all = (core.history().end(), replica.log.end_offset()) == end;
            if !has_all || core.commit() != end.0 || view.high_watermark() != end.1 {
                let (commit, end) = (core.commit(), core.history().end());
                return Some(format!("{other} is at {commit} of {end}, {at} at {}", end));
            }
        }
        None
    }

    /// Replicas are equal from the greater log start on, and know the same of producers.
    fn check_equal(&self) -> Result<(), Violation> {
        for (index, subject) in self.subjects.iter().enumerate() {
            let expected = subject.log.producers();
            let expected = known(&expected);
            for at in subject.wished() {
                let Some(replica) = self.replica(at, index) else { continue };
                let view = replica.log.view();
                if view.end_offset() != subject.log.end || subject.seen[&at] != subject.log.end {
                    let (end, all) = (view.end_offset(), subject.log.end);
                    return Err(format!("group {index} at {at} ends at {end}, of {all}"));
                }
                let found = known(replica.log.producers());
                if found != expected {
                    return Err(format!(
                        "group {index} at {at}: producers {found:?}, and the log has {expected:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}
