//! Reads the text form of a status, all of it or as much as is known.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use core::str::SplitAsciiWhitespace;

use super::{
    DRAINS_MAX, DrainStatus, EndlessStatus, Growth, HEADER, MOVES_MAX, MoveStatus, OtherStatus,
    PlanStatus, Status, UnmetStatus,
};
use crate::next::{Rates, Stage, Wait};
use crate::plan::{MoveKind, Obstacle, Rule};
use crate::resource::{Amounts, Resource};
use crate::snapshot::BROKERS_MAX;
use crate::text::{
    self, ParseError, Wrong, end, id, keyword, name, number, one_of, resource, unexpected,
};

/// The words of a line behind its first.
type Words<'a, 'text> = &'a mut SplitAsciiWhitespace<'text>;

impl Status {
    /// Reads the text form.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut reader = Reader::default();
        let line = text::read(text, "a status", HEADER, |_, line| reader.line(line))?;
        reader.end(line)
    }

    /// Reads what is known of the text form, as a later version may have written it: lines that
    /// can't be read are passed over, and so is what stands behind the words of one that can.
    ///
    /// # Errors
    /// Another header, or that it isn't said who decides.
    pub fn parse_known(text: &str) -> Result<(Self, Option<PassedOver>), ParseError> {
        let (mut reader, mut passed) = (Reader::default(), None::<PassedOver>);
        let line = text::read(text, "a status", HEADER, |line, content| {
            if let Err(what) = reader.line(content) {
                let first = ParseError { line, what };
                passed.get_or_insert(PassedOver { lines: 0, first }).lines += 1;
            }
            Ok(())
        })?;
        Ok((reader.end(line)?, passed))
    }
}

/// What wasn't understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// How many lines.
    pub lines: usize,
    /// The first of them, and what of it isn't known.
    pub first: ParseError,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            1 => write!(f, "one line isn't understood: {}", self.first),
            lines => write!(f, "{lines} lines aren't understood, first {}", self.first),
        }
    }
}

#[derive(Debug, Default)]
struct Reader {
    has_controller: bool,
    status: Status,
}

/// Refuses what there can be only one of.
fn only(what: &str, is_there: bool) -> Result<(), Wrong> {
    if is_there { Err(format!("{what} is told twice")) } else { Ok(()) }
}

/// Refuses one more of what there are so many of.
fn bounded(what: &str, count: usize, max: usize) -> Result<(), Wrong> {
    if count < max { Ok(()) } else { Err(format!("more than {max} {what}")) }
}

impl Reader {
    /// - `line`: the last.
    fn end(self, line: usize) -> Result<Status, ParseError> {
        if self.has_controller {
            Ok(self.status)
        } else {
            Err(ParseError { line, what: "controller is missing".to_string() })
        }
    }

    /// Takes a line, even if something stands behind it that isn't known; what is wrong leaves
    /// nothing.
    fn line(&mut self, line: &str) -> Result<(), Wrong> {
        let mut words = line.split_ascii_whitespace();
        let of = &mut words;
        match of.next() {
            Some("controller") => self.controller(of)?,
            Some("triggers") => self.triggers(of)?,
            Some("once") => {
                only("once", self.status.once)?;
                self.status.once = true;
            }
            Some("rate") => self.rate(of)?,
            Some("growth") => self.growth(of)?,
            Some("drain") => self.drain(of)?,
            Some("endless") => self.endless(of)?,
            Some("other") => self.other(of)?,
            Some("plan") => self.plan(of)?,
            Some("move") => {
                let one = move_status(of)?;
                let moves = &mut self.plan_of("a move")?.moves;
                bounded("moves", moves.len(), MOVES_MAX)?;
                moves.push(one);
            }
            Some("unmet") => {
                let one = unmet_status(of)?;
                let unmet = &mut self.plan_of("what is unmet")?.unmet;
                bounded("unmet", unmet.len(), MOVES_MAX)?;
                unmet.push(one);
            }
            other => return Err(unexpected("line of a status", other)),
        }
        end(words)
    }

