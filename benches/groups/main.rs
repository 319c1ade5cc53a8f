//! The coordinator of groups alone, on one processor: a rebalance of many members and partitions,
//! and commits with the encoding of their records. No socket, no log.
//!
//! ```text
//! cargo run --release -p logboom-benches --bin groups
//! ```

use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};

use logboom_groups::{Coordinator, Effects, JoinRules, Joining, Now, Options, Reply, Ticket};
use logboom_protocol::CompactString;
use logboom_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use logboom_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use logboom_protocol::units::Uuid;

const MEMBERS: usize = 1_000;
const PARTITIONS: usize = 10_000;
/// Rounds of which the slowest is told.
const ROUNDS: usize = 10;
const COMMITS: usize = 500_000;
/// Groups that commit, each with so many partitions.
const GROUPS: usize = 1_000;
const GROUP_PARTITIONS: usize = 10;

/// A coordinator with its time, its tickets, and the bytes that it has written.
struct Bench {
    coordinator: Coordinator,
    now_ms: i64,
    tickets: u64,
    written: usize,
}

impl Bench {
    fn new() -> Self {
        let options = Options { initial_delay_ms: 0, ..Options::default() };
        Self { coordinator: Coordinator::new(options), now_ms: 1, tickets: 0, written: 0 }
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: 1_700_000_000_000 + self.now_ms }
    }

    /// Encodes what a step has made; gives its answers.
    fn take(&mut self, effects: Effects) -> Vec<(Ticket, Reply)> {
        for record in &effects.records {
            let encoded = record.encode().expect("names are short");
            self.written += encoded.key.len() + encoded.value.map_or(0, |value| value.len());
        }
        effects.replies
    }

    fn join(&mut self, member_id: &CompactString) -> Vec<(Ticket, Reply)> {
        self.tickets += 1;
        let mut random_id = Uuid::ZERO;
        random_id.0[..8].copy_from_slice(&self.tickets.to_be_bytes());
        let by = Joining {
            ticket: Ticket(self.tickets),
            client_id: "consumer-of-the-benchmark",
            client_host: "/192.168.100.100",
            random_id,
            rules: JoinRules::of_version(3),
        };
        let request = JoinGroupRequest {
            group_id: "benchmark".into(),
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 300_000,
            member_id: member_id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "cooperative-sticky".into(),
                metadata: subscription(),
            }],
            ..JoinGroupRequest::default()
        };
        let mut effects = Effects::default();
        self.coordinator.join(self.now(), by, &request, &mut effects);
        self.take(effects)
    }

    /// A generation: all members join, the leader assigns, all sync. Returns their ids.
    fn rebalance(&mut self, members: &[CompactString]) -> Vec<CompactString> {
        let mut replies = Vec::new();
        for member in members {
            replies.extend(self.join(member));
        }
        while replies.len() < members.len() {
            self.now_ms += 1;
            let mut effects = Effects::default();
            self.coordinator.tick(self.now(), &mut effects);
            replies.extend(self.take(effects));
        }
        let joined: Vec<_> = replies
            .into_iter()
            .map(|(_, reply)| match reply {
                Reply::Join(told) => told,
                Reply::Sync(_) => panic!("nobody has synced"),
            })
            .collect();
        let leader = joined.iter().find(|told| told.member_id == told.leader).expect("one leads");
        let ids: Vec<CompactString> = joined.iter().map(|told| told.member_id.clone()).collect();
        let mut synced = 0;
        for id in &ids {
            let assignments = if *id == leader.leader { assignments(&ids) } else { Vec::new() };
            let request = SyncGroupRequest {
                group_id: "benchmark".into(),
                generation_id: leader.generation_id,
                member_id: id.clone(),
                assignments,
                ..SyncGroupRequest::default()
            };
            self.tickets += 1;
            let mut effects = Effects::default();
            self.coordinator.sync(self.now(), Ticket(self.tickets), &request, &mut effects);
            synced += self.take(effects).len();
        }
        assert_eq!(synced, members.len(), "all are answered");
        ids
    }
}

/// A subscription of version 3 with what a sticky assignor keeps of ten partitions.
fn subscription() -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_slice(b"\0\x03\0\0\0\x01\0\x0fbenchmark-topic\0\0\0\x04\0\0\0\x01");
    bytes.put_slice(b"\0\0\0\x01\0\x0fbenchmark-topic\0\0\0\x0a");
    (0..10).for_each(|partition| bytes.put_i32(partition));
    bytes.put_slice(b"\0\0\0\x01\xff\xff");
    bytes.freeze()
}

/// Each member's share of the partitions.
fn assignments(ids: &[CompactString]) -> Vec<SyncGroupRequestAssignment> {
    let share = PARTITIONS / ids.len();
    let each = ids.iter().enumerate().map(|(at, id)| {
        let mut bytes = BytesMut::new();
        bytes.put_slice(b"\0\x01\0\0\0\x01\0\x0fbenchmark-topic");
        bytes.put_u32(u32::try_from(share).expect("few"));
        for partition in at * share..(at + 1) * share {
            bytes.put_u32(u32::try_from(partition).expect("few"));
        }
        bytes.put_slice(b"\xff\xff\xff\xff");
        SyncGroupRequestAssignment { member_id: id.clone(), assignment: bytes.freeze() }
    });
    each.collect()
}

fn rebalances() {
    let mut bench = Bench::new();
    let mut ids = vec![CompactString::default(); MEMBERS];
    let begun = Instant::now();
    ids = bench.rebalance(&ids);
    println!("first generation of {MEMBERS} members: {:?}", begun.elapsed());
    let mut slowest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        ids = bench.rebalance(&ids);
        slowest = slowest.max(begun.elapsed());
    }
    println!(
        "rebalance of {MEMBERS} members, {PARTITIONS} partitions: {slowest:?}, slowest of {ROUNDS}"
    );
}

fn commits() {
    let mut bench = Bench::new();
    let groups: Vec<CompactString> =
        (0..GROUPS).map(|group| format!("benchmark-group-{group}").into()).collect();
    let requests: Vec<OffsetCommitRequest> = (0..GROUPS * GROUP_PARTITIONS)
        .map(|number| OffsetCommitRequest {
            group_id: groups[number % GROUPS].clone(),
            generation_id_or_member_epoch: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: "benchmark-topic".into(),
                topic_id: Uuid([7; 16]),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: i32::try_from(number / GROUPS).expect("few"),
                    committed_offset: 1,
                    ..OffsetCommitRequestPartition::default()
                }],
            }],
            ..OffsetCommitRequest::default()
        })
        .collect();
    let begun = Instant::now();
    for request in requests.iter().cycle().take(COMMITS) {
        let mut effects = Effects::default();
        bench.coordinator.commit(bench.now(), request, 9, &mut effects);
        bench.take(effects);
    }
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = COMMITS as f64 / seconds;
    println!("{COMMITS} commits of one partition: {rate:.0} a second, {} bytes", bench.written);
}

fn main() {
    rebalances();
    commits();
}
