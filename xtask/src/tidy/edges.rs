//! Which crate may use which: the arrows of ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

/// Our crates and what each may use of ours; `*` is everything.
const EDGES: &[(&str, &[&str])] = &[
    ("logboom-units", &[]),
    ("logboom-protocol", &["logboom-units"]),
    ("logboom-balance", &[]),
    ("logboom-controller", &["logboom-protocol"]),
    ("logboom-groups", &["logboom-protocol"]),
    ("logboom-raft", &["logboom-units"]),
    ("logboom-storage", &["logboom-protocol"]),
    ("logboom-client", &["logboom-protocol"]),
    ("logboom-consumer", &["logboom-client", "logboom-protocol"]),
    ("logboom-producer", &["logboom-client", "logboom-protocol"]),
    (
        "logboom-bench",
        &["logboom-client", "logboom-consumer", "logboom-producer", "logboom-protocol"],
    ),
    (
        "logboom-broker",
        &[
            "logboom-balance",
            "logboom-controller",
            "logboom-groups",
            "logboom-protocol",
            "logboom-raft",
            "logboom-storage",
        ],
    ),
    (
        "logboom",
        &[
            "logboom-balance",
            "logboom-bench",
            "logboom-broker",
            "logboom-client",
            "logboom-consumer",
            "logboom-producer",
            "logboom-protocol",
            "logboom-storage",
        ],
    ),
    ("logboom-tests", &["*"]),
    ("logboom-benches", &["*"]),
    ("xtask", &[]),
];

/// Crates of others that only some of ours may use.
const RESTRICTED: &[(&str, &[&str])] = &[
    (
        "tokio",
        &[
            "logboom",
            "logboom-bench",
            "logboom-broker",
            "logboom-client",
            "logboom-consumer",
            "logboom-producer",
            "logboom-tests",
        ],
    ),
    ("clap", &["logboom", "logboom-bench"]),
    ("memmap2", &["logboom-storage"]),
    ("metrics", &["logboom-client", "logboom-consumer", "logboom-producer"]),
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
    Ok(parse(&read(path)?))
}

/// Reads name and dependencies, in whichever of cargo's forms they are written.
fn parse(text: &str) -> Manifest {
    let (mut name, mut dependencies, mut section) = (String::new(), Vec::new(), "");
    for line in text.lines() {
        if let Some(inner) = line.strip_prefix('[') {
            section = inner.trim_end_matches(']');
            // `[dependencies.NAME]`
            if let Some((table, name)) = section.rsplit_once('.')
                && is_dependencies(table)
            {
                dependencies.push(name.to_owned());
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim();
            let quoted = |text: &str| text.split('"').nth(1).unwrap_or_default().to_owned();
            let renamed = value.split_once("package").map(|(_, rest)| quoted(rest));
            if section == "package" && key == "name" {
                name = quoted(value);
            } else if is_dependencies(section) {
                let key = key.split('.').next().unwrap_or_default().to_owned();
                dependencies.push(renamed.unwrap_or(key));
            } else if key == "package" && section.contains("dependencies.") {
                dependencies.push(quoted(value));
            }
        }
    }
    Manifest { name, dependencies }
}

/// What a crate needs to run or to be built, but not what its tests need.
fn is_dependencies(section: &str) -> bool {
    let table = section.rsplit('.').next().unwrap_or_default();
    matches!(table, "dependencies" | "build-dependencies")
}

/// Every dependency that no arrow allows.
pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    Ok(manifests(root)?.iter().flat_map(broken).collect())
}

fn broken(manifest: &Manifest) -> Vec<String> {
    let Manifest { name, dependencies } = manifest;
    let Some((_, allowed)) = EDGES.iter().find(|(ours, _)| ours == name) else {
        return vec![format!("{name}: unknown crate; add it to xtask/src/tidy/edges.rs")];
    };
    let mut broken = Vec::new();
    for dependency in dependencies {
        let ours = EDGES.iter().any(|(ours, _)| ours == dependency);
        if ours && !allowed.iter().any(|a| *a == "*" || a == dependency) {
            broken.push(format!(
                "{name} may not use {dependency}: a new arrow needs a page in docs/decisions"
            ));
        }
        let restricted = RESTRICTED.iter().find(|(other, _)| other == dependency);
        if restricted.is_some_and(|(_, users)| !users.contains(&name.as_str())) {
            broken.push(format!("{name} may not use {dependency}; see ARCHITECTURE.md"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::{broken, parse};

    #[test]
    fn a_forbidden_arrow_is_found_in_every_form() {
        for dependency in [
            "[dependencies]\ntokio.workspace = true",
            "[dependencies]\ntokio = \"1\"",
            "[dependencies]\nother = { version = \"1\", package = \"tokio\" }",
            "[dependencies.tokio]\nversion = \"1\"",
            "[dependencies.other]\npackage = \"tokio\"",
            "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"",
            "[build-dependencies]\ntokio = \"1\"",
        ] {
            let manifest = format!("[package]\nname = \"logboom-protocol\"\n{dependency}\n");
            let found = broken(&parse(&manifest));
            assert_eq!(found, ["logboom-protocol may not use tokio; see ARCHITECTURE.md"]);
        }
        let upwards = "[package]\nname = \"logboom-units\"\n[dependencies]\nxtask = \"1\"\n";
        assert_eq!(broken(&parse(upwards)).len(), 1);
        let tests = "[package]\nname = \"logboom-units\"\n[dev-dependencies]\ntokio = \"1\"\n";
        assert_eq!(broken(&parse(tests)), Vec::<String>::new());
        assert_eq!(broken(&parse("[package]\nname = \"new\"\n")).len(), 1);
    }
}
