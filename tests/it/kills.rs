//! kill -9 under load, again and again, over one directory: idempotent producers of our own, and
//! librdkafka's, go on where they were. What was acknowledged is there, once, in order.
//!
//! `LOGBOOM_BROKER_KILLS` is how often; `cargo xtask soak broker` makes it large.

use std::io::Read as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::produce::ProduceResponse;
use logboom_protocol::records::{BatchBuilder, Codec, ProducerState};
use logboom_tests::broker::{Broker, pause};
use logboom_tests::foreign::{or_skip, python};
use logboom_tests::load::random;
use logboom_tests::raw::{Raw, read_all};

use crate::wire::{PRODUCE, made, new_topic_with, now_ms, produce_to};

const PARTITIONS: i32 = 4;
/// Records of a batch, and batches in flight.
const BATCH: i32 = 10;
const IN_FLIGHT: i32 = 4;
/// The most acknowledgements between two kills.
const ACKED_MAX: u64 = 400;

/// Batch `number` of a partition's producer: its records have sequences and values from
/// `number * BATCH` on.
fn batch(partition: i32, number: i32) -> Bytes {
    let base_sequence = number * BATCH;
    let id = 1_000 + i64::from(partition);
    let producer = ProducerState { id, epoch: 0, base_sequence, transactional: false };
    let mut builder = BatchBuilder::new(Codec::Lz4).producer(producer);
    for value in base_sequence..base_sequence + BATCH {
        builder.append(now_ms(), None, Some(value.to_string().as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// A producer that sends until it is told to stop; returns how many batches were acknowledged.
fn write(address: &str, topic: &str, partition: i32, stop: &AtomicBool, acked: &Sender<()>) -> i32 {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut raw) = Raw::try_connect(address) else {
            pause();
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let count = send(&mut raw, topic, partition, next);
            next += count;
            (0..count).for_each(|_| acked.send(()).unwrap());
            if count < IN_FLIGHT {
                break;
            }
        }
    }
    next
}

/// Sends some batches at once; how many of them were acknowledged before the connection ended.
fn send(raw: &mut Raw, topic: &str, partition: i32, first: i32) -> i32 {
    let mut ids = Vec::new();
    for number in first..first + IN_FLIGHT {
        let request = produce_to(topic, partition, batch(partition, number));
        let Ok(id) = raw.try_ask(PRODUCE, &request) else { break };
        ids.push((number, id));
    }
    let sent = ids.len();
    for (number, id) in ids {
        let Some(response) = raw.answer::<ProduceResponse>(PRODUCE, id) else {
            return number - first;
        };
        let answer = &response.responses[0].partition_responses[0];
        // Sequences and offsets run together: nobody else writes there.
        let offset = i64::from(number * BATCH);
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, offset));
    }
    i32::try_from(sent).unwrap()
}

/// Kills the broker after random numbers of acknowledgements and starts it again.
fn kill_again_and_again(broker: &mut Broker, rounds: u64, acked: &Receiver<()>) {
    for round in 0..rounds {
        for _ in 0..random(round) % ACKED_MAX + 1 {
            acked.recv_timeout(Duration::from_secs(60)).expect("producers go on");
        }
        broker.kill();
        broker.restart();
    }
}

#[test]
fn what_was_acknowledged_survives_kills_once_and_in_order() {
    let rounds = crate::storage::size("LOGBOOM_BROKER_KILLS", 10);
    let mut broker = Broker::start("kills");
    let address = broker.bootstrap();
    let topic = new_topic_with(&mut Raw::connect(&address), "kills", PARTITIONS, &[]);
    let stop = AtomicBool::new(false);
    let (sender, receiver) = channel();
    let counts: Vec<i32> = thread::scope(|scope| {
        let writers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let (address, topic, stop, sender) = (&address, &topic, &stop, sender.clone());
                scope.spawn(move || write(address, topic, partition, stop, &sender))
            })
            .collect();
        kill_again_and_again(&mut broker, rounds, &receiver);
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    broker.kill();
    broker.restart();
    let mut raw = Raw::connect(&address);
    made(&mut raw, &topic);
    for (partition, count) in (0..).zip(counts) {
        let records = read_all(&mut raw, &topic, partition);
        let (first, last) = (records.first().unwrap().offset, records.last().unwrap().offset);
        let acked = i64::from(count * BATCH);
        assert!(
            count > 0 && first == 0 && last + 1 >= acked,
            "{partition}: {first}..={last} of {acked}"
        );
        for (record, number) in records.iter().zip(0_i64..) {
            assert_eq!(record.offset, number);
            assert_eq!(record.value, number.to_string().as_bytes());
        }
    }
}

#[test]
fn librdkafka_goes_on_over_kills_and_every_record_is_there_once_and_in_order() {
    let what = "librdkafka over kills";
    let Some(python) = or_skip(what, python()) else { return };
    let rounds = crate::storage::size("LOGBOOM_BROKER_KILLS", 10);
    let mut broker = Broker::start("kills-librdkafka");
    let address = broker.bootstrap();
    let topic = new_topic_with(&mut Raw::connect(&address), "kills", PARTITIONS, &[]);
    let mut command = python.command("librdkafka_endless.py");
    command.args([&address, &topic, &PARTITIONS.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = 0;
    for round in 0..rounds {
        // Records of a round are there before the kill, so that it hits one that works.
        let goal = seen + 1 + i64::try_from(random(round) % 20_000).unwrap();
        while seen < goal {
            let mut raw = Raw::connect(&address);
            made(&mut raw, &topic);
            seen = (0..PARTITIONS).map(|one| raw.end_offset(&topic, one)).sum::<i64>();
            pause();
        }
        broker.kill();
        broker.restart();
    }
    drop(child.stdin.take());
    let mut count = String::new();
    child.stdout.take().unwrap().read_to_string(&mut count).unwrap();
    assert!(child.wait().unwrap().success(), "{count}");
    let count: i64 = count.trim().parse().unwrap();
    let mut raw = Raw::connect(&address);
    made(&mut raw, &topic);
    for partition in 0..PARTITIONS {
        let records = read_all(&mut raw, &topic, partition);
        let expected = (i64::from(partition)..count).step_by(4);
        assert_eq!(records.len(), expected.clone().count(), "partition {partition}");
        for ((record, number), offset) in records.iter().zip(expected).zip(0_i64..) {
            assert_eq!((record.offset, &record.value[..]), (offset, number.to_string().as_bytes()));
        }
    }
}
