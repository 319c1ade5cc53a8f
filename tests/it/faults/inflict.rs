//! Doing it: processes, packets, disks and clocks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use logboom_tests::clock::Clocks;
use logboom_tests::cluster::Cluster;
use logboom_tests::disk::Disk;
use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::network::{Namespaces, Network, Relays, Ways, Whom};
use logboom_tests::raw::Raw;

use super::BROKERS;
use super::history::{History, say};
use super::schedule::{Fault, Hit};
use crate::storage::strace;

/// What a request may take while things go wrong.
const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPTS_MAX: usize = 20;
const METADATA: i16 = 12;
/// What brokers call to flush, to write, and to read what isn't in memory.
const FLUSH: &str = "fdatasync";
const WRITE: &str = "pwritev";
const READ: &str = "pread64";
/// Bytes that are written at once to fill a disk, and the last of them.
const FILL_BYTES: [usize; 3] = [1 << 20, 4 << 10, 1];

/// A cluster, and what is around it.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    network: Box<dyn Network>,
    clocks: Option<Clocks>,
    strace: Option<()>,
    tracers: BTreeMap<usize, Tracer>,
    /// The last, so that it is unmounted when the broker is gone.
    disk: Option<Disk>,
}

/// strace at a broker, and what it has done.
struct Tracer {
    child: Child,
    record: PathBuf,
}

impl Stage {
    pub(super) fn build(seed: u64, network: Box<dyn Network>) -> Self {
        let clocks = or_skip("clocks that jump", Clocks::build(&scratch("faults-clocks")));
        let strace = or_skip("slow and failing disks", strace());
        let disk = or_skip("a full disk", Disk::mount("faults-disk"));
        let sites = (1..=BROKERS).map(|id| {
            let mut site = network.site(id);
            site.program = std::env::var_os("LOGBOOM_FAULTS_PROGRAM").map(PathBuf::from);
            if let Some(clocks) = &clocks {
                clocks.shift(&id.to_string(), 0);
                site.environment = clocks.environment(&id.to_string());
            }
            let root = match &disk {
                Some(disk) if id == BROKERS => disk.path().join("broker"),
                _ => scratch(&format!("faults-{seed}-{id}")),
            };
            fs::create_dir_all(&root).unwrap();
            (site, root)
        });
        let cluster = Cluster::start_at(sites.collect(), |_| Vec::new());
        Self { cluster, network, clocks, strace, tracers: BTreeMap::new(), disk }
    }

    /// Whether a fault can be brought about on this machine.
    pub(super) fn can(&self, fault: Fault) -> bool {
        match fault {
            Fault::FullDisk => self.disk.is_some(),
            Fault::SlowDisk | Fault::FailingDisk | Fault::FailingWrites | Fault::FailingReads => {
                self.strace.is_some()
            }
            Fault::Clock => self.clocks.is_some(),
            _ => true,
        }
    }

    /// - `moved`: the topic whose partitions move.
    pub(super) fn begin(&mut self, hit: &Hit, moved: &str) {
        let Hit { fault, victim, strength } = *hit;
        match fault {
            Fault::Kill => self.cluster.kill(number(victim)),
            Fault::KillAll => (1..=BROKERS).for_each(|id| self.cluster.kill(number(id))),
            Fault::Restart => self.cluster.stop(number(victim)),
            Fault::Pause => self.cluster.broker(number(victim)).signal("STOP"),
            Fault::CutOff => self.cut(hit, Ways::Both),
            Fault::Deaf => self.cut(hit, Ways::In),
            Fault::Mute => self.cut(hit, Ways::Out),
            Fault::Loss => self.network.lose(victim, small(10 + strength % 50)).unwrap(),
            Fault::Rate => self.network.limit(victim, small(200 + strength * 4)).unwrap(),
            Fault::Delay => self.delay(hit),
            Fault::FullDisk => self.fill(),
            Fault::SlowDisk => {
                let delay = format!("delay_enter={}", 5_000 + strength * 200);
                self.trace(victim, FLUSH, &delay);
            }
            Fault::FailingDisk => self.trace(victim, FLUSH, "error=EIO"),
            Fault::FailingWrites => {
                let error = ["error=EIO", "error=ENOSPC"][strength % 2];
                self.trace(victim, WRITE, error);
            }
            Fault::FailingReads => self.trace(victim, READ, "error=EIO:when=1+3"),
            Fault::Clock => self.shift(victim, seconds(strength)),
            Fault::Move => self.move_all(moved, strength),
        }
    }

