//! A leader, and how many replicas are in sync: what it takes with `acks` all, and what it answers.

use super::feeding::Leader;
use super::*;

/// A leader of three whose topic asks for so many, with those of these brokers in sync.
fn leader(min_insync_replicas: usize, in_sync: &[i32]) -> Leader {
    let mut leader = Leader::new(None);
    let end = leader.end();
    leader.has(0, end);
    let settings = TopicSettings { min_insync_replicas, ..(*settings(false)).clone() };
    leader.setting.partition.set_settings(Arc::new(settings));
    let member = leader.setting.replica.member.as_mut().unwrap();
    member.in_office().in_sync = in_sync.to_vec();
    leader
}

/// A look finds that the replicas of these brokers are in sync.
fn are_in_sync(leader: &mut Leader, in_sync: &[i32]) {
    let replica = &mut leader.setting.replica;
    replica.member.as_mut().unwrap().in_office().in_sync = in_sync.to_vec();
    replica.answer_too_few();
}

/// Another replica has all of the log.
fn has_all(leader: &mut Leader, other: usize) {
    leader.settle();
    let end = leader.end();
    leader.has(other, end);
}

#[test]
fn where_fewer_are_in_sync_than_are_asked_for_nothing_is_written() {
    // Asked for; in sync; whether it is written.
    let cases: [(usize, &[i32], bool); 7] = [
        (2, &[1], false),
        (1, &[1, 2], true),
        (2, &[1, 3], true),
        (3, &[1, 2], false),
        (3, &[1, 2, 3], true),
        // More than there are is all of them, as in the reference.
        (4, &[1, 2, 3], true),
        // While an epoch begins, nobody knows.
        (3, &[], true),
    ];
    for (wanted, in_sync, is_written) in cases {
        let mut leader = leader(wanted, in_sync);
        let end = leader.end();
        let mut reply = leader.setting.append(anonymous());
        assert_eq!(leader.end() > end, is_written, "{in_sync:?} of {wanted}");
        let answer = reply.try_recv();
        let is_refused = matches!(answer, Ok(Err(AppendError::NotEnoughReplicas)));
        assert_eq!(is_refused, !is_written, "{in_sync:?} of {wanted}: {answer:?}");
    }
}

#[test]
fn who_asks_for_the_leader_alone_is_served_by_it_alone() {
    let mut leader = leader(3, &[1, 2]);
    let mut reply = leader.setting.queue_until(anonymous(), Until::Kept, None);
    leader.setting.replica.write_queued(1, &leader.setting.hands);
    leader.settle();
    assert!(matches!(reply.try_recv(), Ok(Ok(_))));
}

#[test]
fn what_is_committed_while_one_that_is_asked_for_is_lost_is_answered_as_appended_to_too_few() {
    let mut leader = leader(3, &[1, 2, 3]);
    let mut reply = leader.setting.append(anonymous());
    are_in_sync(&mut leader, &[1, 2]);
    assert!(matches!(reply.try_recv(), Err(TryRecvError::Empty)), "it isn't committed");
    has_all(&mut leader, 0);
    assert!(matches!(reply.try_recv(), Err(TryRecvError::Empty)), "broker 3 may be back");
    are_in_sync(&mut leader, &[1, 2]);
    let answer = reply.try_recv();
    let is_told = matches!(answer, Ok(Err(AppendError::NotEnoughReplicasAfterAppend)));
    assert!(is_told, "{answer:?}");
}

#[test]
fn what_all_have_is_acknowledged_though_one_of_them_is_lost_behind_it() {
    let mut leader = leader(3, &[1, 2, 3]);
    let mut reply = leader.setting.append(anonymous());
    has_all(&mut leader, 0);
    has_all(&mut leader, 1);
    assert!(matches!(reply.try_recv(), Ok(Ok(_))));
    let mut later = leader.setting.append(anonymous());
    has_all(&mut leader, 0);
    are_in_sync(&mut leader, &[1, 2]);
    assert!(matches!(later.try_recv(), Ok(Err(AppendError::NotEnoughReplicasAfterAppend))));
}
