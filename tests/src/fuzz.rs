//! What is fuzzed: a function per target, which panics where a promise of the protocol crate
//! doesn't hold.
//!
//! The targets of `tests/fuzz` call these functions and nothing else; `tests/it/corpora.rs` calls
//! them with every input that was worth keeping. The first bytes of an input choose what the rest
//! is read as, so that one target reaches every API and version.
//!
//! To fuzz, in `tests`: `cargo +nightly fuzz run --sanitizer none TARGET`. Our code has no unsafe
//! block that a sanitizer could judge, and without one a target runs five times as fast.

use bytes::{Bytes, BytesMut};

use crate::body::Body;
use logboom_protocol::frame::{self as frames, Split};
use logboom_protocol::header::{self, HeaderError, RequestHeader};
use logboom_protocol::hot::{PartitionRecords, ProduceVisit, TopicRef};
use logboom_protocol::messages::produce::ProduceRequest;
use logboom_protocol::units::Uuid;
use logboom_protocol::{ApiKey, DecodeError, EncodeError, Fault, Message as _, MessageKind};

mod batch;
pub mod seeds;

pub use batch::{compressed_records, record_batch};

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("frame", frame),
    ("request", request),
    ("response", response),
    ("produce_visit", produce_visit),
    ("record_batch", record_batch),
    ("compressed_records", compressed_records),
];

/// A stream of frames, each a request, that arrives in pieces.
///
/// Input: the size of the pieces (1 byte), the limit of frames (2 bytes), the stream.
pub fn frame(data: &[u8]) {
    let Some((&[piece, high, low], stream)) = data.split_first_chunk() else { return };
    let limit = usize::from(u16::from_be_bytes([high, low]));
    let whole = all_frames(stream, stream.len().max(1), limit);
    let in_pieces = all_frames(stream, usize::from(piece).max(1), limit);
    assert_eq!(whole, in_pieces, "the pieces must not matter");
    let (frames, _) = whole;
    let bytes: usize = frames.iter().map(|frame| frame.len() + frames::PREFIX_BYTES).sum();
    assert!(bytes <= stream.len(), "{bytes} bytes of frames from {}", stream.len());
    for frame in &frames {
        assert!(frame.len() <= limit);
        one_request(frame);
    }
}

/// All frames, and whether the stream broke behind them.
fn all_frames(stream: &[u8], piece: usize, limit: usize) -> (Vec<Bytes>, bool) {
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let before = buffer.len();
            match frames::split(&mut buffer, limit) {
                Ok(Split::Frame(frame)) => frames.push(frame),
                Ok(Split::Incomplete { missing }) => {
                    assert!(missing > 0 && before == buffer.len());
                    break;
                }
                Err(error) => {
                    assert!(usize::try_from(error.length).map_or(true, |length| length > limit));
                    return (frames, true);
                }
            }
        }
    }
    (frames, false)
}

/// A header and the body behind it.
fn one_request(frame: &Bytes) {
    let serves = |api: ApiKey| Some(api.versions());
    match RequestHeader::decode(frame, serves) {
        Ok((header, body)) => {
            assert!(header.api.versions().contains(header.version));
            let mut out = BytesMut::new();
            header.encode(&mut out).expect("it was decoded from as much");
            out.extend_from_slice(&body);
            let again = out.freeze();
            let (api, version) = (header.api, header.version);
            assert_eq!(RequestHeader::decode(&again, serves), Ok((header, body.clone())));
            round_trip(api, MessageKind::Request, version, &body);
        }
        Err(HeaderError::UnknownApi { key, .. }) => assert_eq!(ApiKey::from_wire(key), None),
        Err(HeaderError::UnsupportedVersion { api, version, served, .. }) => {
            assert!(!served.contains(version) && served == api.versions());
        }
        Err(HeaderError::Malformed(error)) => assert!(!error.field.is_empty(), "{error}"),
    }
}

/// The body of any request.
///
/// Input: API (1 byte), version (1 byte), body.
pub fn request(data: &[u8]) {
    let Some((api, version, body)) = select(data) else { return };
    round_trip(api, MessageKind::Request, version, &body);
}

/// Any response, its header included.
///
/// Input: API (1 byte), version (1 byte), response.
pub fn response(data: &[u8]) {
    let Some((api, version, response)) = select(data) else { return };
    let (_, body) = match header::decode_response_header(api, version, &response) {
        Ok(split) => split,
        Err(error) => return assert!(!error.field.is_empty(), "{error}"),
    };
    round_trip(api, MessageKind::Response, version, &body);
}

/// The API and version that the first two bytes choose, and the rest.
fn select(data: &[u8]) -> Option<(ApiKey, i16, Bytes)> {
    let (&[api, version], body) = data.split_first_chunk()?;
    let api = ApiKey::ALL[usize::from(api) % ApiKey::ALL.len()];
    Some((api, version_of(api, version), Bytes::copy_from_slice(body)))
}

