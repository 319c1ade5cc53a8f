//! Loads of members, evened out by moves.
//!
//! A chain of moves along which everybody but its ends keeps its number leads from a member to one
//! with at least two less, or there is none; when there is none from any, no other sharing is more
//! even. Each chain makes the sum of the squares smaller, so it ends.
//!
//! Must always hold: a partition's owner wants its topic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::claims::Place;
use super::{Counts, Subscriber};

/// Who has what, by the places of members.
pub(super) struct Level<'a> {
    /// Who wants a topic.
    wanting: BTreeMap<&'a str, Vec<usize>>,
    owners: BTreeMap<Place<'a>, usize>,
    /// What each member has. Invariant: the reverse of `owners`.
    own: Vec<Vec<Place<'a>>>,
}

impl<'a> Level<'a> {
    /// Nobody has anything.
    pub(super) fn new(members: &'a [Subscriber], counts: &'a Counts) -> Self {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|&at| members[at].rank());
        let wanting = counts.keys().map(|topic| {
            let wants = |at: &usize| members[*at].topics.contains(topic);
            (topic.as_str(), order.iter().copied().filter(wants).collect())
        });
        Self {
            wanting: wanting.collect(),
            owners: BTreeMap::new(),
            own: vec![Vec::new(); members.len()],
        }
    }

    pub(super) fn has_owner(&self, place: &Place<'a>) -> bool {
        self.owners.contains_key(place)
    }

    pub(super) fn into_owners(self) -> BTreeMap<Place<'a>, usize> {
        self.owners
    }

    /// Gives a partition to a member, whoever had it.
    pub(super) fn give(&mut self, place: Place<'a>, to: usize) {
        if let Some(from) = self.owners.insert(place, to) {
            self.own[from].retain(|one| *one != place);
        }
        self.own[to].push(place);
    }

    /// Gives partitions that nobody has to who has least of those who want them; first those that
    /// few want.
    pub(super) fn give_rest(&mut self, open: &[Place<'a>]) {
        let mut open: Vec<Place<'a>> = open.to_vec();
        open.sort_by_key(|place| self.wanting.get(place.0).map_or(0, Vec::len));
        for place in open {
            let wanting = self.wanting.get(place.0).into_iter().flatten();
            if let Some(&least) = wanting.min_by_key(|&&at| self.own[at].len()) {
                self.give(place, least);
            }
        }
    }

    /// Moves partitions until no other sharing is more even.
    pub(super) fn even_out(&mut self) {
        // Who has most first: what it can't pass on, nobody with as little room can.
        let mut settled = vec![false; self.own.len()];
        loop {
            let from = (0..self.own.len()).filter(|&at| !settled[at]);
            let Some(from) = from.max_by_key(|&at| self.own[at].len()) else { return };
            match self.chain(from) {
                Some(chain) => {
                    chain.into_iter().for_each(|(place, to)| self.give(place, to));
                    // What was moved may have opened a way for the others.
                    settled.fill(false);
                }
                None => settled[from] = true,
            }
        }
    }

    /// The shortest chain of moves from a member to one with at least two less.
    fn chain(&self, from: usize) -> Option<Vec<(Place<'a>, usize)>> {
        let enough = self.own[from].len().checked_sub(2)?;
        if self.own.iter().all(|own| own.len() > enough) {
            return None;
        }
        // By what move, and from whom, a member was reached.
        let mut reached: Vec<Option<(Place<'a>, usize)>> = vec![None; self.own.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            let mut topics = BTreeSet::new();
            // The newest first: what a member had before it keeps rather than what it just got.
            for &place in self.own[at].iter().rev() {
                // All partitions of a topic lead to the same members.
                if !topics.insert(place.0) {
                    continue;
                }
                for &to in self.wanting.get(place.0).into_iter().flatten() {
                    if to == from || reached[to].is_some() {
                        continue;
                    }
                    reached[to] = Some((place, at));
                    if self.own[to].len() <= enough {
                        return Some(self.trace(&reached, from, to));
                    }
                    queue.push_back(to);
                }
            }
        }
        None
    }

    fn trace(
        &self,
        reached: &[Option<(Place<'a>, usize)>],
        from: usize,
        mut to: usize,
    ) -> Vec<(Place<'a>, usize)> {
        let mut chain = Vec::new();
        while to != from {
            let Some((place, before)) = reached[to] else { break };
            chain.push((place, to));
            to = before;
        }
        chain
    }
}
