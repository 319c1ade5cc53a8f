//! A data directory: what all its partitions share.
//!
//! | name | what |
//! | --- | --- |
//! | `lock` | locked while a process has the directory open |
//! | `directory` | its id and the version of its layout |
//! | `state/` | the state store |
//! | `partitions/TOPIC-PARTITION/` | the files of one partition; there from its first record on |
//!
//! Must always hold: one process, and after a failed write or flush no acknowledgement any more. A
//! directory with an id has a state file; without one it is not opened as if it were new.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use logboom_protocol::units::Uuid;

use crate::disk::Disk;
use crate::error::{Doing as _, StorageError};
use crate::files::FileCache;
use crate::flush::{FlushContext, FlushQueue, Health};
use crate::log::{STEP_GROUPS_MAX, Trash};
use crate::producers::ProducersOptions;
use crate::segment::PARTITIONS;
use crate::state::{GroupKey, OpenMark, StateError, StateOptions, StateRecord, StateStore};

/// Sizes of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryOptions {
    /// Sizes of the state store.
    pub state: StateOptions,
    /// The most files that stay open without being in use. Default 1,024.
    pub files_max: usize,
    /// Bytes of a segment between two entries of its index. Default 4 KiB.
    pub index_interval_bytes: u32,
    /// Bytes that a new segment reserves; it doubles from there. Default 64 KiB.
    pub reserve_bytes_min: u32,
    /// The most bytes that are reserved at once. Default 16 MiB.
    pub reserve_bytes_max: u32,
    /// Flushed bytes after which a checkpoint goes to the state store, which bounds what a start
    /// reads. Default 256 KiB.
    pub checkpoint_bytes: u32,
    /// Limits of the producer state of each partition.
    pub producers: ProducersOptions,
}

impl Default for DirectoryOptions {
    fn default() -> Self {
        Self {
            state: StateOptions::default(),
            files_max: 1024,
            index_interval_bytes: 4096,
            reserve_bytes_min: 64 << 10,
            reserve_bytes_max: 16 << 20,
            checkpoint_bytes: 256 << 10,
            producers: ProducersOptions::default(),
        }
    }
}

/// Why a directory can't be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The file `directory` is not what it should be.
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The state store can't be opened.
    State(StateError),
    /// The system failed.
    Storage(StorageError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => {
                write!(f, "{} is locked: another process has the directory open", path.display())
            }
            Self::Foreign { path, what } => write!(f, "{}: {what}", path.display()),
            Self::State(error) => write!(f, "state store: {error}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// How the directory was left by the process before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftBy {
    /// It is new, or was closed: everything in it is flushed.
    CleanStop,
    /// The process died and the machine went on: what was written is there, flushed or not.
    Kill,
    /// The machine went down, or the directory was moved, and since then not every log was opened:
    /// what wasn't flushed may be gone.
    PowerCut,
}

/// How many places are remembered at which something is wrong; what is read again is found again.
const SUSPECTS_MAX: usize = 1024;

/// Groups that answered for records before they were flushed may lack some after a power cut. Has
/// to be known before anything says that the directory was opened since, which later starts go by.
fn note_losses(state: &StateStore) -> Result<(), StateError> {
    let is_caching = |key: &GroupKey| state.group(key, |it| it.is_some_and(|it| it.caching));
    let lossy = StateRecord::Flags { caching: true, lossy: true };
    let keys = state.living().into_iter().filter(is_caching);
    let records: Vec<_> = keys.map(|key| (key, lossy.clone())).collect();
    records.chunks(STEP_GROUPS_MAX).try_for_each(|some| state.commit(some))
}

/// Logs that weren't opened since a power cut: what it has left of them nobody knows.
#[derive(Debug)]
struct Unsettled {
    groups: BTreeSet<GroupKey>,
    /// What is written down when there are none any more.
    mark: OpenMark,
}

/// What all partitions of a directory share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) root: PathBuf,
    pub(crate) options: DirectoryOptions,
    pub(crate) state: Arc<StateStore>,
    pub(crate) files: FileCache,
    pub(crate) flushes: FlushQueue,
    pub(crate) health: Arc<Health>,
    pub(crate) left_by: LeftBy,
    unsettled: Mutex<Option<Unsettled>>,
    /// Held while replicas begin or end, so that no directory is taken for another life's.
    pub(crate) lives: Mutex<()>,
    pub(crate) trash: Trash,
    salt: AtomicU64,
    /// Where something was found to be wrong, and nobody has looked closely yet.
    suspects: Mutex<BTreeSet<(GroupKey, i64)>>,
    /// Given up when nobody holds the directory or one of its logs any more.
    _lock: Lock,
}

