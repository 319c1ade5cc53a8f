//! Apache Kafka, as Maven gives it: one node that is broker and controller, with a listener for
//! each way to protect connections; and [`Pair`], two brokers.
//!
//! It ends, and its directory goes, when it is dropped.

mod pair;

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use self::pair::Pair;
use crate::broker::{free_port, pause};
use crate::foreign::{kafka_tool, scratch};

/// Any id will do.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";
/// Until it has to stand, on a machine that has other things to do.
const START_MAX: Duration = Duration::from_secs(120);

/// One node. Whoever says who it is says `alice`, with the password `secret`.
#[derive(Debug)]
pub struct Kafka {
    child: Child,
    /// Where it keeps everything, and tests may, too.
    pub dir: PathBuf,
    /// Where nothing is protected.
    pub plain: String,
    /// Where it listens for a relay, and at which port of loopback the relay is to listen, which it
    /// takes for its own.
    pub relayed: (String, u16),
    /// By names of `security.protocol`, where it is protected so.
    protected: [(&'static str, String); 3],
    /// The certificate that its listeners with TLS show.
    pub certificate: String,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.dir).ok();
    }
}

impl Kafka {
    /// Starts one.
    ///
    /// - `name`: of its directory.
    ///
    /// # Errors
    /// Why it cannot be had.
    ///
    /// # Panics
    /// If it doesn't start.
    pub fn start(name: &str) -> Result<Self, String> {
        let mut server = kafka_tool("kafka.Kafka")?;
        let mut format = kafka_tool("kafka.tools.StorageTool")?;
        let dir = scratch(name);
        let [plain, controller, behind, tls, sasl, both] =
            [(); 6].map(|()| format!("127.0.0.1:{}", free_port()));
        let relayed = (behind, free_port());
        let protected = [("SSL", tls), ("SASL_PLAINTEXT", sasl), ("SASL_SSL", both)];
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a name");
        let certificate = own.cert.pem();
        let mut properties = listeners(&plain, &controller, &relayed, &protected);
        properties += &format!("log.dirs={}\n", dir.join("data").display());
        properties += SETTINGS;
        properties += &logins();
        let line = |pem: &str| pem.replace('\n', "\\n");
        properties += &format!(
            "ssl.keystore.type=PEM\nssl.keystore.certificate.chain={}\nssl.keystore.key={}\n",
            line(&certificate),
            line(&own.signing_key.serialize_pem()),
        );
        let file = dir.join("server.properties");
        fs::write(&file, properties).expect("a file of ours");
        format.args(["format", "--standalone", "--cluster-id", CLUSTER_ID, "--config"]).arg(&file);
        for size in [256, 512] {
            format.arg("--add-scram").arg(format!("SCRAM-SHA-{size}=[name=alice,password=secret]"));
        }
        finished(format);
        let log = File::create(dir.join("log")).expect("a file of ours");
        server.arg(&file).stdout(log).stderr(Stdio::null());
        let child = server.spawn().expect("java was found");
        let kafka = Self { child, dir, plain, relayed, protected, certificate };
        kafka.wait();
        Ok(kafka)
    }

    /// Where it is protected as `security.protocol` names it.
    ///
    /// # Panics
    /// If it isn't.
    pub fn protected(&self, protocol: &str) -> &str {
        let found = self.protected.iter().find(|(name, _)| *name == protocol);
        &found.unwrap_or_else(|| panic!("{protocol}: no listener")).1
    }

    fn wait(&self) {
        if !answers(&self.plain, START_MAX) {
            let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            panic!("Apache Kafka didn't start: {log}");
        }
    }
}

/// Whether somebody listens at an address within a time.
fn answers(address: &str, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        pause();
    }
    false
}

/// What tests want otherwise than it is by itself.
const SETTINGS: &str = "process.roles=broker,controller\nnode.id=1\n\
    offsets.topic.replication.factor=1\noffsets.topic.num.partitions=5\n\
    group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=100\n\
    sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n";

fn listeners(
    plain: &str,
    controller: &str,
    relayed: &(String, u16),
    protected: &[(&str, String)],
) -> String {
    let (behind, relay) = relayed;
    let all = |behind: &str| {
        let others = protected.iter().map(|(name, address)| format!(",{name}://{address}"));
        format!("PLAINTEXT://{plain},RELAYED://{behind}{}", others.collect::<String>())
    };
    let own = protected.iter().map(|(name, _)| format!(",{name}:{name}")).collect::<String>();
    format!(
        "listeners={},CONTROLLER://{controller}\nadvertised.listeners={}\n\
         listener.security.protocol.map=\
         CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT{own}\n\
         controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers={controller}\n\
         inter.broker.listener.name=PLAINTEXT\n",
        all(behind),
        all(&format!("127.0.0.1:{relay}")),
    )
}

fn logins() -> String {
    let of = |listener: &str| {
        let scram = |size: u32| {
            format!(
                "listener.name.{listener}.scram-sha-{size}.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
            )
        };
        format!(
            "{}{}listener.name.{listener}.plain.sasl.jaas.config=\
             org.apache.kafka.common.security.plain.PlainLoginModule required \
             user_alice=\"secret\";\n",
            scram(256),
            scram(512),
        )
    };
    of("sasl_ssl") + &of("sasl_plaintext")
}

fn finished(mut command: Command) {
    let output = command.output().expect("java was found");
    assert!(output.status.success(), "{output:?}");
}
