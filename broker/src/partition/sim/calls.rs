//! What happens to the tasks of brokers: they run, call others and are answered.

use bytes::Bytes;

use super::cluster::{Cluster, SOON};
use super::groups::place;
use super::network::Way;
use super::oracle::Violation;
use super::plan::MILLISECOND;
use super::queue::{Event, Parcel};
use super::tasks::Arrived;
use crate::peer::{CallError, Kind};
use crate::start::StartError;

impl Cluster {
    /// Has a broker's tasks run soon.
    pub(super) fn run_soon(&mut self, at: usize) {
        let time = self.now + self.chance.between(1, SOON);
        self.queue.push(time, Event::Tasks { at, start: self.brokers[at].starts });
    }

    /// Runs what a broker does beside its shard, if there is anything.
    pub(super) fn run_tasks(&mut self, at: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Tasks { at, start }) {
            return Ok(());
        }
        let broker = &mut self.brokers[at];
        let Some(process) = &mut broker.process else { return Ok(()) };
        if !process.is_due(self.now) {
            return Ok(());
        }
        let before = broker.disk.trace_len();
        let ran = process.run_tasks();
        if self.is_ambushed(at, before) {
            return Ok(());
        }
        match ran {
            Err(error) => return self.fail_to_start(at, &error),
            Ok(true) => self.begin_threads(at),
            Ok(false) => {}
        }
        self.send_calls(at);
        self.wake(at);
        self.observe_metadata(at)
    }

    /// The threads of a broker that serves from now on.
    fn begin_threads(&mut self, at: usize) {
        let start = self.brokers[at].starts;
        for thread in 0..2 {
            let time = self.now + self.chance.between(1, 500) * MILLISECOND;
            self.queue.push(time, Event::Thread { at, start, thread });
        }
    }

    /// Has a thread go on until it waits.
    pub(super) fn run_thread(&mut self, at: usize, thread: usize) -> Result<(), Violation> {
        let start = self.brokers[at].starts;
        if self.put_off(at, Event::Thread { at, start, thread }) {
            return Ok(());
        }
        let broker = &mut self.brokers[at];
        let before = broker.disk.trace_len();
        let Some(process) = &mut broker.process else { return Ok(()) };
        let waits = process.threads[thread].step()?;
        let waits = waits.map(|until| process.around.when(until));
        if self.is_ambushed(at, before) {
            return Ok(());
        }
        if let Some(time) = waits {
            self.queue.push(time.max(self.now + 1), Event::Thread { at, start, thread });
        }
        self.send_calls(at);
        self.wake(at);
        Ok(())
    }

    /// A broker doesn't start, which only its disk may be a reason for, or that it has lost its
    /// data directory.
    fn fail_to_start(&mut self, at: usize, error: &StartError) -> Result<(), Violation> {
        if !self.brokers[at].is_impaired && self.brokers[at].lost.is_none() {
            return Err(format!("{at}: doesn't start: {error}"));
        }
        self.tell(|| format!("{at}: doesn't start: {error}"));
        self.end(at, None);
        Ok(())
    }

    /// Sends what a broker's tasks ask others for and answer them, and looks at its tasks again
    /// when they want it.
    fn send_calls(&mut self, at: usize) {
        let start = self.brokers[at].starts;
        let Some(process) = &mut self.brokers[at].process else { return };
        let (calls, answers) = (process.mailbox.take_outgoing(), process.tasks.take_answers());
        for time in process.take_alarms() {
            self.queue.push(time.max(self.now + 1), Event::Tasks { at, start });
        }
        if process.around.has_errands() {
            let time = self.now + self.chance.latency(200);
            self.queue.push(time, Event::Errands { at, start });
        }
        for (node, number, request) in calls {
            let way = Way { from: at, to: place(node), kind: Kind::Calls };
            if self.network.at(way).is_open {
                self.send(way, Parcel::Call(number, request));
            } else if let Some(process) = &self.brokers[at].process {
                process.mailbox.answer(number, Err(CallError::NotSent));
                self.run_soon(at);
            }
        }
        for (call, answer) in answers {
            let time = self.now + self.chance.latency(self.plan.delay);
            self.queue.push(time, Event::Answers { call, answer });
        }
    }

    /// An answer has come as far as the one who called.
    pub(super) fn take_answer(&mut self, call: Arrived, answer: Bytes) {
        let (way, connection, number) = call;
        if self.network.at(way).number != connection {
            return;
        }
        let back = Way { from: way.to, to: way.from, ..way };
        if self.network.is_cut(back) {
            self.queue.push(self.now + 20 * MILLISECOND, Event::Answers { call, answer });
        } else if let Some(process) = &self.brokers[way.from].process {
            process.mailbox.answer(number, Ok(answer));
            self.run_soon(way.from);
        }
    }
}
