//! Offsets, epochs and ids: the words of the field as types.
//!
//! A value of one of these types has been checked: an [`Offset`] is never negative, a
//! [`LeaderEpoch`] neither. What a client sent stays a plain integer (in
//! `logboom_protocol::messages`) until somebody has looked at it, because the wire uses −1, −2 and
//! other sentinels that are no offsets. Types come with their first user.
//!
//! The crate has no dependencies and no I/O, so that the Raft core may use it.

#![no_std]

mod group_key;
mod numbers;
mod uuid;

pub use group_key::GroupKey;
pub use numbers::{LeaderEpoch, Negative, Offset};
pub use uuid::{Uuid, UuidParseError};
