//! Low-rank adaptation against PEFT, with the adapters and curves that `tests/golden/make_lora.py` made. The other way round,
//! what PEFT makes of adapters written here, is `tests/golden/check_lora.py`.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::methods::Scaled;
use common::{golden, in_float64, json, part};
use serde_json::{Value, json};
use spartui::adapters::{LoraAdapter, LoraSettings};
use spartui::method::{self, Collector, Dense, Factors, Learned, Lora, Method, Passes};
use spartui::model::{Head, Model};
use spartui::recipe::{self, Recipe, Recompute, TaskKind, Variant};
use spartui::sparse::{Optimizer, Rule};
use spartui::train::{Session, Trained, TrainedHead, forward_backward};
use tch::{Kind, Tensor};

/// Relative. Another seed for the start of A is off by 1e-2.
const CLOSE: f64 = 1e-5;

type Tensors = Vec<(String, Tensor)>;
type Change<'a> = &'a dyn Fn(&mut Tensors);

/// A curve that PEFT made, and its adapters before the first step and after the last.
struct Curve {
    folder: PathBuf,
    facts: Value,
}

impl Curve {
    fn all() -> Vec<Self> {
        let folders = std::fs::read_dir(golden("lora")).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = folders.filter(|path| path.join("curve.json").exists()).collect();
        folders.sort();
        assert_eq!(folders.len(), 10);
        folders.into_iter().map(|folder| Self { facts: json(&folder.join("curve.json")), folder }).collect()
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn number(&self, name: &str) -> f64 {
        self.facts[name].as_f64().unwrap()
    }

    fn model_folder(&self) -> PathBuf {
        golden("curves").join("models").join(self.facts["model"].as_str().unwrap())
    }

    fn task(&self) -> TaskKind {
        serde_json::from_value(self.facts["task"].clone()).unwrap()
    }

    fn model(&self) -> Model {
        // The models are tiny: a second thread would only be waited for.
        tch::set_num_threads(1);
        Model::load(&self.model_folder(), "float32", "cpu", self.task()).unwrap()
    }

    fn settings(&self) -> recipe::Method {
        recipe::Method {
            kind: recipe::MethodKind::Lora,
            rank: usize::try_from(self.facts["rank"].as_u64().unwrap()).unwrap(),
            alpha: self.number("alpha"),
            variant: serde_json::from_value(self.facts["variant"].clone()).unwrap(),
            targets: serde_json::from_value(self.facts["targets"].clone()).unwrap(),
            ..recipe::Method::default()
        }
    }

    fn is_trained(&self) -> bool {
        self.folder.join("start").exists()
    }

    fn adapter(&self, which: &str) -> LoraAdapter {
        LoraAdapter::read(&self.folder.join(which)).unwrap()
    }
}

fn head_of(adapter: &LoraAdapter, model: &Model) -> Head {
    let tensor = |part: &spartui::adapters::HeadDelta| {
        let shape: Vec<i64> = part.shape.iter().map(|&size| size.cast_signed() as i64).collect();
        Tensor::from_slice(&part.init).view(shape.as_slice())
    };
    Head { kind: model.head_kind(), tensors: adapter.head.iter().map(tensor).collect() }
}

fn by_site(adapter: &LoraAdapter, model: &Model) -> Vec<(usize, Factors)> {
    let place = |name: &String| model.sites.iter().position(|site| site.name == *name).unwrap();
    adapter.layers.iter().map(|(name, factors)| (place(name), factors.clone())).collect()
}

#[expect(clippy::cast_precision_loss)]
fn loss(curve: &Curve, model: &Model, trained: &mut Trained<'_>, batch: &Value, micro: usize) -> f64 {
    let rows = batch["lengths"].as_array().unwrap().len();
    let parts = (0..rows).step_by(micro).map(|from| part(batch, from, rows.min(from + micro), curve.task()));
    let parts: Vec<_> = parts.filter(|(_, targets)| targets.count() > 0).collect();
    let weight = 1.0 / parts.iter().map(|(_, targets)| targets.count()).sum::<usize>() as f64;
    let losses =
        parts.iter().map(|(batch, targets)| forward_backward(model, trained, batch, targets, weight, Recompute::None));
    losses.sum()
}

#[test]
fn fifty_steps_lose_what_peft_loses() {
    let batches = json(&golden("curves").join("batches.json"));
    for curve in Curve::all().into_iter().filter(Curve::is_trained) {
        for micro in [100, 2] {
            let (model, start) = (curve.model(), curve.adapter("start"));
            let mut head = TrainedHead::new(head_of(&start, &model));
            let mut lora = Lora::new(&curve.settings(), &model, &head.head).unwrap();
            lora.start_from(&Learned::LowRank(by_site(&start, &model))).unwrap();
            assert_eq!(lora.trainable() + head.head.parameters(), curve.facts["trainable"].as_u64().unwrap());
            let betas = [0, 1].map(|at| curve.facts["betas"][at].as_f64().unwrap());
            let decay = curve.number("weight_decay");
            let adamw = Optimizer { rule: Rule::AdamW, betas, epsilon: curve.number("epsilon"), weight_decay: decay };
            let mut worst = 0_f64;
            for (step, batch) in (1_u64..).zip(batches["batches"].as_array().unwrap()) {
                let at = usize::try_from(step - 1).unwrap();
                let found = loss(&curve, &model, &mut Trained { head: &mut head, collector: &mut lora }, batch, micro);
                let norm = (lora.squared_gradient_norm() + head.squared_gradient_norm()).sqrt();
                for (what, found, close) in [("loss", found, CLOSE), ("grad_norm", norm, 2e-4)] {
                    let expected = curve.facts[what][at].as_f64().unwrap();
                    let off = (found - expected).abs() / expected;
                    assert!(off < close, "{}, step {step}: {what} {found}, not {expected}", curve.name());
                    worst = if what == "loss" { worst.max(off) } else { worst };
                }
                lora.update(&adamw, curve.number("rate"), 1.0, step);
                head.update(&adamw, curve.number("rate"), 1.0, step);
            }
            for (site, expected) in by_site(&curve.adapter("end"), &model) {
                let (_, found) = lora.factors().into_iter().find(|(at, _)| *at == site).unwrap();
                let magnitudes = |factors: &Factors| factors.magnitude.clone().unwrap_or_default();
                for (found, expected) in [
                    (&found.down, &expected.down),
                    (&found.up, &expected.up),
                    (&magnitudes(&found), &magnitudes(&expected)),
                ] {
                    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(found.len() == expected.len() && off < 2e-5, "{} {site}: {off}", curve.name());
                }
            }
            println!("{:30} largest relative difference of a loss {worst:.1e}", curve.name());
        }
    }
}

fn spartui(arguments: &[&str], paths: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
    command.args(arguments);
    for (name, path) in paths {
        command.arg(name).arg(path);
    }
    command.output().unwrap()
}

/// What `predict` gives for the golden texts, and the labels.
fn predict(curve: &Curve, model: &Path, adapter: Option<&Path>) -> Result<Vec<Vec<f64>>, String> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("input.jsonl"), folder.path().join("output.jsonl"));
    let texts = curve.facts["texts"].as_array().unwrap();
    let rows: Vec<String> = texts.iter().map(|text| json!({ "text": text }).to_string() + "\n").collect();
    std::fs::write(&input, rows.concat()).unwrap();
    let mut paths = vec![("--model", model), ("--input", input.as_path()), ("--output", output.as_path())];
    paths.extend(adapter.map(|adapter| ("--adapter", adapter)));
    let done = spartui(&["predict"], &paths);
    if !done.status.success() {
        assert_eq!(done.status.code(), Some(2));
        return Err(String::from_utf8(done.stderr).unwrap());
    }
    let key = if curve.task() == TaskKind::CausalLm { "logprobs" } else { "logits" };
    let lines = std::fs::read_to_string(output).unwrap();
    let numbers = |line: &str| -> Vec<f64> {
        serde_json::from_value(serde_json::from_str::<Value>(line).unwrap()[key].clone()).unwrap()
    };
    Ok(lines.lines().map(numbers).collect())
}

