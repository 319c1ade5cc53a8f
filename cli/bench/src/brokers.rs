//! What the brokers take, as far as it can be seen: the processes of this machine by what the
//! system says of them, and those whose admin listener is known by what they say of themselves.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Instant;

use logboom_client::{Broker, ClusterImage};

use crate::admin::{self, Metrics};
use crate::numbers::whole;
use crate::process::{self, Listeners, ProcessUse};
use crate::run::BrokerUse;

/// The default port of an admin listener, and how many `logboom dev` counts up from there.
const ADMIN_PORT: u16 = 9644;
const ADMIN_PORTS: u16 = 16;

/// A broker whose figures can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    name: String,
    pid: Option<u32>,
    admin: Option<SocketAddr>,
    /// Of the broker's program, where it tells it.
    version: Option<String>,
    /// What the system calls the process.
    process: Option<String>,
}

/// The brokers of a cluster, as far as their figures can be read.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    probes: Vec<Probe>,
}

/// What the brokers had taken at a moment.
#[derive(Debug)]
pub(crate) struct Reading {
    at: Instant,
    figures: Vec<(Option<ProcessUse>, Metrics)>,
}

impl Probes {
    /// Looks for the brokers.
    ///
    /// - `admins`: admin listeners that were named.
    ///
    /// Returns also what can't be measured, and why.
    ///
    /// # Errors
    /// A named listener that doesn't answer.
    pub(crate) fn find(
        image: &ClusterImage,
        admins: &[String],
    ) -> Result<(Self, Vec<String>), String> {
        let listeners = Listeners::read();
        let probe = |broker| probe(broker, &listeners);
        let probes: Vec<Probe> = image.brokers.values().filter_map(probe).collect();
        let mut left_out = Vec::new();
        let is_alone =
            |probe: &Probe| probes.iter().filter(|one| one.pid == probe.pid).count() == 1;
        let (mut probes, forwarded): (Vec<Probe>, Vec<Probe>) =
            probes.iter().cloned().partition(is_alone);
        if let Some(one) = forwarded.first() {
            left_out.push(format!(
                "CPU and memory of {} brokers are left out: one process, {}, listens for several \
                 of them, so it is none of them",
                forwarded.len(),
                one.process.as_deref().unwrap_or("of no name")
            ));
        }
        for name in admins {
            let address =
                resolved(name).ok_or_else(|| format!("--admin {name}: no such address"))?;
            let told = admin::metrics(address);
            let told = told.map_err(|error| format!("--admin {name}: {error}"))?;
            let pid = listeners.process(address);
            if pid.is_none() && told.cpu_seconds.is_none() {
                left_out.push(format!("CPU of {name} is left out: it is not on this machine"));
            }
            let known = probes.iter_mut().find(|probe| pid.is_some() && probe.pid == pid);
            match known {
                Some(probe) => (probe.admin, probe.version) = (Some(address), told.version),
                None => {
                    let (name, version) = (format!("admin {name}"), told.version);
                    let process = pid.and_then(process::name);
                    probes.push(Probe { name, pid, admin: Some(address), version, process });
                }
            }
        }
        let (count, found) = (image.brokers.len(), probes.len() + forwarded.len());
        if found < count {
            let missing = count - found;
            left_out.push(format!(
                "CPU and memory of {missing} of {count} brokers are left out: they are not on this \
                 machine, or their process may not be looked at, and no --admin names them"
            ));
        }
        if !probes.is_empty() && probes.iter().any(|probe| probe.admin.is_none()) {
            left_out.push(
                "flushes are left out where a broker's admin listener isn't known (--admin)".into(),
            );
        }
        Ok((Self { probes }, left_out))
    }

