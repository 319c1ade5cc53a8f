//! What a cluster of three brokers on this machine costs: many partitions that do nothing, and
//! records that are flushed three times.
//!
//! `cargo run --release -p logboom-benches --bin cluster -- target/release/logboom many|flushed`
//!
//! - `many [PARTITIONS]`: creates 10,000 partitions of three replicas and waits until each is led
//!   and in sync; then as many as are asked for (30,000 together), what an idle one costs, and how
//!   long it takes until all are led and in sync again after all brokers were stopped, and killed.
//! - `flushed [MEGABYTES]`: so much written with `acks=all` by 12 connections, a partition and a
//!   batch of a megabyte each, beside a program that writes and flushes the same bytes to three
//!   files, in turn, five times.

mod flushed;
mod many;
mod process;

use std::io::{self, Write as _};
use std::path::PathBuf;

use logboom_tests::broker::Site;
use logboom_tests::cluster::Cluster;
use logboom_tests::foreign::scratch;

const BROKERS: i32 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = |default| arguments.get(2).map_or(default, |it| it.parse().expect("a number"));
    match &arguments[..] {
        [program, case, ..] if case == "many" => many::measure(program, size(30_000)),
        [program, case, ..] if case == "flushed" => flushed::measure(program, size(1_000)),
        _ => panic!("cluster LOGBOOM many|flushed [SIZE]"),
    }
}

/// Three brokers of a program, new.
fn start(program: &str) -> Cluster {
    let program = Some(PathBuf::from(program));
    let site = |id| {
        let site = Site { program: program.clone(), ..Site::default() };
        (site, scratch(&format!("cluster-{id}")))
    };
    Cluster::start_at((1..=BROKERS).map(site).collect(), |_| Vec::new())
}

fn say(line: &str) {
    // Nobody reads on.
    drop(writeln!(io::stdout(), "{line}"));
}
