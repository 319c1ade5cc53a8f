//! The state store itself: memory, queue, file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use logboom_protocol::units::Uuid;

use super::completions::{Completions, Done};
use super::error::{Result, StateError};
use super::file::{self, Begun, Place, Writer};
use super::group::{GroupState, Misfit};
use super::inspect::files;
use super::memory::{Memory, Refused, Submission, encode};
use super::record::{GroupKey, OpenMark, StateRecord};
use crate::disk::Disk;

/// Sizes of a state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateOptions {
    /// Bytes that the file reserves when it is made, so that votes, cuts and deletions work on a
    /// full disk. Default 64 MiB.
    pub reserve_bytes: u64,
    /// Bytes of frames after which a checkpoint is written, where the disk has room; where it has
    /// none, that is tried again after each sixteenth as many. At most half of the reserve. Default
    /// 16 MiB.
    pub checkpoint_bytes: u64,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { reserve_bytes: 64 << 20, checkpoint_bytes: 16 << 20 }
    }
}

/// The store of a directory. Shared by all its partitions.
///
/// Locks are taken in the order of the fields.
#[derive(Debug)]
pub struct StateStore {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: StateOptions,
    /// Held during a round, so that rounds follow each other.
    rounds: Mutex<Rounds>,
    memory: Mutex<Memory>,
    work: Condvar,
    /// Set under the lock of `memory`.
    failed: Arc<OnceLock<StateError>>,
    completions: Completions,
    /// Whether there was no room for another file when that was last tried.
    is_short: AtomicBool,
    /// Where the last frame of the file before was dropped at the start.
    dropped: Option<(PathBuf, u64)>,
}

/// Where rounds are written to.
#[derive(Debug)]
struct Rounds {
    writer: Writer,
    /// Bytes of frames from which on a checkpoint is written.
    checkpoint_from: u64,
}

