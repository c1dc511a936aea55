//! The families, one value each. A new one is a value here, its place in [`FAMILIES`], and a golden model.

use super::{
    Activation, Biases, Blocks, Cap, Decoder, Encoder, Family, HeadKind, HeadWidth, Inner, KvHeads, Layer, Norm, Norms,
    Positions, Project, Scale, Windows,
};

/// Every family, in the order of the documents.
pub static FAMILIES: [&Family; 12] =
    [&LLAMA, &MISTRAL, &QWEN2, &QWEN3, &GEMMA, &GEMMA2, &GEMMA3, &PHI3, &GPT2, &BERT, &ROBERTA, &DISTILBERT];

const fn layer(name: &'static str, group: &'static str) -> Layer {
    Layer { name, group }
}

const fn decoder(
    name: &'static str,
    classifier: &'static str,
    causal: &'static str,
    switches: &'static [&'static str],
    blocks: Decoder,
) -> Family {
    Family {
        name,
        prefix: "model.",
        words: "embed_tokens.weight",
        classifier,
        causal: Some(causal),
        head: HeadKind::Score,
        groups: &[
            ("q_proj", &["self_attn.q_proj"]),
            ("k_proj", &["self_attn.k_proj"]),
            ("v_proj", &["self_attn.v_proj"]),
            ("o_proj", &["self_attn.o_proj"]),
            ("gate_proj", &["mlp.gate_proj"]),
            ("up_proj", &["mlp.up_proj"]),
            ("down_proj", &["mlp.down_proj"]),
        ],
        keys: &[],
        switches,
        padding: None,
        blocks: Blocks::Decoder(blocks),
    }
}

/// Llama; related families are given by their differences from it.
const LLAMA_LIKE: Decoder = Decoder {
    blocks: "layers",
    final_norm: "norm",
    norms: Norms {
        before_attention: "input_layernorm",
        behind_attention: None,
        before_feed: "post_attention_layernorm",
        behind_feed: None,
    },
    norm: Norm::Rms,
    norm_eps: ("rms_norm_eps", 1e-6),
    project: Project::Apart([
        layer("self_attn.q_proj", "q_proj"),
        layer("self_attn.k_proj", "k_proj"),
        layer("self_attn.v_proj", "v_proj"),
    ]),
    output: layer("self_attn.o_proj", "o_proj"),
    query_key_norm: false,
    inner: Inner::Gated([layer("mlp.gate_proj", "gate_proj"), layer("mlp.up_proj", "up_proj")]),
    down: layer("mlp.down_proj", "down_proj"),
    transposed: false,
    biases: Biases::AsGiven,
    feed_bias: false,
    activation: ("hidden_act", Activation::Silu),
    gelu_is_tanh: false,
    feed_width: None,
    kv_heads: KvHeads::GivenOrAsQueries,
    head_width: HeadWidth::GivenOrEven,
    scale: Scale::HeadWidth,
    attention_cap: Cap::Never,
    logit_cap: Cap::Never,
    scales_embeddings: false,
    positions: Positions::Rotary,
    long_rope: None,
    windows: Windows::Never,
    tied: false,
};

static LLAMA: Family = decoder(
    "llama",
    "LlamaForSequenceClassification",
    "LlamaForCausalLM",
    &["is_decoder", "attention_bias", "mlp_bias", "rope_scaling", "rope_parameters"],
    LLAMA_LIKE,
);

static MISTRAL: Family = decoder(
    "mistral",
    "MistralForSequenceClassification",
    "MistralForCausalLM",
    &["is_decoder", "use_sliding_window", "rope_scaling", "rope_parameters"],
    Decoder { kv_heads: KvHeads::GivenOr(8), windows: Windows::Everywhere(Some(4096)), ..LLAMA_LIKE },
);

static QWEN2: Family = decoder(
    "qwen2",
    "Qwen2ForSequenceClassification",
    "Qwen2ForCausalLM",
    &["is_decoder", "use_sliding_window", "rope_scaling", "rope_parameters", "layer_types"],
    Decoder { biases: Biases::QueriesKeysValues, windows: Windows::Late, ..LLAMA_LIKE },
);

static QWEN3: Family = decoder(
    "qwen3",
    "Qwen3ForSequenceClassification",
    "Qwen3ForCausalLM",
    &["is_decoder", "use_sliding_window", "attention_bias", "rope_scaling", "rope_parameters", "layer_types"],
    Decoder { query_key_norm: true, head_width: HeadWidth::GivenOr(128), windows: Windows::Late, ..LLAMA_LIKE },
);

