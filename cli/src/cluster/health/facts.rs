//! What is known of brokers and moves, which explains what partitions lack.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::timeout;

use logboom_client::{
    Broker, BrokerState, ClientError, Cluster, Damage, LogDirState, Partition, QuorumDescription,
    Reassignment,
};

use crate::client::Failure;

/// How long is waited for a leader of the controllers.
const QUORUM_WAIT: Duration = Duration::from_secs(5);
/// How long for a broker to say how it is.
const STATE_WAIT: Duration = Duration::from_secs(2);

/// Free bytes of a directory below which replicas lack room: a large batch doesn't fit.
const ROOM_MIN: i64 = 2 << 20;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) cluster_id: Option<String>,
    pub(super) controller_id: Option<i32>,
    /// All that are known, and whether each may serve.
    pub(super) brokers: Vec<(Broker, bool)>,
    /// The brokers that are not in contact, and since when, where that is told.
    pub(super) silent: BTreeMap<i32, Option<i64>>,
    /// Those that are said to be in contact, and don't answer.
    pub(super) mute: BTreeSet<i32>,
    /// The directories of brokers that are out of service.
    pub(super) failed: BTreeMap<i32, Vec<String>>,
    /// The directories of brokers that have next to no room left, and how much.
    pub(super) full: BTreeMap<i32, (String, i64)>,
    /// Since when flushes of brokers hang, and how long one took lately, in milliseconds.
    pub(super) slow: BTreeMap<i32, (Option<i64>, Option<i64>)>,
    /// Of which others brokers hear nothing, and since when.
    pub(super) unheard: BTreeMap<i32, BTreeMap<i32, i64>>,
    /// Offsets that brokers can't read, by topic, and partition and broker.
    pub(super) damaged: BTreeMap<String, BTreeMap<(i32, i32), Range<i64>>>,
    /// Replicas that were never made, or are gone: topic, partition, broker.
    pub(super) absent: BTreeSet<(String, i32, i32)>,
    /// The partitions that get other replicas, and which brokers are to have a copy and don't yet.
    pub(super) moves: BTreeMap<(String, i32), Vec<i32>>,
    /// The quorum of the controllers, or why nothing is known of it; `None` where brokers don't
    /// tell of one.
    pub(super) quorum: Option<Result<QuorumDescription, String>>,
}

impl Facts {
    /// Asks for all of it. Of what can't be asked for nothing is known.
    pub(super) async fn gather(cluster: &Cluster) -> Result<Self, Failure> {
        let description = cluster.describe_cluster().await?;
        let mut facts = Self {
            cluster_id: description.cluster_id,
            controller_id: description.controller_id,
            brokers: description.brokers,
            ..Self::default()
        };
        // Before the quorum: where that has no leader, a broker takes its time to say so, and what
        // it is asked over the same connection waits.
        facts.ask_brokers(cluster).await;
        facts.quorum = ask_quorum(cluster).await;
        let silent = facts.brokers.iter().filter(|(_, is_alive)| !is_alive);
        facts.silent = silent.map(|(it, _)| (it.id, facts.last_contact_ms(it.id))).collect();
        let moves = timeout(QUORUM_WAIT, cluster.reassignments()).await;
        let moves = moves.ok().and_then(Result::ok).unwrap_or_default();
        let of_partition =
            |Reassignment { topic, partition, adding, .. }| ((topic, partition), adding);
        facts.moves = moves.into_iter().map(of_partition).collect();
        Ok(facts)
    }

    /// Asks each broker how it is: whoever leads the controllers may
    /// not know yet that it is gone, or nobody leads them.
    async fn ask_brokers(&mut self, cluster: &Cluster) {
        let mut asked = JoinSet::new();
        for (broker, _) in self.brokers.iter().filter(|(_, is_alive)| *is_alive) {
            let (cluster, id) = (cluster.clone(), broker.id);
            asked.spawn(async move { (id, timeout(STATE_WAIT, cluster.broker_state(id)).await) });
        }
        while let Some(answer) = asked.join_next().await {
            match answer.expect("nothing in it panics") {
                (id, Ok(Ok(state))) => self.note_state(id, state),
                // It answers.
                (_, Ok(Err(ClientError::Refused { .. }))) => {}
                (_, Ok(Err(ClientError::UnsupportedVersion { .. }))) => {}
                (id, Ok(Err(_)) | Err(_)) => _ = self.mute.insert(id),
            }
        }
    }

    fn note_state(&mut self, id: i32, state: BrokerState) {
        let BrokerState { directories, hanging_since_ms, longest_flush_ms, unheard, damaged } =
            state;
        for LogDirState { path, has_failed, usable_bytes } in directories {
            match usable_bytes {
                _ if has_failed => self.failed.entry(id).or_default().push(path),
                Some(bytes) if bytes < ROOM_MIN => _ = self.full.insert(id, (path, bytes)),
                _ => {}
            }
        }
        self.slow.insert(id, (hanging_since_ms, longest_flush_ms));
        self.unheard.insert(id, unheard.into_iter().collect());
        for Damage { topic, partition, offsets } in damaged {
            self.damaged.entry(topic).or_default().insert((partition, id), offsets);
        }
    }

