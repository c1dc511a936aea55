//! Models and adapters as people really save them, against what transformers and PEFT make of them: `tests/golden/odd`.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{golden, json};
use serde_json::{Value, json};

/// Of logits and of log-probabilities.
const CLOSE: f64 = 2e-5;

fn odd(name: &str) -> PathBuf {
    golden("odd").join(name)
}

fn expected(name: &str) -> Value {
    json(&odd(name).join("expected.json"))
}

fn spartui<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spartui")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(path: &Path, rows: impl Iterator<Item = Value>) {
    let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    std::fs::write(path, rows.join("\n") + "\n").unwrap();
}

fn texts(expected: &Value) -> impl Iterator<Item = &Value> {
    expected["texts"].as_array().unwrap().iter()
}

/// What `predict` says of each text, and what it says beside.
fn predict(model: &Path, more: &[&str], expected: &Value) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("rows.jsonl");
    lines(&input, texts(expected).map(|text| json!({"text": text})));
    let mut arguments =
        vec!["predict", "--model", model.to_str().unwrap(), "--input", input.to_str().unwrap(), "--output", "-"];
    arguments.extend(more);
    let output = spartui(&arguments);
    assert!(output.status.success(), "{} {more:?}: {}", model.display(), said(&output));
    let rows = String::from_utf8(output.stdout.clone()).unwrap();
    (rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), said(&output))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn assert_close(name: &str, found: &Value, expected: &Value) {
    let (found, expected) = (numbers(found), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{name}");
    let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < CLOSE, "{name}: {found:?} is not {expected:?}");
}

#[test]
fn a_decoder_classifies_by_the_token_that_transformers_reads() {
    for name in ["pooled-qwen3", "pooled-gemma", "pooled-gpt2", "pooled-null", "pooled-gemma-null"] {
        let expected = expected(name);
        let (rows, told) = predict(&odd(name), &[], &expected);
        for (row, logits) in rows.iter().zip(expected["logits"].as_array().unwrap()) {
            assert_close(name, &row["logits"], logits);
        }
        let warning =
            if expected["pad"].is_null() { "names no pad_token_id" } else { "5 of 5 rows end with the padding token" };
        assert!(told.contains(warning), "{name}: {told}");
    }
}

#[test]
fn word_embeddings_and_head_are_one_where_they_are_for_transformers() {
    for name in ["tied-own", "tied-own-gpt2", "tied-equal", "tied-head-only", "tied-head-only-gpt2"] {
        let expected = expected(name);
        let (rows, told) = predict(&odd(name), &[], &expected);
        for (row, logprobs) in rows.iter().zip(expected["logprobs"].as_array().unwrap()) {
            assert_close(name, &row["logprobs"], logprobs);
        }
        assert_eq!(told.contains("tie_word_embeddings"), expected["tied"] == false, "{name}: {told}");
    }
}

/// Trains for a moment and gives the run's folder.
fn train(folder: &Path, model: &Path, rows: &[Value], more: &[&str]) -> PathBuf {
    lines(&folder.join("rows.jsonl"), rows.iter().cloned());
    let quoted = model.display();
    let recipe = format!(
        "[model]\npath = \"{quoted}\"\n[data]\ntrain = \"rows.jsonl\"\nvalidation = \"rows.jsonl\"\nmax_length = 16\n[method]\n\
         sparsity = 0.7\ntargets = [\"all-linear\"]\n[optimizer]\nlearning_rate = 0.05\n[schedule]\nwarmup_steps = 0\n[train]\n\
         max_steps = 3\nbatch_size = 4\n"
    );
    std::fs::write(folder.join("recipe.toml"), recipe).unwrap();
    let (recipe, runs) = (folder.join("recipe.toml"), folder.join("runs"));
    let mut arguments =
        vec!["--runs-dir", runs.to_str().unwrap(), "train", recipe.to_str().unwrap(), "--run", "a", "--headless"];
    arguments.extend(more);
    let output = spartui(&arguments);
    assert!(output.status.success(), "{}: {}", model.display(), said(&output));
    runs.join("a")
}

