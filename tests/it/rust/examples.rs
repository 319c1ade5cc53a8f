//! The examples of the crates do what they say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use logboom_tests::broker::{example, shared};
use logboom_tests::raw::topic_name;

use super::{create_topic, run};

/// What they print until they end, given these lines.
fn told(command: &mut Command, lines: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn publish_consume_and_throughput() {
    let broker = shared();
    let (bootstrap, topic) = (broker.bootstrap(), topic_name("rust-examples"));
    run(create_topic(&bootstrap, &topic, 1));
    let mut publish = Command::new(example("logboom-producer", "publish"));
    let printed = told(publish.args([&bootstrap, &topic]), "1\n2\n3\n");
    let expected = [0, 1, 2].map(|offset| format!("{topic}-0: {offset}\n"));
    assert_eq!(printed, expected.concat());

    let mut consume = Command::new(example("logboom-consumer", "consume"));
    consume.args([&bootstrap, &format!("{topic}-group"), &topic]).stdout(Stdio::piped());
    let mut child = consume.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(3);
    let printed: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(printed, [1, 2, 3].map(|number| format!("{topic}-0 {} {number}", number - 1)));
    // As Ctrl-C does.
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    assert!(child.wait().unwrap().success(), "it leaves the group and ends");

    let throughput = example("logboom-consumer", "throughput");
    for own in [&[][..], &["own"]] {
        let mut command = Command::new(&throughput);
        let printed = told(command.args([&bootstrap, &topic, "1", "3"]).args(own), "");
        assert!(printed.starts_with("3 records, 3 bytes of values, "), "{printed}");
    }
}