impl StateStore {
    /// Opens the store in `dir`.
    ///
    /// - `salt`: any number, another one at each start.
    ///
    /// A frame that was being written when the machine went down is dropped; nothing in it was
    /// ever reported durable. On a full disk the store goes on in the file that is there.
    ///
    /// # Errors
    /// [`StateError::Damaged`] where the file is not what was written, [`StateError::Missing`]
    /// where there is none.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: StateOptions, salt: u32) -> Result<Self> {
        let mut files = files(&*disk, dir)?;
        let Some((number, path)) = files.pop() else {
            return Err(StateError::Missing { path: dir.to_owned() });
        };
        let older = files.into_iter().map(|(_, path)| path).collect();
        let mut memory = Memory::new();
        let found = file::read(&*disk, path, number, |key, record| memory.apply(key, record))?;
        let dropped = found.dropped();
        let place = Place { disk: &*disk, dir, reserve_bytes: options.reserve_bytes };
        let (writer, has_room) = place.begin_behind(found, older, salt, &memory.snapshot())?;
        let store = Self::new(disk, dir, options, (memory, writer, dropped));
        store.is_short.store(!has_room, Ordering::Relaxed);
        Ok(store)
    }

    /// Opens the store in `dir`, and begins an empty one where there is none: for a directory that
    /// was never whole. Its file is durable when this returns.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_or_begin(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: StateOptions,
        salt: u32,
    ) -> Result<Self> {
        if !files(&*disk, dir)?.is_empty() {
            return Self::open(disk, dir, options, salt);
        }
        let place = Place { disk: &*disk, dir, reserve_bytes: options.reserve_bytes };
        let memory = Memory::new();
        match place.begin(1, salt, &memory.snapshot())? {
            Begun::Writer(writer) => Ok(Self::new(disk, dir, options, (memory, writer, None))),
            Begun::NoSpace(error) => Err(error),
        }
    }

    fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: StateOptions,
        (memory, writer, dropped): (Memory, Writer, Option<(PathBuf, u64)>),
    ) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            options,
            rounds: Mutex::new(Rounds { writer, checkpoint_from: options.checkpoint_bytes }),
            memory: Mutex::new(memory),
            work: Condvar::new(),
            failed: Arc::default(),
            completions: Completions::default(),
            is_short: AtomicBool::new(false),
            dropped,
        }
    }

    /// The file and the place of a last frame that was not whole and was dropped at the start.
    ///
    /// A power cut in the middle of a flush leaves one, and nothing in it was reported durable. A
    /// flipped bit in the last frame looks the same; what it held is then lost, and an operator
    /// should know.
    pub fn dropped(&self) -> Option<(&Path, u64)> {
        self.dropped.as_ref().map(|(path, position)| (path.as_path(), *position))
    }

    /// How the directory was left: `None` after a clean stop and for a new directory, else the
    /// mark of the run that didn't close it.
    pub fn left_open(&self) -> Option<OpenMark> {
        self.memory().opened
    }

    /// How often the directory was opened; 0 where that was never written down.
    pub fn run(&self) -> u64 {
        self.memory().run
    }

    /// The cluster that the directory belongs to, once that is known.
    pub fn cluster(&self) -> Option<Uuid> {
        self.memory().cluster
    }

    /// Whether nothing was ever written down here, not even that the directory was opened.
    pub(crate) fn is_empty(&self) -> bool {
        self.memory().is_empty()
    }

    /// Takes records that belong together. They hold in memory at once; `done` is called when they
    /// are durable, or with why they aren't.
    ///
    /// Completions are called under no lock, one after the other in the order of submission, those
    /// of later rounds behind those of earlier ones, by a thread that commits. While one does,
    /// another that commits leaves its completions to it and may return before they are called.
    ///
    /// A step that is too large is refused at once, on this thread, with [`StateError::TooLarge`];
    /// nothing has changed then.
    ///
    /// # Panics
    /// If a record doesn't fit what stands before it: the caller is wrong, and going on would
    /// write it down. Nothing has changed then, and the store goes on for others.
    pub fn submit(&self, records: &[(GroupKey, StateRecord)], done: Done) {
        self.take(records, done).unwrap_or_else(|refused| refused.panic());
    }

    /// As [`Self::submit`], for records that were put together earlier, beside which others may
    /// have been submitted: those that don't fit by now are refused with [`StateError::Misfit`].
    pub(crate) fn submit_or_refuse(&self, records: &[(GroupKey, StateRecord)], done: Done) {
        self.take(records, done).unwrap_or_else(|refused| (refused.done)(Err(refused.error)));
    }

    fn take(
        &self,
        records: &[(GroupKey, StateRecord)],
        done: Done,
    ) -> std::result::Result<(), Refused> {
        match encode(records) {
            Err(error) => done(Err(error)),
            Ok(payload) => {
                self.enqueue(records, Submission { payload, done, urgent: true })?;
                self.work.notify_one();
            }
        }
        Ok(())
    }

    /// Takes records that need no flush of their own: they go with the next round that somebody
    /// waits for, or after a second where [`Self::serve`] runs. No records are nothing to do.
    ///
    /// # Panics
    /// As [`Self::submit`], and if the step is too large: there is nobody to be told.
    pub fn submit_lazily(&self, records: &[(GroupKey, StateRecord)]) {
        if records.is_empty() {
            return;
        }
        let payload = encode(records).unwrap_or_else(|error| panic!("a lazy step: {error}"));
        let submission = Submission { payload, done: Box::new(|_| {}), urgent: false };
        self.enqueue(records, submission).unwrap_or_else(|refused| refused.panic());
    }

    /// Whether something is queued that somebody waits for.
    pub fn is_waited_for(&self) -> bool {
        self.memory().is_waited_for()
    }

    /// Queues a step, and returns its number; in a store that failed tells `done` so, and returns
    /// `None`. What doesn't fit is not taken.
    fn enqueue(
        &self,
        records: &[(GroupKey, StateRecord)],
        submission: Submission,
    ) -> std::result::Result<Option<u64>, Refused> {
        let mut memory = self.memory();
        if let Some(error) = self.failed.get() {
            self.completions.add([submission.done], &Err(error.clone()));
            drop(memory);
            self.completions.run();
            return Ok(None);
        }
        match memory.apply_all(records) {
            Ok(()) => Ok(Some(memory.push(submission))),
            Err((i, Misfit(what))) => {
                let (key, record) = &records[i];
                let error = StateError::Misfit { step: format!("{key}: {record:?}"), what };
                Err(Refused { done: submission.done, error })
            }
        }
    }

    /// Writes and flushes what is queued, as one frame; returns whether there was anything.
    ///
    /// # Errors
    /// The failure that all later calls meet as well.
    pub fn commit_round(&self) -> Result<bool> {
        let result = self.round(&mut self.rounds(), false);
        self.completions.run();
        result
    }

    /// Whether there is room for another file, and so for what isn't needed: where there was none,
    /// what is left of the reserve is for votes, cuts and deletions. May wait for the device.
    pub(crate) fn has_room(&self) -> bool {
        if self.is_short() {
            // A failure is met by whoever writes next.
            drop(self.round(&mut self.rounds(), true));
            self.completions.run();
        }
        !self.is_short()
    }

    /// Whether there was no room when it was last looked for.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// - `anew`: whether a file is to be begun in any case.
    fn round(&self, rounds: &mut Rounds, anew: bool) -> Result<bool> {
        // A failed write may have left anything, so nothing is written behind it.
        self.failure().map_or(Ok(()), Err)?;
        let mut round = self.memory().take_round();
        if round.is_empty() && !anew {
            return Ok(false);
        }
        let payload: Vec<u8> = round.iter().flat_map(|s| s.payload.iter().copied()).collect();
        let wants_checkpoint = rounds.writer.frame_bytes(&payload) > rounds.checkpoint_from;
        let result = if anew || wants_checkpoint || !rounds.writer.fits(&payload) {
            self.checkpoint(rounds, &payload, &mut round)
        } else {
            rounds.writer.append(&payload)
        };
        // Under this lock, so that nobody who finds the failure is told of it before them.
        let mut memory = self.memory();
        if let Err(error) = &result {
            self.failed.get_or_init(|| error.clone());
            let queued = memory.queued();
            round.extend(memory.take(queued));
        }
        memory.settle(round.len());
        self.completions.add(round.into_iter().map(|submission| submission.done), &result);
        result.map(|()| true)
    }

    /// Writes all that is known into a new file and goes on there; on a full disk appends
    /// `payload` to the present one as long as its reserve lasts.
    ///
    /// What is known includes what is still queued, so that joins the round.
    fn checkpoint(
        &self,
        rounds: &mut Rounds,
        payload: &[u8],
        round: &mut Vec<Submission>,
    ) -> Result<()> {
        let (snapshot, joined) = {
            let memory = self.memory();
            (memory.snapshot(), memory.queued())
        };
        let place =
            Place { disk: &*self.disk, dir: &self.dir, reserve_bytes: self.options.reserve_bytes };
        let Rounds { writer, checkpoint_from } = rounds;
        let (number, salt) = writer.next_file();
        match place.begin(number, salt, &snapshot)? {
            Begun::Writer(new) => {
                round.extend(self.memory().take(joined));
                let old = std::mem::replace(writer, new);
                *checkpoint_from = self.options.checkpoint_bytes;
                self.is_short.store(false, Ordering::Relaxed);
                place.remove(old.path());
                Ok(())
            }
            Begun::NoSpace(_) if payload.is_empty() => Ok(()),
            Begun::NoSpace(_) if writer.fits(payload) => {
                self.is_short.store(true, Ordering::Relaxed);
                // All that is known was encoded in vain; not again in each round.
                let pause = self.options.checkpoint_bytes / TRIES_A_CHECKPOINT;
                *checkpoint_from = writer.frame_bytes(payload) + pause;
                writer.append(payload)
            }
            Begun::NoSpace(_) => Err(StateError::Full { path: writer.path().to_owned() }),
        }
    }

    /// Submits records and commits them before it returns; what others submit behind them may wait
    /// for another round.
    ///
    /// # Errors
    /// As [`Self::commit_round`]; [`StateError::TooLarge`] as [`Self::submit`].
    ///
    /// # Panics
    /// As [`Self::submit`].
    pub fn commit(&self, records: &[(GroupKey, StateRecord)]) -> Result<()> {
        let payload = encode(records)?;
        let submission = Submission { payload, done: Box::new(|_| {}), urgent: true };
        let queued = self.enqueue(records, submission);
        if let Some(number) = queued.unwrap_or_else(|refused| refused.panic()) {
            while self.commit_until(number)? {}
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Commits a round unless that of the step with this number is over; returns whether it did.
    fn commit_until(&self, number: u64) -> Result<bool> {
        let mut rounds = self.rounds();
        // Another thread may have taken the step into its round, which is over by now.
        if self.memory().is_over(number) {
            return Ok(false);
        }
        let result = self.round(&mut rounds, false);
        drop(rounds);
        self.completions.run();
        result
    }

    /// The failure that ended the store's service, if there is one.
    pub fn failure(&self) -> Option<StateError> {
        self.failed.get().cloned()
    }

    /// Where the failure will stand, for who looks at it without a lock and without the store.
    pub(crate) fn failed(&self) -> Arc<OnceLock<StateError>> {
        Arc::clone(&self.failed)
    }

    /// Commits rounds until [`Self::stop`] is called; for a thread of its own.
    ///
    /// # Errors
    /// The failure that ended it.
    pub fn serve(&self) -> Result<()> {
        loop {
            let memory = self.memory();
            // What was submitted lazily goes along, or when the time is over.
            let idle = |memory: &mut Memory| !memory.is_waited_for() && !memory.closing;
            let waited = self.work.wait_timeout_while(memory, LAZY_WAIT, idle);
            let (memory, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let stop = memory.closing && memory.queued() == 0;
            drop(memory);
            if stop {
                return Ok(());
            }
            self.commit_round()?;
        }
    }

    /// Lets [`Self::serve`] return when the queue is empty.
    pub fn stop(&self) {
        self.memory().closing = true;
        self.work.notify_all();
    }

    /// Looks at a group.
    pub fn group<T>(&self, key: &GroupKey, look: impl FnOnce(Option<&GroupState>) -> T) -> T {
        look(self.memory().groups.get(key).map(|group| &**group))
    }

    /// All groups, tombstones included, in no order.
    pub fn keys(&self) -> Vec<GroupKey> {
        self.memory().groups.keys().copied().collect()
    }

    /// The groups that have a replica here, in no order.
    pub fn living(&self) -> Vec<GroupKey> {
        let memory = self.memory();
        memory.groups.iter().filter(|(_, group)| !group.removed).map(|(key, _)| *key).collect()
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a checkpoint is tried while as many bytes of frames are written as lead to one.
const TRIES_A_CHECKPOINT: u64 = 16;

/// How long a lazy record waits for a round at the most.
const LAZY_WAIT: Duration = Duration::from_secs(1);
