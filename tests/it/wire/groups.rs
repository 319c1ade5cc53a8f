//! Statements 66 to 80: groups of the classic protocol, and what they commit.
//!
//! 72 (three real consumers that come and go) is in the tour of groups. Of 78 the answer for an
//! open transaction is a test of the coordinator itself: nobody writes transactions yet.

mod asked;
mod membership;
mod offsets;
