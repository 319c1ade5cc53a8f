//! Random histories against a model that is nothing but the list of all batches.
//!
//! The model has no layers and no entries: it answers by looking through the list. What a
//! snapshot and the log give again is compared with the state itself after every restart.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PRODUCERS: i64 = 5;
const SEQUENCES: i64 = 1 << 31;

/// The log, and how much of each producer was forgotten.
struct Model {
    log: Vec<BatchFacts>,
    committed_offset: i64,
    log_start_offset: i64,
    limit: usize,
    /// Of a producer, batches below this offset are forgotten.
    forgotten: BTreeMap<i64, i64>,
}

impl Model {
    fn end_offset(&self) -> i64 {
        self.log.last().map_or(0, |last| last.last_offset() + 1)
    }

    /// Ends of batches from `start` on, `start` included.
    fn boundaries(&self, start: i64) -> Vec<i64> {
        let ends = self.log.iter().map(|facts| facts.last_offset() + 1);
        std::iter::once(start).chain(ends.filter(|&end| end > start)).collect()
    }

    /// A producer's batches below `end`.
    fn batches(&self, producer_id: i64, end: i64) -> impl Iterator<Item = &BatchFacts> {
        let log = self.log.iter().filter(move |f| f.last_offset() < end);
        log.filter(move |f| f.producer_id == producer_id && f.kind != BatchKind::OtherControl)
    }

    /// What is remembered of a producer's batches below `end`.
    fn remembered(&self, producer_id: i64, end: i64) -> Vec<&BatchFacts> {
        let start = self.forgotten.get(&producer_id).copied().unwrap_or(0);
        self.batches(producer_id, end).filter(|f| start <= f.base_offset).collect()
    }

    /// Where a producer's open transaction begins, looking at the batches below `end`.
    fn open(&self, producer_id: i64, end: i64) -> Option<i64> {
        let batches: Vec<_> = self.batches(producer_id, end).collect();
        let is_marker = |f: &&BatchFacts| matches!(f.kind, BatchKind::Marker { .. });
        let start = batches.iter().rposition(is_marker).map_or(0, |marker| marker + 1);
        let mut data = batches[start..].iter();
        data.find(|f| f.kind == BatchKind::Transactional).map(|f| f.base_offset)
    }

    fn first_open(&self, end: i64) -> Option<i64> {
        (0..PRODUCERS).filter_map(|id| self.open(id, end)).min()
    }

    fn check(&self, facts: &BatchFacts) -> Result<Verdict, u16> {
        let batches = self.remembered(facts.producer_id, i64::MAX);
        let Some(last) = batches.last() else { return Ok(Verdict::New) };
        let current = batches.iter().rev().take_while(|f| f.producer_epoch == last.producer_epoch);
        let window: Vec<_> = current.filter(|f| f.base_sequence >= 0).take(5).collect();
        let same_epoch = facts.producer_epoch == last.producer_epoch;
        for original in window.iter().rev().filter(|_| same_epoch) {
            let range = |f: &BatchFacts| (f.base_sequence, f.last_offset_delta);
            if range(original) == range(facts) {
                return duplicate_of(original, original.last_offset() < self.committed_offset)
                    .map_err(|_| 0);
            }
        }
        if facts.producer_epoch < last.producer_epoch {
            return Err(47);
        }
        let next = |f: &BatchFacts| {
            (i64::from(f.base_sequence) + i64::from(f.last_offset_delta) + 1) % SEQUENCES
        };
        let expected = window.first().filter(|_| same_epoch).map_or(0, |newest| next(newest));
        if facts.base_sequence >= 0 && i64::from(facts.base_sequence) != expected {
            return Err(45);
        }
        let is_open = self.open(facts.producer_id, i64::MAX).is_some();
        if is_open && facts.kind == BatchKind::Plain { Err(48) } else { Ok(Verdict::New) }
    }

