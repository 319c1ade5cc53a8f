//! The metadata log: what is written is read, and what is damaged is named.

use tempfile::TempDir;

use logboom_protocol::CompactString;
use logboom_storage::state::OpenMark;
use logboom_storage::{Directory, DirectoryOptions, SystemDisk};

use super::*;

const MARK: OpenMark = OpenMark { boot_id: [1; 16], mount_id: 1 };

/// A data directory and its metadata log.
struct Life {
    directory: Directory,
    log: Log,
    group: Group,
}

impl Life {
    fn begin(dir: &TempDir) -> Self {
        let options = DirectoryOptions::default();
        let disk = Arc::new(SystemDisk);
        let directory = Directory::open(disk, dir.path(), options, MARK, 1).unwrap();
        let seat = Seat::new(1, directory.id());
        let (log, group, findings) = open_metadata(&directory, &seat).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        Self { directory, log, group }
    }

    fn load(self) -> (Directory, MetadataLog, MetadataImage) {
        let (log, image) = MetadataLog::load(self.log, self.group).unwrap();
        (self.directory, log, image)
    }
}

fn cluster() -> MetadataRecord {
    MetadataRecord::ClusterId(Uuid([3; 16]))
}

fn feature(name: &str, level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel { name: name.into(), level }
}

/// Appends one batch of one value as it is.
fn append_value(log: &mut Log, value: &[u8]) {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(0, None, Some(value), &[]).unwrap();
    let batch = CheckedBatch::check(builder.build().unwrap()).unwrap();
    let base = Offset::from_wire(log.end_offset()).unwrap();
    let epoch = LeaderEpoch::from_wire(log.epoch()).unwrap();
    log.append(&[StampedBatch::by_broker(&batch, base, epoch)]).unwrap();
    log.flush_now().unwrap();
    log.set_high_watermark(log.end_offset());
}

#[test]
fn what_was_flushed_is_loaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, mut log, image) = Life::begin(&dir).load();
    assert_eq!(image, MetadataImage::default());
    let decisions =
        [vec![cluster()], vec![feature("a", 1), feature("b", 2)], vec![feature("a", 3)]];
    decisions.iter().for_each(|records| log.append(records).unwrap());
    log.flush_now().unwrap();
    assert_eq!(log.end_offset(), 4);
    log.close().unwrap();
    directory.close().unwrap();

    let (_, log, image) = Life::begin(&dir).load();
    assert_eq!(image, MetadataImage::load(decisions.concat()).unwrap());
    assert_eq!(log.end_offset(), 4);
}

#[test]
fn a_decision_is_one_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (_directory, mut log, _) = Life::begin(&dir).load();
    log.append(&[cluster(), feature("a", 1), feature("b", 2)]).unwrap();
    log.append(&[feature("c", 1)]).unwrap();
    log.flush_now().unwrap();
    let bytes = read(log.log.view(), 0).unwrap();
    let batches: Vec<_> = RawBatches::new(&bytes).map(Result::unwrap).collect();
    let counts: Vec<_> = batches
        .iter()
        .map(|batch| CheckedBatch::check(bytes.slice_ref(batch.bytes())).unwrap())
        .map(|batch| batch.header().last_offset_delta + 1)
        .collect();
    assert_eq!(counts, [3, 1]);
}

#[test]
fn a_checkpoint_takes_the_place_of_what_stood_before() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, mut log, mut image) = Life::begin(&dir).load();
    let mut put = |log: &mut MetadataLog, records: Vec<MetadataRecord>| {
        log.append(&records).unwrap();
        image = image.with(&records).unwrap();
        image.clone()
    };
    let small = put(&mut log, vec![cluster()]);
    log.flush_now().unwrap();
    log.checkpoint(&small).unwrap();
    assert_eq!(log.log.view().log_start_offset(), 0, "not worth it");

    let name: CompactString = "f".repeat(1_000).into();
    let many: Vec<_> = (0..1_100).map(|level| feature(&name, level)).collect();
    let whole = put(&mut log, many);
    log.flush_now().unwrap();
    log.checkpoint(&whole).unwrap();
    assert_eq!(log.log.view().log_start_offset(), 1_101);
    log.checkpoint(&whole).unwrap();
    assert_eq!(log.log.view().log_start_offset(), 1_101, "just done");
    let last = put(&mut log, vec![feature("later", 1)]);
    log.flush_now().unwrap();
    log.close().unwrap();
    directory.close().unwrap();

    let (_directory, mut log, loaded) = Life::begin(&dir).load();
    assert_eq!(loaded, last);
    log.checkpoint(&loaded).unwrap();
    assert_eq!(log.log.view().log_start_offset(), 1_101, "nor is a start a reason");
}

#[test]
fn a_record_that_is_none_is_refused_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(&dir);
    append_value(&mut life.log, &cluster().encode().unwrap());
    append_value(&mut life.log, b"\xff not a record");
    let error = MetadataLog::load(life.log, life.group).err().unwrap();
    assert!(matches!(error, MetadataLogError::Record { offset: 1, .. }), "{error}");
    assert!(error.to_string().starts_with("metadata log: offset 1: "), "{error}");
}

#[test]
fn a_record_that_fits_nothing_before_it_is_refused_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(&dir);
    let deleted = MetadataRecord::TopicDeleted { id: Uuid([9; 16]) };
    append_value(&mut life.log, &deleted.encode().unwrap());
    let error = MetadataLog::load(life.log, life.group).err().unwrap();
    assert!(matches!(error, MetadataLogError::Apply { offset: 0, .. }), "{error}");
}
