//! `logboom cluster status`: who is there, who leads what, and what lacks something.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use logboom_client::{Broker, Cluster, ClusterDescription, ClusterImage, LogDir, Partition};

use crate::client::Failure;
use crate::output::{Output, write_rows};

/// Shows it.
pub(super) async fn run(
    cluster: &Cluster,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let description = cluster.describe_cluster().await?;
    let image = cluster.image(None).await?;
    let mut bytes = BTreeMap::new();
    for (broker, is_alive) in &description.brokers {
        // Whoever may not look into the directories still sees the rest.
        if *is_alive && let Ok(dirs) = cluster.describe_log_dirs(broker.id).await {
            bytes.insert(broker.id, dirs);
        }
    }
    let status = status(&description, &image, &bytes);
    match output {
        Output::Json => writeln!(out, "{status}")?,
        Output::Table => write_text(out, &status)?,
    }
    Ok(())
}

/// All that is shown, as one JSON object.
fn status(
    description: &ClusterDescription,
    image: &ClusterImage,
    dirs: &BTreeMap<i32, Vec<LogDir>>,
) -> Value {
    let topics = || image.topics.values();
    let (mut leaderless, mut lacking) = (Vec::new(), Vec::new());
    let alive = |id: &i32| image.brokers.contains_key(id);
    for (name, one) in partitions(image) {
        if one.leader.is_none() {
            leaderless.push(trouble(name, one, &why_leaderless(one, alive)));
        } else if one.in_sync.len() < one.replicas.len() {
            lacking.push(trouble(name, one, &why_lacking(one, alive)));
        }
    }
    json!({
        "cluster_id": description.cluster_id, "controller": description.controller_id,
        "brokers": brokers(description, image, dirs), "topics": topics().count(),
        "internal_topics": topics().filter(|topic| topic.is_internal).count(),
        "partitions": partitions(image).count(),
        "leaderless": leaderless, "under_replicated": lacking,
    })
}

/// All partitions with the names of their topics.
fn partitions(image: &ClusterImage) -> impl Iterator<Item = (&str, &Partition)> {
    let topics = image.topics.values();
    topics.flat_map(|topic| topic.partitions.iter().map(|one| (topic.name.as_str(), one)))
}

/// A row a broker, those included that are not alive.
fn brokers(
    description: &ClusterDescription,
    image: &ClusterImage,
    dirs: &BTreeMap<i32, Vec<LogDir>>,
) -> Vec<Value> {
    let row = |(broker, is_alive): &(Broker, bool)| {
        let leads = partitions(image).filter(|(_, one)| one.leader == Some(broker.id)).count();
        let holds = partitions(image).filter(|(_, one)| one.replicas.contains(&broker.id)).count();
        json!({
            "broker": broker.id, "address": broker.address.to_string(), "rack": broker.rack,
            "alive": is_alive, "controller": description.controller_id == Some(broker.id),
            "leads": leads, "replicas": holds,
            "bytes": dirs.get(&broker.id).map(|dirs| bytes(dirs)),
        })
    };
    description.brokers.iter().map(row).collect()
}

/// A row about a partition that lacks something.
fn trouble(topic: &str, partition: &Partition, why: &str) -> Value {
    json!({
        "partition": format!("{topic}-{}", partition.index), "replicas": partition.replicas,
        "in_sync": partition.in_sync, "why": why,
    })
}

fn bytes(dirs: &[LogDir]) -> i64 {
    dirs.iter().flat_map(|dir| &dir.replicas).map(|replica| replica.bytes).sum()
}

fn why_leaderless(partition: &Partition, alive: impl Fn(&i32) -> bool) -> String {
    let down = listed(partition.replicas.iter().filter(|id| !alive(id)));
    let in_sync = partition.in_sync.iter().filter(|id| alive(id)).count();
    match (down, in_sync) {
        (None, _) => "all replicas are alive; an election is due".to_owned(),
        (Some(down), 0) => format!("no replica in sync is alive; down: {down}"),
        (Some(down), _) => format!("an election is due; down: {down}"),
    }
}

