//! Walks along the trace and keeps apart what is durable and what is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::content::Content;
use super::trace::{Damage, Entry, Flush, Op};
use super::tree::{Inode, Node, Place, Tree};

/// A change of a file's bytes or length.
#[derive(Clone)]
pub(super) enum Change {
    Write { position: u64, data: Bytes },
    Reserve { length: u64 },
}

/// A change of a file that no sync has covered.
#[derive(Clone)]
pub(super) struct PendingData {
    /// Where in the trace; `None` if it was called before this trace began.
    pub(super) index: Option<usize>,
    pub(super) change: Change,
    /// A sync that should have covered it failed: none will.
    lost: bool,
}

/// A change of names that no sync has covered. It happens as one.
#[derive(Clone)]
pub(super) struct PendingNames {
    /// Where in the trace; `None` if it was called before this trace began.
    pub(super) index: Option<usize>,
    /// Each name with what it leads to from then on.
    names: Vec<(Place, Option<Inode>)>,
    /// Directories that must be synced yet.
    unsynced: BTreeSet<Inode>,
    /// A sync that should have covered it failed: none will.
    lost: bool,
    /// This directory is removed: what happened to the names in it happened before.
    emptied: Option<Inode>,
}

/// The disk at a point of the trace.
#[derive(Clone)]
pub(super) struct Replay {
    /// Calls of the trace that are done.
    at: usize,
    /// What is durable. Nodes are there from their creation on; their names are not.
    pub(super) durable: Tree,
    pub(super) pending_data: BTreeMap<Inode, Vec<PendingData>>,
    pub(super) pending_names: Vec<PendingNames>,
}

impl Replay {
    /// The start of a trace, where `tree` is durable.
    pub(super) fn new(durable: Tree) -> Self {
        Self { at: 0, durable, pending_data: BTreeMap::new(), pending_names: Vec::new() }
    }

    /// Calls that are done.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Does the calls of the trace up to `at`, which is not behind.
    pub(super) fn advance(&mut self, trace: &[Entry], at: usize) {
        assert!(self.at <= at, "replay goes back from {} to {at}", self.at);
        for entry in &trace[self.at..at] {
            self.apply(&entry.op);
            self.at += 1;
        }
    }

    /// The same disk as the start of another trace; what is pending here is pending there.
    pub(super) fn restarted(mut self) -> Self {
        self.at = 0;
        self.pending_data.values_mut().flatten().for_each(|pending| pending.index = None);
        self.pending_names.iter_mut().for_each(|pending| pending.index = None);
        self
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { inode, position, data } => {
                let data = data.clone();
                self.change(*inode, Change::Write { position: *position, data });
            }
            Op::Reserve { inode, length } => {
                self.change(*inode, Change::Reserve { length: *length });
            }
            Op::Sync { inode, flush } => self.sync(*inode, *flush),
            Op::Create { place, inode } => {
                self.durable.add(*inode, Node::File(Arc::default()));
                self.rename(vec![(place.clone(), Some(*inode))], None);
            }
            Op::CreateDir { place, inode } => {
                self.durable.add(*inode, Node::Dir(BTreeMap::new()));
                self.rename(vec![(place.clone(), Some(*inode))], None);
            }
            Op::Rename { from, to, inode } => {
                self.rename(vec![(from.clone(), None), (to.clone(), Some(*inode))], None);
            }
            Op::Remove { place } => self.rename(vec![(place.clone(), None)], None),
            Op::RemoveDir { place, inode } => {
                self.rename(vec![(place.clone(), None)], Some(*inode));
            }
            Op::SyncDir { inode, flush } => self.sync_dir(*inode, *flush),
            Op::Damage { inode, damage } => self.damage(*inode, damage),
        }
    }

    /// The bytes of a file once everything is written that no failed sync has lost.
    pub(super) fn written_back(&self, inode: Inode) -> Content {
        let mut content = self.durable.content(inode).clone();
        let pending = self.pending_data.get(&inode).into_iter().flatten();
        pending.filter(|change| !change.lost).for_each(|it| it.change.apply(&mut content));
        content
    }

    fn change(&mut self, inode: Inode, change: Change) {
        let pending = PendingData { index: Some(self.at), change, lost: false };
        self.pending_data.entry(inode).or_default().push(pending);
    }

    fn rename(&mut self, names: Vec<(Place, Option<Inode>)>, emptied: Option<Inode>) {
        let unsynced = names.iter().map(|(place, _)| place.dir).collect();
        let index = Some(self.at);
        self.pending_names.push(PendingNames { index, names, unsynced, lost: false, emptied });
    }

    fn sync(&mut self, inode: Inode, flush: Flush) {
        let Some(pending) = self.pending_data.get_mut(&inode) else { return };
        match flush {
            Flush::Ignored => {}
            Flush::Failed => pending.iter_mut().for_each(|change| change.lost = true),
            Flush::Done => {
                let (lost, covered) = split_lost(pending);
                let content = self.durable.content_mut(inode);
                covered.iter().for_each(|pending| pending.change.apply(content));
                *pending = lost;
                if pending.is_empty() {
                    self.pending_data.remove(&inode);
                }
            }
        }
    }

    fn sync_dir(&mut self, dir: Inode, flush: Flush) {
        if flush == Flush::Ignored {
            return;
        }
        for pending in &mut self.pending_names {
            match flush {
                Flush::Failed => pending.lost |= pending.unsynced.contains(&dir),
                _ => _ = !pending.lost && pending.unsynced.remove(&dir),
            }
        }
        let mut done: Vec<bool> =
            self.pending_names.iter().map(|pending| pending.unsynced.is_empty()).collect();
        complete(&self.pending_names, &mut done);
        apply_names(&mut self.durable, &self.pending_names, &done);
        let mut done = done.into_iter();
        self.pending_names.retain(|_| !done.next().unwrap_or(false));
    }

    fn damage(&mut self, inode: Inode, damage: &Damage) {
        let content = self.durable.content_mut(inode);
        for pending in self.pending_data.remove(&inode).unwrap_or_default() {
            pending.change.apply(content);
        }
        damage.apply(content);
    }
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Write { position, data } => content.write(*position, data),
            Self::Reserve { length } => content.grow(*length),
        }
    }

    /// The bytes that it writes, as positions from and to.
    fn range(&self) -> (u64, u64) {
        match self {
            Self::Write { position, data } => (*position, *position + data.len() as u64),
            Self::Reserve { .. } => (0, 0),
        }
    }
}

