//! The door for answers: memory of those that are made and not sent.
//!
//! What is hot is lent from maps and takes none; what was read from the device, and what is
//! written field by field, does. A client decides how fast it reads, so this has a limit of its
//! own: beyond it nothing more is read from the device, and no request is taken up whose answer may
//! be of any size; one that waits for other members of its group is answered later. Whoever holds
//! room that others wait for must go on reading ([`AnswerDoor::is_to_hurry`]).

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
    bytes_max: usize,
    taken: AtomicUsize,
    waiting: AtomicUsize,
    /// Told when somebody begins to wait.
    pressed: Notify,
    /// Told when there is room again.
    freed: Notify,
}

/// Who wants room. It is given while less than the share is taken, so each is exceeded by one
/// answer; and all of it by answers that are larger than the room that was taken for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Records from the device: three quarters, so that nobody is shut out by those who read old
    /// records slowly.
    Records,
    /// Anything else: all of it.
    Any,
}

/// Room for an answer; given back with the value.
#[derive(Debug)]
pub(crate) struct AnswerPermit {
    door: Arc<AnswerDoor>,
    bytes: usize,
}

impl AnswerDoor {
    /// - `bytes_max`: `queued.max.response.bytes`.
    pub(crate) fn new(bytes_max: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        let (taken, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (pressed, freed) = (Notify::new(), Notify::new());
        Arc::new(Self { metrics, bytes_max, taken, waiting, pressed, freed })
    }

    /// Room for `bytes`, if there is some at once.
    pub(crate) fn try_take(self: &Arc<Self>, share: Share, bytes: usize) -> Option<AnswerPermit> {
        let take = |taken| (taken < self.limit(share)).then_some(taken + bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(self.counted(bytes))
    }

    /// Waits for room for `bytes`. Cancel-safe.
    pub(crate) async fn take(self: &Arc<Self>, share: Share, bytes: usize) -> AnswerPermit {
        self.when_there_is(|| self.try_take(share, bytes)).await
    }

    /// Takes room for what is there already.
    pub(crate) fn take_for(self: &Arc<Self>, bytes: usize) -> AnswerPermit {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        self.counted(bytes)
    }

    /// Waits until there is room. Cancel-safe.
    pub(crate) async fn opened(&self, share: Share) {
        let is_open = || self.taken.load(Ordering::Relaxed) < self.limit(share);
        self.when_there_is(|| is_open().then_some(())).await;
    }

    /// Whether whoever holds room is to give it back soon: others wait for it.
    pub(crate) fn is_to_hurry(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until others wait. Cancel-safe.
    pub(crate) async fn pressed(&self) {
        when(&self.pressed, || self.is_to_hurry().then_some(())).await;
    }

    /// Waits for something that is there when room is.
    async fn when_there_is<T>(&self, there: impl Fn() -> Option<T>) -> T {
        if let Some(it) = there() {
            return it;
        }
        let _waits = Waits::new(&self.waiting);
        self.pressed.notify_waiters();
        when(&self.freed, there).await
    }

    fn limit(&self, share: Share) -> usize {
        match share {
            Share::Records => self.bytes_max / 4 * 3,
            Share::Any => self.bytes_max,
        }
    }

    fn counted(self: &Arc<Self>, bytes: usize) -> AnswerPermit {
        self.metrics.queued_response_bytes.move_by(signed(bytes));
        AnswerPermit { door: Arc::clone(self), bytes }
    }

    fn give_back(&self, bytes: usize) {
        self.metrics.queued_response_bytes.move_by(-signed(bytes));
        let before = self.taken.fetch_sub(bytes, Ordering::Relaxed);
        let opens = |share| (before - bytes..before).contains(&(self.limit(share).max(1) - 1));
        if opens(Share::Records) || opens(Share::Any) {
            self.freed.notify_waiters();
        }
    }
}

/// Waits for something that may be there whenever `told`.
async fn when<T>(told: &Notify, there: impl Fn() -> Option<T>) -> T {
    loop {
        let mut again = std::pin::pin!(told.notified());
        // What is told from here on wakes it.
        again.as_mut().enable();
        if let Some(it) = there() {
            return it;
        }
        again.await;
    }
}

impl AnswerPermit {
    /// The bytes for which this is room; they have as much of it as they take, until the last slice
    /// of them is dropped.
    pub(crate) fn lend_to(self, bytes: Bytes) -> Bytes {
        let permit = self.door.take_for(bytes.len());
        drop(self);
        Bytes::from_owner(Held { bytes, _permit: permit })
    }
}

impl Drop for AnswerPermit {
    fn drop(&mut self) {
        self.door.give_back(self.bytes);
    }
}

/// Bytes with the room that they take.
struct Held {
    bytes: Bytes,
    _permit: AnswerPermit,
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
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn door(bytes_max: usize) -> Arc<AnswerDoor> {
        AnswerDoor::new(bytes_max, Arc::new(Metrics::default()))
    }

    fn taken(door: &AnswerDoor) -> usize {
        door.taken.load(Ordering::Relaxed)
    }

    #[test]
    fn room_is_given_up_to_the_limit_and_for_one_answer_beyond() {
        let door = door(100);
        let first = door.try_take(Share::Any, 60).unwrap();
        let second = door.try_take(Share::Any, 60).unwrap();
        assert!(door.try_take(Share::Any, 1).is_none());
        drop(second);
        assert!(door.try_take(Share::Any, 1).is_some());
        drop(first);
        assert_eq!(taken(&door), 0);
    }

    #[test]
    fn records_leave_a_quarter_to_other_answers() {
        let door = door(100);
        let _records = door.try_take(Share::Records, 75).unwrap();
        assert!(door.try_take(Share::Records, 1).is_none());
        assert!(door.try_take(Share::Any, 25).is_some());
    }

    #[test]
    fn bytes_have_no_more_room_than_they_are_long_until_the_last_slice_is_gone() {
        let door = door(100);
        let bytes = door.try_take(Share::Any, 80).unwrap().lend_to(Bytes::from_static(&[1; 10]));
        assert_eq!(taken(&door), 10);
        let slice = bytes.slice(2..4);
        drop(bytes);
        assert_eq!(taken(&door), 10);
        drop(slice);
        assert_eq!(taken(&door), 0);
        let larger = door.try_take(Share::Any, 5).unwrap().lend_to(Bytes::from_static(&[1; 10]));
        assert_eq!(taken(&door), 10);
        drop(larger);
        assert_eq!(taken(&door), 0);
    }

    #[test]
    fn who_waits_has_others_hurry_and_is_woken() {
        let door = door(10);
        let held = door.take_for(50);
        let mut context = Context::from_waker(Waker::noop());
        let mut pressed = pin!(door.pressed());
        assert!(pressed.as_mut().poll(&mut context).is_pending());
        let mut take = pin!(door.take(Share::Any, 1));
        assert!(take.as_mut().poll(&mut context).is_pending());
        assert!(door.is_to_hurry());
        assert!(pressed.as_mut().poll(&mut context).is_ready());
        drop(held);
        assert!(matches!(take.as_mut().poll(&mut context), Poll::Ready(_)));
        assert!(!door.is_to_hurry());
    }

    #[test]
    fn who_waits_no_more_leaves_nothing_behind() {
        let door = door(10);
        let _held = door.take_for(50);
        {
            let mut opened = pin!(door.opened(Share::Records));
            assert!(opened.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert!(door.is_to_hurry());
        }
        assert!(!door.is_to_hurry());
    }
}
