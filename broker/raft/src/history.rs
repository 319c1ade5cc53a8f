//! The shape of a log: where its epochs and voter sets begin, and where it begins and ends.
//!
//! That is all the core knows of a log: data is a range of offsets of one epoch, and stays outside.
//! An epoch begins with its marker, a control entry without width; so the epoch of any place is
//! that of the last control entry before it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::position::Position;
use crate::voters::Voters;

/// A control entry: it has a place in the order of the log, but no offset and no bytes in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Control {
    /// Its number among the control entries of the group, from 1.
    pub sequence: i64,
    /// The epoch in which a leader wrote it.
    pub epoch: i32,
    /// The offset of the first record behind it.
    pub offset: i64,
    /// The voters that are in force from here on; `None` for the marker that begins an epoch.
    pub voters: Option<Arc<Voters>>,
}

impl Control {
    /// The place behind it.
    #[must_use]
    pub fn end(&self) -> Position {
        Position { epoch: self.epoch, offset: self.offset, control: self.sequence }
    }
}

/// What stands in a log behind a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// Nothing.
    End,
    /// This entry.
    Control(&'a Control),
    /// Records up to an offset, exclusive, of the position's epoch.
    Data(i64),
}

/// The shape of a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct History {
    /// Where the log begins; what was before is gone, and was committed.
    start: Position,
    /// The voters in force at the start.
    first_voters: Arc<Voters>,
    /// The control entries behind the start, in order.
    controls: Vec<Control>,
    /// How many of them there are up to the one that names the voters in force at the end; 0 where
    /// the first ones are.
    named: u32,
    end_offset: i64,
}

impl History {
    /// A log.
    ///
    /// - `start`: where it begins, with the voters in force there.
    /// - `controls`: the control entries behind it, in order.
    /// - `end_offset`: exclusive.
    ///
    /// # Panics
    /// If entries are out of order or beyond the end.
    #[must_use]
    pub fn new(
        start: Position,
        voters: Arc<Voters>,
        controls: Vec<Control>,
        end_offset: i64,
    ) -> Self {
        let mut history = Self { start, first_voters: voters, controls, named: 0, end_offset };
        let mut before = start;
        for control in &history.controls {
            assert!(control.sequence > before.control, "{control:?} behind {before}");
            assert!(control.epoch >= before.epoch, "{control:?} behind {before}");
            assert!(control.offset >= before.offset, "{control:?} behind {before}");
            before = control.end();
        }
        assert!(before.offset <= end_offset, "{before} beyond {end_offset}");
        history.controls.shrink_to_fit();
        history.find_named();
        history
    }

    fn find_named(&mut self) {
        let last = self.controls.iter().rposition(|control| control.voters.is_some());
        self.named = last.map_or(0, |last| count(last + 1));
    }

    /// Where the log begins.
    #[must_use]
    pub fn start(&self) -> Position {
        self.start
    }

    /// The voters in force at the start. A learner may have begun without knowing any: the first
    /// change of the voters says whom it changed.
    #[must_use]
    pub fn first_voters(&self) -> Arc<Voters> {
        let is_known = !self.first_voters.incoming.is_empty();
        let change = || self.controls.iter().find_map(|control| control.voters.as_ref());
        match change().filter(|change| !is_known && change.is_joint()) {
            Some(change) => Arc::new(Voters::of(Arc::clone(&change.outgoing))),
            None => Arc::clone(&self.first_voters),
        }
    }

    /// The control entries behind the start, in order.
    #[must_use]
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// Where the log ends.
    #[must_use]
    pub fn end(&self) -> Position {
        Position { offset: self.end_offset, ..self.before(self.controls.len()) }
    }

    /// The place before the control entry with an index: the end of what stands before it.
    fn before(&self, index: usize) -> Position {
        let last = index.checked_sub(1).map_or(self.start, |last| self.controls[last].end());
        let offset = self.controls.get(index).map_or(self.end_offset, |next| next.offset);
        Position { offset, ..last }
    }

    /// The last position of this log that is no further than `position` in its epoch, if that is
    /// not before the start: what two logs that contain both of it have in common at most.
    #[must_use]
    pub fn floor(&self, position: Position) -> Option<Position> {
        let behind = self.controls.partition_point(|control| control.epoch <= position.epoch);
        let end = self.before(behind);
        if end.epoch == position.epoch && position < end {
            if self.contains(position) {
                return Some(position);
            }
            // No log of that epoch's leader has both. What was before the epoch is left.
            return self.floor(Position { epoch: position.epoch.checked_sub(1)?, ..position });
        }
        (end >= self.start && end.epoch <= position.epoch).then_some(end)
    }

