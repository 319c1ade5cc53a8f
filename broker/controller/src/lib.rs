//! The cluster's metadata as a pure state machine.
//!
//! ```text
//!   request ──▶ decision(image, request, context) ──▶ records + response
//!                        ▲                               │
//!                        │                      metadata log, committed
//!                        │                               │
//!                 MetadataImage ◀────── apply ───────────┴──▶ then the response leaves
//! ```
//!
//! [`record`] holds the facts and their bytes, [`image`] their fold, [`config`] the table of every
//! configuration. [`topics`], [`configs`], [`brokers`], [`leaders`], [`reassignments`],
//! [`features`] and [`producer_ids`] are the decisions.
//!
//! The crate knows no file, no socket, no clock and no chance: ids and places to begin come as
//! arguments, so that the same image and the same request give the same decision everywhere.
//!
//! **Invariant:** a decision looks at one image, and its records can be applied to that image.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod brokers;
pub mod config;
pub mod configs;
mod decision;
pub mod features;
pub mod image;
pub mod leaders;
pub mod producer_ids;
pub mod reassignments;
pub mod record;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
pub mod topics;

pub use decision::Decision;
pub use image::MetadataImage;
pub use record::MetadataRecord;
