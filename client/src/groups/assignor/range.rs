//! Who reads what: the range assignor, which every client has (`range`).
//!
//! Of each topic the members that want it get consecutive partitions, in the order of their names,
//! and the first ones one more where it doesn't divide.

use std::collections::BTreeMap;

use super::subscription::Assignment;

/// What it is called on the wire.
pub(super) const RANGE: &str = "range";

/// A member and what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: Vec<String>,
}

impl Subscriber {
    /// The reference's order: names that members keep come before those that they are given.
    fn rank(&self) -> (bool, &str) {
        (self.instance_id.is_none(), self.instance_id.as_deref().unwrap_or(&self.member_id))
    }
}

/// Shares the partitions of topics among members. Every member has an assignment, if an empty one.
///
/// - `partition_counts`: of the topics; 0 for one that doesn't exist.
pub(super) fn range(
    members: &[Subscriber],
    partition_counts: &BTreeMap<String, usize>,
) -> BTreeMap<String, Assignment> {
    let mut ranked: Vec<&Subscriber> = members.iter().collect();
    ranked.sort_by_key(|member| member.rank());
    let mut assigned: BTreeMap<String, Assignment> =
        members.iter().map(|member| (member.member_id.clone(), Assignment::new())).collect();
    for (topic, &count) in partition_counts {
        let wanting: Vec<&&Subscriber> =
            ranked.iter().filter(|member| member.topics.contains(topic)).collect();
        let mut partitions = (0..).take(count);
        for (rank, member) in wanting.iter().enumerate() {
            let share = count / wanting.len() + usize::from(rank < count % wanting.len());
            let own: Vec<i32> = partitions.by_ref().take(share).collect();
            if let Some(assignment) = assigned.get_mut(&member.member_id).filter(|_| share > 0) {
                assignment.insert(topic.clone(), own);
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(member_id: &str, instance_id: Option<&str>, topics: &[&str]) -> Subscriber {
        Subscriber {
            member_id: member_id.to_owned(),
            instance_id: instance_id.map(str::to_owned),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        }
    }

    fn shared(members: &[Subscriber], counts: &[(&str, usize)]) -> Vec<String> {
        let counts = counts.iter().map(|&(topic, count)| (topic.to_owned(), count)).collect();
        range(members, &counts).iter().map(|(id, own)| format!("{id} {own:?}")).collect()
    }

    #[test]
    fn the_first_members_have_one_more() {
        let members =
            [member("c", None, &["t"]), member("a", None, &["t"]), member("b", None, &["t"])];
        let expected = ["a {\"t\": [0, 1, 2]}", "b {\"t\": [3, 4, 5]}", "c {\"t\": [6, 7]}"];
        assert_eq!(shared(&members, &[("t", 8)]), expected);
        let expected = ["a {\"t\": [0]}", "b {}", "c {}"];
        assert_eq!(shared(&members, &[("t", 1)]), expected);
        assert_eq!(shared(&members, &[]), ["a {}", "b {}", "c {}"]);
    }

    #[test]
    fn a_topic_is_shared_by_those_who_want_it() {
        let members = [member("a", None, &["t"]), member("b", None, &["t", "u"])];
        let expected = ["a {\"t\": [0, 1]}", "b {\"t\": [2], \"u\": [0, 1]}"];
        assert_eq!(shared(&members, &[("t", 3), ("u", 2), ("other", 5)]), expected);
    }

    #[test]
    fn kept_names_come_before_given_ones() {
        let members = [
            member("a", None, &["t"]),
            member("z", Some("2"), &["t"]),
            member("y", Some("3"), &["t"]),
        ];
        let expected = ["a {\"t\": [2]}", "y {\"t\": [1]}", "z {\"t\": [0]}"];
        assert_eq!(shared(&members, &[("t", 3)]), expected);
    }

    #[test]
    fn every_partition_has_exactly_one_reader() {
        for members in 1..7 {
            for count in 0..20 {
                let all: Vec<_> =
                    (0..members).map(|one: i32| member(&one.to_string(), None, &["t"])).collect();
                let shares = range(&all, &[("t".to_owned(), count)].into());
                let mut read: Vec<i32> =
                    shares.values().flat_map(|own| own.values().flatten()).copied().collect();
                read.sort_unstable();
                assert_eq!(read, (0..).take(count).collect::<Vec<i32>>());
            }
        }
    }
}
