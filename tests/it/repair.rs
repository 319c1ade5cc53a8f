//! Bytes that change on the disk of one of three brokers: what clients read is right or refused
//! meanwhile, and the broker makes its files good from the others.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use logboom_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use logboom_protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use logboom_tests::broker::{logboom, pause};
use logboom_tests::cluster::Cluster;
use logboom_tests::raw::{topic_name, try_read_all};

use crate::cluster::produce;
use crate::operations::wait_for_reason;

const PATIENCE: Duration = Duration::from_secs(60);
/// Records of some 40 kB fill segments of 1 MiB.
const RECORDS: i64 = 90;

fn value(number: i64) -> Vec<u8> {
    let line = format!("{number:08};");
    line.repeat(4_500).into_bytes()
}

/// A topic of small segments on all three brokers, with records.
fn filled_topic(cluster: &Cluster, test: &str) -> String {
    let name = topic_name(test);
    let small =
        CreatableTopicConfig { name: "segment.bytes".into(), value: Some("1048576".into()) };
    let topic = CreatableTopic {
        name: name.as_str().into(),
        num_partitions: 1,
        replication_factor: 3,
        configs: vec![small],
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let created = &cluster.any().call(7, &request).topics[0];
    assert_eq!(created.error_code, ErrorCode::NONE, "{created:?}");
    for number in 0..RECORDS {
        assert_eq!(produce(cluster, &name, 0, &value(number)), number);
    }
    name
}

/// The sealed segment files of a broker's only large partition.
fn sealed_files(data: &Path) -> Vec<PathBuf> {
    let dirs = fs::read_dir(data.join("partitions")).unwrap().map(|it| it.unwrap().path());
    let segments = |dir: PathBuf| {
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "log"));
        files.sort();
        files
    };
    let mut files = dirs.map(segments).max_by_key(Vec::len).unwrap();
    files.pop();
    assert!(files.len() >= 3, "{files:?}");
    files
}

/// Flips a bit in the middle of each sealed file, and takes the last of them away.
fn damage(data: &Path) {
    let files = sealed_files(data);
    let (gone, flipped) = files.split_last().unwrap();
    fs::remove_file(gone).unwrap();
    flipped.iter().for_each(|path| flip(path));
}

