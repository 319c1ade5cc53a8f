//! Appends of groups that fail: the broker stands on a simulated disk, whose calls fail when the
//! test says so. Members are told to come again, what was acknowledged is there, and a coordinator
//! doesn't know what its log doesn't have.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use logboom_controller::config::StaticConfig;
use logboom_protocol::Request;
use logboom_protocol::messages::join_group::JoinGroupResponse;
use logboom_protocol::messages::sync_group::SyncGroupResponse;
use logboom_storage::DirectoryOptions;
use logboom_storage::sim::{Fault, Operation, SimDisk};
use logboom_storage::state::OpenMark;

use super::*;
use crate::machine::Machine;
use crate::testing::TestClient;
use crate::{Broker, Config};

/// The numbers of EIO and ENOSPC.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// Bytes of a log that are reserved at once.
const RESERVED: u32 = 4096;
/// Bytes of a commit or an assignment for which several times that is needed, also where some is
/// reserved ahead.
const LONG: usize = 20_000;

/// A broker on a disk that can fail, with a topic `t` and one partition for groups.
struct Setting {
    disk: Arc<SimDisk>,
    broker: Option<Broker>,
    client: TestClient,
}

/// - `delay_ms`: how long a new group waits for more members.
fn start(disk: &Arc<SimDisk>, delay_ms: &str) -> Broker {
    let bind = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::local(PathBuf::from("/data"), bind).unwrap();
    config.shards = 2;
    config.settings = StaticConfig::new([
        ("log.initial.task.delay.ms", "86400000"),
        ("group.initial.rebalance.delay.ms", delay_ms),
        ("offsets.topic.num.partitions", "1"),
        ("offset.metadata.max.bytes", "30000"),
    ])
    .unwrap();
    let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
    // So little that a commit with much beside it needs more.
    let options = DirectoryOptions {
        reserve_bytes_min: RESERVED,
        reserve_bytes_max: RESERVED,
        ..DirectoryOptions::default()
    };
    Broker::start_on(&config, Machine { disk: Arc::clone(disk) as _, mark, options }).unwrap()
}

fn mine() -> Bytes {
    vec![b'a'; LONG].into()
}

/// The files of records. Nothing but groups writes to them here.
fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "log")
}

impl Setting {
    fn new() -> Self {
        Self::waiting("0")
    }

    /// A broker whose new groups wait so many milliseconds for more members.
    fn waiting(delay_ms: &str) -> Self {
        let disk = SimDisk::new();
        let broker = start(&disk, delay_ms);
        let client = TestClient::connect(broker.addresses()[0]);
        let mut setting = Self { disk, broker: Some(broker), client };
        let topic = CreatableTopic {
            name: "t".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        assert_eq!(setting.ask(&request, 5).topics[0].error_code, ErrorCode::NONE);
        let request = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
        assert_eq!(setting.ask(&request, 2).error_code, ErrorCode::NONE);
        setting
    }

    fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.client.request(request, version)
    }

