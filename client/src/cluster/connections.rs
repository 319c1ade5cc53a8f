//! The connections of a cluster, one an address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{BrokerAddress, ClientConfig, ClientError, Connection};

/// Held while connecting, so that callers who need the same broker connect once.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

/// Connections by address, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Mutex<BTreeMap<BrokerAddress, Slot>>,
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
    /// soonest: a broker that hangs comes last.
    pub(super) fn standing(&self) -> Vec<BrokerAddress> {
        let slots = self.slots();
        let owed = |slot: &Slot| {
            let slot = slot.try_lock().ok()?;
            slot.as_ref().filter(|connection| connection.is_usable()).map(Connection::owed)
        };
        let mut standing: Vec<_> =
            slots.iter().filter_map(|(address, slot)| Some((owed(slot)?, address))).collect();
        standing.sort();
        standing.into_iter().map(|(_, address)| address.clone()).collect()
    }

    /// Lets go of the connections to all other addresses. They end with their last request.
    pub(super) fn keep_only<'a>(&self, addresses: impl Iterator<Item = &'a BrokerAddress>) {
        let addresses: BTreeSet<_> = addresses.collect();
        self.slots().retain(|address, _| addresses.contains(address));
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<BrokerAddress, Slot>> {
        // Every change of it is whole, so a panic elsewhere leaves it sound.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
