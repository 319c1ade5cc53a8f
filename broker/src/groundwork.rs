//! What a broker is made of before it is one of its cluster, and serves clients.
//!
//! A broker whose controllers are lost for good waits for them; what an operator needs to give them
//! up is here already.
//!
//! Must always hold: nothing of it depends on the metadata being served.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use logboom_controller::MetadataImage;
use logboom_storage::Directory;

use crate::cluster::{Others, Replicas};
use crate::metrics::Metrics;
use crate::node::Node;

/// A broker that starts, and later runs.
pub(crate) struct Groundwork {
    pub(crate) id: i32,
    pub(crate) directory: Arc<Directory>,
    pub(crate) metrics: Arc<Metrics>,
    /// Those that are open.
    pub(crate) replicas: Replicas,
    /// The metadata that are in force, as far as they are known.
    pub(crate) published: Arc<ArcSwap<MetadataImage>>,
    /// The way to other brokers, once the metadata log is open; never where there are none.
    pub(crate) others: OnceLock<Arc<Others>>,
    /// The broker, once it serves clients.
    pub(crate) node: Arc<OnceLock<Arc<Node>>>,
    /// True when the broker stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Groundwork {
    /// The metadata that are in force.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        self.published.load_full()
    }

    /// Why requests are not served as they should be, if so.
    pub(crate) fn unready(&self) -> Option<String> {
        if *self.stopping.borrow() {
            return Some("the broker stops".to_owned());
        }
        if let Some(failure) = self.directory.failure() {
            return Some(format!("the data directory is out of service: {failure}"));
        }
        let waits = "the broker starts, and isn't one of its cluster yet";
        self.node.get().is_none().then(|| waits.to_owned())
    }
}
