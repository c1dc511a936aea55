"""The models that make_families.py makes: what each config.json says, and what the model is there to show."""

LABELS = ["billing", "delivery", "other"]
LABEL_KEYS = dict(id2label={str(i): name for i, name in enumerate(LABELS)},
                  label2id={name: i for i, name in enumerate(LABELS)})

# Longest text: 30 tokens. Rope scaled for a shorter one, and windows of 3 to 7, are what makes the variants differ.


def old(dtype="bfloat16", **keys):
    """As transformers 4 wrote it: torch_dtype, rope_theta, rope_scaling."""
    return dict(keys, torch_dtype=dtype, transformers_version="4.44.0")


def new(dtype="bfloat16", theta=10000.0, rope_type="default", rope=None, **keys):
    """As transformers 5 writes it: dtype, rope_parameters with the theta inside."""
    parameters = rope if rope is not None else dict(rope_theta=theta, rope_type=rope_type)
    return dict(keys, dtype=dtype, rope_parameters=parameters, transformers_version="5.23.0")


LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(factor=4.0, beta_fast=2.0, beta_slow=0.25, original_max_position_embeddings=24)  # a real ramp at theta 100


def longrope(count, **keys):
    """Factors for `count` frequencies; at most 12 tokens are short."""
    return dict(short_factor=[round(1.0 + 0.15 * i, 2) for i in range(count)],
                long_factor=[round(1.5 + 1.25 * i, 2) for i in range(count)],
                original_max_position_embeddings=12, **keys)


DECODER = dict(vocab_size=60, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
               max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, attention_dropout=0.0,
               initializer_range=0.02, use_cache=True)
ACTIVATION = dict(llama="hidden_act", mistral="hidden_act", qwen2="hidden_act", qwen3="hidden_act", phi3="hidden_act",
                  gemma="hidden_act", gemma2="hidden_activation", gemma3_text="hidden_activation")
RELU2 = ("arcee",)
ARCHITECTURE = dict(
    llama="Llama", mistral="Mistral", qwen2="Qwen2", qwen3="Qwen3", gemma="Gemma", gemma2="Gemma2",
    gemma3_text="Gemma3", phi3="Phi3", gpt2="GPT2", bert="Bert", roberta="Roberta", distilbert="DistilBert",
    ministral="Ministral", ministral3="Ministral3", smollm3="SmolLM3", olmo2="Olmo2", olmo3="Olmo3", granite="Granite",
    arcee="Arcee", cohere="Cohere", cohere2="Cohere2", glm="Glm", glm4="Glm4", phi="Phi", gpt_neox="GPTNeoX",
    xlm_roberta="XLMRoberta", camembert="Camembert")
ARCHITECTURE["xlm-roberta"] = ARCHITECTURE["xlm_roberta"]

MODELS = {}


def model(name, features, config, **spec):
    """spec: layout ("full", "bare": no prefix, "sharded", "pretraining"), extra tensors, embed (std), and extra goldens
    among generation (the number of tokens, or True: 12), gradients, class_gradients."""
    MODELS[name] = dict(spec, features=features, config=config)


def decoder(family, variant, features, keys, generation=False, gradients=False, class_gradients=False,
            layout="full", embed=0.2, **changes):
    config = dict(DECODER, model_type=family, architectures=[ARCHITECTURE[family] + "ForCausalLM"])
    usual = "gelu_pytorch_tanh" if family.startswith("gemma") else "relu2" if family in RELU2 else "silu"
    config |= {ACTIVATION.get(family, "hidden_act"): usual}
    if family in ("cohere", "cohere2", "gpt_neox", "phi"):
        config |= dict(layer_norm_eps=1e-5)
        del config["rms_norm_eps"]
    if family in ("glm", "glm4", "ministral", "ministral3"):
        config |= dict(head_dim=8)
    if family == "ministral3":
        config |= dict(pad_token_id=0)
    if generation > 12:
        config |= dict(max_position_embeddings=96)
    if family.startswith("gemma"):
        config |= dict(pad_token_id=0, eos_token_id=1, bos_token_id=2, head_dim=8)
    if family in ("gemma2", "gemma3_text"):
        config |= dict(sliding_window=5)
    if family == "qwen3":
        config |= dict(head_dim=8)
    if family == "phi3":
        config |= dict(pad_token_id=3)
    config |= changes | keys
    config = {key: value for key, value in config.items() if value != "absent"}
    if layout == "bare":
        config["architectures"] = [ARCHITECTURE[family] + "Model"]
    model(f"{family.removesuffix('_text')}-{variant}", features, config, layout=layout, embed=embed,
          generation=generation, gradients=gradients, class_gradients=class_gradients)


# llama
decoder("llama", "oldest", "keys of Llama 1: no heads for keys, no head_dim, no rope keys at all; untied; eps 1e-3",
        old(rope_scaling=None, pretraining_tp=1), rms_norm_eps=1e-3, embed=0.05, tie_word_embeddings="absent")
