//! Fifty steps of training against the reference implementation peft-sparta and against PyTorch, with the same indices and
//! batches; made by `tests/golden/make_curves.py`.

mod common;

use std::path::{Path, PathBuf};

use common::methods::{Given, deltas};
use common::{golden, json, part};
use serde_json::Value;
use spartui::data::Tokenizer;
use spartui::method::{self, Full, Learned, Method};
use spartui::model::{AddedRows, Batch, Head, Model, Open};
use spartui::recipe::{self, HeadInit, Recipe, Recompute, Selection, TaskKind};
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
            let batch = &self.moved(batch);
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

    /// The batch, with the new token in place of the vocabulary's last word, where the case has one.
    fn moved(&self, batch: &Value) -> Value {
        let mut batch = batch.clone();
        if self.facts.get("new_tokens").is_some() {
            for row in batch["input_ids"].as_array_mut().unwrap() {
                row.as_array_mut().unwrap().iter_mut().filter(|id| **id == 63).for_each(|id| *id = 64.into());
            }
        }
        batch
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

/// The recipe's targets of each case.
const BESIDE_LINEAR: [(&str, &[&str]); 5] = [
    ("biases", &["bias", "norm"]),
    ("new-token", &["norm"]),
    ("tied-embeddings", &["embeddings", "norm"]),
    ("tied-tokens", &["v_proj", "o_proj"]),
    ("tokens", &["o_proj", "lm_head"]),
];

/// Where all scalars of the targets train, nothing is drawn, and both programs train the same.
#[test]
fn tokens_and_other_parameters_lose_what_the_reference_loses() {
    let curves = Curve::all("tokens", |_| true);
    assert_eq!(curves.len(), BESIDE_LINEAR.len());
    for (curve, (name, targets)) in curves.into_iter().zip(BESIDE_LINEAR) {
        assert_eq!(curve.name, name);
        let words = |field: &str| -> Vec<String> {
            let words = curve.facts[field].as_array().unwrap().iter();
            words.map(|word| word.as_str().map_or_else(|| word.to_string(), ToOwned::to_owned)).collect()
        };
        let mut settings =
            recipe::Method { targets: targets.iter().map(|&name| name.into()).collect(), ..recipe::Method::default() };
        settings.sparta.frozen_modules = words("frozen");
        settings.sparta.trainable_tokens = words("tokens");
        settings.trainable = curve.facts["trainable"].as_u64().unwrap();
        for micro in [100, 2] {
            let model = curve.model_with_tokens(&settings);
            let head = match curve.tensor("head") {
                Some(head) => Head { kind: model.head_kind(), tensors: vec![head.copy()] },
                None => Head::none(),
            };
            let mut method = method::build(&settings, &model, &head, [0.9, 0.99]).unwrap();
            let of_head = head.parameters();
            assert_eq!(method.trainable() + of_head, settings.trainable, "{name}");
            assert_eq!(Some(model.base_parameters() + of_head), curve.facts["all_parameters"].as_u64(), "{name}");
            curve.follow(&model, &mut TrainedHead::new(head), method.as_mut(), micro);
            let Learned::Sparse(deltas) = method.export() else { panic!("{name}") };
            // A bias of the keys has no gradient but what rounding makes of it: a softmax cancels it.
            for (parameter, parts) in deltas.into_iter().filter(|(name, _)| !name.ends_with("c_attn.bias")) {
                let expected = curve.tensor(&format!("deltas.{parameter}")).unwrap();
                let found: Vec<f32> = parts.into_iter().flat_map(|part| part.delta).collect();
                let off = (Tensor::from_slice(&found) - expected).abs().max().double_value(&[]);
                assert!(off < 2e-5, "{name} {parameter}: {off}");
            }
        }
        curve.check_shares(&settings);
    }
}

impl Curve {
    /// The model, with the rows of the new token that the reference drew.
    fn model_with_tokens(&self, settings: &recipe::Method) -> Model {
        tch::set_num_threads(1);
        let folder = golden("curves").join("models").join(self.facts["model"].as_str().unwrap());
        let new = self.tensor("new_rows");
        let count = new.as_ref().map_or(0, |rows| u32::try_from(rows.size()[0]).unwrap());
        let added = AddedRows { count, seed: 1 };
        let open = Open { folder: &folder, dtype: "float32", device: "cpu", task: self.task(), fresh: None, added };
        let mut model = Model::open(&open).unwrap();
        for place in model.matrices_with_added_rows() {
            model.set_added_rows(place, new.as_ref().unwrap());
        }
        let numbered = settings.sparta.trainable_tokens.iter().map(|text| (text.clone(), text.parse().unwrap()));
        model.token_ids = numbered.collect();
        model
    }

    /// At other sparsities as many train as the reference expects; it draws, so that its own number varies.
    fn check_shares(&self, settings: &recipe::Method) {
        let model = self.model_with_tokens(settings);
        let head = self.tensor("head").map_or(0, |head| head.numel() as u64);
        for share in self.facts["shares"].as_array().unwrap() {
            let words = |field: &str| -> Vec<String> {
                share[field]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|word| word.as_str().map_or_else(|| word.to_string(), ToOwned::to_owned))
                    .collect()
            };
            let mut settings = recipe::Method { targets: vec!["all".into()], ..settings.clone() };
            settings.trainable = 0;
            settings.sparsity = share["sparsity"].as_f64().unwrap();
            // The reference takes names that no parameter has; here they are an error.
            let is_known =
                |part: &String| model.parameters.iter().any(|parameter| parameter.name.contains(part.as_str()));
            settings.sparta.frozen_modules = words("frozen").into_iter().filter(is_known).collect();
            settings.sparta.trainable_tokens = words("tokens");
            let counts = method::counts(&settings, &model, head).unwrap();
            #[expect(clippy::cast_precision_loss)]
            let found = (counts.iter().sum::<u64>() + head) as f64;
            let expected = share["trainable"].as_f64().unwrap();
            assert!((found - expected).abs() <= 0.51, "{} {share}: {found}, not {expected}", self.name);
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
