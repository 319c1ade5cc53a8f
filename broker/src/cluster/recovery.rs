//! What an operator does about a group whose majority is lost for good: look who is left, and have
//! the one whose log goes furthest lead with them.
//!
//! Must always hold: nothing is done where the voters that answer can elect a leader themselves.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use logboom_raft::{ReplicaId, Voters};
use logboom_storage::state::GroupKey;

use super::calls::Request;
use super::metadata_log::{METADATA, METADATA_TOPIC};
use crate::groundwork::Groundwork;
use crate::partition::{Command, Condition, Registry, ShardHandle};

/// How long another broker is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A group as the brokers that answer have it.
#[derive(Debug)]
pub(crate) struct Survey {
    name: String,
    key: GroupKey,
    /// Replicas that answer and are voters, that with the greatest log first.
    left: Vec<Condition>,
    /// Replicas without a vote whose logs go further.
    beyond: Vec<Condition>,
    /// Voters that don't answer, or whose data directory is out of service.
    missing: Vec<ReplicaId>,
    voters: Arc<Voters>,
}

impl Survey {
    /// Asks every broker that is known how its replica stands.
    ///
    /// # Errors
    /// Why there is nothing to be seen, in words.
    pub(crate) async fn new(
        ground: &Groundwork,
        topic: &str,
        partition: i32,
    ) -> Result<Self, String> {
        let image = ground.image();
        let name = format!("{topic}-{partition}");
        let key = if topic == METADATA_TOPIC && partition == METADATA.partition {
            METADATA
        } else {
            let topic = image.topic_named(topic).ok_or("there is no such topic")?;
            GroupKey { topic_id: topic.id(), partition }
        };
        let here = ground.replicas.condition(key).await;
        // A broker that starts may not know yet who the others are, but who votes.
        let voters = here.iter().flat_map(|here| here.voters.all().map(|id| id.broker));
        let mut nodes: Vec<i32> = image.nodes().map(|known| known.id).chain(voters).collect();
        nodes.push(ground.id);
        nodes.sort_unstable();
        nodes.dedup();
        let asked = nodes.into_iter().map(|broker| condition(ground, broker, key));
        let mut found: Vec<Condition> = join_all(asked).await.into_iter().flatten().collect();
        found.sort_by_key(|it| (it.end, !it.is_damaged, !it.is_lossy));
        found.reverse();
        // Those without a vote don't lead, and may not know who has one.
        let (mut found, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|it| it.voters.contains(it.id));
        let best = found.first().ok_or("no voter answers")?;
        let (voters, end) = (Arc::clone(&best.voters), best.end);
        let beyond = others.into_iter().filter(|it| it.end > end).collect();
        found.retain(|it| voters.contains(it.id));
        let answers = |id: &ReplicaId| found.iter().any(|it| it.id == *id);
        let missing = voters.all().filter(|id| !answers(id)).collect();
        Ok(Self { name, key, left: found, beyond, missing, voters })
    }

    /// Why nothing is to be recovered, if so.
    pub(crate) fn objection(&self) -> Option<String> {
        if let Some(leader) = self.left.iter().find(|it| it.leads) {
            return Some(format!("broker {} leads it", leader.id.broker));
        }
        // One that is damaged votes too, and campaigns where nobody else does.
        let is_sound = |id: ReplicaId| self.left.iter().any(|it| it.id == id && !it.is_lossy);
        if self.missing.is_empty() || self.voters.have_majority(is_sound) {
            return Some("enough of its voters answer to elect a leader themselves".to_owned());
        }
        self.left.is_empty().then(|| "no voter answers".to_owned())
    }

    /// Has the best of those who are left lead with them.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) async fn recover(&self, ground: &Groundwork) -> Result<(), String> {
        if let Some(objection) = self.objection() {
            return Err(objection);
        }
        let best = self.left.first().ok_or("no voter answers")?.id;
        let epoch = self.left.iter().map(|it| it.epoch).max().unwrap_or(0);
        let left: Vec<ReplicaId> = self.left.iter().map(|it| it.id).collect();
        tracing::warn!(partition = %self.name, "recovering; {}", self.report());
        if best.broker == ground.id {
            return ground.replicas.recover(self.key, left, epoch).await;
        }
        let request = Request::Recover { key: self.key, left, epoch };
        let others = ground.others.get().ok_or("this broker is alone")?;
        others.ask_once(best.broker, &request, ANSWER_MAX).await.map(drop)
    }

    /// What is known, in words.
    pub(crate) fn report(&self) -> String {
        let mut out = format!("{}: voters {}\n", self.name, self.voters);
        for Condition { id, epoch, end, high_watermark, is_lossy, is_damaged, .. } in &self.left {
            let lossy = if *is_lossy { ", may have lost records" } else { "" };
            let damaged = if *is_damaged { ", a part is damaged" } else { "" };
            _ = writeln!(
                out,
                "broker {}: epoch {epoch}, log {end} (epoch/end offset/control sequence), \
                 high watermark {high_watermark}{lossy}{damaged}",
                id.broker
            );
        }
        for id in &self.missing {
            _ = writeln!(out, "broker {}: missing", id.broker);
        }
        for Condition { id, end, .. } in &self.beyond {
            _ = writeln!(
                out,
                "broker {}: log {end}, without a vote: what it has and no voter does is lost",
                id.broker
            );
        }
        if let Some(best) = self.left.first() {
            let (broker, end) = (best.id.broker, best.end.offset);
            _ = writeln!(
                out,
                "broker {broker} would lead, with offsets below {end}; possibly lost: every record \
                 at offset {end} or behind it that only missing brokers have"
            );
            if best.is_lossy || best.is_damaged {
                _ = writeln!(out, "and what broker {broker} itself has lost below {end}");
            }
        }
        out
    }
}

