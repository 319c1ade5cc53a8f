//! Plan: a front without tasks, whose state a test feeds by hand.

use std::pin::pin;
use std::sync::Mutex;
use std::task::Waker;

use tokio::sync::{Semaphore, mpsc};

use logboom_client::Cluster;
use logboom_client::testing::Meters;
use logboom_protocol::records::{BatchBuilder, Codec};

use super::*;
use crate::config::ConsumerConfig;
use crate::shared::Shared;

fn place(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn batch(count: i32) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Codec::None);
    for _ in 0..count {
        builder.append(1, None, Some(b"value"), &[]).unwrap();
    }
    builder.build().unwrap()
}

/// Says what it hears, and waits for a permit each time.
struct Heard {
    said: mpsc::UnboundedSender<String>,
    permits: Arc<Semaphore>,
}

impl Heard {
    fn hear<'a>(
        &'a mut self,
        what: &'a str,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            self.said.send(format!("{what} {}", names.join(" "))).unwrap();
            self.permits.acquire().await.unwrap().forget();
        })
    }
}

impl RebalanceListener for Heard {
    fn on_assigned<'a>(
        &'a mut self,
        _: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.hear("assigned", partitions)
    }

    fn on_revoked<'a>(
        &'a mut self,
        _: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.hear("revoked", partitions)
    }

    fn on_lost<'a>(
        &'a mut self,
        _: &'a ConsumerControl,
        partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, ()> {
        self.hear("lost", partitions)
    }
}

struct Stage {
    consumer: Consumer,
    said: mpsc::UnboundedReceiver<String>,
    permits: Arc<Semaphore>,
}

fn stage(config: ConsumerConfig) -> Stage {
    let config = Arc::new(config);
    let shared = Arc::new(Shared::new(Arc::clone(&config)));
    let address = "127.0.0.1:1".parse().unwrap();
    let cluster = Cluster::new(vec![address], config.client.clone());
    let control = ConsumerControl { shared, cluster, config };
    let idle = || tokio::spawn(std::future::pending());
    let tasks = Tasks { driver: idle(), committing: idle(), membership: None };
    let (sender, said) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(0));
    let listener = Heard { said: sender, permits: Arc::clone(&permits) };
    let consumer = Consumer::new(control, Some(Box::new(listener)), tasks);
    Stage { consumer, said, permits }
}

impl Stage {
    fn feed(&self, partition: i32, count: i32) {
        let batch = batch(count);
        self.consumer.shared.update(|state| state.feed(&place(partition), 0, batch));
    }

    /// Asks once, and doesn't wait.
    fn ask(&mut self) -> Poll<Result<Record, ConsumerError>> {
        self.consumer.poll_record(&mut Context::from_waker(Waker::noop()))
    }

    fn record(&mut self) -> (i32, i64) {
        match self.ask() {
            Poll::Ready(Ok(record)) => (record.partition, record.offset),
            other => panic!("{other:?}"),
        }
    }

    fn done(&self, partition: i32) -> i64 {
        self.consumer.control.processed(&place(partition)).unwrap().unwrap()
    }
}

fn assigned(count: i32) -> Stage {
    let mut stage = stage(ConsumerConfig::default());
    let start = |partition| (place(partition), Start::Offset(0));
    stage.consumer.assign_from((0..count).map(start)).unwrap();
    stage
}

#[tokio::test]
async fn what_is_handed_out_is_done_with_at_the_next_call() {
    let mut stage = assigned(1);
    stage.feed(0, 3);
    assert_eq!(stage.record(), (0, 0));
    assert_eq!(stage.done(0), 0);
    assert_eq!(stage.record(), (0, 1));
    assert_eq!(stage.done(0), 1, "the first one is processed, the second isn't");
    let open = stage.consumer.shared.update(|state| state.uncommitted());
    assert_eq!(open[&place(0)].offset, 1, "so much is committed from elsewhere");
    assert_eq!(stage.consumer.position(&place(0)).unwrap(), Some(2), "the caller knows better");
    assert_eq!(stage.record(), (0, 2));
    assert!(stage.ask().is_pending());
    assert_eq!(stage.done(0), 3);
}

