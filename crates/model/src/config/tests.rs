use serde_json::{Value, json};

use super::{Architecture, Config, Decoder, Outputs};
use spartui_facts::family::FAMILIES;

fn llama() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 128
    })
}

fn parse(config: &Value) -> Result<Config, String> {
    Config::parse(config.as_object().unwrap().clone())
}

/// The refusal of this configuration with other values for some keys.
fn refusal(mut config: Value, changes: &Value) -> String {
    for (key, value) in changes.as_object().unwrap().clone() {
        config[key] = value;
    }
    parse(&config).expect_err("is refused")
}

fn decoder(config: &Config) -> &Decoder {
    match &config.architecture {
        Architecture::Decoder(decoder) => decoder,
        Architecture::Encoder(_) => panic!("a decoder"),
    }
}

#[test]
fn families_have_their_own_defaults() {
    let mut config = llama();
    assert!(!decoder(&parse(&config).unwrap()).tied);
    for (family, head_dim, tied, window) in
        [("mistral", 8, false, Some(4096)), ("qwen3", 128, false, None), ("gemma", 256, true, None)]
    {
        config["model_type"] = family.into();
        let parsed = parse(&config).unwrap();
        let decoder = decoder(&parsed);
        assert_eq!((decoder.attention.head_dim, decoder.tied, decoder.layers[0].window), (head_dim, tied, window));
    }
    config["model_type"] = "gemma2".into();
    let windows: Vec<bool> =
        decoder(&parse(&config).unwrap()).layers.iter().map(|layer| layer.window.is_some()).collect();
    assert_eq!(windows, [true, false]);
}

#[test]
fn labels_padding_and_outputs_are_those_of_transformers() {
    let with = |changes: Value| {
        let mut config = llama();
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        parse(&config).unwrap()
    };
    let labels = |changes: Value| with(changes).labels;
    assert_eq!(labels(json!({})), ["LABEL_0", "LABEL_1"]);
    assert_eq!(labels(json!({"num_labels": 3})), ["LABEL_0", "LABEL_1", "LABEL_2"]);
    assert_eq!(labels(json!({"id2label": {"1": "b", "0": "a"}, "num_labels": 2})), ["a", "b"]);
    assert_eq!(labels(json!({"id2label": {"0": "a", "1": "b"}, "num_labels": 3})), ["LABEL_0", "LABEL_1", "LABEL_2"]);
    assert_eq!(labels(json!({"id2label": {"0": 7, "1": true}})), ["7", "true"]);
    assert_eq!(labels(json!({"id2label": {"0": "a", "7": "b"}, "num_labels": null})), ["a", "LABEL_1"]);
    assert!(refusal(llama(), &json!({"num_labels": "3"})).contains("num_labels is \"3\""));
    assert!(refusal(llama(), &json!({"num_labels": 2_000_000_000})).contains("num_labels 2000000000 is above"));
    assert!(refusal(llama(), &json!({"pad_token_id": "x"})).contains("pad_token_id is \"x\""));
    for (family, padding) in [("llama", None), ("gemma", Some(0)), ("phi3", Some(32000)), ("qwen3", None)] {
        let config = with(json!({"model_type": family}));
        assert_eq!(decoder(&config).padding, padding, "{family}");
        assert_eq!(decoder(&with(json!({"model_type": family, "pad_token_id": null}))).padding, None);
        assert_eq!(decoder(&with(json!({"model_type": family, "pad_token_id": 5}))).padding, Some(5));
    }
    let outputs = |problem: Value, labels: usize| with(json!({"problem_type": problem})).outputs(labels);
    for (problem, labels, expected) in [
        (json!(null), 2, Outputs::OneLabel),
        (json!(null), 1, Outputs::AnyLabels),
        (json!("odd"), 3, Outputs::OneLabel),
        (json!("single_label_classification"), 2, Outputs::OneLabel),
        (json!("multi_label_classification"), 2, Outputs::AnyLabels),
        (json!("regression"), 1, Outputs::Numbers),
        (json!("regression"), 3, Outputs::Numbers),
    ] {
        assert_eq!(outputs(problem.clone(), labels), expected, "{problem} {labels}");
    }
}

#[test]
fn an_unknown_family_is_refused_with_the_known_ones() {
    let why = refusal(llama(), &json!({"model_type": "mamba\u{1b}[2J"}));
    assert!(why.starts_with("model_type \"mamba\\u{1b}[2J\" is not supported"), "{why}");
    assert!(FAMILIES.iter().all(|family| why.contains(family.name)), "{why}");
}

#[test]
fn switches_that_are_not_implemented_are_refused_by_name() {
    for (key, value) in [
        ("quantization_config", json!({"quant_method": "gptq"})),
        ("attn_logit_softcapping", json!(30.0)),
        ("partial_rotary_factor", json!(0.5)),
        ("num_local_experts", json!(8)),
        ("logits_scaling", json!(8.0)),
        ("use_sliding_window", json!(true)),
        ("layer_types", json!(["sliding_attention", "full_attention"])),
        ("rope_scaling", json!({"rope_type": "mystery"})),
    ] {
        let why = refusal(llama(), &json!({key: value}));
        let named = if key == "rope_scaling" { "rope_type" } else { key };
        assert!(why.contains(named) && why.contains("not implemented"), "{why}");
    }
    for (key, value) in [
        ("quantization_config", Value::Null),
        ("attention_bias", json!(true)),
        ("use_sliding_window", json!(false)),
        ("layer_types", json!(["full_attention", "full_attention"])),
        ("rope_scaling", json!({"type": "linear", "factor": 2.0})),
    ] {
        let mut config = llama();
        config[key] = value;
        parse(&config).unwrap();
    }
}

#[test]
fn sizes_that_cannot_be_are_refused_by_name() {
    for (key, value) in [
        ("hidden_size", json!(-1)),
        ("hidden_size", json!("many")),
        ("vocab_size", json!(1e12)),
        ("num_attention_heads", json!(5)),
        ("num_key_value_heads", json!(3)),
        ("head_dim", json!(7)),
        ("num_hidden_layers", json!(1_000_000)),
        ("rms_norm_eps", json!("small")),
        ("hidden_act", json!("swoosh")),
        ("tie_word_embeddings", json!("yes")),
    ] {
        let why = refusal(llama(), &json!({key: value}));
        assert!(why.contains(key), "{key}: {why}");
    }
}

#[test]
fn dynamic_scaling_takes_longer_texts() {
    let mut config = llama();
    config["rope_scaling"] = json!({"type": "dynamic", "factor": 4.0});
    assert_eq!(parse(&config).unwrap().max_positions, 512);
    config["rope_scaling"] = json!({"type": "yarn", "factor": 4.0});
    assert_eq!(parse(&config).unwrap().max_positions, 128);
}

#[test]
fn roberta_counts_positions_behind_its_padding_id() {
    let mut config = llama();
    config["model_type"] = "roberta".into();
    config["pad_token_id"] = 1.into();
    assert_eq!(parse(&config).unwrap().max_positions, 126);
}
