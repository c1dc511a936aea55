//! The predicted peak of a step's memory against what a process really came to, each case in a process of its own.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use spartui::data::{Example, Target};
use spartui::model::{AddedRows, Model, Open};
use spartui::recipe::{Recipe, TaskKind};
use spartui::train::{Plan, Surroundings};

/// How far the predicted peak may be from the measured one.
const BOUND: f64 = 0.10;

struct Case {
    model: &'static str,
    dtype: &'static str,
    batch: [u32; 2],
    more: &'static [&'static str],
}

const fn case(model: &'static str, dtype: &'static str, batch: [u32; 2], more: &'static [&'static str]) -> Case {
    Case { model, dtype, batch, more }
}

const CASES: &[Case] = &[
    case("llama", "float32", [8, 128], &[]),
    case("llama", "bfloat16", [4, 512], &["--recompute"]),
    case("llama", "bfloat16", [8, 128], &["--targets", "v_proj,o_proj"]),
    case("llama", "float32", [2, 64], &["--method", "full"]),
    case("bert", "float32", [8, 128], &[]),
    case("llama", "float32", [8, 128], &["--method", "lora"]),
    case("llama", "bfloat16", [8, 128], &["--method", "lora", "--variant", "dora"]),
    case("bert", "float32", [8, 128], &["--method", "lora", "--variant", "dora"]),
    case("bert", "bfloat16", [4, 512], &[]),
    case("gemma2", "float32", [2, 256], &[]),
    case("gpt2", "bfloat16", [8, 128], &[]),
    case("llama", "bfloat16", [8, 128], &["--method", "melora"]),
    case("bert", "float32", [8, 128], &["--method", "ether_plus", "--set", "method.ether_plus.blocks=8"]),
    case("llama", "float32", [8, 128], &["--method", "loretta", "--set", "method.loretta.variant=adp"]),
    case("llama", "float32", [8, 128], &["--method", "finegates"]),
    case("llama", "float32", [4, 128], &["--method", "adamix", "--targets", "down_proj"]),
    case("bert", "float32", [8, 128], &["--method", "bitfit"]),
    case("llama", "float32", [8, 128], &["--method", "id3"]),
    case("bert", "float32", [8, 128], &["--method", "dst"]),
    // Tied: the head's dense gradient is computed.
    case("gemma2", "float32", [2, 256], &["--targets", "v_proj,norm,embeddings"]),
    case("bert", "float32", [8, 128], &["--targets", "value,bias,embeddings"]),
];

/// Whether a step in `bfloat16` takes seconds here: without these instructions libtorch multiplies number by number, which
/// takes minutes.
fn is_quick_in_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

