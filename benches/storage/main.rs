//! `cargo run --release -p logboom-benches --bin storage [DIR]`: storage beside plain writes.

use std::path::PathBuf;

fn main() {
    let root =
        std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/bench"), PathBuf::from);
    logboom_benches::storage::run(&root);
}
