//! Reading of the golden files.
#![allow(dead_code, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use spartui::model::{Batch, Head, HeadKind, Model};
use spartui::recipe::{Recipe, TaskKind};
use spartui::train::Targets;
use tch::{Device, Kind, Tensor};

pub mod methods;
pub mod runs;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn floats(value: &Value) -> Tensor {
    match value {
        Value::Array(items) if items.iter().all(Value::is_array) => {
            Tensor::stack(&items.iter().map(floats).collect::<Vec<_>>(), 0)
        }
        Value::Array(items) => Tensor::from_slice(&items.iter().map(|item| item.as_f64().unwrap()).collect::<Vec<_>>()),
        _ => panic!("{value}"),
    }
}

pub fn integers(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(items) => items.iter().flat_map(integers).collect(),
        value => vec![value.as_i64().unwrap()],
    }
}

pub fn head(value: &Value, kind: Kind) -> Head {
    let tensor = |name: &str| floats(&value[name]).to_kind(kind);
    Head { kind: HeadKind::Classifier, tensors: vec![tensor("weight"), tensor("bias")] }
}

/// Rows `from..to` of a golden batch, padded to the longest of them.
pub fn rows(value: &Value, from: usize, to: usize) -> Batch {
    let lengths: Vec<usize> = integers(&value["lengths"]).into_iter().map(|n| usize::try_from(n).unwrap()).collect();
    let lengths = &lengths[from..to];
    let width = lengths.iter().copied().max().unwrap();
    let cut = |name: &str| -> Vec<i64> {
        value[name].as_array().unwrap()[from..to].iter().flat_map(|row| integers(row)[..width].to_vec()).collect()
    };
    Batch::new(&cut("input_ids"), lengths, Device::Cpu).with_token_types(&cut("token_type_ids"))
}

pub fn batch(value: &Value) -> Batch {
    rows(value, 0, value["lengths"].as_array().unwrap().len())
}

/// Rows `from..to` of a batch of the golden curves, padded to the longest of them, and what is to be predicted.
pub fn part(batch: &Value, from: usize, to: usize, task: TaskKind) -> (Batch, Targets) {
    let lengths: Vec<usize> = integers(&batch["lengths"]).into_iter().map(|n| usize::try_from(n).unwrap()).collect();
    let lengths = &lengths[from..to];
    let width = *lengths.iter().max().unwrap();
    let cut =
        |name: &str| -> Vec<i64> { (from..to).flat_map(|row| integers(&batch[name][row])[..width].to_vec()).collect() };
    let ids = cut("input_ids");
    let targets = match task {
        TaskKind::SequenceClassification => Targets::Labels(Tensor::from_slice(&integers(&batch["labels"])[from..to])),
        TaskKind::CausalLm => {
            let marks = cut("targets");
            let wanted: Vec<usize> = (0..ids.len()).filter(|&at| marks[at] == 1).collect();
            Targets::Tokens {
                at: Tensor::from_slice(&wanted.iter().map(|&at| at.cast_signed() as i64 - 1).collect::<Vec<_>>()),
                ids: Tensor::from_slice(&wanted.iter().map(|&at| ids[at]).collect::<Vec<_>>()),
            }
        }
    };
    (Batch::new(&ids, lengths, Device::Cpu), targets)
}

pub fn worst(a: &Tensor, b: &Tensor) -> f64 {
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// A copy of the model of a folder, in float64.
pub fn in_float64(from: &Path, task: TaskKind) -> Model {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(from.join("config.json"), folder.path().join("config.json")).unwrap();
    let tensors = Tensor::read_safetensors(from.join("model.safetensors")).unwrap().into_iter();
    let doubled: Vec<(String, Tensor)> = tensors.map(|(name, tensor)| (name, tensor.to_kind(Kind::Double))).collect();
    Tensor::write_safetensors(&doubled, folder.path().join("model.safetensors")).unwrap();
    let model = Model::load(folder.path(), "auto", "cpu", task).unwrap();
    assert_eq!(model.kind, Kind::Double);
    model
}

/// A copy of the smallest model in `folder`.
pub fn small_model(folder: &Path) -> PathBuf {
    let model = folder.join("model");
    std::fs::create_dir_all(&model).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(golden("bert-a").join(file), model.join(file)).unwrap();
    }
    model
}

/// A recipe and its rows in `folder`; `more` is added to the recipe.
pub fn small_recipe(folder: &Path, model: &Path, more: &str) {
    let rows: Vec<String> = (0..24)
        .map(|row| format!("{{\"text\": \"the parcel is late {row}\", \"label\": \"{}\"}}\n", ["a", "b", "c"][row % 3]))
        .collect();
    std::fs::write(folder.join("train.jsonl"), rows.concat()).unwrap();
    std::fs::write(folder.join("validation.jsonl"), rows[..12].concat()).unwrap();
    let model = model.display();
    let recipe = format!(
        "[model]\npath = \"{model}\"\n[data]\ntrain = \"train.jsonl\"\nvalidation = \"validation.jsonl\"\nmax_length = 32\n\
         [method]\nsparsity = 0.9\n[optimizer]\nlearning_rate = 1e-3\n{more}"
    );
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
}

/// The demo's recipe with its model, and `field=value` overrides.
pub fn demo(overrides: &[&str]) -> Recipe {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = root.join("models/all-MiniLM-L6-v2");
    assert!(model.join("config.json").exists(), "the demo's model is missing: run `make setup`");
    let mut recipe = Recipe::load(&root.join("examples/support/recipe.toml"), &[]).unwrap();
    recipe.model.path = model;
    for assignment in overrides {
        let (name, value) = spartui::recipe::parse_assignment(assignment).unwrap();
        recipe.set(&name, value).unwrap();
    }
    recipe
}
