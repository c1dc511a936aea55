//! `spartui bench`

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::loading::{Kind, print_remarks};
use super::{end_progress, print_line, show_progress};
use spartui_cuda as cuda;
use spartui_engine::{high_water_mark, machine_memory, resident_size};
use spartui_facts::error::{Error, Result};
use spartui_facts::recipe::{self, MethodKind, Recipe, Recompute, Selection, TaskKind, Variant};
use spartui_hub as hub;
use spartui_method as method;
use spartui_model::{AddedRows, Head, Model, Open, dtype_name, task_of};
use spartui_sparse::prepare_device;
use spartui_train::{Extent, Prediction, Stopwatch, Surroundings, TrainedHead};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of the model in Hugging Face layout, or its name on the hub.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    #[arg(long, default_value = "sparta", value_name = "KIND", value_parser = method_kind, help = listed(&MethodKind::NAMES))]
    method: MethodKind,
    /// Share of all parameters that stay frozen.
    #[arg(long, default_value_t = 0.99, value_name = "S")]
    sparsity: f64,
    /// With lora: rank of the product added to each weight.
    #[arg(long, default_value_t = 8, value_name = "R", value_parser = clap::value_parser!(u16).range(1..))]
    rank: u16,
    /// With lora: plain, rslora or dora.
    #[arg(long, default_value = "plain", value_name = "VARIANT", value_parser = variant)]
    variant: Variant,
    /// Number of trainable parameters, the head included; 0: by the sparsity.
    #[arg(long, default_value_t = 0, value_name = "N")]
    trainable: u64,
    /// Which scalars train: random, smallest, largest, gradient or dynamic.
    #[arg(long, default_value = "random", value_name = "KIND", value_parser = selection)]
    selection: Selection,
    /// Groups to adapt, separated by commas; all-linear: all of them.
    #[arg(long, default_value = "all-linear", value_name = "GROUPS", value_delimiter = ',')]
    targets: Vec<String>,
    /// Sets a field of the method, as in method.melora.blocks=4; may be repeated.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Rows of a batch.
    #[arg(long, default_value_t = 8, value_name = "B", value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Tokens of a row.
    #[arg(long, default_value_t = 128, value_name = "T", value_parser = clap::value_parser!(u32).range(2..))]
    length: u32,
    /// Number of steps that are timed.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Number of steps before them, which are not timed.
    #[arg(long, default_value_t = 3, value_name = "N")]
    warmup: u16,
    /// auto (as stored), float32, bfloat16 or float16.
    #[arg(long, default_value = "auto")]
    dtype: String,
    /// auto, cpu, cuda, cuda:N or mps.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Task of the model; default: causal-lm for a decoder with a language-model head, sequence-classification for a
    /// decoder with a classification head and for an encoder.
    #[arg(long, value_name = "KIND")]
    task: Option<Kind>,
    /// Use random weights for the folder's config.json instead of reading the weights.
    #[arg(long)]
    random: bool,
    /// Recompute the activations of each block in the backward pass (gradient checkpointing).
    #[arg(long)]
    recompute: bool,
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

fn method_kind(text: &str) -> std::result::Result<MethodKind, String> {
    let named = MethodKind::ALL.into_iter().find(|kind| kind.name() == text);
    named.ok_or_else(|| format!("give {}", listed(&MethodKind::NAMES)))
}

/// Words in a sentence: "a, b or c".
fn listed(words: &[&str]) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        words => words.concat(),
    }
}

fn variant(text: &str) -> std::result::Result<Variant, String> {
    serde_json::from_value(text.into()).map_err(|_| "give plain, rslora or dora".into())
}

fn selection(text: &str) -> std::result::Result<Selection, String> {
    serde_json::from_value(text.into()).map_err(|_| "give random, smallest, largest, gradient or dynamic".into())
}

