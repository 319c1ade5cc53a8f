//! The driver: loads any broker through librdkafka and says what came of it, as JSON.
//!
//! `driver MODE --bootstrap HOST:PORT [--FIELD VALUE]…` where MODE is `create`, `delete`, `fill`,
//! `produce`, `consume` or `mixed`, and the fields are those of [`spec::Spec`], with dashes. The
//! result is one line on standard output.
//!
//! Must always hold: a latency counts from when its record was due, so a broker that stalls is
//! charged for every record that it keeps waiting (no coordinated omission).

mod admin;
mod consume;
mod payload;
mod produce;
mod spec;
mod window;

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use spec::{Mode, Spec};

const USAGE: &str = "\
usage: driver create|delete|fill|produce|consume|mixed --bootstrap HOST:PORT [--FIELD VALUE]…

  --topic NAME            --partitions N         --topic-config KEY=VALUE,…
  --record-bytes N        --entropy 0..1         --codec none|gzip|snappy|lz4
  --acks 0|1|all          --linger-ms N          --batch-bytes N
  --producers N           --rate RECORDS/S       (without it: flat out)
  --warmup-seconds S      --seconds S            --bytes-max N (of payload)
  --records N             (consume, mixed: how many are read from the start)
  --broker-pid N          (whose processor time is measured)
  --client-config KEY=VALUE,… (librdkafka's)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let spec = match Spec::from_arguments(&arguments) {
        Ok(spec) => spec,
        Err(error) => return fail(&format!("{error}\n{USAGE}"), 2),
    };
    let result = match spec.mode {
        Mode::Create => admin::create(&spec).map(|()| json!({})),
        Mode::Delete => admin::delete(&spec).map(|()| json!({})),
        Mode::Fill => produce::fill(&spec).map(|records| json!({ "records": records })),
        Mode::Produce => produce::run(&spec).map(|load| json!({ "produce": load })),
        Mode::Consume => consume::run(&spec).map(|load| json!({ "consume": load })),
        Mode::Mixed => mixed(&spec),
    };
    match result {
        Ok(result) => match writeln!(io::stdout(), "{result}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string(), 1),
        },
        Err(error) => fail(&error, 1),
    }
}

/// Reads what was there from the start while more is produced.
fn mixed(spec: &Spec) -> Result<Value, String> {
    let running = produce::start(spec)?;
    running.warm_up();
    let window = running.open_window();
    let consumed = consume::run(spec);
    let produced = running.finish(window)?;
    Ok(json!({ "produce": produced, "consume": consumed? }))
}

fn fail(message: &str, code: u8) -> ExitCode {
    drop(writeln!(io::stderr(), "driver: {message}"));
    ExitCode::from(code)
}
