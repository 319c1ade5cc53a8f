//! Offsets of transactions, as a replay meets them.

use std::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use logboom_protocol::units::Uuid;

use crate::record::{CommittedOffset, GroupRecord};
use crate::{Coordinator, Options};

fn commit(offset: i64) -> GroupRecord {
    let value = CommittedOffset {
        offset,
        leader_epoch: -1,
        metadata: "".into(),
        committed_ms: 1,
        expires_ms: None,
        topic_id: Uuid::ZERO,
    };
    GroupRecord::Offset { group: "g".into(), topic: "t".into(), partition: 0, value: Some(value) }
}

fn fetch(coordinator: &Coordinator, require_stable: bool) -> (i64, ErrorCode) {
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: Vec::from([0]),
        ..Default::default()
    };
    let request = OffsetFetchRequestGroup {
        group_id: "g".into(),
        topics: Some(Vec::from([topic])),
        ..Default::default()
    };
    let told = &coordinator.fetch(&request, require_stable).topics[0].partitions[0];
    (told.committed_offset, told.error_code)
}

#[test]
fn wire_78_an_open_transaction_hides_its_partition_from_those_who_require_stable_offsets() {
    let mut coordinator = Coordinator::new(Options::default());
    coordinator.replay(commit(1));
    coordinator.replay_in_transaction(9, commit(2));
    assert_eq!(fetch(&coordinator, false), (1, ErrorCode::NONE));
    assert_eq!(fetch(&coordinator, true), (-1, ErrorCode::UNSTABLE_OFFSET_COMMIT));
    coordinator.end_transaction(9, true);
    assert_eq!(fetch(&coordinator, true), (2, ErrorCode::NONE));
}

#[test]
fn what_was_aborted_or_overtaken_does_not_count() {
    let mut coordinator = Coordinator::new(Options::default());
    coordinator.replay_in_transaction(9, commit(2));
    coordinator.end_transaction(9, false);
    assert_eq!(fetch(&coordinator, true), (-1, ErrorCode::NONE));
    coordinator.replay_in_transaction(9, commit(3));
    coordinator.replay(commit(4));
    coordinator.end_transaction(9, true);
    assert_eq!(fetch(&coordinator, true), (4, ErrorCode::NONE));
}
