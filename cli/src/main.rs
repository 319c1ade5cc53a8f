//! `logboom`, the one binary.

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
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Broker => {
            #[expect(clippy::print_stderr, reason = "a command's errors go to stderr")]
            {
                eprintln!(
                    "logboom broker: not built yet. This version holds the protocol crate only; \
                     the broker comes with stage C (docs/status.md)."
                );
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Arguments, Command, Parser as _};

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
        let parsed = Arguments::try_parse_from(["logboom", "broker"]).unwrap();
        assert!(matches!(parsed.command, Command::Broker));
        assert!(Arguments::try_parse_from(["logboom", "brokre"]).is_err());
    }
}
