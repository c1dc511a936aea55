//! The families, one value each. A new one is a value here, its place in [`FAMILIES`], and a golden model.

use super::{
    Activation, Biases, Blocks, Cap, Decoder, Encoder, Family, HeadKind, HeadWidth, Inner, KvHeads, Layer, Norm, Norms,
    Parallel, Positions, Project, QueryKeyNorm, Rotary, Scale, Windows,
};

/// Every family, in the order of the documents.
pub static FAMILIES: [&Family; 27] = [
    &LLAMA,
    &MISTRAL,
    &MINISTRAL,
    &MINISTRAL3,
    &QWEN2,
    &QWEN3,
    &GEMMA,
    &GEMMA2,
    &GEMMA3,
    &SMOLLM3,
    &OLMO2,
    &OLMO3,
    &GRANITE,
    &ARCEE,
    &COHERE,
    &COHERE2,
    &GLM,
    &GLM4,
    &PHI,
    &PHI3,
    &GPT_NEOX,
    &GPT2,
    &BERT,
    &ROBERTA,
    &XLM_ROBERTA,
    &CAMEMBERT,
    &DISTILBERT,
];

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
        checkpoints: &[],
        prefix: "model.",
        words: "embed_tokens.weight",
        classifier: Some(classifier),
        causal: Some(causal),
        renamed: &[],
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
        before_attention: Some("input_layernorm"),
        behind_attention: None,
        before_feed: Some("post_attention_layernorm"),
        behind_feed: None,
    },
    parallel: Parallel::Never,
    norm: Norm::Rms,
    norm_eps: ("rms_norm_eps", 1e-6),
    project: Project::Apart([
        layer("self_attn.q_proj", "q_proj"),
        layer("self_attn.k_proj", "k_proj"),
        layer("self_attn.v_proj", "v_proj"),
    ]),
    output: layer("self_attn.o_proj", "o_proj"),
    query_key_norm: QueryKeyNorm::None,
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
    has_multipliers: false,
    logit_scale: None,
    language_bias: false,
    positions: Positions::Rotary,
    rotary: Rotary {
        theta: 10_000.0,
        theta_in_window: 10_000.0,
        share: 1.0,
        interleaved: false,
        wide: false,
        must_be_given: false,
    },
    long_rope: None,
    windows: Windows::Never,
    tied: false,
};

static LLAMA: Family = Family {
    checkpoints: &["meta-llama/Llama-3.2-1B", "HuggingFaceTB/SmolLM2-1.7B", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"],
    ..decoder(
        "llama",
        "LlamaForSequenceClassification",
        "LlamaForCausalLM",
        &["is_decoder", "attention_bias", "mlp_bias", "rope_scaling", "rope_parameters"],
        LLAMA_LIKE,
    )
};

static MISTRAL: Family = Family {
    checkpoints: &["mistralai/Mistral-7B-v0.3", "mistralai/Mistral-Nemo-Base-2407"],
    ..decoder(
        "mistral",
        "MistralForSequenceClassification",
        "MistralForCausalLM",
        &["is_decoder", "use_sliding_window", "rope_scaling", "rope_parameters"],
        Decoder { kv_heads: KvHeads::GivenOr(8), windows: Windows::Everywhere(Some(4096)), ..LLAMA_LIKE },
    )
};

static MINISTRAL: Family = decoder(
    "ministral",
    "MinistralForSequenceClassification",
    "MinistralForCausalLM",
    &["is_decoder", "rope_scaling", "rope_parameters", "layer_types"],
    Decoder { kv_heads: KvHeads::GivenOr(8), windows: Windows::ListedOrAll(4096), ..LLAMA_LIKE },
);

static MINISTRAL3: Family = Family {
    padding: Some(11),
    ..decoder(
        "ministral3",
        "Ministral3ForSequenceClassification",
        "Ministral3ForCausalLM",
        &["is_decoder", "rope_scaling", "rope_parameters"],
        Decoder {
            norm_eps: ("rms_norm_eps", 1e-5),
            kv_heads: KvHeads::GivenOr(8),
            head_width: HeadWidth::GivenOr(128),
            rotary: Rotary { must_be_given: true, ..LLAMA_LIKE.rotary },
            windows: Windows::Everywhere(None),
            ..LLAMA_LIKE
        },
    )
};

static QWEN2: Family = Family {
    checkpoints: &["Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-7B-Instruct"],
    ..decoder(
        "qwen2",
        "Qwen2ForSequenceClassification",
        "Qwen2ForCausalLM",
        &["is_decoder", "use_sliding_window", "rope_scaling", "rope_parameters", "layer_types"],
        Decoder { biases: Biases::QueriesKeysValues, windows: Windows::Late, ..LLAMA_LIKE },
    )
};

static QWEN3: Family = Family {
    checkpoints: &["Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"],
    ..decoder(
        "qwen3",
        "Qwen3ForSequenceClassification",
        "Qwen3ForCausalLM",
        &["is_decoder", "use_sliding_window", "attention_bias", "rope_scaling", "rope_parameters", "layer_types"],
        Decoder {
            query_key_norm: QueryKeyNorm::Heads,
            head_width: HeadWidth::GivenOr(128),
            windows: Windows::Late,
            ..LLAMA_LIKE
        },
    )
};

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
    checkpoints: &["google/gemma-2b"],
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
        before_attention: Some("input_layernorm"),
        behind_attention: Some("post_attention_layernorm"),
        before_feed: Some("pre_feedforward_layernorm"),
        behind_feed: Some("post_feedforward_layernorm"),
    },
    kv_heads: KvHeads::GivenOr(4),
    scale: Scale::Scalar(256.0),
    ..GEMMA_LIKE
};

