//! One replica on a simulated disk, whose flushes run when the test says so.

mod damage;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::oneshot::{self, error::TryRecvError};

use logboom_protocol::records::{BatchBuilder, Codec, Inflater, ProducedBatch, ProducerState};
use logboom_protocol::units::Uuid;
use logboom_raft::{Effects, Group};
use logboom_storage::sim::{Fault, Operation, SimDisk};
use logboom_storage::state::{GroupKey, OpenMark};
use logboom_storage::{CompactionOptions, Directory, DirectoryOptions, LogOptions, StorageError};

use super::caching::{self, Caching};
use super::hands::Hands;
use super::replica::{Replica, RequestPermit};
use super::*;

mod enough;
mod feeding;
mod flushing;
mod follower;
mod size;
mod standing;

const KEY: GroupKey = GroupKey { topic_id: Uuid([7; 16]), partition: 0 };
/// The number of EIO.
const EIO: i32 = 5;

type Reply = oneshot::Receiver<Result<Appended, AppendError>>;

struct Setting {
    disk: Arc<SimDisk>,
    directory: Arc<Directory>,
    partition: Arc<Partition>,
    replica: Replica,
    hands: Hands,
}

fn settings(write_caching: bool) -> Arc<TopicSettings> {
    Arc::new(TopicSettings {
        log: LogOptions::default(),
        max_message_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compression: None,
        is_compacted: false,
        compaction: CompactionOptions {
            segment_bytes: 1 << 30,
            min_dirty_ratio: 0.5,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            delete_retention_ms: 0,
        },
        is_deleted: true,
        write_caching,
        flush_messages: i64::MAX,
        flush_ms: u64::MAX,
        min_insync_replicas: 1,
        delete_delay_ms: 0,
        throttled: Throttled::default(),
    })
}

impl Setting {
    fn new(write_caching: bool) -> Self {
        let disk = SimDisk::new();
        let mark = OpenMark { boot_id: [1; 16], mount_id: 1 };
        let options = DirectoryOptions { reserve_bytes_min: 512, ..DirectoryOptions::default() };
        let opened = Directory::open(disk.clone(), Path::new("/data"), options, mark, 1);
        let directory = Arc::new(opened.unwrap());
        let seat = Seat::new(1, directory.id());
        directory.create_all(&[(KEY, &seat.first_records())], 0).unwrap();
        let (log, _) = directory.open_log(KEY, LogOptions::default()).unwrap();
        let group = seat.lead_first(&directory, &KEY);
        let (view, settings) = (Arc::clone(log.view()), settings(write_caching));
        let partition = Arc::new(Partition::new(KEY, "topic".into(), 0, view, settings));
        let caching = Caching::of(&directory, &KEY);
        let replica = Replica::new(Arc::clone(&partition), log, group, None, caching);
        let hands = Hands {
            directory: Arc::clone(&directory),
            metrics: Arc::default(),
            handle: ShardHandle::channel().0,
            reports: mpsc::unbounded_channel().0,
            catch_up: Arc::default(),
            around: Arc::new(Process),
        };
        Self { disk, directory, partition, replica, hands }
    }

    /// Takes a batch for the next write.
    fn queue(&mut self, batch: ProducedBatch) -> Reply {
        self.queue_until(batch, Until::Committed, None)
    }

    fn queue_until(
        &mut self,
        batch: ProducedBatch,
        until: Until,
        permit: Option<RequestPermit>,
    ) -> Reply {
        let (reply, receiver) = oneshot::channel();
        let partition = Arc::clone(&self.partition);
        self.replica.queue(Append { partition, batch, until, epoch: None, reply, permit });
        receiver
    }

    fn append(&mut self, batch: ProducedBatch) -> Reply {
        let receiver = self.queue(batch);
        self.replica.write_queued(1, &self.hands);
        receiver
    }

    fn flush(&mut self) {
        let (done, flushed) = std::sync::mpsc::channel();
        self.replica.flush(Box::new(move |result| drop(done.send(result))));
        self.directory.run_flushes();
        self.replica.on_flushed(flushed.try_recv().unwrap(), &self.hands);
    }

    fn high_watermark(&self) -> i64 {
        self.partition.view.high_watermark()
    }

