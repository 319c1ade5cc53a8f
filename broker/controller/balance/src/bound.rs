//! What no plan can do better.

use alloc::vec::Vec;

use crate::aims::{Aim, Aims};
use crate::levels::{LEVEL, Levels};
use crate::options::Options;
use crate::plan::{Ground, Worst};
use crate::resource::{Amounts, PerResource, Resource};
use crate::snapshot::{Snapshot, Standing};
use crate::state::State;

/// Bounds of what a plan can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The worst weighted utilisation that some broker has in any assignment, at least. Of what is
    /// needed, racks, one replica a broker and that replicas can't be divided are looked at, and
    /// capacities where they suffice: more than all is said where they don't.
    pub worst: Worst,
    /// The bytes that have to be copied at least to empty brokers that are lost or drained, and to
    /// bring all others from outside their bands to where a plan brings them.
    pub bytes: u64,
}

/// Bounds for a snapshot.
#[must_use]
pub fn bound(snapshot: &Snapshot, options: &Options) -> Bound {
    let ground = Ground::new(snapshot, options);
    let aims = ground.aims_with(None);
    let state = State::new(snapshot, &ground.racks);
    Bound { worst: worst(&ground, &aims), bytes: bytes(&ground, &state) }
}

/// The worst of the bounds of all resources.
fn worst(ground: &Ground<'_>, aims: &Aims) -> Worst {
    let mut worst = worst_of_levels(&ground.levels, aims);
    for resource in Resource::MEASURED {
        let ppm = pair(ground, resource);
        if ppm > worst.ppm {
            worst = Worst { resource, ppm };
        }
    }
    worst
}

/// The worst of what each resource needs by itself.
pub(crate) fn worst_of_levels(levels: &Levels, aims: &Aims) -> Worst {
    let mut worst = Worst { resource: Resource::Partitions, ppm: 0 };
    for resource in Resource::MEASURED {
        let ppm = levels.ppm_of(aims.bound[resource]);
        if ppm > worst.ppm {
            worst = Worst { resource, ppm };
        }
    }
    worst
}

/// Of one replica more than there are brokers two share one, the two smallest at best on the one
/// that is sized for the most; and so on for three.
fn pair(ground: &Ground<'_>, resource: Resource) -> u64 {
    let brokers = ground.snapshot.brokers();
    let active: Vec<usize> =
        (0..brokers.len()).filter(|place| brokers[*place].standing == Standing::Active).collect();
    let size =
        |place: &usize| ground.levels.scale(*place, resource).fine_load(LEVEL.unsigned_abs());
    let Some(largest) = active.iter().copied().max_by_key(size) else { return 0 };
    let loads = ground.snapshot.partitions().iter().flat_map(|partition| {
        let leads = |id| partition.leader == Some(id);
        partition.replicas.iter().map(move |it| it.load.amounts(leads(it.broker))[resource])
    });
    let mut loads: Vec<u64> = loads.collect();
    let mut ppm = 0;
    for share in 2..=4_u64 {
        let rank = active.len() * (usize::try_from(share).unwrap_or(usize::MAX) - 1);
        if rank >= loads.len() {
            break;
        }
        let (_, smallest, _) = loads.select_nth_unstable_by(rank, |one, other| other.cmp(one));
        ppm = ppm.max(ground.levels.ppm(largest, resource, *smallest * share));
    }
    ppm
}

/// The bytes that have to be copied.
fn bytes(ground: &Ground<'_>, state: &State<'_>) -> u64 {
    let aims = ground.aims(state);
    let brokers = ground.snapshot.brokers();
    let (mut emptied, mut given, mut taken) = (0, 0, 0);
    for (broker, known) in brokers.iter().enumerate() {
        let load = &state.load[broker];
        if known.standing == Standing::Active {
            let excess = excess(load, &aims.of[broker]);
            given += least(state, state.on(broker).collect(), &excess);
            taken += need(load, &aims.of[broker]);
        } else {
            emptied += load[Resource::DiskBytes];
        }
    }
    (emptied + given).max(taken)
}

/// What a broker that is outside its band has too much.
fn excess(load: &Amounts, aim: &Aim) -> Amounts {
    PerResource(Resource::ALL.map(|it| {
        let is_out = load[it] > aim.high.outer[it];
        if is_out { load[it] - aim.high.inner[it] } else { 0 }
    }))
}

/// The bytes on disk that a broker that is outside its band lacks.
fn need(load: &Amounts, aim: &Aim) -> u64 {
    let disk = Resource::DiskBytes;
    let is_out = load[disk] < aim.low.outer[disk];
    if is_out { aim.low.inner[disk] - load[disk] } else { 0 }
}

/// The least bytes of replicas that take so much together, if replicas could be divided: for each
/// resource those that carry the most of it for their bytes. Leadership moves without bytes, so
/// what can go with it is taken off first.
fn least(state: &State<'_>, seats: Vec<usize>, excess: &Amounts) -> u64 {
    let least_of = |resource: Resource| {
        let handed: u64 = seats.iter().map(|seat| handed_over(state, *seat, resource)).sum();
        let left = excess[resource].saturating_sub(handed);
        if left == 0 { 0 } else { cheapest(state, &seats, resource, left) }
    };
    Resource::MEASURED.into_iter().map(least_of).max().unwrap_or(0)
}

/// What a broker is relieved of at most when a replica on it no longer leads.
fn handed_over(state: &State<'_>, seat: usize, resource: Resource) -> u64 {
    let load = state.seats[seat].load();
    if load[Resource::Leaders] == 0 || !resource.goes_with_leadership() {
        return 0;
    }
    let others = state.beside(seat).filter(|other| *other != seat);
    let least = others.map(|other| state.seats[other].load()[resource]).min();
    least.map_or(0, |least| load[resource].saturating_sub(least))
}

/// The least bytes of replicas that take so much of a resource together.
fn cheapest(state: &State<'_>, seats: &[usize], resource: Resource, mut left: u64) -> u64 {
    let parts = seats.iter().map(|seat| {
        let load = &state.seats[*seat].load();
        (u128::from(load[resource]), u128::from(load[Resource::DiskBytes]))
    });
    let mut parts: Vec<(u128, u128)> = parts.filter(|(load, _)| *load > 0).collect();
    parts.sort_unstable_by(|one, other| (one.1 * other.0).cmp(&(other.1 * one.0)));
    let mut bytes = 0;
    for (load, size) in parts {
        let taken = u128::from(left).min(load);
        bytes += size * taken / load;
        left -= u64::try_from(taken).unwrap_or(left);
        if left == 0 {
            break;
        }
    }
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
