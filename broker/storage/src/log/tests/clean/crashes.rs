//! Power cuts in the middle of a cleaning: after any call, with any part of what wasn't flushed.

use super::*;
use crate::Damage;
use crate::sim::Unflushed;

/// What was promised at some point.
#[derive(Debug, Clone, Default)]
struct Promise {
    created: bool,
    /// Below it everything is durable, as far as it wasn't compacted.
    flushed_offset: i64,
    /// The values that a consumer of what was flushed must find.
    values: BTreeMap<u8, Vec<u8>>,
    /// Offsets that are gone for good.
    gone: Vec<i64>,
}

/// A run on a disk that is marked with the number of the promise that holds from then on.
struct Run {
    disk: Arc<SimDisk>,
    promises: Vec<Promise>,
    written: Vec<Read>,
}

impl Run {
    fn new(disk: Arc<SimDisk>) -> Self {
        Self { disk, promises: vec![Promise::default()], written: Vec::new() }
    }

    fn promise(&mut self, log: &Log) {
        let seen = consumed(log);
        let is_gone = |it: &&Read| it.0 < log.flushed_offset() && !seen.contains(it);
        self.promises.push(Promise {
            created: true,
            flushed_offset: log.flushed_offset(),
            values: last_values(&seen),
            gone: self.written.iter().filter(is_gone).map(|it| it.0).collect(),
        });
        self.disk.mark(u64::try_from(self.promises.len() - 1).unwrap());
    }

    fn append(&mut self, log: &mut Log, records: &[Pair]) {
        for (offset, (key, value)) in (log.end_offset()..).zip(records) {
            self.written.push((offset, 1_000 + offset, *key, value.clone()));
        }
        append(log, records);
    }

