//! Rules of the project that no other tool checks. Each message says how to put it right.
//!
//! They are a test of this crate as well, so that `cargo test` runs them.

mod edges;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

pub use edges::manifests;

/// Checks every rule.
///
/// # Errors
/// What breaks which rule, a line each.
pub fn run(root: &Path) -> Result<(), String> {
    let mut broken = edges::check(root)?;
    for path in files(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        broken.extend(text::check(&name, &text).into_iter().map(|what| format!("{name}{what}")));
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("{} tidy rules are broken:\n  {}", broken.len(), broken.join("\n  ")))
}

/// Every file of the project, without build output and what git keeps.
fn files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))? {
            let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if matches!(&*name, "target" | ".git" | "logboom-data" | "corpus" | "artifacts") {
                continue;
            }
            if path.is_dir() { dirs.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_project_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a workspace");
        if let Err(broken) = super::run(root) {
            panic!("{broken}");
        }
    }
}
