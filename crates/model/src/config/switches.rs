//! Keys of config.json that change the computation. Values that a family does not implement are refused, so that no
//! model runs with wrong numbers.

use serde_json::{Map, Value};

use super::keys::shown;
use spartui_facts::family::Family;

/// A key, and whether a value of it is neutral, that is, changes nothing. Each family lists the switches that it
/// implements.
struct Switch {
    name: &'static str,
    neutral: fn(&Value) -> bool,
}

const fn off(name: &'static str) -> Switch {
    Switch { name, neutral: is_off }
}

const fn one(name: &'static str) -> Switch {
    Switch { name, neutral: |value| value.as_f64() == Some(1.0) }
}

const fn absent(name: &'static str) -> Switch {
    Switch { name, neutral: Value::is_null }
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
    off("use_qk_norm"),
    off("qk_layernorm"),
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
    off("is_decoder"),
    off("use_sliding_window"),
    off("attention_bias"),
    off("mlp_bias"),
    off("scale_attn_by_inverse_layer_idx"),
    absent("attn_logit_softcapping"),
    absent("final_logit_softcapping"),
    one("partial_rotary_factor"),
    absent("rope_scaling"),
    absent("rope_parameters"),
    Switch { name: "layer_types", neutral: all_full },
    Switch { name: "position_embedding_type", neutral: |value| value.as_str() == Some("absolute") },
];

/// Refuses a switch that this family does not implement; the error names it.
pub(super) fn check(json: &Map<String, Value>, family: &Family) -> Result<(), String> {
    let refused = SWITCHES.iter().find_map(|switch| {
        let value = json.get(switch.name).filter(|value| !value.is_null())?;
        let known = family.switches.contains(&switch.name) || (switch.neutral)(value);
        (!known).then(|| format!("{} = {}", switch.name, shown(value)))
    });
    match refused {
        None => Ok(()),
        Some(what) => Err(format!("{what} is not implemented for {} in this version; take another model", family.name)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use spartui_facts::family::FAMILIES;

    #[test]
    fn families_implement_switches_that_there_are() {
        for family in FAMILIES {
            for name in family.switches {
                assert!(SWITCHES.iter().any(|switch| switch.name == *name), "{}: {name}", family.name);
            }
        }
    }
}
