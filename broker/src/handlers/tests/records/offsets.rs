//! Offsets by time and by place: what `tests/it/wire/offsets.rs` can't ask the reference for.

use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

use super::*;

/// The newest version of ListOffsets.
const NEWEST: i16 = 11;

fn list(broker: &TestBroker, timestamp: i64, version: i16) -> (ErrorCode, i64) {
    let asked = ListOffsetsPartition { timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions: vec![asked] }];
    let request = ListOffsetsRequest { topics, timeout_ms: 60_000, ..Default::default() };
    let answer = broker.request(&request, version).topics.remove(0).partitions.remove(0);
    (answer.error_code, answer.offset)
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
