//! The metadata log: what is written is read, and what is damaged is named.

use tempfile::TempDir;

use logboom_protocol::CompactString;
use logboom_storage::SystemDisk;

use super::super::testing::Stage;
use super::*;

fn begin(dir: &TempDir) -> Stage {
    Stage::begin(Arc::new(SystemDisk), dir.path())
}

fn cluster() -> MetadataRecord {
    MetadataRecord::ClusterId(Uuid([3; 16]))
}

fn feature(name: &str, level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel { name: name.into(), level }
}

/// A batch of one value as it is.
fn value(value: &[u8]) -> ProducedBatch {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(0, None, Some(value), &[]).unwrap();
    ProducedBatch::check(builder.build().unwrap(), &mut Inflater::default()).unwrap()
}

#[test]
fn what_was_committed_is_loaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let stage = begin(&dir);
    let (log, image) = stage.load().unwrap();
    assert_eq!(image, MetadataImage::default());
    let decisions =
        [vec![cluster()], vec![feature("a", 1), feature("b", 2)], vec![feature("a", 3)]];
    let batches = decisions.iter().map(|records| decision(records).unwrap()).collect();
    stage.append(&log, batches).unwrap();
    drop(log);
    stage.end();

    let stage = begin(&dir);
    let (log, image) = stage.load().unwrap();
    assert_eq!(image, MetadataImage::load(decisions.concat()).unwrap());
    assert_eq!(log.offset(), 4);
    drop(log);
    stage.end();
}

#[test]
fn what_follows_is_read_once_and_said_to_have_changed() {
    let dir = tempfile::tempdir().unwrap();
    let stage = begin(&dir);
    let (mut log, mut image) = stage.load().unwrap();
    for records in [vec![cluster(), feature("a", 1)], vec![feature("c", 1)]] {
        stage.append(&log, vec![decision(&records).unwrap()]).unwrap();
        let read = log.read(&mut image).unwrap();
        assert_eq!((read.records, read.is_whole), (records, false));
        let again = log.read(&mut image).unwrap();
        assert_eq!((again.records, again.is_whole), (Vec::new(), false));
    }
    drop(log);
    stage.end();
}

#[test]
fn a_checkpoint_takes_the_place_of_what_stood_before() {
    let dir = tempfile::tempdir().unwrap();
    let stage = begin(&dir);
    let (mut log, mut image) = stage.load().unwrap();
    let mut late = stage.log();
    stage.append(&log, vec![decision(&[cluster()]).unwrap()]).unwrap();
    log.read(&mut image).unwrap();
    assert!(!log.wants_checkpoint(), "not worth it");
    let name: CompactString = "f".repeat(1_000).into();
    let many: Vec<_> = (0..1_100).map(|level| feature(&name, level)).collect();
    stage.append(&log, vec![decision(&many).unwrap()]).unwrap();
    log.read(&mut image).unwrap();
    assert!(log.wants_checkpoint());
    let before = image.clone();
    stage.append(&log, vec![checkpoint(&image).unwrap()]).unwrap();
    stage.runtime.block_on(log.drop_before(1_101));
    let read = log.read(&mut image).unwrap();
    assert_eq!((read.records, read.is_whole), (Vec::new(), false), "all of it was known");
    assert_eq!(image, before);
    assert_eq!(log.partition().view.log_start_offset(), 1_101);
    assert!(!log.wants_checkpoint(), "just done");
    stage.append(&log, vec![decision(&[feature("later", 1)]).unwrap()]).unwrap();
    log.read(&mut image).unwrap();
    // Whoever hasn't read what is gone has the same from the checkpoint.
    let mut lates = MetadataImage::default();
    assert!(late.read(&mut lates).unwrap().is_whole);
    assert_eq!(lates, image);
    drop((log, late));
    stage.end();

    let stage = begin(&dir);
    let (log, loaded) = stage.load().unwrap();
    assert_eq!(loaded, image);
    assert!(!log.wants_checkpoint(), "nor is a start a reason");
    drop(log);
    stage.end();
}

#[test]
fn a_record_that_is_none_is_refused_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let stage = begin(&dir);
    let values = [value(&cluster().encode().unwrap()), value(b"\xff not a record")];
    stage.append(&stage.log(), values.into()).unwrap();
    let error = stage.load().err().unwrap();
    assert!(matches!(error, MetadataLogError::Record { offset: 1, .. }), "{error}");
    assert!(error.to_string().starts_with("metadata log: offset 1: "), "{error}");
    stage.end();
}

#[test]
fn a_record_that_fits_nothing_before_it_is_refused_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let stage = begin(&dir);
    let deleted = MetadataRecord::TopicDeleted { id: Uuid([9; 16]) };
    stage.append(&stage.log(), vec![value(&deleted.encode().unwrap())]).unwrap();
    let error = stage.load().err().unwrap();
    assert!(matches!(error, MetadataLogError::Apply { offset: 0, .. }), "{error}");
    stage.end();
}
