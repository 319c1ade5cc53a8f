//! Offsets by time and by place: what `tests/it/wire/offsets.rs` can't ask the reference for.

use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

use super::*;
use crate::partition::Standing;

/// The newest version of ListOffsets.
const NEWEST: i16 = 11;

fn list(broker: &TestBroker, timestamp: i64, version: i16) -> (ErrorCode, i64) {
    let asked = ListOffsetsPartition { timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions: vec![asked] }];
    let request = ListOffsetsRequest { topics, timeout_ms: 60_000, ..Default::default() };
    let answer = broker.request(&request, version).topics.remove(0).partitions.remove(0);
    (answer.error_code, answer.offset)
}

/// Of what is committed only the log start is known then (KIP-207).
#[test]
fn a_leader_that_has_not_committed_in_its_epoch_knows_no_end() {
    let broker = TestBroker::start();
    create_topic(&broker);
    let all = broker.broker().node().registry.all();
    all.iter().for_each(|partition| partition.set_standing(Standing::Begins));
    for timestamp in [-1, -3, 5] {
        let new = list(&broker, timestamp, NEWEST);
        assert_eq!(new, (ErrorCode::OFFSET_NOT_AVAILABLE, -1), "{timestamp}");
    }
    // Older clients know another word for it.
    let told: Vec<_> = (1..=5).map(|version| list(&broker, -1, version).0).collect();
    let (older, newer) = (ErrorCode::LEADER_NOT_AVAILABLE, ErrorCode::OFFSET_NOT_AVAILABLE);
    assert_eq!(told, [older, older, older, older, newer]);
    assert_eq!(list(&broker, -2, NEWEST), (ErrorCode::NONE, 0), "the earliest is known");
    all.iter().for_each(|partition| partition.set_standing(Standing::Leads));
    assert_eq!(list(&broker, -1, NEWEST), (ErrorCode::NONE, 0));
}

#[test]
fn wire_61_a_name_from_a_later_version_is_unsupported() {
    let broker = TestBroker::start();
    create_topic(&broker);
    for (timestamp, since) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, 12)] {
        for version in 1..=NEWEST {
            let (code, _) = list(&broker, timestamp, version);
            let expected = version < since;
            let found = code == ErrorCode::UNSUPPORTED_VERSION;
            assert_eq!(found, expected, "{timestamp} in version {version}: {code:?}");
        }
    }
    assert_eq!(list(&broker, -6, NEWEST), (ErrorCode::NONE, -1), "nothing is tiered");
}
