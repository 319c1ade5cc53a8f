//! The two messages that carry the records, by hand.
//!
//! A produce request is checked in one pass and then visited, partition by partition, without a
//! list in between; a fetch response is a rope of small buffers and of slices that the log lends.
//! The generated messages of the same APIs are for everybody who isn't in a hurry, and for the
//! tests, which hold the two against each other.
//!
//! **Invariant:** no record is copied, and a produce request is decoded without allocating.

mod fetch;
mod produce_request;
mod produce_visit;
mod rope;
mod topics_writer;

pub use fetch::{FetchResponseHead, FetchResponseWriter, PartitionHead};
pub use produce_request::{ProduceRequestHead, ProduceRequestWriter};
pub use produce_visit::{PartitionRecords, ProduceVisit};
pub use rope::Rope;

use crate::units::Uuid;

/// How a message names a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicRef<'a> {
    /// By name: Produce and Fetch up to version 12.
    Name(&'a str),
    /// By id: from version 13 on (KIP-516).
    Id(Uuid),
}

#[cfg(test)]
mod tests;