decoder("llama", "biases", "2 key heads, head_dim 16, attention_bias, mlp_bias, tied, eos a list",
        new(theta=500000.0), num_key_value_heads=2, head_dim=16, attention_bias=True, mlp_bias=True, hidden_size=16,
        intermediate_size=24, tie_word_embeddings=True, eos_token_id=[2, 3], generation=True, gradients=True,
        class_gradients=True)
decoder("llama", "llama3", "llama3 rope, old keys, 1 key head, head_dim 16, untied",
        old(rope_theta=100.0, rope_scaling=dict(LLAMA3, rope_type="llama3")), num_key_value_heads=1, head_dim=16,
        tie_word_embeddings=False)
decoder("llama", "linear", "linear rope with the oldest key `type`, gelu, float32 file in two shards, untied",
        old("float32", rope_theta=10000.0, rope_scaling=dict(type="linear", factor=2.5)), num_key_value_heads=2,
        hidden_act="gelu", layout="sharded", tie_word_embeddings=False)
decoder("llama", "dynamic", "dynamic rope beyond 12 positions, old keys, base model without prefix, tied",
        old(rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)), num_key_value_heads=4,
        max_position_embeddings=12, layout="bare", tie_word_embeddings=True)
decoder("llama", "yarn", "yarn rope with factor and original length only, new keys, head_dim null, attention_bias",
        new(rope=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)),
        hidden_size=32, num_key_value_heads=2, head_dim=None, max_position_embeddings=256, attention_bias=True,
        tie_word_embeddings=False)
decoder("llama", "yarn-mscale", "yarn rope with betas, mscale and mscale_all_dim, truncate false, old keys, mlp_bias",
        old(rope_theta=100.0,
            rope_scaling=dict(YARN, rope_type="yarn", mscale=1.5, mscale_all_dim=0.5, truncate=False)),
        num_key_value_heads=2, head_dim=16, max_position_embeddings=96, mlp_bias=True, tie_word_embeddings=True)
decoder("llama", "longrope", "longrope with factor, new keys, relu",
        new(rope=longrope(4, rope_type="longrope", rope_theta=10000.0, factor=4.0)), num_key_value_heads=1, head_dim=8,
        max_position_embeddings=48, hidden_act="relu", tie_word_embeddings=False)

# mistral
decoder("mistral", "window", "window 5, old keys, 2 key heads, no head_dim key, untied",
        old(rope_theta=10000.0), num_key_value_heads=2, sliding_window=5, tie_word_embeddings=False, generation=True)
decoder("mistral", "nemo", "no window, head_dim 16, 1 key head, new keys, float16 file",
        new("float16", theta=1000000.0), num_key_value_heads=1, head_dim=16, sliding_window=None,
        tie_word_embeddings=False)
decoder("mistral", "linear", "linear rope, window 7, new keys, tied, 4 key heads",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=3.0)), num_key_value_heads=4, sliding_window=7,
        tie_word_embeddings=True)
decoder("mistral", "dynamic", "dynamic rope beyond 12 positions, window 5, old keys",
        old(rope_theta=1000.0, rope_scaling=dict(rope_type="dynamic", factor=4.0)), num_key_value_heads=2,
        max_position_embeddings=12, sliding_window=5, tie_word_embeddings=False)
decoder("mistral", "yarn", "yarn rope with attention_factor and betas, new keys, window 5, gelu",
        new(rope=dict(YARN, rope_type="yarn", rope_theta=100.0, attention_factor=1.3)), num_key_value_heads=2,
        head_dim=16, max_position_embeddings=96, sliding_window=5, hidden_act="gelu", tie_word_embeddings=False)
decoder("mistral", "llama3", "llama3 rope, old keys, window null",
        old(rope_theta=100.0, rope_scaling=dict(LLAMA3, rope_type="llama3")), num_key_value_heads=2, head_dim=16,
        sliding_window=None, tie_word_embeddings=False)
decoder("mistral", "longrope", "longrope with attention_factor and no factor, old keys, window 7",
        old(rope_theta=10000.0, rope_scaling=longrope(4, rope_type="longrope", attention_factor=1.2)),
        num_key_value_heads=2, head_dim=8, max_position_embeddings=48, sliding_window=7, tie_word_embeddings=False)

# qwen2
decoder("qwen2", "window", "window 5 from layer 1 of 3 on by max_window_layers, old keys, 2 key heads, untied",
        old(rope_theta=1000000.0), num_hidden_layers=3, num_key_value_heads=2, use_sliding_window=True,
        sliding_window=5, max_window_layers=1, tie_word_embeddings=False, generation=True)
decoder("qwen2", "yarn", "yarn rope as in Qwen 2.5 (`type`), a window that use_sliding_window=false turns off, tied",
        old(rope_theta=10000.0, rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=64)),
        hidden_size=32, num_key_value_heads=1, use_sliding_window=False, sliding_window=5, max_window_layers=0,
        max_position_embeddings=256, tie_word_embeddings=True)
decoder("qwen2", "linear", "linear rope, layer_types given (sliding first), new keys",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)), num_key_value_heads=4,
        use_sliding_window=True, sliding_window=5, max_window_layers=2,
        layer_types=["sliding_attention", "full_attention"], tie_word_embeddings=False)
