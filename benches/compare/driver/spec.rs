//! What a run is asked to do.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Makes a topic and waits until it has its leaders.
    Create,
    /// Deletes a topic.
    Delete,
    /// Produces.
    Produce,
    /// Produces so many bytes, and waits until all are acknowledged.
    Fill,
    /// Reads a number of records from the start.
    Consume,
    /// Both at once.
    Mixed,
}

/// A run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) mode: Mode,
    /// The broker's address.
    pub(crate) bootstrap: String,
    #[serde(default = "topic")]
    pub(crate) topic: String,
    #[serde(default = "one")]
    pub(crate) partitions: i32,
    /// Configuration of the topic that is made, as `KEY=VALUE,…`.
    #[serde(default)]
    topic_config: String,
    /// Bytes of a record's value; it has no key.
    #[serde(default = "record_bytes")]
    pub(crate) record_bytes: usize,
    /// The share of a record's bytes that are noise; the others are the same in all.
    #[serde(default = "entropy")]
    pub(crate) entropy: f64,
    #[serde(default = "codec")]
    pub(crate) codec: String,
    #[serde(default = "acks")]
    acks: Value,
    #[serde(default = "linger_ms")]
    linger_ms: f64,
    #[serde(default = "batch_bytes")]
    batch_bytes: usize,
    #[serde(default = "one")]
    pub(crate) producers: usize,
    /// Records a second that are due, over all producers; `None`: as many as go.
    pub(crate) rate: Option<f64>,
    #[serde(default)]
    pub(crate) warmup_seconds: f64,
    #[serde(default = "seconds")]
    pub(crate) seconds: f64,
    /// Payload bytes after which the measuring ends, if that is sooner; or that fill a topic.
    #[serde(default = "unlimited")]
    pub(crate) bytes_max: u64,
    /// How many records are read.
    #[serde(default)]
    pub(crate) records: u64,
    /// The process whose processor time is measured.
    pub(crate) broker_pid: Option<u32>,
    /// Settings of librdkafka, as `KEY=VALUE,…`.
    #[serde(default)]
    client_config: String,
}

fn topic() -> String {
    "bench".into()
}

fn one<T: From<u8>>() -> T {
    1.into()
}

fn record_bytes() -> usize {
    1024
}

fn entropy() -> f64 {
    1.0
}

fn codec() -> String {
    "none".into()
}

fn acks() -> Value {
    "all".into()
}

fn linger_ms() -> f64 {
    5.0
}

fn batch_bytes() -> usize {
    64 << 10
}

fn seconds() -> f64 {
    5.0
}

fn unlimited() -> u64 {
    u64::MAX
}

/// What may wait in all producers: more than any broker's delay, and not all of the memory.
const QUEUED_KIB: usize = 64 << 10;
/// The least of it that one has.
const QUEUED_KIB_MIN: usize = 4 << 10;
/// The same in records.
const QUEUED_RECORDS: usize = 1_000_000;

impl Spec {
    /// Reads `MODE [--FIELD VALUE]…`.
    ///
    /// # Errors
    /// A field that is unknown, missing or no such value.
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<Self, String> {
        let (mode, rest) = arguments.split_first().ok_or("no mode is given")?;
        let mut fields = Map::from_iter([("mode".to_owned(), Value::from(mode.as_str()))]);
        for pair in rest.chunks(2) {
            let [name, value] = pair else { return Err(format!("{pair:?} has no value")) };
            let name = name.strip_prefix("--").ok_or_else(|| format!("{name} is no field"))?;
            fields.insert(name.replace('-', "_"), parsed(value));
        }
        serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
    }

    /// The topic's configuration.
    pub(crate) fn topic_config(&self) -> Result<BTreeMap<&str, &str>, String> {
        pairs(&self.topic_config)
    }

    /// What every client has, the same for every broker.
    pub(crate) fn client(&self) -> Result<ClientConfig, String> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        for (key, value) in pairs(&self.client_config)? {
            config.set(key, value);
        }
        Ok(config)
    }

    /// A producer's configuration.
    pub(crate) fn producer(&self) -> Result<ClientConfig, String> {
        let acks = self.acks.as_str().map_or_else(|| self.acks.to_string(), str::to_owned);
        let queued_kib = (QUEUED_KIB / self.producers.max(1)).max(QUEUED_KIB_MIN);
        let mut config = self.client()?;
        config
            .set("acks", acks)
            .set("linger.ms", self.linger_ms.to_string())
            .set("batch.size", self.batch_bytes.to_string())
            .set("compression.codec", &self.codec)
            .set("queue.buffering.max.kbytes", queued_kib.to_string())
            .set("queue.buffering.max.messages", QUEUED_RECORDS.to_string());
        // The limit of records in a batch would be met before that of its bytes.
        config.set("batch.num.messages", "1000000");
        Ok(config)
    }
}

fn parsed(value: &str) -> Value {
    serde_json::from_str::<Value>(value)
        .ok()
        .filter(Value::is_number)
        .unwrap_or_else(|| value.into())
}

fn pairs(text: &str) -> Result<BTreeMap<&str, &str>, String> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words
        .map(|word| word.split_once('=').ok_or_else(|| format!("{word}: KEY=VALUE is wanted")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(line: &str) -> Result<Spec, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Spec::from_arguments(&words)
    }

    #[test]
    fn fields_are_read_and_unknown_ones_refused() {
        let read = spec("produce --bootstrap h:1 --acks 1 --topic-config a=b,c=d").unwrap();
        assert_eq!(read.topic_config(), Ok(BTreeMap::from([("a", "b"), ("c", "d")])));
        assert_eq!(read.producer().unwrap().get("acks"), Some("1"));
        assert!(spec("produce --bootstrap h:1 --recordbytes 3").unwrap_err().contains("unknown"));
        assert!(spec("produce").unwrap_err().contains("bootstrap"));
        assert!(spec("fly --bootstrap h:1").unwrap_err().contains("fly"));
    }
}
