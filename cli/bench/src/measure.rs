//! One measurement: clients are started, what they do is measured for its time, and what is under
//! way then is waited for.
//!
//! ```text
//!   start ── warm-up ──┬── measured: counts by when records came, ──┬── under way: latencies only
//!                      │   latencies by when they were due          │
//!                    open                                         close
//! ```
//!
//! Reading what is there begins after the warm-up; it opens with the first records, which don't
//! count, and closes with the last.
//!
//! Must always hold: what was due until the close is measured, however late it is done; when it
//! closes doesn't depend on when somebody sees that it is time.

use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use logboom_client::Cluster;

use crate::arguments::Plan;
use crate::brokers::{Probes, Reading};
use crate::clients::Clients;
use crate::latency::Latencies;
use crate::load::{Consuming, Extent, Phase, Producing, ReadKind, SenderSettings, Shared, locked};
use crate::numbers::{duration_nanos, per_second, seconds};
use crate::pace::Clock as _;
use crate::process::{own_cpu_seconds, own_rss_bytes_max};
use crate::progress::Progress;
use crate::quantity;
use crate::run::{ClientUse, Flow, Repetition, Scenario};
use crate::session::Ended;
use crate::signals::Signals;
use crate::timeline::{Point, Tally, Timeline};
use crate::topic::BenchTopic;
use crate::workload::Workload;

/// How long what is under way may take in the end. What takes longer counts as failed.
const FINISH_MAX: Duration = Duration::from_secs(10);
/// How long nothing may be read where there is something to read.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether everything has come.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often progress is shown at least.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// Why nothing is told.
const TOO_EARLY: &str = "it was interrupted before anything was measured";

/// What is measured, and of whom.
pub(crate) struct Measurement<'a> {
    pub(crate) plan: Plan<'a>,
    pub(crate) clients: &'a Clients<'a>,
    pub(crate) cluster: &'a Cluster,
    pub(crate) workload: &'a Workload,
    pub(crate) topic: &'a BenchTopic,
    pub(crate) probes: &'a Probes,
    /// Of the repetition, from 1.
    pub(crate) number: u64,
    /// Marks the records.
    pub(crate) id: u64,
}

/// One side of a load over time.
struct Side {
    timeline: Timeline,
    tallies: Vec<Arc<Mutex<Tally>>>,
}

impl Side {
    fn new(interval: Duration, tallies: &[Arc<Mutex<Tally>>]) -> Self {
        Self { timeline: Timeline::new(duration_nanos(interval)), tallies: tallies.to_vec() }
    }

    /// Takes what has come.
    fn drain(&mut self) {
        for tally in &self.tallies {
            self.timeline.drain(&mut locked(tally));
        }
    }

    fn close(&mut self, now: u64) -> Option<Point> {
        self.drain();
        self.timeline.close(now).cloned()
    }

    /// Takes all that has come of what was measured. Returns of how many records it was measured
    /// how long they took.
    ///
    /// - `length`: of what was measured, nanoseconds.
    fn settle(&mut self, length: u64) -> u64 {
        self.close(length);
        // Of what came later only the latencies count.
        self.close(length);
        self.timeline.latencies().count()
    }

    /// The same of a side to which so many records should have come: what is missing never came.
    fn settle_of(&mut self, due: u64, length: u64) {
        let came = self.settle(length);
        self.timeline.lose(due.saturating_sub(came));
    }
}

/// A load that runs.
struct Running {
    shared: Arc<Shared>,
    producing: Option<Producing>,
    consuming: Option<Consuming>,
    produced: Option<Side>,
    consumed: Option<Side>,
    /// Whether consumers read the records of this load.
    reads_own: bool,
    groups: u64,
    started: u64,
}

/// What was taken when measuring began.
struct Opening {
    cpu_seconds: f64,
    brokers: Reading,
}

