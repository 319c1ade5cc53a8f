//! The groups: where they are to have replicas, as a controller would say, and what brokers make
//! of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use logboom_controller::record::LeaderReport;
use logboom_protocol::units::Uuid;
use logboom_raft::{ReplicaId, Voters};
use logboom_storage::state::GroupKey;
use logboom_storage::{CompactionOptions, LogOptions};

use super::cluster::{Cluster, SOON};
use super::network::Way;
use super::oracle::{Committed, Violation};
use super::plan::{MILLISECOND, Plan};
use super::queue::Event;
use crate::partition::{Command, Opening, Seat, TimestampType, TopicSettings, Wish};

/// A group, and what is known of it by who sees everything.
pub(super) struct Subject {
    pub(super) key: GroupKey,
    pub(super) settings: Arc<TopicSettings>,
    pub(super) wish: Wish,
    founders: BTreeSet<usize>,
    /// Whether the voters were never others than the founders.
    is_founding: bool,
    /// Brokers that are to have a replica, by their places.
    pub(super) hosts: BTreeSet<usize>,
    /// The last report: epoch and control sequence.
    reported: (i32, i64),
    /// The places of the brokers whose replicas were in sync then.
    pub(super) in_sync: BTreeSet<usize>,
    pub(super) log: Committed,
    /// Who led in each epoch.
    pub(super) leaders: BTreeMap<i32, usize>,
    /// The last epoch in which something was committed.
    pub(super) established: i32,
    /// Up to where each broker's replica was read, exclusive.
    pub(super) seen: BTreeMap<usize, i64>,
}

impl Subject {
    fn new(index: usize, plan: &Plan, founders: BTreeSet<usize>, wish: Wish) -> Self {
        let topic_id = Uuid([u8::try_from(index).unwrap() + 1; 16]);
        Self {
            key: GroupKey { topic_id, partition: 0 },
            settings: settings(plan),
            wish,
            hosts: founders.clone(),
            founders,
            is_founding: true,
            reported: (-1, -1),
            in_sync: BTreeSet::new(),
            log: Committed::default(),
            leaders: BTreeMap::new(),
            established: -1,
            seen: BTreeMap::new(),
        }
    }

    /// The places of the brokers whose replicas are to vote.
    pub(super) fn wished(&self) -> BTreeSet<usize> {
        self.wish.voters.iter().map(|id| place(id.broker)).collect()
    }
}

/// Where a broker stands among all.
pub(super) fn place(broker: i32) -> usize {
    usize::try_from(broker - 1).unwrap()
}

fn settings(plan: &Plan) -> Arc<TopicSettings> {
    Arc::new(TopicSettings {
        log: LogOptions {
            segment_bytes: plan.segment_bytes,
            retention_bytes: plan.retention_bytes,
            retention_ms: -1,
            ..LogOptions::default()
        },
        max_message_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compression: None,
        is_compacted: false,
        compaction: CompactionOptions {
            segment_bytes: plan.segment_bytes,
            min_dirty_ratio: 0.5,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            delete_retention_ms: 0,
        },
        is_deleted: true,
        write_caching: false,
        min_insync_replicas: plan.min_insync_replicas,
        throttled: plan.throttled(),
    })
}

impl Cluster {
    /// Starts all brokers, and founds the groups.
    pub(super) fn found(&mut self) -> Result<(), Violation> {
        for at in 0..self.brokers.len() {
            self.start(at)?;
        }
        let all: Vec<usize> = (0..self.brokers.len()).collect();
        for index in 0..self.plan.groups {
            let count = self.chance.pick(&[1, 2, 3, 3, 3, 3, 4, 5]);
            let founders = self.chance.some(&all, count);
            let wish = self.wish_for(&founders, 0);
            let subject = Subject::new(index, &self.plan, founders.into_iter().collect(), wish);
            self.subjects.push(subject);
            self.spread(index);
        }
        Ok(())
    }

