//! Time, by criterion: `cargo bench -p logboom-benches`.
//!
//! Before anything is timed, the claims about memory are checked: decoding a produce request
//! allocates nothing, and a fetch response of 1 MiB allocates less than 2 KiB.

use allocation_counter::measure;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use logboom_benches::{Case, cases, fetch_rope};

fn all(criterion: &mut Criterion) {
    check_allocations();
    for Case { name, bytes, mut run } in cases() {
        let (group, id) = name.split_once('/').unwrap_or((name, "one"));
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(id, |bencher| bencher.iter(&mut run));
    }
}

fn check_allocations() {
    let mut produce = cases().remove(0);
    (produce.run)();
    let info = measure(|| assert!((produce.run)() > 15 << 10));
    assert_eq!(info.count_total, 0, "{} allocates", produce.name);

    let segment = Bytes::from(vec![7; 1 << 20]).slice(..);
    let rope = fetch_rope(&segment);
    drop(rope);
    let info = measure(|| drop(fetch_rope(&segment)));
    assert!(info.bytes_total < 2 << 10, "a fetch response of 1 MiB allocates {info:?}");
}

criterion_group!(benches, all);
criterion_main!(benches);
