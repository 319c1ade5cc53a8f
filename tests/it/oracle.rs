//! Our codec against another one, the crate `kafka-protocol`, and against the schema.
//!
//! Random messages come from [`logboom_tests::random`], which writes bytes from the schema files
//! without the generated code. Each must survive decoding and encoding, by us and by the other
//! codec, byte for byte; what either writes, the other reads.
//!
//! `kafka-protocol` 0.18 speaks Kafka 4.1. [`LACKING`] and [`WRONG`] list what it cannot judge;
//! the comparison with Kafka's own jar (`jar.rs`) covers that. Both lists are exact: a line that
//! is no longer true fails the test.

use std::collections::BTreeSet;

use bytes::{Buf as _, Bytes, BytesMut};
use kafka_protocol::messages::{self as other, RequestKind, ResponseKind};
use kafka_protocol::protocol::{Decodable as _, Encodable as _};

use logboom_protocol::header::{self, RequestHeader};
use logboom_protocol::{ApiKey, MessageKind};
use logboom_tests::body::Body;
use logboom_tests::random::{Format, Random, Wire, apis, formats};

/// Start of all seeds; another one gives other messages (`LOGBOOM_ORACLE_SEED`).
const SEED: u64 = 0x6c6f_6762_6f6f_6d01;
/// Random messages of each format, unless `LOGBOOM_ORACLE_ROUNDS` says another number.
const ROUNDS: u64 = 50;

/// What kafka-protocol lacks: API, from which version on, and why.
const LACKING: &[(ApiKey, i16, &str)] = &[
    (ApiKey::ListOffsets, 11, NEWER),
    (ApiKey::ApiVersions, 5, NEWER),
    (ApiKey::WriteTxnMarkers, 2, NEWER),
    (ApiKey::TxnOffsetCommit, 6, NEWER),
    (ApiKey::DescribeLogDirs, 5, NEWER),
    (ApiKey::DeleteGroups, 3, NEWER),
    (ApiKey::AddRaftVoter, 1, NEWER),
    (ApiKey::UnregisterController, 0, NEWER),
];

/// The one reason so far.
const NEWER: &str = "newer than Kafka 4.1";

/// What kafka-protocol gets wrong: API, direction, versions, and how.
const WRONG: &[(ApiKey, MessageKind, &[i16], &str)] = &[
    (ApiKey::OffsetCommit, MessageKind::Request, &[10], REFUSED),
    (ApiKey::OffsetFetch, MessageKind::Request, &[10], REFUSED),
];

/// The one bug so far.
const REFUSED: &str = "its table of versions promises what its codec refuses";

/// Formats that are compared with kafka-protocol: all of the schema but the two lists.
const COMPARED: usize = 486;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Calls `check` with random messages of a format; returns how many there were.
fn each_message(format: &Format, mut check: impl FnMut(&Wire, &str)) -> u64 {
    let rounds = setting("LOGBOOM_ORACLE_ROUNDS", ROUNDS);
    let base = setting("LOGBOOM_ORACLE_SEED", SEED);
    let Format { api, kind, version, .. } = *format;
    check(&format.all_default(), &format!("{api} {kind} v{version}, all default"));
    for round in 0..rounds {
        let seed = format.seed(base, round);
        check(&format.random(seed), &format!("{api} {kind} v{version}, seed {seed:#018x}"));
    }
    rounds + 1
}

fn decode(format: &Format, bytes: &Bytes, name: &str) -> Body {
    Body::decode(format.api, format.kind, format.version, bytes)
        .unwrap_or_else(|e| panic!("{name}: {e}\n{bytes:?}"))
}

fn encode(format: &Format, body: &Body, name: &str) -> Bytes {
    body.encode(format.version).unwrap_or_else(|e| panic!("{name}: {e}\n{body:?}"))
}

/// Decodes and encodes with kafka-protocol.
fn through_other(format: &Format, bytes: &Bytes) -> anyhow::Result<Bytes> {
    let Format { kind, version, .. } = *format;
    let api = other::ApiKey::try_from(format.api.to_wire())
        .map_err(|()| anyhow::anyhow!("kafka-protocol has no API {}", format.api))?;
    let mut rest = bytes.clone();
    let mut out = BytesMut::new();
    match kind {
        MessageKind::Request => {
            RequestKind::decode(api, &mut rest, version)?.encode(&mut out, version)?;
        }
        MessageKind::Response => {
            ResponseKind::decode(api, &mut rest, version)?.encode(&mut out, version)?;
        }
    }
    anyhow::ensure!(rest.is_empty(), "kafka-protocol left {} bytes", rest.len());
    Ok(out.freeze())
}

fn is_lacking(format: &Format) -> bool {
    LACKING.iter().any(|&(api, from, _)| api == format.api && format.version >= from)
}

