//! Directories, and the files in them: what a path leads to.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::content::Content;

/// A file or directory, whatever its name; never used twice on a disk, nor on an image of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inode(pub(super) u64);

/// The directory `/`.
pub(super) const ROOT: Inode = Inode(0);

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) dir: Inode,
    pub(super) name: OsString,
}

#[derive(Clone)]
pub(super) enum Node {
    File(Arc<Content>),
    Dir(BTreeMap<OsString, Inode>),
}

/// Nodes, and the names that lead to them.
///
/// **Invariant:** `places` has the last place that a node was linked at; a node has one name at
/// most.
#[derive(Clone)]
pub(super) struct Tree {
    nodes: BTreeMap<Inode, Node>,
    places: BTreeMap<Inode, Place>,
}

impl Tree {
    /// The directory `/`, empty.
    pub(super) fn new() -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::Dir(BTreeMap::new()))]);
        Self { nodes, places: BTreeMap::new() }
    }

    /// Adds a node that has no name yet.
    pub(super) fn add(&mut self, inode: Inode, node: Node) {
        let before = self.nodes.insert(inode, node);
        assert!(before.is_none(), "{inode:?} used twice");
    }

    /// Forgets a node.
    pub(super) fn forget(&mut self, inode: Inode) {
        self.nodes.remove(&inode);
    }

    /// Gives a node a name, in place of what had it.
    pub(super) fn link(&mut self, place: &Place, inode: Inode) {
        self.dir_mut(place.dir).insert(place.name.clone(), inode);
        self.places.insert(inode, place.clone());
    }

    /// Takes a name away; the node stays.
    pub(super) fn unlink(&mut self, place: &Place) {
        self.dir_mut(place.dir).remove(&place.name);
    }

    /// Whether a node has a name.
    pub(super) fn is_linked(&self, inode: Inode) -> bool {
        self.places.get(&inode).is_some_and(|place| self.at(place) == Some(inode))
    }

    /// What has the name.
    pub(super) fn at(&self, place: &Place) -> Option<Inode> {
        match self.nodes.get(&place.dir) {
            Some(Node::Dir(entries)) => entries.get(&place.name).copied(),
            _ => None,
        }
    }

    /// The path of a node; the last it had, if it has none now.
    pub(super) fn path(&self, inode: Inode) -> PathBuf {
        let mut names = Vec::new();
        let mut inode = inode;
        while let Some(place) = self.places.get(&inode) {
            names.push(&place.name);
            inode = place.dir;
        }
        let mut path = PathBuf::from("/");
        path.extend(names.iter().rev());
        path
    }

    /// What a path leads to.
    pub(super) fn lookup(&self, path: &Path) -> io::Result<Inode> {
        names(path)?.iter().try_fold(ROOT, |dir, name| {
            self.entries(dir)?.get(*name).copied().ok_or_else(|| Errno::NOENT.into())
        })
    }

    /// The name that a path ends in, and the directory it belongs into, which must be there.
    pub(super) fn place(&self, path: &Path) -> io::Result<Place> {
        let name = names(path)?.pop().ok_or(Errno::INVAL)?.to_owned();
        let dir = self.lookup(path.parent().ok_or(Errno::INVAL)?)?;
        self.entries(dir)?;
        Ok(Place { dir, name })
    }

    /// The file that a path leads to.
    pub(super) fn lookup_file(&self, path: &Path) -> io::Result<Inode> {
        let inode = self.lookup(path)?;
        match self.nodes[&inode] {
            Node::File(_) => Ok(inode),
            Node::Dir(_) => Err(Errno::ISDIR.into()),
        }
    }

    /// The entries of a directory.
    pub(super) fn entries(&self, inode: Inode) -> io::Result<&BTreeMap<OsString, Inode>> {
        match self.nodes.get(&inode) {
            Some(Node::Dir(entries)) => Ok(entries),
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    pub(super) fn is_dir(&self, inode: Inode) -> bool {
        matches!(self.nodes.get(&inode), Some(Node::Dir(_)))
    }

    /// The bytes of a file that is there.
    pub(super) fn content(&self, inode: Inode) -> &Content {
        self.find_content(inode).expect("a file that is open or named")
    }

    /// The bytes of a file, if there is one.
    pub(super) fn find_content(&self, inode: Inode) -> Option<&Content> {
        match self.nodes.get(&inode) {
            Some(Node::File(content)) => Some(content),
            _ => None,
        }
    }

    /// The bytes of a file that is there, to change them.
    pub(super) fn content_mut(&mut self, inode: Inode) -> &mut Content {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(content)) => Arc::make_mut(content),
            _ => panic!("{inode:?} is no file"),
        }
    }

    /// Bytes that all files have together, reserved ones included.
    pub(super) fn used(&self) -> u64 {
        let lengths = self.nodes.values().map(|node| match node {
            Node::File(content) => content.length(),
            Node::Dir(_) => 0,
        });
        lengths.sum()
    }

    /// The files and directories that have a name, `/` not among them, in the order of their paths.
    pub(super) fn named(&self) -> Vec<(PathBuf, Inode)> {
        let mut found = Vec::new();
        let mut open = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, dir)) = open.pop() {
            for (name, inode) in self.entries(dir).into_iter().flatten() {
                let path = path.join(name);
                if self.is_dir(*inode) {
                    open.push((path.clone(), *inode));
                }
                found.push((path, *inode));
            }
        }
        found.sort();
        found
    }

    /// This tree without what no path leads to.
    pub(super) fn reachable(&self) -> Self {
        let mut tree = Self::new();
        let mut open = vec![ROOT];
        while let Some(dir) = open.pop() {
            for (name, &inode) in self.entries(dir).into_iter().flatten() {
                let node = match &self.nodes[&inode] {
                    Node::File(content) => Node::File(content.clone()),
                    Node::Dir(_) => {
                        open.push(inode);
                        Node::Dir(BTreeMap::new())
                    }
                };
                tree.add(inode, node);
                tree.link(&Place { dir, name: name.clone() }, inode);
            }
        }
        tree
    }

    fn dir_mut(&mut self, inode: Inode) -> &mut BTreeMap<OsString, Inode> {
        match self.nodes.get_mut(&inode) {
            Some(Node::Dir(entries)) => entries,
            _ => panic!("{inode:?} is no directory"),
        }
    }
}

/// The names along a path.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name),
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL.into()),
        }
    }
    Ok(names)
}
