//! A state store that is read without being opened.

use std::path::{Path, PathBuf};

use super::error::{Result, StateError, io_error};
use super::file::{self, Name};
use super::group::GroupState;
use super::memory::Memory;
use super::record::GroupKey;
use crate::disk::Disk;

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
/// As [`super::StateStore::open`].
pub fn inspect(disk: &dyn Disk, dir: &Path) -> Result<Inspected> {
    let Some((number, path)) = files(disk, dir)?.pop() else {
        return Err(StateError::Missing { path: dir.to_owned() });
    };
    let mut memory = Memory::new();
    let found = file::read(disk, path, number, |key, record| memory.apply(key, record))?;
    let groups = memory.groups.into_iter().map(|(key, group)| (key, *group)).collect();
    Ok(Inspected { groups, dropped: found.dropped() })
}

/// The state files in `dir`, oldest first.
pub(super) fn files(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let listed = disk.list(dir).map_err(io_error("list", dir))?;
    let whole = listed.into_iter().filter_map(|path| match Name::parse(&path)? {
        Name::Whole(number) => Some((number, path)),
        Name::Unfinished => None,
    });
    let mut files: Vec<_> = whole.collect();
    files.sort();
    Ok(files)
}
