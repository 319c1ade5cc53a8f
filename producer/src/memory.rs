//! The bytes of `buffer.memory`: who appends takes room for a record, a batch holds it until it is
//! settled, and as much more as its chunks are larger than its records.
//!
//! What a chunk takes beyond its records can't be waited for: the batch is locked then. Where it
//! isn't free, it is owed, and room that is given back pays the debt first.
//!
//! **Invariant:** what is free and what is held, less the debt, is `buffer.memory`. So batches take
//! no more than that, and a chunk for each of those who had room for a record when it ran out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// A batch that holds so much more than it needs gives it back: not after each record, since that
/// costs as much as taking room does.
const GIVEN_BACK_MIN: usize = 4 << 10;

/// The bytes of a producer.
#[derive(Debug)]
pub(crate) struct Memory {
    free: Semaphore,
    owed: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        let free = Semaphore::new(bytes.min(Semaphore::MAX_PERMITS));
        Arc::new(Self { free, owed: AtomicUsize::new(0) })
    }

    /// Takes so many bytes, if they are free and nobody waits.
    pub(crate) fn try_take(&self, bytes: u32) -> Option<SemaphorePermit<'_>> {
        self.free.try_acquire_many(bytes).ok()
    }

    /// Waits for so many bytes. Cancel-safe.
    ///
    /// # Errors
    /// [`Self::close`] was called.
    pub(crate) async fn take(&self, bytes: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.free.acquire_many(bytes).await
    }

    /// Nobody gets more, and nobody waits any more.
    pub(crate) fn close(&self) {
        self.free.close();
    }

    /// Bytes that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Takes so many bytes at once, owed where they aren't free.
    fn take_or_owe(&self, bytes: usize) {
        let taken = self.free.forget_permits(bytes);
        self.owed.fetch_add(bytes - taken, Ordering::AcqRel);
    }

    fn give_back(&self, bytes: usize) {
        let pay = |owed: usize| Some(owed - owed.min(bytes));
        let owed = self.owed.fetch_update(Ordering::AcqRel, Ordering::Acquire, pay);
        let paid = owed.unwrap_or_default().min(bytes);
        self.free.add_permits(bytes - paid);
    }
}

/// What a batch holds.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Arc<Memory>,
    /// What was taken for its records.
    taken: usize,
    /// Invariant: no less than was taken, nor than its chunks are large.
    held: usize,
}

impl Room {
    /// None yet.
    pub(crate) fn of(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), taken: 0, held: 0 }
    }

    /// Bytes that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.memory.free()
    }

    /// A record was added.
    ///
    /// - `taken`: for it.
    /// - `allocated`: bytes of all chunks.
    pub(crate) fn add(&mut self, taken: SemaphorePermit<'_>, allocated: usize) {
        self.taken += taken.num_permits();
        self.held += taken.num_permits();
        taken.forget();
        self.cover(allocated);
    }

    /// The chunks have so many bytes.
    pub(crate) fn cover(&mut self, allocated: usize) {
        let needed = self.taken.max(allocated);
        if self.held < needed {
            self.memory.take_or_owe(needed - self.held);
        } else if self.held - needed >= GIVEN_BACK_MIN {
            self.memory.give_back(self.held - needed);
        } else {
            return;
        }
        self.held = needed;
    }

    /// Takes a half of it away; what the chunks of each half take is covered once they are made.
    pub(crate) fn split(&mut self) -> Self {
        let (taken, held) = (self.taken / 2, self.held / 2);
        self.taken -= taken;
        self.held -= held;
        Self { memory: Arc::clone(&self.memory), taken, held }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.memory.give_back(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 100 << 10;

    #[test]
    fn a_chunk_is_held_and_given_back_as_records_fill_it() {
        let memory = Memory::new(BYTES);
        let mut room = Room::of(&memory);
        let chunk = 64 << 10;
        let mut least = BYTES;
        for _ in 0..64 {
            let taken = memory.try_take(1 << 10).unwrap();
            room.add(taken, chunk);
            least = least.min(memory.free());
            assert!(memory.free() <= BYTES - chunk, "the chunk isn't counted");
        }
        assert!(least > BYTES - chunk - GIVEN_BACK_MIN - (1 << 10), "it is counted twice: {least}");
        // What was compressed is smaller.
        room.cover(0);
        assert!(memory.free() > BYTES - chunk - GIVEN_BACK_MIN, "{} are free", memory.free());
        drop(room);
        assert_eq!(memory.free(), BYTES);
    }

    #[test]
    fn what_is_owed_is_paid_before_anybody_has_room_again() {
        let memory = Memory::new(BYTES);
        let mut rooms = [(); 3].map(|()| Room::of(&memory));
        let taken = [(); 3].map(|()| memory.try_take(1 << 10).unwrap());
        for (room, taken) in rooms.iter_mut().zip(taken) {
            room.add(taken, 64 << 10);
        }
        let [first, second, third] = rooms;
        assert_eq!((memory.free(), memory.owed.load(Ordering::Relaxed)), (0, 92 << 10));
        drop(first);
        assert_eq!((memory.free(), memory.owed.load(Ordering::Relaxed)), (0, 28 << 10));
        drop(second);
        assert_eq!((memory.free(), memory.owed.load(Ordering::Relaxed)), (36 << 10, 0));
        let mut third = third;
        let half = third.split();
        drop((third, half));
        assert_eq!(memory.free(), BYTES);
    }
}
