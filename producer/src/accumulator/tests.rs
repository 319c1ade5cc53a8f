//! Plan: records are appended by hand, and taken as the sender takes them.

use allocation_counter::measure;

use logboom_client::Partition;
use logboom_protocol::units::Uuid;

use super::*;
use crate::Producer;

/// Whatever chunks leave empty: records that alternate with some which are just too large for
/// the rest, and some that fill a little more than a half or a third.
#[test]
fn what_is_allocated_is_within_buffer_memory() {
    const BUFFER: usize = 8 << 20;
    const CHUNK: usize = 64 << 10;
    let long = vec![b'x'; CHUNK];
    let patterns =
        [&[100][..], &[1_000, CHUNK - 1_000], &[33_000], &[22_000, 44_000], &[100, 60_000]];
    for lengths in patterns {
        let settings = Producer::builder().buffer_memory(BUFFER).settings().unwrap();
        let accumulator = Accumulator::new(settings);
        let partitions = vec![Partition { leader: Some(0), ..Partition::default() }];
        let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
        let queues = accumulator.learn(&Arc::new(topic)).unwrap();
        let mut payload = 0;
        let measured = measure(|| {
            for &length in lengths.iter().cycle() {
                let record = Record::to("t").value(&long[..length]);
                let bytes = record.bytes_max().try_into().unwrap();
                let Some(room) = accumulator.memory.try_take(bytes) else { break };
                drop(accumulator.append(&queues, &record, room).unwrap());
                payload += length;
            }
        });
        let allocated = usize::try_from(measured.bytes_current).unwrap();
        // What isn't records: queues, outcomes, lists of chunks.
        let most = BUFFER + CHUNK + BUFFER / 64;
        assert!(allocated <= most, "{lengths:?}: {allocated} for {payload}");
        assert!(allocated > BUFFER - 2 * CHUNK, "{lengths:?}: {allocated}: room isn't used");
        accumulator.end(&ProduceError::Closed);
        assert_eq!(accumulator.memory.free(), BUFFER, "{lengths:?}");
    }
}

#[test]
fn small_records_without_a_key_leave_full_batches_behind() {
    let settings = Producer::builder().batch_size(10_000).settings().unwrap();
    let accumulator = Accumulator::new(settings);
    let one = |index| Partition { index, leader: Some(0), ..Partition::default() };
    let partitions = (0..5).map(one).collect();
    let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
    let queues = accumulator.learn(&Arc::new(topic)).unwrap();
    for _ in 0..20_000 {
        append(&accumulator, &queues);
    }
    let (mut bytes, mut open) = (Vec::new(), 0);
    for queue in accumulator.queues() {
        let mut held = queue.lock();
        while held.has_work() {
            let limits = &accumulator.settings.queue;
            let batch = held.take(Instant::now(), None, Uuid::ZERO, limits).unwrap();
            bytes.push(batch.bytes());
            let produced = crate::queue::Verdict::Appended(logboom_client::Produced::default());
            held.settle(batch, produced, Instant::now());
        }
        open += usize::from(!held.is_idle());
    }
    assert!(bytes.len() > 15 && bytes.iter().all(|bytes| *bytes > 9_900), "{bytes:?}");
    assert!(open <= 1, "{open} batches wait for more");
}

/// One with a partition, and its queues.
fn lingering(linger: Duration) -> (Accumulator, Arc<TopicQueues>) {
    let builder = Producer::builder().linger(linger).enable_idempotence(false);
    let accumulator = Accumulator::new(builder.settings().unwrap());
    let partitions = vec![Partition { leader: Some(0), ..Partition::default() }];
    let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
    let queues = accumulator.learn(&Arc::new(topic)).unwrap();
    (accumulator, queues)
}

fn append(accumulator: &Accumulator, queues: &TopicQueues) {
    let record = Record::to("t").value("a");
    let room = accumulator.memory.try_take(record.bytes_max().try_into().unwrap()).unwrap();
    drop(accumulator.append(queues, &record, room).unwrap());
}

