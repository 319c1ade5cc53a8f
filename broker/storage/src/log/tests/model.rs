//! Random operations against a plain list of batches.

use proptest::prelude::*;

use super::clean::{COMPACTION, Pair, Unpaced, last_values, pairs, records_of, request};
use super::*;
use crate::log::{CleanError, Cleaning};
use crate::sim::{Fault, Operation};

#[derive(Debug, Clone)]
enum Step {
    Append {
        count: usize,
        bytes: usize,
    },
    Flush,
    Commit {
        part: u8,
    },
    Truncate {
        back: usize,
    },
    MoveStart {
        part: u8,
    },
    Retain {
        segments: i64,
    },
    Read {
        part: u8,
    },
    BeginEpoch,
    /// Compacts what is committed.
    Clean,
    /// Asks for a flush and lets it wait.
    AskFlush,
    /// The disk has no more room, or has again.
    Fill {
        full: bool,
    },
    CloseAndOpen,
    Kill,
    /// A write or a flush fails, and the process is killed.
    FailAndKill {
        write: bool,
    },
    /// A life that opens the directory and not the log, and stops cleanly.
    LifeWithoutLog {
        clean: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..6usize, 0..400usize).prop_map(|(count, bytes)| Step::Append { count, bytes }),
        3 => Just(Step::Flush),
        2 => any::<u8>().prop_map(|part| Step::Commit { part }),
        1 => (0..5usize).prop_map(|back| Step::Truncate { back }),
        1 => any::<u8>().prop_map(|part| Step::MoveStart { part }),
        1 => (1..4i64).prop_map(|segments| Step::Retain { segments }),
        2 => any::<u8>().prop_map(|part| Step::Read { part }),
        1 => Just(Step::BeginEpoch),
        1 => Just(Step::Clean),
        2 => Just(Step::AskFlush),
        1 => any::<bool>().prop_map(|full| Step::Fill { full }),
        1 => Just(Step::CloseAndOpen),
        1 => Just(Step::Kill),
        1 => any::<bool>().prop_map(|write| Step::FailAndKill { write }),
        1 => any::<bool>().prop_map(|clean| Step::LifeWithoutLog { clean }),
    ]
}

/// The log as it should be.
#[derive(Default)]
struct Model {
    batches: Vec<Bytes>,
    start: i64,
    high_watermark: i64,
    epoch: i32,
}

impl Model {
    fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, end_of)
    }

    /// The batches of which something is kept.
    fn kept(&self, from: i64) -> Vec<Bytes> {
        let from = from.max(self.start);
        self.batches.iter().filter(|batch| end_of(batch) > from).cloned().collect()
    }

    /// Where a batch begins, about `part` of 255 on the way through what may be chosen.
    fn boundary(&self, part: u8, from: i64) -> i64 {
        let ends: Vec<i64> = self.batches.iter().map(end_of).filter(|end| *end >= from).collect();
        let choices: Vec<i64> = std::iter::once(from).chain(ends).collect();
        choices[usize::from(part) * (choices.len() - 1) / 255]
    }
}

/// A batch of `count` records of `bytes` each, with few keys.
fn keyed(offset: i64, epoch: i32, count: usize, bytes: usize) -> StampedBatch {
    let record = |at: i64| -> Pair {
        let mut value = vec![b'.'; bytes];
        value.extend(at.to_be_bytes());
        (u8::try_from(at * 31 % 7).unwrap(), Some(value))
    };
    let records: Vec<Pair> = (offset..).take(count).map(record).collect();
    pairs(offset, epoch, Codec::None, None, &records)
}

fn is_empty(batch: &Bytes) -> bool {
    RawBatches::new(batch).next().unwrap().unwrap().header().record_count == 0
}

struct World {
    disk: Arc<SimDisk>,
    directory: Option<Directory>,
    log: Option<Log>,
    model: Model,
    /// A flush that was asked for and not run: up to where, and whether it worked.
    asked: Option<(i64, Arc<AtomicBool>)>,
    /// The epoch that is durable.
    epoch: i32,
    /// The greatest epoch of all; votes never go back.
    voted: i32,
}

impl World {
    fn new() -> Self {
        let disk = SimDisk::new();
        let directory = open_directory(&disk, BOOT);
        directory.create(KEY, 0).unwrap();
        let (log, _) = open_log(&directory);
        let (directory, log) = (Some(directory), Some(log));
        Self { disk, directory, log, model: Model::default(), asked: None, epoch: 0, voted: 0 }
    }

