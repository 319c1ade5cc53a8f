//! Clients consume batches that we built; what they print must be what we put in.

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;

use logboom_protocol::messages::fetch::AbortedTransaction;
use logboom_protocol::records::{
    BatchBuilder, CheckedBatch, Codec, HeaderRef, Inflater, ProducedBatch, ProducerState,
    RawBatches, StampedBatch, Stamps, TimestampType, end_transaction_batch, layout,
};
use logboom_protocol::units::{LeaderEpoch, Offset};
use logboom_tests::foreign::{self, Client};
use logboom_tests::shapes::{Record, from_words, shapes};
use logboom_tests::stub::{LEADER_EPOCH, Partition, Stub, TOPIC};

use crate::golden;

/// The first offset of every partition; it doesn't fit into 32 bits.
const START_OFFSET: i64 = 7_000_000_000;
/// The broker's clock, before all timestamps of producers.
const LOG_APPEND_TIME: i64 = 1_600_000_000_000;

/// Which transactions a consumer wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadCommitted,
    ReadUncommitted,
}

impl Isolation {
    pub(crate) const ALL: [Self; 2] = [Self::ReadCommitted, Self::ReadUncommitted];

    fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// A record as a consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consumed {
    offset: i64,
    timestamp_type: &'static str,
    record: Record,
}

/// A partition to consume.
#[derive(Debug)]
pub(crate) struct Served {
    name: String,
    partition: Partition,
    /// With the isolation that is needed to see it.
    expected: Vec<(Isolation, Consumed)>,
}

impl Served {
    fn new(name: String) -> Self {
        let partition = Partition { start_offset: START_OFFSET, ..Default::default() };
        Self { name, partition, expected: Vec::new() }
    }

    /// The golden file of its batches.
    pub(crate) fn path(&self) -> String {
        format!("ours/{}.bin", self.name)
    }

    /// What a stub serves of it.
    pub(crate) fn partition(&self) -> Partition {
        self.partition.clone()
    }

    /// Whether there are two batches, of records that everybody sees.
    pub(crate) fn has_two_batches(&self) -> bool {
        self.partition.batches.len() == 2 && self.partition.aborted.is_empty()
    }

    /// Serves other batches.
    pub(crate) fn replace(&mut self, batches: Vec<Bytes>) {
        self.partition.batches = batches;
    }

    /// Behind its last batch.
    pub(crate) fn end(&self) -> i64 {
        self.next_offset()
    }

    /// How many records a consumer of that isolation sees.
    pub(crate) fn visible(&self, isolation: Isolation) -> usize {
        let seen = |need: Isolation| need == Isolation::ReadCommitted || need == isolation;
        self.expected.iter().filter(|(need, _)| seen(*need)).count()
    }

    fn next_offset(&self) -> i64 {
        let sizes = self.partition.batches.iter().map(|batch| {
            let raw = RawBatches::new(batch).next().unwrap().unwrap();
            i64::from(raw.header().record_count)
        });
        START_OFFSET + sizes.sum::<i64>()
    }

    /// Appends what `builder` makes of `records` as a leader would.
    fn append(
        &mut self,
        builder: BatchBuilder,
        records: &[Record],
        log_append_time: Option<i64>,
        isolation: Isolation,
    ) {
        let batch = ProducedBatch::check(build(builder, records), &mut Inflater::default());
        let base_offset = self.next_offset();
        let stamped = batch.unwrap().stamp(&Stamps {
            base_offset: Offset::from_wire(base_offset).unwrap(),
            leader_epoch: LeaderEpoch::from_wire(LEADER_EPOCH).unwrap(),
            log_append_time,
        });
        self.partition.batches.push(stamped.parts().concat().into());
        let timestamp_type = if log_append_time.is_some() { LOG_APPEND } else { CREATE };
        for (record, offset) in records.iter().zip(base_offset..) {
            let mut record = record.clone();
            record.timestamp = log_append_time.unwrap_or(record.timestamp);
            self.expected.push((isolation, Consumed { offset, timestamp_type, record }));
        }
    }

    /// Appends the end of a transaction.
    fn end_transaction(&mut self, producer: ProducerState, committed: bool) {
        let batch = end_transaction_batch(producer, committed, 3, LOG_APPEND_TIME);
        let base_offset = Offset::from_wire(self.next_offset()).unwrap();
        let leader_epoch = LeaderEpoch::from_wire(LEADER_EPOCH).unwrap();
        let placed = StampedBatch::by_broker(&batch, base_offset, leader_epoch);
        self.partition.batches.push(placed.parts().concat().into());
    }
}

const CREATE: &str = "CreateTime";
const LOG_APPEND: &str = "LogAppendTime";

fn build(mut builder: BatchBuilder, records: &[Record]) -> Bytes {
    for Record { timestamp, key, value, headers } in records {
        let headers: Vec<_> =
            headers.iter().map(|(key, value)| HeaderRef { key, value: value.as_deref() }).collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
    }
    builder.build().unwrap()
}

