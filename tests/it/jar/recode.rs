//! Random messages of every API and version, read and written again by the reference.

use std::fs;

use bytes::{Buf as _, BufMut as _, Bytes};

use logboom_protocol::{ApiKey, MessageKind};
use logboom_tests::body::Body;
use logboom_tests::foreign;
use logboom_tests::random::{Format, formats};

const SEED: u64 = 0x6c6f_6762_6f6f_6d01;
const ROUNDS: u64 = 24;
/// The kind of a frame that says why a message could not be read.
const REFUSED: u8 = 2;

/// A frame of the file that `Reference recode` reads and writes.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    api: i16,
    version: i16,
    kind: u8,
    body: Bytes,
}

impl Frame {
    fn new(api: ApiKey, version: i16, kind: MessageKind, body: Bytes) -> Self {
        Self { api: api.to_wire(), version, kind: u8::from(kind == MessageKind::Response), body }
    }
}

fn write(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        out.put_i16(frame.api);
        out.put_i16(frame.version);
        out.put_u8(frame.kind);
        out.put_u32(u32::try_from(frame.body.len()).unwrap());
        out.put_slice(&frame.body);
    }
    out
}

fn read(mut bytes: Bytes) -> Vec<Frame> {
    let mut frames = Vec::new();
    while bytes.has_remaining() {
        let (api, version, kind) = (bytes.get_i16(), bytes.get_i16(), bytes.get_u8());
        let length = bytes.get_u32() as usize;
        frames.push(Frame { api, version, kind, body: bytes.split_to(length) });
    }
    frames
}

/// What our encoder writes for a message of `format`: that of the schema, byte for byte.
fn encoded(format: &Format, canonical: Vec<u8>) -> Bytes {
    let canonical = Bytes::from(canonical);
    let Format { api, kind, version, .. } = *format;
    let body = Body::decode(api, kind, version, &canonical)
        .unwrap_or_else(|error| panic!("{error}: {canonical:02x?}"));
    let encoded = body.encode(version).unwrap();
    assert_eq!(encoded, canonical, "{api} {kind} {version}");
    encoded
}

fn recoded(name: &str, frames: &[Frame]) -> Option<Vec<Frame>> {
    let java = super::reference(name)?;
    let dir = foreign::scratch(&format!("recode-{}", name.replace(' ', "-")));
    let (from, to) = (dir.join("in"), dir.join("out"));
    fs::write(&from, write(frames)).unwrap();
    foreign::printed(java.command("Reference").arg("recode").arg(&from).arg(&to));
    let answers = read(fs::read(&to).unwrap().into());
    fs::remove_dir_all(dir).unwrap();
    Some(answers)
}

#[test]
fn every_message_is_read_and_written_alike_by_the_reference() {
    let mut frames = Vec::new();
    let formats = formats();
    for format in &formats {
        let Format { api, kind, version, .. } = *format;
        let random = (0..ROUNDS).map(|round| format.random(format.seed(SEED, round)));
        for wire in random.chain([format.all_default()]) {
            frames.push(Frame::new(api, version, kind, encoded(format, wire.bytes)));
        }
    }
    let expected: i16 =
        ApiKey::ALL.iter().map(|api| api.versions().max - api.versions().min + 1).sum();
    assert_eq!(formats.len(), 2 * usize::try_from(expected).unwrap(), "a version is missing");
    let Some(answers) = recoded("random messages", &frames) else { return };
    assert_eq!(answers.len(), frames.len());
    for (sent, came) in frames.iter().zip(&answers) {
        let reason = String::from_utf8_lossy(&came.body);
        assert_ne!(came.kind, REFUSED, "{reason} at {sent:02x?}");
        assert_eq!(sent, came);
    }
    println!("{} messages in {} formats", frames.len(), formats.len());
}

/// The check above would be worth nothing if the reference passed bytes on unread.
#[test]
fn the_reference_refuses_what_is_no_message() {
    let (api, kind) = (ApiKey::Heartbeat, MessageKind::Response);
    let whole = [0, 0, 0, 0, 0, 0, 0];
    let (fine, short, long) = (&whole[..], &whole[..5], &[whole.as_slice(), &[9]].concat());
    let frames =
        [fine, short, long].map(|body| Frame::new(api, 4, kind, Bytes::copy_from_slice(body)));
    let Some(answers) = recoded("broken messages", &frames) else { return };
    let kinds: Vec<u8> = answers.iter().map(|answer| answer.kind).collect();
    assert_eq!(kinds, [1, REFUSED, REFUSED]);
}
