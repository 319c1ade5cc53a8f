//! A haul: what one fetch has brought of one partition, and how far it is handed out.
//!
//! ```text
//!   Haul: wire batches ── split ── checksum ── inflate ──▶ Part: the records of one of them
//!                          │
//!                          ├ ends before what is wanted: left out
//!                          ├ control batch: left out, and may end what is aborted
//!                          └ of an aborted transaction: left out (read_committed)
//! ```
//!
//! Batches are looked at when their records are wanted, so what waits in a queue takes no more
//! memory than it took on the wire.
//!
//! **Invariant:** [`Haul::next`] is behind all that was handed out, and not behind anything that
//! wasn't, but for what nobody is to see.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use logboom_protocol::messages::fetch::AbortedTransaction;
use logboom_protocol::records::{
    BatchError, BatchHeader, ControlRecord, ControlType, Inflater, RawBatch, Record as RecordRef,
    RecordCursor, Records, layout,
};

use crate::memory::Kept;

/// What a consumer leaves out of a partition's records.
#[derive(Debug, Default)]
pub(crate) struct Aborted {
    /// By first offset.
    coming: VecDeque<AbortedTransaction>,
    /// Producers whose transaction was given up and hasn't ended yet.
    open: Vec<i64>,
}

impl Aborted {
    /// - `told`: by the answer that brought the records.
    pub(crate) fn new(mut told: Vec<AbortedTransaction>) -> Self {
        told.sort_by_key(|one| one.first_offset);
        Self { coming: told.into(), open: Vec::new() }
    }

    /// Whether the records of a batch are those of a transaction that was given up. Batches come in
    /// their order.
    fn hides(&mut self, header: &BatchHeader) -> bool {
        if header.producer_id < 0 {
            return false;
        }
        while self.coming.front().is_some_and(|one| one.first_offset < end(header)) {
            self.open.extend(self.coming.pop_front().map(|one| one.producer_id));
        }
        header.attributes.is_transactional() && self.open.contains(&header.producer_id)
    }

    /// A marker has ended the producer's transaction.
    fn end(&mut self, producer_id: i64) {
        self.open.retain(|one| *one != producer_id);
    }
}

/// Behind the last offset of a batch.
fn end(header: &BatchHeader) -> i64 {
    let last = header.base_offset.saturating_add(header.last_offset_delta.into());
    last.saturating_add(1)
}

/// The records of one batch.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) records: Records,
    /// Records before it are not wanted.
    pub(crate) from: i64,
    /// Behind the batch.
    pub(crate) end: i64,
    pub(crate) leader_epoch: i32,
}

/// What a fetch has brought of a partition.
#[derive(Debug)]
pub(crate) struct Haul {
    /// From the next batch on that hasn't been looked at.
    rest: Bytes,
    next: i64,
    /// The leader epoch of the last batch that was handed out; −1 before the first.
    epoch: i32,
    aborted: Aborted,
    check_crcs: bool,
    open: Option<(Part, RecordCursor)>,
    handed_out: HandedOut,
    /// The answer that it is a part of.
    kept: Option<Arc<Kept>>,
    /// Whether a replica has sent it that doesn't lead the partition.
    is_of_replica: bool,
}

/// Records of the batches that were handed out, which are counted when it is dropped: once a fetch.
#[derive(Debug, Default)]
struct HandedOut(u64);

impl Drop for HandedOut {
    fn drop(&mut self) {
        if self.0 > 0 {
            metrics::counter!("logboom_consumer_records_total").increment(self.0);
        }
    }
}

/// A whole number of batches, and what follows from their headers.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) bytes: Bytes,
    /// Behind the last batch.
    pub(crate) end: i64,
    pub(crate) leader_epoch: i32,
}

