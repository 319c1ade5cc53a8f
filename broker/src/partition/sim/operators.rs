//! Operators: they create and delete topics, move partitions, have leaders go home, remove brokers,
//! and change who decides. Each asks a broker that decides, or is mistaken, and is told when what
//! is wanted is in force.

use std::rc::Rc;
use std::sync::Arc;

use logboom_controller::leaders::elect_leaders;
use logboom_controller::reassignments::alter_partition_reassignments;
use logboom_controller::topics::{CreateContext, InTurns, create_topics, delete_topics};
use logboom_controller::{Decision, MetadataImage};
use logboom_protocol::CompactString;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use logboom_protocol::messages::delete_topics::DeleteTopicsRequest;
use logboom_protocol::messages::elect_leaders::ElectLeadersRequest;
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

use super::cluster::Cluster;
use super::oracle::Violation;
use super::plan::{MILLISECOND, SECOND};
use super::queue::Event;

/// What the metadata have to keep once somebody was told so.
pub(super) type Promise = Box<dyn Fn(&MetadataImage) -> bool + Send>;

type Decide = Box<dyn FnOnce(&MetadataImage) -> Decision<Option<Promise>> + Send>;

/// A request that was answered.
pub(super) struct Answered {
    pub(super) what: String,
    /// Up to where the metadata log was committed when it was made.
    pub(super) since: i64,
    /// Nothing where it was refused.
    pub(super) promise: Option<Promise>,
}

/// Something that an operator wants, in words and as a decision.
pub(super) type Wanted = (String, Decide);

/// Of a decision, with what it promises if it changes something.
pub(super) fn decided<R>(decision: Decision<R>, promise: Promise) -> Decision<Option<Promise>> {
    let is_done = !decision.records.is_empty();
    Decision { records: decision.records, response: is_done.then_some(promise) }
}

impl Cluster {
    /// Starts all brokers, and has the first topics created.
    pub(super) fn found(&mut self) -> Result<(), Violation> {
        (0..self.brokers.len()).try_for_each(|at| self.start(at))?;
        if self.plan.is_rough {
            self.queue.push(self.now, Event::Fault);
        }
        let until = self.now + 10 * SECOND;
        while self.metadata.newest().topics().len() < self.plan.topics && self.now < until {
            self.run_for(100 * MILLISECOND)?;
            let is_complete = self.metadata.newest().brokers().len() == self.brokers.len();
            let controller = self.controller().filter(|_| is_complete || self.plan.is_rough);
            if let Some(at) = controller {
                let wanted = self.creation(at);
                self.ask(at, wanted);
            }
        }
        if !self.plan.is_rough {
            self.queue.push(self.now, Event::Fault);
        }
        self.plan.time += self.now;
        Ok(())
    }

    /// A broker that decides, if one does.
    pub(super) fn controller(&self) -> Option<usize> {
        let decides = |at: &usize| {
            let process = self.brokers[*at].process.as_ref();
            process.is_some_and(|process| process.decides())
        };
        (0..self.brokers.len()).filter(|at| self.brokers[*at].runs()).find(decides)
    }

    /// An operator wants something.
    pub(super) fn wish(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let time = self.now + self.chance.between(1, 2 * self.plan.wishes);
        self.queue.push(time, Event::Wish);
        if self.chance.permille(300) {
            self.look_after_lost();
        }
        let is_mistaken = self.chance.permille(50);
        let any = self.chance.index(self.brokers.len());
        let asked = if is_mistaken { Some(any) } else { self.controller() };
        let Some(at) = asked else {
            return Ok(());
        };
        let wanted = match self.chance.below(100) {
            0..20 => Some(self.creation(at)),
            20..30 => self.deletion(at),
            30..70 => self.reassignment(),
            70..82 => Some(election()),
            82..90 => {
                let broker = self.chance.index(self.brokers.len());
                self.remove(at, self.brokers[broker].id);
                None
            }
            _ => {
                self.change_voters(at);
                None
            }
        };
        wanted.into_iter().for_each(|wanted| self.ask(at, wanted));
        Ok(())
    }

    /// Asks a broker, and waits for its answer.
    pub(super) fn ask(&mut self, at: usize, (what, decide): Wanted) {
        self.tell(|| format!("{at}: is asked: {what}"));
        let since = self.metadata.end();
        let Some(process) = &mut self.brokers[at].process else { return };
        let Some(began) = &process.began else { return };
        let (handle, answered) = (began.handle.clone(), Rc::clone(&process.answered));
        process.tasks.spawn(async move {
            let promise = handle.decide(decide).await.ok().flatten();
            answered.borrow_mut().push(Answered { what, since, promise });
        });
        self.run_soon(at);
    }

    /// A topic is wanted.
    pub(super) fn creation(&mut self, at: usize) -> Wanted {
        let number = self.chance.index(2 * self.plan.topics + 1);
        let copies = self.chance.pick(&[1, 2, 3, 3, 3, 3, 4, 5]).min(self.brokers.len());
        let partitions = self.chance.pick(&[1, 1, 2]);
        self.creation_of(at, format!("topic-{number}"), partitions, copies)
    }

