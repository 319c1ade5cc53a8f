//! Messages and beats of all kinds, at random.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use logboom_protocol::peer::VERSIONS;
use logboom_protocol::units::Uuid;
use logboom_raft::{
    Append, AppendReply, Beat, Body, Change, Content, Control, Message, Named, Outcome, Position,
    ReplicaId, Reset, Vote, VoteReply, Voters,
};
use logboom_storage::state::GroupKey;

use super::codec::Ends;
use super::lanes::lane_of;
use super::roster::GroupMessage;

/// A connection from broker 1 to broker 2.
pub(super) const ENDS: Ends =
    Ends { from: (1, Uuid([1; 16])), to: (2, Uuid([2; 16])), version: VERSIONS.max };

pub(super) fn key() -> impl Strategy<Value = GroupKey> {
    (any::<[u8; 16]>(), 0..i32::MAX)
        .prop_map(|(id, partition)| GroupKey { topic_id: Uuid(id), partition })
}

pub(super) fn position() -> impl Strategy<Value = Position> {
    (-1..i32::MAX, 0..i64::MAX, 0..i64::MAX).prop_map(|(epoch, offset, control)| Position {
        epoch,
        offset,
        control,
    })
}

fn replica() -> impl Strategy<Value = ReplicaId> {
    (any::<i32>(), any::<u32>(), any::<[u8; 16]>())
        .prop_map(|(broker, life, directory)| ReplicaId { broker, life, directory })
}

