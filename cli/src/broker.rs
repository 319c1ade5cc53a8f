//! `logboom broker`: runs a broker until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use logboom_bench::Signals;
use logboom_broker::{Broker, Config, ConfigProblem, Origin, Settings};

/// What `--help` ends with.
pub(crate) const EXAMPLES: &str = "\
Settings come from FILE, then from LOGBOOM_… variables of the environment (LOGBOOM_LOG_DIR for
log.dir), then from flags; what comes later counts. deploy/broker.toml has every key with its
default. LOGBOOM_LOG says what is logged (as warn, or debug, or logboom_broker=debug).

Examples:
  logboom broker
  logboom broker --data-dir /var/lib/logboom --listen 10.0.0.7:9092
  logboom broker --config /etc/logboom/broker.toml --set log.retention.hours=24
  logboom broker --set listeners=PLAINTEXT://0.0.0.0:9092 \\
                 --set advertised.listeners=PLAINTEXT://kafka.example:9092
  LOGBOOM_NUM_PARTITIONS=8 logboom broker --log-format json";

/// How a broker is run.
#[derive(Debug, Args)]
pub(crate) struct BrokerArguments {
    /// The file of its configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where its data lies (log.dir) [default: ./logboom-data].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where it listens for clients (listeners) [default: 127.0.0.1:9092].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where it serves metrics and health (admin.listener) [default: 127.0.0.1:9644]; empty for
    /// nowhere.
    #[arg(long, value_name = "HOST:PORT")]
    admin_listen: Option<String>,
    /// Its number in the cluster (node.id) [default: 1].
    #[arg(long, value_name = "N")]
    node_id: Option<String>,
    /// Sets any key of the configuration; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Stops when stdin is closed, as with a signal; for whoever runs it as a part of something.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
    /// How the log is written to stderr.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "LOGBOOM_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// An object a line, for machines.
    Json,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let (key, value) = pair.ok_or_else(|| "must be KEY=VALUE".to_owned())?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// Runs a broker; returns when it was told to stop, or can't start.
pub(crate) fn run(arguments: &BrokerArguments) -> ExitCode {
    logboom_broker::end_on_panic();
    let ran = begin_log(arguments.log_format)
        .and_then(|()| configure(arguments, environment()).map_err(|problem| problem.to_string()))
        .and_then(|config| run_with(config, arguments.until_stdin_closes));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            crate::complain(&format!("logboom broker: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// The variables of the environment that are text; no key has another.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn configure(
    arguments: &BrokerArguments,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigProblem> {
    let mut settings = Settings::default();
    if let Some(path) = &arguments.config {
        settings.add_file(path)?;
    }
    settings.add_environment(environment)?;
    for (key, value) in &arguments.set {
        settings.set(key, value, Origin::Flag("--set"))?;
    }
    let listeners = arguments.listen.as_ref().map(|address| format!("PLAINTEXT://{address}"));
    for (key, value, flag) in [
        ("log.dir", &arguments.data_dir, "--data-dir"),
        ("listeners", &listeners, "--listen"),
        ("admin.listener", &arguments.admin_listen, "--admin-listen"),
        ("node.id", &arguments.node_id, "--node-id"),
    ] {
        if let Some(value) = value {
            settings.set(key, value, Origin::Flag(flag))?;
        }
    }
    Config::new(&settings)
}

/// Begins the log on stderr; `LOGBOOM_LOG` says what of it is written.
fn begin_log(format: LogFormat) -> Result<(), String> {
    let wanted = std::env::var("LOGBOOM_LOG").unwrap_or_default();
    let wanted = if wanted.trim().is_empty() { "info" } else { &wanted };
    let filter = EnvFilter::try_new(wanted);
    let filter = filter.map_err(|error| format!("LOGBOOM_LOG={wanted}: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Where nothing can be written there is nobody to tell; it would panic over that.
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

fn run_with(config: Config, until_stdin_closes: bool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let signals = { runtime.block_on(async { Signals::new() }) };
    let mut signals = signals.map_err(|error| format!("signals: {error}"))?;
    let mut closed = until_stdin_closes.then(stdin_closed);
    let starting = spawn(move || Broker::start(&config));
    let started = runtime.block_on(async {
        tokio::select! {
            started = starting => started,
            () = ended(&mut signals, &mut closed) => {
                // It waits for other brokers, or for the device: as if it had been killed.
                tracing::warn!("ended before it was ready");
                std::process::exit(1)
            }
        }
    });
    let broker = started.map_err(|_| "the start has failed".to_owned())?;
    let broker = broker.map_err(|error| error.to_string())?;
    runtime.block_on(ended(&mut signals, &mut closed));
    tracing::info!("stopping; a second signal ends at once");
    let stopping = std::thread::spawn(move || broker.stop());
    runtime.block_on(async {
        let stopped = tokio::task::spawn_blocking(move || stopping.join());
        tokio::select! {
            _ = stopped => Ok(()),
            () = signals.next() => {
                // The next start reads what this one hasn't closed.
                tracing::warn!("ended by a second signal");
                std::process::exit(1)
            }
        }
    })
}

/// Does something on a thread that may wait; what is received is its result.
fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::sync::oneshot::Receiver<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(sender.send(work())));
    receiver
}

/// Is told when stdin is closed.
fn stdin_closed() -> tokio::sync::oneshot::Receiver<()> {
    spawn(|| {
        let copied = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(copied);
    })
}

/// Waits for a signal, or for the end of stdin where that counts.
async fn ended(signals: &mut Signals, closed: &mut Option<tokio::sync::oneshot::Receiver<()>>) {
    match closed {
        None => signals.next().await,
        Some(closing) => tokio::select! {
            () = signals.next() => {}
            _ = closing => *closed = None,
        },
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{BrokerArguments, LogFormat, configure};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: BrokerArguments,
    }

    fn parse(words: &[&str]) -> Result<BrokerArguments, clap::Error> {
        let words = std::iter::once("broker").chain(words.iter().copied());
        Command::try_parse_from(words).map(|command| command.arguments)
    }

    #[test]
    fn flags_go_before_set_and_set_before_the_environment() {
        let words = "--data-dir d --listen 127.0.0.1:7 --node-id 4 --admin-listen= \
                     --set node.id=3 --set num.partitions=5 --set num.io.threads=2";
        let words: Vec<&str> = words.split_whitespace().collect();
        let environment = [("LOGBOOM_NODE_ID", "2"), ("LOGBOOM_NUM_PARTITIONS", "2")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = configure(&parse(&words).unwrap(), environment.into_iter()).unwrap();
        assert_eq!(config.data_dir.to_str(), Some("d"));
        assert_eq!(config.listeners[0].bind.to_string(), "127.0.0.1:7");
        assert_eq!((config.settings.broker_id(), config.admin, config.shards), (4, None, 2));
        assert_eq!(config.settings.get("num.partitions"), Some("5"));
    }

    #[test]
    fn what_a_flag_may_not_say_is_named_with_the_flag() {
        for (words, what) in [
            (["--node-id", "-1"], "node.id=-1: must be at least 0 (set by --node-id)"),
            (["--set", "a.b=c"], "a.b=c: no broker configuration has that key (set by --set)"),
            (["--config", "/nonexistent.toml"], "can't be read"),
            (["--listen", "nowhere"], "listeners=PLAINTEXT://nowhere: must be NAME://HOST:PORT"),
        ] {
            let words = [words[0].to_owned() + "=" + words[1]];
            let arguments = parse(&[&words[0]]).unwrap();
            let problem = configure(&arguments, std::iter::empty()).unwrap_err().to_string();
            assert!(problem.contains(what), "{problem}");
        }
        assert_eq!(parse(&["--set", "key"]).unwrap_err().exit_code(), 2);
        assert_eq!(parse(&["--log-format", "json"]).unwrap().log_format, LogFormat::Json);
    }
}
