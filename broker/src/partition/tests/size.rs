//! How much an idle replica holds: a broker has tens of thousands.

use crate::partition::Partition;
use crate::partition::member::{Member, Office};
use crate::partition::replica::Replica;

#[test]
fn a_replica_and_what_hangs_on_it_stay_small() {
    for (what, bytes, most) in [
        ("a replica, with its group", size_of::<Replica>(), 648),
        ("what its host knows of the others", size_of::<Member>(), 320),
        ("what it knows as a leader", size_of::<Office>(), 320),
        ("what everybody sees of it", size_of::<Partition>(), 144),
    ] {
        assert!(bytes <= most, "{what}: {bytes} bytes");
    }
}