    fn parts(&mut self) -> (&Directory, &mut Log, &mut Model) {
        (self.directory.as_ref().unwrap(), self.log.as_mut().unwrap(), &mut self.model)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { count, bytes } => self.append(count, bytes),
            Step::Flush => self.flush(),
            Step::AskFlush => self.ask_flush(),
            Step::Commit { part } => {
                // A sole replica commits what it has flushed.
                let (_, log, model) = self.parts();
                let chosen = model.boundary(part, model.high_watermark);
                if chosen <= log.flushed_offset() {
                    model.high_watermark = chosen;
                }
                log.set_high_watermark(model.high_watermark);
            }
            Step::Truncate { back } => self.truncate(back),
            Step::MoveStart { part } => {
                let model = &self.model;
                let between = model.boundary(part, model.start).min(model.high_watermark);
                self.move_start(between.max(self.model.start));
            }
            Step::Retain { segments } => self.retain(segments),
            Step::Read { part } => {
                let (_, log, model) = self.parts();
                let from = model.boundary(part, model.start);
                assert_eq!(read_all(log.view(), from, ReadUntil::End).unwrap(), model.kept(from));
            }
            Step::BeginEpoch => self.begin_epoch(),
            Step::Clean => self.clean(),
            Step::Fill { full } => {
                self.disk.set_capacity(if full { self.disk.used() } else { u64::MAX });
            }
            Step::CloseAndOpen => {
                self.close();
                self.open(false);
            }
            Step::Kill => {
                self.kill();
                self.open(false);
            }
            Step::FailAndKill { write } => self.fail_and_kill(write),
            Step::LifeWithoutLog { clean } => {
                if clean {
                    self.close()
                } else {
                    self.kill()
                }
                open_directory(&self.disk, BOOT).close().unwrap();
                self.open(false);
            }
        }
        self.check();
    }

    fn append(&mut self, count: usize, bytes: usize) {
        let (_, log, model) = self.parts();
        // Two at once, so that they may divide among segments.
        let first = keyed(model.end(), log.epoch(), count, bytes);
        let second = keyed(first.end_offset(), log.epoch(), 1, bytes);
        let new = [first, second];
        match log.append(&new) {
            Ok(()) => {
                let bytes = new.map(|batch| Bytes::from(batch.parts().concat()));
                model.batches.extend(bytes);
            }
            // All or none: the check that follows sees it.
            Err(StorageError::NoSpace { .. }) => {}
            Err(StorageError::FlushUnderWay) => assert!(self.epoch < self.model.epoch),
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs what was asked for.
    fn run_asked(&mut self) {
        let Some((offset, worked)) = self.asked.take() else { return };
        let (directory, log, model) = self.parts();
        directory.run_flushes();
        assert!(worked.load(Ordering::SeqCst));
        log.on_flushed(offset);
        self.epoch = model.epoch;
    }

    fn ask_flush(&mut self) {
        let worked = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&worked);
        let (_, log, _) = self.parts();
        let asked = log.flush(Box::new(move |r| done.store(r.is_ok(), Ordering::SeqCst)));
        assert!(asked.is_none() || self.asked.is_none(), "one at a time");
        self.asked = self.asked.take().or(asked.map(|offset| (offset, worked)));
    }

    fn flush(&mut self) {
        self.run_asked();
        self.ask_flush();
        self.run_asked();
        let (_, log, model) = self.parts();
        assert_eq!(log.flushed_offset(), model.end());
    }

    fn begin_epoch(&mut self) {
        let worked = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&worked);
        let is_asked = self.asked.is_some();
        let epoch = self.voted + 1;
        let (_, log, model) = self.parts();
        let vote = StateRecord::Vote { epoch, voted_for: 1 };
        let done = Box::new(move |r: Result<(), _>| done.store(r.is_ok(), Ordering::SeqCst));
        match log.begin_epoch(epoch, &[vote], done) {
            Ok(offset) => {
                model.epoch = epoch;
                self.voted = epoch;
                self.asked = Some((offset, worked));
            }
            Err(error) => assert!(is_asked && matches!(error, StorageError::FlushUnderWay)),
        }
    }

    fn truncate(&mut self, back: usize) {
        let is_asked = self.asked.is_some();
        let (_, log, model) = self.parts();
        let kept = model.batches.len().saturating_sub(back);
        let at = model.batches[..kept].last().map_or(model.start, end_of);
        let at = at.max(model.high_watermark);
        let epoch = log.view().epoch_at(at).unwrap_or(0);
        match log.truncate_to(at, epoch, 0, &[]) {
            Ok(()) => {
                model.batches.retain(|batch| end_of(batch) <= at);
                model.epoch = log.epoch();
                self.epoch = model.epoch;
            }
            Err(StorageError::NoSpace { .. }) => {}
            Err(error) => assert!(is_asked && matches!(error, StorageError::FlushUnderWay)),
        }
    }

    fn move_start(&mut self, start: i64) {
        let is_asked = self.asked.is_some();
        let (_, log, model) = self.parts();
        match log.set_log_start(start) {
            Ok(()) => model.start = start,
            Err(error) => assert!(is_asked && matches!(error, StorageError::FlushUnderWay)),
        }
    }

    fn retain(&mut self, segments: i64) {
        let (_, log, model) = self.parts();
        let retention_bytes = segments * 2000;
        log.set_options(LogOptions { retention_bytes, retention_ms: -1, ..log_options() });
        if let Some(start) = log.retention_start(i64::MAX).unwrap() {
            assert!(start > model.start && start <= model.high_watermark);
            self.run_asked();
            let (directory, log, model) = self.parts();
            move_start(directory, log, start);
            model.start = start;
        }
    }

    /// Compacts, and takes over what is left once that is what should be.
    fn clean(&mut self) {
        self.run_asked();
        let (directory, log, model) = self.parts();
        let request = request(log, 10_000, COMPACTION, 1 << 20);
        if let Some(mut cleaning) = Cleaning::begin(log.view(), request, &mut Unpaced).unwrap() {
            loop {
                match cleaning.next(&mut Unpaced) {
                    Ok(Some(cleaned)) => assert!(log.swap(cleaned).unwrap()),
                    Ok(None) | Err(CleanError::Storage(StorageError::NoSpace { .. })) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let left = read_all(log.view(), model.start, ReadUntil::End).unwrap();
        let (before, after) = (records_of(&model.kept(model.start)), records_of(&left));
        assert!(after.iter().all(|record| before.contains(record)), "as they were");
        assert_eq!(last_values(&after), last_values(&before));
        let clean_offset = directory.state().group(&KEY, |group| group.unwrap().clean_offset);
        let dirty = before.iter().filter(|record| record.0 >= clean_offset);
        assert!(dirty.into_iter().all(|record| after.contains(record)), "not looked at yet");
        assert!(left.windows(2).all(|pair| end_of(&pair[0]) == base_of(&pair[1])));
        model.batches = left;
    }

    fn close(&mut self) {
        self.run_asked();
        self.log.take().unwrap().close().unwrap();
        self.directory.take().unwrap().close().unwrap();
        self.epoch = self.model.epoch;
    }

    fn kill(&mut self) {
        (self.log, self.asked) = (None, None);
        self.directory = None;
        self.disk = self.disk.kill_image(self.disk.trace_len());
    }

    fn fail_and_kill(&mut self, write: bool) {
        self.disk.set_capacity(u64::MAX);
        self.run_asked();
        let operation = if write { Operation::Write } else { Operation::Sync };
        let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
        self.disk.set_fault(Fault::new(operation, 5).at(is_log).written(30));
        let (directory, log, model) = self.parts();
        let new = keyed(model.end(), log.epoch(), 2, 100);
        model.batches.push(new.parts().concat().into());
        let flushed_offset = log.flushed_offset();
        let failed = log.append(&[new]).is_err() || !flush(directory, log);
        assert!(failed && directory.failure().is_some());
        assert!(matches!(log.append(&[]), Err(StorageError::OutOfService { .. })));
        assert_eq!(log.flushed_offset(), flushed_offset, "nothing is acknowledged any more");
        self.kill();
        self.open(true);
    }

    /// - `torn`: whether the last life ended in a write or a flush that failed.
    fn open(&mut self, torn: bool) {
        let directory = open_directory(&self.disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        let is_tail = |finding: &Finding| matches!(finding, Finding::TornTail { .. });
        assert!(findings.iter().all(|finding| torn && is_tail(finding)), "{findings:?}");
        // The high watermark on disk is a lower bound.
        assert!(log.view().high_watermark() <= self.model.high_watermark);
        log.set_high_watermark(self.model.high_watermark);
        // What was in a segment that the manifest didn't name yet is gone, or never reached the
        // device; it was not acknowledged, with or without caching.
        let end_offset = log.end_offset();
        self.model.batches.retain(|batch| end_of(batch) <= end_offset);
        assert_eq!(log.epoch(), self.epoch);
        self.model.epoch = self.epoch;
        (self.directory, self.log) = (Some(directory), Some(log));
    }

    fn check(&mut self) {
        self.disk.check_maps();
        let (_, log, model) = self.parts();
        assert_eq!((log.end_offset(), log.epoch()), (model.end(), model.epoch));
        assert_eq!(log.view().log_start_offset(), model.start);
        assert!(log.flushed_offset() <= log.end_offset());
        let until = ReadUntil::HighWatermark;
        let mut visible = read_all(log.view(), model.start, until).unwrap();
        let mut expected = model.kept(model.start);
        expected.retain(|batch| base_of(batch) < model.high_watermark);
        // Consumers get batches without records where they happen to lie.
        visible.retain(|batch| !is_empty(batch));
        expected.retain(|batch| !is_empty(batch));
        assert_eq!(visible, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(size("LOGBOOM_MODEL_RUNS", 200)))]

    #[test]
    fn a_log_is_a_list_of_batches(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
    }
}
