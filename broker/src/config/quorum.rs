//! The brokers that decide together, and where this one awaits the others.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use super::{ConfigProblem, Settings, value};

const VOTERS: &str = "controller.quorum.voters";
const LISTENER: &str = "peer.listener";
const ROLES: &str = "process.roles";

/// A broker among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Where it awaits other brokers.
    pub bind: SocketAddr,
    /// Where they reach it.
    pub own: QuorumVoter,
    /// The brokers that decide together at first, by which the others are found. Whoever isn't
    /// among them follows what they decide.
    pub voters: Vec<QuorumVoter>,
    /// What it does for the cluster.
    pub roles: Roles,
}

/// What a node does for its cluster (`process.roles`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// It serves clients and has copies of partitions.
    Broker,
    /// It is one of those that decide, or may become one.
    Controller,
    /// Both.
    Both,
}

impl Roles {
    /// Whether it serves clients and has copies of partitions.
    #[must_use]
    pub fn is_broker(self) -> bool {
        self != Self::Controller
    }

    /// Whether it is one of those that decide, or may become one.
    #[must_use]
    pub fn is_controller(self) -> bool {
        self != Self::Broker
    }

    fn read(settings: &Settings) -> Result<Self, ConfigProblem> {
        let listed: Vec<&str> = value(settings, ROLES).split(',').map(str::trim).collect();
        match (listed.contains(&"broker"), listed.contains(&"controller")) {
            (true, true) => Ok(Self::Both),
            (true, false) => Ok(Self::Broker),
            (false, true) => Ok(Self::Controller),
            (false, false) => Err(settings.refuse(ROLES, "must be broker, controller, or both")),
        }
    }
}

/// One of those that decide together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumVoter {
    /// The broker's id.
    pub node: i32,
    /// Where it awaits other brokers: a name, which is resolved at each attempt, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The quorum that settings name; `None` for a broker that is alone.
pub(super) fn read(settings: &Settings) -> Result<Option<Quorum>, ConfigProblem> {
    let texts = value(settings, VOTERS).split(',').map(str::trim).filter(|text| !text.is_empty());
    let voters: Option<Vec<QuorumVoter>> = texts.map(voter).collect();
    let voters = voters
        .ok_or_else(|| settings.refuse(VOTERS, "must be ID@HOST:PORT, separated by commas"))?;
    let roles = Roles::read(settings)?;
    let listener = value(settings, LISTENER).trim();
    if voters.is_empty() {
        return match (listener, roles) {
            ("", Roles::Both) => Ok(None),
            ("", _) => Err(settings.refuse(ROLES, "needs controller.quorum.voters")),
            _ => Err(settings.refuse(LISTENER, "needs controller.quorum.voters")),
        };
    }
    let mut ids = BTreeSet::new();
    if let Some(twice) = voters.iter().find(|voter| !ids.insert(voter.node)) {
        return Err(settings.refuse(VOTERS, &format!("must name broker {} once", twice.node)));
    }
    let node: i32 = value(settings, "node.id").trim().parse().unwrap_or(-1);
    let own = match voters.iter().find(|voter| voter.node == node) {
        Some(_) if roles == Roles::Broker => {
            let rule = format!("must not name node {node}, whose process.roles is broker");
            return Err(settings.refuse(VOTERS, &rule));
        }
        Some(own) => own.clone(),
        None => voter(&format!("{node}@{listener}")).ok_or_else(|| {
            let rule = "must be HOST:PORT of this broker, which controller.quorum.voters doesn't \
                        name";
            settings.refuse(LISTENER, rule)
        })?,
    };
    let bind = match listener {
        "" => (own.host.as_str(), own.port).to_socket_addrs().ok().and_then(|mut it| it.next()),
        text => text.to_socket_addrs().ok().and_then(|mut it| it.next()),
    };
    let bind = bind.ok_or_else(|| {
        settings.refuse(LISTENER, "must be HOST:PORT of this machine, and the host is not known")
    })?;
    if !is_private(bind.ip()) {
        // Brokers don't prove yet who they are.
        let rule =
            "must be a loopback or private address: who reaches it is believed to be a broker";
        return Err(settings.refuse(LISTENER, rule));
    }
    Ok(Some(Quorum { bind, own, voters, roles }))
}

