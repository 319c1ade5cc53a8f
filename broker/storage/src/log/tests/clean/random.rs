//! Random keys, tombstones, cleanings and restarts against a map of last values.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        pairs: Vec<Pair>,
        codec: Codec,
        is_idempotent: bool,
    },
    Commit,
    /// A cleaning with a map of so many keys, so much later.
    Clean {
        keys: usize,
        after_ms: i64,
    },
    Kill,
    CloseAndOpen,
    MoveStart {
        part: u8,
    },
    BeginEpoch,
}

fn step() -> impl Strategy<Value = Step> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..120));
    let pairs = proptest::collection::vec((0..12u8, value), 1..6);
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    let codec = prop_oneof![3 => Just(Codec::None), 1 => proptest::sample::select(codecs.to_vec())];
    prop_oneof![
        12 => (pairs, codec, any::<bool>()).prop_map(|(pairs, codec, is_idempotent)| {
            Step::Append { pairs, codec, is_idempotent }
        }),
        4 => Just(Step::Commit),
        4 => (prop_oneof![1..20usize, Just(10_000)], 0..1500i64)
            .prop_map(|(keys, after_ms)| Step::Clean { keys, after_ms }),
        1 => Just(Step::Kill),
        1 => Just(Step::CloseAndOpen),
        1 => any::<u8>().prop_map(|part| Step::MoveStart { part }),
        1 => Just(Step::BeginEpoch),
    ]
}

struct Model {
    world: Option<World>,
    now_ms: i64,
    /// Everything that was appended, by offset.
    written: BTreeMap<i64, Read>,
    /// The offsets that a consumer has seen last.
    visible: Vec<i64>,
    /// When a tombstone was first part of a cleaning that left it.
    first_cleaned: HashMap<i64, i64>,
    next_sequence: i32,
}

impl Model {
    fn log(&mut self) -> &mut Log {
        &mut self.world.as_mut().unwrap().log
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append { pairs, codec, is_idempotent } => {
                self.append(pairs, *codec, *is_idempotent);
            }
            Step::Commit => self.world.as_mut().unwrap().commit(),
            Step::Clean { keys, after_ms } => {
                self.now_ms += after_ms;
                self.clean(*keys);
            }
            Step::Kill => {
                self.world.as_mut().unwrap().commit();
                self.world = self.world.take().map(World::killed);
            }
            Step::CloseAndOpen => self.close_and_open(),
            Step::MoveStart { part } => {
                let log = self.log();
                let end = log.view().high_watermark();
                let start = log.view().log_start_offset();
                log.set_log_start(start + (end - start) * i64::from(*part) / 600).unwrap();
                let start = log.view().log_start_offset();
                self.written.retain(|offset, _| *offset >= start);
            }
            Step::BeginEpoch => self.begin_epoch(),
        }
        self.check();
    }

    fn append(&mut self, records: &[Pair], codec: Codec, is_idempotent: bool) {
        let state = is_idempotent.then(|| producer(5, self.next_sequence)).flatten();
        let count = i32::try_from(records.len()).unwrap();
        self.next_sequence += if is_idempotent { count } else { 0 };
        let log = self.log();
        let (offset, epoch) = (log.end_offset(), log.epoch());
        log.append(&[pairs(offset, epoch, codec, state, records)]).unwrap();
        for (at, (key, value)) in (offset..).zip(records) {
            self.written.insert(at, (at, 1_000 + at, *key, value.clone()));
        }
    }

    fn begin_epoch(&mut self) {
        let World { directory, log, .. } = self.world.as_mut().unwrap();
        assert!(flush(directory, log));
        let epoch = log.epoch() + 1;
        let vote = StateRecord::Vote { epoch, voted_for: 1 };
        let offset = log.begin_epoch(epoch, &[vote], Box::new(|done| done.unwrap())).unwrap();
        directory.run_flushes();
        log.on_flushed(offset);
    }

    fn close_and_open(&mut self) {
        let World { disk, directory, log } = self.world.take().unwrap();
        let high_watermark = log.view().high_watermark();
        log.close().unwrap();
        directory.close().unwrap();
        let directory = open_directory(&disk, BOOT);
        let (mut log, findings) = open_log(&directory);
        assert_eq!(findings, []);
        assert_eq!(log.view().high_watermark(), high_watermark);
        log.set_high_watermark(high_watermark);
        self.world = Some(World { disk, directory, log });
    }

    fn clean(&mut self, keys: usize) {
        self.world.as_mut().unwrap().commit();
        let now_ms = self.now_ms;
        let before = self.clean_offset();
        clean_with(self.log(), now_ms, keys * 30);
        assert!(self.clean_offset() >= before);
        let after = self.clean_offset();
        let mut visible = consumed(self.log());
        // The first batch may begin before the log does.
        let start = self.log().view().log_start_offset();
        visible.retain(|it| it.0 >= start);
        let stones = visible.iter().filter(|it| it.3.is_none() && it.0 < after);
        for (offset, ..) in stones {
            self.first_cleaned.entry(*offset).or_insert(now_ms);
        }
        let mut keys: Vec<u8> = visible.iter().filter(|it| it.0 < after).map(|it| it.2).collect();
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count, "one record a key below {after}");
    }

    fn clean_offset(&self) -> i64 {
        let world = self.world.as_ref().unwrap();
        let clean_offset = world.directory.state().group(&KEY, |group| group.unwrap().clean_offset);
        clean_offset.max(world.log.view().log_start_offset())
    }

    fn check(&mut self) {
        self.world.as_ref().unwrap().disk.check_maps();
        check_continuous(self.log());
        let high_watermark = self.log().view().high_watermark();
        let start = self.log().view().log_start_offset();
        let all = consumed(self.log());
        for record in all.iter().filter(|record| record.0 >= start && record.0 < high_watermark) {
            assert_eq!(Some(record), self.written.get(&record.0), "as it was written");
        }
        let seen: Vec<i64> = all.iter().map(|it| it.0).filter(|it| *it >= start).collect();
        let (visible, written) = (&self.visible, &self.written);
        let newest = visible.last().copied().unwrap_or(-1);
        assert!(seen.iter().all(|it| *it > newest || visible.contains(it)), "gone, and here again");
        // The last record of each key is there, unless it is a tombstone past its time.
        let mut last: BTreeMap<u8, &Read> = BTreeMap::new();
        let committed = written.values().filter(|it| it.0 < high_watermark);
        committed.for_each(|record| {
            last.insert(record.2, record);
        });
        for record in last.values().filter(|record| seen.binary_search(&record.0).is_err()) {
            let since = self.first_cleaned.get(&record.0).copied().unwrap_or(i64::MAX);
            let may_go = record.3.is_none() && self.now_ms >= since.saturating_add(1000);
            assert!(may_go, "{record:?} at {}", self.now_ms);
        }
        let committed: Vec<Read> =
            written.values().filter(|it| it.0 < high_watermark).cloned().collect();
        let seen: Vec<Read> = all.into_iter().filter(|it| it.0 >= start).collect();
        assert_eq!(last_values(&seen), last_values(&committed));
        self.visible = seen.iter().map(|it| it.0).collect();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(size("LOGBOOM_CLEAN_RUNS", 100)))]

    #[test]
    fn a_compacted_log_is_a_map_of_last_values(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut model = Model {
            world: Some(World::new()),
            now_ms: 10_000,
            written: BTreeMap::new(),
            visible: Vec::new(),
            first_cleaned: HashMap::new(),
            next_sequence: 0,
        };
        for step in &steps {
            model.step(step);
        }
    }
}