/// How the replica of a broker stands, if it answers and has one.
async fn condition(ground: &Groundwork, broker: i32, key: GroupKey) -> Option<Condition> {
    if broker == ground.id {
        return ground.replicas.condition(key).await;
    }
    let others = ground.others.get()?;
    let answer = others.ask_once(broker, &Request::Condition(key), ANSWER_MAX).await.ok()?;
    Condition::decode(answer).filter(|it| it.id.broker == broker)
}

/// The replicas of this broker, whether it serves clients or not.
#[derive(Clone)]
pub(crate) struct Replicas {
    pub(crate) registry: Arc<Registry>,
    /// The shards, by their numbers.
    pub(crate) shards: Arc<[ShardHandle]>,
}

impl Replicas {
    /// How one of them stands.
    pub(super) async fn condition(&self, key: GroupKey) -> Option<Condition> {
        let partition = self.registry.get(key.topic_id, key.partition)?;
        let (reply, answer) = oneshot::channel();
        self.shards[partition.shard].send(Command::Condition(key, reply));
        answer.await.ok()
    }

    /// Has one of them lead with those who are left.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) async fn recover(
        &self,
        key: GroupKey,
        left: Vec<ReplicaId>,
        epoch: i32,
    ) -> Result<(), String> {
        let partition = self.registry.get(key.topic_id, key.partition);
        let partition = partition.ok_or("there is no replica")?;
        let (reply, answer) = oneshot::channel();
        self.shards[partition.shard].send(Command::Recover { key, left, epoch, reply });
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) => Err("its group can't be recovered now".to_owned()),
            Err(_) => Err("there is no replica".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use logboom_protocol::units::Uuid;
    use logboom_raft::Position;

    use super::*;

    /// Of the voters 1, 2 and 3 those that answer, with the ends of their logs.
    fn survey(left: &[(i32, i64)]) -> Survey {
        let voters = Arc::new(Voters::of([1, 2, 3].map(ReplicaId::of)));
        let condition = |&(broker, offset): &(i32, i64)| Condition {
            id: ReplicaId::of(broker),
            epoch: 4,
            end: Position { epoch: 4, offset, control: 2 },
            high_watermark: 5,
            is_lossy: false,
            is_damaged: false,
            leads: false,
            voters: Arc::clone(&voters),
        };
        let missing = voters.all().filter(|id| left.iter().all(|it| it.0 != id.broker)).collect();
        let key = GroupKey { topic_id: Uuid([1; 16]), partition: 7 };
        let (name, left) = ("flights-7".to_owned(), left.iter().map(condition).collect());
        Survey { name, key, left, beyond: Vec::new(), missing, voters }
    }

    #[test]
    fn nothing_is_recovered_where_who_is_left_can_elect_a_leader() {
        let has_objection = |survey: &Survey| survey.objection().is_some();
        assert!(!has_objection(&survey(&[(3, 9)])));
        assert!(has_objection(&survey(&[(3, 9), (1, 8)])));
        let mut two = survey(&[(3, 9), (1, 8)]);
        two.left[1].is_damaged = true;
        assert!(has_objection(&two), "one that is damaged votes");
        two.left[1].is_lossy = true;
        assert!(!has_objection(&two), "one clean vote of three");
        let mut all = survey(&[(3, 9), (1, 8), (2, 8)]);
        all.left.iter_mut().for_each(|it| it.is_lossy = true);
        assert!(has_objection(&all), "all votes are enough");
        let mut led = survey(&[(3, 9)]);
        led.left[0].leads = true;
        assert_eq!(led.objection().as_deref(), Some("broker 3 leads it"));
        assert!(has_objection(&survey(&[])));
    }

    #[test]
    fn the_report_names_who_is_missing_and_what_may_be_lost() {
        let mut survey = survey(&[(3, 9), (1, 8)]);
        survey.left[0].is_lossy = true;
        let mut observer = survey.left[1].clone();
        (observer.id, observer.end.offset) = (ReplicaId::of(4), 12);
        survey.beyond.push(observer);
        let report = survey.report();
        for line in [
            "broker 1: epoch 4, log 4/8/2 (epoch/end offset/control sequence), high watermark 5\n",
            "high watermark 5, may have lost records\n",
            "broker 2: missing\n",
            "broker 4: log 4/12/2, without a vote: what it has and no voter does is lost\n",
            "broker 3 would lead, with offsets below 9; possibly lost: every record at offset 9",
            "and what broker 3 itself has lost below 9\n",
        ] {
            assert!(report.contains(line), "{line}: {report}");
        }
    }
}