    fn commit(&mut self, high_watermark: i64) {
        let newly = self.committed_offset..high_watermark;
        let ends = self.log.iter().map(|f| f.last_offset() + 1);
        let ends: Vec<_> = ends.filter(|end| newly.start < *end && *end <= newly.end).collect();
        for end in ends {
            self.enforce(end);
        }
        self.committed_offset = high_watermark;
    }

    /// Forgets the oldest producers, as of the log below `end`.
    fn enforce(&mut self, end: i64) {
        let idle = (0..PRODUCERS).filter(|&id| self.open(id, end).is_none());
        let last = |id| self.remembered(id, end).last().map(|f| (f.last_offset(), id));
        let mut idle: Vec<_> = idle.filter_map(last).collect();
        if idle.len() > self.limit {
            idle.sort_unstable();
            for (_, id) in &idle[..idle.len() - (self.limit - self.limit / 16)] {
                self.forgotten.insert(*id, end);
            }
        }
    }

    fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        for id in 0..PRODUCERS {
            let batches = self.remembered(id, i64::MAX);
            let is_idle = batches.last().is_some_and(|last| {
                last.last_offset() < self.committed_offset
                    && now_ms - last.max_timestamp >= expiration_ms
            });
            if is_idle && self.open(id, i64::MAX).is_none() {
                self.forgotten.insert(id, self.committed_offset);
            }
        }
    }

    fn last_stable_offset(&self) -> i64 {
        let end = self.committed_offset;
        self.first_open(end).unwrap_or(end).clamp(self.log_start_offset, end)
    }

    fn aborted(&self) -> Vec<AbortedTransaction> {
        let mut aborted = Vec::new();
        for marker in &self.log {
            let (id, last_offset) = (marker.producer_id, marker.last_offset());
            if id < 0 {
                continue;
            }
            let BatchKind::Marker { outcome, .. } = marker.kind else { continue };
            let was_open = self.open(id, marker.base_offset);
            let is_listed = outcome == Outcome::Abort
                && (self.log_start_offset..self.committed_offset).contains(&last_offset);
            let Some(first_offset) = was_open.filter(|_| is_listed) else { continue };
            let next_open = self.first_open(last_offset + 1);
            aborted.push(AbortedTransaction {
                producer_id: id,
                first_offset,
                last_offset,
                last_stable_offset: next_open.unwrap_or(last_offset + 1),
            });
        }
        aborted
    }
}

/// Which sequence number a producer sends.
#[derive(Debug, Clone, Copy)]
enum Sequence {
    /// The right one, if there is one.
    Next,
    /// That of its n-th last batch, the same batch in all.
    Retry(usize),
    /// Any.
    Is(i32),
}

#[derive(Debug, Clone)]
enum Step {
    /// A leader checks a batch and appends it if it is new.
    Produce {
        producer_id: i64,
        newer_epoch: bool,
        sequence: Sequence,
        facts: BatchFacts,
    },
    /// A follower records a batch that nobody checked.
    Record(BatchFacts),
    Commit(prop::sample::Index),
    Truncate(prop::sample::Index),
    Snapshot,
    /// The state is lost; a snapshot and the log from somewhere at or below it remain.
    Restart(prop::sample::Index),
    Expire {
        now_ms: i64,
    },
    AdvanceLogStart(prop::sample::Index),
}

