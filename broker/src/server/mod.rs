//! Sockets: frames in, frames out.
//!
//! A connection is a task on the shard where it landed. It reads frames as their bytes arrive,
//! hands them to [`crate::handlers`], and writes the answers in the order of the requests. Produce
//! requests are in flight together; any other waits until what came before it is answered, as in
//! the reference.
//!
//! Must always hold: whatever a peer sends costs a bounded amount of memory and nobody else's
//! service.

mod answers;
mod connection;
mod doors;
mod listener;
mod pace;
mod reader;
mod socket;
mod sparingly;

#[cfg(test)]
mod tests;

pub(crate) use answers::{AnswerDoor, AnswerPermit, Share};
pub(crate) use connection::Client;
pub(crate) use doors::{ConnectionLimits, Doors, Limits};
pub(crate) use listener::{Accepted, Listener, serve_shard};
pub(crate) use socket::listen;
pub(crate) use sparingly::Sparingly;