#[tokio::test]
async fn after_a_call_from_elsewhere_nothing_older_is_handed_out() {
    let mut stage = assigned(2);
    stage.feed(0, 3);
    stage.feed(1, 1);
    let control = stage.consumer.control();
    assert_eq!(stage.record(), (0, 0));
    control.pause(&[place(0)]).unwrap();
    assert_eq!(stage.record(), (1, 0));
    assert!(stage.ask().is_pending());
    control.resume(&[place(0)]).unwrap();
    assert_eq!(stage.record(), (0, 1), "it stays, and nothing is left out");
    control.seek(&place(0), Start::Offset(0)).unwrap();
    assert!(stage.ask().is_pending());
    assert_eq!(stage.done(0), 0);
    assert!(control.seek(&place(7), Start::Earliest).is_err());
    assert!(control.pause(&[place(7)]).is_err());
}

#[tokio::test]
async fn batches_lend_what_is_left_of_a_record_by_record_haul() {
    let mut stage = assigned(1);
    let both = [batch(2), {
        let mut second = batch(2).to_vec();
        second[..8].copy_from_slice(&2_i64.to_be_bytes());
        second.into()
    }];
    let bytes: bytes::Bytes = both.concat().into();
    stage.consumer.shared.update(|state| state.feed(&place(0), 0, bytes));
    assert_eq!(stage.record(), (0, 0));
    let batch = stage.consumer.next_batch().await.unwrap();
    let offsets: Vec<i64> = batch.records().map(|record| record.unwrap().offset).collect();
    assert_eq!((offsets, batch.next_offset()), (vec![1, 2, 3], 4));
    assert_eq!(stage.done(0), 1, "the record before it is processed");
    assert!(stage.ask().is_pending());
    assert_eq!(stage.done(0), 4);
}

#[tokio::test]
async fn a_lent_batch_ends_with_the_records_that_are_enough() {
    let mut stage = stage(ConsumerConfig { poll_records_max: 2, ..ConsumerConfig::default() });
    stage.consumer.assign_from([(place(0), Start::Offset(0))]).unwrap();
    let mut bytes = Vec::new();
    for number in 0..3_i64 {
        let mut one = batch(1).to_vec();
        one[..8].copy_from_slice(&number.to_be_bytes());
        bytes.extend(one);
    }
    stage.consumer.shared.update(|state| state.feed(&place(0), 0, bytes.into()));
    assert_eq!(stage.consumer.next_batch().await.unwrap().next_offset(), 2);
    assert_eq!(stage.consumer.next_batch().await.unwrap().next_offset(), 3);
}

#[cfg(feature = "lz4")]
#[tokio::test]
async fn a_batch_that_inflates_to_more_than_the_limit_is_refused() {
    let mut builder = BatchBuilder::new(Codec::Lz4);
    builder.append(1, None, Some(&[0; 5_000]), &[]).unwrap();
    let batch = builder.build().unwrap();
    for (limit, is_read) in [(1_000, false), (10_000, true)] {
        let config = ConsumerConfig { inflated_bytes_max: limit, ..Default::default() };
        let mut stage = stage(config);
        stage.consumer.assign_from([(place(0), Start::Offset(0))]).unwrap();
        let batch = batch.clone();
        stage.consumer.shared.update(|state| state.feed(&place(0), 0, batch));
        assert_eq!(stage.consumer.next().await.is_ok(), is_read, "{limit}");
    }
}

