//! What becomes of records: one outcome a batch, which each record's [`Delivery`] reads.
//!
//! Must always hold: a part of an outcome is settled once; what comes later changes nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use logboom_client::Produced;

use crate::ProduceError;

/// Where a record was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Its offset; `None` where the broker doesn't tell: without acknowledgements, or where it had
    /// the record already and forgot where.
    pub offset: Option<i64>,
    /// Its timestamp, milliseconds, where the broker stamps records.
    pub timestamp: Option<i64>,
}

/// Becomes what has become of a record. It may be dropped: the record is sent all the same.
#[derive(Debug)]
#[must_use = "a record counts as sent once its delivery says so; drop it to do without"]
pub struct Delivery {
    outcome: Arc<Outcome>,
    /// Which record of the batch it is.
    index: i32,
    place: Option<Place>,
}

impl Delivery {
    pub(crate) fn new(outcome: Arc<Outcome>, index: i32) -> Self {
        Self { outcome, index, place: None }
    }

    /// The partition that it goes to.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.outcome.partition
    }
}

impl Future for Delivery {
    type Output = Result<Delivered, ProduceError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut state = this.outcome.state();
        match state.of(this.index) {
            Some(part) => Poll::Ready(this.outcome.read(part, this.index)),
            None => {
                state.wake_later(&mut this.place, context.waker());
                Poll::Pending
            }
        }
    }
}

/// What becomes of the records that were put into a batch together.
#[derive(Debug)]
pub(crate) struct Outcome {
    topic: Arc<str>,
    partition: i32,
    /// Whether all its records are settled.
    is_settled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Records that were put in; known once no more will be.
    count: Option<i32>,
    /// What is settled, in order. More than one part where a batch was divided, or some of its
    /// records were refused.
    parts: Vec<Part>,
    settled: i32,
    wakers: Vec<Waker>,
    /// Counts how often all were woken.
    round: u32,
}

/// Where a waker is kept, while the round is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    round: u32,
    at: usize,
}

/// What has become of a run of records.
#[derive(Debug)]
pub(crate) struct Part {
    /// Indices, half-open.
    pub(crate) first: i32,
    pub(crate) end: i32,
    pub(crate) result: Result<Produced, ProduceError>,
}

impl Outcome {
    pub(crate) fn new(topic: Arc<str>, partition: i32) -> Self {
        Self { topic, partition, is_settled: AtomicBool::new(false), state: Mutex::default() }
    }

    /// No more records are put in than these.
    pub(crate) fn seal(&self, count: i32) {
        self.state().count = Some(count);
    }

    /// Settles the records from `first` on, `count` of them, unless they are.
    pub(crate) fn settle(&self, first: i32, count: i32, result: Result<Produced, ProduceError>) {
        self.settle_all([Part { first, end: first + count, result }]);
    }

    /// Settles several runs of records.
    pub(crate) fn settle_all(&self, parts: impl IntoIterator<Item = Part>) {
        let mut state = self.state();
        for part in parts {
            if part.first < part.end && state.of(part.first).is_none() {
                state.settled += part.end - part.first;
                let at = state.parts.partition_point(|other| other.first < part.first);
                state.parts.insert(at, part);
            }
        }
        if state.count.is_some_and(|count| state.settled >= count) {
            self.is_settled.store(true, Ordering::Release);
        }
        let wakers = std::mem::take(&mut state.wakers);
        state.round = state.round.wrapping_add(1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether all its records are settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Acquire)
    }

    /// Whether the record of that index is settled.
    pub(crate) fn is_settled_from(&self, index: i32) -> bool {
        self.state().of(index).is_some()
    }

    /// "partition t-0".
    pub(crate) fn what(&self) -> String {
        format!("partition {}-{}", self.topic, self.partition)
    }

