//! Model, data and tokenizer, loaded from files for sessions.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use tch::Device;

use super::opening::{add_token_ids, refuse_without_place, unseen, untrained};
use super::{Opening, Session, check_token_types, padding_warning, starting_head};
use spartui_data::{self as data, Prepared, Tokenizer};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::{FIELDS, Init, Recipe, TaskKind, Validation};
use spartui_hub as hub;
use spartui_method as method;
use spartui_model::{Head, Model, Problem, Remark};
use spartui_sparse::prepare_device;

/// Model, data and tokenizer, before any selection or training.
#[derive(Debug)]
pub struct Loaded {
    recipe: Recipe,
    folder: PathBuf,
    model: Model,
    data: Prepared,
    tokenizer: Tokenizer,
}

impl Loaded {
    /// Loads model, data and tokenizer of a recipe. `progress` is called with the current activity and the share done,
    /// where that is known.
    ///
    /// # Errors
    /// Refuses an invalid model and invalid data.
    pub fn read(recipe: Recipe, progress: &mut dyn FnMut(&str, Option<f32>)) -> Result<Self> {
        let folder = hub::resolve(&recipe.model.path, progress)?;
        progress("reading the model", None);
        let (mut model, tokenizer) = Opening::of(&recipe, &folder).open(&recipe)?;
        refuse_other_problems(&model, &folder)?;
        let positions = usize::try_from(model.config.max_positions).unwrap_or(0);
        if recipe.data.max_length > positions {
            return Err(Error::refused(format!(
                "data.max_length {} is more than the {positions} positions of the model; take {positions} or less",
                recipe.data.max_length
            )));
        }
        let data = data::prepare(&recipe, &tokenizer, progress)?;
        check_token_types(&model, &data.train.examples)?;
        check_token_types(&model, &data.validation.examples)?;
        model.remarks.extend(unseen(&model, &data.train.examples));
        let elsewhere = padding_warning(&model, &tokenizer, &data.train.examples);
        model.remarks.extend(elsewhere.map(Remark::warning));
        if let Device::Cuda(device) = model.device {
            progress("compiling kernels for the device", None);
            // Without kernels libtorch's operations are used; `spartui doctor` says why.
            let _ = prepare_device(device);
        }
        let last = match recipe.task.kind {
            TaskKind::CausalLm => "measuring the model on the first rows, and choosing the trainable parameters",
            TaskKind::SequenceClassification => "choosing the trainable parameters",
        };
        progress(last, None);
        Ok(Self { recipe, folder, model, data, tokenizer })
    }

    /// The session of the recipe.
    ///
    /// # Errors
    /// Refuses settings of the method that do not fit this model, and an initialization of the head that is not
    /// possible.
    pub fn session(self) -> Result<Session> {
        let recipe = self.recipe.clone();
        let mut sessions = self.sessions(vec![recipe])?;
        let mut session = sessions.pop().ok_or_else(|| Error::refused("there is nothing to train"))?;
        session.enter();
        Ok(session)
    }

    /// Sessions that share one model and its data. The changes of all of them are removed from the model: before a
    /// session steps, call [`Session::enter`].
    ///
    /// # Errors
    /// As [`Loaded::session`]; and refuses recipes that ask for different models or data, and more than one session
    /// where a method trains the model's own weights.
    pub fn sessions(self, recipes: Vec<Recipe>) -> Result<Vec<Session>> {
        let Self { folder, mut model, data, tokenizer, .. } = self;
        if let [first, others @ ..] = recipes.as_slice() {
            others.iter().try_for_each(|other| check_alike(first, other))?;
            let methods = recipes.iter().map(|recipe| &recipe.method);
            let alone = methods
                .filter(|of_lane| !method::definition(of_lane.kind).keeps_base(of_lane))
                .map(|of_lane| of_lane.kind)
                .next();
            if let Some(kind) = alone.filter(|_| !others.is_empty()) {
                return Err(Error::refused(format!(
                    "method.kind \"{}\" changes every weight and cannot share the model with other lanes; train it as a run of \
                     its own and compare the two",
                    kind.name()
                )));
            }
        }
        for recipe in &recipes {
            refuse_without_place(&recipe.model, &recipe.method)?;
            add_token_ids(&mut model, &tokenizer, &recipe.method);
            let untrained = untrained(&model, &recipe.method).filter(|remark| !model.remarks.contains(remark));
            model.remarks.extend(untrained);
        }
        let heads = recipes.iter().map(|recipe| match recipe.task.kind {
            TaskKind::CausalLm => Ok(Head::none()),
            TaskKind::SequenceClassification => starting_head(recipe, &model, &data.labels, &tokenizer),
        });
        let heads = heads.collect::<Result<Vec<Head>>>()?;
        let mut most = vec![0; model.sites.len()];
        for (recipe, head) in recipes.iter().zip(&heads) {
            let counts = method::written(&recipe.method, &model, head.parameters())?;
            most.iter_mut().zip(counts).for_each(|(most, count)| *most = count.max(*most));
        }
        model.move_to_large_pages(&most);
        let (model, data) = (Rc::new(model), Rc::new(data));
        let mut sessions = Vec::with_capacity(recipes.len());
        for (recipe, head) in recipes.into_iter().zip(heads) {
            let shared = (Rc::clone(&model), Rc::clone(&data));
            let mut session = Session::of(recipe, folder.clone(), shared, head)?;
            session.leave();
            sessions.push(session);
        }
        Ok(sessions)
    }
}

/// Refuses a model for multi-label classification or regression: training implements single-label classification only.
fn refuse_other_problems(model: &Model, folder: &Path) -> Result<()> {
    match model.config.problem.filter(|_| model.task == TaskKind::SequenceClassification) {
        None | Some(Problem::SingleLabelClassification) => Ok(()),
        Some(problem) => Err(Error::refused(format!(
            "{}: problem_type is \"{}\", with which this version predicts and evaluates, but does not train; remove \
             problem_type from that file to train a new head that chooses one label of several",
            place(&folder.join("config.json")),
            problem.name()
        ))),
    }
}

/// Refuses recipes that ask for different models or data.
pub(super) fn check_alike(one: &Recipe, other: &Recipe) -> Result<()> {
    let tables = ["model.", "task.", "data."];
    let shared = FIELDS.iter().filter(|field| tables.iter().any(|table| field.name.starts_with(table)));
    // Random weights and rows of new tokens are drawn with the seed of the method.
    let uses_seed = one.model.init == Init::Random || !one.model.new_tokens.is_empty();
    let fresh = uses_seed.then_some("method.seed");
    // A share of the training rows is drawn with the seed of their order.
    let drawn = matches!(one.data.validation, Validation::Share(_)).then_some("train.seed");
    match shared.map(|field| field.name).chain(fresh).chain(drawn).find(|name| one.get(name) != other.get(name)) {
        None => Ok(()),
        Some(name) => Err(Error::refused(format!(
            "lanes share one model and one set of rows, so that {name} must be the same in all; start a race for each"
        ))),
    }
}
