//! Changes of those that decide: the voters of the metadata log.
//!
//! Which voters there are stands in the log alone. A change is a wish that its leader is told, and
//! is over when the log has committed it, or when it takes too long: then it is taken back, which
//! needs only the voters from before. A leader that is elected while one is under way takes it back
//! as well, since nobody else knows of it.
//!
//! Must always hold: one change is under way at a time, and it is of one voter; nobody is given a
//! vote who is being removed from the cluster, nor removed who is being given one.

use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use logboom_controller::record::NO_BROKER;
use logboom_protocol::units::Uuid;
use logboom_raft::ReplicaId;

use super::metadata_log::METADATA;
use crate::partition::{Command, Electorate, ShardHandle, Surroundings, Wish, millis};
use crate::peer::{PeerId, lane_of, shard_of};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long is waited for a change to be taken back.
const BACK_MAX: Duration = Duration::from_secs(2);

/// Why a change isn't made, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VotersError {
    /// This broker doesn't lead the metadata log, or not any more.
    NotLeader,
    /// Another change is under way.
    Busy,
    /// It was taken back: the new voters didn't come so far in time.
    TimedOut,
    /// It can't be, for what is given.
    Unfit(Unfit),
}

/// What can't be of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The one that is to be added is none of the cluster, or not with that directory.
    Unknown,
    /// The one that is to be added is a voter.
    HasVote,
    /// The one that is to be removed is none.
    HasNone,
    /// It is the only one.
    Last,
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Somebody who has the log is to vote.
    Add(ReplicaId),
    /// A voter is to be none, in whatever life; in whatever directory, where that is zero.
    Remove(ReplicaId),
}

/// Where the voters of the metadata log are changed.
pub(crate) struct VoterChanges {
    /// The one that has the metadata log.
    shard: ShardHandle,
    around: Arc<dyn Surroundings>,
    under_way: Mutex<()>,
    /// Brokers that are being given a vote, or removed from the cluster.
    claimed: SyncMutex<Vec<i32>>,
}

/// Nobody else gives a broker a vote or removes it as long as this lives.
#[must_use]
pub(crate) struct Claim<'a> {
    changes: &'a VoterChanges,
    broker: i32,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.changes.claims().retain(|broker| *broker != self.broker);
    }
}

impl VoterChanges {
    /// - `shards`: all, one of which has the metadata log.
    pub(crate) fn new(shards: &[ShardHandle], around: Arc<dyn Surroundings>) -> Self {
        let shard = shards[shard_of(lane_of(&METADATA), shards.len())].clone();
        Self { shard, around, under_way: Mutex::default(), claimed: SyncMutex::default() }
    }

    /// Makes a change; it is in force when this returns.
    ///
    /// - `within`: what takes longer is taken back.
    /// - `is_known`: whether the one that is to be added is one of the cluster; asked when nobody
    ///   can remove it any more.
    ///
    /// # Errors
    /// [`VotersError`].
    pub(crate) async fn make(
        &self,
        change: Change,
        within: Duration,
        is_known: impl FnOnce(ReplicaId) -> bool,
    ) -> Result<(), VotersError> {
        let deadline = self.around.boot_ms().saturating_add(millis(within));
        let Ok(_turn) = self.under_way.try_lock() else { return Err(VotersError::Busy) };
        let newcomer = match change {
            Change::Add(id) => Some((self.claim(id.broker).ok_or(VotersError::Busy)?, id)),
            Change::Remove(_) => None,
        };
        let before = self.electorate().await?;
        if !before.leads {
            return Err(VotersError::NotLeader);
        }
        if !before.is_settled {
            return Err(VotersError::Busy);
        }
        if newcomer.as_ref().is_some_and(|(_, id)| !is_known(*id)) {
            return Err(VotersError::Unfit(Unfit::Unknown));
        }
        let voters = changed(&before.voters.incoming, change).map_err(VotersError::Unfit)?;
        let generation = before.voters.generation + 1;
        self.wish(&voters, generation);
        let made = self.comes(&voters, deadline).await;
        if made == Err(VotersError::TimedOut) {
            let back = &before.voters.incoming;
            self.wish(back, generation + 1);
            // Until it is taken back nobody may take the newcomer away, nor change anything else.
            let deadline = self.around.boot_ms().saturating_add(millis(BACK_MAX));
            self.comes(back, deadline).await.ok();
        }
        drop(newcomer);
        made
    }

    /// Waits until these are the voters.
    async fn comes(&self, voters: &[ReplicaId], deadline: u64) -> Result<(), VotersError> {
        loop {
            self.around.pause(LOOK_EVERY).await;
            let now = self.electorate().await?;
            if now.is_settled && *now.voters.incoming == *voters {
                return Ok(());
            }
            if !now.leads {
                return Err(VotersError::NotLeader);
            }
            if self.around.boot_ms() >= deadline {
                return Err(VotersError::TimedOut);
            }
        }
    }

