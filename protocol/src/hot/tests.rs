//! The hot path against the generated messages: same bytes, same values.

use bytes::{Buf as _, Bytes, BytesMut};

use super::*;
use crate::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use crate::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::{ApiKey, ErrorCode, Fault, Message as _, frame};

const ID: Uuid = Uuid(*b"0123456789abcdef");

fn produce_request(version: i16) -> (ProduceRequest, Bytes) {
    let by_id = version >= 13;
    let partition = |index, records| PartitionProduceData { index, records };
    let request = ProduceRequest {
        transactional_id: Some("tx".into()),
        acks: -1,
        timeout_ms: 1500,
        topic_data: vec![
            TopicProduceData {
                name: if by_id { "".into() } else { "first".into() },
                topic_id: if by_id { ID } else { Uuid::ZERO },
                partition_data: vec![
                    partition(3, Some(Bytes::from_static(b"records of 3"))),
                    partition(-4, None),
                ],
            },
            TopicProduceData { partition_data: Vec::new(), ..TopicProduceData::default() },
        ],
    };
    let mut body = BytesMut::new();
    request.encode(&mut body, version).unwrap();
    (request, body.freeze())
}

#[test]
fn a_produce_visit_sees_what_the_message_holds_in_every_version() {
    for version in 3..=13 {
        let (request, body) = produce_request(version);
        let visit = ProduceVisit::decode(&body, version).unwrap();
        assert_eq!(visit.transactional_id, request.transactional_id.as_deref());
        assert_eq!((visit.acks, visit.timeout_ms, visit.partition_count), (-1, 1500, 2));
        let seen: Vec<PartitionRecords<'_>> = visit.partitions().collect();
        let topic = if version >= 13 { TopicRef::Id(ID) } else { TopicRef::Name("first") };
        assert_eq!(seen.len(), 2);
        for (seen, sent) in seen.iter().zip(&request.topic_data[0].partition_data) {
            assert_eq!((seen.topic, seen.partition), (topic, sent.index));
            assert_eq!(seen.records, sent.records);
        }
        let records = seen[0].records.as_ref().unwrap();
        assert!(body.as_ptr_range().contains(&records.as_ptr()), "a slice of the frame");
    }
}

#[test]
fn a_produce_request_that_lends_its_batches_is_the_message_in_every_version() {
    for version in 3..=13 {
        let (mut request, _) = produce_request(version);
        // A batch that is null is for nobody to send.
        request.topic_data[0].partition_data[1].records = Some(Bytes::new());
        let head = ProduceRequestHead {
            correlation_id: 5,
            client_id: "c",
            transactional_id: Some("tx"),
            acks: -1,
            timeout_ms: 1500,
        };
        let mut writer = ProduceRequestWriter::new(version, &head, 2).unwrap();
        for topic in &request.topic_data {
            let name = TopicRef::Name(&topic.name);
            let named = if version >= 13 { TopicRef::Id(topic.topic_id) } else { name };
            writer.topic(named, topic.partition_data.len()).unwrap();
            for partition in &topic.partition_data {
                writer.partition(partition.index, partition.records.clone()).unwrap();
            }
        }
        let mut rope = writer.finish().unwrap();
        let records = request.topic_data[0].partition_data[0].records.as_ref().unwrap();
        assert!(rope.pieces().any(|piece| piece.as_ptr() == records.as_ptr()), "not copied");
        let expected = frame::encode_request(&request, version, 5, Some("c")).unwrap();
        assert_eq!(rope.copy_to_bytes(rope.remaining()), expected, "version {version}");
    }
    let head = ProduceRequestHead {
        correlation_id: 0,
        client_id: "",
        transactional_id: None,
        acks: 1,
        timeout_ms: 0,
    };
    let mut writer = ProduceRequestWriter::new(13, &head, 1).unwrap();
    let error = writer.topic(TopicRef::Name("t"), 0).unwrap_err();
    assert_eq!(error.fault, Fault::NotInVersion);
    assert_eq!(ProduceRequestWriter::new(14, &head, 0).unwrap_err().fault, Fault::Version);
}

#[test]
fn a_produce_visit_refuses_what_the_message_refuses() {
    for version in 3..=13 {
        let (_, body) = produce_request(version);
        for cut in 0..body.len() {
            let cut = body.slice(..cut);
            let error = ProduceRequest::decode(&cut, version).unwrap_err();
            let visit = ProduceVisit::decode(&cut, version).unwrap_err();
            assert_eq!((visit.fault, visit.position), (error.fault, error.position), "{error}");
        }
    }
    let error = ProduceVisit::decode(&Bytes::new(), 14).unwrap_err();
    assert_eq!(error.fault, Fault::Version);
}