fn voters() -> impl Strategy<Value = Arc<Voters>> {
    (vec(replica(), 0..6), vec(replica(), 0..6), any::<i64>(), any::<bool>()).prop_map(
        |(incoming, outgoing, generation, by_operator)| {
            let (incoming, outgoing) = (incoming.into(), outgoing.into());
            Arc::new(Voters { incoming, outgoing, generation, by_operator })
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let control = (1..i64::MAX, -1..i32::MAX, 0..i64::MAX, option::of(voters()));
    let control = control.prop_map(|(sequence, epoch, offset, voters)| Control {
        sequence,
        epoch,
        offset,
        voters,
    });
    prop_oneof![
        Just(Content::Nothing),
        control.prop_map(Content::Control),
        (0..i64::MAX, any::<bool>()).prop_map(|(until, gaps)| Content::Data { until, gaps }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Matched),
        Just(Outcome::Longer),
        (position(), position()).prop_map(|(asked, common)| Outcome::Mismatch { asked, common }),
    ]
}

fn append_reply() -> impl Strategy<Value = AppendReply> {
    let positions = (position(), position(), position());
    let flags = (any::<bool>(), any::<bool>());
    let numbers = (0..i64::MAX, 0..i64::MAX, any::<i64>());
    (outcome(), positions, numbers, any::<u32>(), flags).prop_map(
        |(
            outcome,
            (matched, kept, commit),
            (flushed, log_start, wish),
            run,
            (lossy, held_back),
        )| {
            AppendReply {
                outcome,
                matched,
                kept,
                flushed,
                commit,
                log_start,
                run,
                lossy,
                held_back,
                wish,
            }
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let vote = (any::<bool>(), position(), any::<bool>())
        .prop_map(|(pre, end, transfer)| Body::Vote(Vote { pre, end, transfer }));
    let vote_reply = (any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(pre, granted, lossy)| Body::VoteReply(VoteReply { pre, granted, lossy }));
    let append = (position(), content(), position(), 0..i64::MAX).prop_map(
        |(prev, content, commit, log_start)| {
            Body::Append(Append { prev, content, commit, log_start })
        },
    );
    let reset = (position(), voters(), position())
        .prop_map(|(start, voters, commit)| Body::Reset(Box::new(Reset { start, voters, commit })));
    prop_oneof![
        vote,
        vote_reply,
        append,
        append_reply().prop_map(Body::AppendReply),
        (position(), 0..i64::MAX).prop_map(|(commit, log_start)| Body::Beat { commit, log_start }),
        reset,
        Just(Body::TimeoutNow),
        any::<u32>().prop_map(|run| Body::Hello { run }),
        (any::<u32>(), position()).prop_map(|(run, end)| Body::HelloReply { run, end }),
        Just(Body::Resigned),
    ]
}

/// A message over [`ENDS`]; its records, if it has any, are one slice.
pub(super) fn group_message() -> impl Strategy<Value = GroupMessage> {
    (key(), any::<[u32; 2]>(), -1..i32::MAX, body(), vec(any::<u8>(), 0..200)).prop_map(
        |(key, [from, to], epoch, body, records)| {
            let replica = |(broker, Uuid(directory)): (i32, Uuid), life| ReplicaId {
                broker,
                life,
                directory,
            };
            let (from, to) = (replica(ENDS.from, from), replica(ENDS.to, to));
            let is_data = |append: &Append| matches!(append.content, Content::Data { .. });
            let has_records = matches!(&body, Body::Append(append) if is_data(append));
            let records = match has_records && !records.is_empty() {
                true => vec![Bytes::from(records)],
                false => Vec::new(),
            };
            GroupMessage { key, message: Message { from, to, epoch, body }, records }
        },
    )
}

/// A key on a lane.
fn key_on(lane: u8) -> impl Strategy<Value = GroupKey> {
    key().prop_map(move |mut key| {
        // The lanes of a topic's partitions follow each other.
        key.partition -= key.partition % 16;
        key.partition += i32::from((lane + 16 - lane_of(&key)) % 16);
        key
    })
}

fn named(lane: u8) -> impl Strategy<Value = Named<GroupKey>> {
    (key_on(lane), any::<[u32; 2]>(), -1..i32::MAX, position(), 0..i64::MAX).prop_map(
        |(key, [leader_life, follower_life], epoch, commit, log_start)| Named {
            key,
            leader_life,
            follower_life,
            epoch,
            commit,
            log_start,
        },
    )
}

fn change(lane: u8) -> impl Strategy<Value = Change<GroupKey>> {
    prop_oneof![
        (key_on(lane), -1..i32::MAX, position())
            .prop_map(|(key, epoch, end)| Change::Enter(key, epoch, end)),
        key_on(lane).prop_map(Change::Leave),
    ]
}

/// A beat with its lane.
pub(super) fn beat() -> impl Strategy<Value = (u8, Beat<GroupKey>)> {
    (0..16u8).prop_flat_map(|lane| {
        let lists = (vec(named(lane), 0..5), vec(change(lane), 0..5), vec(key_on(lane), 0..5));
        let numbers = any::<[u64; 4]>();
        let rest = (any::<[u32; 2]>(), any::<u128>(), any::<bool>());
        (lists, numbers, option::of(any::<(u64, u64)>()), rest).prop_map(
            move |((named, changes, left), numbers, heard, ([life, of], sum, agrees))| {
                let [run, sequence, version, applied] = numbers;
                let applied = (of, applied);
                let beat = Beat {
                    run,
                    sequence,
                    heard,
                    named,
                    life,
                    changes,
                    version,
                    sum,
                    applied,
                    agrees,
                    left,
                };
                (lane, beat)
            },
        )
    })
}

/// A beat that says nothing.
pub(super) fn empty_beat(sequence: u64) -> Beat<GroupKey> {
    Beat {
        run: 1,
        sequence,
        heard: None,
        named: Vec::new(),
        life: 1,
        changes: Vec::new(),
        version: 0,
        sum: 0,
        applied: (0, 0),
        agrees: false,
        left: Vec::new(),
    }
}

/// An append with data over [`ENDS`], of a group that is named by a number.
pub(super) fn data(number: u128, until: i64) -> (GroupKey, Message) {
    let key = GroupKey { topic_id: Uuid(number.to_be_bytes()), partition: 0 };
    let content = Content::Data { until, gaps: false };
    let (prev, commit) = (Position::ZERO, Position::ZERO);
    let body = Body::Append(Append { prev, content, commit, log_start: 0 });
    let replica = |(broker, Uuid(directory)): (i32, Uuid)| ReplicaId { broker, life: 0, directory };
    (key, Message { from: replica(ENDS.from), to: replica(ENDS.to), epoch: 1, body })
}
