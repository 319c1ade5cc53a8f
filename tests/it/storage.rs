//! The storage from outside: real processes, real file systems, real failures.
//!
//! `storage-load` (see `logboom_tests::load`) is the process that is killed, starved and failed;
//! what it printed before is what must be there when its directory is opened again.
//!
//! Must always hold: a check that can't be made here says `SKIPPED` and why.

mod clock;
mod flips;
mod full;
mod index;
mod injected;
mod kill;
mod opening;
mod process;
mod promises;

pub(crate) use injected::strace;

/// A size that `cargo xtask soak storage` makes large.
pub(crate) fn size(name: &str, small: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(small, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}
