//! Moves that an operator has in mind: what they would change, and having them carried out.
//!
//! Must always hold: nothing is begun that would break a hard rule, not even while others of those
//! that are named are still to leave; nor where a partition isn't as it was planned for.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use logboom_balance::{
    Limits, ManualMove, Move, MoveKind, Options, Plan, Snapshot, Stage, Wait, next, plan_manual,
};
use logboom_client::{Cluster, WishedReplicas};

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

/// The replicas of a partition, as they are and as they are to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    now: Vec<i32>,
    then: WishedReplicas,
}

/// What is asked for so that a plan of such moves is carried out, all of it at once.
///
/// # Errors
/// The first move for which there is no room before others have left.
pub(super) fn wishes(snapshot: &Snapshot, plan: &Plan) -> Result<Vec<Wish>, Failure> {
    let partition = |place: usize| {
        let known = &snapshot.partitions()[place];
        (snapshot.topics()[known.topic as usize].clone(), known)
    };
    if let Some(one) = plan.unmet.first() {
        let (topic, known) = partition(one.partition);
        let (index, why) = (known.index, one.obstacle);
        return Err(Failure::failed(format_args!("{topic}-{index} from {}: {why}", one.from)));
    }
    let limits = Limits { moves: usize::MAX, moves_per_broker: usize::MAX, ..Limits::default() };
    let stages = next(snapshot, &plan.moves, &BTreeSet::new(), &limits).stages;
    let comes_from_there = |one: &Move| {
        plan.moves.iter().any(|other| (other.partition, other.to) == (one.partition, one.from))
    };
    let mut wishes: BTreeMap<usize, Wish> = BTreeMap::new();
    for (one, stage) in plan.moves.iter().zip(stages) {
        let (topic, known) = partition(one.partition);
        let why = match (one.kind, stage) {
            (MoveKind::Leader, _) => continue,
            (_, Stage::Now) => None,
            (_, Stage::Waits(Wait::Capacity(resource))) => {
                Some(format!("broker {} has no capacity for its {resource} yet", one.to))
            }
            (_, Stage::Waits(Wait::Partition)) if !comes_from_there(one) => {
                Some("another replica of it moves as well, and each has its turn".to_owned())
            }
            _ => Some("it goes by way of another broker, for lack of capacity".to_owned()),
        };
        if let Some(why) = why {
            let move_of = format!("{topic}-{} from {} to {}", known.index, one.from, one.to);
            let way_out = "ask for it when others have left";
            return Err(Failure::failed(format_args!("{move_of}: {why}; {way_out}")));
        }
        let wish = wishes.entry(one.partition).or_insert_with(|| {
            let now: Vec<i32> = known.replicas.iter().map(|it| it.broker).collect();
            let (partition, replicas) = (known.index, now.clone());
            Wish { now, then: WishedReplicas { topic, partition, replicas } }
        });
        let place = wish.then.replicas.iter_mut().find(|id| **id == one.from);
        place.into_iter().for_each(|id| *id = one.to);
    }
    Ok(wishes.into_values().collect())
}

/// Has them carried out; answers with the partitions' names.
///
/// # Errors
/// A partition isn't as it was planned for, or the controller refuses it.
pub(super) async fn begin(cluster: &Cluster, wishes: &[Wish]) -> Result<Vec<String>, Failure> {
    let topics: BTreeSet<&str> = wishes.iter().map(|it| it.then.topic.as_str()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let image = cluster.image(Some(&topics)).await?;
    let under_way = cluster.reassignments().await?;
    for Wish { now, then } in wishes {
        let WishedReplicas { topic, partition, .. } = then;
        let known = image.topics.get(topic).and_then(|known| known.partition(*partition).ok());
        let moving = under_way.iter().find(|it| (&it.topic, it.partition) == (topic, *partition));
        let leaves = |id: &i32| moving.is_some_and(|it| it.removing.contains(id));
        let stay: BTreeSet<i32> =
            known.iter().flat_map(|it| &it.replicas).copied().filter(|id| !leaves(id)).collect();
        if stay != now.iter().copied().collect() {
            return Err(Failure::failed(format_args!(
                "{topic}-{partition} has other replicas than it was planned for; nothing was begun"
            )));
        }
    }
    let all: Vec<WishedReplicas> = wishes.iter().map(|it| it.then.clone()).collect();
    cluster.reassign(&all).await?;
    Ok(all.iter().map(|it| format!("{}-{}", it.topic, it.partition)).collect())
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

    #[test]
    fn replicas_of_one_partition_are_asked_for_one_at_a_time() {
        let text = "snapshot 1\nbroker 1\nbroker 2\nbroker 3\nbroker 4\ntopic t\n\
                    partition 0 leader 1 replicas 1:5:0:0 2:5:0:0\n";
        let snapshot = Snapshot::parse(text).unwrap();
        let made = plan_of(&snapshot, &[wanted("t-0:1:3"), wanted("t-0:2:4")]).unwrap();
        let why = wishes(&snapshot, &made).err().unwrap().to_string();
        assert!(why.contains("another replica of it moves as well"), "{why}");
    }

    #[test]
    fn who_comes_takes_the_place_of_who_leaves() {
        let snapshot = Snapshot::parse(FOUR).unwrap();
        let made = plan_of(&snapshot, &[wanted("flights-0:1:4"), wanted("flights-2:2:4")]).unwrap();
        let wishes = wishes(&snapshot, &made).unwrap();
        let before = |index: i32| -> Vec<i32> {
            let flights = snapshot.topics().iter().position(|it| it == "flights").unwrap();
            let mut all = snapshot.partitions().iter();
            let known = all.find(|it| (it.topic as usize, it.index) == (flights, index));
            known.unwrap().replicas.iter().map(|it| it.broker).collect()
        };
        for (wish, (index, from)) in wishes.iter().zip([(0, 1), (2, 2)]) {
            let now = before(index);
            let then: Vec<i32> = now.iter().map(|id| if *id == from { 4 } else { *id }).collect();
            assert_eq!((&wish.now, &wish.then.replicas), (&now, &then));
        }
        assert_eq!(wishes.len(), 2);
    }

    #[test]
    fn what_has_room_only_when_others_have_left_does_not_begin() {
        // Each finds room once the other one is gone.
        let text = "snapshot 1\nbroker 1 disk 100\nbroker 2 disk 100\nbroker 3 disk 100\n\
                    topic t\npartition 0 leader 1 replicas 1:60:0:0\n\
                    partition 1 leader 2 replicas 2:60:0:0\n";
        let snapshot = Snapshot::parse(text).unwrap();
        let made = plan_of(&snapshot, &[wanted("t-0:1:3"), wanted("t-1:2:1")]).unwrap();
        let why = wishes(&snapshot, &made).unwrap_err().to_string();
        let expected = "t-1 from 2 to 1: broker 1 has no capacity for its disk bytes yet; \
                        ask for it when others have left";
        assert_eq!(why, expected);
    }
}