#[tokio::test]
async fn a_listener_goes_on_when_its_call_is_dropped_and_nothing_is_handed_out_meanwhile() {
    let config = ConsumerConfig {
        group_id: Some("g".into()),
        auto_commit: false,
        ..ConsumerConfig::default()
    };
    let mut stage = stage(config);
    stage.consumer.subscribe(["t"]).unwrap();
    let shared = Arc::clone(&stage.consumer.shared);
    let put = |kind| shared.update(|state| state.put_step(kind, vec![place(0)]));
    let assigned = put(StepKind::Assign);
    stage.feed(0, 2);
    for _ in 0..3 {
        assert!(stage.ask().is_pending());
    }
    assert_eq!(stage.said.try_recv().unwrap(), "assigned t-0");
    assert!(stage.said.try_recv().is_err(), "it hears of it once");
    stage.permits.add_permits(1);
    assert_eq!(stage.record(), (0, 0));
    assert!(shared.update(|state| state.is_step_done(assigned)));
    let revoked = put(StepKind::Revoke);
    assert!(stage.ask().is_pending());
    assert_eq!(stage.said.try_recv().unwrap(), "revoked t-0");
    assert_eq!(stage.done(0), 1, "the listener can commit what was handed out");
    stage.permits.add_permits(1);
    assert!(stage.ask().is_pending());
    assert!(shared.update(|state| state.is_step_done(revoked)));
    assert!(stage.consumer.assignment().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_does_not_end_holds_up_no_rebalance() {
    let mut stage = stage(ConsumerConfig { group_id: Some("g".into()), ..Default::default() });
    stage.consumer.subscribe(["t"]).unwrap();
    let shared = Arc::clone(&stage.consumer.shared);
    shared.update(|state| state.put_step(StepKind::Assign, vec![place(0)]));
    stage.permits.add_permits(2);
    stage.feed(0, 2);
    assert_eq!(stage.record(), (0, 0));
    // Nobody commits here.
    let revoked = shared.update(|state| state.put_step(StepKind::Revoke, vec![place(0)]));
    let limit = stage.consumer.control.config.session_timeout;
    assert!(timeout(limit, stage.consumer.next()).await.is_err(), "there is nothing to read");
    assert!(shared.update(|state| state.is_step_done(revoked)));
}

#[tokio::test]
async fn what_is_lost_is_not_handed_out_before_the_listener_hears_of_it() {
    let mut stage = stage(ConsumerConfig { group_id: Some("g".into()), ..Default::default() });
    stage.consumer.subscribe(["t"]).unwrap();
    let shared = Arc::clone(&stage.consumer.shared);
    shared.update(|state| state.put_step(StepKind::Assign, vec![place(0)]));
    stage.permits.add_permits(1);
    stage.feed(0, 2);
    assert_eq!(stage.record(), (0, 0));
    shared.update(|state| state.put_step(StepKind::Lose, vec![place(0)]));
    assert!(stage.ask().is_pending());
    assert_eq!(stage.said.try_recv().unwrap(), "assigned t-0");
    assert_eq!(stage.said.try_recv().unwrap(), "lost t-0");
    assert!(stage.consumer.assignment().is_empty());
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A member that was given partition 0, and has heard of it unless `is_new`.
fn member(is_new: bool) -> Stage {
    let config =
        ConsumerConfig { group_id: Some("g".into()), auto_commit: false, ..Default::default() };
    let mut stage = stage(config);
    stage.consumer.subscribe(["t"]).unwrap();
    stage.permits.add_permits(10);
    stage.consumer.shared.update(|state| state.put_step(StepKind::Assign, vec![place(0)]));
    if !is_new {
        assert!(stage.ask().is_pending());
        assert_eq!(stage.said.try_recv().unwrap(), "assigned t-0");
    }
    stage
}

#[tokio::test]
async fn what_was_lost_is_heard_of_though_everything_ends() {
    for closes in [false, true] {
        let mut stage = member(false);
        let shared = Arc::clone(&stage.consumer.shared);
        shared.update(|state| state.put_step(StepKind::Assign, vec![place(1)]));
        assert!(stage.ask().is_pending());
        assert_eq!(stage.said.try_recv().unwrap(), "assigned t-1");
        shared.update(|state| state.put_step(StepKind::Lose, vec![place(0)]));
        match closes {
            // Nobody commits here, which it waits for.
            true => assert!(poll_once(stage.consumer.close()).is_pending()),
            false => assert!(poll_once(stage.consumer.unsubscribe()).is_ready()),
        }
        assert_eq!(stage.said.try_recv().unwrap(), "lost t-0");
        assert_eq!(stage.said.try_recv().unwrap(), "revoked t-1");
    }
}

#[tokio::test]
async fn what_is_lost_while_the_last_commit_is_waited_for_is_heard_of() {
    let config = ConsumerConfig { group_id: Some("g".into()), ..Default::default() };
    let mut stage = stage(config);
    stage.consumer.subscribe(["t"]).unwrap();
    stage.permits.add_permits(10);
    let shared = Arc::clone(&stage.consumer.shared);
    shared.update(|state| state.put_step(StepKind::Assign, vec![place(0), place(1)]));
    stage.feed(0, 2);
    assert_eq!(stage.record(), (0, 0));
    assert_eq!(stage.said.try_recv().unwrap(), "assigned t-0 t-1");
    let mut closing = pin!(stage.consumer.close());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(closing.as_mut().poll(&mut cx).is_pending(), "nobody commits yet");
    let round = shared.update(|state| {
        state.put_step(StepKind::Lose, vec![place(0)]);
        state.take_commit()
    });
    drop(round);
    assert!(closing.as_mut().poll(&mut cx).is_pending());
    assert_eq!(stage.said.try_recv().unwrap(), "lost t-0");
    assert_eq!(stage.said.try_recv().unwrap(), "revoked t-1");
}

#[tokio::test]
async fn what_was_lost_before_is_lost_with_the_rest() {
    let mut stage = member(false);
    let shared = Arc::clone(&stage.consumer.shared);
    shared.update(|state| {
        state.put_step(StepKind::Lose, vec![place(0)]);
        state.put_step(StepKind::Assign, vec![place(1)]);
        state.lose_all();
    });
    assert!(stage.ask().is_pending());
    assert_eq!(stage.said.try_recv().unwrap(), "lost t-0");
    assert!(stage.said.try_recv().is_err(), "nobody has heard of partition 1");
    assert!(stage.consumer.assignment().is_empty());
}

#[tokio::test]
async fn what_nobody_has_heard_of_is_not_given_up() {
    for closes in [false, true] {
        let mut stage = member(true);
        match closes {
            // Nobody commits here, which it waits for.
            true => assert!(poll_once(stage.consumer.close()).is_pending()),
            false => assert!(poll_once(stage.consumer.unsubscribe()).is_ready()),
        }
        assert!(stage.said.try_recv().is_err(), "closes: {closes}");
    }
}

#[tokio::test]
async fn who_has_no_partitions_of_a_group_gives_none_up() {
    let mut stage = assigned(1);
    {
        let unsubscribing = pin!(stage.consumer.unsubscribe());
        let polled = unsubscribing.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "nobody hears of it");
    }
    assert!(stage.said.try_recv().is_err());
    assert!(stage.consumer.assignment().is_empty());
}

#[tokio::test]
async fn whoever_waits_is_woken_by_what_comes() {
    let mut stage = assigned(1);
    let fed = Mutex::new(false);
    let shared = Arc::clone(&stage.consumer.shared);
    let record = poll_fn(|cx| {
        let polled = stage.consumer.poll_record(cx);
        if !std::mem::replace(&mut *fed.lock().unwrap(), true) {
            assert!(polled.is_pending());
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                shared.update(|state| state.feed(&place(0), 0, batch(1)));
            });
        }
        polled
    });
    assert_eq!(record.await.unwrap().offset, 0);
}

