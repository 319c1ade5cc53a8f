//! `logboom group`: lists, describes, resets and deletes consumer groups.

mod describe;
mod reset;
mod scope;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use logboom_client::{Cluster, GroupFilter};
use logboom_protocol::ErrorCode;

use self::describe::Describe;
use self::reset::Reset;
use self::scope::TopicPartitions;
use crate::client::{ClientArguments, Failure};
use crate::output::{Output, write_done, write_rows};

/// The arguments of `logboom group`.
#[derive(Debug, Args)]
pub(crate) struct GroupArguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, Subcommand)]
enum GroupCommand {
    /// Lists the groups of all brokers.
    #[command(after_help = "Example:\n  logboom group list --state empty --state stable")]
    List {
        /// Only groups in this state; several may be given.
        #[arg(long, value_enum)]
        state: Vec<State>,
        /// Only groups of this type; several may be given.
        #[arg(long = "type", value_enum)]
        kind: Vec<Type>,
    },
    /// Shows groups: state, coordinator, members, what is committed and how far that is behind.
    #[command(after_help = describe::HELP)]
    Describe(Describe),
    /// Moves the committed offsets of a group that has no members.
    #[command(after_help = reset::HELP)]
    Reset(Reset),
    /// Deletes groups without members, or what a group has committed for topics.
    #[command(after_help = "Examples:\n  logboom group delete billing\n  \
                            logboom group delete billing --topic flights:0,1")]
    Delete(Delete),
}

/// States of groups, those of KIP-848 included.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    Assigning,
    Reconciling,
    NotReady,
    Dead,
}

/// Types of groups.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    Classic,
    Consumer,
    Share,
    Streams,
}

impl State {
    /// As brokers write it.
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::NotReady => "NotReady",
            Self::Dead => "Dead",
        }
    }
}

impl Type {
    /// As brokers write it.
    fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Share => "share",
            Self::Streams => "streams",
        }
    }
}

#[derive(Debug, Args)]
struct Delete {
    /// Their names.
    #[arg(required = true)]
    groups: Vec<String>,
    /// Only what the one group has committed for this topic, or for these partitions of it.
    #[arg(long, value_name = "TOPIC[:N,…]")]
    topic: Vec<TopicPartitions>,
    /// That there is nothing to delete is no error.
    #[arg(long)]
    if_exists: bool,
}

/// Runs a command.
pub(crate) fn run(arguments: &GroupArguments) -> ExitCode {
    let GroupArguments { client, command } = arguments;
    let (output, out) = (client.output, &mut io::stdout().lock());
    client.run("group", async move |cluster| match command {
        GroupCommand::List { state, kind } => {
            let filter = GroupFilter {
                states: state.iter().map(|state| state.name().to_owned()).collect(),
                types: kind.iter().map(|kind| kind.name().to_owned()).collect(),
            };
            run_list(&cluster, &filter, output, out).await
        }
        GroupCommand::Describe(describe) => describe.run(&cluster, output, out).await,
        GroupCommand::Reset(reset) => reset.run(&cluster, output, out).await,
        GroupCommand::Delete(delete) => run_delete(&cluster, delete, output, out).await,
    })
}

async fn run_list(
    cluster: &Cluster,
    filter: &GroupFilter,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let groups = cluster.list_groups(filter).await?;
    let row = |group: &logboom_client::ListedGroup| {
        json!({
            "group": group.group, "state": group.state, "type": group.group_type,
            "protocol_type": group.protocol_type, "coordinator": group.coordinator,
        })
    };
    let rows: Vec<Value> = groups.iter().map(row).collect();
    let columns = ["group", "state", "type", "protocol_type", "coordinator"];
    Ok(write_rows(out, output, &columns, &rows)?)
}

async fn run_delete(
    cluster: &Cluster,
    delete: &Delete,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut is_done = true;
    match (delete.groups.as_slice(), delete.topic.as_slice()) {
        (groups, []) => {
            for group in groups {
                let result = delete_group(cluster, group, delete.if_exists, output, out).await;
                is_done &= is_done_or_told(result)?;
            }
        }
        ([group], topics) => {
            for topic in topics {
                let if_exists = delete.if_exists;
                let result = delete_offsets(cluster, group, topic, if_exists, output, out).await;
                is_done &= is_done_or_told(result)?;
            }
        }
        _ => return Err(Failure::Usage("--topic goes with one group".to_owned())),
    }
    if is_done { Ok(()) } else { Err(Failure::Told) }
}

/// Whether it was done. What failed is said, so that the next one can be gone on with.
fn is_done_or_told(result: Result<(), Failure>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(Failure::Failed(message)) => {
            crate::complain(&format!("logboom group: {message}"));
            Ok(false)
        }
        Err(failure) => Err(failure),
    }
}

async fn delete_group(
    cluster: &Cluster,
    group: &str,
    if_exists: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (is_deleted, sentence) = match cluster.delete_group(group).await {
        Ok(()) => (true, format!("deleted group {group}")),
        Err(error) if if_exists && error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => {
            (false, format!("group {group} doesn't exist"))
        }
        Err(error) => return Err(error.into()),
    };
    let value = json!({ "group": group, "deleted": is_deleted });
    Ok(write_done(out, output, &sentence, &value)?)
}

/// Deletes what is committed for those partitions of a topic that something is committed for.
async fn delete_offsets(
    cluster: &Cluster,
    group: &str,
    topic: &TopicPartitions,
    if_exists: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let committed = cluster.committed_offsets(group).await?;
    let meant = committed.iter().filter(|one| topic.contains(&one.topic, one.partition));
    let partitions: Vec<i32> = meant.map(|one| one.partition).collect();
    let name = &topic.name;
    if partitions.is_empty() && !if_exists {
        return Err(Failure::Failed(format!(
            "group {group}: it has committed nothing for {topic}; \
             `logboom group describe {group}` shows what it has"
        )));
    }
    if !partitions.is_empty() {
        cluster.delete_offsets(group, name, &partitions).await?;
    }
    let numbers: Vec<String> = partitions.iter().map(i32::to_string).collect();
    let numbers = if numbers.is_empty() { "no partition".to_owned() } else { numbers.join(",") };
    let sentence = format!("group {group}: deleted its offsets of topic {name}: {numbers}");
    let value = json!({ "group": group, "topic": name, "partitions": partitions });
    Ok(write_done(out, output, &sentence, &value)?)
}
