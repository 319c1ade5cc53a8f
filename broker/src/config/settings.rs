//! Settings as they were written, by whom, and which of them counts.

use std::collections::BTreeMap;
use std::path::Path;

use logboom_controller::config::{ConfigError, StaticConfig, broker};

use super::toml_file;
use super::{ConfigProblem, Origin};

/// Keys of the reference that are taken and change nothing, with the reason.
pub const IGNORED: [(&str, &str); 4] = [
    ("num.network.threads", "the threads of num.io.threads serve the network as well"),
    ("queued.max.requests", "a connection's requests wait in its socket"),
    ("background.threads", "no work waits for such threads"),
    ("num.replica.fetchers", "replicas don't fetch"),
];

/// Other names of a key.
const ALIASES: [(&str, &str); 2] = [("broker.id", "node.id"), ("log.dirs", "log.dir")];

/// What variables of the environment begin with.
const PREFIX: &str = "LOGBOOM_";

/// Variables that begin so and are no setting: the log's filter, and what commands for clients
/// read.
const OTHER_VARIABLES: [&str; 3] = ["LOGBOOM_LOG", "LOGBOOM_LOG_FORMAT", "LOGBOOM_BOOTSTRAP"];

/// Settings: a text for each key, and who said it. What is added later goes before what is there.
///
/// Invariant: every key is one of the table's, and every value keeps its rule.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, (String, Origin)>,
}

impl Settings {
    /// Adds the settings of a file.
    ///
    /// # Errors
    /// [`ConfigProblem`] where the file can't be read, isn't TOML, or holds what isn't taken.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigProblem> {
        let origin = Origin::File(path.display().to_string());
        let text = std::fs::read_to_string(path).map_err(|error| ConfigProblem {
            what: format!("the configuration can't be read: {error}"),
            origin: origin.clone(),
        })?;
        self.add_toml(&text, &origin)
    }

    /// Adds the settings of a TOML text.
    ///
    /// # Errors
    /// [`ConfigProblem`] where it isn't TOML, or holds what isn't taken.
    pub fn add_toml(&mut self, text: &str, origin: &Origin) -> Result<(), ConfigProblem> {
        let refuse = |what| ConfigProblem { what, origin: origin.clone() };
        let mut seen = BTreeMap::new();
        for (name, value) in toml_file::flatten(text).map_err(refuse)? {
            if let Some(before) = seen.insert(canonical(&name).to_owned(), name.clone()) {
                return Err(refuse(format!("{before} and {name} are the same key, set twice")));
            }
            self.set(&name, &value, origin.clone())?;
        }
        Ok(())
    }

    /// Adds the settings of the environment: `LOGBOOM_`, the key in upper case, dots as
    /// underscores.
    ///
    /// # Errors
    /// [`ConfigProblem`] for a variable that begins so and is no key, or isn't taken.
    pub fn add_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigProblem> {
        let keys: BTreeMap<String, &'static str> =
            known_keys().map(|key| (variable_of(key), key)).collect();
        let mut variables: Vec<_> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
            .collect();
        variables.sort();
        for (variable, value) in variables {
            let origin = Origin::Environment(variable.clone());
            let Some(key) = keys.get(&variable) else {
                let what = format!("{variable}={value}: stands for no key");
                return Err(ConfigProblem { what, origin });
            };
            self.set(key, &value, origin)?;
        }
        Ok(())
    }

    /// Sets a key.
    ///
    /// # Errors
    /// [`ConfigProblem`] for a key that isn't known, or a value that breaks its rule.
    pub fn set(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), ConfigProblem> {
        if IGNORED.iter().any(|(ignored, _)| *ignored == name) {
            return Ok(());
        }
        let name = canonical(name);
        let checked = match broker::find(name) {
            Some(broker) => broker.check_in_file(value),
            None => Err(ConfigError::Unknown { name: name.into() }),
        };
        match checked {
            Ok(()) => _ = self.values.insert(name.to_owned(), (value.to_owned(), origin)),
            Err(ConfigError::Unknown { .. }) => {
                let what = format!("{name}={value}: no broker configuration has that key");
                return Err(ConfigProblem { what, origin });
            }
            Err(error) => return Err(ConfigProblem { what: error.to_string(), origin }),
        }
        Ok(())
    }

    /// What was set for a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str())
    }

    /// A value that is not taken although it has the form.
    pub(super) fn refuse(&self, name: &str, rule: &str) -> ConfigProblem {
        let origin = self.values.get(name).map_or(Origin::Default, |(_, origin)| origin.clone());
        let what = format!("{name}={}: {rule}", super::value(self, name));
        ConfigProblem { what, origin }
    }

    /// All of them, as the broker's own source of values.
    pub(super) fn to_static(&self) -> Result<StaticConfig, ConfigProblem> {
        let values = self.values.iter().map(|(name, (value, _))| (name.as_str(), value.as_str()));
        let refuse =
            |error: ConfigError| ConfigProblem { what: error.to_string(), origin: Origin::Default };
        StaticConfig::new(values).map_err(refuse)
    }
}

fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

/// Every key that may be written.
fn known_keys() -> impl Iterator<Item = &'static str> {
    let table = broker::all().map(|broker| broker.definition.name);
    let others = ALIASES.iter().chain(&IGNORED).map(|(name, _)| *name);
    table.chain(others)
}

/// The variable of the environment that stands for a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "_"))
}