    fn id_of(&self, at: usize) -> ReplicaId {
        let broker = &self.brokers[at];
        ReplicaId { broker: broker.id, life: 0, directory: broker.directory.0 }
    }

    fn wish_for(&mut self, voters: &[usize], generation: i64) -> Wish {
        let leader = self.brokers[self.chance.pick(voters)].id;
        let voters = voters.iter().map(|at| self.id_of(*at)).collect();
        Wish { voters, generation, leader, is_wished: self.chance.permille(300) }
    }

    /// A broker is to lead as soon as it can.
    pub(super) fn wish_leader(&mut self, group: usize, at: usize) {
        let wish = &mut self.subjects[group].wish;
        (wish.leader, wish.is_wished) = (self.brokers[at].id, true);
        wish.generation += 1;
        self.spread(group);
    }

    /// Every broker learns what is wished for, sooner or later.
    fn spread(&mut self, group: usize) {
        for at in 0..self.brokers.len() {
            let time = self.now + self.chance.latency(5 * MILLISECOND);
            let start = self.brokers[at].starts;
            self.queue.push(time, Event::Learns { at, start, group });
        }
    }

    /// Something else is wished for.
    pub(super) fn wish(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let time = self.now + self.chance.between(1, 2 * self.plan.wishes);
        self.queue.push(time, Event::Wish);
        let group = self.chance.index(self.plan.groups);
        let subject = &self.subjects[group];
        let generation = subject.wish.generation + 1;
        let moves = self.chance.permille(300);
        let voters = if moves {
            let all: Vec<usize> = (0..self.brokers.len()).collect();
            let count = self.chance.pick(&[1, 2, 3, 3, 3, 3, 4, 5]);
            self.chance.some(&all, count)
        } else {
            subject.wished().into_iter().collect()
        };
        let wish = self.wish_for(&voters, generation);
        self.totals.moves += u64::from(moves);
        self.tell(|| format!("group {group}: {voters:?} are to vote, {} to lead", wish.leader - 1));
        let subject = &mut self.subjects[group];
        subject.wish = wish;
        subject.hosts.extend(voters);
        self.spread(group);
        Ok(())
    }