fn flip(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (at, mut byte) = (500_000, [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    file.sync_all().unwrap();
}

/// What `logboom log verify` says of a broker's directory, and whether all is well.
fn verify(data: &Path) -> (bool, String) {
    let output = Command::new(logboom()).args(["log", "verify"]).arg(data).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether whoever leads served everything; what it serves is right in any case.
fn is_read(cluster: &Cluster, topic: &str) -> bool {
    let Ok(records) = try_read_all(&mut cluster.leader(topic, 0), topic, 0) else { return false };
    assert_eq!(records.len(), usize::try_from(RECORDS).unwrap());
    for (record, number) in records.iter().zip(0..) {
        assert_eq!((record.offset, &record.value), (number, &value(number)), "{number}");
    }
    true
}

/// Waits until something is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        pause();
    }
}

/// Has the first replica lead.
fn lead(cluster: &Cluster, topic: &str, broker: i32) {
    let topic_partitions = TopicPartitions { topic: topic.into(), partitions: vec![0] };
    let request = ElectLeadersRequest {
        topic_partitions: Some(vec![topic_partitions]),
        ..Default::default()
    };
    eventually("the first replica leads", || {
        cluster.any().call(1, &request);
        cluster.partitions(topic)[0].leader_id == broker
    });
}

#[test]
fn a_broker_whose_files_were_damaged_while_it_was_down_makes_them_good() {
    let mut cluster = Cluster::start("repair-down", 3);
    let topic = filled_topic(&cluster, "repair-down");
    let victim = cluster.partitions(&topic)[0].replica_nodes[0];
    cluster.stop(victim);
    let data = cluster.broker(victim).data_dir();
    damage(&data);
    let (is_well, said) = verify(&data);
    assert!(!is_well && said.contains("the file is missing"), "{said}");
    cluster.restart(victim);
    eventually("it repairs itself", || {
        assert!(is_read(&cluster, &topic), "the others serve all of it");
        verify(&data).0
    });
    cluster.wait_until(&topic, "it is in sync", |it| it.isr_nodes.len() == 3);
    lead(&cluster, &topic, victim);
    assert!(is_read(&cluster, &topic), "from what was repaired");
    cluster.stop(victim);
    let (is_well, said) = verify(&data);
    assert!(is_well, "{said}");
    assert!(cluster.broker(victim).stderr().contains("found by the scrub"));
}

#[test]
fn a_leader_that_meets_damage_hands_over_and_makes_it_good() {
    let settings = ["log.scrub.bytes.per.second=0", "log.repair.bytes.per.second=1"];
    let settings = |_| settings.map(str::to_owned).to_vec();
    let mut cluster = Cluster::start_with("repair-leader", 3, settings);
    let topic = filled_topic(&cluster, "repair-leader");
    let victim = cluster.partitions(&topic)[0].replica_nodes[0];
    cluster.stop(victim);
    let data = cluster.broker(victim).data_dir();
    flip(&sealed_files(&data)[1]);
    cluster.restart(victim);
    cluster.wait_until(&topic, "it is in sync", |it| it.isr_nodes.len() == 3);
    lead(&cluster, &topic, victim);
    // A reader meets it; the repair takes its time.
    let told = try_read_all(&mut cluster.leader(&topic, 0), &topic, 0).map(|it| it.len());
    assert_eq!(told, Err(ErrorCode::KAFKA_STORAGE_ERROR), "a corrupt message would end a consumer");
    cluster.wait_until(&topic, "another leads", |it| it.leader_id > 0 && it.leader_id != victim);
    eventually("the others serve all of it", || is_read(&cluster, &topic));
    assert!(!verify(&data).0, "it isn't repaired yet");
    wait_for_reason(&cluster, &topic, &format!("{victim}: its records from "));
    let faster = AlterableConfig {
        name: "log.repair.bytes.per.second".into(),
        config_operation: 0,
        value: Some("104857600".into()),
    };
    let resource =
        AlterConfigsResource { resource_type: 4, resource_name: "".into(), configs: vec![faster] };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = &cluster.any().call(1, &request).responses[0];
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    eventually("it repairs itself", || verify(&data).0);
    lead(&cluster, &topic, victim);
    assert!(is_read(&cluster, &topic));
}

/// What `logboom partition recover` says, and whether it is done.
fn recover(cluster: &Cluster, admin: i32, topic: &str, more: &[&str]) -> (bool, String) {
    let mut command = Command::new(logboom());
    command.args(["partition", "recover", topic, "0", "--admin", cluster.admin(admin)]);
    let output = command.args(more).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a request without a body is answered.
pub(crate) fn ask(address: &str, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = "Content-Length: 0";
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_one_that_is_left_of_three_goes_on_when_an_operator_says_so() {
    let mut cluster = Cluster::start("recover", 3);
    let topic = cluster.new_topic("recover", 1, 3);
    for number in 0..20 {
        assert_eq!(produce(&cluster, &topic, 0, &value(number)), number);
    }
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    let (is_done, said) = recover(&cluster, 3, &topic, &["--yes"]);
    assert!(!is_done && said.contains("nothing to recover: broker"), "{said}");
    for id in [1, 2] {
        cluster.kill(id);
        fs::remove_dir_all(cluster.broker(id).data_dir()).unwrap();
    }
    for name in ["__cluster_metadata", &topic] {
        eventually("the third knows that the others are gone", || {
            let (is_done, said) = recover(&cluster, 3, name, &[]);
            assert!(!is_done, "{said}");
            said.contains("nothing was done; --yes does it")
        });
        let (_, said) = recover(&cluster, 3, name, &[]);
        for line in ["broker 1: missing\n", "broker 2: missing\n", "broker 3 would lead"] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(said.contains("possibly lost: every record at offset "), "{said}");
        // Who hasn't seen the report can't have it done.
        let blind = ask(cluster.admin(3), "POST", &format!("/recovery/{name}/0"));
        assert!(blind.starts_with("HTTP/1.1 412 "), "{blind}");
        let (is_done, said) = recover(&cluster, 3, name, &["--yes"]);
        assert!(is_done && said.ends_with("recovered\n"), "{said}");
    }
    cluster.wait_until(&topic, "the third leads", |it| it.leader_id == 3 && it.isr_nodes == [3]);
    assert_eq!(produce(&cluster, &topic, 0, &value(20)), 20);
    let read = try_read_all(&mut cluster.leader(&topic, 0), &topic, 0).unwrap();
    assert_eq!(read.len(), 21);
    for (record, number) in read.iter().zip(0..) {
        assert_eq!((record.offset, &record.value), (number, &value(number)));
    }
    // It is no majority that is remembered, but a decision: a restart asks nobody.
    cluster.kill(3);
    cluster.restart(3);
    assert_eq!(produce(&cluster, &topic, 0, &value(21)), 21);
}

#[test]
fn a_broker_that_starts_when_the_controllers_are_lost_goes_on_when_an_operator_says_so() {
    let mut cluster = Cluster::start("recover-start", 3);
    let topic = cluster.new_topic("recover-start", 1, 3);
    for number in 0..5 {
        assert_eq!(produce(&cluster, &topic, 0, &value(number)), number);
    }
    cluster.wait_until(&topic, "all are in sync", |it| it.isr_nodes.len() == 3);
    (1..=3).for_each(|id| cluster.kill(id));
    for id in [1, 2] {
        fs::remove_dir_all(cluster.broker(id).data_dir()).unwrap();
    }
    cluster.restart(3);
    let admin = cluster.admin(3).to_owned();
    let get = |path| ask(&admin, "GET", path);
    eventually("it serves operators", || TcpStream::connect(&admin).is_ok());
    assert!(get("/healthz").starts_with("HTTP/1.1 200 "));
    let ready = get("/readyz");
    let why = "the broker starts, and isn't one of its cluster yet";
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains(why), "{ready}");
    assert!(get("/balance/status").contains(why));
    let told = get("/metrics");
    assert!(told.contains("\nlogboom_directory_healthy 1\n"), "{told}");
    for name in ["__cluster_metadata", &topic] {
        eventually("the third knows that the others are gone", || {
            recover(&cluster, 3, name, &[]).1.contains("nothing was done; --yes does it")
        });
        let (is_done, said) = recover(&cluster, 3, name, &["--yes"]);
        assert!(is_done && said.contains("broker 1: missing\nbroker 2: missing\n"), "{said}");
        eventually("it is one of its cluster", || get("/readyz").starts_with("HTTP/1.1 200 "));
    }
    cluster.wait_until(&topic, "the third leads", |it| it.leader_id == 3 && it.isr_nodes == [3]);
    assert_eq!(produce(&cluster, &topic, 0, &value(5)), 5);
    let read = try_read_all(&mut cluster.leader(&topic, 0), &topic, 0).unwrap();
    assert_eq!(read.len(), 6);
}
