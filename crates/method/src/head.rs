//! Training of the classification head alone.

use tch::Tensor;

use super::definition::{Definition, Needs};
use super::{Collector, Learned, Method, Patch, Plan, Shape, State, untouched_groups};
use spartui_facts::error::{self, Error};
use spartui_facts::protocol::Group;
use spartui_facts::recipe;
use spartui_model::{Head, Model, Tap};
use spartui_sparse::{Footprint, Optimizer};

/// The definition of `method.kind = "head"`.
pub(super) struct Defined;

impl Definition for Defined {
    fn build(&self, _: &recipe::Method, model: &Model, head: &Head, _: [f64; 2]) -> error::Result<Box<dyn Method>> {
        if head.tensors.is_empty() {
            return Err(Error::refused(
                "method.kind \"head\" has nothing to train in causal-lm: there is no classification head; take \"sparta\"",
            ));
        }
        Ok(Box::new(HeadOnly::new(model, head)))
    }

    fn counts(&self, _: &recipe::Method, model: &Model, _: u64) -> error::Result<Vec<u64>> {
        Ok(vec![0; model.sites.len()])
    }

    fn needs(&self, _: &recipe::Method, _: &Model, _: &[u64]) -> Needs {
        Needs::default()
    }

    fn shape(&self, _: &recipe::Method) -> Shape {
        Shape::Sparse
    }

    fn learned(&self, _: &State, _: &Model, _: u64) -> Option<Result<Learned, String>> {
        Some(Ok(Learned::Sparse(Vec::new())))
    }

    /// Changes nothing: no method needs less memory.
    fn lighten(&self, _: &mut recipe::Method) -> &'static str {
        ""
    }
}

/// Adapts no weight of the model: only the head trains, as it does beside every method.
#[derive(Debug)]
pub struct HeadOnly {
    groups: Vec<Group>,
    sparsity: f64,
}

impl HeadOnly {
    /// For this model and head.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
    pub fn new(model: &Model, head: &Head) -> Self {
        let (base, head) = (model.base_parameters() as f64, head.parameters() as f64);
        Self { groups: untouched_groups(model), sparsity: base / (base + head) }
    }
}

impl Collector for HeadOnly {
    fn adapted(&self) -> &[bool] {
        &[]
    }

    fn collect(&mut self, _: &[Tap], _: &[Tensor]) {}
}

impl Method for HeadOnly {
    fn squared_gradient_norm(&self) -> f64 {
        0.0
    }

    fn update(&mut self, _: &Optimizer, _: f64, _: f64, _: u64) {}

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        Err("method.kind \"head\" trains the head alone and has no sparsity to set; start a run with \"sparta\"".into())
    }

    fn sparsity_bounds(&self) -> (f64, f64) {
        (self.sparsity, self.sparsity)
    }

    fn trainable(&self) -> u64 {
        0
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn groups(&self) -> Vec<Group> {
        self.groups.clone()
    }

    fn export(&self) -> Learned {
        Learned::Sparse(Vec::new())
    }

    fn state(&self) -> State {
        State::default()
    }

    fn restore(&mut self, _: &State, _: &recipe::Method, _: u64) -> Result<(), String> {
        Ok(())
    }

    fn patches(&self) -> Vec<Patch> {
        Vec::new()
    }

    fn patches_of(&self, _: &State, _: u64) -> Result<Vec<Patch>, String> {
        Ok(Vec::new())
    }

    fn clear_gradients(&mut self) {}
}