#[test]
fn the_predicted_peak_is_what_a_process_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut off = Vec::new();
    for case in CASES.iter().filter(|case| case.dtype == "float32" || is_quick_in_bfloat16()) {
        let model = folder.path().join(format!("{}-{}", case.model, case.dtype));
        if !model.exists() {
            write_model(&model, case.model, case.dtype);
        }
        let measured = bench(&model, case);
        let [peak, predicted] = ["peak_rss_mib", "predicted_peak_mib"].map(|key| measured[key].as_f64().unwrap());
        let line = format!(
            "{} {} {:?} {:?}: predicted {predicted:.0} MiB, measured {peak:.0}: {:.3}",
            case.model,
            case.dtype,
            case.batch,
            case.more,
            predicted / peak
        );
        println!("{line}  {}", measured["predicted_mib"]);
        if (predicted / peak - 1.0).abs() > BOUND {
            off.push(line);
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn a_run_that_will_not_fit_is_warned_about() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bert-a");
    let task = TaskKind::SequenceClassification;
    let open =
        Open { folder: &folder, dtype: "float32", device: "cpu", task, fresh: None, added: AddedRows::default() };
    let model = Model::outline(&open).unwrap();
    let row = || Example { tokens: vec![5; 30], token_types: Vec::new(), target: Target::Label(0) };
    let rows: Vec<Example> = std::iter::repeat_with(row).take(64).collect();
    let mut recipe = Recipe::default();
    recipe.method.sparsity = 0.9;
    let plan = |limit: u64| Plan {
        model: &model,
        head: 9,
        train: &rows,
        validation: &rows[..1],
        around: Surroundings { limit, ..Surroundings::default() },
    };
    let predicted = plan(1 << 20).predict(&recipe).unwrap();
    let warning = plan(1 << 20).warning(&recipe, &predicted).unwrap();
    assert!(warning.contains("and there are 1; what needs less: train.micro_batch_size = 1 (about "), "{warning}");
    assert_eq!(plan(predicted.total()).warning(&recipe, &predicted), None);
}

fn bench(model: &Path, case: &Case) -> Value {
    let [rows, width] = case.batch.map(|size| size.to_string());
    let output = Command::new(env!("CARGO_BIN_EXE_spartui"))
        .args([
            "bench", "--json", "--device", "cpu", "--steps", "1", "--warmup", "0", "--batch", &rows, "--length", &width,
        ])
        .arg("--model")
        .arg(model)
        .args(case.more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A model whose weights are all zero, in a file of holes: how large tensors are does not depend on what is in them.
fn write_model(folder: &Path, family: &str, dtype: &str) {
    let (config, shapes) = match family {
        "llama" => decoder(&json!({"model_type": "llama", "tie_word_embeddings": false}), false),
        "gemma2" => decoder(
            &json!({"model_type": "gemma2", "head_dim": 64, "query_pre_attn_scalar": 64, "sliding_window": 4096,
                   "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}),
            true,
        ),
        "gpt2" => gpt2(),
        _ => bert(),
    };
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let (name, size) = if dtype == "float32" { ("F32", 4) } else { ("BF16", 2) };
    let mut header = BTreeMap::new();
    let mut end = 0;
    for (tensor, shape) in shapes {
        let start = end;
        end += size * shape.iter().product::<u64>();
        header.insert(tensor, json!({"dtype": name, "shape": shape, "data_offsets": [start, end]}));
    }
    let mut header = serde_json::to_string(&header).unwrap();
    // So that every tensor lies at a multiple of its scalars' size.
    header.push_str(&" ".repeat(header.len().next_multiple_of(64) - header.len()));
    let mut file = File::create(folder.join("model.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + end).unwrap();
}

type Shapes = Vec<(String, Vec<u64>)>;

const HIDDEN: u64 = 512;
const WORDS: u64 = 32_000;

fn merged(mut config: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

/// 58 million parameters in the shape of Llama, or of Gemma 2.
fn decoder(own: &Value, gemma: bool) -> (Value, Shapes) {
    let (inner, layers) = (1408, 8);
    let config = json!({"hidden_size": HIDDEN, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": 8, "num_key_value_heads": if gemma { 4 } else { 8 }, "vocab_size": WORDS,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-6});
    let keys = if gemma { HIDDEN / 2 } else { HIDDEN };
    let mut shapes = vec![("model.embed_tokens.weight".into(), vec![WORDS, HIDDEN])];
    for layer in 0..layers {
        let linears = [
            ("self_attn.q_proj", [HIDDEN, HIDDEN]),
            ("self_attn.k_proj", [keys, HIDDEN]),
            ("self_attn.v_proj", [keys, HIDDEN]),
            ("self_attn.o_proj", [HIDDEN, HIDDEN]),
            ("mlp.gate_proj", [inner, HIDDEN]),
            ("mlp.up_proj", [inner, HIDDEN]),
            ("mlp.down_proj", [HIDDEN, inner]),
        ];
        let behind = ["pre_feedforward_layernorm", "post_feedforward_layernorm"];
        let norms =
            ["input_layernorm", "post_attention_layernorm"].into_iter().chain(behind.into_iter().filter(|_| gemma));
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        shapes.extend(linears.into_iter().map(|(part, shape)| (name(part), shape.to_vec())));
        shapes.extend(norms.map(|part| (name(part), vec![HIDDEN])));
    }
    shapes.push(("model.norm.weight".into(), vec![HIDDEN]));
    if !gemma {
        shapes.push(("lm_head.weight".into(), vec![WORDS, HIDDEN]));
    }
    (merged(config, own), shapes)
}

fn gpt2() -> (Value, Shapes) {
    let config = json!({"model_type": "gpt2", "n_embd": HIDDEN, "n_layer": 8, "n_head": 8, "n_positions": 1024,
        "vocab_size": WORDS});
    let mut shapes = vec![("wte.weight".into(), vec![WORDS, HIDDEN]), ("wpe.weight".into(), vec![1024, HIDDEN])];
    for layer in 0..8 {
        for (part, shape) in [
            ("attn.c_attn", [HIDDEN, 3 * HIDDEN]),
            ("attn.c_proj", [HIDDEN, HIDDEN]),
            ("mlp.c_fc", [HIDDEN, 4 * HIDDEN]),
            ("mlp.c_proj", [4 * HIDDEN, HIDDEN]),
        ] {
            shapes.push((format!("h.{layer}.{part}.weight"), shape.to_vec()));
            shapes.push((format!("h.{layer}.{part}.bias"), vec![shape[1]]));
        }
        shapes.extend(norm(&format!("h.{layer}.ln_1"), HIDDEN));
        shapes.extend(norm(&format!("h.{layer}.ln_2"), HIDDEN));
    }
    shapes.extend(norm("ln_f", HIDDEN));
    (config, shapes)
}

/// The shape of `MiniLM`.
fn bert() -> (Value, Shapes) {
    let (hidden, inner, words) = (384, 1536, 30_522);
    let config = json!({"model_type": "bert", "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": 6,
        "num_attention_heads": 12, "vocab_size": words, "max_position_embeddings": 512});
    let rows = [("word", words), ("position", 512), ("token_type", 2)];
    let table = |(name, rows): (&str, u64)| (format!("embeddings.{name}_embeddings.weight"), vec![rows, hidden]);
    let mut shapes: Shapes = rows.into_iter().map(table).collect();
    shapes.extend(norm("embeddings.LayerNorm", hidden));
    for layer in 0..6 {
        for (part, [out, input]) in [
            ("attention.self.query", [hidden, hidden]),
            ("attention.self.key", [hidden, hidden]),
            ("attention.self.value", [hidden, hidden]),
            ("attention.output.dense", [hidden, hidden]),
            ("intermediate.dense", [inner, hidden]),
            ("output.dense", [hidden, inner]),
        ] {
            shapes.push((format!("encoder.layer.{layer}.{part}.weight"), vec![out, input]));
            shapes.push((format!("encoder.layer.{layer}.{part}.bias"), vec![out]));
        }
        shapes.extend(norm(&format!("encoder.layer.{layer}.attention.output.LayerNorm"), hidden));
        shapes.extend(norm(&format!("encoder.layer.{layer}.output.LayerNorm"), hidden));
    }
    shapes.push(("pooler.dense.weight".into(), vec![hidden, hidden]));
    shapes.push(("pooler.dense.bias".into(), vec![hidden]));
    (config, shapes)
}

fn norm(name: &str, width: u64) -> [(String, Vec<u64>); 2] {
    ["weight", "bias"].map(|part| (format!("{name}.{part}"), vec![width]))
}
