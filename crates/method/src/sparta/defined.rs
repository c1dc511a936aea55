//! The definition of the method `SpaRTA`.

use super::super::definition::{Definition, Needs};
use super::super::scope::Scope;
use super::super::state::check;
use super::super::{Learned, Method, Part, Shape, State, dynamic};
use super::{AT_A_TIME, Sparta};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_facts::recipe::{self, Selection};
use spartui_model::{Head, Model, Parameter, Site};
use spartui_sparse::{Footprint, Saved};

/// The definition of `method.kind = "sparta"`.
pub struct Defined;

impl Definition for Defined {
    fn build(&self, recipe: &recipe::Method, model: &Model, head: &Head, betas: [f64; 2]) -> Result<Box<dyn Method>> {
        Ok(Box::new(Sparta::new(recipe, model, head, betas).map_err(Error::refused)?))
    }

    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
        let scope = Scope::with_others(model, head);
        scope.resolve(recipe).and_then(|settings| scope.counts(&settings)).map_err(Error::refused)
    }

    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs {
        let scope = Scope::with_others(model, 0);
        let of_site = |(site, count): (&Site, u64)| candidates(recipe, count, site.weight.numel() as u64);
        let sites = || model.sites.iter().zip(counts.iter().copied());
        let (of_sites, of_others) = counts.split_at(model.sites.len().min(counts.len()));
        let rows = scope.resolve(recipe).map(|settings| scope.trains_rows(&settings)).unwrap_or_default();
        let rows = rows.into_iter().skip(model.sites.len());
        let trained = scope.others().iter().zip(of_others).filter(|(_, count)| **count > 0);
        let language_head = trained.map(|(place, _)| Some(*place)).any(|place| place == model.language_parameter());
        let others = scope.others().iter().zip(of_others).zip(rows).filter(|((_, count), _)| **count > 0);
        let others: Vec<(&Parameter, u64, bool)> =
            others.map(|((&place, &count), rows)| (&model.parameters[place], count, rows)).collect();
        let of_other = |(parameter, count, rows): &(&Parameter, u64, bool)| match rows {
            true => 0,
            false => candidates(recipe, *count, parameter.tensor.numel() as u64),
        };
        let candidates = sites().map(of_site).sum::<u64>() + others.iter().map(of_other).sum::<u64>();
        let scalars = counts.iter().sum::<u64>();
        let size = model.kind.elt_size_in_bytes() as u64;
        // A candidate has an index, a gradient sum and a gradient.
        let held = Footprint { deltas: scalars * (8 + size + 4) + 16 * candidates, moments: scalars * 8 };
        let surveyed = (recipe.selection == Selection::Gradient).then(|| {
            let trained = sites().zip(of_sites).filter(|(_, count)| **count > 0);
            let trained = trained.map(|((site, _), _)| 4 * site.weight.numel() as u64);
            let (whole, largest) = trained.fold((0, 0), |(whole, largest), bytes| (whole + bytes, bytes.max(largest)));
            whole.min(AT_A_TIME.max(largest))
        });
        Needs {
            held,
            surveyed,
            language_head,
            graph: others.iter().map(|(parameter, ..)| parameter.stage).min_by_key(|stage| stage.order()),
            // The dense gradient of autograd, and its copy in float32.
            gathered: others
                .iter()
                .map(|(parameter, ..)| parameter.tensor.numel() as u64 * (size + 4))
                .max()
                .unwrap_or(0),
            ..Needs::default()
        }
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