    fn writes(&self) -> usize {
        self.disk.trace().iter().filter(|call| call.contains("write")).count()
    }
}

fn batch(producer: Option<ProducerState>, bytes: usize) -> ProducedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    builder.append(1, None, Some(&vec![b'x'; bytes]), &[]).unwrap();
    ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap()
}

fn anonymous() -> ProducedBatch {
    batch(None, 10)
}

fn numbered(base_sequence: i32) -> ProducedBatch {
    let state = ProducerState { id: 9, epoch: 0, base_sequence, transactional: false };
    batch(Some(state), 10)
}

/// The offset that was answered.
fn offset(reply: &mut Reply) -> i64 {
    reply.try_recv().unwrap().unwrap().base_offset
}

fn is_waiting(reply: &mut Reply) -> bool {
    matches!(reply.try_recv(), Err(TryRecvError::Empty))
}

#[test]
fn whoever_waits_for_the_write_alone_is_answered_before_the_flush() {
    let mut setting = Setting::new(false);
    let mut written = setting.queue_until(anonymous(), Until::Written, None);
    let mut committed = setting.queue(anonymous());
    setting.replica.write_queued(1, &setting.hands);
    assert_eq!(offset(&mut written), 0);
    assert!(is_waiting(&mut committed));
    setting.flush();
    assert_eq!(offset(&mut committed), 1);
}

#[test]
fn a_batch_takes_its_room_until_it_is_written() {
    let mut setting = Setting::new(false);
    let permit: RequestPermit = Arc::new(());
    let _reply = setting.queue_until(anonymous(), Until::Committed, Some(Arc::clone(&permit)));
    assert_eq!(Arc::strong_count(&permit), 2);
    setting.replica.write_queued(1, &setting.hands);
    assert_eq!(Arc::strong_count(&permit), 1, "it isn't kept for the flush");
}

#[test]
fn an_answer_leaves_when_its_batch_is_durable() {
    let mut setting = Setting::new(false);
    let mut replies = [setting.append(anonymous()), setting.append(anonymous())];
    assert!(replies.iter_mut().all(is_waiting));
    assert_eq!(setting.high_watermark(), 0);
    setting.flush();
    assert_eq!(replies.each_mut().map(offset), [0, 1]);
    assert_eq!(setting.high_watermark(), 2);
}

#[test]
fn a_repeated_batch_waits_as_the_first_one_does() {
    let mut setting = Setting::new(false);
    let mut first = setting.append(numbered(0));
    let mut again = setting.append(numbered(0));
    assert!(is_waiting(&mut first) && is_waiting(&mut again));
    setting.flush();
    assert_eq!((offset(&mut first), offset(&mut again)), (0, 0));
    assert_eq!(offset(&mut setting.append(numbered(0))), 0, "at once: it is durable");
}

#[test]
fn what_a_turn_brings_is_one_write() {
    let mut setting = Setting::new(false);
    drop(setting.append(anonymous()));
    let before = setting.writes();
    let replies: Vec<_> = (0..5).map(|_| setting.queue(anonymous())).collect();
    setting.replica.write_queued(1, &setting.hands);
    assert_eq!(setting.writes() - before, 1);
    setting.flush();
    assert!(replies.into_iter().zip(1..).all(|(mut reply, at)| offset(&mut reply) == at));
}

#[test]
fn the_numbers_of_a_producer_are_checked_one_after_the_other() {
    let mut setting = Setting::new(false);
    let [mut first, mut second, mut again, mut gap] =
        [0, 1, 0, 7].map(|sequence| setting.queue(numbered(sequence)));
    setting.replica.write_queued(1, &setting.hands);
    assert!(matches!(gap.try_recv(), Ok(Err(AppendError::Producer(_)))));
    setting.flush();
    assert_eq!([&mut first, &mut second, &mut again].map(offset), [0, 1, 0]);
}