    fn controller(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        only("controller", self.has_controller)?;
        self.status.controller = id("id of a broker", words.next())?;
        self.has_controller = true;
        Ok(())
    }

    fn triggers(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        only("triggers", !self.status.triggers.is_empty())?;
        let mut wrong = None;
        for word in words {
            match rule(Some(word)) {
                Ok(rule) => {
                    only(rule.name(), self.status.triggers.contains(&rule))?;
                    self.status.triggers.push(rule);
                }
                // Those that are known are followed all the same.
                Err(what) => wrong = wrong.or(Some(what)),
            }
        }
        if wrong.is_none() && self.status.triggers.is_empty() {
            wrong = Some(unexpected("rule", None));
        }
        wrong.map_or(Ok(()), Err)
    }

    fn rate(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        let rate = amount(words)?;
        let Rates { usual, others } = &mut self.status.rates;
        match words.next() {
            None => {
                only("rate", *usual != Rates::default().usual)?;
                *usual = rate;
            }
            Some("broker") => {
                let broker = id("id of a broker", words.next())?;
                bounded("rates", others.len(), BROKERS_MAX)?;
                only("rate", others.insert(broker, rate).is_some())?;
            }
            other => return Err(unexpected("`broker`, or end of the line", other)),
        }
        Ok(())
    }

    fn growth(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        only("growth", self.status.growth.is_some())?;
        let over_seconds = number("count of seconds", words.next())?;
        let mut per_day = Amounts::default();
        for resource in Resource::ALL {
            keyword(resource.word(), words)?;
            per_day[resource] = amount(words)?;
        }
        self.status.growth = Some(Growth { over_seconds, per_day });
        Ok(())
    }

    fn drain(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        let broker = id("id of a broker", words.next())?;
        let replicas = keyed("replicas", words)?;
        let leaders = keyed("leaders", words)?;
        let moving = match words.next() {
            None => 0,
            Some("moving") => amount(words)?,
            other => return Err(unexpected("`moving`, or end of the line", other)),
        };
        let one = DrainStatus { broker, replicas, leaders, moving };
        let drains = &mut self.status.drains;
        bounded("drains", drains.len(), DRAINS_MAX)?;
        if drains.iter().any(|known| known.broker == broker) {
            return Err(format!("drain {broker} is told twice"));
        }
        drains.push(one);
        Ok(())
    }

    fn endless(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        let (topic, index) = partition(words)?;
        let leader = broker("leader", words)?;
        let (bytes_in, all_bytes_in) = (keyed("in", words)?, keyed("all", words)?);
        let bytes_per_second = keyed("rate", words)?;
        bounded("moves without an end", self.status.endless.len(), MOVES_MAX)?;
        self.status.endless.push(EndlessStatus {
            topic,
            index,
            leader,
            bytes_in,
            all_bytes_in,
            bytes_per_second,
        });
        Ok(())
    }

    fn other(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        let (topic, index) = partition(words)?;
        let (from, to) = (ids("from", words)?, ids("to", words)?);
        let bytes = keyed("bytes", words)?;
        bounded("other moves", self.status.others.len(), MOVES_MAX)?;
        self.status.others.push(OtherStatus { topic, index, from, to, bytes });
        Ok(())
    }

    fn plan(&mut self, words: Words<'_, '_>) -> Result<(), Wrong> {
        only("plan", self.status.plan.is_some())?;
        let mut plan = PlanStatus { age_seconds: keyed("age", words)?, ..PlanStatus::default() };
        plan.bytes = keyed("bytes", words)?;
        plan.bytes_left = keyed("left", words)?;
        plan.seconds_left = keyed("seconds", words)?;
        self.status.plan = Some(plan);
        Ok(())
    }

