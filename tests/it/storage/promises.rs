//! What a process was promised, and whether it was kept.

use std::collections::BTreeMap;

use logboom_tests::load::{Line, Span};

/// What was printed by all runs over one directory so far.
#[derive(Debug, Default)]
pub(super) struct Promises {
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    acked: Vec<Span>,
    /// The log start is here at least, and there at most.
    started: i64,
    starting: i64,
}

/// What a `check` printed of one partition.
#[derive(Debug, Default)]
struct Found {
    start: i64,
    end: i64,
    held: Vec<Span>,
}

impl Promises {
    /// Takes what a run printed.
    pub(super) fn note<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            match *line {
                Line::Acked(partition, span) => self.of(partition).ack(span),
                Line::Starting(partition, offset) => self.of(partition).starting = offset,
                Line::Started(partition, offset) => self.of(partition).started = offset,
                Line::Late(partition) => panic!("partition {partition} was acknowledged after all"),
                _ => {}
            }
        }
    }

    fn of(&mut self, partition: i32) -> &mut Partition {
        self.partitions.entry(partition).or_default()
    }

    /// Records that were acknowledged.
    pub(super) fn acked_count(&self) -> i64 {
        let spans = self.partitions.values().flat_map(|partition| &partition.acked);
        spans.map(|span| span.end - span.start).sum()
    }

    /// Holds what a `check` printed against what was promised: every acknowledged record is there
    /// once and in its place, nothing is refused, and no offset is missing.
    pub(super) fn check(&self, lines: &[Line]) {
        let mut found: BTreeMap<i32, Found> = BTreeMap::new();
        for line in lines {
            match line {
                Line::Log(partition, start, end) => {
                    let new = Found { start: *start, end: *end, held: Vec::new() };
                    assert!(found.insert(*partition, new).is_none(), "{line}");
                }
                Line::Held(partition, span) => {
                    found.entry(*partition).or_default().held.push(*span)
                }
                // A kill may cut a write in two, and nobody was told of it.
                Line::Finding(_, what) if what.contains(" was cut at byte ") => {}
                other => panic!("{other}"),
            }
        }
        for (number, promised) in &self.partitions {
            let found = found.get(number).unwrap_or_else(|| panic!("partition {number} is gone"));
            promised.check(*number, found);
        }
        found.values().for_each(Found::check);
    }
}

impl Partition {
    fn ack(&mut self, span: Span) {
        match self.acked.last_mut() {
            Some(last) if last.life == span.life && last.end == span.start => last.end = span.end,
            last => {
                let before = last.map_or(0, |last| last.end);
                assert!(before <= span.start, "{span:?} was acknowledged before: {self:?}");
                self.acked.push(span);
            }
        }
    }

    fn check(&self, number: i32, found: &Found) {
        let place = format!("partition {number}: {self:?}, {found:?}");
        assert!((self.started..=self.starting.max(self.started)).contains(&found.start), "{place}");
        for span in &self.acked {
            let (start, end) = (span.start.max(found.start), span.end);
            let there = found
                .held
                .iter()
                .any(|held| held.life == span.life && held.start <= start && end <= held.end);
            assert!(there || start >= end, "{span:?} is not there whole; {place}");
        }
    }
}

impl Found {
    /// From the start to the end of the log no offset is missing.
    fn check(&self) {
        let mut next = self.start;
        for span in &self.held {
            assert_eq!(span.start, next, "{self:?}");
            next = span.end;
        }
        assert_eq!(next, self.end, "{self:?}");
    }
}
