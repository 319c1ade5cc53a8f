//! What `logboom bench` does: loads any cluster that speaks the Kafka protocol, measures, tells
//! what came of it, and compares two runs.
//!
//! ```text
//!   arguments ─▶ session ── a repetition each ─▶ measure ─▶ load: senders and readers
//!                   │                               │
//!                   │           workload, pace ─────┤  latency, timeline
//!                   │      brokers, process, admin ─┘
//!                   ▼
//!                  Run ─▶ table, html, --save ─▶ compare
//! ```
//!
//! It stands on the producer and the consumer of this project and knows nothing of our broker, but
//! for the names of a few of its metrics.
//!
//! # What must always hold
//!
//! - At a rate, latencies count from when a record was due, whatever became of those before it.
//! - A percentile is told only with twenty samples beyond it.
//! - A comparison says no more than its intervals allow.
//! - What wasn't measured is said to be missing; it is never shown as 0.
//! - Memory is bounded, however long a run lasts.

mod admin;
mod arguments;
mod brokers;
mod ceiling;
mod clients;
mod compare;
mod html;
mod latency;
mod load;
mod machine;
mod measure;
mod numbers;
mod pace;
mod process;
mod progress;
mod quantity;
mod random;
mod results;
mod run;
mod secrets;
mod session;
mod signals;
mod student;
mod table;
mod timeline;
mod topic;
mod workload;
mod zipf;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use compare::Comparison;
use results::ResultFile;
use run::Run;
use session::Session;

pub use arguments::BenchArguments;
use arguments::{BenchCommand, CompareArguments, LoadArguments, Output, Plan};
pub use signals::Signals;

/// Names the cluster where neither an option nor a file of settings does.
pub const BOOTSTRAP_VARIABLE: &str = "LOGBOOM_BOOTSTRAP";

/// Why nothing came of it.
#[derive(Debug)]
enum Failure {
    Failed(String),
    /// The results can't be written.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Output(error) => write!(f, "write: {error}"),
        }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs the command. Results go to stdout, errors to stderr; the status is 0 where it was done, and
/// 1 where it failed or `compare` has shown what `--fail-if-slower` asks for.
pub fn run(arguments: &BenchArguments) -> ExitCode {
    let result = match (&arguments.command, arguments.command.plan()) {
        (BenchCommand::Compare(arguments), _) => compare_runs(arguments),
        (_, Some(plan)) => load(plan),
        (_, None) => unreachable!("all but the comparison are loads"),
    };
    match result {
        Ok(status) => status,
        // Who reads our results has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // Where that can't be written there is nobody to tell.
            drop(writeln!(io::stderr(), "logboom bench: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Loads, and tells what came of it; a run that was ended by a failure is told as far as it came.
fn load(plan: Plan<'_>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("start: {error}"))?;
    let command = told_command(std::env::args());
    let result = runtime.block_on(async {
        let session = Session::new(plan)?;
        let files = Files::open(plan.load)?;
        Ok::<_, String>((session.run(command).await?, files))
    });
    runtime.shutdown_background();
    let (run, files) = result?;
    let kept = files.write(&run);
    // What can't be kept is told all the same.
    let told = tell_run(&mut io::stdout().lock(), plan.load.results.output, &run);
    kept?;
    told?;
    match run.failure {
        Some(why) => Err(Failure::Failed(why)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Where a run goes beside stdout.
struct Files {
    save: Option<ResultFile>,
    html: Option<ResultFile>,
}

impl Files {
    fn open(load: &LoadArguments) -> Result<Self, String> {
        let open = |path: &Option<_>| path.clone().map(ResultFile::open).transpose();
        Ok(Self { save: open(&load.save)?, html: open(&load.results.html)? })
    }

    /// Writes both, whether or not the first can be; the first reason why one can't is told.
    fn write(self, run: &Run) -> Result<(), String> {
        let saved = self.save.map_or(Ok(()), |file| file.write(&run.to_json()?));
        let shown = self.html.map_or(Ok(()), |file| file.write(&html::page(run)));
        saved.and(shown)
    }
}

fn tell_run(out: &mut impl Write, output: Output, run: &Run) -> Result<(), Failure> {
    match output {
        Output::Json => {
            let text = serde_json::to_string(run).map_err(|error| error.to_string())?;
            writeln!(out, "{text}")?;
        }
        Output::Table => table::write_run(out, run)?,
    }
    Ok(out.flush()?)
}

fn compare_runs(arguments: &CompareArguments) -> Result<ExitCode, Failure> {
    let (before, after) = (Run::load(&arguments.before)?, Run::load(&arguments.after)?);
    let comparison = Comparison::new(&before, &after, arguments.confidence / 100.0)?;
    let page = || html::comparison_page(&before, &after, &comparison);
    let html = arguments.results.html.clone();
    let kept = html.map_or(Ok(()), |path| ResultFile::open(path)?.write(&page()));
    let mut out = io::stdout().lock();
    let told = match arguments.results.output {
        Output::Json => writeln!(out, "{}", comparison.to_json()),
        Output::Table => table::write_comparison(&mut out, &comparison),
    };
    kept?;
    told?;
    let has_failed = arguments.fail_if_slower && comparison.is_worse();
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A command as a shell takes it, but for secrets.
fn told_command(words: impl Iterator<Item = String>) -> String {
    words.map(|word| quoted(&secrets::masked_word(&word))).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::testing::parsed;

    #[test]
    fn a_run_that_can_not_be_kept_is_not_begun_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("a.html");
        // Nobody is there to be asked for anything.
        let line = "produce --bootstrap 127.0.0.1:1 --save /nonexistent/a.json --html";
        let command = parsed(&format!("{line} {}", page.display())).unwrap();
        let why = load(command.plan().unwrap()).unwrap_err().to_string();
        assert!(why.starts_with("/nonexistent/a.json: "), "{why}");
        assert!(!page.exists());
    }

    #[test]
    fn what_can_not_be_saved_has_its_page_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("a.html");
        let open = |path: &str| Some(ResultFile::open(path.into()).unwrap());
        let files = Files { save: open("/dev/full"), html: open(page.to_str().unwrap()) };
        let why = files.write(&run::testing::run(&[1_000], &[500])).unwrap_err();
        assert!(why.starts_with("/dev/full: "), "{why}");
        assert!(page.exists());
    }

    #[test]
    fn a_command_is_told_so_that_it_can_be_repeated() {
        assert_eq!(quoted("--rate=10"), "--rate=10");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_command_is_told_without_secrets() {
        let words = ["bench", "produce", "--property", "ssl.key.password=hush", "--acks=1"];
        let told = told_command(words.map(str::to_owned).into_iter());
        assert_eq!(told, "bench produce --property 'ssl.key.password=***' --acks=1");
    }
}
