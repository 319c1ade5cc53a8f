//! What a replica is in its epoch, as those who answer clients see it.

use super::feeding::Leader;
use super::*;

#[test]
fn a_leader_begins_until_it_has_committed_in_its_epoch() {
    let mut leader = Leader::new(None);
    let standing = |leader: &Leader| leader.setting.partition.role().1;
    assert_eq!(standing(&leader), Standing::Begins, "nobody else has anything of its epoch");
    let end = leader.end();
    leader.has(0, end);
    assert_eq!(standing(&leader), Standing::Leads);
}
