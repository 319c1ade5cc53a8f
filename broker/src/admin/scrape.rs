//! Everything that is told of a broker, read when it is asked for.

use std::time::Duration;

use tokio::time::timeout;

use logboom_balance::status::DrainStatus;
use logboom_balance::{Capacity, Resource};
use logboom_protocol::ApiKey;
use logboom_storage::Directory;

use crate::balancing::Figures;
use crate::coordination::{GroupLag, lags};
use crate::groundwork::Groundwork;
use crate::handlers;
use crate::metrics::{Counter, Errors, Exposition, Metrics};
use crate::node::Node;
use crate::partition::Partition;

/// Series of lags, at most: clients choose how many groups there are.
const LAGS_MAX: usize = 10_000;
/// How long groups may take to say where they are.
const LAGS_WAIT: Duration = Duration::from_secs(5);

/// The text that Prometheus takes.
pub(super) async fn metrics(ground: &Groundwork) -> String {
    let mut text = Exposition::default();
    requests(&mut text, &ground.metrics);
    traffic(&mut text, &ground.metrics);
    partitions(&mut text, ground);
    if let Some(node) = ground.node.get() {
        cluster(&mut text, node);
        balance(&mut text, node);
        prospects(&mut text, &node.balancing.figures());
        groups(&mut text, node).await;
    }
    process(&mut text, &ground.directory);
    text.finish()
}

fn requests(text: &mut Exposition, metrics: &Metrics) {
    let served = || ApiKey::ALL.into_iter().filter(|api| handlers::served(*api).is_some());
    let mut series = text.begin("requests_seconds");
    for api in served() {
        series.histogram(&[api.name()], &metrics.api(api).seconds);
    }
    let mut series = text.begin("requests_closed_total");
    for api in served() {
        series.value(&[api.name()], metrics.api(api).closed.get());
    }
}

fn traffic(text: &mut Exposition, metrics: &Metrics) {
    let mut counter = |name, counter: &Counter| {
        text.begin(name).value(&[], counter.get());
    };
    counter("received_bytes_total", &metrics.received_bytes);
    counter("sent_bytes_total", &metrics.sent_bytes);
    counter("connections_accepted_total", &metrics.connections_accepted);
    counter("connections_refused_total", &metrics.connections_refused);
    counter("connections_expelled_total", &metrics.connections_expelled);
    counter("produce_batches_total", &metrics.produce_batches);
    counter("produce_records_total", &metrics.produce_records);
    counter("produce_bytes_total", &metrics.produce_bytes);
    counter("flushes_failed_total", &metrics.flushes_failed);
    counter("controller_decisions_total", &metrics.controller_decisions);
    counter("cleaner_errors_total", &metrics.cleaner_errors);
    counter("cleaner_read_bytes_total", &metrics.cleaner_read_bytes);
    counter("cleaner_written_bytes_total", &metrics.cleaner_written_bytes);
    counter("cleaner_removed_records_total", &metrics.cleaner_removed_records);
    counter("scrub_read_bytes_total", &metrics.scrub_read_bytes);
    counter("scrub_rounds_total", &metrics.scrub_rounds);
    counter("damaged_segments_total", &metrics.damaged_segments);
    counter("repaired_segments_total", &metrics.repaired_segments);
    counter("repair_fetched_bytes_total", &metrics.repair_fetched_bytes);
    counter("repair_failures_total", &metrics.repair_failures);
    counter("balance_moves_total", &metrics.balance_moves);
    text.begin("balance_moves_left").value(&[], metrics.balance_moves_left.get());
    text.begin("balance_bytes_left").value(&[], metrics.balance_bytes_left.get());
    text.begin("balance_seconds_left").value(&[], metrics.balance_seconds_left.get());
    text.begin("balance_unmet").value(&[], metrics.balance_unmet.get());
    text.begin("cleaner_threads_busy").value(&[], metrics.cleaner_threads_busy.get());
    text.begin("cleaner_dirty_ratio_max").value(&[], metrics.cleaner_dirty_ratio_max.get());
    text.begin("cleaner_seconds").histogram(&[], &metrics.cleaner_seconds);
    text.begin("damaged_partitions").value(&[], metrics.damaged_partitions.get());
    text.begin("connections_open").value(&[], metrics.connections_open.get());
    text.begin("queued_bytes").value(&[], metrics.queued_bytes.get());
    text.begin("queued_response_bytes").value(&[], metrics.queued_response_bytes.get());
    text.begin("flush_seconds").histogram(&[], &metrics.flush_seconds);
    let mut errors = |name, errors: &Errors| {
        let mut series = text.begin(name);
        for (code, count) in errors.read() {
            series.value(&[code.name().unwrap_or("OTHER")], count);
        }
    };
    errors("produce_errors_total", &metrics.produce_errors);
    errors("fetch_errors_total", &metrics.fetch_errors);
}

