//! The real broker as a process of its own: started on a directory, stopped, killed, started again.
//!
//! With `LOGBOOM_REFERENCE=HOST:PORT` the tests that only need an address are run against another
//! broker there, and with `LOGBOOM_REFERENCE=kafka` against an Apache Kafka that they start: what
//! they claim is then checked against it.
//!
//! Must always hold: a process that was started here is gone when its [`Broker`] is dropped, and
//! no process is ended by anything but its id.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::foreign::scratch;
use crate::kafka::Kafka;

/// Longer than any start or stop takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a broker that answers may take to say that it is ready.
const READY_MAX: Duration = Duration::from_secs(5);
/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Ports of brokers: below those that systems give to outgoing connections.
const PORTS: Range<u16> = 20_000..32_000;
/// A free port may be taken by somebody else before the broker has it.
const PORTS_TRIED_MAX: usize = 5;

/// The binary, built by the first caller.
///
/// # Panics
/// If it can't be built.
pub fn logboom() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built(&["-p", "logboom"]))
}

/// The example of a package with that name, built as it stands now.
///
/// # Panics
/// If it can't be built.
#[must_use]
pub fn example(package: &str, name: &str) -> PathBuf {
    built(&["-p", package, "--example", name])
}

/// What cargo builds of the workspace, and names last.
fn built(what: &[&str]) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--message-format=json"])
        .args(what)
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{what:?} can't be built");
    let text = String::from_utf8(output.stdout).expect("JSON");
    // The last message that has an executable is that of what was asked for.
    let path = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        rest.split_once('"').map(|(path, _)| PathBuf::from(path))
    });
    path.expect("cargo names the executable")
}

/// Where and how a broker runs; by default on the loopback interface, as any other process.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its address.
    pub host: Ipv4Addr,
    /// A command in front of its own, which becomes it: `nsenter`, for one.
    pub front: Vec<String>,
    /// What is set in its environment.
    pub environment: Vec<(String, String)>,
    /// The binary, where it isn't ours.
    pub program: Option<PathBuf>,
    /// Its ports, where others come in by other ones.
    pub doors: Option<Doors>,
}

/// Where a broker listens, and where all others find it.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// For its clients.
    pub clients: Door,
    /// For other brokers.
    pub peers: Door,
}

/// A port of a broker's address, and what leads there.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The broker's.
    pub port: u16,
    /// Somebody else's.
    pub front: SocketAddr,
}

impl Default for Site {
    fn default() -> Self {
        let (front, environment) = (Vec::new(), Vec::new());
        Self { host: Ipv4Addr::LOCALHOST, front, environment, program: None, doors: None }
    }
}

/// A broker, and its data.
#[derive(Debug)]
pub struct Broker {
    child: Option<Child>,
    site: Site,
    port: u16,
    root: PathBuf,
    /// What it is started with besides directory and address.
    options: Vec<String>,
    /// What its environment has besides ours.
    environment: Vec<(String, PathBuf)>,
}

impl Broker {
    /// A broker with an empty data directory, that accepts connections.
    ///
    /// - `name`: of its directory among the scratch directories.
    ///
    /// # Panics
    /// If it does not start, with what it said.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The same, with further `options`.
    ///
    /// # Panics
    /// If it does not start, with what it said.
    pub fn start_with(name: &str, options: &[&str]) -> Self {
        Self::start_in(scratch(name), options)
    }

    /// The same, in a directory that exists; it is removed in the end.
    ///
    /// # Panics
    /// If it does not start, with what it said.
    pub fn start_in(root: PathBuf, options: &[&str]) -> Self {
        Self::start_at(Site::default(), root, options)
    }

    /// The same, at a place of its own.
    ///
    /// # Panics
    /// If it does not start, with what it said.
    pub fn start_at(site: Site, root: PathBuf, options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let environment = Vec::new();
        let mut broker = Self { child: None, site, port: 0, root, options, environment };
        for _ in 0..PORTS_TRIED_MAX {
            broker.port = broker.site.doors.map_or_else(free_port, |doors| doors.clients.port);
            if broker.try_start() {
                return broker;
            }
        }
        panic!("the broker did not start:\n{}", broker.stderr());
    }

