//! As `sticky`, but a partition that goes from one member to another is held back: its reader sees
//! that it isn't its own any more, lets go, and joins again; the next sharing gives it away
//! (`cooperative-sticky`, KIP-429).

use super::{Counts, Shares, Subscriber, sticky};

/// Shares the partitions of topics among members.
pub(super) fn assign(members: &[Subscriber], counts: &Counts) -> Shares {
    let mut shares = sticky::assign(members, counts);
    for (id, own) in &mut shares {
        for (topic, partitions) in own.iter_mut() {
            partitions.retain(|&partition| !is_others(members, id, topic, partition));
        }
        own.retain(|_, partitions| !partitions.is_empty());
    }
    shares
}

/// Whether somebody else, and not this member, reads a partition.
fn is_others(members: &[Subscriber], id: &str, topic: &str, partition: i32) -> bool {
    let reads = |member: &Subscriber| {
        member.had.get(topic).is_some_and(|partitions| partitions.contains(&partition))
    };
    let mut readers = members.iter().filter(|member| reads(member)).peekable();
    readers.peek().is_some() && readers.all(|member| member.member_id != id)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counts, having, loads, member, told};
    use super::*;

    #[test]
    fn what_changes_hands_is_held_back_until_it_is_let_go() {
        let counts = counts(&[("t", 4)]);
        let old = having(member("a", &["t"]), &["t0", "t1", "t2", "t3"], 4);
        let shares = assign(&[old, member("b", &["t"])], &counts);
        assert_eq!(loads(&shares), [0, 2]);
        assert!(shares["b"].is_empty());
        let kept: Vec<String> =
            shares["a"]["t"].iter().map(|partition| format!("t{partition}")).collect();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        let old = having(member("a", &["t"]), &kept, 5);
        let new = having(member("b", &["t"]), &[], 5);
        let shares = assign(&[old, new], &counts);
        assert_eq!(loads(&shares), [2, 2]);
        assert!(told(&shares)[0].ends_with(&kept.join(" ")));
    }

    #[test]
    fn what_nobody_reads_is_given_at_once() {
        let members = [having(member("a", &["t"]), &["t0"], 4), member("b", &["t"])];
        assert_eq!(loads(&assign(&members, &counts(&[("t", 2)]))), [1, 1]);
    }
}
