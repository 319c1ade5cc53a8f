//! What a broker stands on: a disk, and what tells this life of the machine from others.
//!
//! Must always hold: the broker reaches its data directory through [`Machine::open`] alone, so
//! that a whole broker runs on whatever stands in for a disk.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use logboom_protocol::units::Uuid;
use logboom_storage::state::OpenMark;
use logboom_storage::{Directory, DirectoryOptions, Disk, OpenError, SystemDisk};

use crate::limits;
use crate::node::{random_bytes, random_id};

/// Where a broker keeps its data.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Takes every call that has to do with the data directory.
    pub(crate) disk: Arc<dyn Disk>,
    /// Tells this life of the machine, and the file system of the directory, from others.
    pub(crate) mark: OpenMark,
    /// Sizes of the data directory.
    pub(crate) options: DirectoryOptions,
}

impl Machine {
    /// The machine that this process runs on.
    ///
    /// - `root`: the data directory; it is made where there is none.
    ///
    /// # Errors
    /// What the system says of the directory.
    pub(crate) fn system(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let mount_id = std::fs::metadata(root)?.dev();
        let mark = OpenMark { boot_id: boot_id(), mount_id };
        let state = limits::state(limits::disk_bytes(root)?);
        let options = DirectoryOptions { state, ..DirectoryOptions::default() };
        Ok(Self { disk: Arc::new(SystemDisk), mark, options })
    }

    /// Opens the data directory.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub(crate) fn open(self, root: &Path) -> Result<Directory, OpenError> {
        // The id of a new directory, which people paste as others.
        let Uuid(random) = random_id();
        let random = u128::from_be_bytes(random);
        Directory::open(self.disk, root, self.options, self.mark, random)
    }
}

/// This life of the machine. Where the system doesn't say, every start counts as one of it.
fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).map_or_else(|_| random_bytes(), u128::to_be_bytes)
}
