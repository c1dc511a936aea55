//! `SpaRTA` (arXiv 2502.15975): a random set of single scalars trains, the rest is frozen.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use super::scope::{Scope, is_target};
use super::state::check;
use super::{Method, Part, Plan, State};
use crate::model::{Head, Model, Tap};
use crate::permutation::derive_key;
use crate::protocol::Group;
use crate::recipe::{self, OnShrink, Rounding};
use crate::sparse::gradient::{self, Product};
use crate::sparse::{AdamW, Cast, Delta, Footprint, Patch, Resized, Saved, Selection, squared_norm};

/// `SpaRTA` on one model.
#[derive(Debug)]
pub struct Sparta {
    settings: recipe::Method,
    scope: Scope,
    sites: Vec<Adapted>,
    /// Sites with at least one scalar that trains.
    active: Vec<bool>,
    /// What the weights hold, while it is away from the model.
    away: Vec<Patch>,
}

/// One site of the model and what `SpaRTA` did to it.
#[derive(Debug)]
struct Adapted {
    name: String,
    group: &'static str,
    layer: usize,
    transposed: bool,
    /// Flat; shares its memory with the model's.
    weight: Tensor,
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
                weight: site.weight.view(-1),
                delta: Delta::new(&site.weight, Selection::new(settings.seed, &site.name, scalars)),
                gradients: None,
            }
        });
        let mut sparta = Self {
            settings: settings.clone(),
            scope: Scope::new(model, head.parameters()),
            active: vec![false; model.sites.len()],
            sites: sites.collect(),
            away: Vec::new(),
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
        squared_norm(self.sites.iter().filter_map(|site| site.gradients.as_ref()).flatten())
    }

    fn update(&mut self, adamw: &AdamW, rate: f64, scale: f64, step: u64) {
        let collected: Vec<_> = self.sites.iter_mut().map(|site| site.gradients.take()).collect();
        let due = || self.sites.iter().zip(&collected).filter(|(_, gradients)| gradients.is_some());
        let keys: Vec<u64> = due().map(|(site, _)| derive_key(self.settings.seed, "rounding", &site.name)).collect();
        let cast = |site: usize, cohort: usize| match self.settings.rounding {
            Rounding::Nearest => Cast::Nearest,
            Rounding::Stochastic => {
                Cast::Stochastic { key: (keys[site] ^ step.rotate_left(32)).wrapping_add(cohort as u64) }
            }
        };
        let deltas = self.sites.iter_mut().zip(&collected);
        let deltas = deltas.filter_map(|(site, gradients)| Some((&mut site.delta, gradients.as_deref()?)));
        Delta::update_together(deltas, adamw, (rate, scale), step, cast);
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
        let counts = self.scope.counts(&settings)?;
        for ((site, active), count) in self.sites.iter_mut().zip(&mut self.active).zip(&counts) {
            site.gradients = None;
            *active = *count > 0;
        }
        let deltas = self.sites.iter_mut().map(|site| &mut site.delta).zip(counts);
        let resized = Delta::resize_together(deltas, step, settings.on_shrink == OnShrink::Revert, betas);
        let total = resized.iter().fold(Resized::default(), |sum, site| Resized {
            joined: sum.joined + site.joined,
            left: sum.left + site.left,
        });
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

    fn groups(&self) -> Vec<Group> {
        let mut groups = self.scope.groups.clone();
        for group in &mut groups {
            let mut whole = Survival::default();
            let mut by_layer = vec![Survival::default(); group.layers.len()];
            for site in self.sites.iter().filter(|site| site.group == group.name) {
                group.trainable += site.delta.count();
                group.by_layer[site.layer] += site.delta.count();
                group.layers[site.layer].trainable += site.delta.count();
                let survival = Survival::of(&site.delta);
                whole.add(survival);
                by_layer[site.layer].add(survival);
            }
            group.targeted = is_target(&self.settings, &group.name);
            group.density = self.settings.density.get(&group.name).copied();
            (group.surviving, group.delta_rms) = (whole.share(), whole.rms());
            for (layer, survival) in group.layers.iter_mut().zip(by_layer) {
                (layer.surviving, layer.delta_rms) = (survival.share(), survival.rms());
            }
        }
        groups
    }

    fn save(&self) -> Vec<(usize, Vec<Saved>)> {
        let saved = self.sites.iter().enumerate().map(|(at, site)| (at, site.delta.save()));
        saved.filter(|(_, parts)| !parts.is_empty()).collect()
    }
    fn state(&self) -> State {
        let stochastic = self.settings.rounding == Rounding::Stochastic;
        let sites = self.sites.iter().map(|site| {
            let exact = stochastic && site.weight.kind() == Kind::BFloat16;
            let parts = site.delta.save().into_iter().map(|saved| Part::new(saved, &site.weight, exact)).collect();
            (site.name.clone(), parts)
        });
        State { sites: sites.filter(|(_, parts): &(_, Vec<Part>)| !parts.is_empty()).collect(), tensors: Vec::new() }
    }

    fn restore(&mut self, state: &State, settings: &recipe::Method, step: u64) -> Result<(), String> {
        let settings = self.scope.resolve(settings)?;
        let counts = self.scope.counts(&settings)?;
        let given: BTreeMap<&str, &Vec<Part>> =
            state.sites.iter().map(|(name, parts)| (name.as_str(), parts)).collect();
        if let Some(stranger) = given.keys().find(|name| !self.sites.iter().any(|site| site.name == ***name)) {
            return Err(format!("the model has no weight {}", stranger.escape_debug()));
        }
        let none = Vec::new();
        let parts = |site: &Adapted| *given.get(site.name.as_str()).unwrap_or(&&none);
        for (site, &count) in self.sites.iter().zip(&counts) {
            site.check(parts(site), count, settings.seed, step).map_err(|why| format!("{}: {why}", site.name))?;
        }
        let cast = match settings.rounding {
            Rounding::Nearest => Cast::Nearest,
            // The bits that were kept are written over these.
            Rounding::Stochastic => Cast::Stochastic { key: 0 },
        };
        for (site, &count) in self.sites.iter_mut().zip(&counts) {
            let parts = *given.get(site.name.as_str()).unwrap_or(&&none);
            let saved: Vec<Saved> = parts.iter().map(Part::to_saved).collect();
            site.delta.restore(&saved, |_| cast);
            for part in parts {
                part.write_bits(&site.weight);
            }
            site.gradients = None;
            debug_assert_eq!(site.delta.count(), count);
        }
        self.active = counts.iter().map(|&count| count > 0).collect();
        self.settings = settings;
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        self.sites.iter().flat_map(|site| site.delta.patches()).collect()
    }

    fn patches_of(&self, state: &State, step: u64) -> Result<Vec<Patch>, String> {
        let mut patches = Vec::new();
        for (name, parts) in &state.sites {
            let site = self.sites.iter().find(|site| site.name == *name);
            let site = site.ok_or_else(|| format!("the model has no weight {}", name.escape_debug()))?;
            check(parts, site.weight.numel() as u64, step).map_err(|why| format!("{name}: {why}"))?;
            for part in parts {
                patches.push(site.delta.patch_of(&part.to_saved(), part.written(&site.weight)));
            }
        }
        Ok(patches)
    }

    fn forget(&mut self) {
        self.sites.iter_mut().for_each(|site| site.gradients = None);
    }

    fn leave(&mut self) {
        if self.away.is_empty() {
            self.away = self.patches();
            self.away.iter().for_each(Patch::lift);
        }
    }

    fn enter(&mut self) {
        std::mem::take(&mut self.away).iter().for_each(Patch::lay);
    }
}

