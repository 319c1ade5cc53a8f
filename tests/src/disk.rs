//! A file system of one's own, which can be filled to the brim: a tmpfs, which only root may mount.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::foreign::scratch;

/// A tmpfs of 256 MiB, of which a broker reserves a part for itself; unmounted when dropped.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts one.
    ///
    /// - `name`: of its directory among the scratch directories.
    ///
    /// # Errors
    /// Why that can't be.
    pub fn mount(name: &str) -> Result<Self, String> {
        if Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() != 0) {
            return Err("only root may mount a file system".to_owned());
        }
        let path = scratch(name);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"]).arg(&path);
        let output = mount.output().map_err(|error| format!("there is no mount: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(Self(path)) } else { Err(said.trim().to_owned()) }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
        drop(fs::remove_dir(&self.0));
    }
}