static GEMMA2: Family = Family {
    checkpoints: &["google/gemma-2-2b"],
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
    checkpoints: &["google/gemma-3-270m", "google/gemma-3-1b-it"],
    padding: Some(0),
    ..decoder(
        "gemma3_text",
        "Gemma3TextForSequenceClassification",
        "Gemma3ForCausalLM",
        &["is_decoder", "attention_bias", "final_logit_softcapping", "rope_scaling", "rope_parameters", "layer_types"],
        Decoder {
            query_key_norm: QueryKeyNorm::Heads,
            logit_cap: Cap::AsGiven,
            positions: Positions::RotaryByWindow,
            rotary: Rotary { theta: 1_000_000.0, ..LLAMA_LIKE.rotary },
            windows: Windows::Between { key: Some("sliding_window_pattern"), period: 6 },
            ..LATER_GEMMA_LIKE
        },
    )
};

static SMOLLM3: Family = Family {
    checkpoints: &["HuggingFaceTB/SmolLM3-3B"],
    padding: Some(128_004),
    ..decoder(
        "smollm3",
        "SmolLM3ForSequenceClassification",
        "SmolLM3ForCausalLM",
        &[
            "is_decoder",
            "attention_bias",
            "mlp_bias",
            "use_sliding_window",
            "no_rope_layers",
            "rope_scaling",
            "rope_parameters",
            "layer_types",
        ],
        Decoder {
            kv_heads: KvHeads::GivenOr(4),
            positions: Positions::RotaryAsListed,
            rotary: Rotary { theta: 2_000_000.0, ..LLAMA_LIKE.rotary },
            windows: Windows::WithoutRotation,
            tied: true,
            ..LLAMA_LIKE
        },
    )
};

/// `OLMo` 2: only the outputs of attention and feed-forward part are normalized, and queries and keys over all heads.
const OLMO_LIKE: Decoder = Decoder {
    norms: Norms {
        before_attention: None,
        behind_attention: Some("post_attention_layernorm"),
        before_feed: None,
        behind_feed: Some("post_feedforward_layernorm"),
    },
    norm: Norm::RmsWide,
    norm_eps: ("rms_norm_eps", 1e-5),
    query_key_norm: QueryKeyNorm::Whole,
    rotary: Rotary { wide: true, ..LLAMA_LIKE.rotary },
    ..LLAMA_LIKE
};