/// Cuts what a broker has cut off at its limit.
///
/// # Errors
/// What can't be a batch, or isn't whole, if it is the first one; else the batches before it are
/// returned.
pub(crate) fn measure(mut bytes: Bytes) -> Result<Measured, BatchError> {
    let (mut whole, mut last) = (0, None);
    while whole < bytes.len() {
        match RawBatch::split_first(&bytes[whole..]) {
            Ok((batch, _)) => {
                whole += batch.bytes().len();
                last = Some((end(batch.header()), batch.header().leader_epoch));
            }
            Err(error) if last.is_none() => return Err(error),
            Err(_) => break,
        }
    }
    let nothing = BatchError::Truncated { needed: layout::HEADER_BYTES, present: 0 };
    let (end, leader_epoch) = last.ok_or(nothing)?;
    bytes.truncate(whole);
    Ok(Measured { bytes, end, leader_epoch })
}

impl Haul {
    /// - `bytes`: whole batches, of which the first may begin before `from`.
    pub(crate) fn new(bytes: Bytes, from: i64, aborted: Aborted, check_crcs: bool) -> Self {
        Self {
            rest: bytes,
            next: from,
            epoch: -1,
            aborted,
            check_crcs,
            open: None,
            handed_out: HandedOut::default(),
            kept: None,
            is_of_replica: false,
        }
    }

    /// The same, as a part of an answer.
    pub(crate) fn keeping(self, answer: Arc<Kept>) -> Self {
        Self { kept: Some(answer), ..self }
    }

    /// The same, sent by the leader of its partition or not.
    pub(crate) fn of_replica(self, is_of_replica: bool) -> Self {
        Self { is_of_replica, ..self }
    }

    /// Whether a replica has sent it that doesn't lead its partition.
    pub(crate) fn is_of_replica(&self) -> bool {
        self.is_of_replica
    }

    /// Nothing more is handed out of it, and it keeps nothing in memory.
    pub(crate) fn end(&mut self) {
        self.rest.clear();
        (self.open, self.kept, self.handed_out) = (None, None, HandedOut::default());
    }

    /// The next offset to hand out.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// The offset behind the batch that is next; `None` where no checksum proves its header, or
    /// that leads nowhere.
    pub(crate) fn behind(&self) -> Option<i64> {
        let end = match &self.open {
            Some((part, _)) => self.check_crcs.then_some(part.end),
            None => {
                let (batch, _) = RawBatch::split_first(&self.rest).ok()?;
                batch.check().is_ok().then(|| end(batch.header()))
            }
        };
        end.filter(|end| *end > self.next)
    }

    /// The leader epoch of what was handed out last; −1 where that was nothing.
    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Bytes that haven't been looked at.
    pub(crate) fn rest_bytes(&self) -> usize {
        self.rest.len()
    }

    /// The next record, lent.
    ///
    /// # Errors
    /// A batch that is damaged; [`Self::next`] stays before it.
    pub(crate) fn next_record(
        &mut self,
        inflater: &mut Inflater,
    ) -> Result<Option<(RecordRef<'_>, &Part)>, BatchError> {
        while !self.has_record()? {
            let Some(part) = self.split_part(inflater)? else { return Ok(None) };
            let cursor = behind_unwanted(&part);
            // Where it is damaged it is open all the same, as what is next.
            let (_, open) = self.open.insert((part, RecordCursor::default()));
            *open = cursor?;
        }
        let Some((part, cursor)) = &mut self.open else { return Ok(None) };
        let Some(record) = part.records.next_at(cursor).transpose()? else { return Ok(None) };
        self.next = record.offset.saturating_add(1);
        self.epoch = part.leader_epoch;
        Ok(Some((record, part)))
    }

    /// Whether a batch is open that has more records; closes one that hasn't.
    #[inline]
    fn has_record(&mut self) -> Result<bool, BatchError> {
        let Some((part, cursor)) = &mut self.open else { return Ok(false) };
        if cursor.taken() < part.records.count() {
            return Ok(true);
        }
        // Bytes behind the last record are an error.
        part.records.next_at(cursor).transpose()?;
        self.next = self.next.max(part.end);
        self.open = None;
        Ok(false)
    }

