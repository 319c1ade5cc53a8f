//! Clients produce; what they sent must pass our checks and read as what they were told to send.

use std::fs;

use bytes::Bytes;

use logboom_protocol::records::{Codec, Inflater, ProducedBatch, RawBatches};
use logboom_tests::foreign::{self, Client};
use logboom_tests::shapes::{NOT_FOR_KAFKA_PYTHON, Record, Shape, shapes, to_text};
use logboom_tests::stub::{Partition, Stub, TOPIC};

use crate::golden;

/// What one partition must have got.
#[derive(Debug)]
pub(crate) struct Expected {
    name: String,
    codec: Codec,
    idempotent: bool,
    /// A list of records a batch.
    batches: Vec<Vec<Record>>,
}

impl Expected {
    /// The golden file of what `client` sent.
    pub(crate) fn path(&self, client: Client) -> String {
        format!("batches/{}/{}-{}.bin", client.name(), self.codec.name(), self.name)
    }
}

/// The golden file that says what was sent as the shape `name`.
pub(crate) fn sent_path(name: &str) -> String {
    format!("sent/{name}.txt")
}

/// What `client` is told to send, a partition each: every shape with every codec, and for each
/// codec one shape twice by an idempotent producer.
pub(crate) fn expected(client: Client, shapes: &[Shape]) -> Vec<Expected> {
    let python = client == Client::KafkaPython;
    let sent = |shape: &&Shape| !(python && NOT_FOR_KAFKA_PYTHON.contains(&shape.name));
    let mut all = Vec::new();
    for codec in Codec::ALL {
        let plain = shapes.iter().filter(sent).map(|shape| Expected {
            name: shape.name.to_owned(),
            codec,
            idempotent: false,
            batches: vec![shape.records.clone()],
        });
        all.extend(plain);
        let many = shapes.iter().find(|shape| shape.name == "many").unwrap();
        let batches = vec![many.records.clone(); 2];
        all.push(Expected { name: "many-idempotent".to_owned(), codec, idempotent: true, batches });
    }
    all
}

/// Checks what was sent for one partition.
pub(crate) fn check(expected: &Expected, bytes: &Bytes) {
    let Expected { name, codec, idempotent, batches } = expected;
    let name = format!("{}-{name}", codec.name());
    let mut inflater = Inflater::default();
    let mut next_sequence = 0;
    let raw: Vec<_> = RawBatches::new(bytes).map(Result::unwrap).collect();
    assert_eq!(raw.len(), batches.len(), "batches of {name}");
    for (raw, sent) in raw.iter().zip(batches) {
        let batch = ProducedBatch::check(bytes.slice_ref(raw.bytes()), &mut inflater);
        let batch = batch.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(batch.batch().codec(), Ok(*codec), "{name}");
        let stored = batch.batch().record_bytes().len();
        let summary = batch.summary();
        assert_eq!(stored < summary.bytes, *codec != Codec::None, "{name} compressed");
        let header = batch.header();
        assert_eq!(header.producer_id >= 0, *idempotent, "{name}");
        let sequence = if *idempotent { next_sequence } else { -1 };
        assert_eq!(header.base_sequence, sequence, "{name}");
        next_sequence += header.record_count;
        let greatest = sent.iter().map(|record| record.timestamp).max().unwrap();
        assert_eq!((header.max_timestamp, summary.max_timestamp), (greatest, greatest), "{name}");
        let without_key = sent.iter().position(|record| record.key.is_none());
        assert_eq!(summary.first_without_key.map(|i| i as usize), without_key, "{name}");
        assert_eq!(records(&batch, &mut inflater), *sent, "{name}");
    }
}

fn records(batch: &ProducedBatch, inflater: &mut Inflater) -> Vec<Record> {
    let records = batch.batch().records(inflater).unwrap();
    let numbered = records.iter().zip(0..);
    let read = numbered.map(|(record, index)| {
        let record = record.unwrap();
        assert_eq!(record.offset, index);
        super::consume::owned(&record)
    });
    read.collect()
}

/// Lets `client` send everything and checks what came.
fn produce(client: Client) {
    let what = format!("producing with {}", client.name());
    let Some(mut command) = foreign::or_skip(&what, client.producer()) else { return };
    let expected = expected(client, &shapes());
    let stub = Stub::start(vec![Partition::default(); expected.len()]).unwrap();
    command.arg(stub.bootstrap()).arg(TOPIC);
    let dir = foreign::scratch(&format!("produce-{}", client.name()));
    for codec in Codec::ALL {
        for idempotent in [false, true] {
            let numbered = expected.iter().enumerate();
            let ours = numbered.filter(|(_, e)| e.codec == codec && e.idempotent == idempotent);
            let batches = ours.flat_map(|(partition, expected)| {
                expected.batches.iter().map(move |batch| (partition, batch.as_slice()))
            });
            let file = dir.join(format!("{}-{idempotent}", codec.name()));
            fs::write(&file, to_text(batches)).unwrap();
            command.args([codec.name(), &idempotent.to_string()]).arg(file);
        }
    }
    foreign::printed(&mut command);
    fs::remove_dir_all(dir).unwrap();
    assert_eq!(stub.complaints(), [""; 0]);
    for (expected, batches) in expected.iter().zip(stub.produced()) {
        let bytes = Bytes::from(batches.concat());
        check(expected, &bytes);
        golden::record(&expected.path(client), &bytes);
    }
}

#[test]
fn kafka_clients_produces() {
    produce(Client::KafkaClients);
}

#[test]
fn librdkafka_produces() {
    produce(Client::Librdkafka);
}

#[test]
fn kafka_python_produces() {
    produce(Client::KafkaPython);
}