decoder("qwen2", "dynamic", "dynamic rope beyond 12 positions, old keys, base model without prefix, tied",
        old(rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)), num_key_value_heads=2,
        max_position_embeddings=12, layout="bare", tie_word_embeddings=True)
decoder("qwen2", "llama3", "llama3 rope, new keys, float32 file, eps 1e-2",
        new("float32", rope=dict(LLAMA3, rope_type="llama3", rope_theta=100.0)), hidden_size=32, num_attention_heads=2,
        num_key_value_heads=1, rms_norm_eps=1e-2, tie_word_embeddings=False)
decoder("qwen2", "longrope", "longrope with factor, new keys",
        new(rope=longrope(4, rope_type="longrope", rope_theta=10000.0, factor=2.0)), hidden_size=32,
        num_key_value_heads=2, max_position_embeddings=48, tie_word_embeddings=False)

# qwen3
decoder("qwen3", "window", "window 5 from layer 1 of 3 on by max_window_layers, attention_bias, old keys, tied",
        old(rope_theta=1000000.0, rope_scaling=None), num_hidden_layers=3, num_key_value_heads=2, attention_bias=True,
        use_sliding_window=True, sliding_window=5, max_window_layers=1, tie_word_embeddings=True, generation=True)
decoder("qwen3", "yarn", "yarn rope without an original length (max_position_embeddings serves), old keys, 1 key head",
        old(rope_theta=100.0, rope_scaling=dict(rope_type="yarn", factor=4.0, beta_fast=3.0)), num_key_value_heads=1,
        head_dim=16, tie_word_embeddings=False)
decoder("qwen3", "linear", "linear rope, layer_types given, new keys, base model without prefix, tied",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)), num_key_value_heads=4,
        use_sliding_window=True, sliding_window=3, layer_types=["sliding_attention", "full_attention"], layout="bare",
        tie_word_embeddings=True)
decoder("qwen3", "dynamic", "dynamic rope beyond 12 positions, new keys, head_dim 16",
        new(rope=dict(rope_type="dynamic", rope_theta=10000.0, factor=2.0)), num_key_value_heads=2, head_dim=16,
        max_position_embeddings=12, tie_word_embeddings=False)
decoder("qwen3", "llama3", "llama3 rope, old keys, eps 1e-3",
        old(rope_theta=100.0, rope_scaling=dict(LLAMA3, rope_type="llama3")), num_key_value_heads=2, head_dim=16,
        rms_norm_eps=1e-3, embed=0.05, tie_word_embeddings=False)
decoder("qwen3", "longrope", "longrope with factor and attention_factor, old keys",
        old(rope_theta=10000.0, rope_scaling=longrope(4, type="longrope", factor=4.0, attention_factor=0.9)),
        num_key_value_heads=2, max_position_embeddings=48, tie_word_embeddings=False)

# gemma
decoder("gemma", "oldest", "hidden_act `gelu` that means tanh, hidden_activation null, 1 key head, old keys",
        old(rope_theta=10000.0, hidden_activation=None), hidden_act="gelu", num_key_value_heads=1)
decoder("gemma", "linear", "linear rope, attention_bias, 2 key heads, new keys",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)), num_key_value_heads=2, attention_bias=True)
decoder("gemma", "dynamic", "dynamic rope beyond 12 positions, untied, old keys",
        old(rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)), num_key_value_heads=4,
        max_position_embeddings=12, tie_word_embeddings=False)
decoder("gemma", "yarn", "yarn rope with betas, new keys, head_dim 16, no key for tying (tied by default)",
        new(rope=dict(YARN, rope_type="yarn", rope_theta=100.0)), num_key_value_heads=2, head_dim=16,
        max_position_embeddings=96, generation=True)
decoder("gemma", "llama3", "llama3 rope, old keys, eps 1e-2, float32 file",
        old("float32", rope_theta=100.0, rope_scaling=dict(LLAMA3, rope_type="llama3")), num_key_value_heads=2,
        head_dim=16, rms_norm_eps=1e-2)
decoder("gemma", "longrope", "longrope with factor, new keys, base model without prefix",
        new(rope=longrope(4, rope_type="longrope", rope_theta=10000.0, factor=4.0)), num_key_value_heads=2,
        max_position_embeddings=48, layout="bare")

# gemma2: caps lower than the usual 50 and 30, so that these small scores and logits reach them
decoder("gemma2", "old", "alternating layers by default (0 slides), window 5, caps 50 and 30, hidden_act too, old keys",
        old(rope_theta=10000.0, hidden_act="gelu_pytorch_tanh", cache_implementation="hybrid",
            attn_logit_softcapping=50.0, final_logit_softcapping=30.0), num_hidden_layers=3, num_key_value_heads=2,
        query_pre_attn_scalar=8, embed=0.6)
decoder("gemma2", "linear", "linear rope, layer_types given (full first), caps 5 and 4, head_dim 16, new keys",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0), attn_logit_softcapping=5.0,
            final_logit_softcapping=4.0), num_key_value_heads=2, hidden_size=16, intermediate_size=24, head_dim=16,
        layer_types=["full_attention", "sliding_attention"], query_pre_attn_scalar=12, generation=True, gradients=True,
        embed=0.4)
