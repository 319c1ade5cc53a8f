//! `logboom cluster`: who is there, who leads what, what is wrong, and who decides.

mod health;
mod status;

use std::io;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::client::ClientArguments;

/// The arguments of `logboom cluster`.
#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    /// Shows brokers, counts, and the partitions that lack a leader or a replica.
    #[command(after_help = "Example:\n  logboom cluster status --bootstrap broker-1:9092")]
    Status,
    /// Gives a node a vote in what is decided for the cluster. It has to run.
    #[command(after_help = "Example:\n  logboom cluster add-voter 4 --bootstrap broker-1:9092")]
    AddVoter {
        /// The node's number.
        id: i32,
    },
    /// Takes a node's vote away, before it leaves for good or when it is gone.
    #[command(after_help = "Example:\n  logboom cluster remove-voter 4 --bootstrap broker-1:9092")]
    RemoveVoter {
        /// The node's number.
        id: i32,
    },
    /// Says whether everything is fully replicated, and names what isn't, with the reason.
    #[command(after_help = health::HELP)]
    Health,
}

/// Runs a command.
pub(crate) fn run(arguments: &ClusterArguments) -> ExitCode {
    let ClusterArguments { client, command } = arguments;
    let (output, out) = (client.output, &mut io::stdout().lock());
    client.run("cluster", async move |cluster| match *command {
        ClusterCommand::Status => status::run(&cluster, output, out).await,
        ClusterCommand::Health => health::run(&cluster, output, out).await,
        ClusterCommand::AddVoter { id } => Ok(cluster.add_voter(id).await?),
        ClusterCommand::RemoveVoter { id } => Ok(cluster.remove_voter(id).await?),
    })
}
