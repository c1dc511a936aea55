//! `LoRA` (arXiv 2106.09685) and its variants: the weights are frozen, and a low-rank product added to each target
//! trains.

mod defined;
mod product;
mod site;

use tch::Tensor;

pub(super) use self::defined::Defined;
pub use self::product::Addition;
use self::site::Adapted;
pub use self::site::addition_of;
pub(super) use self::site::extents;
use super::scope::{Scope, is_target, nearest_size, refuse_more_than_the_model, root_mean};
use super::state::copy_named;
use super::{Collector, Dense, Learned, Method, Patch, Plan, State};
use spartui_facts::permutation::{derive_key, mix};
use spartui_facts::protocol::Group;
use spartui_facts::recipe;
use spartui_model::{Head, Model, Tap};
use spartui_sparse::{Footprint, Optimizer, squared_norm};

/// The factors added to one layer: `y = c (W x + scale * B A x) + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// Rows of A, and columns of B.
    pub rank: usize,
    /// A, `[rank, in]`, row-major.
    pub down: Vec<f32>,
    /// B, `[out, rank]`, row-major.
    pub up: Vec<f32>,
    /// `DoRA`'s magnitudes, `[out]`, where they train: c is the magnitude divided by the norm of the row of
    /// `W + scale * B A`.
    pub magnitude: Option<Vec<f32>>,
    /// Factor of the product.
    pub scale: f64,
}

/// `LoRA` on one model: a low-rank product on every target.
#[derive(Debug)]
pub struct Lora {
    settings: recipe::Method,
    scope: Scope,
    /// One entry for each site of the model; none where it is not a target.
    sites: Vec<Option<Adapted>>,
    adapted: Vec<bool>,
    sparsity: f64,
    head: u64,
    noise: Option<u64>,
}

