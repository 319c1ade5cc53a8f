//! Data directories that are lost: a broker comes back with an empty disk, and is somebody else.
//!
//! It isn't let in under its number until an operator has taken its vote away, where it decided,
//! and removed it. Then it is given anew what the partitions name it for, as a learner at first.
//! Only so many are lost that nothing acknowledged may be: of all who vote in a group, as anybody
//! knows them, most have what they had. Where a topic was asked for before and is made behind that,
//! most of a group's founders may be gone before it has begun: an operator deletes it.

use logboom_controller::record::Partition;
use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;
use logboom_raft::{ReplicaId, Voters};
use logboom_storage::sim::SimDisk;

use super::cluster::Cluster;
use super::plan::MILLISECOND;
use super::queue::Event;
use crate::cluster::VoterChange;

/// A broker whose data directory was lost, until it is one of the cluster again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    /// Whether it is to be given the vote again that it had.
    is_to_decide: bool,
}

/// The replicas that a partition is to have.
fn replicas(partition: &Partition) -> Voters {
    let all = partition.replicas.iter().zip(&partition.directories);
    let id = |(&broker, &Uuid(directory))| ReplicaId { broker, life: 0, directory };
    Voters::of(all.map(id).collect::<Vec<_>>())
}

impl Cluster {
    /// A broker loses its data directory, where that may be.
    pub(super) fn lose_directory(&mut self, at: usize) {
        let Some(known) = self.metadata.newest().node(self.brokers[at].id) else { return };
        let is_one = known.directory_id == self.brokers[at].directory;
        if !is_one || self.brokers[at].lost.is_some() || !self.may_lose_directory(at) {
            return;
        }
        let id = self.brokers[at].id;
        let decides = |voters: &Voters| voters.all().any(|voter| voter.broker == id);
        let is_to_decide = self.deciding().is_some_and(decides) && self.chance.permille(700);
        if self.brokers[at].is_up() {
            let is_silent = self.chance.permille(500);
            self.end_now(at, None, is_silent && self.may_lose(at));
        }
        self.tell(|| format!("{at}: its data directory is lost"));
        self.totals.lost += 1;
        let broker = &mut self.brokers[at];
        (broker.disk, broker.directory) = (SimDisk::new(), Uuid::default());
        broker.lost = Some(Lost { is_to_decide });
        let longest = self.chance.pick(&[20, 1_000, 4_000]);
        let time = self.now + self.chance.between(1, longest) * MILLISECOND;
        self.queue.push(time, Event::Starts { at });
    }

    /// Whether nothing that was acknowledged is lost with a broker's data directory.
    fn may_lose_directory(&self, at: usize) -> bool {
        let is_sound = |id: &ReplicaId| id.broker != self.brokers[at].id && !self.is_gone(*id);
        (0..self.subjects.len()).filter(|group| !self.subjects[*group].is_deleted).all(|group| {
            // Those who found a group may not have begun yet.
            let founders = self.partition(group).filter(|it| it.is_founding).map(replicas);
            let are_enough = |voters: Voters| voters.have_majority(|id| is_sound(&id));
            self.keeps_enough(group, at) && founders.is_none_or(are_enough)
        })
    }

    /// A topic with a group that can't begin, because most of its founders are gone.
    fn never_begun(&self) -> Option<(Uuid, CompactString)> {
        let image = self.metadata.newest();
        let group = (0..self.subjects.len()).find(|group| {
            let partition = self.partition(*group).filter(|it| it.is_founding);
            let is_there = |id: &ReplicaId| !self.is_gone(*id);
            partition.is_some_and(|it| !replicas(it).have_majority(|id| is_there(&id)))
        })?;
        let topic = image.topic(self.subjects[group].key.topic_id)?;
        Some((topic.id(), topic.name().into()))
    }

    /// An operator does what is next for those that have lost their data directories.
    pub(super) fn look_after_lost(&mut self) {
        let Some(asked) = self.controller() else { return };
        let gone = self.deciding().and_then(|voters| voters.all().find(|id| self.is_gone(*id)));
        if let Some(gone) = gone {
            return self.ask_voters(asked, VoterChange::Remove(gone));
        }
        if let Some((topic_id, name)) = self.never_begun() {
            let wanted = self.deletion_of(asked, topic_id, name);
            return self.ask(asked, wanted);
        }
        for at in 0..self.brokers.len() {
            let (broker, image) = (&self.brokers[at], self.metadata.newest());
            let (Some(lost), id) = (broker.lost, broker.id) else { continue };
            // One that isn't known comes in when it starts.
            let Some(known) = image.node(id) else { continue };
            let votes = self.deciding().is_some_and(|it| it.all().any(|it| it.broker == id));
            if known.directory_id != broker.directory {
                self.remove(asked, id);
            } else if lost.is_to_decide && !votes {
                self.add_voter(asked, at);
            } else {
                self.tell(|| format!("{at}: is one of the cluster again"));
                self.brokers[at].lost = None;
            }
        }
    }
}
