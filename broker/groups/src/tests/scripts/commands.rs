//! The commands of scripts.

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use bytes::Bytes;

use logboom_protocol::CompactString;
use logboom_protocol::messages::heartbeat::HeartbeatRequest;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use logboom_protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use logboom_protocol::messages::list_groups::ListGroupsRequest;
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use logboom_protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use logboom_protocol::units::Uuid;

use super::print;
use crate::record::EncodedRecord;
use crate::tests::{assert_replays, replayed};
use crate::{Coordinator, Effects, GroupFilter, JoinRules, Joining, Now, Options, Reply, Ticket};

/// A random id as scripts have it, before its number.
const RANDOM: &str = "-00000000-0000-0000-0000-0000000000";
/// Milliseconds since the epoch when a script begins.
const BEGUN_MS: i64 = 1_000_000;

/// What a script works on.
pub(super) struct World {
    coordinator: Coordinator,
    now_ms: i64,
    log: Vec<EncodedRecord>,
    /// Who waits by which ticket.
    waiting: BTreeMap<Ticket, String>,
    tickets: u64,
    members: u8,
    pub(super) output: String,
}

impl Default for World {
    fn default() -> Self {
        Self {
            coordinator: Coordinator::new(Options::default()),
            now_ms: 0,
            log: Vec::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
            members: 0,
            output: String::new(),
        }
    }
}

/// A command: its name, what it is about, and `key=value` in order.
struct Line<'a> {
    name: &'a str,
    group: CompactString,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let group = words.clone().next().filter(|word| !word.contains('=')).unwrap_or_default();
        let pairs = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        Self { name, group: group.into(), pairs }
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn text(&self, key: &str, default: &'a str) -> &'a str {
        self.get(key).unwrap_or(default)
    }

    fn number(&self, key: &str, default: i64) -> i64 {
        self.get(key).map_or(default, |value| value.parse().unwrap())
    }

    fn int(&self, key: &str, default: i32) -> i32 {
        self.number(key, default.into()).try_into().unwrap()
    }

    fn instance(&self) -> Option<CompactString> {
        self.get("instance").map(Into::into)
    }

    /// Those pairs whose keys are partitions, `topic-0`.
    fn partitions(&self) -> impl Iterator<Item = (CompactString, i32, &'a str)> {
        self.pairs.iter().filter_map(|(key, value)| {
            let (topic, partition) = key.rsplit_once('-')?;
            Some((topic.into(), partition.parse().ok()?, *value))
        })
    }
}

/// An id as a script writes it, `client-3`, at full length.
fn long(id: &str) -> CompactString {
    match id.rsplit_once('-') {
        Some((name, number)) if number.len() < 3 => format!("{name}{RANDOM}{number:0>2}").into(),
        _ => id.into(),
    }
}

/// What a member says in a protocol: as it stands, or `@t+u`, a consumer's subscription to topics.
fn metadata_of(text: &str) -> Bytes {
    let Some(topics) = text.strip_prefix('@') else {
        return Bytes::copy_from_slice(text.as_bytes());
    };
    let topics: Vec<&str> = topics.split('+').collect();
    let mut bytes = std::vec![0, 0, 0, 0, 0, u8::try_from(topics.len()).unwrap()];
    for topic in topics {
        bytes.extend([0, u8::try_from(topic.len()).unwrap()]);
        bytes.extend(topic.as_bytes());
    }
    bytes.extend([0xff; 4]);
    bytes.into()
}

