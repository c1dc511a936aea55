//! Methods that train small dense tensors inside overlays: the weights stay frozen, and autograd computes the gradients.
//!
//! A kind of method is one [`Kind`]: the function that designs it for a model, and the setting that says how much
//! trains. Its design lists the tensors and gives each layer a [`Layer`], which computes the layer's output from them.
//! Everything else is done here, once.

mod adamix;
mod design;
mod ether;
mod finegates;
mod ia3;
mod kind;
mod loretta;
mod lorta;
mod melora;
mod placed;
mod vera;

use tch::Tensor;

pub(super) use self::adamix::ADAMIX;
use self::design::{Design, Penalty};
pub(super) use self::ether::{ETHER, ETHER_PLUS};
pub(super) use self::finegates::FINEGATES;
pub(super) use self::ia3::IA3;
use self::kind::Kind;
pub(super) use self::loretta::LORETTA;
pub(super) use self::lorta::LORTA;
pub(super) use self::melora::MELORA;
use self::placed::{Bound, Placed};
pub(super) use self::vera::VERA;
use super::leaf::Leaf;
use super::scope::{Scope, is_target, root_mean};
use super::state::copy_named;
use super::{Collector, Dense, Learned, Method, OwnTensors, Passes, Patch, Plan, Shape, State};
use spartui_facts::permutation::{derive_key, mix};
use spartui_facts::protocol::Group;
use spartui_facts::recipe;
use spartui_model::{Head, Model, Slot, Tap};
use spartui_sparse::{Footprint, Optimizer, squared_norm};

/// A method of this form, in training on one model.
#[derive(Debug)]
pub(super) struct Overlaid {
    kind: Kind,
    settings: recipe::Method,
    scope: Scope,
    design: Design,
    /// One for each tensor of the design; the ones that do not train have no gradient and no moments.
    leaves: Vec<Leaf>,
    /// The values of the leaves before training.
    start: Vec<Tensor>,
    /// Whether the tensors that do not train were replaced by those of an adapter.
    replaced: bool,
    /// The slot of each layer of the design.
    slots: Vec<Slot>,
    /// Layer and group of each site.
    sites: Vec<(usize, &'static str)>,
    registers_leaves: Vec<bool>,
    sparsity: f64,
    head: u64,
    noise: Option<u64>,
}

impl Overlaid {
    /// Draws the tensors, and puts an overlay on each target of the model.
    ///
    /// # Errors
    /// One sentence: a target that the model does not have, or one that the method does not fit.
    #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
    pub fn new(kind: Kind, settings: &recipe::Method, model: &Model, head: &Head) -> Result<Self, String> {
        let (scope, settings, design) = kind.design(settings, model, head.parameters())?;
        let tensors = design.draw(kind.name, settings.seed, model);
        let leaves: Vec<Leaf> = design
            .tensors
            .iter()
            .zip(tensors)
            .map(|(tensor, value)| Leaf::new(if tensor.trains { value.set_requires_grad(true) } else { value }))
            .collect();
        let mut registers_leaves = vec![false; model.sites.len()];
        design.layers.iter().for_each(|layer| registers_leaves[layer.site] = true);
        let (trained, all) = (design.trainable() + head.parameters(), model.base_parameters() + head.parameters());
        let method = Self {
            kind,
            scope,
            start: leaves.iter().map(|leaf| leaf.value.detach().copy()).collect(),
            leaves,
            replaced: false,
            slots: design.layers.iter().map(|layer| model.sites[layer.site].overlay.clone()).collect(),
            sites: model.sites.iter().map(|site| (site.layer, site.group)).collect(),
            registers_leaves,
            sparsity: (1.0 - trained as f64 / all as f64).max(0.0),
            head: head.parameters(),
            settings,
            design,
            noise: None,
        };
        method.put_overlays();
        Ok(method)
    }

    /// The number, the tensor and its leaf of each tensor that trains.
    fn trained(&self) -> impl Iterator<Item = (usize, &Leaf)> {
        let numbered = self.leaves.iter().enumerate();
        numbered.filter(|(number, _)| self.design.tensors[*number].trains)
    }

    fn put_overlays(&self) {
        let values: Vec<Tensor> = self.leaves.iter().map(|leaf| leaf.value.shallow_clone()).collect();
        for (slot, placed) in self.slots.iter().zip(self.placed(&values)) {
            slot.set(Some(Box::new(placed)));
        }
    }

    /// The overlays, made from these values of the design's tensors.
    fn placed(&self, values: &[Tensor]) -> Vec<Placed> {
        self.design.placed(values)
    }

