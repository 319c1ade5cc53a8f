//! Plan: a queue is driven by hand, as the sender drives it; what it hands out is looked at by the
//! values of the records, and by how the batches are numbered.

mod unsure;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use logboom_protocol::records::{CheckedBatch, Inflater};

use super::*;
use crate::Delivered;
use crate::memory::Memory;

const MEMORY: usize = 1 << 20;
const NOBODY: Option<ProducerId> = None;
const NUMBERED: Option<ProducerId> = Some(ProducerId { id: 7, epoch: 3 });
const NO_PAUSE: Duration = Duration::ZERO;

struct Rig {
    queue: Queue,
    limits: QueueLimits,
    memory: Arc<Memory>,
    now: Instant,
    topic_id: Uuid,
    /// Records that have failed without a verdict that says so.
    failed: u64,
}

impl Rig {
    /// Batches of one record each, unless it is told otherwise.
    fn new(under_way_max: usize) -> Self {
        let limits = QueueLimits {
            codec: Codec::None,
            batch_bytes: 1,
            under_way_max,
            delivery_timeout: Duration::from_secs(120),
        };
        let memory = Memory::new(MEMORY);
        let (queue, now, topic_id) = (Queue::new(), Instant::now(), Uuid([1; 16]));
        Self { queue, limits, memory, now, topic_id, failed: 0 }
    }

    fn try_append(&mut self, value: &str) -> Result<(Delivery, Event), ProduceError> {
        let record = Record::to("t").value(value);
        let taken = self.memory.try_take(64).unwrap();
        let memory = &self.memory;
        let new = || (Outcome::new("t".into(), 0), Room::of(memory));
        let (delivery, event) = self.queue.append(&record, 5, taken, &self.limits, new);
        Ok((delivery?, event))
    }

    /// The broker has a batch of the producer, with the number 0.
    fn introduce(&mut self) {
        drop(self.append("0"));
        let mut first = self.take(NUMBERED).unwrap();
        sent(&mut first);
        self.settle(first, appended(0));
    }

    /// The open batch has waited long enough.
    fn make_due(&mut self) {
        assert_eq!(self.queue.linger(Instant::now(), NO_PAUSE), None);
    }

    fn append(&mut self, value: &str) -> Delivery {
        self.try_append(value).unwrap().0
    }

    fn take(&mut self, producer: Option<ProducerId>) -> Option<Batch> {
        self.queue.take(self.now, producer, self.topic_id, &self.limits)
    }

    fn settle(&mut self, batch: Batch, verdict: Verdict) {
        let failed = self.queue.settle(batch, verdict, self.now);
        self.failed += failed;
    }
}

fn error(code: ErrorCode) -> ClientError {
    ClientError::Refused { what: "partition t-0".to_owned(), code, message: None }
}

fn again() -> Verdict {
    Verdict::Again { error: error(ErrorCode::NOT_LEADER_OR_FOLLOWER), pause: NO_PAUSE }
}

fn out_of_order() -> Verdict {
    let error = error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    Verdict::OutOfOrder { error, pause: Duration::from_secs(1) }
}

fn appended(base: i64) -> Verdict {
    Verdict::Appended(Produced { base_offset: Some(base), log_append_time: None })
}

/// Epoch and first number, −1 where there is none, and the values, as the broker reads them.
fn sent(batch: &mut Batch) -> (i16, i32, String) {
    let batch = CheckedBatch::check(batch.encode().unwrap().concat().into()).unwrap();
    let records = batch.records(&mut Inflater::new(MEMORY)).unwrap();
    let value = |record: logboom_protocol::records::Record<'_>| record.value.unwrap().to_vec();
    let values: Vec<u8> = records.iter().flat_map(|record| value(record.unwrap())).collect();
    let header = batch.header();
    (header.producer_epoch, header.base_sequence, String::from_utf8(values).unwrap())
}

