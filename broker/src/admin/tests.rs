//! What the admin listener says, and that a client of it can't hold others up.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::CONNECTIONS_MAX;
use crate::{Broker, Config};

fn start(dir: &tempfile::TempDir) -> (Broker, SocketAddr) {
    let any = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::local(dir.path().to_owned(), any).unwrap();
    config.admin = Some(any);
    let broker = Broker::start(&config).unwrap();
    let admin = broker.admin_address().unwrap();
    (broker, admin)
}

fn ask(admin: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(admin: SocketAddr, path: &str) -> String {
    ask(admin, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

#[test]
fn health_and_metrics_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, admin) = start(&dir);
    assert!(get(admin, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(get(admin, "/readyz").ends_with("\r\n\r\nready\n"));
    assert!(get(admin, "/").starts_with("HTTP/1.1 404"));
    assert!(ask(admin, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(ask(admin, "\0\0\0\u{8}garbage\r\n\r\n").starts_with("HTTP/1.1 400"));
    let metrics = get(admin, "/metrics");
    for metric in &crate::metrics::TABLE {
        let head = format!("# TYPE logboom_{} ", metric.name);
        assert!(metrics.contains(&head), "{} is not told:\n{metrics}", metric.name);
    }
    for line in [
        "directory_healthy 1",
        "controller_active 1",
        "brokers_in_contact 1",
        "partitions_offline 0",
        "partitions_under_replicated 0",
    ] {
        assert!(metrics.contains(&format!("\nlogboom_{line}\n")), "{line}: {metrics}");
    }
    broker.stop();
    assert!(TcpStream::connect(admin).is_err());
}

#[test]
fn half_a_request_keeps_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, admin) = start(&dir);
    let silent: Vec<TcpStream> = (1..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = TcpStream::connect(admin).unwrap();
            stream.write_all(b"GET /metr").unwrap();
            stream
        })
        .collect();
    assert!(get(admin, "/readyz").contains("ready"));
    broker.stop();
    drop(silent);
}

#[test]
fn an_address_in_use_stops_the_start_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::local(dir.path().to_owned(), "127.0.0.1:0".parse().unwrap()).unwrap();
    config.admin = Some(taken.local_addr().unwrap());
    let error = Broker::start(&config).unwrap_err().to_string();
    assert!(error.contains("another process does") && error.contains("admin.listener"), "{error}");
}
