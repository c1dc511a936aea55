//! A recipe's tokenizer and model, with the tokens that the recipe adds to both.

use std::path::Path;

use spartui_data::{Example, Tokenizer};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::quoted;
use spartui_facts::recipe::{self, Init, MethodKind, Recipe};
use spartui_method::{Shape, definition};
use spartui_model::{AddedRows, Config, Model, NewToken, Open, Remark, listed};

/// Most tokens that a recipe adds.
const MOST: usize = 4096;

/// A tokenizer with the tokens that a recipe adds.
#[derive(Debug)]
pub struct ExtendedTokenizer {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The new tokens.
    pub new: Vec<NewToken>,
    /// Rows that the embeddings need for them, beyond those that they have.
    pub rows: u32,
}

impl ExtendedTokenizer {
    /// Reads the tokenizer of a model folder and adds these tokens.
    ///
    /// # Errors
    /// Refuses a tokenizer that is missing or invalid, and tokens that it has already.
    pub fn read(folder: &Path, new_tokens: &[String]) -> Result<Self> {
        let rows = Config::load(folder)?.vocab_size;
        Self::with_rows(folder, usize::try_from(rows).unwrap_or(0), new_tokens)
    }

    /// As [`ExtendedTokenizer::read`], of a model whose embeddings have this number of rows.
    fn with_rows(folder: &Path, rows: usize, new_tokens: &[String]) -> Result<Self> {
        if new_tokens.len() > MOST {
            return Err(Error::refused(format!(
                "model.new_tokens has {} tokens; give {MOST} or fewer",
                new_tokens.len()
            )));
        }
        let mut tokenizer = Tokenizer::load(folder, rows)?;
        let ids = tokenizer.add(new_tokens)?;
        let new = new_tokens.iter().zip(&ids).map(|(text, &id)| NewToken { text: text.clone(), id: id.into() });
        let rows = u32::try_from(tokenizer.vocabulary() - rows).unwrap_or(u32::MAX);
        Ok(Self { new: new.collect(), tokenizer, rows })
    }
}

/// How the model of a recipe is opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The model's folder.
    pub folder: &'a Path,
    /// Dtype of the weights, as in a recipe.
    pub dtype: &'a str,
    /// Device, as in a recipe.
    pub device: &'a str,
    /// Whether the weights are read; without, parameters have shapes and no memory.
    pub weights: bool,
}

impl<'a> Opening<'a> {
    /// As the recipe says.
    #[must_use]
    pub fn of(recipe: &'a Recipe, folder: &'a Path) -> Self {
        Self { folder, dtype: &recipe.model.dtype, device: &recipe.model.device, weights: true }
    }

    /// Opens the model of a recipe, and its tokenizer.
    ///
    /// # Errors
    /// Refuses what [`Model::open`] and [`Tokenizer::load`] do, and tokens that cannot be added.
    pub fn open(&self, recipe: &Recipe) -> Result<(Model, Tokenizer)> {
        refuse_without_place(&recipe.model, &recipe.method)?;
        // A model that cannot be opened says more than its tokenizer.
        let extended = match recipe.model.new_tokens.as_slice() {
            [] => None,
            new => Some(ExtendedTokenizer::read(self.folder, new)?),
        };
        let rows = extended.as_ref().map_or(0, |extended| extended.rows);
        let open = Open {
            folder: self.folder,
            dtype: self.dtype,
            device: self.device,
            task: recipe.task.kind,
            fresh: (recipe.model.init == Init::Random).then_some(recipe.method.seed),
            added: AddedRows { count: rows, seed: recipe.method.seed },
        };
        let mut model = if self.weights { Model::open(&open) } else { Model::outline(&open) }?;
        let extended = match extended {
            Some(extended) => extended,
            None => {
                ExtendedTokenizer::with_rows(self.folder, usize::try_from(model.config.vocab_size).unwrap_or(0), &[])?
            }
        };
        model.new_tokens = extended.new;
        model.remarks.extend(untrained(&model, &recipe.method));
        model.remarks.extend(unused(&recipe.method));
        add_token_ids(&mut model, &extended.tokenizer, &recipe.method);
        Ok((model, extended.tokenizer))
    }
}

/// Adds the ids of the tokens that the settings of a method name, if they are tokens; of a number, that number, if the
/// embeddings have such a row.
pub(super) fn add_token_ids(model: &mut Model, tokenizer: &Tokenizer, method: &recipe::Method) {
    for text in &method.sparta.trainable_tokens {
        let number = text.parse::<u32>().ok().filter(|number| i64::from(*number) < model.config.vocab_size);
        if let Some(id) = number.or_else(|| tokenizer.token_id(text)) {
            model.token_ids.insert(text.clone(), id.into());
        }
    }
}

/// Refuses new tokens where the adapter of the method has no place for their rows.
pub(super) fn refuse_without_place(model: &recipe::Model, method: &recipe::Method) -> Result<()> {
    let has_place = matches!(definition(method.kind).shape(method), Shape::Sparse | Shape::Whole);
    match model.new_tokens.first() {
        Some(token) if !has_place => Err(Error::refused(format!(
            "model.new_tokens adds {}, and an adapter of method.kind \"{}\" has no place for its row; take \"sparta\", which trains \
             it, or \"full\"",
            quoted(token),
            method.kind.name()
        ))),
        _ => Ok(()),
    }
}

/// A warning where rows of new tokens stay as they were drawn.
pub(super) fn untrained(model: &Model, method: &recipe::Method) -> Option<Remark> {
    let trains = match method.kind {
        // Where they do not train with sparta, the recipe says so.
        MethodKind::Full | MethodKind::Sparta => true,
        _ => false,
    };
    (!trains && !model.new_tokens.is_empty()).then(|| {
        Remark::warning(format!(
            "the rows of model.new_tokens stay as they were drawn: method.kind \"{}\" does not train them",
            method.kind.name()
        ))
    })
}

/// A warning where settings of tokens and frozen modules are for another method than the one that is named.
pub(super) fn unused(method: &recipe::Method) -> Option<Remark> {
    let recipe::Sparta { trainable_tokens, frozen_modules, .. } = &method.sparta;
    let given = [("trainable_tokens", trainable_tokens.is_empty()), ("frozen_modules", frozen_modules.is_empty())];
    let name = given.into_iter().find(|(_, is_empty)| !is_empty)?.0;
    (method.kind != MethodKind::Sparta).then(|| {
        Remark::warning(format!(
            "method.sparta.{name} changes nothing: method.kind is \"{}\", and only \"sparta\" reads it",
            method.kind.name()
        ))
    })
}

/// A warning where a new token is in no training row, so that it is not learned what it means.
pub(super) fn unseen(model: &Model, rows: &[Example]) -> Option<Remark> {
    let is_in = |id: i64| rows.iter().any(|row| row.tokens.iter().any(|&token| i64::from(token) == id));
    let unseen = model.new_tokens.iter().filter(|token| !is_in(token.id)).map(|token| quoted(&token.text));
    listed("new token", &unseen.collect::<Vec<_>>()).map(|tokens| {
        Remark::warning(format!(
            "no training row has {tokens}, so that nothing teaches what they mean; put them into the rows or into data.template"
        ))
    })
}
