//! `logboom topic`: creates, shows, changes and deletes topics.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use logboom_client::{
    ClientError, Cluster, ConfigChange, ConfigOperation, ConfigResource, NewTopic, OffsetSpec,
    Partition, Topic,
};
use logboom_protocol::ErrorCode;

use crate::client::{ClientArguments, Failure, key_value};
use crate::offset::Place;
use crate::output::{Output, write_done, write_rows};

/// The arguments of `logboom topic`.
#[derive(Debug, Args)]
pub(crate) struct TopicArguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    command: TopicCommand,
}

#[derive(Debug, Subcommand)]
enum TopicCommand {
    /// Creates topics.
    #[command(after_help = "Example:\n  logboom topic create flights --partitions 6 \
                            --replication-factor 3 --config retention.ms=86400000")]
    Create(Create),
    /// Lists the topics.
    #[command(after_help = "Example:\n  logboom topic list --output json")]
    List {
        /// The brokers' own topics as well.
        #[arg(long)]
        internal: bool,
    },
    /// Shows the partitions of topics: leader, replicas, first and last offset.
    #[command(after_help = "Example:\n  logboom topic describe flights")]
    Describe {
        /// All topics, if there is none.
        names: Vec<String>,
    },
    /// Changes the configuration of a topic.
    #[command(after_help = "Example:\n  logboom topic alter flights --set retention.ms=3600000 \
                            --delete max.message.bytes")]
    Alter(Alter),
    /// Deletes topics with all their records.
    #[command(after_help = "Example:\n  logboom topic delete flights")]
    Delete {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
        /// That there is none of that name is no error.
        #[arg(long)]
        if_exists: bool,
    },
    /// Gives a topic more partitions. Keys may belong to other partitions afterwards.
    #[command(after_help = "Example:\n  logboom topic add-partitions flights --total 12")]
    AddPartitions {
        /// Its name.
        name: String,
        /// How many partitions it has afterwards.
        #[arg(long)]
        total: i32,
        /// Only sees whether it could be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Deletes the oldest records of a topic.
    #[command(
        after_help = "Examples:\n  logboom topic trim flights --before 2026-01-01T00:00:00Z\n  \
                            logboom topic trim flights --partition 0 --before 1000"
    )]
    Trim(Trim),
}

#[derive(Debug, Args)]
struct Create {
    /// Their names.
    #[arg(required = true)]
    names: Vec<String>,
    /// How many partitions each; the brokers' num.partitions, if it isn't given.
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    /// Copies of each partition; the brokers' default.replication.factor, if it isn't given.
    #[arg(long, value_name = "N")]
    replication_factor: Option<i16>,
    /// Configuration that differs from the brokers'.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
    /// That there is one of that name already is no error.
    #[arg(long)]
    if_not_exists: bool,
    /// Only sees whether it could be done.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Alter {
    /// Its name.
    name: String,
    /// Gives a key a value.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    #[arg(required_unless_present = "delete")]
    set: Vec<(String, String)>,
    /// Gives a key back the value that it has without one of its own.
    #[arg(long, value_name = "KEY")]
    delete: Vec<String>,
    /// Only sees whether it could be done.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Trim {
    /// Its name.
    name: String,
    /// The first record to keep: an offset, a time, or `end` to keep none.
    #[arg(long, value_name = "PLACE")]
    before: Place,
    /// Only these partitions.
    #[arg(long, value_name = "N")]
    partition: Vec<i32>,
}

/// Runs a command.
pub(crate) fn run(arguments: &TopicArguments) -> ExitCode {
    let TopicArguments { client, command } = arguments;
    let (output, out) = (client.output, &mut io::stdout().lock());
    client.run("topic", async move |cluster| match command {
        TopicCommand::Create(create) => run_create(&cluster, create, output, out).await,
        TopicCommand::List { internal } => run_list(&cluster, *internal, output, out).await,
        TopicCommand::Describe { names } => run_describe(&cluster, names, output, out).await,
        TopicCommand::Alter(alter) => run_alter(&cluster, alter, output, out).await,
        TopicCommand::Delete { names, if_exists } => {
            run_delete(&cluster, names, *if_exists, output, out).await
        }
        TopicCommand::AddPartitions { name, total, dry_run } => {
            run_add_partitions(&cluster, name, *total, *dry_run, output, out).await
        }
        TopicCommand::Trim(trim) => run_trim(&cluster, trim, output, out).await,
    })
}

async fn run_create(
    cluster: &Cluster,
    create: &Create,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    for name in &create.names {
        let topic = NewTopic {
            name: name.clone(),
            partition_count: create.partitions,
            replication_factor: create.replication_factor,
            configs: create.config.clone(),
            validate_only: create.dry_run,
        };
        let created = match cluster.create_topic(&topic).await {
            Err(error)
                if create.if_not_exists
                    && error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) =>
            {
                let value = json!({ "topic": name, "created": false });
                write_done(out, output, &format!("topic {name} exists already"), &value)?;
                continue;
            }
            result => result?,
        };
        let (partitions, factor) = (created.partition_count, created.replication_factor);
        // A majority of two is both.
        let note =
            (factor == Some(2)).then_some("takes no records while one of the two is missing");
        let value = json!({
            "topic": name, "created": !create.dry_run, "partitions": partitions,
            "replication_factor": factor, "id": id(&created.id), "note": note,
        });
        let verb = if create.dry_run { "could create" } else { "created" };
        let shape = match (partitions, factor) {
            (Some(partitions), Some(factor)) => {
                format!(": {partitions} partitions, replication factor {factor}")
            }
            _ => String::new(),
        };
        let note = note.map(|note| format!("; {note}")).unwrap_or_default();
        write_done(out, output, &format!("{verb} topic {name}{shape}{note}"), &value)?;
    }
    Ok(())
}

