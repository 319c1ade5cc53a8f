//! `logboom group describe`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};

use logboom_client::{
    ClientError, Cluster, ClusterImage, CommittedOffset, FetchPosition, FirstRecord,
    GroupDescription, GroupFilter, GroupMemberDescription, ListedGroup, OffsetSpec,
};

use crate::client::Failure;
use crate::output::{Output, write_rows};

/// What stands below the options.
pub(super) const HELP: &str = "\
Lag is told for what is committed:
  LAG          offsets from the committed one, or from the first record that is kept, to the end;
               below 0 where that is before the committed one, as after the topic was made anew
  LAG-SECONDS  the age of the first record that isn't committed, by its timestamp; 0 where there is
               none, - where the record has no timestamp or can't be read
A dash under COMMITTED-OFFSET: nothing is committed for that partition yet. Who begins to read it
does so where his own settings say (`auto.offset.reset`, --from), so there is no lag to tell.

Examples:
  logboom group describe billing
  logboom group describe billing --members
  logboom group describe --all --output json";

/// The arguments of `logboom group describe`.
#[derive(Debug, Args)]
pub(super) struct Describe {
    /// Their names.
    #[arg(required_unless_present = "all")]
    groups: Vec<String>,
    /// All groups.
    #[arg(long, conflicts_with = "groups")]
    all: bool,
    /// A table of the members in place of the partitions; in JSON both are there.
    #[arg(long)]
    members: bool,
}

