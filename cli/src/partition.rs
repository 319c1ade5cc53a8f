//! `logboom partition`: what an operator does about one partition, by the admin listener of a
//! broker.

use std::io::{self, BufRead, IsTerminal as _, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

/// The arguments of `logboom partition`.
#[derive(Debug, Args)]
pub(crate) struct PartitionArguments {
    #[command(subcommand)]
    command: PartitionCommand,
}

#[derive(Debug, Subcommand)]
enum PartitionCommand {
    /// Has those who are left of a partition's replicas go on, where most are lost for good.
    ///
    /// It shows who is left, who is missing, and what may be lost, and asks; where nobody sits at
    /// a terminal, nothing is done without --yes. The exit status is 0 if it was done. The brokers
    /// that are given up must never come back with their old directories.
    #[command(after_help = RECOVER_HELP)]
    Recover(RecoverArguments),
}

const RECOVER_HELP: &str = "\
Where the brokers that are lost were a majority of controller.quorum.voters, recover the metadata
first:
  logboom partition recover __cluster_metadata 0 --admin broker-3:9644
  logboom partition recover flights 0 --admin broker-3:9644 --yes";

#[derive(Debug, Args)]
struct RecoverArguments {
    /// The topic, or __cluster_metadata.
    topic: String,
    /// The number of the partition.
    partition: i32,
    /// The admin listener of a broker that runs.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9644")]
    admin: String,
    /// Does it without asking.
    #[arg(long)]
    yes: bool,
}

/// Longer than a broker waits for the others.
const PATIENCE: Duration = Duration::from_secs(30);
/// The status of what is done.
const OK: u16 = 200;
/// The most bytes of an answer.
const ANSWER_MAX: u64 = 1 << 20;

/// Runs a command.
pub(crate) fn run(arguments: &PartitionArguments) -> ExitCode {
    let PartitionCommand::Recover(arguments) = &arguments.command;
    match recover(arguments, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            crate::complain(&format!("logboom partition: {}: {error}", arguments.admin));
            ExitCode::FAILURE
        }
    }
}

/// Shows what is known, asks, and does it; returns whether it is done.
fn recover(arguments: &RecoverArguments, out: &mut impl Write) -> io::Result<bool> {
    let RecoverArguments { topic, partition, admin, yes } = arguments;
    let path = format!("/recovery/{topic}/{partition}");
    let (status, report) = ask(admin, "GET", &path, "")?;
    out.write_all(report.as_bytes())?;
    if status != OK || !(*yes || is_wanted(out)?) {
        return Ok(false);
    }
    // What is done is what was shown, or nothing.
    let (status, outcome) = ask(admin, "POST", &path, &report)?;
    out.write_all(outcome.as_bytes())?;
    Ok(status == OK)
}

/// Whether whoever sits at the terminal wants it.
fn is_wanted(out: &mut impl Write) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        writeln!(out, "nothing was done; --yes does it")?;
        return Ok(false);
    }
    is_answered_yes(&mut io::stdin().lock(), out)
}

fn is_answered_yes(terminal: &mut impl BufRead, out: &mut impl Write) -> io::Result<bool> {
    write!(out, "Go on without the missing brokers, for good? [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    terminal.read_line(&mut line)?;
    let is_yes = matches!(line.trim(), "y" | "Y" | "yes");
    if !is_yes {
        writeln!(out, "nothing was done")?;
    }
    Ok(is_yes)
}

/// One request by HTTP/1.1: the status, and the body of the answer.
fn ask(admin: &str, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let address = admin.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let rest = format!("Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {admin}\r\n{rest}");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::other("the answer isn't HTTP"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (line, is_yes) in
            [("y\n", true), ("yes\n", true), ("\n", false), ("", false), ("yeti\n", false)]
        {
            let mut out = Vec::new();
            assert_eq!(is_answered_yes(&mut line.as_bytes(), &mut out).unwrap(), is_yes, "{line}");
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.ends_with("nothing was done\n"), !is_yes, "{out}");
        }
    }

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = "HTTP/1.1 409 Conflict\r\ncontent-length: 3\r\n\r\nno\n";
        assert_eq!(parse(answer), Some((409, "no\n".to_owned())));
        for bad in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 2\r\n\r\n", "SSH-2.0\r\n\r\n"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