static OLMO2: Family = Family {
    checkpoints: &["allenai/OLMo-2-0425-1B", "allenai/OLMo-2-1124-7B"],
    padding: Some(1),
    ..decoder(
        "olmo2",
        "Olmo2ForSequenceClassification",
        "Olmo2ForCausalLM",
        &["is_decoder", "attention_bias", "rope_scaling", "rope_parameters"],
        OLMO_LIKE,
    )
};

static OLMO3: Family = Family {
    checkpoints: &["allenai/Olmo-3-1025-7B"],
    padding: Some(1),
    ..decoder(
        "olmo3",
        "Olmo3ForSequenceClassification",
        "Olmo3ForCausalLM",
        &["is_decoder", "attention_bias", "rope_scaling", "rope_parameters", "layer_types"],
        Decoder {
            positions: Positions::RotaryByWindow,
            rotary: Rotary { theta: 500_000.0, theta_in_window: 500_000.0, ..OLMO_LIKE.rotary },
            windows: Windows::Between { key: None, period: 4 },
            ..OLMO_LIKE
        },
    )
};

static GRANITE: Family = Family {
    checkpoints: &["ibm-granite/granite-3.3-2b-base"],
    classifier: None,
    ..decoder(
        "granite",
        "",
        "GraniteForCausalLM",
        &[
            "is_decoder",
            "attention_bias",
            "mlp_bias",
            "rope_scaling",
            "rope_parameters",
            "embedding_multiplier",
            "residual_multiplier",
            "attention_multiplier",
            "logits_scaling",
        ],
        Decoder { scale: Scale::Multiplier, has_multipliers: true, ..LLAMA_LIKE },
    )
};

static ARCEE: Family = Family {
    checkpoints: &["arcee-ai/AFM-4.5B"],
    groups: &[
        ("q_proj", &["self_attn.q_proj"]),
        ("k_proj", &["self_attn.k_proj"]),
        ("v_proj", &["self_attn.v_proj"]),
        ("o_proj", &["self_attn.o_proj"]),
        ("up_proj", &["mlp.up_proj"]),
        ("down_proj", &["mlp.down_proj"]),
    ],
    ..decoder(
        "arcee",
        "ArceeForSequenceClassification",
        "ArceeForCausalLM",
        &["is_decoder", "attention_bias", "mlp_bias", "rope_scaling", "rope_parameters"],
        Decoder {
            norm_eps: ("rms_norm_eps", 1e-5),
            inner: Inner::Plain(layer("mlp.up_proj", "up_proj")),
            activation: ("hidden_act", Activation::SquaredRelu),
            ..LLAMA_LIKE
        },
    )
};

/// Cohere's Command: parallel blocks with one norm, and neighbouring dimensions rotated.
const COHERE_LIKE: Decoder = Decoder {
    norms: Norms {
        before_attention: Some("input_layernorm"),
        behind_attention: None,
        before_feed: None,
        behind_feed: None,
    },
    parallel: Parallel::Always,
    norm: Norm::LayerWithoutBias,
    norm_eps: ("layer_norm_eps", 1e-5),
    head_width: HeadWidth::Even,
    logit_scale: Some(0.0625),
    rotary: Rotary { interleaved: true, wide: true, ..LLAMA_LIKE.rotary },
    tied: true,
    ..LLAMA_LIKE
};

static COHERE: Family = Family {
    checkpoints: &["CohereLabs/c4ai-command-r-v01"],
    classifier: None,
    padding: Some(0),
    ..decoder(
        "cohere",
        "",
        "CohereForCausalLM",
        &["is_decoder", "attention_bias", "rope_scaling", "rope_parameters", "logit_scale"],
        Decoder { rotary: Rotary { theta: 500_000.0, ..COHERE_LIKE.rotary }, ..COHERE_LIKE },
    )
};

