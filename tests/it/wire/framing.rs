//! Statements 11 to 15: frames, their order, and what is none.

use std::fs;

use bytes::BufMut as _;

use logboom_protocol::messages::api_versions::ApiVersionsRequest;
use logboom_protocol::messages::fetch::FetchResponse;
use logboom_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use logboom_protocol::messages::produce::ProduceResponse;
use logboom_protocol::records::Codec;
use logboom_protocol::{ErrorCode, frame};
use logboom_tests::broker::{Broker, shared};
use logboom_tests::raw::{Raw, framed};

use super::{PRODUCE, batch, fetch, new_topic, records_for};

/// A request that anybody answers.
fn nothing() -> MetadataRequest {
    MetadataRequest { topics: Some(vec![]), ..Default::default() }
}

#[test]
fn wire_11_an_unknown_api_or_version_closes_the_connection_and_no_other() {
    let subject = shared();
    let address = subject.bootstrap();
    let mut other = Raw::connect(&address);
    for (key, version) in [(999, 0), (-1, 0), (3, 99), (3, -1), (1, 3), (1, 99), (7, 1)] {
        let mut raw = Raw::connect(&address);
        raw.send(&framed(key, version, 1, &[0xff, 0xff, 0, 0, 0, 0])).unwrap();
        assert!(raw.is_closed(), "API {key} version {version}");
    }
    other.call(9, &nothing());
}

#[test]
fn wire_12_a_length_that_is_negative_or_too_large_closes_the_connection() {
    let subject = shared();
    let address = subject.bootstrap();
    for length in [-1, i32::MIN, (100 << 20) + 1, i32::MAX] {
        let mut raw = Raw::connect(&address);
        raw.send(&length.to_be_bytes()).unwrap();
        assert!(raw.is_closed(), "{length}");
    }
}

/// Kilobytes of memory that a process has for itself.
fn anonymous_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn wire_12_no_memory_is_taken_for_what_a_length_promises() {
    let broker = Broker::start("wire-12");
    Raw::connect(&broker.bootstrap()).call(9, &nothing());
    let before = anonymous_kb(broker.pid());
    let header = framed(0, PRODUCE, 1, &[0xff, 0xff]);
    let mut open = Vec::new();
    for _ in 0..50 {
        let mut raw = Raw::connect(&broker.bootstrap());
        raw.send(&(100_i32 << 20).to_be_bytes()).unwrap();
        raw.send(&header[4..]).unwrap();
        open.push(raw);
    }
    // Whoever is served after them knows that they were read.
    Raw::connect(&broker.bootstrap()).call(9, &nothing());
    let grown = anonymous_kb(broker.pid()).saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} kB for 50 promises of 100 MiB");
}

#[test]
fn wire_13_what_is_no_request_closes_only_its_connection() {
    let subject = shared();
    let address = subject.bootstrap();
    let whole = frame::encode_request(&nothing(), 9, 1, Some("raw")).unwrap();
    let body = &whole[12..];
    let with = |body: &[u8]| framed(3, 9, 1, body);
    let mut other = Raw::connect(&address);
    let negative = [&[0xff; 6][..], &[0], &(-2_i32).to_be_bytes()].concat();
    let cases: [(&str, Vec<u8>); 6] = [
        ("a field cut off", with(&body[..body.len() - 2])),
        ("no header at all", [&[0, 0, 0, 2][..], &[0, 3]].concat()),
        // ListOffsets for −2 topics, which are never null; where they can be, it is taken so.
        ("a negative length", framed(2, 2, 1, &negative)),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS", [&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3][..], &[0x5a; 194]].concat()),
        (
            "noise",
            (0..400_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x40).collect(),
        ),
    ];
    for (name, bytes) in cases {
        let mut raw = Raw::connect(&address);
        // It may be closed before all of it was read.
        drop(raw.send(&bytes));
        assert!(raw.is_closed(), "{name}");
    }
    other.call(9, &nothing());
}

/// The reference passes over it, and librdkafka sends it, for all topics in Metadata version 13.
#[test]
fn wire_13_bytes_behind_a_request_are_passed_over() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let whole = frame::encode_request(&nothing(), 9, 1, Some("raw")).unwrap();
    raw.send(&framed(3, 9, 1, &[&whole[12..], b"junk"].concat())).unwrap();
    assert!(raw.answer::<MetadataResponse>(9, 1).is_some());
    raw.call(9, &nothing());
}

#[test]
fn wire_13_requests_before_a_broken_one_are_answered() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "before-broken");
    let request = records_for(&topic, -1, &[(0, batch(Codec::None, &[b"v"]))]);
    let produce = frame::encode_request(&request, PRODUCE, 50, None).unwrap();
    let mut bytes = produce.to_vec();
    bytes.put_slice(&framed(999, 0, 51, &[0xff, 0xff]));
    raw.send(&bytes).unwrap();
    let response: ProduceResponse = raw.answer(PRODUCE, 50).expect("the first is a good one");
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, 0));
    assert!(raw.is_closed());
}

#[test]
fn wire_14_answers_come_in_the_order_of_their_requests() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let topic = new_topic(&mut raw, "in-order");
    let produce = records_for(&topic, -1, &[(0, batch(Codec::None, &[b"v"]))]);
    // Nothing is there yet: the fetch waits, and all that is behind it with it.
    let first = raw.ask(11, &fetch(&topic, 0, 200));
    let second = raw.ask(9, &nothing());
    let third = raw.ask(PRODUCE, &produce);
    let fourth = raw.ask(9, &nothing());
    let fetched: FetchResponse = raw.answer(11, first).unwrap();
    // The reference takes up no request before the one in front of it is answered.
    let records = &fetched.responses[0].partitions[0].records;
    assert!(records.as_ref().is_none_or(bytes::Bytes::is_empty), "{fetched:?}");
    raw.answer::<MetadataResponse>(9, second).unwrap();
    let produced: ProduceResponse = raw.answer(PRODUCE, third).unwrap();
    assert_eq!(produced.responses[0].partition_responses[0].base_offset, 0);
    raw.answer::<MetadataResponse>(9, fourth).unwrap();
}

#[test]
fn wire_15_correlation_ids_are_echoed_whatever_they_are() {
    let subject = shared();
    let mut raw = Raw::connect(&subject.bootstrap());
    let request = ApiVersionsRequest {
        client_software_name: "raw".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    for id in [0, -1, i32::MIN, i32::MAX, 5, 5, 5] {
        for version in [0, 3] {
            raw.send(&frame::encode_request(&request, version, id, None).unwrap()).unwrap();
            assert_eq!(raw.receive().unwrap()[..4], id.to_be_bytes());
        }
    }
}