    /// The rest of the batch that is handed out, or the next batch whole.
    ///
    /// # Errors
    /// As [`Self::next_record`].
    pub(crate) fn next_part(
        &mut self,
        inflater: &mut Inflater,
    ) -> Result<Option<Part>, BatchError> {
        let part = match self.open.take() {
            Some((part, _)) => Some(Part { from: self.next, ..part }),
            None => self.split_part(inflater)?,
        };
        if let Some(part) = &part {
            self.next = self.next.max(part.end);
            self.epoch = part.leader_epoch;
        }
        Ok(part)
    }

    /// Splits off the next batch whose records are to be seen.
    fn split_part(&mut self, inflater: &mut Inflater) -> Result<Option<Part>, BatchError> {
        while !self.rest.is_empty() {
            let (batch, _) = RawBatch::split_first(&self.rest)?;
            // Nothing that a header says is believed before.
            if self.check_crcs {
                batch.check()?;
            }
            let (header, length) = (*batch.header(), batch.bytes().len());
            let end = end(&header);
            // Of a batch whose records are all compacted away the header is left.
            let is_empty = header.record_count == 0;
            let hidden = end <= self.next && !header.attributes.is_control();
            if is_empty || hidden || self.aborted.hides(&header) && !header.attributes.is_control()
            {
                self.next = self.next.max(end);
            } else {
                let records = batch.unchecked_records(&self.rest, inflater)?;
                if !header.attributes.is_control() {
                    let _batch = self.rest.split_to(length);
                    let (from, leader_epoch) = (self.next, header.leader_epoch);
                    self.handed_out.0 += u64::from(header.record_count.unsigned_abs());
                    return Ok(Some(Part { records, from, end, leader_epoch }));
                }
                if is_abort(&records) {
                    self.aborted.end(header.producer_id);
                }
                self.next = self.next.max(end);
            }
            let _batch = self.rest.split_to(length);
        }
        Ok(None)
    }
}

/// The place of the first record that is wanted.
fn behind_unwanted(part: &Part) -> Result<RecordCursor, BatchError> {
    let mut cursor = RecordCursor::default();
    loop {
        let mut behind = cursor;
        match part.records.next_at(&mut behind).transpose()? {
            Some(record) if record.offset < part.from => cursor = behind,
            _ => return Ok(cursor),
        }
    }
}

/// Whether a control batch says that a transaction was given up.
fn is_abort(records: &Records) -> bool {
    let control = |record: Result<RecordRef<'_>, _>| ControlRecord::from_record(&record.ok()?);
    let mut controls = records.iter().filter_map(control);
    controls.any(|control| control.kind == ControlType::Abort)
}

#[cfg(test)]
mod tests {
    use logboom_protocol::records::{
        BatchBuilder, Codec, ProducerState, crc32c, end_transaction_batch,
    };

    use super::*;

