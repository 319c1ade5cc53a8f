//! The README's walk through a cluster, word for word: its commands are taken from there.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use logboom_tests::broker::logboom;
use logboom_tests::foreign::{or_skip, scratch};

const README: &str = include_str!("../../../README.md");

/// Runs the first commands in one terminal, so to speak, and the others in a second one when all
/// brokers have said there that they are ready. Aliases are for people, unless a shell is told
/// otherwise.
const SCRIPT: &str = r#"
set -e
shopt -s expand_aliases
ip link set lo up
bash ./first > terminal 2>&1 &
for _ in $(seq 300); do
    if [ "$(grep -c 'start: ready' terminal)" = 3 ]; then break; fi
    sleep 0.1
done
set -o pipefail
source ./second
"#;

/// The commands of a section, block by block.
fn blocks(heading: &str) -> Vec<String> {
    let section = README.split(heading).nth(1).expect("the README has it");
    let section = section.split("\n#").next().unwrap();
    let blocks = section.split("```").skip(1).step_by(2);
    blocks.map(|block| block.strip_prefix("sh\n").expect("commands").to_owned()).collect()
}

/// In a network and among processes of its own: the addresses are those that everybody begins
/// with, and a broker is found by the words of its command.
#[test]
fn the_readme_s_walk_works_as_it_stands_there() {
    let apart = ["--net", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let may = Command::new("unshare").args(apart).arg("true").status();
    let may = may.ok().filter(std::process::ExitStatus::success).map(drop);
    let may = may.ok_or_else(|| "networks and processes of one's own aren't permitted".to_owned());
    if or_skip("the README's cluster", may).is_none() {
        return;
    }
    let dir = scratch("walkthrough");
    fs::create_dir_all(dir.join("target/release")).unwrap();
    symlink(logboom(), dir.join("target/release/logboom")).unwrap();
    let blocks = blocks("\n### A cluster\n");
    let [first, second] = &blocks[..] else { panic!("one for each terminal: {blocks:?}") };
    assert!(second.contains("kill -9") && second.contains("seq 1001 2000"), "{second}");
    fs::write(dir.join("first"), first).unwrap();
    fs::write(dir.join("second"), second).unwrap();
    let mut command = Command::new("timeout");
    command.args(["120", "unshare"]).args(apart).args(["bash", "-c", SCRIPT]);
    let output = command.current_dir(&dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let terminal = fs::read_to_string(dir.join("terminal")).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaints}\n{terminal}");
    // What was published before the kill and after it.
    assert_eq!(said.lines().last(), Some("2000"), "{said}{complaints}\n{terminal}");
    fs::remove_dir_all(dir).unwrap();
}
