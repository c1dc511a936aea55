//! `SpaRTA` (arXiv 2502.15975): a random set of single scalars trains, the rest is frozen.

use tch::{Kind, Tensor};

use super::scope::{Scope, is_target};
use super::{Method, Plan};
use crate::model::{Head, Model, Tap};
use crate::permutation::derive_key;
use crate::protocol::Group;
use crate::recipe::{self, OnShrink, Rounding};
use crate::sparse::gradient::{self, Product};
use crate::sparse::{AdamW, Cast, Delta, Footprint, Resized, Saved, Selection};

/// `SpaRTA` on one model.
#[derive(Debug)]
pub struct Sparta {
    settings: recipe::Method,
    scope: Scope,
    sites: Vec<Adapted>,
    /// Sites with at least one scalar that trains.
    active: Vec<bool>,
}

/// One site of the model and what `SpaRTA` did to it.
#[derive(Debug)]
struct Adapted {
    name: String,
    group: &'static str,
    layer: usize,
    transposed: bool,
    delta: Delta,
    gradients: Option<Vec<Tensor>>,
}

impl Sparta {
    /// The selection that the settings ask for, with nothing trained yet.
    ///
    /// # Errors
    /// One sentence: a target that the model does not have, a sparsity outside its bounds.
    pub fn new(settings: &recipe::Method, model: &Model, head: &Head, betas: [f64; 2]) -> Result<Self, String> {
        let sites = model.sites.iter().map(|site| {
            let scalars = site.weight.numel() as u64;
            Adapted {
                name: site.name.clone(),
                group: site.group,
                layer: site.layer,
                transposed: site.transposed,
                delta: Delta::new(&site.weight, Selection::new(settings.seed, &site.name, scalars)),
                gradients: None,
            }
        });
        let mut sparta = Self {
            settings: settings.clone(),
            scope: Scope::new(model, head.parameters()),
            active: vec![false; model.sites.len()],
            sites: sites.collect(),
        };
        sparta.apply(settings, 0, betas)?;
        Ok(sparta)
    }
}

impl Method for Sparta {
    fn adapted(&self) -> &[bool] {
        &self.active
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        let products = taps.iter().zip(output_gradients).map(|(tap, output_gradient)| {
            let site = &self.sites[tap.site];
            // A transposed weight is that of the product with inputs and outputs in each other's place.
            let (input, output_gradient) =
                if site.transposed { (output_gradient, &tap.input) } else { (&tap.input, output_gradient) };
            Product { input, output_gradient, indices: site.delta.indices().collect() }
        });
        let gradients = gradient::sampled_together(&products.collect::<Vec<_>>());
        for (tap, gradients) in taps.iter().zip(gradients) {
            let sum = &mut self.sites[tap.site].gradients;
            *sum = Some(match sum.take() {
                None => gradients,
                Some(mut sum) => {
                    sum.iter_mut().zip(gradients).for_each(|(sum, gradient)| *sum += gradient);
                    sum
                }
            });
        }
    }

    fn squared_gradient_norm(&self) -> f64 {
        let gradients = self.sites.iter().filter_map(|site| site.gradients.as_ref()).flatten();
        gradients.map(|gradient| gradient.square().sum(Kind::Double).double_value(&[])).sum()
    }

    fn update(&mut self, adamw: &AdamW, rate: f64, scale: f64, step: u64) {
        for site in &mut self.sites {
            let Some(gradients) = site.gradients.take() else { continue };
            let key = derive_key(self.settings.seed, "rounding", &site.name) ^ step.rotate_left(32);
            let cast = |cohort: usize| match self.settings.rounding {
                Rounding::Nearest => Cast::Nearest,
                Rounding::Stochastic => Cast::Stochastic { key: key.wrapping_add(cohort as u64) },
            };
            site.delta.update(adamw, &gradients, (rate, scale), step, cast);
        }
    }

    fn plan(&self, settings: &recipe::Method) -> Result<Plan, String> {
        let mut plan = Plan::default();
        for (site, count) in self.sites.iter().zip(self.scope.counts(&self.scope.resolve(settings)?)?) {
            plan.trainable += count;
            plan.change.joined += count.saturating_sub(site.delta.count());
            plan.change.left += site.delta.count().saturating_sub(count);
        }
        Ok(plan)
    }

    fn apply(&mut self, settings: &recipe::Method, step: u64, betas: [f64; 2]) -> Result<Resized, String> {
        let settings = self.scope.resolve(settings)?;
        let mut total = Resized::default();
        let revert = settings.on_shrink == OnShrink::Revert;
        for (at, count) in self.scope.counts(&settings)?.into_iter().enumerate() {
            let resized = self.sites[at].delta.resize(count, step, revert, betas);
            self.sites[at].gradients = None;
            self.active[at] = count > 0;
            total.joined += resized.joined;
            total.left += resized.left;
        }
        self.settings = settings;
        Ok(total)
    }

    fn configure(&mut self, settings: &recipe::Method) {
        self.settings.on_shrink = settings.on_shrink;
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        self.scope.budget(&self.settings).sparsity_bounds()
    }

    fn trainable(&self) -> u64 {
        self.sites.iter().map(|site| site.delta.count()).sum()
    }

    fn retired(&self) -> u64 {
        self.sites.iter().map(|site| site.delta.retired()).sum()
    }

    fn footprint(&self) -> Footprint {
        self.sites.iter().map(|site| site.delta.footprint()).fold(Footprint::default(), |sum, part| Footprint {
            deltas: sum.deltas + part.deltas,
            moments: sum.moments + part.moments,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
    fn groups(&self) -> Vec<Group> {
        let mut groups = self.scope.groups.clone();
        for group in &mut groups {
            let (mut moved, mut shown, mut squares, mut touched) = (0, 0, 0.0, 0);
            for site in self.sites.iter().filter(|site| site.group == group.name) {
                group.trainable += site.delta.count();
                group.by_layer[site.layer] += site.delta.count();
                let survival = site.delta.survival();
                moved += survival.0;
                shown += survival.1;
                squares += survival.2;
                touched += site.delta.count() + site.delta.retired();
            }
            group.targeted = is_target(&self.settings, &group.name);
            group.density = self.settings.density.get(&group.name).copied();
            group.surviving = (moved > 0).then(|| shown as f64 / moved as f64);
            group.delta_rms = if touched == 0 { 0.0 } else { (squares / touched as f64).sqrt() };
        }
        groups
    }

    fn save(&self) -> Vec<(usize, Vec<Saved>)> {
        let saved = self.sites.iter().enumerate().map(|(at, site)| (at, site.delta.save()));
        saved.filter(|(_, parts)| !parts.is_empty()).collect()
    }
}
