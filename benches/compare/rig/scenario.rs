//! Scenarios: the files in `benches/scenarios`.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::options::Options;
use crate::systems::System;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Producing to a new topic.
    Produce,
    /// Reading a topic from its start.
    Consume,
    /// Reading a topic from its start while more is produced to it.
    Mixed,
    /// Starts, memory, recovery and disk.
    Operations,
}

/// Whose client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Client {
    /// The driver.
    Librdkafka,
    /// Kafka's own performance tools.
    Java,
}

/// A scenario. Fields that a file leaves out have the values of `Default`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scenario {
    /// The file's name without its ending and the number that gives it its place.
    #[serde(skip_deserializing)]
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) client: Client,
    /// Who takes part.
    pub(crate) systems: Vec<System>,
    pub(crate) partitions: i32,
    pub(crate) record_bytes: u64,
    /// The share of each record that is noise, 0 to 1.
    pub(crate) entropy: f64,
    pub(crate) codec: String,
    pub(crate) acks: String,
    pub(crate) linger_ms: f64,
    pub(crate) batch_bytes: u64,
    pub(crate) producers: u32,
    /// Records a second that are due; without it as many as go.
    pub(crate) rate: Option<f64>,
    /// Before the first repetition, thrown away.
    pub(crate) rehearsal_seconds: f64,
    /// Before each measurement.
    pub(crate) warmup_seconds: f64,
    pub(crate) seconds: f64,
    /// Payload bytes after which a measurement ends, if that is sooner.
    pub(crate) bytes_max: u64,
    /// Payload bytes that are there before anything is read.
    pub(crate) fill_bytes: u64,
    /// What is to be reached, for the report.
    pub(crate) aim: Option<String>,
    /// What else the report is to say.
    pub(crate) note: Option<String>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            title: String::new(),
            kind: Kind::Produce,
            client: Client::Librdkafka,
            systems: System::ALL.to_vec(),
            partitions: 8,
            record_bytes: 1024,
            entropy: 1.0,
            codec: "none".into(),
            acks: "all".into(),
            linger_ms: 5.0,
            batch_bytes: 64 << 10,
            producers: 1,
            rate: None,
            rehearsal_seconds: 12.0,
            warmup_seconds: 1.0,
            seconds: 5.0,
            bytes_max: 1_500_000_000,
            fill_bytes: 1_500_000_000,
            aim: None,
            note: None,
        }
    }
}

impl Scenario {
    /// All scenarios that are asked for, in the order of their files.
    ///
    /// # Errors
    /// A file that can't be read, or a name that no file has.
    pub(crate) fn load(dir: &Path, options: &Options) -> Result<Vec<Self>, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
        let entries = fs::read_dir(dir).map_err(failed)?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        paths.sort();
        let all = paths.iter().map(|path| Self::read(path)).collect::<Result<Vec<_>, _>>()?;
        for wanted in &options.scenarios {
            if !all.iter().any(|scenario| scenario.name == *wanted) {
                let names: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
                return Err(format!("{wanted} is none of the scenarios: {}", names.join(", ")));
            }
        }
        let is_wanted = |scenario: &Self| {
            options.scenarios.is_empty() || options.scenarios.contains(&scenario.name)
        };
        let wanted = all.into_iter().filter(is_wanted);
        Ok(wanted.map(|one| if options.quick { one.quick() } else { one }).collect())
    }

    fn read(path: &Path) -> Result<Self, String> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut scenario: Self =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_place = |c: char| c.is_ascii_digit();
        scenario.name = stem.trim_start_matches(is_place).trim_start_matches('-').to_owned();
        Ok(scenario)
    }

    /// Small sizes, which show that it works and nothing else.
    fn quick(mut self) -> Self {
        self.rehearsal_seconds = 1.0;
        self.warmup_seconds = 0.3;
        self.seconds = 1.5;
        self.bytes_max = self.bytes_max.min(100_000_000);
        self.fill_bytes = self.fill_bytes.min(50_000_000);
        self
    }

    /// The same, shorter.
    pub(crate) fn at_most(&self, seconds: f64, fill_bytes: u64) -> Self {
        Self {
            seconds: self.seconds.min(seconds),
            fill_bytes: self.fill_bytes.min(fill_bytes),
            ..self.clone()
        }
    }

    /// The same for so long.
    pub(crate) fn lasting(&self, seconds: f64) -> Self {
        Self { seconds, ..self.clone() }
    }

    /// Changes with anything that changes its figures.
    pub(crate) fn key(&self) -> String {
        let measured = Self { title: String::new(), aim: None, note: None, ..self.clone() };
        let mut hasher = DefaultHasher::new();
        format!("{measured:?}").hash(&mut hasher);
        format!("{}-{:08x}", self.name, hasher.finish() >> 32)
    }
}