    fn read(&self, part: &Part, index: i32) -> Result<Delivered, ProduceError> {
        let produced = part.result.clone()?;
        let place = i64::from(index - part.first);
        let offset = produced.base_offset.and_then(|base| base.checked_add(place));
        Ok(Delivered {
            topic: Arc::clone(&self.topic),
            partition: self.partition,
            offset,
            timestamp: produced.log_append_time,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole, so a panic elsewhere leaves it sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&self, index: i32) -> Option<&Part> {
        let at = self.parts.partition_point(|part| part.first <= index);
        self.parts[..at].last().filter(|part| index < part.end)
    }

    /// Keeps a waker at its place, which is given when it is first kept in a round.
    fn wake_later(&mut self, place: &mut Option<Place>, waker: &Waker) {
        match place.filter(|place| place.round == self.round) {
            Some(Place { at, .. }) => self.wakers[at].clone_from(waker),
            None => {
                *place = Some(Place { round: self.round, at: self.wakers.len() });
                self.wakers.push(waker.clone());
            }
        }
    }
}

/// Becomes ready when all records of the outcomes are settled, however.
#[derive(Debug)]
pub(crate) struct Settled {
    outcome: Arc<Outcome>,
    place: Option<Place>,
}

impl Settled {
    pub(crate) fn new(outcome: Arc<Outcome>) -> Self {
        Self { outcome, place: None }
    }
}

impl Future for Settled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut state = this.outcome.state();
        if state.count.is_some_and(|count| state.settled >= count) {
            return Poll::Ready(());
        }
        state.wake_later(&mut this.place, context.waker());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Arc<Outcome> {
        Arc::new(Outcome::new("t".into(), 3))
    }

    fn produced(base: i64) -> Result<Produced, ProduceError> {
        Ok(Produced { base_offset: Some(base), log_append_time: None })
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn offset(delivery: &mut Delivery) -> Option<i64> {
        match poll(delivery) {
            Poll::Ready(Ok(delivered)) => delivered.offset,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_record_has_the_offset_of_its_place() {
        let outcome = outcome();
        let mut deliveries: Vec<Delivery> =
            (0..3).map(|index| Delivery::new(Arc::clone(&outcome), index)).collect();
        assert!(poll(&mut deliveries[0]).is_pending());
        assert_eq!(deliveries[0].partition(), 3, "it is known before the end is");
        outcome.settle(0, 3, produced(7));
        let offsets: Vec<_> = deliveries.iter_mut().map(offset).collect();
        assert_eq!(offsets, [Some(7), Some(8), Some(9)]);
    }

    #[test]
    fn an_offset_that_is_none_is_not_told() {
        let outcome = outcome();
        outcome.settle(0, 2, produced(i64::MAX));
        let offset = |index| offset(&mut Delivery::new(Arc::clone(&outcome), index));
        assert_eq!([offset(0), offset(1)], [Some(i64::MAX), None]);
    }

    #[test]
    fn the_parts_of_a_divided_batch_have_their_own_ends() {
        let outcome = outcome();
        outcome.seal(4);
        let mut all = Settled::new(Arc::clone(&outcome));
        outcome.settle(2, 2, produced(50));
        assert!(poll(&mut all).is_pending());
        assert_eq!(offset(&mut Delivery::new(Arc::clone(&outcome), 3)), Some(51));
        assert!(poll(&mut Delivery::new(Arc::clone(&outcome), 1)).is_pending());
        outcome.settle(0, 2, Err(ProduceError::Closed));
        assert!(poll(&mut all).is_ready());
        assert!(matches!(poll(&mut Delivery::new(outcome, 1)), Poll::Ready(Err(_))));
    }

    #[test]
    fn what_is_settled_stays_so() {
        let outcome = outcome();
        outcome.seal(1);
        outcome.settle(0, 1, Err(ProduceError::Closed));
        outcome.settle(0, 1, produced(1));
        assert!(outcome.is_settled());
        assert!(matches!(poll(&mut Delivery::new(outcome, 0)), Poll::Ready(Err(_))));
    }

    #[tokio::test]
    async fn all_who_wait_are_woken() {
        let outcome = outcome();
        let waiting: Vec<_> =
            (0..20).map(|index| tokio::spawn(Delivery::new(Arc::clone(&outcome), index))).collect();
        tokio::task::yield_now().await;
        outcome.settle(0, 10, produced(0));
        outcome.settle(10, 10, produced(10));
        for (index, one) in (0..).zip(waiting) {
            assert_eq!(one.await.unwrap().unwrap().offset, Some(index));
        }
    }
}