decoder("gemma2", "dynamic", "dynamic rope beyond 12 positions, no attention cap, 4 key heads, old keys",
        old(rope_theta=10000.0, rope_scaling=dict(rope_type="dynamic", factor=2.0), attn_logit_softcapping=None,
            final_logit_softcapping=6.0), num_key_value_heads=4, max_position_embeddings=12, query_pre_attn_scalar=8)
decoder("gemma2", "yarn", "yarn rope with betas, neither cap, erf gelu, eps 1e-2, new keys",
        new(rope=dict(YARN, rope_type="yarn", rope_theta=100.0), attn_logit_softcapping=None,
            final_logit_softcapping=None), num_key_value_heads=2, head_dim=16, max_position_embeddings=96,
        hidden_activation="gelu", query_pre_attn_scalar=24, rms_norm_eps=1e-2)
decoder("gemma2", "llama3", "llama3 rope, attention_bias, cap keys and scalar absent (50, 30, 256), old keys",
        old(rope_theta=100.0, rope_scaling=dict(LLAMA3, rope_type="llama3")), num_key_value_heads=2, head_dim=16,
        attention_bias=True, embed=0.6)
decoder("gemma2", "longrope", "longrope with factor, 1 key head, untied, new keys",
        new(rope=longrope(4, rope_type="longrope", rope_theta=10000.0, factor=4.0), attn_logit_softcapping=4.0,
            final_logit_softcapping=None), num_key_value_heads=1, max_position_embeddings=48, query_pre_attn_scalar=8,
        tie_word_embeddings=False)


# gemma3_text
def by_layer(full, local_theta=10000.0, full_theta=1000000.0, sliding=None):
    return dict(full_attention=dict(dict(rope_type="default", rope_theta=full_theta), **full),
                sliding_attention=dict(sliding or dict(rope_type="default"), rope_theta=local_theta))


TWO = dict(layer_types=["sliding_attention", "full_attention"], query_pre_attn_scalar=8)
decoder("gemma3_text", "old", "linear rope on full layers, rope_local_base_freq, sliding_window_pattern 2, old keys",
        old(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling=dict(factor=8.0, rope_type="linear"),
            sliding_window_pattern=2, cache_implementation="hybrid", attn_logit_softcapping=None,
            final_logit_softcapping=None), num_hidden_layers=4, num_key_value_heads=2, query_pre_attn_scalar=8,
        generation=True)
decoder("gemma3_text", "oldest", "no rope keys and no pattern: layer 5 of 7 is full, local theta 1e4, global 1e6",
        old(), hidden_size=16, intermediate_size=24, num_hidden_layers=7, num_attention_heads=2, num_key_value_heads=1,
        query_pre_attn_scalar=8)
decoder("gemma3_text", "yarn", "yarn rope on full layers, linear on sliding ones, final cap 5, new keys, head_dim 16",
        new(rope=by_layer(dict(YARN, rope_type="yarn"), 1000.0, 100.0, dict(rope_type="linear", factor=2.0)),
            final_logit_softcapping=5.0), num_key_value_heads=2, head_dim=16, max_position_embeddings=96, **TWO)
decoder("gemma3_text", "dynamic", "dynamic rope beyond 12 positions on full layers, new keys",
        new(rope=by_layer(dict(rope_type="dynamic", factor=2.0))), num_key_value_heads=4, max_position_embeddings=12,
        **TWO)
decoder("gemma3_text", "llama3", "llama3 rope on full layers, attention_bias, new keys, full layer first, eps 1e-2",
        new(rope=by_layer(dict(LLAMA3, rope_type="llama3"), full_theta=100.0)), num_key_value_heads=1, head_dim=16,
        attention_bias=True, layer_types=["full_attention", "sliding_attention"], query_pre_attn_scalar=20,
        rms_norm_eps=1e-2)
decoder("gemma3_text", "longrope", "longrope on full layers, untied, new keys, window 3",
        new(rope=by_layer(longrope(4, rope_type="longrope", factor=4.0), full_theta=10000.0)), num_key_value_heads=2,
        max_position_embeddings=48, sliding_window=3, tie_word_embeddings=False, **TWO)

# phi3
decoder("phi3", "window", "window 5, rope_scaling null, old keys, 4 key heads, untied",
        old(rope_theta=10000.0, rope_scaling=None, attention_bias=False, original_max_position_embeddings=64),
        num_key_value_heads=4, sliding_window=5, tie_word_embeddings=False, generation=True)
decoder("phi3", "longrope", "longrope as in Phi-4-mini: partial_rotary_factor 0.75 outside, tied, old keys",
        old(rope_theta=10000.0, rope_scaling=longrope(6, type="longrope"),
            partial_rotary_factor=0.75, original_max_position_embeddings=12), hidden_size=32, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=48, sliding_window=64, tie_word_embeddings=True)
decoder("phi3", "su", "longrope under its first name `su`, no window, 1 key head, old keys",
        old(rope_theta=10000.0, rope_scaling=longrope(4, type="su"), original_max_position_embeddings=12),
        hidden_size=32, num_key_value_heads=1, max_position_embeddings=48, sliding_window=None, tie_word_embeddings=False)
