//! The definition of the method `SpaRTA`.

use super::super::definition::{Definition, Needs};
use super::super::scope::Scope;
use super::super::state::check;
use super::super::{Learned, Method, Part, Shape, State, dynamic};
use super::{AT_A_TIME, Sparta};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_facts::recipe::{self, Selection};
use spartui_model::{Head, Model, Site};
use spartui_sparse::{Footprint, Saved};

/// The definition of `method.kind = "sparta"`.
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
        // A candidate has an index, a gradient sum and a gradient.
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

    fn shape(&self, _: &recipe::Method) -> Shape {
        Shape::Sparse
    }

    fn learned(&self, state: &State, model: &Model, step: u64) -> Option<std::result::Result<Learned, String>> {
        Some(deltas(state, model, step).map(Learned::Sparse))
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &[super::CANDIDATES]
    }
}

/// The deltas of a state, by the name of the parameter.
pub fn deltas(state: &State, model: &Model, step: u64) -> std::result::Result<Vec<(String, Vec<Saved>)>, String> {
    let sites = state.sites.iter().map(|(name, parts)| {
        let parameter = model.parameters.iter().find(|parameter| parameter.name == *name);
        let parameter = parameter.ok_or_else(|| format!("the model has no {}", quoted(name)))?;
        check(parts, parameter.tensor.numel() as u64, step).map_err(|why| format!("{}: {why}", quoted(name)))?;
        Ok((name.clone(), parts.iter().map(Part::to_saved).collect()))
    });
    sites.collect()
}

/// Number of candidates of a site: frozen scalars whose gradients are accumulated too.
pub(super) fn candidates(recipe: &recipe::Method, trainable: u64, scalars: u64) -> u64 {
    match recipe.selection {
        Selection::Dynamic => dynamic::candidates(recipe.regrow_share, trainable, scalars),
        _ => 0,
    }
}
