//! `fill`: a disk without a free byte, and what still works on it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use logboom_storage::{Directory, Log, StorageError};
use logboom_tests::load::{Line, Span, batch, held};

use crate::arguments::Arguments;
use crate::open::{open_directory, open_logs};
use crate::{Failure, say};

/// Batches that each partition gets when there is room again.
const BATCHES_AFTER: usize = 3;

fn wrong(partition: i32) -> impl Fn(StorageError) -> Failure {
    move |error| Failure::Wrong(format!("partition {partition}: {error}"))
}

/// Fills the disk, and goes on from there.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let directory = open_directory(arguments)?;
    let mut logs = open_logs(arguments, &directory)?;
    append_until_full(arguments, &mut logs)?;
    let ballast = arguments.dir.join("../ballast");
    take_the_rest(&ballast).map_err(|e| Failure::Wrong(format!("{}: {e}", ballast.display())))?;
    append_until_full(arguments, &mut logs)?;
    for (partition, log) in (0..).zip(&mut logs) {
        flush(arguments, &directory, partition, log)?;
        let (start, end) = (log.view().log_start_offset(), log.end_offset());
        let held = held(log.view(), partition, start, end).map_err(Failure::Wrong)?;
        held.spans.iter().for_each(|span| say(&Line::Held(partition, *span)));
    }
    if arguments.stay_full {
        return Ok(());
    }
    for (partition, log) in (0..).zip(&mut logs) {
        log.set_high_watermark(log.end_offset());
        let start = log.view().high_watermark();
        say(&Line::Starting(partition, start));
        log.set_log_start(start).map_err(wrong(partition))?;
        say(&Line::Started(partition, start));
    }
    for (partition, log) in (0..).zip(&mut logs) {
        for _ in 0..BATCHES_AFTER {
            append(arguments, partition, log).map_err(wrong(partition))?;
        }
        flush(arguments, &directory, partition, log)?;
    }
    Ok(())
}

fn append(arguments: &Arguments, partition: i32, log: &mut Log) -> Result<(), StorageError> {
    let Arguments { life, batch_bytes, .. } = *arguments;
    log.append(&[batch(partition, life, log.end_offset(), batch_bytes)])
}

/// Appends to all in turn until there is no space, which is the one error that they may meet.
fn append_until_full(arguments: &Arguments, logs: &mut [Log]) -> Result<(), Failure> {
    let mut room = true;
    while room {
        room = false;
        for (partition, log) in (0..).zip(&mut *logs) {
            match append(arguments, partition, log) {
                Ok(()) => room = true,
                Err(StorageError::NoSpace { .. }) => {}
                Err(error) => return Err(wrong(partition)(error)),
            }
        }
    }
    for (partition, log) in (0..).zip(logs) {
        say(&Line::Full(partition, log.end_offset()));
    }
    Ok(())
}

/// Takes every byte that is left, so that the disk is full for everybody.
fn take_the_rest(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    for bytes in [1 << 20, 4096, 1] {
        let piece = vec![1; bytes];
        loop {
            match file.write(&piece) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    file.sync_data()
}

fn flush(
    arguments: &Arguments,
    directory: &Directory,
    partition: i32,
    log: &mut Log,
) -> Result<(), Failure> {
    let (start, result) = (log.flushed_offset(), Arc::new(Mutex::new(None)));
    let slot = Arc::clone(&result);
    let done = move |result| *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    let Some(end) = log.flush(Box::new(done)) else { return Ok(()) };
    directory.run_flushes();
    let result = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    result.expect("all flushes were done").map_err(wrong(partition))?;
    log.on_flushed(end);
    if start < end {
        say(&Line::Acked(partition, Span { life: arguments.life, start, end }));
    }
    Ok(())
}