fn why_lacking(partition: &Partition, alive: impl Fn(&i32) -> bool) -> String {
    let lacking = || partition.replicas.iter().filter(|id| !partition.in_sync.contains(id));
    let down = listed(lacking().filter(|id| !alive(id)));
    let behind = listed(lacking().filter(|id| alive(id)));
    let parts =
        [down.map(|ids| format!("down: {ids}")), behind.map(|ids| format!("behind: {ids}"))];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Numbers with commas between them, if there are any.
pub(super) fn listed<'a>(ids: impl Iterator<Item = &'a i32>) -> Option<String> {
    let ids: Vec<String> = ids.map(i32::to_string).collect();
    (!ids.is_empty()).then(|| ids.join(","))
}

fn write_text(out: &mut impl Write, status: &Value) -> io::Result<()> {
    let rows = |name: &str| status[name].as_array().map(Vec::as_slice).unwrap_or_default();
    writeln!(out, "cluster {}", status["cluster_id"].as_str().unwrap_or("without an id"))?;
    writeln!(
        out,
        "{} topics ({} internal), {} partitions",
        status["topics"], status["internal_topics"], status["partitions"]
    )?;
    writeln!(out)?;
    let columns =
        ["broker", "address", "rack", "alive", "controller", "leads", "replicas", "bytes"];
    write_rows(out, Output::Table, &columns, rows("brokers"))?;
    for (name, title) in [
        ("leaderless", "partitions without a leader"),
        ("under_replicated", "under-replicated partitions"),
    ] {
        let rows = rows(name);
        writeln!(out, "\n{}: {title}", rows.len())?;
        if !rows.is_empty() {
            write_rows(out, Output::Table, &["partition", "replicas", "in_sync", "why"], rows)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use logboom_client::Topic;
    use logboom_protocol::units::Uuid;

    use super::*;

    fn partition(index: i32, leader: Option<i32>, in_sync: &[i32]) -> Partition {
        Partition {
            index,
            leader,
            leader_epoch: 0,
            replicas: vec![1, 2, 3],
            in_sync: in_sync.to_vec(),
            offline: Vec::new(),
        }
    }

    /// Brokers 1 and 2 are alive, 3 is not.
    fn found(partitions: Vec<Partition>) -> Value {
        let broker = |id| {
            let address = "b:1".parse().unwrap();
            Broker { id, address, rack: None }
        };
        let name = "t".to_owned();
        let topic = Topic { name: name.clone(), id: Uuid::ZERO, is_internal: false, partitions };
        let image = ClusterImage {
            brokers: [1, 2].map(|id| (id, broker(id))).into(),
            topics: [(name, topic)].into(),
            ..ClusterImage::default()
        };
        let brokers = vec![(broker(1), true), (broker(2), true), (broker(3), false)];
        let description = ClusterDescription { cluster_id: None, controller_id: Some(2), brokers };
        status(&description, &image, &BTreeMap::new())
    }

    #[test]
    fn what_lacks_a_leader_or_a_replica_says_why() {
        let status = found(vec![
            partition(0, Some(1), &[1, 2, 3]),
            partition(1, Some(1), &[1, 2]),
            partition(2, Some(1), &[1]),
            partition(3, None, &[3]),
            partition(4, None, &[1]),
        ]);
        let whys = |name: &str| -> Vec<(String, String)> {
            let rows = status[name].as_array().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            rows.map(|row| (text(&row["partition"]), text(&row["why"]))).collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let expected = [pair("t-1", "down: 3"), pair("t-2", "down: 3; behind: 2")];
        assert_eq!(whys("under_replicated"), expected);
        let expected = [
            pair("t-3", "no replica in sync is alive; down: 3"),
            pair("t-4", "an election is due; down: 3"),
        ];
        assert_eq!(whys("leaderless"), expected);
        assert_eq!(status["brokers"][0]["leads"], 3);
        assert_eq!(status["brokers"][1]["controller"], true);
    }

    #[test]
    fn the_text_is_readable_without_any_trouble() {
        let mut out = Vec::new();
        write_text(&mut out, &found(vec![partition(0, Some(1), &[1, 2, 3])])).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("cluster without an id\n1 topics (0 internal), 1 part"), "{text}");
        assert!(text.ends_with("\n0: under-replicated partitions\n"), "{text}");
    }
}
