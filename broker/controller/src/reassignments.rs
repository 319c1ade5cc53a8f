//! Decisions on moves: which brokers are to have the copies of a partition.
//!
//! A move is a wish. The partition's leader brings the new replicas up to date, changes the voters,
//! and reports; the report ends the move. Nothing here waits for that.
//!
//! Must always hold: a wish names distinct brokers that are registered, with the data directories
//! that they are registered with; a wish that is taken back leaves what was.

mod alter;
mod error;
mod list;
mod relocate;

pub use alter::alter_partition_reassignments;
pub use error::ReassignmentError;
pub use list::list_partition_reassignments;
pub use relocate::{Relocation, RelocationKind, relocate};
