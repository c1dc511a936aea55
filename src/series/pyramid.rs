//! Extremes of any stretch of a series in logarithmic time.

/// Points of a bin on the lowest level; each level above has bins twice as wide.
const LOWEST: usize = 16;

/// Minimum and maximum of power-of-two bins of points; what is not finite leaves a bin as it is.
#[derive(Debug, Clone, Default)]
pub struct Pyramid {
    levels: Vec<Vec<(f32, f32)>>,
}

const EMPTY: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

impl Pyramid {
    /// Takes in the value that made its series `len` points long.
    pub fn push(&mut self, value: f32, len: usize) {
        let mut width = LOWEST;
        for level in 0.. {
            let bins = len.div_ceil(width);
            if level == self.levels.len() {
                // A level of one bin says no more than the level below it.
                if level > 0 && bins < 2 {
                    break;
                }
                let new = self.levels.last().map_or_else(Vec::new, |below| below.chunks(2).map(join_all).collect());
                self.levels.push(new);
            }
            let bin = &mut self.levels[level];
            if bin.len() < bins {
                bin.push(EMPTY);
            }
            if let Some(last) = bin.last_mut().filter(|_| value.is_finite()) {
                *last = join(*last, (value, value));
            }
            width *= 2;
        }
    }

    /// Smallest and largest finite value among the points `from..to`.
    pub fn extremes(&self, values: &[f32], mut from: usize, to: usize) -> Option<(f32, f32)> {
        let mut found = EMPTY;
        while from < to {
            let fits = |level: usize| {
                let width = LOWEST << level;
                level < self.levels.len() && from.is_multiple_of(width) && from + width <= to
            };
            if fits(0) {
                let mut level = 0;
                while fits(level + 1) {
                    level += 1;
                }
                found = join(found, self.levels[level][from / (LOWEST << level)]);
                from += LOWEST << level;
            } else {
                if values[from].is_finite() {
                    found = join(found, (values[from], values[from]));
                }
                from += 1;
            }
        }
        (found.0 <= found.1).then_some(found)
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.len() * size_of::<(f32, f32)>()).sum()
    }
}

fn join(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

fn join_all(bins: &[(f32, f32)]) -> (f32, f32) {
    bins.iter().copied().fold(EMPTY, join)
}