/// The common values of the Gemma families.
const GEMMA_LIKE: Decoder = Decoder {
    norm: Norm::RmsFromOne,
    activation: ("hidden_activation", Activation::GeluTanh),
    head_width: HeadWidth::GivenOr(256),
    scales_embeddings: true,
    tied: true,
    ..LLAMA_LIKE
};

static GEMMA: Family = Family {
    padding: Some(0),
    ..decoder(
        "gemma",
        "GemmaForSequenceClassification",
        "GemmaForCausalLM",
        &["is_decoder", "attention_bias", "rope_scaling", "rope_parameters"],
        Decoder {
            // config.json of the official checkpoints has gelu for the variant with tanh.
            activation: ("hidden_act", Activation::GeluTanh),
            gelu_is_tanh: true,
            kv_heads: KvHeads::GivenOr(16),
            ..GEMMA_LIKE
        },
    )
};

/// The common values of Gemma 2 and Gemma 3.
const LATER_GEMMA_LIKE: Decoder = Decoder {
    norms: Norms {
        before_attention: "input_layernorm",
        behind_attention: Some("post_attention_layernorm"),
        before_feed: "pre_feedforward_layernorm",
        behind_feed: Some("post_feedforward_layernorm"),
    },
    kv_heads: KvHeads::GivenOr(4),
    scale: Scale::Scalar(256.0),
    ..GEMMA_LIKE
};

static GEMMA2: Family = Family {
    padding: Some(0),
    ..decoder(
        "gemma2",
        "Gemma2ForSequenceClassification",
        "Gemma2ForCausalLM",
        &[
            "is_decoder",
            "attention_bias",
            "attn_logit_softcapping",
            "final_logit_softcapping",
            "rope_scaling",
            "rope_parameters",
            "layer_types",
        ],
        Decoder {
            attention_cap: Cap::GivenOr(50.0),
            logit_cap: Cap::GivenOr(30.0),
            windows: Windows::Between { key: None, period: 2 },
            ..LATER_GEMMA_LIKE
        },
    )
};

static GEMMA3: Family = Family {
    padding: Some(0),
    ..decoder(
        "gemma3_text",
        "Gemma3TextForSequenceClassification",
        "Gemma3ForCausalLM",
        &["is_decoder", "attention_bias", "final_logit_softcapping", "rope_scaling", "rope_parameters", "layer_types"],
        Decoder {
            query_key_norm: true,
            logit_cap: Cap::AsGiven,
            positions: Positions::RotaryByWindow,
            windows: Windows::Between { key: Some("sliding_window_pattern"), period: 6 },
            ..LATER_GEMMA_LIKE
        },
    )
};

static PHI3: Family = Family {
    padding: Some(32000),
    groups: &[
        ("qkv_proj", &["q_proj", "k_proj", "v_proj"]),
        ("o_proj", &["self_attn.o_proj"]),
        ("gate_up_proj", &["gate_proj", "up_proj"]),
        ("down_proj", &["mlp.down_proj"]),
    ],
    ..decoder(
        "phi3",
        "Phi3ForSequenceClassification",
        "Phi3ForCausalLM",
        &["is_decoder", "partial_rotary_factor", "rope_scaling", "rope_parameters"],
        Decoder {
            norm_eps: ("rms_norm_eps", 1e-5),
            project: Project::Together(layer("self_attn.qkv_proj", "qkv_proj")),
            inner: Inner::GatedTogether(layer("mlp.gate_up_proj", "gate_up_proj")),
            long_rope: Some(4096),
            windows: Windows::Everywhere(None),
            ..LLAMA_LIKE
        },
    )
};

