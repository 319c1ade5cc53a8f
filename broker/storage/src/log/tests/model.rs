//! Random operations against a plain list of batches.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append { count: usize, bytes: usize },
    Flush,
    Commit { part: u8 },
    Truncate { back: usize },
    MoveStart { part: u8 },
    Retain { segments: i64 },
    Read { part: u8 },
    CloseAndOpen,
    Kill,
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
        1 => Just(Step::CloseAndOpen),
        1 => Just(Step::Kill),
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

struct World {
    disk: Arc<SimDisk>,
    directory: Option<Directory>,
    log: Option<Log>,
    model: Model,
}

impl World {
    fn new() -> Self {
        let disk = SimDisk::new();
        let directory = open_directory(&disk, BOOT);
        directory.create(KEY, 0).unwrap();
        let (log, _) = open_log(&directory);
        Self { disk, directory: Some(directory), log: Some(log), model: Model::default() }
    }

    fn parts(&mut self) -> (&Directory, &mut Log, &mut Model) {
        (self.directory.as_ref().unwrap(), self.log.as_mut().unwrap(), &mut self.model)
    }

    fn step(&mut self, step: &Step) {
        let (directory, log, model) = self.parts();
        match *step {
            Step::Append { count, bytes } => {
                let new = batch(model.end(), model.epoch, count, bytes);
                model.batches.push(new.parts().concat().into());
                log.append(&[new]).unwrap();
            }
            Step::Flush => {
                assert!(flush(directory, log));
                assert_eq!(log.flushed_offset(), model.end());
            }
            Step::Commit { part } => {
                // A sole replica commits what it has flushed.
                let chosen = model.boundary(part, model.high_watermark);
                if chosen <= log.flushed_offset() {
                    model.high_watermark = chosen;
                }
                log.set_high_watermark(model.high_watermark);
            }
            Step::Truncate { back } => {
                let kept = model.batches.len().saturating_sub(back);
                let at = model.batches[..kept].last().map_or(model.start, end_of);
                let at = at.max(model.high_watermark);
                model.batches.retain(|batch| end_of(batch) <= at);
                log.truncate_to(at, model.epoch, 0).unwrap();
            }
            Step::MoveStart { part } => {
                let between = model.boundary(part, model.start).min(model.high_watermark);
                model.start = between.max(model.start);
                log.set_log_start(model.start).unwrap();
            }
            Step::Retain { segments } => self.retain(segments),
            Step::Read { part } => {
                let from = model.boundary(part, model.start);
                assert_eq!(read_all(log.view(), from, ReadUntil::End).unwrap(), model.kept(from));
            }
            Step::CloseAndOpen => {
                self.log.take().unwrap().close().unwrap();
                self.directory.take().unwrap().close().unwrap();
                self.open();
            }
            Step::Kill => {
                let flushed_offset = log.flushed_offset();
                self.log = None;
                self.directory = None;
                self.disk = self.disk.kill_image(self.disk.trace_len());
                self.open();
                // What was in a segment that the manifest didn't name yet is gone; it was not
                // acknowledged, with or without caching.
                let (_, log, model) = self.parts();
                let end_offset = log.end_offset();
                assert!(end_offset >= flushed_offset);
                model.batches.retain(|batch| end_of(batch) <= end_offset);
            }
        }
        self.check();
    }

    fn retain(&mut self, segments: i64) {
        let (_, log, model) = self.parts();
        log.options.retention_bytes = segments * 2000;
        log.options.retention_ms = -1;
        if let Some(start) = log.retention_start(i64::MAX).unwrap() {
            assert!(start > model.start && start <= model.high_watermark);
            log.set_log_start(start).unwrap();
            model.start = start;
        }
    }

    fn open(&mut self) {
        let directory = open_directory(&self.disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        assert_eq!(findings, [], "nothing was damaged");
        // The high watermark on disk is a lower bound.
        assert!(log.view().high_watermark() <= self.model.high_watermark);
        log.set_high_watermark(self.model.high_watermark);
        (self.directory, self.log) = (Some(directory), Some(log));
    }

    fn check(&mut self) {
        self.disk.check_maps();
        let (_, log, model) = self.parts();
        assert_eq!(log.end_offset(), model.end());
        assert_eq!(log.view().log_start_offset(), model.start);
        assert!(log.flushed_offset() <= log.end_offset());
        let until = ReadUntil::HighWatermark;
        let visible = read_all(log.view(), model.start, until).unwrap();
        let mut expected = model.kept(model.start);
        expected.retain(|batch| base_of(batch) < model.high_watermark);
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
