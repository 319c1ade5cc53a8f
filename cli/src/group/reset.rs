//! `logboom group reset`.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Args;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::{Value, json};

use logboom_client::{ClientError, Cluster, FoundOffset, OffsetSpec, PartitionOffset};
use logboom_protocol::ErrorCode;

use super::scope::TopicPartitions;
use crate::client::Failure;
use crate::offset;
use crate::output::{Output, write_rows};

/// What stands below the options.
pub(super) const HELP: &str = "\
It is done at once, and --dry-run only shows it: kafka-consumer-groups only shows it unless it is
told --execute.
A group with members isn't reset: they would go on from where they are, and commit over it. Stop
them, or wait until their sessions are over; `logboom group describe` shows them.
An offset before the first record, or behind the end, becomes the nearest that there is.

Examples:
  logboom group reset billing --topic flights --to-beginning --dry-run
  logboom group reset billing --topic flights:0,1 --to-offset 1000
  logboom group reset billing --all-topics --to-time 2026-01-31T12:00:00Z
  logboom group reset billing --all-topics --by-duration 1h30m
  logboom group reset billing --topic flights --shift-by -100";

/// The arguments of `logboom group reset`.
#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The group.
    group: String,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    to: Destination,
    /// Only shows what would be committed.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Scope {
    /// This topic, or these partitions of it; several may be given.
    #[arg(long, value_name = "TOPIC[:N,…]")]
    topic: Vec<TopicPartitions>,
    /// All partitions for which the group has committed something.
    #[arg(long)]
    all_topics: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Destination {
    /// To the first record that is kept.
    #[arg(long)]
    to_beginning: bool,
    /// Behind the last record.
    #[arg(long)]
    to_end: bool,
    /// To this offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// To the first record that isn't older: @MILLISECONDS, or a time as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = offset::millis)]
    to_time: Option<i64>,
    /// To the first record that isn't older than so long: 1h, 30m, 2d, or as ISO 8601 has it, PT1H.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    by_duration: Option<i64>,
    /// So many records forward, or back with a number below 0.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,
}

/// Where a group is to go, in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    Beginning,
    End,
    Offset(i64),
    /// Milliseconds.
    Time(i64),
    Shift(i64),
}

/// What is known of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// What is committed.
    old: Option<i64>,
    /// The first record that is kept, and behind the last one. Invariant: `start` ≤ `end`.
    start: i64,
    end: i64,
    /// The first record that isn't older than the goal.
    by_time: Option<i64>,
}

/// A length of time in milliseconds.
fn duration(text: &str) -> Result<i64, String> {
    let hint = || "write a duration as 1h, 30m, 2d, PT1H or P1DT12H".to_owned();
    let span: Span = text.parse().map_err(|_| hint())?;
    // Months and years have no length of their own.
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| hint())?;
    let millis = i64::try_from(length.as_millis()).map_err(|_| hint())?;
    if millis < 0 { Err(hint()) } else { Ok(millis) }
}

impl Destination {
    /// - `now_ms`: from which a duration counts.
    fn goal(&self, now_ms: i64) -> Goal {
        let since = |ago: i64| now_ms.saturating_sub(ago).max(0);
        let choices = [
            self.to_offset.map(Goal::Offset),
            self.to_time.map(Goal::Time),
            self.by_duration.map(|ago| Goal::Time(since(ago))),
            self.shift_by.map(Goal::Shift),
            self.to_end.then_some(Goal::End),
        ];
        choices.into_iter().flatten().next().unwrap_or(Goal::Beginning)
    }
}

/// The offset to commit, and what is to be said about it; `None` where there is nothing to shift.
fn place(goal: Goal, known: Known) -> Option<(i64, Option<String>)> {
    let Known { old, start, end, by_time } = known;
    let wanted = match goal {
        Goal::Beginning => start,
        Goal::End => end,
        Goal::Offset(offset) => offset,
        Goal::Shift(by) => old?.saturating_add(by),
        Goal::Time(_) => match by_time {
            Some(offset) => offset,
            None => return Some((end, Some("no record is that new".to_owned()))),
        },
    };
    let note = match wanted {
        _ if wanted < start => Some(format!("{wanted} is before the first record")),
        _ if wanted > end => Some(format!("{wanted} is behind the end")),
        _ => None,
    };
    Some((wanted.clamp(start, end), note))
}

