//! Random calls, and at every point what must hold for every image.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::{DIR, create, disk, rename, sync_dir};
use crate::disk::{Disk as _, DiskFile};
use crate::sim::random::Random;
use crate::sim::{SimDisk, Unflushed};

const NAMES: [&str; 4] = ["/data/a", "/data/b", "/data/x/c", "/data/x/d"];

/// What the test knows of a file: its bytes at the last sync and after each write since. They begin
/// with its number.
struct Known {
    versions: Vec<Vec<u8>>,
    /// Whether it has a name after any power cut.
    named: bool,
}

/// Does random calls.
struct Run {
    disk: Arc<SimDisk>,
    random: Random,
    open: BTreeMap<&'static str, (u64, Arc<dyn DiskFile>)>,
    known: BTreeMap<u64, Known>,
    next: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = disk();
        disk.create_dir(Path::new("/data/x")).unwrap();
        sync_dir(&disk, DIR);
        let random = Random::new(seed);
        Self { disk, random, open: BTreeMap::new(), known: BTreeMap::new(), next: 1 }
    }

    fn step(&mut self) {
        let name = NAMES[usize::try_from(self.random.below(4)).unwrap()];
        match (self.random.below(8), self.open.contains_key(name)) {
            (_, false) => self.create(name),
            (0..4, true) => self.write(name),
            (4, true) => self.sync(name),
            (5, true) if self.random.chance(4) => {
                sync_dir(&self.disk, Path::new(name).parent().unwrap().to_str().unwrap());
            }
            (5, true) => self.sync_dirs(),
            (6, true) => {
                self.disk.remove(Path::new(name)).unwrap();
                self.open.remove(name);
            }
            (_, true) => {
                let to = NAMES[usize::try_from(self.random.below(4)).unwrap()];
                rename(&self.disk, name, to);
                let file = self.open.remove(name).unwrap();
                self.open.insert(to, file);
            }
        }
    }

    fn create(&mut self, name: &'static str) {
        let file = create(&self.disk, name);
        let id = self.next;
        self.next += 1;
        // Its number is durable from the start, so that an image tells which file it has.
        file.write_at(0, &[&id.to_be_bytes()]).unwrap();
        file.sync().unwrap();
        let versions = vec![id.to_be_bytes().to_vec()];
        self.known.insert(id, Known { versions, named: false });
        self.open.insert(name, (id, file));
    }

    fn write(&mut self, name: &str) {
        let (id, file) = &self.open[name];
        let known = self.known.get_mut(id).unwrap();
        let position = 512 + self.random.below(4000);
        let length = usize::try_from(1 + self.random.below(2000)).unwrap();
        let at = usize::try_from(position).unwrap();
        let data: Vec<u8> = (0..length).map(|_| self.random.next().to_be_bytes()[0]).collect();
        file.write_at(position, &[&data]).unwrap();
        let mut version = known.versions.last().unwrap().clone();
        version.resize(version.len().max(at + length), 0);
        version[at..at + length].copy_from_slice(&data);
        known.versions.push(version);
    }

    fn sync(&mut self, name: &str) {
        let (id, file) = &self.open[name];
        file.sync().unwrap();
        let known = self.known.get_mut(id).unwrap();
        known.versions.drain(..known.versions.len() - 1);
    }

    fn sync_dirs(&mut self) {
        sync_dir(&self.disk, DIR);
        sync_dir(&self.disk, "/data/x");
        for (id, _) in self.open.values() {
            self.known.get_mut(id).unwrap().named = true;
        }
    }

    /// Compares an image of this moment with what is known.
    fn check(&self, unflushed: &Unflushed) {
        let image = self.disk.crash_image(self.disk.trace_len(), unflushed);
        let mut ids = BTreeSet::new();
        for path in image.paths() {
            let bytes = image.read_file(&path).unwrap();
            let id = u64::from_be_bytes(bytes[..8].try_into().unwrap());
            assert!(ids.insert(id), "file {id} has two names");
            let versions = &self.known[&id].versions;
            let lengths = versions[0].len()..=versions.last().unwrap().len();
            assert!(lengths.contains(&bytes.len()));
            for (i, found) in bytes.chunks(512).enumerate() {
                let known = versions.iter().any(|version| sector(version, i, found.len()) == found);
                assert!(known, "sector {i} of file {id}, {unflushed:?}");
            }
        }
        for (id, _) in self.open.values() {
            assert!(!self.known[id].named || ids.contains(id), "file {id} is lost");
        }
    }
}

/// The first `length` bytes of a sector, zeros behind the end of the file.
fn sector(file: &[u8], sector: usize, length: usize) -> Vec<u8> {
    let bytes = file.iter().skip(sector * 512).copied().chain(std::iter::repeat(0));
    bytes.take(length).collect()
}

#[test]
fn images_of_random_calls_keep_what_was_synced() {
    for seed in 0..12 {
        let mut run = Run::new(seed);
        for _ in 0..100 {
            run.step();
            for image in 0..5 {
                run.check(&Unflushed::Seeded(image));
            }
            run.check(&Unflushed::None);
        }
        let all = run.disk.crash_image(run.disk.trace_len(), &Unflushed::All);
        assert_eq!(all.paths(), run.disk.paths(), "seed {seed}");
        for path in all.paths() {
            assert_eq!(all.read_file(&path), run.disk.read_file(&path), "seed {seed}");
        }
    }
}
