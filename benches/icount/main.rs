//! Runs one case a number of times, to be counted by callgrind: `cargo xtask icount`.
//!
//! `icount` alone lists the cases; `icount NAME RUNS` runs one.

use std::process::ExitCode;

use logboom_benches::cases;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => {
            cases().iter().for_each(|case| println!("{}", case.name));
            ExitCode::SUCCESS
        }
        [name, runs] => run(name, runs),
        _ => {
            eprintln!("usage: icount [NAME RUNS]");
            ExitCode::from(2)
        }
    }
}

fn run(name: &str, runs: &str) -> ExitCode {
    let Some(mut case) = cases().into_iter().find(|case| case.name == name) else {
        eprintln!("icount: there is no case {name}");
        return ExitCode::FAILURE;
    };
    let Ok(runs) = runs.parse::<u32>() else {
        eprintln!("icount: {runs} is no number of runs");
        return ExitCode::from(2);
    };
    let sum = (0..runs).fold(0usize, |sum, _| sum.wrapping_add((case.run)()));
    println!("{sum}");
    ExitCode::SUCCESS
}
