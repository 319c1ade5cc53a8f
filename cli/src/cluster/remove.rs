//! `logboom cluster remove`: a broker that is gone for good is none of the cluster any more.
//!
//! Must always hold: one that runs, or that partitions named when they were looked through, isn't
//! removed without being asked for twice.

use std::io::Write;

use clap::Args;
use serde_json::json;

use logboom_client::{Cluster, Partition};

use crate::client::Failure;
use crate::output::{Output, write_done};

/// What stands below the options.
pub(super) const HELP: &str = "\
Drain it and stop it before. A broker that runs, or that partitions still name, is refused; --force
removes one that is lost, and what it had is moved by the rule lost-broker or by a reassignment.

With --output json there is one object: kind, broker, removed, replicas_left.

Examples:
  logboom cluster remove 3 --bootstrap broker-1:9092
  logboom cluster remove 3 --force";

/// The most partitions that a refusal names.
const NAMED_MAX: usize = 5;

/// The arguments of `logboom cluster remove`.
#[derive(Debug, Args)]
pub(super) struct RemoveArguments {
    /// The broker's number.
    id: i32,
    /// Removes it even if it runs, or partitions still name it.
    #[arg(long)]
    force: bool,
}

/// Removes a broker, if nothing is left on it.
pub(super) async fn run(
    cluster: &Cluster,
    arguments: &RemoveArguments,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let RemoveArguments { id, force } = *arguments;
    let left = look(cluster, id).await?;
    if left.count > 0 && !force {
        return Err(Failure::Failed(left.refusal(id)));
    }
    if !force && runs(cluster, id).await? {
        let why =
            "is in contact, or was a moment ago; stop it before, --force removes it all the same";
        return Err(Failure::failed(format_args!("broker {id} {why}")));
    }
    cluster.unregister_broker(id).await?;
    let value =
        json!({ "kind": "removed", "broker": id, "removed": true, "replicas_left": left.count });
    Ok(write_done(out, output, &format!("removed broker {id}"), &value)?)
}

/// Whether a broker serves.
async fn runs(cluster: &Cluster, id: i32) -> Result<bool, Failure> {
    let known = cluster.describe_cluster().await?.brokers;
    Ok(known.iter().any(|(broker, serves)| broker.id == id && *serves))
}

/// What partitions a broker has.
#[derive(Debug, Default)]
struct Left {
    count: usize,
    /// Some of them.
    names: Vec<String>,
}

impl Left {
    fn add(&mut self, id: i32, topic: &str, partition: &Partition) {
        if !partition.replicas.contains(&id) {
            return;
        }
        self.count += 1;
        if self.names.len() < NAMED_MAX {
            self.names.push(format!("{topic}-{}", partition.index));
        }
    }

    fn refusal(&self, id: i32) -> String {
        let more = match self.count - self.names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = self.names.join(", ");
        format!(
            "broker {id}: {} of its replicas are left ({names}{more}); `logboom cluster drain \
             {id}` moves them to others, --force removes it without them",
            self.count
        )
    }
}

/// Looks through all partitions, page by page.
async fn look(cluster: &Cluster, id: i32) -> Result<Left, Failure> {
    let mut left = Left::default();
    let mut page = cluster.partitions(None).await?;
    loop {
        for topic in &page.topics {
            topic.partitions.iter().for_each(|one| left.add(id, &topic.name, one));
        }
        let Some(next) = &page.next else { return Ok(left) };
        page = cluster.partitions(Some(next)).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(replicas: &[&[i32]]) -> Left {
        let mut left = Left::default();
        for (index, replicas) in (0..).zip(replicas) {
            let partition = Partition {
                index,
                leader: None,
                leader_epoch: 0,
                replicas: replicas.to_vec(),
                in_sync: Vec::new(),
                offline: Vec::new(),
            };
            left.add(3, "t", &partition);
        }
        left
    }

    #[test]
    fn what_is_left_is_named_up_to_a_few() {
        assert_eq!(left(&[&[1, 2], &[33]]).count, 0);
        let some = left(&[&[1, 3], &[1, 2], &[3]]);
        assert_eq!(
            some.refusal(3),
            "broker 3: 2 of its replicas are left (t-0, t-2); `logboom cluster drain 3` moves them \
             to others, --force removes it without them"
        );
        let refusal = left(&[[3].as_slice(); 7]).refusal(3);
        assert!(
            refusal.contains("7 of its replicas are left (t-0, t-1, t-2, t-3, t-4 and 2 more)"),
            "{refusal}"
        );
    }
}