    /// A broker learns what is wished for a group.
    pub(super) fn learn(&mut self, at: usize, group: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Learns { at, start, group }) {
            return Ok(());
        }
        if self.brokers[at].turn.is_some_and(|turn| turn <= self.now + SOON) {
            // What it was told before is done first: a controller waits for it.
            self.queue.push(self.now + SOON + 1, Event::Learns { at, start, group });
            return Ok(());
        }
        let subject = &self.subjects[group];
        let Some(process) = &self.brokers[at].process else { return Ok(()) };
        let (key, wish) = (subject.key, subject.wish.clone());
        let is_here = process.registry.get(key.topic_id, key.partition).is_some();
        let state = process.directory.state();
        let (is_new, was_here) = state.group(&key, |state| {
            (state.is_none_or(|state| state.removed), state.is_some_and(|state| state.removed))
        });
        match (subject.hosts.contains(&at), is_here) {
            (true, true) => process.tell(Command::Wish(key, wish)),
            (true, false) => {
                if is_new {
                    let is_founder = subject.is_founding && subject.founders.contains(&at);
                    let founders = subject.founders.iter().map(|at| self.id_of(*at));
                    let voters = if is_founder { founders.collect() } else { Vec::new() };
                    let records = Seat::founding_records(&Voters::of(voters));
                    if process.directory.create_all(&[(key, &records)], 0).is_err() {
                        // Its disk has failed.
                        return Ok(());
                    }
                    self.totals.returns += u64::from(was_here);
                }
                let settings = Arc::clone(&subject.settings);
                let topic = "topic".into();
                let opening = Opening { key, topic, settings, is_new, wish: Some(wish) };
                drop(process.open(vec![opening]));
            }
            (false, true) => {
                let done = oneshot::channel().0;
                process.tell(Command::Delete { keys: vec![key], forget: false, done });
            }
            (false, false) => {}
        }
        self.wake(at);
        Ok(())
    }

    /// What leaders have reported.
    pub(super) fn take_reports(&mut self, at: usize) {
        while let Some(process) = &mut self.brokers[at].process
            && let Ok(report) = process.reports.try_recv()
        {
            self.take_report(&report);
        }
    }

    fn take_report(&mut self, report: &LeaderReport) {
        let is_it = |subject: &Subject| subject.key.topic_id == report.topic_id;
        let Some(group) = self.subjects.iter().position(is_it) else { return };
        let subject = &mut self.subjects[group];
        let reported = (report.leader_epoch, report.control_sequence);
        if reported < subject.reported {
            return;
        }
        let is_elected = report.leader_epoch > subject.reported.0;
        let is_granted = report.leader == subject.wish.leader;
        subject.reported = reported;
        subject.in_sync = report.isr.iter().map(|id| place(*id)).collect();
        if subject.wish.is_wished && (is_elected || is_granted) {
            // It holds until the next election.
            subject.wish.is_wished = false;
            self.spread(group);
        }
        let subject = &mut self.subjects[group];
        let voters: BTreeSet<usize> = report.voters.iter().map(|id| place(*id)).collect();
        subject.is_founding &= voters == subject.founders;
        if voters == subject.wished() && voters != subject.hosts {
            subject.hosts = voters;
            self.spread(group);
        }
    }

    /// A broker starts, on what is there.
    pub(super) fn start(&mut self, at: usize) -> Result<(), Violation> {
        if self.brokers[at].is_up() {
            return Ok(());
        }
        let before = self.brokers[at].disk.trace_len();
        let started = self.brokers[at].start(&mut self.chance);
        let process = started.map_err(|error| format!("{at}: no start: {error}"))?;
        let is_host = |key: &GroupKey| {
            self.subjects.iter().any(|it| it.key == *key && it.hosts.contains(&at))
        };
        let mut found = process.directory.groups();
        found.sort_unstable();
        let (kept, left): (Vec<_>, Vec<_>) = found.into_iter().partition(is_host);
        let removed = process.directory.remove(&left, false);
        removed.map_err(|error| format!("{at}: no removal: {error}"))?;
        let subjects = self.subjects.iter().filter(|it| kept.contains(&it.key));
        let openings = subjects.map(|subject| Opening {
            key: subject.key,
            topic: "topic".into(),
            settings: Arc::clone(&subject.settings),
            is_new: false,
            wish: Some(subject.wish.clone()),
        });
        let mut opened = process.open(openings.collect());
        let mut commands = process.shard.take_commands();
        if process.shard.turn(&mut commands).is_some() || !matches!(opened.try_recv(), Ok(Ok(()))) {
            return Err(format!("{at}: what it has is not opened"));
        }
        let (run, left_by) = (process.directory.run(), process.directory.left_by());
        self.tell(|| format!("{at}: starts, run {run}, after {left_by:?}, with {}", kept.len()));
        self.subjects.iter_mut().for_each(|subject| _ = subject.seen.remove(&at));
        if !self.subjects.is_empty() && self.is_ambushed(at, before) {
            return Ok(());
        }
        self.meet_others(at);
        let start = self.brokers[at].starts;
        for group in 0..self.subjects.len() {
            let time = self.now + self.chance.latency(5 * MILLISECOND);
            self.queue.push(time, Event::Learns { at, start, group });
        }
        self.wake(at);
        self.observe(at)
    }

    /// A broker that has started dials the others, and they find that their connections are gone.
    fn meet_others(&mut self, at: usize) {
        for way in self.network.ways() {
            let Way { from, to, .. } = way;
            if from == at {
                let time = self.now + self.chance.between(1, 20) * MILLISECOND;
                self.queue.push(time, Event::Connects { way, start: self.brokers[at].starts });
            } else if to == at {
                self.break_off(way);
            }
        }
    }
}