decoder("phi3", "longrope-new", "longrope, attention_factor, partial_rotary_factor 0.5 inside, new keys, window 7",
        new(rope=longrope(4, rope_type="longrope", rope_theta=10000.0, attention_factor=1.15,
                          partial_rotary_factor=0.5),
            original_max_position_embeddings=12), hidden_size=32, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=48, sliding_window=7, tie_word_embeddings=False)
decoder("phi3", "partial", "default rope on half of each head, new keys, base model without prefix, tied, gelu",
        new(rope=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)), hidden_size=32,
        num_key_value_heads=2, hidden_act="gelu", layout="bare", tie_word_embeddings=True)

# ministral, ministral3
decoder("ministral", "window", "layer_types given (full second), window 5, 2 key heads, new keys, untied",
        new(theta=10000.0), num_key_value_heads=2, sliding_window=5, tie_word_embeddings=False,
        layer_types=["sliding_attention", "full_attention"], generation=64)
decoder("ministral", "everywhere", "no layer_types: all layers slide, head_dim 16, 1 key head, old keys, tied",
        old(rope_theta=100.0), num_key_value_heads=1, head_dim=16, sliding_window=4, tie_word_embeddings=True)
decoder("ministral", "llama3", "all layers listed as full, a window that none has, llama3 rope, 4 key heads",
        new(rope=dict(LLAMA3, rope_type="llama3", rope_theta=100.0)), num_key_value_heads=4, sliding_window=4,
        layer_types=["full_attention", "full_attention"], tie_word_embeddings=False)
GROWING = dict(rope_type="yarn", rope_theta=100.0, factor=4.0, beta_fast=2.0, beta_slow=0.25, mscale=1.0,
               mscale_all_dim=1.0, llama_4_scaling_beta=0.3)
decoder("ministral3", "growing", "queries grow every 8 positions, yarn rope with mscale, 2 key heads, untied",
        new(rope=dict(GROWING, original_max_position_embeddings=8)), num_key_value_heads=2, tie_word_embeddings=False,
        max_position_embeddings=96, generation=64, gradients=True, class_gradients=True)
decoder("ministral3", "window", "window 5, queries grow every 5 positions, head_dim 16, 1 key head, tied, `type` yarn",
        new(rope=dict({key: value for key, value in GROWING.items() if key != "rope_type"}, type="yarn",
                      original_max_position_embeddings=5, max_position_embeddings=96)),
        num_key_value_heads=1, head_dim=16, sliding_window=5, max_position_embeddings=96, tie_word_embeddings=True)
decoder("ministral3", "still", "beta 0: queries do not grow, 4 key heads, eps 1e-3",
        new(rope=dict(GROWING, llama_4_scaling_beta=0.0, original_max_position_embeddings=24)), num_key_value_heads=4,
        max_position_embeddings=96, rms_norm_eps=1e-3, tie_word_embeddings=False)

# smollm3
decoder("smollm3", "interval", "no rotation in every second layer by no_rope_layer_interval, 3 layers, tied, old keys",
        old(rope_theta=10000.0), num_hidden_layers=3, num_key_value_heads=2, no_rope_layer_interval=2, pad_token_id=0,
        tie_word_embeddings=True, generation=64, gradients=True)
decoder("smollm3", "listed", "no_rope_layers given (the first has none), biases, yarn rope, 1 key head, untied",
        new(rope=dict(YARN, rope_type="yarn", rope_theta=100.0)), num_key_value_heads=1, no_rope_layers=[0, 1],
        pad_token_id=0, attention_bias=True, mlp_bias=True, max_position_embeddings=96, tie_word_embeddings=False,
        class_gradients=True)
decoder("smollm3", "window", "windows of 5 in layers without rotation, default interval 4, linear rope, no key for tying",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)), num_hidden_layers=4, num_key_value_heads=4,
        pad_token_id=0, use_sliding_window=True, sliding_window=5, hidden_size=16, intermediate_size=24)
decoder("smollm3", "typed", "layer_types beside no_rope_layers, windows of 4, no rope keys: theta 2e6",
        old(), num_key_value_heads=2, no_rope_layers=[1, 0], use_sliding_window=True, sliding_window=4,
        layer_types=["sliding_attention", "full_attention"], pad_token_id=0, tie_word_embeddings=True)

# olmo2, olmo3
decoder("olmo2", "plain", "norms of outputs only, queries and keys normed over all heads, 2 key heads, untied",
        old(rope_theta=500000.0), num_key_value_heads=2, pad_token_id=0, tie_word_embeddings=False, generation=64,
        gradients=True, class_gradients=True)
decoder("olmo2", "biases", "attention_bias, 4 key heads by default, llama3 rope, tied, eps 1e-3, new keys",
        new(rope=dict(LLAMA3, rope_type="llama3", rope_theta=100.0)), hidden_size=32, pad_token_id=0,
        attention_bias=True, rms_norm_eps=1e-3, tie_word_embeddings=True)
decoder("olmo2", "dynamic", "dynamic rope beyond 12 positions, 1 key head, base model without prefix",
        old(rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)), num_key_value_heads=1,
        pad_token_id=0, max_position_embeddings=12, layout="bare", tie_word_embeddings=True)
