//! The state store itself: memory, queue, file.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::file::{self, Name, Place, Writer};
use super::frame::PAYLOAD_BYTES_MAX;
use super::group::{GroupState, Misfit};
use super::record::{GroupKey, OpenMark, StateRecord};
use crate::disk::Disk;

/// Sizes of a state store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateOptions {
    /// Bytes that the file reserves when it is made, so that votes, cuts and deletions work on a
    /// full disk. Default 64 MiB.
    pub reserve_bytes: u64,
    /// Bytes of frames after which a checkpoint is written, where the disk has room. At most half
    /// of the reserve. Default 16 MiB.
    pub checkpoint_bytes: u64,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { reserve_bytes: 64 << 20, checkpoint_bytes: 16 << 20 }
    }
}

/// Why a state store can't be opened, or doesn't take anything any more.
#[derive(Debug, Clone)]
pub enum StateError {
    /// The system failed. For a store that is open this is final: the process is to end.
    Io {
        /// What was done, as a verb.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The file isn't what was written. The way out is a new directory: every replica in this one
    /// joins its group anew.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Bytes from its start.
        position: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The reserve is used up and the disk has no room for a checkpoint.
    Full {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Self::Damaged { path, position, what } => {
                write!(f, "{} at byte {position}: {what}", path.display())
            }
            Self::Full { path } => {
                write!(f, "{}: its reserve is used up and the disk is full", path.display())
            }
        }
    }
}

impl std::error::Error for StateError {}

pub(super) type Result<T> = std::result::Result<T, StateError>;

/// Called when what was submitted is durable, or never will be.
pub type Done = Box<dyn FnOnce(std::result::Result<(), StateError>) + Send>;

/// The store of a directory. Shared by all its partitions.
#[derive(Debug)]
pub struct StateStore {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: StateOptions,
    memory: Mutex<Memory>,
    work: Condvar,
    /// Held during a round, so that rounds follow each other.
    writer: Mutex<Writer>,
    /// Where the last frame of the file before was dropped at the start.
    dropped: Option<(PathBuf, u64)>,
}

/// What is known, durable or about to be.
struct Memory {
    groups: HashMap<GroupKey, GroupState>,
    opened: Option<OpenMark>,
    queue: Vec<Submission>,
    failed: Option<StateError>,
    closing: bool,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} groups, {} queued)", self.groups.len(), self.queue.len())
    }
}

struct Submission {
    payload: Vec<u8>,
    done: Done,
    /// Whether somebody waits for it.
    urgent: bool,
}

/// What a state store holds, read without opening it.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// Every group, tombstones included, in no order.
    pub groups: Vec<(GroupKey, GroupState)>,
    /// The file and the place of a last frame that is not whole.
    pub dropped: Option<(PathBuf, u64)>,
}

/// Reads the store in `dir` without changing anything.
///
/// # Errors
/// As [`StateStore::open`]; a directory without a state file is damaged.
pub fn inspect(disk: &dyn Disk, dir: &Path) -> Result<Inspected> {
    let files = disk.list(dir).map_err(io_error("list", dir))?;
    let whole = files.into_iter().filter_map(|path| match Name::parse(&path)? {
        Name::Whole(number) => Some((number, path)),
        Name::Unfinished => None,
    });
    let Some((number, path)) = whole.max() else {
        let (path, what) = (dir.to_owned(), "there is no state file");
        return Err(StateError::Damaged { path, position: 0, what });
    };
    let mut memory = Memory::new();
    let torn = file::read(disk, &path, number, |key, record| memory.apply(key, record))?;
    let groups = memory.groups.into_iter().collect();
    Ok(Inspected { groups, dropped: torn.map(|position| (path, position)) })
}

