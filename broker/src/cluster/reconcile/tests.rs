//! Partitions follow the metadata, and a start that would remove too much stops.

use std::path::Path;

use bytes::Bytes;

use logboom_controller::record::{BrokerRegistration, LeaderReport};
use logboom_storage::sim::SimDisk;
use logboom_storage::state::{ControlEntry, OpenMark};
use logboom_storage::{DirectoryOptions, Disk, LogOptions, SystemDisk};

use super::*;

const MARK: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 1 };

/// A directory with so many replicas, made by records below `creation_offset`.
fn directory(root: &Path, replicas: i32, creation_offset: i64) -> Arc<Directory> {
    let options = DirectoryOptions::default();
    let directory = Directory::open(Arc::new(SystemDisk), root, options, MARK, 1).unwrap();
    directory.create(METADATA, 0).unwrap();
    let key = |partition| GroupKey { topic_id: Uuid([7; 16]), partition };
    let keys: Vec<GroupKey> = (0..replicas).map(key).collect();
    let keys: Vec<_> = keys.into_iter().map(|key| (key, &[][..])).collect();
    directory.create_all(&keys, creation_offset).unwrap();
    Arc::new(directory)
}

fn reconciler(directory: &Arc<Directory>) -> Reconciler {
    Reconciler {
        config: Arc::default(),
        directory: Arc::clone(directory),
        seat: Seat::new(1, directory.id()),
        shards: Arc::from([]),
        registry: Arc::default(),
        is_alone: true,
        incarnation: Uuid([9; 16]),
        coordination: Arc::default(),
        catch_up: Arc::default(),
        published: Arc::new(ArcSwap::from_pointee(MetadataImage::default())),
        kept: Vec::new(),
        unmade: BTreeSet::new(),
    }
}

/// Replicas that are left after a start with metadata up to `offset` that knows none of them.
async fn left(replicas: i32, creation_offset: i64, offset: i64) -> Result<usize, usize> {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), replicas, creation_offset);
    let started = reconciler(&directory).start(&MetadataImage::default(), offset).await;
    let left = directory.groups().len() - 1;
    started.map(|()| left).map_err(|_| left)
}

#[test]
fn a_start_removes_a_tenth_or_ten_at_the_most() {
    for (orphans, found, may) in
        [(0, 0, true), (10, 10, true), (11, 11, false), (11, 109, false), (11, 110, true)]
    {
        assert_eq!(may_remove(orphans, found), may, "{orphans} of {found}");
    }
}

#[tokio::test]
async fn few_replicas_of_deleted_topics_are_removed() {
    assert_eq!(left(10, 5, 5).await, Ok(0));
}

#[tokio::test]
async fn many_replicas_are_not_removed_for_metadata_that_knows_none() {
    assert_eq!(left(11, 5, 5).await, Err(11));
}

#[tokio::test]
async fn a_replica_is_not_removed_for_metadata_that_is_older() {
    assert_eq!(left(1, 6, 5).await, Err(1));
}

#[tokio::test]
async fn a_replica_that_others_know_of_goes_once_it_is_known_that_nobody_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 1, 6);
    let mut reconciler = Reconciler { is_alone: false, ..reconciler(&directory) };
    // It was made with metadata that this start doesn't know yet.
    let image = MetadataImage::default();
    reconciler.start(&image, 5).await.unwrap();
    let read = Read::default();
    for (offset, replicas) in [(5, 1), (6, 0), (7, 0)] {
        reconciler.follow(&image, &read, offset).await.unwrap();
        assert_eq!(directory.groups().len() - 1, replicas, "at {offset}");
    }
}

