//! Our clients against Apache Kafka: plain, and protected in each way, with each way to say who one
//! is; and the suites that need only an address.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use logboom_client::Properties;
use logboom_producer::{Codec, ProduceError, Record, Remedy};
use logboom_tests::broker::logboom;
use logboom_tests::foreign::{or_skip, scratch};
use logboom_tests::kafka::Kafka;
use logboom_tests::raw::topic_name;

use super::exchange::{expected, read, send};
use super::settings::{ended, ended_within};
use super::{consumer, create_topic, producer, run};

/// For how long the suites may run, together with their Apache Kafka, on a machine that has other
/// things to do.
const SUITES_MAX: Duration = Duration::from_secs(900);

/// A file of settings, as Kafka's own clients take it.
///
/// - `protocol`: as in `security.protocol`.
/// - `mechanism`: of SASL, or nothing.
fn settings(kafka: &Kafka, protocol: &str, mechanism: &str, password: &str) -> Properties {
    let login = match mechanism {
        "PLAIN" => "plain.PlainLoginModule",
        _ => "scram.ScramLoginModule",
    };
    let mut text =
        format!("bootstrap.servers={}\nsecurity.protocol={protocol}\n", kafka.protected(protocol));
    if protocol.contains("SASL") {
        text += &format!(
            "sasl.mechanism={mechanism}\n\
             sasl.jaas.config=org.apache.kafka.common.security.{login} required \\\n  \
             username=\"alice\" password=\"{password}\";\n",
        );
    }
    if protocol.contains("SSL") {
        let certificate = kafka.certificate.replace('\n', "\\n");
        text += &format!("ssl.truststore.type=PEM\nssl.truststore.certificates={certificate}\n");
    }
    let file = kafka.dir.join("client.properties");
    fs::write(&file, text).unwrap();
    Properties::load(file).unwrap()
}

/// Those, and how many tests each has at least.
const SUITES: [(&str, usize); 4] = [
    ("rust::exchange::", 3),
    ("rust::times::", 3),
    ("rust::patterns::", 1),
    ("tour::consumer::", 3),
];

/// The suites that need only an address, in a process of their own: what is written and read with
/// others, times, and groups in every way of sharing, with static members.
#[test]
fn the_same_suites_hold_for_apache_kafka() {
    if or_skip("our suites against Apache Kafka", Kafka::start("rust-kafka-looked-for")).is_none() {
        return;
    }
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(SUITES.map(|(suite, _)| suite));
    let dir = scratch("rust-kafka-suites");
    let files = ["stdout", "stderr"].map(|name| dir.join(name));
    let [stdout, stderr] = [0, 1].map(|nth: usize| File::create(&files[nth]).unwrap());
    tests.env("LOGBOOM_REFERENCE", "kafka").stdout(stdout).stderr(stderr);
    // In a group of its own, so that the brokers and clients that it has started end with it.
    let mut child = tests.process_group(0).spawn().unwrap();
    let group = format!("-{}", child.id());
    let status = ended_within(&mut child, SUITES_MAX, &group);
    let [told, said] = files.map(|file| fs::read_to_string(file).unwrap());
    fs::remove_dir_all(dir).unwrap();
    let is_success = status.is_some_and(|status| status.success());
    assert!(is_success, "{status:?} within {SUITES_MAX:?}: {told}\n{said}");
    for (suite, least) in SUITES {
        let passed = told.lines().filter(|line| line.contains(suite) && line.ends_with("ok"));
        assert!(passed.count() >= least, "{suite}: {told}");
    }
    // What was left out there is said here.
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}

#[test]
fn apache_kafka_takes_and_gives_all_of_it() {
    let Some(kafka) = or_skip("our clients and Apache Kafka", Kafka::start("rust-kafka")) else {
        return;
    };
    let shapes = expected(&[]);
    for codec in Codec::ALL {
        let topic = topic_name(&format!("rust-{}", codec.name()));
        run(async {
            send(&kafka.plain, &topic, codec, &shapes).await;
            assert_eq!(read(&kafka.plain, &topic, &shapes).await, shapes, "{}", codec.name());
        });
    }
    run(in_a_group(&kafka));
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        run(protected(&kafka, mechanism));
        the_command_line_speaks_it(&kafka, "SASL_SSL", mechanism);
    }
    the_command_line_speaks_it(&kafka, "SSL", "");
    the_command_line_speaks_it(&kafka, "SASL_PLAINTEXT", "SCRAM-SHA-256");
    who_isn_t_believed_is_sent_nothing_more(&kafka);
}

