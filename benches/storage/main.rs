//! What the storage costs. `cargo run --release -p logboom-benches --bin storage -- ARGUMENTS`:
//!
//! | arguments | measures |
//! | --- | --- |
//! | `[DIR [CASE]]` | appends, flushes and reads, beside plain writes; CASE is a part of a name |
//! | `compact [DIR [CASE]]` | compaction of 1 GiB on one thread |
//! | `reopen [DIR] [--partitions=N] [--bytes=N] [--empty=N] [--runs=N]` | starts, and memory |
//!
//! DIR lies on the disk that is measured; the default is `target/bench`.

mod compact;
mod reopen;

use std::path::PathBuf;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let dir = |word: Option<&String>| word.map_or_else(|| "target/bench".into(), PathBuf::from);
    match words.first().map(String::as_str) {
        Some("reopen") => {
            let (options, dirs): (Vec<_>, Vec<_>) =
                words[1..].iter().partition(|word| word.starts_with("--"));
            reopen::run(&dir(dirs.first().copied()), &options);
        }
        Some("compact") => {
            compact::run(&dir(words.get(1)), words.get(2).map_or("", String::as_str))
        }
        Some(reopen::CHILD) => reopen::child(&words[1..]),
        _ => {
            let filter = words.get(1).map_or("", String::as_str);
            logboom_benches::storage::run(&dir(words.first()), filter);
        }
    }
}