    /// The versions of the brokers that tell theirs, each once.
    pub(crate) fn versions(&self) -> Vec<String> {
        let versions = self.probes.iter().filter_map(|probe| probe.version.clone());
        versions.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Reads all figures.
    pub(crate) fn read(&self) -> Reading {
        let read = |probe: &Probe| {
            let metrics = probe.admin.and_then(|address| admin::metrics(address).ok());
            (probe.pid.and_then(ProcessUse::of), metrics.unwrap_or_default())
        };
        Reading { at: Instant::now(), figures: self.probes.iter().map(read).collect() }
    }

    /// What was taken between two readings.
    pub(crate) fn between(&self, before: &Reading, after: &Reading) -> Vec<BrokerUse> {
        let seconds = after.at.saturating_duration_since(before.at).as_secs_f64();
        let figures = before.figures.iter().zip(&after.figures);
        let used = |(probe, (before, after))| used(probe, seconds, before, after);
        self.probes.iter().zip(figures).map(used).collect()
    }
}

fn used(
    probe: &Probe,
    seconds: f64,
    (process_before, before): &(Option<ProcessUse>, Metrics),
    (process_after, after): &(Option<ProcessUse>, Metrics),
) -> BrokerUse {
    // One that was started anew meanwhile counts from 0 again.
    let grown = |before: f64, after: f64| Some(after - before).filter(|grown| *grown >= 0.0);
    let both = |of: fn(&Metrics) -> Option<f64>| grown(of(before)?, of(after)?);
    let by_process = || grown((*process_before)?.cpu_seconds, (*process_after)?.cpu_seconds);
    let flushes = both(|metrics| metrics.flushes);
    let flush_seconds = both(|metrics| metrics.flush_seconds);
    let flush_us_mean = flushes.zip(flush_seconds).filter(|(flushes, _)| *flushes > 0.0);
    BrokerUse {
        broker: probe.name.clone(),
        process: probe.process.clone(),
        seconds,
        cpu_seconds: by_process().or_else(|| both(|metrics| metrics.cpu_seconds)),
        rss_bytes: process_after.map(|one| one.rss_bytes).or(after.rss_bytes.map(whole)),
        anonymous_bytes: process_after
            .map(|one| one.anonymous_bytes)
            .or(after.anonymous_bytes.map(whole)),
        flushes: flushes.map(whole),
        flush_us_mean: flush_us_mean.map(|(flushes, seconds)| seconds / flushes * 1e6),
    }
}

/// A broker whose process is here.
fn probe(broker: &Broker, listeners: &Listeners) -> Option<Probe> {
    let name = broker.address.to_string();
    let pid = listeners.process(resolved(&name)?)?;
    let admins = (0..ADMIN_PORTS).map(|at| SocketAddr::from(([127, 0, 0, 1], ADMIN_PORT + at)));
    // Nobody else's listener is asked.
    let told = admins
        .filter(|address| listeners.process(*address) == Some(pid))
        .find_map(|address| Some((address, admin::metrics(address).ok()?.version)));
    let (admin, version) = told.unzip();
    let process = process::name(pid);
    Some(Probe { name, pid: Some(pid), admin, version: version.flatten(), process })
}

fn resolved(name: &str) -> Option<SocketAddr> {
    name.to_socket_addrs().ok()?.next()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use logboom_client::BrokerAddress;

    use super::*;

    fn image(ports: &[u16]) -> ClusterImage {
        let broker = |(id, port): (i32, &u16)| {
            let address = BrokerAddress { host: "127.0.0.1".to_owned(), port: *port };
            (id, Broker { id, address, rack: None })
        };
        ClusterImage { brokers: (1..).zip(ports).map(broker).collect(), ..ClusterImage::default() }
    }

    fn named(name: &str) -> Probe {
        let name = name.to_owned();
        Probe { name, pid: None, admin: None, version: None, process: None }
    }

    #[test]
    fn a_broker_on_this_machine_is_found_by_its_port_and_another_is_said_to_be_left_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (probes, left_out) = Probes::find(&image(&[port, 1]), &[]).unwrap();
        assert_eq!(probes.probes.len(), 1);
        assert_eq!(probes.probes[0].pid, Some(std::process::id()));
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert!(left_out[0].starts_with("CPU and memory of 1 of 2 brokers"), "{left_out:?}");
        let before = probes.read();
        let used = probes.between(&before, &probes.read());
        assert_eq!(used[0].process, process::name(std::process::id()));
        assert!(used[0].process.is_some());
        assert!(used[0].cpu_seconds.is_some() && used[0].rss_bytes.is_some(), "{used:?}");
        assert_eq!((used[0].flushes, used[0].flush_us_mean), (None, None));
    }

    #[test]
    fn a_process_that_listens_for_several_is_none_of_them() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.each_ref().map(|one| one.local_addr().unwrap().port());
        let (probes, left_out) = Probes::find(&image(&ports), &[]).unwrap();
        assert_eq!(probes.probes, []);
        assert_eq!(left_out.len(), 1, "{left_out:?}");
        assert!(left_out[0].starts_with("CPU and memory of 2 brokers"), "{left_out:?}");
    }

    #[test]
    fn an_admin_listener_that_was_named_has_to_answer() {
        let error = Probes::find(&image(&[]), &["127.0.0.1:1".to_owned()]).unwrap_err();
        assert!(error.starts_with("--admin 127.0.0.1:1: "), "{error}");
        let error = Probes::find(&image(&[]), &["nowhere".to_owned()]).unwrap_err();
        assert_eq!(error, "--admin nowhere: no such address");
    }

    #[test]
    fn brokers_of_one_version_tell_it_once() {
        let probe = |version: Option<&str>| {
            let version = version.map(str::to_owned);
            Probe { version, ..named("b") }
        };
        let probes = [Some("0.2.0"), None, Some("0.1.0"), Some("0.2.0")].map(probe).to_vec();
        assert_eq!(Probes { probes }.versions(), ["0.1.0", "0.2.0"]);
    }

    #[test]
    fn what_was_taken_is_the_difference_and_a_restart_is_no_negative_one() {
        let probe = named("b");
        let at = |flushes, flush_seconds, cpu_seconds| {
            let (flushes, flush_seconds) = (Some(flushes), Some(flush_seconds));
            let cpu_seconds = Some(cpu_seconds);
            (None, Metrics { flushes, flush_seconds, cpu_seconds, ..Metrics::default() })
        };
        let taken = used(&probe, 2.0, &at(10.0, 1.0, 5.0), &at(30.0, 1.5, 6.0));
        assert_eq!((taken.flushes, taken.cpu_seconds), (Some(20), Some(1.0)));
        assert!((taken.flush_us_mean.unwrap() - 25_000.0).abs() < 1e-6);
        let anew = used(&probe, 2.0, &at(10.0, 1.0, 5.0), &at(1.0, 0.1, 0.1));
        assert_eq!((anew.flushes, anew.cpu_seconds), (None, None));
    }
}