/// A batch of some producer, with any numbers.
fn facts() -> impl Strategy<Value = BatchFacts> {
    let sequence = prop_oneof![0..6_i32, (i32::MAX - 4)..=i32::MAX, Just(-1)];
    let coordinator_epoch = prop_oneof![Just(None), (0..3_i32).prop_map(Some)];
    let kind = (prop_oneof![Just(Outcome::Abort), Just(Outcome::Commit)], coordinator_epoch);
    let marker = kind
        .prop_map(|(outcome, coordinator_epoch)| BatchKind::Marker { outcome, coordinator_epoch });
    let kind = prop_oneof![
        4 => Just(BatchKind::Plain),
        4 => Just(BatchKind::Transactional),
        4 => marker,
        1 => Just(BatchKind::OtherControl),
    ];
    let numbers = (-1..PRODUCERS, 0..3_i16, sequence, 0..4_i32, 0..50_i64);
    (numbers, kind).prop_map(|((producer_id, producer_epoch, sequence, delta, time), kind)| {
        let is_data = matches!(kind, BatchKind::Plain | BatchKind::Transactional);
        BatchFacts {
            producer_id,
            base_offset: 0,
            max_timestamp: time,
            base_sequence: if is_data { sequence } else { -1 },
            last_offset_delta: if is_data { delta } else { 0 },
            producer_epoch,
            kind,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let sequence = prop_oneof![
        6 => Just(Sequence::Next),
        3 => (0..7_usize).prop_map(Sequence::Retry),
        1 => prop_oneof![0..5_i32, Just(i32::MAX)].prop_map(Sequence::Is),
    ];
    let produce = (0..PRODUCERS, prop::bool::weighted(0.1), sequence, facts());
    let index = any::<prop::sample::Index>;
    prop_oneof![
        12 => produce.prop_map(|(producer_id, newer_epoch, sequence, facts)| Step::Produce {
            producer_id,
            newer_epoch,
            sequence,
            facts,
        }),
        6 => facts().prop_map(Step::Record),
        5 => index().prop_map(Step::Commit),
        2 => index().prop_map(Step::Truncate),
        1 => Just(Step::Snapshot),
        2 => index().prop_map(Step::Restart),
        1 => (0..80_i64).prop_map(|now_ms| Step::Expire { now_ms }),
        1 => index().prop_map(Step::AdvanceLogStart),
    ]
}

struct History {
    model: Model,
    producers: Producers,
    options: ProducersOptions,
    snapshot: Option<Vec<u8>>,
}

impl History {
    fn new(producers_max: u32) -> Self {
        let options = ProducersOptions { producers_max: NonZeroU32::new(producers_max).unwrap() };
        let model = Model {
            log: Vec::new(),
            committed_offset: 0,
            log_start_offset: 0,
            limit: producers_max as usize,
            forgotten: BTreeMap::new(),
        };
        Self { model, producers: Producers::new(0, options), options, snapshot: None }
    }

    fn append(&mut self, facts: BatchFacts) {
        let facts = BatchFacts { base_offset: self.model.end_offset(), ..facts };
        self.model.log.push(facts);
        self.producers.record(&facts);
    }

    fn produce(
        &mut self,
        producer_id: i64,
        newer_epoch: bool,
        sequence: Sequence,
        facts: BatchFacts,
    ) {
        let batches = self.model.remembered(producer_id, i64::MAX);
        let entry = self.producers.entry(producer_id);
        let epoch = batches.last().map_or(facts.producer_epoch, |last| last.producer_epoch);
        let sent = BatchFacts {
            producer_id,
            producer_epoch: epoch + i16::from(newer_epoch),
            kind: match facts.kind {
                BatchKind::Plain => BatchKind::Plain,
                _ => BatchKind::Transactional,
            },
            base_sequence: facts.base_sequence.max(0),
            ..facts
        };
        let sent = match sequence {
            Sequence::Next if newer_epoch => BatchFacts { base_sequence: 0, ..sent },
            Sequence::Next => entry
                .map_or(sent, |entry| BatchFacts { base_sequence: entry.next_sequence(), ..sent }),
            Sequence::Retry(n) => batches.iter().rev().nth(n).map_or(sent, |f| **f),
            Sequence::Is(base_sequence) => BatchFacts { base_sequence, ..sent },
        };
        if !matches!(sent.kind, BatchKind::Plain | BatchKind::Transactional) {
            return;
        }
        if self.compare_verdicts(&sent) == Ok(Verdict::New) {
            self.append(sent);
        }
    }

    fn compare_verdicts(&self, facts: &BatchFacts) -> Result<Verdict, ProducerError> {
        let verdict = self.producers.check(facts);
        let code = |error: ProducerError| u16::try_from(error.error_code().0).unwrap();
        assert_eq!(verdict.map_err(code), self.model.check(facts), "{facts:?}");
        verdict
    }

    fn restart(&mut self, from: &prop::sample::Index) {
        let start = self
            .snapshot
            .as_ref()
            .map(|bytes| Producers::load(bytes, &KEY, self.options).expect("what was written"));
        let mut restarted = start.unwrap_or_else(|| Producers::new(0, self.options));
        let known = self.model.log.iter().filter(|f| f.base_offset < restarted.committed_offset());
        let from = from.index(known.count() + 1);
        for facts in &self.model.log[from..] {
            restarted.record(facts);
        }
        restarted.commit(self.model.committed_offset);
        restarted.advance_log_start(self.model.log_start_offset);
        assert_eq!(restarted, self.producers);
        self.producers = restarted;
    }

    fn take(&mut self, step: &Step) {
        let committed_offset = self.model.committed_offset;
        match step {
            Step::Produce { producer_id, newer_epoch, sequence, facts } => {
                self.produce(*producer_id, *newer_epoch, *sequence, *facts);
            }
            Step::Record(facts) => self.append(*facts),
            Step::Commit(index) => {
                let high_watermark = *index.get(&self.model.boundaries(committed_offset));
                self.model.commit(high_watermark);
                self.producers.commit(high_watermark);
            }
            Step::Truncate(index) => {
                let cut = *index.get(&self.model.boundaries(committed_offset));
                self.model.log.retain(|facts| facts.base_offset < cut);
                self.producers.truncate(cut);
            }
            Step::Snapshot => self.snapshot = Some(self.producers.snapshot(&KEY)),
            Step::Restart(index) => self.restart(index),
            Step::Expire { now_ms } => {
                self.model.expire(*now_ms, 30);
                self.producers.expire(*now_ms, 30);
                // What a clock has done can't be replayed.
                self.snapshot = Some(self.producers.snapshot(&KEY));
            }
            Step::AdvanceLogStart(index) => {
                let start = index.index(usize::try_from(committed_offset).unwrap() + 1);
                let start = i64::try_from(start).unwrap();
                self.model.log_start_offset = self.model.log_start_offset.max(start);
                self.producers.advance_log_start(self.model.log_start_offset);
            }
        }
        self.compare();
    }

    fn compare(&self) {
        let Self { model, producers, .. } = self;
        producers.check_invariants();
        assert_eq!(producers.end_offset(), model.end_offset());
        assert_eq!(producers.committed_offset(), model.committed_offset);
        let (log_start_offset, end) = (model.log_start_offset, model.committed_offset);
        let last_stable_offset = producers.last_stable_offset(log_start_offset, end);
        assert_eq!(last_stable_offset, model.last_stable_offset());
        let aborted: Vec<_> = producers.aborted_transactions(0, i64::MAX).copied().collect();
        assert_eq!(aborted, model.aborted());
        for id in 0..PRODUCERS {
            let batches = model.remembered(id, i64::MAX);
            assert_eq!(producers.entry(id).is_some(), !batches.is_empty(), "producer {id}");
            let data = batches.iter().rev().filter(|f| f.base_sequence >= 0);
            for retry in data.take(7) {
                self.compare_verdicts(retry).ok();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_what_the_list_of_batches_gives(
        producers_max in prop_oneof![1..5_u32, Just(100)],
        steps in prop::collection::vec(step(), 1..80),
        last in any::<prop::sample::Index>(),
    ) {
        let mut history = History::new(producers_max);
        for step in &steps {
            history.take(step);
        }
        history.take(&Step::Restart(last));
    }
}
