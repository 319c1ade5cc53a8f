//! Listeners, as the reference writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use logboom_controller::record::Endpoint;

use super::{ConfigProblem, LOOPBACK, ListenerConfig, Settings, SocketOptions, value};

/// The number of the security protocol that is none.
pub(super) const PLAINTEXT: i16 = 0;

const LISTENERS: &str = "listeners";
const ADVERTISED: &str = "advertised.listeners";
const PROTOCOLS: &str = "listener.security.protocol.map";
const CONGESTION: &str = "listener.congestion.control.map";

/// One `NAME://HOST:PORT`.
struct Address<'a> {
    name: &'a str,
    host: &'a str,
    port: u16,
}

/// The listeners of a configuration.
pub(super) fn read(settings: &Settings) -> Result<Vec<ListenerConfig>, ConfigProblem> {
    let addresses = addresses(settings, LISTENERS)?;
    if addresses.is_empty() {
        return Err(settings.refuse(LISTENERS, "must have at least one NAME://HOST:PORT"));
    }
    let told = addresses_by_name(settings)?;
    for name in told.keys() {
        if !addresses.iter().any(|address| address.name == *name) {
            let rule = format!("must only name what listeners has, and {name} isn't there");
            return Err(settings.refuse(ADVERTISED, &rule));
        }
    }
    check_protocols(settings, &addresses)?;
    let congestion = pairs(settings, CONGESTION, "NAME:ALGORITHM")?;
    if let Some(name) = congestion.keys().find(|name| addresses.iter().all(|a| a.name != **name)) {
        let rule = format!("must only name what listeners has, and {name} isn't there");
        return Err(settings.refuse(CONGESTION, &rule));
    }
    let each = addresses.iter().map(|address| {
        let socket = socket(settings, congestion.get(address.name).copied())?;
        listener(settings, address, told.get(address.name), socket)
    });
    each.collect()
}

fn listener(
    settings: &Settings,
    address: &Address<'_>,
    told: Option<&Address<'_>>,
    socket: SocketOptions,
) -> Result<ListenerConfig, ConfigProblem> {
    let bind = resolve(settings, address)?;
    let name = address.name.to_owned();
    let (host, port) = match told {
        Some(told) => (told.host.to_owned(), told.port),
        None if bind.ip().is_unspecified() => {
            let rule = format!(
                "{name} listens on every address, so advertised.listeners must say by which one \
                 clients reach it, as {name}://HOST:{}",
                bind.port()
            );
            return Err(settings.refuse(LISTENERS, &rule));
        }
        None => (address.host.to_owned(), address.port),
    };
    let host = if host.is_empty() { bind.ip().to_string() } else { host };
    let advertised = Endpoint {
        listener: name.as_str().into(),
        host: host.into(),
        port,
        security_protocol: PLAINTEXT,
    };
    Ok(ListenerConfig { name, bind, advertised, socket })
}

/// What the socket of a listener is set to.
fn socket(
    settings: &Settings,
    congestion_control: Option<&str>,
) -> Result<SocketOptions, ConfigProblem> {
    let integer = |key: &str| {
        let parsed = value(settings, key).trim().parse::<i32>();
        parsed.map_err(|_| settings.refuse(key, "must be an integer of 32 bits"))
    };
    // -1 leaves a buffer to the system.
    let buffer = |key| integer(key).map(|bytes| usize::try_from(bytes).ok());
    Ok(SocketOptions {
        backlog: integer("socket.listen.backlog.size")?,
        send_buffer_bytes: buffer("socket.send.buffer.bytes")?,
        receive_buffer_bytes: buffer("socket.receive.buffer.bytes")?,
        congestion_control: congestion_control.map(str::to_owned),
    })
}

/// A list of `NAME:VALUE`, by name.
///
/// - `form`: how an element is written, for the error.
fn pairs<'a>(
    settings: &'a Settings,
    key: &str,
    form: &str,
) -> Result<BTreeMap<&'a str, &'a str>, ConfigProblem> {
    let elements = value(settings, key).split(',').map(str::trim).filter(|text| !text.is_empty());
    let pairs: Option<_> = elements
        .map(|pair| pair.split_once(':').map(|(name, value)| (name.trim(), value.trim())))
        .collect();
    pairs.ok_or_else(|| settings.refuse(key, &format!("must be {form}, separated by commas")))
}

/// The address to bind. A host that is left out is every address, as in the reference.
fn resolve(settings: &Settings, address: &Address<'_>) -> Result<SocketAddr, ConfigProblem> {
    let ip = match address.host {
        "" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        "localhost" => Some(LOOPBACK),
        host => host.parse().ok(),
    };
    if let Some(ip) = ip {
        return Ok(SocketAddr::new(ip, address.port));
    }
    let resolved = (address.host, address.port).to_socket_addrs();
    resolved.ok().and_then(|mut found| found.next()).ok_or_else(|| {
        settings.refuse(LISTENERS, &format!("the host {} is not known here", address.host))
    })
}

fn addresses_by_name(settings: &Settings) -> Result<BTreeMap<&str, Address<'_>>, ConfigProblem> {
    let mut by_name = BTreeMap::new();
    for address in addresses(settings, ADVERTISED)? {
        if address.host.is_empty()
            || address.host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified())
        {
            let rule = format!("{} must name a host that clients can reach", address.name);
            return Err(settings.refuse(ADVERTISED, &rule));
        }
        by_name.insert(address.name, address);
    }
    Ok(by_name)
}

fn addresses<'a>(settings: &'a Settings, key: &str) -> Result<Vec<Address<'a>>, ConfigProblem> {
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    for text in value(settings, key).split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let Some(address) = parse(text) else {
            let rule = format!("must be NAME://HOST:PORT, and {text} isn't");
            return Err(settings.refuse(key, &rule));
        };
        if !names.insert(address.name) {
            let rule = format!("must name {} once", address.name);
            return Err(settings.refuse(key, &rule));
        }
        found.push(address);
    }
    Ok(found)
}

fn parse(text: &str) -> Option<Address<'_>> {
    let (name, rest) = text.split_once("://")?;
    let (host, port) = rest.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    // Only brackets tell the colons of an address from that of the port.
    let host = bare.or_else(|| (!host.contains(':')).then_some(host))?;
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    is_name(name).then_some(())?;
    Some(Address { name, host, port: port.parse().ok()? })
}

/// Every listener speaks a protocol that is there.
fn check_protocols(settings: &Settings, addresses: &[Address<'_>]) -> Result<(), ConfigProblem> {
    let pairs = pairs(settings, PROTOCOLS, "NAME:PROTOCOL")?;
    for Address { name, .. } in addresses {
        match pairs.get(name) {
            Some(&"PLAINTEXT") => {}
            Some(protocol) => {
                let rule = format!("{name} would speak {protocol}: only PLAINTEXT is served");
                return Err(settings.refuse(LISTENERS, &rule));
            }
            None => {
                let rule = format!("must say which protocol {name} speaks, as {name}:PLAINTEXT");
                return Err(settings.refuse(PROTOCOLS, &rule));
            }
        }
    }
    Ok(())
}