fn apart(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    assert_eq!(a.iter().map(Vec::len).collect::<Vec<_>>(), b.iter().map(Vec::len).collect::<Vec<_>>());
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn an_adapter_of_peft_predicts_what_peft_predicts_and_so_does_its_merged_model() {
    for curve in Curve::all() {
        let expected: Vec<Vec<f64>> = serde_json::from_value(curve.facts["predictions"].clone()).unwrap();
        let found = predict(&curve, &curve.model_folder(), Some(&curve.folder.join("end"))).unwrap();
        assert!(apart(&found, &expected) < 2e-5, "{}: {}", curve.name(), apart(&found, &expected));
        // Without the adapter it predicts something else, so that the numbers above say something.
        if curve.task() == TaskKind::CausalLm {
            assert!(apart(&predict(&curve, &curve.model_folder(), None).unwrap(), &expected) > 1e-2);
        }
    }
}

/// A run of a few steps on a golden model; its folder and recipe.
fn run(curve: &Curve, overrides: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let row = |at: usize| {
        let words: Vec<String> =
            (0..4 + at % 5).map(|word| format!("word{}", (at * 7 + word * (at % 3 + 1)) % 57)).collect();
        let label = ["yes", "no", "maybe"][at % 3];
        json!({"text": words.join(" "), "label": label}).to_string() + "\n"
    };
    std::fs::write(folder.path().join("train.jsonl"), (0..40).map(row).collect::<String>()).unwrap();
    let [model, targets] = [curve.model_folder().to_string_lossy().into_owned(), curve.facts["targets"].to_string()];
    let kind = curve.facts["task"].as_str().unwrap();
    let recipe = format!(
        "[model]\npath = \"{model}\"\n[task]\nkind = \"{kind}\"\n[data]\ntrain = \"train.jsonl\"\nmax_length = 32\n\
         [method]\nkind = \"lora\"\nrank = 3\nalpha = 12\ntargets = {targets}\n[optimizer]\nlearning_rate = 1e-2\n\
         [schedule]\nwarmup_steps = 2\n[train]\nepochs = 6\nbatch_size = 8\n"
    );
    let path = folder.path().join("recipe.toml");
    std::fs::write(&path, recipe).unwrap();
    let runs = folder.path().join("runs");
    let mut arguments = vec!["train", "--headless", "--run", "r"];
    for set in overrides {
        arguments.extend(["--set", set]);
    }
    arguments.push(path.to_str().unwrap());
    let done = spartui(&arguments, &[("--runs-dir", &runs)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (folder, runs.join("r"))
}

#[test]
fn a_run_leaves_an_adapter_that_predicts_what_its_merged_model_predicts() {
    for curve in Curve::all().into_iter().filter(Curve::is_trained) {
        let variant = format!("method.variant={}", curve.facts["variant"].as_str().unwrap());
        let (folder, run) = run(&curve, &[&variant]);
        let model = curve.model_folder();
        let beside = predict(&curve, &model, Some(&run.join("adapter"))).unwrap();
        let [again, merged] = ["again", "merged"].map(|name| folder.path().join(name));
        for (format, output) in [("lora", &again), ("merged", &merged)] {
            let run = run.to_str().unwrap();
            let done = spartui(&["export", run, "--format", format], &[("--output", output)]);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        assert_eq!(predict(&curve, &model, Some(&again)).unwrap(), beside, "{}", curve.name());
        let off = apart(&predict(&curve, &merged, None).unwrap(), &beside);
        assert!(off < 1e-5, "{}: {off}", curve.name());
        let refused = spartui(&["export", run.to_str().unwrap(), "--format", "sparta"], &[("--output", &again)]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--format lora"), "{refused:?}");
    }
}

#[test]
fn what_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for curve in Curve::all() {
        let (model, read) = (curve.model(), curve.adapter("end"));
        let names: Vec<&str> = model.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        if curve.name().contains("patterns") {
            // Other ranks for some layers are read only.
            let ranks: Vec<usize> = read.layers.iter().map(|(_, factors)| factors.rank).collect();
            assert!([2, 4, 6].iter().all(|rank| ranks.contains(rank)), "{ranks:?}");
            continue;
        }
        let labels: Vec<String> =
            if read.head.is_empty() { Vec::new() } else { ["x", "y", "z"].map(String::from).into() };
        let config = Value::Object(model.config.json.clone());
        let written = LoraAdapter { labels: labels.clone(), base_config: config, ..read.clone() };
        let path = folder.path().join(curve.name());
        let bytes = written.write(&path, &names, Some(&curve.model_folder())).unwrap();
        assert!(bytes > 1000);
        // An adapter is replaced; what is none is not.
        written.write(&path, &names, None).unwrap();
        assert!(written.write(&curve.model_folder(), &names, None).is_err());
        let again = LoraAdapter::read(&path).unwrap();
        assert_eq!((&again.layers, &again.head, again.settings), (&read.layers, &read.head, read.settings));
        assert_eq!(again.labels, labels);
        let theirs = json(&curve.folder.join("end/adapter_config.json"));
        let ours = json(&path.join("adapter_config.json"));
        for (name, value) in ours.as_object().unwrap().iter().filter(|(name, _)| *name != "target_modules") {
            let same = value == &theirs[name] || (name == "modules_to_save" && !value.is_null());
            assert!(same, "{}: {name} is {value}, PEFT has {}", curve.name(), theirs[name]);
        }
    }
}

#[test]
fn gradients_are_finite_differences_of_the_loss_in_float64() {
    let batches = json(&golden("curves").join("batches.json"));
    let batch = &batches["batches"][3];
    for (name, task, variant) in [
        ("bert", TaskKind::SequenceClassification, Variant::Plain),
        ("llama", TaskKind::CausalLm, Variant::Plain),
        ("gpt2", TaskKind::CausalLm, Variant::Rslora),
        ("gpt2", TaskKind::CausalLm, Variant::Dora),
        ("bert", TaskKind::SequenceClassification, Variant::Dora),
    ] {
        let model = in_float64(&golden("curves").join("models").join(name), task);
        let settings = recipe::Method {
            rank: 2,
            dropout: 0.25,
            variant,
            targets: vec!["all-linear".into()],
            ..recipe::Method::default()
        };
        let labels = if task == TaskKind::CausalLm { 0 } else { 3 };
        let head = match labels {
            0 => Head::none(),
            _ => Head::random(model.head_kind(), labels, 32, 5, model.device).to_kind(Kind::Double),
        };
        let mut head = TrainedHead::new(head);
        let mut lora = Lora::new(&settings, &model, &head.head).unwrap();
        // B is zero at the start, where the gradient of A is zero too.
        let mut state = lora.state();
        for (at, dense) in (0_u16..).zip(state.tensors.iter_mut().filter(|dense| dense.name.ends_with(".B.value"))) {
            for (number, value) in (0_u16..).zip(&mut dense.values) {
                *value = 0.05 * f32::from(number * 31 + at).sin();
            }
        }
        let (inputs, targets) = part(batch, 0, 4, task);
        let mut pass = |lora: &mut Lora, recompute| {
            lora.begin_pass(7, 2);
            let trained = &mut Trained { head: &mut head, collector: lora };
            let loss = forward_backward(&model, trained, &inputs, &targets, 0.1, recompute);
            head.clear_gradients();
            loss
        };
        lora.restore(&state, &settings, 0).unwrap();
        let whole = pass(&mut lora, Recompute::None);
        let norm = lora.squared_gradient_norm();
        lora.clear_gradients();
        // What is dropped depends on step and micro-batch alone: computed again it is the same.
        let again = (pass(&mut lora, Recompute::Blocks), lora.squared_gradient_norm());
        for (again, before) in [(again.0, whole), (again.1, norm)] {
            assert!((again - before).abs() < 1e-12 * before, "{name} {variant:?}: {again}, not {before}");
        }
        // With this decay, the first moment is the gradient.
        let adamw = Optimizer { rule: Rule::AdamW, betas: [0.0, 0.0], epsilon: 1.0, weight_decay: 0.0 };
        lora.update(&adamw, 0.0, 1.0, 1);
        let gradients = lora.state();
        let gradient = |of: &str, at: usize| {
            let name = format!("{}.first", of.trim_end_matches(".value"));
            f64::from(gradients.tensors.iter().find(|dense| dense.name == name).unwrap().values[at])
        };
        // The lengths of the rows count as constants for the gradients of A and B, so that those are no such differences.
        let looked_at = |dense: &&(usize, &Dense)| match variant {
            Variant::Dora => dense.1.name.ends_with(".m.value"),
            _ => dense.1.name.rsplit('.').next() == Some("value"),
        };
        let numbered: Vec<(usize, &Dense)> = state.tensors.iter().enumerate().collect();
        let mut checked = 0;
        for (place, dense) in numbered.iter().filter(looked_at) {
            let largest = (0..dense.values.len()).map(|at| gradient(&dense.name, at).abs()).fold(0.0, f64::max);
            for at in (0..dense.values.len()).step_by(29) {
                let mut loss_at = |by: f32| {
                    let mut moved = state.clone();
                    moved.tensors[*place].values[at] += by;
                    let value = f64::from(moved.tensors[*place].values[at]);
                    lora.restore(&moved, &settings, 0).unwrap();
                    let loss = pass(&mut lora, Recompute::None);
                    lora.clear_gradients();
                    (value, loss)
                };
                let ((above, loss_above), (below, loss_below)) = (loss_at(1.2e-4), loss_at(-1.2e-4));
                let difference = (loss_above - loss_below) / (above - below);
                let error = (gradient(&dense.name, at) - difference).abs();
                assert!(error < 2e-6 * largest.max(1e-2), "{name} {variant:?} {} at {at}: {error}", dense.name);
                checked += 1;
            }
        }
        assert!(checked >= 16, "{checked}");
    }
}

#[test]
fn what_layers_share_gets_its_gradient_by_the_graph_in_one_pass_or_two() {
    let batches = json(&golden("curves").join("batches.json"));
    for (name, task, group) in
        [("bert", TaskKind::SequenceClassification, "attention.output"), ("llama", TaskKind::CausalLm, "o_proj")]
    {
        let model = in_float64(&golden("curves").join("models").join(name), task);
        let head = match task {
            TaskKind::CausalLm => Head::none(),
            TaskKind::SequenceClassification => {
                Head::random(model.head_kind(), 3, 32, 5, model.device).to_kind(Kind::Double)
            }
        };
        let (inputs, targets) = part(&batches["batches"][3], 0, 4, task);
        let mut head = TrainedHead::new(head);
        let mut pass = |passes: Passes, recompute: Recompute, change: Option<(i64, f64)>| {
            let mut scaled = Scaled::new(&model, group, 32, passes);
            if let Some((at, by)) = change {
                let _ = tch::no_grad(|| scaled.leaf.get(at).g_add_scalar_(by));
            }
            let trained = &mut Trained { head: &mut head, collector: &mut scaled };
            let loss = forward_backward(&model, trained, &inputs, &targets, 0.1, recompute);
            head.clear_gradients();
            (loss, scaled.gradient.unwrap())
        };
        let apart = |one: &Tensor, other: &Tensor| (one - other).abs().max().double_value(&[]);
        let (once, gradient) = pass(Passes::One, Recompute::None, None);
        for at in [0, 7, 31] {
            let difference = [1e-5, -1e-5].map(|by| pass(Passes::One, Recompute::None, Some((at, by))).0);
            let difference = (difference[0] - difference[1]) / 2e-5;
            assert!((gradient.double_value(&[at]) - difference).abs() < 1e-7, "{name} at {at}: {difference}");
        }
        // Without weight the second pass adds nothing, and what it draws is another thing.
        let (unweighted, same) = pass(Passes::Two { consistency: 0.0 }, Recompute::None, None);
        assert!((unweighted - once).abs() < 1e-12 && apart(&same, &gradient) < 1e-12, "{name}");
        let mut two = |recompute| pass(Passes::Two { consistency: 5.0 }, recompute, None);
        let (twice, other) = two(Recompute::None);
        assert!(twice > once && apart(&other, &gradient) > 1e-6, "{name}: {twice}, {once}");
        let (again, recomputed) = two(Recompute::Blocks);
        assert!((again - twice).abs() < 1e-12 && apart(&recomputed, &other) < 1e-12, "{name}");
    }
}

fn session(folder: &Path, overrides: &[&str]) -> Session {
    let overrides: Vec<String> = overrides.iter().map(|&assignment| assignment.to_owned()).collect();
    let recipe = Recipe::load(&folder.join("recipe.toml"), &overrides).unwrap();
    Session::load(recipe, &mut |_, _| {}).unwrap()
}

fn logits(model: &Model, head: &Head) -> Tensor {
    let batches = json(&golden("curves").join("batches.json"));
    let (batch, _) = part(&batches["batches"][0], 0, 4, TaskKind::SequenceClassification);
    let batch = spartui::model::Batch::new(
        &Vec::<i64>::try_from(batch.ids.remainder(30).view(-1)).unwrap(),
        &batch.lengths,
        model.device,
    );
    model.logits(&batch, head).copy()
}

#[test]
fn the_base_model_and_earlier_states_can_be_had_beside_to_the_bit() {
    for more in [&[][..], &["method.variant=dora", "method.dropout=0.2"], &["model.dtype=bfloat16"]] {
        let folder = tempfile::tempdir().unwrap();
        let model = common::small_model(folder.path());
        common::small_recipe(folder.path(), &model, "[train]\nepochs = 9\nbatch_size = 8\n");
        let mut session =
            session(folder.path(), &[&["method.kind=lora", "optimizer.learning_rate=0.02"], more].concat());
        let base = logits(&session.model, &session.head.head);
        session.train_step().unwrap();
        session.train_step().unwrap();
        let (early, early_logits) = (session.snapshot(0), logits(&session.model, &session.head.head));
        for _ in 0..3 {
            session.train_step().unwrap();
        }
        let now = logits(&session.model, &session.head.head);
        assert!(now != early_logits && early_logits != base);
        let [of_base, of_early] = [session.base_version(None).unwrap(), session.version_of(&early).unwrap()];
        let of_now = session.version_now();
        for (version, expected) in [(&of_base, &base), (&of_early, &early_logits), (&of_now, &now)] {
            let found = session.with_version(version, |model, head| Ok(logits(model, head))).unwrap();
            assert_eq!(&found, expected, "{more:?}");
            assert_eq!(logits(&session.model, &session.head.head), now, "{more:?}");
        }
        session.leave();
        assert_eq!(logits(&session.model, &session.head.start), base);
        session.enter();
        assert_eq!(logits(&session.model, &session.head.head), now);
    }
}

#[test]
fn there_is_no_sparsity_to_set_and_what_can_be_set_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nbatch_size = 8\n");
    let mut lora = session(folder.path(), &["method.kind=lora", "method.rank=2"]);
    let why = lora.set("method.sparsity", recipe::Value::Float(0.99)).unwrap_err();
    assert!(why.contains("method.rank says how much trains"), "{why}");
    assert!(lora.set("method.rank", recipe::Value::Integer(4)).unwrap_err().contains("start another run"));
    lora.set("optimizer.learning_rate", recipe::Value::Float(0.5)).unwrap();
    // Two groups of three layers, 32 wide.
    let report = lora.sparsity_report();
    assert_eq!(report.trainable - report.head, 2 * 3 * 2 * (32 + 32));
    let trained: Vec<&str> =
        report.groups.iter().filter(|group| group.trainable > 0).map(|group| group.name.as_str()).collect();
    assert_eq!(trained, ["value", "attention.output"]);
    assert_eq!(method::counts(&lora.recipe.method, &lora.model, 9).unwrap().iter().sum::<u64>(), 768);
    let recipe = Recipe::load(
        &folder.path().join("recipe.toml"),
        &["method.kind=lora".into(), "method.density.value=0.1".into()],
    );
    let refused = Session::load(recipe.unwrap(), &mut |_, _| {}).unwrap_err();
    assert!(refused.message().contains("method.density does not go with"), "{refused}");
}

#[test]
fn a_count_chooses_the_rank_that_comes_nearest_and_says_how_near() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::small_model(folder.path());
    common::small_recipe(folder.path(), &model, "[train]\nbatch_size = 8\n");
    // A head of 3 labels; six weights of 32 by 32: each rank adds 384, magnitudes 192.
    let head = 3 * 32 + 3;
    for (variant, wanted, trained, says) in [
        ("plain", head + 3 * 384, head + 3 * 384, "rank 3 trains the 1251 parameters that were asked for"),
        ("plain", 1300, head + 3 * 384, "rank 3 comes nearest: it trains 1251 parameters, 49 fewer than the 1300"),
        ("dora", 1300, head + 192 + 3 * 384, "rank 3 comes nearest: it trains 1443 parameters, 143 more than the 1300"),
        ("rslora", 5, head + 384, "rank 1 comes nearest"),
    ] {
        let [variant, wanted] = [format!("method.variant={variant}"), format!("method.trainable={wanted}")];
        let session = session(folder.path(), &["method.kind=lora", &variant, &wanted]);
        assert_eq!(session.trainable(), trained, "{variant} {wanted}");
        let remark = session.sparsity_report().remark.unwrap();
        assert!(remark.starts_with(says), "{remark}");
        let counts = method::counts(&session.recipe.method, &session.model, head).unwrap();
        assert_eq!(counts.iter().sum::<u64>() + head, trained);
    }
    assert_eq!(session(folder.path(), &["method.kind=lora"]).sparsity_report().remark, None);
}

#[test]
fn a_run_goes_on_from_an_adapter_and_one_that_does_not_fit_is_refused() {
    let curve = Curve::all().into_iter().find(|curve| curve.name() == "bert-classification-dora").unwrap();
    let adapter = format!("method.adapter={}", curve.folder.join("end").display());
    let fitting =
        ["method.rank=4", "method.variant=dora", "train.max_steps=1", "task.labels=[\"yes\", \"no\", \"maybe\"]"];
    // At a rate of zero nothing is learned.
    let still = ["optimizer.learning_rate=0", "schedule.min_learning_rate=0"];
    let (_folder, run) = run(&curve, &[&fitting[..], &still[..], &[&adapter]].concat());
    let [found, expected] =
        [run.join("adapter"), curve.folder.join("end")].map(|adapter| LoraAdapter::read(&adapter).unwrap());
    assert_eq!((found.layers, found.head), (expected.layers, expected.head));
    let folder = tempfile::tempdir().unwrap();
    common::small_recipe(folder.path(), &curve.model_folder(), "[train]\nbatch_size = 8\n");
    let targets = format!("method.targets={}", curve.facts["targets"]);
    for (change, says) in [
        ("method.rank=5", "its rank is 4, not 5; set method.rank to it"),
        ("method.alpha=3", "set method.alpha and method.variant"),
        ("method.variant=plain", "magnitudes"),
        ("method.targets=[\"query\"]", "it adapts attention.output too"),
        ("method.targets=\"all-linear\"", "method.targets takes a list"),
        ("method.kind=sparta", "only method.kind \"lora\""),
        ("task.labels=[\"a\", \"b\", \"c\", \"d\"]", "its head is not one for the labels"),
    ] {
        let fitting =
            ["method.kind=lora", "method.rank=4", "method.alpha=12", "method.variant=dora", &adapter, &targets, change];
        let overrides: Vec<String> = fitting.iter().map(|&assignment| assignment.to_owned()).collect();
        let refused = Recipe::load(&folder.path().join("recipe.toml"), &overrides)
            .and_then(|recipe| Session::load(recipe, &mut |_, _| {}))
            .unwrap_err();
        assert!(refused.message().contains(says), "{change}: {refused}");
    }
}

#[test]
fn an_adapter_that_is_damaged_or_not_understood_is_refused_in_a_sentence() {
    let curve = Curve::all().into_iter().find(|curve| curve.name() == "llama-causal-plain").unwrap();
    let whole = curve.folder.join("end");
    let adapter = curve.adapter("end");
    let refusal = |settings: &dyn Fn(&mut Value), tensors: Change<'_>| {
        let folder = tempfile::tempdir().unwrap();
        let mut said = json(&whole.join("adapter_config.json"));
        settings(&mut said);
        std::fs::write(folder.path().join("adapter_config.json"), said.to_string()).unwrap();
        let mut all = Tensor::read_safetensors(whole.join("adapter_model.safetensors")).unwrap();
        tensors(&mut all);
        Tensor::write_safetensors(&all, folder.path().join("adapter_model.safetensors")).unwrap();
        predict(&curve, &curve.model_folder(), Some(folder.path())).unwrap_err()
    };
    let nothing = |_: &mut Tensors| {};
    for (name, value, says) in [
        ("peft_type", json!("ADALORA"), "only LORA is read"),
        ("bias", json!("all"), "trains biases"),
        ("lora_bias", json!(true), "lora_bias"),
        ("init_lora_weights", json!("pissa"), "changed the base model too"),
        ("target_parameters", json!(["x"]), "target_parameters"),
        ("r", json!(5), "4 and 4 wide, not 5"),
        ("r", json!(-1), "no rank"),
        ("r", json!(null), "no number r"),
        ("lora_alpha", json!("8"), "no number lora_alpha"),
        ("rank_pattern", json!({"q_proj": 2}), "4 and 4 wide, not 2"),
        ("rank_pattern", json!({".*": 2}), "more than a name"),
        ("alpha_pattern", json!([1]), "no object"),
        ("use_dora", json!(true), "magnitudes, or none"),
    ] {
        let why = refusal(&|said| said[name] = value.clone(), &nothing);
        assert!(why.contains(says) && why.trim_end().lines().count() == 1, "{name} {value}: {why}");
    }
    let first = format!("base_model.model.{}", adapter.layers[0].0.trim_end_matches(".weight"));
    let set = |all: &mut Tensors, end: &str, tensor: Tensor| {
        let name = format!("{first}.{end}.weight");
        all.retain(|(own, _)| *own != name);
        all.push((name, tensor));
    };
    let options = (Kind::Float, tch::Device::Cpu);
    let cases: [(Change<'_>, &str); 5] = [
        (&|all| set(all, "lora_A", Tensor::zeros([4, 7], options)), "do not fit the layer"),
        (&|all| set(all, "lora_B", Tensor::zeros([32], options)), "no matrix"),
        (&|all| set(all, "lora_A", Tensor::full([4, 48], f64::NAN, options)), "has the value NaN"),
        (&|all| all.retain(|(name, _)| *name != format!("{first}.lora_B.weight")), "only one of"),
        (
            &|all| all.push(("base_model.model.lm_head.lora_A.weight".into(), Tensor::zeros([4, 32], options))),
            "only one of",
        ),
    ];
    for (change, says) in cases {
        let why = refusal(&|_| {}, change);
        assert!(why.contains(says) && why.trim_end().lines().count() == 1, "{says}: {why}");
    }
    let stranger = |all: &mut Tensors| {
        for end in ["lora_A", "lora_B"] {
            let shape = if end == "lora_A" { [4, 32] } else { [64, 4] };
            all.push((format!("base_model.model.lm_head.{end}.weight"), Tensor::zeros(shape, options)));
        }
    };
    assert!(refusal(&|_| {}, &stranger).contains("lm_head"), "{}", refusal(&|_| {}, &stranger));
    let settings = LoraSettings { rank: 4, alpha: 12.0, dropout: 0.0, by_root: false, magnitudes: false };
    assert_eq!(adapter.settings, settings);
}
