//! Which partition a record without a key goes to (KIP-794).
//!
//! Records stay with one partition until it has got a batch's worth of bytes and none is left open
//! there to wait for more (KAFKA-14156), so that batches are large; then another is drawn, the
//! rarer the more bytes wait for it.
//!
//! Must always hold: it draws with the number that it is given, so that its choices can be tested.

/// The partition that records without a key go to at the moment.
#[derive(Debug, Default)]
pub(crate) struct Sticky {
    /// The partition, and bytes that it has got.
    current: Option<(i32, usize)>,
}

/// What a record has made of its partition's batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// Bytes that they have grown by.
    pub(crate) bytes: usize,
    /// Bytes that another record like it may take.
    pub(crate) next_max: usize,
    /// Whether none is open any more.
    pub(crate) is_full: bool,
}

/// A partition that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) partition: i32,
    /// Batches that wait for it.
    pub(crate) waiting: usize,
}

impl Sticky {
    /// The partition for the next record.
    ///
    /// - `draw`: draws one; `None` where there is none.
    pub(crate) fn partition(&mut self, draw: impl FnOnce() -> Option<i32>) -> Option<i32> {
        self.current = self.current.or_else(|| Some((draw()?, 0)));
        self.current.map(|(partition, _)| partition)
    }

    /// A record was appended there. Another partition is drawn after a batch's worth, as soon as
    /// what is there is full, and after two at the latest.
    pub(crate) fn grown(&mut self, partition: i32, growth: Growth, batch_bytes: usize) {
        let Some((_, got)) = self.current.as_mut().filter(|(current, _)| *current == partition)
        else {
            return;
        };
        *got = got.saturating_add(growth.bytes);
        let is_enough = got.saturating_add(growth.next_max) > batch_bytes;
        if is_enough && growth.is_full || *got >= batch_bytes.saturating_mul(2) {
            self.current = None;
        }
    }

    /// The partition can't be reached any more; another one is drawn.
    pub(crate) fn forget(&mut self) {
        self.current = None;
    }
}

/// Draws a partition: the weight of each is by how much fewer batches wait for it than for the one
/// that has most, and one more.
///
/// - `random`: any number.
pub(crate) fn draw(choices: &[Choice], random: u64) -> Option<i32> {
    let most = choices.iter().map(|choice| choice.waiting).max()?;
    let weight = |choice: &Choice| (most - choice.waiting) as u64 + 1;
    let all: u64 = choices.iter().map(weight).sum();
    let mut at = random % all;
    for choice in choices {
        match at.checked_sub(weight(choice)) {
            Some(behind) => at = behind,
            None => return Some(choice.partition),
        }
    }
    unreachable!("it is less than all weights together")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(waiting: &[usize]) -> Vec<Choice> {
        (0..).zip(waiting).map(|(partition, &waiting)| Choice { partition, waiting }).collect()
    }

    #[test]
    fn a_partition_keeps_records_until_it_has_a_batch_of_them() {
        let mut sticky = Sticky::default();
        let mut drawn = 0..;
        let mut next = |bytes, is_full| {
            let partition = sticky.partition(|| drawn.next()).unwrap();
            let growth = Growth { bytes, next_max: 40, is_full };
            sticky.grown(partition + 1, growth, 100);
            sticky.grown(partition, growth, 100);
            partition
        };
        let (open, full) = (false, true);
        assert_eq!([next(40, open), next(39, full), next(1, open)], [0, 0, 1]);
        assert_eq!([next(40, full), next(40, open), next(40, open)], [1, 1, 1], "until it's full");
        assert_eq!([next(79, open), next(1, open)], [1, 2], "or has got two batches");
        sticky.forget();
        assert_eq!(sticky.partition(|| Some(9)), Some(9));
        assert_eq!(Sticky::default().partition(|| None), None);
    }

    #[test]
    fn the_more_waits_for_a_partition_the_rarer_it_is_drawn() {
        let choices = choices(&[0, 3, 1]);
        let mut drawn = [0; 3];
        for random in 0..800 {
            drawn[usize::try_from(draw(&choices, random).unwrap()).unwrap()] += 1;
        }
        // Weights 4, 1 and 3, as in the proposal's own example.
        assert_eq!(drawn, [400, 100, 300]);
        assert_eq!(draw(&[], 7), None);
    }
}
