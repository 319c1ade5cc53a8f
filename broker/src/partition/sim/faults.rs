//! What goes wrong.

use tokio::sync::oneshot;

use logboom_storage::sim::{Fault, Operation};

use super::cluster::Cluster;
use super::oracle::Violation;
use super::plan::{MILLISECOND, SECOND};
use super::queue::Event;
use crate::partition::Command;

/// The number of EIO.
const EIO: i32 = 5;

impl Cluster {
    /// Something goes wrong.
    pub(super) fn fault(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let time = self.now + self.chance.between(1, 2 * self.plan.faults);
        self.queue.push(time, Event::Fault);
        let at = self.chance.index(self.brokers.len());
        match self.chance.below(100) {
            0..30 => self.end_if_up(at),
            30..36 => self.end_several(),
            36..46 => self.ask_to_stop(at),
            46..58 => self.pause(at),
            58..64 => self.fail_disk(at),
            64..68 => self.fill_disk(at),
            68..80 => self.cut_links(at),
            80..90 => self.break_connection(),
            90..93 => self.retain(at),
            93..96 => self.lose_directory(at),
            96..99 => self.flip_bits(at),
            _ => self.restart_failed(),
        }
        Ok(())
    }

    fn end_if_up(&mut self, at: usize) {
        if self.brokers[at].is_up() {
            self.end(at, None);
        }
    }

    /// Several brokers end at once, or all.
    fn end_several(&mut self) {
        let all: Vec<usize> = (0..self.brokers.len()).collect();
        let count = self.chance.count(2, all.len());
        let is_cut = self.chance.permille(self.plan.cuts);
        for at in self.chance.some(&all, count) {
            if self.brokers[at].is_up() {
                self.end_so(at, None, is_cut);
            }
        }
    }

    /// A broker is stopped: it hands over, and ends.
    fn ask_to_stop(&mut self, at: usize) {
        if !self.brokers[at].runs() {
            return;
        }
        self.tell(|| format!("{at}: is to stop"));
        self.say(at, Command::HandOver(oneshot::channel().0));
        let time = self.now + self.chance.between(0, 2_500) * MILLISECOND;
        self.queue.push(time, Event::Stops { at, start: self.brokers[at].starts });
    }

    pub(super) fn stop(&mut self, at: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Stops { at, start }) {
            return Ok(());
        }
        self.tell(|| format!("{at}: stops"));
        self.clients.iter_mut().for_each(|client| client.forget(at));
        self.brokers[at].stop().map_err(|what| format!("{at}: {what}"))?;
        self.disconnect(at, false);
        let time = self.now + self.chance.between(1, 1_000) * MILLISECOND;
        self.queue.push(time, Event::Starts { at });
        Ok(())
    }

    fn pause(&mut self, at: usize) {
        if self.brokers[at].runs() {
            let longest = self.chance.pick(&[50, 400, 3_000]);
            let time = self.now + self.chance.between(1, longest) * MILLISECOND;
            self.tell(|| format!("{at}: stands still until {}", time / MILLISECOND));
            self.brokers[at].is_paused = true;
            self.queue.push(time, Event::Resumes { at });
        }
    }

    /// A flush or a write fails; the broker is started again sooner or later.
    fn fail_disk(&mut self, at: usize) {
        if !self.brokers[at].is_up() || !self.may_lose(at) {
            return;
        }
        self.note_loss(at);
        self.totals.failures += 1;
        let operation = self.chance.pick(&[Operation::Sync, Operation::SyncDir, Operation::Write]);
        let after = self.chance.index(4);
        self.tell(|| format!("{at}: {operation:?} fails after {after}"));
        self.brokers[at].disk.set_fault(Fault::new(operation, EIO).after(after));
        self.brokers[at].is_impaired = true;
    }

    /// A disk is full, or has room again. Nobody begins on a full one, so a new one isn't.
    fn fill_disk(&mut self, at: usize) {
        let disk = &self.brokers[at].disk;
        let is_full = self.chance.permille(600) && disk.used() > 0;
        let bytes = if is_full { disk.used() } else { u64::MAX };
        disk.set_capacity(bytes);
        self.brokers[at].is_impaired = true;
        self.tell(|| format!("{at}: has room for {bytes} bytes"));
    }

    /// Who can't write any more is started again; when nothing goes wrong any more, also who could
    /// not for a while, and who was removed.
    pub(super) fn restart_failed(&mut self) {
        for at in 0..self.brokers.len() {
            let broker = &self.brokers[at];
            let Some(process) = &broker.process else { continue };
            let is_out = || process.began.is_some() && !self.metadata.has(broker.id);
            let is_due = self.is_calm && (broker.is_impaired || is_out());
            if is_due || process.directory.failure().is_some() {
                self.end(at, None);
            }
        }
    }

    fn cut_links(&mut self, at: usize) {
        let brokers = self.brokers.len();
        match self.chance.below(4) {
            0 => self.network.part(brokers, &mut self.chance),
            1 | 2 => self.network.isolate(at, brokers, &mut self.chance),
            _ => self.network.cut_one(at, self.chance.index(brokers)),
        }
        self.tell(|| format!("links of {at} or others are cut"));
        let longest = self.chance.pick(&[100, 1_000, 4 * SECOND / MILLISECOND]);
        let time = self.now + self.chance.between(10, longest) * MILLISECOND;
        self.queue.push(time, Event::Mends);
    }

    fn break_connection(&mut self) {
        let ways = self.network.ways();
        let way = self.chance.pick(&ways);
        self.tell(|| format!("{way:?} breaks"));
        self.break_off(way);
    }

    fn retain(&mut self, at: usize) {
        let now_ms = i64::try_from(self.now / MILLISECOND).unwrap();
        self.say(at, Command::Retain { now_ms });
    }
}