impl Describe {
    pub(super) async fn run(
        &self,
        cluster: &Cluster,
        output: Output,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let mut is_first = true;
        let mut failure = None;
        for (name, listed) in self.named(cluster).await? {
            let value = match look_at(cluster, &name).await {
                Ok(value) => value,
                // Of a kind that isn't described, or gone meanwhile.
                Err(error) => match listed {
                    Some(listed) => as_listed(&listed, &error),
                    None => {
                        // The others are shown all the same.
                        failure = failure.or(Some(error));
                        continue;
                    }
                },
            };
            match output {
                Output::Json => writeln!(out, "{value}")?,
                Output::Table => {
                    if !is_first {
                        writeln!(out)?;
                    }
                    self.write_text(out, &value)?;
                }
            }
            is_first = false;
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The groups that are asked for, and what the list of all says of them.
    async fn named(
        &self,
        cluster: &Cluster,
    ) -> Result<Vec<(String, Option<ListedGroup>)>, ClientError> {
        if !self.all {
            return Ok(self.groups.iter().map(|name| (name.clone(), None)).collect());
        }
        let listed = cluster.list_groups(&GroupFilter::default()).await?;
        Ok(listed.into_iter().map(|group| (group.group.clone(), Some(group))).collect())
    }

    fn write_text(&self, out: &mut impl Write, value: &Value) -> io::Result<()> {
        writeln!(out, "{}", title(value))?;
        let rows = |name: &str| value[name].as_array().map(Vec::as_slice).unwrap_or_default();
        if self.members {
            let columns = ["member_id", "instance_id", "client_id", "host", "assignment"];
            let listed = |member: &Value| {
                let mut member = member.clone();
                member["assignment"] = short(&member["assignment"]);
                member
            };
            let members: Vec<Value> = rows("members").iter().map(listed).collect();
            return write_rows(out, Output::Table, &columns, &members);
        }
        let columns = [
            "topic",
            "partition",
            "committed_offset",
            "log_end_offset",
            "lag",
            "lag_seconds",
            "client_id",
            "host",
            "member_id",
        ];
        write_rows(out, Output::Table, &columns, rows("partitions"))?;
        for row in rows("partitions") {
            if let (Some(topic), Some(error)) = (row["topic"].as_str(), row["error"].as_str()) {
                writeln!(out, "{topic}-{}: {error}", row["partition"])?;
            }
        }
        Ok(())
    }
}

/// One line about a group.
fn title(value: &Value) -> String {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut parts = vec![format!("group {}: {}", text("group"), text("state"))];
    parts.push(format!("type {}", text("type")));
    let protocol_type = text("protocol_type");
    if !protocol_type.is_empty() && protocol_type != "consumer" {
        parts.push(format!("of {protocol_type}"));
    }
    if !text("assignor").is_empty() {
        parts.push(format!("assignor {}", text("assignor")));
    }
    if let Some(members) = value["members"].as_array() {
        let count = members.len();
        parts.push(format!("{count} {}", if count == 1 { "member" } else { "members" }));
    }
    let address = value["coordinator"]["address"].as_str();
    let address = address.map_or_else(String::new, |address| format!(" ({address})"));
    parts.push(format!("coordinator {}{address}", value["coordinator"]["broker"]));
    if let Some(error) = value["error"].as_str() {
        parts.push(format!("not described: {error}"));
    }
    parts.join(", ")
}

/// An assignment as `topic:0,1 other:2`.
fn short(assignment: &Value) -> Value {
    let Some(topics) = assignment.as_array() else { return Value::Null };
    let topic = |one: &Value| {
        let partitions = one["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<String> = partitions.iter().map(Value::to_string).collect();
        format!("{}:{}", one["topic"].as_str().unwrap_or_default(), numbers.join(","))
    };
    let topics: Vec<String> = topics.iter().map(topic).collect();
    if topics.is_empty() { Value::Null } else { topics.join(" ").into() }
}

/// All that is told of a group, as one JSON object.
async fn look_at(cluster: &Cluster, name: &str) -> Result<Value, ClientError> {
    let group = cluster.describe_group(name).await?;
    let committed = cluster.committed_offsets(name).await?;
    let topics: BTreeSet<&str> = committed
        .iter()
        .map(|one| one.topic.as_str())
        .chain(group.members.iter().flat_map(assigned).map(|(topic, _)| topic))
        .collect();
    let names: Vec<&str> = topics.iter().copied().collect();
    let image = match names.as_slice() {
        [] => ClusterImage::default(),
        names => cluster.image(Some(names)).await?,
    };
    let mut rows = Vec::new();
    for topic in names {
        rows.extend(rows_of(cluster, topic, &image, &committed, &group).await);
    }
    Ok(describe(&group, rows))
}

/// What the list says of a group, where nothing else is told.
fn as_listed(group: &ListedGroup, error: &ClientError) -> Value {
    json!({
        "group": group.group, "state": group.state, "type": group.group_type,
        "protocol_type": group.protocol_type, "coordinator": { "broker": group.coordinator },
        "error": error.to_string(),
    })
}

fn describe(group: &GroupDescription, partitions: Vec<Value>) -> Value {
    let member = |member: &GroupMemberDescription| {
        let topic = |(topic, partitions)| json!({ "topic": topic, "partitions": partitions });
        let assignment: Option<Vec<Value>> =
            member.assignment.as_ref().map(|topics| topics.iter().map(topic).collect());
        json!({
            "member_id": member.member_id, "instance_id": member.instance_id,
            "client_id": member.client_id, "host": member.host, "assignment": assignment,
        })
    };
    // What one is ahead of its log doesn't bring another nearer to the end.
    let lags = partitions.iter().filter_map(|row| row["lag"].as_i64());
    let lag: i64 = lags.map(|lag| lag.max(0)).sum();
    let members: Vec<Value> = group.members.iter().map(member).collect();
    json!({
        "group": group.group, "state": group.state, "type": group.group_type,
        "protocol_type": group.protocol_type, "assignor": group.assignor,
        "coordinator": {
            "broker": group.coordinator.id, "address": group.coordinator.address.to_string(),
        },
        "members": members, "partitions": partitions, "lag": lag,
    })
}

/// The partitions that a member reads.
fn assigned(member: &GroupMemberDescription) -> impl Iterator<Item = (&str, i32)> {
    let topics = member.assignment.iter().flatten();
    topics.flat_map(|(topic, own)| own.iter().map(move |&partition| (topic.as_str(), partition)))
}

/// Where each partition begins and ends, or why that can't be told; those without a leader aren't
/// there.
type Bounds = BTreeMap<i32, Result<(i64, i64), ClientError>>;

/// A row for each partition of a topic that exists, is assigned, or has something committed.
async fn rows_of(
    cluster: &Cluster,
    topic: &str,
    image: &ClusterImage,
    committed: &[CommittedOffset],
    group: &GroupDescription,
) -> Vec<Value> {
    let committed: BTreeMap<i32, i64> = committed
        .iter()
        .filter(|one| one.topic == topic)
        .map(|one| (one.partition, one.offset))
        .collect();
    let mut readers = BTreeMap::new();
    for member in &group.members {
        let own = assigned(member).filter(|(name, _)| *name == topic);
        readers.extend(own.map(|(_, partition)| (partition, member)));
    }
    let bounds = bounds(cluster, topic, image).await;
    let exist = image.topics.get(topic).into_iter().flat_map(|topic| &topic.partitions);
    let mut partitions: BTreeSet<i32> = exist.map(|partition| partition.index).collect();
    partitions.extend(committed.keys().chain(readers.keys()));
    let firsts = first_uncommitted(cluster, topic, &committed, &bounds).await;
    let row = |partition: i32| {
        let offset = committed.get(&partition).copied();
        let error = bounds.get(&partition).and_then(|told| told.as_ref().err());
        let bounds = known(&bounds, partition);
        let reader = readers.get(&partition);
        let lag = offset.zip(bounds).map(|(offset, bounds)| lag(offset, bounds));
        let first = firsts.get(&partition).copied();
        json!({
            "topic": topic, "partition": partition, "committed_offset": offset,
            "log_end_offset": bounds.map(|(_, end)| end), "lag": lag,
            "lag_seconds": lag.and_then(|lag| lag_seconds(lag, first, now_ms())),
            "member_id": reader.map(|member| &member.member_id),
            "client_id": reader.map(|member| &member.client_id),
            "host": reader.map(|member| &member.host),
            "error": error.map(ToString::to_string),
        })
    };
    partitions.into_iter().map(row).collect()
}

/// Where those partitions of a topic begin and end that have a leader.
async fn bounds(cluster: &Cluster, topic: &str, image: &ClusterImage) -> Bounds {
    let Some(known) = image.topics.get(topic) else { return Bounds::new() };
    let led = known.partitions.iter().filter(|partition| partition.leader.is_some());
    let led: Vec<i32> = led.map(|partition| partition.index).collect();
    let starts = cluster.list_offsets_each(topic, &led, OffsetSpec::Earliest).await;
    let (mut bounds, mut begun) = (Bounds::new(), BTreeMap::new());
    for (partition, start) in led.into_iter().zip(starts) {
        match start {
            Ok(start) => drop(begun.insert(partition, start.offset)),
            Err(error) => drop(bounds.insert(partition, Err(error))),
        }
    }
    let asked: Vec<i32> = begun.keys().copied().collect();
    let ends = cluster.list_offsets_each(topic, &asked, OffsetSpec::Latest).await;
    for ((partition, start), end) in begun.into_iter().zip(ends) {
        match end {
            Ok(end) => bounds.extend(start.zip(end.offset).map(|both| (partition, Ok(both)))),
            Err(error) => drop(bounds.insert(partition, Err(error))),
        }
    }
    bounds
}

fn known(bounds: &Bounds, partition: i32) -> Option<(i64, i64)> {
    bounds.get(&partition)?.as_ref().ok().copied()
}

/// The first record behind what is committed, for each partition with a lag; without an entry where
/// it can't be read, `None` where only markers of transactions follow.
async fn first_uncommitted(
    cluster: &Cluster,
    topic: &str,
    committed: &BTreeMap<i32, i64>,
    bounds: &Bounds,
) -> BTreeMap<i32, Option<FirstRecord>> {
    let position = |(&partition, &offset): (&i32, &i64)| {
        let (start, end) = known(bounds, partition)?;
        (lag(offset, (start, end)) > 0)
            .then_some(FetchPosition { partition, offset: offset.max(start) })
    };
    let positions: Vec<FetchPosition> = committed.iter().filter_map(position).collect();
    let found = cluster.first_records(topic, &positions).await;
    // Who may look at a group may not be allowed to read its topics; and what is damaged, or has
    // lost its leader meanwhile, is no reason not to tell the rest.
    let told = positions.iter().zip(found);
    told.filter_map(|(one, found)| Some((one.partition, found.ok()?))).collect()
}

/// Offsets from the committed one to the end; what retention has dropped can't be read any more.
/// Below 0 where the end is before what is committed.
fn lag(committed: i64, (start, end): (i64, i64)) -> i64 {
    end - committed.max(start)
}

/// The age of the first record that isn't committed, in seconds.
///
/// - `first`: `None` where it couldn't be read, `Some(None)` where there is none.
fn lag_seconds(lag: i64, first: Option<Option<FirstRecord>>, now_ms: i64) -> Option<f64> {
    if lag <= 0 {
        return Some(0.0);
    }
    let Some(record) = first? else { return Some(0.0) };
    let age_ms = now_ms.saturating_sub(record.timestamp?).max(0);
    #[expect(clippy::cast_precision_loss, reason = "an age that no longer fits is of no interest")]
    let seconds = age_ms as f64 / 1000.0;
    Some(seconds)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use logboom_client::Broker;

    use super::*;

    #[test]
    fn lag_counts_what_can_still_be_read() {
        assert_eq!(lag(5, (0, 20)), 15);
        assert_eq!(lag(20, (0, 20)), 0);
        assert_eq!(lag(5, (12, 20)), 8, "the rest is gone");
        assert_eq!(lag(30, (0, 20)), -10, "the log was made anew");
    }

    #[test]
    fn lag_in_seconds_is_the_age_of_the_next_record() {
        let record = |timestamp| Some(Some(FirstRecord { offset: 7, timestamp }));
        assert_eq!(lag_seconds(3, record(Some(1_000)), 3_500), Some(2.5));
        assert_eq!(lag_seconds(3, record(Some(9_000)), 3_500), Some(0.0), "from the future");
        assert_eq!(lag_seconds(3, record(None), 3_500), None, "without a timestamp");
        assert_eq!(lag_seconds(3, None, 3_500), None, "unreadable");
        assert_eq!(lag_seconds(3, Some(None), 3_500), Some(0.0), "markers alone");
        assert_eq!(lag_seconds(0, None, 3_500), Some(0.0));
        assert_eq!(lag_seconds(-10, None, 3_500), Some(0.0), "nothing is there to be read");
    }

    fn group(protocol_type: &str, members: Vec<GroupMemberDescription>) -> GroupDescription {
        GroupDescription {
            group: "g".to_owned(),
            state: "Stable".to_owned(),
            group_type: "classic".to_owned(),
            protocol_type: protocol_type.to_owned(),
            assignor: "range".to_owned(),
            coordinator: Broker { id: 3, address: "h:1".parse().unwrap(), rack: None },
            members,
        }
    }

    fn text(group: &GroupDescription, members: bool) -> String {
        let describe = Describe { groups: Vec::new(), all: true, members };
        let mut out = Vec::new();
        describe.write_text(&mut out, &super::describe(group, Vec::new())).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_are_shown_with_what_they_read() {
        let member = |assignment| GroupMemberDescription {
            member_id: "m-1".to_owned(),
            instance_id: None,
            client_id: "c".to_owned(),
            host: "/h".to_owned(),
            assignment,
        };
        let own = [("t".to_owned(), vec![0, 2]), ("u".to_owned(), vec![1])].into();
        let consumers = text(&group("consumer", vec![member(Some(own))]), true);
        let expected = "group g: Stable, type classic, assignor range, 1 member, \
                        coordinator 3 (h:1)\n\
                        MEMBER-ID  INSTANCE-ID  CLIENT-ID  HOST  ASSIGNMENT\n\
                        m-1        -            c          /h    t:0,2 u:1\n";
        assert_eq!(consumers, expected);
        let others = text(&group("connect", vec![member(None)]), true);
        assert!(others.starts_with("group g: Stable, type classic, of connect, "), "{others}");
        assert!(others.ends_with("m-1        -            c          /h    -\n"), "{others}");
    }
}