/// Number of labels of a classifier; the timing does not depend on it.
const LABELS: usize = 2;

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut used = Used::before();
    let around = Surroundings { program: resident_size(), data: 0, limit: machine_memory() };
    let mut model = arguments.open()?;
    read_all(&model);
    used.loaded(&model);
    let (rows, width) = (usize::from(arguments.batch), arguments.length as usize);
    let most = usize::try_from(model.config.max_positions).unwrap_or(usize::MAX);
    if width > most {
        return Err(Error::refused(format!(
            "--length {width} is more than the model's {most} positions; take {most} or less"
        )));
    }
    let head = match model.task {
        TaskKind::CausalLm => Head::none(),
        TaskKind::SequenceClassification => {
            Head::random(model.head_kind(), LABELS, model.config.hidden_size, 0, model.device)
        }
    };
    let recipe = arguments.recipe()?;
    // As at the start of a run.
    model.move_to_large_pages(&method::written(&recipe.method, &model, head.parameters())?);
    let mut method = method::build(&recipe.method, &model, &head, [0.9, 0.99])?;
    let predicted =
        Prediction::new(&recipe, &model, head.parameters(), (arguments.extent(&model), Extent::default()), around)?;
    let mut head = TrainedHead::new(head);
    let mut stopwatch = Stopwatch {
        model: &model,
        head: &mut head,
        method: method.as_mut(),
        rows,
        width,
        recompute: recipe.train.recompute,
        step: 0,
        of: u64::from(arguments.warmup) + u64::from(arguments.steps),
    };
    stopwatch.choose(&recipe.method)?;
    let trainable = stopwatch.method.trainable() + stopwatch.head.head.parameters();
    let all = arguments.warmup + arguments.steps;
    let (mut steps, mut floors) = (Vec::new(), Vec::new());
    for at in 0..all {
        show_progress("timing", Some(f32::from(at) / f32::from(all)));
        let step = stopwatch.step();
        used.stepped();
        // The floor does not change the peak: it is timed after the first step and needs less memory.
        let floor = stopwatch.floor();
        if at >= arguments.warmup {
            steps.push(step);
            floors.push(floor);
        }
    }
    end_progress();
    arguments.print(&model, &Times::of(steps), &Times::of(floors), (trainable, &used, predicted), (rows, width))
}

/// Reads every weight, since memory-mapped weights are in memory only after that.
fn read_all(model: &Model) {
    for parameter in &model.parameters {
        let _ = std::hint::black_box(parameter.tensor.max());
    }
}

/// Memory in bytes that this process used.
struct Used {
    /// Resident memory with program and weights.
    loaded: u64,
    /// Memory of the model's NVIDIA device, if it is on one.
    device: Option<OnDevice>,
    /// Memory of each such device that other processes used at the start.
    others: Vec<u64>,
}

struct OnDevice {
    index: usize,
    /// With weights and CUDA context.
    loaded: u64,
    peak: u64,
}

impl Used {
    fn before() -> Self {
        let devices = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
        let others = (0..devices).map(|device| cuda::used_memory(device).unwrap_or(0)).collect();
        Self { loaded: 0, device: None, others }
    }

    fn loaded(&mut self, model: &Model) {
        self.loaded = resident_size();
        if let tch::Device::Cuda(index) = model.device {
            let loaded = self.on(index);
            self.device = loaded.map(|loaded| OnDevice { index, loaded, peak: loaded });
        }
    }

    /// Measures the device memory at the end of a step: libtorch keeps the memory that the step used.
    fn stepped(&mut self) {
        let now = self.device.as_ref().and_then(|device| self.on(device.index));
        if let (Some(device), Some(now)) = (&mut self.device, now) {
            device.peak = device.peak.max(now);
        }
    }

    fn on(&self, device: usize) -> Option<u64> {
        let used = cuda::memory(device).ok()?.used();
        Some(used.saturating_sub(self.others.get(device).copied().unwrap_or(0)))
    }
}

/// Median, tenth and ninetieth percentile of several times, in milliseconds.
struct Times {
    median: f64,
    low: f64,
    high: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |tenths: usize| times.get((times.len() - 1) * tenths / 10).copied().unwrap_or(f64::NAN);
        Self { median: at(5), low: at(1), high: at(9) }
    }
}

impl Arguments {
    fn open(&self) -> Result<Model> {
        let folder = hub::resolve(&self.model, &mut |what, fraction| show_progress(what, fraction))?;
        let task = match self.task {
            Some(task) => task.into(),
            None => task_of(&folder, !self.random)?,
        };
        let fresh = self.random.then_some(0);
        let model = Model::open(&Open {
            folder: &folder,
            dtype: &self.dtype,
            device: &self.device,
            task,
            fresh,
            added: AddedRows::default(),
        })?;
        print_remarks(&model);
        if let tch::Device::Cuda(device) = model.device {
            // If the kernels cannot be compiled, the slower code is timed; `spartui doctor` says why.
            let _ = prepare_device(device);
        }
        Ok(model)
    }

