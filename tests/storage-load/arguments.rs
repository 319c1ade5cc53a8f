//! What the program is told.

use std::path::PathBuf;

/// The arguments.
pub(crate) struct Arguments {
    pub(crate) command: String,
    pub(crate) dir: PathBuf,
    /// How many partitions there are, from number 0 on.
    pub(crate) partitions: i32,
    /// The number of this run; every record carries it.
    pub(crate) life: u32,
    /// Batches that each partition gets, about; 0 for no end.
    pub(crate) batches: u64,
    /// The most bytes of a batch, about.
    pub(crate) batch_bytes: usize,
    /// `segment.bytes`.
    pub(crate) segment_bytes: u32,
    /// Threads that flush.
    pub(crate) flushers: u32,
    /// Bytes that the state store reserves.
    pub(crate) state_bytes: u64,
    /// `retention.bytes`; −1 keeps all.
    pub(crate) retention_bytes: i64,
    /// Whether `load` and `check` stop cleanly in the end, and do not just end.
    pub(crate) close: bool,
    /// Whether `fill` ends when the disk is full.
    pub(crate) stay_full: bool,
}

impl Arguments {
    /// Reads the arguments.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let [command, dir, options @ ..] = words else {
            return Err("usage: storage-load COMMAND DIR [--NAME=NUMBER …]".to_owned());
        };
        let mut arguments = Self {
            command: command.clone(),
            dir: dir.into(),
            partitions: 4,
            life: 1,
            batches: 0,
            batch_bytes: 64 << 10,
            segment_bytes: logboom_storage::SEGMENT_BYTES_MIN,
            flushers: 2,
            state_bytes: 1 << 20,
            retention_bytes: -1,
            close: false,
            stay_full: false,
        };
        for option in options {
            let set = option.strip_prefix("--").and_then(|rest| rest.split_once('='));
            let set = set.and_then(|(name, value)| arguments.set(name, value.parse().ok()?));
            set.ok_or_else(|| format!("`{option}` is no option with a number that fits"))?;
        }
        Ok(arguments)
    }

    fn set(&mut self, name: &str, value: i64) -> Option<()> {
        match name {
            "partitions" => self.partitions = value.try_into().ok()?,
            "life" => self.life = value.try_into().ok()?,
            "batches" => self.batches = value.try_into().ok()?,
            "batch-bytes" => self.batch_bytes = value.try_into().ok()?,
            "segment-bytes" => self.segment_bytes = value.try_into().ok()?,
            "flushers" => self.flushers = value.try_into().ok()?,
            "state-bytes" => self.state_bytes = value.try_into().ok()?,
            "retention-bytes" => self.retention_bytes = value,
            "close" => self.close = value != 0,
            "stay-full" => self.stay_full = value != 0,
            _ => return None,
        }
        Some(())
    }
}
