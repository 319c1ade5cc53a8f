//! The connections of a cluster, one an address.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{BrokerAddress, ClientConfig, ClientError, Connection};

/// The connection to an address, if one was made.
#[derive(Debug, Default)]
struct Slot {
    /// How often it couldn't be made.
    failures: AtomicU64,
    /// Held while connecting, so that callers who need the same broker connect once.
    made: tokio::sync::Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    connection: Option<Connection>,
    /// Why it couldn't be made the last time.
    failure: Option<ClientError>,
}

impl Made {
    fn usable(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|connection| connection.is_usable())
    }
}

/// Connections by address, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Mutex<BTreeMap<BrokerAddress, Arc<Slot>>>,
    random: RandomState,
    drawn: AtomicU64,
}

impl Connections {
    /// The connection to `address`, a new one if there is none or it has ended. Who waits while
    /// somebody else connects has what comes of that, unless the other one stops waiting.
    ///
    /// # Errors
    /// [`ClientError::Connection`].
    pub(super) async fn get(
        &self,
        address: &BrokerAddress,
        config: &ClientConfig,
    ) -> Result<Connection, ClientError> {
        let slot = Arc::clone(self.slots().entry(address.clone()).or_default());
        let failures = slot.failures.load(Ordering::Acquire);
        let mut made = slot.made.lock().await;
        if let Some(connection) = made.usable() {
            return Ok(connection.clone());
        }
        let has_failed = slot.failures.load(Ordering::Acquire) != failures;
        if let Some(failure) = made.failure.as_ref().filter(|_| has_failed) {
            return Err(failure.clone());
        }
        let connected = Connection::connect(address, config).await;
        if connected.is_err() {
            slot.failures.fetch_add(1, Ordering::Release);
        }
        *made = Made { connection: connected.clone().ok(), failure: connected.clone().err() };
        connected
    }

    /// Where connections stand that nobody is just making, those first whose brokers may answer
    /// soonest: a broker that hangs comes last. With each comes for how many seconds it has owed an
    /// answer. Which of equals comes first is chance.
    pub(super) fn standing(&self) -> Vec<(u64, BrokerAddress)> {
        let draw = self.drawn.fetch_add(1, Ordering::Relaxed);
        let slots = self.slots();
        let owed = |slot: &Slot| slot.made.try_lock().ok()?.usable().map(Connection::owed);
        let mut standing: Vec<_> =
            slots.iter().filter_map(|(address, slot)| Some((owed(slot)?, address))).collect();
        standing
            .sort_by_cached_key(|(owed, address)| (*owed, self.random.hash_one((draw, address))));
        standing.into_iter().map(|((late, _), address)| (late, address.clone())).collect()
    }

    /// Lets go of the connections to all other addresses. They end with their last request.
    pub(super) fn keep_only(&self, addresses: &BTreeSet<&BrokerAddress>) {
        self.slots().retain(|address, _| addresses.contains(address));
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<BrokerAddress, Arc<Slot>>> {
        // Every change of it is whole, so a panic elsewhere leaves it sound.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
