//! Consumer groups: who is in them, what they have committed, and being a member of one.
//!
//! ```text
//!   list  describe  offsets  delete        what an operator asks
//!     └──────┴───┬─────┴───────┘
//!            coordinator                    who answers for a group
//!                │
//!             member ── pulse               joins, shares, leaves; its heartbeats
//!                │        committer         its commits
//!                │
//!      assignor, subscription               who reads what, and the bytes that say so
//! ```
//!
//! **Invariant:** what concerns a group is asked of its coordinator, which is looked up anew after
//! every answer that says that it is another.

mod assignor;
mod committer;
mod coordinator;
mod delete;
mod describe;
mod list;
mod member;
mod offsets;
mod pulse;
mod subscription;
#[cfg(test)]
mod tests;

pub use assignor::{Assignor, UnknownAssignor};
pub use committer::Committer;
pub use describe::{GroupDescription, GroupMemberDescription};
pub use list::{GroupFilter, ListedGroup};
pub use member::{GroupMember, Joined, MemberConfig};
pub use offsets::{CommittedOffset, OffsetToCommit, PartitionOffset};
pub use pulse::Beat;
pub use subscription::Assignment;

use logboom_protocol::VersionRange;

/// The protocol type of consumers' groups.
pub(crate) const CONSUMER: &str = "consumer";

/// Versions from `min` on.
const fn from(min: i16) -> VersionRange {
    VersionRange { min, max: i16::MAX }
}
