//! The fetch sessions of a broker (KIP-227).
//!
//! Must always hold: there are never more than the configuration says, and they never take more
//! memory than [`BYTES_MAX`]. A client without a session is served all the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logboom_protocol::ErrorCode;

use super::read::Answer;
use super::session::{Session, next_epoch};
use super::wanted::{TopicName, Wanted};
use crate::node::random_bytes;

/// The id that stands for no session.
pub(super) const NO_SESSION: i32 = 0;
/// The epoch of a fetch that opens a session.
const OPENING_EPOCH: i32 = 0;
/// The epoch of a fetch that is in no session any more.
const FINAL_EPOCH: i32 = -1;
/// About the most bytes of all sessions together.
const BYTES_MAX: usize = 32 << 20;
/// Milliseconds for which a session is safe from others after it was used or opened.
const SAFE_MS: i64 = 120_000;

/// The sessions of a broker.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: Mutex<HashMap<i32, Slot>>,
}

#[derive(Debug)]
struct Slot {
    opened_ms: i64,
    used_ms: i64,
    /// What the session takes and how many partitions it has, as of its last use.
    bytes: usize,
    partition_count: usize,
    open: Arc<Mutex<Open>>,
}

/// A session, in the hands of the fetch that uses it.
#[derive(Debug)]
struct Open {
    /// That of the next fetch.
    epoch: i32,
    /// Whether its topics are named by their ids.
    by_id: bool,
    session: Session,
}

/// What a fetch says of sessions.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) session_id: i32,
    pub(super) epoch: i32,
    pub(super) by_id: bool,
    /// What the request names: all, or what has changed.
    pub(super) wanted: Vec<Wanted>,
    pub(super) forgotten: Vec<(Arc<TopicName>, i32)>,
}

/// How a fetch goes on.
#[derive(Debug)]
pub(super) enum Fetch {
    /// It stands for itself.
    Sessionless(Vec<Wanted>),
    /// It opens a session once it is answered.
    Opening { wanted: Vec<Wanted>, by_id: bool },
    /// It goes on with a session.
    Incremental { wanted: Vec<Wanted>, within: Within },
}

/// A session that a fetch goes on with.
#[derive(Debug)]
pub(super) struct Within {
    session_id: i32,
    /// The epoch that the session has got by this fetch.
    epoch: i32,
    open: Arc<Mutex<Open>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    /// Finds the session of a fetch, and changes it as the fetch says.
    ///
    /// - `now_ms`: milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH`, `FETCH_SESSION_TOPIC_ID_ERROR`:
    /// the client is to open another.
    pub(super) fn begin(&self, asked: Asked, now_ms: i64) -> Result<Fetch, ErrorCode> {
        if matches!(asked.epoch, OPENING_EPOCH | FINAL_EPOCH) {
            lock(&self.slots).remove(&asked.session_id);
        }
        match asked.epoch {
            FINAL_EPOCH => Ok(Fetch::Sessionless(asked.wanted)),
            OPENING_EPOCH => Ok(Fetch::Opening { wanted: asked.wanted, by_id: asked.by_id }),
            _ => self.go_on(asked, now_ms),
        }
    }

    fn go_on(&self, asked: Asked, now_ms: i64) -> Result<Fetch, ErrorCode> {
        let Asked { session_id, epoch, by_id, wanted, forgotten } = asked;
        let open = lock(&self.slots).get(&session_id).map(|slot| Arc::clone(&slot.open));
        let open = open.ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let mut guard = lock(&open);
        if guard.epoch != epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if guard.by_id != by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let session = &mut guard.session;
        wanted.iter().for_each(|wanted| session.want(wanted.clone()));
        forgotten.iter().for_each(|(topic, partition)| session.forget(topic, *partition));
        let (bytes, partition_count) = (session.bytes(), session.partition_count());
        if partition_count == 0 {
            drop(guard);
            lock(&self.slots).remove(&session_id);
            return Ok(Fetch::Sessionless(Vec::new()));
        }
        let wanted = session.wanted();
        let epoch = next_epoch(epoch);
        guard.epoch = epoch;
        drop(guard);
        self.note_use(session_id, bytes, partition_count, now_ms)?;
        Ok(Fetch::Incremental { wanted, within: Within { session_id, epoch, open } })
    }