fn cluster(text: &mut Exposition, node: &Node) {
    let (image, decides) = (node.image(), node.controller.decides());
    text.begin("controller_active").value(&[], u8::from(decides));
    text.begin("brokers_in_contact").value(&[], image.brokers_in_contact().count());
    let all = image.topics().flat_map(|topic| topic.partitions());
    let offline = all.filter(|partition| decides && image.leader_of(partition).is_none());
    text.begin("partitions_offline").value(&[], offline.count());
    let led = node.registry.all().into_iter().filter(|one| one.leads());
    let lacks = |one: &Partition| {
        let known = image.partition(one.key.topic_id, one.key.partition);
        known.is_some_and(|it| image.in_sync_replicas(it).len() < it.all_replicas().len())
    };
    let lacking = led.filter(|one| lacks(one)).count();
    text.begin("partitions_under_replicated").value(&[], lacking);
}

fn partitions(text: &mut Exposition, ground: &Groundwork) {
    let mut all = ground.replicas.registry.all();
    all.sort_by(|a, b| (&a.topic, a.key.partition).cmp(&(&b.topic, b.key.partition)));
    text.begin("topics").value(&[], ground.image().topics().count());
    text.begin("partitions").value(&[], all.len());
    text.begin("log_bytes").value(&[], all.iter().map(|one| one.view.bytes()).sum::<u64>());
    let numbers: Vec<String> = all.iter().map(|one| one.key.partition.to_string()).collect();
    let mut each = |name, value: &dyn Fn(&Partition) -> i128| {
        let mut series = text.begin(name);
        for (partition, number) in all.iter().zip(&numbers) {
            series.value(&[&partition.topic, number], value(partition));
        }
    };
    each("partition_log_bytes", &|one| one.view.bytes().into());
    each("partition_log_start_offset", &|one| one.view.log_start_offset().into());
    each("partition_high_watermark", &|one| one.view.high_watermark().into());
    each("partition_end_offset", &|one| one.view.end_offset().into());
}

/// What brokers have and may have, where this one decides.
fn balance(text: &mut Exposition, node: &Node) {
    let hosts = node.placement.hosts(&node.image());
    let mut series = text.begin("balance_load");
    for host in &hosts {
        for resource in Resource::ALL {
            series.value(&[&host.broker.id.to_string(), resource.word()], host.load[resource]);
        }
    }
    let mut series = text.begin("balance_capacity");
    for broker in hosts.iter().map(|host| &host.broker) {
        for resource in Resource::MEASURED {
            if let Some(capacity) = broker.capacity[resource] {
                series.value(&[&broker.id.to_string(), resource.word()], capacity);
            }
        }
    }
}

