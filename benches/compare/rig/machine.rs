//! What a figure depends on besides the systems: the machine, and what is warm in it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::options::root;
use crate::process::output;
use crate::systems::Jars;

/// How long a question about the machine may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Bytes that are written at once.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNKS_PER_GIB: u32 = 1 << 10;
/// GiB of anonymous memory that are touched beside the page cache.
const ANONYMOUS_GIB: usize = 2;
const PAGE_BYTES: usize = 4096;

/// Touches anonymous memory and as much of the page cache: the first touch of memory that a host
/// hasn't backed yet would be charged to whichever system comes first.
///
/// # Errors
/// A file that can't be written.
pub(crate) fn touch(dir: &Path, gib: u32) -> Result<(), String> {
    touch_page_cache(dir, gib)?;
    let mut memory = vec![0_u8; ANONYMOUS_GIB << 30];
    memory.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
    drop(std::hint::black_box(memory));
    Ok(())
}

/// Writes and drops a file. A host that is told of free pages takes them back a few seconds later,
/// so what is to be warm is touched just before.
///
/// # Errors
/// A file that can't be written.
pub(crate) fn touch_page_cache(dir: &Path, gib: u32) -> Result<(), String> {
    let path = dir.join("touched");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(dir).map_err(failed)?;
    let mut file = File::create(&path).map_err(failed)?;
    let chunk = vec![1; CHUNK_BYTES];
    for _ in 0..gib * CHUNKS_PER_GIB {
        file.write_all(&chunk).map_err(failed)?;
    }
    fs::remove_file(&path).map_err(failed)
}

/// The commit, with `-dirty` where the tree has changes.
pub(crate) fn commit() -> String {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    output(&mut git, ANSWER_MAX).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

/// What the report says of where and when it was made.
pub(crate) fn facts(jars: &Jars, data_dir: &Path) -> Value {
    let said = |program: &str, arguments: &[&str]| {
        let text = output(Command::new(program).args(arguments), ANSWER_MAX).unwrap_or_default();
        text.lines().next().unwrap_or_default().trim().to_owned()
    };
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let field = |path: &str, name: &str| {
        let text = read(path);
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([':', ' ', '\t']).to_owned()
    };
    let file_system =
        output(Command::new("stat").args(["-f", "-c", "%T"]).arg(data_dir), ANSWER_MAX);
    json!({
        "date": said("date", &["-u", "+%Y-%m-%d"]),
        "commit": commit(),
        "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "processor": field("/proc/cpuinfo", "model name"),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").split('-').next().unwrap_or_default(),
        "load": read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        "file_system": file_system.unwrap_or_default().trim(),
        "congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "kafka": jars.version(),
        "java": java_version(),
    })
}

fn java_version() -> String {
    let result = Command::new("java").arg("--version").output();
    let text = result.map(|result| result.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}
