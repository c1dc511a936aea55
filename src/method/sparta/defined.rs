//! What holds for every run of `SpaRTA`.

use super::super::definition::{Definition, Needs};
use super::super::scope::Scope;
use super::super::{Method, dynamic};
use super::{AT_A_TIME, Sparta};
use crate::error::{Error, Result};
use crate::model::{Head, Model, Site};
use crate::recipe::{self, Selection};
use crate::sparse::Footprint;

/// Of `method.kind = "sparta"`.
pub struct Defined;

impl Definition for Defined {
    fn build(&self, recipe: &recipe::Method, model: &Model, head: &Head, betas: [f64; 2]) -> Result<Box<dyn Method>> {
        Ok(Box::new(Sparta::new(recipe, model, head, betas).map_err(Error::refused)?))
    }

    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
        let scope = Scope::new(model, head);
        scope.resolve(recipe).and_then(|settings| scope.counts(&settings)).map_err(Error::refused)
    }

    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs {
        let numbered = || model.sites.iter().zip(counts.iter().copied());
        let of_site = |(site, count): (&Site, u64)| candidates(recipe, count, site.weight.numel() as u64);
        let (scalars, candidates) = (counts.iter().sum::<u64>(), numbered().map(of_site).sum::<u64>());
        let size = model.kind.elt_size_in_bytes() as u64;
        // A candidate has a position, a sum and a gradient.
        let held = Footprint { deltas: scalars * (8 + size + 4) + 16 * candidates, moments: scalars * 8 };
        let surveyed = (recipe.selection == Selection::Gradient).then(|| {
            let trained = numbered().filter(|(_, count)| *count > 0).map(|(site, _)| 4 * site.weight.numel() as u64);
            let (whole, largest) = trained.fold((0, 0), |(whole, largest), bytes| (whole + bytes, bytes.max(largest)));
            whole.min(AT_A_TIME.max(largest))
        });
        Needs { held, surveyed, ..Needs::default() }
    }

    fn lighten(&self, recipe: &mut recipe::Method) -> &'static str {
        recipe.sparsity = recipe.sparsity.max(0.999);
        "method.sparsity = 0.999"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &[super::CANDIDATES]
    }
}

/// Scalars beside those that train whose gradients are collected, where so many train at a site.
pub(super) fn candidates(recipe: &recipe::Method, trainable: u64, scalars: u64) -> u64 {
    match recipe.selection {
        Selection::Dynamic => dynamic::candidates(recipe.regrow_share, trainable, scalars),
        _ => 0,
    }
}