decoder("olmo3", "window", "windows of 5 on three of four layers, yarn rope on full layers only, old keys",
        old(rope_theta=500000.0, rope_scaling=dict(YARN, rope_type="yarn")), num_hidden_layers=4,
        num_key_value_heads=2, hidden_size=16, intermediate_size=24, pad_token_id=0, sliding_window=5,
        max_position_embeddings=96, tie_word_embeddings=False, generation=64)
decoder("olmo3", "typed", "layer_types given (full first), no rope keys: theta 5e5, attention_bias, 4 key heads",
        old(), num_key_value_heads=4, pad_token_id=0, sliding_window=4, attention_bias=True,
        layer_types=["full_attention", "sliding_attention"], tie_word_embeddings=False, gradients=True)
decoder("olmo3", "new", "rope_parameters by layer type, linear on full layers, 1 key head, tied",
        new(rope=by_layer(dict(rope_type="linear", factor=2.0), 500.0, 1000.0)), num_key_value_heads=1,
        pad_token_id=0, sliding_window=6, layer_types=["sliding_attention", "full_attention"], tie_word_embeddings=True)

# granite
decoder("granite", "multipliers", "all four factors, 2 key heads, untied, old keys",
        old(rope_theta=10000.0), num_key_value_heads=2, embedding_multiplier=12.0, residual_multiplier=0.22,
        attention_multiplier=0.2, logits_scaling=2.0, pad_token_id=0, tie_word_embeddings=False, embed=0.05,
        generation=64, gradients=True)
decoder("granite", "biases", "attention_bias, mlp_bias, two factors, linear rope, tied",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0)), num_key_value_heads=1, pad_token_id=0,
        residual_multiplier=0.5, attention_multiplier=0.3, attention_bias=True, mlp_bias=True,
        tie_word_embeddings=True)
decoder("granite", "defaults", "no factors: the scores' is 1 then, 4 key heads, yarn rope",
        new(rope=dict(YARN, rope_type="yarn", rope_theta=100.0)), num_key_value_heads=4, pad_token_id=0,
        max_position_embeddings=96, tie_word_embeddings=False)

# arcee
decoder("arcee", "relu2", "no gate, squared ReLU, 2 key heads, untied, yarn rope as AFM's",
        old(rope_theta=10000.0, rope_scaling=dict(rope_type="yarn", factor=4.0, mscale=1.0,
                                                  original_max_position_embeddings=16)),
        num_key_value_heads=2, pad_token_id=0, tie_word_embeddings=False, generation=64,
        gradients=True, class_gradients=True)
decoder("arcee", "biases", "attention_bias, mlp_bias, silu, head_dim 16, 1 key head, tied",
        new(), num_key_value_heads=1, head_dim=16, attention_bias=True, mlp_bias=True, hidden_act="silu",
        pad_token_id=0, tie_word_embeddings=True)
decoder("arcee", "llama3", "llama3 rope, 4 key heads, eps 1e-3, base model without prefix",
        old(rope_theta=100.0, rope_scaling=dict(LLAMA3, rope_type="llama3")), rms_norm_eps=1e-3, pad_token_id=0,
        layout="bare", tie_word_embeddings=True)

# cohere, cohere2
decoder("cohere", "tied", "parallel blocks, neighbouring dimensions rotated, logit_scale, 2 key heads, tied",
        old(rope_theta=10000.0), num_key_value_heads=2, logit_scale=0.5, pad_token_id=0, use_qk_norm=False,
        tie_word_embeddings=True, generation=64, gradients=True)
decoder("cohere", "biases", "attention_bias, linear rope, 4 key heads, default theta and logit_scale, untied",
        new(rope=dict(rope_type="linear", factor=2.0)), attention_bias=True, pad_token_id=0, embed=3.0,
        tie_word_embeddings=False)
decoder("cohere", "one", "1 key head, eps 1e-3, logit_scale above 1, dynamic rope beyond 12 positions, no key for tying",
        old(rope_theta=1000.0, rope_scaling=dict(rope_type="dynamic", factor=2.0)), num_key_value_heads=1,
        max_position_embeddings=12, logit_scale=1.5, layer_norm_eps=1e-3, pad_token_id=0)
decoder("cohere2", "pattern", "rotation in layers with windows only, sliding_window_pattern 2, window 5, tied, old keys",
        old(rope_theta=10000.0, sliding_window_pattern=2), num_key_value_heads=2, sliding_window=5, logit_scale=0.5,
        pad_token_id=0, tie_word_embeddings=True, generation=64, gradients=True)
decoder("cohere2", "typed", "layer_types given (full first), attention_bias, 1 key head, window 3, new keys",
        new(), num_key_value_heads=1, sliding_window=3, logit_scale=0.7, attention_bias=True, pad_token_id=0,
        layer_types=["full_attention", "sliding_attention"], tie_word_embeddings=False)
decoder("cohere2", "default", "every fourth layer is full, 4 key heads, default logit_scale",
        new(), num_hidden_layers=4, hidden_size=16, intermediate_size=24, sliding_window=4, pad_token_id=0, embed=3.0)