#[test]
fn what_was_sent_behind_a_refused_batch_is_refused_as_it_was() {
    for known in [false, true] {
        let mut setting = Setting::new(false);
        let first = i32::from(known);
        if known {
            drop(setting.append(numbered(0)));
            setting.flush();
        }
        setting.disk.set_capacity(setting.disk.used());
        let refuse = |setting: &mut Setting, sequence| {
            let mut reply = setting.append(numbered(sequence));
            let Ok(Err(AppendError::Storage(error))) = reply.try_recv() else {
                panic!("{reply:?}")
            };
            assert!(matches!(*error, StorageError::NoSpace { .. }));
        };
        let large = ProducerState { id: 9, epoch: 0, base_sequence: first, transactional: false };
        let mut reply = setting.append(batch(Some(large), 100_000));
        assert!(matches!(reply.try_recv(), Ok(Err(AppendError::Storage(_)))));
        setting.disk.set_capacity(u64::MAX);
        (1..5).for_each(|more| refuse(&mut setting, first + more));
        if known {
            let mut fifth = setting.append(numbered(first + 5));
            assert!(
                matches!(fifth.try_recv(), Ok(Err(AppendError::Producer(_)))),
                "more than five"
            );
        }
        let replies = [first, first + 1].map(|sequence| setting.append(numbered(sequence)));
        setting.flush();
        let offsets = replies.map(|mut reply| offset(&mut reply));
        assert_eq!(offsets, [first, first + 1].map(i64::from), "in order it is taken");
        let mut gap = setting.append(numbered(first + 9));
        assert!(
            matches!(gap.try_recv(), Ok(Err(AppendError::Producer(_)))),
            "behind no refused one"
        );
    }
}

#[test]
fn after_a_failed_flush_nothing_is_acknowledged() {
    let mut setting = Setting::new(false);
    let mut reply = setting.append(numbered(0));
    setting.disk.set_fault(Fault::new(Operation::Sync, EIO));
    setting.flush();
    assert!(matches!(reply.try_recv(), Ok(Err(AppendError::FlushFailed))));
    assert!(!setting.replica.wants_flush(), "it would fail for ever");
    let mut again = setting.append(numbered(0));
    assert!(matches!(again.try_recv(), Ok(Err(AppendError::FlushFailed))));
    let mut next = setting.append(numbered(1));
    let Ok(Err(AppendError::Storage(error))) = next.try_recv() else { panic!("{next:?}") };
    assert!(matches!(*error, StorageError::OutOfService { .. }));
    assert_eq!(setting.high_watermark(), 0);
}

#[test]
fn a_full_disk_refuses_and_heals() {
    let mut setting = Setting::new(false);
    let mut small = setting.append(anonymous());
    setting.flush();
    assert_eq!(offset(&mut small), 0);
    setting.disk.set_capacity(setting.disk.used());
    let mut refused = setting.append(batch(None, 100_000));
    let Ok(Err(AppendError::Storage(error))) = refused.try_recv() else { panic!("{refused:?}") };
    assert!(matches!(*error, StorageError::NoSpace { .. }));
    setting.disk.set_capacity(u64::MAX);
    let mut taken = setting.append(batch(None, 100_000));
    setting.flush();
    assert_eq!(offset(&mut taken), 1);
}

#[test]
fn a_step_that_makes_the_log_durable_answers_who_waits() {
    let mut setting = Setting::new(false);
    drop(setting.append(anonymous()));
    setting.flush();
    let mut reply = setting.append(anonymous());
    setting.replica.at_rest(|log| log.set_log_start(1).unwrap(), &setting.hands);
    assert_eq!(offset(&mut reply), 1);
}

#[test]
fn a_step_waits_for_the_flush_that_is_under_way() {
    let mut setting = Setting::new(false);
    drop(setting.append(anonymous()));
    setting.replica.flush(Box::new(|_| {}));
    setting.replica.at_rest(|log| log.set_log_start(1).unwrap(), &setting.hands);
    assert_eq!(setting.partition.view.log_start_offset(), 0);
    setting.directory.run_flushes();
    setting.replica.on_flushed(Ok(()), &setting.hands);
    assert_eq!(setting.partition.view.log_start_offset(), 1);
}

/// Moves the log start; says where it is told to be.
fn move_start(setting: &mut Setting, offset: i64) -> std::sync::mpsc::Receiver<Option<i64>> {
    let (told, moved) = std::sync::mpsc::channel();
    setting.replica.move_log_start(
        move |_| Ok(Some(offset)),
        move |replica, result| {
            let start = replica.log.view().log_start_offset();
            told.send(result.ok().map(|_| start)).unwrap();
        },
        &setting.hands,
    );
    moved
}