/// What became of deltas in the cast to the weights' type.
#[derive(Debug, Clone, Copy, Default)]
struct Survival {
    moved: u64,
    shown: u64,
    squares: f64,
    touched: u64,
}

impl Survival {
    fn of(delta: &Delta) -> Self {
        let (moved, shown, squares) = delta.survival();
        Self { moved, shown, squares, touched: delta.count() + delta.retired() }
    }

    fn add(&mut self, other: Self) {
        self.moved += other.moved;
        self.shown += other.shown;
        self.squares += other.squares;
        self.touched += other.touched;
    }

    /// Share of the deltas that survive, where there are any.
    #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
    fn share(&self) -> Option<f64> {
        (self.moved > 0).then(|| self.shown as f64 / self.moved as f64)
    }

    /// Root mean square of the deltas.
    #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
    fn rms(&self) -> f64 {
        if self.touched == 0 { 0.0 } else { (self.squares / self.touched as f64).sqrt() }
    }
}

impl Adapted {
    /// Whether a state is one of this site with `count` scalars that train; what is wrong with it, if not.
    fn check(&self, parts: &[Part], count: u64, seed: u64, step: u64) -> Result<(), String> {
        let scalars = self.weight.numel() as u64;
        check(parts, scalars, step)?;
        if parts.iter().any(|part| !part.written.is_empty()) && self.weight.kind() != Kind::BFloat16 {
            return Err("it holds weights of another type".into());
        }
        let training = parts.iter().filter(|part| part.born.is_some());
        let mut training: Vec<i64> = training.flat_map(|part| part.indices.iter().copied()).collect();
        training.sort_unstable();
        if training.len() as u64 != count {
            return Err(format!("its scalars are not the {count} that the settings ask for"));
        }
        if training != Selection::new(seed, &self.name, scalars).indices(0..count) {
            return Err("its scalars are not those that the seed selects".into());
        }
        Ok(())
    }
}
