//! Between a host and the bridge: whatever goes either way waits, and none overtakes another.
//!
//! The host's end leaves the bridge, a new pair of interfaces takes its place there, and a thread
//! carries frames between the two. It reads and writes them through a macvtap on each, which is a
//! file. Connections last: what is on its way at the beginning or the end is lost, and sent again.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::ip;
use crate::random::Random;

/// Between two looks at the interfaces.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A frame with what the kernel says of it in front.
const FRAME_BYTES_MAX: usize = 70_000;
/// Frames that are read before others are written.
const BURST_MAX: usize = 1_000;
/// Frames that wait, one way; what is too much is lost.
const WAITING_MAX: usize = 20_000;

/// A host's frames are late while it lives.
#[derive(Debug)]
pub(super) struct Relay {
    /// The host's end.
    end: String,
    bridge: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Puts one in front of a host.
    ///
    /// - `end`: of the host, on `bridge`.
    /// - `least`: what each frame waits, or up to twice as long, as `seed` says.
    pub(super) fn start(
        end: &str,
        bridge: &str,
        least: Duration,
        seed: u64,
    ) -> Result<Self, String> {
        let (end, bridge) = (end.to_owned(), bridge.to_owned());
        let mut relay = Self { end, bridge, stop: Arc::default(), thread: None };
        let (near, far) = relay.open()?;
        let out = Line::new(&near, &far, least, seed)?;
        let back = Line::new(&far, &near, least, !seed)?;
        let stop = Arc::clone(&relay.stop);
        relay.thread = Some(thread::spawn(move || carry([out, back], &stop)));
        Ok(relay)
    }

    /// The host's end and the one that leads to the bridge.
    fn open(&self) -> Result<(File, File), String> {
        let (outer, inner) = (self.outer(), format!("{}i", self.end));
        ip(&["link", "add", "name", &outer, "type", "veth", "peer", "name", &inner])?;
        ip(&["link", "set", &inner, "up"])?;
        let far = tap(&inner)?;
        ip(&["link", "set", &outer, "master", &self.bridge, "up"])?;
        ip(&["link", "set", &self.end, "nomaster"])?;
        Ok((tap(&self.end)?, far))
    }

    fn outer(&self) -> String {
        format!("{}o", self.end)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It only ends before if it has panicked, which it has said.
        drop(self.thread.take().map(JoinHandle::join));
        // A relay that couldn't be made has not all of it.
        drop(ip(&["link", "delete", &self.outer()]));
        drop(ip(&["link", "delete", &tap_name(&self.end)]));
        drop(ip(&["link", "set", &self.end, "master", &self.bridge]));
    }
}

/// What an interface receives, to be read, and what it sends, to be written.
fn tap(interface: &str) -> Result<File, String> {
    let name = tap_name(interface);
    let kind = ["type", "macvtap", "mode", "passthru"];
    ip(&[&["link", "add", "link", interface, "name", &name][..], &kind].concat())?;
    ip(&["link", "set", &name, "up"])?;
    let number = fs::read_to_string(format!("/sys/class/net/{name}/ifindex"));
    let path = format!("/dev/tap{}", number.map_err(|error| error.to_string())?.trim());
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path);
    file.map_err(|error| format!("{path}: {error}"))
}

fn tap_name(interface: &str) -> String {
    format!("{interface}t")
}

/// One way.
#[derive(Debug)]
struct Line {
    from: File,
    to: File,
    late: Late,
}

impl Line {
    fn new(from: &File, to: &File, least: Duration, seed: u64) -> Result<Self, String> {
        let clone = |file: &File| file.try_clone().map_err(|error| error.to_string());
        let late = Late { least, random: Random::new(seed), waiting: VecDeque::new() };
        Ok(Self { from: clone(from)?, to: clone(to)?, late })
    }

    fn carry(&mut self, frame: &mut [u8]) {
        for _ in 0..BURST_MAX {
            let Ok(count) = self.from.read(frame) else { break };
            self.late.push(Instant::now(), &frame[..count]);
        }
        while let Some(frame) = self.late.pop(Instant::now()) {
            // What finds no room is lost, as on any network.
            drop(self.to.write(&frame));
        }
    }
}

fn carry(mut lines: [Line; 2], stop: &AtomicBool) {
    let mut frame = vec![0; FRAME_BYTES_MAX];
    while !stop.load(Ordering::Relaxed) {
        lines.iter_mut().for_each(|line| line.carry(&mut frame));
        rest();
    }
}

#[expect(clippy::disallowed_methods, reason = "time is what it is about")]
fn rest() {
    thread::sleep(LOOK_EVERY);
}

/// Frames that wait.
///
/// Invariant: from the first to the last they are due later and later.
#[derive(Debug)]
struct Late {
    least: Duration,
    random: Random,
    waiting: VecDeque<(Instant, Vec<u8>)>,
}

impl Late {
    fn push(&mut self, now: Instant, frame: &[u8]) {
        if self.waiting.len() == WAITING_MAX {
            return;
        }
        let more = u32::try_from(self.random.below(1_000)).expect("a small number");
        let due = now + self.least + self.least * more / 1_000;
        let before = self.waiting.back().map_or(due, |(due, _)| *due);
        self.waiting.push_back((due.max(before), frame.to_vec()));
    }

    /// The next, if it is due.
    fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.waiting.pop_front_if(|(due, _)| *due <= now).map(|(_, frame)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(10);

    fn late() -> Late {
        Late { least: LEAST, random: Random::new(1), waiting: VecDeque::new() }
    }

    #[test]
    fn frames_wait_long_enough_and_not_too_long_and_keep_their_order() {
        let (mut late, begun) = (late(), Instant::now());
        let sent = |number: u8| begun + Duration::from_millis(number.into());
        (0..100).for_each(|number| late.push(sent(number), &[number]));
        let (mut come, mut waits) = (Vec::new(), Vec::new());
        for ms in 0..200 {
            let now = begun + Duration::from_millis(ms);
            while let Some(frame) = late.pop(now) {
                waits.push(now - sent(frame[0]));
                come.extend(frame);
            }
        }
        assert_eq!(come, (0..100).collect::<Vec<u8>>());
        assert!(waits.iter().all(|wait| (LEAST..=2 * LEAST).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "all wait for {:?}", waits[0]);
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let (mut late, now) = (late(), Instant::now());
        (0..=WAITING_MAX).for_each(|_| late.push(now, &[0]));
        let mut come = 0;
        while late.pop(now + 2 * LEAST).is_some() {
            come += 1;
        }
        assert_eq!(come, WAITING_MAX);
    }
}
