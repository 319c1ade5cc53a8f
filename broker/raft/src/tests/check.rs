//! Every world that can come about within bounds.
//!
//! Depth first: only the path to the present world is held, and a fingerprint of each world that
//! was seen. A configuration is exhausted when nothing is left to try; its sizes are printed. The
//! small ones run always, the large ones when `RAFT_CHECK` is 1. `RAFT_CHECK_NAMES` says what the
//! names of those contain that are to run, for one at a time.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::time::{Duration, Instant};
use std::{format, vec};

use alloc::string::String;
use alloc::vec::Vec;

use super::bounds::{Action, Bounds, Deed};
use super::known::Known;
use super::symmetry::AsIs;
use super::world::{Violation, World};
use crate::Effects;

/// How often a search says how far it is.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so many states it looks at the clock.
const STATES: usize = 1 << 16;

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

struct Step {
    world: World,
    actions: Vec<Action>,
    next: usize,
}

/// Tries everything that can happen within bounds, up to so many states.
pub(crate) fn explore(known: &mut Known, states_max: usize) -> Found {
    let mut world = known.first();
    let mut seen: HashSet<u128, BuildHasherDefault<AsIs>> = HashSet::default();
    seen.insert(known.fingerprint(&world));
    let actions = known.actions(&world);
    let mut path = vec![Step { world: world.clone(), actions, next: 0 }];
    let mut found = Found { states: 1, steps: 0, depth: 0, exhausted: false, violation: None };
    let mut said = Instant::now();
    while let Some(step) = path.last_mut() {
        let Some(action) = step.actions.get(step.next).copied() else {
            path.pop();
            continue;
        };
        step.next += 1;
        found.steps += 1;
        world.clone_from(&step.world);
        if let Err(violation) = known.act(&mut world, action) {
            let taken = path.iter().map(|step| step.actions[step.next - 1]);
            found.violation = Some((taken.collect(), violation));
            return found;
        }
        // Much of what arrives has arrived before.
        if world == step.world || !seen.insert(known.fingerprint(&world)) {
            continue;
        }
        found.states = seen.len();
        found.depth = found.depth.max(path.len());
        if found.states >= states_max {
            return found;
        }
        let actions = known.actions(&world);
        path.push(Step { world: world.clone(), actions, next: 0 });
        if found.states.is_multiple_of(STATES) && said.elapsed() > PATIENCE {
            said = Instant::now();
            let left: usize = path.iter().map(|step| step.actions.len() - step.next).sum();
            let (states, sizes) = (found.states, known.sizes());
            say(&format!("… {states} states, {left} to try on a path of {}; {sizes}", path.len()));
        }
    }
    found.exhausted = true;
    found
}

