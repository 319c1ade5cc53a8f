//! What an operator waits and pays for: starts, memory, recovery after a kill, disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use logboom_compare::{cpu_seconds, pause, status_kib};

use crate::load;
use crate::probe;
use crate::run::Rig;
use crate::scenario::Scenario;
use crate::systems::{Running, System, data_of};

/// How long an idle broker is watched, after it had as long to come to rest.
const IDLE: Duration = Duration::from_secs(3);
/// How long a recovery may take.
const RECOVERY_MAX: Duration = Duration::from_secs(600);
/// The topic that is filled.
const TOPIC: &str = "filled";

/// Starts a system, watches it when idle, and (if `recovers`) fills, kills and restarts it.
///
/// # Errors
/// What fails, or records that were acknowledged and are gone.
pub(crate) fn measure(
    rig: &Rig<'_>,
    scenario: &Scenario,
    system: System,
    dir: &Path,
    recovers: bool,
) -> Result<Value, String> {
    let running = Running::fresh(system, dir, rig.jars)?;
    let pid = running.server.pid();
    pause(IDLE);
    let before = cpu_seconds(Some(pid));
    pause(IDLE);
    let mut result = json!({
        "start_ms": milliseconds(running.ready_after),
        "idle_rss_kib": status_kib(pid, "VmRSS"),
        "idle_rss_anon_kib": status_kib(pid, "RssAnon"),
        "idle_cpu_percent": (cpu_seconds(Some(pid)) - before) / IDLE.as_secs_f64() * 100.0,
    });
    if recovers {
        result["recovery"] = recovery(rig, scenario, running, dir)?;
    } else {
        running.server.stop()?;
    }
    Ok(result)
}

#[expect(clippy::cast_precision_loss, reason = "bytes per record need no more digits")]
fn recovery(
    rig: &Rig<'_>,
    scenario: &Scenario,
    running: Running,
    dir: &Path,
) -> Result<Value, String> {
    let scenario = Scenario { fill_bytes: rig.options.recovery_bytes(), ..scenario.clone() };
    load::create(&running, &scenario, TOPIC)?;
    let records = load::fill(&running, &scenario, TOPIC)?;
    let (system, pid) = (running.system, running.server.pid());
    let (rss, anonymous) = (status_kib(pid, "VmRSS"), status_kib(pid, "RssAnon"));
    let running_bytes = disk_bytes(&data_of(dir))?;
    running.server.kill();
    let (running, after_kill) = restarted(rig, &scenario, system, dir)?;
    let kept = probe::offsets_end(running.address, TOPIC, scenario.partitions)?;
    if u64::try_from(kept).unwrap_or_default() < records {
        return Err(format!("{kept} of {records} acknowledged records are left after the kill"));
    }
    running.server.stop()?;
    let stopped_bytes = disk_bytes(&data_of(dir))?;
    let (running, after_stop) = restarted(rig, &scenario, system, dir)?;
    running.server.stop()?;
    Ok(json!({
        "records": records,
        "bytes": records * scenario.record_bytes,
        "loaded_rss_kib": rss,
        "loaded_rss_anon_kib": anonymous,
        "after_kill_ms": after_kill,
        "after_stop_ms": after_stop,
        "disk_bytes_per_record": running_bytes as f64 / records as f64,
        "disk_bytes_per_record_stopped": stopped_bytes as f64 / records as f64,
    }))
}

/// Starts again on what is there; returns milliseconds until all partitions are served.
fn restarted(
    rig: &Rig<'_>,
    scenario: &Scenario,
    system: System,
    dir: &Path,
) -> Result<(Running, f64), String> {
    let since = Instant::now();
    let mut running = Running::start(system, dir, rig.jars)?;
    let (address, topic) = (running.address, (TOPIC, scenario.partitions));
    let server = &mut running.server;
    let served = probe::partitions_served(server, address, topic, since, RECOVERY_MAX)?;
    Ok((running, milliseconds(served)))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Bytes of the blocks that the files of a directory take.
fn disk_bytes(dir: &Path) -> Result<u64, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut sum = 0;
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        // What was found a moment ago may have gone.
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(metadata) = entry.metadata() else { continue };
            sum += metadata.blocks() * 512;
            if metadata.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    Ok(sum)
}
