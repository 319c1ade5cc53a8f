//! What goes wrong: brokers, machines, disks and the network.

use std::format;

use super::broker::name;
use super::cluster::Cluster;
use super::plan::{MILLISECOND, TIMEOUT};
use super::queue::Event;
use crate::tests::world::Violation;

impl Cluster {
    pub(crate) fn fault(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let next = self.chance.between(1, 2 * self.plan.faults);
        self.queue.push(self.now + next, Event::Fault);
        let at = self.chance.index(self.brokers.len());
        match self.chance.below(17) {
            0..=2 => self.crash(at, false),
            3..=4 => self.crash(at, true),
            5 => self.crash_some(),
            6..=7 => {
                let until = self.now + self.chance.between(50, 3_000) * MILLISECOND;
                self.tell(|| format!("broker {} stands still", name(at)));
                self.brokers[at].stands_until = until;
                Ok(())
            }
            8..=9 => {
                self.brokers[at].slow_until =
                    self.now + self.chance.between(50, 2_000) * MILLISECOND;
                Ok(())
            }
            10 => {
                self.brokers[at].fails = self.brokers[at].is_up;
                Ok(())
            }
            11 => {
                self.lose_a_promise(at);
                Ok(())
            }
            cut => {
                self.cut_links(at, cut);
                Ok(())
            }
        }
    }

    fn cut_links(&mut self, at: usize, how: u64) {
        let brokers = self.brokers.len();
        match how {
            12..=13 => self.network.part(brokers, &mut self.chance),
            14..=15 => self.network.isolate(at, &mut self.chance),
            _ => self.network.cut_one(brokers, &mut self.chance),
        }
        self.tell(|| format!("links are cut, around broker {} or others", name(at)));
        let until = self.now + self.chance.between(50, 2_000) * MILLISECOND;
        self.queue.push(until, Event::Mends);
    }

    /// Somebody doesn't hear a broker any more, and about when its patience ends somebody else who
    /// does hear it starts anew.
    fn lose_a_promise(&mut self, at: usize) {
        let count = self.brokers.len();
        let (deaf, forgets) = ((at + 1) % count, (at + 2) % count);
        self.tell(|| format!("{} doesn't hear {}", name(deaf), name(at)));
        self.network.cut_from(at, deaf);
        let patience = self.chance.between(TIMEOUT.0 * 4 / 5, TIMEOUT.1);
        let boot = self.brokers[forgets].boot;
        self.queue.push(self.now + patience, Event::Blinks { at: forgets, boot });
        self.queue.push(self.now + patience + 2 * TIMEOUT.1, Event::Mends);
    }

    /// A broker is killed, and back before anybody misses it.
    pub(crate) fn blink(&mut self, at: usize) -> Result<(), Violation> {
        self.end(at, false)?;
        let away = self.chance.between(1, 20) * MILLISECOND;
        self.start_after(at, away);
        Ok(())
    }

    pub(crate) fn start_after(&mut self, at: usize, away: u64) {
        let boot = self.brokers[at].boot;
        self.queue.push(self.now + away, Event::Starts { at, boot });
    }

    /// Several machines lose power at once, or all.
    fn crash_some(&mut self) -> Result<(), Violation> {
        let count = self.chance.count(2, self.brokers.len());
        for at in self.some_brokers(count) {
            self.crash(at, true)?;
        }
        Ok(())
    }

    /// A broker ends, and starts again some time later.
    pub(crate) fn crash(&mut self, at: usize, loses: bool) -> Result<(), Violation> {
        self.end(at, loses)?;
        self.start_later(at);
        Ok(())
    }

    /// A broker ends: its process is killed, or its machine loses power. Of the frames of the state
    /// store that were not durable some first ones may be there.
    pub(crate) fn end(&mut self, at: usize, loses: bool) -> Result<(), Violation> {
        self.totals.crashes += 1;
        let what = if loses { "loses power" } else { "is killed" };
        self.tell(|| format!("broker {} {what}", name(at)));
        let kept = self.chance.index(self.brokers[at].frames.len() + 1);
        for _ in 0..kept {
            let group = self.brokers[at].frames.pop_front().unwrap();
            let _number = self.brokers[at].replicas[group].node.persist();
        }
        self.brokers[at].end();
        for group in 0..self.subjects.len() {
            let subject = &mut self.subjects[group];
            let replica = &mut self.brokers[at].replicas[group];
            replica.crash(loses, subject.caching, &mut self.chance, &mut subject.oracle.places)?;
        }
        Ok(())
    }

    fn start_later(&mut self, at: usize) {
        let away = match self.chance.below(4) {
            0 => self.chance.between(1, 50),
            1..=2 => self.chance.between(100, 1_000),
            _ => self.chance.between(1_000, 5_000),
        };
        let away = if self.is_calm { away.min(500) } else { away };
        self.start_after(at, away * MILLISECOND);
        for other in (0..self.brokers.len()).filter(|other| *other != at) {
            if self.chance.permille(700) {
                let boot = self.brokers[other].boot;
                let time = self.now + self.chance.below(100 * MILLISECOND);
                self.queue.push(time, Event::Disconnected { at: other, boot, from: at });
            }
        }
    }

    /// Records could not be flushed: whether they ever will be nobody knows. The groups resign, and
    /// the broker starts anew with what is on the device.
    pub(crate) fn flush_fails(&mut self, at: usize) -> Result<(), Violation> {
        self.tell(|| format!("broker {}: a flush fails", name(at)));
        for group in 0..self.subjects.len() {
            if self.is_leading(at, group) {
                self.with(at, group, |node, effects| {
                    node.alive().resign("a flush failed", effects);
                    Ok(())
                })?;
            }
        }
        self.crash(at, true)
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
        self.network.calm();
        self.tell(|| "nothing goes wrong any more".into());
        for broker in &mut self.brokers {
            broker.stands_until = broker.stands_until.min(self.now);
            broker.slow_until = self.now;
            broker.fails = false;
        }
        for at in 0..self.brokers.len() {
            if !self.brokers[at].is_up {
                let boot = self.brokers[at].boot;
                self.queue.push(self.now + MILLISECOND, Event::Starts { at, boot });
            }
        }
    }
}