/// Keeps other processes out of the directory.
struct Lock(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

impl Shared {
    /// A number that no other segment has.
    pub(crate) fn next_salt(&self) -> u64 {
        self.salt.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    pub(crate) fn remove_if_there(&self, path: &Path) -> Result<(), StorageError> {
        match self.disk.remove(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).doing("remove", path),
            _ => Ok(()),
        }
    }

    /// Removes a directory if it is there and nothing is in it.
    pub(crate) fn remove_dir_if_empty(&self, path: &Path) -> Result<(), StorageError> {
        use io::ErrorKind::{DirectoryNotEmpty, NotFound};
        match self.disk.remove_dir(path) {
            Err(e) if !matches!(e.kind(), NotFound | DirectoryNotEmpty) => {
                Err(e).doing("remove", path)
            }
            _ => Ok(()),
        }
    }

    /// What a power cut has left of these logs was found and is durably taken for what it is, or
    /// they are gone: what is found in them from now on is not its doing.
    pub(crate) fn settle(
        &self,
        keys: impl IntoIterator<Item = GroupKey>,
    ) -> Result<(), StorageError> {
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Unsettled { groups, mark }) = &mut *unsettled else { return Ok(()) };
        for key in keys {
            groups.remove(&key);
        }
        if groups.is_empty() {
            self.commit(&[(GroupKey::DIRECTORY, StateRecord::Opened(*mark))])?;
            *unsettled = None;
        }
        Ok(())
    }

    /// Something at or behind an offset of a log isn't what it was.
    pub(crate) fn suspect(&self, key: GroupKey, offset: i64) {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.len() < SUSPECTS_MAX {
            suspects.insert((key, offset));
        }
    }

    pub(crate) fn commit(&self, records: &[(GroupKey, StateRecord)]) -> Result<(), StorageError> {
        self.health.check(&self.root)?;
        self.health.latch(&self.root, self.state.commit(records))
    }
}

/// An open data directory.
pub struct Directory {
    pub(crate) shared: Arc<Shared>,
    id: Uuid,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({}, {})", self.id, self.shared.root.display())
    }
}