fn voter(text: &str) -> Option<QuorumVoter> {
    let (node, rest) = text.split_once('@')?;
    let (host, port) = rest.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let node = node.trim().parse().ok().filter(|node| *node >= 0)?;
    let port = port.trim().parse().ok().filter(|port| *port > 0)?;
    (!bare.is_empty()).then(|| QuorumVoter { node, host: bare.to_owned(), port })
}

/// Whether an address is one that only this machine or its own network reaches.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    fn quorum(node: &str, settings: &[(&str, &str)]) -> Result<Option<Quorum>, String> {
        let mut all = Settings::default();
        for (key, value) in settings.iter().chain(&[("node.id", node)]) {
            all.set(key, value, Origin::Default).unwrap();
        }
        read(&all).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_broker_listens_where_the_voters_say_or_where_it_is_told() {
        let voters = (VOTERS, "1@127.0.0.1:19092, 2@[::1]:19093,3@kafka.example:19094");
        let found = quorum("2", &[voters]).unwrap().unwrap();
        assert_eq!(found.bind, "[::1]:19093".parse().unwrap());
        let hosts: Vec<_> = found.voters.iter().map(|it| (it.node, &*it.host, it.port)).collect();
        let expected = [(1, "127.0.0.1", 19092), (2, "::1", 19093), (3, "kafka.example", 19094)];
        assert_eq!(hosts, expected);
        let told = quorum("1", &[voters, (LISTENER, "10.1.2.3:7")]).unwrap().unwrap();
        assert_eq!(told.bind, "10.1.2.3:7".parse().unwrap());
        assert_eq!((told.own.host.as_str(), told.own.port), ("127.0.0.1", 19092));
        assert_eq!(quorum("1", &[]), Ok(None));
    }

    #[test]
    fn a_node_has_the_roles_that_it_is_told_and_an_address_where_it_is_no_voter() {
        let voters = (VOTERS, "1@127.0.0.1:19092");
        let listener = (LISTENER, "127.0.0.1:19099");
        let found = quorum("7", &[voters, listener]).unwrap().unwrap();
        assert_eq!((found.own.node, found.own.port, found.roles), (7, 19099, Roles::Both));
        for (node, roles, expected) in [
            ("7", "broker", Roles::Broker),
            ("1", "controller", Roles::Controller),
            ("1", "controller, broker", Roles::Both),
        ] {
            let found = quorum(node, &[voters, listener, (ROLES, roles)]).unwrap().unwrap();
            assert_eq!(found.roles, expected, "{roles}");
        }
        for (node, settings, said) in [
            ("1", &[voters, (ROLES, "broker")][..], "must not name node 1"),
            ("1", &[voters, (ROLES, "")], "must be broker, controller, or both"),
            ("1", &[(ROLES, "controller")], "needs controller.quorum.voters"),
            ("7", &[voters], "doesn't name"),
        ] {
            let problem = quorum(node, settings).unwrap_err();
            assert!(problem.contains(said), "{settings:?}: {problem}");
        }
    }

    #[test]
    fn what_cannot_be_names_key_value_and_rule() {
        for (node, voters, listener, said) in [
            ("1", "1@127.0.0.1", "", "ID@HOST:PORT"),
            ("1", "x@127.0.0.1:1", "", "ID@HOST:PORT"),
            ("1", "1@127.0.0.1:0", "", "ID@HOST:PORT"),
            ("1", "1@127.0.0.1:1,1@127.0.0.1:2", "", "must name broker 1 once"),
            ("1", "1@127.0.0.1:1", "0.0.0.0:1", "loopback or private"),
            ("1", "1@8.8.8.8:1", "", "loopback or private"),
            ("1", "1@127.0.0.1:1", "nowhere", "HOST:PORT of this machine"),
            ("1", "", "127.0.0.1:1", "needs controller.quorum.voters"),
        ] {
            let problem = quorum(node, &[(VOTERS, voters), (LISTENER, listener)]).unwrap_err();
            assert!(problem.contains(said), "{voters}, {listener}: {problem}");
        }
    }
}
