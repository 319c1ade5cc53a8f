//! Flipped bytes in a large directory: what is served is right, what isn't is refused and named.
//!
//! The directory is written once. Each flip is tried on a tree of hard links to its files, and
//! then taken back: a start writes in no file that is there already.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use logboom_storage::state::StateOptions;
use logboom_storage::{
    Directory, DirectoryOptions, Finding, Log, LogOptions, Report, SEGMENT_BYTES_MIN, SystemDisk,
};
use logboom_tests::foreign::scratch;
use logboom_tests::load::{Held, held, key, open, random, sized_batch};

use super::size;

const PARTITIONS: i32 = 8;
/// Segments of a partition, about.
const SEGMENTS: u64 = 4;
/// Records of a batch, and bytes of a record.
const BATCH: (u64, usize) = (4, 4000);
/// More than the bytes of a batch.
const BATCH_BYTES_MAX: u64 = 20_000;

fn try_open(root: &Path) -> Result<Directory, String> {
    let state = StateOptions { reserve_bytes: 1 << 20, checkpoint_bytes: 256 << 10 };
    let options = DirectoryOptions { state, ..DirectoryOptions::default() };
    let directory = open(root, options);
    directory.map_err(|error| error.to_string())
}

fn open_log(directory: &Directory, partition: i32, segment_bytes: u32) -> (Log, Vec<Finding>) {
    let options = LogOptions { segment_bytes, ..LogOptions::default() };
    directory.open_log(key(partition), options).unwrap()
}

/// A directory, and what it holds.
struct Written {
    root: PathBuf,
    segment_bytes: u32,
    /// The offset behind the last record of each partition.
    end: i64,
}

impl Written {
    /// Writes about `bytes`, and leaves the directory as a killed process does.
    fn new(root: PathBuf, bytes: u64) -> Self {
        let each = bytes / PARTITIONS as u64;
        let segment_bytes = u32::try_from(each / SEGMENTS).unwrap().max(SEGMENT_BYTES_MIN);
        let directory = try_open(&root).unwrap();
        let end = (each / (BATCH.1 as u64)) as i64 / BATCH.0 as i64 * BATCH.0 as i64;
        for partition in 0..PARTITIONS {
            directory.create(key(partition), 0).unwrap();
            let (mut log, _) = open_log(&directory, partition, segment_bytes);
            for offset in (0..end).step_by(BATCH.0 as usize) {
                log.append(&[sized_batch(partition, 1, offset, BATCH.0, BATCH.1)]).unwrap();
                if offset % 400 == 0 {
                    flush(&directory, &mut log);
                }
            }
            flush(&directory, &mut log);
        }
        Self { root, segment_bytes, end }
    }

    /// Leaves it as a clean stop does.
    fn close(&self) {
        let directory = try_open(&self.root).unwrap();
        for partition in 0..PARTITIONS {
            open_log(&directory, partition, self.segment_bytes).0.close().unwrap();
        }
        directory.close().unwrap();
    }
}

fn flush(directory: &Directory, log: &mut Log) {
    let end = log.flush(Box::new(|result| result.unwrap()));
    directory.run_flushes();
    end.into_iter().for_each(|end| log.on_flushed(end));
    log.set_high_watermark(log.end_offset());
}

/// All files below `dir`, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Makes `to` a tree of hard links to the files of `from`.
fn link(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    for file in files(from) {
        let linked = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(linked.parent().unwrap()).unwrap();
        fs::hard_link(file, linked).unwrap();
    }
}

/// What a file is to the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Identity,
    State,
    Index,
    Segment { partition: i32 },
}

fn role(path: &Path) -> Option<Role> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let directory = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    match name.rsplit_once('.') {
        Some((_, "index")) => Some(Role::Index),
        Some((_, "log")) => {
            let (_, partition) = directory.rsplit_once('-').unwrap();
            Some(Role::Segment { partition: partition.parse().unwrap() })
        }
        _ if name == "directory" => Some(Role::Identity),
        _ if directory == "state" => Some(Role::State),
        _ => None,
    }
}

/// One flipped bit.
#[derive(Debug)]
struct Flip {
    file: PathBuf,
    role: Role,
    position: u64,
}

/// Bytes of a file up to the last that isn't 0: behind it nothing was written.
fn written_bytes(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1)
}

impl Flip {
    /// Chooses a file, of which half are segments, and a byte of it.
    fn choose(files: &[(PathBuf, Role, u64)], seed: u64) -> Self {
        let segments = random(seed).is_multiple_of(2);
        let fits = |role: Role| segments == matches!(role, Role::Segment { .. });
        let chosen: Vec<_> = files.iter().filter(|(_, role, _)| fits(*role)).collect();
        let (file, role, bytes) = chosen[(random(seed ^ 1) % chosen.len() as u64) as usize];
        Self { file: file.clone(), role: *role, position: random(seed ^ 2) % bytes }
    }

    fn flip(&self, root: &Path) {
        let file = fs::File::options().read(true).write(true).open(root.join(&self.file)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.position).unwrap();
        byte[0] ^= 1 << (self.position % 8);
        file.write_all_at(&byte, self.position).unwrap();
    }

    /// Whether a place that was named is that of the flip: the batch or the header it lies in.
    fn is_at(&self, root: &Path, path: &Path, position: u64) -> bool {
        path == root.join(&self.file)
            && position < self.position + 65
            && self.position < position + BATCH_BYTES_MAX
    }

