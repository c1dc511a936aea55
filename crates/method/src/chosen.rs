//! Methods that train scalars of the model's own weights which are chosen otherwise than [`super::Sparta`] does: every
//! bias, every norm, or a set that changes from step to step by dense gradients or by the weights.
//!
//! They share the form of what they learn: deltas of single scalars, which a weight holds as `cast(original + delta)`.

mod dst;
mod id3;
mod kind;
mod sara;

use std::collections::BTreeMap;

use tch::{Kind as Type, Tensor};

pub(super) use self::kind::{BITFIT, DST, ID3, Kind, LN_TUNING, SARA};
use self::kind::{Rule, Source};
use super::scope::{Scope, root_mean};
use super::state::{check, copy_named};
use super::{Collector, Dense, Learned, Method, Part, Patch, Plan, State, frozen_group};
use spartui_facts::protocol::Group;
use spartui_facts::recipe::{self, ClassFactors};
use spartui_model::{Head, Model, Stage, Tap};
use spartui_sparse::gradient::{self, Product};
use spartui_sparse::{Cast, Delta, Footprint, Optimizer, Resized, Saved, Selection, squared_norm};

/// A method of this form, in training on one model.
#[derive(Debug)]
pub(super) struct Chosen {
    kind: Kind,
    settings: recipe::Method,
    scope: Scope,
    weights: Vec<Weight>,
    /// The weight of each parameter of the model.
    by_parameter: Vec<Option<usize>>,
    /// The weight of each site of the model.
    by_site: Vec<Option<usize>>,
    needs_gradient: Vec<bool>,
    adapted: Vec<bool>,
    /// All parameters of the model, the head's included, and those of the head.
    parameters: [u64; 2],
    /// The trained values, while they are removed from the model; see [`Method::leave`].
    away: Vec<Patch>,
}

/// A weight of the model with the deltas of its chosen scalars.
#[derive(Debug)]
struct Weight {
    /// Name of the parameter.
    name: String,
    /// Its group; for a parameter that is no site, what its kind of method calls it.
    group: String,
    /// Its block, if it is in one.
    layer: Option<usize>,
    transposed: bool,
    /// The weight itself; shares its memory with the model's.
    values: Tensor,
    /// The model's own handle, which requires a gradient while the method is in the model, where it needs a dense one.
    parameter: Tensor,
    delta: Delta,
    /// The dense gradient, flat, where the rule needs all of it.
    dense: Option<Tensor>,
    /// The gradients of the trained scalars, one tensor for each cohort of the delta.
    gradients: Option<Vec<Tensor>>,
    /// Dense moments, flat, where the rule keeps those of scalars that do not train.
    moments: Option<[Tensor; 2]>,
}

impl Weight {
    fn scalars(&self) -> u64 {
        self.delta.scalars()
    }

    /// Takes over the gradients of the trained scalars from a dense gradient.
    fn gather(&self, dense: &Tensor) -> Vec<Tensor> {
        self.delta.indices().map(|indices| dense.index_select(0, indices)).collect()
    }
}

impl Chosen {
    /// Makes the first scalars of the settings trainable.
    ///
    /// # Errors
    /// One sentence: a target that the model does not have, or a count outside its bounds.
    pub fn new(kind: Kind, settings: &recipe::Method, model: &Model, head: &Head) -> Result<Self, String> {
        let scope = Scope::new(model, head.parameters());
        let settings = kind.resolve(settings, &scope)?;
        let mut method = Self {
            by_parameter: vec![None; model.parameters.len()],
            by_site: vec![None; model.sites.len()],
            needs_gradient: vec![false; model.parameters.len()],
            adapted: vec![false; model.sites.len()],
            parameters: [model.base_parameters() + head.parameters(), head.parameters()],
            weights: Vec::new(),
            away: Vec::new(),
            kind,
            settings,
            scope,
        };
        for place in kind.parameters(&method.settings, model) {
            method.add(model, place);
        }
        if method.weights.is_empty() {
            return Err(format!(
                "method.kind \"{}\": the model has no {} to train; take another method",
                kind.name, kind.trains
            ));
        }
        method.choose_first()?;
        method.ask_for_gradients(true);
        Ok(method)
    }

