//! The host of the controller, and what it does when its log fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;

use logboom_protocol::units::Uuid;
use logboom_storage::sim::{Fault, Operation, SimDisk};

use super::super::testing::{Stage, runtime};
use super::*;
use crate::partition::Process;

const EIO: i32 = 5;

/// A controller on a simulated disk.
struct Host {
    disk: Arc<SimDisk>,
    stage: Stage,
    handle: ControllerHandle,
    published: Arc<ArcSwap<MetadataImage>>,
    controller: JoinHandle<()>,
}

impl Host {
    fn begin(disk: &Arc<SimDisk>) -> Self {
        let own: Arc<SimDisk> = Arc::clone(disk);
        let stage = Stage::begin(own, Path::new("/data"));
        let (log, image) = stage.load().unwrap();
        let published = Arc::new(ArcSwap::from_pointee(image.clone()));
        let reconciler = Reconciler {
            config: Arc::default(),
            directory: Arc::clone(&stage.directory),
            seat: stage.seat.clone(),
            shards: Arc::from([stage.shard.clone()]),
            registry: Arc::clone(&stage.registry),
            is_alone: true,
            incarnation: Uuid::ZERO,
            coordination: Arc::default(),
            catch_up: Arc::default(),
            published: Arc::clone(&published),
            kept: Vec::new(),
            unmade: BTreeSet::new(),
        };
        let (controller, handle) =
            Controller::new(log, image, reconciler, Arc::new(Process), Arc::default());
        let controller = thread::spawn(move || runtime().block_on(controller.run()));
        Self { disk: Arc::clone(disk), stage, handle, published, controller }
    }

    /// Decides on these records; what was seen is the count of features before.
    fn decide(&self, records: Vec<MetadataRecord>) -> Result<usize, ControllerError> {
        let decide =
            |image: &MetadataImage| Decision { records, response: image.features().count() };
        self.stage.runtime.block_on(self.handle.decide(decide))
    }

    fn features(&self) -> usize {
        self.published.load().features().count()
    }

    fn end(self) {
        self.handle.close();
        self.controller.join().unwrap();
        self.stage.end();
    }
}

fn feature(name: &str) -> MetadataRecord {
    MetadataRecord::FeatureLevel { name: name.into(), level: 1 }
}

#[test]
fn a_decision_is_published_when_it_is_answered_and_there_after_a_start() {
    let disk = SimDisk::new();
    let host = Host::begin(&disk);
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(host.decide(vec![feature(name)]), Ok(number));
        assert_eq!(host.features(), number + 1);
    }
    host.end();
    let host = Host::begin(&disk);
    assert_eq!(host.decide(vec![]), Ok(3));
    host.end();
}

#[test]
fn nothing_is_decided_or_published_once_a_flush_has_failed() {
    let host = Host::begin(&SimDisk::new());
    assert_eq!(host.decide(vec![feature("a")]), Ok(0));
    let is_log = |path: &Path| path.extension().is_some_and(|ending| ending == "log");
    host.disk.set_fault(Fault::new(Operation::Sync, EIO).at(is_log));
    assert_eq!(host.decide(vec![feature("b")]), Err(ControllerError::Storage));
    assert_eq!(host.features(), 1);
    assert_eq!(host.decide(vec![]), Err(ControllerError::Storage), "b may be there or not");
    assert_eq!(host.decide(vec![feature("c")]), Err(ControllerError::Storage));
    assert_eq!(host.features(), 1);
    host.end();
}

#[test]
fn a_decision_that_is_too_large_changes_nothing() {
    let host = Host::begin(&SimDisk::new());
    let name = "n".repeat(30_000);
    let count = DECISION_BYTES_MAX / name.len() + 1;
    assert_eq!(host.decide(vec![feature(&name); count]), Err(ControllerError::TooLarge));
    assert_eq!(host.decide(vec![feature("a")]), Ok(0));
    host.end();
}

#[test]
fn who_does_not_wait_has_the_change_made_nevertheless() {
    let host = Host::begin(&SimDisk::new());
    let decide = |_: &MetadataImage| Decision {
        records: vec![MetadataRecord::ClusterId(Uuid([1; 16]))],
        response: (),
    };
    let decided = host.stage.runtime.block_on(host.handle.decide_within(-1, decide));
    assert!(matches!(decided, Ok(()) | Err(ControllerError::TimedOut)), "{decided:?}");
    assert_eq!(host.decide(vec![]), Ok(0), "behind it in the queue");
    assert_eq!(host.published.load().cluster_id(), Some(Uuid([1; 16])));
    let code = ControllerError::TimedOut.code();
    assert_eq!(code, ErrorCode::REQUEST_TIMED_OUT);
    host.end();
}

#[test]
fn nothing_is_decided_after_the_end() {
    let host = Host::begin(&SimDisk::new());
    host.handle.close();
    assert_eq!(host.decide(vec![]), Err(ControllerError::Stopped));
    host.end();
}
