//! Every family against transformers: small random models with every switch that the family has, made by
//! `tests/golden/make_families.py`.

mod common;

use std::path::{Path, PathBuf};

use common::methods::{Given, Watched};

use serde_json::Value;
use spartui::method::{Factors, Learned, Lora, Method};
use spartui::model::{Batch, Head, HeadKind, Model, Sampling, generate};
use spartui::recipe::{self, Recompute, TaskKind};
use spartui::sparse::{Optimizer, Rule};
use spartui::train::{Targets, Trained, TrainedHead, forward_backward};
use tch::{Device, Kind, Tensor};

/// Of the largest logit. To take one GELU for the other shows as 7e-5 or more.
const CLOSE: f64 = 2e-5;

fn families() -> Vec<PathBuf> {
    // The models are tiny: a second thread would only be waited for.
    tch::set_num_threads(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
    let mut models: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    models.retain(|model| model.join("golden.json").exists());
    models.sort();
    assert!(models.len() >= 100);
    models
}

fn golden(model: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(model.join("golden.json")).unwrap()).unwrap()
}

fn task(golden: &Value) -> TaskKind {
    serde_json::from_value(golden["task"].clone()).unwrap()
}

fn name(model: &Path) -> String {
    model.file_name().unwrap().to_string_lossy().into_owned()
}