    fn place(bytes: &[u8], base_offset: i64, leader_epoch: i32) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
        (header.base_offset, header.leader_epoch) = (base_offset, leader_epoch);
        bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        bytes
    }

    fn build(mut builder: BatchBuilder, base_offset: i64, count: i32) -> Vec<u8> {
        for i in 0..count {
            builder.append(i.into(), None, Some(b"value"), &[]).unwrap();
        }
        place(&builder.build().unwrap(), base_offset, 3)
    }

    fn batch(base_offset: i64, count: i32) -> Vec<u8> {
        build(BatchBuilder::new(Codec::None), base_offset, count)
    }

    fn producer(id: i64) -> ProducerState {
        ProducerState { id, epoch: 0, base_sequence: 0, transactional: true }
    }

    fn transaction(id: i64, base_offset: i64, count: i32) -> Vec<u8> {
        build(BatchBuilder::new(Codec::None).producer(producer(id)), base_offset, count)
    }

    fn marker(id: i64, base_offset: i64, committed: bool) -> Vec<u8> {
        place(end_transaction_batch(producer(id), committed, 0, 0).bytes(), base_offset, 3)
    }

    fn haul(batches: &[Vec<u8>], from: i64, aborted: Vec<AbortedTransaction>) -> Haul {
        Haul::new(batches.concat().into(), from, Aborted::new(aborted), true)
    }

    fn offsets(haul: &mut Haul) -> Vec<i64> {
        let mut inflater = Inflater::new(1 << 20);
        let mut offsets = Vec::new();
        while let Some((record, _)) = haul.next_record(&mut inflater).unwrap() {
            let offset = record.offset;
            offsets.push(offset);
            assert_eq!(haul.next(), offset + 1);
        }
        offsets
    }

    fn aborted(producer_id: i64, first_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset }
    }

    #[test]
    fn records_from_the_offset_on_are_handed_out_one_by_one() {
        let mut haul = haul(&[batch(0, 3), batch(3, 3)], 1, Vec::new());
        assert_eq!(offsets(&mut haul), [1, 2, 3, 4, 5]);
        assert_eq!((haul.next(), haul.epoch(), haul.rest_bytes()), (6, 3, 0));
    }

    #[test]
    fn the_rest_of_a_batch_comes_as_a_part() {
        let mut haul = haul(&[batch(0, 3), batch(3, 3)], 0, Vec::new());
        let mut inflater = Inflater::new(1 << 20);
        haul.next_record(&mut inflater).unwrap();
        let part = haul.next_part(&mut inflater).unwrap().unwrap();
        assert_eq!((part.from, part.end, haul.next()), (1, 3, 3));
        let part = haul.next_part(&mut inflater).unwrap().unwrap();
        assert_eq!((part.from, part.end, haul.next()), (3, 6, 6));
        assert!(haul.next_part(&mut inflater).unwrap().is_none());
    }

    #[test]
    fn transactions_that_were_given_up_are_left_out_up_to_their_marker() {
        let batches = [
            transaction(7, 0, 2),
            transaction(8, 2, 2),
            marker(7, 4, false),
            transaction(7, 5, 1),
            marker(8, 6, true),
            marker(7, 7, true),
            batch(8, 1),
        ];
        assert_eq!(offsets(&mut haul(&batches, 0, Vec::new())), [0, 1, 2, 3, 5, 8]);
        let mut given_up = haul(&batches, 0, vec![aborted(7, 0)]);
        assert_eq!(offsets(&mut given_up), [2, 3, 5, 8]);
        assert_eq!(given_up.next(), 9);
        assert_eq!(offsets(&mut haul(&batches, 1, vec![aborted(8, 2), aborted(7, 0)])), [5, 8]);
    }

    #[test]
    fn what_ends_with_markers_moves_the_position_behind_them() {
        let mut haul = haul(&[batch(0, 1), marker(7, 1, true)], 0, Vec::new());
        assert_eq!(offsets(&mut haul), [0]);
        assert_eq!(haul.next(), 2);
    }

    #[test]
    fn a_damaged_batch_is_named_and_stays_next() {
        let mut second = batch(3, 3);
        *second.last_mut().unwrap() ^= 1;
        let mut haul = haul(&[batch(0, 3), second.clone()], 0, Vec::new());
        let mut inflater = Inflater::new(1 << 20);
        assert!(haul.next_part(&mut inflater).unwrap().is_some());
        for _ in 0..2 {
            let error = haul.next_part(&mut inflater).unwrap_err();
            assert!(matches!(error, BatchError::Crc { .. }), "{error}");
            assert_eq!((haul.next(), haul.behind()), (3, None), "nor is its header right");
        }
        let mut trusting = Haul::new(second.into(), 3, Aborted::default(), false);
        assert!(trusting.next_part(&mut inflater).unwrap().is_some(), "check.crcs=false");
    }

    #[test]
    fn where_a_checksum_is_right_it_is_known_where_the_damage_ends() {
        let mut bytes = build(BatchBuilder::new(Codec::None), 3, 3);
        // How many headers the last record has, of which there are none.
        *bytes.last_mut().unwrap() = 2;
        let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
        header.crc = crc32c(&[&bytes[layout::ATTRIBUTES_AT..]]);
        bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        for (check_crcs, behind) in [(true, Some(6)), (false, None)] {
            let bytes = bytes.clone().into();
            let mut haul = Haul::new(bytes, 3, Aborted::default(), check_crcs);
            let mut inflater = Inflater::new(1 << 20);
            for _ in 0..2 {
                assert!(haul.next_record(&mut inflater).unwrap().is_some());
            }
            assert!(haul.next_record(&mut inflater).is_err());
            assert_eq!((haul.next(), haul.behind()), (5, behind));
        }
    }

    #[test]
    fn what_can_t_be_inflated_is_left_behind_by_its_header_if_that_is_proven() {
        let mut bytes = batch(3, 3);
        // Of no codec.
        bytes[layout::ATTRIBUTES_AT + 1] = 7;
        let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
        header.crc = crc32c(&[&bytes[layout::ATTRIBUTES_AT..]]);
        bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        let mut haul = haul(&[bytes], 3, Vec::new());
        assert!(haul.next_part(&mut Inflater::new(1 << 20)).is_err());
        assert_eq!((haul.next(), haul.behind()), (3, Some(6)));
    }

    #[test]
    fn a_header_is_not_believed_before_its_checksum_is_right() {
        let mut bytes = batch(3, 3);
        let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
        // As of a batch of which compaction has left nothing.
        header.record_count = 0;
        bytes[..layout::HEADER_BYTES].copy_from_slice(&header.to_bytes());
        let mut haul = haul(&[bytes], 3, Vec::new());
        let error = haul.next_part(&mut Inflater::new(1 << 20)).unwrap_err();
        assert!(matches!(error, BatchError::Crc { .. }), "{error}");
    }

    /// What compaction leaves of a batch of which it has removed all records.
    fn emptied(base_offset: i64, count: i32, codec: Codec) -> Vec<u8> {
        let mut bytes = build(BatchBuilder::new(codec), base_offset, count);
        bytes.truncate(layout::HEADER_BYTES);
        let mut header = BatchHeader::from_bytes(bytes.first_chunk().unwrap());
        header.record_count = 0;
        header.length = i32::try_from(layout::HEADER_BYTES - 12).unwrap();
        bytes.copy_from_slice(&header.to_bytes());
        bytes
    }

    #[test]
    fn a_batch_that_compaction_has_emptied_moves_the_position_behind_it() {
        for codec in [Codec::None, Codec::Lz4] {
            let batches = [emptied(0, 3, codec), batch(3, 2), emptied(5, 4, codec)];
            let measured = measure(batches.concat().into()).unwrap();
            assert_eq!(measured.end, 9);
            let mut one_by_one = Haul::new(measured.bytes.clone(), 0, Aborted::default(), false);
            assert_eq!(offsets(&mut one_by_one), [3, 4]);
            let mut lent = Haul::new(measured.bytes, 0, Aborted::default(), false);
            let mut inflater = Inflater::new(1 << 20);
            let part = lent.next_part(&mut inflater).unwrap().unwrap();
            assert_eq!((part.from, part.end), (3, 5), "no part is without records");
            assert!(lent.next_part(&mut inflater).unwrap().is_none());
            assert_eq!((one_by_one.next(), lent.next()), (9, 9), "{codec:?}");
        }
    }

    #[test]
    fn what_is_cut_off_is_not_counted() {
        let whole = [batch(0, 3), batch(3, 3)].concat();
        let first = batch(0, 3).len();
        for cut in [first, first + 1, first + 17, whole.len() - 1] {
            let measured = measure(whole[..cut].to_vec().into()).unwrap();
            assert_eq!((measured.bytes.len(), measured.end, measured.leader_epoch), (first, 3, 3));
        }
        let cut = measure(whole[..first - 1].to_vec().into());
        assert!(matches!(cut, Err(BatchError::Truncated { .. })));
        assert!(measure(vec![0; 100].into()).is_err());
    }
}
