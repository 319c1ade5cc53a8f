//! Decisions on brokers: who comes into the cluster, who is out of contact, who leaves.
//!
//! Must always hold: a broker's records name its newest registration; partitions are never taken
//! from a broker here, only given another data directory of the same broker.

mod contact;
mod register;
mod unregister;

pub use contact::{fence_brokers, unfence_brokers};
pub use register::{RegisterBroker, RegisterBrokerError, register_broker};
pub use unregister::unregister_broker;
