//! All partitions of all topics in turn, to the members in the order of their names; who doesn't
//! want a topic is passed over and stays next (`roundrobin`).

use super::{Counts, Shares, Subscriber, nothing, partitions, ranked};

/// Shares the partitions of topics among members.
pub(super) fn assign(members: &[Subscriber], counts: &Counts) -> Shares {
    let ranked = ranked(members);
    let mut assigned = nothing(members);
    let mut next = 0;
    for (topic, &count) in counts {
        for partition in partitions(count) {
            let turn = (0..ranked.len()).map(|step| (next + step) % ranked.len());
            let Some(at) = turn.into_iter().find(|&at| ranked[at].topics.contains(topic)) else {
                break;
            };
            next = (at + 1) % ranked.len();
            if let Some(own) = assigned.get_mut(&ranked[at].member_id) {
                own.entry(topic.clone()).or_default().push(partition);
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counts, member, told};
    use super::*;

    #[test]
    fn partitions_go_round() {
        let members = [member("b", &["t", "u"]), member("a", &["t", "u"])];
        let shares = assign(&members, &counts(&[("t", 3), ("u", 3)]));
        assert_eq!(told(&shares), ["a t0 t2 u1", "b t1 u0 u2"]);
    }

    /// The example of the reference's documentation.
    #[test]
    fn who_does_not_want_a_topic_is_passed_over() {
        let members =
            [member("0", &["a"]), member("1", &["a", "b"]), member("2", &["a", "b", "c"])];
        let shares = assign(&members, &counts(&[("a", 1), ("b", 2), ("c", 3)]));
        assert_eq!(told(&shares), ["0 a0", "1 b0", "2 b1 c0 c1 c2"]);
    }

    #[test]
    fn a_topic_that_nobody_wants_has_no_reader() {
        assert_eq!(told(&assign(&[member("a", &["t"])], &counts(&[("u", 2)]))), ["a"]);
        assert!(assign(&[], &counts(&[("u", 2)])).is_empty());
    }
}