impl Directory {
    /// Opens a data directory, and makes it where there is none.
    ///
    /// - `mark`: the machine's boot and the file system, by which the next start tells a kill from
    ///   a power cut.
    /// - `random`: any 128 bits, others at each start; the id of a new directory, and salts.
    ///
    /// # Errors
    /// [`OpenError`]; a directory with an id and without a state file is [`StateError::Missing`].
    pub fn open(
        disk: Arc<dyn Disk>,
        root: &Path,
        options: DirectoryOptions,
        mark: OpenMark,
        random: u128,
    ) -> Result<Self, OpenError> {
        for dir in [root.to_owned(), root.join(STATE), root.join(PARTITIONS)] {
            disk.create_dir(&dir).doing("create", &dir)?;
        }
        let lock_path = root.join(LOCK);
        let lock = match disk.lock(&lock_path) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(OpenError::Locked { path: lock_path });
            }
            other => other.doing("lock", &lock_path)?,
        };
        let numbers = Random(random);
        let (id, state) = identity_and_state(&disk, root, options.state, numbers)?;
        let health = Health::new(&state);
        let state = Arc::new(state);
        let left_by = match state.left_open() {
            None => LeftBy::CleanStop,
            Some(before) if before == mark => LeftBy::Kill,
            Some(_) => LeftBy::PowerCut,
        };
        if left_by == LeftBy::PowerCut {
            note_losses(&state).map_err(OpenError::State)?;
        }
        let living = || state.living().into_iter().collect::<BTreeSet<GroupKey>>();
        let left = (left_by == LeftBy::PowerCut).then(living).filter(|groups| !groups.is_empty());
        let unsettled = left.map(|groups| Unsettled { groups, mark });
        let mark = if unsettled.is_some() { OpenMark::NONE } else { mark };
        let opened = [StateRecord::Opened(mark), StateRecord::Run(state.run() + 1)];
        let opened = opened.map(|record| (GroupKey::DIRECTORY, record));
        state.commit(&opened).map_err(OpenError::State)?;
        let shared = Shared {
            disk,
            root: root.to_owned(),
            options,
            state,
            files: FileCache::new(options.files_max),
            flushes: FlushQueue::default(),
            health: Arc::new(health),
            left_by,
            unsettled: Mutex::new(unsettled),
            lives: Mutex::new(()),
            trash: Trash::default(),
            salt: AtomicU64::new(numbers.segment_salt()),
            suspects: Mutex::default(),
            _lock: Lock(lock),
        };
        Ok(Self { shared: Arc::new(shared), id })
    }

    /// The directory's own id (KIP-853).
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The number of this opening of the directory, greater than those of all before.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.shared.state.run()
    }

    /// The cluster that it belongs to, once that is known.
    #[must_use]
    pub fn cluster(&self) -> Option<Uuid> {
        self.shared.state.cluster()
    }

    /// Belongs to a cluster from now on, durably when this returns.
    ///
    /// # Errors
    /// [`StorageError`].
    ///
    /// # Panics
    /// If it belongs to another cluster.
    pub fn belong_to(&self, cluster: Uuid) -> Result<(), StorageError> {
        if self.cluster() == Some(cluster) {
            return Ok(());
        }
        self.shared.commit(&[(GroupKey::DIRECTORY, StateRecord::Cluster(cluster))])
    }

    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// How the process before left it.
    #[must_use]
    pub fn left_by(&self) -> LeftBy {
        self.shared.left_by
    }

    /// What took the directory out of service, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.shared.health.failure()
    }

    /// Where readers, or a start, have met damage since this was last asked: the log, and an offset
    /// at or before it.
    #[must_use]
    pub fn take_suspects(&self) -> Vec<(GroupKey, i64)> {
        let mut suspects = self.shared.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *suspects).into_iter().collect()
    }

    /// The state store.
    #[must_use]
    pub fn state(&self) -> &Arc<StateStore> {
        &self.shared.state
    }

    /// Does the flushes that are asked for on this thread, the state store's included, until none
    /// is left. For tests, and for a start before the threads run.
    pub fn run_flushes(&self) {
        let state = &self.shared.state;
        loop {
            while self.run_flush() {}
            // A failure reaches the completions; here it only ends the loop.
            if !state.is_waited_for() || state.commit_round().is_err() {
                return;
            }
        }
    }

    /// Does the flush of a log that was asked for first, on this thread; returns whether there was
    /// one. For tests.
    pub fn run_flush(&self) -> bool {
        let job = self.shared.flushes.try_pop();
        job.map(|job| self.context().run(job)).is_some()
    }

    /// Does flushes until [`Self::stop_flushes`]; for a thread of its own, of which there may be
    /// several.
    pub fn serve_flushes(&self) {
        while let Some(job) = self.shared.flushes.pop() {
            self.context().run(job);
        }
    }

    /// Whether there is room for new replicas. On a full disk there is none before the reserve of
    /// the state store is used up, which is for those that are there. May wait for the device.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.shared.state.has_room()
    }

    /// Whether there was none when it was last looked for.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.shared.state.is_short()
    }

    /// Commits rounds of the state store until [`Self::stop_flushes`]; for one thread of its own.
    ///
    /// # Errors
    /// The failure after which the process is to end.
    pub fn serve_state(&self) -> Result<(), StateError> {
        self.shared.state.serve()
    }

    /// Lets the serving threads return when their queues are empty.
    pub fn stop_flushes(&self) {
        self.shared.flushes.stop();
        self.shared.state.stop();
    }

    fn context(&self) -> FlushContext<'_> {
        let Shared { disk, state, health, root, .. } = &*self.shared;
        FlushContext { disk: &**disk, state, health, root }
    }

    /// Marks the directory as closed, unless not all logs were opened since a power cut. Those that
    /// were are flushed and closed.
    ///
    /// # Errors
    /// [`StorageError::OutOfService`]; then the next start reads what it otherwise needn't.
    pub fn close(self) -> Result<(), StorageError> {
        let unsettled = self.shared.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        match &*unsettled {
            Some(_) => Ok(()),
            None => self.shared.commit(&[(GroupKey::DIRECTORY, StateRecord::Closed)]),
        }
    }
}