/// A response with everything that `version` can carry, and the records' batches.
fn fetch_response(version: i16) -> FetchResponse {
    let (by_id, tags) = (version >= 13, version >= 12);
    let aborted = vec![AbortedTransaction { producer_id: 9, first_offset: 4 }];
    let full = PartitionData {
        partition_index: 1,
        error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        high_watermark: 30,
        last_stable_offset: 20,
        log_start_offset: 10,
        diverging_epoch: if tags {
            EpochEndOffset { epoch: 2, end_offset: 8 }
        } else {
            EpochEndOffset::default()
        },
        current_leader: if tags {
            LeaderIdAndEpoch { leader_id: 5, leader_epoch: 6 }
        } else {
            LeaderIdAndEpoch::default()
        },
        aborted_transactions: Some(aborted),
        preferred_read_replica: if version >= 11 { 7 } else { -1 },
        records: Some(Bytes::from_static(b"one batch and another")),
        ..PartitionData::default()
    };
    let empty = PartitionData {
        partition_index: 2,
        aborted_transactions: None,
        ..PartitionData::default()
    };
    let endpoint = NodeEndpoint { node_id: 5, host: "h".into(), port: 9092, rack: None };
    FetchResponse {
        throttle_time_ms: 11,
        error_code: if version >= 7 { ErrorCode::UNKNOWN_SERVER_ERROR } else { ErrorCode::NONE },
        session_id: if version >= 7 { 77 } else { 0 },
        responses: vec![FetchableTopicResponse {
            topic: if by_id { "".into() } else { "topic".into() },
            topic_id: if by_id { ID } else { Uuid::ZERO },
            partitions: vec![full, empty],
        }],
        node_endpoints: if version >= 16 { vec![endpoint] } else { Vec::new() },
    }
}

fn write_rope(response: &FetchResponse, version: i16) -> Rope {
    let head = FetchResponseHead {
        throttle_time_ms: response.throttle_time_ms,
        error_code: response.error_code,
        session_id: response.session_id,
    };
    let topics = &response.responses;
    let mut writer = FetchResponseWriter::new(version, -3, &head, topics.len()).unwrap();
    for topic in topics {
        let named =
            if version >= 13 { TopicRef::Id(topic.topic_id) } else { TopicRef::Name(&topic.topic) };
        writer.topic(named, topic.partitions.len()).unwrap();
        for partition in &topic.partitions {
            let tags = version >= 12;
            let head = PartitionHead {
                partition: partition.partition_index,
                error_code: partition.error_code,
                high_watermark: partition.high_watermark,
                last_stable_offset: partition.last_stable_offset,
                log_start_offset: partition.log_start_offset,
                diverging_epoch: tags.then(|| partition.diverging_epoch.clone()),
                current_leader: tags.then(|| partition.current_leader.clone()),
                aborted_transactions: partition.aborted_transactions.as_deref(),
                preferred_read_replica: partition.preferred_read_replica,
            };
            // In two pieces, as two batches would come from the log.
            let records = partition.records.clone().unwrap_or_default();
            let half = records.len() / 2;
            writer.partition(&head, [records.slice(..half), records.slice(half..)]).unwrap();
        }
    }
    writer.finish(&response.node_endpoints).unwrap()
}

#[test]
fn a_fetch_rope_has_the_bytes_of_the_message_in_every_version() {
    let versions = ApiKey::Fetch.versions();
    for version in versions.min..=versions.max {
        let response = fetch_response(version);
        let expected = frame::encode_response(&response, version, -3).unwrap();
        let mut rope = write_rope(&response, version);
        assert_eq!(rope.remaining(), expected.len(), "v{version}");
        let lent = response.responses[0].partitions[0].records.as_ref().unwrap();
        let lends = |piece: &&Bytes| lent.as_ptr_range().contains(&piece.as_ptr());
        assert_eq!(rope.pieces().filter(lends).count(), 2, "records are lent, not copied");
        let lent_bytes: usize = rope.pieces().filter(lends).map(Bytes::len).sum();
        assert_eq!(rope.own_bytes(), rope.remaining() - lent_bytes);
        assert_eq!(rope.copy_to_bytes(rope.remaining()), expected, "v{version}");
    }
}

#[test]
fn a_rope_advances_over_its_pieces() {
    let whole: Vec<u8> = (0..100).collect();
    let rope = || {
        let mut rope = Rope::default();
        [&whole[..1], &[], &whole[1..60], &whole[60..]]
            .into_iter()
            .for_each(|piece| rope.push(Bytes::copy_from_slice(piece)));
        rope
    };
    for cut in 0..=whole.len() {
        let mut rope = rope();
        rope.advance(cut);
        let mut slots = [std::io::IoSlice::new(&[]); 8];
        let filled = rope.chunks_vectored(&mut slots);
        let slots: Vec<&[u8]> = slots[..filled].iter().map(|slot| &**slot).collect();
        assert_eq!(slots.concat(), whole[cut..]);
        assert_eq!((rope.remaining(), rope.has_remaining()), (100 - cut, cut < 100));
    }
}

#[test]
fn a_rope_takes_others_at_its_end() {
    let mut rope = Rope::default();
    rope.push_own(Bytes::from_static(b"one"));
    let mut other = Rope::from(Bytes::from_static(b"two"));
    other.push(Bytes::from_static(b"lent"));
    rope.append(other);
    assert_eq!((rope.remaining(), rope.own_bytes()), (10, 6));
    assert_eq!(rope.copy_to_bytes(10), &b"onetwolent"[..]);
}

#[test]
fn a_fetch_writer_refuses_what_a_version_cannot_carry() {
    let head =
        FetchResponseHead { throttle_time_ms: 0, error_code: ErrorCode::NONE, session_id: 5 };
    let error = FetchResponseWriter::new(6, 0, &head, 0).unwrap_err();
    assert_eq!((error.field, error.fault), ("FetchResponse.session_id", Fault::NotInVersion));
    let error = FetchResponseWriter::new(3, 0, &head, 0).unwrap_err();
    assert_eq!(error.fault, Fault::Version);
    let mut writer = FetchResponseWriter::new(13, 0, &head, 1).unwrap();
    let error = writer.topic(TopicRef::Name("name"), 0).unwrap_err();
    assert_eq!((error.field, error.fault), ("FetchableTopicResponse.topic", Fault::NotInVersion));
}