impl Measurement<'_> {
    /// Measures.
    ///
    /// # Errors
    /// Clients can't be made, or what they do is refused.
    pub(crate) async fn run(
        &self,
        progress: &mut Progress,
        signals: &mut Signals,
    ) -> Result<(Repetition, Ended), String> {
        let early = self.opening();
        let mut running = signals.race(self.start()).await.ok_or(TOO_EARLY)??;
        let opened = signals.race(self.open(&mut running)).await;
        if let Err(error) = opened.unwrap_or_else(|| Err(TOO_EARLY.to_owned())) {
            running.abandon().await;
            return Err(error);
        }
        let opening = if self.opens_at_once() { early } else { self.opening() };
        let ended = match self.watch(&mut running, progress, signals).await {
            _ if running.shared.has_given_up() => Ended::GaveUp,
            ended => ended,
        };
        let now = running.shared.now();
        match ended {
            Ended::AsPlanned if self.plan.duration().is_some() => {}
            Ended::AsPlanned => running.shared.close_behind_last(),
            Ended::Interrupted | Ended::GaveUp => running.shared.close(now),
        }
        let Range { start: from, end: to } = running.shared.window();
        let length = to.saturating_sub(from);
        let client = ClientUse {
            seconds: seconds(now.saturating_sub(from)),
            cpu_seconds: own_cpu_seconds() - opening.cpu_seconds,
            rss_bytes_max: own_rss_bytes_max(),
        };
        let brokers = self.probes.between(&opening.brokers, &self.probes.read());
        progress.show(|| "waiting for what is under way".to_owned());
        let mut repetition = running.finish_or_give_up(length, signals).await?;
        let ended = match ended {
            Ended::AsPlanned if signals.have_come() => Ended::Interrupted,
            ended => ended,
        };
        (repetition.client, repetition.brokers) = (client, brokers);
        repetition.is_cut_short = ended != Ended::AsPlanned;
        Ok((repetition, ended))
    }

    fn opening(&self) -> Opening {
        Opening { cpu_seconds: own_cpu_seconds(), brokers: self.probes.read() }
    }

    /// Whether the first record counts: nothing goes before what is measured.
    fn opens_at_once(&self) -> bool {
        self.plan.scenario == Scenario::Produce && self.plan.warmup().is_zero()
    }

    /// Starts the clients; consumers first, so that they miss nothing, unless they read what is
    /// there after the warm-up.
    async fn start(&self) -> Result<Running, String> {
        let Plan { scenario, load, .. } = self.plan;
        let records = load.records.filter(|_| scenario.produces());
        let groups = usize::try_from(self.plan.group_count()).unwrap_or_default();
        let shared = Arc::new(Shared::new(records, self.plan.duration(), self.id, groups));
        let started = shared.now();
        let consuming = match scenario {
            Scenario::EndToEnd => Some(self.start_consumers(&shared).await?),
            Scenario::Produce | Scenario::Consume | Scenario::Mixed => None,
        };
        if self.opens_at_once() {
            shared.open(shared.now());
        }
        let producing = match scenario.produces() {
            true => Some(self.start_producers(&shared)?),
            false => None,
        };
        let every = load.interval;
        Ok(Running {
            produced: producing.as_ref().map(|side| Side::new(every, side.tallies())),
            consumed: consuming.as_ref().map(|side| Side::new(every, side.tallies())),
            shared,
            producing,
            consuming,
            reads_own: scenario == Scenario::EndToEnd,
            groups: self.plan.group_count(),
            started,
        })
    }

    fn start_producers(&self, shared: &Arc<Shared>) -> Result<Producing, String> {
        let rate = self.plan.rate.and_then(|rate| Some((rate.rate?, rate.arrivals)));
        let settings = SenderSettings {
            topic: self.topic.name.clone(),
            workload: self.workload.clone(),
            rate,
            is_marked: self.plan.scenario == Scenario::EndToEnd,
        };
        Producing::start(self.clients.producers(self.plan.producers)?, &settings, shared)
    }

    async fn start_consumers(&self, shared: &Arc<Shared>) -> Result<Consuming, String> {
        let (begins, ends) = self.topic.ends(self.cluster).await?;
        let is_there = self.plan.scenario.reads_what_is_there();
        if is_there && begins == ends {
            return Err(format!("topic {}: it has no records to read", self.topic.name));
        }
        let groups = usize::try_from(self.plan.group_count()).unwrap_or_default();
        let (kind, starts, extent) = match is_there {
            true => {
                let enough = self.plan.load.records;
                let enough = enough.filter(|_| self.plan.scenario == Scenario::Consume);
                let extent = Extent::new(&begins, Some(&ends), enough, groups);
                (ReadKind::There, &begins, extent)
            }
            false => (ReadKind::Own, &ends, Extent::new(&ends, None, None, groups)),
        };
        let run = format!("{:x}", self.id);
        let consumers = self.clients.consumers(&self.topic.name, starts, &run)?;
        Ok(Consuming::start(consumers, kind, extent, shared))
    }

    /// Waits until it is time to measure.
    async fn open(&self, running: &mut Running) -> Result<(), String> {
        let shared = Arc::clone(&running.shared);
        tokio::select! {
            () = sleep(self.plan.warmup()) => {}
            () = shared.reached(Phase::Over) => {}
        }
        if self.plan.scenario.reads_what_is_there() {
            running.started = shared.now();
            let consuming = self.start_consumers(&shared).await?;
            running.consumed = Some(Side::new(self.plan.load.interval, consuming.tallies()));
            running.consuming = Some(consuming);
            self.first_read(&shared).await?;
        } else {
            if self.plan.scenario == Scenario::EndToEnd {
                self.consumers_ready(&shared).await?;
            }
            shared.open(shared.now());
        }
        match shared.failures() {
            (_, Some(why)) if shared.has_given_up() => Err(why),
            _ => Ok(()),
        }
    }

    /// Waits until something was read, which opens what is measured.
    async fn first_read(&self, shared: &Shared) -> Result<(), String> {
        let came = async {
            while shared.opened().is_none() && shared.phase() == Phase::Running {
                sleep(LOOK_EVERY).await;
            }
        };
        let limit = SILENCE_MAX.as_secs();
        let silence = |_| format!("topic {}: nothing came for {limit} s", self.topic.name);
        timeout(SILENCE_MAX, came).await.map_err(silence)?;
        match shared.opened() {
            None if !shared.has_given_up() => {
                Err(format!("topic {}: it has no records to read", self.topic.name))
            }
            _ => Ok(()),
        }
    }

    /// Waits until all groups have read what was acknowledged at some moment: a group takes seconds
    /// to share its partitions, which is no latency of records.
    async fn consumers_ready(&self, shared: &Shared) -> Result<(), String> {
        let is_over = || shared.phase() == Phase::Over;
        let ready = async {
            // First something, then what has piled up until then.
            for _ in 0..2 {
                let mut target = 0;
                while !is_over() && (target == 0 || shared.unread(target) > 0) {
                    if target == 0 {
                        target = shared.acknowledged();
                    }
                    sleep(LOOK_EVERY).await;
                }
            }
        };
        let limit = SILENCE_MAX.as_secs();
        let late = |_| format!("topic {}: consumers read nothing for {limit} s", self.topic.name);
        timeout(SILENCE_MAX, ready).await.map_err(late)
    }

    /// Watches the load until it is over.
    async fn watch(
        &self,
        running: &mut Running,
        progress: &mut Progress,
        signals: &mut Signals,
    ) -> Ended {
        let shared = Arc::clone(&running.shared);
        let from = shared.opened().unwrap_or_default();
        let left = |duration| duration_nanos(duration).saturating_sub(shared.now() - from);
        let deadline = self.plan.duration().map(|duration| Duration::from_nanos(left(duration)));
        let deadline = deadline.map(|left| Instant::now() + left);
        let mut ticks = interval(self.plan.load.interval.min(SHOW_EVERY));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = (shared.read(), Instant::now());
        loop {
            let Running { producing, .. } = running;
            tokio::select! {
                biased;
                () = signals.next() => return Ended::Interrupted,
                () = until(deadline) => return Ended::AsPlanned,
                () = shared.reached(Phase::Due) => return Ended::AsPlanned,
                () = settled(producing.as_mut()) => {
                    self.all_read(&shared).await;
                    return Ended::AsPlanned;
                }
                _ = ticks.tick() => {
                    let text = running.tick(shared.now() - from);
                    progress.show(|| self.progress(shared.now() - from, &text));
                    let read = shared.read();
                    if read != heard.0 || !self.plan.scenario.reads_what_is_there() {
                        heard = (read, Instant::now());
                    } else if heard.1.elapsed() > SILENCE_MAX {
                        let limit = SILENCE_MAX.as_secs();
                        shared.give_up(format!("nothing more came for {limit} s"));
                    }
                }
            }
        }
    }

    /// Waits until what was acknowledged has been read, where it is read.
    async fn all_read(&self, shared: &Shared) {
        if self.plan.scenario == Scenario::EndToEnd {
            all_read(shared).await;
        }
    }

    fn progress(&self, now: u64, text: &str) -> String {
        let of = self
            .plan
            .duration()
            .map_or(String::new(), |all| format!(" of {} s", quantity::three(all.as_secs_f64())));
        let turn = match self.plan.load.repeat {
            1 => String::new(),
            all => format!("{} of {all}, ", self.number),
        };
        format!("{turn}{:.0} s{of}: {text}", seconds(now))
    }
}

