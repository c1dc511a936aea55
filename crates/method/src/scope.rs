//! The groups and sites of a model that a method may adapt, and the number of trainable scalars of each.

use std::collections::BTreeMap;

use super::{frozen_group, untouched_groups};
use spartui_facts::protocol::Group;
use spartui_facts::recipe;
use spartui_model::{Model, Parameter, Stage};
use spartui_sparse::budget::{Budget, Share};

/// The parts of a model that may train, by group and size: its sites, and after them, for a method that trains these
/// too, its other parameters.
#[derive(Debug)]
pub struct Scope {
    /// The groups of the model, all of them frozen.
    pub groups: Vec<Group>,
    /// The model's own name of each group, by every name that a recipe may use for it.
    names: BTreeMap<String, String>,
    parameters: u64,
    head: u64,
    parts: Vec<Part>,
    /// For each part that is no site, its place among the model's parameters.
    others: Vec<usize>,
    tokens: Tokens,
}

/// One weight of the model, or another of its parameters.
#[derive(Debug)]
struct Part {
    name: String,
    group: &'static str,
    scalars: u64,
}

/// The rows of tokens that may train.
#[derive(Debug, Default)]
struct Tokens {
    /// Whether the method trains rows of tokens.
    train: bool,
    /// The token with each of the texts that a recipe names.
    by_text: BTreeMap<String, i64>,
    /// The tokens that the recipe adds to the model.
    new: Vec<i64>,
    /// The matrices with a row for each token, by their places among the model's parameters.
    matrices: Vec<usize>,
    /// Scalars of one row of each.
    width: u64,
}

/// Groups of the parameters that are no sites, each with other names for it.
pub const OTHERS: [(&str, &[&str]); 4] =
    [(BIAS, &["biases"]), (NORM, &["norms"]), (EMBEDDINGS, &["embedding", "embed_tokens"]), (LM_HEAD, &[])];

const BIAS: &str = "bias";
const NORM: &str = "norm";
const EMBEDDINGS: &str = "embeddings";
const LM_HEAD: &str = "lm_head";
/// In `method.targets`: every group of linear layers.
const ALL_LINEAR: &str = "all-linear";
/// In `method.targets`: every parameter.
const ALL: &str = "all";

/// The group of a parameter that is no site.
fn group_of_other(parameter: &Parameter) -> &'static str {
    match parameter.stage {
        _ if is_norm(parameter) => NORM,
        _ if parameter.tensor.dim() == 1 => BIAS,
        Stage::Output => LM_HEAD,
        // The pooler of a BERT is the only other matrix, and no part of the models that are trained here.
        Stage::Embedding | Stage::Block(_) => EMBEDDINGS,
    }
}

/// Whether a parameter is the scale or shift of a norm.
pub fn is_norm(parameter: &Parameter) -> bool {
    let mut parts = parameter.name.rsplit('.');
    let module = parts.nth(1).unwrap_or_default().to_lowercase();
    parameter.tensor.dim() == 1 && (module.contains("norm") || module.starts_with("ln_"))
}

impl Scope {
    /// The sites of this model; `head` counts the scalars of its classification head.
    #[must_use]
    pub fn new(model: &Model, head: u64) -> Self {
        let part = |site: &spartui_model::Site| Part {
            name: site.name.clone(),
            group: site.group,
            scalars: site.weight.numel() as u64,
        };
        Self {
            groups: untouched_groups(model),
            names: model.group_names(),
            parameters: model.base_parameters() + head,
            head,
            parts: model.sites.iter().map(part).collect(),
            others: Vec::new(),
            tokens: Tokens::default(),
        }
    }

    /// The sites of this model, its other parameters, and the rows of its tokens.
    #[must_use]
    pub fn with_others(model: &Model, head: u64) -> Self {
        let mut scope = Self::new(model, head);
        let is_site = |parameter: &Parameter| model.sites.iter().any(|site| site.name == parameter.name);
        for (place, parameter) in model.parameters.iter().enumerate().filter(|(_, parameter)| !is_site(parameter)) {
            let (group, scalars) = (group_of_other(parameter), parameter.tensor.numel() as u64);
            scope.parts.push(Part { name: parameter.name.clone(), group, scalars });
            scope.others.push(place);
        }
        for (own, others) in OTHERS {
            let of_group = |part: &&Part| part.group == own;
            let parameters: u64 = scope.parts.iter().filter(of_group).map(|part| part.scalars).sum();
            if parameters > 0 {
                let names = std::iter::once(&own).chain(others);
                scope.names.extend(names.map(|name| ((*name).to_owned(), own.to_owned())));
                scope.groups.push(frozen_group(own, parameters, model.layers()));
            }
        }
        let matrices = [model.words_parameter(), model.language_parameter()].into_iter().flatten();
        let mut matrices: Vec<usize> = matrices.collect();
        matrices.dedup();
        scope.tokens = Tokens {
            train: true,
            by_text: model.token_ids.clone(),
            new: model.new_tokens.iter().map(|token| token.id).collect(),
            matrices,
            width: model.config.hidden_size.unsigned_abs(),
        };
        scope
    }