    /// Whether the log has this position, so that it is the same up to it as any other that has.
    #[must_use]
    pub fn contains(&self, position: Position) -> bool {
        let behind = self.controls.partition_point(|c| c.sequence <= position.control);
        let last = behind.checked_sub(1).map_or(self.start, |last| self.controls[last].end());
        let is_behind = (position.epoch, position.control) == (last.epoch, last.control);
        let until = self.before(behind).offset;
        is_behind && (last.offset..=until).contains(&position.offset)
    }

    /// The first position with an offset: control entries at it stand behind.
    #[must_use]
    pub fn first_at(&self, offset: i64) -> Position {
        if offset <= self.start.offset {
            return self.start;
        }
        let behind = self.controls.partition_point(|control| control.offset < offset);
        Position { offset, ..self.before(behind) }
    }

    /// The last position with an offset that is not beyond `limit`: control entries at it stand
    /// before.
    ///
    /// - `limit`: a position of the log, not before the offset.
    pub(crate) fn last_at(&self, offset: i64, limit: Position) -> Position {
        if offset <= self.start.offset {
            return self.start;
        }
        let is_before = |c: &Control| c.offset <= offset && c.sequence <= limit.control;
        let behind = self.controls.partition_point(is_before);
        Position { offset, ..self.before(behind) }
    }

    /// What stands behind a position that the log has.
    pub(crate) fn next(&self, position: Position) -> Next<'_> {
        let behind = self.controls.partition_point(|c| c.sequence <= position.control);
        match self.controls.get(behind) {
            Some(control) if control.offset == position.offset => Next::Control(control),
            Some(control) => Next::Data(control.offset),
            None if position.offset < self.end_offset => Next::Data(self.end_offset),
            None => Next::End,
        }
    }

    /// The voters in force at the end, and the position behind the entry that names them.
    #[must_use]
    pub fn voters(&self) -> (&Arc<Voters>, Position) {
        let named = self.named.checked_sub(1).map(|named| &self.controls[named as usize]);
        match named.and_then(|control| Some((control.voters.as_ref()?, control.end()))) {
            Some(named) => named,
            None => (&self.first_voters, self.start),
        }
    }

    /// The voters that were in force before those at the end.
    pub(crate) fn voters_before(&self) -> &Arc<Voters> {
        let mut named = self.controls.iter().rev().filter_map(|control| control.voters.as_ref());
        named.nth(1).unwrap_or(&self.first_voters)
    }

    /// Adds a control entry at the end.
    pub(crate) fn push(&mut self, control: Control) {
        let end = self.end();
        let fits = control.sequence > end.control && control.epoch >= end.epoch;
        assert!(fits && control.offset == end.offset, "{control:?} behind {end}");
        if control.voters.is_some() {
            self.named = count(self.controls.len() + 1);
        }
        // Elections are rare, and idle groups many.
        self.controls.reserve_exact(1);
        self.controls.push(control);
    }

    /// Adds records at the end.
    pub(crate) fn extend(&mut self, end_offset: i64) {
        assert!(end_offset >= self.end_offset, "{} → {end_offset}", self.end_offset);
        self.end_offset = end_offset;
    }

    /// Drops what is behind a position that the log has; the voters before are in force again.
    pub(crate) fn cut(&mut self, to: Position) {
        debug_assert!(self.contains(to), "{to} is not in {self:?}");
        self.controls.retain(|control| control.sequence <= to.control);
        self.end_offset = to.offset;
        self.find_named();
    }

    /// Drops what is before a position that the log has.
    pub(crate) fn move_start(&mut self, to: Position) {
        debug_assert!(self.contains(to), "{to} is not in {self:?}");
        let kept = self.controls.partition_point(|control| control.sequence <= to.control);
        let named = self.controls[..kept].iter().rev().find_map(|control| control.voters.clone());
        self.first_voters = named.unwrap_or_else(|| self.first_voters());
        self.controls.drain(..kept);
        self.start = to;
        self.find_named();
    }
}

