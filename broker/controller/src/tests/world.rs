//! A cluster to which steps happen, and what must hold after each.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use logboom_protocol::CompactString;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use logboom_protocol::messages::elect_leaders::ElectLeadersRequest;
use logboom_protocol::messages::unregister_broker::UnregisterBrokerRequest;
use logboom_protocol::units::Uuid;

use super::step::{News, Step, Voters};
use crate::brokers::{
    RegisterBroker, fence_brokers, register_broker, unfence_brokers, unregister_broker,
};
use crate::config::StaticConfig;
use crate::leaders::{elect_leaders, report_leaders};
use crate::reassignments::alter_partition_reassignments;
use crate::record::{BrokerRegistration, LeaderReport, NO_BROKER, Partition};
use crate::samples::{broker, id};
use crate::topics::{CreateContext, InTurns, create_partitions, create_topics, delete_topics};
use crate::{MetadataImage, MetadataRecord};

/// A cluster.
#[derive(Default)]
pub(super) struct World {
    image: MetadataImage,
    /// Everything that was decided.
    records: Vec<MetadataRecord>,
    /// Topics made so far; each has an id of its own.
    topics: u128,
    pub(super) counts: Counts,
}

/// How often something happened.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) moves_begun: usize,
    pub(super) moves_done: usize,
    pub(super) elections: usize,
}

impl Counts {
    fn count(&mut self, step: &Step, before: &Partition, after: &Partition) {
        let is_report = matches!(step, Step::Report { .. });
        self.moves_begun += usize::from(!before.is_moving() && after.is_moving());
        self.moves_done += usize::from(is_report && before.is_moving() && !after.is_moving());
        self.elections += usize::from(after.leader_epoch > before.leader_epoch);
    }
}

fn name(topic: u8) -> CompactString {
    format!("t{topic}").into()
}

impl World {
    /// Lets a step happen.
    pub(super) fn take(&mut self, step: &Step) {
        let records = self.decide(step);
        let next = self.image.with(&records);
        let next = next.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        self.check_step(step, &next);
        self.records.extend(records);
        self.image = next;
    }

    fn decide(&mut self, step: &Step) -> Vec<MetadataRecord> {
        let image = &self.image;
        match step {
            Step::Register { id, rack, directory } => register(image, *id, *rack, *directory),
            Step::Fence(ids) => fence_brokers(image, ids.iter().copied()).records,
            Step::Unfence(ids) => unfence_brokers(image, ids.iter().copied()).records,
            Step::Unregister(broker_id) => {
                let request = UnregisterBrokerRequest { broker_id: *broker_id };
                unregister_broker(image, &request).records
            }
            Step::Create { topic, partitions, replicas } => {
                self.create(name(*topic), *partitions, *replicas)
            }
            Step::Grow { topic, count } => {
                let topic =
                    CreatePartitionsTopic { name: name(*topic), count: *count, assignments: None };
                let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
                let config = StaticConfig::default();
                create_partitions(image, &request, &config, &mut InTurns(0), |_| false).records
            }
            Step::Delete { topic } => {
                let state = DeleteTopicState { name: Some(name(*topic)), topic_id: Uuid::ZERO };
                let request = DeleteTopicsRequest { topics: vec![state], ..Default::default() };
                delete_topics(image, &request, 6, &StaticConfig::default()).records
            }
            Step::Reassign { topic, index, replicas } => {
                let request = reassignment(*topic, *index, replicas.as_deref());
                alter_partition_reassignments(image, &request).records
            }
            Step::Elect { kind } => {
                let request = ElectLeadersRequest {
                    election_type: *kind,
                    topic_partitions: None,
                    ..ElectLeadersRequest::default()
                };
                elect_leaders(image, &request).records
            }
            Step::Report { topic, index, news } => {
                report_leaders(image, self.report(*topic, *index, news)).records
            }
        }
    }