    /// For each part that is no site, its place among the model's parameters.
    #[must_use]
    pub fn others(&self) -> &[usize] {
        &self.others
    }

    /// The group of a part.
    #[must_use]
    pub fn group_of(&self, part: usize) -> &'static str {
        self.parts.get(part).map_or("another layer", |part| part.group)
    }

    /// The settings with every group under the model's own name for it.
    ///
    /// # Errors
    /// One sentence: a group that the model does not have, a token that it does not have, or no target at all.
    pub fn resolve(&self, settings: &recipe::Method) -> Result<recipe::Method, String> {
        let linear = || self.groups.iter().map(|group| group.name.clone()).filter(|name| !is_other(name));
        let own = |name: &String| {
            self.names.get(name).cloned().ok_or_else(|| {
                let known: Vec<String> = self.groups.iter().map(|group| group.name.clone()).collect();
                format!(
                    "method.targets or method.density: the model has no group \"{}\"; it has {}, or all-linear",
                    name.escape_debug(),
                    known.join(", ")
                )
            })
        };
        if !settings.match_run.is_empty() {
            return Err(format!(
                "method.match = \"{}\" is looked up where a run is launched; give method.trainable here",
                settings.match_run.escape_debug()
            ));
        }
        let mut targets: Vec<String> = Vec::new();
        for target in &settings.targets {
            match target.as_str() {
                ALL if self.tokens.train => targets.extend(self.groups.iter().map(|group| group.name.clone())),
                ALL_LINEAR => targets.extend(linear()),
                _ => targets.push(own(target)?),
            }
        }
        let mut resolved = settings.clone();
        // Those that are named twice, once.
        resolved.targets = Vec::new();
        for name in targets {
            if !resolved.targets.contains(&name) {
                resolved.targets.push(name);
            }
        }
        resolved.density =
            settings.density.iter().map(|(name, density)| Ok((own(name)?, *density))).collect::<Result<_, String>>()?;
        if resolved.targets.is_empty() && resolved.density.is_empty() {
            return Err("method.targets names no group; name at least one, or take method.kind = \"head\"".into());
        }
        if self.tokens.train {
            self.check_names(&resolved)?;
        }
        Ok(resolved)
    }

    /// Refuses names of modules and of tokens that have no effect, and rows that a target trains already.
    fn check_names(&self, settings: &recipe::Method) -> Result<(), String> {
        for name in &settings.sparta.frozen_modules {
            if name.is_empty() || !self.parts.iter().any(|part| part.name.contains(name.as_str())) {
                let example = self.parts.first().map_or("", |part| part.name.as_str());
                return Err(format!(
                    "method.sparta.frozen_modules: no parameter of the model has \"{}\" in its name, which is one such as {example}",
                    name.escape_debug()
                ));
            }
        }
        let words = self.tokens.matrices.first().map(|place| self.part_at(*place));
        match words.flatten().filter(|part| trains(settings, part)) {
            Some(part) if !self.rows(settings)?.is_empty() => Err(format!(
                "all rows of {} may train, since method.targets has {}, so that single tokens cannot train in full; leave that \
                 target out, name {} in method.sparta.frozen_modules, or leave the tokens out (method.sparta.trainable_tokens, \
                 train_new_tokens)",
                part.name, part.group, part.name
            )),
            _ if self.parts.iter().any(|part| trains(settings, part)) => Ok(()),
            _ => {
                Err("method.sparta.frozen_modules leaves nothing of method.targets to train; name fewer modules".into())
            }
        }
    }

    /// The part that is this parameter, by its place among the model's.
    fn part_at(&self, place: usize) -> Option<&Part> {
        let number = self.others.iter().position(|other| *other == place)?;
        self.parts.get(self.parts.len() - self.others.len() + number)
    }

    /// The matrices of which rows of tokens train, by their places among the model's parameters: the embeddings, and an
    /// untied language-model head that is neither a target itself nor named as frozen.
    #[must_use]
    pub fn matrices(&self, settings: &recipe::Method) -> Vec<usize> {
        if self.rows(settings).map_or(true, |rows| rows.is_empty()) {
            return Vec::new();
        }
        let is_frozen =
            |part: &Part| settings.sparta.frozen_modules.iter().any(|name| part.name.contains(name.as_str()));
        let mut matrices = self.tokens.matrices.clone();
        let mut at = 0;
        matrices.retain(|place| {
            at += 1;
            let part = self.part_at(*place);
            at == 1 || part.is_none_or(|part| !is_frozen(part) && !trains(settings, part))
        });
        matrices
    }

    /// The tokens whose rows train, ascending.
    ///
    /// # Errors
    /// One sentence: a token that the tokenizer does not have.
    pub fn rows(&self, settings: &recipe::Method) -> Result<Vec<i64>, String> {
        if !self.tokens.train {
            return Ok(Vec::new());
        }
        let named = settings.sparta.trainable_tokens.iter().map(|text| {
            self.tokens.by_text.get(text).copied().ok_or_else(|| {
                format!(
                    "method.sparta.trainable_tokens: the tokenizer has no token \"{}\"; give one of its tokens or the number of \
                     one, or add it with model.new_tokens",
                    text.escape_debug()
                )
            })
        });
        let mut rows = named.collect::<Result<Vec<i64>, String>>()?;
        if settings.sparta.train_new_tokens {
            rows.extend(&self.tokens.new);
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(rows)
    }

    /// Scalars of the rows of tokens that train, in each of the matrices.
    fn scalars_of_rows(&self, settings: &recipe::Method) -> Vec<u64> {
        let rows = self.rows(settings).map_or(0, |rows| rows.len() as u64);
        vec![rows * self.tokens.width; self.matrices(settings).len()]
    }

    /// The budget of (resolved) settings.
    #[must_use]
    pub fn budget(&self, settings: &recipe::Method) -> Budget {
        let targets = self.parts.iter().filter(|part| trains(settings, part));
        let share = |part: &Part| Share { scalars: part.scalars, density: settings.density.get(part.group).copied() };
        let rows = self.scalars_of_rows(settings).iter().sum::<u64>();
        Budget { parameters: self.parameters, always: self.head + rows, rows, weights: targets.map(share).collect() }
    }

    /// Number of trainable scalars of each part under (resolved) settings, and of the rows of tokens in each of the
    /// matrices, if any train.
    ///
    /// # Errors
    /// One sentence: a sparsity or a count outside its bounds.
    pub fn counts(&self, settings: &recipe::Method) -> Result<Vec<u64>, String> {
        let budget = self.budget(settings);
        let counts = match settings.trainable {
            0 => budget.counts(settings.sparsity),
            trainable => budget.counts_of(trainable),
        };
        let mut counts = counts?.into_iter();
        let count = |part: &Part| if trains(settings, part) { counts.next().unwrap_or(0) } else { 0 };
        let of_parts: Vec<u64> = self.parts.iter().map(count).collect();
        Ok(of_parts.into_iter().chain(self.scalars_of_rows(settings)).collect())
    }
}

