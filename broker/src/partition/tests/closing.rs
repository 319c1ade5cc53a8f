//! A shard closes when its flushes are over, however late or early they say so.

use futures_util::FutureExt as _;

use super::*;

#[test]
fn a_flush_that_is_over_when_its_shard_is_to_close_is_not_waited_for() {
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
    let opening = Opening {
        key: KEY,
        topic: "topic".into(),
        settings: settings(false),
        is_new: true,
        wish: None,
    };
    assert!(shard.turn(&mut [Command::Open(vec![opening], oneshot::channel().0)].into()).is_none());
    let partition = registry.get(KEY.topic_id, KEY.partition).unwrap();
    let (reply, mut acknowledged) = oneshot::channel();
    let until = Until::Committed;
    let append =
        Append { partition, batch: batch(None, 1), until, epoch: None, reply, permit: None };
    assert!(shard.turn(&mut [Command::Append(vec![append])].into()).is_none());
    directory.run_flushes();
    let flushed = shard.take_commands();
    assert!(flushed.len() == 1 && matches!(flushed[0], Command::Flushed(..)));
    let mut last = flushed;
    last.push_front(Command::Close(oneshot::channel().0));
    assert!(shard.turn(&mut last).is_some());
    assert!(shard.close().now_or_never().is_some(), "it waits for what was said");
    assert_eq!(acknowledged.try_recv().unwrap().unwrap().base_offset, 0);
}
