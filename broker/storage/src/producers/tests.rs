//! One test for each rule; those of `WIRE` statements carry their numbers.

use logboom_protocol::ErrorCode;
use logboom_protocol::records::{
    BatchBuilder, BatchHeader, CheckedBatch, Codec, ControlRecord, Inflater, ProducerState,
    end_transaction_batch,
};
use logboom_protocol::units::Uuid;

use super::*;
use crate::state::GroupKey;

mod layers;
mod model;
mod snapshots;
mod transactions;
mod wire;

const OPTIONS: ProducersOptions =
    ProducersOptions { producers_max: ProducersOptions::PRODUCERS_MAX_DEFAULT };

const KEY: GroupKey = GroupKey { topic_id: Uuid([7; 16]), partition: 3 };

const PRODUCER: i64 = 42;

/// A batch of [`PRODUCER`] in epoch 0 that waits for its place.
fn batch(base_sequence: i32, records: i32) -> BatchFacts {
    BatchFacts {
        producer_id: PRODUCER,
        base_offset: 0,
        max_timestamp: 1_000,
        base_sequence,
        last_offset_delta: records - 1,
        producer_epoch: 0,
        kind: BatchKind::Plain,
    }
}

fn in_epoch(producer_epoch: i16, facts: BatchFacts) -> BatchFacts {
    BatchFacts { producer_epoch, ..facts }
}

fn of(producer_id: i64, facts: BatchFacts) -> BatchFacts {
    BatchFacts { producer_id, ..facts }
}

fn at_ms(max_timestamp: i64, facts: BatchFacts) -> BatchFacts {
    BatchFacts { max_timestamp, ..facts }
}

fn transactional(facts: BatchFacts) -> BatchFacts {
    BatchFacts { kind: BatchKind::Transactional, ..facts }
}

fn marker(outcome: Outcome, coordinator_epoch: i32) -> BatchFacts {
    let kind = BatchKind::Marker { outcome, coordinator_epoch: Some(coordinator_epoch) };
    BatchFacts { kind, ..batch(-1, 1) }
}

fn empty() -> Producers {
    Producers::new(0, OPTIONS)
}

/// Records a batch at the end; returns it with its place.
fn append(producers: &mut Producers, facts: BatchFacts) -> BatchFacts {
    let facts = BatchFacts { base_offset: producers.end_offset(), ..facts };
    producers.record(&facts);
    producers.check_invariants();
    facts
}

/// Checks and records a batch, which must be new.
fn produce(producers: &mut Producers, facts: BatchFacts) -> BatchFacts {
    assert_eq!(producers.check(&facts), Ok(Verdict::New), "{facts:?}");
    append(producers, facts)
}

fn commit_all(producers: &mut Producers) {
    producers.commit(producers.end_offset());
    producers.check_invariants();
}

fn reload(producers: &Producers) -> Producers {
    Producers::load(&producers.snapshot(&KEY), &KEY, OPTIONS).unwrap()
}

fn duplicate_of(original: &BatchFacts, committed: bool) -> Result<Verdict, ProducerError> {
    Ok(Verdict::Duplicate {
        base_offset: original.base_offset,
        last_offset: original.last_offset(),
        timestamp: original.max_timestamp,
        committed,
    })
}

#[test]
fn facts_are_those_of_a_batch_in_the_log() {
    let producer = ProducerState { id: PRODUCER, epoch: 3, base_sequence: 11, transactional: true };
    let mut builder = BatchBuilder::new(Codec::None).producer(producer);
    builder.append(500, None, Some(b"a"), &[]).unwrap();
    builder.append(700, None, Some(b"b"), &[]).unwrap();
    let checked = CheckedBatch::check(builder.build().unwrap()).unwrap();
    let header = BatchHeader { base_offset: 20, ..*checked.header() };
    let facts = BatchFacts::new(&header, None);
    let expected = in_epoch(3, at_ms(700, transactional(batch(11, 2))));
    assert_eq!(facts, BatchFacts { base_offset: 20, ..expected });
    assert_eq!((facts.last_offset(), facts.last_sequence()), (21, Some(12)));
}

#[test]
fn facts_of_a_control_batch_say_how_the_transaction_ended() {
    let producer = ProducerState { id: PRODUCER, epoch: 0, base_sequence: -1, transactional: true };
    for (committed, outcome) in [(false, Outcome::Abort), (true, Outcome::Commit)] {
        let checked = end_transaction_batch(producer, committed, 9, 1_000);
        let records = checked.records(&mut Inflater::new(1 << 10)).unwrap();
        let record = records.iter().next().unwrap().unwrap();
        let control = ControlRecord::from_record(&record);
        assert_eq!(BatchFacts::new(checked.header(), control.as_ref()), marker(outcome, 9));
        let emptied = BatchFacts::new(checked.header(), None);
        assert_eq!(emptied.kind, BatchKind::OtherControl);
    }
}

#[test]
fn errors_say_who_what_and_which_number() {
    let order = ProducerError::OutOfOrderSequence {
        producer_id: 4,
        producer_epoch: 2,
        current_epoch: 1,
        expected: 0,
        found: 7,
    };
    let epoch = ProducerError::InvalidEpoch { producer_id: 4, producer_epoch: 2, current_epoch: 3 };
    let open = ProducerError::TransactionOpen { producer_id: 4, first_offset: 9 };
    for (error, code, text) in [
        (order, 45, "producer 4 in epoch 2 (last known 1): sequence number 7, 0 expected"),
        (epoch, 47, "producer 4: epoch 2 was replaced by 3"),
        (
            open,
            48,
            "producer 4: a batch outside of the transaction that it has open from offset 9 on",
        ),
    ] {
        assert_eq!((error.error_code(), error.to_string().as_str()), (ErrorCode(code), text));
    }
}
