//! `spartui inspect`

use std::path::{Path, PathBuf};

use super::print_line;
use crate::error::{Error, Result};
use crate::model::{Encoder, dtype_name};
use crate::protocol::{Evaluation, Step};
use crate::run::{Journal, Metrics, RunFolder, adapter_contents, checkpoints};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of a model, an adapter or a run.
    path: PathBuf,
}

pub fn run(arguments: &Arguments, runs: &Path) -> Result<()> {
    let path = &arguments.path;
    if path.join("recipe.toml").is_file() || runs.join(path).join("recipe.toml").is_file() {
        return inspect_run(&RunFolder::find(runs, path)?);
    }
    if path.join("sparse_deltas.safetensors").is_file() {
        return inspect_adapter(path);
    }
    if path.join("config.json").is_file() {
        return inspect_model(path);
    }
    Err(Error::refused(format!(
        "{}: there is no model (config.json), adapter (sparse_deltas.safetensors) or run (recipe.toml); give the folder of one",
        path.display()
    )))
}

fn inspect_model(path: &Path) -> Result<()> {
    let mut model = Encoder::load(path, "auto", "cpu")?;
    let head = model.take_head().map_or_else(|| "none".into(), |head| format!("{} parameters", head.parameters()));
    print_line(&format!("model       {}", path.display()))?;
    print_line(&format!("family      {}", model.config.family))?;
    print_line(&format!("parameters  {} in {}", model.base_parameters(), dtype_name(model.kind)))?;
    print_line(&format!("head        {head}"))?;
    print_line(&format!("layers      {} of width {}", model.layers(), model.config.hidden_size))?;
    print_line(&format!("positions   {}", model.config.max_positions))?;
    print_line("")?;
    print_line(&format!("{:<18} {:>6} {:>14} {:>9}", "group", "sites", "parameters", "of all"))?;
    for group in model.groups() {
        let sizes: Vec<u64> =
            model.sites.iter().filter(|site| site.group == group).map(|site| site.weight.numel() as u64).collect();
        let scalars: u64 = sizes.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "parameters are below 2^53")]
        let share = scalars as f64 / model.base_parameters() as f64 * 100.0;
        print_line(&format!("{group:<18} {:>6} {scalars:>14} {share:>7.2} %", sizes.len()))?;
    }
    Ok(())
}

fn inspect_adapter(path: &Path) -> Result<()> {
    let contents = adapter_contents(path)?;
    let touched: Vec<_> = contents.scalars.iter().filter(|(_, scalars)| *scalars > 0).collect();
    let total: usize = touched.iter().map(|(_, scalars)| scalars).sum();
    print_line(&format!("adapter     {}", path.display()))?;
    print_line(&format!("base model  {}", contents.base.display()))?;
    let labels: Vec<String> = contents.labels.iter().map(|label| label.escape_debug().to_string()).collect();
    print_line(&format!("labels      {}", labels.join(", ")))?;
    print_line(&format!("deltas      {total} in {} of {} parameters", touched.len(), contents.scalars.len()))?;
    touched.iter().try_for_each(|(name, scalars)| print_line(&format!("{scalars:>12}  {name}")))
}

fn inspect_run(run: &RunFolder) -> Result<()> {
    let (recipe, status) = (run.recipe(), run.status()?);
    let readings = Metrics::read(&run.metrics_path())?;
    let steps = |last: Option<&Step>| {
        last.map_or_else(
            || "none".into(),
            |step| format!("{}, loss {:.4}, {} trainable", step.step, step.loss, step.trainable),
        )
    };
    let scores = |scores: &Evaluation| {
        format!(
            "{:.2} % at step {}, loss {:.4}, mcc {:.4}",
            scores.accuracy * 100.0,
            scores.step,
            scores.eval_loss,
            scores.mcc
        )
    };
    let best = readings.evaluations.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
    print_line(&format!("run         {} ({})", run.name(), status.state))?;
    print_line(&format!("model       {}", recipe.model.path.display()))?;
    print_line(&format!("data        {}", recipe.data.train.display()))?;
    print_line(&format!("sparsity    {}", recipe.method.sparsity))?;
    print_line(&format!("steps       {}", steps(readings.steps.last())))?;
    print_line(&format!("best        {}", best.map_or_else(|| "not evaluated".into(), scores)))?;
    for found in checkpoints(&run.checkpoints_path())? {
        print_line(&format!("checkpoint  {}", found.path.display()))?;
    }
    for change in Journal::read(&run.journal_path())? {
        print_line(&format!("step {:>6}  {}: {} -> {}", change.step, change.field, change.from, change.to))?;
    }
    Ok(())
}
