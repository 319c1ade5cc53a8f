// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! Written by `cargo xtask generate`; see [`crate::messages`].

pub(crate) mod api_key;
pub(crate) mod messages;
