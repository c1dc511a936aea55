//! `SpaRTA` (arXiv 2502.15975): a random set of single scalars trains, and the rest is frozen. Other selections choose
//! the set by magnitude or by gradient.
//!
//! Most of what trains are the model's sites, whose gradients come from taps. Biases, norms, embeddings and the
//! language-model head may be targets too, and single rows of the matrices of tokens may train in full, as in peft-sparta;
//! their dense gradients are computed, and gathered at once.

mod choose;
mod defined;
mod dropout;
mod gathered;

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use choose::AT_A_TIME;
pub(super) use defined::{Defined, deltas};
use gathered::Gathered;

use super::dynamic::Candidates;
use super::scope::{Scope, is_other, is_target};
use super::state::check;
use super::{Collector, Dense, Learned, Method, Part, Patch, Plan, State, frozen_group};
use spartui_facts::permutation::derive_key;
use spartui_facts::protocol::Group;
use spartui_facts::recipe::{self, Rounding, Selection as By};
use spartui_model::{Head, Model, Stage, Tap};
use spartui_sparse::gradient::{self, Product};
use spartui_sparse::{Cast, Delta, Footprint, Optimizer, Resized, Saved, Selection, squared_norm};

/// `SpaRTA` on one model.
#[derive(Debug)]
pub struct Sparta {
    settings: recipe::Method,
    scope: Scope,
    /// The model's sites, then its other parameters.
    sites: Vec<Adapted>,
    /// For each of them, whether at least one scalar trains.
    active: Vec<bool>,
    /// Number of the model's sites.
    tapped: usize,
    /// For each parameter of the model, whether its dense gradient is needed.
    needs_gradient: Vec<bool>,
    /// The trained values, while they are removed from the model; see [`Method::leave`].
    away: Vec<Patch>,
    /// The trained values without dropout, while deltas are dropped; see [`dropout`].
    complete: Vec<Patch>,
}

/// One site of the model, or another of its parameters, with its deltas.
#[derive(Debug)]
struct Adapted {
    name: String,
    group: &'static str,
    /// Its block, if it is in one.
    layer: Option<usize>,
    transposed: bool,
    /// For a parameter that is no site.
    parameter: Option<Gathered>,
    /// Flat; shares its memory with the model's.
    weight: Tensor,
    delta: Delta,
    gradients: Option<Vec<Tensor>>,
    /// The dropout mask of each cohort, while deltas are dropped.
    masks: Vec<Tensor>,
    /// The change that the site's gradient selects, until it is applied.
    scored: Option<choose::Scored>,
    candidates: Option<Candidates>,
}

/// The group of the rows of tokens that train.
const TOKENS: &str = "tokens";

/// Prefix of the names of candidates' gradient sums in a checkpoint; the step at which they were drawn and the site
/// follow.
const CANDIDATES: &str = "candidates.";

impl Sparta {
    /// `SpaRTA` with the selection of the settings, before any training. A selection by gradients is made later, by
    /// [`Method::apply`], once the gradients are scored.
    ///
    /// # Errors
    /// One sentence: a target that the model does not have, a sparsity outside its bounds.
    pub fn new(settings: &recipe::Method, model: &Model, head: &Head, betas: [f64; 2]) -> Result<Self, String> {
        let scope = Scope::with_others(model, head.parameters());
        let adapted = |name: &str, group, weight: &Tensor| {
            let order = Selection::new(settings.seed, name, weight.numel() as u64);
            Adapted {
                name: name.to_owned(),
                group,
                layer: None,
                transposed: false,
                parameter: None,
                weight: weight.view(-1),
                delta: Delta::new(weight, order),
                gradients: None,
                masks: Vec::new(),
                scored: None,
                candidates: None,
            }
        };
        let sites = model.sites.iter().map(|site| Adapted {
            layer: Some(site.layer),
            transposed: site.transposed,
            ..adapted(&site.name, site.group, &site.weight)
        });
        let resolved = scope.resolve(settings)?;
        let (rows, trains_rows) = (scope.rows(&resolved)?, scope.trains_rows(&resolved));
        let gathered = |place: usize, group, rows: Option<&[i64]>| {
            let parameter = &model.parameters[place];
            let handle = parameter.tensor.shallow_clone();
            let layer = if let Stage::Block(layer) = parameter.stage { Some(layer) } else { None };
            let mut adapted = Adapted {
                layer,
                parameter: Some(Gathered { place, handle, rows: rows.is_some() }),
                ..adapted(&parameter.name, if rows.is_some() { TOKENS } else { group }, &parameter.tensor.detach())
            };
            if let Some(rows) = rows {
                adapted.join_rows(rows);
            }
            adapted
        };
        let others = (model.sites.len()..).zip(scope.others()).map(|(number, &place)| {
            let rows = trains_rows[number].then_some(rows.as_slice());
            gathered(place, scope.group_of(number), rows)
        });
        let sites: Vec<Adapted> = sites.chain(others).collect();
        let mut sparta = Self {
            settings: settings.clone(),
            active: vec![false; sites.len()],
            tapped: model.sites.len(),
            needs_gradient: vec![false; model.parameters.len()],
            sites,
            scope,
            away: Vec::new(),
            complete: Vec::new(),
        };
        if settings.selection == By::Gradient {
            // Nothing trains before the gradients are scored.
            let counts = sparta.counts(&resolved)?;
            sparta.refuse_to_score(&resolved, &counts)?;
            sparta.settings = resolved;
        } else {
            sparta.apply(settings, 0, betas)?;
        }
        Ok(sparta)
    }
}

