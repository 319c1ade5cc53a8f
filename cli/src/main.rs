//! `logboom`, the one binary.

mod log;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A partitioned, replicated message log that speaks the Apache Kafka protocol.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a broker.
    #[command(after_help = "Example:\n  logboom broker")]
    Broker,
    /// Looks into a data directory offline.
    #[command(subcommand)]
    Log(log::LogCommand),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Broker => {
            complain(
                "logboom broker: not built yet. This version holds the protocol and the storage; \
                 the broker comes with stage C (docs/status.md).",
            );
            ExitCode::FAILURE
        }
        Command::Log(command) => log::run(&command, &mut std::io::stdout().lock()),
    }
}

/// Says on stderr what is wrong.
#[expect(clippy::print_stderr, reason = "a command's errors go to stderr")]
fn complain(message: &str) {
    eprintln!("{message}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Arguments, Command, Parser as _, log};

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
        let parsed = Arguments::try_parse_from(["logboom", "broker"]).unwrap();
        assert!(matches!(parsed.command, Command::Broker));
        assert!(Arguments::try_parse_from(["logboom", "brokre"]).is_err());
    }

    #[test]
    fn a_directory_that_is_none_is_refused_by_name() {
        let arguments = ["logboom", "log", "verify", "/nonexistent", "--output", "json"];
        let Command::Log(command) = Arguments::try_parse_from(arguments).unwrap().command else {
            panic!("parsed as something else");
        };
        let mut out = Vec::new();
        let status = log::run(&command, &mut out);
        assert_eq!(format!("{status:?}"), format!("{:?}", std::process::ExitCode::FAILURE));
        assert!(out.is_empty());
    }
}
