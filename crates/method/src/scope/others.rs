//! Parameters that are no sites, and the rows of single tokens, for the method that trains these too.

use std::collections::BTreeMap;

use super::{Adaptable, Scope, Trains};
use crate::frozen_group;
use spartui_facts::recipe;
use spartui_model::{Model, Parameter, Stage};

/// The groups of these parameters, each with other names for it.
const GROUPS: [(&str, &[&str]); 5] = [
    (BIAS, &["biases"]),
    (NORM, &["norms"]),
    (EMBEDDINGS, &["embedding", "embed_tokens"]),
    (LM_HEAD, &[]),
    (POOLER, &[]),
];

const BIAS: &str = "bias";
const NORM: &str = "norm";
const EMBEDDINGS: &str = "embeddings";
const LM_HEAD: &str = "lm_head";
const POOLER: &str = "pooler";

/// The parameters of a model that are no sites.
#[derive(Debug)]
pub(super) struct Others {
    /// Their places among the model's parameters.
    places: Vec<usize>,
    /// For each, the matrix of tokens that it is.
    matrices: Vec<Option<Matrix>>,
    /// Scalars of a token's row.
    width: u64,
    /// The token with each of the texts that a recipe names.
    tokens: BTreeMap<String, i64>,
    /// The tokens that the recipe adds to the model.
    new: Vec<i64>,
}

/// A matrix with a row for each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matrix {
    Embeddings,
    /// A language-model head that is not tied to the embeddings.
    Head,
}

/// Whether a group is one of parameters that are no sites.
#[must_use]
pub fn is_other(group: &str) -> bool {
    GROUPS.iter().any(|(own, _)| *own == group)
}

/// Whether a parameter is the scale or shift of a norm.
pub fn is_norm(parameter: &Parameter) -> bool {
    let mut parts = parameter.name.rsplit('.');
    let module = parts.nth(1).unwrap_or_default().to_lowercase();
    parameter.tensor.dim() == 1 && (module.contains("norm") || module.starts_with("ln_"))
}

/// The group of a parameter that is no site; `is_head`: it is the language-model head.
fn group_of(parameter: &Parameter, is_head: bool) -> &'static str {
    match parameter.stage {
        _ if is_norm(parameter) => NORM,
        _ if parameter.tensor.dim() == 1 => BIAS,
        Stage::Embedding => EMBEDDINGS,
        _ if is_head => LM_HEAD,
        Stage::Block(_) | Stage::Output => POOLER,
    }
}

impl Scope {
    /// The sites of this model, its other parameters, and the rows of its tokens.
    #[must_use]
    pub fn with_others(model: &Model, head: u64) -> Self {
        let mut scope = Self::new(model, head);
        let is_site = |parameter: &Parameter| model.sites.iter().any(|site| site.name == parameter.name);
        let (words, language) = (model.words_parameter(), model.language_parameter());
        let mut others = Others {
            places: Vec::new(),
            matrices: Vec::new(),
            width: model.config.hidden_size.unsigned_abs(),
            tokens: model.token_ids.clone(),
            new: model.new_tokens.iter().map(|token| token.id).collect(),
        };
        for (place, parameter) in model.parameters.iter().enumerate().filter(|(_, parameter)| !is_site(parameter)) {
            let is_head = language == Some(place);
            let matrix = if words == Some(place) { Some(Matrix::Embeddings) } else { is_head.then_some(Matrix::Head) };
            scope.adaptable.push(Adaptable {
                name: parameter.name.clone(),
                group: group_of(parameter, is_head),
                scalars: parameter.tensor.numel() as u64,
            });
            others.places.push(place);
            others.matrices.push(matrix);
        }
        for (own, aliases) in GROUPS {
            let of_group = scope.adaptable.iter().filter(|adaptable| adaptable.group == own);
            let parameters: u64 = of_group.map(|adaptable| adaptable.scalars).sum();
            if parameters > 0 {
                let names = std::iter::once(&own).chain(aliases);
                scope.names.extend(names.map(|name| ((*name).to_owned(), own.to_owned())));
                scope.groups.push(frozen_group(own, parameters, model.layers()));
            }
        }
        scope.others = Some(others);
        scope
    }

