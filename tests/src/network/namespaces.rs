//! A network of one's own: a namespace for each host, all on one bridge, at which this process is.
//! Only root may make one. What a host receives and sends can be dropped by address, by chance,
//! slowed down, or late.
//!
//! Must always hold: what was made is named by the process that made it, and gone with the value;
//! what a process left that was killed is removed by the next.

mod late;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use self::late::Relay;
use super::{Network, Ways, Whom};
use crate::broker::Site;

/// The hosts' one interface.
const INTERFACE: &str = "eth0";
/// What a filter says: the packet goes on, or is dropped (`TC_ACT_OK`, `TC_ACT_SHOT`).
const PASS: &str = "6 0 0 0";
const DROP: &str = "6 0 0 2";
/// Of an Ethernet frame: where its type stands, and where in an IP packet's the addresses.
const TYPE_AT: u32 = 12;
const SOURCE_AT: u32 = 26;
const DESTINATION_AT: u32 = 30;
const TYPE_IP: u32 = 0x0800;
/// What classic BPF reads as a random number.
const RANDOM_AT: u32 = 0xffff_f038;

/// Hosts that are numbered from 1.
#[derive(Debug)]
pub struct Namespaces {
    /// The third byte of all addresses.
    number: u8,
    count: usize,
    /// Those whose frames are late.
    relays: BTreeMap<usize, Relay>,
}

impl Namespaces {
    /// So many hosts.
    ///
    /// # Errors
    /// Why that can't be.
    pub fn build(count: usize) -> Result<Self, String> {
        sweep();
        let pid = std::process::id().to_be_bytes()[3];
        let is_free = |number: &u8| {
            let subnet = format!("10.231.{number}.0/24");
            ip(&["-o", "address", "show", "to", &subnet]).is_ok_and(|shown| shown.is_empty())
        };
        let number = (pid..=u8::MAX).chain(0..pid).find(is_free);
        let number = number.ok_or("`ip address` doesn't work")?;
        let mut network = Self { number, count, relays: BTreeMap::new() };
        network.make()?;
        Ok(network)
    }

    fn make(&mut self) -> Result<(), String> {
        let bridge = bridge();
        ip(&["link", "add", "name", &bridge, "type", "bridge"])?;
        ip(&["address", "add", &format!("{}/24", self.address(254)), "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for host in 1..=self.count {
            let (space, end) = (space(host), end(host));
            ip(&["netns", "add", &space])?;
            let peer = ["type", "veth", "peer", "name", INTERFACE, "netns", &space];
            ip(&[&["link", "add", "name", &end][..], &peer].concat())?;
            ip(&["link", "set", &end, "master", &bridge, "up"])?;
            let address = format!("{}/24", self.address(host));
            ip(&["-n", &space, "address", "add", &address, "dev", INTERFACE])?;
            for interface in ["lo", INTERFACE] {
                ip(&["-n", &space, "link", "set", interface, "up"])?;
            }
            // Filters and relays are part of the kernel, or they aren't.
            self.cut(host, Ways::Both, &Whom::All)?;
            self.delay(host, Duration::ZERO, 0)?;
            self.heal(host);
        }
        Ok(())
    }

    fn qdisc(&self, host: usize, shape: &[&str]) -> Result<(), String> {
        let space = space(host);
        let front = ["-n", &space, "qdisc", "replace", "dev", INTERFACE, "root"];
        run("tc", &[&front[..], shape].concat()).map(drop)
    }

    fn filter(&self, host: usize, way: &str, code: &[String]) -> Result<(), String> {
        let space = space(host);
        // It is there after the first.
        drop(run("tc", &["-n", &space, "qdisc", "add", "dev", INTERFACE, "clsact"]));
        let code = format!("{},{}", code.len(), code.join(","));
        let front = ["-n", &space, "filter", "replace", "dev", INTERFACE, way, "pref", "1"];
        let program = ["handle", "1", "bpf", "da", "bytecode", &code];
        run("tc", &[&front[..], &program].concat()).map(drop)
    }

    /// A program that drops the IP packets with an address at that place.
    fn dropping(&self, whom: &Whom, at: u32) -> Vec<String> {
        let load_type = format!("40 0 0 {TYPE_AT}");
        let Whom::Hosts(hosts) = whom else {
            let is_ip = format!("21 0 1 {TYPE_IP}");
            return vec![load_type, is_ip, DROP.to_owned(), PASS.to_owned()];
        };
        let count = hosts.len();
        // A comparison jumps over what is left of them, and over what follows.
        let is_ip = format!("21 0 {} {TYPE_IP}", count + 1);
        let is_one = |(i, host): (usize, &usize)| {
            format!("21 {} 0 {}", count - i, u32::from(self.address(*host)))
        };
        let compared = hosts.iter().enumerate().map(is_one);
        let front = [load_type, is_ip, format!("32 0 0 {at}")];
        front.into_iter().chain(compared).chain([PASS.to_owned(), DROP.to_owned()]).collect()
    }

    fn address(&self, host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 231, self.number, u8::try_from(host).expect("a few hosts"))
    }
}

