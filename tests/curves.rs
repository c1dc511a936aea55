//! Fifty steps of training against the reference implementation peft-sparta and against PyTorch, with the same indices and
//! batches; made by `tests/golden/make_curves.py`.

mod common;

use std::path::{Path, PathBuf};

use common::methods::{Given, deltas};
use common::{golden, json, part};
use serde_json::Value;
use spartui::data::Tokenizer;
use spartui::method::{self, Full, Method};
use spartui::model::{Batch, Head, Model};
use spartui::recipe::{HeadInit, Recipe, Recompute, Selection, TaskKind};
use spartui::sparse::{Optimizer, Rule};
use spartui::train::{Targets, Trained, TrainedHead, forward_backward, starting_head, survey};
use tch::{Kind, Tensor};

/// Relative. A learning rate that is off by 0.1 % shows as 6e-5.
const CLOSE: f64 = 1e-5;

struct Curve {
    name: String,
    facts: Value,
    tensors: Vec<(String, Tensor)>,
}

impl Curve {
    fn all(folder: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Self> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(golden("curves").join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let curve = |path: PathBuf| {
            let tensors = path.with_extension("safetensors");
            let tensors = if tensors.exists() { Tensor::read_safetensors(tensors).unwrap() } else { Vec::new() };
            Self { name: path.file_stem().unwrap().to_string_lossy().into_owned(), facts: json(&path), tensors }
        };
        paths.into_iter().map(curve).filter(|curve| wanted(&curve.facts)).collect()
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        self.tensors.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor.shallow_clone())
    }

    fn number(&self, name: &str) -> f64 {
        self.facts[name].as_f64().unwrap()
    }

    fn task(&self) -> TaskKind {
        serde_json::from_value(self.facts["task"].clone()).unwrap()
    }

    fn model(&self) -> Model {
        // The models are tiny: a second thread would only be waited for.
        tch::set_num_threads(1);
        let folder = golden("curves").join("models").join(self.facts["model"].as_str().unwrap());
        Model::load(&folder, "float32", "cpu", self.task()).unwrap()
    }

    fn adamw(&self) -> Optimizer {
        let beta = |at: usize| self.facts["betas"][at].as_f64().unwrap();
        Optimizer {
            rule: Rule::AdamW,
            betas: [beta(0), beta(1)],
            epsilon: self.number("epsilon"),
            weight_decay: self.number("weight_decay"),
        }
    }

    /// Fifty steps, each compared; `micro` rows at a time.
    fn follow(&self, model: &Model, head: &mut TrainedHead, method: &mut dyn Method, micro: usize) {
        let batches = json(&golden("curves").join("batches.json"));
        let mut worst = 0_f64;
        for (step, batch) in (1_u64..).zip(batches["batches"].as_array().unwrap()) {
            let at = usize::try_from(step - 1).unwrap();
            let loss = self.loss(model, &mut Trained { head, collector: method }, batch, micro);
            let norm = (method.squared_gradient_norm() + head.squared_gradient_norm()).sqrt();
            for (what, found, close) in [("loss", loss, CLOSE), ("grad_norm", norm, 1e-4)] {
                let expected = self.facts[what][at].as_f64().unwrap();
                let off = (found - expected).abs() / expected;
                assert!(off < close, "{}, step {step}: {what} {found}, not {expected}", self.name);
                worst = if what == "loss" { worst.max(off) } else { worst };
            }
            let bound = self.number("max_grad_norm");
            let scale = if bound > 0.0 { (bound / (norm + 1e-6)).min(1.0) } else { 1.0 };
            let rate = self.facts["learning_rate"][at].as_f64().unwrap();
            method.update(&self.adamw(), rate, scale, step);
            method.evolve(step, 50, self.adamw().betas);
            head.update(&self.adamw(), rate, scale, step);
        }
        println!("{:34} largest relative difference of a loss {worst:.1e}", self.name);
    }

    #[expect(clippy::cast_precision_loss)]
    fn loss(&self, model: &Model, trained: &mut Trained<'_>, batch: &Value, micro: usize) -> f64 {
        let rows = batch["lengths"].as_array().unwrap().len();
        let parts: Vec<(Batch, Targets)> = (0..rows)
            .step_by(micro)
            .map(|from| part(batch, from, rows.min(from + micro), self.task()))
            .filter(|(_, targets)| targets.count() > 0)
            .collect();
        let all: usize = parts.iter().map(|(_, targets)| targets.count()).sum();
        let weight = 1.0 / all as f64;
        let losses = parts
            .iter()
            .map(|(batch, targets)| forward_backward(model, trained, batch, targets, weight, Recompute::None));
        losses.sum()
    }
}

#[test]
fn sparta_loses_what_the_reference_loses() {
    let curves = Curve::all("sparta", |_| true);
    assert_eq!(curves.len(), 15);
    for curve in curves {
        for micro in [100, 2] {
            let model = curve.model();
            let head = match curve.tensor("head") {
                Some(head) => Head { kind: model.head_kind(), tensors: vec![head.copy()] },
                None => Head::none(),
            };
            let mut head = TrainedHead::new(head);
            let mut method = Given::new(&model, |name| curve.tensor(&format!("indices.{name}")));
            let sites =
                curve.tensors.iter().filter(|(name, indices)| name.starts_with("indices.") && indices.numel() > 0);
            assert_eq!(method.adapted.iter().filter(|adapted| **adapted).count(), sites.count(), "{}", curve.name);
            curve.follow(&model, &mut head, &mut method, micro);
            for (site, trained) in model.sites.iter().zip(&method.sites) {
                let Some((cohort, ..)) = trained else { continue };
                let expected = curve.tensor(&format!("deltas.{}", site.name)).unwrap();
                let off = (&cohort.delta - expected).abs().max().double_value(&[]);
                assert!(off < 1e-5, "{} {}: {off}", curve.name, site.name);
            }
        }
    }
}

