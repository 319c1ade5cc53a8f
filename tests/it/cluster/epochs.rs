//! What a consumer that was at an old leader is told by a new one (KIP-320): where the old epoch
//! ends, and that what it asks for in the old epoch isn't answered.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::Raw;

use super::produce;

/// - `at`: the leader's epoch, as who asks knows it.
fn end_of(raw: &mut Raw, topic: &str, leader_epoch: i32, at: i32) -> EpochEndOffset {
    let asked =
        OffsetForLeaderPartition { leader_epoch, current_leader_epoch: at, ..Default::default() };
    let topics = vec![OffsetForLeaderTopic { topic: topic.into(), partitions: vec![asked] }];
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
    raw.call(4, &request).topics.remove(0).partitions.remove(0)
}

#[test]
fn a_new_leader_knows_where_the_old_epoch_ends_and_fences_who_is_in_it() {
    let mut cluster = Cluster::start("epochs", 3);
    let topic = cluster.new_topic("epochs", 1, 3);
    for number in 0..5 {
        assert_eq!(produce(&cluster, &topic, 0, b"old"), number);
    }
    // Whoever has taken records was elected; until then metadata may have the epoch before.
    let before = cluster.wait_until(&topic, "it is led and in sync", |it| {
        it.leader_id > 0 && it.leader_epoch > 0 && it.isr_nodes.len() == 3
    });
    let old = before[0].leader_epoch;
    let open = end_of(&mut cluster.leader(&topic, 0), &topic, old, old);
    assert_eq!((open.leader_epoch, open.end_offset), (old, 5), "it goes on");
    cluster.kill(before[0].leader_id);
    let after = cluster.wait_until(&topic, "another leads", |it| it.leader_epoch > old);
    let new = after[0].leader_epoch;
    assert_ne!(after[0].leader_id, before[0].leader_id);
    for number in 5..8 {
        assert_eq!(produce(&cluster, &topic, 0, b"new"), number);
    }
    let mut raw = cluster.leader(&topic, 0);
    let ended = end_of(&mut raw, &topic, old, new);
    assert_eq!((ended.error_code, ended.leader_epoch), (ErrorCode::NONE, old));
    assert_eq!(ended.end_offset, 5, "what was written in it, and no more");
    let open = end_of(&mut raw, &topic, new, new);
    assert_eq!((open.leader_epoch, open.end_offset), (new, 8));
    let fenced = end_of(&mut raw, &topic, old, old);
    assert_eq!(fenced.error_code, ErrorCode::FENCED_LEADER_EPOCH);
    let unknown = end_of(&mut raw, &topic, old, new + 1);
    assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_LEADER_EPOCH);
}