    /// The overlays in patches; they share no memory with the leaves.
    fn patches_from(&self, values: &[Tensor]) -> Vec<Patch> {
        let placed = self.placed(values).into_iter().map(|placed| Box::new(placed) as Box<_>);
        self.slots.iter().zip(placed).map(|(slot, placed)| Patch::Overlay(slot.clone(), placed)).collect()
    }

    fn values(&self) -> Vec<Tensor> {
        self.leaves.iter().map(|leaf| leaf.value.detach().copy()).collect()
    }

    /// The tensors that a checkpoint holds, by name.
    fn named(&self) -> Vec<(String, Tensor)> {
        let mut named = Vec::new();
        for (tensor, leaf) in self.design.tensors.iter().zip(&self.leaves) {
            let name = format!("{}.{}", self.kind.name, tensor.name);
            if tensor.trains {
                named.extend(leaf.named(&name));
            } else if self.replaced {
                named.push((format!("{name}.value"), leaf.value.shallow_clone()));
            }
        }
        named
    }

    fn own(&self, values: &[Tensor]) -> OwnTensors {
        let tensors = self.design.tensors.iter().zip(values);
        let tensors = tensors.map(|(tensor, value)| Dense::new(tensor.name.clone(), value)).collect();
        OwnTensors { settings: self.kind.written_settings(&self.settings), tensors }
    }
}

impl Collector for Overlaid {
    fn adapted(&self) -> &[bool] {
        &[]
    }

    fn passes(&self) -> Passes {
        self.design.terms.consistency.map_or(Passes::One, |consistency| Passes::Two { consistency })
    }

    fn begin_pass(&mut self, step: u64, micro_batch: u64) {
        let key = derive_key(self.settings.seed, "overlay noise", "");
        self.noise = self.design.draws.then(|| mix(mix(key ^ step) ^ micro_batch));
    }

    fn noise(&self, pass: u64) -> Option<u64> {
        self.noise.map(|key| if pass == 0 { key } else { mix(key ^ pass) })
    }

    fn registers_leaves(&self) -> &[bool] {
        &self.registers_leaves
    }

    fn collect_leaf(&mut self, leaf: usize, gradient: &Tensor) {
        let leaf = &mut self.leaves[leaf];
        leaf.collect(gradient.to_kind(leaf.value.kind()));
    }

    fn collect(&mut self, _: &[Tap], _: &[Tensor]) {}
}

impl Method for Overlaid {
    fn squared_gradient_norm(&self) -> f64 {
        squared_norm(self.leaves.iter().filter_map(|leaf| leaf.gradient.as_ref()))
    }

    fn prepare(&mut self, step: u64, _: u64) -> f64 {
        let Some(Penalty { value, start }) = &self.design.terms.penalty else { return 0.0 };
        if step < *start {
            return 0.0;
        }
        let trained: Vec<usize> = self.trained().map(|(number, _)| number).collect();
        let leaves: Vec<Tensor> = self.leaves.iter().map(|leaf| leaf.value.shallow_clone()).collect();
        let penalty = tch::with_grad(|| value(&leaves));
        let inputs: Vec<&Tensor> = trained.iter().map(|&number| &leaves[number]).collect();
        // Leaves that are no part of the penalty are added with a factor of 0, since each must be a part of the graph.
        let scalar = tch::with_grad(|| {
            let nothing = inputs.iter().map(|leaf| leaf.sum(leaf.kind()) * 0.0);
            nothing.fold(penalty.shallow_clone(), |sum, nothing| sum + nothing)
        });
        let gradients = Tensor::run_backward(&[&scalar], &inputs, false, false);
        tch::no_grad(|| {
            for (number, gradient) in trained.into_iter().zip(gradients) {
                self.leaves[number].collect(gradient);
            }
        });
        penalty.detach().to_kind(tch::Kind::Double).double_value(&[])
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        tch::no_grad(|| {
            for (tensor, leaf) in self.design.tensors.iter().zip(&mut self.leaves) {
                let weight_decay = if tensor.decays { optimizer.weight_decay } else { 0.0 };
                leaf.update(&Optimizer { weight_decay, ..*optimizer }, rate, scale, step);
            }
        });
    }

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        Err(format!(
            "method.kind \"{}\" has no sparsity to set: what trains holds for a whole run; start another one with other \
             settings, or change the learning rate",
            self.kind.name
        ))
    }

    fn configure(&mut self, settings: &recipe::Method) {
        let Some(live) = &self.kind.live else { return };
        (live.copy)(settings, &mut self.settings);
        self.design.terms = (live.terms)(&self.settings, &self.design);
    }