    pub(super) fn creation_of(
        &mut self,
        at: usize,
        name: String,
        partitions: i32,
        copies: usize,
    ) -> Wanted {
        let what = format!("create {name}, {partitions} partitions, {copies} copies");
        let (topic_id, placement) = (self.chance.id(), InTurns(self.chance.index(copies + 1)));
        let is_caching = self.plan.caching > 0 && self.chance.permille(self.plan.caching);
        let settings = self.plan.settings(&name, is_caching);
        let config = Arc::new(self.plan.config(self.brokers[at].id));
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: i16::try_from(copies).unwrap(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() };
        let decide = move |image: &MetadataImage| {
            let topic_ids = std::iter::repeat(topic_id);
            let mut context = CreateContext { broker: &config, topic_ids, placement };
            let mut decision = create_topics(image, &request, &mut context);
            if !decision.records.is_empty() {
                decision.records.extend(settings);
            }
            decided(decision, Box::new(move |image| image.topic(topic_id).is_some()))
        };
        (what, Box::new(decide))
    }

    /// A topic is to be gone.
    fn deletion(&mut self, at: usize) -> Option<Wanted> {
        let (id, name) = self.some_topic()?;
        Some(self.deletion_of(at, id, name))
    }

    pub(super) fn deletion_of(&mut self, at: usize, id: Uuid, name: CompactString) -> Wanted {
        let request = DeleteTopicsRequest {
            topic_names: vec![name.clone()],
            ..DeleteTopicsRequest::default()
        };
        let config = self.plan.config(self.brokers[at].id);
        let decide = move |image: &MetadataImage| {
            let decision = delete_topics(image, &request, 5, &config);
            decided(decision, Box::new(move |image| image.topic(id).is_none()))
        };
        (format!("delete {name}"), Box::new(decide))
    }

    fn some_topic(&mut self) -> Option<(Uuid, CompactString)> {
        let image = self.metadata.newest();
        let topics: Vec<_> = image.topics().map(|it| (it.id(), it.name().into())).collect();
        let index = self.chance.index(topics.len());
        topics.into_iter().nth(index)
    }

    /// A partition is to have its copies elsewhere, or a move is to be taken back.
    fn reassignment(&mut self) -> Option<Wanted> {
        let (id, name) = self.some_topic()?;
        let count = self.metadata.newest().topic(id)?.partition_count();
        let index = i32::try_from(self.chance.index(count)).unwrap();
        if self.chance.permille(150) {
            let is_back = move |image: &MetadataImage| {
                image
                    .partition(id, index)
                    .is_none_or(|it| !it.is_moving() || it.wish().0 == it.replicas)
            };
            return Some(reassigned(name, index, None, Box::new(is_back)));
        }
        let all: Vec<i32> = self.brokers.iter().map(|broker| broker.id).collect();
        let copies = self.chance.pick(&[1, 2, 3, 3, 3, 3, 4, 5]);
        let replicas = self.chance.some(&all, copies);
        let key = GroupKey { topic_id: id, partition: index };
        let group = self.subjects.iter().position(|subject| subject.key == key)?;
        // What is damaged and not known yet would be all that there is.
        if !self.are_whole_enough(group, &replicas, None) {
            return None;
        }
        self.totals.moves += 1;
        self.subjects[group].losses.targets.push(replicas.clone());
        Some(self.move_to(name, id, index, replicas))
    }

    pub(super) fn move_to(
        &self,
        name: CompactString,
        id: Uuid,
        index: i32,
        replicas: Vec<i32>,
    ) -> Wanted {
        let wished = replicas.clone();
        let is_wished = move |image: &MetadataImage| {
            image.partition(id, index).is_none_or(|partition| partition.wish().0 == wished)
        };
        reassigned(name, index, Some(replicas), Box::new(is_wished))
    }
}

fn reassigned(
    name: CompactString,
    partition_index: i32,
    replicas: Option<Vec<i32>>,
    promise: Promise,
) -> Wanted {
    let what = format!("move {name}-{partition_index} to {replicas:?}");
    let partition = ReassignablePartition { partition_index, replicas };
    let request = AlterPartitionReassignmentsRequest {
        allow_replication_factor_change: true,
        topics: vec![ReassignableTopic { name, partitions: vec![partition] }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let decide = move |image: &MetadataImage| {
        decided(alter_partition_reassignments(image, &request), promise)
    };
    (what, Box::new(decide))
}

/// All leaders are to go home.
pub(super) fn election() -> Wanted {
    let decide = |image: &MetadataImage| {
        let all = ElectLeadersRequest { topic_partitions: None, ..ElectLeadersRequest::default() };
        decided(elect_leaders(image, &all), Box::new(|_| true))
    };
    ("have leaders go home".to_owned(), Box::new(decide))
}
