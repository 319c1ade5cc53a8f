//! The commands of scripts. A replica is named by its broker, `2`, or by broker and life, `2'1`.
//!
//! | command | what happens |
//! | --- | --- |
//! | `nodes 3`, `voters 1 2`, `caching` | what the world is made of; before all others |
//! | `log 2 0*3 1*2` | 2 begins with three records of epoch 0 and two of epoch 1 |
//! | `slow 1`, `fast 1` | 1's disk is done only when it is told to; is done at once, as at first |
//! | `store 1`, `flush 1 [OFFSET]` | a slow disk finishes a frame; what was appended, so far |
//! | `campaign 1 [at once]` | its patience ends; it doesn't ask first |
//! | `elect 1`, `win 1` | a whole election; the same, without what 1 sends as the leader |
//! | `propose 1 [COUNT]`, `beat 1` | the leader appends records; says what is committed |
//! | `transfer 1 2`, `cancel 1`, `resign 1` | the leader hands over; does not; gives up |
//! | `recover 1 1,2 [EPOCH]` | an operator names who is left, and the greatest epoch of them |
//! | `hold-back 1`, `let-lead 1` | it is to vote only; it may lead again |
//! | `cache 1 off`, `cache 1 on` | it hears that `write.caching` is off; that it is on |
//! | `hears 1 2 3` | 1 finds that it hears of 2 and 3, and of nobody else |
//! | `wish 1 1,2,4 [as GENERATION]` | the voters are to be these |
//! | `knows 4 1` | 4's host knows of the wish with this generation, and of no later one |
//! | `observe 1 4,5`, `observe 1 nobody` | these are to have the log without a vote; none is |
//! | `trim 1 OFFSET` | the log is to begin there |
//! | `disconnect 1 2` | 1 learns that its connection to 2 is gone |
//! | `crash 1`, `powercut 1`, `start 1` | it ends; with all that wasn't flushed; is back |
//! | `lose 1 OFFSET [unnoticed]` | its disk, while it is down, loses what is behind |
//! | `wipe 1` | the replica is gone; its broker makes another one, in its next life |
//! | `isolate 3`, `connect 3` | `settle` loses what is from or to it; does no more |
//! | `deliver 1 2 [KIND] [first\|last] [heard]` | these messages arrive; a leader is heard |
//! | `repeat …`, `drop …` | they arrive and stay on their way; they are lost |
//! | `hold …`, `release` | they wait; they are on their way again |
//! | `settle` | all that is on its way arrives, and what comes of it, until nothing is |
//! | `network`, `status [1 2]` | what is on its way; how replicas are |
//! | `standings 1`, `held 1 COUNT` | what the leader knows of others; what so many hold |
//! | `unchecked` | what must hold isn't looked at, as a disk does what none should |

use alloc::rc::Rc;
use alloc::sync::Arc;
use std::borrow::ToOwned as _;
use std::format;
use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;

use super::super::bounds::Bounds;
use super::super::node::{Node, Packet, Record};
use super::super::world::Violation;
use super::stage::Stage;
use super::{VIOLATION, print};
use crate::group::Role;
use crate::mutant::Mutant;
use crate::{Control, Effects, ReplicaId, Voters};

/// The steps within which a world comes to rest.
const REST: usize = 5_000;

/// A script that runs.
pub(super) struct Script {
    bounds: Bounds,
    /// Made by the first command that isn't about what it is made of.
    stage: Option<Stage>,
    /// Whose disks are done only when the script says so.
    slow: Vec<ReplicaId>,
    /// Whom nothing reaches, and who reaches nobody.
    isolated: Vec<ReplicaId>,
    /// Messages that are held back.
    held: Vec<Rc<Packet>>,
    /// Records that were appended.
    values: u32,
    generation: i64,
    /// Whether what must hold is looked at.
    is_checked: bool,
    output: Vec<String>,
    /// Whether something didn't hold.
    pub(super) is_over: bool,
}

