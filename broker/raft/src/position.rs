//! Where in a log: the triple by which logs are compared.

use core::fmt;

/// A place in a log: everything before it, control entries included.
///
/// Along one log positions grow, and two logs that both have a position are the same up to it. So
/// votes, acknowledgements and commits compare them. Without the control sequence a log that
/// lacks only a change of the voters would count as complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The epoch of the last entry before it; −1 where there is none.
    pub epoch: i32,
    /// The offset that the next record gets.
    pub offset: i64,
    /// The sequence number of the last control entry before it, from 1; 0 where there is none.
    pub control: i64,
}

impl Position {
    /// The beginning of a log that never was cut.
    pub const ZERO: Self = Self { epoch: -1, offset: 0, control: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.epoch, self.offset, self.control)
    }
}

/// One replica of a partition in one life. A replica that was removed, and one that lost its
/// directory, come back as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(test), derive(Hash))]
pub struct ReplicaId {
    /// The broker's id.
    pub broker: i32,
    /// How often the broker made a replica of this partition in this directory before.
    pub life: u32,
    /// The id of the data directory.
    pub directory: [u8; 16],
}

impl ReplicaId {
    /// The first replica of a broker in a directory that is named after it; for examples and tests.
    #[must_use]
    pub const fn of(broker: i32) -> Self {
        Self { broker, life: 0, directory: [0; 16] }
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.broker)?;
        if self.life == 0 { Ok(()) } else { write!(f, "'{}", self.life) }
    }
}
