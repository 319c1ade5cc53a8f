//! What the configuration and the system let in.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use logboom_controller::MetadataImage;
use logboom_controller::config::Effective;

use crate::config::Config;
use crate::node::Node;
use crate::server::Limits;

/// What a broker's configuration lets in.
pub(crate) fn of(node: &Node) -> Limits {
    let limit = |name| usize::try_from(node.integer(name)).unwrap_or(usize::MAX);
    Limits {
        connections: limit("max.connections"),
        connections_per_ip: limit("max.connections.per.ip"),
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

/// Raises the limit of open files as far as the system lets a process, and says how far that is.
pub(crate) fn raise_open_files() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current
}
