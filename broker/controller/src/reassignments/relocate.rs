//! Moves that a balancer asks for, each of one replica or of one leader.

use alloc::vec::Vec;

use logboom_protocol::units::Uuid;

use crate::MetadataImage;
use crate::decision::{Decision, Draft};
use crate::record::{MetadataRecord, Partition};

/// One move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relocation {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition's number.
    pub index: i32,
    /// What goes from one broker to another.
    pub kind: RelocationKind,
    /// The broker that gives.
    pub from: i32,
    /// The broker that gets.
    pub to: i32,
}

/// What goes from one broker to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelocationKind {
    /// A replica, and with it the place in the order of the partition's: who was preferred to lead
    /// hands that on, too.
    Replica,
    /// Another replica, behind those that there are; the broker that gives keeps its own.
    More,
    /// The office of the leader, to another replica, which is preferred from now on, unless the
    /// partition is on its way to other brokers: otherwise it would go home again.
    Leader,
}

/// Begins moves; answers with how many.
///
/// Passed over are those whose partition is gone, has no replica where it is to come from, or has
/// one already where it is to go; those to brokers that aren't in contact; replicas of
/// partitions that nobody leads, because nobody could copy them; and leaders that aren't in sync,
/// or that have no vote yet.
#[must_use]
pub fn relocate(image: &MetadataImage, moves: &[Relocation]) -> Decision<usize> {
    let mut draft = Draft::new(image);
    let mut begun = 0;
    for &Relocation { topic_id, index, kind, from, to } in moves {
        let image = draft.image();
        let partition = image.partition(topic_id, index).filter(|_| image.is_in_contact(to));
        let changed = partition.and_then(|partition| match kind {
            RelocationKind::Replica | RelocationKind::More
                if image.leader_of(partition).is_none() =>
            {
                None
            }
            RelocationKind::Replica => moved(image, partition, from, to),
            RelocationKind::More => joined(image, partition, to),
            RelocationKind::Leader => led(partition, to),
        });
        if let Some(partition) = changed {
            draft.push(MetadataRecord::Partition { topic_id, index, partition });
            begun += 1;
        }
    }
    Decision { records: draft.into_records(), response: begun }
}

fn moved(image: &MetadataImage, partition: &Partition, from: i32, to: i32) -> Option<Partition> {
    let (mut replicas, mut directories) = wish(partition);
    let place = replicas.iter().position(|id| *id == from)?;
    if replicas.contains(&to) {
        return None;
    }
    (replicas[place], directories[place]) = (to, image.broker(to)?.directory_id);
    partition.with_wish(replicas, directories)
}

fn joined(image: &MetadataImage, partition: &Partition, to: i32) -> Option<Partition> {
    let (mut replicas, mut directories) = wish(partition);
    if replicas.contains(&to) {
        return None;
    }
    replicas.push(to);
    directories.push(image.broker(to)?.directory_id);
    partition.with_wish(replicas, directories)
}

fn led(partition: &Partition, to: i32) -> Option<Partition> {
    let (mut replicas, mut directories) = wish(partition);
    let place = replicas.iter().position(|id| *id == to)?;
    if !partition.isr.contains(&to) || !partition.voters().0.contains(&to) {
        return None;
    }
    replicas[..=place].rotate_right(1);
    directories[..=place].rotate_right(1);
    // One that is on its way to other brokers keeps its wish: what has begun goes on as it is.
    let ordered = match partition.is_moving() {
        true => None,
        false => partition.with_wish(replicas, directories),
    };
    let ordered = ordered.unwrap_or_else(|| partition.clone());
    let wished_leader = if partition.leader == to { partition.wished_leader } else { to };
    let next = Partition { wished_leader, ..ordered };
    (next != *partition).then_some(next)
}

