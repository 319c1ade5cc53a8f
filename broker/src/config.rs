//! What a broker is started with.
//!
//! ```text
//!   default ◀── broker.toml ◀── LOGBOOM_… ◀── flags        Settings: text, and who said it
//!                                                  │ checked
//!                                                  ▼
//!                                               Config       typed
//! ```
//!
//! Must always hold: nothing that was written is passed over in silence. A key that means nothing
//! here is either in [`IGNORED`] or stops the start.

mod error;
mod listeners;
mod quorum;
mod settings;
mod toml_file;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use logboom_controller::config::{ConfigError, StaticConfig, broker};
use logboom_controller::record::Endpoint;

pub use error::{ConfigProblem, Origin};
pub use quorum::{Quorum, QuorumVoter, Roles};
pub use settings::{IGNORED, Settings};

/// The configuration of a broker, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where its data lies (`log.dir`).
    pub data_dir: PathBuf,
    /// Everything that the reference has a name for.
    pub settings: StaticConfig,
    /// Where it listens for clients.
    pub listeners: Vec<ListenerConfig>,
    /// Where it serves metrics and health (`admin.listener`); `None` is nowhere.
    pub admin: Option<SocketAddr>,
    /// The brokers among which it is one; `None` where it is alone.
    pub quorum: Option<Quorum>,
    /// How many threads serve requests and partitions (`num.io.threads`); 0 for one a processor.
    pub shards: usize,
}

/// Where a broker listens, and what it tells clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// The listener's name.
    pub name: String,
    /// The address to bind; port 0 for any.
    pub bind: SocketAddr,
    /// What clients are told; the bound port where the port is 0.
    pub advertised: Endpoint,
    /// What its socket is set to.
    pub socket: SocketOptions,
}

/// What a listening socket is set to; the connections that it accepts have it from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOptions {
    /// Connections that wait to be accepted (`socket.listen.backlog.size`).
    pub backlog: i32,
    /// Bytes of a connection's buffer for what is sent (`socket.send.buffer.bytes`); `None` leaves
    /// it to the system, which makes it as large as the connection needs.
    pub send_buffer_bytes: Option<usize>,
    /// The same for what comes (`socket.receive.buffer.bytes`).
    pub receive_buffer_bytes: Option<usize>,
    /// How the system paces what is sent (`listener.congestion.control.map`); `None` leaves it to
    /// the system.
    pub congestion_control: Option<String>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            backlog: 1_024,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            congestion_control: None,
        }
    }
}

impl Config {
    /// A complete single-node system: one listener, clients told where it is bound, no admin
    /// listener.
    ///
    /// # Errors
    /// Never with the defaults; a setting that breaks its rule.
    pub fn local(data_dir: PathBuf, bind: SocketAddr) -> Result<Self, ConfigError> {
        let name = "PLAINTEXT".to_owned();
        let advertised = Endpoint {
            listener: name.as_str().into(),
            host: bind.ip().to_string().into(),
            port: bind.port(),
            security_protocol: listeners::PLAINTEXT,
        };
        let socket = SocketOptions::default();
        let listeners = vec![ListenerConfig { name, bind, advertised, socket }];
        let settings = StaticConfig::new([])?;
        Ok(Self { data_dir, settings, listeners, admin: None, quorum: None, shards: 0 })
    }

    /// The configuration that settings mean.
    ///
    /// # Errors
    /// [`ConfigProblem`] for the first that can't be.
    pub fn new(settings: &Settings) -> Result<Self, ConfigProblem> {
        let shards = settings.get("num.io.threads").and_then(|text| text.trim().parse().ok());
        Ok(Self {
            data_dir: data_dir(settings)?,
            listeners: listeners::read(settings)?,
            admin: admin(settings)?,
            quorum: quorum::read(settings)?,
            shards: shards.unwrap_or(0),
            settings: settings.to_static()?,
        })
    }
}

/// The value of a key of the table: what was set, or its default.
fn value<'a>(settings: &'a Settings, name: &str) -> &'a str {
    let default = || broker::find(name).and_then(|broker| broker.definition.default);
    settings.get(name).or_else(default).unwrap_or_default()
}

fn data_dir(settings: &Settings) -> Result<PathBuf, ConfigProblem> {
    let text = value(settings, "log.dir").trim();
    if text.is_empty() {
        return Err(settings.refuse("log.dir", "must name a directory"));
    }
    if text.contains(',') {
        let rule = "must be one directory: a broker keeps all its data in one; put several disks \
                    together below it, or run a broker on each";
        return Err(settings.refuse("log.dir", rule));
    }
    Ok(text.into())
}

fn admin(settings: &Settings) -> Result<Option<SocketAddr>, ConfigProblem> {
    let text = value(settings, "admin.listener").trim();
    if text.is_empty() {
        return Ok(None);
    }
    match text.replace("localhost:", "127.0.0.1:").parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) => {
            let rule = "must be ADDRESS:PORT, or empty for none";
            Err(settings.refuse("admin.listener", rule))
        }
    }
}

/// The address of this machine for itself.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
