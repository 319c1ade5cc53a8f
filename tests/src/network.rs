//! A network that goes wrong as it is told: hosts, on each of which a broker runs.
//!
//! | | where | what carries bytes |
//! | --- | --- | --- |
//! | [`Namespaces`] | a namespace for each host, which only root may make | the kernel |
//! | [`Relays`] | a loopback address for each host, anywhere | this process, stream by stream |
//!
//! Must always hold: hosts are numbered from 1, and what was made is gone with the value.

mod namespaces;
mod relays;

use std::time::Duration;

pub use self::namespaces::Namespaces;
pub use self::relays::Relays;
use crate::broker::Site;

/// What of a host is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// What it receives and what it sends.
    Both,
    /// What it receives.
    In,
    /// What it sends.
    Out,
}

/// With whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Everybody, this process included.
    All,
    /// These hosts.
    Hosts(Vec<usize>),
}

/// What can be done to hosts; what was done to one before may be undone by it.
///
/// # Errors
/// What the system says.
pub trait Network {
    /// Where a broker runs that is on a host.
    fn site(&self, host: usize) -> Site;

    /// Nothing comes to a host, or from it.
    ///
    /// # Errors
    /// What the system says.
    fn cut(&mut self, host: usize, ways: Ways, whom: &Whom) -> Result<(), String>;

    /// So many of a hundred packets are lost that are on their way to a host.
    ///
    /// # Errors
    /// What the system says.
    fn lose(&mut self, host: usize, percent: u32) -> Result<(), String>;

    /// A host sends no more than so much.
    ///
    /// # Errors
    /// What the system says.
    fn limit(&mut self, host: usize, kilobits: u32) -> Result<(), String>;

    /// What a host receives and what it sends is late, in order.
    ///
    /// - `least`: what everything waits, or up to twice as long, as `seed` says.
    ///
    /// # Errors
    /// What the system says.
    fn delay(&mut self, host: usize, least: Duration, seed: u64) -> Result<(), String>;

    /// Undoes whatever was done to a host.
    fn heal(&mut self, host: usize);
}
