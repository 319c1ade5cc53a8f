//! What members had and may keep: of two who say that they had a partition, the one with the newer
//! generation; neither where the generations are the same, because one of them errs.

use std::collections::BTreeMap;

use super::{Counts, Subscriber};

/// A partition, by the name of its topic.
pub(super) type Place<'a> = (&'a str, i32);

/// Who had each partition that exists and that they still want, by the member's place in `members`.
pub(super) fn valid<'a>(
    members: &'a [Subscriber],
    counts: &'a Counts,
) -> BTreeMap<Place<'a>, usize> {
    let mut best: BTreeMap<Place<'a>, (i32, Option<usize>)> = BTreeMap::new();
    for (at, member) in members.iter().enumerate() {
        for (topic, partitions) in &member.had {
            // Lent from the counts, so that a topic that isn't there is left out.
            let Some((topic, &count)) = counts.get_key_value(topic) else { continue };
            if !member.topics.contains(topic) {
                continue;
            }
            for &partition in partitions {
                if !usize::try_from(partition).is_ok_and(|partition| partition < count) {
                    continue;
                }
                let claim = (member.generation, Some(at));
                let held = best.entry((topic, partition)).or_insert(claim);
                if held.0 < claim.0 {
                    *held = claim;
                } else if held.0 == claim.0 && held.1 != claim.1 {
                    held.1 = None;
                }
            }
        }
    }
    best.into_iter().filter_map(|(place, (_, at))| Some((place, at?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counts, having, member};
    use super::*;

    #[test]
    fn the_newer_generation_wins_and_a_tie_is_nobodys() {
        let members = [
            having(member("a", &["t"]), &["t0", "t1", "t2"], 5),
            having(member("b", &["t"]), &["t1", "t3"], 6),
            having(member("c", &["t"]), &["t2"], 5),
        ];
        let counts = counts(&[("t", 4)]);
        let claims = valid(&members, &counts);
        assert_eq!(claims, [(("t", 0), 0), (("t", 1), 1), (("t", 3), 1)].into());
    }

    #[test]
    fn what_is_not_there_or_not_wanted_is_not_kept() {
        let members = [having(member("a", &["t"]), &["t0", "t7", "u0", "v0"], 1)];
        let counts = counts(&[("t", 4), ("u", 1)]);
        let claims = valid(&members, &counts);
        assert_eq!(claims, [(("t", 0), 0)].into());
    }
}