    /// Adds the parameter at this place among the model's.
    fn add(&mut self, model: &Model, place: usize) {
        let parameter = &model.parameters[place];
        let site = model.sites.iter().position(|site| site.name == parameter.name);
        let number = self.weights.len();
        self.by_parameter[place] = Some(number);
        if let Some(site) = site {
            self.by_site[site] = Some(number);
        }
        match (self.kind.source, site) {
            (Source::Taps, Some(site)) => self.adapted[site] = true,
            _ => self.needs_gradient[place] = true,
        }
        let weight = parameter.tensor.detach();
        let scalars = weight.numel() as u64;
        self.weights.push(Weight {
            name: parameter.name.clone(),
            group: site.map_or_else(|| self.kind.trains.to_owned(), |site| model.sites[site].group.to_owned()),
            layer: match parameter.stage {
                Stage::Block(layer) => Some(layer),
                Stage::Embedding | Stage::Output => None,
            },
            transposed: site.is_some_and(|site| model.sites[site].transposed),
            delta: Delta::new(&weight, Selection::new(self.settings.seed, &parameter.name, scalars)),
            values: weight,
            parameter: parameter.tensor.shallow_clone(),
            dense: None,
            gradients: None,
            moments: None,
        });
    }

    /// Whether autograd computes the dense gradients.
    fn ask_for_gradients(&self, wanted: bool) {
        let places = self.by_parameter.iter().zip(&self.needs_gradient).filter(|(_, needed)| **needed);
        for place in places.filter_map(|(place, _)| *place) {
            let _ = self.weights[place].parameter.shallow_clone().set_requires_grad(wanted);
        }
    }

    fn choose_first(&mut self) -> Result<(), String> {
        match self.kind.rule {
            Rule::All => {
                for weight in &mut self.weights {
                    let all: Vec<i64> = (0..weight.scalars().cast_signed()).collect();
                    weight.delta.join_at(&all, 0);
                }
            }
            Rule::StepByStep => _ = self.budget()?,
            Rule::Farthest => {
                self.budget()?;
                self.start_dst();
            }
            Rule::SmallWeights => self.choose_small()?,
        }
        Ok(())
    }

    /// Number of scalars that may train, without the head.
    fn budget(&self) -> Result<u64, String> {
        Ok(self.scope.counts(&self.settings)?.iter().sum())
    }

    fn named(&self) -> Vec<(String, Tensor)> {
        let moments = self.weights.iter().filter_map(|weight| Some((weight, weight.moments.as_ref()?)));
        let named = moments.flat_map(|(weight, moments)| {
            let name = |what: &str| format!("{}.{}.{what}", self.kind.name, weight.name);
            [(name("first"), moments[0].shallow_clone()), (name("second"), moments[1].shallow_clone())]
        });
        named.collect()
    }

    fn find<'a>(&'a self, name: &str) -> Result<&'a Weight, String> {
        let found = self.weights.iter().find(|weight| weight.name == name);
        found.ok_or_else(|| format!("the method trains no parameter {}", name.escape_debug()))
    }

    /// Adds the weights that are in no group of the model's sites as a group of their own.
    fn own_group(&self, layers: usize) -> Option<Group> {
        let own: Vec<&Weight> = self.weights.iter().filter(|weight| weight.group == self.kind.trains).collect();
        if own.is_empty() {
            return None;
        }
        let parameters = own.iter().map(|weight| weight.scalars()).sum();
        let mut group = Group { targeted: true, whole: true, ..frozen_group(self.kind.trains, parameters, layers) };
        for weight in own {
            if let Some(layer) = weight.layer {
                group.layers[layer].parameters += weight.scalars();
            }
        }
        Some(group)
    }
}

impl Collector for Chosen {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        let places: Vec<usize> = taps.iter().filter_map(|tap| self.by_site[tap.site]).collect();
        let products = taps.iter().zip(output_gradients).zip(&places).map(|((tap, output_gradient), &place)| {
            let weight = &self.weights[place];
            // The gradient of a transposed weight is the product with input and output gradient swapped.
            let (input, output_gradient) =
                if weight.transposed { (output_gradient, &tap.input) } else { (&tap.input, output_gradient) };
            Product { input, output_gradient, indices: weight.delta.indices().collect() }
        });
        let gradients = gradient::sampled_together(&products.collect::<Vec<_>>());
        for (place, gradients) in places.into_iter().zip(gradients) {
            add(&mut self.weights[place].gradients, gradients);
        }
    }

    fn needs_gradient(&self) -> &[bool] {
        &self.needs_gradient
    }

    fn collect_parameter(&mut self, parameter: usize, gradient: &Tensor) {
        let Some(place) = self.by_parameter.get(parameter).copied().flatten() else { return };
        let weight = &mut self.weights[place];
        let gradient = tch::no_grad(|| gradient.to_kind(Type::Float).reshape([-1]));
        if self.kind.source == Source::Dense {
            weight.dense = Some(match weight.dense.take() {
                None => gradient,
                Some(sum) => sum + gradient,
            });
        } else {
            let gathered = weight.gather(&gradient);
            add(&mut weight.gradients, gathered);
        }
    }
}