/// How brokers stand, and how it stands with what is to be done about that, where this one decides.
fn prospects(text: &mut Exposition, figures: &Figures) {
    let Figures { growth, drains, endless, prospects } = figures;
    let ratio = |ppm: u64| Duration::from_micros(ppm).as_secs_f64();
    for (name, ppm) in [
        ("balance_worst_utilisation", prospects.worst_ppm),
        ("balance_bound_utilisation", prospects.bound_ppm),
    ] {
        let mut series = text.begin(name);
        _ = ppm.map(|ppm| _ = series.value(&[], ratio(ppm)));
    }
    let mut series = text.begin("balance_growth_per_day");
    if let Some(growth) = growth {
        for resource in Resource::ALL {
            series.value(&[resource.word()], growth.per_day[resource]);
        }
    }
    room(text, prospects.capacity.as_ref());
    let mut each = |name, of: &dyn Fn(&DrainStatus) -> u64| {
        let mut series = text.begin(name);
        drains.iter().for_each(|it| _ = series.value(&[&it.broker.to_string()], of(it)));
    };
    each("balance_drain_replicas", &|it| it.replicas);
    each("balance_drain_leaders", &|it| it.leaders);
    each("balance_drain_moving", &|it| it.moving);
    text.begin("balance_moves_endless").value(&[], *endless);
}

/// How much room brokers have, for how long, and what one broker more or less would change.
fn room(text: &mut Exposition, capacity: Option<&Capacity>) {
    let ratio = |ppm: u64| Duration::from_micros(ppm).as_secs_f64();
    let days = |parts: u64| Duration::from_millis(parts.saturating_mul(10)).as_secs_f64();
    let brokers = || capacity.iter().flat_map(|capacity| &capacity.brokers);
    let mut series = text.begin("balance_utilisation");
    for broker in brokers() {
        for resource in Resource::ALL {
            let ppm = broker.headroom[resource].ppm;
            series.value(&[&broker.id.to_string(), resource.word()], ratio(ppm));
        }
    }
    let mut series = text.begin("balance_days_until_full");
    for broker in brokers() {
        for resource in Resource::MEASURED {
            if let Some(parts) = broker.headroom[resource].runs_out {
                series.value(&[&broker.id.to_string(), resource.word()], days(parts));
            }
        }
    }
    let outlooks = || capacity.iter().flat_map(|capacity| capacity.outlooks());
    let mut series = text.begin("balance_outlook_utilisation");
    outlooks().for_each(|(which, one)| _ = series.value(&[which], ratio(one.worst.ppm)));
    let mut series = text.begin("balance_outlook_has_room");
    outlooks().for_each(|(which, one)| _ = series.value(&[which], u8::from(one.has_room)));
    let mut series = text.begin("balance_outlook_days");
    for (which, one) in outlooks() {
        _ = one.runs_out.map(|(parts, _)| _ = series.value(&[which], days(parts)));
    }
}

/// How far groups are behind; nothing is told while that isn't known.
async fn groups(text: &mut Exposition, node: &Node) {
    let count = node.coordination.ask_all(node, |coordinator| coordinator.group_count());
    let asked = timeout(LAGS_WAIT, async { (count.await, lags(node, LAGS_MAX).await) });
    let Ok((Ok(counts), Ok((lags, omitted)))) = asked.await else { return };
    text.begin("groups").value(&[], counts.into_iter().sum::<usize>());
    let mut series = text.begin("group_lag_records");
    for lag in &lags {
        let GroupLag { group, topic, partition, records, .. } = lag;
        series.value(&[group, topic, &partition.to_string()], records);
    }
    let mut series = text.begin("group_lag_seconds");
    for lag in &lags {
        let GroupLag { group, topic, partition, behind_ms, .. } = lag;
        if let Some(ms) = behind_ms {
            let seconds = Duration::from_millis(u64::try_from(*ms).unwrap_or(0)).as_secs_f64();
            series.value(&[group, topic, &partition.to_string()], seconds);
        }
    }
    text.begin("group_lag_omitted").value(&[], omitted);
}

fn process(text: &mut Exposition, directory: &Directory) {
    let is_healthy = u8::from(directory.failure().is_none());
    text.begin("directory_healthy").value(&[], is_healthy);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
        number.unwrap_or(0)
    };
    text.begin("process_resident_bytes").value(&[], field("VmRSS") << 10);
    text.begin("process_anonymous_bytes").value(&[], field("RssAnon") << 10);
    text.begin("process_threads").value(&[], field("Threads"));
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    text.begin("process_open_files").value(&[], files);
    text.begin("build_info").value(&[env!("CARGO_PKG_VERSION")], 1);
}
