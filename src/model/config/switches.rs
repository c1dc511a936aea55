//! Keys that change the numbers and are not implemented: a model is never run a little wrong.

use serde_json::{Map, Value};

use super::Family;
use super::keys::shown;

/// A key with the values that change nothing, and the families that implement it.
struct Switch {
    name: &'static str,
    neutral: fn(&Value) -> bool,
    implemented: &'static [Family],
}

const fn off(name: &'static str) -> Switch {
    Switch { name, neutral: is_off, implemented: &[] }
}

const fn one(name: &'static str) -> Switch {
    Switch { name, neutral: |value| value.as_f64() == Some(1.0), implemented: &[] }
}

const SWITCHES: &[Switch] = &[
    off("quantization_config"),
    off("add_cross_attention"),
    off("use_bidirectional_attention"),
    off("num_experts"),
    off("num_local_experts"),
    off("n_routed_experts"),
    off("attention_chunk_size"),
    off("clip_qkv"),
    off("parallel_attn"),
    off("use_parallel_residual"),
    off("use_mrope"),
    off("no_rope_layers"),
    off("alibi"),
    off("sinusoidal_pos_embds"),
    off("num_nextn_predict_layers"),
    one("embedding_multiplier"),
    one("residual_multiplier"),
    one("attention_multiplier"),
    one("logits_scaling"),
    one("logit_scale"),
    Switch { name: "is_decoder", neutral: is_off, implemented: DECODERS },
    Switch {
        name: "use_sliding_window",
        neutral: is_off,
        implemented: &[Family::Qwen2, Family::Qwen3, Family::Mistral],
    },
    Switch {
        name: "attention_bias",
        neutral: is_off,
        implemented: &[Family::Llama, Family::Qwen3, Family::Gemma, Family::Gemma2, Family::Gemma3],
    },
    Switch { name: "mlp_bias", neutral: is_off, implemented: &[Family::Llama] },
    Switch { name: "scale_attn_by_inverse_layer_idx", neutral: is_off, implemented: &[Family::Gpt2] },
    Switch { name: "attn_logit_softcapping", neutral: Value::is_null, implemented: &[Family::Gemma2] },
    Switch { name: "final_logit_softcapping", neutral: Value::is_null, implemented: &[Family::Gemma2, Family::Gemma3] },
    Switch {
        name: "partial_rotary_factor",
        neutral: |value| value.as_f64() == Some(1.0),
        implemented: &[Family::Phi3],
    },
    Switch { name: "rope_scaling", neutral: Value::is_null, implemented: ROTARY },
    Switch { name: "rope_parameters", neutral: Value::is_null, implemented: ROTARY },
    Switch {
        name: "layer_types",
        neutral: all_full,
        implemented: &[Family::Qwen2, Family::Qwen3, Family::Gemma2, Family::Gemma3],
    },
    Switch { name: "position_embedding_type", neutral: |value| value.as_str() == Some("absolute"), implemented: &[] },
];

const DECODERS: &[Family] = &[
    Family::Llama,
    Family::Mistral,
    Family::Qwen2,
    Family::Qwen3,
    Family::Gemma,
    Family::Gemma2,
    Family::Gemma3,
    Family::Phi3,
    Family::Gpt2,
];

const ROTARY: &[Family] = &[
    Family::Llama,
    Family::Mistral,
    Family::Qwen2,
    Family::Qwen3,
    Family::Gemma,
    Family::Gemma2,
    Family::Gemma3,
    Family::Phi3,
];

/// Refuses, by its name, a switch that this family does not implement.
pub(super) fn check(json: &Map<String, Value>, family: Family) -> Result<(), String> {
    let refused = SWITCHES.iter().find_map(|switch| {
        let value = json.get(switch.name).filter(|value| !value.is_null())?;
        let known = switch.implemented.contains(&family) || (switch.neutral)(value);
        (!known).then(|| format!("{} = {}", switch.name, shown(value)))
    });
    match refused {
        None => Ok(()),
        Some(what) => {
            Err(format!("{what} is not implemented for {} in this version; take another model", family.name()))
        }
    }
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::Bool(true) | Value::String(_) => false,
    }
}

fn all_full(value: &Value) -> bool {
    value.as_array().is_some_and(|types| types.iter().all(|kind| kind.as_str() == Some("full_attention")))
}