async fn run_list(
    cluster: &Cluster,
    internal: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let image = cluster.image(None).await?;
    let shown = image.topics.values().filter(|topic| internal || !topic.is_internal);
    let rows: Vec<Value> = shown
        .map(|topic| {
            let factor = topic.partitions.iter().map(|partition| partition.replicas.len()).max();
            json!({
                "topic": topic.name, "partitions": topic.partitions.len(),
                "replication_factor": factor, "internal": topic.is_internal, "id": id(&topic.id),
            })
        })
        .collect();
    let columns = ["topic", "partitions", "replication_factor", "internal", "id"];
    Ok(write_rows(out, output, &columns, &rows)?)
}

async fn run_describe(
    cluster: &Cluster,
    names: &[String],
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let topics = if names.is_empty() {
        let topics = cluster.image(None).await?.topics.into_values();
        topics.filter(|topic| !topic.is_internal).collect()
    } else {
        let mut topics = Vec::new();
        for name in names {
            topics.push(Topic::clone(&*cluster.topic(name).await?));
        }
        topics
    };
    let mut rows = Vec::new();
    for topic in &topics {
        rows.extend(describe(cluster, topic).await?);
    }
    let columns = [
        "topic",
        "partition",
        "leader",
        "leader_epoch",
        "replicas",
        "in_sync",
        "offline",
        "log_start_offset",
        "high_watermark",
    ];
    Ok(write_rows(out, output, &columns, &rows)?)
}

/// A row a partition. Only leaders know offsets.
async fn describe(cluster: &Cluster, topic: &Topic) -> Result<Vec<Value>, ClientError> {
    let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
    let led: Vec<i32> = led.map(|partition| partition.index).collect();
    let starts = cluster.list_offsets(&topic.name, &led, OffsetSpec::Earliest).await?;
    let ends = cluster.list_offsets(&topic.name, &led, OffsetSpec::Latest).await?;
    let row = |partition: &Partition| {
        let at = led.iter().position(|&index| index == partition.index);
        json!({
            "topic": topic.name, "partition": partition.index, "leader": partition.leader,
            "leader_epoch": partition.leader_epoch, "replicas": partition.replicas,
            "in_sync": partition.in_sync, "offline": partition.offline,
            "log_start_offset": at.and_then(|at| starts.get(at)?.offset),
            "high_watermark": at.and_then(|at| ends.get(at)?.offset),
        })
    };
    Ok(topic.partitions.iter().map(row).collect())
}

async fn run_alter(
    cluster: &Cluster,
    alter: &Alter,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let set = alter.set.iter().map(|(name, value)| ConfigChange {
        name: name.clone(),
        operation: ConfigOperation::Set(value.clone()),
    });
    let delete = alter
        .delete
        .iter()
        .map(|name| ConfigChange { name: name.clone(), operation: ConfigOperation::Delete });
    let changes: Vec<_> = set.chain(delete).collect();
    let resource = ConfigResource::Topic(alter.name.clone());
    crate::config::change(cluster, &resource, &changes, alter.dry_run, output, out).await
}

async fn run_delete(
    cluster: &Cluster,
    names: &[String],
    if_exists: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    for name in names {
        match cluster.delete_topic(name).await {
            Err(ClientError::UnknownTopic { .. }) if if_exists => {
                let value = json!({ "topic": name, "deleted": false });
                write_done(out, output, &format!("topic {name} doesn't exist"), &value)?;
                continue;
            }
            result => result?,
        }
        let value = json!({ "topic": name, "deleted": true });
        write_done(out, output, &format!("deleted topic {name}"), &value)?;
    }
    Ok(())
}

async fn run_add_partitions(
    cluster: &Cluster,
    name: &str,
    total: i32,
    dry_run: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    cluster.add_partitions(name, total, dry_run).await?;
    let verb = if dry_run { "could have" } else { "has" };
    let value = json!({ "topic": name, "partitions": total, "changed": !dry_run });
    Ok(write_done(out, output, &format!("topic {name} {verb} {total} partitions"), &value)?)
}

async fn run_trim(
    cluster: &Cluster,
    trim: &Trim,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let topic = cluster.topic(&trim.name).await?;
    if matches!(trim.before, Place::Offset(_)) && trim.partition.is_empty() {
        let message = "--before with an offset needs --partition: offsets differ by partition";
        return Err(Failure::Usage(message.to_owned()));
    }
    let all = topic.partitions.iter().map(|partition| partition.index);
    let partitions = if trim.partition.is_empty() { all.collect() } else { trim.partition.clone() };
    for (partition, before) in trim.before.resolve(cluster, &trim.name, &partitions).await? {
        let start = cluster.delete_records(&trim.name, partition, Some(before)).await?;
        let (name, sentence) = (&trim.name, format!("partition {}-{partition}", trim.name));
        let sentence = format!("{sentence} begins at offset {start}");
        let value = json!({ "topic": name, "partition": partition, "log_start_offset": start });
        write_done(out, output, &sentence, &value)?;
    }
    Ok(())
}

/// An id, where there is one.
fn id(id: &logboom_protocol::units::Uuid) -> Option<String> {
    (!id.is_zero()).then(|| id.to_string())
}