impl StateStore {
    /// Opens the store in `dir`, which exists; begins an empty one where there is none.
    ///
    /// - `salt`: any number, another one at each start.
    ///
    /// A frame that was being written when the machine went down is dropped; nothing in it was
    /// ever reported durable.
    ///
    /// # Errors
    /// [`StateError::Damaged`] where the file is not what was written.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: StateOptions, salt: u32) -> Result<Self> {
        let mut files = Vec::new();
        for path in disk.list(dir).map_err(io_error("list", dir))? {
            match Name::parse(&path) {
                Some(Name::Whole(number)) => files.push((number, path)),
                // A checkpoint that was never finished.
                Some(Name::Unfinished) => disk.remove(&path).map_err(io_error("remove", &path))?,
                None => {}
            }
        }
        files.sort();
        let mut memory = Memory::new();
        let (mut number, mut dropped) = (0, None);
        if let Some((found, path)) = files.last() {
            let torn = file::read(&*disk, path, *found, |key, record| memory.apply(key, record))?;
            dropped = torn.map(|position| (path.clone(), position));
            number = *found;
        }
        // Always a new file: whatever lies behind the last good frame never comes back to life.
        let place = Place { disk: &*disk, dir, reserve_bytes: options.reserve_bytes };
        let writer = place.begin(number + 1, salt, &memory.snapshot())?;
        for (_, path) in files {
            disk.remove(&path).map_err(io_error("remove", &path))?;
        }
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            options,
            memory: Mutex::new(memory),
            work: Condvar::new(),
            writer: Mutex::new(writer),
            dropped,
        })
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

    /// Takes records that belong together. They hold in memory at once; `done` is called when they
    /// are durable.
    ///
    /// # Panics
    /// If a record doesn't fit what stands before it: the caller is wrong, and going on would
    /// write it down.
    pub fn submit(&self, records: &[(GroupKey, StateRecord)], done: Done) {
        self.enqueue(records, done, true);
        self.work.notify_one();
    }

    /// Takes records that need no flush of their own: they go with the next round.
    ///
    /// # Panics
    /// As [`Self::submit`].
    pub fn submit_lazily(&self, records: &[(GroupKey, StateRecord)]) {
        self.enqueue(records, Box::new(|_| {}), false);
    }

    /// Whether something is queued that somebody waits for.
    pub fn is_waited_for(&self) -> bool {
        self.memory().queue.iter().any(|submission| submission.urgent)
    }

    fn enqueue(&self, records: &[(GroupKey, StateRecord)], done: Done, urgent: bool) {
        let mut payload = Vec::with_capacity(records.len() * 64);
        let mut memory = self.memory();
        if let Some(error) = memory.failed.clone() {
            drop(memory);
            return done(Err(error));
        }
        for (key, record) in records {
            if let Err(Misfit(what)) = memory.apply(key, record) {
                panic!("{key}: {record:?}: {what}");
            }
            record.encode(key, &mut payload);
        }
        memory.queue.push(Submission { payload, done, urgent });
    }

    /// Writes and flushes what is queued, as one frame; returns whether there was anything.
    ///
    /// # Errors
    /// The failure that all later calls meet as well.
    pub fn commit_round(&self) -> Result<bool> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = self.failure() {
            // A failed write may have left anything, so nothing is written behind it.
            let waiting = self.memory().take_all();
            waiting.into_iter().for_each(|submission| (submission.done)(Err(error.clone())));
            return Err(error);
        }
        let mut round = self.memory().take_round();
        if round.is_empty() {
            return Ok(false);
        }
        let payload: Vec<u8> = round.iter().flat_map(|s| s.payload.iter().copied()).collect();
        let wants_checkpoint = writer.frame_bytes(&payload) > self.options.checkpoint_bytes;
        let result = if wants_checkpoint || !writer.fits(&payload) {
            self.checkpoint(&mut writer, &payload, &mut round)
        } else {
            writer.append(&payload)
        };
        if let Err(error) = &result {
            self.memory().failed.get_or_insert_with(|| error.clone());
        }
        for submission in round {
            (submission.done)(result.clone());
        }
        result.map(|()| true)
    }

    /// Writes all that is known into a new file and goes on there; on a full disk appends
    /// `payload` to the present one as long as its reserve lasts.
    ///
    /// What is known includes what is still queued, so that joins the round.
    fn checkpoint(
        &self,
        writer: &mut Writer,
        payload: &[u8],
        round: &mut Vec<Submission>,
    ) -> Result<()> {
        let (snapshot, joined) = {
            let mut memory = self.memory();
            (memory.snapshot(), memory.take_all())
        };
        let place =
            Place { disk: &*self.disk, dir: &self.dir, reserve_bytes: self.options.reserve_bytes };
        let (number, salt) = writer.next_file();
        match place.begin(number, salt, &snapshot) {
            Ok(new) => {
                round.extend(joined);
                let old = std::mem::replace(writer, new);
                self.disk.remove(old.path()).map_err(io_error("remove", old.path()))
            }
            Err(error) if is_no_space(&error) => {
                self.memory().put_back(joined);
                if writer.fits(payload) {
                    writer.append(payload)
                } else {
                    Err(StateError::Full { path: writer.path().to_owned() })
                }
            }
            Err(error) => {
                round.extend(joined);
                Err(error)
            }
        }
    }

    /// Submits records and commits them before it returns.
    ///
    /// # Errors
    /// As [`Self::commit_round`].
    pub fn commit(&self, records: &[(GroupKey, StateRecord)]) -> Result<()> {
        self.submit(records, Box::new(|_| {}));
        // Another thread may have taken them into its round; then that round is over when the
        // writer is free again, and this one finds nothing to do.
        while self.commit_round()? {}
        self.failure().map_or(Ok(()), Err)
    }

    /// The failure that ended the store's service, if there is one.
    pub fn failure(&self) -> Option<StateError> {
        self.memory().failed.clone()
    }

    /// Commits rounds until [`Self::stop`] is called; for a thread of its own.
    ///
    /// # Errors
    /// The failure that ended it.
    pub fn serve(&self) -> Result<()> {
        loop {
            let memory = self.memory();
            let idle = |memory: &mut Memory| memory.queue.is_empty() && !memory.closing;
            // What was submitted lazily wakes nobody, so look now and then.
            let waited = self.work.wait_timeout_while(memory, LAZY_WAIT, idle);
            let (memory, _) = waited.unwrap_or_else(PoisonError::into_inner);
            let stop = memory.closing && memory.queue.is_empty();
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
        look(self.memory().groups.get(key))
    }

    /// All groups, tombstones included, in no order.
    pub fn keys(&self) -> Vec<GroupKey> {
        self.memory().groups.keys().copied().collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn new() -> Self {
        Self {
            groups: HashMap::new(),
            opened: None,
            queue: Vec::new(),
            failed: None,
            closing: false,
        }
    }

    fn apply(&mut self, key: &GroupKey, record: &StateRecord) -> std::result::Result<(), Misfit> {
        match record {
            StateRecord::Opened(mark) => {
                if self.opened.replace(*mark).is_some() {
                    // The life before was killed, and may have written behind any log's end.
                    let checkpoints =
                        self.groups.values_mut().filter_map(|g| g.checkpoint.as_mut());
                    checkpoints.for_each(|checkpoint| checkpoint.closed = false);
                }
            }
            StateRecord::Closed => self.opened = None,
            StateRecord::Created { life, creation_offset } => {
                if self.groups.get(key).is_some_and(|group| !group.removed || group.life >= *life) {
                    return Err(Misfit("created twice"));
                }
                self.groups.insert(*key, GroupState::new(*life, *creation_offset));
            }
            StateRecord::Forgotten => {
                self.groups.remove(key).ok_or(Misfit("an unknown group"))?;
            }
            _ => self.groups.get_mut(key).ok_or(Misfit("an unknown group"))?.apply(record)?,
        }
        Ok(())
    }

    /// Takes from the queue what fits into one frame.
    fn take_round(&mut self) -> Vec<Submission> {
        let mut bytes = 0;
        let fit = self.queue.iter().take_while(|submission| {
            bytes += submission.payload.len();
            bytes <= PAYLOAD_BYTES_MAX
        });
        let count = fit.count();
        assert!(count > 0 || self.queue.is_empty(), "a step is larger than a frame");
        self.queue.drain(..count).collect()
    }

    fn take_all(&mut self) -> Vec<Submission> {
        std::mem::take(&mut self.queue)
    }

    /// Gives back what [`Self::take_all`] took; it comes before what was queued since.
    fn put_back(&mut self, mut submissions: Vec<Submission>) {
        submissions.append(&mut self.queue);
        self.queue = submissions;
    }

    /// Everything that is known, as the payloads of frames.
    fn snapshot(&self) -> Vec<Vec<u8>> {
        let mut payloads = vec![Vec::new()];
        let mut add = |key: &GroupKey, record: &StateRecord| {
            if payloads.last().is_none_or(|last| last.len() > SNAPSHOT_PAYLOAD_BYTES) {
                payloads.push(Vec::new());
            }
            if let Some(last) = payloads.last_mut() {
                record.encode(key, last);
            }
        };
        if let Some(mark) = self.opened {
            add(&GroupKey::DIRECTORY, &StateRecord::Opened(mark));
        }
        for (key, group) in &self.groups {
            group.records().iter().for_each(|record| add(key, record));
        }
        payloads
    }
}

fn is_no_space(error: &StateError) -> bool {
    matches!(error, StateError::Io { source, .. } if matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ))
}

/// How long a lazy record waits for a round at the most.
const LAZY_WAIT: Duration = Duration::from_secs(1);

/// Bytes after which a snapshot goes on in another frame; a single record stays far below the
/// rest of [`PAYLOAD_BYTES_MAX`].
const SNAPSHOT_PAYLOAD_BYTES: usize = 1 << 20;

pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { doing, path, source: Arc::new(source) }
}