fn wish(partition: &Partition) -> (Vec<i32>, Vec<Uuid>) {
    let (replicas, directories) = partition.wish();
    (replicas.to_vec(), directories.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{broker, id, partition, topic_of};

    /// Brokers 1 to 4, of which 4 is out of contact, and a partition on 1 and 2, led by 1.
    fn image() -> MetadataImage {
        let brokers = [1, 2, 3, 4].map(|id| MetadataRecord::Broker(broker(id, None)));
        let image = MetadataImage::load(brokers).unwrap();
        let fenced = MetadataRecord::BrokerFenced { id: 4, fenced: true };
        let led = Partition { leader: 1, isr: [1, 2].into(), ..partition(&[1, 2]) };
        image.with([&fenced]).unwrap().with(&topic_of(1, "t", [led])).unwrap()
    }

    fn after(image: &MetadataImage, kind: RelocationKind, from: i32, to: i32) -> Option<Partition> {
        let one = Relocation { topic_id: id(1), index: 0, kind, from, to };
        let Decision { records, response } = relocate(image, &[one]);
        assert_eq!(response, records.len());
        let after = image.with(&records).unwrap();
        (response > 0).then(|| after.partition(id(1), 0).unwrap().clone())
    }

    #[test]
    fn a_replica_takes_the_place_of_the_one_it_comes_for() {
        let next = after(&image(), RelocationKind::Replica, 1, 3).unwrap();
        assert_eq!((next.wish().0, &*next.replicas), (&[3, 2][..], &[1, 2][..]));
        assert_eq!(next.wish().1[0], image().broker(3).unwrap().directory_id);
        assert_eq!(next.preferred_leader(), 3);
    }

    #[test]
    fn another_replica_comes_behind_the_others() {
        let next = after(&image(), RelocationKind::More, 1, 3).unwrap();
        assert_eq!((next.wish().0, &*next.replicas), (&[1, 2, 3][..], &[1, 2][..]));
        assert_eq!(after(&image(), RelocationKind::More, 1, 2), None, "it has one");
    }

    #[test]
    fn what_cannot_be_moved_stays() {
        for (from, to) in [(1, 2), (3, 4), (1, 4), (1, 9)] {
            assert_eq!(after(&image(), RelocationKind::Replica, from, to), None, "{from} to {to}");
        }
        let one =
            Relocation { topic_id: id(2), index: 0, kind: RelocationKind::Replica, from: 1, to: 3 };
        assert_eq!(relocate(&image(), &[one]).response, 0, "no such topic");
    }

    #[test]
    fn of_what_nobody_leads_no_replica_is_made() {
        // Broker 4 is out of contact.
        let lost = Partition { leader: 4, ..partition(&[4, 1, 2]) };
        let image = image().with(&topic_of(2, "u", [lost])).unwrap();
        for kind in [RelocationKind::Replica, RelocationKind::More] {
            let one = Relocation { topic_id: id(2), index: 0, kind, from: 1, to: 3 };
            assert_eq!(relocate(&image, &[one]).response, 0, "{kind:?}");
        }
    }

    #[test]
    fn one_on_its_way_goes_elsewhere() {
        let one =
            Relocation { topic_id: id(1), index: 0, kind: RelocationKind::Replica, from: 1, to: 3 };
        let image = image().with(&relocate(&image(), &[one]).records).unwrap();
        let next = after(&image, RelocationKind::Replica, 2, 1).unwrap();
        assert_eq!((next.wish().0, &*next.replicas), (&[3, 1][..], &[1, 2][..]));
        assert_eq!(after(&image, RelocationKind::Leader, 1, 3), None, "it has no vote yet");
        let next = after(&image, RelocationKind::Leader, 1, 2).unwrap();
        assert_eq!((next.wish().0, &*next.replicas), (&[3, 2][..], &[1, 2][..]));
        assert_eq!(
            (next.wished_leader, next.generation),
            (2, image.partition(id(1), 0).unwrap().generation)
        );
    }

    #[test]
    fn who_is_to_lead_is_preferred_from_now_on() {
        let next = after(&image(), RelocationKind::Leader, 1, 2).unwrap();
        assert_eq!((&*next.replicas, next.wished_leader), (&[2, 1][..], 2));
        assert!(!next.is_moving());
        let done = Partition { leader: 2, ..next };
        let record = MetadataRecord::Partition { topic_id: id(1), index: 0, partition: done };
        let done = image().with([&record]).unwrap();
        assert_eq!(after(&done, RelocationKind::Leader, 1, 2), None, "it leads already");
    }

    #[test]
    fn who_is_behind_does_not_lead() {
        let behind = Partition { leader: 1, isr: [1].into(), ..partition(&[1, 2]) };
        let image = image().with(&topic_of(2, "u", [behind])).unwrap();
        let one =
            Relocation { topic_id: id(2), index: 0, kind: RelocationKind::Leader, from: 1, to: 2 };
        assert_eq!(relocate(&image, &[one]).response, 0);
    }
}
