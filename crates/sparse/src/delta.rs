//! The deltas of one weight.

mod alter;
mod patch;
mod resize;

use tch::{Kind, Tensor};

use super::cohort::{Cohort, sum};
use super::fused::{self, CohortUpdate};
use super::optimizer::Optimizer;
use super::{Cast, Selection, threads};

pub use alter::Change;
pub use patch::Patch;

/// The trained scalars of one weight, and the weight itself, which always holds `cast(original + delta)`.
#[derive(Debug)]
pub struct Delta {
    /// The weight, flat; shares its memory with the model's.
    weight: Tensor,
    selection: Selection,
    count: u64,
    cohorts: Vec<Cohort>,
    /// Scalars that no longer train and keep their deltas, without moments.
    retired: Option<Retired>,
    /// Whether all values in the weight were rounded to nearest.
    nearest: bool,
}

/// Scalars that keep their deltas and do not train.
#[derive(Debug)]
struct Retired {
    indices: Tensor,
    original: Tensor,
    delta: Tensor,
}

/// The result of [`Delta::resize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resized {
    /// Scalars that became trainable.
    pub joined: u64,
    /// Scalars that ceased to be trainable.
    pub left: u64,
}

/// Bytes that a [`Delta`] holds beside the weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Indices, original values and deltas.
    pub deltas: u64,
    /// Both moments.
    pub moments: u64,
}

/// The state of some scalars of one weight on the CPU, as checkpoints and adapters keep it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Saved {
    /// Optimizer steps taken when they became trainable; none where they are retired.
    pub born: Option<u64>,
    /// Flat indices, sorted.
    pub indices: Vec<i64>,
    /// Deltas.
    pub delta: Vec<f32>,
    /// First moments; empty where they are retired.
    pub first: Vec<f32>,
    /// Second moments; empty where they are retired.
    pub second: Vec<f32>,
}

impl Delta {
    /// The deltas of `weight`, no scalar of which trains yet. The weight will be changed in place; it must be
    /// contiguous and must not require a gradient.
    #[must_use]
    pub fn new(weight: &Tensor, selection: Selection) -> Self {
        Self { weight: weight.view(-1), selection, count: 0, cohorts: Vec::new(), retired: None, nearest: true }
    }

    /// Number of scalars of the weight.
    #[must_use]
    pub fn scalars(&self) -> u64 {
        self.weight.numel() as u64
    }

    /// Device of the weight.
    #[must_use]
    pub fn device(&self) -> tch::Device {
        self.weight.device()
    }

    /// Number of trainable scalars.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Number of retired scalars.
    #[must_use]
    pub fn retired(&self) -> u64 {
        self.retired.as_ref().map_or(0, |retired| retired.indices.numel() as u64)
    }

    /// The indices of the trainable scalars, one tensor for each cohort, in the order of the gradients of
    /// [`Delta::update`].
    #[must_use]
    pub fn indices(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.cohorts.iter().map(|cohort| &cohort.indices)
    }

    /// Writes `original + mask * delta`, rounded to nearest, into the weight, with a mask for each cohort, in the order of
    /// [`Delta::indices`]. The deltas themselves stay.
    pub fn write_masked(&self, masks: &[Tensor]) {
        let mut weight = self.weight.shallow_clone();
        for (cohort, mask) in self.cohorts.iter().zip(masks) {
            let values = sum(&cohort.original, &(&cohort.delta * mask), Cast::Nearest);
            let _ = weight.index_copy_(0, &cohort.indices, &values);
        }
    }

    /// The values before training of the trainable scalars, one tensor for each cohort, in the data type of the weight.
    #[must_use]
    pub fn originals(&self) -> impl ExactSizeIterator<Item = &Tensor> {
        self.cohorts.iter().map(|cohort| &cohort.original)
    }

    /// One optimizer step with `scale` times the gradients, one `f32` tensor for each cohort; `step` counts this step
    /// too.
    pub fn update(
        &mut self,
        optimizer: &Optimizer,
        gradients: &[Tensor],
        (rate, scale): (f64, f64),
        step: u64,
        cast: impl Fn(usize) -> Cast,
    ) {
        Self::update_together([(self, gradients)], optimizer, (rate, scale), step, |_, cohort| cast(cohort));
    }