    /// Starts it again, after it was stopped or killed, on the same directory and port.
    ///
    /// # Panics
    /// If it does not start, with what it said.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        assert!(self.try_start(), "the broker did not start again:\n{}", self.stderr());
    }

    /// Starts it again, whatever becomes of that.
    ///
    /// # Panics
    /// If it runs.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs");
        self.child = Some(self.spawn());
    }

    /// Starts it the next time with another value of a setting.
    ///
    /// # Panics
    /// If it has no value.
    pub fn set_option(&mut self, key: &str, value: &str) {
        let is_it = |option: &&mut String| option.starts_with(&format!("{key}="));
        let option = self.options.iter_mut().find(is_it).expect("it was started with one");
        *option = format!("{key}={value}");
    }

    /// Starts it the next time with these options in place of those that it was made with.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|&option| option.to_owned()).collect();
    }

    /// Is our own binary at its next start, whatever it was before.
    pub fn upgrade(&mut self) {
        self.site.program = None;
    }

    /// Sets a variable of its environment, for its next starts.
    pub fn set_variable(&mut self, name: &str, value: &Path) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// What clients take as `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.site.doors.map_or_else(|| self.listens(), |doors| doors.clients.front.to_string())
    }

    fn listens(&self) -> String {
        format!("{}:{}", self.site.host, self.port)
    }

    /// Where its data lies.
    pub fn data_dir(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Its process id, while it runs.
    ///
    /// # Panics
    /// If it doesn't.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Whether it was started and has ended by itself.
    ///
    /// # Panics
    /// If the system doesn't say.
    pub fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().expect("it is our child").is_some())
    }

    /// Sends it a signal, `STOP` for one.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "no such process");
    }

    /// What it wrote to standard error, over all its lives.
    pub fn stderr(&self) -> String {
        let bytes = fs::read(self.root.join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Ends it with SIGTERM and waits for it.
    ///
    /// # Panics
    /// If it doesn't end, or not well.
    pub fn stop(&mut self) {
        self.wait_until_ready();
        self.signal("TERM");
        let child = self.child.as_mut().expect("it runs");
        let status = wait(child).unwrap_or_else(|| panic!("it goes on:\n{}", self.stderr()));
        assert!(status.success(), "{status}:\n{}", self.stderr());
        assert!(!self.stderr().contains("is not closed"), "no clean stop:\n{}", self.stderr());
        self.child = None;
    }

    /// Waits until it says that it is ready, if it does: it answers a moment before, and whoever is
    /// ended before has not ended well.
    fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY_MAX;
        let count = |log: &str, word: &str| log.matches(&format!("::start: {word} ")).count();
        let mut log = self.stderr();
        while count(&log, "ready") < count(&log, "starting") && Instant::now() < deadline {
            pause();
            log = self.stderr();
        }
    }

    /// Ends it with SIGKILL.
    ///
    /// # Panics
    /// If it doesn't run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it had not ended by itself");
        child.wait().expect("it was killed");
    }

    fn spawn(&self) -> Child {
        let log = self.root.join("stderr");
        let log = OpenOptions::new().create(true).append(true).open(log).expect("ours to write");
        let stdout = File::create(self.root.join("stdout")).expect("ours to write");
        // Where a test gives an admin listener, it is the last.
        let admin = self.options.iter().any(|it| it.starts_with("--admin-listen"));
        let program = self.site.program.as_deref().unwrap_or_else(|| logboom());
        let mut words = self.site.front.iter().map(OsStr::new).chain([program.as_os_str()]);
        let mut command = Command::new(words.next().expect("the binary, if nothing else"));
        command.args(words).args(["broker", "--listen", &self.listens()]);
        if self.site.doors.is_some() {
            let told = format!("advertised.listeners=PLAINTEXT://{}", self.bootstrap());
            command.args(["--set", &told]);
        }
        command.args((!admin).then_some("--admin-listen="));
        command.arg("--data-dir");
        command.arg(self.data_dir());
        // Records of tests are as old as they like.
        command.args(["--set", "log.initial.task.delay.ms=3600000"]).args(&self.options);
        command.stdin(Stdio::null()).stdout(stdout).stderr(log);
        command.envs(self.environment.iter().cloned());
        // What steers the tests would be unknown settings to the broker.
        let steers = |name: &str| name.starts_with("LOGBOOM_") && name != "LOGBOOM_LOG";
        for (name, _) in std::env::vars().filter(|(name, _)| steers(name)) {
            command.env_remove(name);
        }
        command.envs(self.site.environment.iter().map(|(name, value)| (name, value)));
        command.spawn().expect("the binary was just built")
    }

    /// Whether it accepts connections in time; not if it ended.
    fn try_start(&mut self) -> bool {
        let mut child = self.spawn();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if child.try_wait().expect("it is our child").is_some() {
                return false;
            }
            // Somebody else's port would answer as well, but then the broker ends.
            if TcpStream::connect((self.site.host, self.port)).is_ok() {
                self.child = Some(child);
                return true;
            }
            pause();
        }
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
        false
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended, which is the test's to find.
            drop(child.kill());
            drop(child.wait());
        }
        if thread::panicking() {
            let text = format!("the broker in {}:\n{}", self.root.display(), self.stderr());
            drop(std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()));
        } else {
            drop(fs::remove_dir_all(&self.root));
        }
    }
}

