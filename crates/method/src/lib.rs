//! Ways to adapt a model.

mod definition;
mod dynamic;
mod full;
mod head;
mod leaf;
mod learned;
mod lora;
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
use spartui_facts::recipe::{self, MethodKind};
use spartui_model::{Head, Model, Tap};
use spartui_sparse::{Footprint, Optimizer, Resized};

/// What would train under other settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Scalars that would train, without the head.
    pub trainable: u64,
    /// Scalars that would start to train, and that would stop.
    pub change: Resized,
}

/// How often a micro-batch goes through the model, forward and backward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Passes {
    /// Once.
    One,
    /// Twice, with other draws. The loss is that of the first pass and, times `consistency`, how far the predictions of the two
    /// are apart.
    Two {
        /// Weight of that second part.
        consistency: f64,
    },
}

/// What a forward and backward pass gives gradients to.
pub trait Collector {
    /// Which of the model's sites leave a tap in the forward pass.
    fn adapted(&self) -> &[bool];

    /// How often each micro-batch goes through the model.
    fn passes(&self) -> Passes {
        Passes::One
    }

    /// What comes next are the forward and backward passes of a step (the first is 1) over one of its micro-batches: what is
    /// drawn at random in them is drawn by these numbers.
    fn begin_pass(&mut self, _step: u64, _micro_batch: u64) {}

    /// Key of what is drawn at random in one of those passes, the first of which is 0; none where nothing is.
    fn noise(&self, _pass: u64) -> Option<u64> {
        None
    }

    /// Which sites have an overlay that lends leaves to the graph: see [`spartui_model::Tape::lend`]. They need no tap.
    fn lends(&self) -> &[bool] {
        &[]
    }

    /// Adds to the gradient of a leaf that was lent, by the number that it was lent with; sites of several blocks may share one.
    fn collect_leaf(&mut self, _leaf: usize, _gradient: &Tensor) {}

    /// Adds to the gradient what the taps of a block and the gradients of their outputs (`[.., out]`) contribute.
    fn collect(&mut self, taps: &[Tap], output_gradients: &[Tensor]);

    /// Which of the model's parameters need their whole gradients; their tensors require one. None beyond its end does.
    fn wants(&self) -> &[bool] {
        &[]
    }

    /// Adds to the gradient of one of the model's parameters that are wanted, by its place.
    fn collect_parameter(&mut self, _parameter: usize, _gradient: &Tensor) {}
}

/// A way to adapt a model. The classification head trains beside it, whatever the method.
pub trait Method: Collector + std::fmt::Debug + Send {
    /// Squared Euclidean norm of the gradient that was collected.
    fn squared_gradient_norm(&self) -> f64;

    /// What is to be done behind the passes of a step, of which `of` are to be taken, and before the norm of its gradient: adds
    /// the gradient of terms of the loss that need nothing of the batch, and chooses what shall train from this step on. The
    /// value of these terms.
    fn prepare(&mut self, _step: u64, _of: u64) -> f64 {
        0.0
    }

    /// One optimizer step with `scale` times the gradient that was collected, which is gone afterwards. `step` counts
    /// this step too.
    fn update(&mut self, optimizer: &Optimizer, rate: f64, scale: f64, step: u64);

    /// What [`Method::apply`] with the same settings would do.
    ///
    /// # Errors
    /// One sentence why the settings cannot be.
    fn plan(&self, settings: &recipe::Method) -> std::result::Result<Plan, String>;

    /// Makes other settings hold from now on. `step` counts the optimizer steps taken. A method that has nothing to change says
    /// so in [`Method::plan`].
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

    /// The sites whose whole gradients, in the base model and on the run's first batches, decide what other settings select:
    /// in rounds, none of which has more gradients than fit the memory well. What is heard of them goes to [`Method::hear`],
    /// before [`Method::apply`]. Most methods ask for none.
    ///
    /// # Errors
    /// As [`Method::plan`].
    fn asks(&mut self, _settings: &recipe::Method) -> std::result::Result<Vec<Vec<usize>>, String> {
        Ok(Vec::new())
    }

    /// Hears the gradient (flat, `f32`) of one of the sites that were asked for with these settings.
    fn hear(&mut self, _settings: &recipe::Method, _site: usize, _gradient: &Tensor) {}

