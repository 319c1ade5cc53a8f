//! `logboom cluster`: who is there, who leads what, what is wrong, who decides, what is to move.

mod balance;
mod capacity;
mod drain;
mod figures;
mod health;
mod remove;
mod source;
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
    /// Shows what should move between brokers, and why, and has it moved.
    #[command(after_help = balance::HELP)]
    Balance(balance::BalanceArguments),
    /// Shows how much room there is, for how long, and what one broker more or less would change.
    #[command(after_help = capacity::HELP)]
    Capacity(capacity::CapacityArguments),
    /// Has a broker emptied: all that it has goes to others, and nothing new comes to it.
    #[command(after_help = drain::HELP)]
    Drain(drain::DrainArguments),
    /// Has a broker that is drained take its share again.
    #[command(after_help = drain::UNDRAIN_HELP)]
    Undrain {
        /// The broker's number.
        id: i32,
    },
    /// Removes a broker that is gone for good.
    #[command(after_help = remove::HELP)]
    Remove(remove::RemoveArguments),
    /// Says whether everything is fully replicated, and names what isn't, with the reason.
    #[command(after_help = health::HELP)]
    Health,
}

/// Runs a command.
pub(crate) fn run(arguments: &ClusterArguments) -> ExitCode {
    let ClusterArguments { client, command } = arguments;
    let (output, patience) = (client.output, client.patience());
    let out = &mut io::stdout().lock();
    client.run("cluster", async move |cluster| match command {
        ClusterCommand::Status => status::run(&cluster, output, out).await,
        ClusterCommand::Health => health::run(&cluster, output, out).await,
        ClusterCommand::AddVoter { id } => Ok(cluster.add_voter(*id).await?),
        ClusterCommand::RemoveVoter { id } => Ok(cluster.remove_voter(*id).await?),
        ClusterCommand::Balance(arguments) => balance::run(&cluster, arguments, output, out).await,
        ClusterCommand::Capacity(arguments) => capacity::run(arguments, output, out).await,
        ClusterCommand::Drain(arguments) => {
            drain::run(&cluster, arguments, patience, output, out).await
        }
        ClusterCommand::Undrain { id } => drain::undo(&cluster, *id, output, out).await,
        ClusterCommand::Remove(arguments) => remove::run(&cluster, arguments, output, out).await,
    })
}