    fn plan_of(&mut self, what: &str) -> Result<&mut PlanStatus, Wrong> {
        self.status.plan.as_mut().ok_or_else(|| format!("{what} comes after its plan"))
    }
}

fn amount(words: Words<'_, '_>) -> Result<u64, Wrong> {
    number("amount", words.next())
}

/// An amount behind its key.
fn keyed(key: &str, words: Words<'_, '_>) -> Result<u64, Wrong> {
    keyword(key, words)?;
    amount(words)
}

/// A broker behind its key.
fn broker(key: &str, words: Words<'_, '_>) -> Result<i32, Wrong> {
    keyword(key, words)?;
    id("id of a broker", words.next())
}

/// Brokers behind their key.
fn ids(key: &str, words: Words<'_, '_>) -> Result<Vec<i32>, Wrong> {
    keyword(key, words)?;
    match words.next() {
        Some("-") => Ok(Vec::new()),
        Some(list) => list.split(',').map(|word| id("id of a broker", Some(word))).collect(),
        None => Err(unexpected("id of a broker", None)),
    }
}

fn rule(word: Option<&str>) -> Result<Rule, Wrong> {
    one_of("rule", word, Rule::from_name)
}

/// A topic, and the number of a partition.
fn partition(words: Words<'_, '_>) -> Result<(String, i32), Wrong> {
    Ok((name("topic", words.next())?, id("number of a partition", words.next())?))
}

fn move_status(words: Words<'_, '_>) -> Result<MoveStatus, Wrong> {
    let (topic, index) = partition(words)?;
    let kind = one_of("kind of a move", words.next(), |word| match word {
        "replica" => Some(MoveKind::Replica { leads: false }),
        "leading-replica" => Some(MoveKind::Replica { leads: true }),
        "leader" => Some(MoveKind::Leader),
        _ => None,
    })?;
    let (from, to) = (broker("from", words)?, broker("to", words)?);
    keyword("rule", words)?;
    let rule = rule(words.next())?;
    let named = match words.next() {
        Some("bytes") => None,
        Some("resource") => {
            let named = resource(words.next())?;
            keyword("bytes", words)?;
            Some(named)
        }
        other => return Err(unexpected("`resource` or `bytes`", other)),
    };
    let bytes = amount(words)?;
    keyword("stage", words)?;
    let stage = stage(words)?;
    Ok(MoveStatus { topic, index, kind, from, to, rule, resource: named, bytes, stage })
}

fn stage(words: Words<'_, '_>) -> Result<Stage, Wrong> {
    match words.next() {
        Some("done") => Ok(Stage::Done),
        Some("under-way") => Ok(Stage::UnderWay),
        Some("now") => Ok(Stage::Now),
        Some("void") => Ok(Stage::Void),
        Some("waits") => Ok(Stage::Waits(match words.next() {
            Some("partition") => Wait::Partition,
            Some("leader") => Wait::Leader,
            Some("limit") => Wait::Limit,
            Some("contact") => Wait::Contact,
            Some("in-sync") => Wait::InSync,
            Some("capacity") => Wait::Capacity(resource(words.next())?),
            other => return Err(unexpected("reason to wait", other)),
        })),
        other => Err(unexpected("stage", other)),
    }
}

fn unmet_status(words: Words<'_, '_>) -> Result<UnmetStatus, Wrong> {
    let (topic, index) = partition(words)?;
    let from = broker("from", words)?;
    keyword("rule", words)?;
    let rule = rule(words.next())?;
    keyword("obstacle", words)?;
    let obstacle = match words.next() {
        Some("no-leader") => Obstacle::NoLeader,
        Some("no-other-broker") => Obstacle::NoOtherBroker,
        Some("racks") => Obstacle::Racks,
        Some("capacity") => Obstacle::Capacity(resource(words.next())?),
        Some("exchange") => Obstacle::Exchange(resource(words.next())?),
        other => return Err(unexpected("obstacle", other)),
    };
    Ok(UnmetStatus { topic, index, from, rule, obstacle })
}
