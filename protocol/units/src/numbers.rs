//! Numbers that count along a log: offsets and leader epochs.
//!
//! Must always hold: they are not negative.

use core::fmt;

/// The number was negative where the log knows no negative value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negative {
    /// What was given.
    pub value: i64,
}

impl fmt::Display for Negative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is negative", self.value)
    }
}

impl core::error::Error for Negative {}

/// The position of a record in its partition: 0 for the first, no gaps.
///
/// Whether a bound is inclusive or exclusive is part of the name of the field that holds it; see
/// `docs/glossary.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(i64);

impl Offset {
    /// The first offset of every partition.
    pub const ZERO: Self = Self(0);

    /// An offset as read from a socket or a file.
    ///
    /// # Errors
    /// [`Negative`] below zero.
    pub const fn from_wire(value: i64) -> Result<Self, Negative> {
        if value < 0 { Err(Negative { value }) } else { Ok(Self(value)) }
    }

    /// The number as the wire and the files have it, at least 0.
    #[must_use]
    pub const fn to_wire(self) -> i64 {
        self.0
    }

    /// The offset `records` further on, or `None` past [`i64::MAX`].
    #[must_use]
    pub const fn checked_add(self, records: u32) -> Option<Self> {
        match self.0.checked_add(records as i64) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// How many records lie in `start..self` (half-open), or `None` if `start` is beyond `self`.
    #[must_use]
    pub const fn records_since(self, start: Self) -> Option<u64> {
        if start.0 > self.0 { None } else { Some(self.0.abs_diff(start.0)) }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a leadership: Kafka's leader epoch, which is the Raft term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaderEpoch(i32);

impl LeaderEpoch {
    /// The epoch of a partition that never had an election.
    pub const ZERO: Self = Self(0);

    /// An epoch as read from a socket or a file.
    ///
    /// # Errors
    /// [`Negative`] below zero: −1 means "no epoch" on the wire and is no epoch here.
    pub const fn from_wire(value: i32) -> Result<Self, Negative> {
        if value < 0 { Err(Negative { value: value as i64 }) } else { Ok(Self(value)) }
    }

    /// The number as the wire and the files have it, at least 0.
    #[must_use]
    pub const fn to_wire(self) -> i32 {
        self.0
    }

    /// The epoch of the next leadership, or `None` past [`i32::MAX`].
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_refuse_what_is_no_offset() {
        assert_eq!(Offset::from_wire(-1), Err(Negative { value: -1 }));
        assert_eq!(Offset::from_wire(i64::MAX).unwrap().checked_add(1), None);
        let (two, five) = (Offset::from_wire(2).unwrap(), Offset::from_wire(5).unwrap());
        assert_eq!(five.records_since(two), Some(3));
        assert_eq!(two.records_since(five), None);
    }

    #[test]
    fn epochs_end_at_their_width() {
        assert_eq!(LeaderEpoch::from_wire(-1), Err(Negative { value: -1 }));
        assert_eq!(LeaderEpoch::from_wire(i32::MAX).unwrap().next(), None);
        assert_eq!(LeaderEpoch::ZERO.next().unwrap().to_wire(), 1);
    }
}
