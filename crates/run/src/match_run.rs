//! `method.match`: as many trainable parameters as another run has.

use std::path::Path;

use super::metrics::{Reading, scan};
use super::{RunFolder, refuse_race};
use spartui_facts::error::{Error, Result};
use spartui_facts::quote::place;
use spartui_facts::recipe::Recipe;

/// Replaces `method.match` by `method.trainable`: the number of trainable parameters, the head included, at the last
/// step of the run that it names. From then on the recipe depends on no other run.
///
/// # Errors
/// Refuses a path that is no run, and a run that has taken no step.
pub fn resolve_match(recipe: &mut Recipe, runs_dir: &Path) -> Result<()> {
    if recipe.method.match_run.is_empty() {
        return Ok(());
    }
    let name = std::mem::take(&mut recipe.method.match_run);
    let folder = RunFolder::find(runs_dir, Path::new(&name))
        .and_then(|folder| refuse_race(&folder, "method.match=").map(|()| folder))
        .map_err(|error| Error::refused(format!("method.match: {}", error.message())))?;
    let mut trainable = None;
    scan(&folder.metrics_path(), |reading| {
        if let Some(Reading::Step(step)) = reading {
            trainable = Some(step.trainable);
        }
    })?;
    recipe.method.trainable = trainable.filter(|count| *count > 0).ok_or_else(|| {
        Error::refused(format!(
            "method.match: the run {} has taken no step, so that its number of trainable parameters is not known; give \
             method.trainable, or another run",
            place(folder.path())
        ))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;
    use spartui_facts::protocol::Step;

    fn step(step: u64, trainable: u64) -> Step {
        let (epoch, loss, learning_rate, grad_norm, seconds, sparsity) = (0.1, 1.0, 1e-3, 1.0, 0.1, 0.99);
        Step {
            step,
            epoch,
            loss,
            learning_rate,
            grad_norm,
            examples: 8,
            tokens: 64,
            seconds,
            trainable,
            sparsity,
            branch: 0,
        }
    }

    #[test]
    fn the_count_of_the_last_step_takes_the_place_of_the_name() {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(runs.path(), Some("first"), &Recipe::default(), "x").unwrap();
        let asking = || {
            let mut recipe = Recipe::default();
            recipe.set("method.match", "first".into()).unwrap();
            recipe
        };
        let why = resolve_match(&mut asking(), runs.path()).unwrap_err();
        assert!(why.message().contains("has taken no step"), "{why}");
        let mut metrics = Metrics::open(&folder.metrics_path()).unwrap();
        metrics.step(&step(1, 5000)).unwrap();
        metrics.step(&step(2, 6000)).unwrap();
        metrics.flush().unwrap();
        let mut recipe = asking();
        resolve_match(&mut recipe, runs.path()).unwrap();
        assert_eq!((recipe.method.trainable, recipe.method.match_run.as_str()), (6000, ""));
        let mut by_folder = Recipe::default();
        by_folder.set("method.match", folder.path().to_string_lossy().into_owned().into()).unwrap();
        resolve_match(&mut by_folder, Path::new("elsewhere")).unwrap();
        assert_eq!(by_folder.method.trainable, 6000);
    }

    #[test]
    fn a_lane_is_named_by_its_race_and_its_number() {
        let runs = tempfile::tempdir().unwrap();
        let lanes = runs.path().join("race/lanes");
        let lane = RunFolder::create(&lanes, Some("lane-2"), &Recipe::default(), "x").unwrap();
        let mut metrics = Metrics::open(&lane.metrics_path()).unwrap();
        metrics.step(&step(1, 7000)).unwrap();
        metrics.flush().unwrap();
        let mut recipe = Recipe::default();
        recipe.set("method.match", "race/lane-2".into()).unwrap();
        resolve_match(&mut recipe, runs.path()).unwrap();
        assert_eq!(recipe.method.trainable, 7000);
    }

    #[test]
    fn a_run_that_is_not_there_is_refused_and_without_a_name_nothing_happens() {
        let runs = tempfile::tempdir().unwrap();
        let mut recipe = Recipe::default();
        resolve_match(&mut recipe, runs.path()).unwrap();
        assert_eq!(recipe, Recipe::default());
        recipe.set("method.match", "nobody".into()).unwrap();
        let why = resolve_match(&mut recipe, runs.path()).unwrap_err();
        assert!(why.message().starts_with("method.match: nobody is not a run folder"), "{why}");
    }
}
