//! How much an idle group holds: a broker has tens of thousands. `benches/raft` counts what they
//! allocate.

use crate::follower::Follower;
use crate::history::Control;
use crate::leader::Leader;
use crate::progress::Progress;
use crate::{Group, Voters};

#[test]
fn a_group_and_what_hangs_on_it_stay_small() {
    for (what, bytes, most) in [
        // The fault that is built in here takes 8.
        ("a group", size_of::<Group>(), 232 + 8),
        ("its part as a follower", size_of::<Follower>(), 88),
        ("its part as a leader", size_of::<Leader>(), 136),
        ("what a leader knows of a follower", size_of::<Progress>(), 192),
        ("a control entry", size_of::<Control>(), 32),
        ("a set of voters", size_of::<Voters>(), 48),
    ] {
        assert!(bytes <= most, "{what}: {bytes} bytes");
    }
}