    /// As [`Delta::update`], for many weights at once; `cast` takes the position of the weight and that of the cohort.
    pub fn update_together<'a>(
        deltas: impl IntoIterator<Item = (&'a mut Self, &'a [Tensor])>,
        optimizer: &Optimizer,
        (rate, scale): (f64, f64),
        step: u64,
        cast: impl Fn(usize, usize) -> Cast,
    ) {
        let mut due = Vec::new();
        for (site, (delta, gradients)) in deltas.into_iter().enumerate() {
            debug_assert_eq!(gradients.len(), delta.cohorts.len());
            let was_nearest = delta.nearest;
            for (position, (cohort, gradient)) in delta.cohorts.iter_mut().zip(gradients).enumerate() {
                let (age, cast) = (step - cohort.born, cast(site, position));
                delta.nearest &= cast == Cast::Nearest;
                due.push(CohortUpdate { cohort, weight: &delta.weight, gradient, age, cast, was_nearest });
            }
        }
        for CohortUpdate { cohort, weight, gradient, cast, .. } in fused::update(due, optimizer, (rate, scale)) {
            cohort.update(optimizer, &(gradient * scale), rate, step);
            let _ = weight.shallow_clone().index_copy_(0, &cohort.indices, &cohort.values(cast));
        }
    }

    /// Bytes beside the weight.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let bytes = |tensors: &[&Tensor]| {
            tensors.iter().map(|tensor| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64).sum::<u64>()
        };
        let mut footprint = Footprint::default();
        for cohort in &self.cohorts {
            footprint.deltas += bytes(&[&cohort.indices, &cohort.original, &cohort.delta]);
            footprint.moments += bytes(&[&cohort.first, &cohort.second]);
        }
        if let Some(retired) = &self.retired {
            footprint.deltas += bytes(&[&retired.indices, &retired.original, &retired.delta]);
        }
        footprint
    }

    /// The number of nonzero deltas, the number of deltas that change the weight after the cast, and the sum of the
    /// squares of all deltas; retired scalars count too.
    #[must_use]
    pub fn survival(&self) -> (u64, u64, f64) {
        let count = |mask: &Tensor| mask.sum(Kind::Int64).int64_value(&[]).cast_unsigned();
        let mut total = (0, 0, 0.0);
        for (indices, original, delta) in self.parts() {
            total.0 += count(&delta.not_equal(0.0));
            total.1 += count(&self.weight.index_select(0, indices).not_equal_tensor(original));
            total.2 += delta.square().sum(Kind::Double).double_value(&[]);
        }
        total
    }

    /// The state of all trainable and retired scalars.
    #[must_use]
    pub fn save(&self) -> Vec<Saved> {
        let cohorts = self.cohorts.iter().map(|cohort| Saved {
            born: Some(cohort.born),
            indices: to_vec(&cohort.indices),
            delta: to_vec(&cohort.delta),
            first: to_vec(&cohort.first),
            second: to_vec(&cohort.second),
        });
        let retired = self.retired.iter().map(|retired| Saved {
            indices: to_vec(&retired.indices),
            delta: to_vec(&retired.delta),
            ..Saved::default()
        });
        cohorts.chain(retired).collect()
    }

    /// Restores a state of [`Delta::save`]: the same scalars train, with the same deltas, moments and ages, and the
    /// weight is `cast(original + delta)` again. `cast` gives the cast of the cohort at a position; the weight is the
    /// same to the bit if it is the cast that wrote it.
    pub fn restore(&mut self, saved: &[Saved], cast: impl Fn(usize) -> Cast) {
        let known = self.originals_of(saved);
        if known.is_none() {
            self.remove();
        }
        let device = self.weight.device();
        let mut weight = self.weight.shallow_clone();
        self.cohorts.clear();
        self.retired = None;
        for (position, part) in saved.iter().enumerate() {
            let indices = Tensor::from_slice(&part.indices).to_device(device);
            let delta = Tensor::from_slice(&part.delta).to_device(device);
            let original = match &known {
                Some(originals) => originals[position].shallow_clone(),
                None => weight.index_select(0, &indices),
            };
            let _ = weight.index_copy_(0, &indices, &sum(&original, &delta, cast(position)));
            let moments = |values: &[f32]| Tensor::from_slice(values).to_device(device);
            match part.born {
                Some(born) => self.cohorts.push(Cohort {
                    born,
                    indices,
                    original,
                    delta,
                    first: moments(&part.first),
                    second: moments(&part.second),
                }),
                None => self.retired = Some(Retired { indices, original, delta }),
            }
        }
        self.count = self.cohorts.iter().map(Cohort::len).sum();
        self.nearest = (0..saved.len()).all(|position| cast(position) == Cast::Nearest);
    }

    /// As [`Delta::restore`], for many weights at once; `cast` takes the position of the weight and that of the cohort.
    pub fn restore_together<'a>(
        states: impl IntoIterator<Item = (&'a mut Self, &'a [Saved])>,
        cast: impl Fn(usize, usize) -> Cast + Sync,
    ) {
        let mut states: Vec<_> = states.into_iter().enumerate().collect();
        threads::each(&mut states, threads::count(), |(site, (delta, saved))| {
            delta.restore(saved, |cohort| cast(*site, cohort));
        });
    }

    /// The original values of the parts of a saved state, if it has the same scalars as the current state.
    fn originals_of(&self, saved: &[Saved]) -> Option<Vec<Tensor>> {
        let parts: Vec<_> = self.parts().collect();
        let same = parts.len() == saved.len()
            && parts.iter().zip(saved).all(|((indices, ..), saved)| to_vec::<i64>(indices) == saved.indices);
        same.then(|| parts.into_iter().map(|(_, original, _)| original.shallow_clone()).collect())
    }

    /// Writes the original values back into the weight.
    pub fn remove(&mut self) {
        self.nearest = false;
        let mut weight = self.weight.shallow_clone();
        for (indices, original, _) in self.parts() {
            let _ = weight.index_copy_(0, indices, original);
        }
    }

    fn parts(&self) -> impl Iterator<Item = (&Tensor, &Tensor, &Tensor)> {
        let cohorts = self.cohorts.iter().map(|cohort| (&cohort.indices, &cohort.original, &cohort.delta));
        cohorts.chain(self.retired.iter().map(|retired| (&retired.indices, &retired.original, &retired.delta)))
    }
}