impl World {
    pub(super) fn run(&mut self, line: &str) {
        let line = Line::parse(line);
        let mut effects = Effects::default();
        let said = match line.name {
            "option" => self.option(&line),
            "wait" => self.wait(&line, &mut effects),
            "live" => self.live(&line, &mut effects),
            "join" => self.join(&line, &mut effects),
            "sync" => self.sync(&line, &mut effects),
            "beat" => self.beat(&line),
            "leave" => self.leave(&line, &mut effects),
            "commit" => self.commit(&line, &mut effects),
            "fetch" => self.fetch(&line),
            "describe" => self.describe(&line),
            "list" => self.list(&line),
            "delete" => match self.coordinator.delete(&line.group, &mut effects) {
                Ok(()) => "ok".to_string(),
                Err(code) => print::error(code),
            },
            "offset-delete" => self.offset_delete(&line, &mut effects),
            "forget-topic" => {
                let gone = line.group.clone();
                self.coordinator.forget_topics(|topic, _, _| topic == gone, &mut effects);
                String::new()
            }
            "expire" => format!("{} forgotten", self.coordinator.expire(self.now(), &mut effects)),
            "restart" => self.restart(&mut effects),
            other => panic!("no command {other}"),
        };
        self.say(&said);
        self.take(effects);
        assert_replays(&self.coordinator, &self.log);
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: BEGUN_MS + self.now_ms }
    }

    fn say(&mut self, said: &str) {
        let random = RANDOM.to_string();
        for line in said.lines() {
            let short = line.replace(&(random.clone() + "0"), "-").replace(&random, "-");
            self.output.push_str(&short);
            self.output.push('\n');
        }
    }

    fn take(&mut self, effects: Effects) {
        for record in &effects.records {
            self.log.push(record.encode().unwrap());
            self.say(&format!("record: {}", print::record(record)));
        }
        for (ticket, reply) in effects.replies {
            let who = self.waiting.remove(&ticket).expect("it is answered once");
            let told = match reply {
                Reply::Join(told) => print::join(&told),
                Reply::Sync(told) => print::sync(&told),
            };
            self.say(&format!("{who}: {told}"));
        }
    }

    fn ticket(&mut self, who: &str) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(Ticket(self.tickets), who.to_string());
        Ticket(self.tickets)
    }

    fn option(&mut self, line: &Line<'_>) -> String {
        let mut options = *self.coordinator.options();
        let size = |key, before: usize| line.get(key).map_or(before, |v| v.parse().unwrap());
        options.initial_delay_ms = line.int("initial_delay_ms", options.initial_delay_ms);
        options.members_max = size("members_max", options.members_max);
        options.groups_max = size("groups_max", options.groups_max);
        options.bytes_max = size("bytes_max", options.bytes_max);
        self.coordinator = replayed(options, &self.log);
        String::new()
    }

    fn wait(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        self.pass(line.pairs[0].0.parse().unwrap(), effects);
        String::new()
    }

    /// Lets time pass, and does what comes due when it does.
    fn pass(&mut self, wait_ms: i64, effects: &mut Effects) {
        let end_ms = self.now_ms + wait_ms;
        while self.now_ms < end_ms {
            let next_ms = self.coordinator.next_deadline_ms().unwrap_or(end_ms);
            self.now_ms = next_ms.clamp(self.now_ms + 1, end_ms);
            self.coordinator.tick(self.now(), effects);
        }
    }

    /// Lets time pass in which a member heartbeats every thousand seconds.
    fn live(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        let mut left_ms = line.number("for", 0);
        while left_ms > 0 {
            let next_ms = left_ms.min(1_000_000);
            self.pass(next_ms, effects);
            left_ms -= next_ms;
            assert_eq!(self.beat(line), "ok");
        }
        String::new()
    }

    fn join(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        self.members += 1;
        let version = line.int("v", 9).try_into().unwrap();
        let protocols = line.text("speaks", "range:t").split(',').map(|one| {
            let (name, metadata) = one.split_once(':').unwrap_or((one, ""));
            JoinGroupRequestProtocol { name: name.into(), metadata: metadata_of(metadata) }
        });
        let request = JoinGroupRequest {
            group_id: line.group.clone(),
            session_timeout_ms: line.int("session", 10_000),
            rebalance_timeout_ms: line.int("rebalance", 30_000),
            member_id: long(line.text("id", "")),
            group_instance_id: line.instance(),
            protocol_type: line.text("type", "consumer").into(),
            protocols: protocols.filter(|one| !one.name.is_empty()).collect(),
            reason: None,
        };
        let mut random_id = Uuid::ZERO;
        // Two decimal digits, as they are read.
        random_id.0[15] = self.members / 10 * 16 + self.members % 10;
        let client_id = line.text("as", "c");
        let by = Joining {
            ticket: self.ticket(client_id),
            client_id,
            client_host: "/127.0.0.1",
            random_id,
            rules: JoinRules::of_version(version),
        };
        self.coordinator.join(self.now(), by, &request, effects);
        String::new()
    }

    fn sync(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        let assignments = line.text("assigns", "").split(',').filter_map(|one| {
            let (id, what) = one.split_once(':')?;
            let assignment = Bytes::copy_from_slice(what.as_bytes());
            Some(SyncGroupRequestAssignment { member_id: long(id), assignment })
        });
        let request = SyncGroupRequest {
            group_id: line.group.clone(),
            generation_id: line.int("generation", 1),
            member_id: long(line.text("id", "")),
            group_instance_id: line.instance(),
            protocol_type: line.get("type").map(Into::into),
            protocol_name: line.get("protocol").map(Into::into),
            assignments: assignments.collect(),
        };
        let ticket = self.ticket(&format!("{} syncs", line.text("id", "")));
        self.coordinator.sync(self.now(), ticket, &request, effects);
        String::new()
    }

    fn beat(&mut self, line: &Line<'_>) -> String {
        let request = HeartbeatRequest {
            group_id: line.group.clone(),
            generation_id: line.int("generation", 1),
            member_id: long(line.text("id", "")),
            group_instance_id: line.instance(),
        };
        print::error(self.coordinator.heartbeat(self.now(), &request))
    }

    fn leave(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        let mut members: Vec<MemberIdentity> = Vec::new();
        for (key, value) in &line.pairs {
            match *key {
                "id" => members
                    .push(MemberIdentity { member_id: long(value), ..MemberIdentity::default() }),
                "instance" => match members.last_mut() {
                    Some(last) if last.group_instance_id.is_none() => {
                        last.group_instance_id = Some((*value).into());
                    }
                    _ => panic!("id= comes first, empty if need be"),
                },
                _ => {}
            }
        }
        let request = LeaveGroupRequest {
            group_id: line.group.clone(),
            members,
            ..LeaveGroupRequest::default()
        };
        let told = self.coordinator.leave(self.now(), &request, effects);
        let each = told.members.iter().map(|one| print::error(one.error_code));
        each.collect::<Vec<String>>().join(" ")
    }

    fn commit(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        let topics = line.partitions().map(|(name, partition_index, offset)| {
            let partition = OffsetCommitRequestPartition {
                partition_index,
                committed_offset: offset.parse().unwrap(),
                committed_metadata: line.get("metadata").map(Into::into),
                ..OffsetCommitRequestPartition::default()
            };
            OffsetCommitRequestTopic { name, partitions: [partition].into(), ..Default::default() }
        });
        let request = OffsetCommitRequest {
            group_id: line.group.clone(),
            generation_id_or_member_epoch: line.int("generation", -1),
            member_id: long(line.text("id", "")),
            group_instance_id: line.instance(),
            retention_time_ms: line.number("retention", -1),
            topics: topics.collect(),
        };
        let version = line.int("v", 9).try_into().unwrap();
        let told = self.coordinator.commit(self.now(), &request, version, effects);
        let each = told.topics.iter().flat_map(|topic| &topic.partitions);
        each.map(|one| print::error(one.error_code)).collect::<Vec<String>>().join(" ")
    }

    fn fetch(&mut self, line: &Line<'_>) -> String {
        let topics = line.partitions().map(|(name, partition, _)| OffsetFetchRequestTopics {
            name,
            partition_indexes: [partition].into(),
            ..OffsetFetchRequestTopics::default()
        });
        let request = OffsetFetchRequestGroup {
            group_id: line.group.clone(),
            topics: line.get("all").is_none().then(|| topics.collect()),
            ..OffsetFetchRequestGroup::default()
        };
        let told = self.coordinator.fetch(&request, line.get("stable").is_some());
        let each = told.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| {
                let metadata = one.metadata.as_deref().unwrap_or("null");
                format!(
                    "{}-{}={} {metadata:?}",
                    topic.name, one.partition_index, one.committed_offset
                )
            })
        });
        format!("committed: {}", each.collect::<Vec<String>>().join(", "))
    }

    fn describe(&mut self, line: &Line<'_>) -> String {
        let version = line.int("v", 6).try_into().unwrap();
        let told = self.coordinator.describe(&line.group, version);
        let members = told.members.iter().map(|one| {
            let (says, has) =
                (print::text(&one.member_metadata), print::text(&one.member_assignment));
            format!("{}:{says}>{has}", one.member_id)
        });
        format!(
            "{} {} type={:?} protocol={:?} members=[{}]",
            print::error(told.error_code),
            told.group_state,
            told.protocol_type,
            told.protocol_data,
            members.collect::<Vec<String>>().join(",")
        )
    }

    fn list(&mut self, line: &Line<'_>) -> String {
        let words = |key| -> Vec<CompactString> {
            line.get(key).map(|all| all.split(',').map(Into::into).collect()).unwrap_or_default()
        };
        let request =
            ListGroupsRequest { states_filter: words("states"), types_filter: words("types") };
        let told = self.coordinator.list(&GroupFilter::of(&request));
        let each = told.iter().map(|one| {
            format!("{} {} {} {}", one.group_id, one.group_state, one.group_type, one.protocol_type)
        });
        each.collect::<Vec<String>>().join("\n")
    }

    fn offset_delete(&mut self, line: &Line<'_>, effects: &mut Effects) -> String {
        let topics = line.partitions().map(|(name, partition_index, _)| {
            let partitions = [OffsetDeleteRequestPartition { partition_index }].into();
            OffsetDeleteRequestTopic { name, partitions }
        });
        let request =
            OffsetDeleteRequest { group_id: line.group.clone(), topics: topics.collect() };
        let told = self.coordinator.delete_offsets(&request, effects);
        let each = told.topics.iter().flat_map(|topic| &topic.partitions);
        let each = each.map(|one| print::error(one.error_code)).collect::<Vec<String>>();
        format!("{} {}", print::error(told.error_code), each.join(" "))
    }

    /// A new coordinator that has the records only; who waits gets no answer.
    fn restart(&mut self, effects: &mut Effects) -> String {
        self.coordinator = replayed(*self.coordinator.options(), &self.log);
        self.coordinator.on_loaded(self.now(), effects);
        self.waiting.clear();
        format!("replayed {} records", self.log.len())
    }
}