fn floats(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(floats).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

fn integers(value: &Value) -> Vec<i64> {
    match value {
        Value::Array(items) => items.iter().flat_map(integers).collect(),
        value => vec![value.as_i64().unwrap()],
    }
}

fn sizes(value: &Value) -> Vec<usize> {
    integers(value).into_iter().map(|size| usize::try_from(size).unwrap()).collect()
}

fn matrix(value: &Value) -> Tensor {
    let rows = value.as_array().unwrap().len().cast_signed() as i64;
    Tensor::from_slice(&floats(value)).view([rows, -1]).to_kind(Kind::Float)
}

/// A batch of the golden file, whole.
fn together(case: &Value) -> Batch {
    let batch = Batch::new(&integers(&case["input_ids"]), &sizes(&case["lengths"]), Device::Cpu);
    match &case["token_type_ids"] {
        Value::Null => batch,
        types => batch.with_token_types(&integers(types)),
    }
}

/// Its rows, each alone and without padding.
fn apart(case: &Value) -> Vec<Batch> {
    let lengths = sizes(&case["lengths"]);
    let row = |(row, length): (usize, &usize)| {
        let cut = |key: &str| integers(&case[key][row])[..*length].to_vec();
        let batch = Batch::new(&cut("input_ids"), &[*length], Device::Cpu);
        if case["token_type_ids"].is_null() { batch } else { batch.with_token_types(&cut("token_type_ids")) }
    };
    lengths.iter().enumerate().map(row).collect()
}

/// The head that the golden file gives where the checkpoint has none.
fn given_head(golden: &Value, model: &Model) -> Head {
    let kind = model.head_kind();
    let tensors = kind.names().iter().map(|name| match kind {
        HeadKind::Score => matrix(&golden["score"]),
        _ => {
            let value = &golden["head"][*name];
            if value[0].is_array() { matrix(value) } else { matrix(value).view(-1) }
        }
    });
    Head { kind, tensors: tensors.collect() }
}

fn head(golden: &Value, model: &Model) -> Head {
    model.stored_head().unwrap_or_else(|| given_head(golden, model))
}

/// Logits of the vocabulary at the positions that the golden file lists, row by row.
fn language_logits(model: &Model, case: &Value, batches: &[Batch]) -> Tensor {
    let positions: Vec<Vec<i64>> = case["positions"].as_array().unwrap().iter().map(integers).collect();
    let mut rows = positions.iter();
    let mut found = Vec::new();
    for batch in batches {
        let logits = tch::no_grad(|| model.vocabulary(&model.finish(&model.hidden(batch))));
        for row in 0..batch.ids.size()[0] {
            let at = Tensor::from_slice(rows.next().unwrap());
            found.push(logits.get(row).index_select(0, &at));
        }
    }
    Tensor::cat(&found, 0)
}

fn class_logits(model: &Model, head: &Head, batches: &[Batch]) -> Tensor {
    Tensor::cat(&batches.iter().map(|batch| model.logits(batch, head)).collect::<Vec<_>>(), 0)
}

/// Largest difference in units of the largest logit.
fn difference(found: &Tensor, expected: &Value) -> f64 {
    let expected = matrix(expected);
    assert_eq!(found.size(), expected.size());
    let scale = expected.abs().max().double_value(&[]);
    (found.to_kind(Kind::Float) - expected).abs().max().double_value(&[]) / scale
}

fn root_mean_square(found: &Tensor, expected: &Value) -> f64 {
    (found.to_kind(Kind::Float) - matrix(expected)).square().mean(Kind::Float).sqrt().double_value(&[])
}

#[test]
fn float32_logits_are_those_of_transformers_and_padding_changes_nothing() {
    for path in families() {
        let golden = golden(&path);
        let (task, mut worst) = (task(&golden), 0_f64);
        let mut model = Model::load(&path, "float32", "cpu", task).unwrap();
        for case in golden["batches"].as_array().unwrap() {
            let found: Vec<Tensor> = match task {
                TaskKind::CausalLm => {
                    [vec![together(case)], apart(case)].iter().map(|all| language_logits(&model, case, all)).collect()
                }
                TaskKind::SequenceClassification => {
                    let head = head(&golden, &model);
                    let found = [vec![together(case)], apart(case)].map(|all| class_logits(&model, &head, &all));
                    model = Model::load(&path, "float32", "cpu", task).unwrap();
                    found.into()
                }
            };
            for found in found {
                let off = difference(&found, &case["logits_float32"]);
                assert!(off < CLOSE, "{}, {}: off by {off}", name(&path), case["name"]);
                worst = worst.max(off);
            }
        }
        println!("{:24} largest difference {worst:.1e} of the logits' scale", name(&path));
    }
}

#[test]
fn bfloat16_is_no_farther_from_float32_than_transformers_is() {
    for path in families() {
        let golden = golden(&path);
        let task = task(&golden);
        let model = Model::load(&path, "bfloat16", "cpu", task).unwrap();
        let head = (task == TaskKind::SequenceClassification).then(|| head(&golden, &model));
        let (mut ours, mut theirs) = (0.0, 0.0);
        for case in golden["batches"].as_array().unwrap() {
            let found = match &head {
                None => language_logits(&model, case, &apart(case)),
                Some(head) => class_logits(&model, head, &apart(case)),
            };
            ours += root_mean_square(&found, &case["logits_float32"]).powi(2);
            theirs += root_mean_square(&matrix(&case["logits_bfloat16"]), &case["logits_float32"]).powi(2);
        }
        let ratio = (ours / theirs).sqrt();
        println!("{:24} {ratio:.2} times transformers' own distance", name(&path));
        assert!(ratio <= 1.5, "{}: {ratio} times as far", name(&path));
    }
}

/// The model without a padding token, as the golden files have it: some of their rows end with Gemma's. Which token is read
/// where there is one is in `odd.rs`.
fn without_padding(path: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()) {
        std::os::unix::fs::symlink(path.join(&file), folder.path().join(&file)).unwrap();
    }
    let mut config = common::json(&path.join("config.json"));
    config["pad_token_id"] = serde_json::Value::Null;
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

#[test]
fn decoders_classify_by_their_last_token_as_transformers_does() {
    for path in families() {
        let golden = golden(&path);
        if golden["score"].is_null() {
            continue;
        }
        let folder = without_padding(&path);
        let model = Model::load(folder.path(), "float32", "cpu", TaskKind::SequenceClassification).unwrap();
        let head = given_head(&golden, &model);
        assert!(model.parameters.iter().all(|parameter| parameter.name != "lm_head.weight"));
        for case in golden["batches"].as_array().unwrap() {
            for batches in [vec![together(case)], apart(case)] {
                let off = difference(&class_logits(&model, &head, &batches), &case["class_logits_float32"]);
                assert!(off < CLOSE, "{}, {}: off by {off}", name(&path), case["name"]);
            }
        }
    }
}

#[test]
fn generation_with_kept_keys_and_values_writes_what_transformers_writes() {
    let mut checked = 0;
    for path in families() {
        let golden = golden(&path);
        let wanted = &golden["generation"];
        if wanted.is_null() {
            continue;
        }
        let model = Model::load(&path, "float32", "cpu", TaskKind::CausalLm).unwrap();
        let most = usize::try_from(wanted["max_new_tokens"].as_u64().unwrap()).unwrap();
        for (prompt, expected) in wanted["prompts"].as_array().unwrap().iter().zip(wanted["tokens"].as_array().unwrap())
        {
            let prompt: Vec<u32> = sizes(prompt).into_iter().map(|token| u32::try_from(token).unwrap()).collect();
            let greedy = Sampling { temperature: 0.0, top_p: 1.0, seed: 0 };
            let written =
                generate(&model, &prompt, most, &[], greedy, |_| std::ops::ControlFlow::Continue(())).unwrap();
            assert_eq!(
                written.iter().map(|&token| i64::from(token)).collect::<Vec<_>>(),
                integers(expected),
                "{}",
                name(&path)
            );
            checked += 1;
        }
    }
    assert!(checked >= 6);
}

/// Compares every gradient with the golden file's; the number of parameters.
fn compare(path: &Path, model: &Model, head: Head, case: &Value, targets: &Targets, recompute: Recompute) -> usize {
    let dense = Tensor::read_safetensors(path.join(case["file"].as_str().unwrap())).unwrap();
    let find = |name: &str| &dense.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("{name}")).1;
    let mut method = Watched::new(model);
    let mut head = TrainedHead::new(head);
    let mut trained = Trained { head: &mut head, collector: &mut method };
    #[expect(clippy::cast_precision_loss)]
    let weight = 1.0 / targets.count() as f64;
    let loss = forward_backward(model, &mut trained, &together(case), targets, weight, recompute);
    assert!((loss - case["loss"].as_f64().unwrap()).abs() < 1e-5 * loss.abs(), "{}: {loss}", name(path));
    let largest = dense.iter().map(|(_, gradient)| gradient.abs().max().double_value(&[])).fold(0.0, f64::max);
    let close = |found: &Tensor, what: &str| {
        let expected = find(what);
        let scale = expected.abs().max().double_value(&[]).max(1e-3 * largest);
        let off = (found.reshape_as(expected) - expected).abs().max().double_value(&[]) / scale;
        assert!(off < 1e-4, "{} {what}: off by {off}", name(path));
    };
    for (parameter, found) in model.parameters.iter().zip(&method.parameters) {
        close(found.as_ref().unwrap_or_else(|| panic!("{}: no gradient", parameter.name)), &parameter.name);
    }
    for (site, found) in model.sites.iter().zip(&method.sites) {
        close(found.as_ref().unwrap(), &site.name);
    }
    model.parameters.len()
}

