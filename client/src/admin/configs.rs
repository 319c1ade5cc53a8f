//! Configurations of topics and brokers: reading them, and changing single keys (KIP-339).

use std::fmt;

use logboom_protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult,
};
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::only;
use crate::cluster::Target;
use crate::{ClientError, Cluster};

/// What has a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic, by name.
    Topic(String),
    /// A broker, by number.
    Broker(i32),
    /// All brokers: what holds where a broker has no value of its own.
    AllBrokers,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value; `None` for a secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can't be changed while a broker runs.
    pub is_read_only: bool,
    /// Whether brokers keep the value to themselves.
    pub is_sensitive: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for the topic.
    Topic,
    /// Set for the one broker while it ran.
    Broker,
    /// Set for all brokers while they ran.
    AllBrokers,
    /// In the broker's file.
    File,
    /// The default.
    Default,
    /// A number that we don't know.
    Other(i8),
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// The key.
    pub name: String,
    /// What is done to it.
    pub operation: ConfigOperation,
}

/// What is done to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOperation {
    /// It gets this value.
    Set(String),
    /// It gets back the value that it has without one of its own.
    Delete,
    /// A list gets more elements, with commas between them.
    Append(String),
    /// A list loses elements.
    Subtract(String),
}

impl Cluster {
    /// The configuration of a resource, with defaults.
    ///
    /// - `keys`: only these; `None` is all.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], the broker's code, or why it can't be asked.
    pub async fn describe_configs(
        &self,
        resource: &ConfigResource,
        keys: Option<&[&str]>,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let key = |key: &&str| CompactString::from(*key);
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: resource.type_number(),
                resource_name: resource.name(),
                configuration_keys: keys.map(|keys| keys.iter().map(key).collect()),
            }],
            ..DescribeConfigsRequest::default()
        };
        let doing = format!("describe {resource}");
        self.call(resource.target(), doing, &request, |address, response| {
            let DescribeConfigsResult { error_code, error_message, configs, .. } =
                only(address, response.results, || resource.to_string())?;
            resource.check(error_code, error_message.as_deref())?;
            Ok(configs.into_iter().map(ConfigEntry::new).collect())
        })
        .await
    }

    /// Changes keys of a resource, all or none.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], the broker's code, INVALID_CONFIG for example, or why it
    /// can't be asked.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<(), ClientError> {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: resource.type_number(),
                resource_name: resource.name(),
                configs: changes.iter().map(ConfigChange::to_wire).collect(),
            }],
            validate_only,
        };
        let doing = format!("configure {resource}");
        self.call(resource.target(), doing, &request, |address, response| {
            let result = only(address, response.responses, || resource.to_string())?;
            resource.check(result.error_code, result.error_message.as_deref())
        })
        .await
    }
}

impl ConfigResource {
    /// Kafka's `ConfigResource.Type`.
    fn type_number(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::AllBrokers => 4,
        }
    }

    fn name(&self) -> CompactString {
        match self {
            Self::Topic(name) => name.as_str().into(),
            Self::Broker(id) => id.to_string().into(),
            Self::AllBrokers => CompactString::default(),
        }
    }

    /// Only the broker itself knows what is in its file.
    fn target(&self) -> Target<'_> {
        match self {
            Self::Topic(_) | Self::AllBrokers => Target::Any,
            Self::Broker(id) => Target::Broker(*id),
        }
    }

    fn check(&self, code: ErrorCode, message: Option<&str>) -> Result<(), ClientError> {
        match self {
            Self::Topic(topic) if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                Err(ClientError::UnknownTopic { topic: topic.clone() })
            }
            _ => ClientError::check(code, message, || self.to_string()),
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::AllBrokers => f.write_str("all brokers"),
        }
    }
}

impl ConfigEntry {
    fn new(entry: DescribeConfigsResourceResult) -> Self {
        Self {
            name: entry.name.into(),
            value: entry.value.map(Into::into),
            source: ConfigSource::from_wire(entry.config_source),
            is_read_only: entry.read_only,
            is_sensitive: entry.is_sensitive,
        }
    }
}

impl ConfigSource {
    fn from_wire(number: i8) -> Self {
        match number {
            1 => Self::Topic,
            2 => Self::Broker,
            3 => Self::AllBrokers,
            4 => Self::File,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => f.write_str("topic"),
            Self::Broker => f.write_str("broker"),
            Self::AllBrokers => f.write_str("all brokers"),
            Self::File => f.write_str("file"),
            Self::Default => f.write_str("default"),
            Self::Other(number) => write!(f, "source {number}"),
        }
    }
}

impl ConfigChange {
    fn to_wire(&self) -> AlterableConfig {
        let (config_operation, value) = match &self.operation {
            ConfigOperation::Set(value) => (0, Some(value)),
            ConfigOperation::Delete => (1, None),
            ConfigOperation::Append(value) => (2, Some(value)),
            ConfigOperation::Subtract(value) => (3, Some(value)),
        };
        let value = value.map(|value| value.as_str().into());
        AlterableConfig { name: self.name.as_str().into(), config_operation, value }
    }
}
