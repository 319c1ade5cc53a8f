//! `logboom dev`: a whole cluster on this machine, each broker a process of its own.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use clap::Args;

use logboom_bench::Signals;

/// What `--help` ends with.
pub(crate) const EXAMPLES: &str = "\
Broker 1 listens on --base-port, broker 2 on the next port, and so on; brokers await each other
10,000 ports above, and serve metrics 552 above. Ctrl-C stops all of them. The data stays: with
the same --data-dir the same cluster goes on.

Examples:
  logboom dev
  logboom dev --brokers 5 --data-dir /tmp/cluster --base-port 29092";

/// The most brokers of one machine.
const BROKERS_MAX: u16 = 50;
/// From the clients' port of a broker to that for other brokers.
const PEERS: u16 = 10_000;
/// The greatest port of a first broker.
const PORT_MAX: i64 = 65_535 - 10_000 - 50;
/// From there to that where it serves metrics and health: 9644 for 9092.
const ADMIN: u16 = 552;

/// How a cluster is run.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// How many brokers it has.
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..=i64::from(BROKERS_MAX)))]
    brokers: u16,
    /// Where their data lies, each in a directory of its own.
    #[arg(long, value_name = "DIR", default_value = "./logboom-dev")]
    data_dir: PathBuf,
    /// The first broker's port for clients.
    #[arg(long, value_name = "PORT", default_value_t = 9092,
          value_parser = clap::value_parser!(u16).range(1..=PORT_MAX))]
    base_port: u16,
    /// Sets any key of every broker's configuration; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Runs a cluster; returns when all brokers have ended.
pub(crate) fn run(arguments: &DevArguments) -> ExitCode {
    match run_cluster(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            crate::complain(&format!("logboom dev: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run_cluster(arguments: &DevArguments) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let signals = runtime.block_on(async { Signals::new() });
    let mut signals = signals.map_err(|error| format!("signals: {error}"))?;
    let (lines, written) = channel();
    let writer = thread::spawn(move || write(&written));
    let mut children = Vec::new();
    for number in 1..=arguments.brokers {
        let begun = start(arguments, number, &lines);
        match begun {
            Ok(child) => children.push(child),
            Err(error) => {
                children.into_iter().for_each(stop);
                return Err(format!("broker {number}: {error}"));
            }
        }
    }
    drop(lines);
    // A broker ends when its stdin is closed; so also when this process is killed.
    let inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    let waiters: Vec<_> = children.into_iter().map(|child| thread::spawn(|| wait(child))).collect();
    let (ended, all_ended) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let ends: Vec<bool> = waiters.into_iter().map(|it| it.join().unwrap_or(false)).collect();
        ended.send(ends.contains(&true)).unwrap_or(());
    });
    let is_well = runtime.block_on(async {
        let mut all_ended = all_ended;
        tokio::select! {
            is_well = &mut all_ended => is_well,
            () = signals.next() => {
                drop(inputs);
                all_ended.await
            }
        }
    });
    if !is_well.unwrap_or(false) {
        return Err("no broker has ended well".to_owned());
    }
    writer.join().map_err(|_| "the output is not written".to_owned())
}

/// Starts a broker, whose lines are sent with its number.
fn start(
    arguments: &DevArguments,
    number: u16,
    lines: &Sender<String>,
) -> Result<Child, std::io::Error> {
    let at = |base: u16, number: u16| format!("127.0.0.1:{}", base + number - 1);
    let voter = |number| format!("{number}@{}", at(arguments.base_port + PEERS, number));
    let voters: Vec<String> = (1..=arguments.brokers).map(voter).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["broker", "--until-stdin-closes", "--node-id", &number.to_string()])
        .arg("--data-dir")
        .arg(arguments.data_dir.join(format!("broker-{number}")))
        .args(["--listen", &at(arguments.base_port, number)])
        .args(["--admin-listen", &at(arguments.base_port + ADMIN, number)])
        .args(["--set", &format!("controller.quorum.voters={}", voters.join(","))]);
    for setting in &arguments.set {
        command.args(["--set", setting]);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    pass_on(number, out, lines);
    pass_on(number, err, lines);
    Ok(child)
}

/// Passes a broker's lines on, each with its number before it.
fn pass_on(number: u16, source: Option<impl Read + Send + 'static>, lines: &Sender<String>) {
    let Some(source) = source else { return };
    let lines = lines.clone();
    thread::spawn(move || {
        for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
            let line = format!("{number} | {}", String::from_utf8_lossy(&line));
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

fn write(lines: &Receiver<String>) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        // Nobody reads any more: the cluster goes on.
        writeln!(out, "{line}").unwrap_or(());
    }
}

/// Waits for a broker; returns whether it ended well.
fn wait(mut child: Child) -> bool {
    let id = child.id();
    match child.wait() {
        Ok(status) if status.success() => return true,
        Ok(status) => crate::complain(&format!("process {id} of a broker has ended: {status}")),
        Err(error) => crate::complain(&format!("process {id} of a broker: {error}")),
    }
    false
}

fn stop(mut child: Child) {
    drop(child.stdin.take());
    _ = wait(child);
}
