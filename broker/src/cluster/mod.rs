//! The controller's host: the metadata log, the image, and what follows from a change.
//!
//! ```text
//!   handler ─ decide(closure) ─▶ queue ─▶ decision on the newest image
//!                                             │ records: one batch of the metadata log
//!                                             ▼
//!                       flush ─▶ image published ─▶ partitions made or removed ─▶ response
//! ```
//!
//! Must always hold: a response leaves only when its records are durable and this broker does what
//! they say; every image that is published is the fold of a prefix of the metadata log.

mod controller;
mod metadata_log;
mod reconcile;

pub(crate) use controller::{Controller, ControllerError, ControllerHandle};
#[cfg(test)]
pub(crate) use metadata_log::METADATA;
pub(crate) use metadata_log::{MetadataLog, MetadataLogError, open_metadata};
pub(crate) use reconcile::Reconciler;
