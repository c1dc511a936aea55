//! The kinds of methods of this form.

use super::Chosen;
use crate::definition::{Definition, Needs};
use crate::scope::{Scope, is_norm, is_target};
use crate::{Learned, Method, Shape, State};
use spartui_facts::error::{self, Error};
use spartui_facts::recipe;
use spartui_model::{Head, Model, Parameter};
use spartui_sparse::Footprint;

/// One kind of method.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name in a recipe.
    pub name: &'static str,
    /// Prefix of the names of its dense tensors in a checkpoint.
    prefix: &'static [&'static str],
    /// What trains, for messages; also the name of the group of parameters that are no sites.
    pub trains: &'static str,
    pub rule: Rule,
    pub source: Source,
    /// Whether the number of trainable scalars can be changed live.
    pub live: bool,
    /// For [`Rule::All`], which parameters train.
    which: fn(&Parameter) -> bool,
}

/// Which scalars train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// All of the chosen parameters.
    All,
    /// More at each step, those with the best scores.
    StepByStep,
    /// After each step those that are farthest from their values before training.
    Farthest,
    /// Those with small weights.
    SmallWeights,
}

/// Where the gradients come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the taps of sites, for the trained scalars alone.
    Taps,
    /// From the dense gradient, which is gathered at once.
    Gathered,
    /// From the dense gradient, which is held until the update.
    Dense,
}

pub static BITFIT: Kind = Kind {
    name: "bitfit",
    prefix: &[],
    trains: "biases",
    rule: Rule::All,
    source: Source::Gathered,
    live: false,
    which: |parameter| parameter.name.rsplit('.').next() == Some("bias"),
};

pub static LN_TUNING: Kind = Kind { name: "ln_tuning", trains: "norms", which: is_norm, ..BITFIT };

pub static ID3: Kind = Kind {
    name: "id3",
    trains: "targets",
    rule: Rule::StepByStep,
    source: Source::Dense,
    live: true,
    which: |_| false,
    ..BITFIT
};

pub static DST: Kind = Kind { name: "dst", prefix: &["dst."], rule: Rule::Farthest, ..ID3 };

pub static SARA: Kind = Kind { name: "sara", rule: Rule::SmallWeights, source: Source::Taps, live: false, ..ID3 };

impl Kind {
    /// The settings with every target under the model's own name for it.
    ///
    /// # Errors
    /// As [`Scope::resolve`].
    pub fn resolve(&self, settings: &recipe::Method, scope: &Scope) -> Result<recipe::Method, String> {
        if !settings.density.is_empty() && matches!(self.rule, Rule::All | Rule::SmallWeights) {
            return Err(format!(
                "method.density does not go with method.kind \"{}\"; leave it out, or take \"sparta\"",
                self.name
            ));
        }
        if self.rule == Rule::All { Ok(settings.clone()) } else { scope.resolve(settings) }
    }

    /// The places of the parameters, of which scalars may train, among the model's.
    pub fn parameters(&self, settings: &recipe::Method, model: &Model) -> Vec<usize> {
        let is_of_kind = |parameter: &Parameter| {
            if self.rule == Rule::All {
                return (self.which)(parameter);
            }
            let site = model.sites.iter().find(|site| site.name == parameter.name);
            site.is_some_and(|site| is_target(settings, site.group))
        };
        let numbered = model.parameters.iter().enumerate();
        numbered.filter(|(_, parameter)| is_of_kind(parameter)).map(|(place, _)| place).collect()
    }

    /// Number of scalars of each of the model's sites that may train, and of other parameters.
    fn numbers(&self, recipe: &recipe::Method, model: &Model, head: u64) -> Result<(Vec<u64>, u64), String> {
        let scope = Scope::new(model, head);
        let settings = self.resolve(recipe, &scope)?;
        if self.rule == Rule::All {
            let places = self.parameters(&settings, model);
            let scalars = places.into_iter().map(|place| model.parameters[place].tensor.numel() as u64);
            return Ok((vec![0; model.sites.len()], scalars.sum()));
        }
        if self.rule == Rule::SmallWeights && settings.sara.threshold > 0.0 {
            let share = share_below(settings.sara.threshold, model.config.initializer_range);
            let count = |site: &spartui_model::Site| {
                if is_target(&settings, site.group) { of(share, site.weight.numel() as u64) } else { 0 }
            };
            return Ok((model.sites.iter().map(count).collect(), 0));
        }
        Ok((scope.counts(&settings)?, 0))
    }
}

/// Share of normal numbers with this deviation that are smaller than a threshold: what is expected of weights that are
/// not at hand.
fn share_below(threshold: f64, deviation: f64) -> f64 {
    let x = tch::Tensor::from(threshold / (deviation.max(1e-9) * std::f64::consts::SQRT_2));
    x.erf().double_value(&[])
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scalars are below 2^53, a share is not negative"
)]
fn of(share: f64, scalars: u64) -> u64 {
    (share * scalars as f64).round() as u64
}

impl Definition for Kind {
    fn build(
        &self,
        recipe: &recipe::Method,
        model: &Model,
        head: &Head,
        _: [f64; 2],
    ) -> error::Result<Box<dyn Method>> {
        Ok(Box::new(Chosen::new(*self, recipe, model, head).map_err(Error::refused)?))
    }

    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> error::Result<Vec<u64>> {
        Ok(self.numbers(recipe, model, head).map_err(Error::refused)?.0)
    }

    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs {
        let (_, others) = self.numbers(recipe, model, 0).unwrap_or_default();
        let scalars = counts.iter().sum::<u64>() + others;
        let size = model.kind.elt_size_in_bytes() as u64;
        let weights = model.sites.iter().zip(counts).filter(|(_, count)| **count > 0);
        let dense: u64 = weights.map(|(site, _)| site.weight.numel() as u64).sum();
        let places = self.parameters(recipe, model);
        let lowest = places.into_iter().map(|place| model.parameters[place].stage);
        let moments = if self.rule == Rule::Farthest { 8 * dense } else { 0 };
        Needs {
            held: Footprint { deltas: scalars * (8 + size + 4), moments: scalars * 8 + moments },
            graph: if self.rule == Rule::All { lowest.min_by_key(|stage| stage.order()) } else { None },
            dense: self.source == Source::Dense,
            update: match self.rule {
                // Deltas, new values, distances and keys of the largest weight.
                Rule::Farthest => 24 * model.sites.iter().map(|site| site.weight.numel() as u64).max().unwrap_or(0),
                Rule::StepByStep => 12 * model.sites.iter().map(|site| site.weight.numel() as u64).max().unwrap_or(0),
                _ => 0,
            },
            ..Needs::default()
        }
    }

    fn lighten(&self, recipe: &mut recipe::Method) -> &'static str {
        recipe.kind = recipe::MethodKind::Sparta;
        "method.kind = \"sparta\""
    }

    fn shape(&self, _: &recipe::Method) -> Shape {
        Shape::Sparse
    }

    fn prefixes(&self) -> &'static [&'static str] {
        self.prefix
    }

    fn learned(&self, state: &State, model: &Model, step: u64) -> Option<Result<Learned, String>> {
        Some(crate::sparta::deltas(state, model, step).map(Learned::Sparse))
    }
}