/// Number of trainable scalars of each site.
///
/// # Errors
/// One sentence: a target that the model does not have, or settings of another method.
fn counts(settings: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>, String> {
    let settings = resolve(&Scope::new(model, head), settings, (model, head))?;
    let count = |site| site::count(&settings, site);
    Ok(model.sites.iter().map(|site| if is_target(&settings, site.group) { count(site) } else { 0 }).collect())
}

/// The settings with every target under the model's own name for it. Where the recipe gives a count, the rank whose
/// number of trainable parameters is nearest to it.
fn resolve(scope: &Scope, settings: &recipe::Method, (model, head): (&Model, u64)) -> Result<recipe::Method, String> {
    if !settings.density.is_empty() {
        return Err(
            "method.density does not go with method.kind \"lora\", which trains a product of method.rank on each of \
                    its targets; leave it out, or take \"sparta\""
                .into(),
        );
    }
    let mut settings = scope.resolve(settings)?;
    if settings.trainable > 0 {
        let count = |rank: usize| {
            let settings = recipe::Method { rank, ..settings.clone() };
            let targets = model.sites.iter().filter(|site| is_target(&settings, site.group));
            head + targets.map(|site| site::count(&settings, site)).sum::<u64>()
        };
        // Scalars that train at rank 0, and scalars that each rank adds.
        let (none, one) = (count(0), count(1));
        let (wanted, each) = (settings.trainable.saturating_sub(none), (one - none).max(1));
        let rank = usize::try_from((wanted + each / 2) / each).unwrap_or(LARGEST);
        settings.rank = rank.clamp(1, LARGEST);
    }
    let targets = model.sites.iter().filter(|site| is_target(&settings, site.group));
    let trained = targets.map(|site| site::count(&settings, site)).sum();
    refuse_more_than_the_model("lora", trained, model)?;
    Ok(settings)
}

/// The largest rank that a recipe accepts.
const LARGEST: usize = 1 << 16;

impl Lora {
    /// Adds a product that is zero (B = 0) to every target of the model.
    ///
    /// # Errors
    /// One sentence: a target that the model does not have, or settings of another method.
    #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
    pub fn new(settings: &recipe::Method, model: &Model, head: &Head) -> Result<Self, String> {
        let scope = Scope::new(model, head.parameters());
        let settings = resolve(&scope, settings, (model, head.parameters()))?;
        let site = |site| tch::no_grad(|| Adapted::new(&settings, site));
        let sites: Vec<Option<Adapted>> =
            model.sites.iter().map(|one| is_target(&settings, one.group).then(|| site(one))).collect();
        sites.iter().flatten().for_each(Adapted::enter);
        let trained: u64 = sites.iter().flatten().map(Adapted::count).sum();
        let (trained, all) =
            ((trained + head.parameters()) as f64, (model.base_parameters() + head.parameters()) as f64);
        Ok(Self {
            adapted: sites.iter().map(Option::is_some).collect(),
            sparsity: (1.0 - trained / all).max(0.0),
            head: head.parameters(),
            settings,
            scope,
            sites,
            noise: None,
        })
    }

    fn present(&self) -> impl Iterator<Item = &Adapted> {
        self.sites.iter().flatten()
    }

    /// The factors of each adapted site, with the index of the site.
    #[must_use]
    pub fn factors(&self) -> Vec<(usize, Factors)> {
        let numbered = self.sites.iter().enumerate();
        numbered.filter_map(|(at, site)| Some((at, site.as_ref()?.factors()))).collect()
    }
}

impl Collector for Lora {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn begin_pass(&mut self, step: u64, micro_batch: u64) {
        let key = derive_key(self.settings.seed, "lora noise", "");
        self.noise = (self.settings.dropout > 0.0).then(|| mix(mix(key ^ step) ^ micro_batch));
    }

    fn noise(&self, pass: u64) -> Option<u64> {
        self.noise.map(|key| if pass == 0 { key } else { mix(key ^ pass) })
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        tch::no_grad(|| {
            for (tap, output_gradient) in taps.iter().zip(output_gradients) {
                if let Some(site) = &mut self.sites[tap.site] {
                    site.collect(tap, output_gradient);
                }
            }
        });
    }
}

impl Method for Lora {
    fn squared_gradient_norm(&self) -> f64 {
        squared_norm(self.present().flat_map(Adapted::gradients))
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        tch::no_grad(|| self.sites.iter_mut().flatten().for_each(|site| site.update(optimizer, rate, scale, step)));
    }

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        Err("method.kind \"lora\" has no sparsity to set: method.rank says how much trains, and holds for a whole run; start \
             another one with another rank, or change the learning rate"
            .into())
    }

    fn remark(&self) -> Option<String> {
        let trained = self.trainable() + self.head;
        nearest_size(("rank", self.settings.rank), self.settings.trainable, trained)
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        (self.sparsity, self.sparsity)
    }

    fn trainable(&self) -> u64 {
        self.present().map(Adapted::count).sum()
    }

    fn footprint(&self) -> Footprint {
        Footprint { deltas: 4 * self.trainable(), moments: 8 * self.trainable() }
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = self.scope.groups.clone();
        for group in &mut groups {
            group.targeted = is_target(&self.settings, &group.name);
            let mut whole = (0.0, 0);
            let mut by_layer = vec![(0.0, 0); group.layers.len()];
            for site in self.present().filter(|site| site.group == group.name) {
                let (squares, scalars) = site.squares();
                whole = (whole.0 + squares, whole.1 + scalars);
                let layer = &mut by_layer[site.layer];
                *layer = (layer.0 + squares, layer.1 + scalars);
                group.trainable += site.count();
                group.by_layer[site.layer] += site.count();
                group.layers[site.layer].trainable += site.count();
            }
            group.delta_rms = root_mean(whole.0, whole.1);
            for (layer, of_layer) in group.layers.iter_mut().zip(by_layer) {
                layer.delta_rms = root_mean(of_layer.0, of_layer.1);
            }
        }
        groups
    }

    fn export(&self) -> Learned {
        Learned::LowRank(self.factors())
    }

    fn start_from(&mut self, learned: &Learned) -> Result<(), String> {
        let Learned::LowRank(factors) = learned else { return Err("it holds no factors of low rank".into()) };
        let given = |at: usize| factors.iter().find(|(site, _)| *site == at).map(|(_, factors)| factors);
        if let Some((stranger, _)) =
            factors.iter().find(|(site, _)| !self.sites.get(*site).is_some_and(Option::is_some))
        {
            let group = self.scope.group_of(*stranger);
            return Err(format!("it adapts {group} too; take method.targets as it has them"));
        }
        for (at, site) in self.sites.iter().enumerate() {
            let Some(site) = site else { continue };
            let given = given(at)
                .ok_or_else(|| format!("it does not adapt {}; take method.targets as it has them", site.name))?;
            site.check(given)?;
        }
        tch::no_grad(|| {
            for (at, site) in self.sites.iter_mut().enumerate() {
                site.iter_mut().zip(given(at)).for_each(|(site, factors)| site.start_from(factors));
            }
        });
        Ok(())
    }

    fn state(&self) -> State {
        let named = self.present().flat_map(Adapted::named);
        State { sites: Vec::new(), tensors: named.map(|(name, tensor)| Dense::new(name, &tensor)).collect() }
    }

    fn restore(&mut self, state: &State, _: &recipe::Method, _: u64) -> Result<(), String> {
        copy_named(self.present().flat_map(Adapted::named).collect(), &state.tensors)?;
        self.clear_gradients();
        tch::no_grad(|| self.sites.iter_mut().flatten().for_each(Adapted::refresh_overlay));
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        let copied = self.present().map(Adapted::copied);
        copied.map(|(slot, addition)| Patch::Overlay(slot, Box::new(addition))).collect()
    }

    fn patches_of(&self, state: &State, _: u64) -> Result<Vec<Patch>, String> {
        let copied = self.present().map(|site| tch::no_grad(|| site.copied_from(&state.tensors)));
        copied.map(|copied| copied.map(|(slot, addition)| Patch::Overlay(slot, Box::new(addition)))).collect()
    }

    fn clear_gradients(&mut self) {
        self.sites.iter_mut().flatten().for_each(Adapted::clear_gradients);
    }

    fn leave(&mut self) {
        self.present().for_each(Adapted::leave);
    }

    fn enter(&mut self) {
        self.present().for_each(Adapted::enter);
    }
}