impl Method for Chosen {
    fn squared_gradient_norm(&self) -> f64 {
        match self.kind.rule {
            // The dense moments take all of it.
            Rule::Farthest => squared_norm(self.weights.iter().filter_map(|weight| weight.dense.as_ref())),
            _ => squared_norm(self.weights.iter().filter_map(|weight| weight.gradients.as_ref()).flatten()),
        }
    }

    fn prepare(&mut self, step: u64, of: u64) -> f64 {
        match self.kind.rule {
            Rule::StepByStep => self.unmask(step, of),
            Rule::SmallWeights => return self.add_nuclear_norm(step),
            Rule::All | Rule::Farthest => {}
        }
        0.0
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        if self.kind.rule == Rule::Farthest {
            tch::no_grad(|| self.update_dst(optimizer, rate, scale, step));
            return;
        }
        let collected: Vec<Option<Vec<Tensor>>> =
            self.weights.iter_mut().map(|weight| weight.gradients.take()).collect();
        let due = self.weights.iter_mut().zip(&collected);
        let due = due.filter_map(|(weight, gradients)| Some((&mut weight.delta, gradients.as_deref()?)));
        tch::no_grad(|| Delta::update_together(due, optimizer, (rate, scale), step, |_, _| Cast::Nearest));
    }

    fn evolve(&mut self, step: u64, of: u64, betas: [f64; 2]) {
        if self.kind.rule == Rule::SmallWeights {
            self.choose_again(step, of, betas);
        }
    }

    fn class_factor(&mut self, factors: ClassFactors) -> f64 {
        // Biases and norms are vectors.
        if self.kind.rule == Rule::All { factors.embedding } else { factors.hidden }
    }

    fn plan(&self, settings: &recipe::Method) -> Result<Plan, String> {
        if !self.kind.live {
            return Err(format!(
                "method.kind \"{}\" has no sparsity to set while it trains; start another run for that",
                self.kind.name
            ));
        }
        let settings = self.kind.resolve(settings, &self.scope)?;
        let (wanted, now) = (self.scope.counts(&settings)?.iter().sum::<u64>(), self.trainable());
        if self.kind.rule == Rule::StepByStep && wanted < now {
            return Err(format!(
                "{now} scalars train already, more than {wanted}, and method.kind \"id3\" lets none go; rewind to an earlier step, \
                 or take {now} or more"
            ));
        }
        let change = Resized { joined: wanted.saturating_sub(now), left: now.saturating_sub(wanted) };
        Ok(Plan { trainable: wanted, change })
    }

    fn apply(&mut self, settings: &recipe::Method, _: u64, _: [f64; 2]) -> Result<Resized, String> {
        // The next step chooses by the new settings.
        let plan = self.plan(settings)?;
        self.settings = self.kind.resolve(settings, &self.scope)?;
        Ok(plan.change)
    }

    fn configure(&mut self, settings: &recipe::Method) {
        self.settings.sara = recipe::Sara { nuclear: settings.sara.nuclear, ..self.settings.sara.clone() };
    }

    fn remark(&self) -> Option<String> {
        match self.kind.rule {
            Rule::StepByStep => Some("scalars join step by step until the last step".into()),
            Rule::SmallWeights if self.settings.sara.threshold > 0.0 => Some(format!(
                "{} weights are smaller than method.sara.threshold {}, which says how many train in place of method.sparsity and \
                 method.trainable",
                self.trainable() + self.retired(),
                self.settings.sara.threshold
            )),
            Rule::All if self.settings.trainable > 0 => Some(without_effect(self.kind.name, self.kind.trains)),
            _ => None,
        }
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        if self.kind.live {
            return self.scope.budget(&self.settings).sparsity_bounds();
        }
        #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
        let sparsity = 1.0 - (self.trainable() + self.parameters[1]) as f64 / self.parameters[0] as f64;
        (sparsity.max(0.0), sparsity.max(0.0))
    }

    fn trainable(&self) -> u64 {
        let now = self.weights.iter().map(|weight| weight.delta.count()).sum();
        // Before the first step nothing is chosen yet; after it, as many as the settings say.
        if self.kind.rule == Rule::Farthest && now == 0 { self.budget().unwrap_or(0) } else { now }
    }

