//! What a decision gives.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt::Display;

use logboom_protocol::CompactString;

use crate::MetadataImage;
use crate::record::MetadataRecord;

/// What a request changes, and what it is answered.
///
/// The records are one batch of the metadata log. The response is sent when that is committed, and
/// at once where there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<R> {
    /// What changes, in order.
    ///
    /// Invariant: the image that was decided on takes them.
    pub records: Vec<MetadataRecord>,
    /// What the client is told.
    pub response: R,
}

/// A decision in the making: each change is made on the image with those before it.
pub(crate) struct Draft {
    /// The image with the changes.
    image: MetadataImage,
    records: Vec<MetadataRecord>,
}

impl Draft {
    pub(crate) fn new(image: &MetadataImage) -> Self {
        Self { image: image.clone(), records: Vec::new() }
    }

    /// The image with what was changed so far.
    pub(crate) fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Changes something.
    ///
    /// # Panics
    /// If the image doesn't take the record.
    pub(crate) fn push(&mut self, record: MetadataRecord) {
        self.image.apply(&record).expect("a decision fits the image that it is made on");
        self.records.push(record);
    }

    /// What was changed.
    pub(crate) fn into_records(self) -> Vec<MetadataRecord> {
        self.records
    }
}

/// How often each key is there: a request that names a thing twice says nothing clear about it.
pub(crate) fn occurrences<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut times = BTreeMap::new();
    keys.for_each(|key| *times.entry(key).or_default() += 1);
    times
}

/// An error's text as responses carry it.
pub(crate) fn message(error: &impl Display) -> Option<CompactString> {
    let mut text = CompactString::default();
    core::fmt::write(&mut text, format_args!("{error}")).expect("a string takes everything");
    Some(text)
}
