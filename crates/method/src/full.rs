//! Full fine-tuning: every parameter trains. The baseline for the sparse methods.

use tch::{Kind, Tensor};

use super::definition::{Definition, Needs};
use super::state::copy_named;
use super::{Collector, Dense, Learned, Method, Patch, Plan, Shape, State, untouched_groups};
use spartui_facts::error;
use spartui_facts::protocol::Group;
use spartui_facts::recipe::{self, ClassFactors, MethodKind};
use spartui_model::{Head, Model, Parameter, Stage, Tap};
use spartui_sparse::{Footprint, Optimizer, squared_norm};

/// Scalars of a parameter that are updated at a time, which bounds the temporaries of the update.
const AT_A_TIME: u32 = 1 << 20;

/// The definition of `method.kind = "full"`.
pub(super) struct Defined;

impl Definition for Defined {
    fn build(&self, _: &recipe::Method, model: &Model, _: &Head, _: [f64; 2]) -> error::Result<Box<dyn Method>> {
        Ok(Box::new(Full::new(model)))
    }

    fn counts(&self, _: &recipe::Method, model: &Model, _: u64) -> error::Result<Vec<u64>> {
        Ok(model.sites.iter().map(|site| site.weight.numel() as u64).collect())
    }

    fn needs(&self, _: &recipe::Method, model: &Model, _: &[u64]) -> Needs {
        let all = model.base_parameters();
        let masters = if model.kind.elt_size_in_bytes() < 4 { 4 * all } else { 0 };
        Needs { held: Footprint { deltas: masters, moments: 8 * all }, everything: true, ..Needs::default() }
    }

    fn lighten(&self, recipe: &mut recipe::Method) -> &'static str {
        recipe.kind = MethodKind::Sparta;
        "method.kind = \"sparta\""
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["full."]
    }

    fn shape(&self, _: &recipe::Method) -> Shape {
        Shape::Whole
    }

    fn learned(&self, _: &State, _: &Model, _: u64) -> Option<Result<Learned, String>> {
        Some(Ok(Learned::Whole))
    }
}

/// Every parameter of the model, with `AdamW`. Decay applies to the weights.
#[derive(Debug)]
pub struct Full {
    parameters: Vec<Trained>,
    /// True for every parameter.
    needs_gradient: Vec<bool>,
    groups: Vec<Group>,
}

/// Classes of parameters whose learning rates may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Embedding,
    Hidden,
    Readout,
}

impl Class {
    fn of(parameter: &Parameter, language_head: bool) -> Self {
        match parameter.stage {
            _ if language_head => Self::Readout,
            _ if parameter.tensor.dim() < 2 => Self::Embedding,
            Stage::Embedding => Self::Embedding,
            Stage::Block(_) | Stage::Output => Self::Hidden,
        }
    }
}

#[derive(Debug)]
struct Trained {
    name: String,
    /// The model's own tensor.
    weight: Tensor,
    /// Master copy in `f32`, where the model's type is narrower: small updates would be rounded away there.
    master: Option<Tensor>,
    gradient: Option<Tensor>,
    class: Class,
    /// Factor of the learning rate.
    factor: f64,
    first: Tensor,
    second: Tensor,
}

/// Name of a parameter's value in a checkpoint of full fine-tuning.
#[must_use]
pub fn stored_value(parameter: &str) -> String {
    format!("full.{parameter}.value")
}

impl Full {
    /// Makes every parameter of the model trainable.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let language_head = model.language_parameter();
        let parameters = model.parameters.iter().enumerate().map(|(place, parameter)| {
            // A head that is tied to the embeddings is one of them.
            let is_head = language_head == Some(place) && parameter.stage == Stage::Output;
            let weight = parameter.tensor.shallow_clone().set_requires_grad(true);
            let value = weight.detach();
            let narrow = !matches!(value.kind(), Kind::Float | Kind::Double);
            let wide = if narrow { value.to_kind(Kind::Float) } else { value };
            Trained {
                name: parameter.name.clone(),
                weight,
                gradient: None,
                class: Class::of(parameter, is_head),
                factor: 1.0,
                first: wide.zeros_like(),
                second: wide.zeros_like(),
                master: narrow.then_some(wide),
            }
        });
        let mut groups = untouched_groups(model);
        for group in &mut groups {
            group.trainable = group.parameters;
            group.targeted = true;
            for site in model.sites.iter().filter(|site| site.group == group.name) {
                group.by_layer[site.layer] += site.weight.numel() as u64;
            }
            for layer in &mut group.layers {
                layer.trainable = layer.parameters;
            }
        }
        Self { needs_gradient: vec![true; model.parameters.len()], parameters: parameters.collect(), groups }
    }
}

