//! Models to train: those of the golden files, and Llama shapes with random weights.

use std::path::{Path, PathBuf};

use serde_json::json;
use spartui::method::{self, Method};
use spartui::model::{AddedRows, Config, Head, Model, Open};
use spartui::recipe::{self, MethodKind, Recompute, TaskKind};
use spartui::train::{Stopwatch, TrainedHead};

/// A model with what is trained of it.
pub struct Trainee {
    pub model: Model,
    head: TrainedHead,
    method: Box<dyn Method>,
    step: u64,
}

/// How it is trained.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub dtype: &'a str,
    pub device: &'a str,
    pub targets: &'a [&'a str],
    pub sparsity: f64,
    /// Draw weights instead of reading them.
    pub random: bool,
}

impl Trainee {
    pub fn open(folder: &Path, setting: &Setting<'_>) -> spartui::error::Result<Self> {
        let decoder = Config::load(folder)?.family.is_decoder();
        let task = if decoder { TaskKind::CausalLm } else { TaskKind::SequenceClassification };
        let fresh = setting.random.then_some(7);
        let model = Model::open(&Open {
            folder,
            dtype: setting.dtype,
            device: setting.device,
            task,
            fresh,
            added: AddedRows::default(),
        })?;
        let head = if decoder {
            Head::none()
        } else {
            Head::random(model.head_kind(), 3, model.config.hidden_size, 0, model.device)
        };
        let settings = recipe::Method {
            kind: MethodKind::Sparta,
            sparsity: setting.sparsity,
            targets: setting.targets.iter().map(|&target| target.to_owned()).collect(),
            ..recipe::Method::default()
        };
        let method = method::build(&settings, &model, &head, [0.9, 0.99])?;
        Ok(Self { head: TrainedHead::new(head), model, method, step: 0 })
    }

    pub fn trainable(&self) -> u64 {
        self.method.trainable() + self.head.head.parameters()
    }

    /// Does something with a stopwatch on it.
    pub fn timed<T>(
        &mut self,
        (rows, width): (usize, usize),
        recompute: Recompute,
        work: impl FnOnce(&mut Stopwatch<'_>) -> T,
    ) -> T {
        let mut stopwatch = Stopwatch {
            model: &self.model,
            head: &mut self.head,
            method: self.method.as_mut(),
            rows,
            width,
            recompute,
            step: self.step,
            of: 100,
        };
        let done = work(&mut stopwatch);
        self.step = stopwatch.step;
        done
    }
}

/// Sizes of a Llama.
#[derive(Clone, Copy)]
pub struct Shape {
    pub hidden: i64,
    pub inner: i64,
    pub layers: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub vocabulary: i64,
    pub tied: bool,
}

/// The shape of Llama 3.2 1B.
pub const ONE_BILLION: Shape =
    Shape { hidden: 2048, inner: 8192, layers: 16, heads: 32, kv_heads: 8, vocabulary: 128_256, tied: true };
/// The shape of Llama 3.1 8B, in which `layers` is 32.
pub const EIGHT_BILLION: Shape =
    Shape { hidden: 4096, inner: 14_336, layers: 32, heads: 32, kv_heads: 8, vocabulary: 128_256, tied: false };

impl Shape {
    /// A folder that holds its config.json and nothing else.
    pub fn folder(&self) -> std::io::Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        let config = json!({
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
            "hidden_size": self.hidden, "intermediate_size": self.inner, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads, "vocab_size": self.vocabulary,
            "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500_000.0,
            "tie_word_embeddings": self.tied, "initializer_range": 0.02, "torch_dtype": "bfloat16",
        });
        std::fs::write(folder.path().join("config.json"), config.to_string())?;
        Ok(folder)
    }
}

/// The small models of the golden files, where the checkout is at hand.
pub fn golden() -> Vec<PathBuf> {
    let root =
        std::env::var_os("SPARTUI_ROOT").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let families = std::fs::read_dir(root.join("tests/golden/families")).into_iter().flatten();
    let mut folders: Vec<PathBuf> = families.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| folder.join("golden.json").exists());
    folders.sort();
    folders
}
