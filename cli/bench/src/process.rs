//! What processes take: this one, and whichever listens at an address of this machine.
//!
//! That a broker is on this machine is seen by its listening socket: its number stands in
//! `/proc/net/tcp`, and among the open files of the process that has it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};

use crate::machine::kib;
use crate::numbers::real;

/// Ticks a second of `/proc/PID/stat`, which Linux fixes for programs.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where the processor times stand behind the name of the program, counted from 0.
const USER_TICKS_FIELD: usize = 11;
/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// Processor seconds of this process.
pub(crate) fn own_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most resident memory that this process has ever had.
pub(crate) fn own_rss_bytes_max() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kib(&status, "VmHWM").map(|kib| kib << 10)
}

/// What a process has taken and has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProcessUse {
    pub(crate) cpu_seconds: f64,
    pub(crate) rss_bytes: u64,
    pub(crate) anonymous_bytes: u64,
}

impl ProcessUse {
    /// Of a process that runs and may be looked at.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            cpu_seconds: real(ticks(&stat)?) / TICKS_PER_SECOND,
            rss_bytes: kib(&status, "VmRSS")? << 10,
            anonymous_bytes: kib(&status, "RssAnon")? << 10,
        })
    }
}

/// What the system calls a process: the first 15 bytes of its program's name.
pub(crate) fn name(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

fn ticks(stat: &str) -> Option<u64> {
    // The name may hold spaces and brackets.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(USER_TICKS_FIELD);
    Some(times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?)
}

/// The sockets of this machine that listened when they were looked at.
#[derive(Debug)]
pub(crate) struct Listeners {
    tables: String,
}

impl Listeners {
    pub(crate) fn read() -> Self {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let read = |path: &&str| fs::read_to_string(path).unwrap_or_default();
        Self { tables: tables.iter().map(read).collect() }
    }

    /// The process of this machine that listens there; `None` where it is another machine's, or may
    /// not be looked at.
    pub(crate) fn process(&self, address: SocketAddr) -> Option<u32> {
        let inodes = listening(&self.tables, address);
        if inodes.is_empty() || !is_here(address.ip()) {
            return None;
        }
        let sockets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut pids =
            processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.find(|pid| has_one(Path::new(&format!("/proc/{pid}/fd")), &sockets))
    }
}

fn has_one(files: &Path, sockets: &[String]) -> bool {
    let Ok(entries) = fs::read_dir(files) else { return false };
    entries.flatten().any(|entry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        target.to_str().is_some_and(|target| sockets.iter().any(|socket| socket == target))
    })
}

/// Whether an address is one of this machine: who can listen there is here.
fn is_here(ip: IpAddr) -> bool {
    ip.is_loopback() || std::net::UdpSocket::bind((ip, 0)).is_ok()
}

/// The sockets that listen at an address, or at all addresses with its port.
fn listening(table: &str, address: SocketAddr) -> Vec<u64> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (ip, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let ip = ip_of(ip)?;
        let is_it = ip == address.ip() || ip.is_unspecified();
        (*state == LISTENS && port == address.port() && is_it).then(|| inode.parse().ok())?
    };
    table.lines().filter_map(socket).collect()
}

/// An address as the table writes it: words of four bytes, each in the machine's order.
fn ip_of(digits: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(digits.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(if cfg!(target_endian = "little") { word.swap_bytes() } else { word })
    };
    match digits.len() {
        8 => Some(Ipv4Addr::from_bits(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bits = words.iter().fold(0_u128, |bits, word| (bits << 32) | u128::from(*word));
            Some(Ipv6Addr::from_bits(bits).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "17 (a) b) S 1 17 17 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("17"), None);
    }

    #[test]
    fn who_listens_is_found_and_what_it_takes() {
        for host in ["127.0.0.1", "0.0.0.0", "[::]"] {
            let Ok(listener) = TcpListener::bind(format!("{host}:0")) else {
                assert_eq!(host, "[::]", "only that may be missing");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let found = || Listeners::read().process(address);
            assert_eq!(found(), Some(std::process::id()), "{host}");
            drop(listener);
            assert_eq!(found(), None, "{host}");
        }
        let own = ProcessUse::of(std::process::id()).unwrap();
        assert!(own.rss_bytes > 1 << 20 && own.anonymous_bytes <= own.rss_bytes, "{own:?}");
        assert_eq!(ProcessUse::of(u32::MAX), None);
        assert!(own_rss_bytes_max().unwrap() >= own.rss_bytes / 2);
    }

    #[test]
    fn an_address_of_another_machine_is_nobody_here() {
        // RFC 5737 keeps it free.
        let address = SocketAddr::from(([192, 0, 2, 1], 9092));
        assert_eq!(Listeners::read().process(address), None);
    }

    #[test]
    fn own_time_goes_on_with_work() {
        let before = own_cpu_seconds();
        let mut sum = 0_u64;
        while own_cpu_seconds() < before + 0.01 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }

    #[test]
    fn addresses_are_read_as_the_table_writes_them() {
        if cfg!(target_endian = "little") {
            assert_eq!(ip_of("0100007F"), Some([127, 0, 0, 1].into()));
            let six = ip_of("00000000000000000000000001000000").unwrap();
            assert_eq!(six.to_string(), "::1");
        }
        assert_eq!(ip_of("01"), None);
    }
}
