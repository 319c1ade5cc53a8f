//! Directories that can't be opened, or not twice.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use logboom_storage::{Directory, DirectoryOptions, OpenError, SystemDisk};
use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::load::{Line, key};

use super::process::{Output, Running, command, finish};

/// A user who may do nothing in particular.
const NOBODY: u32 = 65534;

/// The user as whom the program is run: not root, who may do everything.
fn unprivileged() -> Option<u32> {
    let own = Path::new("/proc/self").metadata().map(|process| process.uid());
    own.is_ok_and(|own| own == 0).then_some(NOBODY)
}

/// Runs the program without privileges; an error where it can't be reached so.
fn run(name: &str, dir: &Path, options: &[&str]) -> Result<Output, String> {
    let mut program = command(name, dir, options);
    if let Some(user) = unprivileged() {
        program.uid(user).gid(user);
        // Spawning fails here, too, where the target directory can't be passed through.
        let status = program.output().map(|_| ());
        status.map_err(|error| format!("{NOBODY} can't run the program: {error}"))?;
    }
    Ok(finish(&mut program))
}

/// A scratch directory of the unprivileged user.
fn scratch_of_nobody(name: &str) -> PathBuf {
    let root = scratch(name);
    if let Some(user) = unprivileged() {
        chown(&root, Some(user), Some(user)).unwrap();
    }
    root
}

/// Opening fails, and says which path may not be touched.
fn refused(dir: &Path, path: &Path) -> Option<()> {
    let output = or_skip("directories without permission", run("check", dir, &[]))?;
    assert_eq!(output.code, 2, "{output:?}");
    let expected = format!("{}: Permission denied", path.display());
    assert!(output.stderr.contains(&expected), "{expected}, but: {}", output.stderr);
    Some(())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_touched_is_named() {
    let root = scratch_of_nobody("permission");
    let data = root.join("data");
    let options = ["--batches=2", "--close=1"];
    let Some(output) = or_skip("directories without permission", run("load", &data, &options))
    else {
        return;
    };
    assert_eq!(output.code, 0, "{output:?}");
    let segment = data.join("partitions").join(key(0).to_string());
    let segment = segment.join("00000000000000000000-000000.log");
    let cases = [
        (&data, data.join("state")),
        (&data.join("lock"), data.join("lock")),
        (&data.join("directory"), data.join("directory")),
        (&data.join("state"), data.join("state")),
    ];
    for (closed, named) in &cases {
        let mode = closed.metadata().unwrap().mode();
        set_mode(closed, 0);
        let refused = refused(&data, named);
        set_mode(closed, mode);
        if refused.is_none() {
            return;
        }
    }
    // After a kill the last segment is read.
    assert_eq!(run("load", &data, &["--batches=1"]).unwrap().code, 0);
    set_mode(&segment, 0);
    refused(&data, &segment).unwrap();
    set_mode(&segment, 0o644);
    assert_eq!(run("check", &data, &[]).unwrap().code, 0);
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_directory_of_somebody_else_is_named() {
    let root = scratch("foreign-owner");
    let data = root.join("data");
    if unprivileged().is_none() {
        or_skip::<()>("a directory of another user", Err("only root has other users".to_owned()));
        return;
    }
    assert_eq!(finish(&mut command("load", &data, &["--batches=1"])).code, 0);
    refused(&data, &data.join("lock"));
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_second_process_is_refused_and_told_the_lock_file() {
    let root = scratch("lock");
    let data = root.join("data");
    let mut running = Running::start(&mut command("load", &data, &[]));
    assert!(matches!(running.line(), Some(Line::Acked(..))));
    let output = finish(&mut command("check", &data, &[]));
    let expected = format!(
        "error: {} is locked: another process has the directory open\n",
        data.join("lock").display()
    );
    assert_eq!((output.code, output.stderr), (2, expected));
    let mark = logboom_storage::state::OpenMark { boot_id: [1; 16], mount_id: 1 };
    let options = DirectoryOptions::default();
    let error = Directory::open(std::sync::Arc::new(SystemDisk), &data, options, mark, 2);
    let Err(OpenError::Locked { path }) = error else { panic!("{error:?}") };
    assert_eq!(path, data.join("lock"));
    running.kill();
    assert_eq!(finish(&mut command("check", &data, &[])).code, 0, "the lock went with the process");
    fs::remove_dir_all(root).unwrap();
}
