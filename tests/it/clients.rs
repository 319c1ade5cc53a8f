//! Real clients against a stub broker: they produce what we read, and read what we build.
//!
//! With `LOGBOOM_RECORD=1` the tests also write the golden files that [`crate::golden`] replays.

pub(crate) mod consume;
mod ours;
pub(crate) mod produce;