#[tokio::test]
async fn calls_that_do_not_fit_say_so() {
    let mut stage = assigned(1);
    assert!(matches!(stage.consumer.subscribe(["t"]), Err(ConsumerError::NoGroup)));
    assert!(matches!(stage.consumer.commit().await, Err(ConsumerError::NoGroup)));
    let mut stage =
        self::stage(ConsumerConfig { group_id: Some("g".into()), ..Default::default() });
    stage.consumer.subscribe(["t"]).unwrap();
    let error = stage.consumer.assign([place(0)]).unwrap_err();
    assert!(error.to_string().starts_with("assign: "), "{error}");
    let control = stage.consumer.control();
    drop(stage);
    assert!(matches!(control.commit_processed().await, Err(ConsumerError::Closed)));
}

#[tokio::test]
async fn who_reads_nothing_does_not_wait_for_it() {
    let config =
        ConsumerConfig { group_id: Some("g".into()), auto_commit: false, ..Default::default() };
    let mut stage = stage(config);
    let is_told = |polled: Poll<Result<Record, ConsumerError>>| match polled {
        Poll::Ready(Err(error)) => error.to_string().starts_with("next: "),
        other => panic!("{other:?}"),
    };
    assert!(is_told(stage.ask()));
    stage.consumer.assign([place(0)]).unwrap();
    assert!(stage.ask().is_pending());
    stage.consumer.assign([]).unwrap();
    assert!(is_told(stage.ask()));
    stage.consumer.unsubscribe().await;
    stage.consumer.subscribe(["t"]).unwrap();
    assert!(stage.ask().is_pending(), "the group may give something");
}