fn outcome(delivery: &mut Delivery) -> Option<Result<Delivered, ProduceError>> {
    match Pin::new(delivery).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

fn offset(delivery: &mut Delivery) -> i64 {
    outcome(delivery).unwrap().unwrap().offset.unwrap()
}

#[test]
fn a_batch_is_sent_when_it_is_full_or_due() {
    let mut rig = Rig::new(5);
    rig.limits.batch_bytes = 200;
    let (_, event) = rig.try_append("a").unwrap();
    assert_eq!(event, Event { has_opened: true, has_filled: false, bytes: 69 });
    assert!(rig.take(NOBODY).is_none() && !rig.queue.has_work(), "it waits for more");
    rig.make_due();
    assert_eq!(sent(&mut rig.take(NOBODY).unwrap()), (-1, -1, "a".to_owned()));
    let (_, event) = rig.try_append("b").unwrap();
    assert!(event.has_opened, "the next one isn't due");
    assert!(rig.take(NOBODY).is_none());
    let mut filled = 0;
    for _ in 0..20 {
        filled += usize::from(rig.try_append("some more").unwrap().1.has_filled);
    }
    assert!(filled > 0);
    let (_, _, values) = sent(&mut rig.take(NOBODY).unwrap());
    assert!(values.starts_with("bsome more"), "{values}");
}

#[test]
fn room_is_given_back_when_a_batch_has_ended() {
    let mut rig = Rig::new(5);
    drop(rig.append("a"));
    // The head of a batch, and a record of one byte.
    assert_eq!(rig.memory.free(), MEMORY - 69);
    let batch = rig.take(NOBODY).unwrap();
    rig.settle(batch, appended(0));
    assert_eq!(rig.memory.free(), MEMORY);
    assert!(rig.queue.is_idle());
}

#[test]
fn what_isn_t_numbered_goes_one_by_one() {
    let mut rig = Rig::new(1);
    let mut deliveries = ["a", "b"].map(|value| rig.append(value));
    let mut first = rig.take(NOBODY).unwrap();
    assert!(rig.take(NOBODY).is_none());
    sent(&mut first);
    rig.settle(first, again());
    let mut first = rig.take(NOBODY).unwrap();
    assert_eq!(sent(&mut first).2, "a", "the same one again");
    rig.settle(first, appended(10));
    let second = rig.take(NOBODY).unwrap();
    rig.settle(second, appended(11));
    assert_eq!(deliveries.each_mut().map(offset), [10, 11]);
}

#[test]
fn until_a_broker_knows_the_producer_one_batch_is_under_way() {
    let mut rig = Rig::new(5);
    for value in ["a", "b", "c"] {
        drop(rig.append(value));
    }
    let mut first = rig.take(NUMBERED).unwrap();
    sent(&mut first);
    assert!(rig.take(NUMBERED).is_none(), "a broker would take it without the first");
    rig.settle(first, again());
    let mut first = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut first), (3, 0, "a".to_owned()));
    rig.settle(first, appended(0));
    let both = [(); 2].map(|()| rig.take(NUMBERED).unwrap());
    assert_eq!(both.map(|mut batch| sent(&mut batch).1), [1, 2]);
}

#[test]
fn who_was_silent_for_long_or_writes_to_a_new_topic_is_a_stranger() {
    let mut rig = Rig::new(5);
    for is_new in [false, true] {
        rig.introduce();
        for value in ["a", "b", "c"] {
            drop(rig.append(value));
        }
        if is_new {
            rig.topic_id = Uuid([2; 16]);
        } else {
            rig.now += FORGOTTEN_AFTER;
        }
        let first = rig.take(NUMBERED).unwrap();
        assert!(rig.take(NUMBERED).is_none(), "a broker may have forgotten the producer");
        rig.settle(first, appended(1));
        for base in 2..4 {
            let next = rig.take(NUMBERED).unwrap();
            rig.settle(next, appended(base));
        }
    }
}

