//! Plan: what holds for every assignor, on random groups; and what the other tests write with.

use super::*;

pub(super) fn member(member_id: &str, topics: &[&str]) -> Subscriber {
    Subscriber {
        member_id: member_id.to_owned(),
        topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        generation: -1,
        ..Subscriber::default()
    }
}

/// A member that had partitions, each written as its topic's letter and its number.
pub(super) fn having(mut member: Subscriber, had: &[&str], generation: i32) -> Subscriber {
    for place in had {
        let (topic, partition) = place.split_at(1);
        member.had.entry(topic.to_owned()).or_default().push(partition.parse().unwrap());
    }
    member.generation = generation;
    member
}

pub(super) fn counts(counts: &[(&str, usize)]) -> Counts {
    counts.iter().map(|&(topic, count)| (topic.to_owned(), count)).collect()
}

/// A line a member: its name and what it has.
pub(super) fn told(shares: &Shares) -> Vec<String> {
    let line = |(id, own): (&String, &Assignment)| {
        let mut line = id.clone();
        for (topic, partitions) in own {
            partitions.iter().for_each(|partition| line += &format!(" {topic}{partition}"));
        }
        line
    };
    shares.iter().map(line).collect()
}

/// How many partitions the members have, the least first.
pub(super) fn loads(shares: &Shares) -> Vec<usize> {
    let mut loads: Vec<usize> =
        shares.values().map(|own| own.values().map(Vec::len).sum()).collect();
    loads.sort_unstable();
    loads
}

/// Numbers that look random; the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn group(dice: &mut Dice, is_alike: bool) -> (Vec<Subscriber>, Counts) {
    let topics = ["t", "u", "v", "w"];
    let counts: Counts = topics.iter().map(|&t| (t.to_owned(), dice.below(6))).collect();
    let members = (0..1 + dice.below(6)).map(|number| {
        let wanted = topics.iter().filter(|_| is_alike || dice.below(3) > 0).copied();
        member(&format!("m{number}"), &wanted.collect::<Vec<_>>())
    });
    (members.collect(), counts)
}

fn readers<'a>(shares: &'a Shares, topic: &str, partition: i32) -> Vec<&'a str> {
    let reads = |own: &Assignment| own.get(topic).is_some_and(|own| own.contains(&partition));
    shares.iter().filter(|(_, own)| reads(own)).map(|(id, _)| id.as_str()).collect()
}

/// Every partition that is wanted has one reader, who wants it; `held` may have none.
fn check_whole(members: &[Subscriber], counts: &Counts, shares: &Shares, may_lack: bool) {
    assert_eq!(shares.len(), members.len());
    for (topic, &count) in counts {
        let wants = |id: &str| {
            members.iter().any(|member| member.member_id == id && member.topics.contains(topic))
        };
        let is_wanted = members.iter().any(|member| member.topics.contains(topic));
        for partition in partitions(count) {
            let readers = readers(shares, topic, partition);
            assert!(readers.iter().all(|id| wants(id)), "{topic}{partition}: {readers:?}");
            assert!(readers.len() <= 1, "{topic}{partition}: {readers:?}");
            assert!(!is_wanted || may_lack || readers.len() == 1, "{topic}{partition} has none");
        }
    }
}

/// The members as they join again with what they were given.
fn next_generation(members: &[Subscriber], shares: &Shares, generation: i32) -> Vec<Subscriber> {
    let with = |member: &Subscriber| {
        let had = shares.get(&member.member_id).cloned().unwrap_or_default();
        Subscriber { had, generation, ..member.clone() }
    };
    members.iter().map(with).collect()
}

#[test]
fn every_partition_that_is_wanted_has_one_reader_who_wants_it() {
    let mut dice = Dice(7);
    for round in 0..400 {
        let (members, counts) = group(&mut dice, round % 2 == 0);
        for assignor in Assignor::ALL {
            check_whole(&members, &counts, &assignor.assign(&members, &counts), false);
        }
    }
}

#[test]
fn alike_members_have_alike_numbers_and_nothing_moves_without_a_reason() {
    let mut dice = Dice(11);
    for round in 0..300 {
        let (members, counts) = group(&mut dice, round % 3 > 0);
        let shares = Assignor::Sticky.assign(&members, &counts);
        let loads = loads(&shares);
        if round % 3 > 0 {
            assert!(loads[loads.len() - 1] - loads[0] <= 1, "{loads:?}");
        }
        let again = next_generation(&members, &shares, 3);
        assert_eq!(Assignor::Sticky.assign(&again, &counts), shares);
    }
}

#[test]
fn cooperative_members_come_to_rest_and_nobody_reads_what_another_has_not_let_go() {
    let mut dice = Dice(13);
    for round in 0..300 {
        let (mut members, counts) = group(&mut dice, round % 2 == 0);
        let mut shares = Assignor::CooperativeSticky.assign(&members, &counts);
        members = next_generation(&members, &shares, 1);
        // Somebody goes, or somebody comes.
        if dice.below(2) == 0 && members.len() > 1 {
            members.remove(dice.below(members.len()));
        } else {
            members.push(member("new", &["t", "v"]));
        }
        let mut generation = 1;
        loop {
            let before = members.clone();
            shares = Assignor::CooperativeSticky.assign(&members, &counts);
            check_whole(&members, &counts, &shares, true);
            generation += 1;
            members = next_generation(&members, &shares, generation);
            let lets_go = before.iter().zip(&members).any(|(before, after)| {
                let kept = |topic, one| after.had.get(topic).is_some_and(|own| own.contains(one));
                before.had.iter().any(|(topic, own)| own.iter().any(|one| !kept(topic, one)))
            });
            for (at, member) in members.iter().enumerate() {
                for (topic, own) in &member.had {
                    let others = before.iter().enumerate().filter(|(other, _)| *other != at);
                    let reads = |one: &i32| {
                        let mut others = others.clone();
                        others.any(|(_, o)| o.had.get(topic).is_some_and(|own| own.contains(one)))
                    };
                    assert!(!own.iter().any(reads), "two read {topic}");
                }
            }
            if !lets_go {
                break;
            }
            assert!(generation < 5, "no rest");
        }
        check_whole(&members, &counts, &shares, false);
    }
}

#[test]
fn assignors_are_known_by_their_names_and_by_kafkas_classes() {
    for assignor in Assignor::ALL {
        assert_eq!(assignor.name().parse(), Ok(assignor));
        assert_eq!(assignor.class().parse(), Ok(assignor));
    }
    let error = "random".parse::<Assignor>().unwrap_err();
    assert!(error.to_string().contains("cooperative-sticky"), "{error}");
}
