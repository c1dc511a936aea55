//! Names of the groups of sites.

use super::config::Family;

/// A group's own name, and those of the same role in other families.
type Names = (&'static str, &'static [&'static str]);

const LLAMA: &[Names] = &[
    ("q_proj", &["self_attn.q_proj"]),
    ("k_proj", &["self_attn.k_proj"]),
    ("v_proj", &["self_attn.v_proj"]),
    ("o_proj", &["self_attn.o_proj"]),
    ("gate_proj", &["mlp.gate_proj"]),
    ("up_proj", &["mlp.up_proj"]),
    ("down_proj", &["mlp.down_proj"]),
];

const PHI3: &[Names] = &[
    ("qkv_proj", &["q_proj", "k_proj", "v_proj"]),
    ("o_proj", &["self_attn.o_proj"]),
    ("gate_up_proj", &["gate_proj", "up_proj"]),
    ("down_proj", &["mlp.down_proj"]),
];

const GPT2: &[Names] = &[
    ("c_attn", &["attn.c_attn", "q_proj", "k_proj", "v_proj"]),
    ("attn.c_proj", &["o_proj"]),
    ("c_fc", &["mlp.c_fc", "up_proj"]),
    ("mlp.c_proj", &["down_proj"]),
];

const BERT: &[Names] = &[
    ("query", &["q_proj"]),
    ("key", &["k_proj"]),
    ("value", &["v_proj"]),
    ("attention.output", &["o_proj"]),
    ("intermediate", &["up_proj"]),
    ("output", &["down_proj"]),
];

const DISTILBERT: &[Names] = &[
    ("q_lin", &["q_proj", "query"]),
    ("k_lin", &["k_proj", "key"]),
    ("v_lin", &["v_proj", "value"]),
    ("out_lin", &["o_proj", "attention.output"]),
    ("lin1", &["up_proj", "intermediate"]),
    ("lin2", &["down_proj", "output"]),
];

/// The groups of a family, in the order of a block.
pub(super) fn of(family: Family) -> &'static [Names] {
    match family {
        Family::Gpt2 => GPT2,
        Family::Phi3 => PHI3,
        Family::Bert | Family::Roberta => BERT,
        Family::Distilbert => DISTILBERT,
        _ => LLAMA,
    }
}