/// The random bits of a start.
#[derive(Clone, Copy)]
struct Random(u128);

impl Random {
    fn salt(self) -> u32 {
        self.0.to_be_bytes().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    fn segment_salt(self) -> u64 {
        self.0.to_be_bytes().last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

const LOCK: &str = "lock";
const STATE: &str = "state";
const IDENTITY: &str = "directory";
const IDENTITY_MAGIC: [u8; 8] = *b"LBDIR\0\0\x01";
const IDENTITY_BYTES: usize = 8 + 16 + 4;

/// The directory's id and its state store; both are made for a new directory.
///
/// The state file comes first, durable with its name, and the id after it. So a directory with an
/// id has a state file, and one without an id has nothing in it.
fn identity_and_state(
    disk: &Arc<dyn Disk>,
    root: &Path,
    options: StateOptions,
    random: Random,
) -> Result<(Uuid, StateStore), OpenError> {
    let dir = root.join(STATE);
    let known = read_id(&**disk, root)?;
    let open = if known.is_some() { StateStore::open } else { StateStore::open_or_begin };
    let state = open(Arc::clone(disk), &dir, options, random.salt()).map_err(OpenError::State)?;
    let id = match known {
        Some(id) => id,
        None if state.is_empty() => {
            disk.sync_dir(root).doing("flush", root)?;
            give_id(&**disk, root, Uuid(random.0.to_be_bytes()))?
        }
        None => {
            let what = "missing, but the state store is not empty; \
                        the id is in the state of the cluster's controllers";
            return Err(OpenError::Foreign { path: root.join(IDENTITY), what });
        }
    };
    // Also for a life before, which may have died between making a name and flushing it.
    disk.sync_dir(root).doing("flush", root)?;
    if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_dir(parent).doing("flush", parent)?;
    }
    Ok((id, state))
}

/// Reads the directory's id, if it has one.
fn read_id(disk: &dyn Disk, root: &Path) -> Result<Option<Uuid>, OpenError> {
    let path = root.join(IDENTITY);
    let file = match disk.open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(StorageError::Io { doing: "open", path, source: e }.into());
        }
    };
    let mut bytes = [0; IDENTITY_BYTES];
    let read = file.read_at(0, &mut bytes).doing("read", &path)?;
    let (front, crc) = bytes.split_at(IDENTITY_BYTES - 4);
    let what = if read < IDENTITY_BYTES || front[..7] != IDENTITY_MAGIC[..7] {
        "not a data directory of Logboom"
    } else if crc32fast::hash(front).to_be_bytes() != crc {
        "damaged; its id is in the state of the cluster's controllers"
    } else if front[7] != IDENTITY_MAGIC[7] {
        "a layout that this build does not read; use the build that wrote it"
    } else {
        return Ok(Some(Uuid(front[8..].first_chunk().copied().unwrap_or_default())));
    };
    Err(OpenError::Foreign { path, what })
}

fn give_id(disk: &dyn Disk, root: &Path, id: Uuid) -> Result<Uuid, OpenError> {
    let path = root.join(IDENTITY);
    let new = root.join("directory.new");
    let mut bytes = Vec::from(IDENTITY_MAGIC);
    bytes.extend(id.0);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    match disk.remove(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(StorageError::Io { doing: "remove", path: new, source: e }.into());
        }
        _ => {}
    }
    let file = disk.create(&new).doing("create", &new)?;
    file.write_at(0, &[&bytes]).doing("write", &new)?;
    file.sync().doing("flush", &new)?;
    disk.rename(&new, &path).doing("rename", &path)?;
    Ok(id)
}
