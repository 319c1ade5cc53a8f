//! What all commands share that talk to a cluster: how to find it, and how they end.
//!
//! Exit status: 0 done, 1 refused or failed, 2 wrong usage. Results go to stdout, errors to stderr.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use logboom_client::{
    AddressError, BrokerAddress, ClientConfig, ClientError, Cluster, Properties, PropertyError,
};
use logboom_consumer::{Consumer, ConsumerBuilder, ConsumerError};
use logboom_producer::{BuildError, ProduceError, Producer, ProducerBuilder};
use logboom_protocol::ErrorCode;
use logboom_protocol::records::BatchError;

use crate::output::Output;

/// How to find the cluster, and how to write what it says.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClientArguments {
    /// Brokers by which the cluster is found; one that answers is enough. Those of --properties,
    /// else of the variable LOGBOOM_BOOTSTRAP, else 127.0.0.1:9092, if it isn't given.
    #[arg(long, global = true, value_name = "HOST:PORT[,…]")]
    bootstrap: Option<Bootstrap>,
    /// A file of settings by Kafka's names, as its tools take it: what protects connections
    /// (security.protocol), times, and whatever else the command's clients have. Options go before
    /// it.
    #[arg(long, alias = "command-config", global = true, value_name = "FILE")]
    properties: Option<PathBuf>,
    /// A table for people, or one JSON value a line.
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Seconds for which is tried again what may succeed later; 10, and 120 for records to send, if
    /// it isn't given.
    #[arg(long, global = true, value_name = "SECONDS")]
    timeout: Option<u32>,
}

/// Where a broker with no configuration listens.
const LOCAL: &str = "127.0.0.1:9092";

/// How long a person waits for a call, if nothing else was asked for.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a batch waits for more records, if nothing else was asked for.
const LINGER: Duration = Duration::from_millis(5);

/// The value of `--bootstrap`.
#[derive(Debug, Clone)]
struct Bootstrap(Vec<BrokerAddress>);

impl FromStr for Bootstrap {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        BrokerAddress::parse_list(text).map(Self)
    }
}

/// Why a command didn't do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked for something that makes no sense.
    Usage(String),
    /// It was refused, or failed.
    Failed(String),
    /// It was said already what failed.
    Told,
    /// Its results can't be written.
    Output(io::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Failed(match way_out(&error) {
            Some(way_out) => format!("{}; {way_out}", error.to_string().trim_end_matches('.')),
            None => error.to_string(),
        })
    }
}

impl From<ProduceError> for Failure {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::Cluster(error) => error.into(),
            ProduceError::Late { last: Some(ref last), .. } => match way_out(last) {
                Some(way_out) => Self::Failed(format!("{error}; {way_out}")),
                None => Self::failed(error),
            },
            error => Self::failed(error),
        }
    }
}

impl From<ConsumerError> for Failure {
    fn from(error: ConsumerError) -> Self {
        match error {
            ConsumerError::Client(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

impl From<PropertyError> for Failure {
    fn from(error: PropertyError) -> Self {
        Self::failed(error)
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::failed(error)
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
            Self::Told => f.write_str("it was said what failed"),
            Self::Output(error) => write!(f, "write: {error}"),
        }
    }
}

/// What the operator can do about it, where the error itself doesn't say.
fn way_out(error: &ClientError) -> Option<String> {
    let text = match error {
        ClientError::NoBroker { .. } | ClientError::NoAnswer => {
            "is a broker running there? --bootstrap names another"
        }
        ClientError::UnknownTopic { .. } => "`logboom topic list` shows those that there are",
        ClientError::UnknownBroker { .. } => "`logboom cluster status` shows those that are alive",
        ClientError::NoLeader { .. } => "`logboom cluster status` says why",
        ClientError::Deadline { last, .. } => return way_out(last),
        ClientError::Refused { code, .. } => match *code {
            ErrorCode::TOPIC_ALREADY_EXISTS => "--if-not-exists makes this no error",
            ErrorCode::MESSAGE_TOO_LARGE => {
                "raise the topic's max.message.bytes, or send less at once"
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                "`logboom topic describe` shows the first and the last offset"
            }
            ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
                "the topic's min.insync.replicas asks for more copies than are alive"
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
                "`logboom topic list` shows those that there are"
            }
            ErrorCode::GROUP_ID_NOT_FOUND => "`logboom group list` shows those that there are",
            ErrorCode::NON_EMPTY_GROUP => {
                "stop its members first; `logboom group describe` shows them"
            }
            ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => {
                "stop the members that read it first; `logboom group describe` shows them"
            }
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL => {
                "its members don't share by ranges; `logboom group describe` says how they do"
            }
            ErrorCode::GROUP_MAX_SIZE_REACHED => "the brokers' group.max.size allows no more",
            _ => return None,
        },
        _ => return None,
    };
    Some(text.to_owned())
}

impl ClientArguments {
    /// Runs a command against the cluster; says on stderr how it failed, as `logboom NAME: …`.
    pub(crate) fn run(
        &self,
        name: &str,
        command: impl AsyncFnOnce(Cluster) -> Result<(), Failure>,
    ) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return end(name, Err(Failure::failed(format!("start: {error}")))),
        };
        let result = runtime.block_on(async { command(self.cluster()?).await });
        // A read from a terminal can't be called off; the process ends without it.
        runtime.shutdown_background();
        end(name, result)
    }