/// A replica of broker 1 that has voted in epoch 7, and whose log ends with a marker of the fifth,
/// 9, behind an entry of the fourth that names `voters` for wish 3: whether it stays with a report
/// and a wish.
fn stays(voters: &[i32]) -> impl Fn((i32, i64), i64) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 0, 0);
    let reconciler = reconciler(&directory);
    let key = GroupKey { topic_id: Uuid([7; 16]), partition: 0 };
    let voters = Voters::of(voters.iter().map(|id| ReplicaId::of(*id)).collect::<Vec<_>>());
    let records = Seat::founding_records(&Voters { generation: 3, ..voters });
    let [StateRecord::Control(named)] = &*records else { panic!("the voters are an entry") };
    let named = ControlEntry { epoch: 4, sequence: 8, ..named.clone() };
    let marker = ControlEntry { epoch: 5, sequence: 9, payload: Bytes::new(), ..named.clone() };
    let state = [
        StateRecord::Vote { epoch: 7, voted_for: -1 },
        StateRecord::Control(named),
        StateRecord::Control(marker),
    ];
    directory.create_all(&[(key, &state)], 0).unwrap();
    move |(leader_epoch, control_sequence), generation| {
        let _kept = &dir;
        let moving = Partition::new(vec![2], vec![Uuid([2; 16])]);
        let partition = Partition { leader_epoch, control_sequence, generation, ..moving };
        let elsewhere = GroupKey { partition: 1, ..key };
        assert!(!reconciler.is_own(&elsewhere, &partition), "it isn't here");
        reconciler.is_own(&key, &partition)
    }
}

#[test]
fn a_replica_that_votes_stays_until_a_later_report_names_others() {
    let stays = stays(&[1]);
    assert!(stays((0, -1), 4) && stays((5, 6), 4), "nobody has said what has become of it");
    assert!(stays((4, 12), 4), "the leader of epoch 5 may have made it one again");
    assert!(stays((5, 8), 3) && stays((5, 9), 4), "an entry that names it isn't what was reported");
    assert!(!stays((5, 10), 4) && !stays((6, 6), 4), "the group has other voters since");
}

#[test]
fn a_newcomer_that_is_not_wanted_any_more_stays_until_a_leader_must_know_that() {
    let stays = stays(&[2, 3]);
    assert!(stays((0, -1), 4), "nobody has said anything");
    assert!(stays((4, 12), 4), "the leader of epoch 5 hasn't");
    assert!(stays((5, 8), 4), "that one may still make it a voter");
    assert!(stays((5, 9), 4), "the log may begin behind the voters: 9 is a marker then");
    assert!(stays((5, 7), 3), "what removed it may not be committed");
    assert!(!stays((5, 8), 3), "the voters are those of the wish that is in force");
    assert!(!stays((5, 10), 4), "the leader has named voters since");
    assert!(!stays((6, 0), 4), "whoever leads now hasn't made it one");
}

#[test]
fn who_has_had_nothing_from_a_leader_is_not_needed() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 0, 0);
    let reconciler = reconciler(&directory);
    let key = GroupKey { topic_id: Uuid([7; 16]), partition: 0 };
    directory.create_all(&[(key, &Seat::founding_records(&Voters::of([])))], 0).unwrap();
    let moved = Partition::new(vec![2], vec![Uuid([2; 16])]);
    assert!(!reconciler.is_own(&key, &moved));
}

/// How many voters a new replica here knows that its group began with.
fn voters(reconciler: &Reconciler, key: GroupKey, partition: &Partition) -> usize {
    let records = reconciler.creation(&key, partition);
    let [StateRecord::Control(entry)] = &*records else { panic!("{records:?}") };
    Seat::founders(entry).len()
}

#[test]
fn only_a_founder_that_never_was_here_begins_as_a_voter() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 3, 0);
    let reconciler = Reconciler { is_alone: false, ..reconciler(&directory) };
    let key = |partition| GroupKey { topic_id: Uuid([7; 16]), partition };
    let on = |own| Partition::new(vec![1, 2, 3], vec![own, Uuid([2; 16]), Uuid([3; 16])]);
    let founding = on(directory.id());
    assert_eq!(voters(&reconciler, key(9), &founding), 3);
    let later = Partition { is_founding: false, ..founding.clone() };
    assert_eq!(voters(&reconciler, key(9), &later), 0, "others may have voted since");
    assert_eq!(voters(&reconciler, key(9), &on(Uuid([1; 16]))), 0, "it was another directory");
    directory.remove(&[key(0)], false, 0).unwrap();
    assert_eq!(voters(&reconciler, key(0), &founding), 0, "it was here, and has forgotten all");
    directory.remove(&[key(1)], true, 0).unwrap();
    assert_eq!(voters(&reconciler, key(1), &founding), 3, "of a topic that is no more");
}