#[test]
fn a_log_start_moves_when_a_flush_is_over_and_the_next_behind_it() {
    let mut setting = Setting::new(false);
    drop(setting.append(anonymous()));
    drop(setting.append(anonymous()));
    setting.flush();
    let mut reply = setting.append(anonymous());
    let (first, second) = (move_start(&mut setting, 1), move_start(&mut setting, 2));
    assert!(setting.replica.is_flushing() && is_waiting(&mut reply));
    setting.directory.run_flushes();
    assert!(first.try_recv().is_err() && setting.partition.view.log_start_offset() == 0);
    setting.replica.on_flushed(Ok(()), &setting.hands);
    assert_eq!((first.try_recv(), second.try_recv().ok()), (Ok(Some(1)), None));
    assert_eq!(offset(&mut reply), 2);
    assert!(setting.replica.is_flushing(), "of the second");
    setting.directory.run_flushes();
    setting.replica.on_flushed(Ok(()), &setting.hands);
    assert_eq!(second.try_recv(), Ok(Some(2)));
    assert!(!setting.replica.is_flushing());
    assert_eq!(move_start(&mut setting, 1).try_recv(), Ok(Some(2)), "it is there already");
    assert_eq!(move_start(&mut setting, 9).try_recv(), Ok(None), "there is nothing");
}

#[test]
fn what_is_asked_for_during_a_flush_waits_for_one_of_its_own() {
    let mut setting = Setting::new(false);
    drop(setting.append(anonymous()));
    setting.flush();
    drop(setting.append(anonymous()));
    setting.replica.flush(Box::new(|_| {}));
    let step = |group: &mut Group, effects: &mut Effects| _ = group.move_start(1, effects);
    setting.replica.step(&setting.hands, step);
    setting.directory.run_flushes();
    setting.replica.on_flushed(Ok(()), &setting.hands);
    assert_eq!(setting.high_watermark(), 2, "which had the group take a step");
    assert!(setting.replica.is_flushing() && setting.partition.view.log_start_offset() == 0);
    setting.directory.run_flushes();
    setting.replica.on_flushed(Ok(()), &setting.hands);
    assert_eq!(setting.partition.view.log_start_offset(), 1);
}

#[test]
fn a_log_start_that_cannot_be_written_down_stays() {
    let mut setting = Setting::new(false);
    drop(setting.append(anonymous()));
    setting.flush();
    drop(setting.append(anonymous()));
    let moved = move_start(&mut setting, 1);
    setting
        .replica
        .on_flushed(Err(StorageError::OutOfService { path: "/data".into() }), &setting.hands);
    assert_eq!(moved.try_recv(), Ok(None));
    assert_eq!(setting.partition.view.log_start_offset(), 0);
}

#[test]
fn who_waits_for_a_partition_that_is_deleted_is_told() {
    let mut setting = Setting::new(false);
    let (mut written, mut queued) = (setting.append(anonymous()), setting.queue(anonymous()));
    drop(setting.replica.into_log());
    for reply in [&mut written, &mut queued] {
        assert!(matches!(reply.try_recv(), Err(TryRecvError::Closed)));
    }
}

#[test]
fn with_caching_a_record_counts_once_the_state_store_knows_that_some_may_be_lost() {
    let mut setting = Setting::new(true);
    let mut first = setting.append(anonymous());
    assert_eq!(setting.replica.caching_to_record(), Some(true));
    assert_eq!(setting.replica.caching_to_record(), None, "it is asked for once");
    assert!(is_waiting(&mut first) && !setting.replica.may_flush_later());
    setting.replica.on_caching_recorded(&setting.hands);
    assert!(is_waiting(&mut first), "a kill would lose a segment that nothing names");
    let mut second = setting.append(anonymous());
    assert!(is_waiting(&mut first) && is_waiting(&mut second), "nor is what follows it safe");
    assert_eq!(setting.high_watermark(), 0);
    assert!(!setting.replica.may_flush_later() && setting.replica.wants_flush());
    setting.flush();
    assert_eq!((offset(&mut first), offset(&mut second)), (0, 1));
    assert_eq!(offset(&mut setting.append(anonymous())), 2, "at once");
    assert!(setting.replica.may_flush_later() && setting.replica.wants_flush());
    assert_eq!(setting.high_watermark(), 3);
}

