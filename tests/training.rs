//! Gradients and whole training runs against PyTorch, on the golden files of `tests/golden`.

mod common;

use common::methods::Given;
use common::{batch, golden, head, integers, json, rows, worst};
use serde_json::Value;
use spartui::method::Method;
use spartui::model::{Batch, Model};
use spartui::recipe::{Recompute, Schedule, ScheduleKind, Steps, TaskKind};
use spartui::sparse::{Optimizer, Rule};
use spartui::train::{Targets, Trained, TrainedHead, forward_backward, rate_at};
use tch::{Kind, Tensor};

fn classifier(name: &str) -> spartui::error::Result<Model> {
    Model::load(&golden(name), "float32", "cpu", TaskKind::SequenceClassification)
}

fn pass(
    model: &Model,
    head: &mut TrainedHead,
    method: &mut Given,
    batch: &Batch,
    labels: Tensor,
    weight: f64,
    recompute: Recompute,
) -> f64 {
    forward_backward(
        model,
        &mut Trained { head, collector: method },
        batch,
        &Targets::Labels(labels),
        weight,
        recompute,
    )
}

fn tensors(path: &std::path::Path) -> impl Fn(&str) -> Option<Tensor> + use<> {
    let tensors = Tensor::read_safetensors(path).unwrap();
    move |name: &str| tensors.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor.shallow_clone())
}

#[test]
fn gradients_on_every_site_are_those_of_a_dense_backward_pass_in_float64() {
    let facts = json(&golden("bert-a").join("golden.json"));
    let dense = tensors(&golden("bert-a").join("gradients.safetensors"));
    let case = &facts["gradients"];
    for recompute in [Recompute::None, Recompute::Blocks] {
        let model = classifier("bert-a").unwrap();
        let mut head = TrainedHead::new(head(&facts["head"], Kind::Float));
        let mut method = Given::everything(&model);
        let targets = Tensor::from_slice(&integers(&case["targets"]));
        let weight = 1.0 / f64::from(i32::try_from(targets.numel()).unwrap());
        let loss = pass(&model, &mut head, &mut method, &batch(case), targets, weight, recompute);
        assert!((loss - case["loss"].as_f64().unwrap()).abs() < 1e-5);
        for (at, site) in model.sites.iter().enumerate() {
            let expected = dense(site.name.trim_start_matches("bert.")).unwrap().view(-1);
            let error = worst(method.gradient(at), &expected) / expected.abs().max().double_value(&[]);
            assert!(error < 1e-4, "{}: {error}", site.name);
        }
    }
}

#[test]
fn gradients_are_finite_differences_of_the_loss_in_float64() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden("bert-a").join("config.json"), folder.path().join("config.json")).unwrap();
    let doubled: Vec<(String, Tensor)> = Tensor::read_safetensors(golden("bert-a").join("model.safetensors"))
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.to_kind(Kind::Double)))
        .collect();
    Tensor::write_safetensors(&doubled, folder.path().join("model.safetensors")).unwrap();
    let model = Model::load(folder.path(), "auto", "cpu", TaskKind::SequenceClassification).unwrap();
    assert_eq!(model.kind, Kind::Double);

    let facts = json(&golden("bert-a").join("golden.json"));
    let case = &facts["gradients"];
    let targets = Tensor::from_slice(&integers(&case["targets"]));
    let batch = batch(case);
    let head = head(&facts["head"], Kind::Double);
    let loss = || {
        let logits = model.logits(&batch, &head);
        logits.cross_entropy_loss::<Tensor>(&targets, None, tch::Reduction::Mean, -100, 0.0).double_value(&[])
    };
    let mut method = Given::everything(&model);
    let mut trained = TrainedHead::new(head.copy());
    let weight = 1.0 / f64::from(i32::try_from(targets.numel()).unwrap());
    pass(&model, &mut trained, &mut method, &batch, targets.copy(), weight, Recompute::None);
    for (at, site) in model.sites.iter().enumerate() {
        let mut flat = site.weight.view(-1);
        let largest = method.gradient(at).abs().max().double_value(&[]);
        for index in (0..site.weight.numel().cast_signed() as i64).step_by(397) {
            let here = flat.double_value(&[index]);
            let loss_at = |value: f64| {
                let _ = flat.get(index).fill_(value);
                loss()
            };
            let difference = (loss_at(here + 1e-5) - loss_at(here - 1e-5)) / 2e-5;
            let _ = flat.get(index).fill_(here);
            let error = (method.gradient(at).double_value(&[index]) - difference).abs();
            assert!(error < 1e-5 * largest.max(1e-3), "{} at {index}: {error}", site.name);
        }
        let _ = &mut flat;
    }
}

