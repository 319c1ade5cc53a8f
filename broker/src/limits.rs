//! What the configuration and the system let in.

use std::io;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use logboom_controller::MetadataImage;
use logboom_controller::config::Effective;
use logboom_storage::state::StateOptions;

use crate::config::Config;
use crate::node::Node;
use crate::server::{ConnectionLimits, Limits};

/// The reserve of the state store is one part in so many of the disk, up to its default.
const RESERVED_PART: u64 = 32;
/// Room for some ten thousand small records.
const RESERVE_BYTES_MIN: u64 = 1 << 20;

/// The connections that a broker's configuration lets in at this moment.
pub(crate) fn connections(node: &Node) -> ConnectionLimits {
    let limit = |name| usize::try_from(node.integer(name)).unwrap_or(usize::MAX);
    ConnectionLimits { all: limit("max.connections"), per_ip: limit("max.connections.per.ip") }
}

/// The requests that a broker's configuration lets in.
pub(crate) fn of(node: &Node) -> Limits {
    let limit = |name| usize::try_from(node.integer(name)).unwrap_or(usize::MAX);
    Limits {
        request_bytes: limit("socket.request.max.bytes"),
        queued_bytes: limit("queued.max.request.bytes"),
    }
}

/// Bytes that answers may take which are not sent.
pub(crate) fn answer_bytes(config: &Config) -> usize {
    // Read-only, so no image can change it.
    let image = MetadataImage::default();
    let effective = Effective::new(&image, &config.settings);
    usize::try_from(effective.broker_integer("queued.max.response.bytes")).unwrap_or(usize::MAX)
}

/// Bytes of the file system of `root`, which exists.
pub(crate) fn disk_bytes(root: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(root)?;
    Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
}

/// Bytes of the file system of `root` that this process may still take.
pub(crate) fn free_bytes(root: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(root)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What the state store reserves on a disk of so many bytes: a small one is there for records.
pub(crate) fn state(disk_bytes: u64) -> StateOptions {
    let whole = StateOptions::default();
    let reserve_bytes = (disk_bytes / RESERVED_PART).clamp(RESERVE_BYTES_MIN, whole.reserve_bytes);
    let part = whole.reserve_bytes / whole.checkpoint_bytes;
    StateOptions { reserve_bytes, checkpoint_bytes: reserve_bytes / part }
}

/// Raises the limit of open files as far as the system lets a process, and says how far that is.
pub(crate) fn raise_open_files() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_of_the_state_store_fits_its_disk() {
        let reserve = |disk_bytes| state(disk_bytes).reserve_bytes;
        assert_eq!(reserve(64 << 20), 2 << 20);
        assert_eq!(reserve(8 << 20), RESERVE_BYTES_MIN);
        assert_eq!(reserve(1 << 40), StateOptions::default().reserve_bytes);
        assert_eq!(state(1 << 40), StateOptions::default());
        let StateOptions { reserve_bytes, checkpoint_bytes } = state(64 << 20);
        assert!(checkpoint_bytes <= reserve_bytes / 2, "as the store demands");
    }
}
