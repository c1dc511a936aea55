//! Extremes of any range of a series in logarithmic time.

/// Points per bin on the lowest level; each level above has bins twice as wide.
const LOWEST: usize = 16;

/// Smallest and largest value.
pub type Bin = (f32, f32);

/// A bin without finite values.
pub const EMPTY: Bin = (f32::INFINITY, f32::NEG_INFINITY);

/// Minimum and maximum of power-of-two bins of points, as soon as a bin is full; values that are not finite are
/// ignored.
#[derive(Debug, Clone)]
pub struct Pyramid {
    levels: Vec<Vec<Bin>>,
    /// The incomplete bin of the lowest level, and its number of points.
    open: (Bin, usize),
}

impl Default for Pyramid {
    fn default() -> Self {
        Self { levels: Vec::new(), open: (EMPTY, 0) }
    }
}

/// The bin of a single value.
fn single(value: f32) -> Bin {
    if value.is_finite() { (value, value) } else { EMPTY }
}

/// Whether a bin has no finite value.
fn is_empty(bin: Bin) -> bool {
    bin.0 > bin.1
}

fn join(a: Bin, b: Bin) -> Bin {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The bin of a few values.
fn scan(values: &[f32]) -> Bin {
    values.iter().fold(EMPTY, |found, value| join(found, single(*value)))
}

impl Pyramid {
    /// Adds the next value.
    pub fn push(&mut self, value: f32) {
        let (bin, count) = self.open;
        self.open = (join(bin, single(value)), count + 1);
        if self.open.1 < LOWEST {
            return;
        }
        let mut full = std::mem::replace(&mut self.open, (EMPTY, 0)).0;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let bins = &mut self.levels[level];
            super::grow(bins, full);
            let [.., a, b] = bins[..] else { break };
            if !bins.len().is_multiple_of(2) {
                break;
            }
            full = join(a, b);
        }
    }

    /// The full bin of a level that begins at an index and ends by `to`.
    fn bin(&self, level: usize, from: usize, to: usize) -> Option<Bin> {
        let width = LOWEST << level;
        if !from.is_multiple_of(width) || from + width > to {
            return None;
        }
        self.levels.get(level)?.get(from / width).copied()
    }

    /// The full bin of a level that ends at an index and begins not before `from`.
    fn bin_before(&self, level: usize, from: usize, to: usize) -> Option<Bin> {
        let width = LOWEST << level;
        if !to.is_multiple_of(width) || from + width > to {
            return None;
        }
        self.levels.get(level)?.get(to / width - 1).copied()
    }

    /// Smallest and largest finite value among the points `from..to`: at most two bins of each level, and the points
    /// at both ends that fill no bin.
    pub fn extremes(&self, values: &[f32], from: usize, to: usize) -> Option<Bin> {
        let (mut first, mut end) = (from.div_ceil(LOWEST), to / LOWEST);
        let mut found = if first < end {
            join(scan(&values[from..first * LOWEST]), scan(&values[end * LOWEST..to]))
        } else {
            let found = scan(values.get(from..to).unwrap_or_default());
            (first, end) = (0, 0);
            found
        };
        for bins in &self.levels {
            if first >= end {
                break;
            }
            if !first.is_multiple_of(2) {
                found = join(found, bins[first]);
                first += 1;
            }
            if !end.is_multiple_of(2) {
                end -= 1;
                found = join(found, bins[end]);
            }
            (first, end) = (first / 2, end / 2);
        }
        (!is_empty(found)).then_some(found)
    }

    /// The first point among `from..to` whose bin is `wanted`. If a bin is wanted, so is any bin that contains it.
    pub fn first(&self, values: &[f32], from: usize, to: usize, wanted: impl Fn(Bin) -> bool) -> Option<usize> {
        let mut at = from;
        while at < to {
            let unwanted = |level| self.bin(level, at, to).filter(|bin| !wanted(*bin));
            match (0..).map_while(unwanted).count() {
                0 if wanted(single(values[at])) => return Some(at),
                0 => at += 1,
                levels => at += LOWEST << (levels - 1),
            }
        }
        None
    }

    /// The first finite point among `from..to`.
    pub fn first_finite(&self, values: &[f32], from: usize, to: usize) -> Option<usize> {
        if from < to && values[from].is_finite() {
            return Some(from);
        }
        self.first(values, from, to, |bin| !is_empty(bin))
    }

    /// The last finite point among `from..to`.
    pub fn last_finite(&self, values: &[f32], from: usize, to: usize) -> Option<usize> {
        let mut end = to;
        while from < end {
            if values[end - 1].is_finite() {
                return Some(end - 1);
            }
            let empty = |level| self.bin_before(level, from, end).filter(|bin| is_empty(*bin));
            match (0..).map_while(empty).count() {
                0 => end -= 1,
                levels => end -= LOWEST << (levels - 1),
            }
        }
        None
    }

    /// Memory used, in bytes.
    pub fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.capacity() * size_of::<Bin>()).sum()
    }
}