/// What `LOGBOOM_REFERENCE` says for an Apache Kafka that the tests start themselves.
const APACHE_KAFKA: &str = "kafka";

/// What tests share that only need some broker: one process while any of them runs.
#[derive(Debug, Clone)]
pub enum Subject {
    /// Ours.
    Ours(Arc<Broker>),
    /// Apache Kafka.
    Kafka(Arc<Kafka>),
    /// The address of another.
    Reference(String),
}

impl Subject {
    /// What clients take as `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        match self {
            Self::Ours(broker) => broker.bootstrap(),
            Self::Kafka(kafka) => kafka.plain.clone(),
            Self::Reference(address) => address.clone(),
        }
    }

    /// Our broker, unless it is another's turn.
    pub fn ours(&self) -> Option<&Broker> {
        match self {
            Self::Ours(broker) => Some(broker),
            Self::Kafka(_) | Self::Reference(_) => None,
        }
    }
}

/// A broker that others use as well, with topics of their own.
///
/// # Panics
/// If it does not start.
pub fn shared() -> Subject {
    static SHARED: Mutex<Weak<Broker>> = Mutex::new(Weak::new());
    static KAFKA: Mutex<Weak<Kafka>> = Mutex::new(Weak::new());
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    match std::env::var("LOGBOOM_REFERENCE") {
        Ok(name) if name == APACHE_KAFKA => {
            let start = |number| Kafka::start(&format!("shared-kafka-{number}")).expect("Maven");
            return Subject::Kafka(one(&KAFKA, &COUNT, start));
        }
        Ok(address) => return Subject::Reference(address),
        Err(_) => {}
    }
    let start = |number| Broker::start(&format!("shared-broker-{number}"));
    Subject::Ours(one(&SHARED, &COUNT, start))
}

/// The one that others use, or a new one.
fn one<T>(shared: &Mutex<Weak<T>>, count: &AtomicUsize, start: impl FnOnce(usize) -> T) -> Arc<T> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    // The one before may be about to end, and to remove its directory.
    let started = Arc::new(start(count.fetch_add(1, Ordering::Relaxed)));
    *shared = Arc::downgrade(&started);
    started
}

/// Waits a little between two looks at another process; how often is bounded by who calls.
#[expect(clippy::disallowed_methods, reason = "another process can only be looked at again")]
pub fn pause() {
    thread::sleep(LOOK_EVERY);
}

/// The status with which a process ended in time.
pub(crate) fn wait(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        pause();
    }
    None
}

/// A port that nobody has at this moment, and that the system gives to no outgoing connection by
/// itself, nor this process to another caller.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Several test processes may run at once.
    let first = usize::try_from(std::process::id()).expect("a small number") * 509;
    let ports = (0..PORTS.len()).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let mut ports = ports.filter_map(|number| PORTS.clone().nth(number % PORTS.len()));
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(is_free).expect("a free port")
}
