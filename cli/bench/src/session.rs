//! A run from its beginning to its end: the topic, the repetitions, what is known of where it ran.
//!
//! Must always hold: a topic that was made is deleted however the run ends, unless it is to stay;
//! what was measured before an interruption is told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logboom_client::{Cluster, ClusterImage};
use logboom_producer::Codec;

use crate::arguments::Plan;
use crate::brokers::Probes;
use crate::clients::Clients;
use crate::load::fill;
use crate::measure::Measurement;
use crate::progress::Progress;
use crate::quantity;
use crate::run::{ClusterFacts, FORMAT, Repetition, Run, Scenario, Settings};
use crate::signals::Signals;
use crate::topic::BenchTopic;
use crate::workload::{Values, Workload};
use crate::{ceiling, machine};

/// How long producers may take to give up what isn't acknowledged after filling.
const CLOSE_MAX: Duration = Duration::from_secs(10);
/// What is written at once for the ceiling: a request of a producer.
const CEILING_PIECE_BYTES: usize = 1 << 20;

/// A run that goes on.
pub(crate) struct Session<'a> {
    plan: Plan<'a>,
    clients: Clients<'a>,
    cluster: Cluster,
    workload: Workload,
    progress: Progress,
    signals: Signals,
    notes: Vec<String>,
    /// Whether the topic wasn't there in the beginning.
    is_made: bool,
    /// Distinguishes this run's records and groups from others'.
    id: u64,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    AsPlanned,
    Interrupted,
    /// What failed made going on useless.
    GaveUp,
}

impl<'a> Session<'a> {
    /// # Errors
    /// What was asked for can't be done: a file, a setting, an address.
    pub(crate) fn new(plan: Plan<'a>) -> Result<Self, String> {
        let records = plan.records;
        let seed = plan.load.seed;
        let values = Values::new(&records.record_bytes, records.entropy, seed)?;
        let clients = Clients::new(plan)?;
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Ok(Self {
            cluster: clients.cluster()?,
            clients,
            plan,
            workload: Workload { keys: records.keys, values: values.into(), seed },
            progress: Progress::new(),
            signals: Signals::new().map_err(|error| format!("signals: {error}"))?,
            notes: Vec::new(),
            is_made: false,
            // The lower half changes from run to run.
            id: u64::try_from(nanos & u128::from(u64::MAX)).unwrap_or_default(),
        })
    }

    /// Runs all repetitions.
    ///
    /// # Errors
    /// What the cluster says, with nothing measured.
    pub(crate) async fn run(mut self, command: String) -> Result<Run, String> {
        let load = self.plan.load;
        let started = jiff::Timestamp::now().to_string();
        let machine = machine::facts();
        let image = self.cluster.image(Some(&[])).await.map_err(|error| error.to_string())?;
        let (probes, left_out) = Probes::find(&image, &load.admin)?;
        self.notes.extend(left_out);
        self.note_file();
        let mut run = Run {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            command,
            scenario: self.plan.scenario,
            settings: self.settings()?,
            machine,
            cluster: facts(&load.bootstrap, &image),
            repetitions: Vec::new(),
            interrupted: false,
            failure: None,
            notes: Vec::new(),
        };
        let result = self.repeat(&probes, &mut run).await;
        self.progress.clear();
        for key in self.clients.unused() {
            self.notes.push(format!("no client has a setting {key}"));
        }
        run.notes = self.notes;
        match result {
            // Others may have been measured before.
            Err(error) if !run.repetitions.is_empty() => {
                run.interrupted = true;
                run.failure = Some(error);
                Ok(run)
            }
            result => result.map(|()| run),
        }
    }

