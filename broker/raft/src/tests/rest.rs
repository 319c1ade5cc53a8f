//! When a group may sleep: where a follower has everything on stable storage, knows that all of it
//! is committed, and nothing is about to change.

use super::returns::Three;
use super::world::replicas;
use crate::mutant::Mutant;
use crate::{Body, Position, ReplicaId};

impl Three {
    /// Where the group can sleep at the second broker, as the leader sees it.
    fn rests(&self) -> Option<Position> {
        self.core(0).rests_with(ReplicaId::of(2))
    }

    fn rests_there(&self) -> bool {
        let (end, epoch) = (self.core(0).history().end(), self.core(0).epoch());
        self.core(1).rests_under(ReplicaId::of(1), epoch, end)
    }
}

#[test]
fn a_group_rests_only_where_the_last_high_watermark_is_known() {
    groups_rest_where_all_is_known(None);
}

pub(crate) fn groups_rest_where_all_is_known(mutant: Option<Mutant>) {
    let mut three = Three::with(&[1, 2, 3], mutant);
    three.lead(0);
    three.beat(0, 2);
    assert!(three.rests().is_some() && three.rests_there());
    three.propose(0);
    assert_eq!(three.rests(), None);
    three.deliver(|packet| !matches!(packet.message.body, Body::Beat { .. }));
    let end = three.core(0).history().end();
    assert_eq!(three.core(0).commit(), end);
    assert_ne!(three.core(1).commit(), end);
    assert!(three.rests().is_none() && !three.rests_there(), "it has all, but knows of less");
    three.beat(0, 1);
    assert!(three.rests() == Some(end) && three.rests_there());
}

#[test]
fn a_group_that_is_about_to_change_does_not_rest() {
    let mut three = Three::with(&[1, 2, 3], None);
    three.lead(0);
    three.propose(0);
    three.deliver(|_| true);
    three.beat(0, 2);
    assert!(three.rests().is_some());
    three.act(0, |core, effects| {
        core.move_start(1, effects);
    });
    assert!(three.rests().is_none(), "the others keep what is gone");
    three.beat(0, 2);
    assert!(three.rests().is_some() && three.rests_there());
    three.act(0, |core, _| core.disconnected(2));
    assert!(three.rests().is_none(), "what it has is to be asked for");
    three.act(0, |core, effects| {
        core.transfer(ReplicaId::of(3), effects);
    });
    assert!(three.rests().is_none());
}

/// A leader that was elected where the start hadn't arrived yet.
#[test]
fn a_group_rests_where_the_follower_begins_later_than_its_leader() {
    let mut three = Three::with(&[1, 2, 3], None);
    three.lead(0);
    three.propose(0);
    three.deliver(|_| true);
    three.beat(0, 2);
    three.act(1, |core, effects| {
        core.move_start(1, effects);
    });
    three.beat(0, 2);
    assert!(three.rests().is_some() && three.rests_there());
}

/// Else those who sleep wouldn't answer, and who doesn't answer doesn't become a voter.
#[test]
fn a_group_does_not_rest_while_others_are_to_vote() {
    let mut three = Three::with(&[1, 2], None);
    three.lead(0);
    three.beat(0, 2);
    assert!(three.rests().is_some());
    three.act(0, |core, effects| core.wish(replicas(&[1, 2, 3]), 1, effects));
    assert!(three.rests().is_none());
    three.beat(0, 4);
    assert!(three.core(0).voters().contains(ReplicaId::of(3)));
    assert!(three.rests().is_some() && three.rests_there());
}

/// Whoever hands over begins no change; what isn't taken is given up, and then the other leaves.
#[test]
fn the_office_does_not_wait_for_ever_for_who_is_to_leave() {
    let mut three = Three::with(&[1, 2], None);
    three.lead(0);
    three.act(0, |core, effects| {
        core.transfer(ReplicaId::of(2), effects);
    });
    assert_eq!(three.core(0).transferring(), Some(ReplicaId::of(2)));
    three.act(0, |core, effects| core.wish(replicas(&[1]), 1, effects));
    assert!(!three.core(0).voters().is_joint());
    for _ in 0..20 {
        three.act(0, crate::Group::beat);
        three.deliver(|packet| packet.message.body != Body::TimeoutNow);
    }
    assert_eq!(three.core(0).standings().count(), 0);
    assert_eq!(three.core(0).transferring(), None);
    assert!(three.core(0).takes_records());
}