# glm, glm4
decoder("glm", "half", "half of each head rotated by default, biases of queries, keys and values, untied",
        new(theta=10000.0), num_key_value_heads=2, pad_token_id=0, tie_word_embeddings=False, generation=64,
        gradients=True)
decoder("glm", "quarter", "partial_rotary_factor 0.25, attention_bias false, head_dim 16, 1 key head, tied, old keys",
        old(rope_theta=100.0, partial_rotary_factor=0.25), num_key_value_heads=1, head_dim=16, attention_bias=False,
        pad_token_id=0, tie_word_embeddings=True)
decoder("glm", "whole", "partial_rotary_factor 1 inside, 4 key heads, eps 1e-3",
        new(rope=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=1.0)), num_key_value_heads=4,
        rms_norm_eps=1e-3, pad_token_id=0, tie_word_embeddings=False, class_gradients=True)
decoder("glm4", "half", "norms before and after attention and feed-forward part, half of each head rotated",
        new(theta=10000.0), num_key_value_heads=2, pad_token_id=0, tie_word_embeddings=False, generation=64,
        gradients=True)
decoder("glm4", "quarter", "partial_rotary_factor 0.25, attention_bias false, head_dim 16, 1 key head, tied, old keys",
        old(rope_theta=100.0, partial_rotary_factor=0.25), num_key_value_heads=1, head_dim=16, attention_bias=False,
        pad_token_id=0, tie_word_embeddings=True)
decoder("glm4", "four", "4 key heads, attention_bias as given, eps 1e-3",
        new(theta=500.0), num_key_value_heads=4, rms_norm_eps=1e-3, attention_bias=True, pad_token_id=0,
        tie_word_embeddings=False, class_gradients=True)

# phi
decoder("phi", "half", "parallel blocks, half of each head rotated by default, head with a bias, old keys",
        old(rope_theta=10000.0, qk_layernorm=False), hidden_act="gelu_new", pad_token_id=0, hidden_size=32,
        tie_word_embeddings=False, generation=64, gradients=True, class_gradients=True)
decoder("phi", "partial", "partial_rotary_factor 0.25 outside, 2 key heads, hidden_size 64, relu",
        old(rope_theta=100.0, partial_rotary_factor=0.25), num_key_value_heads=2, hidden_size=64, intermediate_size=40,
        hidden_act="relu", pad_token_id=0, tie_word_embeddings=False)
decoder("phi", "new", "new keys, linear rope on the whole head, 1 key head, eps 1e-3, gelu",
        new(rope=dict(rope_type="linear", rope_theta=10000.0, factor=2.0, partial_rotary_factor=1.0)),
        num_key_value_heads=1, hidden_act="gelu", layer_norm_eps=1e-3, pad_token_id=0, tie_word_embeddings=False)

# gpt_neox
decoder("gpt_neox", "pythia", "as Pythia: rotary_pct 0.25, rotary_emb_base, parallel, embed_out in the file",
        old("float32", rotary_pct=0.25, rotary_emb_base=10000), hidden_act="gelu", use_parallel_residual=True,
        hidden_size=32, pad_token_id=0, tie_word_embeddings=False, layout="embed_out", generation=64, gradients=True,
        class_gradients=True)
decoder("gpt_neox", "serial", "use_parallel_residual false, rotary_pct 1, tied, gelu_fast",
        old(rotary_pct=1.0, rotary_emb_base=1000), hidden_act="gelu_fast", use_parallel_residual=False, pad_token_id=0,
        tie_word_embeddings=True)
decoder("gpt_neox", "no-biases", "attention_bias false, new keys, half of each head, 2 heads, relu",
        new(rope=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5)), hidden_act="relu",
        attention_bias=False, num_attention_heads=2, pad_token_id=0, tie_word_embeddings=False)

# gpt2
GPT2 = dict(model_type="gpt2", vocab_size=60, n_positions=40, n_ctx=40, n_embd=24, n_layer=2, n_head=4,
            layer_norm_epsilon=1e-5, activation_function="gelu_new", attn_pdrop=0.1, embd_pdrop=0.1, resid_pdrop=0.1,
            bos_token_id=2, eos_token_id=2, initializer_range=0.02)
model("gpt2-hub", "as on the hub: no prefix, h.N.attn.bias masks in the file, no n_inner or dtype key, float32",
      dict(GPT2, architectures=["GPT2LMHeadModel"], summary_type="cls_index"), layout="bare", extra="masks",
      generation=True)
model("gpt2-inner", "n_inner 40, scale_attn_by_inverse_layer_idx, `transformer.` prefix, new keys, eps 1e-3",
      dict(GPT2, architectures=["GPT2LMHeadModel"], n_inner=40, n_embd=16, n_layer=3, layer_norm_epsilon=1e-3,
           scale_attn_by_inverse_layer_idx=True, dtype="bfloat16", tie_word_embeddings=True), embed=0.1,
      generation=True, gradients=True)
