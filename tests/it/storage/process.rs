//! Running `storage-load`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use logboom_tests::load::Line;

/// The program.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_storage-load");

/// A run that is over.
#[derive(Debug)]
pub(super) struct Output {
    /// Its exit code; −1 where it was killed.
    pub(super) code: i32,
    pub(super) lines: Vec<Line>,
    pub(super) stderr: String,
}

/// `storage-load COMMAND DIR OPTIONS`.
pub(super) fn command(command: &str, dir: &Path, options: &[&str]) -> Command {
    let mut program = Command::new(PROGRAM);
    program.arg(command).arg(dir).args(options);
    program
}

/// Runs a program that prints lines to its end.
pub(super) fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8(output.stdout).unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        lines: lines(&stdout),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it to its end, which is a good one.
pub(super) fn succeed(command: &mut Command) -> Vec<Line> {
    let output = finish(command);
    assert_eq!(output.code, 0, "{command:?}: {output:?}");
    output.lines
}

/// Every line of `text`, each of which the program printed.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let parse = |line| Line::parse(line).unwrap_or_else(|| panic!("no line of ours: {line}"));
    text.lines().map(parse).collect()
}

/// A run that goes on.
pub(super) struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line; `None` when it has ended.
    pub(super) fn line(&mut self) -> Option<Line> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap();
        (read > 0).then(|| {
            Line::parse(line.trim_end()).unwrap_or_else(|| panic!("no line of ours: {line}"))
        })
    }

    /// Kills it with SIGKILL, and returns what it had printed that nobody has read.
    pub(super) fn kill(mut self) -> Vec<Line> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.line()).collect()
    }
}
