//! The broker: everything that waits.
//!
//! ```text
//!   listener ─▶ shard threads, one a processor ─────────────┐
//!                 connections: frames ─▶ handlers           │ Command
//!                 partitions: replicas, their logs  ◀───────┘
//!                 shard 0 also: the controller's host
//!   flush threads: fdatasync ─▶ Command::Flushed
//!   state thread: the state store's rounds
//! ```
//!
//! A connection stays on the shard where it landed, and a partition on the shard that owns it; a
//! request crosses once in each direction where they differ. Reads of committed records need no
//! shard. Flushes wait on threads of their own.
//!
//! | module | knows |
//! | --- | --- |
//! | `server` | sockets and frames |
//! | `handlers` | requests, a file per API |
//! | `partition` | logs and those who wait for them |
//! | `cluster` | the metadata log, and what follows from it |
//! | `coordination` | consumer groups on their partitions |
//! | `peer` | connections to other brokers |
//! | `balancing` | what replicas take, and where they had better be |
//! | `cleaner`, `repair` | logs in the background: compaction, damage |
//! | `config` | what it is started with |
//! | `groundwork` | what there is of it before it serves |
//! | `metrics`, `admin` | what is counted, and who is told |

mod admin;
mod balancing;
mod cleaner;
mod clock;
mod cluster;
mod config;
mod coordination;
mod groundwork;
mod handlers;
mod lease;
mod limits;
mod machine;
mod metrics;
mod node;
mod panics;
mod partition;
mod peer;
#[cfg(test)]
mod power;
mod repair;
mod server;
mod start;
#[cfg(test)]
mod testing;
mod threads;
mod ticks;

pub use config::{
    Config, ConfigProblem, IGNORED, ListenerConfig, Origin, Quorum, QuorumVoter, Roles, Settings,
    SocketOptions,
};
pub use panics::end_on_panic;
pub use start::{Broker, StartError};
