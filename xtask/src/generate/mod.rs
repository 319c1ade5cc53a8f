//! From schemas to code: `protocol/src/generated/` and the version table in `docs/protocol.md`.
//!
//! The output is committed, so that a reader finds it and a build needs no generator; `--check`
//! fails when it differs from what the schemas say.

mod api_key;
mod decode;
mod docs;
mod encode;
mod messages;
mod names;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::schema;

/// Whether to write what is generated or to compare it with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write files.
    Write,
    /// Only name the files that differ.
    Check,
}

/// Generates everything under `root`, the workspace.
///
/// # Errors
/// A schema that says something wrong, a file that cannot be read or written, or, in
/// [`Mode::Check`], the names of the files that differ.
pub fn run(root: &Path, mode: Mode) -> Result<(), String> {
    let apis = schema::load(&root.join("protocol/schema"))?;
    let generated = root.join("protocol/src/generated");
    let mut files: Vec<(PathBuf, String)> = vec![
        (generated.join("mod.rs"), format_rust(&messages::root())?),
        (generated.join("api_key.rs"), format_rust(&api_key::module(&apis))?),
        (generated.join("messages/mod.rs"), format_rust(&messages::index(&apis))?),
    ];
    for api in &apis {
        let path = generated.join("messages").join(format!("{}.rs", api.file));
        files.push((path, format_rust(&messages::module(api))?));
    }
    let docs = root.join("docs/protocol.md");
    let text = fs::read_to_string(&docs).map_err(|e| format!("{}: {e}", docs.display()))?;
    files.push((docs, docs::with_table(&text, &apis)?));

    let stale = stale_files(&generated.join("messages"), &files)?;
    match mode {
        Mode::Write => write(&files, &stale),
        Mode::Check => check(&files, &stale),
    }
}

fn write(files: &[(PathBuf, String)], stale: &[PathBuf]) -> Result<(), String> {
    for (path, text) in files {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    for path in stale {
        fs::remove_file(path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

fn check(files: &[(PathBuf, String)], stale: &[PathBuf]) -> Result<(), String> {
    let differs = |(path, text): &&(PathBuf, String)| {
        fs::read_to_string(path).map_or(true, |present| present != *text)
    };
    let mut names: Vec<String> =
        files.iter().filter(differs).map(|(path, _)| path.display().to_string()).collect();
    names.extend(stale.iter().map(|path| path.display().to_string()));
    if names.is_empty() {
        return Ok(());
    }
    Err(format!("not what the schemas say; run `cargo xtask generate`:\n  {}", names.join("\n  ")))
}

/// Modules of APIs that have no schema any more.
fn stale_files(dir: &Path, files: &[(PathBuf, String)]) -> Result<Vec<PathBuf>, String> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(Vec::new()) };
    let mut stale = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if !files.iter().any(|(kept, _)| *kept == path) {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Runs rustfmt over a module, so that generated code reads like the rest.
fn format_rust(code: &str) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("rustfmt: {e}");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../rustfmt.toml");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path", config])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut stdin = child.stdin.take().ok_or("rustfmt: no stdin")?;
    stdin.write_all(code.as_bytes()).map_err(failed)?;
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    if !output.status.success() {
        return Err(format!("rustfmt refused generated code:\n{code}"));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("rustfmt: {e}"))
}