fn version_of(api: ApiKey, number: u8) -> i16 {
    let versions = api.versions();
    versions.min + i16::from(number) % (versions.max - versions.min + 1)
}

/// The first bytes of an input that make [`request`] and [`response`] choose that format.
///
/// # Panics
/// If the API doesn't speak the version.
pub fn selector(api: ApiKey, version: i16) -> [u8; 2] {
    let place = ApiKey::ALL.iter().position(|&one| one == api).expect("all are there");
    let place = u8::try_from(place).expect("fewer than 256 APIs");
    [place, u8::try_from(version - api.versions().min).expect("a version of the API")]
}

/// What is decoded survives encoding, and is canonical from then on.
fn round_trip(api: ApiKey, kind: MessageKind, version: i16, bytes: &Bytes) {
    let body = match Body::decode(api, kind, version, bytes) {
        Ok(body) => body,
        Err(error) => return check_error(&error, api, kind, version, bytes),
    };
    let encoded = match body.encode(version) {
        Ok(encoded) => encoded,
        // Where U+FFFD stands for a byte, a string is three times as long as it came.
        Err(EncodeError { fault: Fault::TooLong { length, limit }, .. })
            if length <= 3 * bytes.len() && bytes.len() > limit / 3 =>
        {
            return;
        }
        Err(error) => panic!("{error}\n{body:?}"),
    };
    let again = match Body::decode(api, kind, version, &encoded) {
        Ok(again) => again,
        // Without unknown tags and long varints it is shorter, and so its limit is lower.
        Err(DecodeError { fault: Fault::Memory { .. }, .. }) if encoded.len() < bytes.len() => {
            return;
        }
        Err(error) => panic!("{error}\n{body:?}"),
    };
    assert!(again == body || body.has_nan(), "{api} v{version}: {body:?}, then {again:?}");
    assert_eq!(again.encode(version).as_ref(), Ok(&encoded), "{api} v{version}: {body:?}");
}

/// An error names its message, and a field unless it is about the message as a whole.
fn check_error(error: &DecodeError, api: ApiKey, kind: MessageKind, version: i16, bytes: &Bytes) {
    assert_eq!((error.api, error.kind, error.version), (api, kind, version));
    assert!(error.position <= bytes.len(), "{error}");
    let of_the_whole = matches!(error.fault, Fault::Trailing { .. });
    assert_eq!(error.field.is_empty(), of_the_whole, "{error}");
}

/// A topic, a partition and its records.
type Visited = (Option<String>, Uuid, i32, Option<Bytes>);

/// The visit of a produce request against the generated decoder of the same.
///
/// Input: version (1 byte), body.
pub fn produce_visit(data: &[u8]) {
    let Some((&version, body)) = data.split_first() else { return };
    let version = version_of(ApiKey::Produce, version);
    let body = Bytes::copy_from_slice(body);
    let request = ProduceRequest::decode(&body, version);
    let visit = match ProduceVisit::decode(&body, version) {
        Ok(visit) => visit,
        Err(error) => {
            check_error(&error, ApiKey::Produce, MessageKind::Request, version, &body);
            return same_error(&error, &request);
        }
    };
    let own = |one: PartitionRecords<'_>| {
        let (name, id) = match one.topic {
            TopicRef::Name(name) => (Some(name.to_owned()), Uuid::ZERO),
            TopicRef::Id(id) => (None, id),
        };
        (name, id, one.partition, one.records)
    };
    let visited: Vec<Visited> = visit.partitions().map(own).collect();
    assert_eq!(visited.len(), visit.partition_count);
    match request {
        Ok(request) => {
            assert_eq!(visit.transactional_id, request.transactional_id.as_deref());
            assert_eq!((visit.acks, visit.timeout_ms), (request.acks, request.timeout_ms));
            assert_eq!(visited, partitions(&request, version));
        }
        Err(error) => assert!(matches!(error.fault, Fault::Memory { .. }), "{error}"),
    }
}

/// A visit fails as the generated decoder does, but for what only one of the two needs.
fn same_error(error: &DecodeError, request: &Result<ProduceRequest, DecodeError>) {
    // A visit lends names from the frame and so cannot put U+FFFD into them.
    if error.fault == Fault::Utf8 {
        return;
    }
    match request {
        Err(generated) if matches!(generated.fault, Fault::Memory { .. }) => {}
        Err(generated) => assert_eq!(error, generated),
        Ok(request) => panic!("{error}, but the generated decoder reads {request:?}"),
    }
}

/// What a visit of `request` must see.
fn partitions(request: &ProduceRequest, version: i16) -> Vec<Visited> {
    let by_name = version < 13;
    let topics = request.topic_data.iter();
    let all = topics.flat_map(|topic| topic.partition_data.iter().map(move |one| (topic, one)));
    all.map(|(topic, one)| {
        let name = by_name.then(|| topic.name.to_string());
        (name, topic.topic_id, one.index, one.records.clone())
    })
    .collect()
}
