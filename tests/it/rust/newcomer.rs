//! The program of the README is the one that is compiled here, as a newcomer compiles it, and it
//! does what it says.

use std::fs;
use std::path::{Path, PathBuf};
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

/// What the README says that a program needs, and where it has to lie.
const MANIFEST: &str = r#"
[package]
name = "newcomer"
version = "0.1.0"
edition = "2024"

[dependencies]
logboom-producer = { path = "PROJECT/producer" }
logboom-consumer = { path = "PROJECT/consumer" }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }

# Not a member of ours.
[workspace]
"#;

/// The program as a newcomer builds it: a package of its own, with the dependencies that the README
/// names and what features they have by themselves. Versions are those of our lock file, so that
/// nothing is loaded.
fn program() -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("newcomer");
    let dir = target.join("package");
    fs::create_dir_all(dir.join("src")).unwrap();
    let manifest = MANIFEST.replace("PROJECT", &project.display().to_string());
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::copy(project.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    fs::write(dir.join("src/main.rs"), PROGRAM).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--offline", "--quiet"]).current_dir(&dir);
    let built = build.env("CARGO_TARGET_DIR", &target).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/newcomer")
}

#[test]
fn the_readme_names_what_the_program_needs() {
    let told = README.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = told.split("From Rust").nth(1).unwrap().split("```rust").next().unwrap();
    let [_, dependencies] = MANIFEST.split("[dependencies]\n").collect::<Vec<_>>()[..] else {
        panic!("the manifest has no dependencies");
    };
    let lines = dependencies.lines().take_while(|line| !line.is_empty());
    for name in lines.map(|line| line.split(' ').next().unwrap()) {
        assert!(told.contains(&format!("`{name}`")), "{name}: {told}");
    }
    for feature in ["macros", "rt-multi-thread"] {
        assert!(told.contains(&format!("`{feature}`")), "{feature}: {told}");
    }
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
    fs::remove_dir_all(dir).unwrap();
}
