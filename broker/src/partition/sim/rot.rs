//! Bits that flip at rest: what is read of a segment is right or refused, and made good from other
//! replicas.
//!
//! Only so much is damaged that all of it is whole somewhere: of all who vote in a group, as
//! anybody knows them, most have whole logs, and so have most of those that are to vote.

use std::path::{Path, PathBuf};

use logboom_protocol::records::RawBatches;
use logboom_storage::state::GroupKey;

use super::cluster::Cluster;
use super::groups::{METADATA_GROUP, Subject, place};

/// Bytes of a segment's header.
const HEADER_BYTES: usize = 64;

/// Whether a file of a disk is a segment of a group: its header names it.
fn is_of(bytes: &[u8], key: &GroupKey) -> bool {
    let names = |at: usize, what: &[u8]| bytes.get(at..at + what.len()) == Some(what);
    names(16, &key.topic_id.0) && names(12, &key.partition.to_be_bytes())
}

/// Where the batches of a segment end.
fn end(bytes: &[u8]) -> usize {
    let batches = RawBatches::new(bytes.get(HEADER_BYTES..).unwrap_or_default());
    HEADER_BYTES + batches.map_while(Result::ok).map(|it| it.bytes().len()).sum::<usize>()
}

impl Cluster {
    /// Bits of a broker's segments flip, where that may be. What is in memory isn't at rest: a
    /// broker that runs has nothing there, or none flip.
    pub(super) fn flip_bits(&mut self, at: usize) {
        if self.brokers[at].is_up() && !self.plan.is_cold {
            return;
        }
        let may_rot = |group: &usize| self.may_rot(*group, at);
        let groups = METADATA_GROUP + 1..self.subjects.len();
        let groups: Vec<usize> = groups.filter(may_rot).collect();
        if groups.is_empty() {
            return;
        }
        let group = self.chance.pick(&groups);
        self.flip_bits_of(group, at);
    }

    /// Flips bits of a group's segments, if a broker has some.
    pub(super) fn flip_bits_of(&mut self, group: usize, at: usize) {
        let files = self.segments_of(group, at);
        let Some((path, end)) = files.get(self.chance.index(files.len())) else { return };
        if *end == HEADER_BYTES {
            return;
        }
        // Nobody who has a segment open looks at its header again: whether it is whole would be
        // known at the next start only.
        let start = if self.brokers[at].is_up() { HEADER_BYTES } else { 0 };
        for _ in 0..self.chance.between(1, 3) {
            let position = start + self.chance.index(end - start);
            self.flip(at, path, position);
        }
        self.note_flips(group, at);
    }

    /// Flips a bit of the last batch of a group.
    pub(super) fn flip_last_bit(&mut self, group: usize, at: usize) {
        let files = self.segments_of(group, at);
        let (path, end) = files.last().expect("it has segments");
        self.flip(at, path, end - 1);
        self.note_flips(group, at);
    }

    /// The files of a broker's segments of a group, in order, and where the batches of each end.
    fn segments_of(&self, group: usize, at: usize) -> Vec<(PathBuf, usize)> {
        let (key, disk) = (self.subjects[group].key, &self.brokers[at].disk);
        let is_log = |path: &PathBuf| path.extension() == Some("log".as_ref());
        let files = disk.paths().into_iter().filter(is_log);
        let files = files.filter_map(|path| Some((disk.read_file(&path)?, path)));
        let files = files.filter(|(bytes, _)| is_of(bytes, &key));
        files.map(|(bytes, path)| (path, end(&bytes))).collect()
    }

    fn flip(&mut self, at: usize, path: &Path, position: usize) {
        let bit = u8::try_from(self.chance.below(8)).unwrap();
        self.tell(|| format!("{at}: bit {bit} of {} flips at {position}", path.display()));
        self.brokers[at].disk.flip(path, position as u64, bit);
    }

    fn note_flips(&mut self, group: usize, at: usize) {
        self.totals.flips += 1;
        let start = self.brokers[at].starts;
        let subject = &mut self.subjects[group];
        subject.losses.rotten.insert(at, start);
        // All of it is read again.
        subject.forget(at);
    }

    /// Whether all of a group's log is whole somewhere without a broker's replica.
    fn may_rot(&self, group: usize, at: usize) -> bool {
        let Subject { is_deleted, losses, .. } = &self.subjects[group];
        let wish = self.partition(group).map(|partition| partition.wish().0);
        let mut all = losses.targets.iter().map(|ids| &ids[..]).chain(wish);
        let are_all_whole = all.all(|ids| self.are_whole_enough(group, ids, Some(at)));
        !is_deleted && self.keeps_enough(group, at) && are_all_whole
    }

    /// Whether most of some brokers have whole logs of a group.
    ///
    /// - `but`: one that doesn't count.
    pub(super) fn are_whole_enough(&self, group: usize, ids: &[i32], but: Option<usize>) -> bool {
        let rotten = &self.subjects[group].losses.rotten;
        let places = ids.iter().map(|id| place(*id));
        let whole = places.filter(|at| !rotten.contains_key(at) && Some(*at) != but).count();
        whole > ids.len() / 2
    }
}
