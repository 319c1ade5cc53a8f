//! Of each topic the members that want it get consecutive partitions, in the order of their names,
//! and the first ones one more where it doesn't divide (`range`).
//!
//! Racks are not looked at: the reference does so only where members and replicas have them.

use super::{Counts, Shares, Subscriber, nothing, partitions, ranked};

/// Shares the partitions of topics among members.
pub(super) fn assign(members: &[Subscriber], counts: &Counts) -> Shares {
    let ranked = ranked(members);
    let mut assigned = nothing(members);
    for (topic, &count) in counts {
        let wanting: Vec<&&Subscriber> =
            ranked.iter().filter(|member| member.topics.contains(topic)).collect();
        let mut partitions = partitions(count);
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
            ..Subscriber::default()
        }
    }

    fn shared(members: &[Subscriber], counts: &[(&str, usize)]) -> Vec<String> {
        let counts = counts.iter().map(|&(topic, count)| (topic.to_owned(), count)).collect();
        assign(members, &counts).iter().map(|(id, own)| format!("{id} {own:?}")).collect()
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
                let shares = assign(&all, &[("t".to_owned(), count)].into());
                let mut read: Vec<i32> =
                    shares.values().flat_map(|own| own.values().flatten()).copied().collect();
                read.sort_unstable();
                assert_eq!(read, (0..).take(count).collect::<Vec<i32>>());
            }
        }
    }
}