    /// Asks until the answer is another than that groups are being read.
    fn ask_loaded<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        code: impl Fn(&R::Response) -> ErrorCode,
    ) -> R::Response {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.ask(request, version);
            if code(&response) != ErrorCode::COORDINATOR_LOAD_IN_PROGRESS {
                return response;
            }
            assert!(Instant::now() < deadline, "groups aren't read");
        }
    }

    /// Waits until groups are read again: a heartbeat is answered before.
    fn wait_until_loaded(&mut self) {
        self.committed();
    }

    /// The next call of a kind fails.
    fn fail(&self, operation: Operation) {
        self.disk.set_fault(Fault::new(operation, EIO).at(is_log));
    }

    /// There is no more room, until faults are cleared.
    fn fill(&self) {
        self.disk.set_fault(Fault::new(Operation::Reserve, ENOSPC).at(is_log).always());
    }

    /// Commits an offset of group `g` for partition 0.
    fn commit(&mut self, offset: i64) -> ErrorCode {
        let partition = OffsetCommitRequestPartition {
            committed_offset: offset,
            committed_metadata: Some("m".repeat(LONG).into()),
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request =
            OffsetCommitRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
        let code = |response: &<OffsetCommitRequest as Request>::Response| {
            response.topics[0].partitions[0].error_code
        };
        let response = self.ask_loaded(&request, 7, code);
        code(&response)
    }

    /// What group `g` has committed for partition 0.
    fn committed(&mut self) -> i64 {
        let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0] };
        let request = OffsetFetchRequest {
            group_id: "g".into(),
            topics: Some(vec![topic]),
            ..Default::default()
        };
        let response = self.ask_loaded(&request, 5, |response| response.error_code);
        assert_eq!(response.error_code, ErrorCode::NONE);
        response.topics[0].partitions[0].committed_offset
    }

    fn join(&mut self, member_id: &str) -> JoinGroupResponse {
        let request = JoinGroupRequest { member_id: member_id.into(), ..join("m") };
        self.ask_loaded(&request, 2, |response| response.error_code)
    }

    fn sync(&mut self, joined: &JoinGroupResponse) -> SyncGroupResponse {
        let request = SyncGroupRequest {
            group_id: "m".into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                assignment: mine(),
            }],
            ..Default::default()
        };
        self.ask_loaded(&request, 2, |response| response.error_code)
    }

    fn heartbeat(&mut self, joined: &JoinGroupResponse) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: "m".into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            ..Default::default()
        };
        self.ask_loaded(&request, 3, |response| response.error_code).error_code
    }

    /// Stops the broker and starts it again on what its disk has.
    fn restart(&mut self) {
        self.broker.take().unwrap().stop();
        let broker = start(&self.disk, "0");
        self.client = TestClient::connect(broker.addresses()[0]);
        self.broker = Some(broker);
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stop();
        }
    }
}

/// That the client is to look for the coordinator and to ask again.
fn is_to_come_again(code: ErrorCode) -> bool {
    code == ErrorCode::NOT_COORDINATOR && code.is_retriable()
}

#[test]
fn a_commit_that_finds_no_room_is_refused_and_not_known() {
    let mut setting = Setting::new();
    assert_eq!(setting.commit(1), ErrorCode::NONE);
    setting.fill();
    for offset in [2, 3] {
        let code = setting.commit(offset);
        assert!(is_to_come_again(code), "{code}");
        assert_eq!(setting.committed(), 1, "what the log has");
    }
    // There is room again: it goes on.
    setting.disk.clear_faults();
    assert_eq!(setting.commit(3), ErrorCode::NONE);
    assert_eq!(setting.committed(), 3);
    setting.restart();
    assert_eq!(setting.committed(), 3);
}

#[test]
fn a_commit_whose_write_fails_is_refused_and_not_known() {
    let mut setting = Setting::new();
    assert_eq!(setting.commit(1), ErrorCode::NONE);
    setting.fail(Operation::Write);
    // The device isn't trusted any more, until somebody starts the broker again.
    for offset in [2, 3] {
        let code = setting.commit(offset);
        assert_eq!(setting.disk.faults_struck(), 1);
        assert!(is_to_come_again(code), "{code}");
        assert_eq!(setting.committed(), 1, "what the log has");
    }
    setting.restart();
    assert_eq!(setting.committed(), 1);
    assert_eq!(setting.commit(4), ErrorCode::NONE);
    assert_eq!(setting.committed(), 4);
}

#[test]
fn a_commit_whose_flush_fails_is_refused_and_what_was_acknowledged_stays() {
    let mut setting = Setting::new();
    assert_eq!(setting.commit(1), ErrorCode::NONE);
    setting.fail(Operation::Sync);
    let code = setting.commit(2);
    assert_eq!(setting.disk.faults_struck(), 1);
    assert!(is_to_come_again(code), "{code}");
    // Nobody knows whether it is there, so it isn't told; and nothing more is promised.
    assert_eq!(setting.committed(), 1);
    let code = setting.commit(3);
    assert!(is_to_come_again(code), "{code}");
    assert_eq!(setting.committed(), 1);
    setting.restart();
    let found = setting.committed();
    assert!((1..=3).contains(&found), "{found}");
    assert_eq!(setting.commit(4), ErrorCode::NONE);
    assert_eq!(setting.committed(), 4);
}

