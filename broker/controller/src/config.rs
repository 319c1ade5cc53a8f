//! Every configuration: its type, default, rule and text, and which value is in force.
//!
//! ```text
//!   topic's own ─▶ this broker's ─▶ all brokers' ─▶ the broker's file ─▶ default
//!        1               2               3                  4               5
//! ```
//!
//! The number is the source in DescribeConfigs. What is set for a topic or a group stands alone;
//! behind it come the names under which a broker sets the same for all of them, as
//! `log.segment.bytes` for `segment.bytes`.
//!
//! Must always hold: a configuration is defined once, in the tables of [`topic`], [`broker`],
//! [`group`] and [`client_metrics`], and everything that is said of it comes from there.
//!
//! Source of names, types, defaults and rules: Apache Kafka 4.1 (`TopicConfig`, `LogConfig`,
//! `ServerConfigs` and their like), KIP-226, KIP-1030.

pub mod broker;
pub mod client_metrics;
mod definition;
mod effective;
pub mod group;
mod static_config;
pub mod topic;

pub use definition::{ConfigError, ConfigType, Definition, Layered, Rule, Synonym};
pub use effective::{ConfigSource, Effective, Entry, EntrySynonym};
pub use static_config::StaticConfig;

pub(crate) use definition::elements;

#[cfg(test)]
mod tests;
