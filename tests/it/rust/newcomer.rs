//! The program of the README is the one that is compiled here, and it does what it says.

use std::path::PathBuf;
use std::process::Command;

use logboom_tests::broker::logboom;
use logboom_tests::foreign::{or_skip, scratch};

/// The program, in the README and in a file of its own.
const PROGRAM: &str = include_str!("../../examples/newcomer.rs");
const README: &str = include_str!("../../../README.md");

/// Starts a broker as it comes, runs the program beside it, and ends the broker.
const SCRIPT: &str = r#"
set -e
ip link set lo up
"$1" broker --data-dir "$3/data" > "$3/broker" 2>&1 &
trap "kill $!; wait" EXIT
for _ in $(seq 100); do
    if (exec 3<> /dev/tcp/127.0.0.1/9092) 2> /dev/null; then break; fi
    sleep 0.1
done
timeout 60 "$2"
"#;

#[test]
fn the_readme_s_program_is_the_one_that_runs() {
    assert!(README.contains(PROGRAM), "the README's program and tests/examples/newcomer.rs differ");
    let lines = PROGRAM.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 22, "about twenty lines, not {lines}");
}

/// The program as cargo builds it beside the tests.
fn program() -> PathBuf {
    let build = ["build", "--locked", "--quiet", "-p", "logboom-tests", "--example", "newcomer"];
    let built = Command::new(env!("CARGO")).args(build).status().unwrap();
    assert!(built.success());
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("examples/newcomer")
}

/// In a network of its own, where the address that everybody begins with is free.
#[test]
fn a_newcomer_publishes_and_streams_with_a_group() {
    let may = Command::new("unshare").args(["--net", "true"]).status();
    let may = may.ok().filter(std::process::ExitStatus::success).map(drop);
    let what = "the README's program";
    let may = may.ok_or_else(|| "networks of one's own aren't permitted here".to_owned());
    if or_skip(what, may).is_none() {
        return;
    }
    let dir = scratch("newcomer");
    let mut command = Command::new("unshare");
    command.args(["--net", "bash", "-c", SCRIPT, "newcomer"]);
    let output = command.arg(logboom()).arg(program()).arg(&dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let expected = [
        "gate A1: partition 0, offset Some(0)",
        "gate B7: partition 0, offset Some(1)",
        "gate C3: partition 0, offset Some(2)",
        "Some(b\"A1\") is Some(b\"boarding\")",
        "Some(b\"B7\") is Some(b\"boarding\")",
        "Some(b\"C3\") is Some(b\"boarding\")",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    std::fs::remove_dir_all(dir).unwrap();
}
