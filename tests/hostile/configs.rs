//! config.json.

use serde_json::{Value, json};
use spartui::model::Model;
use spartui::recipe::TaskKind;

use crate::case::{Case, Reader, Spoil, case, program as run};
use crate::folder::{Folder, folder_for, golden, pipe_for, set, unset, write};

const FILE: &str = "model/config.json";
const LM: &str = "lm/config.json";
const ESCAPES: &str = "\u{1b}[31mred\u{7}\u{202e}\n\r";

pub fn cases() -> Vec<Case<Reader>> {
    [contents(), sizes(), values(), switches(), rotations(), families()].into_iter().flatten().collect()
}

fn model(folder: &Folder) -> spartui::error::Result<()> {
    Model::load(&folder.at("model"), "auto", "cpu", TaskKind::SequenceClassification).map(|_| ())
}

fn lm(folder: &Folder) -> spartui::error::Result<()> {
    Model::load(&folder.at("lm"), "auto", "cpu", TaskKind::CausalLm).map(|_| ())
}

fn contents() -> Vec<Case<Reader>> {
    let deep = "{\"a\":".repeat(100_000);
    let contents: [(&str, Vec<u8>); 9] = [
        ("cut off", b"{".into()),
        ("empty", Vec::new()),
        ("a list", b"[1]".into()),
        ("null", b"null".into()),
        ("a text", b"\"\\u001b[2J\"".into()),
        ("zeros", vec![0; 100]),
        ("no UTF-8", b"{\"a\": \"\xff\xfe\"}".into()),
        ("nesting", deep.into()),
        ("not a number", b"{\"model_type\": \"bert\", \"hidden_size\": NaN}".into()),
    ];
    let mut cases: Vec<Case<Reader>> = contents
        .into_iter()
        .map(|(what, bytes)| case(what, write(FILE, bytes), model as Reader, "config.json"))
        .collect();
    cases.push(case("a folder", folder_for(FILE), model, "config.json"));
    cases.push(case("a pipe", pipe_for(FILE), model, "config.json"));
    cases
}

/// Every key that a model cannot do without: missing, and with values that it cannot have.
fn sizes() -> Vec<Case<Reader>> {
    let keys = [
        "model_type",
        "hidden_size",
        "num_attention_heads",
        "num_hidden_layers",
        "vocab_size",
        "intermediate_size",
        "max_position_embeddings",
    ];
    let odd = [
        json!(ESCAPES),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e12),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!([1]),
        json!({"a": 1}),
        json!(true),
    ];
    let mut cases = Vec::new();
    for key in keys {
        let pointer = format!("/{key}");
        cases.push(case(format!("no {key}"), unset(FILE, &pointer), model as Reader, key));
        for value in &odd {
            cases.push(case(format!("{key} = {value}"), set(FILE, &pointer, value.clone()), model, key));
        }
    }
    let weights = "model.safetensors";
    cases.extend([
        case("blocks that are not there", set(FILE, "/num_hidden_layers", json!(4000)), model as Reader, weights),
        case(
            "more blocks than any model has",
            set(FILE, "/num_hidden_layers", json!(1_000_000)),
            model,
            "num_hidden_layers",
        ),
        case("wider than the memory", set(FILE, "/hidden_size", json!(1 << 30)), model, weights),
        case("heads that do not divide", set(FILE, "/num_attention_heads", json!(3)), model, "num_attention_heads"),
        case("fewer rows", set(LM, "/vocab_size", json!(42)), lm, "embed_tokens"),
        case("more rows", set(LM, "/vocab_size", json!(44)), lm, "embed_tokens"),
    ]);
    cases
}

fn values() -> Vec<Case<Reader>> {
    let odd = |file: &'static str, reader: Reader, key: &str, value: Value| {
        case(format!("{key} = {value}"), set(file, &format!("/{key}"), value), reader, key)
    };
    let of_model = [
        ("layer_norm_eps", json!(-1e-12)),
        ("layer_norm_eps", json!("1e-12")),
        ("initializer_range", json!(-0.02)),
        ("type_vocab_size", json!(-2)),
        ("hidden_act", json!(ESCAPES)),
        ("hidden_act", json!(["gelu"])),
        ("position_embedding_type", json!("relative_key")),
    ];
    let of_lm = [
        ("head_dim", json!(7)),
        ("num_key_value_heads", json!(3)),
        ("num_key_value_heads", json!(0)),
        ("hidden_act", json!("gelu_9")),
        ("rms_norm_eps", json!(-1)),
        ("rms_norm_eps", json!([1])),
        ("attention_bias", json!("yes")),
        ("tie_word_embeddings", json!(1)),
        ("rope_scaling", json!("linear")),
        ("rope_parameters", json!([1])),
    ];
    let mut cases: Vec<Case<Reader>> = of_model.into_iter().map(|(key, value)| odd(FILE, model, key, value)).collect();
    cases.extend(of_lm.into_iter().map(|(key, value)| odd(LM, lm, key, value)));
    cases.extend([
        case("a head wider than the weights", set(LM, "/head_dim", json!(1_000_000_000)), lm as Reader, "q_proj"),
        case("biases that are not there", set(LM, "/attention_bias", json!(true)), lm, "q_proj.bias"),
        case("inner biases that are not there", set(LM, "/mlp_bias", json!(true)), lm, "gate_proj.bias"),
    ]);
    cases
}

