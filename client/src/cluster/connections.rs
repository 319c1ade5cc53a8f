//! The connections of a cluster, one an address.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{BrokerAddress, ClientConfig, ClientError, Connection};

/// Held while connecting, so that callers who need the same broker connect once.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

/// Connections by address, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Mutex<BTreeMap<BrokerAddress, Slot>>,
    random: RandomState,
    drawn: AtomicU64,
}

impl Connections {
    /// The connection to `address`, a new one if there is none or it has ended.
    ///
    /// # Errors
    /// [`ClientError::Connection`].
    pub(super) async fn get(
        &self,
        address: &BrokerAddress,
        config: &ClientConfig,
    ) -> Result<Connection, ClientError> {
        let slot = Arc::clone(self.slots().entry(address.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| connection.is_usable()) {
            return Ok(connection.clone());
        }
        let connection = Connection::connect(address, config).await?;
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// Where connections stand that nobody is just making, those first whose brokers may answer
    /// soonest: a broker that hangs comes last. Which of equals comes first is chance.
    pub(super) fn standing(&self) -> Vec<BrokerAddress> {
        let draw = self.drawn.fetch_add(1, Ordering::Relaxed);
        let slots = self.slots();
        let owed = |slot: &Slot| {
            let slot = slot.try_lock().ok()?;
            slot.as_ref().filter(|connection| connection.is_usable()).map(Connection::owed)
        };
        let mut standing: Vec<_> =
            slots.iter().filter_map(|(address, slot)| Some((owed(slot)?, address))).collect();
        standing
            .sort_by_cached_key(|(owed, address)| (*owed, self.random.hash_one((draw, address))));
        standing.into_iter().map(|(_, address)| address.clone()).collect()
    }

    /// Lets go of the connections to all other addresses. They end with their last request.
    pub(super) fn keep_only(&self, addresses: &BTreeSet<&BrokerAddress>) {
        self.slots().retain(|address, _| addresses.contains(address));
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<BrokerAddress, Slot>> {
        // Every change of it is whole, so a panic elsewhere leaves it sound.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
