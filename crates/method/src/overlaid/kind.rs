//! The kinds of methods of this form.

use serde_json::{Map, Value};
use tch::Tensor;

use super::Overlaid;
use super::design::{Design, Terms};
use crate::definition::{Definition, Needs, OnSites, PerToken};
use crate::scope::{Scope, is_target, nearest_size, refuse_more_than_the_model};
use crate::{Method, OwnTensors, Shape};
use spartui_facts::error::{self, Error};
use spartui_facts::recipe;
use spartui_model::{Head, Model, Site};
use spartui_sparse::Footprint;

/// One kind of method.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name in a recipe.
    pub name: &'static str,
    /// Prefix of the names of its tensors in a checkpoint: the name and a dot.
    pub prefix: &'static [&'static str],
    /// Designs the method for a model, under settings with the model's own names of groups. A model without weights is
    /// enough.
    pub design: fn(&recipe::Method, &Model) -> Result<Design, String>,
    /// The setting that says how much trains; none where nothing does.
    pub size: fn(&recipe::Method) -> Option<Size>,
    /// The form of what it learns.
    pub shape: fn(&recipe::Method) -> Shape,
    /// The fields that can be changed live; none where there are none.
    pub live: Option<Live>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// The setting that says how much trains.
pub struct Size {
    /// Its name in a remark, such as `rank`.
    pub called: &'static str,
    /// The largest value that the recipe takes.
    pub highest: usize,
    /// The field.
    pub field: fn(&mut recipe::Method) -> &mut usize,
}

/// Settings that can be changed live.
#[derive(Clone, Copy)]
pub struct Live {
    /// Copies them from the first settings to the second.
    pub copy: fn(&recipe::Method, &mut recipe::Method),
    /// What follows from them.
    pub terms: fn(&recipe::Method, &Design) -> Terms,
}

impl Kind {
    /// The scope, the resolved settings and the design for a model.
    ///
    /// # Errors
    /// One sentence: a target that the model does not have, or one that the method does not fit.
    pub fn design(
        &self,
        settings: &recipe::Method,
        model: &Model,
        head: u64,
    ) -> Result<(Scope, recipe::Method, Design), String> {
        if !settings.density.is_empty() {
            return Err(format!(
                "method.density does not go with method.kind \"{}\"; leave it out, or take \"sparta\"",
                self.name
            ));
        }
        let scope = Scope::new(model, head);
        let mut settings = scope.resolve(settings)?;
        if let (Some(size), wanted @ 1..) = ((self.size)(&settings), settings.trainable) {
            let count = |number: usize| -> Result<u64, String> {
                let mut settings = settings.clone();
                *(size.field)(&mut settings) = number;
                Ok(head + (self.design)(&settings, model)?.trainable())
            };
            // The first number whose count reaches the wanted one.
            let (mut low, mut high) = (1, size.highest);
            while low < high {
                let middle = usize::midpoint(low, high);
                if count(middle)? < wanted { low = middle + 1 } else { high = middle }
            }
            let below = low.saturating_sub(1).max(1);
            let nearer = if count(below)?.abs_diff(wanted) <= count(low)?.abs_diff(wanted) { below } else { low };
            *(size.field)(&mut settings) = nearer;
        }
        let mut design = (self.design)(&settings, model)?;
        refuse_more_than_the_model(self.name, design.trainable(), model)?;
        if let Some(live) = &self.live {
            design.terms = (live.terms)(&settings, &design);
        }
        Ok((scope, settings, design))
    }

    /// A remark where a number of trainable parameters was asked for.
    pub fn remark(&self, settings: &recipe::Method, trained: u64) -> Option<String> {
        let Some(size) = (self.size)(settings) else {
            let why =
                format!("method.trainable has no effect: method.kind \"{}\" trains what its targets have", self.name);
            return (settings.trainable > 0).then_some(why);
        };
        let number = *(size.field)(&mut settings.clone());
        nearest_size((size.called, number), settings.trainable, trained)
    }

    /// The settings that are needed to use the tensors of an adapter.
    pub fn written_settings(&self, settings: &recipe::Method) -> Value {
        let all = serde_json::to_value(settings).unwrap_or_default();
        let kept = ["kind", "targets", "seed", self.name];
        let kept = kept.into_iter().filter_map(|key| Some((key.to_owned(), all.get(key)?.clone())));
        Value::Object(kept.collect::<Map<_, _>>())
    }
}

impl Definition for Kind {
    fn build(
        &self,
        recipe: &recipe::Method,
        model: &Model,
        head: &Head,
        _: [f64; 2],
    ) -> error::Result<Box<dyn Method>> {
        Ok(Box::new(tch::no_grad(|| Overlaid::new(*self, recipe, model, head)).map_err(Error::refused)?))
    }

    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> error::Result<Vec<u64>> {
        let (_, _, design) = self.design(recipe, model, head).map_err(Error::refused)?;
        Ok(design.counts(model.sites.len()))
    }

