//! The door for answers: memory of those that are made and not sent.
//!
//! What is hot is lent from maps and takes none; what was read from the device, and what is
//! written field by field, does. A client decides how fast it reads, so this has a limit of its
//! own: beyond it nothing more is read from the device, and no request is taken up whose answer may
//! be of any size. Whoever holds room that others wait for must go on reading
//! ([`AnswerDoor::is_to_hurry`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use super::doors::Waits;
use crate::metrics::Metrics;

/// How much memory answers may take that are not sent.
#[derive(Debug)]
pub(crate) struct AnswerDoor {
    metrics: Arc<Metrics>,
    /// Room is given while less than this is taken, so it is exceeded by one answer at the most.
    bytes_max: usize,
    taken: AtomicUsize,
    waiting: AtomicUsize,
    freed: Notify,
}

/// Room for an answer; given back with the value.
#[derive(Debug)]
pub(crate) struct AnswerRoom {
    door: Arc<AnswerDoor>,
    bytes: usize,
}

impl AnswerDoor {
    /// - `bytes_max`: `queued.max.response.bytes`.
    pub(crate) fn new(bytes_max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        let (taken, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { metrics, bytes_max, taken, waiting, freed: Notify::new() })
    }

    /// Room for `bytes`, if there is some at once.
    pub(crate) fn try_take(self: &Arc<Self>, bytes: usize) -> Option<AnswerRoom> {
        let take = |taken| (taken < self.bytes_max).then_some(taken + bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(self.counted(bytes))
    }

    /// Waits for room for `bytes`. Cancel-safe.
    pub(crate) async fn take(self: &Arc<Self>, bytes: usize) -> AnswerRoom {
        self.when_open(|| self.try_take(bytes)).await
    }

    /// Takes room for what is there already.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> AnswerRoom {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        self.counted(bytes)
    }

    /// Whether an answer may be made.
    pub(crate) fn is_open(&self) -> bool {
        self.taken.load(Ordering::Relaxed) < self.bytes_max
    }

    /// Waits until an answer may be made. Cancel-safe.
    pub(crate) async fn open(&self) {
        self.when_open(|| self.is_open().then_some(())).await;
    }

    /// Whether whoever holds room is to give it back soon.
    pub(crate) fn is_to_hurry(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for something that is there when room is.
    async fn when_open<T>(&self, there: impl Fn() -> Option<T>) -> T {
        if let Some(it) = there() {
            return it;
        }
        let _waits = Waits::new(&self.waiting);
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            // What is freed from here on wakes it.
            freed.as_mut().enable();
            if let Some(it) = there() {
                return it;
            }
            freed.await;
        }
    }

    fn counted(self: &Arc<Self>, bytes: usize) -> AnswerRoom {
        self.metrics.queued_response_bytes.move_by(signed(bytes));
        AnswerRoom { door: Arc::clone(self), bytes }
    }

    fn give_back(&self, bytes: usize) {
        self.metrics.queued_response_bytes.move_by(-signed(bytes));
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.freed.notify_waiters();
    }
}

impl AnswerRoom {
    /// The bytes for which this is room; they hold as much of it as they take, until the last
    /// slice of them is dropped.
    pub(crate) fn holding(self, bytes: Bytes) -> Bytes {
        let room = self.door.hold(bytes.len());
        drop(self);
        Bytes::from_owner(Held { bytes, _room: room })
    }
}

impl Drop for AnswerRoom {
    fn drop(&mut self) {
        self.door.give_back(self.bytes);
    }
}

/// Bytes, and the room that they take.
struct Held {
    bytes: Bytes,
    _room: AnswerRoom,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn door(bytes_max: usize) -> Arc<AnswerDoor> {
        AnswerDoor::new(bytes_max, Arc::new(Metrics::default()))
    }

    #[test]
    fn room_is_given_up_to_the_limit_and_for_one_answer_beyond() {
        let door = door(100);
        let first = door.try_take(60).unwrap();
        let second = door.try_take(60).unwrap();
        assert!(door.try_take(1).is_none());
        drop(second);
        assert!(door.try_take(1).is_some());
        drop(first);
        assert_eq!(door.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn bytes_hold_no_more_room_than_they_are_long_until_the_last_slice_is_gone() {
        let door = door(100);
        let bytes = door.try_take(80).unwrap().holding(Bytes::from_static(&[1; 10]));
        assert_eq!(door.taken.load(Ordering::Relaxed), 10);
        let slice = bytes.slice(2..4);
        drop(bytes);
        assert_eq!(door.taken.load(Ordering::Relaxed), 10);
        drop(slice);
        assert_eq!(door.taken.load(Ordering::Relaxed), 0);
        let larger = door.try_take(5).unwrap().holding(Bytes::from_static(&[1; 10]));
        assert_eq!(door.taken.load(Ordering::Relaxed), 10);
        drop(larger);
        assert_eq!(door.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_waits_has_others_hurry_and_is_woken() {
        let door = door(10);
        let held = door.hold(50);
        let mut take = std::pin::pin!(door.take(1));
        let mut context = Context::from_waker(Waker::noop());
        assert!(take.as_mut().poll(&mut context).is_pending());
        assert!(door.is_to_hurry());
        drop(held);
        assert!(matches!(take.as_mut().poll(&mut context), Poll::Ready(_)));
        assert!(!door.is_to_hurry());
    }

    #[test]
    fn who_waits_no_more_leaves_nothing_behind() {
        let door = door(10);
        let _held = door.hold(50);
        {
            let mut open = std::pin::pin!(door.open());
            assert!(open.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert!(door.is_to_hurry());
        }
        assert!(!door.is_to_hurry());
    }
}