/// Merges an adapter's deltas into a weight: `cast(weight + delta)` at flat `indices`, as the reference's loader does.
pub fn merge(weight: &Tensor, indices: &[i64], delta: &[f32]) {
    let mut flat = weight.view(-1);
    let indices = Tensor::from_slice(indices).to_device(weight.device());
    let delta = Tensor::from_slice(delta).to_device(weight.device());
    let values = sum(&flat.index_select(0, &indices), &delta, Cast::Nearest);
    let _ = flat.index_copy_(0, &indices, &values);
}

fn to_vec<T: tch::kind::Element + Default + Clone>(tensor: &Tensor) -> Vec<T> {
    let mut values = vec![T::default(); tensor.numel()];
    tensor.to_device(tch::Device::Cpu).copy_data(&mut values, tensor.numel());
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Rule;

    const ADAMW: Optimizer = Optimizer { rule: Rule::AdamW, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };

    fn delta_on(weight: &Tensor) -> Delta {
        Delta::new(weight, Selection::new(3, "w", weight.numel() as u64))
    }

    fn train(delta: &mut Delta, steps: std::ops::Range<u64>) {
        for step in steps {
            let gradients: Vec<Tensor> =
                delta.indices().map(|indices| (indices.to_kind(Kind::Float) * 0.37).sin() + 0.1).collect();
            delta.update(&ADAMW, &gradients, (1e-2, 1.0), step + 1, |_| Cast::Nearest);
        }
    }

    fn resize(delta: &mut Delta, count: u64, step: u64, revert: bool) -> Resized {
        delta.resize(count, step, revert, ADAMW.betas)
    }

    #[test]
    fn retiring_and_returning_leave_the_weight_as_it_is() {
        let weight = Tensor::randn([20, 30], (Kind::BFloat16, tch::Device::Cpu));
        let mut delta = delta_on(&weight);
        resize(&mut delta, 300, 0, false);
        let all: Vec<i64> = delta.save().remove(0).indices;
        train(&mut delta, 0..5);
        let trained = weight.copy();
        assert_eq!(resize(&mut delta, 30, 5, false), Resized { joined: 0, left: 270 });
        assert_eq!((delta.count(), delta.retired()), (30, 270));
        assert_eq!(weight, trained);
        assert_eq!(resize(&mut delta, 300, 5, false), Resized { joined: 270, left: 0 });
        assert_eq!((delta.count(), delta.retired()), (300, 0));
        assert_eq!(weight, trained);
        let mut back: Vec<i64> = delta.save().into_iter().flat_map(|saved| saved.indices).collect();
        back.sort_unstable();
        assert_eq!(back, all);
    }

    #[test]
    fn a_saved_state_comes_back_to_the_bit() {
        let start = Tensor::randn([40, 30], (Kind::BFloat16, tch::Device::Cpu));
        let weight = start.copy();
        let mut delta = delta_on(&weight);
        resize(&mut delta, 300, 0, false);
        train(&mut delta, 0..4);
        resize(&mut delta, 200, 4, false);
        train(&mut delta, 4..6);
        resize(&mut delta, 260, 6, false);
        train(&mut delta, 6..7);
        let (saved, then) = (delta.save(), weight.copy());
        let go_on = |delta: &mut Delta| {
            train(delta, 7..9);
            resize(delta, 100, 9, true);
            train(delta, 9..11);
        };
        go_on(&mut delta);
        let end = weight.copy();
        assert_ne!(end, then);
        delta.restore(&saved, |_| Cast::Nearest);
        assert_eq!((&weight, delta.save()), (&then, saved));
        assert_eq!(delta.count(), 260);
        go_on(&mut delta);
        assert_eq!(weight, end);
        delta.remove();
        assert_eq!(weight, start);
    }

    #[test]
    fn a_scalar_that_returns_goes_on_from_its_delta() {
        let weight = Tensor::zeros([100], (Kind::Float, tch::Device::Cpu));
        let mut delta = delta_on(&weight);
        resize(&mut delta, 100, 0, false);
        train(&mut delta, 0..3);
        resize(&mut delta, 1, 3, false);
        resize(&mut delta, 100, 3, false);
        train(&mut delta, 3..4);
        delta.remove();
        assert_eq!(weight, Tensor::zeros([100], (Kind::Float, tch::Device::Cpu)));
    }

    #[test]
    fn reverting_restores_the_original_values_to_the_bit() {
        let weight = Tensor::randn([500], (Kind::BFloat16, tch::Device::Cpu));
        let before = weight.copy();
        let mut delta = delta_on(&weight);
        resize(&mut delta, 400, 0, true);
        train(&mut delta, 0..10);
        assert_ne!(weight, before);
        resize(&mut delta, 0, 10, true);
        assert_eq!(weight, before);
        assert_eq!(delta.retired(), 0);
    }

    #[test]
    fn a_scalar_added_at_step_1000_moves_like_one_at_step_0() {
        let weight = Tensor::zeros([200], (Kind::Float, tch::Device::Cpu));
        let mut delta = delta_on(&weight);
        resize(&mut delta, 100, 0, false);
        train(&mut delta, 0..1000);
        resize(&mut delta, 200, 1000, false);
        train(&mut delta, 1000..1001);
        let newcomers = delta.save().pop().unwrap();
        assert_eq!(newcomers.born, Some(1000));
        assert!(newcomers.delta.iter().all(|delta| (delta.abs() - 1e-2).abs() < 1e-5), "{:?}", newcomers.delta);
    }

    #[test]
    fn old_cohorts_become_one() {
        let weight = Tensor::zeros([300], (Kind::Float, tch::Device::Cpu));
        let mut delta = delta_on(&weight);
        for (position, count) in [100, 200, 250, 300].into_iter().enumerate() {
            resize(&mut delta, count, position as u64 * 10_000, false);
        }
        assert_eq!(delta.indices().len(), 2);
        let saved = delta.save();
        assert!(saved[0].indices.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(saved[0].indices.len(), 250);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_walk_keeps_counts_and_can_be_removed(
            counts in prop::collection::vec((0_u64..=60, any::<bool>()), 1..8), bfloat16: bool,
        ) {
            let kind = if bfloat16 { Kind::BFloat16 } else { Kind::Float };
            let weight = Tensor::randn([60], (kind, tch::Device::Cpu));
            let before = weight.copy();
            let mut delta = delta_on(&weight);
            for (step, (count, revert)) in counts.into_iter().enumerate() {
                resize(&mut delta, count, step as u64, revert);
                train(&mut delta, step as u64..step as u64 + 1);
                let trainable: u64 = delta.indices().map(|indices| indices.numel() as u64).sum();
                prop_assert_eq!(trainable, count);
                let mut touched: Vec<i64> = delta.save().into_iter().flat_map(|saved| saved.indices).collect();
                touched.sort_unstable();
                prop_assert!(touched.windows(2).all(|pair| pair[0] < pair[1]));
            }
            delta.remove();
            prop_assert_eq!(weight, before);
        }
    }
}