    fn remark(&self) -> Option<String> {
        self.kind.remark(&self.settings, self.trainable() + self.head)
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        (self.sparsity, self.sparsity)
    }

    fn trainable(&self) -> u64 {
        self.design.trainable()
    }

    fn footprint(&self) -> Footprint {
        Footprint { deltas: 4 * self.trainable(), moments: 8 * self.trainable() }
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = self.scope.groups.clone();
        for group in &mut groups {
            group.targeted = is_target(&self.settings, &group.name);
            let mut all = Mean::default();
            let mut by_layer = vec![Mean::default(); group.layers.len()];
            for (number, leaf) in self.trained() {
                let (layer, name) = self.sites[self.design.tensors[number].site];
                if name != group.name {
                    continue;
                }
                let squares = (&leaf.value.detach() - &self.start[number]).square().sum(tch::Kind::Double);
                let mean = Mean { squares: squares.double_value(&[]), scalars: leaf.numel() };
                all.add(mean);
                by_layer[layer].add(mean);
                group.trainable += leaf.numel();
                group.by_layer[layer] += leaf.numel();
                group.layers[layer].trainable += leaf.numel();
            }
            group.delta_rms = all.root();
            for (layer, mean) in group.layers.iter_mut().zip(by_layer) {
                layer.delta_rms = mean.root();
            }
        }
        groups
    }

    fn export(&self) -> Learned {
        let values = self.values();
        match (self.kind.shape)(&self.settings) {
            Shape::LowRank => Learned::LowRank(tch::no_grad(|| self.design.factors(&values))),
            _ => Learned::Own(self.own(&values)),
        }
    }

    fn start_from(&mut self, learned: &Learned) -> Result<(), String> {
        let Learned::Own(own) = learned else {
            return Err("only method.kind \"lora\" starts from factors".into());
        };
        let places = self.design.tensors.iter().zip(&self.leaves);
        copy_named(
            places.map(|(tensor, leaf)| (tensor.name.clone(), leaf.value.shallow_clone())).collect(),
            &own.tensors,
        )?;
        self.replaced = self.design.tensors.iter().any(|tensor| !tensor.trains);
        self.start = self.values();
        Ok(())
    }

    fn state(&self) -> State {
        let named = self.named();
        State {
            sites: Vec::new(),
            tensors: named.iter().map(|(name, tensor)| Dense::new(name.clone(), tensor)).collect(),
        }
    }

    fn restore(&mut self, state: &State, settings: &recipe::Method, _: u64) -> Result<(), String> {
        let frozen = |tensor: &design::TensorPlan| format!("{}.{}.value", self.kind.name, tensor.name);
        let has_frozen = self.design.tensors.iter().filter(|tensor| !tensor.trains).any(|tensor| {
            let name = frozen(tensor);
            state.tensors.iter().any(|dense| dense.name == name)
        });
        let before = std::mem::replace(&mut self.replaced, has_frozen);
        if let Err(why) = copy_named(self.named(), &state.tensors) {
            self.replaced = before;
            return Err(why);
        }
        self.clear_gradients();
        self.configure(settings);
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        self.patches_from(&self.values())
    }

    fn patches_of(&self, state: &State, _: u64) -> Result<Vec<Patch>, String> {
        let values = self.values();
        let named = self.design.tensors.iter().zip(&values).filter(|(tensor, _)| tensor.trains || self.replaced);
        let named =
            named.map(|(tensor, value)| (format!("{}.{}.value", self.kind.name, tensor.name), value.shallow_clone()));
        copy_named(named.collect(), &state.tensors)?;
        Ok(self.patches_from(&values))
    }

    fn clear_gradients(&mut self) {
        self.leaves.iter_mut().for_each(|leaf| leaf.gradient = None);
    }

    fn leave(&mut self) {
        self.slots.iter().for_each(|slot| slot.set(None));
    }

    fn enter(&mut self) {
        self.put_overlays();
    }
}

/// A mean of squares.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    squares: f64,
    scalars: u64,
}

impl Mean {
    fn add(&mut self, other: Self) {
        self.squares += other.squares;
        self.scalars += other.scalars;
    }

    fn root(self) -> f64 {
        root_mean(self.squares, self.scalars)
    }
}

/// The values of tensors, bound to their numbers.
fn bound(values: &[Tensor], numbers: &[usize], trains: impl Fn(usize) -> bool) -> Vec<Bound> {
    let bind = |&number: &usize| Bound { number, tensor: values[number].shallow_clone(), trains: trains(number) };
    numbers.iter().map(bind).collect()
}
