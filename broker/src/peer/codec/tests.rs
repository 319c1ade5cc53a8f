//! Messages to bytes and back, and bytes that are none.

use allocation_counter::measure;
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use logboom_protocol::peer::VERSIONS;

use super::*;
use crate::peer::frame::{FrameBuilder, FrameKind};
use crate::peer::samples::{ENDS, data, group_message};

/// Memory for each byte of a head: a message has 33 of them at least, and a list of messages has
/// room for twice as many as it holds, while it grows for three times.
const MEMORY_PER_BYTE: u64 = 24;
const MEMORY_FLOOR: u64 = 4096;

fn frame(messages: &[GroupMessage]) -> Frame {
    let mut out = Writer::new(BytesMut::new());
    let mut records = BytesMut::new();
    for GroupMessage { key, message, records: own } in messages {
        let bytes = own.iter().map(Bytes::len).sum::<usize>();
        write_message(&mut out, VERSIONS.max, key, message, u32::try_from(bytes).unwrap());
        own.iter().for_each(|slice| records.extend_from_slice(slice));
    }
    Frame { head: out.into_inner().freeze(), records: records.freeze() }
}

/// Reads, and checks what that takes.
fn read(frame: &Frame) -> Result<Vec<GroupMessage>, Strange> {
    let mut read = Ok(Vec::new());
    let taken = measure(|| read = read_messages(frame, ENDS)).bytes_max;
    let limit = frame.head.len() as u64 * MEMORY_PER_BYTE + MEMORY_FLOOR;
    assert!(taken <= limit, "{taken} bytes for {}", frame.head.len());
    read
}

proptest! {
    #[test]
    fn messages_read_as_written(messages in vec(group_message(), 0..20)) {
        let frame = frame(&messages);
        prop_assert_eq!(read(&frame), Ok(messages));
    }

    #[test]
    fn a_message_takes_no_more_than_was_said(one in group_message()) {
        let GroupMessage { message, .. } = &one;
        let head = frame(std::slice::from_ref(&one)).head.len();
        prop_assert!(head <= size_max(message).unwrap());
    }

    #[test]
    fn what_is_cut_off_is_missed(messages in vec(group_message(), 1..4), cut: prop::sample::Index) {
        let mut frame = frame(&messages);
        let whole = frame.head.len();
        frame.head.truncate(cut.index(whole));
        let read = read(&frame);
        // A cut between two messages leaves those before it, where they have all the records.
        prop_assert!(read.is_err() || read.is_ok_and(|read| messages.starts_with(&read)));
    }

    #[test]
    fn any_bytes_give_messages_or_say_what_is_wrong(
        messages in vec(group_message(), 0..4),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        noise in vec(any::<u8>(), 0..64),
    ) {
        let Frame { head, records } = frame(&messages);
        let mut head = BytesMut::from(&[&head[..], &noise].concat()[..]);
        for (at, byte) in flips {
            if !head.is_empty() {
                let at = at.index(head.len());
                head[at] = byte;
            }
        }
        let frame = Frame { head: head.freeze(), records };
        if let Ok(messages) = read(&frame) {
            let bytes = messages.iter().flat_map(|it| &it.records).map(Bytes::len).sum::<usize>();
            prop_assert_eq!(bytes, frame.records.len());
        }
    }
}

#[test]
fn a_golden_message_stays_what_it_is() {
    let (key, message) = data(7, 5);
    let records = vec![Bytes::from_static(b"abc")];
    let head = frame(&[GroupMessage { key, message, records }]).head;
    let hex: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    let zero = "ffffffff00000000000000000000000000000000";
    let golden = [
        "0000000000000000000000000000000700000000", // group
        "0000000000000000",                         // lives
        "00000001",                                 // epoch
        "04",                                       // an append with data
        zero,                                       // behind this
        zero,                                       // committed
        "0000000000000000",                         // log start
        "0000000000000005",                         // until
        "00",                                       // no gaps
        "00000003",                                 // bytes of records
    ];
    assert_eq!(hex, golden.concat());
}

#[test]
fn records_are_slices_of_the_frame() {
    let (key, message) = data(1, 5);
    let records = vec![Bytes::from(vec![7; 1 << 20])];
    let frame = frame(&[GroupMessage { key, message, records }]);
    let messages = read(&frame).unwrap();
    assert_eq!(messages[0].records[0].as_ptr(), frame.records.as_ptr());
}

