//! What the broker that decides knows of all brokers' loads.
//!
//! It is told anew whenever somebody else decides; until all have spoken, not all is known.

use std::collections::{BTreeMap, HashMap};

use logboom_balance::snapshot::Load;
use logboom_controller::MetadataImage;
use logboom_storage::state::GroupKey;

use super::report::{Growth, LoadReport, Means, Sums};

/// What is known, and forgotten when another broker decides.
#[derive(Debug, Default)]
pub(super) struct Loads {
    brokers: BTreeMap<i32, Told>,
    /// What brokers may have that haven't said it here, as they have said to others before.
    remembered: BTreeMap<i32, Means>,
    /// Replicas that take anything.
    replicas: HashMap<GroupKey, Vec<(i32, Load)>>,
}

#[derive(Debug)]
struct Told {
    means: Means,
    growth: Option<Growth>,
    /// Whether it has said all.
    is_whole: bool,
}

impl Loads {
    /// Nothing is known but what brokers may have.
    pub(super) fn remembering(remembered: BTreeMap<i32, Means>) -> Self {
        Self { remembered, ..Self::default() }
    }

    /// What all brokers may have, as far as it is known.
    pub(super) fn all_means(&self) -> BTreeMap<i32, Means> {
        let mut all = self.remembered.clone();
        all.extend(self.told_means());
        all
    }

    /// What brokers may have that have said it here.
    pub(super) fn told_means(&self) -> BTreeMap<i32, Means> {
        self.brokers.iter().map(|(id, told)| (*id, told.means)).collect()
    }

    /// Notes what a broker says.
    pub(super) fn note(&mut self, broker: i32, report: LoadReport) {
        let LoadReport { means, growth, loads, office, is_last } = report;
        // Who doesn't say whom it has told tells who decides now what is new, and only then all.
        let has_begun = office.is_some() || self.brokers.contains_key(&broker);
        let is_whole = self.has(broker) || (has_begun && is_last);
        self.brokers.insert(broker, Told { means, growth, is_whole });
        for (key, load) in loads {
            let known = self.replicas.entry(key).or_default();
            known.retain(|(id, _)| *id != broker);
            if load != Load::default() {
                known.push((broker, load));
            }
        }
    }

    /// A replica goes from one broker to another: until that one has measured, it is expected to
    /// take there what it took.
    pub(super) fn expect(&mut self, key: &GroupKey, from: i32, to: i32) {
        let Some(known) = self.replicas.get_mut(key) else { return };
        let load = known.iter().find(|(id, _)| *id == from).map(|(_, load)| *load);
        if !known.iter().any(|(id, _)| *id == to) {
            known.extend(load.map(|load| (to, load)));
        }
    }

    /// Forgets what isn't in the cluster any more.
    pub(super) fn prune(&mut self, image: &MetadataImage) {
        self.brokers.retain(|id, _| image.broker(*id).is_some());
        self.remembered.retain(|id, _| image.broker(*id).is_some());
        self.replicas.retain(|key, known| {
            let partition = image.partition(key.topic_id, key.partition);
            known.retain(|(id, _)| partition.is_some_and(|partition| partition.names(*id)));
            !known.is_empty()
        });
    }

    /// What each broker may have, and what all its replicas take, if it has said that.
    pub(super) fn sums(&self) -> BTreeMap<i32, (Means, Option<Load>)> {
        let has_told = |id: i32| self.brokers.contains_key(&id).then(Load::default);
        let all = self.all_means().into_iter();
        let mut sums: BTreeMap<i32, (Means, Option<Load>)> =
            all.map(|(id, means)| (id, (means, has_told(id)))).collect();
        for (broker, load) in self.replicas.values().flatten() {
            let Some((_, Some(sum))) = sums.get_mut(broker) else { continue };
            sum.disk_bytes = sum.disk_bytes.saturating_add(load.disk_bytes);
            sum.bytes_in = sum.bytes_in.saturating_add(load.bytes_in);
            sum.bytes_out = sum.bytes_out.saturating_add(load.bytes_out);
        }
        sums
    }

    /// Whether a broker has said all once.
    pub(super) fn has(&self, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(|told| told.is_whole)
    }

    pub(super) fn means(&self, broker: i32) -> Option<Means> {
        let told = self.brokers.get(&broker).map(|told| told.means);
        told.or_else(|| self.remembered.get(&broker).copied())
    }

    /// What a broker's replica of a partition takes, as it said.
    pub(super) fn of(&self, key: &GroupKey, broker: i32) -> Option<Load> {
        let known = self.replicas.get(key)?;
        known.iter().find(|(id, _)| *id == broker).map(|(_, load)| *load)
    }

