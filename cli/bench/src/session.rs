//! A run from its beginning to its end: the topic, the repetitions, what is known of where it ran.
//!
//! Must always hold: a topic that was made is deleted however the run ends, unless it is to stay;
//! where it may be left, that is told; what was measured before an interruption is told; a signal
//! ends what goes on, whatever that is.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

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

/// How long a topic's deletion may take once a signal has come; another one ends it.
const CLEAR_MAX: Duration = Duration::from_secs(5);
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
        plan.check()?;
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
        let image = self.signals.race(self.cluster.image(Some(&[]))).await;
        let image = image.ok_or("interrupted before the cluster has answered")?;
        let image = image.map_err(|error| error.to_string())?;
        let (probes, left_out) = Probes::find(&image, &load.admin)?;
        self.notes.extend(left_out);
        self.notes.extend(self.clients.overridden());
        self.note_file();
        let mut run = Run {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            command,
            scenario: self.plan.scenario,
            settings: self.settings()?,
            machine,
            cluster: facts(self.clients.bootstrap(), &image, &probes),
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
                run.failure = Some(error).filter(|_| !self.signals.have_come());
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
            } else {
                let left = self.clear_away(&topic).await;
                self.notes.extend(left);
            }
            let (repetition, ended) = result?;
            run.repetitions.push(repetition);
            // Also one that came while the topic was deleted, unless all is done.
            let is_ended = self.signals.have_come() && number < load.repeat;
            if ended != Ended::AsPlanned || is_ended {
                run.interrupted = true;
                if ended == Ended::GaveUp {
                    run.failure = run.first_failure().map(str::to_owned);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// The topic of a repetition; each has one of its own, where they are made: a name that was
    /// deleted can't be had again at once.
    async fn topic(&mut self, number: u64) -> Result<BenchTopic, String> {
        let load = self.plan.load;
        let (prepared, name) = match self.is_made {
            true => {
                let name = format!("{}-{:x}-{number}", load.topic, self.id);
                (self.signals.race(BenchTopic::make(&self.cluster, &name, load)).await, name)
            }
            false => {
                let name = load.topic.clone();
                (self.signals.race(BenchTopic::prepare(&self.cluster, &name, load)).await, name)
            }
        };
        let may_be_left = || format!("interrupted while topic {name} was made; it may be left");
        let topic = prepared.ok_or_else(may_be_left)??;
        self.is_made |= topic.is_made;
        let led = self.signals.race(topic.led(&self.cluster)).await;
        let led = led.unwrap_or_else(|| Err("interrupted while the topic was made".to_owned()));
        // Nobody has said of a topic that was there how many partitions it has.
        let led = led.and_then(|topic| {
            self.plan.check_lanes(topic.partitions as u64)?;
            Ok(topic)
        });
        match led {
            Err(why) => {
                let left = self.clear_away(&topic).await;
                Err([Some(why), left].into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
            led => led,
        }
    }

    /// Deletes a topic, if it was made and isn't to stay. Returns what is left, if that is.
    async fn clear_away(&mut self, topic: &BenchTopic) -> Option<String> {
        if self.plan.load.keep_topic {
            return None;
        }
        let mut clearing = pin!(topic.clear_away(&self.cluster));
        if !self.signals.have_come()
            && let Some(cleared) = self.signals.race(&mut clearing).await
        {
            return cleared.err();
        }
        let hurried = self.signals.race(timeout(CLEAR_MAX, clearing)).await;
        let cleared = hurried.and_then(Result::ok).unwrap_or_else(|| {
            Err(format!("topic {} may be left: interrupted while it was deleted", topic.name))
        });
        cleared.err()
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
        // All have ended, or none is waited for any more.
        producer.close(Duration::ZERO).await;
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
            let (dir, stop) =
                (self.plan.load.ceiling_dir.clone(), Arc::new(AtomicBool::new(false)));
            let told = Arc::clone(&stop);
            let measure = move || ceiling::measure(CEILING_PIECE_BYTES, dir.as_deref(), &told);
            let mut measuring = tokio::task::spawn_blocking(measure);
            let Some(measured) = self.signals.race(&mut measuring).await else {
                stop.store(true, Ordering::Relaxed);
                // It deletes the file that it writes.
                drop(measuring.await);
                return Ok((repetition, Ended::Interrupted));
            };
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
            topic_config: Some(load.topic_config.clone()),
            fill_bytes: self.plan.fill,
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

fn facts(bootstrap: &str, image: &ClusterImage, probes: &Probes) -> ClusterFacts {
    ClusterFacts {
        bootstrap: bootstrap.to_owned(),
        id: image.cluster_id.clone(),
        brokers: image.brokers.len(),
        versions: probes.versions(),
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use bytes::Bytes;
    use rustix::process::{Signal, getpid, kill_process};
    use tokio::signal::unix::SignalKind;

    use logboom_client::testing::{Arrived, ScriptedBroker};
    use logboom_protocol::messages::create_topics::{
        CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
    };
    use logboom_protocol::messages::delete_topics::{
        DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
    };
    use logboom_protocol::messages::metadata::{
        MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponseTopic,
    };
    use logboom_protocol::{ApiKey, ErrorCode};

    use super::*;
    use crate::arguments::testing::parsed;

    /// Answers whoever makes, looks for and deletes topics.
    struct Topics {
        port: u16,
        created: ErrorCode,
        /// What is said of a topic once it was made.
        looked_at: ErrorCode,
        is_made: bool,
        told: mpsc::Sender<(ApiKey, String)>,
    }

    impl Topics {
        fn answer(&mut self, asked: &Arrived) -> Bytes {
            match asked.api {
                ApiKey::Metadata => self.metadata(asked),
                ApiKey::CreateTopics => {
                    self.is_made = true;
                    let name = asked.decode::<CreateTopicsRequest>().topics.remove(0).name;
                    self.told.send((asked.api, name.to_string())).unwrap();
                    let error_code = self.created;
                    let result = CreatableTopicResult { name, error_code, ..Default::default() };
                    let topics = vec![result];
                    asked.answer(&CreateTopicsResponse { topics, ..Default::default() })
                }
                ApiKey::DeleteTopics => {
                    let name = asked.decode::<DeleteTopicsRequest>().topic_names.remove(0);
                    self.told.send((asked.api, name.to_string())).unwrap();
                    let result = DeletableTopicResult { name: Some(name), ..Default::default() };
                    let responses = vec![result];
                    asked.answer(&DeleteTopicsResponse { responses, ..Default::default() })
                }
                other => panic!("{other} isn't for topics"),
            }
        }

        fn metadata(&self, asked: &Arrived) -> Bytes {
            let error_code = match self.is_made {
                true => self.looked_at,
                false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            };
            let topic = |name| MetadataResponseTopic { error_code, name, ..Default::default() };
            let names = asked.decode::<MetadataRequest>().topics.unwrap_or_default();
            asked.answer(&MetadataResponse {
                brokers: vec![MetadataResponseBroker {
                    node_id: 1,
                    host: "127.0.0.1".into(),
                    port: self.port.into(),
                    ..Default::default()
                }],
                controller_id: 1,
                topics: names.into_iter().map(|one| topic(one.name)).collect(),
                ..Default::default()
            })
        }
    }

    /// Prepares the topic of a repetition, and returns what was asked for.
    async fn prepared(
        number: u64,
        created: ErrorCode,
        looked_at: ErrorCode,
        more: &str,
    ) -> (String, Vec<(ApiKey, String)>) {
        let broker = ScriptedBroker::bind().await;
        let port = broker.address.port;
        let (told, heard) = mpsc::channel();
        let mut topics = Topics { port, created, looked_at, is_made: false, told };
        broker.run(move |asked| Some(topics.answer(asked)));
        let line = format!("produce --topic t --bootstrap 127.0.0.1:{port}{more}");
        let command = parsed(&line).unwrap();
        let mut session = Session::new(command.plan().unwrap()).unwrap();
        session.is_made = number > 1;
        let why = session.topic(number).await.unwrap_err();
        (why, heard.try_iter().collect())
    }

    const REFUSED: ErrorCode = ErrorCode::TOPIC_AUTHORIZATION_FAILED;

    #[tokio::test]
    async fn a_topic_that_was_made_and_has_no_leaders_is_deleted() {
        let made = (ApiKey::CreateTopics, "t".to_owned());
        let (why, asked) = prepared(1, ErrorCode::NONE, REFUSED, "").await;
        assert!(why.contains("topic t"), "{why}");
        assert_eq!(asked, [made.clone(), (ApiKey::DeleteTopics, "t".to_owned())]);
        let (_, asked) = prepared(1, ErrorCode::NONE, REFUSED, " --keep-topic").await;
        assert_eq!(asked, std::slice::from_ref(&made), "it is to stay");
        let (_, asked) = prepared(1, ErrorCode::TOPIC_ALREADY_EXISTS, REFUSED, "").await;
        assert_eq!(asked, [made], "somebody else has made it meanwhile");
    }

    /// A session that has a signal of its own, which has come.
    fn interrupted(plan: Plan<'_>) -> Session<'_> {
        let mut session = Session::new(plan).unwrap();
        // Nobody else listens to these.
        session.signals =
            Signals::of(SignalKind::user_defined1(), SignalKind::user_defined2()).unwrap();
        kill_process(getpid(), Signal::USR1).unwrap();
        session
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_for_a_cluster_that_does_not_answer() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let command = parsed(&format!("produce --bootstrap {address}")).unwrap();
        let run = interrupted(command.plan().unwrap()).run(String::new());
        let ended = timeout(Duration::from_secs(30), run).await.unwrap();
        assert_eq!(ended.unwrap_err(), "interrupted before the cluster has answered");
    }

    #[tokio::test]
    async fn a_signal_ends_a_deletion_that_takes_long_and_what_is_left_is_told() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let command = parsed(&format!("produce --bootstrap {address}")).unwrap();
        let mut session = interrupted(command.plan().unwrap());
        let name = "t".to_owned();
        let topic = BenchTopic { name, partitions: 1, replication_factor: 1, is_made: true };
        let left = timeout(Duration::from_secs(30), session.clear_away(&topic)).await.unwrap();
        let told = "topic t may be left: interrupted while it was deleted";
        assert_eq!(left.as_deref(), Some(told));
    }

    #[tokio::test]
    async fn a_later_repetition_takes_nobody_s_topic() {
        let exists = ErrorCode::TOPIC_ALREADY_EXISTS;
        let (why, asked) = prepared(2, exists, ErrorCode::NONE, "").await;
        let [(ApiKey::CreateTopics, name)] = &asked[..] else { panic!("{asked:?}") };
        assert!(name.starts_with("t-") && name.ends_with("-2") && name.len() > 10, "{name}");
        assert_eq!(why, format!("topic {name}: it is there already, and nothing is sent to it"));
    }
}