    /// The places of the other parameters among the model's; they follow the sites.
    #[must_use]
    pub fn others(&self) -> &[usize] {
        self.others.as_ref().map_or(&[], |others| &others.places)
    }

    /// The tokens whose rows train, ascending.
    ///
    /// # Errors
    /// One sentence: a token that the tokenizer does not have.
    pub fn rows(&self, settings: &recipe::Method) -> Result<Vec<i64>, String> {
        let Some(others) = &self.others else { return Ok(Vec::new()) };
        let named = settings.sparta.trainable_tokens.iter().map(|text| {
            others.tokens.get(text).copied().ok_or_else(|| {
                format!(
                    "method.sparta.trainable_tokens: the tokenizer has no token \"{}\"; give a token as tokenizer.json writes \
                     it (with a space before a word as Ġ or ▁) or its number, or add it with model.new_tokens",
                    text.escape_debug()
                )
            })
        });
        let mut rows = named.collect::<Result<Vec<i64>, String>>()?;
        if settings.sparta.train_new_tokens {
            rows.extend(&others.new);
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// Whether the settings freeze this parameter by its name.
    pub(super) fn is_frozen(&self, settings: &recipe::Method, adaptable: &Adaptable) -> bool {
        let names = self.others.iter().flat_map(|_| &settings.sparta.frozen_modules);
        names.into_iter().any(|name| adaptable.name.contains(name.as_str()))
    }

    /// Scalars of the `rows` of an other parameter, by its number among these. The rows of the embeddings train even where
    /// these are frozen by name, as in peft-sparta; those of a head do not.
    pub(super) fn scalars_of_rows(&self, other: usize, is_frozen: bool, rows: u64) -> u64 {
        let Some(others) = &self.others else { return 0 };
        match others.matrices[other] {
            Some(Matrix::Embeddings) => rows * others.width,
            Some(Matrix::Head) if !is_frozen => rows * others.width,
            _ => 0,
        }
    }

    /// Refuses names of modules and of tokens that have no effect, and rows that a target trains already.
    pub(super) fn check_others(&self, settings: &recipe::Method) -> Result<(), String> {
        let Some(others) = &self.others else { return Ok(()) };
        let has = |part: &str| self.adaptable.iter().any(|adaptable| adaptable.name.contains(part));
        if let Some(name) = settings.sparta.frozen_modules.iter().find(|name| name.is_empty() || !has(name)) {
            return Err(format!(
                "method.sparta.frozen_modules: no parameter of the model has \"{}\" in its name (upper and lower case count); a name is \
                 such as {}",
                name.escape_debug(),
                self.adaptable.first().map_or("", |adaptable| adaptable.name.as_str())
            ));
        }
        let rows = self.rows(settings)?;
        let trains = self.trains(settings);
        if !trains.contains(&Trains::Share) {
            return Err(
                "method.sparta.frozen_modules leaves nothing of method.targets to train; name fewer modules".into()
            );
        }
        let sites = self.adaptable.len() - others.places.len();
        let words = others.matrices.iter().position(|matrix| *matrix == Some(Matrix::Embeddings));
        match words.map(|words| sites + words).filter(|words| trains[*words] == Trains::Share && !rows.is_empty()) {
            None => Ok(()),
            Some(words) => Err(format!(
                "all rows of {name} may train, since {EMBEDDINGS} are among method.targets, so that single tokens cannot train in \
                 full; leave that target out, name {name} in method.sparta.frozen_modules, or leave the tokens out \
                 (method.sparta.trainable_tokens, train_new_tokens)",
                name = self.adaptable[words].name
            )),
        }
    }
}
