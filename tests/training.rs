//! Gradients and whole training runs against PyTorch, on the golden files of `tests/golden`.

mod common;

use common::{batch, golden, head, integers, json, rows, worst};
use serde_json::Value;
use spartui::method::{Method, Plan};
use spartui::model::{Encoder, Head, Tap};
use spartui::protocol::Group;
use spartui::recipe::{self, Recompute, Schedule, ScheduleKind};
use spartui::sparse::{AdamW, Cast, Cohort, Footprint, Resized, Saved, gradient};
use spartui::train::{TrainedHead, forward_backward, rate_at};
use tch::{Device, Kind, Tensor};

/// Trains scalars that are given, as far as a training step goes.
#[derive(Debug)]
struct Given {
    adapted: Vec<bool>,
    sites: Vec<Option<(Cohort, Tensor, Option<Tensor>)>>,
}

impl Given {
    fn new(model: &Encoder, indices: impl Fn(&str) -> Option<Tensor>) -> Self {
        let sites: Vec<_> = model
            .sites
            .iter()
            .map(|site| {
                indices(&site.name).map(|indices| {
                    let flat = site.weight.view(-1);
                    let delta = Tensor::zeros([indices.numel().cast_signed() as i64], (Kind::Float, Device::Cpu));
                    let original = flat.index_select(0, &indices);
                    (Cohort::newborn(0, indices, original, delta), flat, None)
                })
            })
            .collect();
        Self { adapted: sites.iter().map(Option::is_some).collect(), sites }
    }

    fn everything(model: &Encoder) -> Self {
        Self::new(model, |name| {
            let site = model.sites.iter().find(|site| site.name == name)?;
            Some(Tensor::arange(site.weight.numel().cast_signed() as i64, (Kind::Int64, Device::Cpu)))
        })
    }

    fn gradient(&self, site: usize) -> &Tensor {
        self.sites[site].as_ref().unwrap().2.as_ref().unwrap()
    }
}

impl Method for Given {
    fn adapted(&self) -> &[bool] {
        &self.adapted
    }

    fn collect(&mut self, tap: &Tap, output_gradient: &Tensor) {
        let (cohort, _, sum) = self.sites[tap.site].as_mut().unwrap();
        let gradient = gradient::sampled(&tap.input, output_gradient, std::iter::once(&cohort.indices)).remove(0);
        *sum = Some(sum.take().map_or_else(|| gradient.copy(), |sum| sum + &gradient));
    }

    fn squared_gradient_norm(&self) -> f64 {
        let gradients = self.sites.iter().flatten().filter_map(|(_, _, gradient)| gradient.as_ref());
        gradients.map(|gradient| gradient.square().sum(Kind::Double).double_value(&[])).sum()
    }

    fn update(&mut self, adamw: &AdamW, rate: f64, scale: f64, step: u64) {
        for (cohort, flat, gradient) in self.sites.iter_mut().flatten() {
            cohort.update(adamw, &(gradient.take().unwrap() * scale), rate, step);
            let _ = flat.index_copy_(0, &cohort.indices, &cohort.values(Cast::Nearest));
        }
    }

    fn plan(&self, _: &recipe::Method) -> Result<Plan, String> {
        unimplemented!()
    }

    fn apply(&mut self, _: &recipe::Method, _: u64, _: [f64; 2]) -> Result<Resized, String> {
        unimplemented!()
    }

    fn configure(&mut self, _: &recipe::Method) {}

    fn sparsity_bounds(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn trainable(&self) -> u64 {
        0
    }

    fn retired(&self) -> u64 {
        0
    }

    fn footprint(&self) -> Footprint {
        Footprint::default()
    }

    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }

    fn save(&self) -> Vec<(usize, Vec<Saved>)> {
        Vec::new()
    }
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
        let model = Encoder::load(&golden("bert-a"), "float32", "cpu").unwrap();
        let mut head = TrainedHead::new(head(&facts["head"], Kind::Float));
        let mut method = Given::everything(&model);
        let targets = Tensor::from_slice(&integers(&case["targets"]));
        let weight = 1.0 / f64::from(i32::try_from(targets.numel()).unwrap());
        let loss = forward_backward(&model, &mut head, &mut method, &batch(case), &targets, weight, recompute);
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
    let model = Encoder::load(folder.path(), "auto", "cpu").unwrap();
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
    let mut trained = TrainedHead::new(Head { weight: head.weight.copy(), bias: head.bias.copy() });
    let weight = 1.0 / f64::from(i32::try_from(targets.numel()).unwrap());
    forward_backward(&model, &mut trained, &mut method, &batch, &targets, weight, Recompute::None);
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
        let adamw = AdamW { betas, epsilon: number("epsilon"), weight_decay: number("weight_decay") };
        let schedule = Schedule {
            kind: ScheduleKind::Cosine,
            warmup_steps: count("warmup_steps"),
            min_learning_rate: number("min_learning_rate"),
        };
        let model = Encoder::load(&golden("bert-b"), "float32", "cpu").unwrap();
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
                forward_backward(
                    &model,
                    &mut head,
                    &mut method,
                    &rows(case, from, to),
                    &targets,
                    weight,
                    Recompute::None,
                )
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
        let learned = (&head.head.weight - &head.start.weight).view(-1);
        assert!(worst(&learned, &tensors(&format!("{run}.deltas.head.weight")).unwrap()) < 1e-5);
    }
}
