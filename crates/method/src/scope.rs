//! The groups and sites of a model that a method may adapt, and the number of trainable scalars of each.

use std::collections::BTreeMap;

use super::untouched_groups;
use spartui_facts::protocol::Group;
use spartui_facts::recipe;
use spartui_model::Model;
use spartui_sparse::budget::{Budget, Share};

/// The sites of a model by group and size.
#[derive(Debug)]
pub struct Scope {
    /// The groups of the model, all of them frozen.
    pub groups: Vec<Group>,
    /// The model's own name of each group, by every name that a recipe may use for it.
    names: BTreeMap<String, String>,
    parameters: u64,
    head: u64,
    /// Group and number of scalars of each site.
    sites: Vec<(&'static str, u64)>,
}

impl Scope {
    /// The scope of this model; `head` counts the scalars of its classification head.
    #[must_use]
    pub fn new(model: &Model, head: u64) -> Self {
        Self {
            groups: untouched_groups(model),
            names: model.group_names(),
            parameters: model.base_parameters() + head,
            head,
            sites: model.sites.iter().map(|site| (site.group, site.weight.numel() as u64)).collect(),
        }
    }

    /// The group of a site.
    #[must_use]
    pub fn group_of(&self, site: usize) -> &'static str {
        self.sites.get(site).map_or("another layer", |(group, _)| group)
    }

    /// The settings with every group under the model's own name for it.
    ///
    /// # Errors
    /// One sentence: a group that the model does not have, or no target at all.
    pub fn resolve(&self, settings: &recipe::Method) -> Result<recipe::Method, String> {
        let all = || self.groups.iter().map(|group| group.name.clone());
        let own = |name: &String| {
            self.names.get(name).cloned().ok_or_else(|| {
                let known: Vec<String> = all().collect();
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
        let mut resolved = settings.clone();
        resolved.targets = if settings.targets.iter().any(|target| target == "all-linear") {
            all().collect()
        } else {
            settings.targets.iter().map(own).collect::<Result<_, _>>()?
        };
        resolved.density =
            settings.density.iter().map(|(name, density)| Ok((own(name)?, *density))).collect::<Result<_, String>>()?;
        if resolved.targets.is_empty() && resolved.density.is_empty() {
            return Err("method.targets names no group; name at least one, or take method.kind = \"head\"".into());
        }
        Ok(resolved)
    }

    /// The budget of (resolved) settings.
    #[must_use]
    pub fn budget(&self, settings: &recipe::Method) -> Budget {
        let targets = self.sites.iter().filter(|(group, _)| is_target(settings, group));
        let share = |(group, scalars): &(&str, u64)| Share {
            scalars: *scalars,
            density: settings.density.get(*group).copied(),
        };
        Budget { parameters: self.parameters, always: self.head, weights: targets.map(share).collect() }
    }

    /// Number of trainable scalars of each site under (resolved) settings.
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
        let count = |(group, _): &(&str, u64)| if is_target(settings, group) { counts.next().unwrap_or(0) } else { 0 };
        Ok(self.sites.iter().map(count).collect())
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