#[test]
fn every_gradient_of_a_language_model_is_that_of_a_dense_backward_pass_in_float64() {
    let mut checked = 0;
    for path in families() {
        let golden = golden(&path);
        let case = &golden["gradients"];
        if case.is_null() {
            continue;
        }
        let width = case["input_ids"][0].as_array().unwrap().len();
        let (ids, mask) = (integers(&case["input_ids"]), integers(&case["target_mask"]));
        let wanted: Vec<usize> = (0..mask.len()).filter(|&at| mask[at] == 1).collect();
        assert!(wanted.iter().all(|at| at % width > 0));
        let targets = Targets::Tokens {
            at: Tensor::from_slice(&wanted.iter().map(|&at| at.cast_signed() as i64 - 1).collect::<Vec<_>>()),
            ids: Tensor::from_slice(&wanted.iter().map(|&at| ids[at]).collect::<Vec<_>>()),
        };
        for recompute in [Recompute::None, Recompute::Blocks] {
            let model = Model::load(&path, "float32", "cpu", TaskKind::CausalLm).unwrap();
            checked += compare(&path, &model, Head::none(), case, &targets, recompute);
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn every_gradient_of_a_classifier_is_that_of_a_dense_backward_pass_in_float64() {
    let mut checked = 0;
    for path in families() {
        let golden = golden(&path);
        let case = &golden["class_gradients"];
        if case.is_null() {
            continue;
        }
        let targets = Targets::Labels(Tensor::from_slice(&integers(&case["labels"])));
        let model = Model::load(&path, "float32", "cpu", TaskKind::SequenceClassification).unwrap();
        let head = head(&golden, &model);
        checked += compare(&path, &model, head, case, &targets, Recompute::None);
    }
    assert!(checked > 100, "{checked}");
}

/// Steps of AdamW on one batch, of which every token but a row's first is a target; each loss is compared.
fn follow(path: &Path, case: &Value, expected: &str, model: &Model, method: &mut dyn Method) {
    let batch = together(case);
    let (ids, width) = (integers(&case["input_ids"]), usize::try_from(batch.width()).unwrap());
    let places = sizes(&case["lengths"]).into_iter().enumerate();
    let wanted: Vec<usize> = places.flat_map(|(row, length)| row * width + 1..row * width + length).collect();
    let targets = Targets::Tokens {
        at: Tensor::from_slice(&wanted.iter().map(|&at| at.cast_signed() as i64 - 1).collect::<Vec<_>>()),
        ids: Tensor::from_slice(&wanted.iter().map(|&at| ids[at]).collect::<Vec<_>>()),
    };
    let number = |name: &str| case[name].as_f64().unwrap();
    let betas = [0, 1].map(|at| case["betas"][at].as_f64().unwrap());
    let adamw = Optimizer { rule: Rule::AdamW, betas, epsilon: number("epsilon"), weight_decay: 0.0 };
    let mut head = TrainedHead::new(Head::none());
    #[expect(clippy::cast_precision_loss)]
    let weight = 1.0 / targets.count() as f64;
    for (step, wanted) in (1_u64..).zip(floats(&case[expected])) {
        let mut trained = Trained { head: &mut head, collector: method };
        let loss = forward_backward(model, &mut trained, &batch, &targets, weight, Recompute::None);
        let off = (loss - wanted).abs() / wanted;
        assert!(off < 1e-5, "{} {expected}, step {step}: {loss}, not {wanted}", name(path));
        method.update(&adamw, number("learning_rate"), 1.0, step);
    }
}

#[test]
fn ten_steps_of_sparta_and_of_lora_lose_what_pytorch_loses() {
    let mut checked = 0;
    for path in families() {
        let golden = golden(&path);
        let case = &golden["training"];
        if case.is_null() {
            continue;
        }
        let load = || Model::load(&path, "float32", "cpu", TaskKind::CausalLm).unwrap();
        let model = load();
        assert_eq!(model.sites.len() as u64, case["sites"].as_u64().unwrap());
        let every = case["every"].as_i64().unwrap();
        let mut sparse = Given::new(&model, |name| {
            let site = model.sites.iter().find(|site| site.name == name)?;
            let count = site.weight.numel().cast_signed() as i64;
            Some(Tensor::arange_start_step(0, count, every, (Kind::Int64, Device::Cpu)))
        });
        follow(&path, case, "sparta", &model, &mut sparse);

        let model = load();
        let (rank, alpha) = (case["rank"].as_u64().unwrap(), case["alpha"].as_f64().unwrap());
        let rank = usize::try_from(rank).unwrap();
        let targets = model.groups().into_iter().map(str::to_owned).collect();
        let kind = recipe::MethodKind::Lora;
        let settings = recipe::Method { kind, rank, alpha, targets, ..recipe::Method::default() };
        let mut lora = Lora::new(&settings, &model, &Head::none()).unwrap();
        let factors = |(place, site): (usize, &spartui::model::Site)| {
            let [out, input] = site.weight.size()[..] else { panic!("{}", site.name) };
            let [out, input] = [out, input].map(|size| usize::try_from(size).unwrap());
            let down = (0..rank).flat_map(|row| (0..input).map(move |column| (row, column)));
            #[expect(clippy::cast_precision_loss)]
            let down = down.map(|(row, column)| ((row * 31 + column * 17) % 13) as f32 / 20.0 - 0.3).collect();
            let up = vec![0.0; rank * out];
            #[expect(clippy::cast_precision_loss)]
            let scale = alpha / rank as f64;
            (place, Factors { rank, down, up, magnitude: None, scale })
        };
        lora.start_from(&Learned::LowRank(model.sites.iter().enumerate().map(factors).collect())).unwrap();
        follow(&path, case, "lora", &model, &mut lora);
        checked += 1;
    }
    assert_eq!(checked, 13);
}

/// `published.json` holds the configurations of public checkpoints and their numbers of parameters, as transformers counts
/// them and as published, where known.
#[test]
fn public_checkpoints_have_as_many_parameters_as_published() {
    let rows = common::json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/published.json"));
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 19);
    for row in rows {
        let (published, counted) = (row["published"].as_u64(), row["parameters"].as_u64().unwrap());
        assert!(published.is_none_or(|published| published == counted), "{}", row["name"]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), row["config"].to_string()).unwrap();
        let mut open = spartui::model::Open {
            folder: folder.path(),
            dtype: "bfloat16",
            device: "cpu",
            task: TaskKind::CausalLm,
            fresh: Some(1),
            added: spartui::model::AddedRows::default(),
        };
        if !spartui::model::Config::load(folder.path()).unwrap().family.is_decoder() {
            open.task = TaskKind::SequenceClassification;
        }
        let model = Model::outline(&open).unwrap_or_else(|error| panic!("{}: {error}", row["name"]));
        assert_eq!(model.base_parameters(), counted, "{}", row["name"]);
    }
}
