//! Which partition a record without a key goes to (KIP-794).
//!
//! Records stay with one partition until it has got a batch's worth of bytes, so that batches are
//! large; then another is drawn, the rarer the more bytes wait for it.
//!
//! Must always hold: it draws with the number that it is given, so that its choices can be tested.

/// The partition that records without a key go to at the moment.
#[derive(Debug, Default)]
pub(crate) struct Sticky {
    /// The place in the list of partitions that may be chosen, and bytes that it still gets.
    current: Option<(i32, usize)>,
}

/// A partition that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) partition: i32,
    /// Batches that wait for it.
    pub(crate) waiting: usize,
}

impl Sticky {
    /// The partition for a record of so many bytes.
    ///
    /// - `batch_bytes`: after so many another one is drawn.
    /// - `draw`: draws one; `None` where there is none.
    pub(crate) fn next(
        &mut self,
        bytes: usize,
        batch_bytes: usize,
        draw: impl FnOnce() -> Option<i32>,
    ) -> Option<i32> {
        let (partition, left) = match self.current {
            Some(current) => current,
            None => (draw()?, batch_bytes),
        };
        self.current =
            left.checked_sub(bytes).filter(|left| *left > 0).map(|left| (partition, left));
        Some(partition)
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
        let mut next = |bytes| sticky.next(bytes, 100, || drawn.next()).unwrap();
        assert_eq!([next(40), next(40), next(40), next(40)], [0, 0, 0, 1]);
        assert_eq!([next(1_000), next(1)], [1, 2], "one that is larger than a batch ends it");
        sticky.forget();
        assert_eq!(sticky.next(1, 100, || Some(9)), Some(9));
        assert_eq!(Sticky::default().next(1, 100, || None), None);
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
