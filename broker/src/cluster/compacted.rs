//! How far all replicas of a partition are compacted: below that no replica has a record that a
//! tombstone there hides, so that it may go.
//!
//! A replica that was away has the hidden record and not yet the tombstone. Where this one would
//! drop it meanwhile and lead later, the record would be alive again there.
//!
//! Must always hold: a replica that somebody asked knows of, and that wasn't asked itself, counts
//! as one that isn't compacted; so does one that doesn't answer.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::future::join_all;
use tokio::sync::oneshot;

use logboom_storage::state::GroupKey;

use super::calls::Request;
use crate::node::Node;
use crate::partition::Command;

/// How long another broker is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What a broker knows of a partition that it has a replica of.
///
/// | bytes | field |
/// | ---: | --- |
/// | 8 | up to where its replica is compacted |
/// | 4 each | the brokers that have a replica, or are to have one |
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compacted {
    /// Exclusive.
    to: i64,
    replicas: Vec<i32>,
}

impl Compacted {
    /// `None` where there is no replica here.
    pub(super) async fn here(node: &Node, key: GroupKey) -> Option<Self> {
        let partition = node.registry.get(key.topic_id, key.partition)?;
        let (reply, answer) = oneshot::channel();
        node.shards[partition.shard].send(Command::Electorate(key, reply));
        let voters = answer.await.ok()?.voters;
        let image = node.image();
        let mut replicas = image.topic(key.topic_id)?.partition(key.partition)?.all_replicas();
        let both = [&voters.incoming, &voters.outgoing];
        replicas.extend(both.into_iter().flat_map(|set| set.iter()).map(|id| id.broker));
        replicas.sort_unstable();
        replicas.dedup();
        Some(Self { to: partition.view.compacted_to(), replicas })
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i64(self.to);
        self.replicas.iter().for_each(|id| out.put_i32(*id));
        out.freeze()
    }

    fn decode(mut bytes: Bytes) -> Option<Self> {
        let to = bytes.try_get_i64().ok()?;
        let count = bytes.len() / 4;
        let replicas = (0..count).map(|_| bytes.get_i32()).collect();
        bytes.is_empty().then_some(Self { to, replicas })
    }
}

/// Up to where all replicas of a partition are compacted, exclusive; 0 where that isn't known.
pub(crate) async fn compacted_by_all(node: &Node, key: GroupKey) -> i64 {
    let Some(here) = Compacted::here(node, key).await else { return 0 };
    let own = node.config.broker_id();
    let others = here.replicas.iter().filter(|id| **id != own);
    let answers = join_all(others.map(|id| ask(node, *id, key))).await;
    let answers = answers.into_iter().collect::<Option<Vec<Compacted>>>();
    answers.map_or(0, |answers| least(&here, &answers))
}

/// - `others`: what all those answer that `here` knows of.
fn least(here: &Compacted, others: &[Compacted]) -> i64 {
    let is_known = |id: &i32| here.replicas.contains(id);
    if !others.iter().flat_map(|it| &it.replicas).all(is_known) {
        return 0;
    }
    others.iter().map(|it| it.to).fold(here.to, i64::min)
}

async fn ask(node: &Node, id: i32, key: GroupKey) -> Option<Compacted> {
    let others = node.others.as_ref()?;
    let answer = others.ask_once(id, &Request::Compacted(key), ANSWER_MAX).await;
    answer.ok().and_then(Compacted::decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(to: i64, replicas: &[i32]) -> Compacted {
        Compacted { to, replicas: replicas.to_vec() }
    }

    #[test]
    fn the_least_counts_and_who_was_not_asked_is_not_compacted() {
        let here = compacted(9, &[1, 2, 3]);
        assert_eq!(least(&here, &[compacted(7, &[1, 2, 3]), compacted(8, &[2, 1])]), 7);
        assert_eq!(least(&here, &[compacted(17, &[1]), compacted(18, &[2])]), 9);
        assert_eq!(least(&here, &[compacted(7, &[1, 2, 3]), compacted(8, &[1, 2, 4])]), 0);
        assert_eq!(least(&compacted(5, &[1]), &[]), 5);
    }

    #[test]
    fn an_answer_is_read_as_it_was_written_or_not_at_all() {
        for told in [compacted(i64::MAX, &[]), compacted(0, &[1, i32::MAX])] {
            assert_eq!(Compacted::decode(told.encode()), Some(told));
        }
        for bytes in [&[][..], &[0; 7], &[0; 9]] {
            assert_eq!(Compacted::decode(Bytes::copy_from_slice(bytes)), None);
        }
    }
}