    /// Chooses anew what trains after a step, of which `of` are to be taken, where the settings ask for that.
    fn evolve(&mut self, _step: u64, _of: u64, _betas: [f64; 2]) {}

    /// Takes settings over that change nothing by themselves, such as `on_shrink`.
    fn configure(&mut self, _settings: &recipe::Method) {}

    /// What is to be said about how the settings were understood, in one sentence without a full stop.
    fn remark(&self) -> Option<String> {
        None
    }

    /// The lowest and the highest sparsity that can be set.
    fn sparsity_bounds(&self) -> (f64, f64);

    /// Scalars that train, without the head.
    fn trainable(&self) -> u64;

    /// Scalars that no longer train and keep what they learned.
    fn retired(&self) -> u64 {
        0
    }

    /// Bytes that the method holds beside the weights.
    fn footprint(&self) -> Footprint;

    /// Every group of the model, the untouched ones too.
    fn groups(&self) -> Vec<Group>;

    /// What was learned, for an adapter or a model of its own.
    fn export(&self) -> Learned;

    /// Begins with what an adapter learned, instead of with what it would begin with; to be asked before the first step.
    ///
    /// # Errors
    /// One sentence why it cannot.
    fn start_from(&mut self, _learned: &Learned) -> std::result::Result<(), String> {
        Err("only method.kind \"lora\" starts from factors".into())
    }

    /// All that training has changed: what [`Method::restore`] goes back to.
    fn state(&self) -> State;

    /// Goes back to a state of the same model under the settings that held then, to the bit; `step` counts the optimizer
    /// steps that had been taken. A gradient that was collected is gone.
    ///
    /// # Errors
    /// What of the state does not fit the model or the settings; nothing has changed then.
    fn restore(&mut self, state: &State, settings: &recipe::Method, step: u64) -> std::result::Result<(), String>;

    /// The weights as they are now, wherever training touched them.
    fn patches(&self) -> Vec<Patch>;

    /// The weights as they were in a state of the same model at so many optimizer steps; asked for while the weights are those
    /// of the base model, where the method keeps these.
    ///
    /// # Errors
    /// What of the state does not fit.
    fn patches_of(&self, state: &State, step: u64) -> std::result::Result<Vec<Patch>, String>;

    /// Drops the gradient that was collected.
    fn forget(&mut self);

    /// Takes all that training changed out of the model, which is the base model afterwards, to the bit. Until
    /// [`Method::enter`], nothing else may be asked of the method but what it holds.
    fn leave(&mut self) {}

    /// Puts back into the model what [`Method::leave`] took out, to the bit.
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
    }
}

/// The method that a recipe asks for; see [`Definition::build`].
///
/// # Errors
/// As [`Definition::build`].
pub fn build(recipe: &recipe::Method, model: &Model, head: &Head, betas: [f64; 2]) -> Result<Box<dyn Method>> {
    definition(recipe.kind).build(recipe, model, head, betas)
}

/// Scalars that train at each site by a recipe; see [`Definition::counts`].
///
/// # Errors
/// As [`Definition::counts`].
pub fn counts(recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
    definition(recipe.kind).counts(recipe, model, head)
}

/// Scalars that are written to in the model's own weights by a recipe; see [`Definition::written`].
///
/// # Errors
/// As [`Definition::written`].
pub fn written(recipe: &recipe::Method, model: &Model, head: u64) -> Result<Vec<u64>> {
    definition(recipe.kind).written(recipe, model, head)
}

/// The groups of a model with nothing in them that trains.
fn untouched_groups(model: &Model) -> Vec<Group> {
    let group = |name: &&str| Group {
        name: (*name).to_owned(),
        parameters: model.sites.iter().filter(|site| site.group == *name).map(|site| site.weight.numel() as u64).sum(),
        trainable: 0,
        targeted: false,
        density: None,
        by_layer: vec![0; model.layers()],
        surviving: None,
        delta_rms: 0.0,
        layers: layers_of(model, name),
    };
    model.groups().iter().map(group).collect()
}

/// The scalars of a group in each layer, nothing of which trains.
fn layers_of(model: &Model, group: &str) -> Vec<Layer> {
    let mut layers = vec![Layer::default(); model.layers()];
    for site in model.sites.iter().filter(|site| site.group == group) {
        layers[site.layer].parameters += site.weight.numel() as u64;
    }
    layers
}
