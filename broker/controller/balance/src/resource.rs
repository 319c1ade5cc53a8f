//! What a broker can run out of, and amounts of it.

use core::fmt;
use core::ops::{Index, IndexMut};

/// What is shared between brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Replicas, whatever their size.
    Partitions,
    /// Bytes on the device.
    DiskBytes,
    /// Bytes that arrive a second, from producers and leaders.
    BytesIn,
    /// Bytes that leave a second, to consumers and followers.
    BytesOut,
    /// Partitions that a broker leads. Nobody has a capacity of them; weights alone share them.
    Leaders,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Partitions, Self::DiskBytes, Self::BytesIn, Self::BytesOut, Self::Leaders];
    /// Those that a broker can have a capacity of, and of which the worst utilisation is told.
    pub const MEASURED: [Self; 4] =
        [Self::Partitions, Self::DiskBytes, Self::BytesIn, Self::BytesOut];

    /// Its word in text forms.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Partitions => "partitions",
            Self::DiskBytes => "disk",
            Self::BytesIn => "in",
            Self::BytesOut => "out",
            Self::Leaders => "leaders",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// Whether it is counted: then what has next to nothing else can be moved for it later.
    pub(crate) const fn is_counted(self) -> bool {
        matches!(self, Self::Partitions | Self::Leaders)
    }

    /// Whether a transfer of leadership can move it.
    pub(crate) const fn goes_with_leadership(self) -> bool {
        matches!(self, Self::BytesIn | Self::BytesOut | Self::Leaders)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Partitions => "partitions",
            Self::DiskBytes => "disk bytes",
            Self::BytesIn => "bytes in/s",
            Self::BytesOut => "bytes out/s",
            Self::Leaders => "leaders",
        })
    }
}

/// A number for each resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerResource<T>(pub [T; 5]);

/// An amount of each resource.
pub type Amounts = PerResource<u64>;

impl<T> Index<Resource> for PerResource<T> {
    type Output = T;

    fn index(&self, resource: Resource) -> &T {
        &self.0[resource as usize]
    }
}

impl<T> IndexMut<Resource> for PerResource<T> {
    fn index_mut(&mut self, resource: Resource) -> &mut T {
        &mut self.0[resource as usize]
    }
}

impl<T: Copy> PerResource<T> {
    /// The same for each.
    pub(crate) const fn all(value: T) -> Self {
        Self([value; 5])
    }
}

impl Amounts {
    pub(crate) fn add(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own += more;
        }
    }

    pub(crate) fn remove(&mut self, other: &Self) {
        for (own, less) in self.0.iter_mut().zip(other.0) {
            *own -= less;
        }
    }
}
