//! `load`: appends to all partitions as fast as flushes allow.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use logboom_storage::{Directory, Log, StorageError};
use logboom_tests::load::{Line, Span, batch};

use crate::arguments::Arguments;
use crate::open::{open_directory, open_logs};
use crate::{Failure, say};

/// Batches of a partition that may wait for a flush.
const WAITING_MAX: u64 = 8;
/// Refusals in a row for want of space after which a run gives up.
const REFUSALS_MAX: u32 = 3;

/// Appends until every partition has its batches, or for ever.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let directory = open_directory(arguments)?;
    let logs = open_logs(arguments, &directory)?;
    let (sender, events) = mpsc::channel();
    let mut load = Load { arguments, sender, events, partitions: partitions(logs) };
    let result = thread::scope(|scope| {
        for _ in 0..arguments.flushers {
            scope.spawn(|| directory.serve_flushes());
        }
        let sender = load.sender.clone();
        let directory = &directory;
        scope.spawn(move || {
            let served = directory.serve_state();
            // Nobody listens any more where the run is over.
            served.or_else(|_| sender.send(Event::StateFailed)).unwrap_or(());
        });
        let result = load.run();
        directory.stop_flushes();
        result
    });
    // A record that nobody waits for may fail last.
    let failed = directory.failure().is_some() || directory.state().failure().is_some();
    let result = if failed { Err(Failure::OutOfService) } else { result };
    if matches!(result, Err(Failure::OutOfService)) {
        load.try_after_failure(&directory);
    }
    result?;
    if arguments.close {
        let mut logs = load.partitions.into_iter().map(|partition| partition.log);
        let closed = logs.try_for_each(Log::close);
        let closed = closed.and_then(|()| directory.close());
        closed.map_err(|error| Failure::Wrong(error.to_string()))?;
    }
    Ok(())
}

/// What the threads have to say.
enum Event {
    /// A flush is over.
    Flushed { at: usize, end: i64, result: Result<(), StorageError> },
    /// The state store takes nothing any more.
    StateFailed,
}

struct Partition {
    number: i32,
    log: Log,
    /// Below it everything is acknowledged.
    acked: i64,
    flushing: bool,
    /// Batches appended in this run.
    batches: u64,
    /// Batches appended since the last flush was asked for.
    waiting: u64,
    /// Refusals in a row for want of space.
    refusals: u32,
}

fn partitions(logs: Vec<Log>) -> Vec<Partition> {
    let opened = (0..).zip(logs);
    opened
        .map(|(number, log)| Partition {
            number,
            acked: log.flushed_offset(),
            log,
            flushing: false,
            batches: 0,
            waiting: 0,
            refusals: 0,
        })
        .collect()
}

impl Partition {
    /// Says how far the log is flushed.
    fn acknowledge(&mut self, life: u32) {
        let (start, end) = (self.acked, self.log.flushed_offset());
        if start < end {
            self.log.set_high_watermark(end);
            self.acked = end;
            if end == self.log.end_offset() {
                self.waiting = 0;
            }
            say(&Line::Acked(self.number, Span { life, start, end }));
        }
    }
}

struct Load<'a> {
    arguments: &'a Arguments,
    sender: Sender<Event>,
    events: Receiver<Event>,
    partitions: Vec<Partition>,
}

