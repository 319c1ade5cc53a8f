//! Every world that can come about within bounds.
//!
//! Depth first: only the path to the present world is held, and a fingerprint of each world that
//! was seen. A configuration is exhausted when nothing is left to try; its sizes are printed. The
//! small ones run always, the large ones when `RAFT_CHECK` is 1. `RAFT_CHECK_NAMES` says what the
//! names of those contain that are to run, for one at a time.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;
use std::{format, vec};

use alloc::string::String;
use alloc::vec::Vec;

use super::bounds::{Action, Bounds};
use super::symmetry::{classes, fingerprint};
use super::world::{Violation, World};

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: u64,
    pub(crate) depth: usize,
    /// Whether nothing was left to try.
    pub(crate) exhausted: bool,
    pub(crate) violation: Option<(Vec<Action>, Violation)>,
}

/// A fingerprint is mixed already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[..8]);
        self.0 = u64::from_le_bytes(word);
    }

    fn write_u128(&mut self, i: u128) {
        let bytes = i.to_le_bytes();
        self.0 = u64::from_le_bytes(core::array::from_fn(|at| bytes[at]));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Step {
    world: World,
    actions: Vec<Action>,
    next: usize,
}

/// Tries everything that can happen within bounds, up to so many states.
pub(crate) fn explore(bounds: &Bounds, states_max: usize) -> Found {
    let classes = classes(bounds);
    let first = World::new(bounds);
    let mut seen: HashSet<u128, BuildHasherDefault<AsIs>> = HashSet::default();
    seen.insert(fingerprint(&first, &classes));
    let actions = first.actions(bounds);
    let mut path = vec![Step { world: first, actions, next: 0 }];
    let mut found = Found { states: 1, steps: 0, depth: 0, exhausted: false, violation: None };
    while let Some(step) = path.last_mut() {
        let Some(action) = step.actions.get(step.next).cloned() else {
            path.pop();
            continue;
        };
        step.next += 1;
        let mut world = step.world.clone();
        found.steps += 1;
        if let Err(violation) = attempt(&mut world, &action, bounds) {
            let taken = path.iter().map(|step| step.actions[step.next - 1].clone());
            found.violation = Some((taken.collect(), violation));
            return found;
        }
        if !seen.insert(fingerprint(&world, &classes)) {
            continue;
        }
        found.states = seen.len();
        found.depth = found.depth.max(path.len());
        if found.states >= states_max {
            return found;
        }
        let actions = world.actions(bounds);
        path.push(Step { world, actions, next: 0 });
    }
    found.exhausted = true;
    found
}

/// Lets something happen; where a fault is built in, a panic is a violation as well.
fn attempt(world: &mut World, action: &Action, bounds: &Bounds) -> Result<(), Violation> {
    if bounds.mutant.is_none() {
        return world.apply(action, bounds);
    }
    let attempt = std::panic::AssertUnwindSafe(|| world.apply(action, bounds));
    std::panic::catch_unwind(attempt).unwrap_or_else(|_| Err(String::from("a panic")))
}

/// Exhausts a configuration, and says what it took.
fn exhaust(name: &str, bounds: &Bounds) {
    let since = Instant::now();
    let found = explore(bounds, usize::MAX);
    if let Some((path, violation)) = &found.violation {
        panic!("{name}: {violation}\n{}", told(bounds, path));
    }
    assert!(found.exhausted, "{name} was not exhausted");
    let Found { states, steps, depth, .. } = found;
    let seconds = since.elapsed().as_secs_f64();
    say(&format!("{name}: {states} states, {steps} steps, depth {depth}, {seconds:.1} s"));
}

/// Shown where tests are run with `--nocapture`.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{line}").unwrap_or(());
}

/// What happened on a path, in words.
pub(crate) fn told(bounds: &Bounds, path: &[Action]) -> String {
    let mut world = World::new(bounds);
    let mut lines = vec![];
    for action in path {
        if let Action::Deliver(i, heard) = action {
            let message = &world.network[*i].message;
            lines.push(format!(
                "{} → {} in {}: {:?} {heard}",
                message.from, message.to, message.epoch, message.body
            ));
        } else {
            lines.push(format!("{action:?}"));
        }
        let mut effects = crate::Effects { trace: Some(vec![]), ..Default::default() };
        let done = world.apply_traced(action, bounds, &mut effects);
        lines.extend(effects.trace.iter().flatten().map(|event| format!("    {event}")));
        if done.is_err() {
            break;
        }
    }
    lines.join("\n")
}

