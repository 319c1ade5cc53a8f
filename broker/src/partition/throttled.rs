//! Which replicas of a topic are sent what they lack at a limited rate (KIP-73).

use std::collections::BTreeSet;

/// Replicas that are throttled while they are behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Throttled {
    /// By the rates of these as leaders (`leader.replication.throttled.replicas`).
    pub(crate) leader: ReplicaList,
    /// By those of these as followers (`follower.replication.throttled.replicas`).
    pub(crate) follower: ReplicaList,
}

/// Replicas of a topic, as its configuration names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReplicaList {
    /// All of them (`*`).
    All,
    /// Pairs of a partition and a broker.
    These(BTreeSet<(i32, i32)>),
}

impl Default for ReplicaList {
    /// None of them.
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl ReplicaList {
    /// `*`, or pairs `PARTITION:BROKER`. What is none of those names nobody.
    pub(crate) fn new(text: &str) -> Self {
        let pair = |pair: &str| {
            let (partition, broker) = pair.trim().split_once(':')?;
            Some((partition.parse().ok()?, broker.parse().ok()?))
        };
        match text.trim() {
            "*" => Self::All,
            pairs => Self::These(pairs.split(',').filter_map(pair).collect()),
        }
    }

    /// Whether it names a broker's replica of a partition.
    pub(crate) fn names(&self, partition: i32, broker: i32) -> bool {
        match self {
            Self::All => true,
            Self::These(pairs) => pairs.contains(&(partition, broker)),
        }
    }

    pub(crate) fn is_any(&self) -> bool {
        !matches!(self, Self::These(pairs) if pairs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_pairs_or_everything() {
        let list = ReplicaList::new("0:1, 2:11,99999999999:1");
        assert!(list.names(0, 1) && list.names(2, 11) && list.is_any());
        assert!(!list.names(1, 0) && !list.names(2, 1) && !list.names(11, 2));
        assert!(ReplicaList::new("*").names(7, 8));
        for none in ["", "  ", "99999999999:1"] {
            let list = ReplicaList::new(none);
            assert!(!list.is_any() && !list.names(0, 0), "{none:?}");
        }
    }
}
