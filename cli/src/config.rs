//! `logboom config`: shows and changes the configuration of topics and brokers.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use logboom_client::{
    Cluster, ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource,
};

use crate::client::{ClientArguments, Failure, key_value};
use crate::output::{Output, write_done, write_rows};

/// The arguments of `logboom config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Lists all that was set for topics and brokers while they ran.
    #[command(after_help = "Example:\n  logboom config list")]
    List,
    /// Shows the configuration of a topic or a broker.
    #[command(after_help = "Examples:\n  logboom config describe topic flights\n  \
                            logboom config describe broker 1 --changed")]
    Describe {
        #[command(flatten)]
        resource: Resource,
        /// Only these keys.
        keys: Vec<String>,
        /// Without what has its default.
        #[arg(long)]
        changed: bool,
    },
    /// Gives keys a value, all of them or none.
    #[command(
        after_help = "Examples:\n  logboom config set topic flights retention.ms=3600000\n  \
                            logboom config set broker all log.cleaner.threads=2"
    )]
    Set {
        #[command(flatten)]
        resource: Resource,
        /// What to set.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = key_value)]
        values: Vec<(String, String)>,
        /// Only sees whether it could be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Gives keys back the value that they have without one of their own.
    #[command(after_help = "Example:\n  logboom config delete topic flights retention.ms")]
    Delete {
        #[command(flatten)]
        resource: Resource,
        /// What to delete.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        /// Only sees whether it could be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What has a configuration.
#[derive(Debug, Args)]
struct Resource {
    /// A topic or a broker.
    kind: Kind,
    /// The topic's name; the broker's number, or `all` for what holds for all brokers.
    name: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Topic,
    Broker,
}

impl Resource {
    fn parse(&self) -> Result<ConfigResource, Failure> {
        match (self.kind, self.name.as_str()) {
            (Kind::Topic, name) => Ok(ConfigResource::Topic(name.to_owned())),
            (Kind::Broker, "all") => Ok(ConfigResource::AllBrokers),
            (Kind::Broker, id) => match id.parse() {
                Ok(id) if id >= 0 => Ok(ConfigResource::Broker(id)),
                _ => Err(Failure::Usage(format!("{id:?} is no broker; write its number or all"))),
            },
        }
    }
}

/// Runs a command.
pub(crate) fn run(arguments: &ConfigArguments) -> ExitCode {
    let ConfigArguments { client, command } = arguments;
    let (output, out) = (client.output, &mut io::stdout().lock());
    client.run("config", async move |cluster| match command {
        ConfigCommand::List => run_list(&cluster, output, out).await,
        ConfigCommand::Describe { resource, keys, changed } => {
            run_describe(&cluster, &resource.parse()?, keys, *changed, output, out).await
        }
        ConfigCommand::Set { resource, values, dry_run } => {
            let change = |(name, value): &(String, String)| ConfigChange {
                name: name.clone(),
                operation: ConfigOperation::Set(value.clone()),
            };
            let changes: Vec<_> = values.iter().map(change).collect();
            self::change(&cluster, &resource.parse()?, &changes, *dry_run, output, out).await
        }
        ConfigCommand::Delete { resource, keys, dry_run } => {
            let change = |name: &String| ConfigChange {
                name: name.clone(),
                operation: ConfigOperation::Delete,
            };
            let changes: Vec<_> = keys.iter().map(change).collect();
            self::change(&cluster, &resource.parse()?, &changes, *dry_run, output, out).await
        }
    })
}

/// Changes a configuration and says so.
///
/// # Errors
/// The cluster refuses it or can't be asked.
pub(crate) async fn change(
    cluster: &Cluster,
    resource: &ConfigResource,
    changes: &[ConfigChange],
    dry_run: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    cluster.alter_configs(resource, changes, dry_run).await?;
    let keys: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    let verb = if dry_run { "could change" } else { "changed" };
    let sentence = format!("{verb} {resource}: {}", keys.join(", "));
    let value = json!({ "resource": resource.to_string(), "keys": keys, "changed": !dry_run });
    Ok(write_done(out, output, &sentence, &value)?)
}

async fn run_list(cluster: &Cluster, output: Output, out: &mut impl Write) -> Result<(), Failure> {
    let image = cluster.image(None).await?;
    let topics = image.topics.into_keys().map(ConfigResource::Topic);
    let brokers = image.brokers.into_keys().map(ConfigResource::Broker);
    let mut rows = Vec::new();
    for resource in std::iter::once(ConfigResource::AllBrokers).chain(brokers).chain(topics) {
        let entries = cluster.describe_configs(&resource, None).await?;
        // What holds for all brokers is listed once, not for each of them.
        let own = match resource {
            ConfigResource::Topic(_) => ConfigSource::Topic,
            ConfigResource::Broker(_) => ConfigSource::Broker,
            ConfigResource::AllBrokers => ConfigSource::AllBrokers,
        };
        let own = entries.iter().filter(|entry| entry.source == own);
        rows.extend(own.map(|entry| row(&resource, entry)));
    }
    Ok(write_rows(out, output, &["resource", "key", "value"], &rows)?)
}

async fn run_describe(
    cluster: &Cluster,
    resource: &ConfigResource,
    keys: &[String],
    changed: bool,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let keys = if keys.is_empty() { None } else { Some(keys.as_slice()) };
    let mut entries = cluster.describe_configs(resource, keys).await?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let missing = |key: &&&str| !entries.iter().any(|entry| entry.name == **key);
    if let Some(key) = keys.and_then(|keys| keys.iter().find(missing)) {
        return Err(Failure::Failed(format!(
            "{resource}: it has no key {key}; without a key all are shown"
        )));
    }
    let shown = entries.iter().filter(|e| !changed || e.source != ConfigSource::Default);
    let rows: Vec<Value> = shown.map(|entry| row(resource, entry)).collect();
    Ok(write_rows(out, output, &["key", "value", "source", "read_only"], &rows)?)
}

fn row(resource: &ConfigResource, entry: &ConfigEntry) -> Value {
    let hidden = entry.is_sensitive.then(|| "(hidden)".to_owned());
    json!({
        "resource": resource.to_string(), "key": entry.name,
        "value": hidden.or_else(|| entry.value.clone()), "source": entry.source.to_string(),
        "read_only": entry.is_read_only, "sensitive": entry.is_sensitive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_a_number_or_all() {
        let parse = |kind, name: &str| Resource { kind, name: name.to_owned() }.parse();
        assert_eq!(parse(Kind::Broker, "7").unwrap(), ConfigResource::Broker(7));
        assert_eq!(parse(Kind::Broker, "all").unwrap(), ConfigResource::AllBrokers);
        let topic = ConfigResource::Topic("all".to_owned());
        assert_eq!(parse(Kind::Topic, "all").unwrap(), topic);
        for name in ["", "-1", "one"] {
            assert!(matches!(parse(Kind::Broker, name), Err(Failure::Usage(_))), "{name}");
        }
    }
}
