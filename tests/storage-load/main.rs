//! `storage-load COMMAND DIR [--NAME=NUMBER …]`: a process for the storage to be tried in.
//!
//! | command | does |
//! | --- | --- |
//! | `load` | appends to all partitions, flushes on threads, prints what was acknowledged |
//! | `fill` | appends until the disk is full, reads, makes room, and goes on |
//! | `check` | opens as a start does, and prints all that is there |
//!
//! It exits with 0, with 2 where the directory can't be opened, and with 3 where the directory went
//! out of service. `logboom_tests::load` has what it prints.
//!
//! Must always hold: a line is printed after what it says, and a kill never cuts it in two: a line
//! is one write, shorter than what a pipe takes at once.

mod arguments;
mod check;
mod fill;
mod load;
mod open;

use std::process::ExitCode;

use logboom_tests::load::Line;

use arguments::Arguments;

/// Why a command ended early.
enum Failure {
    /// The directory or a log in it can't be opened.
    Open(String),
    /// The directory is out of service.
    OutOfService,
    /// Something is not as it should be.
    Wrong(String),
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match Arguments::parse(&words) {
        Ok(arguments) => match arguments.command.as_str() {
            "load" => load::run(&arguments),
            "fill" => fill::run(&arguments),
            "check" => check::run(&arguments),
            other => Err(Failure::Wrong(format!("there is no command `{other}`"))),
        },
        Err(what) => Err(Failure::Wrong(what)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::OutOfService) => ExitCode::from(3),
        Err(Failure::Open(what)) => failed(2, &what),
        Err(Failure::Wrong(what)) => failed(1, &what),
    }
}

fn failed(code: u8, what: &str) -> ExitCode {
    eprintln!("error: {what}");
    ExitCode::from(code)
}

/// Prints a line at once.
fn say(line: &Line) {
    println!("{line}");
}
