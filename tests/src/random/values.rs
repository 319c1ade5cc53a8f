//! The values that random messages are made of: the ordinary, and everything at an edge.

use xtask::schema::Scalar;

/// A stream of random numbers that depends on its seed alone (splitmix64).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

/// Lengths of strings and bytes at which an encoding changes: inline strings, varints.
const EDGE_LENGTHS: [usize; 10] = [0, 1, 2, 23, 24, 25, 126, 127, 128, 300];

/// What strings are made of, by bytes in UTF-8: 1, 1, 2, 3 and 4.
const LETTERS: [&str; 8] = ["a", "Z", "-", "\0", "é", "ß", "日", "𝄞"];

impl Random {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a stream without end is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    /// True in one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `all`.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Random bytes, `length` of them.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
    }

    /// The number of elements of an array inside `depth` others: mostly 0 to 3.
    pub fn element_count(&mut self, depth: usize) -> usize {
        match self.below(32) {
            0..8 => 0,
            8..19 => 1,
            19..26 => 2,
            26..31 => 3,
            _ => 4 + self.below(if depth == 0 { 30 } else { 6 }),
        }
    }

    fn length(&mut self) -> usize {
        match self.below(200) {
            0 => 16_383 + self.below(3),
            1..100 => self.below(12),
            _ => self.pick(&EDGE_LENGTHS),
        }
    }

    /// A string whose length in bytes is mostly that of an edge.
    pub fn text(&mut self) -> String {
        let length = self.length();
        let ascii_only = self.one_in(2);
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let letter = self.pick(&LETTERS[..if ascii_only { 4 } else { LETTERS.len() }]);
            text.push_str(if text.len() + letter.len() <= length { letter } else { "x" });
        }
        text
    }

    /// Bytes of a length like that of [`Self::text`].
    pub fn blob(&mut self) -> Vec<u8> {
        let length = self.length();
        self.bytes(length)
    }

    /// Appends a value of a scalar of fixed size.
    ///
    /// # Panics
    /// If its size is not fixed.
    pub fn fixed(&mut self, scalar: Scalar, out: &mut Vec<u8>) {
        match scalar {
            Scalar::Bool => out.push(u8::from(self.one_in(2))),
            Scalar::F64 => out.extend(self.finite().to_be_bytes()),
            _ => {
                let size = scalar.size().expect("of fixed size");
                let bytes = match self.below(6) {
                    0 => vec![0; size],
                    1 => vec![0xff; size],
                    2 => edge(0x7f, 0xff, size),
                    3 => edge(0x80, 0x00, size),
                    4 => [vec![0; size - 1], self.bytes(1)].concat(),
                    _ => self.bytes(size),
                };
                out.extend(bytes);
            }
        }
    }

    fn finite(&mut self) -> f64 {
        let any = f64::from_bits(self.next());
        let any = if any.is_finite() { any } else { 0.5 };
        self.pick(&[0.0, -0.0, 1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, any, any])
    }
}

/// The greatest or least number of `size` bytes, by its first and its other bytes.
fn edge(first: u8, other: u8, size: usize) -> Vec<u8> {
    let mut bytes = vec![other; size];
    bytes[0] = first;
    bytes
}

/// Appends an unsigned varint.
pub(super) fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}