/// Every key that changes what a model computes and is not implemented.
fn switches() -> Vec<Case<Reader>> {
    let of_lm = [
        ("quantization_config", json!({"bits": 4})),
        ("add_cross_attention", json!(true)),
        ("use_bidirectional_attention", json!(true)),
        ("num_experts", json!(8)),
        ("num_local_experts", json!(8)),
        ("n_routed_experts", json!(8)),
        ("attention_chunk_size", json!(8)),
        ("clip_qkv", json!(8.0)),
        ("parallel_attn", json!(true)),
        ("use_parallel_residual", json!(true)),
        ("use_mrope", json!(true)),
        ("no_rope_layers", json!([1])),
        ("alibi", json!(true)),
        ("num_nextn_predict_layers", json!(1)),
        ("embedding_multiplier", json!(2.0)),
        ("residual_multiplier", json!(0.5)),
        ("attention_multiplier", json!(0.5)),
        ("logits_scaling", json!(2)),
        ("logit_scale", json!(2)),
        ("use_sliding_window", json!(true)),
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("attn_logit_softcapping", json!(50.0)),
        ("final_logit_softcapping", json!(30.0)),
        ("partial_rotary_factor", json!(0.5)),
        ("layer_types", json!(["sliding_attention", "full_attention"])),
    ];
    let of_model = [
        ("quantization_config", json!({ESCAPES: ESCAPES})),
        ("add_cross_attention", json!(true)),
        ("is_decoder", json!(true)),
        ("sinusoidal_pos_embds", json!(true)),
    ];
    let switch = |file: &'static str, reader: Reader, (key, value): (&str, Value)| {
        case(format!("the switch {key}"), set(file, &format!("/{key}"), value), reader, key)
    };
    let of_lm = of_lm.into_iter().map(|pair| switch(LM, lm, pair));
    of_lm.chain(of_model.into_iter().map(|pair| switch(FILE, model, pair))).collect()
}

fn rotations() -> Vec<Case<Reader>> {
    let ones = json!([1, 1, 1, 1]);
    let bad = [
        (json!({"rope_type": "spiral\u{1b}[2J"}), "rope_type"),
        (json!({"rope_type": 7}), "rope_type"),
        (json!({"rope_theta": -1}), "rope_theta"),
        (json!({"rope_theta": 0}), "rope_theta"),
        (json!({"rope_theta": 1e300}), "rope_theta"),
        (json!({"rope_theta": "10000"}), "rope_theta"),
        (json!({"rope_type": "linear"}), "factor"),
        (json!({"rope_type": "linear", "factor": -2}), "factor"),
        (json!({"rope_type": "linear", "factor": "8"}), "factor"),
        (json!({"rope_type": "linear", "factor": 1e-300}), "factor"),
        (json!({"rope_type": "dynamic", "factor": 0}), "factor"),
        (json!({"rope_type": "dynamic", "factor": 1e300}), "factor"),
        (json!({"rope_type": "yarn", "factor": -1}), "factor"),
        (json!({"rope_type": "yarn", "original_max_position_embeddings": "x"}), "original_max_position_embeddings"),
        (json!({"rope_type": "yarn", "factor": 4, "beta_fast": -32}), "beta_fast"),
        (json!({"rope_type": "yarn", "factor": 4, "attention_factor": -1}), "attention_factor"),
        (json!({"rope_type": "yarn", "factor": 4, "mscale": 1e300, "mscale_all_dim": 1}), "mscale"),
        (json!({"rope_type": "yarn", "factor": 4, "truncate": "no"}), "truncate"),
        (json!({"rope_type": "llama3", "factor": 8}), "low_freq_factor"),
        (json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1}), "low_freq_factor"),
        (json!({"rope_type": "llama3", "factor": -8, "low_freq_factor": 1, "high_freq_factor": 4}), "factor"),
        (json!({"rope_type": "longrope"}), "short_factor"),
        (json!({"rope_type": "longrope", "short_factor": [1], "long_factor": ones}), "short_factor"),
        (json!({"rope_type": "longrope", "short_factor": ones, "long_factor": [1, 1, -1, 1]}), "long_factor"),
        (json!({"rope_type": "longrope", "short_factor": ["1", 1, 1, 1], "long_factor": ones}), "short_factor"),
        (json!({"rope_type": "longrope", "short_factor": ones, "long_factor": [1, 1, 1, 1e-300]}), "long_factor"),
        (
            json!({"rope_type": "longrope", "short_factor": ones, "long_factor": ones, "attention_factor": 0}),
            "attention_factor",
        ),
        (
            json!({"rope_type": "longrope", "short_factor": ones, "long_factor": ones, "original_max_position_embeddings": 1}),
            "original_max_position_embeddings",
        ),
    ];
    let rotation = |(value, says): (Value, &str)| {
        case(format!("rope_parameters = {value}"), set(LM, "/rope_parameters", value), lm as Reader, says)
    };
    bad.into_iter().map(rotation).collect()
}

