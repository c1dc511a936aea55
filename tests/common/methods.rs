//! Methods for tests: what they collect can be looked at.
#![allow(dead_code, reason = "each test program uses a part")]

use spartui::method::{Collector, Learned, Method, Passes, Patch, Plan, State};
use spartui::model::{BaseLayer, Kept, Model, Overlay, Tap, Tape};
use spartui::protocol::Group;
use spartui::recipe;
use spartui::sparse::{Cast, Cohort, Footprint, Optimizer, Saved, gradient};
use spartui::train::Session;
use tch::{Device, Kind, Tensor};

/// Trains scalars that are given, as far as a training step goes.
#[derive(Debug)]
pub struct Given {
    pub adapted: Vec<bool>,
    transposed: Vec<bool>,
    pub sites: Vec<Option<(Cohort, Tensor, Option<Tensor>)>>,
}

impl Given {
    pub fn new(model: &Model, indices: impl Fn(&str) -> Option<Tensor>) -> Self {
        let sites: Vec<_> = model
            .sites
            .iter()
            .map(|site| {
                indices(&site.name).map(|indices| {
                    let flat = site.weight.view(-1);
                    let delta = Tensor::zeros([indices.numel().cast_signed() as i64], (Kind::Float, Device::Cpu));
                    let original = flat.index_select(0, &indices);
                    (Cohort::newborn(0, indices, original, delta), flat, None)
                })
            })
            .collect();
        Self {
            adapted: sites.iter().map(Option::is_some).collect(),
            transposed: model.sites.iter().map(|site| site.transposed).collect(),
            sites,
        }
    }

    pub fn everything(model: &Model) -> Self {
        Self::new(model, |name| {
            let site = model.sites.iter().find(|site| site.name == name)?;
            Some(Tensor::arange(site.weight.numel().cast_signed() as i64, (Kind::Int64, Device::Cpu)))
        })
    }

    fn collect_one(&mut self, tap: &Tap, output_gradient: &Tensor) {
        let (cohort, _, sum) = self.sites[tap.site].as_mut().unwrap();
        let [columns, rows] =
            if self.transposed[tap.site] { [output_gradient, &tap.input] } else { [&tap.input, output_gradient] };
        let gradient = gradient::sampled(columns, rows, std::iter::once(&cohort.indices)).remove(0);
        *sum = Some(sum.take().map_or_else(|| gradient.copy(), |sum| sum + &gradient));
    }

    pub fn gradient(&self, site: usize) -> &Tensor {
        self.sites[site].as_ref().unwrap().2.as_ref().unwrap()
    }
}

impl Collector for Given {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        taps.iter().zip(output_gradients).for_each(|(tap, gradient)| self.collect_one(tap, gradient));
    }
}

impl Method for Given {
    fn squared_gradient_norm(&self) -> f64 {
        let gradients = self.sites.iter().flatten().filter_map(|(_, _, gradient)| gradient.as_ref());
        gradients.map(|gradient| gradient.square().sum(Kind::Double).double_value(&[])).sum()
    }

    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64) {
        for (cohort, flat, gradient) in self.sites.iter_mut().flatten() {
            cohort.update(optimizer, &(gradient.take().unwrap() * scale), rate, step);
            let _ = flat.index_copy_(0, &cohort.indices, &cohort.values(Cast::Nearest));
        }
    }

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        unimplemented!()
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn trainable(&self) -> u64 {
        0
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }

    fn export(&self) -> Learned {
        Learned::Sparse(Vec::new())
    }

    fn state(&self) -> State {
        unimplemented!()
    }

    fn restore(&mut self, _: &State, _: &recipe::Method, _: u64) -> Result<(), String> {
        unimplemented!()
    }

    fn patches(&self) -> Vec<Patch> {
        unimplemented!()
    }

    fn patches_of(&self, _: &State, _: u64) -> Result<Vec<Patch>, String> {
        unimplemented!()
    }

    fn clear_gradients(&mut self) {}
}

/// Every parameter trains, and every site is tapped as well: both ways to a gradient, side by side.
#[derive(Debug)]
pub struct Watched {
    adapted: Vec<bool>,
    transposed: Vec<bool>,
    pub sites: Vec<Option<Tensor>>,
    pub parameters: Vec<Option<Tensor>>,
    needs_gradient: Vec<bool>,
}