/// The partitions that every client has to read.
pub(crate) fn served() -> Vec<Served> {
    let shapes = shapes();
    let plain = &shapes[0].records;
    let both = Isolation::ReadCommitted;
    let mut all = Vec::new();
    for codec in Codec::ALL {
        for shape in &shapes {
            let mut served = Served::new(format!("{}-{}", codec.name(), shape.name));
            served.append(BatchBuilder::new(codec), &shape.records, None, both);
            all.push(served);
        }
        let mut served = Served::new(format!("{}-log-append-time", codec.name()));
        served.append(BatchBuilder::new(codec), plain, Some(LOG_APPEND_TIME), both);
        all.push(served);
    }
    all.push(idempotent(plain));
    all.push(transactions(plain));
    all
}

fn idempotent(records: &[Record]) -> Served {
    let mut served = Served::new("idempotent".to_owned());
    for base_sequence in [0, i32::try_from(records.len()).unwrap()] {
        let producer = ProducerState { id: 1000, epoch: 2, base_sequence, transactional: false };
        let builder = BatchBuilder::new(Codec::None).producer(producer);
        served.append(builder, records, None, Isolation::ReadCommitted);
    }
    served
}

/// One committed, one aborted, and records behind them.
fn transactions(records: &[Record]) -> Served {
    let mut served = Served::new("transactions".to_owned());
    for (id, committed, isolation) in
        [(1000, true, Isolation::ReadCommitted), (2000, false, Isolation::ReadUncommitted)]
    {
        if !committed {
            let first_offset = served.next_offset();
            served.partition.aborted.push(AbortedTransaction { producer_id: id, first_offset });
        }
        let producer = ProducerState { id, epoch: 0, base_sequence: 0, transactional: true };
        let builder = BatchBuilder::new(Codec::Lz4).producer(producer);
        served.append(builder, records, None, isolation);
        served.end_transaction(producer, committed);
    }
    served.append(BatchBuilder::new(Codec::None), records, None, Isolation::ReadCommitted);
    served
}

/// The golden file of what `client` printed.
pub(crate) fn printed_path(client: Client, isolation: Isolation) -> String {
    format!("ours/{}-{}.txt", client.name(), isolation.name())
}

/// Partitions without transactions are recorded once, for one isolation.
fn recorded(served: &Served, isolation: Isolation) -> bool {
    isolation == Isolation::ReadCommitted || !served.partition.aborted.is_empty()
}

/// Checks what a client printed, all partitions or as much as is recorded.
pub(crate) fn check_printed(
    served: &[Served],
    isolation: Isolation,
    printed: &str,
    is_recorded: bool,
) {
    let mut came: BTreeMap<usize, Vec<Consumed>> = BTreeMap::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let consumed = Consumed {
            offset: words[1].parse().unwrap(),
            timestamp_type: if words[2] == LOG_APPEND { LOG_APPEND } else { CREATE },
            record: from_words(&words[3..]),
        };
        assert_eq!(consumed.timestamp_type, words[2]);
        came.entry(words[0].parse().unwrap()).or_default().push(consumed);
    }
    for (partition, served) in served.iter().enumerate() {
        if is_recorded && !recorded(served, isolation) {
            continue;
        }
        let seen = |need: Isolation| need == Isolation::ReadCommitted || need == isolation;
        let expected = served.expected.iter().filter(|(need, _)| seen(*need));
        let expected: Vec<_> = expected.map(|(_, consumed)| consumed.clone()).collect();
        assert_eq!(came.remove(&partition), Some(expected), "{} {isolation:?}", served.name);
    }
    assert!(came.is_empty(), "more partitions than served: {:?}", came.keys());
}

/// Checks recorded batches: they read as what we put in, and today's builder writes the same
/// bytes, unless they are compressed.
pub(crate) fn check_recorded(served: &Served, recorded: &Bytes) {
    let mut inflater = Inflater::default();
    let mut read = Vec::new();
    for (raw, today) in RawBatches::new(recorded).zip(&served.partition.batches) {
        let raw = raw.unwrap();
        let batch = CheckedBatch::check(recorded.slice_ref(raw.bytes())).unwrap();
        if batch.codec().unwrap() == Codec::None {
            assert_eq!(batch.bytes(), today, "{}", served.name);
        }
        if batch.header().attributes.is_control() {
            continue;
        }
        let timestamp_type = match batch.header().attributes.timestamp_type() {
            TimestampType::CreateTime => CREATE,
            TimestampType::LogAppendTime => LOG_APPEND,
        };
        for record in &batch.records(&mut inflater).unwrap() {
            let record = record.unwrap();
            let (offset, record) = (record.offset, owned(&record));
            read.push(Consumed { offset, timestamp_type, record });
        }
    }
    let expected: Vec<_> = served.expected.iter().map(|(_, consumed)| consumed.clone()).collect();
    assert_eq!(read, expected, "{}", served.name);
    let batches = RawBatches::new(recorded).count();
    assert_eq!(batches, served.partition.batches.len(), "{}", served.name);
}