#[test]
fn every_selection_loses_what_pytorch_loses_with_its_masks() {
    let curves = Curve::all("selections", |_| true);
    assert_eq!(curves.len(), 4);
    for curve in curves {
        for micro in [100, 2] {
            let model = curve.model();
            let mut head = TrainedHead::new(Head::none());
            let mut settings = Recipe::default().method;
            settings.selection = serde_json::from_value(curve.facts["selection"].clone()).unwrap();
            settings.sparsity = 0.99;
            settings.density = ["v_proj", "o_proj"].map(|group| (group.into(), curve.number("density"))).into();
            settings.regrow_every = curve.facts["regrow_every"].as_u64().unwrap();
            settings.regrow_share = curve.number("regrow_share");
            let betas = curve.adamw().betas;
            let mut method = method::build(&settings, &model, &head.head, betas).unwrap();
            let batches = json(&golden("curves").join("batches.json"));
            let asked = survey(&model, method.as_mut(), &head.start, &settings, |trained| {
                curve.loss(&model, trained, &batches["batches"][0], 100);
            });
            if asked.unwrap() {
                method.apply(&settings, 0, betas).unwrap();
            }
            let indices = |what: &str, name: &str| {
                curve.tensor(&format!("{what}.{name}")).map(|tensor| Vec::<i64>::try_from(tensor).unwrap())
            };
            if settings.selection == Selection::Dynamic {
                // Which ones are drawn is our own affair: they begin with those that PyTorch drew.
                let mut state = method.state();
                for (name, parts) in &mut state.sites {
                    parts[0].indices = indices("indices", name).unwrap().into();
                }
                method.restore(&state, &settings, 0).unwrap();
            }
            let training = |method: &dyn Method, what: &str| {
                let saved = deltas(method);
                assert_eq!(saved.len(), 4);
                for (name, parts) in saved {
                    let mut all: Vec<(i64, f32)> =
                        parts.into_iter().flat_map(|part| part.indices.into_iter().zip(part.delta)).collect();
                    all.sort_by_key(|(at, _)| *at);
                    let name = &name;
                    let found: Vec<i64> = all.iter().map(|(at, _)| *at).collect();
                    assert_eq!(found, indices(what, name).unwrap(), "{} {name} {what}", curve.name);
                    if what == "last" {
                        let deltas = Tensor::from_slice(&all.iter().map(|(_, delta)| *delta).collect::<Vec<_>>());
                        let expected = curve.tensor(&format!("deltas.{name}")).unwrap();
                        let off = (deltas - expected).abs().max().double_value(&[]);
                        assert!(off < 1e-5, "{} {name}: {off}", curve.name);
                    }
                }
            };
            training(method.as_ref(), "indices");
            curve.follow(&model, &mut head, method.as_mut(), micro);
            training(method.as_ref(), "last");
        }
    }
}

#[test]
fn full_fine_tuning_loses_what_pytorch_loses() {
    let curves = Curve::all("full", |facts| facts["made_by"] == "pytorch");
    assert_eq!(curves.len(), 5);
    for curve in curves {
        let model = curve.model();
        let names = model.head_kind().names();
        let head = names.iter().map(|name| curve.tensor(&format!("initial.{name}")).unwrap()).collect();
        let start: Vec<Tensor> = model.parameters.iter().map(|parameter| parameter.tensor.copy()).collect();
        let mut head = TrainedHead::new(Head { kind: model.head_kind(), tensors: head });
        let mut method = Full::new(&model);
        curve.follow(&model, &mut head, &mut method, 100);
        for (parameter, start) in model.parameters.iter().zip(start) {
            let Some(expected) = curve.facts["change"][&parameter.name].as_f64() else { continue };
            let change = (parameter.tensor.detach() - start).square().sum(Kind::Double).sqrt().double_value(&[]);
            assert!((change - expected).abs() < 1e-3 * expected, "{} {}: {change}", curve.name, parameter.name);
        }
    }
}

#[test]
fn heads_start_from_the_rows_that_the_reference_takes() {
    for name in ["tied", "untied"] {
        let folder: PathBuf = golden("curves").join("heads").join(name);
        let facts = json(&folder.with_extension("json"));
        let expected = Tensor::read_safetensors(folder.with_extension("safetensors")).unwrap();
        for case in facts["cases"].as_array().unwrap() {
            let head = from_pretrained(&folder, &case["responses"]).unwrap();
            let (_, expected) = expected.iter().find(|(name, _)| *name == case["head"].as_str().unwrap()).unwrap();
            assert_eq!(head.tensors[0], expected.to_kind(Kind::Float), "{name} {case}");
        }
        for refused in facts["refused"].as_array().unwrap() {
            let why = from_pretrained(&folder, refused).unwrap_err();
            assert!(why.message().contains("the same token"), "{why}");
        }
    }
}

fn from_pretrained(folder: &Path, words: &Value) -> spartui::error::Result<Head> {
    let words: Vec<String> = serde_json::from_value(words.clone()).unwrap();
    let labels: Vec<String> = (0..words.len()).map(|label| label.to_string()).collect();
    let model = Model::load(folder, "auto", "cpu", TaskKind::SequenceClassification).unwrap();
    let tokenizer = Tokenizer::load(folder, usize::try_from(model.config.vocab_size).unwrap()).unwrap();
    let mut recipe = Recipe::default();
    recipe.task.head_init = HeadInit::FromPretrained;
    recipe.task.response_classes = words;
    starting_head(&recipe, &model, &labels, &tokenizer)
}
