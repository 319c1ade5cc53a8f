//! Starts that fail, and what they leave.

use std::net::TcpListener;

use logboom_controller::config::StaticConfig;

use super::*;

fn config(dir: &tempfile::TempDir) -> Config {
    Config::local(dir.path().join("data"), "127.0.0.1:0".parse().unwrap()).unwrap()
}

#[test]
fn an_address_in_use_makes_no_directory() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for is_admin in [false, true] {
        let mut config = config(&dir);
        let address = taken.local_addr().unwrap();
        if is_admin {
            config.admin = Some(address);
        } else {
            config.listeners[0].bind = address;
        }
        let error = Broker::start(&config).unwrap_err();
        assert!(matches!(error, StartError::Listen { .. }), "{error}");
        assert!(!config.data_dir.exists());
    }
}

#[test]
fn a_directory_that_is_none_lets_the_addresses_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    std::fs::write(&config.data_dir, b"a file").unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.listeners[0].bind = address;
    Broker::start(&config).unwrap_err();
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_start_that_fails_late_leaves_no_thread_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    Broker::start(&config).unwrap().stop();
    // Shards and flushes are served when the controller finds that this is another's directory.
    config.settings = StaticConfig::new([("node.id", "7")]).unwrap();
    let machine = Machine::system(&config.data_dir).unwrap();
    let disk = Arc::downgrade(&machine.disk);
    let error = Broker::start_on(&config, machine).unwrap_err();
    assert!(error.to_string().contains("is that of broker 1"), "{error}");
    assert_eq!(disk.strong_count(), 0, "a thread holds the directory");
    // It is as it was.
    config.settings = StaticConfig::new([("node.id", "1")]).unwrap();
    Broker::start(&config).unwrap().stop();
}
