//! What partitions take together, in a form from which the share of any set of brokers follows
//! without looking at partitions again.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use crate::options::Rules;
use crate::resource::{Amounts, Resource};
use crate::snapshot::{REPLICAS_MAX, Replica, Snapshot, Standing};

/// The partitions that have the same number of replicas.
#[derive(Debug, Clone)]
pub(crate) struct Factor {
    /// How many replicas each has.
    pub(crate) replicas: usize,
    /// By a number of replicas from 0 on: what the largest so many of each partition take together.
    top: Vec<Amounts>,
}

/// What all partitions take.
#[derive(Debug, Clone)]
pub(crate) struct Demand {
    pub(crate) factors: Vec<Factor>,
    /// What the largest replica takes, of each resource.
    pub(crate) largest: Amounts,
}

impl Demand {
    /// What is to be on active brokers: not what stays on others, because no rule that is wanted
    /// empties them.
    pub(crate) fn of(snapshot: &Snapshot, rules: Rules) -> Self {
        let mut factors: BTreeMap<usize, Factor> = BTreeMap::new();
        let mut largest = Amounts::default();
        let others = snapshot.brokers().iter().filter(|it| it.standing != Standing::Active);
        let kept = others.filter(|it| !rules.empty(it.standing)).map(|it| it.id);
        let kept: Vec<i32> = kept.collect();
        for partition in snapshot.partitions() {
            let goes = |it: &&Replica| !kept.contains(&it.broker);
            let replicas = partition.replicas.iter().filter(goes);
            let count = replicas.clone().count();
            let new = || Factor { replicas: count, top: vec![Amounts::default(); count + 1] };
            let factor = factors.entry(count).or_insert_with(new);
            factor.take(partition.leader, replicas, &mut largest);
        }
        Self { factors: factors.into_values().collect(), largest }
    }

    /// What finds room on so many brokers, where no two replicas of a partition share one.
    pub(crate) fn placeable(&self, brokers: usize) -> Amounts {
        let mut sum = Amounts::default();
        for factor in &self.factors {
            sum.add(&factor.top[factor.replicas.min(brokers)]);
        }
        sum
    }
}

impl Factor {
    /// What the largest `count` replicas of each partition take.
    pub(crate) fn most(&self, count: usize, resource: Resource) -> u64 {
        self.top[count.min(self.replicas)][resource]
    }

    /// What the smallest `count` replicas of each partition take.
    pub(crate) fn least(&self, count: usize, resource: Resource) -> u64 {
        self.most(self.replicas, resource)
            - self.most(self.replicas.saturating_sub(count), resource)
    }

    fn take<'a>(
        &mut self,
        leader: Option<i32>,
        replicas: impl Iterator<Item = &'a Replica> + Clone,
        largest: &mut Amounts,
    ) {
        let amounts = |it: &Replica| it.load.amounts(leader == Some(it.broker));
        let Some(first) = replicas.clone().next().map(amounts) else { return };
        let mut sizes = [0; REPLICAS_MAX];
        for resource in Resource::ALL {
            let sizes = &mut sizes[..self.replicas];
            let mut are_equal = true;
            for (size, replica) in sizes.iter_mut().zip(replicas.clone()) {
                *size = amounts(replica)[resource];
                are_equal &= *size == first[resource];
            }
            if !are_equal {
                sizes.sort_unstable_by(|one, other| other.cmp(one));
            }
            largest[resource] = largest[resource].max(sizes[0]);
            let mut sum = 0;
            for (top, size) in self.top[1..].iter_mut().zip(sizes) {
                sum += *size;
                top[resource] += sum;
            }
        }
    }
}