    pub(super) fn end(&mut self, hit: &Hit, history: &History) {
        let Hit { fault, victim, .. } = *hit;
        match fault {
            Fault::Kill | Fault::Restart => self.cluster.restart(number(victim)),
            Fault::KillAll => (1..=BROKERS).for_each(|id| self.cluster.restart(number(id))),
            Fault::Pause => self.cluster.broker(number(victim)).signal("CONT"),
            Fault::CutOff
            | Fault::Deaf
            | Fault::Mute
            | Fault::Loss
            | Fault::Rate
            | Fault::Delay => self.network.heal(victim),
            Fault::FullDisk => fs::remove_file(self.filler()).unwrap(),
            Fault::SlowDisk => _ = self.untrace(victim),
            Fault::FailingDisk | Fault::FailingWrites | Fault::FailingReads => {
                let failed = self.untrace(victim).matches("(INJECTED)").count();
                say(&format!("  {failed} calls have failed"));
                // What is in memory is read from maps.
                if failed == 0 && fault != Fault::FailingReads {
                    history.break_with(format!("nothing has failed at broker {victim}"));
                }
                self.cluster.kill(number(victim));
                self.cluster.restart(number(victim));
            }
            Fault::Clock => self.shift(victim, 0),
            Fault::Move => {}
        }
    }

    /// Nobody ends by himself, unless his disk fails under what all partitions share.
    pub(super) fn look(&mut self, history: &History) {
        for id in (1..=BROKERS).filter(|id| !self.tracers.contains_key(id)) {
            let broker = self.cluster.broker(number(id));
            if broker.has_ended() && !history.is_broken() {
                history.break_with(format!("broker {id} has ended:\n{}", broker.stderr()));
            }
        }
    }

    fn cut(&mut self, hit: &Hit, ways: Ways) {
        let peers: Vec<usize> = (1..=BROKERS).filter(|id| *id != hit.victim).collect();
        let whom = match hit.strength % 3 {
            0 => Whom::All,
            1 => Whom::Hosts(peers),
            _ => Whom::Hosts(vec![peers[hit.strength / 3 % peers.len()]]),
        };
        self.network.cut(hit.victim, ways, &whom).unwrap();
        if whom == Whom::All {
            let answer = self.ask(hit.victim, Duration::from_millis(100));
            assert!(answer.is_none(), "broker {} is reached all the same", hit.victim);
        }
    }

    /// Asks a broker for something, anew.
    fn ask(&self, id: usize, patience: Duration) -> Option<MetadataResponse> {
        let address = &self.cluster.addresses()[id - 1];
        let mut raw = Raw::brief(address, patience).ok()?;
        let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
        raw.try_call(METADATA, &request)
    }

    fn delay(&mut self, hit: &Hit) {
        let Hit { victim, strength, .. } = *hit;
        let least = Duration::from_millis(10 + strength as u64 / 10);
        self.network.delay(victim, least, strength as u64).unwrap();
        let begun = Instant::now();
        // An answer takes a packet there and one back; and so does a refusal.
        drop(self.ask(victim, PATIENCE));
        let took = begun.elapsed();
        assert!(took >= 2 * least, "broker {victim} is reached within {took:?}");
    }

