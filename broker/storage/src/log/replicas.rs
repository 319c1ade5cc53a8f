//! Replicas begin and end.
//!
//! ```text
//!   create:  one frame: created, epoch 0            no directory, no file before the first append
//!   delete:  readers and flushes are told ─▶ one frame: removed ─▶ the directory is put aside
//!            ─▶ its files go
//! ```
//!
//! Must always hold: what a frame says is removed is garbage, whatever is left of its files, and a
//! replica that begins again under the same key meets nothing of the one before: no flush, no
//! reader and no file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Log, LogView};
use crate::directory::{Directory, Shared};
use crate::error::{Doing as _, StorageError};
use crate::segment::{PARTITIONS, partition_dir, partition_of};
use crate::state::{EpochStart, GroupKey, StateRecord};

/// The most groups of which one frame speaks; its payload stays below 5 MiB.
pub(crate) const STEP_GROUPS_MAX: usize = 32 << 10;

/// Added to the name of a directory whose replica was removed.
const DELETED: &str = "deleted";
/// Added to a name that a frame may have given, where the state store has lost one.
pub(super) const ASIDE: &str = "aside";

/// Whether a log was deleted, as its readers and its flush see it.
#[derive(Debug, Default)]
pub(crate) struct Deletion {
    begun: AtomicBool,
    /// Held by a flush at work.
    at_work: Mutex<()>,
}

impl Deletion {
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Holds a deletion off as long as the guard lives; `None` where it has begun.
    pub(crate) fn hold_off(&self) -> Option<MutexGuard<'_, ()>> {
        let guard = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.has_begun()).then_some(guard)
    }

    /// Lets nobody begin anything, and waits for a flush at work.
    fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        drop(self.at_work.lock());
    }
}

impl LogView {
    /// That the log is deleted, as an error; where it isn't, nothing.
    pub(super) fn check_there(&self) -> Result<(), StorageError> {
        if self.deletion.has_begun() {
            Err(StorageError::Deleted { key: self.key })
        } else {
            Ok(())
        }
    }
}

impl Directory {
    /// Begins a replica of a group here; durable when it returns.
    ///
    /// - `creation_offset`: the end, exclusive, of the metadata log that knows of the group.
    ///
    /// # Errors
    /// [`StorageError::OutOfService`].
    ///
    /// # Panics
    /// If there is one already.
    pub fn create(&self, key: GroupKey, creation_offset: i64) -> Result<(), StorageError> {
        self.create_all(&[(key, &[])], creation_offset)
    }

    /// Begins replicas of many groups here with one flush for up to 32,768 of them; durable when it
    /// returns. A crash before may leave all of a flush or none.
    ///
    /// - `groups`: each with what it learns in the same step: its first voters, how its first epoch
    ///   begins at offset 0.
    ///
    /// # Errors
    /// As [`Self::create`].
    ///
    /// # Panics
    /// If one of them is there already, or named twice.
    pub fn create_all(
        &self,
        groups: &[(GroupKey, &[StateRecord])],
        creation_offset: i64,
    ) -> Result<(), StorageError> {
        for groups in groups.chunks(STEP_GROUPS_MAX) {
            let _lives = self.shared.lives();
            let mut step = Vec::with_capacity(groups.len() * 4);
            for &(key, records) in groups {
                let state = &self.shared.state;
                let life = state.group(&key, |group| group.map_or(0, |group| group.life + 1));
                let created = StateRecord::Created { life, creation_offset };
                let epoch = StateRecord::Epoch(EpochStart { epoch: 0, start_offset: 0 });
                let records = [created, epoch].into_iter().chain(records.iter().cloned());
                step.extend(records.map(|record| (key, record)));
            }
            self.shared.commit(&step)?;
        }
        Ok(())
    }

