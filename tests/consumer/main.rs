//! `BOOTSTRAP TOPIC GROUP COUNT STRATEGY [PROPERTY=VALUE…]`: our consumer reads with a group,
//! commits each record, and prints its partition and offset then; so many of them, or with 0 until
//! standard input ends. What can't be committed and is still its own it reads again.

use std::io::{self, Read as _, Write as _};

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use logboom_consumer::{Consumer, ConsumerError, Properties, Record, Remedy, Start};

fn settings(arguments: &[String]) -> Result<Properties> {
    let [bootstrap, _, group, _, strategy, more @ ..] = arguments else {
        anyhow::bail!("BOOTSTRAP TOPIC GROUP COUNT STRATEGY [PROPERTY=VALUE...]");
    };
    let mut properties: Properties = [
        ("bootstrap.servers", bootstrap.as_str()),
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("partition.assignment.strategy", strategy),
        ("heartbeat.interval.ms", "500"),
        ("session.timeout.ms", "10000"),
    ]
    .into_iter()
    .collect();
    for setting in more {
        let (key, value) = setting.split_once('=').context("PROPERTY=VALUE")?;
        properties.set(key, value);
    }
    Ok(properties)
}

/// Whether what was read is committed.
async fn commit(consumer: &mut Consumer, record: &Record) -> Result<bool> {
    let Err(error) = consumer.commit().await else { return Ok(true) };
    if error.remedy() != Remedy::Retry {
        return Err(error.into());
    }
    writeln!(io::stderr(), "{} {}: {error}", record.place(), record.offset)?;
    // It comes again, unless it is somebody else's by now.
    match consumer.seek(&record.place(), Start::Offset(record.offset)) {
        Ok(()) | Err(ConsumerError::NotAssigned { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let properties = settings(&arguments)?;
    let mut consumer = Consumer::builder().properties(&properties)?.build()?;
    let unused: Vec<&str> = properties.unused().collect();
    anyhow::ensure!(unused.is_empty(), "no such settings: {unused:?}");
    let count: u64 = arguments[3].parse()?;
    let (sender, mut ended) = oneshot::channel();
    // Held, so that without a reader of standard input nothing ends.
    let mut sender = Some(sender);
    if count == 0
        && let Some(sender) = sender.take()
    {
        std::thread::spawn(move || {
            io::stdin().read_to_end(&mut Vec::new()).ok();
            sender.send(()).ok();
        });
    }
    consumer.subscribe([&arguments[1]])?;
    let mut read = 0;
    while count == 0 || read < count {
        let result = tokio::select! {
            result = consumer.next() => result,
            _ = &mut ended => break,
        };
        match result {
            Ok(record) if commit(&mut consumer, &record).await? => {
                writeln!(io::stdout(), "{} {}", record.partition, record.offset)?;
                read += 1;
            }
            Ok(_) => {}
            Err(error) if error.remedy() == Remedy::Retry => {
                writeln!(io::stderr(), "{error}")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    consumer.close().await?;
    Ok(())
}