fn is_wrong(format: &Format) -> bool {
    WRONG.iter().any(|&(api, kind, versions, _)| {
        api == format.api && kind == format.kind && versions.contains(&format.version)
    })
}

/// Whether kafka-protocol's table of versions names the format.
fn other_names(format: &Format) -> bool {
    other::ApiKey::try_from(format.api.to_wire()).is_ok_and(|api| {
        let versions = api.valid_versions();
        (versions.min..=versions.max).contains(&format.version)
    })
}

#[test]
fn the_schema_has_the_apis_and_versions_of_the_crate() {
    let schema: Vec<_> = apis().iter().map(|api| (api.key, api.name.clone())).collect();
    let ours: Vec<_> = ApiKey::ALL.iter().map(|api| (api.to_wire(), api.to_string())).collect();
    assert_eq!(schema, ours);
    let mut in_schema = BTreeSet::new();
    for format in formats() {
        let Format { api, version, message, .. } = format;
        in_schema.insert((api, version));
        assert!(api.versions().contains(version), "{api} v{version}");
        assert_eq!(api.is_flexible(version), message.is_flexible(version), "{api} v{version}");
    }
    let spoken: usize = ApiKey::ALL
        .iter()
        .map(|api| usize::try_from(api.versions().max - api.versions().min + 1).expect("a range"))
        .sum();
    assert_eq!(in_schema.len(), spoken);
}

#[test]
fn every_version_of_every_message_survives_decoding_and_encoding() {
    let (mut combinations, mut messages, mut bytes_total) = (0, 0, 0);
    for format in formats() {
        combinations += 1;
        messages += each_message(&format, |wire, name| {
            let bytes = Bytes::copy_from_slice(&wire.bytes);
            let body = decode(&format, &bytes, name);
            let encoded = encode(&format, &body, name);
            assert_eq!(encoded, bytes, "{name}: encoded differently\n{body:?}");
            assert_eq!(decode(&format, &encoded, name), body, "{name}: decoded differently");
            bytes_total += bytes.len();
        });
    }
    println!("{combinations} formats, {messages} messages, {bytes_total} bytes");
    assert_eq!(combinations, formats().len());
    assert!(bytes_total > 100 * combinations, "the messages are too small to mean anything");
}

/// Without this the comparisons could pass by leaving things out.
#[test]
fn the_random_messages_reach_every_field_of_every_version() {
    let mut fields_total = 0;
    for format in formats() {
        let mut written = BTreeSet::new();
        each_message(&format, |wire, _| {
            written.extend(wire.spans.iter().map(|span| span.field.clone()));
        });
        let Format { api, kind, version, message } = format;
        for one in message.structs.iter().filter(|one| one.versions.contains(version)) {
            for field in one.fields.iter().filter(|field| field.versions.contains(version)) {
                fields_total += 1;
                let name = format!("{}.{}", one.name, field.name);
                assert!(written.contains(&name), "{api} {kind} v{version}: no {name}");
            }
        }
    }
    println!("{fields_total} fields");
    assert!(fields_total > 3500);
}

#[test]
fn kafka_protocol_reads_and_writes_the_same_bytes() {
    let mut compared = BTreeSet::new();
    let mut messages = 0;
    for format in formats().into_iter().filter(|format| !is_lacking(format) && !is_wrong(format)) {
        let Format { api, kind, version, .. } = format;
        assert!(other_names(&format), "{api} v{version} is to be listed as lacking");
        messages += each_message(&format, |wire, name| {
            let bytes = Bytes::copy_from_slice(&wire.bytes);
            let theirs = through_other(&format, &bytes)
                .unwrap_or_else(|e| panic!("{name}: kafka-protocol: {e:#}\n{wire:?}"));
            assert_eq!(theirs, bytes, "{name}: kafka-protocol writes other bytes");
            let ours = encode(&format, &decode(&format, &theirs, name), name);
            let back = through_other(&format, &ours)
                .unwrap_or_else(|e| panic!("{name}: kafka-protocol, of ours: {e:#}"));
            assert_eq!(back, ours, "{name}: the two differ");
        });
        compared.insert((api, kind == MessageKind::Response, version));
    }
    println!("{} formats, {messages} messages compared with kafka-protocol", compared.len());
    assert_eq!(compared.len(), COMPARED, "formats compared");
}

