//! Bad frames, request headers and produce requests: what stands before any decoded value.

use std::borrow::Cow;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use proptest::prelude::{any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{SEED, framed};
use logboom_protocol::frame::{self, Split};
use logboom_protocol::header::{self, HeaderError, RequestHeader};
use logboom_protocol::hot::ProduceVisit;
use logboom_protocol::wire::memory_limit;
use logboom_protocol::{ApiKey, Fault, MessageKind, VersionRange};
use logboom_tests::random::{Random, formats};

/// What `bytes` allocates to share a buffer between the frame and what follows it; a frame without
/// bytes shares nothing.
const SHARED_BYTES: u64 = 64;

/// A broker that serves whatever we speak.
fn all(api: ApiKey) -> Option<VersionRange> {
    Some(api.versions())
}

proptest! {
    #[test]
    fn any_stream_splits_without_memory(
        stream in prop::collection::vec(any::<u8>(), 0..64),
        length in prop::option::of(-3..70i32),
        limit in 0..80usize,
    ) {
        let prefix = length.map(i32::to_be_bytes);
        let stream = [prefix.as_ref().map_or(&[][..], |prefix| prefix), &stream].concat();
        let mut buffer = BytesMut::from(&stream[..]);
        let mut result = None;
        let memory = measure(|| result = Some(frame::split(&mut buffer, limit)));
        let announced = stream.first_chunk().map(|prefix| i32::from_be_bytes(*prefix));
        match result.expect("it ran") {
            Ok(Split::Frame(frame)) => {
                prop_assert_eq!(i32::try_from(frame.len()).ok(), announced);
                prop_assert!(frame.len() <= limit);
                prop_assert_eq!(&[&frame[..], &buffer].concat(), &stream[4..]);
                prop_assert!(memory.bytes_max <= SHARED_BYTES, "{memory:?}");
            }
            Ok(Split::Incomplete { missing }) => {
                let whole = announced.map_or(4, |length| 4 + usize::try_from(length).expect("≥ 0"));
                prop_assert_eq!(missing + stream.len(), whole);
                prop_assert_eq!((&buffer[..], memory.count_total), (&stream[..], 0));
            }
            Err(error) => {
                prop_assert_eq!(Some(error.length), announced);
                prop_assert!(usize::try_from(error.length).map_or(true, |length| length > limit));
                prop_assert_eq!((&buffer[..], memory.count_total), (&stream[..], 0));
            }
        }
    }

    #[test]
    fn any_bytes_are_a_header_or_an_error(
        key in -1..100i16,
        version in -1..20i16,
        rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let bytes = [&key.to_be_bytes()[..], &version.to_be_bytes(), &rest].concat();
        let frame = framed(&bytes);
        let mut result = None;
        let memory = measure(|| result = Some(RequestHeader::decode(&frame, all)));
        prop_assert!(memory.bytes_max <= memory_limit(frame.len()) as u64, "{memory:?}");
        let api = ApiKey::from_wire(key);
        match result.expect("it ran") {
            Ok((header, body)) => {
                // Only what is no UTF-8 is copied, to be put right.
                let lent = !matches!(header.client_id, Some(Cow::Owned(_)));
                prop_assert_eq!(memory.count_total == 0, lent);
                prop_assert_eq!((Some(header.api), header.version), (api, version));
                prop_assert!(header.api.versions().contains(version));
                prop_assert!(frame.ends_with(&body));
            }
            Err(HeaderError::UnknownApi { key: named, .. }) => {
                prop_assert_eq!((named, api), (key, None));
            }
            Err(HeaderError::UnsupportedVersion { api: named, version: as_sent, served, .. }) => {
                prop_assert_eq!(served, named.versions());
                prop_assert_eq!((Some(named), as_sent), (api, version));
                prop_assert!(!named.versions().contains(version));
            }
            Err(HeaderError::Malformed(error)) => {
                prop_assert!(error.field == "tagged fields"
                    || error.field.starts_with("RequestHeader."), "{}", error);
            }
        }
    }
}

#[test]
fn a_header_cut_at_any_byte_names_its_field() {
    for format in formats().iter().filter(|format| format.kind == MessageKind::Request) {
        let (api, version) = (format.api, format.version);
        let header =
            RequestHeader { api, version, correlation_id: 1, client_id: Some("cut".into()) };
        let mut bytes = BytesMut::new();
        header.encode(&mut bytes).expect("a short client id");
        for cut in 0..bytes.len() {
            let field = match cut {
                0..2 => "RequestHeader.request_api_key",
                2..4 => "RequestHeader.request_api_version",
                4..8 => "RequestHeader.correlation_id",
                8..13 => "RequestHeader.client_id",
                _ => "tagged fields",
            };
            match RequestHeader::decode(&framed(&bytes[..cut]), all) {
                Err(HeaderError::Malformed(error)) => {
                    assert_eq!(error.field, field, "{api} v{version} cut at {cut}");
                    assert!(matches!(error.fault, Fault::Truncated { .. }), "{error}");
                }
                other => panic!("{api} v{version} cut at {cut}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_response_header_cut_at_any_byte_names_its_field() {
    for format in formats().iter().filter(|format| format.kind == MessageKind::Response) {
        let mut bytes = BytesMut::new();
        header::encode_response_header(format.api, format.version, 1, &mut bytes);
        for cut in 0..bytes.len() {
            let field = if cut < 4 { "ResponseHeader.correlation_id" } else { "tagged fields" };
            let cut = framed(&bytes[..cut]);
            let error = header::decode_response_header(format.api, format.version, &cut);
            assert_eq!(error.expect_err("it is cut").field, field);
        }
    }
}

/// Visits; asserts that nothing is allocated.
fn visit(body: &Bytes, version: i16) -> Option<usize> {
    let mut visited = None;
    let memory = measure(|| {
        if let Ok(visit) = ProduceVisit::decode(body, version) {
            let count = visit.partitions().count();
            assert_eq!(count, visit.partition_count);
            visited = Some(count);
        }
    });
    assert_eq!(memory.count_total, 0, "v{version}: {body:02x?}");
    visited
}

#[test]
fn a_produce_visit_allocates_nothing_whatever_the_bytes() {
    let is_produce = |api, kind| (api, kind) == (ApiKey::Produce, MessageKind::Request);
    let (mut refused, mut read) = (0, 0);
    for format in formats().iter().filter(|format| is_produce(format.api, format.kind)) {
        for round in 0..100 {
            let seed = format.seed(SEED, round);
            let wire = format.random(seed);
            let mut random = Random::new(!seed);
            assert!(visit(&framed(&wire.bytes), format.version).is_some(), "seed {seed:#x}");
            let step = 1 + wire.bytes.len() / 300;
            for cut in (0..wire.bytes.len()).step_by(step) {
                let cut = framed(&wire.bytes[..cut]);
                assert_eq!(visit(&cut, format.version), None, "seed {seed:#x}");
            }
            for _ in 0..100 {
                let mut bytes = wire.bytes.clone();
                let place = random.below(bytes.len());
                bytes[place] ^= 1 << random.below(8);
                let visited = visit(&framed(&bytes), format.version);
                *(if visited.is_some() { &mut read } else { &mut refused }) += 1;
            }
        }
    }
    println!("{refused} refused, {read} visited");
    assert!(refused > 10_000 && read > 10_000);
}