impl Collector for Sparta {
    fn adapted(&self) -> &[bool] {
        &self.active[..self.tapped]
    }

    fn needs_gradient(&self) -> &[bool] {
        &self.needs_gradient
    }

    fn collect_parameter(&mut self, parameter: usize, gradient: &Tensor) {
        self.gather(parameter, gradient);
    }

    fn begin_pass(&mut self, step: u64, micro_batch: u64) {
        self.drop_deltas(step, micro_batch);
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        let products = taps.iter().zip(output_gradients).map(|(tap, output_gradient)| {
            let site = &self.sites[tap.site];
            // The gradient of a transposed weight is the product with input and output gradient swapped.
            let (input, output_gradient) =
                if site.transposed { (output_gradient, &tap.input) } else { (&tap.input, output_gradient) };
            let candidates = site.candidates.iter().map(|candidates| &candidates.indices);
            Product { input, output_gradient, indices: site.delta.indices().chain(candidates).collect() }
        });
        let gradients = gradient::sampled_together(&products.collect::<Vec<_>>());
        for (tap, mut gradients) in taps.iter().zip(gradients) {
            let site = &mut self.sites[tap.site];
            // The gradient of the candidates comes last.
            if let Some(candidates) = &mut site.candidates
                && let Some(gradient) = gradients.pop()
            {
                candidates.gradient = Some(add(candidates.gradient.take(), gradient));
            }
            site.collect(gradients);
        }
    }
}

impl Method for Sparta {
    fn squared_gradient_norm(&self) -> f64 {
        squared_norm(self.sites.iter().filter_map(|site| site.gradients.as_ref()).flatten())
    }

    fn prepare(&mut self, _: u64, _: u64) -> f64 {
        self.restore_dropped();
        0.0
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
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
        Delta::update_together(deltas, optimizer, (rate, scale), step, cast);
        self.sites.iter_mut().filter_map(|site| site.candidates.as_mut()).for_each(Candidates::add);
    }

    fn sites_to_measure(&mut self, settings: &recipe::Method) -> Result<Vec<Vec<usize>>, String> {
        let settings = self.scope.resolve(settings)?;
        Ok(self.rounds_to_measure(settings.selection, &self.counts(&settings)?))
    }

    fn collect_gradient(&mut self, settings: &recipe::Method, site: usize, gradient: &Tensor) {
        self.score_site(settings, site, gradient);
    }

    fn evolve(&mut self, step: u64, of: u64, betas: [f64; 2]) {
        self.regrow(step, of, betas);
    }

    fn plan(&self, settings: &recipe::Method) -> Result<Plan, String> {
        let mut plan = Plan::default();
        for (site, count) in self.sites.iter().zip(self.counts(&self.scope.resolve(settings)?)?) {
            plan.trainable += count;
            plan.change.joined += count.saturating_sub(site.delta.count());
            plan.change.left += site.delta.count().saturating_sub(count);
        }
        Ok(plan)
    }

