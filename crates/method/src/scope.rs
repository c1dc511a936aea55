//! The groups and sites of a model that a method may adapt, and the number of trainable scalars of each.

mod others;

use std::collections::BTreeMap;

use others::Others;
pub use others::{is_norm, is_other};

use super::untouched_groups;
use spartui_facts::protocol::Group;
use spartui_facts::recipe;
use spartui_model::Model;
use spartui_sparse::budget::{Budget, Share};

/// What of a model may train, by group and size: its sites, and after them, for a method that trains these too, its
/// other parameters.
#[derive(Debug)]
pub struct Scope {
    /// The groups of the model, all of them frozen.
    pub groups: Vec<Group>,
    /// The model's own name of each group, by every name that a recipe may use for it.
    names: BTreeMap<String, String>,
    parameters: u64,
    head: u64,
    adaptable: Vec<Adaptable>,
    /// For a method that trains other parameters too.
    others: Option<Others>,
}

/// One site of the model, or another of its parameters.
#[derive(Debug)]
struct Adaptable {
    name: String,
    group: &'static str,
    scalars: u64,
}

/// What of a site or another parameter trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trains {
    Nothing,
    /// A share of the budget.
    Share,
    /// The rows of some tokens, with this number of scalars.
    Rows(u64),
}

/// In `method.targets`: every group of linear layers.
const ALL_LINEAR: &str = "all-linear";
/// In `method.targets`: every parameter.
const ALL: &str = "all";

impl Scope {
    /// The sites of this model; `head` counts the scalars of its classification head.
    #[must_use]
    pub fn new(model: &Model, head: u64) -> Self {
        let adaptable = |site: &spartui_model::Site| Adaptable {
            name: site.name.clone(),
            group: site.group,
            scalars: site.weight.numel() as u64,
        };
        Self {
            groups: untouched_groups(model),
            names: model.group_names(),
            parameters: model.base_parameters() + head,
            head,
            adaptable: model.sites.iter().map(adaptable).collect(),
            others: None,
        }
    }

    /// The group of a site or another parameter.
    #[must_use]
    pub fn group_of(&self, number: usize) -> &'static str {
        self.adaptable.get(number).map_or("another layer", |adaptable| adaptable.group)
    }

    /// The settings with every group under the model's own name for it.
    ///
    /// # Errors
    /// One sentence: a group that the model does not have, a token that it does not have, or no target at all.
    pub fn resolve(&self, settings: &recipe::Method) -> Result<recipe::Method, String> {
        let all = || self.groups.iter().map(|group| group.name.clone());
        let own = |name: &String| {
            self.names.get(name).cloned().ok_or_else(|| {
                format!(
                    "method.targets or method.density: the model has no group \"{}\"; it has {}, or {ALL_LINEAR}{}",
                    name.escape_debug(),
                    all().collect::<Vec<_>>().join(", "),
                    if self.others.is_some() { format!(", or {ALL}") } else { String::new() }
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
                ALL if self.others.is_some() => targets.extend(all()),
                ALL_LINEAR => targets.extend(all().filter(|name| !is_other(name))),
                _ => targets.push(own(target)?),
            }
        }
        let mut resolved = settings.clone();
        resolved.targets.clear();
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
        self.check_others(&resolved)?;
        Ok(resolved)
    }

    /// The budget of (resolved) settings.
    #[must_use]
    pub fn budget(&self, settings: &recipe::Method) -> Budget {
        let (mut rows, mut weights) = (0, Vec::new());
        for (adaptable, trains) in self.adaptable.iter().zip(self.trains(settings)) {
            match trains {
                Trains::Nothing => {}
                Trains::Share => weights.push(Share {
                    scalars: adaptable.scalars,
                    density: settings.density.get(adaptable.group).copied(),
                }),
                Trains::Rows(scalars) => rows += scalars,
            }
        }
        Budget { parameters: self.parameters, always: self.head + rows, rows, weights }
    }

    /// Number of trainable scalars of each site under (resolved) settings, and of each other parameter.
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
        let count = |trains: Trains| match trains {
            Trains::Nothing => 0,
            Trains::Share => counts.next().unwrap_or(0),
            Trains::Rows(scalars) => scalars,
        };
        Ok(self.trains(settings).into_iter().map(count).collect())
    }

    /// Whether rows of tokens train, and only these, of each site and other parameter under (resolved) settings.
    #[must_use]
    pub fn trains_rows(&self, settings: &recipe::Method) -> Vec<bool> {
        self.trains(settings).into_iter().map(|trains| matches!(trains, Trains::Rows(_))).collect()
    }

    /// What of each site and other parameter trains under (resolved) settings.
    fn trains(&self, settings: &recipe::Method) -> Vec<Trains> {
        let rows = self.rows(settings).map_or(0, |rows| rows.len() as u64);
        let sites = self.adaptable.len() - self.others().len();
        let trains = |(number, adaptable): (usize, &Adaptable)| {
            let is_frozen = self.is_frozen(settings, adaptable);
            let rows = number.checked_sub(sites).map_or(0, |other| self.scalars_of_rows(other, is_frozen, rows));
            match is_target(settings, adaptable.group) && !is_frozen {
                true => Trains::Share,
                false if rows > 0 => Trains::Rows(rows),
                false => Trains::Nothing,
            }
        };
        self.adaptable.iter().enumerate().map(trains).collect()
    }
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
