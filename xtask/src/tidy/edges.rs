//! Which crate may use which: the arrows of ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

/// Our crates and what each may use of ours; `*` is everything.
const EDGES: &[(&str, &[&str])] = &[
    ("logboom-units", &[]),
    ("logboom-protocol", &["logboom-units"]),
    ("logboom", &["logboom-protocol"]),
    ("logboom-tests", &["*"]),
    ("logboom-benches", &["*"]),
    ("xtask", &[]),
];

/// Crates of others that only some of ours may use.
const RESTRICTED: &[(&str, &[&str])] = &[
    ("tokio", &["logboom-tests"]),
    ("clap", &["logboom"]),
    ("memmap2", &[]),
    ("metrics", &[]),
    ("kafka-protocol", &["logboom-tests"]),
];

/// The manifest of one of our crates.
pub struct Manifest {
    /// Its package's name.
    pub name: String,
    /// What it needs to run, not to be tested.
    pub dependencies: Vec<String>,
}

/// The manifests of all members of the workspace.
///
/// # Errors
/// A manifest that cannot be read.
pub fn manifests(root: &Path) -> Result<Vec<Manifest>, String> {
    members(root)?.iter().map(|dir| manifest(&dir.join("Cargo.toml"))).collect()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn members(root: &Path) -> Result<Vec<PathBuf>, String> {
    let text = read(&root.join("Cargo.toml"))?;
    let list = text.lines().find_map(|line| line.strip_prefix("members = ["));
    let list = list.and_then(|rest| rest.strip_suffix(']')).ok_or("Cargo.toml: no members")?;
    Ok(list.split(", ").map(|member| root.join(member.trim_matches('"'))).collect())
}

fn manifest(path: &Path) -> Result<Manifest, String> {
    let text = read(path)?;
    let (mut name, mut dependencies, mut section) = (String::new(), Vec::new(), "");
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().split('.').next().unwrap_or_default();
            match section {
                "[package]" if key == "name" => {
                    value.trim().trim_matches('"').clone_into(&mut name)
                }
                "[dependencies]" => dependencies.push(key.to_owned()),
                _ => {}
            }
        }
    }
    Ok(Manifest { name, dependencies })
}

/// Every dependency that no arrow allows.
pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    for Manifest { name, dependencies } in manifests(root)? {
        let Some((_, allowed)) = EDGES.iter().find(|(ours, _)| *ours == name) else {
            broken.push(format!("{name}: unknown crate; add it to xtask/src/tidy/edges.rs"));
            continue;
        };
        for dependency in dependencies {
            let ours = EDGES.iter().any(|(ours, _)| *ours == dependency);
            if ours && !allowed.iter().any(|a| *a == "*" || *a == dependency) {
                broken.push(format!(
                    "{name} may not use {dependency}: a new arrow needs a page in docs/decisions"
                ));
            }
            let restricted = RESTRICTED.iter().find(|(other, _)| *other == dependency);
            if restricted.is_some_and(|(_, users)| !users.contains(&name.as_str())) {
                broken.push(format!("{name} may not use {dependency}; see ARCHITECTURE.md"));
            }
        }
    }
    Ok(broken)
}