static GPT2: Family = Family {
    prefix: "transformer.",
    words: "wte.weight",
    groups: &[
        ("c_attn", &["attn.c_attn", "q_proj", "k_proj", "v_proj"]),
        ("attn.c_proj", &["o_proj"]),
        ("c_fc", &["mlp.c_fc", "up_proj"]),
        ("mlp.c_proj", &["down_proj"]),
    ],
    keys: &[
        ("hidden_size", "n_embd"),
        ("num_attention_heads", "n_head"),
        ("num_hidden_layers", "n_layer"),
        ("max_position_embeddings", "n_positions"),
        ("intermediate_size", "n_inner"),
        ("hidden_act", "activation_function"),
    ],
    ..decoder(
        "gpt2",
        "GPT2ForSequenceClassification",
        "GPT2LMHeadModel",
        &["is_decoder", "scale_attn_by_inverse_layer_idx"],
        Decoder {
            blocks: "h",
            final_norm: "ln_f",
            norms: Norms { before_attention: "ln_1", behind_attention: None, before_feed: "ln_2", behind_feed: None },
            norm: Norm::Layer,
            norm_eps: ("layer_norm_epsilon", 1e-5),
            project: Project::Together(layer("attn.c_attn", "c_attn")),
            output: layer("attn.c_proj", "attn.c_proj"),
            inner: Inner::Plain(layer("mlp.c_fc", "c_fc")),
            down: layer("mlp.c_proj", "mlp.c_proj"),
            transposed: true,
            biases: Biases::All,
            feed_bias: true,
            activation: ("hidden_act", Activation::GeluTanh),
            feed_width: Some(4),
            kv_heads: KvHeads::AsQueries,
            head_width: HeadWidth::Even,
            scale: Scale::HeadWidthUnlessOff,
            positions: Positions::Learned("wpe.weight"),
            tied: true,
            ..LLAMA_LIKE
        },
    )
};

const fn encoder(
    name: &'static str,
    prefix: &'static str,
    classifier: &'static str,
    head: HeadKind,
    blocks: Encoder,
) -> Family {
    Family {
        name,
        prefix,
        words: "embeddings.word_embeddings.weight",
        classifier,
        causal: None,
        head,
        groups: &[
            ("query", &["q_proj"]),
            ("key", &["k_proj"]),
            ("value", &["v_proj"]),
            ("attention.output", &["o_proj"]),
            ("intermediate", &["up_proj"]),
            ("output", &["down_proj"]),
        ],
        keys: &[],
        switches: &[],
        padding: None,
        blocks: Blocks::Encoder(blocks),
    }
}

/// BERT; related families are given by their differences from it.
const BERT_LIKE: Encoder = Encoder {
    blocks: "encoder.layer",
    layers: [
        layer("attention.self.query", "query"),
        layer("attention.self.key", "key"),
        layer("attention.self.value", "value"),
        layer("attention.output.dense", "attention.output"),
        layer("intermediate.dense", "intermediate"),
        layer("output.dense", "output"),
    ],
    norms: ["attention.output.LayerNorm", "output.LayerNorm"],
    token_types: true,
    counts_past_padding: false,
    pooler: false,
};

static BERT: Family = encoder(
    "bert",
    "bert.",
    "BertForSequenceClassification",
    HeadKind::Classifier,
    Encoder { pooler: true, ..BERT_LIKE },
);

static ROBERTA: Family = encoder(
    "roberta",
    "roberta.",
    "RobertaForSequenceClassification",
    HeadKind::DenseTanh,
    Encoder { counts_past_padding: true, ..BERT_LIKE },
);

static DISTILBERT: Family = Family {
    groups: &[
        ("q_lin", &["q_proj", "query"]),
        ("k_lin", &["k_proj", "key"]),
        ("v_lin", &["v_proj", "value"]),
        ("out_lin", &["o_proj", "attention.output"]),
        ("lin1", &["up_proj", "intermediate"]),
        ("lin2", &["down_proj", "output"]),
    ],
    keys: &[
        ("hidden_size", "dim"),
        ("num_attention_heads", "n_heads"),
        ("num_hidden_layers", "n_layers"),
        ("intermediate_size", "hidden_dim"),
        ("hidden_act", "activation"),
    ],
    ..encoder(
        "distilbert",
        "distilbert.",
        "DistilBertForSequenceClassification",
        HeadKind::DenseRelu,
        Encoder {
            blocks: "transformer.layer",
            layers: [
                layer("attention.q_lin", "q_lin"),
                layer("attention.k_lin", "k_lin"),
                layer("attention.v_lin", "v_lin"),
                layer("attention.out_lin", "out_lin"),
                layer("ffn.lin1", "lin1"),
                layer("ffn.lin2", "lin2"),
            ],
            norms: ["sa_layer_norm", "output_layer_norm"],
            token_types: false,
            ..BERT_LIKE
        },
    )
};
