//! Flushes: a queue of jobs, and threads of their own that work it off.
//!
//! A job makes a partition's writes durable in the order that recovery relies on: the files, the
//! names of new files, and only then the records of the state store that speak of them.
//!
//! Must always hold: after the first failure of a directory no job succeeds any more.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use crate::disk::Disk;
use crate::error::{Doing as _, StorageError};
use crate::files::OpenFile;
use crate::log::LogView;
use crate::state::{GroupKey, StateError, StateRecord, StateStore};

/// Called when a job's writes are durable, or never will be; on a thread that does flushes, so it
/// only tells the owner, and doesn't delete the log itself.
pub type FlushDone = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

/// What one partition wants to be durable.
pub(crate) struct FlushJob {
    /// Of the log; where that is deleted, nothing is to be done any more.
    pub(crate) view: Arc<LogView>,
    /// Files with writes, oldest first; they are held so that nobody closes them.
    pub(crate) files: Vec<(Arc<OpenFile>, PathBuf)>,
    /// Directories with new names, inner ones first.
    pub(crate) dirs: Vec<PathBuf>,
    /// Records that hold once the files are durable.
    pub(crate) records: Vec<(GroupKey, StateRecord)>,
    /// A new file, and the record that names it; left out where the disk is full.
    pub(crate) new_file: Option<(NewFile, (GroupKey, StateRecord))>,
    /// Records that may wait for another flush of the state store.
    pub(crate) lazy_records: Vec<(GroupKey, StateRecord)>,
    pub(crate) done: FlushDone,
}

/// A file that is made and flushed at once.
pub(crate) struct NewFile {
    pub(crate) path: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl NewFile {
    /// Makes the file, durable with its name; returns whether there was room. Any error is a
    /// failure of the device.
    pub(crate) fn make(&self, disk: &dyn Disk) -> Result<bool, StorageError> {
        match self.write(disk) {
            Err(StorageError::NoSpace { .. }) => {
                // What can't be removed now is replaced by the next attempt, or by none.
                disk.remove(&self.path).unwrap_or(());
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    fn write(&self, disk: &dyn Disk) -> Result<(), StorageError> {
        match disk.remove(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).doing("remove", &self.path)?,
            _ => {}
        }
        let file = disk.create(&self.path).doing("create", &self.path)?;
        // So that a full disk shows here, and not at a write.
        file.reserve(self.bytes.len() as u64).doing("reserve", &self.path)?;
        file.write_at(0, &[&self.bytes]).failing("write", &self.path)?;
        file.sync().failing("flush", &self.path)?;
        disk.sync_dir(&self.dir).failing("flush", &self.dir)
    }
}

impl fmt::Debug for FlushJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlushJob({} files, {} records)", self.files.len(), self.records.len())
    }
}

/// The jobs of a directory.
#[derive(Debug, Default)]
pub(crate) struct FlushQueue {
    jobs: Mutex<Jobs>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<FlushJob>,
    stopping: bool,
}

/// Whether a directory has failed, and how. A state store that failed has failed its directory,
/// whoever submitted.
#[derive(Debug)]
pub(crate) struct Health {
    /// Set by the state store.
    state: Arc<OnceLock<StateError>>,
    failure: OnceLock<String>,
}

impl Health {
    pub(crate) fn new(state: &StateStore) -> Self {
        Self { state: state.failed(), failure: OnceLock::new() }
    }

    /// Takes the directory out of service.
    pub(crate) fn fail(&self, error: &StorageError) {
        // The first failure is the one that is reported.
        if self.failure().is_none() {
            self.failure.get_or_init(|| error.to_string());
        }
    }

    /// What took the directory out of service.
    pub(crate) fn failure(&self) -> Option<&str> {
        if let Some(error) = self.state.get() {
            self.failure.get_or_init(|| format!("state store: {error}"));
        }
        self.failure.get().map(String::as_str)
    }

    /// Takes the directory out of service where the state store has not taken something, or not
    /// made it durable: whoever submitted it has gone on as if.
    pub(crate) fn latch(
        &self,
        root: &std::path::Path,
        result: Result<(), StateError>,
    ) -> Result<(), StorageError> {
        result.map_err(|error| {
            // A store that failed is latched already.
            self.fail(&StorageError::Io {
                doing: "write down the state of",
                path: root.to_owned(),
                source: io::Error::other(error),
            });
            StorageError::OutOfService { path: root.to_owned() }
        })
    }

    /// Refuses once the directory has failed.
    pub(crate) fn check(&self, root: &std::path::Path) -> Result<(), StorageError> {
        match self.failure() {
            None => Ok(()),
            Some(_) => Err(StorageError::OutOfService { path: root.to_owned() }),
        }
    }
}

/// What a job needs besides itself.
pub(crate) struct FlushContext<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) state: &'a Arc<StateStore>,
    pub(crate) health: &'a Arc<Health>,
    pub(crate) root: &'a std::path::Path,
}

impl FlushQueue {
    pub(crate) fn push(&self, job: FlushJob) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).waiting.push_back(job);
        self.work.notify_one();
    }

    /// Takes the next job without waiting.
    pub(crate) fn try_pop(&self) -> Option<FlushJob> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    /// Waits for the next job; `None` after [`Self::stop`] when none is left.
    pub(crate) fn pop(&self) -> Option<FlushJob> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.stopping;
        let jobs = self.work.wait_while(jobs, idle);
        jobs.unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    pub(crate) fn stop(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.work.notify_all();
    }
}

impl FlushContext<'_> {
    /// Does a job; its completion is called here, or by the state store's round.
    pub(crate) fn run(&self, job: FlushJob) {
        let FlushJob { view, files, dirs, mut records, new_file, lazy_records, done } = job;
        let Some(_at_work) = view.deletion.hold_off() else {
            return done(Err(StorageError::Deleted { key: view.key }));
        };
        match self.sync(&files, &dirs).and_then(|()| self.make(new_file)) {
            Ok(named) => records.extend(named),
            Err(error) => {
                self.health.fail(&error);
                return done(Err(error));
            }
        }
        if records.is_empty() {
            // Nearly always none: a flush of the file alone costs the state store nothing.
            self.state.submit_lazily(&lazy_records);
            return done(Ok(()));
        }
        records.extend(lazy_records);
        self.submit(&records, done);
    }

    /// Has the state store learn of what the job made durable.
    fn submit(&self, records: &[(GroupKey, StateRecord)], done: FlushDone) {
        let (health, root) = (Arc::clone(self.health), self.root.to_owned());
        let tell = move |result| {
            // The job may have met a failure of another one meanwhile.
            done(health.latch(&root, result).and_then(|()| health.check(&root)));
        };
        self.state.submit_or_refuse(records, Box::new(tell));
    }

    /// Makes a file; returns the record that names it, if there was room.
    fn make(
        &self,
        new_file: Option<(NewFile, (GroupKey, StateRecord))>,
    ) -> Result<Option<(GroupKey, StateRecord)>, StorageError> {
        let Some((file, record)) = new_file else { return Ok(None) };
        Ok(file.make(self.disk)?.then_some(record))
    }

    fn sync(
        &self,
        files: &[(Arc<OpenFile>, PathBuf)],
        dirs: &[PathBuf],
    ) -> Result<(), StorageError> {
        self.health.check(self.root)?;
        for (file, path) in files {
            file.file.sync().failing("flush", path)?;
        }
        dirs.iter().try_for_each(|dir| self.disk.sync_dir(dir).failing("flush", dir))
    }
}