/// A shard that opens whatever it is told to.
fn obliging_shard() -> ShardHandle {
    let (shard, mut commands) = ShardHandle::channel();
    tokio::spawn(async move {
        while let Some(command) = commands.recv().await {
            if let Command::Open(_, done) = command {
                done.send(Ok(())).unwrap();
            }
        }
    });
    shard
}

#[tokio::test]
async fn nothing_is_made_before_all_is_known_that_may_have_deleted_it() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 0, 0);
    let shards = Arc::from([obliging_shard()]);
    let mut reconciler = Reconciler { is_alone: false, shards, ..reconciler(&directory) };
    let (id, own, this_start) =
        (reconciler.config.broker_id(), directory.id(), reconciler.incarnation);
    let topic = |byte: u8| {
        let id_of = Uuid([byte; 16]);
        let partition = Partition::new(vec![id], vec![own]);
        let topic = MetadataRecord::Topic { id: id_of, name: format!("t{byte}").as_str().into() };
        [topic, MetadataRecord::Partition { topic_id: id_of, index: 0, partition }]
    };
    let registered = |incarnation| {
        MetadataRecord::Broker(BrokerRegistration {
            id,
            directory_id: own,
            incarnation,
            rack: None,
            endpoints: Vec::new(),
            peer: None,
        })
    };
    let made = || {
        let mut made = directory.groups();
        made.retain(|key| *key != METADATA);
        made
    };
    // What is known to be committed of the metadata: two topics, of which it had deleted one.
    let image = MetadataImage::load(
        [registered(Uuid([8; 16]))].into_iter().chain(topic(1)).chain(topic(2)),
    )
    .unwrap();
    reconciler.start(&image, 5).await.unwrap();
    assert_eq!(made(), []);
    let mut follow = async |image: &MetadataImage, record: MetadataRecord, offset| {
        let image = image.with([&record]).unwrap();
        let read = Read { records: vec![record], is_whole: false };
        reconciler.follow(&image, &read, offset).await.unwrap();
        image
    };
    let image = follow(&image, MetadataRecord::TopicDeleted { id: Uuid([1; 16]) }, 6).await;
    assert_eq!(made(), []);
    follow(&image, registered(this_start), 7).await;
    assert_eq!(made(), [GroupKey { topic_id: Uuid([2; 16]), partition: 0 }]);
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_made_until_there_is_room() {
    let disk = SimDisk::new();
    let open = || {
        let (shared, root) = (Arc::clone(&disk) as Arc<dyn Disk>, Path::new("/data"));
        Directory::open(shared, root, DirectoryOptions::default(), MARK, 1).unwrap()
    };
    open().create(METADATA, 0).unwrap();
    disk.set_capacity(disk.used());
    let directory = Arc::new(open());
    let shards = Arc::from([obliging_shard()]);
    let mut reconciler = Reconciler { shards, ..reconciler(&directory) };
    let (id, own) = (Uuid([7; 16]), directory.id());
    let partition = Partition::new(vec![reconciler.config.broker_id()], vec![own]);
    let topic = MetadataRecord::Topic { id, name: "t".into() };
    let made = MetadataRecord::Partition { topic_id: id, index: 0, partition };
    let image = MetadataImage::load([topic, made]).unwrap();
    reconciler.start(&image, 5).await.unwrap();
    reconciler.make_up(&image, 5).await.unwrap();
    assert_eq!((directory.groups(), reconciler.unmade.len()), (vec![METADATA], 1));
    disk.set_capacity(u64::MAX);
    reconciler.make_up(&image, 5).await.unwrap();
    assert_eq!((directory.groups().len(), reconciler.unmade.len()), (2, 0));
}

