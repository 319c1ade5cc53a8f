//! The binary of the commit before this one, from which clusters are upgraded.
//!
//! `LOGBOOM_PREVIOUS` names another binary to upgrade from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The binary, built from what git has of the commit before, without what isn't committed here.
///
/// # Errors
/// Why it can't be had here: there is no such commit (a shallow clone), or no git.
///
/// # Panics
/// If it can't be built.
pub fn previous() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("LOGBOOM_PREVIOUS") {
        return Ok(path.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let commit = said(Command::new("git").arg("-C").arg(&root).args(["rev-parse", "HEAD^"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let dir = target.unwrap_or_else(|| root.join("target")).join("previous");
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let lock = File::create(dir.join("lock")).expect("ours to write");
    lock.lock().expect("a lock of ours");
    let sources = dir.join("sources");
    if fs::read_to_string(dir.join("commit")).ok().as_ref() != Some(&commit) {
        unpack(&root, &commit, &sources)?;
        fs::write(dir.join("commit"), &commit).expect("ours to write");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "-p", "logboom", "--target-dir"]);
    cargo.arg(dir.join("target")).current_dir(&sources);
    // Nobody looks into it, nor measures it.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
    assert!(cargo.status().expect("cargo runs").success(), "commit {commit} can't be built");
    Ok(dir.join("target/debug/logboom"))
}

/// Puts a commit's files into a directory of their own.
fn unpack(root: &Path, commit: &str, sources: &Path) -> Result<(), String> {
    drop(fs::remove_dir_all(sources));
    fs::create_dir_all(sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["archive", commit]).stdout(Stdio::piped());
    let mut archive = git.spawn().map_err(|error| format!("git: {error}"))?;
    let stdout = archive.stdout.take().expect("it is piped");
    let tar = Command::new("tar").arg("-x").current_dir(sources).stdin(stdout).status();
    let is_unpacked = tar.map_err(|error| format!("tar: {error}"))?.success();
    let is_whole = archive.wait().is_ok_and(|status| status.success());
    if is_unpacked && is_whole { Ok(()) } else { Err(format!("git archive {commit} has failed")) }
}

/// What a command says in one line.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
