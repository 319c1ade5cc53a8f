//! Power cuts: after any call, with any part of what wasn't flushed.

use super::*;
use crate::Damage;
use crate::sim::Unflushed;

/// How many random subsets of the unflushed writes are tried at each call.
const SUBSETS: u32 = 6;

/// What was promised at some point: everything below is durable.
#[derive(Debug, Clone, Copy, Default)]
struct Promise {
    created: bool,
    flushed_offset: i64,
    log_start_offset: i64,
}

/// A run on a disk that is marked with the number of the promise that holds from then on.
struct Run {
    disk: Arc<SimDisk>,
    promises: Vec<Promise>,
    written: Vec<Bytes>,
}

impl Run {
    fn new(disk: Arc<SimDisk>) -> Self {
        Self { disk, promises: vec![Promise::default()], written: Vec::new() }
    }

    fn promise(&mut self, log: &Log) {
        self.promises.push(Promise {
            created: true,
            flushed_offset: log.flushed_offset(),
            log_start_offset: log.view().log_start_offset(),
        });
        self.disk.mark(u64::try_from(self.promises.len() - 1).unwrap());
    }

    fn append(&mut self, log: &mut Log, count: usize, bytes: usize) {
        let new = batch(log.end_offset(), 0, count, bytes);
        self.written.push(Bytes::from(new.parts().concat()));
        log.append(&[new]).unwrap();
    }

