//! Moves that an operator has in mind, and what they would change.

use std::str::FromStr;

use logboom_balance::{ManualMove, Options, Plan, Snapshot, plan_manual};

use crate::client::Failure;

/// A replica of a partition that is to go from one broker to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    topic: String,
    index: i32,
    from: i32,
    to: i32,
}

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || {
            let mut parts = text.rsplitn(3, ':');
            let (to, from) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let (topic, index) = parts.next()?.rsplit_once('-')?;
            Some(Self { topic: topic.to_owned(), index: index.parse().ok()?, from, to })
        };
        wanted().ok_or("a move is TOPIC-PARTITION:FROM:TO, as in flights-3:1:4")
    }
}

/// The plan of these moves alone.
pub(super) fn plan_of(snapshot: &Snapshot, wanted: &[Wanted]) -> Result<Plan, Failure> {
    let place = |one: &Wanted| {
        let topic = snapshot.topics().iter().position(|topic| *topic == one.topic)?;
        let is_it = |index: i32, of: u32| (index, of as usize) == (one.index, topic);
        snapshot.partitions().iter().position(|it| is_it(it.index, it.topic))
    };
    // One that isn't there is behind the last.
    let place = |one: &Wanted| place(one).unwrap_or(usize::MAX);
    let moves =
        wanted.iter().map(|one| ManualMove { partition: place(one), from: one.from, to: one.to });
    let moves: Vec<ManualMove> = moves.collect();
    plan_manual(snapshot, &moves, &Options::default()).map_err(|error| {
        let first = moves.iter().position(|one| *one == error.wanted);
        let Wanted { topic, index, from, to } = &wanted[first.unwrap_or(0)];
        Failure::failed(format_args!("{topic}-{index} from {from} to {to}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: &str = include_str!("../golden/four_brokers.txt");

    fn wanted(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    #[test]
    fn a_move_is_read_whatever_its_topic_is_called() {
        let of = |topic: &str| Wanted { topic: topic.into(), index: 3, from: 1, to: 4 };
        assert_eq!(wanted("flights-3:1:4"), of("flights"));
        assert_eq!(wanted("a-b.c-0-3:1:4"), of("a-b.c-0"));
        for bad in ["", "flights-3:1", "flights:1:4", "flights-x:1:4", "flights-3:1:", "f-3:1:4:5"]
        {
            let why = bad.parse::<Wanted>().unwrap_err();
            assert!(why.starts_with("a move is TOPIC-PARTITION:FROM:TO"), "{bad}");
        }
    }

    #[test]
    fn what_it_changes_is_planned_and_what_it_breaks_is_named() {
        let snapshot = Snapshot::parse(FOUR).unwrap();
        let made = plan_of(&snapshot, &[wanted("flights-0:1:4"), wanted("flights-2:2:4")]).unwrap();
        let moves: Vec<_> = made.moves.iter().map(|it| (it.from, it.to, it.rule.name())).collect();
        assert_eq!(moves, [(1, 4, "manual"), (2, 4, "manual")]);
        for (text, why) in [
            ("flights-0:2:4", "flights-0 from 2 to 4: broker 2 has no replica of it"),
            ("flights-0:1:3", "flights-0 from 1 to 3: broker 3 is drained or lost"),
            ("flights-9:1:4", "flights-9 from 1 to 4: there is no such partition"),
            ("nothing-0:1:4", "nothing-0 from 1 to 4: there is no such partition"),
            ("audit-0:1:4", "audit-0 from 1 to 4: broker 4 has a replica of it"),
            ("flights-0:1:9", "flights-0 from 1 to 9: there is no broker 9"),
        ] {
            let said = plan_of(&snapshot, &[wanted("flights-2:2:4"), wanted(text)]).unwrap_err();
            assert_eq!(said.to_string(), why);
        }
    }
}