/// Takes what is ready, as the sender does; how many batches that are.
fn take(accumulator: &Accumulator, ready: &[Arc<PartitionQueue>]) -> usize {
    let limits = &accumulator.settings.queue;
    let take = |queue: &Arc<PartitionQueue>| {
        let mut held = queue.lock();
        let batch = held.take(Instant::now(), None, Uuid::ZERO, limits);
        queue.unlist(&held);
        let produced = crate::queue::Verdict::Appended(logboom_client::Produced::default());
        let taken = batch.map(|batch| held.settle(batch, produced, Instant::now()));
        usize::from(taken.is_some())
    };
    ready.iter().map(take).sum()
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_flushed_by_hand_leave_nothing_to_wait_for() {
    let (accumulator, queues) = lingering(Duration::from_secs(60));
    for _ in 0..1_000 {
        append(&accumulator, &queues);
        accumulator.flush();
        let (ready, _) = accumulator.ready(Instant::now());
        assert_eq!(take(&accumulator, &ready), 1);
        assert!(accumulator.schedule().lingering.len() <= 1, "an entry a queue");
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    let (ready, until) = accumulator.ready(Instant::now());
    assert_eq!((ready.len(), until), (0, None));
}

#[tokio::test(start_paused = true)]
async fn each_batch_waits_as_long_as_it_may() {
    const SECOND: Duration = Duration::from_secs(1);
    let (accumulator, queues) = lingering(10 * SECOND);
    append(&accumulator, &queues);
    accumulator.flush();
    assert_eq!(take(&accumulator, &accumulator.ready(Instant::now()).0), 1);
    tokio::time::advance(5 * SECOND).await;
    append(&accumulator, &queues);
    tokio::time::advance(5 * SECOND).await;
    let (ready, until) = accumulator.ready(Instant::now());
    assert_eq!((ready.len(), until), (0, Some(Instant::now() + 5 * SECOND)));
    tokio::time::advance(5 * SECOND).await;
    let (ready, until) = accumulator.ready(Instant::now());
    assert_eq!((take(&accumulator, &ready), until), (1, None));
    append(&accumulator, &queues);
    assert_eq!(accumulator.ready(Instant::now()).1, Some(Instant::now() + 10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_waits_for_no_batch_that_was_just_begun() {
    let (accumulator, queues) = lingering(Duration::from_secs(60));
    let before = Instant::now();
    tokio::time::advance(Duration::from_millis(1)).await;
    append(&accumulator, &queues);
    let _waiting = Waiting::begin(&accumulator.waiting);
    let (ready, until) = accumulator.ready(before);
    assert_eq!((take(&accumulator, &ready), until), (1, None));
}

#[tokio::test]
async fn a_topic_that_was_made_again_has_the_partitions_that_it_has_now() {
    let accumulator = Accumulator::new(Producer::builder().settings().unwrap());
    let topic = |count| {
        let one = |index| Partition { index, leader: Some(0), ..Partition::default() };
        let partitions = (0..count).map(one).collect();
        Arc::new(Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions })
    };
    let partitions = async |count: i32| {
        let queues = accumulator.learn(&topic(count)).unwrap();
        let mut taken = Vec::new();
        for partition in 0..4 {
            let record = Record::to("t").value("a").partition(partition);
            let room = accumulator.take_room(record.bytes_max(), Duration::ZERO).await.unwrap();
            let delivery = accumulator.append(&queues, &record, room);
            taken.extend(delivery.map(|delivery| delivery.partition()));
        }
        for key in (0..50).map(|key| format!("{key}")) {
            let record = Record::to("t").key(&key).value("a");
            let room = accumulator.take_room(record.bytes_max(), Duration::ZERO).await.unwrap();
            let delivery = accumulator.append(&queues, &record, room).unwrap();
            assert!(delivery.partition() < count, "a key has no partition of before");
        }
        taken
    };
    assert_eq!(partitions(3).await, [0, 1, 2]);
    assert_eq!(partitions(1).await, [0]);
    assert_eq!(partitions(4).await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn records_without_a_key_leave_out_partitions_whose_batches_nobody_takes() {
    const LIMIT: Duration = Duration::from_millis(100);
    const MOMENT: Duration = Duration::from_millis(1);
    let builder = Producer::builder().linger(Duration::ZERO).enable_idempotence(false);
    let builder = builder.partitioner_availability_timeout(LIMIT);
    let accumulator = Accumulator::new(builder.settings().unwrap());
    let one = |index| Partition { index, leader: Some(index), ..Partition::default() };
    let partitions = (0..2).map(one).collect();
    let topic = Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions };
    let queues = accumulator.learn(&Arc::new(topic)).unwrap();
    let publish = |partition| {
        let record = Record::to("t").value("a").partition(partition);
        let room = accumulator.memory.try_take(record.bytes_max().try_into().unwrap()).unwrap();
        drop(accumulator.append(&queues, &record, room).unwrap());
    };
    let available = |settings: &Settings| {
        let choices = queues.partitions.load().choices(settings);
        choices.into_iter().map(|choice| choice.partition).collect::<Vec<_>>()
    };
    let settings = &accumulator.settings;
    let queue = |partition: usize| accumulator.queues()[partition].clone();
    publish(0);
    tokio::time::advance(LIMIT).await;
    assert_eq!(available(settings), [0, 1]);
    tokio::time::advance(MOMENT).await;
    assert_eq!(available(settings), [1]);
    for settings in [
        Settings { is_adaptive: false, ..settings.clone() },
        Settings { availability_timeout: Duration::ZERO, ..settings.clone() },
    ] {
        assert_eq!(available(&settings), [0, 1], "only who asks for it: {settings:?}");
    }
    publish(1);
    tokio::time::advance(LIMIT + MOMENT).await;
    assert_eq!(available(settings), [0, 1], "where none is available all are");
    assert_eq!(take(&accumulator, &[queue(1)]), 1);
    assert_eq!(available(settings), [1]);
    // One is taken, and another waits since.
    let limits = &settings.queue;
    let batch = queue(0).lock().take(Instant::now(), None, Uuid::ZERO, limits).unwrap();
    publish(0);
    assert_eq!(available(settings), [0, 1]);
    tokio::time::advance(LIMIT + MOMENT).await;
    assert_eq!(available(settings), [1]);
    let produced = crate::queue::Verdict::Appended(logboom_client::Produced::default());
    queue(0).lock().settle(batch, produced, Instant::now());
    assert_eq!(take(&accumulator, &[queue(0)]), 1);
    assert_eq!(available(settings), [0, 1]);
}

#[tokio::test]
async fn a_key_goes_where_java_sends_it_unless_keys_are_ignored() {
    let one = |index| Partition { index, leader: Some(0), ..Partition::default() };
    let topic = || {
        let partitions = (0..8).map(one).collect();
        Topic { name: "t".into(), id: Uuid::ZERO, is_internal: false, partitions }
    };
    let partitions = async |accumulator: Accumulator| {
        let queues = accumulator.learn(&Arc::new(topic())).unwrap();
        let mut partitions = Vec::new();
        for key in ["21", "foobar", "a-little-bit-long-string", "LH 401"] {
            let record = Record::to("t").key(key).value("a");
            let room = accumulator.take_room(record.bytes_max(), Duration::ZERO).await.unwrap();
            partitions.push(accumulator.append(&queues, &record, room).unwrap().partition());
        }
        partitions
    };
    let builder = Producer::builder();
    let keyed = partitions(Accumulator::new(builder.clone().settings().unwrap())).await;
    // `Utils.toPositive(Utils.murmur2(key)) % 8` of the first three are known values of murmur2:
    // -973932308, -790332482, -985981536.
    let of = |hash: i32| (hash & i32::MAX) % 8;
    assert_eq!(keyed[..3], [-973_932_308, -790_332_482, -985_981_536].map(of));
    assert_eq!(keyed[3], partition_of_key(b"LH 401", 8));
    let ignored = builder.partitioner_ignore_keys(true).settings().unwrap();
    let ignored = partitions(Accumulator::new(ignored)).await;
    assert!(ignored.iter().all(|one| *one == ignored[0]), "they fill one batch: {ignored:?}");
}