fn names_in(model: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(model.join("model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.names().into_iter().map(str::to_owned).collect()
}

#[test]
fn what_is_exported_of_such_a_model_is_the_same_model() {
    let texts = json!({"texts": ["w1 w2 w3 w4", "w5 w6", "w9 w0 w1"]});
    let rows: Vec<Value> = texts["texts"].as_array().unwrap().iter().map(|text| json!({"text": text})).collect();
    for (name, head) in [("tied-own", true), ("tied-own-gpt2", true), ("tied-equal", true), ("tied-head-only", false)] {
        for method in ["sparta", "lora", "full"] {
            let folder = tempfile::tempdir().unwrap();
            let set = format!("method.kind={method}");
            let more = ["--set", "task.kind=causal-lm", "--set", "data.append_end=false", "--set", &set];
            let run = train(folder.path(), &odd(name), &rows, &more);
            let merged = if method == "full" { run.join("model") } else { folder.path().join("merged") };
            if method != "full" {
                let (run, merged) = (run.to_str().unwrap(), merged.to_str().unwrap());
                let output = spartui(&["export", run, "--format", "merged", "--output", merged]);
                assert!(output.status.success(), "{name} {method}: {}", said(&output));
                let adapter = format!("{run}/adapter");
                let (on_top, _) = predict(&odd(name), &["--adapter", &adapter], &texts);
                let (whole, _) = predict(Path::new(merged), &[], &texts);
                for (one, other) in on_top.iter().zip(&whole) {
                    assert_close(name, &one["logprobs"], &other["logprobs"]);
                }
            }
            let config = json(&merged.join("config.json"));
            let own_head = expected(name)["tied"] == false;
            assert_eq!(config["tie_word_embeddings"], !own_head, "{name} {method}");
            let names = names_in(&merged);
            let words = if name.ends_with("gpt2") { "transformer.wte.weight" } else { "model.embed_tokens.weight" };
            assert!(names.contains(words), "{name} {method}: {names:?}");
            // Where the two are one, a model that was trained whole is written as transformers writes it.
            assert_eq!(names.contains("lm_head.weight"), head && (own_head || method != "full"), "{name} {method}");
        }
    }
}

#[test]
fn a_classifier_has_the_labels_and_outputs_that_transformers_pipeline_gives_it() {
    let names = ["labels-none", "labels-number", "labels-numbers", "labels-both", "labels-score", "problem-single"];
    let others = ["problem-multi", "problem-multi-llama", "problem-number", "problem-numbers", "problem-one"];
    for name in names.into_iter().chain(others) {
        let expected = expected(name);
        let (rows, _) = predict(&odd(name), &[], &expected);
        for (at, row) in rows.iter().enumerate() {
            assert_close(name, &row["logits"], &expected["logits"][at]);
            let scores = &expected["scores"][at];
            match name {
                "problem-number" => assert_close(name, &json!([row["value"]]), scores),
                "problem-numbers" => assert_close(name, &row["values"], scores),
                _ => {
                    assert_close(name, &row["probabilities"], scores);
                    assert_eq!(row["label"], expected["best"][at], "{name}");
                }
            }
            if name.starts_with("problem-multi") {
                let labels = numbers(scores).into_iter().zip(expected["labels"].as_array().unwrap());
                let likely: Vec<&Value> = labels.filter(|(score, _)| *score >= 0.5).map(|(_, label)| label).collect();
                assert_eq!(row["labels"], json!(likely), "{name}");
            }
        }
    }
}

#[test]
fn several_labels_and_numbers_are_evaluated_and_not_trained() {
    for name in ["problem-multi", "problem-multi-llama", "problem-number", "problem-numbers", "problem-one"] {
        let (folder, expected) = (tempfile::tempdir().unwrap(), expected(name));
        let path = folder.path().join("rows.jsonl");
        let answers = expected["answers"].as_array().unwrap();
        lines(&path, texts(&expected).zip(answers).map(|(text, answer)| json!({"text": text, "label": answer})));
        let (model, data) = (odd(name), path.to_str().unwrap());
        let evaluate = ["evaluate", "--model", model.to_str().unwrap(), "--data", data];
        let output = spartui(&[&evaluate[..], &["--json"]].concat());
        assert!(output.status.success(), "{name}: {}", said(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let score = |ours: &str, golden: &str| {
            assert_close(name, &json!([found[ours]]), &json!([expected[golden]]));
        };
        score("eval_loss", "loss");
        if name.starts_with("problem-multi") {
            score("accuracy", "accuracy");
            score("f1", "f1");
        } else {
            score("mae", "mae");
            score("r2", "r2");
        }
        assert_eq!(found["examples"], 5);
        if name != "problem-one" {
            let recipe = folder.path().join("recipe.toml");
            std::fs::write(
                &recipe,
                format!("[model]\npath = \"{}\"\n[data]\ntrain = \"rows.jsonl\"\n", model.display()),
            )
            .unwrap();
            let output = spartui(&["train", recipe.to_str().unwrap(), "--headless"]);
            assert_eq!(output.status.code(), Some(2), "{name}: {}", said(&output));
            assert!(said(&output).contains("problem_type"), "{name}: {}", said(&output));
        }
    }
}

#[test]
fn adapters_of_peft_do_what_they_do_in_peft() {
    let adapters = [
        "lora-missing",
        "lora-more",
        "lora-some-layers",
        "lora-regex",
        "lora-embeddings",
        "lora-head",
        "lora-both",
        "lora-tied-embeddings",
        "lora-tied-head",
        "lora-norm",
        "lora-pooler",
        "lora-pooler-dora",
        "lora-pooler-saved",
        "lora-bert-words",
    ];
    for name in adapters {
        let expected = expected(name);
        let (adapter, base) = (odd(name), odd(expected["base"].as_str().unwrap()));
        let what = if expected["logits"].is_array() { "logits" } else { "logprobs" };
        let (rows, told) = predict(&base, &["--adapter", adapter.to_str().unwrap()], &expected);
        for (row, numbers) in rows.iter().zip(expected[what].as_array().unwrap()) {
            assert_close(name, &row[what], numbers);
        }
        match name {
            "lora-missing" => {
                // PEFT names both factors of the layer.
                assert!(expected["said"][0].as_str().unwrap().contains("model.layers.1.self_attn.q_proj"));
                assert!(
                    told.contains("it lacks 1 layer (model.layers.1.self_attn.q_proj.weight) of its target_modules"),
                    "{told}"
                );
            }
            "lora-more" => {
                assert!(told.contains("it holds 7 tensors (model.layers.2.self_attn.q_proj.weight, "), "{told}");
                assert!(
                    told.contains("model.layers.6.self_attn.q_proj.weight and 2 more) that nobody reads"),
                    "{told}"
                );
            }
            _ => assert!(!told.contains("warning"), "{name}: {told}"),
        }
    }
}

#[test]
fn a_bert_without_a_pooler_takes_one_from_its_adapter_and_makes_a_fresh_one() {
    let (bare, adapter) = (odd("base-bert-bare"), odd("lora-pooler-saved"));
    let expected = expected("lora-pooler-saved");
    let (rows, told) = predict(&bare, &["--adapter", adapter.to_str().unwrap()], &expected);
    for (row, logits) in rows.iter().zip(expected["logits"].as_array().unwrap()) {
        assert_close("a pooler of the adapter", &row["logits"], logits);
    }
    assert!(told.contains("no pooler"), "{told}");
    let label = |at: usize| if at.is_multiple_of(2) { "a" } else { "b" };
    let rows: Vec<Value> = (0..8).map(|at| json!({"text": format!("w{at} w3"), "label": label(at)})).collect();
    let texts = json!({"texts": ["w1 w2", "w5"]});
    for (method, head) in [("sparta", "head_init.safetensors"), ("lora", "adapter_model.safetensors")] {
        let folder = tempfile::tempdir().unwrap();
        let set = format!("method.kind={method}");
        let run = train(folder.path(), &bare, &rows, &["--set", &set]);
        let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
        assert!(log.contains("no pooler"), "{log}");
        let merged = folder.path().join("merged");
        let output =
            spartui(&["export", run.to_str().unwrap(), "--format", "merged", "--output", merged.to_str().unwrap()]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(names_in(&merged).contains("bert.pooler.dense.weight") && run.join("adapter").join(head).exists());
        let (on_top, _) = predict(&bare, &["--adapter", run.join("adapter").to_str().unwrap()], &texts);
        let (whole, told) = predict(&merged, &[], &texts);
        for (one, other) in on_top.iter().zip(&whole) {
            assert_close(method, &one["logits"], &other["logits"]);
        }
        assert!(!told.contains("pooler"), "{told}");
    }
}

#[test]
fn what_a_model_is_for_follows_from_what_its_files_hold() {
    let classifier = odd("labels-score");
    let model = classifier.to_str().unwrap();
    let inspected = spartui(&["inspect", model]);
    let shown = String::from_utf8_lossy(&inspected.stdout).into_owned();
    assert!(inspected.status.success(), "{}", said(&inspected));
    for line in ["task        sequence-classification", "labels      LABEL_0, LABEL_1", "outputs     one of the labels"]
    {
        assert!(shown.contains(line), "{shown}");
    }
    let bench = spartui(&[
        "bench",
        "--model",
        model,
        "--batch",
        "1",
        "--length",
        "4",
        "--steps",
        "1",
        "--warmup",
        "0",
        "--sparsity",
        "0.9",
    ]);
    assert!(bench.status.success(), "{}", said(&bench));
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    lines(&rows, [json!({"text": "w1 w2", "label": "LABEL_1"})].into_iter());
    let rows = rows.to_str().unwrap();
    let evaluated = spartui(&["evaluate", "--model", model, "--data", rows]);
    assert!(evaluated.status.success(), "{}", said(&evaluated));
    let wrong: [&[&str]; 3] = [
        &["predict", "--model", model, "--input", rows, "--output", "-", "--task", "causal-lm"],
        &["bench", "--model", model, "--task", "causal-lm"],
        &["generate", "--model", model, "--prompt", "w1"],
    ];
    for arguments in wrong {
        let output = spartui(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains("--task sequence-classification"), "{}", said(&output));
    }
    // Without a word in config.json, and with no head at all.
    let nameless = folder.path().join("nameless");
    std::fs::create_dir(&nameless).unwrap();
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(classifier.join(file), nameless.join(file)).unwrap();
    }
    let mut config = json(&classifier.join("config.json"));
    config.as_object_mut().unwrap().remove("architectures");
    std::fs::write(nameless.join("config.json"), config.to_string()).unwrap();
    let shown = spartui(&["inspect", nameless.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("task        sequence-classification"), "{}", said(&shown));
}
