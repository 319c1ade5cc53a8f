//! The load that a command asks for, whichever it is, with what holds where nothing is said.

use std::time::Duration;

use super::values::{CLIENTS_MAX, LANES_MAX};
use super::{
    BenchCommand, ConsumeArguments, EndToEndArguments, GroupArguments, LoadArguments,
    MixedArguments, ProduceArguments, RateArguments, RecordArguments,
};
use crate::run::Scenario;
use crate::workload::KeyChoice;

/// A load, whichever scenario it is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) load: &'a LoadArguments,
    pub(crate) records: &'a RecordArguments,
    pub(crate) rate: Option<&'a RateArguments>,
    pub(crate) groups: Option<&'a GroupArguments>,
    pub(crate) producers: u64,
    /// Of each group.
    pub(crate) consumers: u64,
    pub(crate) fill: Option<u64>,
}

impl BenchCommand {
    /// The load; `None` where none is made.
    pub(crate) fn plan(&self) -> Option<Plan<'_>> {
        let plan = |scenario, load, records| Plan {
            scenario,
            load,
            records,
            rate: None,
            groups: None,
            producers: load.clients,
            consumers: 0,
            fill: None,
        };
        Some(match self {
            Self::Produce(ProduceArguments { load, records, rate }) => {
                Plan { rate: Some(rate), ..plan(Scenario::Produce, load, records) }
            }
            Self::Consume(ConsumeArguments { load, records, groups, fill }) => Plan {
                groups: Some(groups),
                producers: 0,
                consumers: load.clients,
                fill: Some(fill.fill),
                ..plan(Scenario::Consume, load, records)
            },
            Self::EndToEnd(EndToEndArguments { load, records, rate, readers }) => Plan {
                rate: Some(rate),
                groups: Some(&readers.groups),
                consumers: readers.consumers,
                ..plan(Scenario::EndToEnd, load, records)
            },
            Self::Mixed(MixedArguments { load, records, rate, readers, fill }) => Plan {
                rate: Some(rate),
                groups: Some(&readers.groups),
                consumers: readers.consumers,
                fill: Some(fill.fill),
                ..plan(Scenario::Mixed, load, records)
            },
            Self::Compare(_) => return None,
        })
    }
}

/// How long is measured where nothing is said.
pub(super) const DURATION: Duration = Duration::from_secs(10);
/// What goes before it.
pub(super) const WARMUP: Duration = Duration::from_secs(1);

impl Plan<'_> {
    /// How long is measured; `None` where a number of records ends it.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match self.load.records {
            Some(_) => None,
            None => Some(self.load.duration.unwrap_or(DURATION)),
        }
    }

    pub(crate) fn warmup(&self) -> Duration {
        let usual = if self.load.records.is_some() { Duration::ZERO } else { WARMUP };
        match self.scenario {
            // Reading begins with the first record.
            Scenario::Consume => Duration::ZERO,
            _ => self.load.warmup.unwrap_or(usual),
        }
    }

    /// What each option by itself can't tell.
    ///
    /// # Errors
    /// Options that don't go together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (groups, each) = (self.group_count(), self.consumers);
        if groups * each > CLIENTS_MAX {
            let option = if self.producers > 0 { "--consumers" } else { "--clients" };
            return Err(format!(
                "--groups {groups} with {option} {each}: at most {CLIENTS_MAX} consumers together"
            ));
        }
        let is_filled_by_bytes = self.fill.is_some()
            && (self.scenario == Scenario::Mixed || self.load.records.is_none());
        let is_empty = self.records.keys == KeyChoice::None && self.records.record_bytes.is_empty();
        if is_filled_by_bytes && is_empty {
            return Err("--record-bytes: records without a byte never come to --fill".to_owned());
        }
        let asked = self.load.partitions.and_then(|partitions| u64::try_from(partitions).ok());
        self.check_lanes(asked.unwrap_or(0))
    }

    /// Whether there is memory for what producers keep of each of so many partitions.
    ///
    /// # Errors
    /// There is too much of it.
    pub(crate) fn check_lanes(&self, partitions: u64) -> Result<(), String> {
        let producers = self.producers;
        match producers.saturating_mul(partitions) <= LANES_MAX {
            true => Ok(()),
            false => Err(format!(
                "--clients {producers} with {partitions} partitions: at most {LANES_MAX} pairs of \
                 a producer and a partition, each of which has a queue of its own"
            )),
        }
    }

    pub(crate) fn group_count(&self) -> u64 {
        self.groups.map_or(0, |groups| groups.groups)
    }
}
