//! The network between brokers: what it does to a message.

use alloc::vec::Vec;

use super::chance::Chance;

/// The most brokers.
pub(crate) const BROKERS: usize = 7;

/// Which links are cut, and how bad the others are.
#[derive(Debug)]
pub(crate) struct Network {
    /// From one broker to another.
    cut: [[bool; BROKERS]; BROKERS],
    delay: u64,
    /// Of 1000 messages.
    loss: u64,
    repeats: u64,
}

impl Network {
    pub(crate) fn new(delay: u64, loss: u64, repeats: u64) -> Self {
        Self { cut: [[false; BROKERS]; BROKERS], delay, loss, repeats }
    }

    /// After how long a message arrives: never, once or twice.
    pub(crate) fn carry(&self, from: usize, to: usize, chance: &mut Chance) -> [Option<u64>; 2] {
        if self.cut[from][to] || chance.permille(self.loss) {
            return [None, None];
        }
        let again = chance.permille(self.repeats);
        let first = chance.latency(self.delay);
        [Some(first), again.then(|| chance.latency(self.delay * 3))]
    }

    /// Parts some brokers from the others.
    pub(crate) fn part(&mut self, brokers: usize, chance: &mut Chance) {
        let sides: Vec<bool> = (0..brokers).map(|_| chance.permille(500)).collect();
        for from in 0..brokers {
            for to in 0..brokers {
                self.cut[from][to] |= sides[from] != sides[to];
            }
        }
    }

    /// Cuts all links of a broker: those from it, those to it, or both.
    pub(crate) fn isolate(&mut self, broker: usize, chance: &mut Chance) {
        let way = chance.below(3);
        for other in (0..BROKERS).filter(|other| *other != broker) {
            self.cut[broker][other] |= way != 0;
            self.cut[other][broker] |= way != 1;
        }
    }

    /// Cuts one link, in one direction.
    pub(crate) fn cut_one(&mut self, brokers: usize, chance: &mut Chance) {
        self.cut[chance.index(brokers)][chance.index(brokers)] = true;
    }

    /// Cuts the link from one broker to another.
    pub(crate) fn cut_from(&mut self, from: usize, to: usize) {
        self.cut[from][to] = true;
    }

    pub(crate) fn mend(&mut self) {
        self.cut = [[false; BROKERS]; BROKERS];
    }

    /// From now on it works as it should.
    pub(crate) fn calm(&mut self) {
        self.mend();
        (self.loss, self.repeats) = (0, 0);
    }
}