impl Damage {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Overwrite { position, data } => content.write(*position, data),
            Self::Truncate { length } => content.truncate(*length),
        }
    }
}

/// Parts what a sync covers from what an earlier, failed one has lost. Of the lost, only the bytes
/// stay that no covered write behind them replaces, so that they may come back in any order.
fn split_lost(pending: &[PendingData]) -> (Vec<PendingData>, Vec<PendingData>) {
    let (lost, covered): (Vec<_>, Vec<_>) = pending.iter().cloned().partition(|p| p.lost);
    // Failed syncs lose everything before them, so all that is covered came after all that is lost.
    let kept = lost.into_iter().flat_map(|pending| {
        covered.iter().fold(vec![pending], |pieces, covered| {
            pieces.iter().flat_map(|piece| without(piece, covered.change.range())).collect()
        })
    });
    (kept.collect(), covered)
}

/// What is left of a change without the bytes in a range.
fn without(pending: &PendingData, (from, to): (u64, u64)) -> Vec<PendingData> {
    let (start, end) = pending.change.range();
    let Change::Write { data, .. } = &pending.change else { return vec![pending.clone()] };
    if to <= start || end <= from {
        return vec![pending.clone()];
    }
    let piece = |from: u64, to: u64| {
        let at = |position: u64| usize::try_from(position - start).expect("within the write");
        let change = Change::Write { position: from, data: data.slice(at(from)..at(to)) };
        (from < to).then(|| PendingData { change, ..pending.clone() })
    };
    [(start, from), (to, end)]
        .into_iter()
        .filter(|(from, to)| from < to)
        .filter_map(|(from, to)| piece(from, to))
        .collect()
}

/// Adds to the chosen changes those that must have happened for them to happen: earlier ones of the
/// same names; those of names in a directory that is removed; and those that name the directory
/// that something is moved into.
pub(super) fn complete(pending: &[PendingNames], chosen: &mut [bool]) {
    let mut places = BTreeSet::new();
    let mut emptied = BTreeSet::new();
    let mut named = BTreeSet::new();
    for (change, chosen) in pending.iter().zip(chosen).rev() {
        *chosen |= change.names.iter().any(|(place, inode)| {
            places.contains(place)
                || emptied.contains(&place.dir)
                || inode.is_some_and(|inode| named.contains(&inode))
        });
        if *chosen {
            places.extend(change.names.iter().map(|(place, _)| place));
            emptied.extend(change.emptied);
            named.extend(change.needs_dirs(&named));
        }
    }
}

impl PendingNames {
    /// The directories that must have their names for this change to keep what it moves: the one
    /// that it moves something into from another, and the one where such a directory is named.
    fn needs_dirs(&self, named: &BTreeSet<Inode>) -> Vec<Inode> {
        let is_move = matches!(&self.names[..], [(from, _), (to, _)] if from.dir != to.dir);
        let links = self.names.iter().filter_map(|(place, inode)| Some((place.dir, (*inode)?)));
        links.filter(|(_, inode)| is_move || named.contains(inode)).map(|(dir, _)| dir).collect()
    }
}

/// Makes the chosen changes of names.
pub(super) fn apply_names(tree: &mut Tree, pending: &[PendingNames], chosen: &[bool]) {
    for (change, _) in pending.iter().zip(chosen).filter(|(_, chosen)| **chosen) {
        for (place, inode) in &change.names {
            match inode {
                Some(inode) => tree.link(place, *inode),
                None => tree.unlink(place),
            }
        }
    }
}