    fn filler(&self) -> PathBuf {
        self.disk.as_ref().expect("there is one").path().join("other")
    }

    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for bytes in FILL_BYTES {
            // It ends when there is no room.
            while file.write_all(&vec![1; bytes]).is_ok() {}
        }
    }

    fn shift(&self, victim: usize, seconds: i64) {
        self.clocks.as_ref().expect("there are some").shift(&victim.to_string(), seconds);
    }

    /// Puts something in the way of a broker's calls.
    fn trace(&mut self, victim: usize, call: &str, inject: &str) {
        let record = scratch(&format!("faults-strace-{victim}")).join("record");
        let pid = self.cluster.broker(number(victim)).pid().to_string();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-qq", "-p", &pid, "-e", &format!("trace={call}"), "-o"]);
        strace.arg(&record).args(["-e", &format!("inject={call}:{inject}")]);
        let child = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.tracers.insert(victim, Tracer { child, record });
    }

    /// Takes it away; what it has done.
    fn untrace(&mut self, victim: usize) -> String {
        let Tracer { mut child, record } = self.tracers.remove(&victim).expect("it was begun");
        // It has ended if the broker has, but is there until it is waited for.
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(told.unwrap().success());
        child.wait().unwrap();
        let text = fs::read_to_string(&record).unwrap_or_default();
        fs::remove_dir_all(record.parent().unwrap()).unwrap();
        text
    }

    /// Wishes each partition of a topic to have another broker in the place of one of its two.
    fn move_all(&self, topic: &str, strength: usize) {
        for index in 0..super::PARTITIONS {
            let addresses = self.cluster.addresses();
            let mut tried = addresses.iter().cycle().take(ATTEMPTS_MAX);
            let has_moved = tried.any(|at| move_one(at, topic, index, strength).is_some());
            assert!(has_moved, "nobody takes a move of {topic}-{index}");
        }
    }
}

/// Namespaces of the kernel's where they can be had, or else relays.
pub(super) fn network() -> Box<dyn Network> {
    if std::env::var_os("LOGBOOM_FAULTS_RELAYS").is_none() {
        let namespaces = Namespaces::build(BROKERS);
        if let Some(namespaces) = or_skip("faults of packets, and not of streams,", namespaces) {
            return Box::new(namespaces);
        }
    }
    relays()
}

pub(super) fn relays() -> Box<dyn Network> {
    Box::new(Relays::build(BROKERS).unwrap())
}

/// Asks a broker for it; `None` where it can't be asked, or refuses.
fn move_one(address: &str, topic: &str, index: i32, strength: usize) -> Option<()> {
    let mut raw = Raw::brief(address, PATIENCE).ok()?;
    let asked = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
    let told = raw.try_call(METADATA, &request)?.topics.remove(0).partitions;
    let before = told.into_iter().find(|it| it.partition_index == index)?.replica_nodes;
    let other = (1..=number(BROKERS)).find(|id| !before.contains(id))?;
    let mut after = before;
    let place = (strength + usize::try_from(index).unwrap()) % after.len();
    after[place] = other;
    let moved = ReassignablePartition { partition_index: index, replicas: Some(after) };
    let topics = vec![ReassignableTopic { name: topic.into(), partitions: vec![moved] }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let answer = raw.try_call(0, &request)?;
    let code = answer.responses.first()?.partitions.first()?.error_code;
    (answer.error_code == ErrorCode::NONE && code == ErrorCode::NONE).then_some(())
}

fn number(id: usize) -> i32 {
    i32::try_from(id).expect("a few brokers")
}

/// How wrong a clock is: less than an hour behind, because records that are more than that ahead
/// of a broker are refused (`message.timestamp.after.max.ms`), or up to ten hours ahead.
fn seconds(strength: usize) -> i64 {
    let strength = i64::try_from(strength).expect("a small number");
    if strength < 500 { -strength * 6 } else { (strength - 500) * 72 }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("a small number")
}
