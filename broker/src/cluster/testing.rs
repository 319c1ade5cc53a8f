//! A shard with the metadata log, on a disk of the test's.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use logboom_protocol::records::ProducedBatch;
use logboom_storage::state::OpenMark;
use logboom_storage::{Directory, DirectoryOptions, Disk};

use super::metadata_log::{METADATA, METADATA_TOPIC, MetadataLog, settings};
use super::{MetadataLogError, found_alone, load};
use crate::partition::{
    AppendError, Command, Hands, Opening, Process, Registry, Seat, Shard, ShardHandle,
};
use logboom_controller::MetadataImage;

const MARK: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 1 };

/// A data directory, its threads, and a shard that has the metadata log.
pub(super) struct Stage {
    pub(super) directory: Arc<Directory>,
    pub(super) seat: Seat,
    pub(super) registry: Arc<Registry>,
    pub(super) shard: ShardHandle,
    pub(super) runtime: Runtime,
    threads: Vec<JoinHandle<()>>,
}

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Stage {
    /// Opens the log, which leads.
    pub(super) fn begin(disk: Arc<dyn Disk>, root: &Path) -> Self {
        let directory = Directory::open(disk, root, DirectoryOptions::default(), MARK, 1).unwrap();
        let directory = Arc::new(directory);
        let seat = Seat::new(1, directory.id());
        let registry = Arc::new(Registry::default());
        let (shard, commands) = ShardHandle::channel();
        let (flushes, state) = (Arc::clone(&directory), Arc::clone(&directory));
        let held = (Arc::clone(&directory), seat.clone(), Arc::clone(&registry), shard.clone());
        let run = move || {
            let (directory, seat, registry, own) = held;
            let reports = mpsc::unbounded_channel().0;
            let metrics = Arc::default();
            let around = Arc::new(Process);
            let catch_up = Arc::default();
            let hands = Hands { directory, metrics, handle: own, reports, catch_up, around };
            let shard = Shard::new(0, hands, seat, registry, commands);
            LocalSet::new().block_on(&runtime(), shard.run());
        };
        let threads = vec![
            thread::spawn(move || flushes.serve_flushes()),
            // That it fails is what a test may want.
            thread::spawn(move || _ = state.serve_state()),
            thread::spawn(run),
        ];
        let stage = Self { directory, seat, registry, shard, runtime: runtime(), threads };
        stage.open();
        stage
    }

    fn open(&self) {
        let is_new = found_alone(&self.directory, &self.seat).unwrap();
        let (done, opened) = oneshot::channel();
        let settings = Arc::new(settings());
        let topic = METADATA_TOPIC.into();
        let opening = Opening { key: METADATA, topic, settings, is_new, wish: None };
        self.shard.send(Command::Open(vec![opening], done));
        opened.blocking_recv().unwrap().unwrap();
    }

    /// The beginning of the log.
    pub(super) fn log(&self) -> MetadataLog {
        let partition = self.registry.get(METADATA.topic_id, METADATA.partition).unwrap();
        MetadataLog::new(partition, self.shard.clone())
    }

    /// All of the log, and what its records make.
    pub(super) fn load(&self) -> Result<(MetadataLog, MetadataImage), MetadataLogError> {
        let mut log = self.log();
        let image = load(&mut log)?;
        Ok((log, image))
    }

    /// Appends batches, and waits until they are committed.
    pub(super) fn append(
        &self,
        log: &MetadataLog,
        batches: Vec<ProducedBatch>,
    ) -> Result<(), AppendError> {
        let epoch = log.partition().leader_epoch();
        for result in log.append(batches, epoch) {
            result.blocking_recv().unwrap()?;
        }
        Ok(())
    }

    /// Ends the threads, and closes the directory.
    pub(super) fn end(self) {
        let (done, closed) = oneshot::channel();
        self.shard.send(Command::Close(done));
        drop(closed.blocking_recv());
        self.directory.stop_flushes();
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        if let Some(directory) = Arc::into_inner(self.directory) {
            // Where the test has broken the disk it can't be closed.
            drop(directory.close());
        }
    }
}