#[test]
fn a_broker_that_goes_on_missing_batches_is_asked_with_pauses() {
    let mut rig = Rig::new(5);
    drop(rig.append("a"));
    for _ in 0..2 {
        let mut batch = rig.take(NUMBERED).unwrap();
        sent(&mut batch);
        rig.settle(batch, out_of_order());
    }
    assert!(rig.take(NUMBERED).is_none());
    rig.now += Duration::from_secs(1);
    assert!(rig.take(NUMBERED).is_some());
}

#[test]
fn after_an_error_all_are_sent_again_one_by_one_with_their_numbers() {
    let mut rig = Rig::new(5);
    rig.introduce();
    let mut deliveries = ["a", "b", "c", "d"].map(|value| rig.append(value));
    let mut under_way: Vec<Batch> = (0..3).map(|_| rig.take(NUMBERED).unwrap()).collect();
    under_way.iter_mut().for_each(|batch| drop(sent(batch)));
    let [a, b, c] = under_way.try_into().unwrap();
    rig.settle(a, again());
    assert!(rig.take(NUMBERED).is_none(), "not before all are answered");
    // Whichever is answered first.
    rig.settle(c, out_of_order());
    rig.settle(b, out_of_order());
    for (at, value) in (1..).zip(["a", "b", "c", "d"]) {
        let mut batch = rig.take(NUMBERED).unwrap();
        assert_eq!(sent(&mut batch), (3, at, value.to_owned()));
        // Also what is new waits, or the broker would forget this one.
        assert!(rig.take(NUMBERED).is_none());
        rig.settle(batch, appended(at.into()));
    }
    assert_eq!(deliveries.each_mut().map(offset), [1, 2, 3, 4]);
}

#[test]
fn behind_one_that_was_refused_the_others_begin_a_new_epoch() {
    let mut rig = Rig::new(5);
    rig.introduce();
    let mut deliveries = ["a", "b", "c", "d"].map(|value| rig.append(value));
    let mut under_way: Vec<Batch> = (0..3).map(|_| rig.take(NUMBERED).unwrap()).collect();
    under_way.iter_mut().for_each(|batch| drop(sent(batch)));
    let [a, b, c] = under_way.try_into().unwrap();
    rig.settle(a, Verdict::Refused(error(ErrorCode::INVALID_RECORD).into()));
    rig.settle(b, out_of_order());
    assert!(rig.take(NUMBERED).is_none());
    rig.settle(c, out_of_order());
    for (at, value) in (0..).zip(["b", "c", "d"]) {
        let mut batch = rig.take(NUMBERED).unwrap();
        assert_eq!(sent(&mut batch), (4, at, value.to_owned()));
        rig.settle(batch, appended(at.into()));
    }
    assert!(outcome(&mut deliveries[0]).unwrap().is_err());
}

#[test]
fn behind_the_greatest_epoch_comes_another_id() {
    let mut rig = Rig::new(5);
    drop(rig.append("a"));
    let last = Some(ProducerId { id: 7, epoch: i16::MAX });
    let mut batch = rig.take(last).unwrap();
    sent(&mut batch);
    rig.settle(batch, out_of_order());
    let next = Some(ProducerId { id: 8, epoch: 0 });
    let mut batch = rig.take(next).unwrap();
    assert_eq!(batch.numbers.unwrap().id, 8);
    assert_eq!(sent(&mut batch), (0, 0, "a".to_owned()));
}

