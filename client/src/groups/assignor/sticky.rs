//! As even as the subscriptions allow, and nobody loses more than that takes (`sticky`).

use super::claims::{self, Place};
use super::level::Level;
use super::{Counts, Shares, Subscriber, nothing, partitions};

/// Shares the partitions of topics among members.
pub(super) fn assign(members: &[Subscriber], counts: &Counts) -> Shares {
    let mut level = Level::new(members, counts);
    for (place, at) in claims::valid(members, counts) {
        level.give(place, at);
    }
    level.give_rest(&open(&level, counts));
    level.even_out();
    let mut shares = nothing(members);
    for ((topic, partition), at) in level.into_owners() {
        if let Some(own) = shares.get_mut(&members[at].member_id) {
            own.entry(topic.to_owned()).or_default().push(partition);
        }
    }
    shares
}

/// Partitions that nobody has.
fn open<'a>(level: &Level<'a>, counts: &'a Counts) -> Vec<Place<'a>> {
    let all = counts.iter().flat_map(|(topic, &count)| {
        partitions(count).map(move |partition| (topic.as_str(), partition))
    });
    all.filter(|place| !level.has_owner(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counts, having, loads, member, told};
    use super::*;

    #[test]
    fn a_first_share_is_even() {
        let members = [member("a", &["t"]), member("b", &["t"]), member("c", &["t"])];
        let shares = assign(&members, &counts(&[("t", 7)]));
        assert_eq!(loads(&shares), [2, 2, 3]);
    }

    #[test]
    fn who_stays_keeps_what_it_had_when_another_goes() {
        let members = [
            having(member("a", &["t"]), &["t0", "t3"], 4),
            having(member("c", &["t"]), &["t2", "t5"], 4),
        ];
        let shares = assign(&members, &counts(&[("t", 6)]));
        assert_eq!(told(&shares), ["a t0 t1 t3", "c t2 t4 t5"]);
    }

    #[test]
    fn a_new_member_gets_its_share_and_no_more_changes_hands() {
        let members = [
            having(member("a", &["t"]), &["t0", "t1", "t2"], 4),
            having(member("b", &["t"]), &["t3", "t4", "t5"], 4),
            member("new", &["t"]),
        ];
        let shares = assign(&members, &counts(&[("t", 6)]));
        assert_eq!(loads(&shares), [2, 2, 2]);
        let kept = |id: &str, had: &[i32]| {
            shares[id]["t"].iter().filter(|partition| had.contains(partition)).count()
        };
        assert_eq!((kept("a", &[0, 1, 2]), kept("b", &[3, 4, 5])), (2, 2));
    }

    /// Loads 3, 2, 1 that no single move evens out, but a chain of two does.
    #[test]
    fn a_chain_of_moves_evens_out_what_no_single_move_does() {
        let members = [
            having(member("a", &["t", "u"]), &["t0", "t1", "u0"], 1),
            having(member("b", &["u", "v"]), &["u1", "v0"], 1),
            having(member("c", &["v"]), &["v1"], 1),
        ];
        let shares = assign(&members, &counts(&[("t", 2), ("u", 2), ("v", 2)]));
        assert_eq!(told(&shares), ["a t0 t1", "b u0 u1", "c v0 v1"]);
    }
}