    async fn repeat(&mut self, probes: &Probes, run: &mut Run) -> Result<(), String> {
        let load = self.plan.load;
        let mut kept: Option<BenchTopic> = None;
        for number in 1..=load.repeat {
            let (topic, is_filled) = match kept.take() {
                Some(topic) => (topic, true),
                None => (self.topic(number).await?, false),
            };
            run.settings.partitions = topic.partitions;
            run.settings.replication_factor = topic.replication_factor;
            let result = match is_filled {
                true => self.one(&topic, probes, number).await,
                false => self.fill_and_measure(&topic, probes, number).await,
            };
            let is_last = number == load.repeat || !matches!(result, Ok((_, Ended::AsPlanned)));
            // What was filled is read again.
            let is_read_again = self.plan.scenario == Scenario::Consume && !is_last;
            if is_read_again {
                kept = Some(topic);
            } else if !load.keep_topic
                && let Err(left) = topic.clear_away(&self.cluster).await
            {
                self.notes.push(left);
            }
            let (repetition, ended) = result?;
            run.repetitions.push(repetition);
            if ended != Ended::AsPlanned {
                run.interrupted = true;
                if ended == Ended::GaveUp {
                    run.failure = run.first_failure().map(str::to_owned);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// The topic of a repetition; each has one of its own, where they are made.
    async fn topic(&mut self, number: u64) -> Result<BenchTopic, String> {
        let load = self.plan.load;
        let name = match self.is_made {
            true => format!("{}-{number}", load.topic),
            false => load.topic.clone(),
        };
        let topic = BenchTopic::prepare(&self.cluster, &name, load).await?;
        self.is_made |= topic.is_made;
        Ok(topic)
    }

    async fn fill_and_measure(
        &mut self,
        topic: &BenchTopic,
        probes: &Probes,
        number: u64,
    ) -> Result<(Repetition, Ended), String> {
        if let Some(bytes) = self.plan.fill.filter(|_| topic.is_made) {
            self.fill(topic, bytes).await?;
        }
        self.one(topic, probes, number).await
    }

    /// Writes into a topic that was made what is to be read.
    async fn fill(&mut self, topic: &BenchTopic, bytes: u64) -> Result<(), String> {
        let Some(producer) = self.clients.producers(1)?.pop() else { return Ok(()) };
        let wanted = self.plan.load.records.filter(|_| self.plan.scenario == Scenario::Consume);
        let limits = wanted.map_or((u64::MAX, bytes), |records| (records, u64::MAX));
        let Self { progress, signals, workload, .. } = self;
        let tell = |sent| progress.show(|| format!("filling: {} sent", quantity::binary(sent)));
        let filled = tokio::select! {
            filled = fill(&producer, &topic.name, workload, limits, tell) => {
                filled.map(drop).map_err(|error| format!("fill: {error}"))
            }
            () = signals.next() => Err("interrupted while the topic was filled".to_owned()),
        };
        producer.close(CLOSE_MAX).await;
        filled
    }

    /// Measures once.
    async fn one(
        &mut self,
        topic: &BenchTopic,
        probes: &Probes,
        number: u64,
    ) -> Result<(Repetition, Ended), String> {
        let measurement = Measurement {
            plan: self.plan,
            clients: &self.clients,
            cluster: &self.cluster,
            workload: &self.workload,
            topic,
            probes,
            number,
            id: self.id.wrapping_add(number),
        };
        let result = measurement.run(&mut self.progress, &mut self.signals).await;
        let (mut repetition, ended) = result?;
        if !self.plan.load.no_ceiling && ended == Ended::AsPlanned {
            self.progress.show(|| "measuring what the machine does without a broker".to_owned());
            let dir = self.plan.load.ceiling_dir.clone();
            let measure = move || ceiling::measure(CEILING_PIECE_BYTES, dir.as_deref());
            let measured = tokio::task::spawn_blocking(measure).await;
            let (ceiling, faults) = measured.map_err(|error| format!("ceiling: {error}"))?;
            repetition.ceiling = Some(ceiling);
            for fault in faults {
                // Once, however often it is repeated.
                if !self.notes.contains(&fault) {
                    self.notes.push(fault);
                }
            }
        }
        Ok((repetition, ended))
    }

    fn note_file(&mut self) {
        if let Values::Lines { text, ends, is_part: true } = &*self.workload.values {
            let (lines, bytes) = (ends.len(), quantity::binary(text.len() as u64));
            let note = format!("of the file only the first {lines} lines are sent, {bytes}");
            self.notes.push(note);
        }
    }

    fn settings(&self) -> Result<Settings, String> {
        let Plan { load, records, scenario, .. } = self.plan;
        let produces = scenario.produces();
        let rate = self.plan.rate.filter(|rate| rate.rate.is_some());
        // Without a codec it is told what one would make of them.
        let codec = match self.clients.codec() {
            Codec::None => Codec::Lz4,
            codec => codec,
        };
        let share = self.workload.compressed_share(codec);
        let is_made = !matches!(*self.workload.values, Values::Lines { .. });
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Settings {
            topic: load.topic.clone(),
            partitions: 0,
            replication_factor: 0,
            producers: count(self.plan.producers),
            consumers: count(self.plan.consumers * self.plan.group_count()),
            groups: count(self.plan.group_count()),
            rate: rate.and_then(|rate| rate.rate),
            arrivals: rate.map(|rate| rate.arrivals.to_string()),
            record_bytes: records.record_bytes.to_string(),
            record_bytes_mean: self.workload.values.bytes_mean(load.seed),
            keys: records.keys.to_string(),
            entropy: is_made.then_some(records.entropy),
            compressed_share: share.map_err(|error| format!("a sample of the records: {error}"))?,
            compressed_by: codec_name(codec).to_owned(),
            acks: produces.then(|| self.clients.acks_name()),
            compression: produces.then(|| codec_name(self.clients.codec()).to_owned()),
            linger_ms: records.linger.map(|linger| linger.as_secs_f64() * 1e3),
            batch_bytes: records.batch_bytes.map(|bytes| bytes as u64),
            records: load.records,
            duration_seconds: self.plan.duration().map(|time| time.as_secs_f64()),
            warmup_seconds: self.plan.warmup().as_secs_f64(),
            seed: load.seed,
            properties: self.clients.asked.clone(),
        })
    }
}

fn facts(bootstrap: &str, image: &ClusterImage) -> ClusterFacts {
    ClusterFacts {
        bootstrap: bootstrap.to_owned(),
        id: image.cluster_id.clone(),
        brokers: image.brokers.len(),
    }
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::None => "none",
        Codec::Gzip => "gzip",
        Codec::Snappy => "snappy",
        Codec::Lz4 => "lz4",
        Codec::Zstd => "zstd",
    }
}