    /// Flushes, rolls, a cut that keeps what wasn't flushed, a log start that moves, a clean stop
    /// and a second life.
    fn go(&mut self) {
        let directory = open_directory(&self.disk, BOOT);
        directory.create(KEY, 0).unwrap();
        let (mut log, _) = open_log(&directory);
        self.promise(&log);
        for round in 0..9 {
            self.append(&mut log, 1 + round % 3, 120);
            self.append(&mut log, 2, 40 + round * 20);
            if round % 3 != 1 && flush(&directory, &mut log) {
                self.promise(&log);
            }
            if round == 4 {
                self.append(&mut log, 3, 200);
                let kept = log.end_offset();
                self.append(&mut log, 2, 200);
                log.truncate_to(kept, 0, 0, &[]).unwrap();
                self.promise(&log);
            }
            if round == 6 {
                log.set_high_watermark(log.flushed_offset());
                log.set_log_start(log.flushed_offset() - 5).unwrap();
                self.promise(&log);
            }
            if round == 7 {
                log.set_high_watermark(log.flushed_offset());
                let start = log.flushed_offset() - 1;
                move_start(&directory, &mut log, start);
                self.promise(&log);
            }
        }
        log.close().unwrap();
        directory.close().unwrap();
        let directory = open_directory(&self.disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        assert_eq!(findings, []);
        for round in 0..4 {
            self.append(&mut log, 2, 100 + round);
            assert!(flush(&directory, &mut log));
            self.promise(&log);
        }
    }

    /// The promise that held after `at` calls.
    fn promise_at(&self, at: usize) -> Promise {
        let mark = self.disk.marks_before(at).last().copied().unwrap_or(0);
        self.promises[usize::try_from(mark).unwrap()]
    }

    /// Tries a power cut after every call; the first one that shows something wrong.
    fn try_all(&self, subsets: u64) -> Option<String> {
        for at in 0..=self.disk.trace_len() {
            let chosen = [Unflushed::None, Unflushed::All].into_iter();
            let random = (0..subsets).map(|seed| Unflushed::Seeded(seed * 7919 + at as u64));
            for unflushed in chosen.chain(random) {
                let image = self.disk.crash_image(at, &unflushed);
                if let Err(what) = check(&image, self.promise_at(at), &self.written) {
                    return Some(format!("after {at} calls, {unflushed:?}: {what}"));
                }
            }
        }
        None
    }
}

/// Opens what a power cut left and holds it against what was promised before; what is wrong.
fn check(image: &Arc<SimDisk>, promise: Promise, written: &[Bytes]) -> Result<(), String> {
    let directory = Directory::open(
        Arc::clone(image) as Arc<dyn crate::Disk>,
        Path::new("/data"),
        options(),
        OTHER_BOOT,
        99,
    )
    .map_err(|error| format!("the directory doesn't open: {error}"))?;
    if directory.state().group(&KEY, |group| group.is_none()) {
        return if promise.created { Err("the group is gone".to_owned()) } else { Ok(()) };
    }
    let (mut log, findings) =
        directory.open_log(KEY, log_options()).map_err(|error| format!("open: {error}"))?;
    // By the order of writes a segment that is named has its header.
    let disorder = findings.iter().find(|finding| match finding {
        Finding::TornTail { what, .. } => matches!(what, Damage::Header(_)),
        Finding::Damaged { corruption, .. } => matches!(corruption.what, Damage::Header(_)),
        Finding::Gone { .. } | Finding::Producers { .. } => true,
    });
    if let Some(finding) = disorder {
        return Err(finding.to_string());
    }
    let (start, end) = (log.view().log_start_offset(), log.end_offset());
    if end < promise.flushed_offset {
        return Err(format!("ends at {end}, {promise:?}, {findings:?}"));
    }
    if start < promise.log_start_offset {
        return Err(format!("starts at {start}, {promise:?}"));
    }
    let mut offset = start;
    while offset < end {
        match read_once(log.view(), offset, ReadUntil::End) {
            Ok(batches) => {
                for read in &batches {
                    if !written.contains(read) {
                        return Err(format!("a batch at {} that was never written", base_of(read)));
                    }
                    if base_of(read) > offset {
                        return Err(format!("a gap at {offset} before {}", base_of(read)));
                    }
                    offset = end_of(read);
                }
                if batches.is_empty() {
                    return Err(format!("nothing at {offset} of {start}..{end}"));
                }
            }
            // What was never promised may be fenced: a hole before a later batch that survived.
            Err(StorageError::Corrupt(corruption)) => {
                let promised = promise.flushed_offset > offset;
                let fenced = findings.iter().find_map(|finding| match finding {
                    Finding::Damaged { offset: from, end_offset, .. }
                        if (*from..*end_offset).contains(&offset) =>
                    {
                        Some(*end_offset)
                    }
                    _ => None,
                });
                match fenced {
                    Some(behind) if !promised => offset = behind,
                    _ => return Err(format!("{offset}, {promise:?}: {corruption}")),
                }
            }
            Err(error) => return Err(format!("read {offset}: {error}")),
        }
    }
    // The log goes on where it ended, and that is durable.
    log.append(&[batch(end, 0, 2, 30)]).map_err(|error| format!("append: {error}"))?;
    if !flush(&directory, &mut log) {
        return Err("the flush failed".to_owned());
    }
    Ok(())
}

#[test]
fn nothing_that_was_flushed_is_lost_by_a_power_cut_at_any_call() {
    let mut run = Run::new(SimDisk::new());
    run.go();
    assert!(run.promises.len() > 10, "the run makes promises");
    let failure = run.try_all(size("LOGBOOM_POWER_SUBSETS", SUBSETS).into());
    assert_eq!(failure, None, "\n{}", run.disk.trace().join("\n"));
}

#[test]
fn every_flush_is_needed() {
    let mut whole = Run::new(SimDisk::new());
    whole.go();
    assert_eq!(whole.try_all(1), None, "it holds with all of them");
    let syncs = whole.disk.syncs();
    assert!(syncs.len() > 30);
    let unneeded: Vec<_> = syncs
        .into_iter()
        .filter(|sync| {
            let mut run = Run::new(SimDisk::new());
            run.disk.without_sync(sync.count);
            run.go();
            run.try_all(3).is_none()
        })
        .collect();
    let names: Vec<(String, bool)> =
        unneeded.iter().map(|sync| (sync.path.display().to_string(), sync.is_dir)).collect();
    let state = "/data/state/state-00000000000000000001".to_owned();
    let second = "/data/state/state-00000000000000000002".to_owned();
    let known = [
        // The mark of the first life: the flush that creates the first group takes it along.
        (state.clone(), false),
        // A cut that takes back a new segment: nobody needs its name, nor what the step says, which
        // the next append's says again. That a cut outlives a crash is shown in `lives`.
        (format!("/data/partitions/{KEY}"), true),
        (state.clone(), false),
        // The mark of a clean stop: without it the next start reads more, and finds the same.
        (state, false),
        // Names that the life before made: they are flushed again, because it may have died
        // between making and flushing them.
        ("/data".to_owned(), true),
        ("/".to_owned(), true),
        // The mark of the second life: that its log is closed no more makes the next start read the
        // tail. (Either would do, but the latter's frame lies on two sectors, and half of it is a
        // damaged frame before the good ones that follow.)
        (second, false),
    ];
    let trace = whole.disk.trace().join("\n");
    assert_eq!(names, known, "taken out without a failure, {unneeded:?}\n{trace}");
}
