//! The configurations of brokers.
//!
//! The tables have those that are a broker's alone. What a broker sets for its topics and groups is
//! defined with them, in [`topic`] and [`group`].

mod balancing;
mod table;

use self::table::TABLE;
use super::{ConfigError, Definition, Layered, group, topic};

pub use self::table::RACK_AWARE_SELECTOR;

/// When a broker takes a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// When it starts, from its file.
    ReadOnly,
    /// At once, for one broker or for all of them (KIP-226).
    ClusterWide,
    /// At once, for one broker, and from no file.
    OneBroker {
        /// The command that sets it.
        by: &'static str,
    },
    /// At once, for all of them together, and from no file.
    AllBrokers {
        /// The command that sets it.
        by: &'static str,
    },
}

/// A configuration of a broker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrokerDefinition {
    /// The configuration.
    pub definition: Definition,
    /// When a new value is taken.
    pub update: Update,
}

impl BrokerDefinition {
    /// Whether a file, the environment or a flag may set `value`.
    ///
    /// # Errors
    /// [`ConfigError::NotInFile`] where it would have no effect, and those of
    /// [`Definition::check`].
    pub fn check_in_file(&self, value: &str) -> Result<(), ConfigError> {
        let name = self.definition.name;
        match self.update {
            Update::ReadOnly | Update::ClusterWide => self.definition.check(value),
            Update::OneBroker { by } => {
                Err(ConfigError::NotInFile { name, whom: "one broker while that runs", by })
            }
            Update::AllBrokers { by } => {
                Err(ConfigError::NotInFile { name, whom: "all brokers while they run", by })
            }
        }
    }
}

/// The configuration of that name.
#[must_use]
pub fn find(name: &str) -> Option<BrokerDefinition> {
    all().find(|broker| broker.definition.name == name)
}

/// All of them: the broker's own, then what it sets for topics and groups.
pub fn all() -> impl Iterator<Item = BrokerDefinition> {
    let of_topics = topic::TABLE.iter().filter_map(|topic| layer(topic, Update::ClusterWide));
    let of_groups = group::TABLE.iter().filter_map(|group| layer(group, Update::ReadOnly));
    TABLE.iter().chain(&balancing::TABLE).copied().chain(of_topics).chain(of_groups)
}

/// What a broker sets under the first of its names. Where it has more than one, the default stands
/// under the last.
fn layer(layered: &Layered, update: Update) -> Option<BrokerDefinition> {
    let first = layered.synonyms.first()?;
    let default = layered.definition.default.filter(|_| layered.synonyms.len() == 1);
    let definition = Definition { name: first.name, default, ..layered.definition };
    Some(BrokerDefinition { definition, update })
}