/// Which messages a command means: from whom, to whom, of which kind, and which of them.
struct Which<'a> {
    from: Option<ReplicaId>,
    to: Option<ReplicaId>,
    kind: Option<&'a str>,
    first: bool,
    last: bool,
}

impl Which<'_> {
    fn means(&self, packet: &Packet) -> bool {
        let message = &packet.message;
        self.from.is_none_or(|from| from == message.from)
            && self.to.is_none_or(|to| to == message.to)
            && self.kind.is_none_or(|kind| kind == print::kind(&message.body))
    }
}

/// A replica as scripts name it: a broker, and after `'` which life it is, from 0.
fn replica(word: &str) -> ReplicaId {
    let (broker, life) = word.split_once('\'').unwrap_or((word, "0"));
    let broker = broker.parse().unwrap_or_else(|_| panic!("{word} is no replica"));
    ReplicaId { life: life.parse().unwrap(), ..ReplicaId::of(broker) }
}

fn replicas(word: &str) -> Arc<[ReplicaId]> {
    word.split(',').map(replica).collect()
}

/// `[FROM TO] [KIND] [first|last] [heard]`, or `all`.
fn which<'a>(words: &[&'a str]) -> Which<'a> {
    let mut which = Which { from: None, to: None, kind: None, first: false, last: false };
    for word in words {
        match *word {
            "all" | "heard" => {}
            "first" => which.first = true,
            "last" => which.last = true,
            word if !word.starts_with(|c: char| c.is_ascii_digit()) => which.kind = Some(word),
            word if which.from.is_none() => which.from = Some(replica(word)),
            word => which.to = Some(replica(word)),
        }
    }
    which
}