#[test]
fn with_flush_messages_the_record_that_makes_so_many_waits_for_a_flush() {
    let mut setting = Setting::new(true);
    drop(setting.append(anonymous()));
    assert_eq!(setting.replica.caching_to_record(), Some(true));
    setting.replica.on_caching_recorded(&setting.hands);
    setting.flush();
    let limited = TopicSettings { flush_messages: 2, ..(*settings(true)).clone() };
    setting.partition.set_settings(Arc::new(limited));
    assert_eq!(offset(&mut setting.append(anonymous())), 1, "at once");
    assert!(setting.replica.may_flush_later());
    let mut kept = setting.queue_until(anonymous(), Until::Kept, None);
    let mut committed = setting.queue(anonymous());
    setting.replica.write_queued(1, &setting.hands);
    assert!(is_waiting(&mut kept) && is_waiting(&mut committed));
    assert!(!setting.replica.may_flush_later(), "it is asked for at once");
    setting.flush();
    assert_eq!((offset(&mut kept), offset(&mut committed)), (2, 3));
    assert_eq!(offset(&mut setting.append(anonymous())), 4, "counted from there on");
}

#[test]
fn records_that_are_cached_are_deleted_when_they_are_flushed() {
    let mut setting = Setting::new(true);
    drop(setting.append(anonymous()));
    assert_eq!(setting.replica.caching_to_record(), Some(true));
    setting.replica.on_caching_recorded(&setting.hands);
    setting.flush();
    assert_eq!(offset(&mut setting.append(anonymous())), 1, "counts and is not flushed");
    let (reply, mut deleted) = oneshot::channel();
    setting.replica.delete_records(2, reply, &setting.hands);
    assert!(matches!(deleted.try_recv(), Err(TryRecvError::Empty)));
    assert!(!setting.replica.may_flush_later(), "somebody waits for it");
    setting.flush();
    setting.directory.run_flushes();
    setting.replica.on_flushed(Ok(()), &setting.hands);
    assert_eq!(deleted.try_recv().unwrap().unwrap(), 2);
    assert_eq!(setting.partition.view.log_start_offset(), 2);
}

#[test]
fn the_state_store_is_told_that_caching_is_over_when_all_is_flushed() {
    let mut setting = Setting::new(true);
    drop(setting.append(anonymous()));
    assert_eq!(setting.replica.caching_to_record(), Some(true));
    setting.replica.on_caching_recorded(&setting.hands);
    setting.flush();
    assert_eq!(offset(&mut setting.append(anonymous())), 1, "counts and is not flushed");
    setting.partition.set_settings(settings(false));
    setting.replica.configure(&settings(false), &setting.hands);
    assert_eq!(setting.replica.caching_to_record(), None, "a record is not flushed");
    let mut reply = setting.append(anonymous());
    assert!(is_waiting(&mut reply));
    setting.flush();
    assert_eq!(offset(&mut reply), 2);
    assert_eq!(setting.replica.caching_to_record(), Some(false));
}

#[test]
fn the_flag_of_caching_is_durable_when_it_is_reported() {
    let setting = Setting::new(true);
    let (done, reported) = std::sync::mpsc::channel();
    assert_eq!(Caching::of(&setting.directory, &KEY), Caching::Off);
    caching::record(&setting.directory, KEY, true, move || done.send(()).unwrap());
    assert!(reported.try_recv().is_err());
    let before = setting.disk.syncs().len();
    setting.directory.run_flushes();
    reported.try_recv().unwrap();
    assert!(setting.disk.syncs().len() > before);
    assert_eq!(Caching::of(&setting.directory, &KEY), Caching::Recorded);
}

#[test]
fn a_watch_tells_each_change_once() {
    let mut setting = Setting::new(false);
    let mut watch = Watch::new([&setting.partition].into_iter());
    assert!(watch.take_changed().is_empty());
    for _ in 0..2 {
        drop(setting.append(anonymous()));
        setting.flush();
        assert_eq!(watch.take_changed(), [0]);
        assert!(watch.take_changed().is_empty());
    }
}
