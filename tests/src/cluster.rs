//! Brokers that are one cluster, each a process of its own on the loopback interface.
//!
//! Must always hold: what a test asks of "the cluster" is asked of brokers that it hasn't ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponsePartition,
};

use crate::broker::{Broker, Site, free_port, pause};
use crate::foreign::scratch;
use crate::raw::{Raw, topic_name};

const METADATA: i16 = 12;
const CREATE_TOPICS: i16 = 7;
/// Longer than a cluster takes to be well again on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster; all of it ends with the value.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    /// The setting that names those that decide.
    voters: String,
    brokers: Vec<Broker>,
    is_up: Vec<bool>,
    admins: Vec<String>,
}

impl Cluster {
    /// So many brokers, numbered from 1, that found a cluster.
    ///
    /// - `name`: of their directories among the scratch directories.
    ///
    /// # Panics
    /// If they don't start.
    pub fn start(name: &str, count: usize) -> Self {
        Self::start_with(name, count, |_| Vec::new())
    }

    /// The same, each broker with settings of its own.
    ///
    /// - `settings`: as `KEY=VALUE`, by the broker's number.
    ///
    /// # Panics
    /// If they don't start.
    pub fn start_with(name: &str, count: usize, settings: impl Fn(usize) -> Vec<String>) -> Self {
        let root = |id| (Site::default(), scratch(&format!("{name}-{id}")));
        let started = Self::start_at((1..=count).map(root).collect(), settings);
        Self { name: name.to_owned(), ..started }
    }

    /// A broker at each place, in a directory that exists.
    ///
    /// - `settings`: as `KEY=VALUE`, by the broker's number.
    ///
    /// # Panics
    /// If they don't start.
    pub fn start_at(sites: Vec<(Site, PathBuf)>, settings: impl Fn(usize) -> Vec<String>) -> Self {
        let count = sites.len();
        let voter = |((site, _), id): (&(Site, _), usize)| match site.doors {
            Some(doors) => format!("{id}@{}", doors.peers.front),
            None => format!("{id}@{}:{}", site.host, free_port()),
        };
        let voters: Vec<String> = sites.iter().zip(1..).map(voter).collect();
        let voters = format!("controller.quorum.voters={}", voters.join(","));
        let address = |(site, _): &(Site, _)| format!("{}:{}", site.host, free_port());
        let admins: Vec<String> = sites.iter().map(address).collect();
        let start = |((site, root), id): ((Site, PathBuf), usize)| {
            let node_id = format!("node.id={id}");
            let own = settings(id);
            let peers = site.doors.map(|doors| doors.peers.port);
            let peers = peers.map(|port| format!("peer.listener={}:{port}", site.host));
            let set = [&node_id, &voters].into_iter().chain(&peers).chain(&own);
            let admin = format!("--admin-listen={}", admins[id - 1]);
            let set = set.flat_map(|it| ["--set", it.as_str()]);
            let options: Vec<&str> = set.chain([admin.as_str()]).collect();
            Broker::start_at(site, root, &options)
        };
        let brokers = sites.into_iter().zip(1..).map(start).collect();
        let name = "joined".to_owned();
        let cluster = Self { name, voters, brokers, is_up: vec![true; count], admins };
        cluster.wait_for_brokers(count);
        cluster
    }

    /// The same, of nodes with these roles; those that are controllers decide.
    ///
    /// # Panics
    /// If they don't start.
    pub fn start_as(name: &str, roles: &[&str]) -> Self {
        let voter = |id: usize| format!("{id}@127.0.0.1:{}", free_port());
        let voters = (1..).zip(roles).filter(|(_, role)| role.contains("controller"));
        let voters: Vec<String> = voters.map(|(id, _)| voter(id)).collect();
        let voters = format!("controller.quorum.voters={}", voters.join(","));
        let name = name.to_owned();
        let (brokers, is_up, admins) = (Vec::new(), Vec::new(), Vec::new());
        let mut cluster = Self { name, voters, brokers, is_up, admins };
        for role in roles {
            cluster.join(role);
        }
        cluster.wait_for_brokers(roles.iter().filter(|role| role.contains("broker")).count());
        cluster
    }

