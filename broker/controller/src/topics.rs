//! Decisions on topics and their partitions.
//!
//! Must always hold: a request on several topics is decided topic by topic, so that good ones
//! succeed beside bad ones, and in the order of the request.

mod create;
mod delete;
mod error;
mod name;
mod partitions;
mod placement;

pub use create::{CreateContext, PARTITIONS_PER_REQUEST_MAX, create_topics};
pub use delete::delete_topics;
pub use error::{AssignmentError, TopicError};
pub use name::{NameError, check as check_name};
pub use partitions::create_partitions;
pub use placement::{InTurns, Placement, replicas_within_reach};

pub(crate) use placement::{check_assignment, directories};

#[cfg(test)]
mod tests;