    /// Notes what a session takes now. One that has grown too large is closed.
    fn note_use(
        &self,
        session_id: i32,
        bytes: usize,
        partition_count: usize,
        now_ms: i64,
    ) -> Result<(), ErrorCode> {
        let mut slots = lock(&self.slots);
        let slot = slots.get_mut(&session_id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        (slot.used_ms, slot.bytes, slot.partition_count) = (now_ms, bytes, partition_count);
        if slots.values().map(|slot| slot.bytes).sum::<usize>() > BYTES_MAX {
            slots.remove(&session_id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        Ok(())
    }

    /// Opens a session for a client that was given `answers`; returns its id, or [`NO_SESSION`]
    /// where there is no room for it.
    ///
    /// - `slots_max`: the most sessions (`max.incremental.fetch.session.cache.slots`).
    pub(super) fn open(
        &self,
        by_id: bool,
        answers: &[(Wanted, Answer)],
        slots_max: usize,
        now_ms: i64,
    ) -> i32 {
        if answers.is_empty() {
            return NO_SESSION;
        }
        let session = Session::new(answers);
        let (bytes, partition_count) = (session.bytes(), session.partition_count());
        let mut slots = lock(&self.slots);
        if !make_room(&mut slots, partition_count, bytes, slots_max, now_ms) {
            return NO_SESSION;
        }
        let session_id = loop {
            let id = i32::from_be_bytes(random_bytes()) & i32::MAX;
            if id != NO_SESSION && !slots.contains_key(&id) {
                break id;
            }
        };
        let open = Arc::new(Mutex::new(Open { epoch: next_epoch(OPENING_EPOCH), by_id, session }));
        let (opened_ms, used_ms) = (now_ms, now_ms);
        slots.insert(session_id, Slot { opened_ms, used_ms, bytes, partition_count, open });
        session_id
    }
}

impl Within {
    pub(super) fn session_id(&self) -> i32 {
        self.session_id
    }

    /// Notes what the client is told, and drops what it knows already.
    ///
    /// # Errors
    /// `INVALID_FETCH_SESSION_EPOCH` where another fetch went on with the session meanwhile.
    pub(super) fn end(&self, answers: &mut Vec<(Wanted, Answer)>) -> Result<(), ErrorCode> {
        let mut open = lock(&self.open);
        if open.epoch != self.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        answers.retain(|(wanted, answer)| open.session.tell(wanted, answer));
        Ok(())
    }
}

/// Lets sessions go until there is room for another; returns whether there is.
fn make_room(
    slots: &mut HashMap<i32, Slot>,
    partition_count: usize,
    bytes: usize,
    slots_max: usize,
    now_ms: i64,
) -> bool {
    loop {
        let taken: usize = slots.values().map(|slot| slot.bytes).sum();
        if slots.len() < slots_max && taken + bytes <= BYTES_MAX {
            return true;
        }
        let Some(id) = evictable(slots, partition_count, now_ms) else { return false };
        slots.remove(&id);
    }
}

/// The session that has to go first for one of so many partitions: one that isn't used any more,
/// or a smaller one that has been open for a while.
fn evictable(slots: &HashMap<i32, Slot>, partition_count: usize, now_ms: i64) -> Option<i32> {
    let (id, oldest) = slots.iter().min_by_key(|(_, slot)| slot.used_ms)?;
    if now_ms.saturating_sub(oldest.used_ms) > SAFE_MS {
        return Some(*id);
    }
    let settled = slots.iter().filter(|(_, s)| s.used_ms.saturating_sub(s.opened_ms) > SAFE_MS);
    let (id, smallest) = settled.min_by_key(|(_, slot)| slot.partition_count)?;
    (smallest.partition_count < partition_count).then_some(*id)
}

#[cfg(test)]
mod tests;
