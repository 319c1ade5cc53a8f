//! Streams from a host to another, which a listener of this process stands for.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::*;

/// A stream to a host through its relay, as from a broker there, and the host's end of it.
struct Pair {
    near: TcpStream,
    far: TcpStream,
}

/// What a broker says first, as far as a relay reads it.
fn hello(from: u8) -> Vec<u8> {
    let mut hello = vec![7; 19];
    hello[16..].fill(0);
    hello.push(from);
    hello
}

fn dial(relays: &Relays, listener: &TcpListener, from: u8) -> Pair {
    let near = knock(relays, from);
    let far = answer(listener, from);
    Pair { near, far }
}

/// Dials host 1.
fn knock(relays: &Relays, from: u8) -> TcpStream {
    let mut near = TcpStream::connect(relays.doors[0].peers.front).unwrap();
    near.write_all(&hello(from)).unwrap();
    near
}

fn answer(listener: &TcpListener, from: u8) -> TcpStream {
    let (mut far, _) = listener.accept().unwrap();
    assert_eq!(read(&mut far, 20), hello(from));
    far
}

fn listen(relays: &Relays) -> TcpListener {
    TcpListener::bind((address_of(1), relays.doors[0].peers.port)).unwrap()
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Nothing has come yet.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let told = stream.read(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    told.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn what_is_cut_waits_and_what_is_not_goes_on() {
    let mut relays = Relays::build(3).unwrap();
    let listener = listen(&relays);
    let (mut two, mut three) = (dial(&relays, &listener, 2), dial(&relays, &listener, 3));
    relays.cut(1, Ways::In, &Whom::Hosts(vec![2])).unwrap();
    two.near.write_all(b"a").unwrap();
    let mut late = knock(&relays, 2);
    // Behind what is cut, so that it has had its time.
    three.near.write_all(b"b").unwrap();
    two.far.write_all(b"c").unwrap();
    assert_eq!((read(&mut three.far, 1), read(&mut two.near, 1)), (b"b".into(), b"c".into()));
    assert!(is_silent(&mut two.far));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a stream that is cut has begun");
    listener.set_nonblocking(false).unwrap();
    drop(two.near);
    relays.heal(1);
    assert_eq!(read(&mut two.far, 1), b"a");
    assert_eq!(two.far.read(&mut [0]).unwrap(), 0, "the end comes behind it");
    let mut far = answer(&listener, 2);
    far.write_all(b"d").unwrap();
    assert_eq!(read(&mut late, 1), b"d");
}

#[test]
fn a_host_that_is_mute_hears() {
    let mut relays = Relays::build(2).unwrap();
    let listener = listen(&relays);
    let mut two = dial(&relays, &listener, 2);
    relays.cut(1, Ways::Out, &Whom::All).unwrap();
    two.far.write_all(b"a").unwrap();
    two.near.write_all(b"b").unwrap();
    assert_eq!(read(&mut two.far, 1), b"b");
    assert!(is_silent(&mut two.near));
    relays.heal(1);
    assert_eq!(read(&mut two.near, 1), b"a");
}

#[test]
fn a_slow_stream_is_whole_and_takes_as_long_as_it_has_to() {
    let bytes: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
    let least = Duration::from_millis(20);
    type Fault = fn(&mut Relays, Duration) -> Result<(), String>;
    let faults: [(Fault, Duration); 3] = [
        (|relays, least| relays.delay(1, least, 0), least),
        (|relays, _| relays.lose(1, 99), RESEND_AFTER),
        // 200 kB, of which 5 leave in a millisecond.
        (|relays, _| relays.limit(2, 40_000), Duration::from_millis(39)),
    ];
    for (fault, takes) in faults {
        let mut relays = Relays::build(2).unwrap();
        let listener = listen(&relays);
        let mut two = dial(&relays, &listener, 2);
        fault(&mut relays, least).unwrap();
        let begun = Instant::now();
        let (mut near, sent) = (two.near.try_clone().unwrap(), bytes.clone());
        let sending = std::thread::spawn(move || near.write_all(&sent).unwrap());
        assert!(read(&mut two.far, bytes.len()) == bytes);
        sending.join().unwrap();
        let took = begun.elapsed();
        assert!(took >= takes, "{took:?}");
        relays.heal(1);
    }
}

#[test]
fn the_end_of_a_host_is_told() {
    let relays = Relays::build(2).unwrap();
    let listener = listen(&relays);
    let mut two = dial(&relays, &listener, 2);
    drop(two.far);
    assert_eq!(two.near.read(&mut [0]).unwrap(), 0);
    drop(listener);
    let mut refused = knock(&relays, 2);
    assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)));
}