impl Watched {
    pub fn new(model: &Model) -> Self {
        for parameter in &model.parameters {
            let _ = parameter.tensor.shallow_clone().set_requires_grad(true);
        }
        Self {
            adapted: vec![true; model.sites.len()],
            transposed: model.sites.iter().map(|site| site.transposed).collect(),
            sites: model.sites.iter().map(|_| None).collect(),
            parameters: model.parameters.iter().map(|_| None).collect(),
            needs_gradient: vec![true; model.parameters.len()],
        }
    }

    fn collect_one(&mut self, tap: &Tap, output_gradient: &Tensor) {
        let [columns, rows] =
            if self.transposed[tap.site] { [output_gradient, &tap.input] } else { [&tap.input, output_gradient] };
        let size = columns.size().last().unwrap() * rows.size().last().unwrap();
        let all = Tensor::arange(size, (Kind::Int64, Device::Cpu));
        add(&mut self.sites[tap.site], &gradient::sampled(columns, rows, std::iter::once(&all)).remove(0));
    }
}

fn add(sum: &mut Option<Tensor>, gradient: &Tensor) {
    *sum = Some(sum.take().map_or_else(|| gradient.copy(), |sum| sum + gradient));
}

impl Collector for Watched {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]) {
        taps.iter().zip(output_gradients).for_each(|(tap, gradient)| self.collect_one(tap, gradient));
    }

    fn needs_gradient(&self) -> &[bool] {
        &self.needs_gradient
    }

    fn collect_parameter(&mut self, parameter: usize, gradient: &Tensor) {
        add(&mut self.parameters[parameter], gradient);
    }
}

/// Multiplies the outputs of layers by one vector that they share, and by a number that is drawn for each pass: what is on a
/// layer, and its gradient by the graph.
#[derive(Debug)]
pub struct Scaled {
    registers_leaves: Vec<bool>,
    pub leaf: Tensor,
    pub gradient: Option<Tensor>,
    pub passes: Passes,
}

#[derive(Debug)]
struct Scale {
    leaf: Tensor,
    key: u64,
}

impl Scaled {
    /// On all layers of a group, whose outputs are so many.
    pub fn new(model: &Model, group: &str, width: i64, passes: Passes) -> Self {
        let leaf = (Tensor::arange(width, (model.kind, Device::Cpu)) * 0.01 + 0.8).set_requires_grad(true);
        for (key, site) in (1..).zip(&model.sites).filter(|(_, site)| site.group == group) {
            site.overlay.set(Some(Box::new(Scale { leaf: leaf.shallow_clone(), key })));
        }
        let registers_leaves = model.sites.iter().map(|site| site.group == group).collect();
        Self { registers_leaves, leaf, gradient: None, passes }
    }
}

impl Overlay for Scale {
    fn apply(&self, base: &BaseLayer<'_>, x: &Tensor, tape: &mut Tape<'_>) -> (Tensor, Kept) {
        tape.register_leaf(0, &self.leaf);
        let drawn = tape.noise().map_or(1.0, |noise| if (noise ^ self.key) & 1 == 0 { 0.9 } else { 1.1 });
        ((base.forward)(x, base.bias) * (&self.leaf * drawn), None)
    }

    fn share(&self) -> Box<dyn Overlay> {
        Box::new(Self { leaf: self.leaf.shallow_clone(), key: self.key })
    }
}

impl Collector for Scaled {
    fn adapted(&self) -> &[bool] {
        &[]
    }

    fn registers_leaves(&self) -> &[bool] {
        &self.registers_leaves
    }

    fn passes(&self) -> Passes {
        self.passes
    }

    fn noise(&self, pass: u64) -> Option<u64> {
        Some(pass)
    }

    fn collect(&mut self, taps: &[Tap], _: &[Tensor]) {
        assert!(taps.is_empty());
    }

    fn collect_leaf(&mut self, leaf: usize, gradient: &Tensor) {
        assert_eq!(leaf, 0);
        add(&mut self.gradient, gradient);
    }
}

/// The deltas of a method that trains single scalars, by the name of the parameter.
pub fn deltas(method: &dyn Method) -> Vec<(String, Vec<Saved>)> {
    match method.export() {
        Learned::Sparse(deltas) => deltas,
        other => panic!("{other:?}"),
    }
}

/// The deltas of a session, by the index of the site.
pub fn deltas_by_site(session: &Session) -> Vec<(usize, Vec<Saved>)> {
    let place = |name: &str| session.model.sites.iter().position(|site| site.name == name).unwrap();
    deltas(session.method.as_ref()).into_iter().map(|(name, parts)| (place(&name), parts)).collect()
}