#[test]
fn a_batch_that_is_too_large_is_divided_until_it_fits() {
    let mut rig = Rig::new(5);
    rig.limits.batch_bytes = 10_000;
    let mut deliveries = ["a", "b", "c"].map(|value| rig.append(value));
    rig.make_due();
    let mut whole = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut whole).2, "abc");
    let too_large = || Verdict::TooLarge(error(ErrorCode::MESSAGE_TOO_LARGE));
    rig.settle(whole, too_large());
    let mut left = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut left), (3, 0, "a".to_owned()));
    rig.settle(left, too_large());
    let mut right = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut right), (3, 1, "bc".to_owned()));
    assert_eq!(
        outcome(&mut deliveries[0]).unwrap().unwrap_err().code(),
        Some(ErrorCode::MESSAGE_TOO_LARGE)
    );
    rig.settle(right, appended(20));
    assert_eq!([offset(&mut deliveries[1]), offset(&mut deliveries[2])], [20, 21]);
    assert_eq!(rig.memory.free(), MEMORY, "all room is given back");
}

#[test]
fn a_pause_keeps_the_next_batch() {
    let mut rig = Rig::new(5);
    drop(rig.append("a"));
    let mut batch = rig.take(NUMBERED).unwrap();
    sent(&mut batch);
    let pause = Duration::from_millis(100);
    let error = error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    rig.settle(batch, Verdict::Again { error, pause });
    assert!(rig.take(NUMBERED).is_none());
    assert_eq!(rig.queue.paused_until(), Some(rig.now + pause));
    rig.now += pause;
    assert!(rig.take(NUMBERED).is_some());
}

#[test]
fn what_takes_too_long_is_late_and_says_whether_it_may_be_there() {
    let mut rig = Rig::new(2);
    rig.introduce();
    let mut deliveries = ["a", "b", "c"].map(|value| rig.append(value));
    let [mut a, mut b] = [(); 2].map(|()| rig.take(NUMBERED).unwrap());
    sent(&mut a);
    sent(&mut b);
    assert_eq!(rig.queue.expire(rig.now, &rig.limits), 0);
    let deadline = rig.queue.next_deadline(rig.now, &rig.limits).unwrap();
    let left = (deadline - rig.now).as_secs_f64();
    assert!((119.0..121.0).contains(&left), "{left}");
    rig.now += Duration::from_secs(121);
    assert_eq!(rig.queue.expire(rig.now, &rig.limits), 3);
    assert_eq!(rig.queue.next_deadline(rig.now, &rig.limits), None, "all is told");
    assert_eq!(rig.queue.expire(rig.now, &rig.limits), 0, "once");
    let is_unsure = |delivery: &mut Delivery| match outcome(delivery) {
        Some(Err(ProduceError::Late { may_be_appended, .. })) => may_be_appended,
        other => panic!("{other:?}"),
    };
    assert_eq!(deliveries.each_mut().map(is_unsure), [true, true, false]);
    // What was given up isn't sent again, and stays what it was.
    rig.settle(a, again());
    rig.settle(b, appended(0));
    assert!(rig.take(NUMBERED).is_none());
    assert!(rig.queue.is_idle());
    assert!(is_unsure(&mut deliveries[1]));
}

#[test]
fn behind_one_that_was_given_up_nothing_is_appended_twice() {
    let mut rig = Rig::new(5);
    drop(rig.append("a"));
    let mut a = rig.take(NUMBERED).unwrap();
    sent(&mut a);
    rig.now += Duration::from_secs(121);
    rig.queue.expire(rig.now, &rig.limits);
    rig.settle(a, again());
    let mut delivery = rig.append("b");
    let mut b = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut b), (3, 1, "b".to_owned()), "the broker may have the other one");
    rig.settle(b, out_of_order());
    let mut b = rig.take(NUMBERED).unwrap();
    assert_eq!(sent(&mut b), (4, 0, "b".to_owned()), "it hasn't");
    rig.settle(b, appended(9));
    assert_eq!(offset(&mut delivery), 9);
}