model("gpt2-untied", "n_inner null, lm_head of its own, scale_attn_weights false, relu, old torch_dtype",
      dict(GPT2, architectures=["GPT2LMHeadModel"], n_inner=None, scale_attn_weights=False, activation_function="relu",
           scale_attn_by_inverse_layer_idx=False, torch_dtype="bfloat16", tie_word_embeddings=False))
model("gpt2-gelu", "erf gelu, 2 heads, inverse layer scale without scale_attn_weights, tied",
      dict(GPT2, architectures=["GPT2LMHeadModel"], n_head=2, scale_attn_weights=False, activation_function="gelu",
           scale_attn_by_inverse_layer_idx=True, dtype="bfloat16"))

# encoders
ENCODER = dict(vocab_size=60, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40,
               max_position_embeddings=40, attention_probs_dropout_prob=0.1, hidden_dropout_prob=0.1,
               initializer_range=0.02, **LABEL_KEYS)


def encoder(family, variant, features, layout="full", embed=0.2, class_gradients=False, **changes):
    head = "ForSequenceClassification" if layout == "full" else "ForMaskedLM"
    config = dict(ENCODER, model_type=family, architectures=[ARCHITECTURE[family] + head])
    if "roberta" in family or family == "camembert":
        config |= dict(pad_token_id=1, bos_token_id=0, eos_token_id=2)
    config |= changes
    model(f"{family}-{variant}", features, config, layout=layout, embed=embed, class_gradients=class_gradients)


encoder("bert", "types", "2 token types, gelu, eps 1e-12, old torch_dtype", pad_token_id=0, type_vocab_size=2,
        hidden_act="gelu", layer_norm_eps=1e-12, position_embedding_type="absolute", torch_dtype="bfloat16",
        class_gradients=True)
encoder("bert", "relu", "1 token type, relu, eps 1e-3, 3 layers, 2 heads, float32 file", pad_token_id=0,
        type_vocab_size=1, hidden_act="relu", layer_norm_eps=1e-3, num_hidden_layers=3, num_attention_heads=2,
        dtype="float32", embed=0.05)
encoder("roberta", "one-type", "as roberta-base: 1 token type, eps 1e-5, gelu", type_vocab_size=1, hidden_act="gelu",
        layer_norm_eps=1e-5, position_embedding_type="absolute", torch_dtype="bfloat16", class_gradients=True)
encoder("roberta", "two-types", "2 token types, gelu_new, 3 layers, eps 1e-3, new dtype", type_vocab_size=2,
        hidden_act="gelu_new", layer_norm_eps=1e-3, num_hidden_layers=3, dtype="bfloat16", embed=0.05)
encoder("roberta", "pretraining", "the masked language model's file: lm_head and no classifier (head in golden.json)",
        type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5, torch_dtype="float16", layout="pretraining")

encoder("xlm-roberta", "one-type", "as xlm-roberta-base: 1 token type, eps 1e-5, gelu", type_vocab_size=1,
        hidden_act="gelu", layer_norm_eps=1e-5, position_embedding_type="absolute", torch_dtype="bfloat16",
        output_past=True, class_gradients=True)
encoder("xlm-roberta", "two-types", "2 token types, gelu_new, 3 layers, eps 1e-3, new dtype", type_vocab_size=2,
        hidden_act="gelu_new", layer_norm_eps=1e-3, num_hidden_layers=3, dtype="bfloat16", embed=0.05)
encoder("xlm-roberta", "pretraining", "the masked language model's file: lm_head and no classifier",
        type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5, torch_dtype="float32", layout="pretraining")
encoder("camembert", "one-type", "as camembert-base: 1 token type, eps 1e-5, gelu", type_vocab_size=1,
        hidden_act="gelu", layer_norm_eps=1e-5, torch_dtype="bfloat16", class_gradients=True)
encoder("camembert", "relu", "2 token types, relu, 3 layers, 2 heads, eps 1e-3", type_vocab_size=2, hidden_act="relu",
        layer_norm_eps=1e-3, num_hidden_layers=3, num_attention_heads=2, dtype="float32", embed=0.05)
encoder("camembert", "pretraining", "the masked language model's file: lm_head and no classifier",
        type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5, torch_dtype="float16", layout="pretraining")

DISTILBERT = dict(hidden_size="absent", num_hidden_layers="absent", num_attention_heads="absent",
                  intermediate_size="absent", attention_probs_dropout_prob="absent", hidden_dropout_prob="absent",
                  dim=24, n_layers=2, n_heads=4, hidden_dim=40, dropout=0.1, attention_dropout=0.1,
                  seq_classif_dropout=0.2, qa_dropout=0.1, sinusoidal_pos_embds=False, pad_token_id=0)
encoder("distilbert", "gelu", "gelu, tie_weights_ as on the hub, old torch_dtype", activation="gelu", tie_weights_=True,
        torch_dtype="bfloat16", class_gradients=True, **DISTILBERT)
encoder("distilbert", "relu", "relu, 3 layers, 2 heads, float32 file", activation="relu", dtype="float32",
        **dict(DISTILBERT, n_layers=3, n_heads=2))
encoder("distilbert", "pretraining", "the masked language model's file: vocab_*, no classifier (head in golden.json)",
        activation="gelu", torch_dtype="bfloat16", layout="pretraining", **DISTILBERT)