impl Reset {
    pub(super) async fn run(
        &self,
        cluster: &Cluster,
        output: Output,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        self.check_is_empty(cluster).await?;
        let committed = cluster.committed_offsets(&self.group).await?;
        let old: BTreeMap<(&str, i32), i64> =
            committed.iter().map(|one| ((one.topic.as_str(), one.partition), one.offset)).collect();
        let goal = self.to.goal(Timestamp::now().as_millisecond());
        let (mut offsets, mut rows) = (Vec::new(), Vec::new());
        for (topic, partitions) in self.partitions(cluster, &old).await? {
            for (partition, known) in look_up(cluster, &topic, &partitions, goal, &old).await? {
                let Some((offset, note)) = place(goal, known) else {
                    return Err(self.nothing_to_shift(&topic, partition));
                };
                rows.push(self.row(&topic, partition, known.old, offset, note));
                offsets.push(PartitionOffset { topic: topic.clone(), partition, offset });
            }
        }
        if !self.dry_run {
            let committed = cluster.commit_offsets(&self.group, &offsets).await;
            committed.map_err(|error| self.not_committed(error))?;
        }
        let columns = ["topic", "partition", "old_offset", "new_offset", "note"];
        Ok(write_rows(out, output, &columns, &rows)?)
    }

    /// Refuses a group that has members. One that isn't there yet has none.
    async fn check_is_empty(&self, cluster: &Cluster) -> Result<(), Failure> {
        let group = match cluster.describe_group(&self.group).await {
            Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => return Ok(()),
            result => result?,
        };
        if group.members.is_empty() && group.state == "Empty" {
            return Ok(());
        }
        let (name, count) = (&self.group, group.members.len());
        let members = if count == 1 { "member" } else { "members" };
        Err(Failure::Failed(format!(
            "group {name}: it is {} with {count} {members}, which would commit over it; stop them, \
             or wait until their sessions are over; `logboom group describe {name}` shows them",
            group.state
        )))
    }

    fn not_committed(&self, error: ClientError) -> Failure {
        match error.code() {
            Some(ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION) => {
                let name = &self.group;
                Failure::Failed(format!(
                    "group {name}: a member has joined meanwhile, and nothing was changed; stop \
                     it first, `logboom group describe {name}` shows it"
                ))
            }
            _ => error.into(),
        }
    }

    /// The partitions that are meant, by topic.
    async fn partitions(
        &self,
        cluster: &Cluster,
        old: &BTreeMap<(&str, i32), i64>,
    ) -> Result<BTreeMap<String, Vec<i32>>, Failure> {
        let mut meant = BTreeMap::<String, Vec<i32>>::new();
        if self.scope.all_topics {
            for &(topic, partition) in old.keys() {
                meant.entry(topic.to_owned()).or_default().push(partition);
            }
            if meant.is_empty() {
                let name = &self.group;
                return Err(Failure::Failed(format!(
                    "group {name}: it has committed nothing; --topic says for what it is to"
                )));
            }
            return Ok(meant);
        }
        for one in &self.scope.topic {
            let topic = cluster.topic(&one.name).await?;
            let all = topic.partitions.iter().map(|partition| partition.index);
            let partitions =
                if one.partitions.is_empty() { all.collect() } else { one.partitions.clone() };
            for &partition in &partitions {
                topic.partition(partition)?;
            }
            let listed = meant.entry(one.name.clone()).or_default();
            listed.extend(partitions);
            listed.sort_unstable();
            listed.dedup();
        }
        Ok(meant)
    }

    fn nothing_to_shift(&self, topic: &str, partition: i32) -> Failure {
        let name = &self.group;
        Failure::Failed(format!(
            "partition {topic}-{partition}: group {name} has committed nothing that could be \
             shifted; --topic {topic}:N,… names partitions for which it has, or choose another way"
        ))
    }

    fn row(
        &self,
        topic: &str,
        partition: i32,
        old: Option<i64>,
        new: i64,
        note: Option<String>,
    ) -> Value {
        json!({
            "group": self.group, "topic": topic, "partition": partition, "old_offset": old,
            "new_offset": new, "note": note, "changed": !self.dry_run,
        })
    }
}

async fn look_up(
    cluster: &Cluster,
    topic: &str,
    partitions: &[i32],
    goal: Goal,
    old: &BTreeMap<(&str, i32), i64>,
) -> Result<Vec<(i32, Known)>, Failure> {
    let starts = cluster.list_offsets(topic, partitions, OffsetSpec::Earliest).await?;
    let ends = cluster.list_offsets(topic, partitions, OffsetSpec::Latest).await?;
    let by_time = match goal {
        Goal::Time(millis) => {
            cluster.list_offsets(topic, partitions, OffsetSpec::Timestamp(millis)).await?
        }
        _ => Vec::new(),
    };
    let known = |(at, &partition): (usize, &i32)| {
        let told = |found: &[FoundOffset]| found.get(at).and_then(|one| one.offset);
        let (start, end) = bounds(topic, partition, told(&starts), told(&ends))?;
        let old = old.get(&(topic, partition)).copied();
        Ok::<_, Failure>((partition, Known { old, start, end, by_time: told(&by_time) }))
    };
    partitions.iter().enumerate().map(known).collect()
}