/// Whether a group is one of parameters that are no sites.
#[must_use]
pub fn is_other(group: &str) -> bool {
    OTHERS.iter().any(|(own, _)| *own == group)
}

/// Whether the (resolved) settings adapt this part.
fn trains(settings: &recipe::Method, part: &Part) -> bool {
    is_target(settings, part.group)
        && !settings.sparta.frozen_modules.iter().any(|name| part.name.contains(name.as_str()))
}

/// Parameters that a method may add to a model of any size.
const HARMLESS: u64 = 1 << 20;

/// Refuses settings of a method that adds tensors to the model, if these were more than the model itself, and many.
///
/// # Errors
/// One sentence with both numbers.
pub fn refuse_more_than_the_model(kind: &str, trainable: u64, model: &Model) -> Result<(), String> {
    let parameters = model.base_parameters();
    if trainable <= parameters.max(HARMLESS) {
        return Ok(());
    }
    Err(format!(
        "method.kind \"{kind}\" would train {trainable} parameters with these settings, more than the {parameters} of the model; give a \
         smaller size in its settings, a smaller method.trainable, or fewer targets"
    ))
}

/// Whether the (resolved) settings adapt this group.
pub fn is_target(settings: &recipe::Method, group: &str) -> bool {
    settings.targets.iter().any(|target| target == group) || settings.density.contains_key(group)
}

/// The root of the mean of these squares; 0 of none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "scalars are below 2^53")]
pub fn root_mean(squares: f64, scalars: u64) -> f64 {
    if scalars == 0 { 0.0 } else { (squares / scalars as f64).sqrt() }
}

/// A remark where a number of trainable parameters was asked for: what the size (its name and its value) that comes
/// nearest trains.
#[must_use]
pub fn nearest_size((called, size): (&str, usize), wanted: u64, trained: u64) -> Option<String> {
    let (apart, which) = (wanted.abs_diff(trained), if trained > wanted { "more" } else { "fewer" });
    match (wanted, apart) {
        (0, _) => None,
        (_, 0) => Some(format!("{called} {size} trains the {wanted} parameters that were asked for")),
        _ => Some(format!(
            "{called} {size} comes nearest: it trains {trained} parameters, {apart} {which} than the {wanted} that were \
             asked for"
        )),
    }
}