    /// Two lives with three cleanings, the last of which removes tombstones.
    fn go(&mut self) {
        let directory = open_directory(&self.disk, BOOT);
        directory.create(KEY, 0).unwrap();
        let (mut log, _) = open_log(&directory);
        self.promise(&log);
        for now_ms in [5_000, 5_500] {
            self.fill(&directory, &mut log, u8::try_from(now_ms / 100).unwrap());
            self.clean(&mut log, now_ms);
        }
        log.close().unwrap();
        directory.close().unwrap();
        let directory = open_directory(&self.disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        assert_eq!(findings, []);
        self.fill(&directory, &mut log, 7);
        self.clean(&mut log, 9_000);
    }

    fn fill(&mut self, directory: &Directory, log: &mut Log, seed: u8) {
        for round in 0..7_u8 {
            self.append(log, &[(round % 4, value(seed)), (4 + seed % 2, value(round))]);
            self.append(log, &[(round % 3, None), (6, value(round ^ seed))]);
            if round % 3 == 2 && flush(directory, log) {
                log.set_high_watermark(log.flushed_offset());
                self.promise(log);
            }
        }
    }

    fn clean(&mut self, log: &mut Log, now_ms: i64) {
        let request = request(log, now_ms, COMPACTION, 1 << 20);
        let mut cleaning = Cleaning::begin(log.view(), request, &mut Unpaced).unwrap().unwrap();
        while let Some(cleaned) = cleaning.next(&mut Unpaced).unwrap() {
            assert!(log.swap(cleaned).unwrap());
            self.promise(log);
        }
    }

    fn promise_at(&self, at: usize) -> &Promise {
        let mark = self.disk.marks_before(at).last().copied().unwrap_or(0);
        &self.promises[usize::try_from(mark).unwrap()]
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
fn check(image: &Arc<SimDisk>, promise: &Promise, written: &[Read]) -> Result<(), String> {
    let disk = Arc::clone(image) as Arc<dyn crate::Disk>;
    let directory = Directory::open(disk, Path::new("/data"), options(), OTHER_BOOT, 99)
        .map_err(|error| format!("the directory doesn't open: {error}"))?;
    if directory.state().group(&KEY, |group| group.is_none()) {
        return if promise.created { Err("the group is gone".to_owned()) } else { Ok(()) };
    }
    let (mut log, findings) =
        directory.open_log(KEY, log_options()).map_err(|error| format!("open: {error}"))?;
    // What wasn't flushed may be torn, at the end or before it.
    let allowed = |it: &Finding| match it {
        Finding::TornTail { what, .. } => !matches!(what, Damage::Header(_)),
        Finding::Damaged { corruption, offset, .. } => {
            *offset >= promise.flushed_offset && !matches!(corruption.what, Damage::Header(_))
        }
        Finding::Gone { .. } | Finding::Producers { .. } => false,
    };
    if let Some(finding) = findings.iter().find(|it| !allowed(it)) {
        return Err(finding.to_string());
    }
    let is_whole = !findings.iter().any(|it| matches!(it, Finding::Damaged { .. }));
    if log.end_offset() < promise.flushed_offset {
        return Err(format!("ends at {}", log.end_offset()));
    }
    let mut batches: Vec<Bytes> = Vec::new();
    loop {
        let offset = batches.last().map_or(0, end_of);
        match read_once(log.view(), offset, ReadUntil::End) {
            Ok(more) if more.is_empty() => break,
            Ok(more) => batches.extend(more),
            Err(_) if offset >= promise.flushed_offset => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    let all = records_of(&batches);
    if let Some(wrong) = all.iter().find(|it| !written.contains(it)) {
        return Err(format!("{wrong:?} was never written"));
    }
    if let Some(back) = all.iter().find(|it| promise.gone.contains(&it.0)) {
        return Err(format!("{back:?} is here again"));
    }
    let flushed: Vec<Read> =
        all.iter().filter(|it| it.0 < promise.flushed_offset).cloned().collect();
    // What came behind it may have replaced a value, and compaction have removed it.
    let newer = |key: u8| written.iter().any(|it| it.2 == key && it.0 >= promise.flushed_offset);
    let values = last_values(&flushed);
    for (key, value) in &promise.values {
        if values.get(key) != Some(value) && !newer(*key) {
            return Err(format!("key {key} is {:?}", values.get(key)));
        }
    }
    if let Some(key) = values.keys().find(|key| !promise.values.contains_key(key)) {
        return Err(format!("key {key} is here again"));
    }
    let garbage = segment_files(image).len()
        - directory.state().group(&KEY, |group| group.unwrap().segments.len());
    // After a clean stop nothing is looked for, and a name whose removal wasn't flushed may be
    // back.
    if garbage > 0 && directory.left_by() != crate::LeftBy::CleanStop {
        return Err(format!("{garbage} files of garbage"));
    }
    if !is_whole {
        return Ok(());
    }
    // The log goes on, and is cleaned as before.
    append(&mut log, &[(0, value(1))]);
    if !flush(&directory, &mut log) {
        return Err("the log doesn't go on".to_owned());
    }
    log.set_high_watermark(log.flushed_offset());
    let before = last_values(&consumed(&log));
    clean(&mut log, 5_600);
    check_continuous(&log);
    if last_values(&consumed(&log)) != before { Err("another map".to_owned()) } else { Ok(()) }
}

#[test]
fn a_power_cut_in_a_cleaning_leaves_the_old_files_or_the_new_ones() {
    let mut run = Run::new(SimDisk::new());
    run.go();
    assert!(run.promises.len() > 10 && run.promises.last().unwrap().gone.len() > 30);
    let failure = run.try_all(size("LOGBOOM_POWER_SUBSETS", 3).into());
    assert_eq!(failure, None, "\n{}", run.disk.trace().join("\n"));
}

#[test]
fn every_flush_of_a_cleaning_is_needed() {
    let mut whole = Run::new(SimDisk::new());
    whole.go();
    let syncs = whole.disk.syncs();
    let is_of_cleaning = |sync: &crate::sim::SyncInfo| {
        let name = sync.path.to_string_lossy().into_owned();
        !sync.is_dir && name.ends_with(".log") && !name.ends_with("-000000.log")
    };
    let mut tried = 0;
    for (i, sync) in syncs.iter().enumerate().filter(|(_, sync)| is_of_cleaning(sync)) {
        // The file, its name, and the frame that names it, one behind the other.
        assert!(syncs[i + 1].is_dir && syncs[i + 2].path.starts_with("/data/state"));
        for sync in [sync, &syncs[i + 1], &syncs[i + 2]] {
            let mut run = Run::new(SimDisk::new());
            run.disk.without_sync(sync.count);
            run.go();
            assert!(run.try_all(3).is_some(), "{sync:?} is not needed");
            tried += 1;
        }
    }
    assert!(tried >= 9, "{tried}");
}
