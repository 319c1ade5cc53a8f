//! What every request handler sees of the broker.

use std::ops::Range;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

use logboom_controller::MetadataImage;
use logboom_controller::config::{Effective, StaticConfig};
use logboom_protocol::units::Uuid;
use logboom_storage::Directory;

use crate::balancing::{Balancing, Placing};
use crate::cluster::{
    ANSWER_MAX, ControllerError, ControllerHandle, Others, Request, VoterChanges, decode_block,
    producer_ids,
};
use crate::coordination::Coordination;
use crate::handlers::FetchSessions;
use crate::metrics::Metrics;
use crate::partition::{Registry, ShardHandle};
use crate::server::AnswerDoor;

/// A running broker, as its request handlers see it.
pub(crate) struct Node {
    /// What it was started with.
    pub(crate) config: Arc<StaticConfig>,
    /// The cluster.
    pub(crate) cluster_id: Uuid,
    /// The data directory.
    pub(crate) directory: Arc<Directory>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// The partitions with a replica here.
    pub(crate) registry: Arc<Registry>,
    /// The shards, by their numbers.
    pub(crate) shards: Arc<[ShardHandle]>,
    /// Where changes of the metadata are decided.
    pub(crate) controller: ControllerHandle,
    /// The way to the broker that decides, unless this one is alone.
    pub(crate) others: Option<Arc<Others>>,
    /// Where it is changed who decides.
    pub(crate) voter_changes: VoterChanges,
    /// Where groups are asked.
    pub(crate) coordination: Coordination,
    /// Where new partitions go.
    pub(crate) placement: Arc<Placing>,
    /// The metadata that is in force; see [`Self::image`].
    pub(crate) published: Arc<ArcSwap<MetadataImage>>,
    /// Ids of this broker's block that are not handed out.
    pub(crate) producer_ids: Mutex<Range<i64>>,
    /// What clients fetch again and again.
    pub(crate) fetch_sessions: FetchSessions,
    /// Where loads are told, and asked for.
    pub(crate) balancing: Balancing,
    /// Memory of answers.
    pub(crate) answers: Arc<AnswerDoor>,
    /// True when the broker stops: who waits is to come to an end.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Node {
    /// The metadata that is in force.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        self.published.load_full()
    }

    /// An integer of this broker's configuration.
    pub(crate) fn integer(&self, name: &'static str) -> i64 {
        Effective::new(&self.image(), &self.config).broker_integer(name)
    }

    /// A number with a fraction of this broker's configuration.
    pub(crate) fn double(&self, name: &'static str) -> f64 {
        Effective::new(&self.image(), &self.config).broker_double(name)
    }

    /// A truth value of this broker's configuration.
    pub(crate) fn boolean(&self, name: &'static str) -> bool {
        Effective::new(&self.image(), &self.config).broker_boolean(name)
    }

    /// Whether there is room for new partitions, where this broker is alone with them. Others make
    /// theirs when they have room.
    ///
    /// # Errors
    /// [`ControllerError::NoRoom`].
    pub(crate) async fn check_room(&self) -> Result<(), ControllerError> {
        if self.others.is_some() || !self.directory.is_short() {
            return Ok(());
        }
        let directory = Arc::clone(&self.directory);
        let looked = tokio::task::spawn_blocking(move || directory.has_room()).await;
        if looked.unwrap_or(false) { Ok(()) } else { Err(ControllerError::NoRoom) }
    }

    /// An id that no other producer has, ever.
    ///
    /// # Errors
    /// [`ControllerError`] where a new block of them is needed and can't be had.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, ControllerError> {
        let mut block = self.producer_ids.lock().await;
        if block.is_empty() {
            *block = match &self.others {
                Some(others) if !self.controller.decides() => {
                    let answer = others.ask(&Request::ProducerIds, ANSWER_MAX).await?;
                    decode_block(answer).map_err(|_| ControllerError::NotController)?
                }
                _ => producer_ids(&self.controller).await?,
            };
        }
        block.next().ok_or(ControllerError::TooLarge)
    }
}

/// A random id.
pub(crate) fn random_id() -> Uuid {
    loop {
        let id = Uuid(random_bytes());
        // What begins with a dash would look like a flag where people paste it, and the first ids
        // are the reference's own.
        if !id.to_string().starts_with('-') && id.0[..8] != [0; 8] {
            return id;
        }
    }
}

/// Random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let flags = rustix::rand::GetRandomFlags::empty();
        // Interrupted at the most: the kernel has been up for longer than its pool needs.
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags).unwrap_or(0);
    }
    bytes
}