#[test]
fn twenty_steps_are_those_of_a_plain_pytorch_loop() {
    let facts = json(&golden("bert-b").join("training.json"));
    let tensors = tensors(&golden("bert-b").join("training.safetensors"));
    for (run, settings) in [("plain", "settings"), ("accumulated", "settings"), ("heavy", "heavy_settings")] {
        let number = |name: &str| facts[settings][name].as_f64().unwrap();
        let count = |name: &str| facts[settings][name].as_u64().unwrap();
        let betas = [facts[settings]["betas"][0].as_f64().unwrap(), facts[settings]["betas"][1].as_f64().unwrap()];
        let adamw =
            Optimizer { rule: Rule::AdamW, betas, epsilon: number("epsilon"), weight_decay: number("weight_decay") };
        let schedule = Schedule {
            kind: ScheduleKind::Cosine,
            warmup_steps: Steps::Count(count("warmup_steps")),
            min_learning_rate: number("min_learning_rate"),
        };
        let model = classifier("bert-b").unwrap();
        let mut head = TrainedHead::new(head(&facts["head"], Kind::Float));
        let mut method = Given::new(&model, |name| {
            tensors(&format!("indices.{}", name.trim_start_matches("bert.").trim_end_matches(".weight")))
                .or_else(|| tensors(&format!("indices.{}", name.trim_start_matches("bert."))))
        });
        assert_eq!(method.adapted.iter().filter(|adapted| **adapted).count(), 4);
        for (step, case) in (1..).zip(facts["batches"].as_array().unwrap()) {
            let expected: &Value = &facts[run][usize::try_from(step).unwrap() - 1];
            let targets = integers(&case["targets"]);
            let all = targets.len();
            let split = usize::try_from(case["split"].as_u64().unwrap()).unwrap();
            let parts = if run == "accumulated" { vec![(0, split), (split, all)] } else { vec![(0, all)] };
            let weight = 1.0 / f64::from(i32::try_from(all).unwrap());
            let losses = parts.into_iter().map(|(from, to)| {
                let targets = Tensor::from_slice(&targets[from..to]);
                pass(&model, &mut head, &mut method, &rows(case, from, to), targets, weight, Recompute::None)
            });
            let loss: f64 = losses.sum();
            let near = |name: &str, value: f64, bound: f64| {
                let expected = expected[name].as_f64().unwrap();
                assert!(
                    (value - expected).abs() <= bound * expected.abs(),
                    "{run} {step} {name}: {value}, not {expected}"
                );
            };
            near("loss", loss, 1e-4);
            let norm = (method.squared_gradient_norm() + head.squared_gradient_norm()).sqrt();
            near("grad_norm", norm, 1e-3);
            let rate = rate_at(&schedule, number("learning_rate"), step, count("steps"));
            near("learning_rate", rate, 1e-9);
            let scale = (number("max_grad_norm") / (norm + 1e-6)).min(1.0);
            method.update(&adamw, rate, scale, step);
            head.update(&adamw, rate, scale, step);
        }
        for (site, trained) in model.sites.iter().zip(&method.sites) {
            let Some((cohort, ..)) = trained else { continue };
            let short = site.name.trim_start_matches("bert.");
            let expected = tensors(&format!("{run}.deltas.{short}"))
                .or_else(|| tensors(&format!("{run}.deltas.{}", short.trim_end_matches(".weight"))))
                .unwrap();
            let error = worst(&cohort.delta, &expected);
            assert!(error < 1e-5, "{run} {short}: {error}");
        }
        let learned = (&head.head.tensors[0] - &head.start.tensors[0]).view(-1);
        assert!(worst(&learned, &tensors(&format!("{run}.deltas.head.weight")).unwrap()) < 1e-5);
    }
}