/// How many control entries there are. There are fewer than epochs and changes of voters.
fn count(entries: usize) -> u32 {
    u32::try_from(entries).expect("control entries are counted by epochs")
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::position::ReplicaId;

    fn at(epoch: i32, offset: i64, control: i64) -> Position {
        Position { epoch, offset, control }
    }

    fn voters(ids: &[i32]) -> Arc<Voters> {
        Arc::new(Voters::of(ids.iter().map(|id| ReplicaId::of(*id)).collect::<Vec<_>>()))
    }

    fn control(sequence: i64, epoch: i32, offset: i64) -> Control {
        Control { sequence, epoch, offset, voters: None }
    }

    /// 0: marker of 1, records 0..4, voters, records 4..6; marker of 3, records 6..9; marker of 4.
    fn history() -> History {
        let change = Control { voters: Some(voters(&[1, 2, 3])), ..control(2, 1, 4) };
        let controls = vec![control(1, 1, 0), change, control(3, 3, 6), control(4, 4, 9)];
        History::new(Position::ZERO, voters(&[1]), controls, 9)
    }

    #[test]
    fn a_floor_is_the_last_common_place_that_an_epoch_allows() {
        let history = history();
        for (position, floor) in [
            (at(-1, 0, 0), Some(at(-1, 0, 0))),
            (at(0, 0, 1), Some(at(-1, 0, 0))),
            (at(1, 0, 1), Some(at(1, 0, 1))),
            (at(1, 3, 1), Some(at(1, 3, 1))),
            (at(1, 4, 2), Some(at(1, 4, 2))),
            (at(1, 7, 2), Some(at(1, 6, 2))),
            (at(2, 9, 3), Some(at(1, 6, 2))),
            (at(3, 6, 3), Some(at(3, 6, 3))),
            (at(3, 20, 3), Some(at(3, 9, 3))),
            // Nobody who wrote in epoch 1 has these.
            (at(1, 2, 2), Some(at(-1, 0, 0))),
            (at(1, 5, 1), Some(at(-1, 0, 0))),
            (at(4, 9, 4), Some(at(4, 9, 4))),
            (at(9, 0, 0), Some(at(4, 9, 4))),
        ] {
            assert_eq!(history.floor(position), floor, "{position}");
        }
        let mut cut = history.clone();
        cut.move_start(at(1, 5, 2));
        for (position, floor) in [
            (at(-1, 0, 0), None),
            (at(1, 4, 2), None),
            (at(1, 5, 2), Some(at(1, 5, 2))),
            (at(2, 0, 0), Some(at(1, 6, 2))),
        ] {
            assert_eq!(cut.floor(position), floor, "{position} behind the start");
        }
    }

    #[test]
    fn what_follows_is_a_control_entry_or_records_up_to_the_next() {
        let history = history();
        let mut position = history.start();
        let mut steps = vec![];
        loop {
            position = match history.next(position) {
                Next::End => break,
                Next::Control(control) => control.end(),
                Next::Data(until) => Position { offset: until, ..position },
            };
            steps.push(position);
        }
        let expected = [at(1, 0, 1), at(1, 4, 1), at(1, 4, 2), at(1, 6, 2), at(3, 6, 3)];
        assert_eq!(steps[..5], expected);
        assert_eq!(steps[5..], [at(3, 9, 3), at(4, 9, 4)]);
        assert_eq!(history.end(), at(4, 9, 4));
        assert!(steps.iter().all(|position| history.contains(*position)));
    }

    #[test]
    fn a_cut_takes_voters_away_and_a_start_keeps_them() {
        let mut history = history();
        assert_eq!(history.voters(), (&voters(&[1, 2, 3]), at(1, 4, 2)));
        let mut cut = history.clone();
        cut.cut(at(1, 4, 1));
        assert_eq!((cut.voters(), cut.end()), ((&voters(&[1]), Position::ZERO), at(1, 4, 1)));
        history.move_start(at(3, 7, 3));
        assert_eq!(history.voters(), (&voters(&[1, 2, 3]), at(3, 7, 3)));
        assert_eq!(history.controls(), [control(4, 4, 9)]);
    }

    #[test]
    fn who_began_without_voters_learns_them_from_the_first_change() {
        let joint = Arc::new(Voters {
            outgoing: voters(&[1, 2]).incoming.clone(),
            ..(*voters(&[3])).clone()
        });
        let change = Control { voters: Some(joint), ..control(2, 1, 4) };
        let nobody = Arc::new(Voters::of([]));
        let mut history = History::new(Position::ZERO, nobody, vec![control(1, 1, 0)], 4);
        assert!(history.first_voters().incoming.is_empty());
        history.push(change);
        assert_eq!(history.first_voters(), voters(&[1, 2]));
        history.move_start(at(1, 2, 1));
        assert_eq!(history.first_voters, voters(&[1, 2]));
    }

    #[test]
    fn the_first_position_at_an_offset_is_before_its_control_entries() {
        let history = history();
        for (offset, position) in [(0, at(-1, 0, 0)), (4, at(1, 4, 1)), (9, at(3, 9, 3))] {
            assert_eq!(history.first_at(offset), position);
        }
        assert_eq!(history.first_at(5), at(1, 5, 2));
        for (offset, position) in [(4, at(1, 4, 2)), (6, at(1, 6, 2)), (0, at(-1, 0, 0))] {
            assert_eq!(history.last_at(offset, at(1, 6, 2)), position, "{offset}, committed");
        }
        assert_eq!(history.last_at(9, at(4, 9, 4)), at(4, 9, 4));
    }
}
