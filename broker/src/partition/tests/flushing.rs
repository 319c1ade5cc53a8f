//! When a shard flushes, and how it closes while it does.

use futures_util::FutureExt as _;

use super::*;

/// A shard with one partition, which leads.
struct Sole {
    shard: Shard,
    directory: Arc<Directory>,
    partition: Arc<Partition>,
}

impl Sole {
    fn new(settings: Arc<TopicSettings>) -> Self {
        let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
        let options = DirectoryOptions::default();
        let opened = Directory::open(SimDisk::new(), Path::new("/data"), options, mark, 1);
        let directory = Arc::new(opened.unwrap());
        let seat = Seat::new(1, directory.id());
        directory.create_all(&[(KEY, &seat.first_records())], 0).unwrap();
        let (handle, commands) = ShardHandle::channel();
        let hands = Hands {
            directory: Arc::clone(&directory),
            metrics: Arc::default(),
            handle,
            reports: mpsc::unbounded_channel().0,
            catch_up: Arc::default(),
            around: Arc::new(Process),
        };
        let registry = Arc::new(Registry::default());
        let mut shard = Shard::new(0, hands, seat, Arc::clone(&registry), commands);
        let topic = "topic".into();
        let opening = Opening { key: KEY, topic, settings, is_new: true, wish: None };
        let open = Command::Open(vec![opening], oneshot::channel().0);
        assert!(shard.turn(&mut [open].into()).is_none());
        let partition = registry.get(KEY.topic_id, KEY.partition).unwrap();
        Self { shard, directory, partition }
    }

    fn append(&mut self) -> Reply {
        let (reply, acknowledged) = oneshot::channel();
        let (partition, until) = (Arc::clone(&self.partition), Until::Committed);
        let append =
            Append { partition, batch: batch(None, 1), until, epoch: None, reply, permit: None };
        assert!(self.shard.turn(&mut [Command::Append(vec![append])].into()).is_none());
        acknowledged
    }

    /// All flushes that were asked for are over, and what comes of them.
    fn settle(&mut self) {
        loop {
            self.directory.run_flushes();
            let mut commands = self.shard.take_commands();
            if commands.is_empty() {
                return;
            }
            assert!(self.shard.turn(&mut commands).is_none());
        }
    }
}

#[test]
fn a_flush_that_is_over_when_its_shard_is_to_close_is_not_waited_for() {
    let mut sole = Sole::new(settings(false));
    let mut acknowledged = sole.append();
    sole.directory.run_flushes();
    let flushed = sole.shard.take_commands();
    assert!(flushed.len() == 1 && matches!(flushed[0], Command::Flushed(..)));
    let mut last = flushed;
    last.push_front(Command::Close(oneshot::channel().0));
    assert!(sole.shard.turn(&mut last).is_some());
    assert!(sole.shard.close().now_or_never().is_some(), "it waits for what was said");
    assert_eq!(acknowledged.try_recv().unwrap().unwrap().base_offset, 0);
}

#[test]
fn what_is_cached_is_flushed_within_a_second_or_as_soon_as_the_topic_says() {
    for (flush_ms, least, most) in [(u64::MAX, 500, 1_000), (5_000, 500, 1_000), (40, 20, 40)] {
        let settings = TopicSettings { flush_ms, ..(*settings(true)).clone() };
        let mut sole = Sole::new(Arc::new(settings));
        // The first names the segment, and the state store learns that some may be lost.
        drop(sole.append());
        sole.settle();
        assert_eq!(sole.shard.wakes_at(), None);
        let before = Process.boot_ms();
        assert_eq!(offset(&mut sole.append()), 1, "acknowledged at once");
        let (at, after) = (sole.shard.wakes_at().unwrap(), Process.boot_ms());
        assert!((before + least..=after + most).contains(&at), "{flush_ms}: {before} {at}");
    }
}
