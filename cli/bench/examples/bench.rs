//! `logboom bench` by itself, without the broker beside it:
//!
//! ```text
//! cargo run --release -p logboom-bench --example bench -- produce --bootstrap localhost:9092
//! ```

use std::process::ExitCode;

use clap::Parser;

use logboom_bench::BenchArguments;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    bench: BenchArguments,
}

fn main() -> ExitCode {
    logboom_bench::run(&Arguments::parse().bench)
}