/// The configurations that are exhausted: some always, the larger ones in soak.
fn configurations(size: usize) -> Vec<(&'static str, Bounds)> {
    let three = Bounds::of(3);
    let fast = Bounds { slow_flushes: false, slow_stores: false, ..three.clone() };
    let wish = |nodes: i32, voters: &[i32], wishes: &[&[i32]]| Bounds {
        voters: voters.to_vec(),
        wishes: wishes.iter().map(|wish| wish.to_vec()).collect(),
        ..Bounds { slow_flushes: false, slow_stores: false, ..Bounds::of(nodes) }
    };
    let caching = Bounds { caching: true, crashes: 1, slow_stores: false, ..three.clone() };
    let small = vec![
        (
            "3 voters, 1 epoch, slow disks, a crash",
            Bounds { epochs: 1, crashes: 1, ..three.clone() },
        ),
        ("3 voters, 2 epochs, 2 records", Bounds { records: 2, ..fast.clone() }),
        ("3 voters, 2 epochs, a crash", Bounds { crashes: 1, ..fast.clone() }),
        ("3 voters, every message may come again", Bounds { reorders: true, ..fast.clone() }),
        ("3 voters, pre-votes", Bounds { pre_votes: true, ..fast.clone() }),
        ("3 voters, a leader that resigns", Bounds { resignations: 1, ..fast.clone() }),
        ("3 voters, a transfer", Bounds { transfers: 1, ..fast.clone() }),
        ("3 voters, the log start moves", Bounds { trims: 1, ..fast.clone() }),
        ("write.caching, 1 epoch, a power cut", Bounds { epochs: 1, ..caching.clone() }),
        ("1 → 1,2,3", wish(3, &[1], &[&[1, 2, 3]])),
        (
            "1 → 1,2, slow disks, a crash",
            Bounds {
                slow_flushes: true,
                slow_stores: true,
                crashes: 1,
                ..wish(2, &[1], &[&[1, 2]])
            },
        ),
        ("1,2,3 → 1, no record", Bounds { records: 0, ..wish(3, &[1, 2, 3], &[&[1]]) }),
        ("1,2 → 2,3, without the first leader", wish(3, &[1, 2], &[&[2, 3]])),
    ];
    let large = vec![
        ("3 voters, 3 epochs", Bounds { epochs: 3, ..fast.clone() }),
        ("3 voters, 2 epochs, slow disks", three.clone()),
        ("3 voters, 2 epochs, slow disks, a crash", Bounds { crashes: 1, ..three.clone() }),
        ("3 voters, 3 epochs, beats", Bounds { epochs: 3, beats: true, ..fast.clone() }),
        ("write.caching, 2 epochs, a power cut", Bounds { beats: true, ..caching.clone() }),
        ("1 → 1,2,3, taken back", wish(3, &[1], &[&[1, 2, 3], &[1]])),
        ("1,2,3 → 1", wish(3, &[1, 2, 3], &[&[1]])),
        ("1,2,3 → 1,2,4", wish(4, &[1, 2, 3], &[&[1, 2, 4]])),
        (
            "1,2,3 → 2,3, slow disks",
            Bounds { slow_stores: true, ..wish(3, &[1, 2, 3], &[&[2, 3]]) },
        ),
    ];
    if size == 0 { small } else { small.into_iter().chain(large).collect() }
}

#[test]
fn nothing_that_can_happen_breaks_what_must_hold() {
    let size = std::env::var("RAFT_CHECK").map_or(0, |it| it.parse().unwrap());
    let names = std::env::var("RAFT_CHECK_NAMES").unwrap_or_default();
    for (name, bounds) in configurations(size).iter().filter(|(name, _)| name.contains(&*names)) {
        exhaust(name, bounds);
    }
}
