//! Every metric: name, kind, unit, labels, help.
//!
//! `docs/operations.md` has the same table, and a test compares the two.

/// What a series does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// Prometheus' word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug)]
pub(crate) struct Metric {
    /// Behind `logboom_`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Of the value; of a histogram, of what is observed.
    pub(crate) unit: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, help }
}

/// All of them, in the order in which they are told.
pub(crate) static TABLE: [Metric; 68] = [
    metric(
        "requests_seconds",
        Kind::Histogram,
        "seconds",
        &["api"],
        "From a request's last byte to its answer's first, by API.",
    ),
    metric(
        "requests_closed_total",
        Kind::Counter,
        "requests",
        &["api"],
        "Requests whose connection was closed instead of an answer, by API.",
    ),
    metric(
        "received_bytes_total",
        Kind::Counter,
        "bytes",
        &[],
        "Bytes of whole requests that came.",
    ),
    metric("sent_bytes_total", Kind::Counter, "bytes", &[], "Bytes of answers that went."),
    metric(
        "connections_accepted_total",
        Kind::Counter,
        "connections",
        &[],
        "Connections that were let in.",
    ),
    metric(
        "connections_refused_total",
        Kind::Counter,
        "connections",
        &[],
        "Connections beyond max.connections or max.connections.per.ip.",
    ),
    metric(
        "connections_expelled_total",
        Kind::Counter,
        "connections",
        &[],
        "Connections closed for a request that stalled, was none or too large, or slow reading.",
    ),
    metric("connections_open", Kind::Gauge, "connections", &[], "Connections at this moment."),
    metric(
        "queued_bytes",
        Kind::Gauge,
        "bytes",
        &[],
        "Room taken by requests that are arriving or not answered; see queued.max.request.bytes.",
    ),
    metric(
        "queued_response_bytes",
        Kind::Gauge,
        "bytes",
        &[],
        "Memory of answers that are made and not sent; see queued.max.response.bytes.",
    ),
    metric(
        "produce_batches_total",
        Kind::Counter,
        "batches",
        &[],
        "Batches that were appended for producers.",
    ),
    metric("produce_records_total", Kind::Counter, "records", &[], "Records in them."),
    metric("produce_bytes_total", Kind::Counter, "bytes", &[], "Bytes of them, as stored."),
    metric(
        "produce_errors_total",
        Kind::Counter,
        "batches",
        &["code"],
        "Batches of producers that were refused, by the protocol's error code.",
    ),
    metric(
        "fetch_errors_total",
        Kind::Counter,
        "partitions",
        &["code"],
        "Partitions of fetches that were answered with an error, by the protocol's error code.",
    ),
    metric(
        "flush_seconds",
        Kind::Histogram,
        "seconds",
        &[],
        "From asking for a flush of a log to its end, the wait for a thread included.",
    ),
    metric(
        "flushes_failed_total",
        Kind::Counter,
        "flushes",
        &[],
        "Flushes that failed; one takes the data directory out of service.",
    ),
    metric(
        "controller_decisions_total",
        Kind::Counter,
        "decisions",
        &[],
        "Decisions of the controller that changed the metadata.",
    ),
    metric(
        "controller_active",
        Kind::Gauge,
        "truth",
        &[],
        "1 while this broker is the controller, else 0.",
    ),
    metric(
        "brokers_in_contact",
        Kind::Gauge,
        "brokers",
        &[],
        "Brokers of the cluster that are in contact with the controller, this one included.",
    ),
    metric(
        "partitions_offline",
        Kind::Gauge,
        "partitions",
        &[],
        "Partitions of the cluster that nobody leads, as the controller knows; 0 elsewhere.",
    ),
    metric(
        "partitions_under_replicated",
        Kind::Gauge,
        "partitions",
        &[],
        "Partitions led here of which a replica isn't in sync.",
    ),
    metric(
        "cleaner_seconds",
        Kind::Histogram,
        "seconds",
        &[],
        "From the begin to the end of a compaction of a log, with what throttles it.",
    ),
    metric(
        "cleaner_errors_total",
        Kind::Counter,
        "logs",
        &[],
        "Compactions that ended with an error, as where a log is damaged or the disk is full.",
    ),
    metric(
        "cleaner_read_bytes_total",
        Kind::Counter,
        "bytes",
        &[],
        "Bytes of logs that compaction read, those that were dirty twice.",
    ),
    metric(
        "cleaner_written_bytes_total",
        Kind::Counter,
        "bytes",
        &[],
        "Bytes of the files that compaction made.",
    ),
    metric(
        "cleaner_removed_records_total",
        Kind::Counter,
        "records",
        &[],
        "Records that compaction removed.",
    ),
    metric(
        "cleaner_threads_busy",
        Kind::Gauge,
        "threads",
        &[],
        "Threads that compact a log at this moment.",
    ),
    metric(
        "cleaner_dirty_ratio_max",
        Kind::Gauge,
        "ratio",
        &[],
        "The greatest part of a log that waits to be compacted, 0 to 1, when last looked for.",
    ),
    metric(
        "scrub_read_bytes_total",
        Kind::Counter,
        "bytes",
        &[],
        "Bytes of logs that the scrub has read.",
    ),
    metric(
        "scrub_rounds_total",
        Kind::Counter,
        "rounds",
        &[],
        "How often the scrub has read all logs.",
    ),
    metric(
        "damaged_segments_total",
        Kind::Counter,
        "segments",
        &[],
        "Segments that were found to be damaged.",
    ),
    metric(
        "damaged_partitions",
        Kind::Gauge,
        "partitions",
        &[],
        "Partitions here of which a part is damaged, and is not served here.",
    ),
    metric(
        "repaired_segments_total",
        Kind::Counter,
        "segments",
        &[],
        "Segments that were made anew of what other replicas have.",
    ),
    metric(
        "repair_fetched_bytes_total",
        Kind::Counter,
        "bytes",
        &[],
        "Bytes that other replicas gave for it.",
    ),
    metric(
        "repair_failures_total",
        Kind::Counter,
        "attempts",
        &[],
        "Attempts to repair that have failed; they are repeated.",
    ),
    metric(
        "balance_moves_total",
        Kind::Counter,
        "moves",
        &[],
        "Moves of replicas and leaders that were begun by this broker's decision.",
    ),
    metric(
        "balance_moves_left",
        Kind::Gauge,
        "moves",
        &[],
        "Moves of the plan that aren't over; 0 where another broker decides.",
    ),
    metric("balance_bytes_left", Kind::Gauge, "bytes", &[], "Bytes that those copy."),
    metric("balance_seconds_left", Kind::Gauge, "seconds", &[], "How long that takes at least."),
    metric(
        "balance_load",
        Kind::Gauge,
        "amount",
        &["broker", "resource"],
        "What a broker has that is in contact and not drained; nothing where another one decides.",
    ),
    metric(
        "balance_capacity",
        Kind::Gauge,
        "amount",
        &["broker", "resource"],
        "What it may have, where there is a limit.",
    ),
    metric("balance_unmet", Kind::Gauge, "replicas", &[], "Replicas that should move and can't."),
    metric(
        "balance_worst_utilisation",
        Kind::Gauge,
        "ratio",
        &[],
        "The worst weighted utilisation of a broker, as of the last plan.",
    ),
    metric(
        "balance_bound_utilisation",
        Kind::Gauge,
        "ratio",
        &[],
        "What no plan with all replicas on active brokers betters.",
    ),
    metric(
        "balance_growth_per_day",
        Kind::Gauge,
        "amount",
        &["resource"],
        "How all loads together grow, once that is known.",
    ),
    metric(
        "balance_days_until_full",
        Kind::Gauge,
        "days",
        &["broker", "resource"],
        "Until a broker has run out at that trend, where it ever does.",
    ),
    metric(
        "balance_drain_replicas",
        Kind::Gauge,
        "replicas",
        &["broker"],
        "What a drained broker still has.",
    ),
    metric("balance_drain_leaders", Kind::Gauge, "partitions", &["broker"], "What it still leads."),
    metric(
        "balance_drain_moving",
        Kind::Gauge,
        "replicas",
        &["broker"],
        "Of its replicas, those that are on their way to others.",
    ),
    metric(
        "balance_moves_endless",
        Kind::Gauge,
        "partitions",
        &[],
        "Partitions whose new replicas never catch up.",
    ),
    metric("topics", Kind::Gauge, "topics", &[], "Topics of the cluster."),
    metric("partitions", Kind::Gauge, "partitions", &[], "Partitions with a replica here."),
    metric("log_bytes", Kind::Gauge, "bytes", &[], "Bytes of all logs here."),
    metric(
        "partition_log_bytes",
        Kind::Gauge,
        "bytes",
        &["topic", "partition"],
        "Bytes of a partition's log.",
    ),
    metric(
        "partition_log_start_offset",
        Kind::Gauge,
        "offset",
        &["topic", "partition"],
        "The first offset that a partition keeps, inclusive.",
    ),
    metric(
        "partition_high_watermark",
        Kind::Gauge,
        "offset",
        &["topic", "partition"],
        "The offset behind the last committed record.",
    ),
    metric(
        "partition_end_offset",
        Kind::Gauge,
        "offset",
        &["topic", "partition"],
        "The offset behind the last record, committed or not.",
    ),
    metric("groups", Kind::Gauge, "groups", &[], "Consumer groups that are coordinated here."),
    metric(
        "group_lag_records",
        Kind::Gauge,
        "records",
        &["group", "topic", "partition"],
        "Records between what a group has committed and the high watermark.",
    ),
    metric(
        "group_lag_seconds",
        Kind::Gauge,
        "seconds",
        &["group", "topic", "partition"],
        "Age of the batch that a group reads next, 0 at the end; not told where it isn't cached.",
    ),
    metric(
        "group_lag_omitted",
        Kind::Gauge,
        "series",
        &[],
        "Partitions of groups whose lag is not told because there are more than 10,000.",
    ),
    metric(
        "directory_healthy",
        Kind::Gauge,
        "truth",
        &[],
        "1 while the data directory is in service, else 0.",
    ),
    metric(
        "process_resident_bytes",
        Kind::Gauge,
        "bytes",
        &[],
        "Memory of the process, mapped files included.",
    ),
    metric(
        "process_anonymous_bytes",
        Kind::Gauge,
        "bytes",
        &[],
        "Memory of the process without mapped files.",
    ),
    metric("process_threads", Kind::Gauge, "threads", &[], "Threads of the process."),
    metric(
        "process_open_files",
        Kind::Gauge,
        "files",
        &[],
        "Open files and sockets of the process.",
    ),
    metric("build_info", Kind::Gauge, "truth", &["version"], "1; the version is in the label."),
];
