//! Sets of voters, each held once however many groups have it: thousands of groups share few.
//!
//! Must always hold: what is kept here is bounded. A set that is kept no more is only held a second
//! time by the groups that come later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use logboom_raft::{ReplicaId, Voters};

use super::entries::{self, BadEntry};

/// The most sets that are kept: as many as there are ways to choose three of eleven brokers, in
/// their order.
const SETS_MAX: usize = 1_000;

/// Sets of voters, by the payloads that name them.
#[derive(Debug, Default)]
pub(super) struct VoterSets(Mutex<HashMap<Bytes, Arc<Voters>>>);

impl VoterSets {
    /// The voters that an entry of the state store names.
    pub(super) fn named(&self, payload: &Bytes) -> Result<Arc<Voters>, BadEntry> {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sets.get(payload) {
            return Ok(Arc::clone(known));
        }
        let voters = Arc::new(entries::voters(payload)?);
        if sets.len() == SETS_MAX {
            sets.clear();
        }
        sets.insert(payload.clone(), Arc::clone(&voters));
        Ok(voters)
    }

    /// A list of replicas, as it stands in the set that it is.
    pub(super) fn list(&self, ids: Arc<[ReplicaId]>) -> Arc<[ReplicaId]> {
        let payload = entries::payload(&Voters::of(Arc::clone(&ids)));
        self.named(&payload).map_or(ids, |voters| Arc::clone(&voters.incoming))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(of: usize) -> Arc<[ReplicaId]> {
        let broker = i32::try_from(of).unwrap();
        [ReplicaId::of(broker), ReplicaId::of(broker + 1)].into()
    }

    #[test]
    fn a_set_is_held_once() {
        let sets = VoterSets::default();
        let [one, again, other] = [1, 1, 2].map(|of| sets.list(list(of)));
        assert!(Arc::ptr_eq(&one, &again) && one == list(1) && other == list(2));
        let named = sets.named(&entries::payload(&Voters::of(list(1)))).unwrap();
        assert!(Arc::ptr_eq(&named.incoming, &one));
    }

    #[test]
    fn no_more_than_the_most_are_kept() {
        let sets = VoterSets::default();
        for of in 0..3 * SETS_MAX {
            assert_eq!(sets.list(list(of)), list(of));
            assert!(sets.0.lock().unwrap().len() <= SETS_MAX);
        }
    }

    #[test]
    fn what_is_no_set_of_ours_is_refused_and_not_kept() {
        let sets = VoterSets::default();
        assert_eq!(sets.named(&Bytes::from_static(&[7; 13])), Err(BadEntry));
        assert!(sets.0.lock().unwrap().is_empty());
    }
}