/// Two members share a topic, and a third one later finds what they committed.
async fn in_a_group(kafka: &Kafka) {
    let topic = topic_name("rust-group");
    create_topic(&kafka.plain, &topic, 4).await;
    let producer = producer(&kafka.plain).build().unwrap();
    for number in 0..100 {
        let value = format!("{number}");
        let record = Record::to(&topic).key(&value).value(&value);
        drop(producer.send(record).await.unwrap());
    }
    producer.flush().await;
    let member = || consumer(&kafka.plain).group_id(&topic).build().unwrap();
    let mut members = [member(), member()];
    members.iter_mut().for_each(|member| member.subscribe([&topic]).unwrap());
    let [first, second] = &mut members;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 100 {
        let record = tokio::select! {
            record = first.next() => record.unwrap(),
            record = second.next() => record.unwrap(),
        };
        assert!(seen.insert(record.value.unwrap()), "nobody reads what another has committed");
    }
    for member in members {
        member.close().await.unwrap();
    }
    producer.publish(Record::to(&topic).value("last")).await.unwrap();
    let mut third = member();
    third.subscribe([&topic]).unwrap();
    let record = third.next().await.unwrap();
    assert_eq!(record.value.as_deref(), Some(&b"last"[..]), "the others' were committed");
    third.close().await.unwrap();
}

/// The binary as it is shipped takes the file, `bootstrap.servers` included.
fn the_command_line_speaks_it(kafka: &Kafka, protocol: &str, mechanism: &str) {
    let topic = topic_name(&format!("rust-cli-{protocol}-{}", mechanism.to_lowercase()));
    settings(kafka, protocol, mechanism, "secret");
    let file = kafka.dir.join("client.properties").display().to_string();
    let told = |line: &str, option: &str, input: &str| {
        let stdin = kafka.dir.join("lines");
        fs::write(&stdin, input).unwrap();
        let mut command = Command::new(logboom());
        command.args(line.split(' ')).args([option, &file]).env_remove("LOGBOOM_BOOTSTRAP");
        let output = command.stdin(fs::File::open(&stdin).unwrap()).output().unwrap();
        assert!(output.status.success(), "{protocol} {mechanism}: {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let bench = format!("bench produce --topic {topic}-b --records 500 --no-ceiling --output json");
    let run: serde_json::Value = serde_json::from_str(&told(&bench, "--properties", "")).unwrap();
    assert_eq!(run["repetitions"][0]["produced"]["records"], 500, "{run}");
    assert_eq!(run["cluster"]["bootstrap"], kafka.protected(protocol));
    told(&format!("topic create {topic} --partitions 1"), "--command-config", "");
    told(&format!("produce {topic}"), "--properties", "one\ntwo\n");
    for consume in ["consume", "consume --group readers"] {
        let line = format!("{consume} {topic} --exit");
        assert_eq!(told(&line, "--properties", ""), "one\ntwo\n", "{consume}");
    }
}

/// Its input goes on; it reads no more of it than the pipe and its buffer hold.
fn who_isn_t_believed_is_sent_nothing_more(kafka: &Kafka) {
    settings(kafka, "SASL_SSL", "PLAIN", "hunter2");
    let file = kafka.dir.join("client.properties");
    let mut command = Command::new(logboom());
    command.args(["produce", "nobody-s", "--properties"]).arg(file);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.env_remove("LOGBOOM_BOOTSTRAP").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        // Until nobody reads any more.
        while input.write_all(b"a line\n").is_ok() {}
    });
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let status = ended(&mut child);
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("PLAIN") && !said.contains("hunter2"), "{said}");
    writing.join().unwrap();
}

async fn protected(kafka: &Kafka, mechanism: &str) {
    let topic = topic_name(&format!("rust-{}", mechanism.to_lowercase()));
    create_topic(&kafka.plain, &topic, 1).await;
    let right = settings(kafka, "SASL_SSL", mechanism, "secret");
    let builder = logboom_producer::Producer::builder().properties(&right).unwrap();
    let producer = builder.build().unwrap();
    producer.publish(Record::to(&topic).value("protected")).await.unwrap();
    let builder = logboom_consumer::Consumer::builder().properties(&right).unwrap();
    let builder = builder.auto_offset_reset(logboom_consumer::OffsetReset::Earliest);
    let mut consumer = builder.group_id(&topic).build().unwrap();
    consumer.subscribe([&topic]).unwrap();
    let record = consumer.next().await.unwrap();
    assert_eq!(record.value.as_deref(), Some(&b"protected"[..]));
    consumer.close().await.unwrap();
    let wrong = settings(kafka, "SASL_SSL", mechanism, "hunter2");
    let builder = logboom_producer::Producer::builder().properties(&wrong).unwrap();
    let producer = builder.build().unwrap();
    let error = producer.send(Record::to(&topic).value("a")).await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::FixCall, "{error}");
    let named = error.to_string().contains(mechanism);
    assert!(named && !format!("{error:?}{error}").contains("hunter2"), "{error}");
    assert!(matches!(error, ProduceError::Cluster(_)), "{error}");
}