    /// The groups that have a replica here, in no order.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupKey> {
        self.shared.state.living()
    }

    /// Removes many replicas as [`Log::delete`] does, with one flush for up to 32,768 of them.
    /// Their files wait in the trash, until [`Self::empty_trash`].
    ///
    /// - `logs`: each with the milliseconds for which its files wait.
    ///
    /// # Errors
    /// As [`Log::delete`].
    pub fn delete_all(&self, logs: Vec<(Log, u64)>, forget: bool) -> Result<(), StorageError> {
        delete(&self.shared, &logs, forget)
    }

    /// Removes replicas whose logs were not opened.
    ///
    /// - `forget`: as for [`Log::delete`].
    /// - `grace_ms`: for how many milliseconds their files wait in the trash.
    ///
    /// # Errors
    /// As [`Log::delete`].
    ///
    /// # Panics
    /// If one of them isn't there.
    pub fn remove(
        &self,
        keys: &[GroupKey],
        forget: bool,
        grace_ms: u64,
    ) -> Result<(), StorageError> {
        for keys in keys.chunks(STEP_GROUPS_MAX) {
            let removed = keys.iter().map(|key| (*key, StateRecord::Removed));
            let forgotten = keys.iter().filter(|_| forget);
            let forgotten = forgotten.map(|key| (*key, StateRecord::Forgotten));
            self.shared.commit(&removed.chain(forgotten).collect::<Vec<_>>())?;
            self.shared.settle(keys.iter().copied())?;
        }
        self.remove_garbage(grace_ms).map(|_| ())
    }

    /// Puts the files of replicas that are no more, which a crash in the middle of a deletion
    /// leaves, into the trash, with what lay there at the last stop; returns of how many. Where the
    /// state store has lost a frame they are kept, under another name. What isn't a partition's is
    /// left alone.
    ///
    /// - `grace_ms`: for how many milliseconds they wait there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove_garbage(&self, grace_ms: u64) -> Result<usize, StorageError> {
        let shared = &self.shared;
        let dir = shared.root.join(PARTITIONS);
        let mut removed = 0;
        for dir in shared.disk.list(&dir).doing("list", &dir)? {
            let (key, is_named) = match dir.extension() {
                None => (partition_of(&dir), true),
                // Of older versions without a number.
                Some(ending) if ending == DELETED => {
                    (partition_of(&dir.with_extension("").with_extension("")), false)
                }
                Some(_) => continue,
            };
            let Some(key) = key else { continue };
            if is_named {
                removed += usize::from(free_name(shared, &key, &dir, grace_ms)?);
            } else if !shared.trash.has(&dir) {
                discard(shared, dir, grace_ms)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Frees the name of a directory whose replica is no more: into the trash, or aside where a frame
/// that is lost may have begun one; returns whether there was any to free.
fn free_name(
    shared: &Shared,
    key: &GroupKey,
    dir: &Path,
    grace_ms: u64,
) -> Result<bool, StorageError> {
    let is_certain = shared.state.dropped().is_none();
    let free = if is_certain { discarded_name(shared, dir) } else { dir.with_extension(ASIDE) };
    {
        let _lives = shared.lives();
        // What is known to be removed may not be so durably: then the next start finds the replica.
        if shared.state.failure().is_some() {
            return Ok(false);
        }
        // Asked for each: it may have begun again since the list was made.
        if shared.state.group(key, |group| group.is_some_and(|group| !group.removed)) {
            return Ok(false);
        }
        match shared.disk.rename(dir, &free) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            renamed => renamed.doing("rename", dir)?,
        }
    }
    if is_certain {
        discard(shared, free, grace_ms)?;
    }
    Ok(true)
}

/// Has a directory under its last name wait in the trash.
fn discard(shared: &Shared, dir: PathBuf, grace_ms: u64) -> Result<(), StorageError> {
    if grace_ms == 0 {
        return remove_tree(shared, &dir);
    }
    shared.trash.put(dir, grace_ms);
    Ok(())
}

impl Log {
    /// Removes the replica with its files, at once; when it returns, the removal is durable. Waits
    /// for the device, and for a flush of this log that is at work; one that still waits for its
    /// turn does nothing, and its completion is told [`StorageError::Deleted`].
    ///
    /// Readers keep the bytes that they hold; who reads afterwards is told the same.
    ///
    /// - `forget`: the topic is gone for good. Otherwise a tombstone stays, so that the replica
    ///   doesn't begin again as a voter.
    ///
    /// # Errors
    /// [`StorageError::OutOfService`]. That a file can't be removed is none:
    /// [`Directory::remove_garbage`] does it.
    pub fn delete(self, forget: bool) -> Result<(), StorageError> {
        let shared = Arc::clone(&self.view.shared);
        delete(&shared, &[(self, 0)], forget)
    }
}

fn delete(shared: &Arc<Shared>, all: &[(Log, u64)], forget: bool) -> Result<(), StorageError> {
    let logs: Vec<&Log> = all.iter().map(|(log, _)| log).collect();
    logs.iter().for_each(|log| log.view.deletion.begin());
    // Until the names are free nothing of the next life may be there.
    let lives = shared.lives();
    for logs in logs.chunks(STEP_GROUPS_MAX) {
        let removed = logs.iter().map(|log| log.record(StateRecord::Removed));
        let forgotten = logs.iter().filter(|_| forget).map(|l| l.record(StateRecord::Forgotten));
        shared.commit(&removed.chain(forgotten).collect::<Vec<_>>())?;
        shared.settle(logs.iter().map(|log| *log.key()))?;
    }
    for (log, grace_ms) in all {
        // From here on nobody opens a file of this life, nor takes one of the next for its own.
        let segments = log.view.segments();
        segments.iter().for_each(|segment| segment.set_removed());
        put_aside(shared, log.key(), *grace_ms);
        segments.iter().for_each(|segment| shared.files.forget(segment.file_key(log.key())));
    }
    drop(lives);
    Ok(())
}

/// Frees the name of a partition's directory. What fails leaves garbage.
fn put_aside(shared: &Shared, key: &GroupKey, grace_ms: u64) {
    let dir = partition_dir(&shared.root, key);
    let aside = discarded_name(shared, &dir);
    match shared.disk.rename(&dir, &aside) {
        Ok(()) => discard(shared, aside, grace_ms).unwrap_or(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(_) => remove_tree(shared, &dir).unwrap_or(()),
    }
}

/// A name that nothing has: a replica of the same partition may wait in the trash.
fn discarded_name(shared: &Shared, dir: &Path) -> PathBuf {
    let number = format!("{:016x}", shared.next_salt());
    dir.with_extension(number).with_added_extension(DELETED)
}

/// Removes a partition's directory with all that lies in it. Another may do the same meanwhile.
pub(super) fn remove_tree(shared: &Shared, dir: &Path) -> Result<(), StorageError> {
    let is_gone = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    let files: Vec<PathBuf> = match shared.disk.list(dir) {
        Err(e) if is_gone(&e) => return Ok(()),
        files => files.doing("list", dir)?,
    };
    files.iter().try_for_each(|path| shared.remove_if_there(path))?;
    match shared.disk.remove_dir(dir) {
        Err(e) if is_gone(&e) => Ok(()),
        removed => removed.doing("remove", dir),
    }
}

impl Shared {
    fn lives(&self) -> MutexGuard<'_, ()> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