    fn retired(&self) -> u64 {
        self.weights.iter().map(|weight| weight.delta.retired()).sum()
    }

    fn footprint(&self) -> Footprint {
        self.weights.iter().fold(Footprint::default(), |sum, weight| {
            let part = weight.delta.footprint();
            let dense = weight.moments.as_ref().map_or(0, |_| 8 * weight.scalars());
            Footprint { deltas: sum.deltas + part.deltas, moments: sum.moments + part.moments + dense }
        })
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = self.scope.groups.clone();
        let layers = groups.first().map_or(0, |group| group.by_layer.len());
        groups.extend(self.own_group(layers));
        for group in &mut groups {
            let (mut nonzero, mut surviving, mut squares, mut deltas) = (0, 0, 0.0, 0);
            for weight in self.weights.iter().filter(|weight| weight.group == group.name) {
                group.targeted = true;
                let count = weight.delta.count();
                group.trainable += count;
                if let Some(layer) = weight.layer {
                    group.by_layer[layer] += count;
                    group.layers[layer].trainable += count;
                }
                let (of_nonzero, of_surviving, of_squares) = weight.delta.survival();
                nonzero += of_nonzero;
                surviving += of_surviving;
                squares += of_squares;
                deltas += count + weight.delta.retired();
                if let Some(layer) = weight.layer.map(|layer| &mut group.layers[layer]) {
                    layer.surviving = share(of_surviving, of_nonzero);
                    layer.delta_rms = root_mean(of_squares, count + weight.delta.retired());
                }
            }
            (group.surviving, group.delta_rms) = (share(surviving, nonzero), root_mean(squares, deltas));
        }
        groups
    }

    fn export(&self) -> Learned {
        let saved = self.weights.iter().map(|weight| (weight.name.clone(), weight.delta.save()));
        Learned::Sparse(saved.filter(|(_, parts)| !parts.is_empty()).collect())
    }

    fn state(&self) -> State {
        let parts = self.weights.iter().map(|weight| {
            let parts = weight.delta.save().into_iter().map(|saved| Part::new(saved, &weight.values, false)).collect();
            (weight.name.clone(), parts)
        });
        State {
            sites: parts.filter(|(_, parts): &(_, Vec<Part>)| !parts.is_empty()).collect(),
            tensors: self.named().iter().map(|(name, tensor)| Dense::new(name.clone(), tensor)).collect(),
        }
    }

    fn restore(&mut self, state: &State, settings: &recipe::Method, step: u64) -> Result<(), String> {
        let settings = self.kind.resolve(settings, &self.scope)?;
        for (name, parts) in &state.sites {
            check(parts, self.find(name)?.scalars(), step).map_err(|why| format!("{name}: {why}"))?;
        }
        copy_named(self.named(), &state.tensors)?;
        let given: BTreeMap<&str, &Vec<Part>> =
            state.sites.iter().map(|(name, parts)| (name.as_str(), parts)).collect();
        tch::no_grad(|| {
            for weight in &mut self.weights {
                let parts = given.get(weight.name.as_str());
                let saved: Vec<Saved> = parts.into_iter().flat_map(|parts| parts.iter()).map(Part::to_saved).collect();
                weight.delta.restore(&saved, |_| Cast::Nearest);
            }
        });
        self.clear_gradients();
        self.settings = settings;
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        self.weights.iter().flat_map(|weight| weight.delta.patches()).map(Patch::Weight).collect()
    }

    fn patches_of(&self, state: &State, step: u64) -> Result<Vec<Patch>, String> {
        let mut patches = Vec::new();
        for (name, parts) in &state.sites {
            let weight = self.find(name)?;
            check(parts, weight.scalars(), step).map_err(|why| format!("{name}: {why}"))?;
            patches.extend(parts.iter().map(|part| Patch::Weight(weight.delta.patch_of(&part.to_saved(), None))));
        }
        Ok(patches)
    }

    fn clear_gradients(&mut self) {
        for weight in &mut self.weights {
            (weight.dense, weight.gradients) = (None, None);
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

/// A remark where a number of parameters was asked for that nothing can change.
fn without_effect(kind: &str, trains: &str) -> String {
    format!("method.trainable has no effect: method.kind \"{kind}\" trains all {trains}")
}

/// Adds gradients to an optional sum.
fn add(sum: &mut Option<Vec<Tensor>>, gradients: Vec<Tensor>) {
    *sum = Some(match sum.take() {
        None => gradients,
        Some(sum) => sum.into_iter().zip(gradients).map(|(sum, gradient)| sum + gradient).collect(),
    });
}

#[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}
