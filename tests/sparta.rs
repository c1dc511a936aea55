//! Adapters that peft-sparta's own `SpaRTA.save` wrote, against what its own loader makes of them; made by
//! `tests/golden/make_sparta_adapter.py`. The other way round is `tests/golden/check_sparta.py`.

mod common;

use std::path::Path;
use std::process::Command;

use common::{golden, json};
use serde_json::{Value, json};
use spartui::adapters::{Adapter, NewTokens, write_merged};
use spartui::model::{AddedRows, Model, Open};
use spartui::recipe::TaskKind;

/// The texts of a task: with a new token in them, or those of the two others.
fn texts(task: &str) -> Vec<Value> {
    let golden = json(&golden("sparta_adapter").join("golden.json"));
    golden[task].get("texts").unwrap_or(&golden["texts"]).as_array().unwrap().clone()
}

/// What `predict` gives for the golden texts: logits of a classifier, log-probabilities of a language model.
fn predict(
    folder: &Path,
    model: &Path,
    adapter: Option<&Path>,
    dtype: &str,
    (task, key): (&str, &str),
) -> Vec<Vec<f64>> {
    let texts = texts(task);
    let rows: Vec<String> = texts.iter().map(|text| json!({ "text": text }).to_string() + "\n").collect();
    let (input, output) = (folder.join("input.jsonl"), folder.join("output.jsonl"));
    std::fs::write(&input, rows.concat()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_spartui"));
    command.args(["predict", "--dtype", dtype, "--model"]).arg(model).arg("--input").arg(&input);
    adapter.map(|adapter| command.arg("--adapter").arg(adapter));
    let done = command.arg("--output").arg(&output).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let lines = std::fs::read_to_string(output).unwrap();
    let numbers = |line: &str| -> Vec<f64> {
        let line: Value = serde_json::from_str(line).unwrap();
        line[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    lines.lines().map(numbers).collect()
}

fn expected(task: &str, key: &str) -> Vec<Vec<f64>> {
    serde_json::from_value(json(&golden("sparta_adapter").join("golden.json"))[task][key].clone()).unwrap()
}

/// Root mean square and largest difference.
fn apart(a: &[Vec<f64>], b: &[Vec<f64>]) -> (f64, f64) {
    assert_eq!(a.iter().map(Vec::len).collect::<Vec<_>>(), b.iter().map(Vec::len).collect::<Vec<_>>());
    let differences: Vec<f64> = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).collect();
    #[expect(clippy::cast_precision_loss)]
    let mean = differences.iter().map(|difference| difference.powi(2)).sum::<f64>() / differences.len() as f64;
    (mean.sqrt(), differences.into_iter().fold(0.0, f64::max))
}

const TASKS: [(&str, &str); 3] = [("classification", "logits"), ("causal", "logprobs"), ("tokens", "logits")];

#[test]
fn an_adapter_of_the_reference_predicts_what_its_loader_predicts() {
    let folder = tempfile::tempdir().unwrap();
    for (task, key) in TASKS {
        let place = golden("sparta_adapter");
        let found = predict(folder.path(), &place.join("model"), Some(&place.join(task)), "bfloat16", (task, key));
        // Its loader computes in bfloat16 too: both round, each in its own way.
        let (ours, _) = apart(&found, &expected(task, "float32"));
        let (theirs, _) = apart(&expected(task, "reference"), &expected(task, "float32"));
        assert!(ours <= 1.5 * theirs, "{task}: {ours} and {theirs} from float32");
    }
}

#[test]
fn in_float32_it_predicts_what_pytorch_predicts() {
    let folder = tempfile::tempdir().unwrap();
    for (task, key) in TASKS {
        let place = golden("sparta_adapter");
        let found = predict(folder.path(), &place.join("model"), Some(&place.join(task)), "float32", (task, key));
        let (_, largest) = apart(&found, &expected(task, "float32"));
        assert!(largest < 1e-4, "{task}: {largest}");
    }
}

#[test]
fn merged_into_its_model_it_predicts_what_it_predicts_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    for (task, key) in TASKS {
        let place = golden("sparta_adapter");
        let kind = if task == "causal" { TaskKind::CausalLm } else { TaskKind::SequenceClassification };
        let new_tokens = NewTokens::of_adapter(&place.join(task)).unwrap();
        assert_eq!(new_tokens.tokens, if task == "tokens" { vec![("<sep>".to_owned(), 43)] } else { Vec::new() });
        let added = AddedRows { count: u32::try_from(new_tokens.count()).unwrap(), seed: 0 };
        let open = Open { folder: &place.join("model"), dtype: "auto", device: "cpu", task: kind, fresh: None, added };
        let model = Model::open(&open).unwrap();
        let shape = |tensor: &tch::Tensor| tensor.size().into_iter().map(|n| usize::try_from(n).unwrap()).collect();
        let parameters: Vec<(String, Vec<usize>)> =
            model.parameters.iter().map(|parameter| (parameter.name.clone(), shape(&parameter.tensor))).collect();
        let adapter = Adapter::read(&place.join(task), &parameters).unwrap();
        let merged = folder.path().join(task);
        write_merged(&place.join("model"), &adapter, &[], &merged, &mut |_| {}).unwrap();
        let beside = predict(folder.path(), &place.join("model"), Some(&place.join(task)), "bfloat16", (task, key));
        let (_, largest) = apart(&predict(folder.path(), &merged, None, "bfloat16", (task, key)), &beside);
        // A merged head has the type of the model's file, which rounds it; that of an adapter is in float32.
        let close = if task == "causal" { 1e-6 } else { 2e-2 };
        assert!(largest < close, "{task}: {largest}");
    }
}
