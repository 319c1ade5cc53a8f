//! What a broker was started with.

use alloc::collections::BTreeMap;

use logboom_protocol::CompactString;

use super::{ConfigError, broker};

/// The configuration of a broker's file, environment and flags.
///
/// Invariant: every key is one of [`broker`]'s, and every value keeps its rule.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticConfig {
    settings: BTreeMap<CompactString, CompactString>,
    broker_id: i32,
}

impl StaticConfig {
    /// Checks what was written. A key that comes twice has its last value.
    ///
    /// # Errors
    /// [`ConfigError`] for the first key that is unknown, has no effect in a file,
    /// or whose value breaks its rule.
    pub fn new<'a>(
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigError> {
        let (mut checked, mut broker_id) = (BTreeMap::new(), Self::default().broker_id);
        for (name, value) in settings {
            let broker =
                broker::find(name).ok_or_else(|| ConfigError::Unknown { name: name.into() })?;
            broker.check_in_file(value)?;
            if name == "node.id" {
                broker_id = value.trim().parse().unwrap_or(broker_id);
            }
            checked.insert(CompactString::from(name), CompactString::from(value));
        }
        Ok(Self { settings: checked, broker_id })
    }

    /// What was written for a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(CompactString::as_str)
    }

    /// The broker's id (`node.id`).
    #[must_use]
    pub fn broker_id(&self) -> i32 {
        self.broker_id
    }
}

impl Default for StaticConfig {
    /// What a broker is without any configuration: node 1.
    fn default() -> Self {
        Self { settings: BTreeMap::new(), broker_id: 1 }
    }
}