/// Exhausts a configuration, and says what it took.
fn exhaust(name: &str, bounds: &Bounds) {
    let since = Instant::now();
    let mut known = Known::new(bounds);
    let found = explore(&mut known, usize::MAX);
    if let Some((path, violation)) = &found.violation {
        panic!("{name}: {violation}\n{}", told(&mut known, path));
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
fn told(known: &mut Known, path: &[Action]) -> String {
    let mut world = known.first();
    let mut lines = vec![];
    for action in path {
        let Action { at, deed } = *action;
        if let Deed::Deliver(packet, heard) = deed {
            let message = &known.packet(packet).message;
            lines.push(format!(
                "{} → {} in {}: {:?} {heard}",
                message.from, message.to, message.epoch, message.body
            ));
        } else {
            lines.push(format!("{}: {deed:?}", at + 1));
        }
        let mut effects = Effects { trace: Some(vec![]), ..Default::default() };
        let played = known.play(world.nodes[at], deed, &mut effects);
        lines.extend(effects.trace.iter().flatten().map(|event| format!("    {event}")));
        if played.is_err() || known.act(&mut world, *action).is_err() {
            break;
        }
    }
    lines.join("\n")
}

/// Disks that are done at once.
fn fast(nodes: i32) -> Bounds {
    Bounds { slow_flushes: false, slow_stores: false, ..Bounds::of(nodes) }
}

/// A leader is to change the voters to each of these sets, one after the other.
fn wish(nodes: i32, voters: &[i32], wishes: &[&[i32]]) -> Bounds {
    let wishes = wishes.iter().map(|wish| wish.to_vec()).collect();
    Bounds { voters: voters.to_vec(), wishes, ..fast(nodes) }
}

/// Records count before they are flushed, and power is cut.
fn caching() -> Bounds {
    Bounds { caching: true, crashes: 1, slow_stores: false, ..Bounds::of(3) }
}

/// The configurations that are always exhausted.
fn small() -> Vec<(&'static str, Bounds)> {
    let slow = Bounds { slow_flushes: true, slow_stores: true, ..wish(2, &[1], &[&[1, 2]]) };
    vec![
        (
            "3 voters, 1 epoch, slow disks, a crash",
            Bounds { epochs: 1, crashes: 1, ..Bounds::of(3) },
        ),
        ("3 voters, 2 epochs, 2 records", Bounds { records: 2, ..fast(3) }),
        ("3 voters, 2 epochs, a crash", Bounds { crashes: 1, ..fast(3) }),
        ("3 voters, every message may come again", Bounds { reorders: true, ..fast(3) }),
        ("3 voters, pre-votes", Bounds { pre_votes: true, ..fast(3) }),
        ("3 voters, a leader that resigns", Bounds { resignations: 1, ..fast(3) }),
        ("3 voters, a transfer", Bounds { transfers: 1, ..fast(3) }),
        ("3 voters, the log start moves", Bounds { trims: 1, ..fast(3) }),
        ("write.caching, 1 epoch, a power cut", Bounds { epochs: 1, ..caching() }),
        ("1 → 1,2,3", wish(3, &[1], &[&[1, 2, 3]])),
        ("1 → 1,2, slow disks, a crash", Bounds { crashes: 1, ..slow }),
        ("1,2,3 → 1, no record", Bounds { records: 0, ..wish(3, &[1, 2, 3], &[&[1]]) }),
        ("1,2 → 2,3, without the first leader", wish(3, &[1, 2], &[&[2, 3]])),
    ]
}

/// Those that are exhausted in soak as well.
fn large() -> Vec<(&'static str, Bounds)> {
    let three = Bounds::of(3);
    let longer = Bounds { epochs: 3, ..fast(3) };
    let torn = Bounds { slow_flushes: true, records: 2, crashes: 1, ..fast(3) };
    let replaces = wish(4, &[1, 2, 3], &[&[1, 2, 4]]);
    let leaves = wish(3, &[1, 2, 3], &[&[2, 3]]);
    let comes = wish(3, &[1], &[&[1, 2, 3]]);
    vec![
        ("3 voters, 3 epochs", longer.clone()),
        ("3 voters, 2 epochs, slow disks", three.clone()),
        ("3 voters, 2 epochs, slow disks, a crash", Bounds { crashes: 1, ..three }),
        ("3 voters, 2 epochs, 2 records, slow and torn flushes", torn),
        ("3 voters, 3 epochs, beats", Bounds { beats: true, ..longer.clone() }),
        (
            "3 voters, 3 epochs, every message may come again",
            Bounds { reorders: true, ..longer.clone() },
        ),
        (
            "3 voters, 2 epochs, a crash, every message may come again",
            Bounds { crashes: 1, reorders: true, ..fast(3) },
        ),
        (
            "3 voters, 3 epochs, pre-votes, a transfer",
            Bounds { pre_votes: true, transfers: 1, ..longer.clone() },
        ),
        (
            "3 voters, 2 epochs, 2 records, a crash, the log start moves",
            Bounds { trims: 1, records: 2, crashes: 1, ..fast(3) },
        ),
        ("write.caching, 2 epochs, slow flushes, a power cut", caching()),
        ("1 → 1,2,3, taken back", wish(3, &[1], &[&[1, 2, 3], &[1]])),
        ("1 → 1,2,3, a crash", Bounds { crashes: 1, ..comes.clone() }),
        ("1 → 1,2,3, slow disks", Bounds { slow_stores: true, slow_flushes: true, ..comes }),
        ("1,2,3 → 1", wish(3, &[1, 2, 3], &[&[1]])),
        ("1,2,3 → 1,2,4, no record", Bounds { records: 0, ..replaces.clone() }),
        ("1,2,3 → 1,2,4, 1 epoch", Bounds { epochs: 1, ..replaces }),
        ("1,2,3 → 2,3, slow frames", Bounds { slow_stores: true, ..leaves }),
    ]
}

#[test]
fn nothing_that_can_happen_breaks_what_must_hold() {
    let size = std::env::var("RAFT_CHECK").map_or(0, |it| it.parse().unwrap());
    let names = std::env::var("RAFT_CHECK_NAMES").unwrap_or_default();
    let all = small().into_iter().chain(if size == 0 { vec![] } else { large() });
    for (name, bounds) in all.filter(|(name, _)| name.contains(&*names)) {
        exhaust(name, &bounds);
    }
}