#[test]
fn records_that_nobody_has_announced_are_strange() {
    let (key, message) = data(1, 5);
    let mut frame =
        frame(&[GroupMessage { key, message, records: vec![Bytes::from_static(b"abc")] }]);
    frame.records = Bytes::from_static(b"abcd");
    assert_eq!(read(&frame), Err(Strange::Records { said: 3, there: 4 }));
    frame.records = Bytes::from_static(b"ab");
    assert_eq!(read(&frame), Err(Strange::Records { said: 3, there: 2 }));
}

#[test]
fn earlier_versions_do_not_say_all_of_an_answer() {
    let kept = Position { epoch: 1, offset: 5, control: 1 };
    let reply = AppendReply {
        outcome: Outcome::Matched,
        matched: kept,
        kept,
        flushed: 3,
        commit: Position::ZERO,
        log_start: 0,
        run: 1,
        lossy: true,
        held_back: true,
        wish: 7,
    };
    let (key, message) = data(1, 5);
    let message = Message { body: Body::AppendReply(reply), ..message };
    let said = |written, read| {
        let mut out = Writer::new(BytesMut::new());
        write_message(&mut out, written, &key, &message, 0);
        let frame = Frame { head: out.into_inner().freeze(), records: Bytes::new() };
        let messages = read_messages(&frame, Ends { version: read, ..ENDS })?;
        let Body::AppendReply(reply) = &messages[0].message.body else { panic!() };
        Ok::<_, Strange>((reply.lossy, reply.held_back, reply.flushed, reply.wish))
    };
    assert_eq!(said(0, 0), Ok((true, false, 5, i64::MAX)));
    assert_eq!(said(1, 1), Ok((true, true, 5, i64::MAX)));
    assert_eq!(said(2, 2), Ok((true, true, 3, i64::MAX)));
    assert_eq!(said(3, 3), Ok((true, true, 3, 7)));
    assert!(said(1, 0).is_err(), "it can't be said there");
}

#[test]
fn a_huge_set_of_voters_is_refused_before_anything_is_allocated() {
    let mut builder = FrameBuilder::new(FrameKind::Groups, 0);
    let (key, message) = data(1, 5);
    write_message(
        &mut builder.head,
        VERSIONS.max,
        &key,
        &Message { body: Body::Resigned, ..message },
        0,
    );
    let head = builder.finish(0);
    // Without what stands around it, and with another kind: voters whose number is a lie.
    let mut head = BytesMut::from(&head[9..head.len() - 4]);
    let kind = head.len() - 1;
    head[kind] = RESET;
    [Position::ZERO; 2].iter().for_each(|_| {
        head.extend_from_slice(&[0; 20]);
    });
    head.extend_from_slice(&i32::MAX.to_be_bytes());
    let frame = Frame { head: head.freeze(), records: Bytes::new() };
    assert!(matches!(read(&frame), Err(Strange::Field(_))));
}

#[test]
fn numbers_out_of_their_ranges_are_refused() {
    let (key, message) = data(1, 5);
    let written = |key: &GroupKey, message: &Message| {
        let mut out = Writer::new(BytesMut::new());
        write_message(&mut out, VERSIONS.max, key, message, 0);
        read(&Frame { head: out.into_inner().freeze(), records: Bytes::new() })
    };
    let is_refused = |body: Body| {
        let message = Message { body, ..message.clone() };
        matches!(written(&key, &message), Err(Strange::Range { .. }))
    };
    let beat = |commit| Body::Beat { commit, log_start: 0 };
    let zero = Position::ZERO;
    assert!(!is_refused(beat(zero)));
    assert!(is_refused(beat(Position { epoch: -2, ..zero })));
    assert!(is_refused(beat(Position { offset: -1, ..zero })));
    assert!(is_refused(beat(Position { control: -1, ..zero })));
    assert!(is_refused(Body::Beat { commit: zero, log_start: -1 }));
    let elsewhere = GroupKey { partition: -1, ..key };
    assert!(matches!(written(&elsewhere, &message), Err(Strange::Range { .. })));
}

#[test]
fn a_set_of_voters_may_be_as_large_as_its_limit() {
    let (_, message) = data(1, 5);
    let of = |count: usize| {
        let replicas: Vec<_> = (0..count).map(|_| ReplicaId::of(1)).collect();
        let (start, commit) = (Position::ZERO, Position::ZERO);
        let reset = Reset { start, voters: Arc::new(Voters::of(replicas)), commit };
        Message { body: Body::Reset(Box::new(reset)), ..message.clone() }
    };
    assert!(size_max(&of(VOTERS_MAX)).is_some());
    assert_eq!(size_max(&of(VOTERS_MAX + 1)), None);
}