/// Waits until all groups have read what was acknowledged, for its time.
async fn all_read(shared: &Shared) {
    let came = async {
        while shared.unread(shared.acknowledged()) > 0 && shared.phase() != Phase::Over {
            sleep(LOOK_EVERY).await;
        }
    };
    // What hasn't come by then is told as missing.
    drop(timeout(FINISH_MAX, came).await);
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn settled(producing: Option<&mut Producing>) {
    match producing {
        Some(producing) => producing.settled().await,
        None => std::future::pending().await,
    }
}

impl Running {
    /// Takes what has come, and says how it goes.
    fn tick(&mut self, now: u64) -> String {
        let mut texts = Vec::new();
        for (verb, side) in [("sent", &mut self.produced), ("read", &mut self.consumed)] {
            let Some(side) = side else { continue };
            side.drain();
            if side.timeline.is_due(now) {
                side.close(now);
            }
            texts.extend(side.timeline.last().map(|point| format!("{verb} {}", told(point))));
        }
        let (failed, _) = self.shared.failures();
        if failed > 0 {
            texts.push(format!("{failed} failed"));
        }
        texts.join("; ")
    }

    /// Ends a load of which nothing is told.
    async fn abandon(self) {
        self.shared.end(Phase::Over);
        if let Some(producing) = self.producing {
            producing.finish(Duration::ZERO, &self.shared).await;
        }
        if let Some(consuming) = self.consuming {
            consuming.finish().await;
        }
    }

    /// As [`Self::finish`], and gives up what is under way when a signal comes.
    async fn finish_or_give_up(
        self,
        length: u64,
        signals: &mut Signals,
    ) -> Result<Repetition, String> {
        let shared = Arc::clone(&self.shared);
        let mut finishing = pin!(self.finish(length));
        match signals.race(&mut finishing).await {
            Some(finished) => finished,
            None => {
                shared.end(Phase::Over);
                finishing.await
            }
        }
    }

    /// Waits for what is under way, and tells what came of all.
    ///
    /// - `length`: of what was measured, nanoseconds.
    async fn finish(mut self, length: u64) -> Result<Repetition, String> {
        let has_given_up = self.shared.has_given_up();
        self.shared.end(Phase::Due);
        let mut handed_over = None;
        if let Some(producing) = self.producing.take() {
            let limit = if has_given_up { Duration::ZERO } else { FINISH_MAX };
            handed_over = Some(producing.finish(limit, &self.shared).await);
        }
        let (failed, first_failure) = self.shared.failures();
        let mut missing = 0;
        if self.reads_own {
            all_read(&self.shared).await;
            missing = self.shared.unread(self.shared.acknowledged());
        }
        self.shared.end(Phase::Over);
        let mut first_record = None;
        if let Some(consuming) = self.consuming.take() {
            first_record = consuming.finish().await;
        }
        let due = self.produced.as_mut().map_or(0, |side| side.settle(length));
        if let Some(side) = self.consumed.as_mut().filter(|_| self.reads_own) {
            // What failed on its way to the cluster never came to any group, too.
            side.settle_of(due * self.groups, length);
        }
        let produced = self.produced.take().map(|side| {
            let mut flow = flow(side, length);
            flow.handed_over = handed_over.as_ref().and_then(Latencies::summary);
            (flow.failed, flow.first_failure) = (failed, first_failure.clone());
            flow
        });
        let consumed = self.consumed.take().map(|side| {
            let mut flow = flow(side, length);
            let since_start = |at: u64| seconds(at.saturating_sub(self.started)) * 1e3;
            flow.first_record_ms = first_record.map(since_start);
            (flow.failed, flow.first_failure) = match produced {
                None => (failed, first_failure.clone()),
                Some(_) if missing > 0 => {
                    (missing, Some("acknowledged, and not read in the end".to_owned()))
                }
                Some(_) => (0, None),
            };
            flow
        });
        let records = [&produced, &consumed].into_iter().flatten().map(|flow| flow.records);
        match (records.sum::<u64>(), first_failure) {
            (0, Some(why)) => Err(why),
            _ => Ok(Repetition { produced, consumed, ..Repetition::default() }),
        }
    }
}

/// What a side has come to.
fn flow(mut side: Side, length: u64) -> Flow {
    side.settle(length);
    let (records, bytes) = side.timeline.total();
    Flow {
        latency: side.timeline.latencies().summary(),
        timeline: side.timeline.into_points(),
        ..Flow::new(records, bytes, seconds(length))
    }
}

/// A point as a person who waits reads it.
fn told(point: &Point) -> String {
    let length = point.to - point.from;
    let records = quantity::grouped(per_second(point.records, length));
    let megabytes = quantity::three(per_second(point.bytes, length) / 1e6);
    let percentile = |name: &str, us: Option<u64>| {
        us.map_or(String::new(), |us| format!(", {name} {}", quantity::micros(us)))
    };
    let (p50, p99) = (percentile("p50", point.p50_us), percentile("p99", point.p99_us));
    format!("{records} records/s, {megabytes} MB/s{p50}{p99}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Sample;

    #[test]
    fn what_was_due_and_never_read_is_lost() {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut side = Side::new(Duration::from_secs(1), &[Arc::clone(&tally)]);
        let sample = Sample { latency: Some(1_000_000), is_lost: false, bytes: Some(7) };
        locked(&tally).take(&[sample; 60]);
        side.settle_of(100, 1_000_000_000);
        let flow = flow(side, 1_000_000_000);
        assert_eq!((flow.records, flow.bytes, flow.timeline.len()), (60, 420, 1));
        let latency = flow.latency.unwrap();
        assert_eq!((latency.count, latency.lost), (100, 40));
        assert_eq!(latency.percentile(50.0), Some(1_000));
    }
}
