//! Names of simulated files: as they are, and as a loss of power leaves them.
//!
//! Shape: a map of the names that are, a map of the durable ones, and the changes between the two
//! in order. Syncing a folder makes its changes durable; power loss keeps some of the others.

use super::image::below;
use dovetail_engine::base::rng::Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    /// The file of this number.
    File(usize),
}

/// A change of names.
#[derive(Clone, Debug)]
enum Change {
    Make(PathBuf, Node),
    Rename(PathBuf, PathBuf, Node),
    Remove(PathBuf),
}

impl Change {
    fn is_in(&self, folder: &Path) -> bool {
        match self {
            Self::Make(path, _) | Self::Remove(path) => path.parent() == Some(folder),
            Self::Rename(from, to, _) => {
                from.parent() == Some(folder) || to.parent() == Some(folder)
            }
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Make(path, node) => {
                names.insert(path, node);
            }
            Self::Rename(from, to, node) => {
                if names.get(&from) == Some(&node) {
                    names.remove(&from);
                }
                names.insert(to, node);
            }
            Self::Remove(path) => {
                names.remove(&path);
            }
        }
    }
}

/// All names.
#[derive(Debug)]
pub(super) struct Names {
    live: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
}

impl Names {
    /// The folder `home` and those it is in.
    pub(super) fn with(home: &Path) -> Self {
        let folders = home.ancestors().map(|at| (at.to_path_buf(), Node::Folder));
        let live: BTreeMap<_, _> = folders.collect();
        Self {
            durable: live.clone(),
            live,
            pending: Vec::new(),
        }
    }

    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        self.live.get(path).copied()
    }

    /// Whether a name can be made in the folder of `path`.
    pub(super) fn has_folder_of(&self, path: &Path) -> bool {
        path.parent()
            .is_some_and(|folder| self.get(folder) == Some(Node::Folder))
    }

    pub(super) fn make(&mut self, path: &Path, node: Node) {
        self.change(Change::Make(path.to_path_buf(), node));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, node: Node) {
        self.change(Change::Rename(from.to_path_buf(), to.to_path_buf(), node));
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change::Remove(path.to_path_buf()));
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.live);
        self.pending.push(change);
    }

    /// The files and folders directly in `folder`.
    pub(super) fn inside(&self, folder: &Path) -> impl Iterator<Item = (&Path, Node)> {
        self.live
            .iter()
            .filter(move |(path, _)| path.parent() == Some(folder))
            .map(|(path, node)| (path.as_path(), *node))
    }

    /// Numbers of the files that have a name.
    pub(super) fn files(&self) -> impl Iterator<Item = usize> {
        self.live.values().filter_map(|node| match node {
            Node::File(file) => Some(*file),
            Node::Folder => None,
        })
    }

    pub(super) fn sync_folder(&mut self, folder: &Path) {
        for change in std::mem::take(&mut self.pending) {
            if change.is_in(folder) {
                change.apply(&mut self.durable);
            } else {
                self.pending.push(change);
            }
        }
    }

    /// Keeps the durable names and what a journal, or a disk without order, has of the others.
    pub(super) fn lose_power(&mut self, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let is_ordered = below(rng, 2) == 0;
        let first = below(rng, pending.len() + 1);
        for (index, change) in pending.into_iter().enumerate() {
            let is_kept = if is_ordered {
                index < first
            } else {
                below(rng, 2) == 0
            };
            if is_kept {
                change.apply(&mut self.durable);
            }
        }
        let all = std::mem::take(&mut self.durable);
        // Parents come before what is in them, so that one pass finds every orphan.
        for (path, node) in all {
            let folder = path.parent();
            if folder.is_none_or(|folder| self.durable.get(folder) == Some(&Node::Folder)) {
                self.durable.insert(path, node);
            }
        }
        self.live = self.durable.clone();
    }
}
