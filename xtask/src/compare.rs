//! The comparison with Apache Kafka: builds the broker and the rig, and runs it.
//!
//! The rig is a workspace of its own, because it needs librdkafka; what it builds and makes lies in
//! `target/compare`.

use std::path::Path;

use crate::process::{command, run as execute};

/// Runs the rig with its `options`.
///
/// # Errors
/// A build that failed, or the rig.
pub fn run(root: &Path, options: &[&str]) -> Result<(), String> {
    execute(&mut command(root, "cargo", &["build", "--release", "--locked", "-p", "logboom"]))?;
    let target = root.join("target/compare");
    let build = ["build", "--release", "--locked", "--manifest-path", "benches/compare/Cargo.toml"];
    execute(command(root, "cargo", &build).env("CARGO_TARGET_DIR", &target))?;
    let rig = target.join("release/compare");
    execute(&mut command(root, &rig.to_string_lossy(), options))
}
