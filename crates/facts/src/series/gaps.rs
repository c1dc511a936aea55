//! The points that are not finite.

/// A bit for each point up to the last gap, and the number of gaps before every eighth word of bits.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    words: Vec<u64>,
    ranks: Vec<u32>,
    total: u32,
}

const BITS: usize = 64;
/// Words between two stored ranks.
const WORDS: usize = 8;

impl Gaps {
    /// Adds a gap at this index, which comes after all earlier gaps.
    pub fn push(&mut self, index: usize) {
        let word = index / BITS;
        while self.words.len() <= word {
            if self.words.len().is_multiple_of(WORDS) {
                super::grow(&mut self.ranks, self.total);
            }
            super::grow(&mut self.words, 0);
        }
        self.words[word] |= 1 << (index % BITS);
        self.total += 1;
    }

    /// Number of gaps.
    pub fn total(&self) -> usize {
        self.total as usize
    }

    /// Number of gaps before an index.
    pub fn before(&self, index: usize) -> usize {
        let word = index / BITS;
        if word >= self.words.len() {
            return self.total();
        }
        let whole = &self.words[word / WORDS * WORDS..word];
        let part = self.words[word] & ((1 << (index % BITS)) - 1);
        let near: u32 = whole.iter().map(|word| word.count_ones()).sum::<u32>() + part.count_ones();
        (self.ranks[word / WORDS] + near) as usize
    }

    /// Memory used, in bytes.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.ranks.capacity() * size_of::<u32>()
    }
}