/// Keys that only some families know.
fn families() -> Vec<Case<Reader>> {
    let bad = [
        ("gemma2-old", "attn_logit_softcapping", json!(-1)),
        ("gemma2-old", "final_logit_softcapping", json!("x")),
        ("gemma2-old", "query_pre_attn_scalar", json!(0)),
        ("gemma2-old", "hidden_activation", json!("gelu_9")),
        ("gemma3-old", "layer_types", json!(["full_attention"])),
        ("gemma3-old", "layer_types", json!([ESCAPES, ESCAPES, ESCAPES, ESCAPES, ESCAPES, ESCAPES, ESCAPES])),
        ("gemma3-old", "layer_types", json!({})),
        ("gemma3-old", "sliding_window_pattern", json!(0)),
        ("gemma3-old", "sliding_window", json!(-3)),
        ("mistral-window", "sliding_window", json!(0)),
        ("qwen2-window", "max_window_layers", json!("x")),
        ("qwen2-window", "layer_types", json!("full")),
        ("phi3-longrope", "original_max_position_embeddings", json!(-1)),
        ("gpt2-hub", "n_head", json!(7)),
        ("gpt2-hub", "layer_norm_epsilon", json!("x")),
        ("gpt2-hub", "rope_scaling", json!({"type": "linear"})),
        ("roberta-one-type", "pad_token_id", json!(-5)),
        ("roberta-one-type", "pad_token_id", json!("x")),
        ("roberta-one-type", "pad_token_id", json!(1_000_000_000_000_u64)),
        ("roberta-one-type", "max_position_embeddings", json!(1)),
        ("distilbert-relu", "n_heads", json!(5)),
        ("distilbert-relu", "sinusoidal_pos_embds", json!(true)),
    ];
    let of_family = |(family, key, value): (&'static str, &'static str, Value)| {
        let name = format!("{family}, {key} = {value}");
        let spoil: Spoil = Box::new(move |folder| {
            let source = golden("families").join(family);
            for file in ["config.json", "model.safetensors"] {
                std::fs::copy(source.join(file), folder.at("lm").join(file)).unwrap();
            }
            set(LM, &format!("/{key}"), value.clone())(folder);
        });
        let says = match key {
            "n_head" | "n_heads" => "num_attention_heads",
            other => other,
        };
        let reader: Reader =
            if family.starts_with("roberta") || family.starts_with("distilbert") { encoder } else { lm };
        case(name, spoil, reader, says)
    };
    bad.into_iter().map(of_family).collect()
}

fn encoder(folder: &Folder) -> spartui::error::Result<()> {
    Model::load(&folder.at("lm"), "auto", "cpu", TaskKind::SequenceClassification).map(|_| ())
}

pub fn program() -> Vec<Case<Vec<String>>> {
    let inspect = "inspect model";
    vec![
        run("config.json is no JSON", write(FILE, "{"), inspect, "config.json"),
        run("config.json is a list", write(FILE, "[1]"), inspect, "config.json"),
        run("config.json is a folder", folder_for(FILE), "train recipe.toml", "config.json"),
        run("no hidden_size", unset(FILE, "/hidden_size"), inspect, "hidden_size"),
        run("a negative size", set(FILE, "/vocab_size", json!(-90)), inspect, "vocab_size"),
        run("a size beyond all memory", set(FILE, "/hidden_size", json!(1e12)), inspect, "hidden_size"),
        run("heads that do not divide", set(FILE, "/num_attention_heads", json!(5)), inspect, "num_attention_heads"),
        run("blocks without end", set(FILE, "/num_hidden_layers", json!(1_000_000_000)), inspect, "num_hidden_layers"),
        run("an unknown family", set(FILE, "/model_type", json!(ESCAPES.repeat(40))), inspect, "model_type"),
        run(
            "a quantized model",
            set(LM, "/quantization_config", json!({"bits": 4})),
            "train chat.toml",
            "quantization_config",
        ),
        run(
            "fresh weights beyond all memory",
            Box::new(|folder| {
                for key in ["/hidden_size", "/intermediate_size", "/vocab_size"] {
                    set(LM, key, json!(1 << 24))(folder);
                }
            }),
            "train chat.toml --set model.init=random --set method.kind=full",
            "memory",
        ),
        run(
            "an unknown rotation",
            set(LM, "/rope_parameters", json!({"rope_type": ESCAPES})),
            "inspect lm",
            "rope_type",
        ),
        run(
            "a rotation without factor",
            set(LM, "/rope_parameters", json!({"rope_type": "linear"})),
            GENERATE,
            "factor",
        ),
    ]
}

const GENERATE: &str = "generate --model lm --prompt the";