#[tokio::test]
async fn offsets_that_there_cannot_be_are_refused() {
    let mut stage = stage(ConsumerConfig { group_id: Some("g".into()), ..Default::default() });
    let error = stage.consumer.assign_from([(place(0), Start::Offset(-1))]).unwrap_err();
    assert!(error.to_string().contains("-1"), "{error}");
    stage.consumer.assign_from([(place(0), Start::Offset(0))]).unwrap();
    let control = stage.consumer.control();
    assert!(control.seek(&place(0), Start::Offset(-2)).is_err());
    let commit = control.commit_offsets_async([(place(0), (-3).into())].into());
    let told = poll_once(commit.into_future());
    let Poll::Ready(Err(error)) = told else { panic!("{told:?}") };
    assert!(error.to_string().starts_with("commit_offsets: "), "{error}");
}

/// What a consumer does may be done in a task that goes from thread to thread.
#[tokio::test]
async fn what_is_waited_for_may_be_sent_to_another_thread() {
    fn is_sent<T: Send>(_: T) {}
    let mut stage = assigned(1);
    is_sent(stage.consumer.next());
    is_sent(stage.consumer.next_batch());
    is_sent(stage.consumer.commit());
    is_sent(stage.consumer.unsubscribe());
    is_sent(stage.consumer.close());
}

#[tokio::test]
async fn who_waits_for_a_commit_hears_of_the_end() {
    let stage = stage(ConsumerConfig { group_id: Some("g".into()), ..Default::default() });
    let control = stage.consumer.control();
    let mut commit = control.commit_processed_async().into_future();
    let mut ask = || commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(ask().is_pending());
    drop(stage);
    assert!(matches!(ask(), Poll::Ready(Err(ConsumerError::Closed))));
}

#[tokio::test]
async fn as_a_stream_it_gives_the_same_and_does_not_end() {
    let mut stage = assigned(1);
    stage.feed(0, 2);
    let cx = &mut Context::from_waker(Waker::noop());
    let mut next = |stage: &mut Stage| Pin::new(&mut stage.consumer).poll_next(cx);
    for offset in 0..2 {
        match next(&mut stage) {
            Poll::Ready(Some(Ok(record))) => assert_eq!(record.offset, offset),
            other => panic!("{other:?}"),
        }
    }
    assert!(next(&mut stage).is_pending());
    let error = ConsumerError::NoGroup;
    stage.consumer.shared.update(|state| state.tell(None, error));
    assert!(matches!(next(&mut stage), Poll::Ready(Some(Err(ConsumerError::NoGroup)))));
    assert!(next(&mut stage).is_pending(), "after an error it goes on");
}

#[tokio::test]
async fn records_are_counted_once_however_their_end_comes() {
    const NAME: &str = "logboom_consumer_records_total";
    let meters = Meters::default();
    let _counting = metrics::set_default_local_recorder(&meters);
    let mut stage = assigned(2);
    stage.feed(0, 3);
    stage.feed(1, 3);
    for _ in 0..4 {
        stage.record();
    }
    assert_eq!(meters.count(NAME), 3, "the first haul is used up");
    stage.consumer.seek(&place(1), Start::Offset(7)).unwrap();
    assert!(stage.ask().is_pending());
    assert_eq!(meters.count(NAME), 6, "the batch was handed out, if not all of it");
}
