//! Plans for 100 brokers and 100,000 partitions, and how long it takes to see that there is nothing
//! to do: time on the processor, so that what else runs on the machine doesn't count.
//!
//! ```text
//! cargo run --release -p logboom-benches --bin balance
//! ```

use std::time::Duration;

use logboom_balance::sim::{self, Shape};
use logboom_balance::snapshot::{Broker, Snapshot, Standing};
use logboom_balance::{Options, Resource, after, bound, plan};

/// Runs of each case, of which the median and the slowest are told.
const RUNS: usize = 7;
/// Brokers that are drained at once.
const DRAINED: i32 = 22;

fn main() {
    let usual = Shape {
        seed: 1,
        brokers: 100,
        racks: 1,
        partitions: 100_000,
        replicas: 3,
        is_mixed: true,
        has_capacities: false,
    };
    for shape in [usual, Shape { racks: 5, has_capacities: true, ..usual }] {
        println!("100 brokers, 100,000 partitions, {} racks", shape.racks);
        println!(" {:<44} {:>9} {:>9} {:>7} {:>6}", "", "median", "slowest", "moves", "bytes");
        cases(&shape);
    }
}

fn cases(shape: &Shape) {
    let first = sim::cluster(shape);
    let settled = settled("placed without regard to loads", &first);
    told("nothing to do", &settled);
    told("one broker joins", &sim::with_one_more(&settled, shape));
    told("one broker is lost", &sim::with_standing(&settled, 50, Standing::Absent));
    told("loads drift by up to 30 %", &sim::drifted(&settled, 30, 1));
    told("22 brokers are drained", &drained(&settled));
    let stuck = self::settled("one broker is too full, no disk has room", &stuck(&settled));
    told("the same, when all is done that helps", &stuck);
}

/// Tells of a plan and gives what it makes of the cluster.
fn settled(what: &str, snapshot: &Snapshot) -> Snapshot {
    told(what, snapshot);
    after(snapshot, &plan(snapshot, &Options::default()).moves)
}

fn drained(snapshot: &Snapshot) -> Snapshot {
    let mut brokers = snapshot.brokers().to_vec();
    for broker in brokers.iter_mut().filter(|broker| broker.id < DRAINED) {
        broker.standing = Standing::Draining;
    }
    snapshot.with_brokers(brokers).expect("the same brokers")
}

/// The last broker is to have half of what it has, and no other has room on its disk.
fn stuck(snapshot: &Snapshot) -> Snapshot {
    let mut disks = vec![0; snapshot.brokers().len()];
    for replica in snapshot.partitions().iter().flat_map(|partition| &partition.replicas) {
        let place = snapshot.place_of(replica.broker).expect("a broker of the snapshot");
        disks[place] += replica.load.disk_bytes;
    }
    let last = disks.len() - 1;
    let brokers = snapshot.brokers().iter().zip(&disks).enumerate().map(|(place, (own, disk))| {
        let mut broker: Broker = own.clone();
        broker.capacity[Resource::DiskBytes] = Some(disk + u64::from(place == last) * disk);
        if place == last {
            broker.weight /= 2;
        }
        broker
    });
    snapshot.with_brokers(brokers.collect()).expect("the same brokers")
}

fn told(what: &str, snapshot: &Snapshot) {
    let options = Options::default();
    let mut times: Vec<Duration> = Vec::new();
    let mut made = plan(snapshot, &options);
    for _ in 0..RUNS {
        let begun = processor_time();
        made = plan(snapshot, &options);
        times.push(processor_time() - begun);
    }
    times.sort();
    let least = bound(snapshot, &options).bytes;
    let percent = if made.bytes == 0 { 0 } else { made.bytes * 100 / least.max(1) };
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let (median, slowest) = (milliseconds(times[RUNS / 2]), milliseconds(times[RUNS - 1]));
    let moves = made.moves.len();
    println!(" {what:<44} {median:>9} {slowest:>9} {moves:>7} {percent:>4} %");
}

/// How long this process has been on a processor; it has one thread.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux has it");
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.expect("its first number is that"))
}