    fn recipe(&self) -> Result<Recipe> {
        let mut recipe = Recipe::default();
        recipe.method.kind = self.method;
        recipe.method.sparsity = self.sparsity;
        recipe.method.rank = usize::from(self.rank);
        recipe.method.variant = self.variant;
        recipe.method.trainable = self.trainable;
        recipe.method.selection = self.selection;
        recipe.method.targets.clone_from(&self.targets);
        recipe.train.recompute = if self.recompute { Recompute::Blocks } else { Recompute::None };
        recipe.optimizer.max_grad_norm = 0.0;
        for assignment in &self.set {
            let (field, value) = recipe::parse_assignment(assignment).map_err(Error::refused)?;
            if !field.starts_with("method.") {
                return Err(Error::refused(format!(
                    "--set {assignment}: give a field of the method, as method.melora.blocks=4"
                )));
            }
            recipe.set(&field, value).map_err(Error::refused)?;
        }
        Ok(recipe)
    }

    fn extent(&self, model: &Model) -> Extent {
        let (rows, width) = (u64::from(self.batch), u64::from(self.length));
        Extent { rows, width, targets: if model.task == TaskKind::CausalLm { rows * (width - 1) } else { 0 } }
    }

    #[expect(clippy::cast_precision_loss, reason = "sizes are below 2^53")]
    fn print(
        &self,
        model: &Model,
        step: &Times,
        floor: &Times,
        (trainable, used, predicted): (u64, &Used, Prediction),
        (rows, width): (usize, usize),
    ) -> Result<()> {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let weights = mib(model.base_parameters() * model.kind.elt_size_in_bytes() as u64);
        let (peak, loaded) = (mib(high_water_mark()), mib(used.loaded));
        let (examples, tokens) = (rows as f64 / step.median * 1e3, (rows * width) as f64 / step.median * 1e3);
        let sparsity = 1.0 - trainable as f64 / (model.base_parameters() as f64);
        if self.json {
            let mut json = json!({
                "median_step_ms": step.median,
                "step_ms_10_90": [step.low, step.high],
                "floor_ms": floor.median,
                "floor_ms_10_90": [floor.low, floor.high],
                "step_to_floor": step.median / floor.median,
                "tokens_per_second": tokens,
                "examples_per_second": examples,
                "peak_rss_mib": peak,
                "weights_mib": weights,
                "loaded_rss_mib": loaded,
                "peak_above_loaded_mib": peak - loaded,
                "predicted_peak_mib": mib(predicted.total()),
                "predicted_mib": predicted.parts().map(|(name, bytes)| (name, mib(bytes))).into_iter().collect::<BTreeMap<_, _>>(),
                "trainable": trainable,
                "parameters": model.base_parameters(),
                "sparsity": sparsity,
                "batch": rows,
                "length": width,
                "steps": self.steps,
                "dtype": dtype_name(model.kind),
                "device": format!("{:?}", model.device).to_lowercase(),
                "threads": tch::get_num_threads(),
            });
            if let Some(device) = &used.device {
                json["peak_device_mib"] = mib(device.peak).into();
                json["loaded_device_mib"] = mib(device.loaded).into();
            }
            return print_line(&json.to_string());
        }
        print_line(&format!(
            "model       {} with {} parameters, {} on {:?}",
            self.model.display(),
            model.base_parameters(),
            dtype_name(model.kind),
            model.device
        ))?;
        print_line(&format!("trainable   {trainable}, sparsity {:.4} %", sparsity * 100.0))?;
        print_line(&format!("step        {:.1} ms (10 to 90 %: {:.1} to {:.1})", step.median, step.low, step.high))?;
        print_line(&format!("floor       {:.1} ms (10 to 90 %: {:.1} to {:.1})", floor.median, floor.low, floor.high))?;
        print_line(&format!("ratio       {:.3}", step.median / floor.median))?;
        print_line(&format!("throughput  {tokens:.0} tokens/s, {examples:.1} examples/s ({rows} x {width})"))?;
        if let Some(device) = &used.device {
            let (peak, loaded) = (mib(device.peak), mib(device.loaded));
            print_line(&format!("device      peak {peak:.0} MiB, {:.0} MiB above context and weights", peak - loaded))?;
        }
        print_line(&format!(
            "memory      peak {peak:.0} MiB, {:.0} MiB above program and weights; predicted {:.0} MiB",
            peak - loaded,
            mib(predicted.total())
        ))
    }
}