#[test]
fn what_has_ended_takes_nothing_and_leaves_nobody_waiting() {
    let mut rig = Rig::new(5);
    let mut deliveries = ["a", "b"].map(|value| rig.append(value));
    let under_way = rig.take(NUMBERED).unwrap();
    rig.queue.end(&ProduceError::Closed);
    assert!(matches!(rig.try_append("c"), Err(ProduceError::Closed)));
    for delivery in &mut deliveries {
        assert!(matches!(outcome(delivery), Some(Err(ProduceError::Closed))));
    }
    rig.settle(under_way, again());
    assert!(rig.take(NUMBERED).is_none() && rig.queue.is_idle(), "nothing is sent again");
}

#[test]
fn what_a_batch_is_expected_to_need_is_set_aside_where_it_is_free() {
    for (free, set_aside) in [(MEMORY, 40_000), (5_000, 5_000), (0, 200)] {
        let mut rig = Rig::new(1);
        rig.limits.batch_bytes = 40_000;
        drop(rig.append(&"x".repeat(50_000)));
        assert_eq!(rig.queue.waiting(), 1);
        let before = rig.memory.free();
        let hog = before - 64 - free.min(before - 64);
        let memory = Arc::clone(&rig.memory);
        let hog = memory.try_take(hog.try_into().unwrap()).unwrap();
        drop(rig.append("the first of the next"));
        drop(hog);
        let held = before - rig.memory.free();
        assert!((set_aside - 200..=set_aside).contains(&held), "{held} of {free}");
    }
}

#[test]
fn who_travelled_with_a_record_that_is_no_good_hears_so() {
    let mut rig = Rig::new(5);
    rig.limits.batch_bytes = 10_000;
    let mut deliveries: Vec<_> = ('a'..='g').map(|one| rig.append(&one.to_string())).collect();
    rig.make_due();
    let mut whole = rig.take(NUMBERED).unwrap();
    sent(&mut whole);
    rig.settle(whole, Verdict::TooLarge(error(ErrorCode::MESSAGE_TOO_LARGE)));
    let left = rig.take(NUMBERED).unwrap();
    rig.settle(left, appended(0));
    let right = rig.take(NUMBERED).unwrap();
    let error = refused_records(&[(2, None), (1, Some("no key"))]);
    rig.settle(right, Verdict::Refused(error.into()));
    let told: Vec<_> = deliveries
        .iter_mut()
        .map(|one| match outcome(one).unwrap() {
            Ok(delivered) => delivered.offset.unwrap().to_string(),
            Err(error) => format!("{error}; {:?}", error.remedy()),
        })
        .collect();
    let other =
        "partition t-0: not appended because another record of its batch was refused; Retry";
    assert_eq!(
        told,
        [
            "0",
            "1",
            "2",
            other,
            "partition t-0: INVALID_RECORD (87): no key; FixCall",
            "partition t-0: INVALID_RECORD (87): some are bad; FixCall",
            other,
        ]
    );
    assert!(rig.queue.is_idle());
}

fn refused_records(records: &[(i32, Option<&str>)]) -> ClientError {
    let record = |&(index, words): &(i32, Option<&str>)| logboom_client::RefusedRecord {
        index,
        message: words.map(str::to_owned),
    };
    ClientError::RefusedRecords {
        what: "partition t-0".to_owned(),
        code: ErrorCode::INVALID_RECORD,
        message: Some("some are bad".to_owned()),
        records: records.iter().map(record).collect(),
    }
}

#[test]
fn what_is_late_while_it_is_sent_again_tells_what_went_wrong_before() {
    let mut rig = Rig::new(1);
    let mut delivery = rig.append("a");
    let mut batch = rig.take(NUMBERED).unwrap();
    sent(&mut batch);
    rig.settle(batch, again());
    let _under_way = rig.take(NUMBERED).unwrap();
    rig.now += Duration::from_secs(121);
    rig.queue.expire(rig.now, &rig.limits);
    let late = outcome(&mut delivery).unwrap().unwrap_err();
    assert_eq!(late.code(), Some(ErrorCode::NOT_LEADER_OR_FOLLOWER), "{late}");
}
