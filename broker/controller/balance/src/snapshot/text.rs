//! The text form of a snapshot, a line each:
//!
//! ```text
//! snapshot 1
//! broker ID [rack NAME] [weight N] [draining|absent] [partitions N] [disk N] [in N] [out N]
//! topic NAME
//! partition INDEX leader ID|none|lost replicas ID:DISK:IN:OUT …
//! ```
//!
//! Brokers come first; partitions follow their topic. [`crate::text`] says how names are written.
//!
//! Must always hold: what was written is read back as it was; whatever is read takes memory in
//! proportion to the text, within the limits of a snapshot, and an error names the line.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;
use core::str::SplitAsciiWhitespace;

use super::{Broker, Known, Load, Partition, Replica, Snapshot, SnapshotError, Standing};
use crate::resource::Resource;
use crate::snapshot::REPLICAS_MAX;
use crate::text::{self, Escaped, ParseError, Wrong, end, keyword, name, number, unexpected};

/// The first line: what this is, and the version of the form.
const HEADER: &str = "snapshot 1";

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.brokers.iter().try_for_each(|broker| write_broker(f, broker))?;
        let mut partitions = self.partitions.iter().peekable();
        for (place, topic) in self.topics.iter().enumerate() {
            writeln!(f, "topic {}", Escaped(topic))?;
            while let Some(partition) = partitions.next_if(|it| it.topic as usize == place) {
                write_partition(f, partition)?;
            }
        }
        Ok(())
    }
}

fn write_broker(f: &mut fmt::Formatter<'_>, broker: &Broker) -> fmt::Result {
    write!(f, "broker {}", broker.id)?;
    if let Some(rack) = &broker.rack {
        write!(f, " rack {}", Escaped(rack))?;
    }
    write!(f, " weight {}", broker.weight)?;
    match broker.standing {
        Standing::Active => {}
        Standing::Draining => f.write_str(" draining")?,
        Standing::Absent => f.write_str(" absent")?,
    }
    for resource in Resource::MEASURED {
        if let Some(capacity) = broker.capacity[resource] {
            write!(f, " {} {capacity}", resource.word())?;
        }
    }
    writeln!(f)
}

fn write_partition(f: &mut fmt::Formatter<'_>, partition: &Partition) -> fmt::Result {
    write!(f, "partition {} leader ", partition.index)?;
    match partition.leader {
        Some(id) => write!(f, "{id} replicas")?,
        None if partition.is_leaderless => f.write_str("lost replicas")?,
        None => f.write_str("none replicas")?,
    }
    for Replica { broker, load } in &partition.replicas {
        write!(f, " {broker}:{}:{}:{}", load.disk_bytes, load.bytes_in, load.bytes_out)?;
    }
    writeln!(f)
}

impl Snapshot {
    /// Reads the text form.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut reader = Reader::default();
        let last = text::read(text, "a snapshot", HEADER, |_, line| reader.line(line))?;
        reader.snapshot.finish().map_err(|error| ParseError { line: last, what: wrong(error) })
    }
}

#[derive(Debug, Default)]
struct Reader {
    snapshot: Snapshot,
    known: Known,
}

fn wrong(error: SnapshotError) -> Wrong {
    error.to_string()
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("broker") => self.broker(words),
            Some("topic") => self.topic(words),
            Some("partition") => self.partition(words),
            other => Err(unexpected("broker, topic or partition", other)),
        }
    }

    fn broker(&mut self, mut words: SplitAsciiWhitespace<'_>) -> Result<(), Wrong> {
        if !self.snapshot.topics.is_empty() {
            return Err("brokers come before topics".to_string());
        }
        let mut broker = Broker::new(number("id of a broker", words.next())?);
        while let Some(word) = words.next() {
            match word {
                "rack" => broker.rack = Some(name("rack", words.next())?),
                "weight" => broker.weight = number("weight", words.next())?,
                "draining" => broker.standing = Standing::Draining,
                "absent" => broker.standing = Standing::Absent,
                _ => {
                    let named = Resource::MEASURED.into_iter().find(|it| it.word() == word);
                    let resource =
                        named.ok_or_else(|| unexpected("key of a broker", Some(word)))?;
                    broker.capacity[resource] = Some(number(word, words.next())?);
                }
            }
        }
        self.snapshot.push_broker(broker).map_err(wrong)
    }

    fn topic(&mut self, mut words: SplitAsciiWhitespace<'_>) -> Result<(), Wrong> {
        let topic = name("topic", words.next())?;
        end(words)?;
        self.snapshot.push_topic(topic, &mut self.known).map_err(wrong)
    }

    fn partition(&mut self, mut words: SplitAsciiWhitespace<'_>) -> Result<(), Wrong> {
        let topic = self.snapshot.topics.len().checked_sub(1);
        let topic = topic.ok_or("a partition comes after its topic")?;
        let index: i32 = number("number of a partition", words.next())?;
        keyword("leader", &mut words)?;
        let (leader, is_leaderless) = match words.next() {
            Some("none") => (None, false),
            Some("lost") => (None, true),
            word => (Some(number("id of a leader", word)?), false),
        };
        keyword("replicas", &mut words)?;
        let mut replicas = Vec::new();
        for word in words {
            if replicas.len() > REPLICAS_MAX {
                break;
            }
            replicas.push(replica(word)?);
        }
        let topic = u32::try_from(topic).map_err(|_| "too many topics")?;
        let last = self.snapshot.partitions.last();
        if last.is_some_and(|last| last.topic == topic && last.index >= index) {
            return Err("partitions of a topic come in order, each once".to_string());
        }
        let partition = Partition { topic, index, leader, is_leaderless, replicas };
        self.snapshot.push_partition(partition).map_err(wrong)
    }
}

fn replica(word: &str) -> Result<Replica, Wrong> {
    let mut parts = word.split(':');
    let broker = number("replica (ID:DISK:IN:OUT)", parts.next())?;
    let mut next = || number("amount", parts.next());
    let load = Load { disk_bytes: next()?, bytes_in: next()?, bytes_out: next()? };
    match parts.next() {
        None => Ok(Replica { broker, load }),
        Some(_) => Err(unexpected("replica (ID:DISK:IN:OUT)", Some(word))),
    }
}
