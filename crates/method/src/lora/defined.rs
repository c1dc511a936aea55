//! The definition of the method `LoRA`.

use super::super::definition::{Definition, Needs, PerToken};
use super::super::{Method, Shape};
use super::site::{AT_A_TIME, extents};
use super::{Lora, counts};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{self, Variant};
use spartui_model::{Head, Model, Site};
use spartui_sparse::Footprint;

/// The definition of `method.kind = "lora"`.
pub struct Defined;

impl Definition for Defined {
    fn build(&self, recipe: &recipe::Method, model: &Model, head: &Head, _: [f64; 2]) -> Result<Box<dyn Method>> {
        Ok(Box::new(Lora::new(recipe, model, head).map_err(Error::refused)?))
    }

    fn counts(&self, recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
        counts(recipe, model, head).map_err(Error::refused)
    }

    fn written(&self, recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
        self.counts(recipe, model, head).map(|counts| vec![0; counts.len()])
    }

    fn needs(&self, recipe: &recipe::Method, model: &Model, counts: &[u64]) -> Needs {
        let scalars: u64 = counts.iter().sum();
        let is_narrow = model.kind.elt_size_in_bytes() < 4;
        let of_site = |(site, count): (&Site, &u64)| match count {
            0 => PerToken::default(),
            count => per_token(recipe, site, *count, is_narrow),
        };
        Needs {
            held: Footprint { deltas: scalars * 4, moments: scalars * 8 },
            overlays: model.sites.iter().zip(counts).map(of_site).collect(),
            // A part of a weight, of its product, and of both together.
            update: if recipe.variant == Variant::Dora { 12 * AT_A_TIME } else { 0 },
            ..Needs::default()
        }
    }

    fn lighten(&self, recipe: &mut recipe::Method) -> &'static str {
        recipe.variant = Variant::Plain;
        "method.variant = \"plain\""
    }

    fn shape(&self, _: &recipe::Method) -> Shape {
        Shape::LowRank
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["lora."]
    }
}

/// Activation memory of the product on a site with `count` trainable scalars.
fn per_token(recipe: &recipe::Method, site: &Site, count: u64, is_narrow: bool) -> PerToken {
    let [out, input] = extents(site).map(i64::unsigned_abs);
    let when = |so: bool, width: u64| if so { width } else { 0 };
    let magnitudes = when(recipe.variant == Variant::Dora, out);
    let rank = count.saturating_sub(magnitudes) / (out + input).max(1);
    PerToken {
        // `A x`, the sum that the magnitudes multiply, and the dropout mask.
        kept: 4 * (rank + magnitudes + when(recipe.dropout > 0.0, input)),
        // The product and the result; a narrow input is copied to `f32`.
        working: 4 * (2 * out + when(is_narrow, input)),
        // A tap holds it.
        input: false,
    }
}