    /// Keeps a broker from being given a vote, or removed, by somebody else; `None` where somebody
    /// is at that.
    pub(crate) fn claim(&self, broker: i32) -> Option<Claim<'_>> {
        let mut claimed = self.claims();
        if claimed.contains(&broker) {
            return None;
        }
        claimed.push(broker);
        Some(Claim { changes: self, broker })
    }

    fn claims(&self) -> MutexGuard<'_, Vec<i32>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a broker has a vote, as far as is known here.
    pub(crate) async fn has_vote(&self, broker: i32) -> bool {
        let known = self.electorate().await;
        known.is_ok_and(|known| known.voters.all().any(|id| id.broker == broker))
    }

    /// Whether a node has a vote with its data directory, as far as is known here.
    pub(crate) async fn votes(&self, node: PeerId) -> bool {
        let is_it = |id: &ReplicaId| (id.broker, Uuid(id.directory)) == (node.node, node.directory);
        self.electorate().await.is_ok_and(|known| known.voters.all().any(|id| is_it(&id)))
    }

    fn wish(&self, voters: &[ReplicaId], generation: i64) {
        let (voters, leader) = (voters.into(), NO_BROKER);
        let wish = Wish { voters, generation, leader, is_wished: false };
        self.shard.send(Command::Wish(METADATA, wish));
    }

    async fn electorate(&self) -> Result<Electorate, VotersError> {
        let (reply, answer) = oneshot::channel();
        self.shard.send(Command::Electorate(METADATA, reply));
        answer.await.map_err(|_| VotersError::NotLeader)
    }
}

/// The voters after a change.
fn changed(voters: &[ReplicaId], change: Change) -> Result<Arc<[ReplicaId]>, Unfit> {
    let is_it = |old: &ReplicaId, id: &ReplicaId| {
        id.broker == old.broker && [id.directory, [0; 16]].contains(&old.directory)
    };
    match change {
        Change::Add(new) if voters.iter().any(|id| id.broker == new.broker) => Err(Unfit::HasVote),
        Change::Add(new) => Ok(voters.iter().copied().chain([new]).collect()),
        Change::Remove(old) if !voters.iter().any(|id| is_it(&old, id)) => Err(Unfit::HasNone),
        Change::Remove(_) if voters.len() == 1 => Err(Unfit::Last),
        Change::Remove(old) => Ok(voters.iter().copied().filter(|id| !is_it(&old, id)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Process;
    use logboom_raft::Voters;

    #[tokio::test]
    async fn nobody_is_given_a_vote_while_it_is_removed_nor_one_that_is_gone() {
        let (shard, mut commands) = ShardHandle::channel();
        let changes = VoterChanges::new(&[shard], Arc::new(Process));
        tokio::spawn(async move {
            while let Some(command) = commands.recv().await {
                let Command::Electorate(_, reply) = command else { continue };
                let voters = Arc::new(Voters::of([ReplicaId::of(1)]));
                drop(reply.send(Electorate { voters, is_settled: true, leads: true }));
            }
        });
        let removal = changes.claim(4).unwrap();
        assert!(changes.claim(4).is_none() && changes.claim(5).is_some());
        let (add, within) = (Change::Add(ReplicaId::of(4)), Duration::ZERO);
        assert_eq!(changes.make(add, within, |_| true).await, Err(VotersError::Busy));
        drop(removal);
        let unknown = Err(VotersError::Unfit(Unfit::Unknown));
        assert_eq!(changes.make(add, within, |_| false).await, unknown);
        assert!(changes.claim(4).is_some(), "whoever gives up lets go");
    }

    #[test]
    fn one_voter_comes_or_goes() {
        let id = |broker, life| ReplicaId { life, ..ReplicaId::of(broker) };
        let elsewhere = ReplicaId { directory: [9; 16], ..id(2, 0) };
        let voters = [id(1, 0), ReplicaId { directory: [8; 16], ..id(2, 3) }];
        let brokers = |change| {
            let after = changed(&voters, change);
            after.map(|ids| ids.iter().map(|id| id.broker).collect::<Vec<_>>())
        };
        assert_eq!(brokers(Change::Add(id(4, 0))), Ok(vec![1, 2, 4]));
        assert_eq!(brokers(Change::Remove(id(2, 0))), Ok(vec![1]));
        assert_eq!(brokers(Change::Add(elsewhere)), Err(Unfit::HasVote));
        assert_eq!(brokers(Change::Remove(elsewhere)), Err(Unfit::HasNone));
        assert_eq!(brokers(Change::Remove(id(7, 0))), Err(Unfit::HasNone));
        assert_eq!(changed(&voters[..1], Change::Remove(id(1, 0))), Err(Unfit::Last));
    }
}