    fn create(
        &mut self,
        name: CompactString,
        partitions: i32,
        replicas: i16,
    ) -> Vec<MetadataRecord> {
        self.topics += 1;
        let topic = CreatableTopic {
            name,
            num_partitions: partitions,
            replication_factor: replicas,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let broker = StaticConfig::default();
        let topic_ids = [id(self.topics)].into_iter();
        let placement = InTurns(usize::try_from(self.topics).unwrap());
        let mut context = CreateContext { broker: &broker, topic_ids, placement };
        create_topics(&self.image, &request, &mut context).records
    }

    fn report(&self, topic: u8, index: i32, news: &News) -> Option<LeaderReport> {
        let topic = self.image.topic_named(&name(topic))?;
        let known = topic.partition(index)?;
        let (voters, voter_directories) = match news.voters {
            Voters::AsKnown => known.voters(),
            Voters::AsWished => known.wish(),
            Voters::Before => (&*known.replicas, &*known.directories),
        };
        let leader = news.leader.and_then(|place| voters.get(place));
        Some(LeaderReport {
            topic_id: topic.id(),
            index,
            leader: leader.copied().unwrap_or(NO_BROKER),
            leader_epoch: known.leader_epoch + news.epochs,
            control_sequence: known.control_sequence + news.controls,
            voters: voters.to_vec(),
            voter_directories: voter_directories.to_vec(),
            isr: voters[..1].to_vec(),
        })
    }

    /// Checks what a step has changed.
    fn check_step(&mut self, step: &Step, next: &MetadataImage) {
        for topic in next.topics() {
            for (index, after) in (0..).zip(topic.partitions()) {
                check_lists(after);
                match self.image.partition(topic.id(), index) {
                    Some(before) => {
                        check_change(step, before, after, next);
                        self.counts.count(step, before, after);
                    }
                    None => check_new(after, next),
                }
            }
        }
    }

    /// Checks that the image is the fold of everything that was decided, and of its checkpoint.
    pub(super) fn check_fold(&self) {
        let written = self.records.iter().map(|record| record.encode().unwrap());
        let read = written.map(|bytes| MetadataRecord::decode(&bytes).unwrap());
        assert_eq!(MetadataImage::load(read).unwrap(), self.image);
        assert_eq!(MetadataImage::load(self.image.records()).unwrap(), self.image);
    }

    /// Begins a move, if there is such a partition and none is under way, and takes it back.
    pub(super) fn check_taken_back(&self, topic: u8, index: i32, replicas: &[i32]) {
        let decide = |image: &MetadataImage, replicas| {
            let request = reassignment(topic, index, replicas);
            image.with(&alter_partition_reassignments(image, &request).records).unwrap()
        };
        let moving = decide(&self.image, Some(replicas));
        let of = |image: &MetadataImage| {
            image.topic_named(&name(topic)).and_then(|topic| topic.partition(index).cloned())
        };
        let (Some(before), Some(begun)) = (of(&self.image), of(&moving)) else { return };
        if before.is_moving() || !begun.is_moving() {
            return;
        }
        let after = of(&decide(&moving, None)).unwrap();
        let expected = Partition {
            generation: before.generation + 2,
            wished_leader: after.wished_leader,
            ..before
        };
        assert_eq!(after, expected);
    }
}

fn register(
    image: &MetadataImage,
    broker_id: i32,
    rack: Option<&str>,
    directory: u8,
) -> Vec<MetadataRecord> {
    let usual = broker(broker_id, rack);
    let number = 1_000 * u128::from(directory) + u128::from(broker_id.unsigned_abs());
    let registration = BrokerRegistration { directory_id: id(5_000 + number), ..usual };
    let request = RegisterBroker { registration, cluster_id: image.cluster_id() };
    register_broker(image, &request, id(1)).map_or(Vec::new(), |decision| decision.records)
}

fn reassignment(
    topic: u8,
    index: i32,
    replicas: Option<&[i32]>,
) -> AlterPartitionReassignmentsRequest {
    let replicas = replicas.map(<[i32]>::to_vec);
    let partitions = vec![ReassignablePartition { partition_index: index, replicas }];
    AlterPartitionReassignmentsRequest {
        topics: vec![ReassignableTopic { name: name(topic), partitions }],
        ..AlterPartitionReassignmentsRequest::default()
    }
}

/// Checks what a step has made of a partition.
fn check_change(step: &Step, before: &Partition, after: &Partition, next: &MetadataImage) {
    let at = |of: &Partition| (of.leader_epoch, of.control_sequence);
    assert!(at(after) >= at(before), "{step:?}: back from {before:?} to {after:?}");
    if before.is_reported() && after.leader_epoch == before.leader_epoch {
        assert!([before.leader, NO_BROKER].contains(&after.leader), "{step:?}: {after:?}");
    }
    if after.wish() == before.wish() {
        assert_eq!(after.generation, before.generation, "{step:?}");
    } else {
        assert!(after.generation > before.generation, "{step:?}: {after:?}");
        // Those that were wished for before may be gone meanwhile.
        let is_as_before =
            matches!(step, Step::Reassign { replicas: None, .. } | Step::Register { .. });
        assert!(is_as_before || are_registered(after, next), "{step:?}: {after:?}");
        assert!(!is_as_before || is_subset(after.wish().0, &before.all_replicas()), "{step:?}");
    }
    assert!(before.is_founding || !after.is_founding, "{step:?}");
    assert!(!after.is_founding || after.replicas.len() == before.replicas.len(), "{step:?}");
}

fn is_subset(ids: &[i32], of: &[i32]) -> bool {
    ids.iter().all(|id| of.contains(id))
}

fn check_lists(partition: &Partition) {
    assert!(partition.has_all_directories(), "{partition:?}");
    for ids in [&partition.replicas, &partition.target_replicas, &partition.voters] {
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{partition:?}");
    }
    assert!(
        !partition.is_moving()
            || partition.wish() != (&*partition.replicas, &*partition.directories)
    );
    assert!(
        partition.voters.is_empty() || partition.voters.len() <= partition.all_replicas().len()
    );
}

/// Whether all that is wished for is registered, with these directories.
fn are_registered(partition: &Partition, image: &MetadataImage) -> bool {
    let (ids, directories) = partition.wish();
    let mut wished = ids.iter().zip(directories);
    wished.all(|(&id, &known)| image.broker(id).is_some_and(|one| one.directory_id == known))
}

/// Checks where a new partition was placed.
fn check_new(partition: &Partition, image: &MetadataImage) {
    assert!(are_registered(partition, image) && partition.is_founding, "{partition:?}");
    assert!(!partition.is_moving() && partition.generation == 0, "{partition:?}");
    assert!(image.is_in_contact(partition.leader), "{partition:?}");
    let replicas = &partition.replicas;
    let in_contact = |id: &&i32| image.is_in_contact(**id);
    let reached = replicas.iter().filter(in_contact).count();
    let there = image.brokers_in_contact().count();
    assert_eq!(reached, replicas.len().min(there), "who is in contact comes first");
    assert!(reached > replicas.len() / 2, "a majority can elect a leader");
    let rack = |id: &i32| image.broker(*id).and_then(|broker| broker.rack.as_deref());
    let racks: BTreeSet<_> = image.brokers_in_contact().map(|one| one.rack.as_deref()).collect();
    let used: BTreeSet<_> = replicas.iter().filter(in_contact).map(rack).collect();
    assert_eq!(used.len(), racks.len().min(reached), "racks are spread over");
}