impl Network for Namespaces {
    fn site(&self, host: usize) -> Site {
        let front = ["nsenter".to_owned(), format!("--net=/run/netns/{}", space(host))];
        Site { host: self.address(host), front: front.to_vec(), ..Site::default() }
    }

    fn cut(&mut self, host: usize, ways: Ways, whom: &Whom) -> Result<(), String> {
        for (way, name, at) in
            [(Ways::In, "ingress", SOURCE_AT), (Ways::Out, "egress", DESTINATION_AT)]
        {
            if ways == way || ways == Ways::Both {
                self.filter(host, name, &self.dropping(whom, at))?;
            }
        }
        Ok(())
    }

    fn lose(&mut self, host: usize, percent: u32) -> Result<(), String> {
        let bound = u32::MAX / 100 * percent;
        let random = format!("32 0 0 {RANDOM_AT}");
        let code = [random, format!("37 1 0 {bound}"), DROP.to_owned(), PASS.to_owned()];
        self.filter(host, "ingress", &code)
    }

    fn limit(&mut self, host: usize, kilobits: u32) -> Result<(), String> {
        // What is too much waits up to half a second.
        let (rate, queue) = (format!("{kilobits}kbit"), (kilobits * 1_000 / 8 / 2).to_string());
        let shape = ["tbf", "rate", &rate, "burst", "16k", "limit", &queue];
        self.qdisc(host, &shape)
    }

    fn delay(&mut self, host: usize, least: Duration, seed: u64) -> Result<(), String> {
        let relay = Relay::start(&end(host), &bridge(), least, seed)?;
        self.relays.insert(host, relay);
        Ok(())
    }

    fn heal(&mut self, host: usize) {
        self.relays.remove(&host);
        for which in ["clsact", "root"] {
            // Most of the time it isn't there.
            drop(run("tc", &["-n", &space(host), "qdisc", "delete", "dev", INTERFACE, which]));
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.relays.clear();
        for host in 1..=self.count {
            drop(ip(&["netns", "delete", &space(host)]));
            drop(ip(&["link", "delete", &end(host)]));
        }
        drop(ip(&["link", "delete", &bridge()]));
    }
}

fn bridge() -> String {
    format!("lb{}", std::process::id())
}

/// A host's end on the bridge.
fn end(host: usize) -> String {
    format!("{}-{host}", bridge())
}

fn space(host: usize) -> String {
    format!("logboom-{}-{host}", std::process::id())
}

/// Removes what processes have left that are gone.
fn sweep() {
    let is_gone = |pid: &str| !Path::new("/proc").join(pid).exists();
    for line in ip(&["netns", "list"]).unwrap_or_default().lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let pid = name.strip_prefix("logboom-").and_then(|rest| rest.split_once('-'));
        if pid.is_some_and(|(pid, _)| is_gone(pid)) {
            drop(ip(&["netns", "delete", name]));
        }
    }
    for line in ip(&["-o", "link", "show"]).unwrap_or_default().lines() {
        let name = line.split([':', '@']).nth(1).unwrap_or_default().trim();
        let number = name.strip_prefix("lb").and_then(|rest| rest.split('-').next());
        let pid = number.filter(|pid| pid.parse::<u32>().is_ok());
        if pid.is_some_and(is_gone) {
            // The other end of a pair goes with the first.
            drop(ip(&["link", "delete", name]));
        }
    }
}

fn ip(arguments: &[&str]) -> Result<String, String> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("there is no {program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), said.trim()))
}
