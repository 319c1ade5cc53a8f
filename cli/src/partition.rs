//! `logboom partition`: what an operator does about one partition, by the admin listener of a
//! broker.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::admin::{AdminArguments, OK};
use crate::confirm::is_wanted;

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
    #[command(flatten)]
    admin: AdminArguments,
    /// Does it without asking.
    #[arg(long)]
    yes: bool,
}

/// What is asked before it is done.
const QUESTION: &str = "Go on without the missing brokers, for good?";

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
    let (status, report) = admin.ask("GET", &path, "")?;
    out.write_all(report.as_bytes())?;
    if status != OK || !(*yes || is_wanted(QUESTION, out)?) {
        return Ok(false);
    }
    // What is done is what was shown, or nothing.
    let (status, outcome) = admin.ask("POST", &path, &report)?;
    out.write_all(outcome.as_bytes())?;
    Ok(status == OK)
}
