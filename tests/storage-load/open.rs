//! Opening the directory and its logs.

use std::fmt::Display;
use std::sync::Arc;

use logboom_storage::state::{OpenMark, StateOptions};
use logboom_storage::{Directory, DirectoryOptions, Log, LogOptions, StorageError, SystemDisk};
use logboom_tests::load::{Line, key, random};

use crate::arguments::Arguments;
use crate::{Failure, say};

/// All runs lie within one life of the machine, whatever the machine says.
const MARK: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 1 };

fn failed(error: impl Display) -> Failure {
    Failure::Open(error.to_string())
}

/// Opens the directory, and creates the partitions that aren't there.
pub(crate) fn open_directory(arguments: &Arguments) -> Result<Directory, Failure> {
    let state = StateOptions {
        reserve_bytes: arguments.state_bytes,
        checkpoint_bytes: arguments.state_bytes / 4,
    };
    let options = DirectoryOptions { state, ..DirectoryOptions::default() };
    let bits = u128::from(random(arguments.life.into())) << 64 | u128::from(std::process::id());
    let directory = Directory::open(Arc::new(SystemDisk), &arguments.dir, options, MARK, bits);
    directory.map_err(failed)
}

/// Opens all logs, those that aren't there included, and prints what was found.
pub(crate) fn open_logs(arguments: &Arguments, directory: &Directory) -> Result<Vec<Log>, Failure> {
    (0..arguments.partitions).map(|partition| open_log(arguments, directory, partition)).collect()
}

fn open_log(arguments: &Arguments, directory: &Directory, number: i32) -> Result<Log, Failure> {
    let key = key(number);
    if directory.state().group(&key, |group| group.is_none()) {
        directory.create(key, 0).map_err(|error| why(directory, error))?;
    }
    let options = LogOptions {
        segment_bytes: arguments.segment_bytes,
        retention_bytes: arguments.retention_bytes,
        retention_ms: -1,
        ..LogOptions::default()
    };
    let opened = directory.open_log(key, options);
    let (mut log, findings) = opened.map_err(|error| why(directory, error))?;
    findings.iter().for_each(|finding| say(&Line::Finding(number, finding.to_string())));
    // All that a start serves is flushed, and there is no other replica.
    log.set_high_watermark(log.end_offset());
    Ok(log)
}

/// The failure behind an error that only says that there was one.
fn why(directory: &Directory, error: StorageError) -> Failure {
    let state = directory.state().failure().map(|failure| failure.to_string());
    match error {
        StorageError::OutOfService { .. } if state.is_some() => failed(state.unwrap_or_default()),
        StorageError::OutOfService { .. } => failed(directory.failure().unwrap_or_default()),
        other => failed(other),
    }
}