static COHERE2: Family = Family {
    checkpoints: &["CohereLabs/c4ai-command-r7b-12-2024"],
    classifier: None,
    padding: Some(0),
    ..decoder(
        "cohere2",
        "",
        "Cohere2ForCausalLM",
        &["is_decoder", "attention_bias", "rope_scaling", "rope_parameters", "logit_scale", "layer_types"],
        Decoder {
            positions: Positions::RotaryInWindows,
            windows: Windows::Between { key: Some("sliding_window_pattern"), period: 4 },
            ..COHERE_LIKE
        },
    )
};

/// GLM: half of each head is rotated, by neighbouring dimensions; one layer for gate and up.
const GLM_LIKE: Decoder = Decoder {
    norm_eps: ("rms_norm_eps", 1.5625e-7),
    inner: Inner::GatedTogether(layer("mlp.gate_up_proj", "gate_up_proj")),
    biases: Biases::QueriesKeysValuesUnlessOff,
    kv_heads: KvHeads::GivenOr(2),
    head_width: HeadWidth::GivenOr(128),
    rotary: Rotary { share: 0.5, interleaved: true, ..LLAMA_LIKE.rotary },
    ..LLAMA_LIKE
};

const GLM_GROUPS: &[(&str, &[&str])] = &[
    ("q_proj", &["self_attn.q_proj"]),
    ("k_proj", &["self_attn.k_proj"]),
    ("v_proj", &["self_attn.v_proj"]),
    ("o_proj", &["self_attn.o_proj"]),
    ("gate_up_proj", &["gate_proj", "up_proj"]),
    ("down_proj", &["mlp.down_proj"]),
];

static GLM: Family = Family {
    checkpoints: &["zai-org/glm-4-9b-chat-hf"],
    padding: Some(151_329),
    groups: GLM_GROUPS,
    ..decoder(
        "glm",
        "GlmForSequenceClassification",
        "GlmForCausalLM",
        &["is_decoder", "attention_bias", "partial_rotary_factor", "rope_scaling", "rope_parameters"],
        GLM_LIKE,
    )
};

static GLM4: Family = Family {
    checkpoints: &["zai-org/GLM-4-9B-0414"],
    padding: Some(151_329),
    groups: GLM_GROUPS,
    ..decoder(
        "glm4",
        "Glm4ForSequenceClassification",
        "Glm4ForCausalLM",
        &["is_decoder", "attention_bias", "partial_rotary_factor", "rope_scaling", "rope_parameters"],
        Decoder {
            norms: Norms {
                before_attention: Some("input_layernorm"),
                behind_attention: Some("post_self_attn_layernorm"),
                before_feed: Some("post_attention_layernorm"),
                behind_feed: Some("post_mlp_layernorm"),
            },
            ..GLM_LIKE
        },
    )
};

static PHI: Family = Family {
    checkpoints: &["microsoft/phi-1_5", "microsoft/phi-2"],
    groups: &[
        ("q_proj", &["self_attn.q_proj"]),
        ("k_proj", &["self_attn.k_proj"]),
        ("v_proj", &["self_attn.v_proj"]),
        ("dense", &["o_proj", "self_attn.dense"]),
        ("fc1", &["up_proj", "mlp.fc1"]),
        ("fc2", &["down_proj", "mlp.fc2"]),
    ],
    ..decoder(
        "phi",
        "PhiForSequenceClassification",
        "PhiForCausalLM",
        &["is_decoder", "partial_rotary_factor", "rope_scaling", "rope_parameters"],
        Decoder {
            final_norm: "final_layernorm",
            norms: COHERE_LIKE.norms,
            parallel: Parallel::Always,
            norm: Norm::Layer,
            norm_eps: ("layer_norm_eps", 1e-5),
            output: layer("self_attn.dense", "dense"),
            inner: Inner::Plain(layer("mlp.fc1", "fc1")),
            down: layer("mlp.fc2", "fc2"),
            biases: Biases::All,
            feed_bias: true,
            activation: ("hidden_act", Activation::GeluTanh),
            head_width: HeadWidth::Even,
            rotary: Rotary { share: 0.5, ..LLAMA_LIKE.rotary },
            language_bias: true,
            ..LLAMA_LIKE
        },
    )
};

