//! The steps of a series' points, run-length encoded.

/// Ascending steps, stored as runs of even strides: evenly spaced steps take twelve bytes, however many there are, and
/// irregular steps take six bytes each.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    stretches: Vec<Stretch>,
    len: usize,
}

/// A run of evenly spaced steps.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// Index of its first point.
    index: u32,
    /// Step of its first point.
    step: u32,
    /// Steps from one point to the next.
    stride: u32,
}

impl Stretch {
    /// The step of the point at this index, if it continues the run.
    fn next(self, index: u32) -> u64 {
        u64::from(self.step) + u64::from(self.stride) * u64::from(index - self.index)
    }
}

impl Steps {
    /// Adds a step; returns whether it came after the last one, and so was added.
    pub fn push(&mut self, step: u32) -> bool {
        if self.last().is_some_and(|last| step <= last) {
            return false;
        }
        let index = self.len as u32;
        match self.stretches.last_mut() {
            Some(stretch) if index - stretch.index == 1 => stretch.stride = step - stretch.step,
            Some(stretch) if u64::from(step) == stretch.next(index) => {}
            _ => super::grow(&mut self.stretches, Stretch { index, step, stride: 1 }),
        }
        self.len += 1;
        true
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The first one.
    pub fn first(&self) -> Option<u32> {
        self.stretches.first().map(|stretch| stretch.step)
    }

    /// The last one.
    pub fn last(&self) -> Option<u32> {
        let stretch = self.stretches.last()?;
        Some(stretch.step + stretch.stride * (self.len as u32 - 1 - stretch.index))
    }

    /// The step at an index, which must exist.
    pub fn at(&self, index: usize) -> u32 {
        let after = self.stretches.partition_point(|stretch| stretch.index as usize <= index);
        let Some(stretch) = after.checked_sub(1).map(|at| self.stretches[at]) else { return 0 };
        stretch.step + stretch.stride * (index as u32 - stretch.index)
    }

    /// Number of steps before this one.
    pub fn before(&self, step: u64) -> usize {
        let after = self.stretches.partition_point(|stretch| u64::from(stretch.step) < step);
        let Some(stretch) = after.checked_sub(1).map(|at| self.stretches[at]) else { return 0 };
        let end = self.stretches.get(after).map_or(self.len, |next| next.index as usize);
        let inside = (step - u64::from(stretch.step)).div_ceil(u64::from(stretch.stride));
        end.min((u64::from(stretch.index) + inside) as usize)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.stretches.iter().enumerate().flat_map(|(at, stretch)| {
            let end = self.stretches.get(at + 1).map_or(self.len as u32, |next| next.index);
            (0..end - stretch.index).map(move |count| stretch.step + stretch.stride * count)
        })
    }

    /// Memory used, in bytes.
    pub fn bytes(&self) -> usize {
        self.stretches.capacity() * size_of::<Stretch>()
    }
}
