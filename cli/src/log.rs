//! `logboom log`: looks into a data directory offline.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use logboom_storage::{Dumped, Report, SystemDisk, dump, verify};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON value a line.
    Json,
}

/// The commands behind `logboom log`.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Reads every batch of a data directory and names what is damaged. Changes nothing.
    #[command(after_help = "Example:\n  logboom log verify ./logboom-data")]
    Verify(Target),
    /// Lists the batches of a segment file. Changes nothing.
    #[command(after_help = "Example:\n  logboom log dump PATH/TO/00000000000000000000-000000.log")]
    Dump(Target),
}

/// What to look into.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// A data directory, or a segment file.
    path: PathBuf,
    /// Text for people, or one JSON value a line.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// Runs a command; results go to `out`, errors to stderr.
pub(crate) fn run(command: &LogCommand, out: &mut impl Write) -> ExitCode {
    let result = match command {
        LogCommand::Verify(target) => run_verify(target, out),
        LogCommand::Dump(target) => run_dump(target, out),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            crate::complain(&format!("logboom log: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was damaged.
fn run_verify(target: &Target, out: &mut impl Write) -> Result<bool, String> {
    let (mut good, mut written) = (true, Ok(()));
    verify(&SystemDisk, &target.path, |report| {
        good &= !report.is_damage();
        let line = match target.output {
            Output::Text => report.to_string(),
            Output::Json => report_json(&report).to_string(),
        };
        if written.is_ok() {
            written = writeln!(out, "{line}");
        }
    })
    .map_err(|error| error.to_string())?;
    finish(written)?;
    Ok(good)
}

fn run_dump(target: &Target, out: &mut impl Write) -> Result<bool, String> {
    let (mut good, mut written) = (true, Ok(()));
    dump(&SystemDisk, &target.path, |batch| {
        good &= batch.good;
        let line = match target.output {
            Output::Text => batch_text(&batch),
            Output::Json => batch_json(&batch).to_string(),
        };
        if written.is_ok() {
            written = writeln!(out, "{line}");
        }
    })
    .map_err(|error| error.to_string())?;
    finish(written)?;
    Ok(good)
}

/// That a reader of ours has gone away is no failure.
fn finish(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("write: {e}")),
        _ => Ok(()),
    }
}

fn report_json(report: &Report) -> Value {
    let place = |corruption: &logboom_storage::Corruption| {
        let (path, what) = (shown(&corruption.path), corruption.what.to_string());
        json!({ "path": path, "position": corruption.position, "what": what })
    };
    match report {
        Report::Whole { key, log_start_offset, end_offset, segments, bytes } => json!({
            "found": "whole", "partition": key.to_string(), "log_start_offset": log_start_offset,
            "end_offset": end_offset, "segments": segments, "bytes": bytes,
        }),
        Report::Damaged { key, corruption, offset } => json!({
            "found": "damaged", "partition": key.to_string(), "offset": offset,
            "place": place(corruption),
        }),
        Report::TornTail { key, corruption, end_offset } => json!({
            "found": "torn_tail", "partition": key.to_string(), "end_offset": end_offset,
            "place": place(corruption),
        }),
        Report::Garbage { path } => json!({ "found": "garbage", "path": shown(path) }),
        Report::DroppedFrame { path, position } => {
            json!({ "found": "dropped_frame", "path": shown(path), "position": position })
        }
        other => json!({ "found": other.to_string() }),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn batch_text(batch: &Dumped) -> String {
    let header = &batch.header;
    format!(
        "at {} offset {} count {} epoch {} bytes {} codec {} producer {}/{}/{} max timestamp {}{}",
        batch.position,
        header.base_offset,
        header.record_count,
        header.leader_epoch,
        header.length,
        header.attributes.codec_number(),
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        header.max_timestamp,
        if batch.good { "" } else { " DAMAGED" }
    )
}

fn batch_json(batch: &Dumped) -> Value {
    let header = &batch.header;
    json!({
        "position": batch.position, "base_offset": header.base_offset,
        "last_offset_delta": header.last_offset_delta, "record_count": header.record_count,
        "leader_epoch": header.leader_epoch, "length": header.length,
        "codec": header.attributes.codec_number(),
        "transactional": header.attributes.is_transactional(),
        "control": header.attributes.is_control(), "producer_id": header.producer_id,
        "producer_epoch": header.producer_epoch, "base_sequence": header.base_sequence,
        "max_timestamp": header.max_timestamp, "good": batch.good,
    })
}