impl Script {
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Self {
            bounds: Bounds { pre_votes: true, mutant, ..Bounds::of(3) },
            stage: None,
            slow: vec![],
            isolated: vec![],
            held: vec![],
            values: 0,
            generation: 0,
            is_checked: true,
            output: vec![],
            is_over: false,
        }
    }

    /// Does what a line says; gives what came of it.
    pub(super) fn run(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let done = match &words[..] {
            ["nodes", count] => {
                self.bounds.nodes = count.parse().unwrap();
                self.bounds.voters = (1..=self.bounds.nodes).collect();
                Ok(())
            }
            ["voters", ids @ ..] => {
                self.bounds.voters = ids.iter().map(|id| id.parse().unwrap()).collect();
                Ok(())
            }
            ["caching"] => {
                self.bounds.caching = true;
                Ok(())
            }
            words => self.act(words),
        };
        if let Err(violation) = done {
            self.is_over = true;
            self.output.push(format!("{VIOLATION}{violation}"));
        }
        core::mem::take(&mut self.output)
    }

    fn act(&mut self, words: &[&str]) -> Result<(), Violation> {
        if self.stage.is_none() {
            self.stage = Some(Stage::new(&self.bounds));
        }
        match words {
            ["slow", ids @ ..] => self.slow.extend(ids.iter().map(|id| replica(id))),
            ["fast", ids @ ..] => {
                let fast: Vec<ReplicaId> = ids.iter().map(|id| replica(id)).collect();
                self.slow.retain(|id| !fast.contains(id));
                return self.let_disks_work();
            }
            ["isolate", ids @ ..] => self.isolated.extend(ids.iter().map(|id| replica(id))),
            ["connect", ids @ ..] => {
                let back: Vec<ReplicaId> = ids.iter().map(|id| replica(id)).collect();
                self.isolated.retain(|id| !back.contains(id));
            }
            ["unchecked"] => self.is_checked = false,
            ["deliver", words @ ..] => return self.deliver(words),
            ["repeat", words @ ..] => return self.repeat(words),
            ["drop", words @ ..] => drop(self.take(&which(words))),
            ["hold", words @ ..] => {
                let held = self.take(&which(words));
                self.held.extend(held);
            }
            ["release"] => {
                let held = core::mem::take(&mut self.held);
                self.stage().network.extend(held);
            }
            ["settle"] => return self.settle(),
            ["network"] => {
                let lines: Vec<String> =
                    self.stage().network.iter().map(|it| print::message(&it.message)).collect();
                self.output.extend(lines);
            }
            ["status"] => {
                let lines: Vec<String> = self.stage().nodes.iter().map(print::node).collect();
                self.output.extend(lines);
            }
            ["status", ids @ ..] => {
                for id in ids {
                    let line = print::node(self.node(replica(id)));
                    self.output.push(line);
                }
            }
            [command, id, words @ ..] => return self.act_on(command, replica(id), words),
            _ => panic!("{words:?} is no command"),
        }
        Ok(())
    }

    /// A command about one replica.
    fn act_on(&mut self, command: &str, id: ReplicaId, words: &[&str]) -> Result<(), Violation> {
        match (command, words) {
            ("elect", []) => self.elect(id),
            ("win", []) => self.win(id),
            ("log", epochs) => self.log(id, epochs),
            ("campaign", []) => self.alive(id, |node, effects| node.alive().campaign(effects)),
            ("campaign", ["at", "once"]) => {
                self.alive(id, |node, effects| node.alive().campaign_at_once(effects))
            }
            ("store", []) => self.alive(id, Node::make_durable),
            ("flush", []) => self.flush(id, None),
            ("flush", [offset]) => self.flush(id, Some(offset.parse().unwrap())),
            ("propose", more) => self.propose(id, more.first().map_or(1, |it| it.parse().unwrap())),
            ("beat", []) => self.alive(id, |node, effects| node.alive().beat(effects)),
            ("tell", []) => self.alive(id, |node, effects| node.alive().tell_commit(effects)),
            ("hold-back", []) => self.alive(id, |node, _| _ = node.alive().hold_back(true)),
            ("let-lead", []) => self.alive(id, |node, _| _ = node.alive().hold_back(false)),
            ("cache", [is_on]) => self.cache(id, *is_on == "on"),
            ("knows", [wish]) => self.know_wish(id, wish.parse().unwrap()),
            ("transfer", [to]) => self.transfer(id, replica(to)),
            ("recover", [left]) => self.recover(id, left, 0),
            ("recover", [left, epoch]) => self.recover(id, left, epoch.parse().unwrap()),
            ("cancel", []) => self.alive(id, |node, _| node.alive().cancel_transfer()),
            ("wish", [voters]) => {
                self.generation += 1;
                self.wish(id, voters, self.generation)
            }
            ("wish", [voters, "as", it]) => self.wish(id, voters, it.parse().unwrap()),
            ("observe", ["nobody"]) => self.alive(id, |node, _| node.alive().observe(&[])),
            ("observe", [observers]) => {
                let observers = replicas(observers);
                self.alive(id, |node, _| node.alive().observe(&observers))
            }
            ("trim", [offset]) => {
                let offset = offset.parse().unwrap();
                self.alive(id, |node, effects| _ = node.alive().move_start(offset, effects))
            }
            ("resign", []) => {
                self.alive(id, |node, effects| node.alive().resign("it is told to", effects))
            }
            ("hears", others) => {
                let heard: Vec<ReplicaId> = others.iter().map(|id| replica(id)).collect();
                self.alive(id, |node, effects| {
                    node.alive().check_quorum(|id| heard.contains(&id), effects);
                })
            }
            ("disconnect", [other]) => {
                let other = replica(other).broker;
                self.alive(id, |node, _| node.alive().disconnected(other))
            }
            ("crash", []) => self.alive(id, |node, _| node.kill()),
            ("powercut", []) => self.power_cut(id),
            ("start", []) => {
                let bounds = self.bounds.clone();
                self.step(id, |node, _| node.start(&bounds))
            }
            ("lose", [offset]) => self.lose(id, offset.parse().unwrap(), true),
            ("lose", [offset, "unnoticed"]) => self.lose(id, offset.parse().unwrap(), false),
            ("wipe", []) => self.wipe(id),
            ("held", [count]) => self.tell_held(id, count.parse().unwrap()),
            ("standings", []) => {
                let lines: Vec<String> =
                    self.group(id).standings().map(|it| print::standing(&it)).collect();
                self.output.extend(lines);
                Ok(())
            }
            _ => panic!("{command} {id} {words:?} is no command"),
        }
    }

    /// It hears whether records count before they are flushed.
    fn cache(&mut self, id: ReplicaId, is_on: bool) -> Result<(), Violation> {
        self.alive(id, |node, _| node.alive().set_caching(is_on, is_on))
    }

    fn tell_held(&mut self, id: ReplicaId, count: usize) -> Result<(), Violation> {
        let held = self.group(id).held_by(count);
        self.output.push(format!("{count} have {held}"));
        Ok(())
    }

    /// Its host knows of the wish with this generation, and of no later one.
    fn know_wish(&mut self, id: ReplicaId, generation: i64) -> Result<(), Violation> {
        self.alive(id, |node, _| node.alive().know_wish(generation))
    }

    fn stage(&mut self) -> &mut Stage {
        self.stage.as_mut().unwrap()
    }

    fn node(&self, id: ReplicaId) -> &Node {
        let stage = self.stage.as_ref().unwrap();
        &stage.nodes[stage.node(id)]
    }

    fn group(&self, id: ReplicaId) -> &crate::Group {
        self.node(id).group.as_ref().unwrap()
    }

    /// Lets something happen to a replica, and to its disk what follows.
    fn step(
        &mut self,
        id: ReplicaId,
        what: impl FnOnce(&mut Node, &mut Effects),
    ) -> Result<(), Violation> {
        self.try_step(id, |node, effects| {
            what(node, effects);
            Ok(())
        })?;
        self.let_disks_work()
    }

    fn alive(
        &mut self,
        id: ReplicaId,
        what: impl FnOnce(&mut Node, &mut Effects),
    ) -> Result<(), Violation> {
        assert!(self.node(id).group.is_some(), "{id} is down");
        self.step(id, what)
    }

    fn try_step(
        &mut self,
        id: ReplicaId,
        what: impl FnOnce(&mut Node, &mut Effects) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let stage = self.stage.as_mut().unwrap();
        let at = stage.node(id);
        let before = stage.network.len();
        let mut effects = Effects { trace: Some(vec![]), ..Effects::default() };
        let done = stage.step(at, &mut effects, what);
        let events = effects.trace.into_iter().flatten();
        self.output.extend(events.map(|event| event.to_string()));
        let sent = stage.network.iter().skip(before);
        self.output.extend(sent.map(|packet| print::message(&packet.message)));
        done?;
        let holds = stage.look(at);
        if self.is_checked { holds } else { Ok(()) }
    }

    /// Lets the disks that aren't slow finish what they have.
    fn let_disks_work(&mut self) -> Result<(), Violation> {
        for _ in 0..REST {
            let nodes = &self.stage.as_ref().unwrap().nodes;
            let mut fast =
                nodes.iter().filter(|it| it.group.is_some() && !self.slow.contains(&it.id));
            let Some(id) = fast.find(|it| !it.frames.is_empty() || it.may_flush()).map(|it| it.id)
            else {
                return Ok(());
            };
            self.try_step(id, |node, effects| {
                if node.frames.is_empty() {
                    flush(node, None, effects);
                } else {
                    node.make_durable(effects);
                }
                Ok(())
            })?;
        }
        Err("the disks have no end".to_owned())
    }

    /// Takes the messages that are meant out of the network.
    fn take(&mut self, which: &Which<'_>) -> Vec<Rc<Packet>> {
        let network = &mut self.stage().network;
        let mut meant: Vec<usize> =
            (0..network.len()).filter(|at| which.means(&network[*at])).collect();
        if which.first {
            meant.truncate(1);
        }
        if which.last {
            meant.drain(..meant.len().saturating_sub(1));
        }
        let mut taken: Vec<Rc<Packet>> = meant.iter().rev().map(|at| network.remove(*at)).collect();
        taken.reverse();
        taken
    }

    fn deliver(&mut self, words: &[&str]) -> Result<(), Violation> {
        let packets = self.take(&which(words));
        if packets.is_empty() {
            self.output.push("no such message".to_owned());
        }
        for packet in packets {
            self.arrive(&packet, words.contains(&"heard"))?;
        }
        Ok(())
    }

    /// Delivers copies; the messages stay on their way.
    fn repeat(&mut self, words: &[&str]) -> Result<(), Violation> {
        let packets = self.take(&which(words));
        for packet in &packets {
            self.arrive(packet, words.contains(&"heard"))?;
        }
        self.stage().network.extend(packets);
        Ok(())
    }

    /// A message reaches its broker, whichever life of the replica is there now.
    fn arrive(&mut self, packet: &Packet, heard: bool) -> Result<(), Violation> {
        let to = packet.message.to.broker;
        let nodes = &self.stage().nodes;
        let id = nodes.iter().rev().map(|node| node.id).find(|id| id.broker == to).unwrap();
        self.try_step(id, |node, effects| node.deliver(packet, heard, effects))?;
        self.let_disks_work()
    }

    /// Delivers what is on its way, and what comes of it, until nothing is; of the messages nothing
    /// is said.
    fn settle(&mut self) -> Result<(), Violation> {
        self.let_disks_work()?;
        for _ in 0..REST {
            let network = &mut self.stage().network;
            if network.is_empty() {
                return Ok(());
            }
            let packet = network.remove(0);
            let ends = [packet.message.from, packet.message.to];
            if ends.iter().any(|id| self.isolated.contains(id)) {
                continue;
            }
            let said = core::mem::take(&mut self.output);
            let done = self.arrive(&packet, false);
            let new = core::mem::replace(&mut self.output, said);
            self.output.extend(new.into_iter().filter(|line| !line.contains('→')));
            done?;
        }
        Err("there is no end of messages".to_owned())
    }

    /// Has a replica elected, and all who can be reached know it.
    fn elect(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let said = core::mem::take(&mut self.output);
        self.alive(id, |node, effects| node.alive().campaign(effects))?;
        self.settle()?;
        if self.group(id).role() == Role::Leader {
            self.alive(id, |node, effects| node.alive().beat(effects))?;
            self.settle()?;
        }
        self.output = said;
        self.say_whether_leader(id);
        Ok(())
    }

    /// Has a replica elected; what it sends as the leader stays on its way.
    fn win(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let said = core::mem::take(&mut self.output);
        self.alive(id, |node, effects| node.alive().campaign(effects))?;
        loop {
            let is_about_votes = |packet: &Rc<Packet>| {
                matches!(packet.message.body, crate::Body::Vote(_) | crate::Body::VoteReply(_))
            };
            let Some(at) = self.stage().network.iter().position(is_about_votes) else { break };
            let packet = self.stage().network.remove(at);
            let ends = [packet.message.from, packet.message.to];
            if !ends.iter().any(|id| self.isolated.contains(id)) {
                self.arrive(&packet, false)?;
            }
        }
        self.output = said;
        self.say_whether_leader(id);
        Ok(())
    }

    fn say_whether_leader(&mut self, id: ReplicaId) {
        let group = self.group(id);
        let does = if group.role() == Role::Leader { "leads" } else { "isn't elected" };
        let line = format!("{id} {does} in {}", group.epoch());
        self.output.push(line);
    }

    /// A replica begins with a log: of each epoch so many records, as `EPOCH*COUNT`.
    fn log(&mut self, id: ReplicaId, epochs: &[&str]) -> Result<(), Violation> {
        let bounds = self.bounds.clone();
        self.step(id, |node, _| {
            node.group = None;
            for (sequence, word) in (1..).zip(epochs) {
                let (epoch, count) = word.split_once('*').unwrap();
                let (epoch, count): (i32, i64) = (epoch.parse().unwrap(), count.parse().unwrap());
                let offset = node.end();
                node.state.controls.push(Control { sequence, epoch, offset, voters: None });
                let values = (offset..offset + count).map(|it| u32::try_from(it).unwrap());
                node.records.extend(values.map(|value| Record { epoch, value }));
                node.state.epoch = epoch;
            }
            node.run = 0;
            node.start(&bounds);
        })
    }

    fn flush(&mut self, id: ReplicaId, until: Option<i64>) -> Result<(), Violation> {
        self.alive(id, |node, effects| flush(node, until, effects))
    }

    fn propose(&mut self, id: ReplicaId, count: u32) -> Result<(), Violation> {
        let group = self.group(id);
        if group.role() != Role::Leader || !group.takes_records() {
            self.output.push(format!("{id} takes no records"));
            return Ok(());
        }
        let first = self.values;
        self.values += count;
        self.alive(id, |node, effects| {
            let epoch = node.alive().epoch();
            let values = first..first + count;
            node.records.extend(values.map(|value| Record { epoch, value }));
            let end = node.end();
            node.alive().appended(end, effects);
        })
    }

    fn transfer(&mut self, id: ReplicaId, to: ReplicaId) -> Result<(), Violation> {
        let mut is_taken = false;
        self.alive(id, |node, effects| is_taken = node.alive().transfer(to, effects))?;
        if !is_taken {
            self.output.push(format!("{id} can't hand over to {to}"));
        }
        Ok(())
    }

    fn recover(&mut self, id: ReplicaId, left: &str, epoch: i32) -> Result<(), Violation> {
        let (left, mut has_begun) = (replicas(left), false);
        self.alive(id, |node, effects| {
            has_begun = node.alive().recover(left, epoch, effects);
        })?;
        if !has_begun {
            self.output.push("refused".to_owned());
        }
        Ok(())
    }

    fn wish(&mut self, id: ReplicaId, voters: &str, generation: i64) -> Result<(), Violation> {
        let voters = replicas(voters);
        self.alive(id, |node, effects| node.alive().wish(voters, generation, effects))
    }

    fn power_cut(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let caching = self.bounds.caching;
        self.alive(id, |node, _| node.lose_power(0, caching))
    }

    /// The disk of a replica that is down loses what it had from an offset on.
    fn lose(&mut self, id: ReplicaId, offset: i64, is_noticed: bool) -> Result<(), Violation> {
        self.step(id, |node, _| {
            assert!(node.group.is_none(), "{id} isn't down");
            let lost = node.end() - offset;
            node.records.truncate(node.records.len() - usize::try_from(lost).unwrap());
            node.state.controls.retain(|control| control.offset <= offset);
            node.flushed = node.flushed.min(offset);
            node.state.lossy |= is_noticed;
        })
    }

    /// A replica is gone with all that it had; its broker has a new one, a learner.
    fn wipe(&mut self, id: ReplicaId) -> Result<(), Violation> {
        let bounds = self.bounds.clone();
        self.step(id, |node, _| node.kill())?;
        let next = ReplicaId { life: id.life + 1, ..id };
        let mut node = Node::new(next, Arc::new(Voters::of([])));
        node.start(&bounds);
        self.stage().nodes.push(node);
        Ok(())
    }
}

/// What was appended becomes durable, all of it or up to an offset.
fn flush(node: &mut Node, until: Option<i64>, effects: &mut Effects) {
    let until = until.unwrap_or(node.end());
    node.flushed = node.flushed.max(until);
    node.alive().flushed(until, effects);
}
