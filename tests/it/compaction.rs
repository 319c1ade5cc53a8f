//! Real clients on a compacted topic: they send many values of few keys, the broker compacts, and
//! what they read is the last value of each key.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use logboom_tests::broker::{Broker, pause};
use logboom_tests::foreign::{Client, or_skip, printed, scratch};
use logboom_tests::raw::Raw;
use logboom_tests::shapes::{Record, from_words, to_text};

use crate::wire::{new_topic_with, now_ms};

/// Records that a client sends: about 4 MiB, so that there are segments to compact.
const RECORDS: usize = 4_000;
const RECORDS_PER_BATCH: usize = 40;
const KEYS: usize = 20;
/// Longer than any compaction here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A client, and how it sends: codec, and whether with idempotence.
const SENDERS: [(Client, &str, bool); 3] = [
    (Client::KafkaClients, "lz4", true),
    (Client::Librdkafka, "none", true),
    (Client::KafkaPython, "gzip", false),
];

type Sent = Vec<Record>;

/// Record `number`: 1 KiB that no codec makes smaller, or nothing for every seventh.
fn record(number: usize, timestamp: i64) -> Record {
    let key = format!("key {}", number * 7 % KEYS + number % 3);
    let mut state = number as u64 * 0x9e37_79b9 + 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    };
    let value = (number % 7 != 3).then(|| (0..128).flat_map(|_| random()).collect());
    Record { timestamp, key: Some(key.into_bytes()), value, headers: Vec::new() }
}

/// Has a client send its records to a partition; returns them in their order.
fn send(client: Client, codec: &str, idempotent: bool, to: (&Broker, &str, usize)) -> Option<Sent> {
    let (broker, topic, partition) = to;
    let name = client.name();
    let mut producer = or_skip(&format!("a compacted topic with {name}"), client.producer())?;
    let begun = now_ms();
    let records: Sent = (0..RECORDS).map(|i| record(i, begun + i as i64)).collect();
    let batches = records.chunks(RECORDS_PER_BATCH).map(|batch| (partition, batch));
    let path = scratch("compaction-sent").join(format!("{name}.txt"));
    fs::write(&path, to_text(batches)).unwrap();
    let idempotent = idempotent.to_string();
    producer.args([&broker.bootstrap(), topic, codec, &idempotent]).arg(&path);
    printed(&mut producer);
    Some(records)
}

/// Whether everything in a partition's directory but its last segment was compacted.
fn is_compacted(dir: &Path) -> bool {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut segments: Vec<String> = names.filter(|name| name.ends_with(".log")).collect();
    segments.sort();
    segments.pop();
    !segments.is_empty() && segments.iter().all(|name| !name.ends_with("-000000.log"))
}

/// Waits until the partitions of the only topic are compacted.
fn wait_for_compaction(broker: &Broker, partitions: &[usize]) {
    let deadline = Instant::now() + PATIENCE;
    let dirs: Vec<_> = fs::read_dir(broker.data_dir().join("partitions")).unwrap().collect();
    let dirs = dirs.into_iter().map(|entry| entry.unwrap().path());
    let is_wanted = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number: usize = name.rsplit_once('-').unwrap().1.parse().unwrap();
        partitions.contains(&number) && fs::read_dir(path).unwrap().count() > 2
    };
    let dirs: Vec<_> = dirs.filter(is_wanted).collect();
    assert!(dirs.len() >= partitions.len(), "{dirs:?}");
    while !dirs.iter().all(|dir| is_compacted(dir)) {
        assert!(Instant::now() < deadline, "not compacted:\n{}", broker.stderr());
        pause();
    }
}

/// The last value of each key.
fn last_values<'a>(records: impl Iterator<Item = &'a Record>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut values = BTreeMap::new();
    for Record { key, value, .. } in records {
        let key = key.clone().unwrap();
        match value {
            Some(value) => values.insert(key, value.clone()),
            None => values.remove(&key),
        };
    }
    values
}

/// Has a client read everything, and compares it with what was sent to each partition.
fn consume(client: Client, broker: &Broker, topic: &str, sent: &BTreeMap<usize, Sent>) {
    let name = client.name();
    let consumer = or_skip(&format!("a compacted topic read by {name}"), client.consumer());
    let Some(mut consumer) = consumer else { return };
    let ends = sent.iter().map(|(partition, records)| format!("{partition}:{}", records.len() - 1));
    consumer.args([&broker.bootstrap(), topic, "read_uncommitted"]).args(ends);
    let mut came: BTreeMap<usize, Vec<(usize, Record)>> = BTreeMap::new();
    for line in printed(&mut consumer).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let record = (words[1].parse().unwrap(), from_words(&words[3..]));
        came.entry(words[0].parse().unwrap()).or_default().push(record);
    }
    for (partition, records) in sent {
        let came = &came[partition];
        for (offset, record) in came {
            assert_eq!(*record, records[*offset], "{name}, partition {partition}, {offset}");
        }
        assert!(came.len() < records.len() * 2 / 3, "{name}: {} records", came.len());
        let values = last_values(came.iter().map(|(_, record)| record));
        assert!(values == last_values(records.iter()), "{name}, partition {partition}");
    }
}

#[test]
fn clients_read_the_last_value_of_each_key() {
    // So slow that the kill comes while something is compacted.
    let options = ["backoff.ms=50", "threads=2", "io.max.bytes.per.second=4000000"];
    let options = options.map(|option| format!("log.cleaner.{option}"));
    let options: Vec<&str> = options.iter().flat_map(|option| ["--set", option]).collect();
    let mut broker = Broker::start_with("compaction", &options);
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    let topic = new_topic_with(&mut Raw::connect(&broker.bootstrap()), "compacted", 3, &configs);
    let mut sent = BTreeMap::new();
    for (partition, (client, codec, idempotent)) in SENDERS.into_iter().enumerate() {
        let records = send(client, codec, idempotent, (&broker, &topic, partition));
        sent.extend(records.map(|records| (partition, records)));
    }
    broker.kill();
    broker.restart();
    let partitions: Vec<usize> = sent.keys().copied().collect();
    wait_for_compaction(&broker, &partitions);
    for client in Client::ALL {
        consume(client, &broker, &topic, &sent);
    }
    broker.kill();
    broker.restart();
    consume(Client::Librdkafka, &broker, &topic, &sent);
}
