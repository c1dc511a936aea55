//! Methods of fine-tuning: full, sparse, low-rank, and the head alone.

mod chosen;
mod definition;
mod dynamic;
mod full;
mod head;
mod leaf;
mod learned;
mod lora;
mod overlaid;
mod patch;
mod scope;
mod sparta;
pub mod state;

use tch::Tensor;

pub use definition::{Definition, Needs, OnSites, PerToken};
pub use full::Full;
pub use full::stored_value;
pub use head::HeadOnly;
pub use learned::{Learned, OwnTensors, Shape};
pub use lora::{Addition, Factors, Lora, addition_of};
pub use patch::Patch;
pub use sparta::Sparta;
pub use state::{Dense, Part, State};

use spartui_facts::error::Result;
use spartui_facts::protocol::{Group, Layer};
use spartui_facts::recipe::{self, ClassFactors, MethodKind};
use spartui_model::{Head, Model, Tap};
use spartui_sparse::{Footprint, Optimizer, Resized};

/// Effect of other settings on the set of trainable scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Scalars that would train, without the head.
    pub trainable: u64,
    /// Scalars that would join and leave the trainable set.
    pub change: Resized,
}

/// Number of forward and backward passes over each micro-batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Passes {
    /// Once.
    One,
    /// Two, with different random draws. The loss is that of the first pass plus `consistency` times the divergence
    /// between the predictions of the two.
    Two {
        /// Weight of the divergence.
        consistency: f64,
    },
}

/// Receives the gradients of a forward and backward pass.
pub trait Collector {
    /// For each site of the model, whether the forward pass records a tap.
    fn adapted(&self) -> &[bool];

    /// Number of passes over each micro-batch.
    fn passes(&self) -> Passes {
        Passes::One
    }

    /// Announces the forward and backward passes of a step (the first is 1) over one of its micro-batches; their random
    /// draws are keyed by these two numbers.
    fn begin_pass(&mut self, _step: u64, _micro_batch: u64) {}

    /// Key of the random draws of one of these passes (the first is 0); none where nothing is drawn.
    fn noise(&self, _pass: u64) -> Option<u64> {
        None
    }

    /// For each site, whether its overlay registers leaves of the autograd graph: see
    /// [`spartui_model::Tape::register_leaf`]. Such a site needs no tap.
    fn registers_leaves(&self) -> &[bool] {
        &[]
    }

    /// Adds to the gradient of the leaf that was registered under this number; sites of several blocks may share a
    /// leaf.
    fn collect_leaf(&mut self, _leaf: usize, _gradient: &Tensor) {}

    /// Adds the contribution of a block's taps and of the gradients of their outputs (`[.., out]`) to the gradient.
    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]);

    /// For each parameter of the model, whether its dense gradient is needed; its tensor then requires a gradient.
    /// Parameters past the end of the slice need none.
    fn needs_gradient(&self) -> &[bool] {
        &[]
    }

    /// Adds to the dense gradient of a parameter, by its index among the model's parameters.
    fn collect_parameter(&mut self, _parameter: usize, _gradient: &Tensor) {}
}

/// A method in training on one model. The classification head trains beside every method.
pub trait Method: Collector + std::fmt::Debug + Send {
    /// Squared Euclidean norm of the accumulated gradient.
    fn squared_gradient_norm(&self) -> f64;

    /// Called after the passes of step `_step` of `_of` and before the gradient norm is taken: adds the gradient of
    /// regularization terms, which do not depend on the batch, and may change what trains from this step on. Returns
    /// the value of these terms.
    fn prepare(&mut self, _step: u64, _of: u64) -> f64 {
        0.0
    }

