//! The controller's host: the metadata log, the image, and what follows from a change.
//!
//! ```text
//!   handler ─ decide(closure) ─▶ queue ─▶ decision on the newest image        where this broker
//!      │                                      │ records: one batch             leads the log
//!      │ call                                 ▼
//!      ▼                             the metadata log, a Raft group
//!   the broker that leads it                  │ what is committed
//!                                             ▼
//!      partitions made or removed ─▶ image published ─▶ response              on every broker
//! ```
//!
//! Must always hold: a response leaves only when its records are committed and this broker does
//! what they say; every image that is published is the fold of a committed prefix of the metadata
//! log.

mod calls;
mod compacted;
mod contacts;
mod controller;
mod founding;
mod homecoming;
mod metadata_log;
mod neighbours;
mod others;
mod reconcile;
mod recovery;
mod reports;
mod serve;
#[cfg(test)]
mod testing;
mod throttles;
mod voters;

pub(crate) use calls::{AskedBatches, Request, decode_block};
pub(crate) use compacted::compacted_by_all;
pub(crate) use controller::{Controller, ControllerError, ControllerHandle, load};
pub(crate) use founding::{begin_among_others, found_alone};
pub(crate) use metadata_log::{
    CHECKPOINT_ABOVE_BYTES, METADATA, METADATA_TOPIC, MetadataLog, MetadataLogError,
    settings as metadata_settings,
};
pub(crate) use neighbours::Neighbours;
pub(crate) use others::{ANSWER_MAX, AskError, Others};
pub(crate) use reconcile::Reconciler;
pub(crate) use recovery::{Replicas, Survey};
pub(crate) use reports::Reports;
pub(crate) use serve::{Desk, producer_ids, register};
pub(crate) use voters::{Change as VoterChange, Unfit, VoterChanges, VotersError};
