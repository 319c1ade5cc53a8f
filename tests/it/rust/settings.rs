//! Where the command line takes settings from, and that it keeps to them.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use logboom_tests::broker::{logboom, shared};
use logboom_tests::foreign::scratch;
use logboom_tests::raw::topic_name;

/// Less than the two minutes for which records are tried where nothing is said.
const PATIENCE: Duration = Duration::from_secs(90);

/// How a process ended by itself; one that doesn't is killed.
pub(super) fn ended(child: &mut Child) -> ExitStatus {
    let process = child.id().to_string();
    ended_within(child, PATIENCE, &process).expect("it doesn't end by itself")
}

/// How a process ended by itself, if it did in time. One that doesn't is killed.
///
/// - `killed`: what is killed then, as `kill` takes it.
pub(super) fn ended_within(child: &mut Child, limit: Duration, killed: &str) -> Option<ExitStatus> {
    let killed = killed.to_owned();
    let (over, is_over) = channel::<()>();
    let watch = std::thread::spawn(move || {
        let is_overdue = is_over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
        if is_overdue {
            Command::new("kill").args(["-KILL", "--", &killed]).status().unwrap();
        }
        is_overdue
    });
    let status = child.wait().unwrap();
    drop(over);
    (!watch.join().unwrap()).then_some(status)
}

/// An address at which nobody answers.
fn nowhere() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn an_option_goes_before_the_file_and_the_file_before_the_variable() {
    let subject = shared();
    let right = subject.bootstrap();
    let (_silent, wrong) = nowhere();
    let dir = scratch("rust-settings");
    let file = dir.join("client.properties");
    let topic = topic_name("settings");
    let commands = [
        "topic list --timeout 2".to_owned(),
        format!("bench produce --topic {topic} --records 10 --no-ceiling --output json"),
    ];
    // Of each place what it says, where it says anything.
    for (option, in_file, variable) in [
        (Some(&right), Some(&wrong), Some(&wrong)),
        (None, Some(&right), Some(&wrong)),
        (None, None, Some(&right)),
        (Some(&right), None, None),
    ] {
        let line = in_file.map_or(String::new(), |address| format!("bootstrap.servers={address}"));
        fs::write(&file, line).unwrap();
        for words in &commands {
            let mut command = Command::new(logboom());
            command.args(words.split(' ')).arg("--properties").arg(&file);
            command.args(option.map(|address| format!("--bootstrap={address}")));
            command.env_remove("LOGBOOM_BOOTSTRAP");
            if let Some(variable) = variable {
                command.env("LOGBOOM_BOOTSTRAP", variable);
            }
            let output = command.output().unwrap();
            let places = (option, in_file, variable);
            assert!(output.status.success(), "{words}, {places:?}: {output:?}");
        }
    }
    fs::write(&file, "").unwrap();
    let mut command = Command::new(logboom());
    command.args(["topic", "list", "--properties"]).arg(&file);
    let output = command.env("LOGBOOM_BOOTSTRAP", "no port").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("LOGBOOM_BOOTSTRAP=no port: "), "{said}");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn who_produces_waits_for_metadata_as_long_as_the_file_says() {
    let (_silent, address) = nowhere();
    let dir = scratch("rust-max-block");
    let file = dir.join("client.properties");
    fs::write(&file, format!("bootstrap.servers={address}\nmax.block.ms=1500\n")).unwrap();
    let mut command = Command::new(logboom());
    command.args(["produce", "t", "--properties"]).arg(&file).env_remove("LOGBOOM_BOOTSTRAP");
    let lines = dir.join("lines");
    fs::write(&lines, "one\n").unwrap();
    command.stdin(fs::File::open(&lines).unwrap()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = ended(&mut child);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("1500 ms"), "{said}");
    fs::remove_dir_all(dir).unwrap();
}
