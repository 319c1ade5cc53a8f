//! `cargo xtask COMMAND`: the project's own commands.

use std::path::Path;
use std::process::ExitCode;

use xtask::generate::{self, Mode};
use xtask::{ci, compare, icount, soak, tidy};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  check              formatting, tidy rules, generated code, clippy, documentation
  test [FILTER]      all tests of the workspace, small sizes
  tidy               only the tidy rules
  generate [--check] protocol/schema to code and to the table in docs/protocol.md
  icount [--record]  instruction counts of the benchmarks, compared with the stored ones
  soak [SUITE]       the large size of every suite, or of one (balance, broker, built-in,
                     clients, faults, flights, fuzz, groups, oracle, raft, simulation,
                     storage)
  compare [OPTION]…  our broker beside Apache Kafka and beside one that stores nothing; makes
                     benches/report.md; needs a JDK, Maven, make, a C and a C++ compiler
                     (--help lists the options)
  ci                 what CI runs, in its order; the test command of the README";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let result = match words[..] {
        ["check"] => ci::check(root),
        ["test"] => ci::test(root, None),
        ["test", filter] => ci::test(root, Some(filter)),
        ["tidy"] => tidy::run(root),
        ["generate"] => generate::run(root, Mode::Write),
        ["generate", "--check"] => generate::run(root, Mode::Check),
        ["icount"] => icount::run(root, icount::Mode::Compare),
        ["icount", "--record"] => icount::run(root, icount::Mode::Record),
        ["soak"] => soak::run(root, None),
        ["soak", suite] => soak::run(root, Some(suite)),
        ["compare", ref options @ ..] => compare::run(root, options),
        ["ci"] => ci::run(root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
