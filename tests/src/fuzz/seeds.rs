//! Valid inputs for each target, with which a corpus begins.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::selector;
use crate::random::{Format, Random, Wire, formats};
use logboom_protocol::header::{self, RequestHeader};
use logboom_protocol::records::{
    BatchBuilder, Codec, HeaderRef, Inflater, ProducedBatch, ProducerState,
};
use logboom_protocol::{ApiKey, MessageKind};

/// Longer inputs are left out; the targets are run with the same limit.
pub const INPUT_BYTES_MAX: usize = 4096;

/// Inputs that the target takes for something valid.
///
/// # Panics
/// If there is no such target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "frame" => streams(),
        "request" => of_formats(MessageKind::Request),
        "response" => of_formats(MessageKind::Response),
        "produce_visit" => produce_requests(),
        "record_batch" => batches(Codec::None).iter().map(|batch| batch.to_vec()).collect(),
        "compressed_records" => compressed(),
        _ => panic!("there is no target {target}"),
    };
    seeds.retain(|seed| seed.len() <= INPUT_BYTES_MAX);
    seeds
}

/// The message in which all is default, and random ones.
fn messages(format: &Format, rounds: u64) -> Vec<Wire> {
    let random = (0..rounds).map(|round| format.random(format.seed(0xf022, round)));
    std::iter::once(format.all_default()).chain(random).collect()
}

fn of_formats(kind: MessageKind) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for format in formats().into_iter().filter(|format| format.kind == kind) {
        for wire in messages(&format, 3) {
            let mut seed = BytesMut::from(&selector(format.api, format.version)[..]);
            if kind == MessageKind::Response {
                header::encode_response_header(format.api, format.version, 7, &mut seed);
            }
            seed.extend_from_slice(&wire.bytes);
            seeds.push(seed.to_vec());
        }
    }
    seeds
}

/// Streams of three requests of one API each.
fn streams() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for format in formats().into_iter().filter(|format| format.kind == MessageKind::Request) {
        let mut seed = BytesMut::from(&[40, 0xff, 0xff][..]);
        for wire in messages(&format, 2) {
            let mut request = BytesMut::new();
            let (api, version) = (format.api, format.version);
            let header =
                RequestHeader { api, version, correlation_id: 1, client_id: Some("seed".into()) };
            header.encode(&mut request).expect("a short client id");
            request.extend_from_slice(&wire.bytes);
            seed.put_u32(u32::try_from(request.len()).expect("short"));
            seed.extend_from_slice(&request);
        }
        seeds.push(seed.to_vec());
    }
    seeds
}

fn produce_requests() -> Vec<Vec<u8>> {
    let of_produce =
        |format: &Format| format.api == ApiKey::Produce && format.kind == MessageKind::Request;
    let mut seeds = Vec::new();
    for format in formats().iter().filter(|format| of_produce(format)) {
        for wire in messages(format, 20) {
            let [_, version] = selector(ApiKey::Produce, format.version);
            seeds.push([&[version][..], &wire.bytes].concat());
        }
    }
    seeds
}

/// Batches of 1 to 20 records, plain and transactional.
pub fn batches(codec: Codec) -> Vec<Bytes> {
    let mut random = Random::new(0xba7c);
    (0..40).map(|round| batch(codec, round, &mut random)).collect()
}

fn batch(codec: Codec, round: usize, random: &mut Random) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    if round % 2 == 1 {
        let transactional = round % 4 == 1;
        let producer = ProducerState { id: 9, epoch: 1, base_sequence: 100, transactional };
        builder = builder.producer(producer);
    }
    for place in 0..1 + round / 2 {
        let (key, value, name) = (random.blob(), random.blob(), random.text());
        let key = (!random.one_in(3)).then_some(&key[..key.len().min(40)]);
        let value = (!random.one_in(5)).then_some(&value[..value.len().min(200)]);
        let headers = [
            HeaderRef { key: &name, value: key },
            HeaderRef { key: "h", value: None },
            HeaderRef { key: "", value: Some(b"") },
        ];
        let headers = &headers[..if name.len() > 40 { 0 } else { random.below(4) }];
        let timestamp =
            1_700_000_000_000 + i64::try_from(place * random.below(9000)).expect("small");
        builder.append(timestamp, key, value, headers).expect("a small record");
    }
    builder.build().expect("every codec is built in")
}

fn compressed() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (choice, codec) in (0u8..).zip(&Codec::ALL[1..]) {
        for batch in batches(*codec) {
            let batch = ProducedBatch::check(batch, &mut Inflater::default()).expect("just built");
            let count = u8::try_from(batch.header().record_count).expect("at most 20");
            let records = batch.batch().records(&mut Inflater::default()).expect("just built");
            seeds.push([&[choice, count][..], &batch.batch().record_bytes()].concat());
            seeds.push([&[choice | 0x80, count][..], records.bytes()].concat());
        }
    }
    seeds
}
