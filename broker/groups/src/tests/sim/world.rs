//! The world of the simulation: time, chance, the network, the log, and what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::String;
use std::vec::Vec;

use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use logboom_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use logboom_protocol::messages::offset_commit::OffsetCommitRequest;
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use super::client::{Client, Stage, TOPIC};
use crate::record::EncodedRecord;
use crate::tests::{assert_replays, replayed};
use crate::{Coordinator, Effects, JoinRules, Joining, Now, Options, Reply, Ticket};

/// Partitions of the topic.
const PARTITIONS: u8 = 24;
/// Milliseconds that a flush takes at the most.
const FLUSH_MAX_MS: u64 = 20;
/// How long a client waits for an answer.
const ANSWER_MAX_MS: i64 = 20_000;
const HEARTBEAT_MS: i64 = 3_000;
/// How long it has to be calm until everybody must have what is due.
const CALM_MS: i64 = 90_000;

/// How much of what happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    clients: usize,
    groups: u64,
    stormy_ms: i64,
    /// Of a thousand requests or answers, how many are lost.
    lost: u64,
}

impl Plan {
    /// Every seed has its own; every fourth has hundreds of members.
    pub(super) fn of(seed: u64) -> Self {
        let clients = if seed % 4 == 3 { 300 } else { 8 + usize::try_from(seed % 7).unwrap() * 6 };
        Self { clients, groups: 1 + seed % 3, stormy_ms: 240_000, lost: (seed % 5) * 15 }
    }
}

/// What goes over the network, to the coordinator and back.
#[derive(Debug, Clone)]
enum Message {
    Join(JoinGroupRequest),
    Sync(SyncGroupRequest),
    Beat(HeartbeatRequest),
    Commit(OffsetCommitRequest),
    Leave(LeaveGroupRequest),
    Joined(JoinGroupResponse),
    Synced(SyncGroupResponse),
    Beaten(ErrorCode),
    /// What was committed, and how it went.
    Committed(ErrorCode),
}

#[derive(Debug, Clone)]
enum Event {
    /// The message of a client's attempt arrives, wherever it goes; the connection is to that life
    /// of the coordinator, and ends with it.
    Arrive(usize, u64, u64, Message),
    /// A commit that was stuck on a connection that the client has given up.
    Stuck(usize, u64, OffsetCommitRequest),
    /// A client does what it does now and then.
    Act(usize, u64),
    /// The answer to an attempt didn't come.
    GiveUp(usize, u64, Stage),
    /// Records up to here are committed; of this life of the coordinator.
    Flushed(usize, u64),
    /// Something goes wrong somewhere.
    Storm,
}

/// An answer that waits until the log is committed so far.
struct Held {
    at: usize,
    client: usize,
    attempt: u64,
    message: Message,
    /// What it acknowledges.
    commit: Option<OffsetCommitRequest>,
}

/// The last acknowledged commit of a partition.
type Acknowledged = BTreeMap<(CompactString, i32), i64>;

pub(super) struct World {
    plan: Plan,
    random: u64,
    now_ms: i64,
    sequence: u64,
    events: BTreeMap<(i64, u64), Event>,
    coordinator: Coordinator,
    log: Vec<EncodedRecord>,
    committed: usize,
    /// Tells lives of the coordinator apart.
    life: u64,
    held: Vec<Held>,
    tickets: BTreeMap<Ticket, (usize, u64)>,
    clients: Vec<Client>,
    /// When the last message of a client arrives: one connection keeps the order.
    line_free_ms: Vec<i64>,
    /// Who owns which partition in which generation, as members were told.
    owners: BTreeMap<(CompactString, i32, u8), CompactString>,
    acknowledged: Acknowledged,
    counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(super) fn new(seed: u64, plan: Plan) -> Self {
        let mut world = Self {
            plan,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1,
            now_ms: 0,
            sequence: 0,
            events: BTreeMap::new(),
            coordinator: Coordinator::new(Options::default()),
            log: Vec::new(),
            committed: 0,
            life: 0,
            held: Vec::new(),
            tickets: BTreeMap::new(),
            clients: Vec::new(),
            line_free_ms: Vec::new(),
            owners: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            counts: BTreeMap::new(),
        };
        (0..plan.clients).for_each(|_| world.add_client());
        world.schedule(1_000, Event::Storm);
        world
    }