static PHI3: Family = Family {
    checkpoints: &["microsoft/Phi-3-mini-4k-instruct", "microsoft/Phi-4-mini-instruct"],
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

static GPT_NEOX: Family = Family {
    checkpoints: &["EleutherAI/pythia-410m", "EleutherAI/gpt-neox-20b"],
    prefix: "gpt_neox.",
    words: "embed_in.weight",
    renamed: &[("embed_out.", "lm_head.")],
    groups: &[
        ("query_key_value", &["attention.query_key_value", "q_proj", "k_proj", "v_proj"]),
        ("dense", &["attention.dense", "o_proj"]),
        ("dense_h_to_4h", &["mlp.dense_h_to_4h", "up_proj"]),
        ("dense_4h_to_h", &["mlp.dense_4h_to_h", "down_proj"]),
    ],
    keys: &[("rope_theta", "rotary_emb_base"), ("partial_rotary_factor", "rotary_pct")],
    ..decoder(
        "gpt_neox",
        "GPTNeoXForSequenceClassification",
        "GPTNeoXForCausalLM",
        &[
            "is_decoder",
            "attention_bias",
            "use_parallel_residual",
            "partial_rotary_factor",
            "rope_scaling",
            "rope_parameters",
        ],
        Decoder {
            final_norm: "final_layer_norm",
            parallel: Parallel::UnlessOff,
            norm: Norm::Layer,
            norm_eps: ("layer_norm_eps", 1e-5),
            project: Project::TogetherByHead(layer("attention.query_key_value", "query_key_value")),
            output: layer("attention.dense", "dense"),
            inner: Inner::Plain(layer("mlp.dense_h_to_4h", "dense_h_to_4h")),
            down: layer("mlp.dense_4h_to_h", "dense_4h_to_h"),
            biases: Biases::AllUnlessOff,
            feed_bias: true,
            activation: ("hidden_act", Activation::Gelu),
            kv_heads: KvHeads::AsQueries,
            head_width: HeadWidth::Even,
            rotary: Rotary { share: 0.25, ..LLAMA_LIKE.rotary },
            ..LLAMA_LIKE
        },
    )
};

static GPT2: Family = Family {
    checkpoints: &["openai-community/gpt2"],
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
            norms: Norms {
                before_attention: Some("ln_1"),
                behind_attention: None,
                before_feed: Some("ln_2"),
                behind_feed: None,
            },
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
        checkpoints: &[],
        prefix,
        words: "embeddings.word_embeddings.weight",
        classifier: Some(classifier),
        causal: None,
        renamed: &[],
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

static BERT: Family = Family {
    checkpoints: &["google-bert/bert-base-uncased", "sentence-transformers/all-MiniLM-L6-v2"],
    ..encoder(
        "bert",
        "bert.",
        "BertForSequenceClassification",
        HeadKind::Classifier,
        Encoder { pooler: true, ..BERT_LIKE },
    )
};

static ROBERTA: Family = Family {
    checkpoints: &["FacebookAI/roberta-base"],
    ..encoder(
        "roberta",
        "roberta.",
        "RobertaForSequenceClassification",
        HeadKind::DenseTanh,
        Encoder { counts_past_padding: true, ..BERT_LIKE },
    )
};

static XLM_ROBERTA: Family = Family {
    checkpoints: &["FacebookAI/xlm-roberta-base"],
    ..encoder(
        "xlm-roberta",
        "roberta.",
        "XLMRobertaForSequenceClassification",
        HeadKind::DenseTanh,
        Encoder { counts_past_padding: true, ..BERT_LIKE },
    )
};

static CAMEMBERT: Family = Family {
    checkpoints: &["almanach/camembert-base"],
    ..encoder(
        "camembert",
        "roberta.",
        "CamembertForSequenceClassification",
        HeadKind::DenseTanh,
        Encoder { counts_past_padding: true, ..BERT_LIKE },
    )
};

static DISTILBERT: Family = Family {
    checkpoints: &["distilbert/distilbert-base-uncased"],
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