/// Where a partition begins and ends, of what was told in two answers.
fn bounds(
    topic: &str,
    partition: i32,
    start: Option<i64>,
    end: Option<i64>,
) -> Result<(i64, i64), Failure> {
    let (reason, way_out) = match (start, end) {
        (Some(start), Some(end)) if start <= end => return Ok((start, end)),
        (Some(start), Some(end)) => (
            format!("it began at {start}, and then ended at {end}, as when it is made anew"),
            "try again",
        ),
        _ => (
            "its leader doesn't tell where it begins and ends".to_owned(),
            "`logboom topic describe` shows which do",
        ),
    };
    Err(Failure::Failed(format!(
        "partition {topic}-{partition}: {reason}; nothing was changed, {way_out}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { old: Some(40), start: 10, end: 100, by_time: Some(55) };

    fn placed(goal: Goal) -> (i64, String) {
        let (offset, note) = place(goal, KNOWN).unwrap();
        (offset, note.unwrap_or_default())
    }

    #[test]
    fn every_goal_has_its_place() {
        let plain = |offset: i64| (offset, String::new());
        assert_eq!(placed(Goal::Beginning), plain(10));
        assert_eq!(placed(Goal::End), plain(100));
        for offset in [10, 11, 99, 100] {
            assert_eq!(placed(Goal::Offset(offset)), plain(offset));
        }
        assert_eq!(placed(Goal::Time(1)), plain(55));
        assert_eq!(placed(Goal::Shift(60)), plain(100));
        assert_eq!(placed(Goal::Shift(-30)), plain(10));
        assert_eq!(placed(Goal::Shift(0)), plain(40));
    }

    #[test]
    fn what_is_out_of_range_becomes_the_nearest_and_says_so() {
        let said = |offset: i64, note: &str| (offset, note.to_owned());
        assert_eq!(placed(Goal::Offset(9)), said(10, "9 is before the first record"));
        assert_eq!(placed(Goal::Offset(101)), said(100, "101 is behind the end"));
        assert_eq!(placed(Goal::Shift(-31)), said(10, "9 is before the first record"));
        assert_eq!(placed(Goal::Shift(61)), said(100, "101 is behind the end"));
        let far = placed(Goal::Shift(i64::MAX));
        assert_eq!(far, said(100, "9223372036854775807 is behind the end"));
        let later = Known { by_time: None, ..KNOWN };
        let expected = Some((100, Some("no record is that new".to_owned())));
        assert_eq!(place(Goal::Time(1), later), expected);
    }

    #[test]
    fn a_partition_without_bounds_is_named_and_not_guessed_at() {
        assert_eq!(bounds("t", 1, Some(10), Some(10)).unwrap(), (10, 10));
        for (start, end) in [(Some(500), Some(0)), (None, Some(5)), (Some(5), None)] {
            let Err(Failure::Failed(said)) = bounds("t", 1, start, end) else {
                panic!("{start:?} to {end:?}");
            };
            assert!(said.starts_with("partition t-1: "), "{said}");
            assert!(said.contains("nothing was changed"), "{said}");
        }
    }

    #[test]
    fn what_was_never_committed_cannot_be_shifted() {
        let new = Known { old: None, ..KNOWN };
        assert_eq!(place(Goal::Shift(1), new), None);
        assert_eq!(place(Goal::Beginning, new), Some((10, None)));
    }

    #[test]
    fn durations_are_read_as_people_and_as_iso_8601_write_them() {
        for (text, millis) in [
            ("1h", 3_600_000),
            ("90s", 90_000),
            ("1h 30m", 5_400_000),
            ("2d", 172_800_000),
            ("PT1H", 3_600_000),
            ("P1DT12H", 129_600_000),
            ("PT0.5S", 500),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(millis), "{text}");
        }
        for text in ["", "1", "-1h", "h", "1mo", "P1Y", "yesterday"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_counts_from_now() {
        let to = Destination {
            to_beginning: false,
            to_end: false,
            to_offset: None,
            to_time: None,
            by_duration: Some(1_000),
            shift_by: None,
        };
        assert_eq!(to.goal(5_000), Goal::Time(4_000));
        assert_eq!(to.goal(500), Goal::Time(0));
    }
}
