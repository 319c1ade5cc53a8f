//! Running other programs.

use std::path::Path;
use std::process::{Command, Stdio};

/// A command whose output goes to ours.
pub(crate) fn command(root: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root);
    command
}

/// Runs a command to its end; its output goes to ours.
///
/// # Errors
/// The command and how it ended.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let line = line(command);
    println!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}`: {status}")),
        Err(e) => Err(format!("`{line}`: {e}")),
    }
}

/// Runs a command to its end and returns what it wrote to stdout and stderr.
///
/// # Errors
/// The command and how it ended, with what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<(String, String), String> {
    let line = line(command);
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("`{line}`: {e}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok((stdout, stderr));
    }
    Err(format!("`{line}`: {}\n{stdout}{stderr}", output.status))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