    /// How long the caller wants to wait, if that was said.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.into()))
    }

    fn cluster(&self) -> Result<Cluster, Failure> {
        let properties = self.settings()?;
        Ok(Cluster::new(self.brokers(&properties)?, self.config(&properties)?))
    }

    /// A producer that is as patient as the caller, and how long it waits for more records.
    ///
    /// - `linger`: as the caller wants it, if that was said.
    pub(crate) fn producer(&self, linger: Option<Duration>) -> Result<ProducerBuilder, Failure> {
        let properties = self.settings()?;
        let mut config = self.config(&properties)?;
        let builder = Producer::builder().properties(&properties)?;
        self.name_unused("produce", &properties);
        let builder = match linger {
            Some(linger) => builder.linger(linger),
            None => builder,
        };
        // An attempt has no more time than all of them.
        let linger = linger.or(properties.millis("linger.ms")?).unwrap_or(LINGER);
        let attempt = config.delivery_timeout.saturating_sub(linger);
        config.request_timeout = config.request_timeout.min(attempt);
        let blocks = properties.millis("max.block.ms")?.filter(|_| self.timeout.is_none());
        let patience = blocks.unwrap_or(config.delivery_timeout);
        // Whether the topic is there is asked before there is a record.
        config.api_timeout = blocks.unwrap_or(config.api_timeout);
        // Who mistyped a name waits for it.
        let builder = builder.allow_auto_create_topics(config.auto_create_topics);
        let builder = builder.topic_propagation_max(config.topic_propagation_max);
        Ok(builder.brokers(self.brokers(&properties)?).client(config).max_block(patience))
    }

    /// A consumer that is as patient as the caller.
    pub(crate) fn consumer(&self) -> Result<ConsumerBuilder, Failure> {
        let properties = self.settings()?;
        let mut config = self.config(&properties)?;
        // An attempt has no more time than all of them.
        config.request_timeout = config.request_timeout.min(config.api_timeout);
        let builder = Consumer::builder().properties(&properties)?;
        self.name_unused("consume", &properties);
        Ok(builder.brokers(self.brokers(&properties)?).client(config))
    }

    /// What the file says.
    fn settings(&self) -> Result<Properties, Failure> {
        Ok(match &self.properties {
            Some(path) => Properties::load(path)?,
            None => Properties::default(),
        })
    }

    /// A name that is mistyped doesn't pass for a setting.
    fn name_unused(&self, command: &str, properties: &Properties) {
        let Some(path) = &self.properties else { return };
        for key in properties.unused() {
            let file = path.display();
            crate::complain(&format!("logboom {command}: {file}: {key} is no setting of a client"));
        }
    }

    fn brokers(&self, properties: &Properties) -> Result<Vec<BrokerAddress>, Failure> {
        if let Some(Bootstrap(addresses)) = &self.bootstrap {
            return Ok(addresses.clone());
        }
        if let Some(addresses) = properties.bootstrap()? {
            return Ok(addresses);
        }
        let from_variable = std::env::var(logboom_bench::BOOTSTRAP_VARIABLE).ok();
        let addresses = from_variable.as_deref().unwrap_or(LOCAL);
        BrokerAddress::parse_list(addresses).map_err(|error| {
            Failure::Usage(format!("{}={addresses}: {error}", logboom_bench::BOOTSTRAP_VARIABLE))
        })
    }

    fn config(&self, properties: &Properties) -> Result<ClientConfig, Failure> {
        let mut config = ClientConfig { api_timeout: API_TIMEOUT, ..ClientConfig::default() };
        config.apply(properties)?;
        if let Some(timeout) = self.patience() {
            (config.api_timeout, config.delivery_timeout) = (timeout, timeout);
        }
        Ok(config)
    }
}

fn end(name: &str, result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    let status = match &failure {
        // Who reads our results has seen enough.
        Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Failure::Told => return ExitCode::FAILURE,
        Failure::Output(_) | Failure::Failed(_) => ExitCode::FAILURE,
        Failure::Usage(_) => ExitCode::from(2),
    };
    crate::complain(&format!("logboom {name}: {failure}"));
    status
}

/// A `KEY=VALUE` of the command line; the value may be empty and may contain `=`.
///
/// # Errors
/// A text without `=`, or without a key.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let broken = Failure::Output(io::ErrorKind::BrokenPipe.into());
        let status = |failure| format!("{:?}", end("test", Err(failure)));
        assert_eq!(status(broken), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(status(Failure::Told), format!("{:?}", ExitCode::FAILURE));
        let usage = status(Failure::Usage("as it should be".to_owned()));
        assert_eq!(usage, format!("{:?}", ExitCode::from(2)));
    }

    #[test]
    fn a_value_may_contain_what_separates_it() {
        assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(key_value("a="), Ok(("a".to_owned(), String::new())));
        assert!(key_value("=b").is_err());
        assert!(key_value("a").is_err());
    }

    #[test]
    fn the_last_error_of_a_deadline_knows_the_way_out() {
        let error = ClientError::Deadline {
            doing: "ask".to_owned(),
            limit: Duration::from_secs(1),
            last: Box::new(ClientError::NoBroker { failures: Vec::new() }),
        };
        let Failure::Failed(message) = Failure::from(error) else { panic!("another kind") };
        assert!(message.ends_with("--bootstrap names another"), "{message}");
    }
}
