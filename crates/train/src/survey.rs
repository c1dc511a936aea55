//! The base model's dense gradients, for a method that selects trainable scalars by them.
//!
//! They are computed whenever they are needed, and not stored, since together they have the size of the model. They
//! depend on the base weights, the initial head and the first batches only, so that a run that is resumed, repeated or
//! rewound computes the same gradients.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::listener::Listener;
use super::{Trained, TrainedHead};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe;
use spartui_method::Method;
use spartui_model::{Head, Model, Tap, guarded};

/// Computes the gradients that a method needs before these settings can be applied, each round of sites in passes of
/// its own, and hands them to the method. Returns whether it needs any. `passes` runs the forward and backward passes
/// over the batches.
///
/// # Errors
/// Where the settings are not possible, a gradient is not finite, or libtorch fails.
pub fn survey(
    model: &Model,
    method: &mut dyn Method,
    start: &Head,
    settings: &recipe::Method,
    mut passes: impl FnMut(&mut Trained<'_>),
) -> Result<bool> {
    let rounds = method.sites_to_measure(settings).map_err(Error::refused)?;
    if rounds.is_empty() {
        return Ok(false);
    }
    method.leave();
    let done = rounds.iter().try_for_each(|round| {
        let sums = guarded(|| Ok(gradients(model, start, round, &mut passes)))?;
        for (site, sum) in sums {
            if !sum.abs().max().double_value(&[]).is_finite() {
                return Err(Error::failed(format!(
                    "the gradient of {} on the first batches is not finite, so that nothing can be chosen by it; take another \
                     method.selection or look at the first rows",
                    model.sites[site].name
                )));
            }
            method.collect_gradient(settings, site, &sum);
        }
        Ok(())
    });
    method.enter();
    done.map(|()| true)
}

/// The dense gradients of some sites, flat and in `f32`, summed over all passes, by site.
fn gradients(
    model: &Model,
    start: &Head,
    sites: &[usize],
    passes: &mut impl FnMut(&mut Trained<'_>),
) -> BTreeMap<usize, Tensor> {
    let mut sums: BTreeMap<usize, Tensor> = BTreeMap::new();
    let adapted = (0..model.sites.len()).map(|site| sites.contains(&site)).collect();
    let transposed: Vec<bool> = model.sites.iter().map(|site| site.transposed).collect();
    let mut listener = Listener::new(adapted, |taps: &[Tap], output_gradients: &[Tensor]| {
        for (tap, output_gradient) in taps.iter().zip(output_gradients) {
            let rows = |tensor: &Tensor| {
                let width = tensor.size().last().copied().unwrap_or(1);
                tensor.reshape([-1, width]).to_kind(Kind::Float)
            };
            // The gradient of a transposed weight is the product with input and output gradient swapped.
            let (input, output) =
                if transposed[tap.site] { (output_gradient, &tap.input) } else { (&tap.input, output_gradient) };
            let (input, output) = (rows(input), rows(output));
            let size = [output.size()[1], input.size()[1]];
            let sum = sums.entry(tap.site).or_insert_with(|| Tensor::zeros(size, (Kind::Float, input.device())));
            let _ = tch::no_grad(|| sum.addmm_(&output.transpose(0, 1), &input));
        }
    });
    let mut head = TrainedHead::new(start.copy());
    passes(&mut Trained { head: &mut head, collector: &mut listener });
    sums.into_iter().map(|(site, sum)| (site, sum.view(-1))).collect()
}