/// A record with bytes of its own.
pub(crate) fn owned(record: &logboom_protocol::records::Record<'_>) -> Record {
    let text = |key: &[u8]| String::from_utf8(key.to_vec()).unwrap();
    let header = |h: logboom_protocol::records::Header<'_>| (text(h.key), h.value.map(Vec::from));
    Record {
        timestamp: record.timestamp,
        key: record.key.map(Vec::from),
        value: record.value.map(Vec::from),
        headers: record.headers.iter().map(header).collect(),
    }
}

/// Lets `client` read everything and checks what it prints.
fn consume(client: Client) {
    let served = served();
    for isolation in Isolation::ALL {
        let what = format!("consuming with {}", client.name());
        let Some(mut command) = foreign::or_skip(&what, client.consumer()) else { return };
        let partitions = served.iter().map(|served| served.partition.clone());
        let stub = Stub::start(partitions.collect()).unwrap();
        command.args([&stub.bootstrap(), TOPIC, isolation.name()]);
        let last = |served: &Served| served.next_offset() - 1;
        command.args(served.iter().enumerate().map(|(p, one)| format!("{p}:{}", last(one))));
        let printed = foreign::printed(&mut command);
        assert_eq!(stub.complaints(), [""; 0]);
        check_printed(&served, isolation, &printed, false);
        let partition = |line: &&str| line.split(' ').next().unwrap().parse::<usize>().unwrap();
        let mut lines: Vec<&str> = printed.lines().collect();
        lines.retain(|line| recorded(&served[partition(line)], isolation));
        // In the order of the partitions, so that a new recording can be compared with the last.
        lines.sort_by_key(partition);
        golden::record(&printed_path(client, isolation), (lines.join("\n") + "\n").as_bytes());
    }
    for one in &served {
        golden::record(&one.path(), &one.partition.batches.concat());
    }
}

#[test]
fn kafka_clients_consumes() {
    consume(Client::KafkaClients);
}

#[test]
fn librdkafka_consumes() {
    consume(Client::Librdkafka);
}

#[test]
fn kafka_python_consumes() {
    consume(Client::KafkaPython);
}

/// The checks of the clients are on: a batch whose checksum is wrong is not read.
#[test]
fn clients_refuse_a_wrong_checksum() {
    for client in Client::ALL {
        let what = format!("checksums with {}", client.name());
        let Some(mut command) = foreign::or_skip(&what, client.consumer()) else { continue };
        let mut served = served().remove(0);
        let batch = served.partition.batches[0].to_vec();
        let last = served.next_offset() - 1;
        let mut wrong = batch;
        wrong[layout::CRC_AT] ^= 1;
        served.partition.batches = vec![wrong.into()];
        let stub = Stub::start(vec![served.partition]).unwrap();
        command.args([&stub.bootstrap(), TOPIC, Isolation::ReadCommitted.name()]);
        let output = command.arg(format!("0:{last}")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success(), "{} took it", client.name());
        let named = ["crc", "corrupt", "checksum"].iter().any(|word| said.contains(word));
        assert!(named, "{}: {said}", client.name());
        assert_eq!(output.stdout, b"");
    }
}

/// The classes with which the reference reads its log, control batches and checksums included.
#[test]
fn the_record_classes_of_the_reference_read_our_batches() {
    let what = "our batches and the record classes of the reference";
    let Some(java) = foreign::or_skip(what, foreign::java()) else { return };
    let dir = foreign::scratch("batches");
    let served = served();
    let mut command = java.command("Reference");
    command.arg("batches");
    for one in &served {
        let file = dir.join(&one.name);
        fs::write(&file, one.partition.batches.concat()).unwrap();
        command.arg(file);
    }
    let printed = foreign::printed(&mut command);
    fs::remove_dir_all(dir).unwrap();
    let files: Vec<&str> = printed.split("file ").skip(1).collect();
    assert_eq!(files.len(), served.len());
    for (one, lines) in served.iter().zip(files) {
        let mut controls = 0;
        let mut read = Vec::new();
        for line in lines.lines().skip(1) {
            let words: Vec<&str> = line.split(' ').collect();
            let codec = one.name.split('-').next().unwrap();
            assert!(!one.name.contains('-') || words[0] == codec, "{}: {line}", one.name);
            let offset: i64 = words[1].parse().unwrap();
            if one.expected.iter().any(|(_, expected)| expected.offset == offset) {
                read.push((offset, from_words(&words[2..])));
            } else {
                controls += 1;
            }
        }
        let expected = one.expected.iter().map(|(_, one)| (one.offset, one.record.clone()));
        assert_eq!(read, expected.collect::<Vec<_>>(), "{}", one.name);
        assert_eq!(controls, if one.name == "transactions" { 2 } else { 0 }, "{}", one.name);
    }
}
