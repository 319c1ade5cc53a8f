//! Random sequences of decisions over random clusters, with every invariant checked after each.

mod step;
mod world;

use proptest::collection::vec as list;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use self::step::any_step;
use self::world::World;

/// Steps that a run takes.
const STEPS_MAX: usize = 120;

proptest! {
    #[test]
    fn decisions_keep_the_cluster_whole(steps in list(any_step(), 0..STEPS_MAX)) {
        let mut world = World::default();
        for step in steps {
            world.take(&step);
        }
        world.check_fold();
    }

    #[test]
    fn any_move_that_is_taken_back_leaves_what_was(
        steps in list(any_step(), 0..STEPS_MAX),
        moves in list((0..2u8, 0..3i32, list(0..6i32, 1..4)), 1..8),
    ) {
        let mut world = World::default();
        for step in steps {
            world.take(&step);
        }
        for (topic, index, replicas) in moves {
            world.check_taken_back(topic, index, &replicas);
        }
    }
}

#[test]
fn the_steps_do_something() {
    // A run whose steps were all refused would prove nothing.
    let mut runner = TestRunner::deterministic();
    let (mut moved, mut done, mut elected) = (0, 0, 0);
    for _ in 0..200 {
        let steps = list(any_step(), STEPS_MAX).new_tree(&mut runner).unwrap().current();
        let mut world = World::default();
        for step in &steps {
            world.take(step);
        }
        moved += world.counts.moves_begun;
        done += world.counts.moves_done;
        elected += world.counts.elections;
    }
    assert!(moved > 200 && done > 50 && elected > 200, "{moved} {done} {elected}");
}
