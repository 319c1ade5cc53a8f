//! The machine that figures are from.

use std::fs;
use std::num::NonZero;
use std::thread::available_parallelism;

use crate::run::Machine;

/// What this machine is, as far as the system tells.
pub(crate) fn facts() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    Machine {
        host: read("/proc/sys/kernel/hostname"),
        processors: available_parallelism().map_or(0, NonZero::get),
        processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default().to_owned(),
        memory_bytes: kib(&read("/proc/meminfo"), "MemTotal").map_or(0, |kib| kib << 10),
        kernel: read("/proc/sys/kernel/osrelease"),
        load: read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control"),
    }
}

/// What stands behind `name:` in a text of the system.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(value.trim())
}

/// A size that stands there in KiB.
pub(crate) fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmRSS:\t  12 kB\nmodel name\t: A: B\n";
        assert_eq!(kib(text, "VmRSS"), Some(12));
        assert_eq!(field(text, "model name"), Some("A: B"));
        assert_eq!(field(text, "model"), None);
        assert_eq!(kib(text, "model name"), None);
    }

    #[test]
    fn this_machine_has_processors_and_memory() {
        let machine = facts();
        assert!(machine.processors > 0 && machine.memory_bytes > 1 << 20, "{machine:?}");
    }
}