impl Trained {
    /// Value and moments with their names in a checkpoint.
    fn named(&self) -> [(String, Tensor); 3] {
        let value = self.master.as_ref().unwrap_or(&self.weight);
        [("value", value), ("first", &self.first), ("second", &self.second)]
            .map(|(what, tensor)| (format!("full.{}.{what}", self.name), tensor.detach()))
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        let Some(gradient) = self.gradient.take() else { return };
        let rate = rate * self.factor;
        let flat = |tensor: &Tensor| tensor.detach().reshape([-1]);
        let (weight, value) = (flat(&self.weight), flat(self.master.as_ref().unwrap_or(&self.weight)));
        let (first, second, gradient) = (flat(&self.first), flat(&self.second), flat(&gradient));
        let scalars = gradient.size()[0];
        for from in (0..scalars).step_by(AT_A_TIME as usize) {
            let part = |tensor: &Tensor| tensor.narrow(0, from, (scalars - from).min(i64::from(AT_A_TIME)));
            let gradient = if scale < 1.0 { part(&gradient) * scale } else { part(&gradient) };
            let mut value = part(&value);
            optimizer.update(&mut value, [&mut part(&first), &mut part(&second)], &gradient, rate, step);
            if self.master.is_some() {
                part(&weight).copy_(&value);
            }
        }
    }
}

impl Collector for Full {
    fn adapted(&self) -> &[bool] {
        &[]
    }

    fn collect(&mut self, _: &[Tap], _: &[Tensor]) {}

    fn needs_gradient(&self) -> &[bool] {
        &self.needs_gradient
    }

    fn collect_parameter(&mut self, parameter: usize, gradient: &Tensor) {
        let trained = &mut self.parameters[parameter];
        let gradient = gradient.to_kind(trained.first.kind());
        trained.gradient = Some(match trained.gradient.take() {
            None => gradient,
            Some(mut sum) => {
                sum += gradient;
                sum
            }
        });
    }
}

impl Method for Full {
    fn squared_gradient_norm(&self) -> f64 {
        squared_norm(self.parameters.iter().filter_map(|trained| trained.gradient.as_ref()))
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        tch::no_grad(|| self.parameters.iter_mut().for_each(|trained| trained.update(optimizer, rate, scale, step)));
    }

    fn class_factor(&mut self, factors: ClassFactors) -> f64 {
        for trained in &mut self.parameters {
            trained.factor = match trained.class {
                Class::Embedding => factors.embedding,
                Class::Hidden => factors.hidden,
                Class::Readout => factors.readout,
            };
        }
        1.0
    }

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        Err("method.kind \"full\" trains every parameter and has no sparsity to set; start a run with \"sparta\""
            .into())
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        (0.0, 0.0)
    }

    fn trainable(&self) -> u64 {
        self.parameters.iter().map(|trained| trained.weight.numel() as u64).sum()
    }

    fn footprint(&self) -> Footprint {
        let masters = self.parameters.iter().filter_map(|trained| trained.master.as_ref());
        Footprint { deltas: masters.map(|master| 4 * master.numel() as u64).sum(), moments: 8 * self.trainable() }
    }

    fn groups(&self) -> Vec<Group> {
        self.groups.clone()
    }

    fn export(&self) -> Learned {
        Learned::Whole
    }

    fn state(&self) -> State {
        let named = self.parameters.iter().flat_map(Trained::named);
        State { sites: Vec::new(), tensors: named.map(|(name, tensor)| Dense::new(name, &tensor)).collect() }
    }

    fn restore(&mut self, state: &State, _: &recipe::Method, _: u64) -> Result<(), String> {
        copy_named(self.parameters.iter().flat_map(Trained::named).collect(), &state.tensors)?;
        for trained in &mut self.parameters {
            if let Some(master) = &trained.master {
                tch::no_grad(|| trained.weight.copy_(master));
            }
        }
        self.clear_gradients();
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        self.parameters.iter().map(|trained| Patch::whole(&trained.weight, &trained.weight)).collect()
    }

    fn patches_of(&self, state: &State, _: u64) -> Result<Vec<Patch>, String> {
        let patch = |trained: &Trained| {
            let name = stored_value(&trained.name);
            match state.tensors.iter().find(|dense| dense.name == name) {
                Some(dense) if dense.values.len() == trained.weight.numel() => {
                    Ok(Patch::whole(&trained.weight, &Tensor::from_slice(&dense.values)))
                }
                Some(_) => Err(format!("{name} has another shape")),
                None => Err(format!("{name} is missing")),
            }
        };
        self.parameters.iter().map(patch).collect()
    }

    fn clear_gradients(&mut self) {
        self.parameters.iter_mut().for_each(|trained| trained.gradient = None);
    }
}