#[tokio::test]
async fn a_replica_whose_log_cannot_be_opened_goes_with_its_topic() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 1, 1);
    // The shard opens nothing, so that nothing is served.
    let shards = Arc::from([obliging_shard()]);
    let mut reconciler = Reconciler { is_alone: false, shards, ..reconciler(&directory) };
    let (id, own) = (Uuid([7; 16]), directory.id());
    let partition = Partition::new(vec![reconciler.config.broker_id()], vec![own]);
    let topic = MetadataRecord::Topic { id, name: "t".into() };
    let made = MetadataRecord::Partition { topic_id: id, index: 0, partition };
    let image = MetadataImage::load([topic, made]).unwrap();
    reconciler.start(&image, 5).await.unwrap();
    assert_eq!(directory.groups().len(), 2, "it and the metadata");
    let deleted = MetadataRecord::TopicDeleted { id };
    let image = image.with([&deleted]).unwrap();
    let read = Read { records: vec![deleted], is_whole: false };
    reconciler.follow(&image, &read, 6).await.unwrap();
    assert_eq!(directory.groups(), [METADATA]);
}

#[tokio::test]
async fn what_is_reported_of_one_partition_is_no_news_for_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let directory = directory(dir.path(), 3, 1);
    let (shard, mut commands) = ShardHandle::channel();
    let mut reconciler = Reconciler { shards: Arc::from([shard]), ..reconciler(&directory) };
    let (id, own, broker) = (Uuid([7; 16]), directory.id(), reconciler.config.broker_id());
    let partition = Partition::new(vec![broker], vec![own]);
    let made = |(index, partition)| MetadataRecord::Partition { topic_id: id, index, partition };
    let topic = MetadataRecord::Topic { id, name: "t".into() };
    let all = (0..3).map(|index| made((index, partition.clone())));
    let image = MetadataImage::load([topic].into_iter().chain(all)).unwrap();
    for (key, _) in reconciler.own(image.topic(id).unwrap()) {
        reconciler.registry.insert(served(&directory, key));
    }
    reconciler.published.store(Arc::new(image.clone()));
    let mut told = async |image: &MetadataImage, record: MetadataRecord, offset| {
        let image = image.with([&record]).unwrap();
        let read = Read { records: vec![record], is_whole: false };
        reconciler.follow(&image, &read, offset).await.unwrap();
        let told = std::iter::from_fn(|| commands.try_recv().ok());
        let wish = |command| match command {
            Command::Wish(key, wish) => Some((key.partition, wish.generation)),
            _ => None,
        };
        (image, told.filter_map(wish).collect::<Vec<_>>())
    };
    let report = LeaderReport {
        topic_id: id,
        index: 1,
        leader: broker,
        leader_epoch: 3,
        control_sequence: 1,
        voters: vec![broker],
        voter_directories: vec![own],
        isr: vec![broker],
    };
    let (image, wishes) = told(&image, MetadataRecord::Leaders(vec![report]), 2).await;
    assert_eq!(wishes, [], "nothing else is wished for");
    let wished = image.partition(id, 1).unwrap();
    let (target_replicas, target_directories) = (vec![broker, 9], vec![own, Uuid([9; 16])]);
    let moved = Partition { target_replicas, target_directories, generation: 1, ..wished.clone() };
    let (image, wishes) = told(&image, made((1, moved.clone())), 3).await;
    assert_eq!(wishes, [(1, 1)]);
    let led = Partition { wished_leader: broker, generation: 2, ..moved };
    assert_eq!(told(&image, made((1, led)), 4).await.1, [(1, 2)]);
}

/// A partition as its shard serves it.
fn served(directory: &Directory, key: GroupKey) -> Arc<crate::partition::Partition> {
    let (log, _) = directory.open_log(key, LogOptions::default()).unwrap();
    let (image, config) = (MetadataImage::default(), StaticConfig::default());
    let settings = TopicSettings::new(&Effective::new(&image, &config), "t");
    let view = Arc::clone(log.view());
    Arc::new(crate::partition::Partition::new(key, "t".into(), 0, view, Arc::new(settings)))
}
