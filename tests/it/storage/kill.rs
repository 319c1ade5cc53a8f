//! `kill -9` at any moment.

use logboom_tests::foreign::scratch;
use logboom_tests::load::{Line, random};

use super::process::{Running, command, succeed};
use super::promises::Promises;
use super::size;

/// The most lines that are read of a run before it is killed.
const LINES_MAX: u64 = 120;

#[test]
fn nothing_acknowledged_is_lost_by_kills_at_random_moments() {
    let rounds = size("LOGBOOM_KILL_ROUNDS", 5);
    let seed = size("LOGBOOM_KILL_SEED", u64::from(std::process::id()));
    println!("LOGBOOM_KILL_SEED={seed}");
    let root = scratch("kill").join("data");
    let mut promises = Promises::default();
    for round in 0..rounds {
        let life = format!("--life={}", round + 1);
        // Enough to be removed now and then, while something is appended and flushed.
        let options = ["--retention-bytes=3000000", &life];
        let mut running = Running::start(&mut command("load", &root, &options));
        let wanted = random(seed.wrapping_add(round)) % LINES_MAX;
        let read: Vec<Line> = (0..wanted).map_while(|_| running.line()).collect();
        let more = running.kill();
        assert_eq!(read.len() as u64, wanted, "it ended by itself: {read:?}");
        promises.note(read.iter().chain(&more));
        // What is opened by a check that isn't closed is as if it had been killed, too.
        let close = if random(seed ^ round).is_multiple_of(3) { "--close=1" } else { "--close=0" };
        promises.check(&succeed(&mut command("check", &root, &[close])));
    }
    assert!(promises.acked_count() > 0, "something was acknowledged");
    std::fs::remove_dir_all(root).unwrap();
}
