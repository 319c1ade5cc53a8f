//! Our clients against Apache Kafka: plain, and over TLS with each way to say who one is.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use logboom_client::Properties;
use logboom_producer::{Codec, ProduceError, Record, Remedy};
use logboom_tests::broker::{free_port, logboom, pause};
use logboom_tests::foreign::{kafka_tool, or_skip, scratch};
use logboom_tests::raw::topic_name;

use super::exchange::{expected, read, send};
use super::{consumer, create_topic, producer, run};

/// Any id will do.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";
/// Looks until it has to stand: two minutes.
const LOOKS_MAX: usize = 2_400;

/// One node that is broker and controller.
struct Kafka {
    child: Child,
    dir: PathBuf,
    plain: String,
    protected: String,
    /// The certificate that its protected listener shows.
    certificate: String,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.dir).ok();
    }
}

fn start() -> Result<Kafka, String> {
    let mut server = kafka_tool("kafka.Kafka")?;
    let mut format = kafka_tool("kafka.tools.StorageTool")?;
    let dir = scratch("rust-kafka");
    let [plain, controller, protected] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = own.cert.pem();
    let line = |pem: &str| pem.replace('\n', "\\n");
    let scram = |size: u32| {
        format!(
            "listener.name.sasl_ssl.scram-sha-{size}.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
        )
    };
    let properties = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://{plain},CONTROLLER://{controller},SASL_SSL://{protected}\n\
         listener.security.protocol.map=\
         CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL\n\
         controller.quorum.bootstrap.servers={controller}\n\
         inter.broker.listener.name=PLAINTEXT\nlog.dirs={}\n\
         offsets.topic.replication.factor=1\ngroup.initial.rebalance.delay.ms=0\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_alice=\"secret\";\n{}{}\
         ssl.keystore.type=PEM\nssl.keystore.certificate.chain={}\nssl.keystore.key={}\n",
        dir.join("data").display(),
        scram(256),
        scram(512),
        line(&certificate),
        line(&own.signing_key.serialize_pem()),
    );
    let file = dir.join("server.properties");
    fs::write(&file, properties).unwrap();
    format.args(["format", "--standalone", "--cluster-id", CLUSTER_ID, "--config"]).arg(&file);
    for size in [256, 512] {
        format.arg("--add-scram").arg(format!("SCRAM-SHA-{size}=[name=alice,password=secret]"));
    }
    let formatted = format.output().unwrap();
    assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
    let log = fs::File::create(dir.join("log")).unwrap();
    server.arg(&file).stdout(log).stderr(Stdio::null());
    let child = server.spawn().unwrap();
    let kafka = Kafka { child, dir, plain, protected, certificate };
    for _ in 0..LOOKS_MAX {
        if std::net::TcpStream::connect(&kafka.protected).is_ok() {
            return Ok(kafka);
        }
        pause();
    }
    panic!("it didn't start: {}", fs::read_to_string(kafka.dir.join("log")).unwrap_or_default());
}

/// A file of settings, as Kafka's own clients take it.
fn settings(kafka: &Kafka, mechanism: &str, password: &str) -> Properties {
    let login = match mechanism {
        "PLAIN" => "plain.PlainLoginModule",
        _ => "scram.ScramLoginModule",
    };
    let text = format!(
        "bootstrap.servers={}\nsecurity.protocol=SASL_SSL\nsasl.mechanism={mechanism}\n\
         sasl.jaas.config=org.apache.kafka.common.security.{login} required \\\n  \
         username=\"alice\" password=\"{password}\";\n\
         ssl.truststore.type=PEM\nssl.truststore.certificates={}\n",
        kafka.protected,
        kafka.certificate.replace('\n', "\\n")
    );
    let file = kafka.dir.join("client.properties");
    fs::write(&file, text).unwrap();
    Properties::load(file).unwrap()
}

#[test]
fn apache_kafka_takes_and_gives_all_of_it() {
    let Some(kafka) = or_skip("our clients and Apache Kafka", start()) else { return };
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
        the_command_line_speaks_it(&kafka, mechanism);
    }
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
        seen.insert(record.value.unwrap());
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
fn the_command_line_speaks_it(kafka: &Kafka, mechanism: &str) {
    let topic = topic_name(&format!("rust-cli-{}", mechanism.to_lowercase()));
    settings(kafka, mechanism, "secret");
    let file = kafka.dir.join("client.properties").display().to_string();
    let told = |line: &str, option: &str, input: &str| {
        let stdin = kafka.dir.join("lines");
        fs::write(&stdin, input).unwrap();
        let mut command = Command::new(logboom());
        command.args(line.split(' ')).args([option, &file]).env_remove("LOGBOOM_BOOTSTRAP");
        let output = command.stdin(fs::File::open(&stdin).unwrap()).output().unwrap();
        assert!(output.status.success(), "{mechanism}: {line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let bench = format!("bench produce --topic {topic}-b --records 500 --no-ceiling --output json");
    let run: serde_json::Value = serde_json::from_str(&told(&bench, "--properties", "")).unwrap();
    assert_eq!(run["repetitions"][0]["produced"]["records"], 500, "{run}");
    assert_eq!(run["cluster"]["bootstrap"], kafka.protected.as_str());
    told(&format!("topic create {topic} --partitions 1"), "--command-config", "");
    told(&format!("produce {topic}"), "--properties", "one\ntwo\n");
    for consume in ["consume", "consume --group readers"] {
        let line = format!("{consume} {topic} --exit");
        assert_eq!(told(&line, "--properties", ""), "one\ntwo\n", "{consume}");
    }
}

async fn protected(kafka: &Kafka, mechanism: &str) {
    let topic = topic_name(&format!("rust-{}", mechanism.to_lowercase()));
    create_topic(&kafka.plain, &topic, 1).await;
    let right = settings(kafka, mechanism, "secret");
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
    let wrong = settings(kafka, mechanism, "hunter2");
    let builder = logboom_producer::Producer::builder().properties(&wrong).unwrap();
    let producer = builder.build().unwrap();
    let error = producer.send(Record::to(&topic).value("a")).await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::FixCall, "{error}");
    let named = error.to_string().contains(mechanism);
    assert!(named && !format!("{error:?}{error}").contains("hunter2"), "{error}");
    assert!(matches!(error, ProduceError::Cluster(_)), "{error}");
}