    /// Asks brokers that are in contact whether they have replicas at all that aren't in sync.
    ///
    /// - `partitions`: topic and partition.
    pub(super) async fn ask_for_replicas<'a>(
        &mut self,
        cluster: &Cluster,
        partitions: impl Iterator<Item = (&'a str, &'a Partition)>,
    ) {
        let mut lagging: BTreeMap<i32, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
        for (topic, Partition { index, replicas, in_sync, .. }) in partitions {
            let lags = |id: &&i32| !in_sync.contains(id) && self.why_unusable(**id).is_none();
            for id in replicas.iter().filter(lags) {
                let of_broker = lagging.entry(*id).or_default();
                of_broker.entry(topic.to_owned()).or_default().push(*index);
            }
        }
        for (id, asked) in lagging {
            let answer = timeout(STATE_WAIT, cluster.replicas_among(id, &asked)).await;
            let Ok(Ok(found)) = answer else { continue };
            let found: BTreeSet<_> = found.into_iter().map(|it| (it.topic, it.partition)).collect();
            let all = asked.into_iter().flat_map(|(topic, indexes)| {
                indexes.into_iter().map(move |index| (topic.clone(), index))
            });
            let absent = all.filter(|one| !found.contains(one));
            self.absent.extend(absent.map(|(topic, index)| (topic, index, id)));
        }
    }

    /// What keeps a replica of a broker that can be used from having all records, as far as brokers
    /// tell it.
    ///
    /// - `sources`: the brokers that might give it what it lacks; those that can't be used have
    ///   reasons of their own.
    pub(super) fn hindrances(
        &self,
        (topic, index): (&str, i32),
        id: i32,
        sources: &[i32],
    ) -> Vec<String> {
        let full = self.full.get(&id);
        let full = full.map(|(path, bytes)| format!("its directory {path} has {bytes} bytes left"));
        let slow = self.slow.get(&id).and_then(|slow| match *slow {
            (Some(since), _) => Some(hanging(since)),
            (None, longest) => Some(format!("a flush took {} ms", longest?)),
        });
        let deaf =
            sources.iter().filter_map(|from| Some(unheard(*from, self.unheard_at(id, *from)?)));
        let mute = sources.iter().filter_map(|at| {
            Some(format!("{at} hears nothing from it{}", since(self.unheard_at(*at, id)?)))
        });
        let damaged = self.damage(topic, index, id);
        let damaged = damaged.map(|part| {
            format!("its records from {} to {} can't be read", part.start, part.end - 1)
        });
        damaged.into_iter().chain(full).chain(slow).chain(deaf).chain(mute).collect()
    }

    /// Since when a broker hears nothing of another one that is there, if so.
    fn unheard_at(&self, id: i32, from: i32) -> Option<i64> {
        if self.why_unusable(from).is_some() {
            return None;
        }
        self.unheard.get(&id)?.get(&from).copied()
    }

    /// What a broker has said that it can't read of a replica.
    pub(super) fn damage(&self, topic: &str, index: i32, id: i32) -> Option<&Range<i64>> {
        self.damaged.get(topic)?.get(&(index, id))
    }

    /// What is wrong with a broker, if anything: it can't be used, or not as it should be.
    pub(super) fn why_unwell(&self, id: i32) -> Option<String> {
        if let Some(why) = self.why_unusable(id) {
            return Some(why);
        }
        let hanging_since = self.slow.get(&id).and_then(|(hanging_since, _)| *hanging_since);
        let silent = self.unheard.get(&id).into_iter().flat_map(BTreeMap::keys);
        let silent = silent.filter_map(|from| Some(unheard(*from, self.unheard_at(id, *from)?)));
        let whys: Vec<String> = hanging_since.map(hanging).into_iter().chain(silent).collect();
        (!whys.is_empty()).then(|| whys.join(", "))
    }

    /// When a broker was last in contact with the leader of the controllers, as that tells.
    fn last_contact_ms(&self, id: i32) -> Option<i64> {
        let quorum = self.quorum.as_ref()?.as_ref().ok()?;
        let all = quorum.voters.iter().chain(&quorum.observers);
        all.filter(|replica| replica.id == id).find_map(|replica| replica.last_contact_ms)
    }

    /// Whether a broker is one of the cluster and in contact.
    pub(super) fn is_in_contact(&self, id: i32) -> bool {
        self.brokers.iter().any(|(broker, is_alive)| broker.id == id && *is_alive)
    }

    /// Why no replica on a broker can be used, if so.
    pub(super) fn why_unusable(&self, id: i32) -> Option<String> {
        if !self.is_in_contact(id) {
            let last = self.silent.get(&id).copied().flatten();
            return Some(format!("not in contact{}", last.map(since).unwrap_or_default()));
        }
        if self.mute.contains(&id) {
            return Some("does not answer".to_owned());
        }
        let failed = self.failed.get(&id)?;
        Some(format!("its directory {} is out of service", failed.join(" and ")))
    }
}

fn hanging(since_ms: i64) -> String {
    format!("its flushes hang, or did lately,{}", since(since_ms))
}

fn unheard(from: i32, since_ms: i64) -> String {
    format!("hears nothing from {from}{}", since(since_ms))
}

/// ` since …`, where that is a time.
fn since(ms: i64) -> String {
    time(ms).map(|since| format!(" since {since}")).unwrap_or_default()
}

/// A time in milliseconds since 1970, as RFC 3339 has it.
pub(super) fn time(ms: i64) -> Option<String> {
    Timestamp::from_millisecond(ms).ok().map(|time| time.to_string())
}

async fn ask_quorum(cluster: &Cluster) -> Option<Result<QuorumDescription, String>> {
    match timeout(QUORUM_WAIT, cluster.describe_quorum()).await {
        Ok(Ok(quorum)) => Some(Ok(quorum)),
        Ok(Err(ClientError::UnsupportedVersion { .. })) => None,
        Ok(Err(error)) => Some(Err(error.to_string())),
        Err(_) => Some(Err("no controller leads".to_owned())),
    }
}