    fn apply(&mut self, settings: &recipe::Method, step: u64, betas: [f64; 2]) -> Result<Resized, String> {
        let settings = self.scope.resolve(settings)?;
        let counts = self.counts(&settings)?;
        self.refuse_to_score(&settings, &counts)?;
        let total = self.resize(&settings, &counts, step, betas)?;
        self.clear_gradients();
        self.activate(&counts);
        self.settings = settings;
        self.draw_candidates(step);
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
        self.sites.iter().fold(Footprint::default(), |sum, site| {
            let (part, candidates) = (site.delta.footprint(), site.candidates.as_ref().map_or(0, Candidates::bytes));
            Footprint { deltas: sum.deltas + part.deltas + candidates, moments: sum.moments + part.moments }
        })
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = self.scope.groups.clone();
        // Groups of other parameters are listed where they train.
        groups.retain(|group| !is_other(&group.name) || is_target(&self.settings, &group.name));
        let rows = || self.sites.iter().filter(|site| site.trains_rows());
        if rows().next().is_some() {
            let scalars = rows().map(|site| site.delta.count()).sum();
            let layers = groups.first().map_or(0, |group| group.layers.len());
            groups.push(Group { targeted: true, whole: true, ..frozen_group(TOKENS, scalars, layers) });
        }
        for group in &mut groups {
            let mut whole = Survival::default();
            let mut by_layer = vec![Survival::default(); group.layers.len()];
            for site in self.sites.iter().filter(|site| site.group == group.name) {
                group.trainable += site.delta.count();
                let survival = Survival::of(&site.delta);
                whole.add(survival);
                if let Some(layer) = site.layer {
                    group.by_layer[layer] += site.delta.count();
                    group.layers[layer].trainable += site.delta.count();
                    by_layer[layer].add(survival);
                    if site.parameter.is_some() {
                        group.layers[layer].parameters += site.delta.scalars();
                    }
                }
            }
            group.targeted = group.whole || is_target(&self.settings, &group.name);
            group.density = self.settings.density.get(&group.name).copied();
            (group.surviving, group.delta_rms) = (whole.share(), whole.rms());
            for (layer, survival) in group.layers.iter_mut().zip(by_layer) {
                (layer.surviving, layer.delta_rms) = (survival.share(), survival.rms());
            }
        }
        groups
    }

    fn export(&self) -> Learned {
        let saved = self.sites.iter().map(|site| (site.name.clone(), site.delta.save()));
        Learned::Sparse(saved.filter(|(_, parts)| !parts.is_empty()).collect())
    }

    fn state(&self) -> State {
        let stochastic = self.settings.rounding == Rounding::Stochastic;
        let sites = self.sites.iter().map(|site| {
            let exact = stochastic && site.weight.kind() == Kind::BFloat16;
            let parts = site.delta.save().into_iter().map(|saved| Part::new(saved, &site.weight, exact)).collect();
            (site.name.clone(), parts)
        });
        let candidates = self.sites.iter().filter_map(|site| {
            let Candidates { drawn, sum, .. } = site.candidates.as_ref()?;
            Some(Dense::new(format!("{CANDIDATES}{drawn}.{}", site.name), sum))
        });
        State {
            sites: sites.filter(|(_, parts): &(_, Vec<Part>)| !parts.is_empty()).collect(),
            tensors: candidates.collect(),
        }
    }

    fn restore(&mut self, state: &State, settings: &recipe::Method, step: u64) -> Result<(), String> {
        let settings = self.scope.resolve(settings)?;
        let counts = self.counts(&settings)?;
        let given: BTreeMap<&str, &Vec<Part>> =
            state.sites.iter().map(|(name, parts)| (name.as_str(), parts)).collect();
        if let Some(stranger) = given.keys().find(|name| !self.sites.iter().any(|site| site.name == ***name)) {
            return Err(format!("the model has no weight {}", stranger.escape_debug()));
        }
        let none = Vec::new();
        let parts = |site: &Adapted| *given.get(site.name.as_str()).unwrap_or(&&none);
        for (site, &count) in self.sites.iter().zip(&counts) {
            site.check(parts(site), count, &settings, step).map_err(|why| format!("{}: {why}", site.name))?;
        }
        let sums = sums(&state.tensors);
        for (site, &count) in self.sites.iter().zip(&counts).filter(|(site, _)| !site.trains_rows()) {
            let wanted = defined::candidates(&settings, count, site.delta.scalars());
            match sums.get(site.name.as_str()) {
                None if wanted == 0 => {}
                Some((drawn, sum)) if sum.numel() as u64 == wanted && *drawn <= step => {}
                _ => return Err(format!("{}: it holds other candidates than the settings ask for", site.name)),
            }
        }
        let cast = match settings.rounding {
            Rounding::Nearest => Cast::Nearest,
            // The saved bits are written over these values.
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
            site.scored = None;
            debug_assert_eq!(site.delta.count(), count);
            // The candidates follow from the step at which they were drawn, since no scalar has joined or left since
            // then.
            site.candidates = sums.get(site.name.as_str()).and_then(|(drawn, sum)| {
                let share = settings.regrow_share;
                let mut candidates = Candidates::draw(settings.seed, &site.name, &site.delta, share, *drawn)?;
                candidates.sum.copy_(sum);
                Some(candidates)
            });
        }
        self.activate(&counts);
        self.settings = settings;
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        self.sites.iter().flat_map(|site| site.delta.patches()).map(Patch::Weight).collect()
    }