    fn written(&self, _: &recipe::Method, model: &Model, _: u64) -> error::Result<Vec<u64>> {
        Ok(vec![0; model.sites.len()])
    }

    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs {
        let scalars: u64 = counts.iter().sum();
        let mut needs = Needs {
            held: Footprint { deltas: 4 * scalars, moments: 8 * scalars },
            overlays: vec![PerToken::default(); model.sites.len()],
            tapless: true,
            ..Needs::default()
        };
        // The head counts only where a number of parameters is asked for, and there all of these were counted already.
        if let Ok((_, _, design)) = self.design(recipe, model, 0) {
            for layer in &design.layers {
                needs.overlays[layer.site] = layer.per_token;
            }
            needs.twice = design.terms.consistency.is_some();
        }
        needs
    }

    fn lighten(&self, _: &mut recipe::Method) -> &'static str {
        ""
    }

    fn prefixes(&self) -> &'static [&'static str] {
        self.prefix
    }

    fn shape(&self, recipe: &recipe::Method) -> Shape {
        (self.shape)(recipe)
    }

    fn overlays(&self, own: &OwnTensors, model: &Model) -> Result<OnSites, String> {
        let settings: recipe::Method = serde_json::from_value(own.settings.clone())
            .map_err(|error| format!("its settings are damaged: {error}"))?;
        let settings = recipe::Method { trainable: 0, ..settings };
        let (_, _, design) = self.design(&settings, model, 0)?;
        let values = design.tensors.iter().map(|plan| {
            let dense = own.tensors.iter().find(|dense| dense.name == plan.name);
            let dense = dense.ok_or_else(|| format!("it has no tensor {}", plan.name))?;
            let scalars = dense.values.len() as u64;
            if dense.shape != plan.shape || scalars != plan.numel() {
                return Err(format!("its tensor {} has the shape {:?}, not {:?}", plan.name, dense.shape, plan.shape));
            }
            let kind = if model.kind == tch::Kind::Double { tch::Kind::Double } else { tch::Kind::Float };
            Ok(Tensor::from_slice(&dense.values).view(plan.shape.as_slice()).to_kind(kind).to_device(model.device))
        });
        let values = values.collect::<Result<Vec<Tensor>, String>>()?;
        if let Some(stranger) =
            own.tensors.iter().find(|dense| !design.tensors.iter().any(|plan| plan.name == dense.name))
        {
            return Err(format!("it has a tensor {} that its method does not use", stranger.name.escape_debug()));
        }
        let placed = design.layers.iter().zip(design.placed(&values));
        Ok(placed.map(|(plan, placed)| (plan.site, Box::new(placed) as Box<_>)).collect())
    }
}

/// The sites that the settings adapt, with their indices.
pub fn targets<'a>(settings: &'a recipe::Method, model: &'a Model) -> impl Iterator<Item = (usize, &'a Site)> {
    model.sites.iter().enumerate().filter(|(_, site)| is_target(settings, site.group))
}

/// The name of a site's module: that of its weight without `.weight`.
pub fn module(site: &Site) -> &str {
    site.name.strip_suffix(".weight").unwrap_or(&site.name)
}

/// Whether the layer of a site has a bias.
pub fn has_bias(site: &Site, model: &Model) -> bool {
    let name = format!("{}.bias", module(site));
    model.parameters.iter().any(|parameter| parameter.name == name)
}

/// A number of extents as libtorch takes it.
pub fn extent(number: usize) -> i64 {
    number.cast_signed() as i64
}

/// Memory of a layer for each token: `kept` scalars are held until the backward pass, and up to `working` while it is
/// computed. `input`: the width of its input, where the overlay's gradients need that; 0 elsewhere.
pub fn memory(model: &Model, input: i64, kept: i64, working: i64) -> PerToken {
    let is_narrow = model.kind.elt_size_in_bytes() < 4;
    // Of a narrow input a copy in `f32` is held.
    let copied = if is_narrow { input } else { 0 };
    PerToken {
        kept: 4 * (kept + copied).unsigned_abs(),
        working: 4 * working.unsigned_abs(),
        input: input > 0 && !is_narrow,
    }
}

/// One sentence where a number does not divide the widths of a layer.
pub fn divides(field: &str, blocks: i64, widths: &[(&str, i64)], site: &Site) -> Result<(), String> {
    match widths.iter().find(|(_, width)| width % blocks != 0) {
        None => Ok(()),
        Some((what, width)) => Err(format!(
            "{field} {blocks} does not divide the {width} {what} of {}; give a divisor, or leave {} out of method.targets",
            site.name, site.group
        )),
    }
}