    /// A broker that is alone, to which others may come later.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn alone(name: &str) -> Self {
        let broker = Broker::start_in(scratch(&format!("{name}-1")), &[]);
        let (name, voters) = (name.to_owned(), String::new());
        Self { name, voters, brokers: vec![broker], is_up: vec![true], admins: Vec::new() }
    }

    /// Starts the broker that was alone again, so that others may come.
    ///
    /// # Panics
    /// If it doesn't end well, or doesn't start.
    pub fn open_to_others(&mut self) {
        self.stop(1);
        self.voters = format!("controller.quorum.voters=1@127.0.0.1:{}", free_port());
        self.brokers[0].set_options(&["--set", &self.voters]);
        self.restart(1);
    }

    /// Starts another node, in these roles; returns its id.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn join(&mut self, roles: &str) -> i32 {
        let id = self.brokers.len() + 1;
        let settings = [
            self.voters.clone(),
            format!("node.id={id}"),
            format!("process.roles={roles}"),
            format!("peer.listener=127.0.0.1:{}", free_port()),
        ];
        let is_voter =
            self.voters.contains(&format!("={id}@")) || self.voters.contains(&format!(",{id}@"));
        let settings = settings.iter().filter(|it| !is_voter || !it.starts_with("peer"));
        let options: Vec<&str> = settings.flat_map(|setting| ["--set", setting]).collect();
        self.brokers.push(Broker::start_in(scratch(&format!("{}-{id}", self.name)), &options));
        self.is_up.push(true);
        i32::try_from(id).expect("there are few")
    }

    /// Waits until clients are told of so many brokers.
    ///
    /// # Panics
    /// If they never are.
    pub fn wait_for_brokers(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.any().call(METADATA, &MetadataRequest::default()).brokers.len() != count {
            assert!(Instant::now() < deadline, "there are never {count} brokers");
            pause();
        }
    }

    /// The setting that names those that decide, `KEY=VALUE`.
    pub fn voters(&self) -> &str {
        &self.voters
    }

    /// The addresses of all brokers, as clients take them.
    pub fn bootstrap(&self) -> String {
        self.addresses().join(",")
    }

    /// The address of each broker, by their numbers.
    pub fn addresses(&self) -> Vec<String> {
        self.brokers.iter().map(Broker::bootstrap).collect()
    }

    /// Where a broker serves operators.
    pub fn admin(&self, id: i32) -> &str {
        &self.admins[index(id)]
    }

    /// Where some broker that runs serves operators.
    ///
    /// # Panics
    /// If none does.
    pub fn any_admin(&self) -> &str {
        let mut up = self.admins.iter().zip(&self.is_up).filter(|(_, is_up)| **is_up);
        up.next().expect("a broker runs").0
    }

    /// The broker with an id.
    pub fn broker(&mut self, id: i32) -> &mut Broker {
        &mut self.brokers[index(id)]
    }

    /// Kills a broker.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn kill(&mut self, id: i32) {
        self.brokers[index(id)].kill();
        self.is_up[index(id)] = false;
    }

    /// Stops a broker, as an operator does.
    ///
    /// # Panics
    /// If it doesn't run, or doesn't end well.
    pub fn stop(&mut self, id: i32) {
        self.brokers[index(id)].stop();
        self.is_up[index(id)] = false;
    }

    /// Starts a broker again, as our own binary.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn upgrade(&mut self, id: i32) {
        self.brokers[index(id)].upgrade();
        self.restart(id);
    }

    /// Starts a broker again.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn restart(&mut self, id: i32) {
        self.brokers[index(id)].restart();
        self.is_up[index(id)] = true;
    }

    /// Starts a broker again, whatever becomes of that.
    ///
    /// # Panics
    /// If it runs.
    pub fn launch(&mut self, id: i32) {
        self.brokers[index(id)].launch();
        self.is_up[index(id)] = true;
    }

    /// A connection to some broker that runs.
    ///
    /// # Panics
    /// If none does.
    pub fn any(&self) -> Raw {
        let up = self.is_up.iter().position(|is_up| *is_up).expect("a broker runs");
        Raw::connect(&self.brokers[up].bootstrap())
    }

    /// A new topic, each of whose partitions is on so many brokers.
    ///
    /// # Panics
    /// If it isn't created.
    pub fn new_topic(&self, test: &str, partitions: i32, replicas: i16) -> String {
        let name = topic_name(test);
        self.create_topic(&name, partitions, replicas);
        name
    }

    /// The same, with a name of the caller's.
    ///
    /// # Panics
    /// If it isn't created.
    pub fn create_topic(&self, name: &str, partitions: i32, replicas: i16) {
        self.create_topic_with(name, partitions, replicas, &[]);
    }

    /// The same, configured.
    ///
    /// # Panics
    /// If it isn't created.
    pub fn create_topic_with(
        &self,
        name: &str,
        partitions: i32,
        replicas: i16,
        configs: &[(&str, &str)],
    ) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
        };
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: replicas,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let created = self.any().call(CREATE_TOPICS, &request).topics.remove(0);
            match created.error_code {
                // What a broker decided that isn't the controller any more may hold.
                ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => return,
                ErrorCode::NOT_CONTROLLER => {}
                _ => panic!("{created:?}"),
            }
            assert!(Instant::now() < deadline, "{created:?}");
            pause();
        }
    }

    /// What some broker says of the partitions of a topic, by their numbers.
    pub fn partitions(&self, topic: &str) -> Vec<MetadataResponsePartition> {
        let asked = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![asked]), ..MetadataRequest::default() };
        let mut response = self.any().call(METADATA, &request);
        let mut partitions = response.topics.remove(0).partitions;
        partitions.sort_by_key(|partition| partition.partition_index);
        partitions
    }

    /// Waits until all partitions of a topic are as they should be.
    ///
    /// # Panics
    /// If they never are.
    pub fn wait_until(
        &self,
        topic: &str,
        what: &str,
        is_so: impl Fn(&MetadataResponsePartition) -> bool,
    ) -> Vec<MetadataResponsePartition> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let partitions = self.partitions(topic);
            if !partitions.is_empty() && partitions.iter().all(&is_so) {
                return partitions;
            }
            assert!(Instant::now() < deadline, "{topic}: {what}: {partitions:#?}");
            pause();
        }
    }

    /// A connection to the broker that leads a partition, once somebody does.
    ///
    /// # Panics
    /// If nobody does.
    pub fn leader(&self, topic: &str, partition: i32) -> Raw {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.partitions(topic).into_iter();
            let mut found = found.filter(|it| it.error_code == ErrorCode::NONE);
            let leader = found.find(|it| it.partition_index == partition);
            let leader = leader.map(|it| index(it.leader_id)).filter(|it| self.is_up[*it]);
            if let Some(leader) = leader {
                return Raw::connect(&self.brokers[leader].bootstrap());
            }
            assert!(Instant::now() < deadline, "nobody leads {topic}-{partition}");
            pause();
        }
    }
}

fn index(id: i32) -> usize {
    usize::try_from(id - 1).expect("brokers are numbered from 1")
}
