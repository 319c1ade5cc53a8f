//! The records for one partition: a batch that is filled, and one that is under way.
//!
//! Must always hold: at most one batch a partition is under way, so records keep their order
//! whatever is tried again, and an idempotent producer's sequence numbers have no gap.

use bytes::Bytes;

use logboom_protocol::records::{BatchBuilder, BatchError, Codec, ProducerState};

use super::lines::LineNumbers;

/// The records for one partition.
#[derive(Debug)]
pub(super) struct Lane {
    codec: Codec,
    open: Option<Open>,
    /// Whether a batch is under way.
    pub(super) is_busy: bool,
    /// Whether the open batch has waited long enough.
    pub(super) is_due: bool,
    /// Who sends, and the number of the next record.
    producer: Option<ProducerState>,
}

#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    lines: LineNumbers,
}

/// A batch that can be sent.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) batch: Result<Bytes, BatchError>,
    pub(super) lines: LineNumbers,
    /// Bytes that its records took before they were compressed.
    pub(super) bytes: usize,
}

impl Lane {
    /// - `producer`: id and epoch of an idempotent producer.
    pub(super) fn new(codec: Codec, producer: Option<(i64, i16)>) -> Self {
        let mut lane = Self { codec, open: None, is_busy: false, is_due: false, producer: None };
        lane.restart(producer);
        lane
    }

    /// Begins as a new producer: after a failed batch nobody knows which number comes next.
    pub(super) fn restart(&mut self, producer: Option<(i64, i16)>) {
        let state =
            |(id, epoch)| ProducerState { id, epoch, base_sequence: 0, transactional: false };
        self.producer = producer.map(state);
    }

    /// Adds a line; returns the bytes by which the batch has grown.
    ///
    /// # Errors
    /// The line can't be a record of the batch.
    pub(super) fn append(
        &mut self,
        number: u64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<usize, BatchError> {
        let codec = self.codec;
        let open = self.open.get_or_insert_with(|| Open {
            builder: BatchBuilder::new(codec),
            lines: LineNumbers::default(),
        });
        let before = if open.lines.count() == 0 { 0 } else { open.builder.uncompressed_bytes() };
        if let Err(error) = open.builder.append(timestamp, key, Some(value), &[]) {
            // A batch without records can't be sent.
            self.open.take_if(|open| open.lines.count() == 0);
            return Err(error);
        }
        open.lines.push(number);
        Ok(open.builder.uncompressed_bytes() - before)
    }

    /// Bytes of the open batch, not compressed; 0 if there is none.
    pub(super) fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.builder.uncompressed_bytes())
    }

    /// Gives up the open batch; returns the lines that are in it.
    pub(super) fn give_up(&mut self) -> Option<LineNumbers> {
        self.open.take().map(|open| open.lines)
    }

    /// Takes the open batch to send it, if there is one and none is under way.
    pub(super) fn take(&mut self) -> Option<Ready> {
        if self.is_busy {
            return None;
        }
        let Open { mut builder, lines } = self.open.take()?;
        self.is_due = false;
        self.is_busy = true;
        let bytes = builder.uncompressed_bytes();
        if let Some(producer) = &mut self.producer {
            let count = builder.record_count();
            builder = builder.producer(*producer);
            producer.base_sequence = next_sequence(producer.base_sequence, count);
        }
        Some(Ready { batch: builder.build(), lines, bytes })
    }
}

/// Sequence numbers begin anew behind the greatest (KIP-98).
fn next_sequence(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & i32::MAX
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{CheckedBatch, Inflater};

    use super::*;

    #[test]
    fn one_batch_is_under_way_and_the_next_one_continues_its_numbers() {
        let mut lane = Lane::new(Codec::Zstd, Some((9, 1)));
        assert!(lane.take().is_none(), "nothing to send");
        let mut bytes = lane.append(1, 0, None, b"a").unwrap();
        bytes += lane.append(2, 0, Some(b"k"), b"b").unwrap();
        let first = lane.take().unwrap();
        assert_eq!((first.bytes, first.lines.count()), (bytes, 2));
        lane.append(3, 0, None, b"c").unwrap();
        assert!(lane.take().is_none(), "one is under way");
        lane.is_busy = false;
        let second = CheckedBatch::check(lane.take().unwrap().batch.unwrap()).unwrap();
        let header = second.header();
        let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
        assert_eq!(producer, (9, 1, 2));
        let records = second.records(&mut Inflater::new(1_000)).unwrap();
        assert_eq!(records.iter().next().unwrap().unwrap().value, Some(b"c".as_slice()));
    }

    #[test]
    fn sequence_numbers_begin_anew_behind_the_greatest() {
        assert_eq!(next_sequence(0, 5), 5);
        assert_eq!(next_sequence(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(next_sequence(i32::MAX, 1), 0);
        assert_eq!(next_sequence(i32::MAX - 1, 4), 2);
    }
}