    fn patches_of(&self, state: &State, step: u64) -> Result<Vec<Patch>, String> {
        let mut patches = Vec::new();
        for (name, parts) in &state.sites {
            let site = self.sites.iter().find(|site| site.name == *name);
            let site = site.ok_or_else(|| format!("the model has no weight {}", name.escape_debug()))?;
            check(parts, site.weight.numel() as u64, step).map_err(|why| format!("{name}: {why}"))?;
            for part in parts {
                patches.push(Patch::Weight(site.delta.patch_of(&part.to_saved(), part.written(&site.weight))));
            }
        }
        Ok(patches)
    }

    fn clear_gradients(&mut self) {
        self.restore_dropped();
        for site in &mut self.sites {
            site.gradients = None;
            site.candidates.iter_mut().for_each(|candidates| candidates.gradient = None);
        }
    }

    fn leave(&mut self) {
        if self.away.is_empty() {
            self.away = self.patches();
            tch::no_grad(|| self.away.iter().for_each(Patch::revert));
        }
        self.ask_for_gradients(false);
    }

    fn enter(&mut self) {
        let away = std::mem::take(&mut self.away);
        tch::no_grad(|| away.iter().for_each(Patch::apply));
        self.ask_for_gradients(true);
    }
}

/// Adds a gradient to an optional sum.
fn add(sum: Option<Tensor>, gradient: Tensor) -> Tensor {
    match sum {
        None => gradient,
        Some(mut sum) => {
            sum += gradient;
            sum
        }
    }
}

/// The gradient sums of candidates by site, each with the step at which the candidates were drawn.
fn sums(tensors: &[Dense]) -> BTreeMap<&str, (u64, Tensor)> {
    let named = tensors.iter().filter_map(|dense| {
        let (drawn, site) = dense.name.strip_prefix(CANDIDATES)?.split_once('.')?;
        Some((site, (drawn.parse().ok()?, Tensor::from_slice(&dense.values))))
    });
    named.collect()
}

/// Statistics of deltas and of the cast to the weights' type.
#[derive(Debug, Clone, Copy, Default)]
struct Survival {
    /// Deltas that are not zero.
    nonzero: u64,
    /// Deltas that change the weight after the cast.
    surviving: u64,
    /// Sum of the squares of all deltas.
    squares: f64,
    /// All deltas, those of retired scalars too.
    deltas: u64,
}

impl Survival {
    fn of(delta: &Delta) -> Self {
        let (nonzero, surviving, squares) = delta.survival();
        Self { nonzero, surviving, squares, deltas: delta.count() + delta.retired() }
    }

    fn add(&mut self, other: Self) {
        self.nonzero += other.nonzero;
        self.surviving += other.surviving;
        self.squares += other.squares;
        self.deltas += other.deltas;
    }

    /// Share of the nonzero deltas that survive the cast; none where there are none.
    #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
    fn share(&self) -> Option<f64> {
        (self.nonzero > 0).then(|| self.surviving as f64 / self.nonzero as f64)
    }

    /// Root mean square of the deltas.
    #[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
    fn rms(&self) -> f64 {
        if self.deltas == 0 { 0.0 } else { (self.squares / self.deltas as f64).sqrt() }
    }
}

impl Adapted {
    /// Adds the gradients of the trained scalars.
    fn collect(&mut self, mut gradients: Vec<Tensor>) {
        for (gradient, mask) in gradients.iter_mut().zip(&self.masks) {
            *gradient = &*gradient * mask;
        }
        self.gradients = Some(match self.gradients.take() {
            None => gradients,
            Some(sum) => sum.into_iter().zip(gradients).map(|(sum, gradient)| add(Some(sum), gradient)).collect(),
        });
    }

    /// Checks that a state fits this site with `count` trainable scalars. The error says what is wrong.
    fn check(&self, parts: &[Part], count: u64, settings: &recipe::Method, step: u64) -> Result<(), String> {
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
        // Other selections depend on more than the settings.
        let is_drawn = settings.selection == By::Random && !self.trains_rows();
        if is_drawn && training != Selection::new(settings.seed, &self.name, scalars).indices(0..count) {
            return Err("its scalars are not those that the seed selects".into());
        }
        Ok(())
    }
}
