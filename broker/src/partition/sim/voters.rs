//! Operators who change who decides: voters of the metadata log come and go while everything else
//! goes wrong. What they are told to be done was in force.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use logboom_controller::MetadataImage;
use logboom_controller::brokers::unregister_broker;
use logboom_protocol::messages::unregister_broker::UnregisterBrokerRequest;
use logboom_raft::{ReplicaId, Voters};

use super::cluster::Cluster;
use super::groups::{METADATA_GROUP, place};
use super::operators::{Answered, Promise};
use super::oracle::Violation;
use crate::cluster::VoterChange;

/// A change of the voters that was made, as an operator was told.
pub(super) struct Changed {
    what: String,
    /// The last control entry that was committed when it was asked for.
    since: i64,
    /// Whether voters are such as it makes them.
    is_so: Box<dyn Fn(&Voters) -> bool>,
}

impl Cluster {
    /// The last voters of the metadata log that were settled.
    pub(super) fn deciding(&self) -> Option<&Voters> {
        self.subjects[METADATA_GROUP].controls.voters()
    }

    /// Whom a configuration names as those that decide: the founders, and whom operators wrote into
    /// it since.
    pub(super) fn named(&self) -> Vec<i32> {
        let deciding = self.deciding().into_iter().flat_map(Voters::all).map(|id| id.broker);
        let founders = 1..=i32::try_from(self.plan.voters).unwrap();
        let all: BTreeSet<i32> = founders.chain(deciding).collect();
        all.into_iter().collect()
    }

    /// Some broker is to decide, or isn't to any more.
    pub(super) fn change_voters(&mut self, asked: usize) {
        let at = self.chance.index(self.brokers.len());
        let id = self.brokers[at].id;
        let has_vote = |voters: &Voters| voters.all().any(|voter| voter.broker == id);
        if self.deciding().is_some_and(has_vote) {
            self.ask_voters(asked, VoterChange::Remove(ReplicaId::of(id)));
        } else {
            self.add_voter(asked, at);
        }
    }

    /// A broker is to decide, as far as the one that is asked knows it.
    pub(super) fn add_voter(&mut self, asked: usize, at: usize) {
        let id = self.brokers[at].id;
        let Some(process) = &self.brokers[asked].process else { return };
        let image = process.published.load_full();
        let Some(known) = image.node(id) else { return };
        let new = ReplicaId { broker: id, life: 0, directory: known.directory_id.0 };
        self.ask_voters(asked, VoterChange::Add(new));
    }

    /// Asks a broker for a change, and waits for its answer.
    pub(super) fn ask_voters(&mut self, asked: usize, change: VoterChange) {
        // Whichever directory it has.
        let change = match change {
            VoterChange::Remove(id) if id == ReplicaId::of(id.broker) => {
                VoterChange::Remove(ReplicaId { directory: [0; 16], ..id })
            }
            other => other,
        };
        let what = format!("{change:?}");
        self.tell(|| format!("{asked}: is asked: {what}"));
        let within = Duration::from_millis(self.chance.pick(&[300, 2_000, 8_000]));
        let since = self.subjects[METADATA_GROUP].controls.last();
        let Some(process) = &mut self.brokers[asked].process else { return };
        let Some(node) = process.node.clone() else { return };
        let changed = Rc::clone(&process.changed);
        process.tasks.spawn(async move {
            let is_known = |ReplicaId { broker, directory, .. }: ReplicaId| {
                node.image().node(broker).is_some_and(|known| known.directory_id.0 == directory)
            };
            if node.voter_changes.make(change, within, is_known).await.is_ok() {
                let is_so = Box::new(move |voters: &Voters| is_made(voters, change));
                changed.borrow_mut().push(Changed { what, since, is_so });
            }
        });
        self.run_soon(asked);
    }

    /// A broker is to be none of the cluster any more, unless it has a vote; it comes back when it
    /// starts again.
    pub(super) fn remove(&mut self, asked: usize, broker_id: i32) {
        let what = format!("remove broker {broker_id}");
        self.tell(|| format!("{asked}: is asked: {what}"));
        let since = self.metadata.end();
        let Some(process) = &mut self.brokers[asked].process else { return };
        let Some(node) = process.node.clone() else { return };
        let answered = Rc::clone(&process.answered);
        let decide = move |image: &MetadataImage| {
            let decision = unregister_broker(image, &UnregisterBrokerRequest { broker_id });
            let is_gone = move |image: &MetadataImage| image.node(broker_id).is_none();
            super::operators::decided(decision, Box::new(is_gone) as Promise)
        };
        process.tasks.spawn(async move {
            let changes = &node.voter_changes;
            let claim = changes.claim(broker_id);
            let may_go = claim.is_some() && !changes.has_vote(broker_id).await;
            let promise = match may_go {
                true => node.controller.decide(decide).await.ok().flatten(),
                false => None,
            };
            drop(claim);
            answered.borrow_mut().push(Answered { what, since, promise });
        });
        self.run_soon(asked);
    }

    /// Looks at what a broker has answered to those who change the voters.
    pub(super) fn check_changed(&mut self, at: usize) -> Result<(), Violation> {
        let Some(process) = &self.brokers[at].process else { return Ok(()) };
        let changed = std::mem::take(&mut *process.changed.borrow_mut());
        for Changed { what, since, is_so } in changed {
            let controls = &self.subjects[METADATA_GROUP].controls;
            if !controls.settled_since(since).any(&is_so) {
                return Err(format!("{at}: says that the voters have changed: {what}"));
            }
            self.totals.voters += 1;
            self.tell(|| format!("{at}: the voters have changed: {what}"));
        }
        Ok(())
    }

    /// Whether the data directory of a replica is gone.
    pub(super) fn is_gone(&self, id: ReplicaId) -> bool {
        self.brokers[place(id.broker)].directory.0 != id.directory
    }
}

/// Whether voters are those after a change.
fn is_made(voters: &Voters, change: VoterChange) -> bool {
    let (id, is_added) = match change {
        VoterChange::Add(id) => (id, true),
        VoterChange::Remove(id) => (id, false),
    };
    let is_it = |voter: ReplicaId| {
        voter.broker == id.broker && [voter.directory, [0; 16]].contains(&id.directory)
    };
    voters.all().any(is_it) == is_added
}