    pub(super) fn summary(&self) -> String {
        format!("{} members, {} records, {:?}", self.clients.len(), self.log.len(), self.counts)
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// A number below `limit`: splitmix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn delay(&mut self, limit_ms: u64) -> i64 {
        1 + i64::try_from(self.below(limit_ms)).unwrap()
    }

    fn schedule(&mut self, delay_ms: i64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now_ms + delay_ms, self.sequence), event);
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: 1_000_000 + self.now_ms }
    }

    fn is_stormy(&self) -> bool {
        self.now_ms < self.plan.stormy_ms
    }

    fn add_client(&mut self) {
        let group = format!("group-{}", self.below(self.plan.groups)).into();
        let index = self.clients.len();
        let is_static = self.below(4) == 0;
        let instance_id = is_static.then(|| format!("instance-{index}").into());
        self.clients.push(Client::new(group, instance_id));
        self.line_free_ms.push(0);
        let delay_ms = self.delay(20_000);
        self.schedule(delay_ms, Event::Act(index, 0));
    }

    /// Runs to the end, and checks what must hold all the time and then.
    pub(super) fn run(&mut self) {
        let end_ms = self.plan.stormy_ms + CALM_MS;
        while let Some(entry) = self.events.first_entry() {
            let ((at_ms, _), event) = entry.remove_entry();
            if at_ms > end_ms {
                break;
            }
            self.advance(at_ms);
            self.do_event(event);
        }
        self.check_calm();
    }

    /// Lets time pass, and the coordinator do what comes due.
    fn advance(&mut self, at_ms: i64) {
        while let Some(due_ms) = self.coordinator.next_deadline_ms().filter(|due| *due <= at_ms) {
            self.now_ms = due_ms.max(self.now_ms);
            let mut effects = Effects::default();
            self.coordinator.tick(self.now(), &mut effects);
            self.take(effects);
            self.release();
        }
        self.now_ms = at_ms;
    }

    fn do_event(&mut self, event: Event) {
        match event {
            Event::Arrive(client, attempt, life, message) if life == self.life => {
                self.arrive(client, attempt, message);
            }
            Event::Stuck(client, life, commit) if life == self.life => {
                // Within a generation a client doesn't overtake itself.
                if self.clients[client].generation != commit.generation_id_or_member_epoch {
                    self.count("stuck commits");
                    self.ask(client, u64::MAX, Message::Commit(commit));
                }
            }
            Event::Arrive(..) | Event::Stuck(..) => {}
            Event::Act(client, attempt) => self.act(client, attempt),
            Event::GiveUp(client, attempt, stage) => {
                let one = &mut self.clients[client];
                if one.attempt == attempt && one.stage == stage {
                    one.rejoin(false);
                    let attempt = one.attempt;
                    self.count("given up");
                    self.act(client, attempt);
                }
            }
            Event::Flushed(end, life) if life == self.life => {
                self.committed = self.committed.max(end);
                self.release();
            }
            Event::Flushed(..) => {}
            Event::Storm => self.storm(),
        }
    }

    /// Sends a message of a client, or to it. Some are lost, none overtakes another.
    fn send(&mut self, client: usize, attempt: u64, message: Message) {
        if self.is_stormy() && self.below(1_000) < self.plan.lost {
            return self.count("lost");
        }
        if let Message::Commit(commit) = &message
            && self.is_stormy()
            && self.below(10) == 0
        {
            let delay_ms = self.delay(30_000);
            return self.schedule(delay_ms, Event::Stuck(client, self.life, commit.clone()));
        }
        let slowness = if self.is_stormy() && self.below(20) == 0 { 4_000 } else { 30 };
        let arrives_ms = (self.now_ms + self.delay(slowness)).max(self.line_free_ms[client]);
        self.line_free_ms[client] = arrives_ms;
        let arrival = Event::Arrive(client, attempt, self.life, message);
        self.schedule(arrives_ms - self.now_ms, arrival);
    }

    /// A client that is not hanging does what comes next.
    fn act(&mut self, index: usize, attempt: u64) {
        let client = &self.clients[index];
        if client.attempt != attempt || client.stage == Stage::Gone {
            return;
        }
        if client.hangs_until_ms > self.now_ms {
            let delay_ms = client.hangs_until_ms - self.now_ms;
            return self.schedule(delay_ms, Event::Act(index, attempt));
        }
        let stage = client.stage;
        match stage {
            Stage::Joining => {
                let request = client.join_request();
                self.send(index, attempt, Message::Join(request));
            }
            Stage::Syncing => {
                let request = client.sync_request(PARTITIONS);
                self.send(index, attempt, Message::Sync(request));
            }
            Stage::Reading => return self.read(index, attempt),
            Stage::Gone => {}
        }
        self.schedule(ANSWER_MAX_MS, Event::GiveUp(index, attempt, stage));
    }

    /// Reads on, commits, and says that it is there.
    fn read(&mut self, index: usize, attempt: u64) {
        let steps = i64::try_from(self.below(5)).unwrap();
        let client = &mut self.clients[index];
        client.owned.values_mut().for_each(|offset| *offset += steps);
        let beat = HeartbeatRequest {
            group_id: client.group.clone(),
            generation_id: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
        };
        let commit = client.commit_request();
        if !client.owned.is_empty() {
            self.send(index, attempt, Message::Commit(commit));
        }
        self.send(index, attempt, Message::Beat(beat));
        self.schedule(HEARTBEAT_MS, Event::Act(index, attempt));
    }

    fn arrive(&mut self, index: usize, attempt: u64, message: Message) {
        match message {
            // Requests of a connection that was given up arrive nevertheless.
            Message::Join(_)
            | Message::Sync(_)
            | Message::Beat(_)
            | Message::Commit(_)
            | Message::Leave(_) => self.ask(index, attempt, message),
            answer if self.clients[index].attempt == attempt => self.hear(index, answer),
            _ => {}
        }
    }

    /// The coordinator takes a request.
    fn ask(&mut self, index: usize, attempt: u64, message: Message) {
        let (now, mut effects) = (self.now(), Effects::default());
        self.sequence += 1;
        let ticket = Ticket(self.sequence);
        let mut answer = None;
        let mut commit = None;
        match message {
            Message::Join(request) => {
                let (high, low) = (self.below(u64::MAX), self.sequence);
                let mut random_id = Uuid::ZERO;
                random_id.0[..8].copy_from_slice(&high.to_be_bytes());
                random_id.0[8..].copy_from_slice(&low.to_be_bytes());
                let rules = JoinRules::of_version(9);
                let (client_id, client_host) = ("c", "/127.0.0.1");
                let by = Joining { ticket, client_id, client_host, random_id, rules };
                self.tickets.insert(ticket, (index, attempt));
                self.coordinator.join(now, by, &request, &mut effects);
            }
            Message::Sync(request) => {
                self.tickets.insert(ticket, (index, attempt));
                self.coordinator.sync(now, ticket, &request, &mut effects);
            }
            Message::Beat(request) => {
                answer = Some(Message::Beaten(self.coordinator.heartbeat(now, &request)));
            }
            Message::Commit(request) => {
                let told = self.coordinator.commit(now, &request, 9, &mut effects);
                let code = told.topics[0].partitions[0].error_code;
                answer = Some(Message::Committed(code));
                commit = code.is_none().then_some(request);
            }
            Message::Leave(request) => {
                self.coordinator.leave(now, &request, &mut effects);
            }
            _ => unreachable!("answers go to clients"),
        }
        self.take(effects);
        if let Some(message) = answer {
            self.hold(index, attempt, message, commit);
        }
        self.release();
    }

    /// Appends the records of a step and has them flushed; holds its answers.
    fn take(&mut self, effects: Effects) {
        let has_records = !effects.records.is_empty();
        for record in effects.records {
            self.log.push(record.encode().unwrap());
        }
        if has_records {
            let delay_ms = self.delay(FLUSH_MAX_MS);
            self.schedule(delay_ms, Event::Flushed(self.log.len(), self.life));
        }
        for (ticket, reply) in effects.replies {
            let (client, attempt) = self.tickets.remove(&ticket).expect("answered once");
            let message = match reply {
                Reply::Join(told) => Message::Joined(told),
                Reply::Sync(told) => Message::Synced(told),
            };
            self.hold(client, attempt, message, None);
        }
    }

    fn hold(
        &mut self,
        client: usize,
        attempt: u64,
        message: Message,
        commit: Option<OffsetCommitRequest>,
    ) {
        let at = self.log.len();
        self.held.push(Held { at, client, attempt, message, commit });
    }

    /// Lets answers go whose records are committed.
    fn release(&mut self) {
        let (ready, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|one: &Held| one.at <= self.committed);
        self.held = held;
        for Held { client, attempt, message, commit, .. } in ready {
            if let Some(commit) = commit {
                self.note_acknowledged(&commit);
            }
            if let Message::Synced(told) = &message {
                self.note_owner(client, told);
            }
            self.send(client, attempt, message);
        }
    }

    fn note_acknowledged(&mut self, commit: &OffsetCommitRequest) {
        for one in &commit.topics[0].partitions {
            let key = (commit.group_id.clone(), one.partition_index);
            let before = self.acknowledged.insert(key, one.committed_offset);
            assert!(
                before.is_none_or(|before| before <= one.committed_offset),
                "partition {} of {} went from {before:?} back to {}",
                one.partition_index,
                commit.group_id,
                one.committed_offset
            );
            self.counts.entry("commits").and_modify(|count| *count += 1).or_insert(1);
        }
    }

    /// Nobody else may have been told that it owns the same.
    fn note_owner(&mut self, client: usize, told: &SyncGroupResponse) {
        let one = &self.clients[client];
        if !told.error_code.is_none() || one.stage != Stage::Syncing {
            return;
        }
        // A static member's successor has its partitions under another id.
        let owner = one.instance_id.clone().unwrap_or_else(|| one.member_id.clone());
        let (group, generation) = (one.group.clone(), one.generation);
        for partition in told.assignment.iter().copied() {
            let key = (group.clone(), generation, partition);
            let before = self.owners.insert(key, owner.clone());
            assert!(
                before.as_ref().is_none_or(|before| *before == owner),
                "partition {partition} of {group} in generation {generation}: {before:?}, {owner}"
            );
        }
    }

    /// A client takes an answer.
    fn hear(&mut self, index: usize, message: Message) {
        let client = &mut self.clients[index];
        let code = match &message {
            Message::Joined(told) => told.error_code,
            Message::Synced(told) => told.error_code,
            Message::Beaten(code) | Message::Committed(code) => *code,
            _ => unreachable!("requests go to the coordinator"),
        };
        match (&message, code) {
            (Message::Joined(told), ErrorCode::NONE) if client.stage == Stage::Joining => {
                client.on_joined(told);
            }
            (Message::Joined(told), ErrorCode::MEMBER_ID_REQUIRED) => {
                client.rejoin(false);
                client.member_id = told.member_id.clone();
            }
            (Message::Synced(told), ErrorCode::NONE) if client.stage == Stage::Syncing => {
                client.stage = Stage::Reading;
                let (group, owned) = (client.group.clone(), told.assignment.clone());
                self.begin_reading(index, &group, &owned);
                self.count("assignments");
            }
            (_, ErrorCode::NONE) => return,
            (_, ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION) => {
                client.rejoin(false);
            }
            (_, ErrorCode::UNKNOWN_MEMBER_ID) => client.rejoin(true),
            (_, ErrorCode::FENCED_INSTANCE_ID) => {
                // Its former self, or a duplicate: begins anew as any restarted process would.
                client.rejoin(true);
                self.count("fenced");
            }
            (_, other) => panic!("{message:?}: {other}"),
        }
        let attempt = self.clients[index].attempt;
        let delay_ms = if code.is_none() { 1 } else { self.delay(300) };
        self.schedule(delay_ms, Event::Act(index, attempt));
    }

    /// Begins where others have committed, of what is committed in the log.
    fn begin_reading(&mut self, index: usize, group: &CompactString, owned: &[u8]) {
        for partition in owned {
            let key = (group.clone(), i32::from(*partition));
            let known = self.committed_offset(&key);
            self.clients[index].owned.insert(key.1, known);
        }
    }

    fn committed_offset(&self, (group, partition): &(CompactString, i32)) -> i64 {
        let group = self.coordinator.groups.get(group);
        let stored = group.and_then(|group| group.offsets.get(TOPIC, *partition));
        stored.map_or(0, |stored| stored.value.offset)
    }

    fn storm(&mut self) {
        if !self.is_stormy() {
            // The last thing that goes wrong; nobody tells the coordinator.
            let killed = self.clients.iter_mut().step_by(5);
            return killed.for_each(|client| client.stage = Stage::Gone);
        }
        let index = usize::try_from(self.below(self.clients.len() as u64)).unwrap();
        match self.below(10) {
            0 => self.restart(),
            1 | 2 => self.add_client(),
            3 => self.leave(index),
            4 => {
                self.clients[index].stage = Stage::Gone;
                self.count("killed");
            }
            5 | 6 => {
                self.clients[index].hangs_until_ms = self.now_ms + 25_000;
                self.count("hung");
            }
            // A process that ends and begins again; a static member keeps its name.
            7 | 8 if self.clients[index].stage != Stage::Gone => {
                self.clients[index].rejoin(true);
                let attempt = self.clients[index].attempt;
                self.count("restarted members");
                self.schedule(500, Event::Act(index, attempt));
            }
            _ => {}
        }
        self.check();
        let often = if self.plan.clients > 100 { 3_000 } else { 8_000 };
        let delay_ms = self.delay(often);
        self.schedule(delay_ms, Event::Storm);
    }

    fn leave(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let member = MemberIdentity {
            member_id: client.member_id.clone(),
            group_instance_id: client.instance_id.clone(),
            reason: None,
        };
        let request = LeaveGroupRequest {
            group_id: client.group.clone(),
            members: Vec::from([member]),
            ..LeaveGroupRequest::default()
        };
        client.stage = Stage::Gone;
        let attempt = client.attempt;
        self.count("left");
        self.send(index, attempt, Message::Leave(request));
    }

    /// The coordinator goes down, with it what isn't committed, and comes back from its log.
    fn restart(&mut self) {
        self.log.truncate(self.committed);
        self.held.clear();
        self.tickets.clear();
        self.life += 1;
        self.coordinator = replayed(Options::default(), &self.log);
        let mut effects = Effects::default();
        self.coordinator.on_loaded(self.now(), &mut effects);
        self.take(effects);
        self.count("restarts");
    }

    /// What must hold at any time.
    fn check(&self) {
        for (key, offset) in &self.acknowledged {
            let known = self.committed_offset(key);
            assert!(known >= *offset, "{key:?}: {offset} was acknowledged, and {known} is known");
        }
        assert_replays(&self.coordinator, &self.log);
    }

    /// What must hold when nothing has gone wrong for a while.
    fn check_calm(&self) {
        self.check();
        let groups: BTreeSet<&CompactString> = self.clients.iter().map(|one| &one.group).collect();
        for group in groups {
            let members = self.clients.iter().filter(|one| one.group == *group);
            let members: Vec<&Client> = members.filter(|one| one.stage != Stage::Gone).collect();
            let owned: Vec<i32> =
                members.iter().flat_map(|one| one.owned.keys().copied()).collect();
            let distinct: BTreeSet<i32> = owned.iter().copied().collect();
            let all: BTreeSet<i32> = (0..PARTITIONS.into()).collect();
            assert!(members.is_empty() || distinct == all, "{group}: {distinct:?} have owners");
            assert_eq!(owned.len(), distinct.len(), "{group}: {owned:?}");
            let generations: BTreeSet<i32> = members.iter().map(|one| one.generation).collect();
            assert!(generations.len() <= 1, "{group}: members in {generations:?}");
        }
    }
}
