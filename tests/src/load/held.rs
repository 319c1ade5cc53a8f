//! What a log holds, read as a replica reads it.

use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::records::{CheckedBatch, Inflater, RawBatches};
use logboom_storage::{Corruption, Found, LogView, ReadUntil, StorageError};

use super::line::Span;
use super::records::life_of;

/// What was read of a log.
#[derive(Debug, Default)]
pub struct Held {
    /// What is there, in order; no two that touch have the same life.
    pub spans: Vec<Span>,
    /// What is refused, in order.
    pub refused: Vec<Refused>,
}

/// A read that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The offset that was asked for.
    pub offset: i64,
    /// Why.
    pub corruption: Corruption,
}

/// Bytes that are asked for at once.
const READ_BYTES: u32 = 256 << 10;

/// Reads `start..end` and holds every record against what belongs there.
///
/// # Errors
/// What was served and is not what was written, or an error that is no damage.
pub fn held(view: &Arc<LogView>, partition: i32, start: i64, end: i64) -> Result<Held, String> {
    let mut held = Held::default();
    let mut inflater = Inflater::default();
    let mut offset = start;
    while offset < end {
        match read(view, offset) {
            Ok(bytes) => offset = held.take(bytes, partition, offset, &mut inflater)?,
            Err(StorageError::Corrupt(corruption)) => {
                held.refused.push(Refused { offset, corruption });
                offset += 1;
            }
            Err(error) => return Err(format!("partition {partition}, read {offset}: {error}")),
        }
    }
    Ok(held)
}

fn read(view: &Arc<LogView>, offset: i64) -> Result<Bytes, StorageError> {
    match view.read(offset, READ_BYTES, ReadUntil::End)? {
        Found::Batches(bytes) => Ok(bytes),
        Found::Cold(cold) => cold.run(),
        Found::Nothing => Ok(Bytes::new()),
    }
}

impl Held {
    /// Takes batches that were served for `offset`; returns the offset behind them.
    fn take(
        &mut self,
        bytes: Bytes,
        partition: i32,
        offset: i64,
        inflater: &mut Inflater,
    ) -> Result<i64, String> {
        let wrong = |what: String| format!("partition {partition}, read {offset}: {what}");
        let mut next = offset;
        for raw in RawBatches::new(&bytes) {
            let raw = raw.map_err(|error| wrong(error.to_string()))?;
            let batch = CheckedBatch::check(bytes.slice_ref(raw.bytes()));
            let batch = batch.map_err(|error| wrong(error.to_string()))?;
            let base_offset = batch.header().base_offset;
            if base_offset > next || (base_offset < next && next > offset) {
                return Err(wrong(format!("a batch at {base_offset} where {next} belongs")));
            }
            let records = batch.records(inflater).map_err(|error| wrong(error.to_string()))?;
            for record in &records {
                let record = record.map_err(|error| wrong(error.to_string()))?;
                if record.offset < next {
                    continue;
                }
                let life = life_of(partition, &record).filter(|_| record.offset == next);
                let life = life.ok_or_else(|| {
                    wrong(format!("not the record that belongs at {next}: {record:.80?}"))
                })?;
                self.push(life, next);
                next += 1;
            }
        }
        if next == offset {
            return Err(wrong("nothing was served".to_owned()));
        }
        Ok(next)
    }

    fn push(&mut self, life: u32, offset: i64) {
        match self.spans.last_mut() {
            Some(last) if last.life == life && last.end == offset => last.end += 1,
            _ => self.spans.push(Span { life, start: offset, end: offset + 1 }),
        }
    }
}