    /// `logboom log verify` names the place.
    fn check_verifier(&self, root: &Path) {
        let mut reports = Vec::new();
        let result = logboom_storage::verify(&SystemDisk, root, |report| reports.push(report));
        let named = match self.role {
            Role::Identity | Role::Index => {
                result.is_ok() && !reports.iter().any(Report::is_damage)
            }
            Role::State => match result {
                Err(error) => error.to_string().contains(&*self.file.to_string_lossy()),
                Ok(()) => reports.iter().any(|report| {
                    matches!(report, Report::DroppedFrame { path, position }
                        if *path == root.join(&self.file) && *position <= self.position)
                }),
            },
            Role::Segment { .. } => reports.iter().any(|report| match report {
                Report::Damaged { corruption, .. } | Report::TornTail { corruption, .. } => {
                    self.is_at(root, &corruption.path, corruption.position)
                }
                _ => false,
            }),
        };
        assert!(named, "{self:?}: {reports:?}");
    }

    /// A start serves what is right, and refuses and names what isn't; how many records are
    /// refused, or `None` where the directory is.
    fn check_start(&self, root: &Path, written: &Written) -> Option<usize> {
        let directory = match try_open(root) {
            Ok(directory) => directory,
            Err(error) => {
                assert!(matches!(self.role, Role::Identity | Role::State), "{self:?}: {error}");
                let path = root.join(&self.file);
                assert!(error.contains(&*path.to_string_lossy()), "{self:?}: {error}");
                return None;
            }
        };
        assert_ne!(self.role, Role::Identity, "{self:?} was not noticed");
        let dropped = directory.state().dropped().is_some();
        assert_eq!(dropped, self.role == Role::State, "{self:?}");
        let mut refused = 0;
        for partition in 0..PARTITIONS {
            let (log, findings) = open_log(&directory, partition, written.segment_bytes);
            if (self.role == Role::Segment { partition }) {
                refused += self.check_damaged(root, &log, partition, &findings, written.end);
                continue;
            }
            assert!(findings.is_empty() || dropped, "{self:?}: {findings:?}");
            assert!(log.end_offset() == written.end || dropped, "{self:?}: {}", log.end_offset());
            let end = log.end_offset();
            // Indexes are looked at in every segment; of the others three records are enough.
            let steps = if self.role == Role::Index { (end / 97).max(1) } else { (end / 2).max(1) };
            for offset in (0..end).step_by(steps as usize).chain([end - 1]) {
                let held = held(log.view(), partition, offset, offset + 1).unwrap();
                assert!(held.refused.is_empty(), "{self:?}: {:?}", held.refused);
            }
        }
        Some(refused)
    }

    /// The partition with the flip: everything is served, or refused with the place.
    fn check_damaged(
        &self,
        root: &Path,
        log: &Log,
        partition: i32,
        findings: &[Finding],
        end: i64,
    ) -> usize {
        let Held { spans, refused } = held(log.view(), partition, 0, log.end_offset())
            .unwrap_or_else(|e| panic!("{self:?}: {e}"));
        for one in &refused {
            let corruption = &one.corruption;
            let at = self.is_at(root, &corruption.path, corruption.position);
            assert!(at, "{self:?}: {corruption}");
        }
        let cut = findings.iter().any(|finding| {
            matches!(finding, Finding::TornTail { path, position, .. }
                if self.is_at(root, path, *position))
        });
        assert!(log.end_offset() == end || cut, "{self:?}: {}, {findings:?}", log.end_offset());
        assert!(cut || !refused.is_empty(), "{self:?} was served: {spans:?}, {findings:?}");
        let segment = end as usize / (SEGMENTS as usize - 1);
        assert!(refused.len() <= segment, "{self:?}: more than a segment");
        refused.len()
    }
}

#[test]
fn flipped_bytes_of_a_large_directory_are_never_served_and_always_named() {
    let positions = size("LOGBOOM_FLIPS", 50);
    let seed = size("LOGBOOM_FLIPS_SEED", u64::from(std::process::id()));
    println!("LOGBOOM_FLIPS_SEED={seed}");
    let scratch = scratch("flips");
    let written = Written::new(scratch.join("data"), size("LOGBOOM_FLIPS_BYTES", 64 << 20));
    let linked = scratch.join("linked");
    let (mut refused, mut stopped) = (0, 0);
    for clean in [false, true] {
        if clean {
            written.close();
        }
        let found: Vec<(PathBuf, Role, u64)> = files(&written.root)
            .into_iter()
            .filter_map(|path| Some((role(&path)?, path)))
            .map(|(role, path)| {
                let bytes = written_bytes(&path);
                (path.strip_prefix(&written.root).unwrap().to_owned(), role, bytes)
            })
            .collect();
        for at in 0..positions / 2 {
            let flip = Flip::choose(&found, random(seed) ^ at << 8 ^ u64::from(clean));
            link(&written.root, &linked);
            flip.flip(&linked);
            flip.check_verifier(&linked);
            match flip.check_start(&linked, &written) {
                Some(records) => refused += records,
                None => stopped += 1,
            }
            flip.flip(&written.root);
        }
    }
    assert!(refused > 0, "nothing was refused, {stopped} starts were");
    println!("{positions} flips: {refused} records refused, {stopped} starts");
    fs::remove_dir_all(scratch).unwrap();
}