    /// One optimizer step with `scale` times the accumulated gradient, which is cleared. `step` counts this step too.
    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64);

    /// The factor of the learning rate under these factors of the classes. A method with parameters of several classes
    /// takes the factors itself and returns 1.
    fn class_factor(&mut self, factors: ClassFactors) -> f64 {
        factors.hidden
    }

    /// The effect that [`Method::apply`] with the same settings would have.
    ///
    /// # Errors
    /// One sentence why the settings are not possible.
    fn plan(&self, settings: &recipe::Method) -> std::result::Result<Plan, String>;

    /// Applies new settings from the next step on. `step` counts the optimizer steps taken. A method without live
    /// settings returns an error from [`Method::plan`].
    ///
    /// # Errors
    /// As [`Method::plan`]; nothing has changed then.
    fn apply(
        &mut self,
        settings: &recipe::Method,
        _step: u64,
        _betas: [f64; 2],
    ) -> std::result::Result<Resized, String> {
        self.plan(settings).map(|plan| plan.change)
    }

    /// The sites whose dense gradients, of the base model on the run's first batches, decide the selection under these
    /// settings. They are grouped in rounds, and the gradients of one round are held in memory together. Each gradient
    /// is passed to [`Method::collect_gradient`] before [`Method::apply`] is called. Most methods need none.
    ///
    /// # Errors
    /// As [`Method::plan`].
    fn sites_to_measure(&mut self, _settings: &recipe::Method) -> std::result::Result<Vec<Vec<usize>>, String> {
        Ok(Vec::new())
    }

    /// Takes the dense gradient (flat, `f32`) of a site that [`Method::sites_to_measure`] returned for these settings.
    fn collect_gradient(&mut self, _settings: &recipe::Method, _site: usize, _gradient: &Tensor) {}

    /// Replaces a part of the trainable scalars after step `_step` of `_of`, where the settings say so.
    fn evolve(&mut self, _step: u64, _of: u64, _betas: [f64; 2]) {}

    /// Takes over settings that only affect later changes, such as `on_shrink`.
    fn configure(&mut self, _settings: &recipe::Method) {}

    /// A remark about how the settings were resolved: one sentence without a full stop.
    fn remark(&self) -> Option<String> {
        None
    }

    /// The lowest and the highest sparsity that can be set.
    fn sparsity_bounds(&self) -> (f64, f64);

    /// Scalars that train, without the head.
    fn trainable(&self) -> u64;

    /// Retired scalars: they no longer train and keep their deltas.
    fn retired(&self) -> u64 {
        0
    }

    /// Bytes that the method holds beside the weights.
    fn footprint(&self) -> Footprint;

    /// Every group of the model, also those that are not adapted.
    fn groups(&self) -> Vec<Group>;

    /// The result of training so far, for an adapter or a complete model.
    fn export(&self) -> Learned;

    /// Initializes the trainable parameters from an adapter; called before the first step.
    ///
    /// # Errors
    /// One sentence why it cannot.
    fn start_from(&mut self, _learned: &Learned) -> std::result::Result<(), String> {
        Err("only method.kind \"lora\" starts from factors".into())
    }

    /// The training state, which [`Method::restore`] takes.
    fn state(&self) -> State;

    /// Restores a state of the same model under the settings of that time, to the bit; `step` is the optimizer step of
    /// the state. The accumulated gradient is cleared.
    ///
    /// # Errors
    /// The part of the state that does not fit the model or the settings; nothing has changed then.
    fn restore(&mut self, state: &State, settings: &recipe::Method, step: u64) -> std::result::Result<(), String>;

    /// The current values of all weights and overlays that training has changed.
    fn patches(&self) -> Vec<Patch>;

    /// The values of all weights and overlays in a state of the same model at optimizer step `step`. Called while the
    /// weights are those of the base model, if the method keeps these.
    ///
    /// # Errors
    /// The part of the state that does not fit.
    fn patches_of(&self, state: &State, step: u64) -> std::result::Result<Vec<Patch>, String>;

    /// Clears the accumulated gradient.
    fn clear_gradients(&mut self);

    /// Removes all changes of training from the model, which is the base model afterwards, to the bit. Until
    /// [`Method::enter`], only methods that do not touch the model's weights may be called.
    fn leave(&mut self) {}

    /// Restores in the model what [`Method::leave`] removed, to the bit.
    fn enter(&mut self) {}
}

/// The registry of methods: the definition of each kind.
#[must_use]
pub fn definition(kind: MethodKind) -> &'static dyn Definition {
    match kind {
        MethodKind::Sparta => &sparta::Defined,
        MethodKind::Lora => &lora::Defined,
        MethodKind::Full => &full::Defined,
        MethodKind::Head => &head::Defined,
        MethodKind::Melora => &overlaid::MELORA,
        MethodKind::Lorta => &overlaid::LORTA,
        MethodKind::Ether => &overlaid::ETHER,
        MethodKind::EtherPlus => &overlaid::ETHER_PLUS,
        MethodKind::Loretta => &overlaid::LORETTA,
        MethodKind::Finegates => &overlaid::FINEGATES,
        MethodKind::Adamix => &overlaid::ADAMIX,
        MethodKind::Ia3 => &overlaid::IA3,
        MethodKind::Vera => &overlaid::VERA,
        MethodKind::Bitfit => &chosen::BITFIT,
        MethodKind::LnTuning => &chosen::LN_TUNING,
        MethodKind::Id3 => &chosen::ID3,
        MethodKind::Dst => &chosen::DST,
        MethodKind::Sara => &chosen::SARA,
    }
}

/// Builds the method of a recipe; see [`Definition::build`].
///
/// # Errors
/// As [`Definition::build`].
pub fn build(recipe: &recipe::Method, model: &Model, head: &Head, betas: [f64; 2]) -> Result<Box<dyn Method>> {
    definition(recipe.kind).build(recipe, model, head, betas)
}

/// Number of trainable scalars of each site under a recipe; see [`Definition::counts`].
///
/// # Errors
/// As [`Definition::counts`].
pub fn counts(recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
    definition(recipe.kind).counts(recipe, model, head)
}

/// Scalars of each site that updates change in place under a recipe; see [`Definition::written`].
///
/// # Errors
/// As [`Definition::written`].
pub fn written(recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
    definition(recipe.kind).written(recipe, model, head)
}

/// The groups of a model, all of them frozen.
fn untouched_groups(model: &Model) -> Vec<Group> {
    let group = |name: &&str| {
        let sites = model.sites.iter().filter(|site| site.group == *name);
        let parameters = sites.map(|site| site.weight.numel() as u64).sum();
        Group { layers: layers_of(model, name), ..frozen_group(name, parameters, model.layers()) }
    };
    model.groups().iter().map(group).collect()
}

/// A group with this number of parameters, none of them in a layer and all of them frozen.
fn frozen_group(name: &str, parameters: u64, layers: usize) -> Group {
    Group {
        name: name.to_owned(),
        parameters,
        trainable: 0,
        targeted: false,
        whole: false,
        density: None,
        by_layer: vec![0; layers],
        surviving: None,
        delta_rms: 0.0,
        layers: vec![Layer::default(); layers],
    }
}

/// The number of scalars of a group in each layer, all of them frozen.
fn layers_of(model: &Model, group: &str) -> Vec<Layer> {
    let mut layers = vec![Layer::default(); model.layers()];
    for site in model.sites.iter().filter(|site| site.group == group) {
        layers[site.layer].parameters += site.weight.numel() as u64;
    }
    layers
}