    /// How everything grows: what each broker has grown by in a day over a time of its own, added;
    /// the time that is told is the shortest. `None` while anybody can't say.
    pub(super) fn growth(&self) -> Option<Growth> {
        let mut all = Growth { over_ms: u64::MAX, per_day: Sums::default() };
        for told in self.brokers.values() {
            let one = told.growth?;
            all.over_ms = all.over_ms.min(one.over_ms);
            all.per_day.add_sums(&one.per_day);
        }
        (!self.brokers.is_empty()).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancing::samples::{KEY, MEANS, cluster};

    fn load(disk_bytes: u64) -> Load {
        Load { disk_bytes, ..Load::default() }
    }

    fn report(loads: &[(GroupKey, Load)]) -> LoadReport {
        let loads = loads.to_vec();
        LoadReport { means: MEANS, growth: None, loads, office: Some(1), is_last: true }
    }

    #[test]
    fn the_last_that_a_broker_says_counts() {
        let mut loads = Loads::default();
        for (broker, bytes) in [(1, 5), (2, 6), (1, 8)] {
            loads.note(broker, report(&[(KEY, load(bytes))]));
        }
        assert_eq!((loads.of(&KEY, 1), loads.of(&KEY, 2)), (Some(load(8)), Some(load(6))));
        loads.note(2, report(&[(KEY, load(0))]));
        assert_eq!(loads.of(&KEY, 2), None);
    }

    #[test]
    fn who_does_not_say_whom_it_has_told_has_said_all_with_a_last_part_behind_the_first() {
        let mut loads = Loads::default();
        let bare = |is_last| LoadReport { office: None, is_last, ..report(&[]) };
        for (is_last, has_all) in [(true, false), (false, false), (true, true), (false, true)] {
            loads.note(1, bare(is_last));
            assert_eq!(loads.has(1), has_all);
        }
        loads.note(2, report(&[]));
        assert!(loads.has(2), "this one says whom it has told");
    }

    #[test]
    fn what_was_moved_takes_what_it_took_until_it_is_measured() {
        let mut loads = Loads::default();
        loads.expect(&KEY, 1, 2);
        assert_eq!(loads.of(&KEY, 2), None, "nobody has measured it");
        loads.note(1, report(&[(KEY, load(5))]));
        loads.expect(&KEY, 1, 2);
        assert_eq!(loads.of(&KEY, 2), Some(load(5)));
        loads.note(2, report(&[(KEY, load(3))]));
        loads.expect(&KEY, 1, 2);
        assert_eq!(loads.of(&KEY, 2), Some(load(3)));
    }

    #[test]
    fn what_brokers_may_have_is_remembered_until_they_say_it_and_their_loads_are_not() {
        let large = Means { weight: 300, capacity: [None, Some(9), None, None] };
        let mut loads = Loads::remembering(BTreeMap::from([(1, large), (7, large)]));
        assert_eq!((loads.means(1), loads.has(1)), (Some(large), false));
        assert_eq!(loads.sums()[&1], (large, None));
        assert_eq!(loads.growth(), None);
        loads.note(1, report(&[(KEY, load(5))]));
        assert_eq!((loads.means(1), loads.sums()[&1]), (Some(MEANS), (MEANS, Some(load(5)))));
        assert_eq!(loads.all_means(), BTreeMap::from([(1, MEANS), (7, large)]));
        loads.prune(&cluster(&[1], &[&[1]]));
        assert_eq!(loads.means(7), None, "it was removed");
    }

    #[test]
    fn each_broker_grows_as_over_its_own_time_and_the_shortest_is_told() {
        let grows = |over_ms, disk| {
            let growth = Some(Growth { over_ms, per_day: Sums([0, disk, 0, 0, 0]) });
            LoadReport { growth, ..report(&[]) }
        };
        let mut loads = Loads::default();
        loads.note(1, grows(604_800_000, 70));
        loads.note(2, grows(600_000, 5));
        let all = Growth { over_ms: 600_000, per_day: Sums([0, 75, 0, 0, 0]) };
        assert_eq!(loads.growth(), Some(all));
        loads.note(3, report(&[]));
        assert_eq!(loads.growth(), None, "it was started lately");
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let image = cluster(&[1], &[&[1]]);
        let gone = GroupKey { partition: 1, ..KEY };
        let mut loads = Loads::default();
        for broker in [1, 2] {
            loads.note(broker, report(&[(KEY, load(5)), (gone, load(5))]));
        }
        loads.prune(&image);
        assert_eq!((loads.of(&KEY, 1), loads.of(&KEY, 2)), (Some(load(5)), None));
        assert!(loads.of(&gone, 1).is_none() && loads.has(1) && !loads.has(2));
    }
}