#[test]
fn what_kafka_protocol_cannot_judge_is_as_listed() {
    let mut left_out = 0;
    for format in formats() {
        let Format { api, kind, version, .. } = format;
        if is_lacking(&format) {
            left_out += 1;
            assert!(!other_names(&format), "{api} v{version} can be compared now");
        } else if is_wrong(&format) {
            left_out += 1;
            let mut survived = 0;
            let messages = each_message(&format, |wire, _| {
                let bytes = Bytes::copy_from_slice(&wire.bytes);
                let through = through_other(&format, &bytes);
                survived += u64::from(through.is_ok_and(|theirs| theirs == bytes));
            });
            println!("{api} {kind} v{version}: {survived} of {messages} survive kafka-protocol");
            assert!(survived < messages, "{api} {kind} v{version} can be compared now");
        }
    }
    println!("{left_out} formats cannot be compared with kafka-protocol");
    assert_eq!(left_out + COMPARED, formats().len());
}

#[test]
fn kafka_protocol_has_the_same_headers() {
    let mut random = Random::new(SEED);
    let (mut requests, mut responses) = (0, 0);
    for format in formats().into_iter().filter(|format| !is_lacking(format)) {
        let Format { api, kind, version, .. } = format;
        let theirs = other::ApiKey::try_from(api.to_wire()).expect("it is not lacking");
        match kind {
            MessageKind::Request => {
                let header_version = theirs.request_header_version(version);
                assert_eq!(api.request_header_version(version), header_version, "{api} {version}");
                for client_id in [None, Some(String::new()), Some(random.text())] {
                    request_header_agrees(&format, header_version, client_id.as_deref());
                    requests += 1;
                }
            }
            MessageKind::Response => {
                let header_version = theirs.response_header_version(version);
                assert_eq!(api.response_header_version(version), header_version, "{api} {version}");
                response_header_agrees(&format, header_version);
                responses += 1;
            }
        }
    }
    println!("{requests} request headers, {responses} response headers");
    let lacking = formats().iter().filter(|format| is_lacking(format)).count() / 2;
    let both = formats().len() / 2 - lacking;
    assert_eq!((requests, responses), (3 * both, both));
}

fn request_header_agrees(format: &Format, header_version: i16, client_id: Option<&str>) {
    let Format { api, version, .. } = *format;
    let lent = client_id.map(Into::into);
    let header = RequestHeader { api, version, correlation_id: -7, client_id: lent };
    let mut ours = BytesMut::new();
    header.encode(&mut ours).expect("a short client id");
    let mut theirs = BytesMut::new();
    other::RequestHeader::default()
        .with_request_api_key(api.to_wire())
        .with_request_api_version(version)
        .with_correlation_id(-7)
        .with_client_id(client_id.map(|id| id.to_owned().into()))
        .encode(&mut theirs, header_version)
        .expect("a header");
    assert_eq!(ours, theirs, "{api} v{version}");
    theirs.extend_from_slice(b"body");
    let frame = theirs.freeze();
    let serves = |api: ApiKey| Some(api.versions());
    let (decoded, body) = RequestHeader::decode(&frame, serves).expect("their header");
    assert_eq!((decoded, body), (header, Bytes::from_static(b"body")), "{api} v{version}");
    let mut rest = ours.freeze();
    let decoded = other::RequestHeader::decode(&mut rest, header_version).expect("our header");
    assert_eq!(decoded.client_id.as_deref(), client_id);
    assert_eq!((decoded.correlation_id, rest.remaining()), (-7, 0));
}

fn response_header_agrees(format: &Format, header_version: i16) {
    let Format { api, version, .. } = *format;
    let mut ours = BytesMut::new();
    header::encode_response_header(api, version, i32::MIN, &mut ours);
    let mut theirs = BytesMut::new();
    other::ResponseHeader::default()
        .with_correlation_id(i32::MIN)
        .encode(&mut theirs, header_version)
        .expect("a header");
    assert_eq!(ours, theirs, "{api} v{version}");
    theirs.extend_from_slice(b"body");
    let decoded = header::decode_response_header(api, version, &theirs.freeze());
    assert_eq!(decoded, Ok((i32::MIN, Bytes::from_static(b"body"))), "{api} v{version}");
}

#[test]
fn api_versions_answers_with_the_old_header_in_both_codecs() {
    for version in 0..=ApiKey::ApiVersions.versions().max {
        assert_eq!(ApiKey::ApiVersions.response_header_version(version), 0);
        assert_eq!(other::ApiKey::ApiVersions.response_header_version(version), 0);
    }
    let spoken = ApiKey::ApiVersions.versions();
    let frame = header::unsupported_api_versions_response(spoken, 9);
    let mut rest = frame.slice(4..);
    let header = other::ResponseHeader::decode(&mut rest, 0).expect("header v0");
    assert_eq!(header.correlation_id, 9);
    let answer = other::ApiVersionsResponse::decode(&mut rest, 0).expect("version 0");
    assert_eq!((answer.error_code, rest.remaining()), (35, 0));
    let listed: Vec<_> =
        answer.api_keys.iter().map(|a| (a.api_key, a.min_version, a.max_version)).collect();
    assert_eq!(listed, [(18, spoken.min, spoken.max)]);
}