impl Load<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let mut busy = false;
            for at in 0..self.partitions.len() {
                busy |= self.is_due(at) && self.append(at)?;
                busy |= self.flush(at, self.sender.clone());
            }
            let limit = self.arguments.batches;
            let done = |p: &Partition| {
                limit > 0 && p.batches >= limit && !p.flushing && p.acked == p.log.end_offset()
            };
            if self.partitions.iter().all(done) {
                return Ok(());
            }
            if !busy {
                let event = self.events.recv().expect("we hold a sender ourselves");
                self.take(event)?;
            }
            while let Ok(event) = self.events.try_recv() {
                self.take(event)?;
            }
        }
    }

    /// Whether a partition is to get a batch now.
    fn is_due(&self, at: usize) -> bool {
        let (partition, limit) = (&self.partitions[at], self.arguments.batches);
        (limit == 0 || partition.batches < limit) && partition.waiting < WAITING_MAX
    }

    /// Appends a batch; whether it was taken, or refused in a way that may pass.
    fn append(&mut self, at: usize) -> Result<bool, Failure> {
        let Arguments { life, batch_bytes, .. } = *self.arguments;
        let partition = &mut self.partitions[at];
        let offset = partition.log.end_offset();
        match partition.log.append(&[batch(partition.number, life, offset, batch_bytes)]) {
            Ok(()) => {
                partition.batches += 1;
                partition.waiting += 1;
                partition.refusals = 0;
                Ok(true)
            }
            Err(StorageError::NoSpace { .. }) if partition.refusals < REFUSALS_MAX => {
                partition.refusals += 1;
                say(&Line::Full(partition.number, offset));
                Ok(true)
            }
            Err(StorageError::NoSpace { path }) => {
                Err(Failure::Wrong(format!("no space for {}", path.display())))
            }
            Err(_) => Err(Failure::OutOfService),
        }
    }

    /// Asks for a flush if there is something to flush; whether it did.
    fn flush(&mut self, at: usize, sender: Sender<Event>) -> bool {
        let partition = &mut self.partitions[at];
        let end = partition.log.end_offset();
        let done = move |result| {
            // Nobody listens any more where the run is over.
            sender.send(Event::Flushed { at, end, result }).unwrap_or(());
        };
        let begun = partition.log.flush(Box::new(done)).is_some();
        if begun {
            partition.flushing = true;
            partition.waiting = 0;
        }
        begun
    }

    fn take(&mut self, event: Event) -> Result<(), Failure> {
        let Event::Flushed { at, end, result } = event else {
            return Err(Failure::OutOfService);
        };
        let life = self.arguments.life;
        let partition = &mut self.partitions[at];
        partition.flushing = false;
        if result.is_err() {
            partition.log.on_flush_failed();
            return Err(Failure::OutOfService);
        }
        partition.log.on_flushed(end);
        partition.acknowledge(life);
        if self.arguments.retention_bytes >= 0 {
            retain(partition).map_err(|_| Failure::OutOfService)?;
            // A log start that moves takes along what was not flushed yet.
            partition.acknowledge(life);
        }
        Ok(())
    }

    /// Says what failed, and tries what must not succeed any more.
    fn try_after_failure(&mut self, directory: &Directory) {
        let state = directory.state().failure().map(|error| error.to_string());
        let failures = [directory.failure().map(str::to_owned), state];
        let why: Vec<String> = failures.into_iter().flatten().collect();
        say(&Line::Failed(why.join("; ")));
        let finish = |load: &mut Self| {
            directory.run_flushes();
            while let Ok(event) = load.events.try_recv() {
                // What was under way may have become durable; what failed is known.
                load.take(event).unwrap_or(());
            }
        };
        finish(self);
        let (late_sender, late) = mpsc::channel();
        for at in 0..self.partitions.len() {
            let appended = self.append(at);
            let begun = self.flush(at, late_sender.clone());
            directory.run_flushes();
            let acked =
                late.try_iter().any(|event| matches!(event, Event::Flushed { result: Ok(()), .. }));
            if begun && acked && matches!(appended, Ok(true)) {
                say(&Line::Late(self.partitions[at].number));
            }
        }
    }
}

/// Moves the log start where there is more than is to be kept.
fn retain(partition: &mut Partition) -> Result<(), StorageError> {
    let number = partition.number;
    if let Some(start) = partition.log.retention_start(0)? {
        say(&Line::Starting(number, start));
        partition.log.set_log_start(start)?;
        say(&Line::Started(number, start));
    }
    Ok(())
}
