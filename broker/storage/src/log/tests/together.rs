//! Several partitions whose flushes share rounds of the state store, through power cuts.

use super::*;
use crate::sim::Unflushed;

const PARTITIONS: i32 = 4;
/// How many random subsets of the unflushed writes are tried at each call.
const SUBSETS: u32 = 4;

fn keys() -> Vec<GroupKey> {
    (0..PARTITIONS).map(|partition| GroupKey { partition, ..KEY }).collect()
}

/// Where each log was flushed to, as its owner was told; −1 for one that is deleted.
type Promise = Vec<i64>;

/// A run on a disk that is marked with the number of the promise that holds from then on.
struct Run {
    disk: Arc<SimDisk>,
    promises: Vec<Promise>,
}

impl Run {
    fn promise(&mut self, promise: Promise) {
        self.promises.push(promise);
        self.disk.mark(u64::try_from(self.promises.len() - 1).unwrap());
    }

    /// Jobs of all partitions in one queue; logs of different lengths that roll at different
    /// times; log starts that move between; one log that is deleted while its flush waits.
    fn go(&mut self) {
        let directory = open_directory(&self.disk, BOOT);
        directory.create_all(&bare(&keys()), 0).unwrap();
        let open = |key| directory.open_log(key, log_options()).unwrap().0;
        let mut logs: Vec<Log> = keys().into_iter().map(open).collect();
        self.promise(vec![0; logs.len()]);
        for round in 0..8 {
            for (i, log) in logs.iter_mut().enumerate() {
                for _ in 0..(i + round) % 3 {
                    log.append(&[batch(log.end_offset(), 0, 2, 150 + 60 * i)]).unwrap();
                }
            }
            let asked = logs.iter_mut().map(|log| log.flush(Box::new(|result| result.unwrap())));
            let asked: Vec<_> = asked.collect();
            directory.run_flushes();
            for (log, offset) in logs.iter_mut().zip(asked) {
                offset.into_iter().for_each(|offset| log.on_flushed(offset));
                log.set_high_watermark(log.flushed_offset());
            }
            self.promise(logs.iter().map(Log::flushed_offset).collect());
            if let Some(log) = logs.get_mut(round % 2) {
                log.set_log_start(log.flushed_offset() / 2).unwrap();
            }
        }
        let mut last = logs.pop().unwrap();
        last.append(&[batch(last.end_offset(), 0, 1, 150 + 60 * 3)]).unwrap();
        last.flush(Box::new(|result| assert!(result.is_err())));
        last.delete(false).unwrap();
        directory.run_flushes();
        let flushed = logs.iter().map(Log::flushed_offset).chain([-1]).collect();
        self.promise(flushed);
    }
}

#[test]
fn no_partition_of_several_loses_what_was_flushed_at_any_call() {
    let mut run = Run { disk: SimDisk::new(), promises: vec![vec![-1; keys().len()]] };
    run.go();
    for at in 0..=run.disk.trace_len() {
        let mark = run.disk.marks_before(at).last().copied().unwrap_or(0);
        let promise = &run.promises[usize::try_from(mark).unwrap()];
        let seeds = 0..u64::from(size("LOGBOOM_POWER_SUBSETS", SUBSETS) / 4);
        let random = seeds.map(|seed| Unflushed::Seeded(seed * 7919 + at as u64));
        for unflushed in [Unflushed::None, Unflushed::All].into_iter().chain(random) {
            let image = run.disk.crash_image(at, &unflushed);
            check(&image, promise, &format!("after {at} calls, {unflushed:?}"));
        }
    }
}

/// Opens what a power cut left and holds it against what was promised before.
fn check(image: &Arc<SimDisk>, promise: &Promise, context: &str) {
    let directory = open_directory(image, OTHER_BOOT);
    directory.remove_garbage(0).unwrap();
    let living = directory.groups();
    for (i, (key, &flushed)) in keys().into_iter().zip(promise).enumerate() {
        if !living.contains(&key) {
            // The last one may be deleted from some call on that nobody was told of.
            let is_last = i + 1 == promise.len();
            assert!(flushed <= 0 || is_last, "{key} is gone, {promise:?}, {context}");
            continue;
        }
        let (log, findings) = directory.open_log(key, log_options()).unwrap();
        assert!(log.end_offset() >= flushed, "{key}, {promise:?}, {context}: {findings:?}");
        let start = log.view().log_start_offset();
        let mut offset = start;
        while offset < flushed {
            let batches = read_once(log.view(), offset, ReadUntil::End).unwrap();
            for read in &batches {
                let (base, records) =
                    (base_of(read), usize::try_from(end_of(read) - base_of(read)));
                let written = batch(base, 0, records.unwrap(), 150 + 60 * i);
                assert!(written.parts().concat() == read[..], "{key}, {context}");
                assert!(base <= offset, "{key}: a gap at {offset}, {context}");
                offset = end_of(read);
            }
            assert!(!batches.is_empty(), "{key}: nothing at {offset}, {context}");
        }
    }
}