#[test]
fn an_assignment_whose_append_fails_is_handed_out_to_nobody() {
    let mut setting = Setting::new();
    let joined = setting.join("");
    assert_eq!(joined.error_code, ErrorCode::NONE);
    setting.fill();
    let refused = setting.sync(&joined);
    setting.disk.clear_faults();
    assert!(is_to_come_again(refused.error_code), "{}", refused.error_code);
    assert!(refused.assignment.is_empty());
    // The log has no such generation, so its member has to join anew, as it does.
    setting.wait_until_loaded();
    assert_eq!(setting.heartbeat(&joined), ErrorCode::UNKNOWN_MEMBER_ID);
    let joined = setting.join("");
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert_eq!(setting.sync(&joined).assignment, mine());
    assert_eq!(setting.heartbeat(&joined), ErrorCode::NONE);
}

#[test]
fn who_waits_for_others_when_an_append_fails_is_told_to_come_again() {
    let mut setting = Setting::waiting("60000");
    let mut waiting = TestClient::connect(setting.broker.as_ref().unwrap().addresses()[0]);
    waiting.send(&join("m"), 2);
    let describe = DescribeGroupsRequest { groups: vec!["m".into()], ..Default::default() };
    let deadline = Instant::now() + PATIENCE;
    while setting.ask(&describe, 0).groups[0].members.is_empty() {
        assert!(Instant::now() < deadline, "it doesn't join");
    }
    setting.fill();
    let code = setting.commit(1);
    setting.disk.clear_faults();
    assert!(is_to_come_again(code), "{code}");
    let code = waiting.response::<JoinGroupRequest>(2).error_code;
    assert!(is_to_come_again(code), "{code}");
    assert_eq!(setting.committed(), -1);
}

#[test]
fn members_outlive_an_append_of_somebody_else_that_fails() {
    let mut setting = Setting::new();
    let joined = setting.join("");
    assert_eq!(setting.sync(&joined).assignment, mine());
    assert_eq!(setting.commit(1), ErrorCode::NONE);
    setting.fill();
    let code = setting.commit(2);
    setting.disk.clear_faults();
    assert!(is_to_come_again(code), "{code}");
    // The other group of the partition was read again with it.
    setting.wait_until_loaded();
    assert_eq!(setting.heartbeat(&joined), ErrorCode::NONE);
    assert_eq!(setting.sync(&joined).assignment, mine());
    assert_eq!(setting.committed(), 1);
}

#[test]
fn groups_that_cannot_be_read_are_not_read_at_every_request() {
    const READ: usize = 3;
    let mut setting = Setting::new();
    assert_eq!(setting.commit(1), ErrorCode::NONE);
    setting.fail(Operation::Sync);
    let code = setting.commit(2);
    assert!(is_to_come_again(code), "{code}");
    // Nothing of the log is in memory, and the device doesn't give it.
    setting.disk.set_cached(false);
    setting.disk.set_fault(Fault::new(Operation::Read, EIO).at(is_log).always());
    let topic = OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0] };
    let request = OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let (before, mut asked) = (setting.disk.faults_struck(), 0);
    let deadline = Instant::now() + PATIENCE;
    while setting.disk.faults_struck() < before + READ {
        let code = setting.ask(&request, 5).error_code;
        assert_eq!(code, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        asked += 1;
        assert!(Instant::now() < deadline, "it isn't read again");
    }
    assert!(asked > 10 * READ, "{asked}");
    setting.disk.clear_faults();
    assert_eq!(setting.committed(), 1);
}
